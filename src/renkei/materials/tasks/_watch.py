"""The monthly sweep: every series that the registry has, and the calendar of measures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from renkei.materials import engine
from renkei.materials.models import Alarm, Event, Flow, Form, Measure, State

LEAST_MONTHS: Final = 36
LOOK_BACK: Final = 24  # months before the newest figure in which alarms are kept


@dataclass(frozen=True, slots=True)
class Watched:
    """What a sweep looked at and found."""

    series: int
    months: int
    alarms: int
    new: int
    backtests: Mapping[str, engine.Backtest]
    until: str


Series = tuple[str, str, str, str]
"""Code, exporter, importer, and whose customs say so."""


def _monthly() -> dict[Series, dict[engine.Month, tuple[float | None, float]]]:
    """Return every monthly series: tonnes and thousand dollars."""
    found: dict[Series, dict[engine.Month, tuple[float | None, float]]] = defaultdict(dict)
    rows = Flow.objects.current().exclude(
        Q(valid_to__month=F("valid_from__month") + 11) & Q(valid_from__month=1)
    )
    for code, exporter, importer, reporter, day, tonnes, kusd in rows.values_list(
        "code", "exporter", "importer", "reporter", "valid_from", "tonnes", "kusd"
    ):
        found[code, exporter, importer, reporter][engine.Month(day.year, day.month)] = (
            tonnes,
            kusd,
        )
    return {name: months for name, months in found.items() if len(months) >= LEAST_MONTHS}


def _events() -> dict[str, engine.Month]:
    """Return by code the month in which the first dated event hit it."""
    found: dict[str, engine.Month] = {}
    for event in Event.objects.filter(is_exact_day=True).order_by("day"):
        for code in event.codes.split():
            found.setdefault(code, engine.Month(event.day.year, event.day.month))
    return found


def watch(*, until: date | None = None) -> Watched:
    """Look at every series and keep the alarms of the last months; the same twice changes nothing.

    Args:
        until: the last month looked at; the newest that any series has.
    """
    series = _monthly()
    today = timezone.localdate()
    now = engine.Month(today.year, today.month)
    if not series:
        raised = engine.calendar(calendar(), now)
        done = Watched(0, 0, len(raised), _keep(raised, {}), {}, "")
        State.objects.filter(pk=1).update(watched=_counts(done, []))
        return done
    names = sorted(series)
    first = min(min(series[name]) for name in names)
    last = max(max(series[name]) for name in names)
    if until is not None:
        last = min(last, engine.Month(until.year, until.month))
    width = last.since(first) + 1
    tonnes = np.full((len(names), width), np.nan)
    kusd = np.full((len(names), width), np.nan)
    for row, name in enumerate(names):
        for month, (mass, value) in series[name].items():
            column = month.since(first)
            if 0 <= column < width:
                tonnes[row, column] = np.nan if mass is None else mass
                kusd[row, column] = value
    found = engine.sweep(tonnes, first=first, value=kusd)
    said = [_said(name) for name in names]
    # Partners of one reporter move together, or not: what another reports of them is no partner more.
    groups = [
        f"{name[0]} {name[3]}" if "OTH" not in name[1:3] else f"{name[0]} {name[3]} total"
        for name in names
    ]
    raised = engine.alarms(
        found,
        names=said,
        groups=groups,
        measures=calendar(),
        now=now,
        since=last.plus(-LOOK_BACK),
        until=last,
    )
    new = _keep(raised, dict(zip(said, names, strict=True)))
    done = Watched(len(names), width, len(raised), new, _backtests(found, names), str(last))
    State.objects.filter(pk=1).update(watched=_counts(done, names))
    return done


def _keep(raised: list[engine.Alarm], by_said: Mapping[str, Series]) -> int:
    """Keep the alarms that are new; return how many."""
    new = 0
    with transaction.atomic():
        for one in raised:
            code, exporter = by_said.get(one.series, (one.series[:6], "", ""))[:2]
            _row, made = Alarm.objects.get_or_create(
                kind=one.kind,
                series=one.series,
                month=date(one.month.year, one.month.month, 1),
                direction=one.direction,
                defaults={
                    "code": code if code.isdigit() else "",
                    "exporter": exporter,
                    "z": _number(one.z),
                    "usual": _number(one.usual),
                    "found": _number(one.found),
                    "known_in": date(one.known_in.year, one.known_in.month, 1),
                    "evidence": {
                        name: _number(value) if isinstance(value, float) else value
                        for name, value in one.evidence.items()
                    },
                },
            )
            new += made
    return new


def _counts(done: Watched, names: list[Series]) -> dict[str, Any]:
    """Return a sweep's counts as JSON; without a usable event there is no back-test."""
    counts: dict[str, Any] = {"series": done.series, "until": done.until}
    if done.backtests:
        counts["codes"] = sorted({name[0] for name in names} & set(_events()))
        counts["by_kind"] = [
            {
                "kind": kind,
                "hits": back.hits,
                "events": back.events,
                "false_alarms": back.false_alarms,
                "series_years": back.series_years,
                "rate": _number(back.false_alarms_per_series_year),
            }
            for kind, back in done.backtests.items()
        ]
    return counts


