"""What may leave a node: cells that protect their contributors, bits, sizes, border vectors.

Two parties that add their figures under encryption learn each other's: each subtracts its own. No
such sum is offered. What is: a gate for aggregates with secondary suppression, threshold bits
from a fixed grid, a private comparison, the size of a private set intersection, and a joint run
that exchanges border vectors alone (``_border``).
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import ForbiddenError, RenkeiError, gettext_noop
from renkei.materials.engine._answers import is_number
from renkei.materials.engine._program import Program, SolverError

LEAST_CONTRIBUTORS: Final = 3
PERCENT: Final = 10.0  # nobody may learn a contribution to within this share of it
_MOST_ROUNDS: Final = 200
MOST_SET: Final = 20_000
LEAST_SET: Final = 20  # a set of one would ask about one supplier
MOST_QUERIES_A_DAY: Final = 4
MOST_BITS: Final = 3  # of one statistic and period: a fourth would begin to pin it down
_TIGHT: Final = 1e-6

State = Literal["new", "published", "suppressed", "held"]
Why = Literal["few_contributors", "p_percent", "difference"]


class BadCellError(RenkeiError):
    """A cell or relation that cannot be, with its row."""

    code = "materials.bad_cell"


class NotProtectableError(RenkeiError):
    """What was published before already gives a cell away."""

    code = "materials.not_protectable"


class QueryLimitError(ForbiddenError):
    """A question more than the limit allows."""

    code = "materials.query_limit"


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of a table before release.

    Attributes:
        key: its name, the same at every node and in every month.
        value: the figure.
        contributions: what each contributor gave, by name. A total without any takes those of its
            parts; any other cell without is a public fact (a zero, official statistics).
        state: what happened earlier: "published" stays published, "suppressed" stays suppressed;
            "held" is held back for another's sake (a partner's, or that of an earlier edition). What
            was or is held back is protected as if it failed the gate itself.
        weight: what suppressing it costs (its use to readers); default its size.
    """

    key: str
    value: float
    contributions: Mapping[str, float]
    state: State = "new"
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """What may be released.

    Attributes:
        published: keys and values.
        primary: keys that fail the gate, and why.
        secondary: keys that are held back to protect those.
        intervals: what a reader can still work out about each primary cell.
    """

    published: Mapping[str, float]
    primary: Mapping[str, Why]
    secondary: frozenset[str]
    intervals: Mapping[str, tuple[float, float]]


def gate(
    contributions: Iterable[float],
    *,
    least: int = LEAST_CONTRIBUTORS,
    percent: float = PERCENT,
) -> Why | None:
    """Return why a sum of contributions may not be released, or None.

    The p-percent rule: with the two largest taken away, the rest must be at least p percent of
    the largest, or the second largest contributor could work out the largest that exactly.

    Raises:
        BadCellError: a contribution is no finite number.

    Source: Hundepool et al., Statistical Disclosure Control (2012), 4.2.2.
    """
    given = sorted((abs(one) for one in contributions if one != 0), reverse=True)
    if not all(map(is_number, given)):  # it would compare as small, and pass
        raise BadCellError(gettext_noop("a contribution is no finite number"))
    if not given:
        return None
    if len(given) < least:
        return "few_contributors"
    if sum(given[2:]) < percent / 100 * given[0]:
        return "p_percent"
    return None


def difference_gate(
    before: Mapping[str, float],
    after: Mapping[str, float],
    *,
    least: int = LEAST_CONTRIBUTORS,
    percent: float = PERCENT,
) -> Why | None:
    """Return why a revised figure may not follow the first, or None.

    Whoever has both subtracts: the contributors that changed must themselves pass the gate.
    """
    changes = [
        after.get(name, 0.0) - before.get(name, 0.0) for name in before.keys() | after.keys()
    ]
    moved = [change for change in changes if change != 0]
    return "difference" if moved and gate(moved, least=least, percent=percent) else None


def earlier(
    given: Mapping[str, float], editions: Sequence[tuple[Mapping[str, float], bool]]
) -> State:
    """Return the state of a cell whose contributors gave ``given``, by its editions before.

    Args:
        editions: contributions of each edition, oldest first, and whether it was told.

    What was held back stays so until a change of its own passes the gate of differences: else it
    would come out of the next edition. What was told and changed by too few is "held". A reader
    keeps every edition: each of them counts, for what moved since the last one may be few since one
    before it.
    """
    if not editions:
        return "new"
    last, was_told = editions[-1]
    if dict(last) == dict(given):
        return "published" if was_told else "suppressed"
    if any(
        difference_gate(before, given) is not None or (not told and dict(before) == dict(given))
        for before, told in editions
    ):
        return "held" if was_told else "suppressed"
    return "new"


