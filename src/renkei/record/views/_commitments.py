"""Commitments: the searchable list, and everything that is known about one."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from renkei.base.access import PUBLIC, access
from renkei.base.http import public_page
from renkei.record import door, engine
from renkei.record.models import (
    Change,
    Claim,
    Commitment,
    Finding,
    Lookalike,
    Organisation,
    Source,
    belongings,
    found,
)
from renkei.record.views._shared import ROWS, Documents, Page, version

OTHERS = 6
MOST_ROWS = 200
FIRST_FIELDS = ("name", "amount", "status", "parties", "domain", "kind", "funding_source")


@access(PUBLIC)
@require_safe
@public_page(version)
def commitments(request: HttpRequest) -> HttpResponse:
    """Show the commitments that were asked for, and what could be asked for next."""
    selection = door.Selection.parse(request.GET.dict())
    hits = door.count(selection)
    # Of a search only the newest hits are looked at: pages beyond them would be empty.
    last = door.pages(min(hits, door.MOST_HITS) if selection.q else hits, ROWS)
    number = door.page_number(request.GET.get("page", "1"), last=last)
    page = Page(
        rows=door.listed(selection, offset=(number - 1) * ROWS, limit=ROWS),
        number=number,
        last=last,
        hits=min(hits, door.MOST_COUNTED) if not selection.is_tallied else hits,
        is_more=not selection.is_tallied and hits > door.MOST_COUNTED,
    )
    disputed = Finding.commitments.through.objects.filter(
        commitment_id__in=[row.pk for row in page.rows]
    )
    return TemplateResponse(
        request,
        "record/commitments.html",
        {
            "selection": selection,
            "page": page,
            "facets": _facets(selection),
            "sorts": door.SORTS,
            "disputed": set(disputed.values_list("commitment_id", flat=True)),
            "others": _others(selection.q) if selection.q else None,
            "is_cut": bool(selection.q) and hits >= door.MOST_HITS,
            "most_hits": door.MOST_HITS,
        },
    )


def _facets(selection: door.Selection) -> list[dict[str, Any]]:
    """Return the facets as the page lists them."""
    offered = door.facets(selection)
    names = [choice.value for choice in offered["source"]]
    titles = Source.objects.only("slug", "title_en", "title_ja").in_bulk(names, field_name="slug")
    return [
        {
            "name": door.PARAMETER[name],
            "choices": choices,
            "is_chosen": any(choice.is_chosen for choice in choices),
            "sources": titles,
        }
        for name, choices in offered.items()
    ]


def _others(query: str) -> list[dict[str, Any]]:
    """Return what else of the record holds the words of a search."""
    kinds: list[tuple[str, QuerySet[Any]]] = [
        ("organisation", Organisation.objects.all()),
        ("source", Source.objects.defer("money_mentions", "zones")),
        ("finding", Finding.objects.all()),
    ]
    hits = []
    for kind, rows in kinds:
        first = list(found(rows, kind, query, newest=door.MOST_HITS).order_by("pk")[: OTHERS + 1])
        if first:
            hits.append({"kind": kind, "rows": first[:OTHERS], "is_more": len(first) > OTHERS})
    return hits


@access(PUBLIC)
@require_safe
@public_page(version)
def commitment(request: HttpRequest, slug: str) -> HttpResponse:
    """Show all that is known about one commitment, and what each part of it rests on."""
    row: Commitment = door.find(
        Commitment, slug, rows=Commitment.objects.select_related("part_of", "agreement", "cluster")
    )
    today = timezone.localdate()
    documents = Documents()
    members = list(row.cluster.members.order_by("-is_lead", "pk")) if row.cluster else []
    claims = _claims(row, members)
    has = belongings(row.pk)
    milestones = list(row.milestones.order_by("due_last", "pk")) if "milestones" in has else []
    disbursements = list(
        row.disbursements.select_related("recipient").order_by("-paid_on", "-pk")[: MOST_ROWS + 1]
    )
    _join_sources([row, *members, *claims, *milestones, *disbursements])
    sources = {item.source for item in [row, *members]}
    lineages = [source.lineage.slug for source in sources if source is not None]
    return TemplateResponse(
        request,
        "record/commitment.html",
        {
            "row": row,
            "members": [member for member in members if member.pk != row.pk],
            "fields": _fields(row, claims, documents),
            "money": [claim for claim in claims if claim.is_money],
            "parts": row.parts.order_by("pk")[:MOST_ROWS] if "parts" in has else [],
            "related": row.related.order_by("pk") if "related" in has else [],
            "lookalikes": _lookalikes(row) if "lookalikes" in has else [],
            "participations": _participations(row, documents),
            "timeline": _timeline(row, claims, milestones),
            "milestones": [
                {
                    "row": item,
                    "state": item.state_on(today),
                    "passage": documents.passage(item.source, item.start, item.end)
                    if item.source and item.start is not None and item.end is not None
                    else None,
                }
                for item in milestones
            ],
            "disbursements": disbursements[:MOST_ROWS],
            "paid": row.disbursements.count()
            if len(disbursements) > MOST_ROWS
            else len(disbursements),
            "outcomes": row.outcomes.order_by("-published_on", "pk") if "outcomes" in has else [],
            "findings": row.findings.order_by("pk") if "findings" in has else [],
            "history": history("commitment", row.slug),
            "lines": engine.corroboration(lineages),
            "documents": len(lineages),
            "most": MOST_ROWS,
            "today": today,
        },
    )


def _claims(row: Commitment, members: Iterable[Commitment]) -> list[Claim]:
    """Return the claims of a commitment and of the other records of it, its own first."""
    records = {row.pk: row, **{member.pk: member for member in members}}
    claims = (
        Claim.objects.filter(commitment__in=records)
        .select_related("amount")
        .prefetch_related("author")
        .order_by("pk")
    )
    for claim in claims:
        claim.commitment = records[claim.commitment_id]
    return sorted(
        claims, key=lambda item: (item.commitment_id != row.pk, not item.is_published, item.pk)
    )


def _join_sources(rows: Iterable[Any]) -> None:
    """Give rows their sources, each read once and without what is long."""
    rows = list(rows)
    wanted = {row.source_id for row in rows if row.source_id}
    sources = (
        Source.objects.defer("money_mentions", "zones").select_related("lineage").in_bulk(wanted)
    )
    for row in rows:
        if row.source_id:
            row.source = sources[row.source_id]


def _rank(name: str) -> tuple[int, str]:
    return (FIRST_FIELDS.index(name) if name in FIRST_FIELDS else len(FIRST_FIELDS), name)


def _fields(row: Commitment, claims: list[Claim], documents: Documents) -> list[dict[str, Any]]:
    """Put the claims about one field side by side: published, rivals, then other documents'."""
    by_field: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_field[claim.field].append(claim)
    fields = []
    for name in sorted(by_field, key=_rank):
        beside = by_field[name]
        chosen = next(
            (claim for claim in beside if claim.commitment_id == row.pk and claim.is_published),
            None,
        )
        support = [claim for claim in beside if chosen and _says(claim) == _says(chosen)]
        fields.append(
            {
                "name": name,
                "claims": [
                    {
                        "claim": claim,
                        "is_published": claim is chosen,
                        "is_own": claim.commitment_id == row.pk,
                        "agrees": claim in support,
                        "passages": documents.passages(claim.source, claim.passages),
                    }
                    for claim in beside
                ],
                "is_published": chosen is not None,
                "lines": engine.corroboration(claim.source.lineage.slug for claim in support),
                "documents": len({claim.source_id for claim in support}),
                "is_contested": any(_says(claim) != _says(beside[0]) for claim in beside),
            }
        )
    return fields


