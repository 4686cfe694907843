"""Early warning: which monthly series behave as they never did, and how often that means nothing.

Series are scored two ways and two-sided: the level against the two years before, and the change
on the year before against its own two years. A rush before a measure takes effect is as much a
signal as the fall after it. What a code mixes, no method can part: a series of a mixed code may
never show an event.

A month without a figure is NaN and says nothing; a reported zero is a zero, and alarms.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop

AHEAD: Final = 6  # months before a measure takes effect in which it alarms
AlarmKind = Literal["level", "year_on_year", "unit_value", "breadth", "calendar"]

WINDOW: Final = 24  # months that a value is held against
LEAST_KNOWN: Final = 18  # of them that must have a figure
SPREAD_FLOOR: Final = 0.05  # of a logarithm: 5 %, so that a flat series does not alarm at noise
THRESHOLD: Final = 4.0
PARTNERS_THRESHOLD: Final = 2.0
BREADTH: Final = 0.3  # share of partners beyond PARTNERS_THRESHOLD
LEAST_PARTNERS: Final = 5
PUBLICATION_LAG: Final = 2  # months until a month's figures are known
_ZERO_SHARE: Final = 0.01  # a reported zero counts as this share of the series' median
_CHUNK: Final = 1024


class BadSeriesError(RenkeiError):
    """Series that cannot be scored; the row and month are named."""

    code = "materials.bad_series"


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Return the month of ``2023-12`` or of a date in it."""
        try:
            year, month = int(text[:4]), int(text[5:7])
        except ValueError as error:
            raise BadSeriesError(
                gettext_noop("{text!r} is no month: expected 2023-12"), text=text
            ) from error
        if not 1 <= month <= 12:
            raise BadSeriesError(gettext_noop("{text!r} is no month: expected 2023-12"), text=text)
        return cls(year, month)

    def plus(self, months: int) -> "Month":
        """Return the month some months later."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    def since(self, other: "Month") -> int:
        """Return how many months later than ``other`` this is."""
        return (self.year - other.year) * 12 + self.month - other.month

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How far each value is from its usual, in robust standard deviations of a logarithm.

    Attributes:
        z: shape (series, months); NaN where too little is known.
        centre, spread: the median it was held against, and the scale, in logarithms.
    """

    z: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """All series scored.

    Attributes:
        first: month of the first column.
        quantity: as given.
        level, year_on_year: scores of the logarithm and of its change on the year before.
        unit_value: scores of value by quantity, or None.
    """

    first: Month
    quantity: NDArray[np.float64]
    level: Scores
    year_on_year: Scores
    unit_value: Scores | None

    def month(self, column: int) -> Month:
        """Return the month of a column."""
        return self.first.plus(column)

    def column(self, month: Month) -> int:
        """Return the column of a month (may lie outside)."""
        return month.since(self.first)


@dataclass(frozen=True, slots=True)
class Measure:
    """An announced measure: what takes effect when, on which codes."""

    name: str
    effective: Month
    codes: frozenset[str]
    announced: Month | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm and its evidence.

    Attributes:
        series: name of the series, or of the group for breadth, or of the code for a measure.
        direction: 1 is above usual, -1 below, 0 for the calendar.
        z: the score (for breadth: the share of partners).
        usual: what was usual, in the unit of the series; ``found`` is what came.
        known_in: month in which the figure is published.
        evidence: more names and figures, ready to show.
    """

    kind: AlarmKind
    series: str
    month: Month
    direction: int
    z: float
    usual: float
    found: float
    known_in: Month
    evidence: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a rule would have found, counted.

    With few events no share is printed: ``hits`` of ``events`` says it all.

    Attributes:
        hits, events: series of an event in which an alarm fell in the months after it, of those
            that could be scored.
        delays: months from the event to each hit.
        leads: months by which an alarm of the opposite sign (a rush) came before the event.
        false_alarms: episodes outside every event's months; ``series_years`` is how long was
            watched.
    """

    threshold: float
    hits: int
    events: int
    delays: tuple[int, ...]
    leads: tuple[int, ...]
    false_alarms: int
    series_years: float

    @property
    def false_alarms_per_series_year(self) -> float:
        """Return false alarms by series and year, NaN if nothing was watched."""
        return self.false_alarms / self.series_years if self.series_years > 0 else float("nan")