def release(
    cells: Sequence[Cell],
    relations: Sequence[tuple[str, Sequence[str]]],
    *,
    known: Iterable[str] = (),
    least: int = LEAST_CONTRIBUTORS,
    percent: float = PERCENT,
    seconds: float = 30.0,
) -> Release:
    """Return what may be released, holding back as little as protects the rest.

    Args:
        cells: all figures of the table: of both nodes, and of earlier months where a relation
            joins them (a year to date is the sum of its months).
        relations: (total, parts): the total is the sum of the parts.
        known: keys that the reader knows anyway (the partner knows its own figures).

    A reader who knows the relations and that nothing is below 0 must be unable to work out a
    primary cell to within ``percent`` of it. What is left of a told total when its told parts are taken
    away must pass the gate as a figure would: of two holders each would know the other's. The cells held back are found by a mixed-integer
    programme with cuts from the reader's best attacks (Fischetti and Salazar, Management Science
    47 (2001) 1008).

    Raises:
        BadCellError: cells or relations that cannot be, with their row.
        NotProtectableError: what is published or known already gives a primary cell away.
    """
    place = _checked(cells, relations)
    value = np.array([cell.value for cell in cells])
    matrix = np.zeros((len(relations), len(cells)))
    for row, (total, parts) in enumerate(relations):
        matrix[row, place[total]] = 1.0
        for part in parts:
            matrix[row, place[part]] -= 1.0
    given = _contributions(cells, relations)
    primary: dict[str, Why] = {}
    for cell in cells:
        why = gate(given[cell.key].values(), least=least, percent=percent)
        if why is not None and cell.state != "published":
            primary[cell.key] = why
    open_to_reader = {place[key] for key in known}
    hidden = np.zeros(len(cells), bool)
    for at, cell in enumerate(cells):
        hidden[at] = at not in open_to_reader and (
            cell.key in primary or cell.state in {"suppressed", "held"}
        )
    may_hide = np.array(
        [
            at not in open_to_reader and cell.state != "published" and cell.value != 0
            for at, cell in enumerate(cells)
        ]
    )
    may_hide |= hidden
    cost = np.array(
        [cell.value + 1.0 if cell.weight is None else cell.weight for cell in cells], float
    )
    wanted = {
        at: max(_TIGHT, percent / 100 * max(given[cells[at].key].values(), default=cells[at].value))
        for at in np.flatnonzero(hidden).tolist()
    }
    forced: set[int] = set()
    while True:
        beside = hidden.copy()
        beside[sorted(forced)] = True
        chosen, reach = _suppress(
            matrix,
            value,
            hidden=beside,
            may_hide=may_hide,
            cost=cost,
            wanted=wanted,
            cells=cells,
            seconds=seconds,
        )
        open_sum = _open_sum(relations, place, given, chosen, least=least, percent=percent)
        if open_sum is None:
            break
        more = [at for at in open_sum if may_hide[at] and not chosen[at]]
        if not more:
            raise NotProtectableError(
                gettext_noop(
                    "{cells}: what is published or known already gives a cell away; hold back the"
                    " whole table"
                ),
                cells=", ".join(cells[at].key for at in open_sum if chosen[at]),
            )
        forced.add(min(more, key=lambda at: (cost[at], at)))
    return Release(
        published={
            cell.key: cell.value
            for at, cell in enumerate(cells)
            if not chosen[at] and cell.key not in primary
        },
        primary=primary,
        secondary=frozenset(
            cell.key for at, cell in enumerate(cells) if chosen[at] and cell.key not in primary
        ),
        intervals={cells[at].key: reach[at] for at in wanted if cells[at].key in primary},
    )


