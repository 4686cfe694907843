"""The dashboard: the programme at a glance, its charts, and why nothing is summed up there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from threading import Lock
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext

from renkei.base.access import PUBLIC, access
from renkei.base.http import public_page, require_safe
from renkei.base.rooms import Figure, rooms
from renkei.record import door, engine
from renkei.record.models import (
    GRAVITY,
    Drawing,
    Exposure,
    Finding,
    Lineage,
    MilestoneTally,
    Organisation,
    Outcome,
    Source,
    Tally,
    language,
)
from renkei.record.views._shared import version
from renkei.record.views._words import PAGES

NEWEST = 6
EARLY = ("projected", "planned", "announced")


def figures() -> list[Figure]:
    """Return what the other rooms show on the dashboard."""
    return [figure for room in rooms() if room.figures for figure in import_string(room.figures)()]


def _version() -> str:
    drawn = Drawing.objects.order_by("pk").values_list("pk", "version", "drawn_on")
    shown = [(str(figure.label), figure.value) for figure in figures()]
    return f"{version()} {list(drawn)} {shown}"


@access(PUBLIC)
@require_safe
@public_page(_version)
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the programme at a glance."""
    version = getattr(request, "page_version", None) or _version()
    with _one_at_a_time:
        body = _body(f"{version} {door.state().changed_at}", language())
    return PAGES.page(request, "record/dashboard.html", {"body": body})


@access(PUBLIC)
@require_safe
def index(_request: HttpRequest) -> HttpResponse:
    """Send who shortens an address of the record to the dashboard, in the same language."""
    return redirect("front")


_one_at_a_time = Lock()


@lru_cache(maxsize=4)
def _body(version: str, code: str) -> SafeString:
    """Return what the page says: made once for a state of the facts, whatever the address."""
    today = timezone.localdate()
    state = door.state()
    charts = {name: _chart(name, today, state.version) for name in door.CHARTS}
    counted = charts["status"]["rows"]  # of the commitments: all that is not context
    commitments = sum(row["count"] for row in counted)
    context = Tally.objects.filter(record_class="context").aggregate(sum=Sum("count"))["sum"] or 0
    severities = dict(Finding.objects.values_list("severity").annotate(count=Count("pk")))
    milestones = charts["milestones"]["rows"]
    return PAGES.fragment(
        "record/_dashboard.html",
        {
            "state": state,
            "today": today,
            "charts": charts,
            "sums": _matrix(charts["money"]["rows"]),
            "delivered": _delivered(counted),
            "careless": careless(),
            "commitments": commitments,
            "context": context,
            "records": commitments + context,
            "findings": sum(severities.values()),
            "severities": [
                (code, severities[code])
                for code in engine.VOCABULARY["severity"]
                if code in severities
            ],
            "sources": Source.objects.count(),
            "lineages": Lineage.objects.count(),
            "organisations": Organisation.objects.count(),
            "overdue": [row for row in milestones if row["state"] == "overdue"],
            "due": [row for row in milestones if row["state"] == "open"],
            "outcomes": Outcome.objects.select_related("commitment").order_by("-pk")[:NEWEST],
            "newest": Finding.objects.order_by(GRAVITY, "-updated_at", "-pk")[:NEWEST],
            "figures": figures(),
            "partners": settings.NODE.partners,
            "between": pgettext("between two counts", " and "),
        },
    )


def _chart(name: str, today: date, facts: int) -> dict[str, Any]:
    """Return a chart's drawing, if there is one, with the rows behind it as they are now."""
    chart = door.CHARTS[name]
    drawing = Drawing.objects.filter(name=name, language=language()).first()
    svg: SafeString | None = None
    if drawing is not None and drawing.svg:
        svg = mark_safe(drawing.svg)  # noqa: S308  our own drawing, made by engine._charts
    return {
        "name": name,
        "title": chart.title,
        "rows": chart.rows(today),
        "svg": svg,
        "drawn": drawing,
        "facts": facts,
        "is_current": drawing is not None and drawing.version >= facts,
    }


def _matrix(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lay out sums by what must not be mixed, stage beside stage."""
    lines: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row["nature"], row["currency"], row["domain"], row["side"])
        line = lines.setdefault(
            key,
            {**row, "early": [], "signed": None, "funded": None, "disbursed": None},
        )
        if row["stage"] in EARLY:
            line["early"].append(row)
        else:
            line[row["stage"]] = row
    return list(lines.values())


def _delivered(counted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return by domain what came of the commitments.

    Args:
        counted: how many there are of each domain and status, as the chart of statuses shows.
    """
    lines: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"commitments": 0, "completed": 0, "milestones": 0}
    )
    for row in counted:
        lines[row["domain"]]["commitments"] += row["count"]
        if row["status"] == "completed":
            lines[row["domain"]]["completed"] += row["count"]
    milestones = MilestoneTally.objects.filter(state="delivered").values_list("domain", "count")
    for domain, number in milestones:
        lines[domain]["milestones"] += number
    return [
        {"domain": domain, **lines[domain]}
        for domain in engine.VOCABULARY["domain"]
        if domain in lines
    ]


def careless() -> dict[str, Any] | None:
    """Return what careless sums would give, to be shown as wrong; ``None`` without any money.

    Steps in minor units of the currency in which most sources speak: every mention in the
    running text of the documents, every commitment, each commitment once, and what of that rests on one source of low
    reliability.
    """
    rows = list(Exposure.objects.values_list("currency", "source", "is_counted", "minor"))
    mentioned: dict[str, int] = defaultdict(int)
    for found in Source.objects.values_list("money_mentions", flat=True):
        for mention in found:
            if mention["zone"] != "body":  # a bibliography repeats the figures of others
                continue
            mentioned[mention["currency"]] += engine.to_minor(mention["value"], mention["currency"])
    if not rows:
        return None
    spoken = [currency for currency, *_rest in rows]
    currency = max(sorted(set(spoken)), key=spoken.count)
    here = [row for row in rows if row[0] == currency]
    counted = [row for row in here if row[2]]
    low = {
        source.slug: source
        for source in Source.objects.filter(
            reliability="low", slug__in=[source for _currency, source, *_rest in counted]
        ).defer("money_mentions", "zones")
    }
    weakest = max((row for row in counted if row[1] in low), key=lambda row: row[3], default=None)
    return {
        "currency": currency,
        "mentioned": mentioned[currency],
        "added": sum(minor for *_rest, minor in here),
        "once": sum(minor for *_rest, minor in counted),
        "weak": weakest[3] if weakest else 0,
        "source": low[weakest[1]] if weakest else None,
    }