def sweep(
    quantity: NDArray[np.float64],
    *,
    first: Month,
    value: NDArray[np.float64] | None = None,
    window: int = WINDOW,
    least_known: int = LEAST_KNOWN,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
) -> Sweep:
    """Score all series at once.

    Args:
        quantity: shape (series, months), 0 or more; NaN where no figure is known.
        value: money for the same, for unit values.
        window: months before a value that it is held against.
        least_known: figures that must be among them.

    Raises:
        BadSeriesError: a value below 0 or infinite, with its row and month; shapes that differ.
    """
    amounts = np.asarray(quantity, float)
    _check(amounts, first, "quantity")
    if not 2 <= least_known <= window:
        raise BadSeriesError(
            gettext_noop(
                "a window of {window} months with {least} known: expected 2 to the window"
            ),
            window=window,
            least=least_known,
        )
    logs = _logarithms(amounts)
    changes = np.full(logs.shape, np.nan)
    changes[:, 12:] = logs[:, 12:] - logs[:, :-12]
    unit = None
    jobs = [logs, changes]
    if value is not None:
        money = np.asarray(value, float)
        _check(money, first, "value")
        if money.shape != amounts.shape:
            raise BadSeriesError(
                gettext_noop("values have the shape {found}: expected {wanted}"),
                found=money.shape,
                wanted=amounts.shape,
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            prices = np.where((amounts > 0) & (money > 0), np.log(money / amounts), np.nan)
        jobs.append(prices)
    scored = [_score(job, window, least_known, threads) for job in jobs]
    if progress is not None:
        progress(1.0)
    unit = scored[2] if value is not None else None
    return Sweep(first, amounts, scored[0], scored[1], unit)


def breadth(
    found: Sweep,
    groups: Sequence[str],
    *,
    threshold: float = PARTNERS_THRESHOLD,
    least: int = LEAST_PARTNERS,
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]]:
    """Return by group the share of its partners above, below the threshold, and how many count.

    Args:
        groups: the group of each series (a code whose partners the series are).
        least: partners that must have a score; NaN where there are fewer.
    """
    names = np.array(groups)
    answer = {}
    for group in dict.fromkeys(groups):
        z = found.year_on_year.z[names == group]
        known = np.isfinite(z).sum(axis=0)
        enough = known >= least
        with np.errstate(invalid="ignore"):
            up, down = (z > threshold).sum(axis=0), (z < -threshold).sum(axis=0)
        blank = np.full(z.shape[1], np.nan)
        answer[group] = (
            np.divide(up, known, where=enough, out=blank.copy()),
            np.divide(down, known, where=enough, out=blank.copy()),
            known,
        )
    return answer