def release_beside(
    cells: Sequence[Cell],
    relations: Sequence[tuple[str, Sequence[str]]],
    *,
    held: Collection[str],
    told: Collection[str],
    least: int = LEAST_CONTRIBUTORS,
    percent: float = PERCENT,
    seconds: float = 30.0,
) -> Release:
    """Return what may be released beside what a partner holds back and told of the same table.

    What the partner holds back is held back here and protected; what it told protects nothing any
    more. Where it told a cell that is held back here, nothing more of the table is told. Both nodes
    do so in turn until neither holds back more: then what they tell is consistent.

    Args:
        held, told: keys of the partner's last pattern; no values.

    Raises:
        BadCellError, NotProtectableError: as ``release``.
    """
    beside = [_beside(cell, held, told, least=least, percent=percent) for cell in cells]
    given = _contributions(cells, relations)
    if any(
        cell.key in told
        and (
            cell.state in {"suppressed", "held"}
            or (
                cell.state == "new" and gate(given[cell.key].values(), least=least, percent=percent)
            )
        )
        for cell in beside
    ):
        beside = [replace(cell, state="held") if cell.state == "new" else cell for cell in beside]
    return release(beside, relations, least=least, percent=percent, seconds=seconds)


def _beside(
    cell: Cell, held: Collection[str], told: Collection[str], *, least: int, percent: float
) -> Cell:
    if cell.state in {"published", "suppressed"}:
        return cell
    if cell.key in held:
        return replace(cell, state="held")
    is_safe = gate(cell.contributions.values(), least=least, percent=percent) is None
    if cell.key in told and cell.state == "new" and is_safe:
        return replace(cell, state="published")
    return cell


def threshold_bit(
    value: float, threshold: float, *, grid: Sequence[float], asked: Sequence[float]
) -> bool:
    """Tell whether a figure reaches a threshold, if that may be told.

    Args:
        grid: thresholds that were agreed before; others are refused, for a caller who chooses
            them freely can halve the interval until nothing is left.
        asked: thresholds already answered for this statistic and period.

    Raises:
        QueryLimitError: the threshold is not of the grid, or too many bits were told.
    """
    if threshold not in grid:
        raise QueryLimitError(
            gettext_noop("{threshold} is no agreed threshold: expected one of {grid}"),
            threshold=threshold,
            grid=", ".join(f"{one:g}" for one in grid),
        )
    if threshold not in asked and len(set(asked)) >= MOST_BITS:
        raise QueryLimitError(
            gettext_noop("{most} thresholds of this figure were told: no more can be"),
            most=MOST_BITS,
        )
    return value >= threshold


def check_query(*, size: int, asked_today: int) -> None:
    """Refuse a question about shared suppliers that goes beyond the limits.

    Raises:
        QueryLimitError: too small or too large a set, or too many questions today.
    """
    if not LEAST_SET <= size <= MOST_SET:
        raise QueryLimitError(
            gettext_noop("a set of {size}: expected {least} to {most} suppliers"),
            size=size,
            least=LEAST_SET,
            most=MOST_SET,
        )
    if asked_today >= MOST_QUERIES_A_DAY:
        raise QueryLimitError(
            gettext_noop("{most} questions were asked today: the next can be asked tomorrow"),
            most=MOST_QUERIES_A_DAY,
        )


class PsiAsker:
    """The side that asks how many suppliers are shared; learns that number alone.

    Steps: ``request`` → the other side's ``answer`` → ``size``. Messages are bytes.
    """

    def __init__(self, items: Iterable[str], *, least: int = LEAST_SET) -> None:
        import private_set_intersection.python as psi

        self._items = sorted(set(items))
        if len(self._items) < least:
            check_query(size=len(self._items), asked_today=0)
        self._client = psi.client.CreateWithNewKey(False)

    @property
    def count(self) -> int:
        """Return how many items it asks about; the other side learns this too."""
        return len(self._items)

    def request(self) -> bytes:
        """Return the blinded items."""
        blinded: bytes = self._client.CreateRequest(self._items).SerializeToString()
        return blinded

    def size(self, setup: bytes, response: bytes) -> int:
        """Return how many items both sides have."""
        import private_set_intersection.python as psi

        one, other = psi.ServerSetup(), psi.Response()
        one.ParseFromString(setup)
        other.ParseFromString(response)
        return int(self._client.GetIntersectionSize(one, other))


class PsiAnswerer:
    """The side that answers; learns how many items were asked about, and no item."""

    def __init__(self, items: Iterable[str], *, asked_today: int = 0) -> None:
        import private_set_intersection.python as psi

        self._items = sorted(set(items))
        self._asked_today = asked_today
        self.asked = 0
        """How many items the last request asked about."""
        self._server = psi.server.CreateWithNewKey(False)

    def answer(self, request: bytes, *, least: int = LEAST_SET) -> tuple[bytes, bytes]:
        """Return the setup and the response to a request.

        Raises:
            QueryLimitError: the request is too small, too large, or one too many.
        """
        import private_set_intersection.python as psi

        asked = psi.Request()
        asked.ParseFromString(request)
        size = self.asked = len(asked.encrypted_elements)
        if size < least or size > MOST_SET or self._asked_today >= MOST_QUERIES_A_DAY:
            check_query(size=size, asked_today=self._asked_today)
        # Every element is in the setup as it is: a filter would err once in so many items.
        setup = self._server.CreateSetupMessage(0.0, size, self._items, psi.DataStructure.RAW)
        response = self._server.ProcessRequest(asked)
        return setup.SerializeToString(), response.SerializeToString()


