"""Commitments: the searchable list, and everything that is known about one."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from renkei.base.access import PUBLIC, access
from renkei.base.http import public_page, require_safe
from renkei.base.models import User
from renkei.base.rows import ask, marks
from renkei.record import door, engine
from renkei.record.models import (
    Commitment,
    Disbursement,
    Finding,
    Lookalike,
    Outcome,
    belongings,
    hits,
    language,
    state_on,
)
from renkei.record.views._rows import (
    CLAIMS,
    COMMITMENT,
    ELSEWHERE,
    HISTORY,
    MEMBERS,
    MILESTONES,
    PAID,
    PARTICIPATIONS,
    SOURCES,
    TITLES,
    Row,
    one,
    read,
)
from renkei.record.views._shared import ROWS, Documents, Page, Passage, version
from renkei.record.views._words import PAGES

OTHERS = 6
MOST_ROWS = 200
FIRST_FIELDS = ("name", "amount", "status", "parties", "domain", "kind", "funding_source")


@access(PUBLIC)
@require_safe
@public_page(version)
def commitments(request: HttpRequest) -> HttpResponse:
    """Show the commitments that were asked for, and what could be asked for next."""
    selection = door.Selection.parse(request.GET.dict())
    at = door.as_of()
    count = door.count(selection, at=at)
    # Of a search only the newest hits are looked at: pages beyond them would be empty.
    last = door.pages(min(count, door.MOST_HITS) if selection.q else count, ROWS)
    number = door.page_number(request.GET.get("page", "1"), last=last)
    page = Page(
        rows=door.listed(selection, offset=(number - 1) * ROWS, limit=ROWS, at=at),
        number=number,
        last=last,
        hits=min(count, door.MOST_COUNTED) if not selection.is_tallied else count,
        is_more=not selection.is_tallied and count > door.MOST_COUNTED,
    )
    return PAGES.page(
        request,
        "record/commitments.html",
        {
            "selection": selection,
            "page": page,
            "facets": _facets(selection, at),
            "sorts": door.SORTS,
            "others": _others(selection.q) if selection.q else [],
            "is_cut": bool(selection.q) and count >= door.MOST_HITS,
            "most_hits": door.MOST_HITS,
        },
    )


def _facets(selection: door.Selection, at: door.Now) -> list[dict[str, Any]]:
    """Return the facets as the page lists them."""
    offered = door.facets(selection, at=at)
    titles = _titles(tuple(choice.value for choice in offered["source"]), language(), at)
    return [
        {
            "name": door.PARAMETER[name],
            "choices": choices,
            "is_chosen": any(choice.is_chosen for choice in choices),
            "sources": titles,
        }
        for name, choices in offered.items()
    ]


@lru_cache(maxsize=64)
def _titles(sources: tuple[str, ...], code: str, at: door.Now) -> dict[str, str]:
    """Return the titles of sources by their names: in one state of the facts nearly always the same."""
    return {row.slug: row.title for row in ask(TITLES, sources, l=code, slugs=marks(sources))}


def _others(query: str) -> list[dict[str, Any]]:
    """Return what else of the record holds the words of a search."""
    groups = []
    for kind, sql in ELSEWHERE.items():
        keys = hits(kind, query, most=door.MOST_HITS).first(door.MOST_HITS)
        first = sorted(map(int, keys))[: OTHERS + 1]
        if rows := read(sql, ids=first):
            groups.append({"kind": kind, "rows": rows[:OTHERS], "is_more": len(rows) > OTHERS})
    return groups


@access(PUBLIC)
@require_safe
@public_page(version)
def commitment(request: HttpRequest, slug: str) -> HttpResponse:
    """Show all that is known about one commitment, and what each part of it rests on."""
    row = one(Commitment, COMMITMENT, slug)
    today = timezone.localdate()
    documents = Documents()
    members = read(MEMBERS, row.cluster_id) if row.cluster_id else []
    records = {row.id: row, **{member.id: member for member in members}}
    has = belongings(row.id)
    claims = read(CLAIMS, ids=list(records))
    claims.sort(key=lambda item: (item.commitment_id != row.id, not item.is_published))
    milestones = read(MILESTONES, row.id) if "milestones" in has else []
    disbursements = read(PAID, row.id, MOST_ROWS + 1)
    told = {item.source_id for item in (*records.values(), *claims, *milestones)} - {None}
    sources = {source.id: source for source in read(SOURCES, ids=told)}
    lineages = [
        sources[number].lineage for number in {item.source_id for item in records.values()} - {None}
    ]
    parts = read(PARTICIPATIONS, row.id, MOST_ROWS)
    return PAGES.page(
        request,
        "record/commitment.html",
        {
            "row": row,
            "records": records,
            "sources": sources,
            "members": [member for member in members if member.id != row.id],
            "fields": _fields(row, claims, sources, documents),
            "amounts": [claim for claim in claims if claim.minor is not None],
            "parts": _parts(row.id) if "parts" in has else [],
            "related": _related(row.id) if "related" in has else [],
            "lookalikes": _lookalikes(row.id) if "lookalikes" in has else [],
            "participations": [
                (part, _placed(documents, sources.get(row.source_id), part)) for part in parts
            ],
            "timeline": _timeline(row, claims, sources, milestones),
            "milestones": [
                {
                    "row": item,
                    "state": state_on(item, today),
                    "source": sources.get(item.source_id),
                    "passage": _placed(documents, sources.get(item.source_id), item),
                }
                for item in milestones
            ],
            "disbursements": disbursements[:MOST_ROWS],
            "paid": Disbursement.objects.filter(commitment=row.id).count()
            if len(disbursements) > MOST_ROWS
            else len(disbursements),
            "outcomes": _outcomes(row.id) if "outcomes" in has else [],
            "findings": _findings(row.id) if "findings" in has else [],
            "history": history("commitment", row.slug),
            "lines": engine.corroboration(lineages),
            "documents": len(lineages),
            "authors": people(claim.author_id for claim in claims),
            "most": MOST_ROWS,
            "today": today,
        },
    )


# What few commitments have is read by the models


def _parts(commitment: int) -> list[Commitment]:
    return list(Commitment.objects.filter(part_of=commitment).order_by("pk")[:MOST_ROWS])


def _related(commitment: int) -> list[Commitment]:
    return list(Commitment.objects.filter(related=commitment).order_by("pk"))


def _outcomes(commitment: int) -> list[Outcome]:
    return list(Outcome.objects.filter(commitment=commitment).order_by("-published_on", "pk"))


def _findings(commitment: int) -> list[Finding]:
    return list(Finding.objects.filter(commitments=commitment).order_by("pk"))


def _lookalikes(commitment: int) -> list[dict[str, Any]]:
    rows = Lookalike.objects.filter(members=commitment).prefetch_related("members").order_by("pk")
    return [
        {
            "row": item,
            "members": [other for other in item.members.all() if other.pk != commitment],
        }
        for item in rows
    ]


def people(keys: Iterable[int | None]) -> dict[int | None, str]:
    """Return the names of authors by their keys."""
    wanted = {key for key in keys if key is not None}
    found = User.objects.filter(pk__in=wanted) if wanted else ()
    return {person.pk: person.title for person in found}


def _placed(documents: Documents, source: Row | None, item: Row) -> Passage | None:
    """Return the passage that a row with ``start`` and ``end`` rests on, if it names one."""
    if source is None or item.start is None or item.end is None:
        return None
    return documents.passage(source, item.start, item.end)


def _rank(name: str) -> tuple[int, str]:
    return (FIRST_FIELDS.index(name) if name in FIRST_FIELDS else len(FIRST_FIELDS), name)


def _fields(
    row: Row, claims: list[Row], sources: Mapping[int, Row], documents: Documents
) -> list[dict[str, Any]]:
    """Put the claims about one field side by side: published, rivals, then other documents'."""
    by_field: dict[str, list[Row]] = defaultdict(list)
    for claim in claims:
        by_field[claim.field].append(claim)
    fields = []
    for name in sorted(by_field, key=_rank):
        beside = by_field[name]
        chosen = next(
            (claim for claim in beside if claim.commitment_id == row.id and claim.is_published),
            None,
        )
        support = [claim for claim in beside if chosen and _says(claim) == _says(chosen)]
        fields.append(
            {
                "name": name,
                "claims": [
                    {
                        "claim": claim,
                        "source": sources[claim.source_id],
                        "is_published": claim is chosen,
                        "is_own": claim.commitment_id == row.id,
                        "agrees": claim in support,
                        "passages": documents.passages(
                            sources[claim.source_id], json.loads(claim.passages)
                        ),
                    }
                    for claim in beside
                ],
                "is_published": chosen is not None,
                "lines": engine.corroboration(
                    sources[claim.source_id].lineage for claim in support
                ),
                "documents": len({claim.source_id for claim in support}),
                "is_contested": any(_says(claim) != _says(beside[0]) for claim in beside),
            }
        )
    return fields