def alarms(
    found: Sweep,
    *,
    names: Sequence[str],
    groups: Sequence[str] = (),
    measures: Sequence[Measure] = (),
    now: Month | None = None,
    since: Month,
    until: Month | None = None,
    threshold: float = THRESHOLD,
    breadth_share: float = BREADTH,
    ahead: int = AHEAD,
    lag: int = PUBLICATION_LAG,
) -> list[Alarm]:
    """Return the alarms of some months, strongest first within a month.

    Args:
        names: of each series; ``groups`` as in ``breadth``.
        measures, now: the calendar, and the month in which it is read, for figures come later;
            the last month looked at where none is given. See ``calendar``.
        since, until: first and last month looked at.
        lag: months until a month's figures are published.
    """
    if len(names) != len(found.quantity):
        raise BadSeriesError(
            gettext_noop("{names} names of {series} series"),
            names=len(names),
            series=len(found.quantity),
        )
    width = found.quantity.shape[1]
    begin = max(0, found.column(since))
    end = width if until is None else min(width, found.column(until) + 1)
    answer: list[Alarm] = []
    kinds: list[tuple[AlarmKind, Scores]] = [
        ("level", found.level),
        ("year_on_year", found.year_on_year),
    ]
    if found.unit_value is not None:
        kinds.append(("unit_value", found.unit_value))
    for kind, scores in kinds:
        with np.errstate(invalid="ignore"):
            beyond = np.abs(scores.z[:, begin:end]) > threshold
        for row, shift in np.argwhere(beyond):
            column = begin + int(shift)
            answer.append(
                _alarm(found, kind, scores, name=names[row], row=int(row), column=column, lag=lag)
            )
    for group, (up, down, known) in breadth(found, groups).items() if groups else ():
        for direction, shares in ((1, up), (-1, down)):
            for column in range(begin, end):
                if not shares[column] >= breadth_share:
                    continue
                before = shares[max(0, column - WINDOW) : column]
                usual = float(np.nanmax(before)) if np.isfinite(before).any() else 0.0
                if shares[column] > usual:
                    month = found.month(column)
                    answer.append(
                        Alarm(
                            "breadth",
                            group,
                            month,
                            direction,
                            float(shares[column]),
                            usual,
                            float(shares[column]),
                            month.plus(lag),
                            {"partners": float(known[column])},
                        )
                    )
    answer += calendar(measures, now or found.month(max(begin, end - 1)), ahead=ahead)
    return sorted(answer, key=lambda one: (one.month, -abs(one.z)), reverse=False)


def backtest(
    scores: Scores,
    *,
    first: Month,
    codes: Sequence[str],
    events: Mapping[str, Month],
    threshold: float,
    since: Month,
    direction: int = -1,
    hit_months: int = 4,
    guard: tuple[int, int] = (-1, 13),
    skip: frozenset[str] = frozenset(),
) -> Backtest:
    """Count what a threshold would have found and how often it would have been wrong.

    Args:
        codes: the code of each series; ``events`` the month each code was hit.
        direction: -1 looks for falls, 1 for rises, 0 for both.
        hit_months: an alarm in the event's month or the next ones counts as a hit.
        guard: months around an event in which an alarm is neither hit nor false.
        since: first month in which false alarms are counted; alarms within three months of the
            one before are one episode.
        skip: codes that are left out (to leave one event out).
    """
    hits = total = wrong = watched = 0
    delays, leads = [], []
    for row, code in enumerate(codes):
        if code in skip:
            continue
        z = scores.z[row]
        with np.errstate(invalid="ignore"):
            beyond = np.abs(z) > threshold if direction == 0 else direction * z > threshold
            against = -direction * z > threshold if direction else np.zeros(len(z), bool)
        free = np.isfinite(z) & (np.arange(len(z)) >= since.since(first))
        if code in events:
            place = events[code].since(first)
            window = slice(max(0, place), max(0, place + hit_months))
            if np.isfinite(z[window]).any():
                total += 1
                struck = np.flatnonzero(beyond[window])
                if len(struck):
                    hits += 1
                    delays.append(int(struck[0]))
                rush = np.flatnonzero(against[max(0, place - 3) : max(0, place)])
                if len(rush):
                    leads.append(min(3, place) - int(rush[0]))
            free[max(0, place + guard[0]) : max(0, place + guard[1])] = False
        last = -99
        for column in np.flatnonzero(beyond & free).tolist():
            wrong += column - last > 3
            last = column
        watched += int(free.sum())
    return Backtest(threshold, hits, total, tuple(delays), tuple(leads), wrong, watched / 12)