def greater_set(value: int, *, bits: int = 40) -> list[str]:
    """Return the set of the side whose figure may be the greater, for a private comparison.

    ``value`` of this side is greater than that of the other exactly if the intersection with the
    other's ``lesser_set`` has one item, else it is empty: the size tells the bit and nothing else.

    Source: Lin and Tzeng, Applied Cryptography and Network Security (2005) 456.
    """
    text = _binary(value, bits)
    own = [text[: at + 1] for at, bit in enumerate(text) if bit == "1"]
    return _padded(own, bits, "greater")


def lesser_set(value: int, *, bits: int = 40) -> list[str]:
    """Return the set of the other side of a private comparison; see ``greater_set``."""
    text = _binary(value, bits)
    own = [text[:at] + "1" for at, bit in enumerate(text) if bit == "0"]
    return _padded(own, bits, "lesser")


def _binary(value: int, bits: int) -> str:
    if not 0 <= value < 1 << bits:
        raise BadCellError(
            gettext_noop("{value} cannot be compared: expected 0 to {most}"),
            value=value,
            most=(1 << bits) - 1,
        )
    return format(value, f"0{bits}b")


def _padded(own: list[str], bits: int, side: str) -> list[str]:
    # Sets of one size: the number of ones in a figure must not show.
    return own + [f"{side}-{number}" for number in range(bits - len(own))]


def _open_sum(
    relations: Sequence[tuple[str, Sequence[str]]],
    place: Mapping[str, int],
    given: Mapping[str, Mapping[str, float]],
    chosen: NDArray[np.bool_],
    *,
    least: int,
    percent: float,
) -> list[int] | None:
    """Return the cells of the first relation whose hidden parts together fail the gate, or None."""
    for total, parts in relations:
        hidden = [key for key in parts if chosen[place[key]]]
        if chosen[place[total]] or not hidden:
            continue
        together: dict[str, float] = {}
        for key in hidden:
            for name, amount in given[key].items():
                together[name] = together.get(name, 0.0) + amount
        if gate(together.values(), least=least, percent=percent) is not None:
            return [place[key] for key in (total, *parts)]
    return None


def _contributions(
    cells: Sequence[Cell], relations: Sequence[tuple[str, Sequence[str]]]
) -> dict[str, Mapping[str, float]]:
    """Return what each contributor gave to each cell, to totals through their parts."""
    given: dict[str, Mapping[str, float]] = {cell.key: cell.contributions for cell in cells}
    waiting = [(total, parts) for total, parts in relations if not given[total]]
    while waiting:
        later = []
        for total, parts in waiting:
            # A total of totals waits until those are known.
            if any(total != other and other in parts for other, _ in waiting):
                later.append((total, parts))
                continue
            merged: dict[str, float] = {}
            for part in parts:
                for name, amount in given[part].items():
                    merged[name] = merged.get(name, 0.0) + amount
            given[total] = given[total] or merged
        if len(later) == len(waiting):
            raise BadCellError(
                gettext_noop("relation {row}: {key} would be a part of itself"),
                row=relations.index(later[0]),
                key=later[0][0],
            )
        waiting = later
    return given