def _says(claim: Row) -> tuple[object, ...]:
    if claim.minor is not None:
        return (claim.minor, claim.currency)
    return (claim.value,)


def _timeline(
    row: Row, claims: list[Row], sources: Mapping[int, Row], milestones: list[Row]
) -> list[dict[str, Any]]:
    """Return what happened or is due, in the order of time."""
    today = timezone.localdate()
    points = [
        {
            "day": engine.partial_date(claim.value),
            "date": claim.value,
            "milestone": None,
            "field": claim.field,
            "is_published": claim.is_published,
            "source": sources[claim.source_id],
            "state": "",
        }
        for claim in claims
        if claim.field.startswith("date:") and claim.commitment_id == row.id
    ]
    points += [
        {
            "day": engine.partial_date(item.due),
            "date": item.due,
            "milestone": item,
            "is_published": True,
            "state": state_on(item, today),
        }
        for item in milestones
    ]
    return sorted(points, key=lambda point: (point["day"].last, point["day"].first))


def history(subject: str, slug: str) -> list[dict[str, Any]]:
    """Return who changed something, when, why, and what it was before; the newest first."""
    changes = read(HISTORY, subject, slug, MOST_ROWS)
    authors = people(change.author_id for change in changes)
    return [
        {
            "change": change,
            "author": authors.get(change.author_id),
            "differences": _differences(change),
        }
        for change in changes
    ]


def _differences(change: Row) -> list[tuple[str, object, object]]:
    """Return field by field what was and what is."""
    if change.before is None and change.after is None:
        return []
    before = _as_fields(json.loads(change.before or "null"), change.field)
    after = _as_fields(json.loads(change.after or "null"), change.field)
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