def leave_one_out(
    scores: Scores,
    *,
    first: Month,
    codes: Sequence[str],
    events: Mapping[str, Month],
    since: Month,
    most_false_alarms: float = 0.25,
    thresholds: Sequence[float] = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
    direction: int = -1,
) -> dict[str, Backtest]:
    """Judge every event by a threshold that was chosen without it.

    The threshold is the lowest that, without the event's series, gives at most
    ``most_false_alarms`` per series and year.
    """
    answer = {}
    for event in events:
        others = {code: month for code, month in events.items() if code != event}
        chosen = thresholds[-1]
        for threshold in sorted(thresholds):
            tried = backtest(
                scores,
                first=first,
                codes=codes,
                events=others,
                threshold=threshold,
                since=since,
                direction=direction,
                skip=frozenset([event]),
            )
            if tried.false_alarms_per_series_year <= most_false_alarms:
                chosen = threshold
                break
        rest = frozenset(codes) - {event}
        answer[event] = backtest(
            scores,
            first=first,
            codes=codes,
            events=events,
            threshold=chosen,
            since=since,
            direction=direction,
            skip=rest,
        )
    return answer


def _alarm(
    found: Sweep, kind: AlarmKind, scores: Scores, *, name: str, row: int, column: int, lag: int
) -> Alarm:
    z = float(scores.z[row, column])
    centre, spread = float(scores.centre[row, column]), float(scores.spread[row, column])
    month = found.month(column)
    value = centre + z * spread
    return Alarm(
        kind=kind,
        series=name,
        month=month,
        direction=1 if z > 0 else -1,
        z=z,
        # Of a change on the year before these are factors: 0.5 is half of last year's.
        usual=float(np.exp(centre)),
        found=float(np.exp(value)),
        known_in=month.plus(lag),
        evidence={"quantity": float(found.quantity[row, column]), "log_spread": spread},
    )


def calendar(measures: Sequence[Measure], now: Month, *, ahead: int = AHEAD) -> list[Alarm]:
    """Return an alarm for each code of each measure that takes effect within ``ahead`` months.

    Its month is the one in which the measure takes effect, so that it is told once.
    """
    return [
        Alarm(
            "calendar",
            f"{code} {measure.name}",
            measure.effective,
            0,
            0.0,
            0.0,
            float(measure.effective.since(now)),
            now,
            {"measure": measure.name, "effective": str(measure.effective)},
        )
        for measure in measures
        if (measure.announced is None or measure.announced <= now)
        and 0 <= measure.effective.since(now) <= ahead
        for code in sorted(measure.codes)
    ]


def _logarithms(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    positive = np.where(amounts > 0, amounts, np.nan)
    some = np.isfinite(positive).any(axis=1)
    middle = np.ones(len(amounts))
    if some.any():
        middle[some] = np.nanmedian(positive[some], axis=1)
    floored = np.where(amounts == 0, middle[:, None] * _ZERO_SHARE, amounts)
    return np.log(floored)


def _score(values: NDArray[np.float64], window: int, least: int, threads: int) -> Scores:
    from renkei.materials.engine import _kernels

    given = np.ascontiguousarray(values)
    z, centre, spread = (np.empty(given.shape) for _ in range(3))

    def part(begin: int) -> None:
        here = slice(begin, begin + _CHUNK)
        _kernels.robust_z(
            given[here], window, least, SPREAD_FLOOR, z[here], centre[here], spread[here]
        )

    with ThreadPoolExecutor(max(1, threads)) as pool:
        list(pool.map(part, range(0, len(given), _CHUNK)))
    return Scores(z, centre, spread)


def _check(amounts: NDArray[np.float64], first: Month, what: str) -> None:
    if amounts.ndim != 2:
        raise BadSeriesError(
            gettext_noop("{what} has the shape {shape}: expected series by months"),
            what=what,
            shape=amounts.shape,
        )
    wrong = (amounts < 0) | np.isinf(amounts)
    if wrong.any():
        row, column = (int(at) for at in np.argwhere(wrong)[0])
        raise BadSeriesError(
            gettext_noop("{what}, row {row}, {month}: {value}: expected 0 or more"),
            what=what,
            row=row,
            month=str(first.plus(column)),
            value=float(amounts[row, column]),
        )
