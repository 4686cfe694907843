"""Organisations, sources, agreements and findings: their lists, and what rests on each."""

from collections import Counter, defaultdict
from typing import Any

from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from renkei.base.access import PUBLIC, access
from renkei.base.http import public_page
from renkei.record import door, engine
from renkei.record.models import (
    Agreement,
    Claim,
    Finding,
    FindingSide,
    Milestone,
    Organisation,
    Participation,
    Source,
    found,
    language,
)
from renkei.record.views._commitments import history
from renkei.record.views._dashboard import SEVERITY
from renkei.record.views._shared import Documents, page_of, version

MOST_ROWS = 50
MOST_CLAIMS = 1_000


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
    return TemplateResponse(
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
    row: Organisation = door.find(Organisation, slug)
    parts = row.participations.select_related("commitment__source").order_by("-commitment__pk")
    shown = list(parts[: MOST_ROWS + 1])
    return TemplateResponse(
        request,
        "record/organisation.html",
        {
            "row": row,
            "participations": shown[:MOST_ROWS],
            "is_more": len(shown) > MOST_ROWS,
            "most": MOST_ROWS,
            "received": row.received.filter(is_current=True)
            .select_related("commitment")
            .order_by("-paid_on")[:MOST_ROWS],
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
    return TemplateResponse(
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
    claims = list(
        Claim.objects.filter(source=row)
        .select_related("commitment", "amount")
        .order_by("pk")[: MOST_CLAIMS + 1]
    )
    resting: dict[tuple[int, int], dict[str, list[Any]]] = defaultdict(
        lambda: {"claims": [], "sides": [], "participations": [], "milestones": []}
    )
    unplaced = []
    for claim in claims[:MOST_CLAIMS]:
        for start, end in claim.passages:
            resting[start, end]["claims"].append(claim)
        if not claim.passages:
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
    return TemplateResponse(
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
    return TemplateResponse(request, "record/agreements.html", {"page": page})


@access(PUBLIC)
@require_safe
@public_page(version)
def agreement(request: HttpRequest, slug: str) -> HttpResponse:
    """Show an agreement and what is under it."""
    row: Agreement = door.find(Agreement, slug)
    page = page_of(request, row.commitments.select_related("source").order_by("pk"))
    return TemplateResponse(request, "record/agreement.html", {"row": row, "page": page})


@access(PUBLIC)
@require_safe
@public_page(version)
def findings(request: HttpRequest) -> HttpResponse:
    """Show every contradiction and gap, the gravest first."""
    query = door.check_query(_asked(request, "q"))
    chosen = {name: _asked(request, name) for name in ("severity", "kind", "state", "detectable")}
    rows = door.choose(
        Finding.objects.all(),
        severity=(chosen["severity"], "severity"),
        kind=(chosen["kind"], "finding_type"),
        state=(chosen["state"], "finding"),
        detectable=(chosen["detectable"], "detectable"),
    )
    rows = found(rows, "finding", query, newest=door.MOST_HITS).order_by(SEVERITY, "pk")
    sources = Prefetch("sides__source", Source.objects.only("slug", "title_en", "title_ja"))
    page = page_of(request, rows.prefetch_related(sources))
    return TemplateResponse(
        request,
        "record/findings.html",
        {
            "page": page,
            "q": query,
            "chosen": chosen,
            "facets": [
                ("severity", "severity", engine.VOCABULARY["severity"], chosen["severity"]),
                ("kind", "finding_type", engine.VOCABULARY["finding_type"], chosen["kind"]),
                ("state", "finding", engine.VOCABULARY["finding"], chosen["state"]),
                ("detectable", "detectable", engine.VOCABULARY["detectable"], chosen["detectable"]),
            ],
        },
    )


@access(PUBLIC)
@require_safe
@public_page(version)
def finding(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a finding with the passages of all its sides and what was decided."""
    row: Finding = door.find(Finding, slug)
    documents = Documents()
    return TemplateResponse(
        request,
        "record/finding.html",
        {
            "row": row,
            "sides": [
                {"side": side, "passage": documents.passage(side.source, side.start, side.end)}
                for side in row.sides.select_related("source").order_by("position")
            ],
            "evidence": [
                {"said": item["claim"][language()], "address": item["address"]}
                for item in row.evidence
            ],
            "commitments": row.commitments.order_by("pk"),
            "history": history("finding", row.slug),
        },
    )