def _says(claim: Claim) -> tuple[object, ...]:
    if claim.is_money:
        return (claim.amount.minor, claim.amount.currency)
    return (claim.value,)


def _lookalikes(row: Commitment) -> list[dict[str, Any]]:
    rows: QuerySet[Lookalike] = row.lookalikes.prefetch_related("members").order_by("pk")
    return [
        {
            "row": item,
            "members": [other for other in item.members.all() if other.pk != row.pk],
        }
        for item in rows
    ]


def _participations(row: Commitment, documents: Documents) -> list[dict[str, Any]]:
    parts = row.participations.select_related("organisation").order_by("pk")[:MOST_ROWS]
    return [
        {
            "part": part,
            "passage": documents.passage(row.source, part.start, part.end)
            if row.source and part.start is not None and part.end is not None
            else None,
        }
        for part in parts
    ]


def _timeline(row: Commitment, claims: list[Claim], milestones: list[Any]) -> list[dict[str, Any]]:
    """Return what happened or is due, in the order of time."""
    today = timezone.localdate()
    points = [
        {
            "day": engine.partial_date(claim.value),
            "date": claim.value,
            "field": claim.field,
            "is_published": claim.is_published,
            "source": claim.source,
            "state": "",
        }
        for claim in claims
        if claim.field.startswith("date:") and claim.commitment_id == row.pk
    ]
    points += [
        {
            "day": engine.partial_date(item.due),
            "date": item.due,
            "milestone": item,
            "is_published": True,
            "state": item.state_on(today),
        }
        for item in milestones
    ]
    return sorted(points, key=lambda point: (point["day"].last, point["day"].first))


def history(subject: str, slug: str) -> list[dict[str, Any]]:
    """Return who changed something, when, why, and what it was before; the newest first."""
    changes = Change.objects.filter(subject=subject, slug=slug).prefetch_related("author")
    return [
        {"change": change, "differences": _differences(change)}
        for change in changes.order_by("-pk")[:MOST_ROWS]
    ]


def _differences(change: Change) -> list[tuple[str, object, object]]:
    """Return field by field what was and what is."""
    before = _as_fields(change.before, change.field)
    after = _as_fields(change.after, change.field)
    names = [*before, *(name for name in after if name not in before)]
    return [
        (name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _as_fields(value: object, name: str) -> dict[str, object]:
    if value is None:
        return {}
    return value if isinstance(value, dict) else {name or "value": value}
