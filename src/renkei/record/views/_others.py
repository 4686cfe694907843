"""Organisations, sources, agreements and findings: their lists, and what rests on each."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from django.http import HttpRequest, HttpResponse

from renkei.base.access import PUBLIC, access
from renkei.base.http import public_page, require_safe
from renkei.base.rows import ask
from renkei.record import door, engine
from renkei.record.models import (
    Agreement,
    Finding,
    FindingSide,
    Milestone,
    Organisation,
    Participation,
    Source,
    found,
    hits,
    language,
)
from renkei.record.views._commitments import history, people
from renkei.record.views._rows import (
    CLAIMS_OF_SOURCE,
    FINDING,
    FINDINGS,
    HOW_MANY_FINDINGS,
    ORGANISATION,
    RECEIVED,
    ROLES,
    SIDES,
    SOURCES,
    TOUCHED,
    WHICH_FINDINGS,
    Row,
    one,
    read,
)
from renkei.record.views._shared import LONG_ROWS, Documents, Page, page_of, version
from renkei.record.views._words import PAGES

MOST_ROWS = 50
MOST_CLAIMS = 1_000
FACETS: Final = {
    "severity": "severity",
    "kind": "finding_type",
    "state": "finding",
    "detectable": "detectable",
}
"""Columns that findings are chosen by, and their vocabularies."""
_GRAVEST_FIRST = " ".join(
    [
        "CASE",  # word for word the expression of the index
        *(
            f"WHEN severity = '{code}' THEN {at}"
            for at, code in enumerate(engine.VOCABULARY["severity"])
        ),
        "ELSE NULL END, id",
    ]
)


def _asked(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").strip()


@access(PUBLIC)
@require_safe
@public_page(version)
def organisations(request: HttpRequest) -> HttpResponse:
    """Show who takes part."""
    query, kind = door.check_query(_asked(request, "q")), _asked(request, "kind")
    country = _asked(request, "country")
    rows = door.choose(Organisation.objects.all(), kind=(kind, "organisation"))
    countries = sorted(set(Organisation.objects.values_list("country", flat=True)) - {""})
    if country:
        if country not in countries:
            raise door.BadSelectionError(
                door.NOT_ONE_OF, name="country", value=country, known=", ".join(countries)
            )
        rows = rows.filter(country=country)
    page = page_of(
        request,
        found(rows, "organisation", query, newest=door.MOST_HITS).order_by(
            f"title_{language()}", "pk"
        ),
    )
    parts = Participation.objects.filter(organisation__in=page.rows)
    roles = Counter(
        parts.values_list("organisation", "commitment")
        .distinct()
        .values_list("organisation", flat=True)
    )
    return PAGES.page(
        request,
        "record/organisations.html",
        {
            "page": page,
            "q": query,
            "kind": kind,
            "country": country,
            "kinds": engine.VOCABULARY["organisation"],
            "countries": countries,
            "rows": [(row, roles[row.pk]) for row in page.rows],
        },
    )


@access(PUBLIC)
@require_safe
@public_page(version)
def organisation(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an organisation with its roles."""
    row = one(Organisation, ORGANISATION, slug)
    roles = read(ROLES, row.id, MOST_ROWS + 1)
    return PAGES.page(
        request,
        "record/organisation.html",
        {
            "row": row,
            "aliases": json.loads(row.aliases),
            "participations": roles[:MOST_ROWS],
            "is_more": len(roles) > MOST_ROWS,
            "most": MOST_ROWS,
            "received": read(RECEIVED, row.id, MOST_ROWS),
            "history": history("organisation", row.slug),
        },
    )


@access(PUBLIC)
@require_safe
@public_page(version)
def sources(request: HttpRequest) -> HttpResponse:
    """Show what the record rests on."""
    query, reliability = door.check_query(_asked(request, "q")), _asked(request, "reliability")
    rows = door.choose(Source.objects.all(), reliability=(reliability, "reliability"))
    rows = rows.select_related("lineage").defer("money_mentions", "zones").order_by("pk")
    page = page_of(request, found(rows, "source", query, newest=door.MOST_HITS))
    return PAGES.page(
        request,
        "record/sources.html",
        {
            "page": page,
            "q": query,
            "reliability": reliability,
            "reliabilities": engine.VOCABULARY["reliability"],
            "lines": engine.corroboration(
                Source.objects.values_list("lineage__slug", flat=True).distinct()
            ),
        },
    )