def _checked(
    cells: Sequence[Cell], relations: Sequence[tuple[str, Sequence[str]]]
) -> dict[str, int]:
    place: dict[str, int] = {}
    for row, cell in enumerate(cells):
        if cell.key in place:
            raise BadCellError(
                gettext_noop("row {row}: the cell {key} stands twice"), row=row, key=cell.key
            )
        place[cell.key] = row
        figures = (cell.value, *cell.contributions.values())
        if not all(math.isfinite(one) and one >= 0 for one in figures):
            raise BadCellError(
                gettext_noop("row {row}: {key} has a figure that is not 0 or more"),
                row=row,
                key=cell.key,
            )
        total = sum(cell.contributions.values())
        if cell.contributions and not math.isclose(total, cell.value, rel_tol=1e-6, abs_tol=1e-9):
            raise BadCellError(
                gettext_noop("row {row}: the contributions to {key} sum to {total}, not {value}"),
                row=row,
                key=cell.key,
                total=total,
                value=cell.value,
            )
    for row, (whole, parts) in enumerate(relations):
        for key in (whole, *parts):
            if key not in place:
                raise BadCellError(
                    gettext_noop("relation {row}: there is no cell {key}"), row=row, key=key
                )
        total = sum(cells[place[key]].value for key in parts)
        value = cells[place[whole]].value
        if not math.isclose(total, value, rel_tol=1e-6, abs_tol=1e-6):
            raise BadCellError(
                gettext_noop("relation {row}: the parts of {key} sum to {total}, not {value}"),
                row=row,
                key=whole,
                total=total,
                value=value,
            )
    return place


def _suppress(
    matrix: NDArray[np.float64],
    value: NDArray[np.float64],
    *,
    hidden: NDArray[np.bool_],
    may_hide: NDArray[np.bool_],
    cost: NDArray[np.float64],
    wanted: Mapping[int, float],
    cells: Sequence[Cell],
    seconds: float,
) -> tuple[NDArray[np.bool_], dict[int, tuple[float, float]]]:
    """Return what is held back, and what the reader can work out about each primary cell."""
    cuts: list[tuple[NDArray[np.float64], float]] = []
    chosen = hidden.copy()
    for _round in range(_MOST_ROUNDS):
        reach: dict[int, tuple[float, float]] = {}
        broken = False
        for at, distance in wanted.items():
            ends = []
            for sign in (1.0, -1.0):
                best, strength = _attack(
                    matrix, value, chosen, may_hide=may_hide, target=at, sign=sign
                )
                ends.append(value[at] + sign * best)
                # Below zero is no place to hide: a cell of 3 cannot be 4 less.
                need = distance if sign > 0 else min(distance, value[at])
                if best < need * (1 - 1e-6) - 1e-9:
                    broken = True
                    cuts.append((np.minimum(strength, need), need))
            reach[at] = (max(0.0, ends[1]), ends[0])
        if not broken:
            return chosen, reach
        program = Program()
        columns = program.add_columns(
            len(value),
            cost=np.maximum(cost, _TIGHT),
            lower=hidden.astype(float),
            upper=may_hide.astype(float),
            integer=True,
        )
        rows = program.add_rows(len(cuts), low=np.array([need for _strength, need in cuts]))
        program.add(
            rows[:, None], columns[None, :], np.array([strength for strength, _need in cuts])
        )
        solved = program.solve(seconds=seconds, gap=1e-6)
        if solved.status == "infeasible":
            bare = [cells[at].key for at in wanted]
            raise NotProtectableError(
                gettext_noop(
                    "{cells}: what is published or known already gives a cell away; hold back the"
                    " whole table"
                ),
                cells=", ".join(bare),
            )
        again = solved.value[columns] > 0.5
        if (again == chosen).all():
            break
        chosen = again
    raise SolverError(gettext_noop("the solver ended as {status}"), status="no protecting pattern")


def _attack(
    matrix: NDArray[np.float64],
    value: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    *,
    may_hide: NDArray[np.bool_],
    target: int,
    sign: float,
) -> tuple[float, NDArray[np.float64]]:
    """Return how far a reader must think a cell may lie from its value, and what would add to it.

    The second is, by cell, how much holding it back as well could widen the interval (from the
    duals of the attack).
    """
    # A reader knows that nothing is below 0 and that nothing is beyond a wide bound.
    upward = np.full(len(value), max(1.0, float(value.sum())))
    downward = value.copy()
    program = Program()
    moves = program.add_columns(
        len(value),
        cost=np.where(np.arange(len(value)) == target, -sign, 0.0),
        lower=np.where(chosen, -downward, 0.0),
        upper=np.where(chosen, upward, 0.0),
    )
    if len(matrix):
        rows = program.add_rows(len(matrix), low=0.0, high=0.0)
        at, where = np.nonzero(matrix)
        program.add(rows[at], moves[where], matrix[at, where])
    solved = program.solve()
    best = sign * float(solved.value[target])
    # The reduced cost of a cell says how much its moving up or down would widen the interval.
    reduced = solved.reduced
    strength = np.where(reduced < 0, -reduced * upward, reduced * downward)
    return best, np.where(may_hide | chosen, strength, 0.0)