def _said(name: Series) -> str:
    code, exporter, importer, reporter = name
    said = f"{code} {exporter}→{importer}" if importer != "OTH" else f"{code} {exporter}"
    return said if reporter in {"", exporter} else f"{said} ({reporter})"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def calendar() -> list[engine.Measure]:
    """Return the announced measures that are ahead, by the codes of their materials."""
    today = timezone.localdate()
    found = []
    for row in Measure.objects.filter(effective_from__gte=today).prefetch_related("materials"):
        codes = Form.objects.filter(material__in=row.materials.all())
        found.append(
            engine.Measure(
                row.slug,
                engine.Month(row.effective_from.year, row.effective_from.month),
                frozenset(codes.values_list("hs2022", flat=True)),
                engine.Month(row.announced_on.year, row.announced_on.month)
                if row.announced_on
                else None,
            )
        )
    return found


def _backtests(found: engine.Sweep, names: list[Series]) -> dict[str, engine.Backtest]:
    """Return what each kind of alarm on a series would have found on the dated events, and how often wrong.

    Alarms of breadth and of the calendar are not of one series, and are not counted.
    """
    events = _events()
    codes = [name[0] for name in names]
    if not set(codes) & set(events):
        return {}
    kinds = {
        Alarm.Kind.LEVEL: found.level,
        Alarm.Kind.YEAR_ON_YEAR: found.year_on_year,
        Alarm.Kind.UNIT_VALUE: found.unit_value,
    }
    return {
        str(kind): engine.backtest(
            scores,
            first=found.first,
            codes=codes,
            events=events,
            threshold=engine.THRESHOLD,
            since=found.first.plus(LEAST_MONTHS),
            direction=0,
        )
        for kind, scores in kinds.items()
        if scores is not None
    }


def told(rows: Sequence[Alarm]) -> dict[int, list[Flow]]:
    """Return by alarm the figures that it is about: those of its month and of the same a year before."""
    months = {row.month for row in rows} | {
        row.month.replace(year=row.month.year - 1) for row in rows
    }
    found: dict[tuple[str, date], list[Flow]] = defaultdict(list)
    flows = Flow.objects.current().filter(
        code__in={row.code for row in rows if row.code}, valid_from__in=months
    )
    for one in flows.exclude(valid_to__month=F("valid_from__month") + 11).select_related("release"):
        said = _said((one.code, one.exporter, one.importer, one.reporter))
        found[said, one.valid_from].append(one)
    return {
        row.pk: [
            one
            for month in (row.month.replace(year=row.month.year - 1), row.month)
            for one in found.get((row.series, month), ())
        ]
        for row in rows
    }