@access(PUBLIC)
@require_safe
@public_page(version)
def source(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a document, how reliable it is, and each of its passages with what rests on it."""
    row: Source = door.find(Source, slug)
    claims = read(CLAIMS_OF_SOURCE, row.pk, MOST_CLAIMS + 1)
    resting: dict[tuple[int, int], dict[str, list[Any]]] = defaultdict(
        lambda: {"claims": [], "sides": [], "participations": [], "milestones": []}
    )
    unplaced = []
    for claim in claims[:MOST_CLAIMS]:
        places = json.loads(claim.passages)
        for start, end in places:
            resting[start, end]["claims"].append(claim)
        if not places:
            unplaced.append(claim)
    for side in FindingSide.objects.filter(source=row).select_related("finding"):
        resting[side.start, side.end]["sides"].append(side)
    parts = Participation.objects.filter(commitment__source=row, start__isnull=False)
    for part in parts.select_related("commitment", "organisation").order_by("pk")[:MOST_CLAIMS]:
        resting[part.start or 0, part.end or 0]["participations"].append(part)
    due = Milestone.objects.filter(source=row, start__isnull=False).select_related("commitment")
    for milestone in due.order_by("pk")[:MOST_CLAIMS]:
        resting[milestone.start or 0, milestone.end or 0]["milestones"].append(milestone)
    documents = Documents()
    return PAGES.page(
        request,
        "record/source.html",
        {
            "row": row,
            "siblings": row.lineage.sources.exclude(pk=row.pk).order_by("pk"),
            "passages": [
                {"passage": documents.passage(row, *place), **resting[place]}
                for place in sorted(resting)
            ],
            "unplaced": unplaced,
            "is_more": len(claims) > MOST_CLAIMS,
            "most": MOST_CLAIMS,
            "history": history("source", row.slug),
        },
    )


@access(PUBLIC)
@require_safe
@public_page(version)
def agreements(request: HttpRequest) -> HttpResponse:
    """Show under which instruments commitments are made."""
    page = page_of(request, Agreement.objects.order_by("-signed", "pk"))
    return PAGES.page(request, "record/agreements.html", {"page": page})


@access(PUBLIC)
@require_safe
@public_page(version)
def agreement(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an agreement and what is under it."""
    row: Agreement = door.find(Agreement, slug)
    page = page_of(request, row.commitments.select_related("source").order_by("pk"))
    return PAGES.page(request, "record/agreement.html", {"row": row, "page": page})


@access(PUBLIC)
@require_safe
@public_page(version)
def findings(request: HttpRequest) -> HttpResponse:
    """Show every contradiction and gap, the gravest first."""
    query = door.check_query(_asked(request, "q"))
    chosen = {name: _asked(request, name) for name in FACETS}
    page = _findings(request, query, chosen)
    told = read(SIDES, ids=[row.id for row in page.rows])
    sources = {row.id: row for row in read(SOURCES, ids={side.source_id for side in told})}
    sides: dict[int, list[tuple[Row, Row]]] = defaultdict(list)
    for side in told:
        sides[side.finding_id].append((side, sources[side.source_id]))
    return PAGES.page(
        request,
        "record/findings.html",
        {
            "page": page,
            "groups": [
                (severity, list(rows))
                for severity, rows in groupby(page.rows, attrgetter("severity"))
            ],
            "sides": sides,
            "q": query,
            "facets": [
                (name, vocabulary, engine.VOCABULARY[vocabulary], chosen[name])
                for name, vocabulary in FACETS.items()
            ],
        },
    )


def _findings(request: HttpRequest, query: str, chosen: Mapping[str, str]) -> Page:
    """Return the findings that were asked for: their keys first, from an index alone.

    Raises:
        BadSelectionError, NotFoundError: a value or page that is not there.
    """
    conditions = ["TRUE"]
    values: list[object] = []
    for name, vocabulary in FACETS.items():
        if door.check_code(name, chosen[name], vocabulary):
            conditions.append(f"{name} = %s")
            values.append(chosen[name])
    if query.strip():
        found_here = hits("finding", query, most=door.MOST_HITS)
        conditions.append(f"id IN ({found_here.keys or 'NULL'})")  # whole numbers of our own
    named = {"where": " AND ".join(conditions), "order": _GRAVEST_FIRST}
    ((count,),) = ask(HOW_MANY_FINDINGS, [*values, door.MOST_COUNTED + 1], **named)
    last = door.pages(count, LONG_ROWS)
    number = door.page_number(request.GET.get("page", "1"), last=last)
    sliced = [*values, LONG_ROWS, (number - 1) * LONG_ROWS]
    keys = [row.id for row in ask(WHICH_FINDINGS, sliced, **named)]
    rows = {row.id: row for row in read(FINDINGS, ids=keys)}
    return Page(
        rows=[rows[key] for key in keys],
        number=number,
        last=last,
        hits=min(count, door.MOST_COUNTED),
        is_more=count > door.MOST_COUNTED,
    )


@access(PUBLIC)
@require_safe
@public_page(version)
def finding(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a finding with the passages of all its sides and what was decided."""
    row = one(Finding, FINDING, slug)
    documents = Documents()
    sides = read(SIDES, ids=[row.id])
    sources = {
        source.id: source for source in read(SOURCES, ids={side.source_id for side in sides})
    }
    return PAGES.page(
        request,
        "record/finding.html",
        {
            "row": row,
            "decided_by": people([row.decided_by_id]).get(row.decided_by_id),
            "sides": [
                {
                    "side": side,
                    "source": sources[side.source_id],
                    "passage": documents.passage(sources[side.source_id], side.start, side.end),
                }
                for side in sides
            ],
            "evidence": [
                {"said": item["claim"][language()], "address": item["address"]}
                for item in json.loads(row.evidence)
            ],
            "commitments": read(TOUCHED, row.id),
            "history": history("finding", row.slug),
        },
    )
