"""What everybody may ask of the record, in the language asked for."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from ninja import Query
from ninja.decorators import decorate_view
from pydantic import BaseModel

from renkei.base.http import public_page
from renkei.kit.errors import NotFoundError, gettext_noop
from renkei.record import door, engine
from renkei.record.endpoints._base import only, router
from renkei.record.models import (
    Agreement,
    Change,
    Commitment,
    Finding,
    Organisation,
    Source,
    Total,
    found,
)
from renkei.record.schemas import (
    AgreementOut,
    Agreements,
    AgreementsQuery,
    Changes,
    ChangesQuery,
    CommitmentOut,
    Commitments,
    CommitmentsQuery,
    FindingOut,
    Findings,
    FindingsQuery,
    OrganisationOut,
    Organisations,
    OrganisationsQuery,
    Question,
    SourceOut,
    Sources,
    SourcesQuery,
    Summary,
    agreement_out,
    change_out,
    commitment_out,
    commitment_row,
    finding_out,
    finding_row,
    organisation_out,
    organisation_row,
    source_out,
    source_row,
    total_out,
)

Run = Callable[..., HttpResponseBase]


def answers(question: type[BaseModel]) -> Callable[[Any], Any]:
    """Check the parameters' names, then answer from the page cache while the facts stay the same."""

    def known(run: Run) -> Run:
        @wraps(run)
        def checked(request: HttpRequest, **values: Any) -> HttpResponseBase:
            only(request.GET, question)
            return run(request, **values)

        return checked

    decorate: Callable[[Any], Any] = decorate_view(
        public_page(lambda: str(door.state().version)), known
    )
    return decorate


def piece(rows: QuerySet[Any], *, offset: int, limit: int) -> tuple[int, list[Any]]:
    """Return how many rows there are (``MOST_COUNTED + 1`` stands for more) and some of them."""
    count = rows.order_by()[: door.MOST_COUNTED + 1].count()
    return count, list(rows[offset : offset + limit])


@router.get("/commitments", response=Commitments, by_alias=True, operation_id="record_commitments")
@answers(CommitmentsQuery)
def commitments(request: HttpRequest, asked: Query[CommitmentsQuery]) -> HttpResponse:
    """List commitments: searched, chosen by facets, sorted. A count above 10 000 may stop there."""
    given = asked.dict(by_alias=True, exclude={"lang", "limit", "offset"})
    selection = door.Selection.parse(given)
    at = door.as_of()
    rows = door.listed(selection, offset=asked.offset, limit=asked.limit, at=at)
    items = [commitment_row(row, source=row.source_slug) for row in rows]
    return _as_they_are({"count": door.count(selection, at=at), "items": items})


def _as_they_are(told: dict[str, Any]) -> HttpResponse:
    """Return what our own rows say without checking it: that takes as long as all the rest.

    A test compares it with the schema that describes it.
    """
    text = json.dumps(told, ensure_ascii=False, default=_moment, separators=(",", ":"))
    return HttpResponse(text, content_type="application/json; charset=utf-8")


def _moment(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


@router.get(
    "/commitments/{slug}", response=CommitmentOut, by_alias=True, operation_id="record_commitment"
)
@answers(Question)
def commitment(request: HttpRequest, slug: str, asked: Query[Question]) -> dict[str, Any]:
    """Tell everything about a commitment: all claims with their places, money, history."""
    return commitment_out(door.find(Commitment, slug))


@router.get("/findings", response=Findings, operation_id="record_findings")
@answers(FindingsQuery)
def findings(request: HttpRequest, asked: Query[FindingsQuery]) -> dict[str, Any]:
    """List findings: contradictions and gaps."""
    rows = door.choose(
        found(Finding.objects.order_by("pk"), "finding", door.check_query(asked.q)),
        severity=(asked.severity, "severity"),
        kind=(asked.kind, "finding_type"),
        state=(asked.state, "finding"),
        detectable=(asked.detectable, "detectable"),
    )
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [finding_row(row) for row in items]}


@router.get("/findings/{slug}", response=FindingOut, operation_id="record_finding")
@answers(Question)
def finding(request: HttpRequest, slug: str, asked: Query[Question]) -> dict[str, Any]:
    """Tell everything about a finding."""
    return finding_out(door.find(Finding, slug))


@router.get("/sources", response=Sources, operation_id="record_sources")
@answers(SourcesQuery)
def sources(request: HttpRequest, asked: Query[SourcesQuery]) -> dict[str, Any]:
    """List sources."""
    rows = door.choose(
        found(
            Source.objects.select_related("lineage").order_by("pk"),
            "source",
            door.check_query(asked.q),
        ),
        reliability=(asked.reliability, "reliability"),
    )
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [source_row(row) for row in items]}


@router.get("/sources/{slug}", response=SourceOut, operation_id="record_source")
@answers(Question)
def source(request: HttpRequest, slug: str, asked: Query[Question]) -> dict[str, Any]:
    """Tell everything about a source."""
    return source_out(door.find(Source, slug))


@router.get("/organisations", response=Organisations, operation_id="record_organisations")
@answers(OrganisationsQuery)
def organisations(request: HttpRequest, asked: Query[OrganisationsQuery]) -> dict[str, Any]:
    """List organisations."""
    rows = door.choose(
        found(Organisation.objects.order_by("pk"), "organisation", door.check_query(asked.q)),
        kind=(asked.kind, "organisation"),
    )
    if asked.country:
        code = engine.parties(asked.country)
        rows = rows.filter(
            Q(country=code)
            | Q(country__startswith=f"{code}/")
            | Q(country__endswith=f"/{code}")
            | Q(country__contains=f"/{code}/")
        )
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [organisation_row(row) for row in items]}


@router.get("/organisations/{slug}", response=OrganisationOut, operation_id="record_organisation")
@answers(Question)
def organisation(request: HttpRequest, slug: str, asked: Query[Question]) -> dict[str, Any]:
    """Tell everything about an organisation."""
    return organisation_out(door.find(Organisation, slug))


@router.get("/agreements", response=Agreements, operation_id="record_agreements")
@answers(AgreementsQuery)
def agreements(request: HttpRequest, asked: Query[AgreementsQuery]) -> dict[str, Any]:
    """List agreements."""
    rows = door.choose(
        Agreement.objects.prefetch_related("commitments").order_by("pk"),
        kind=(asked.kind, "agreement"),
        binding=(asked.binding, "binding"),
    )
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [agreement_out(row) for row in items]}


@router.get("/agreements/{slug}", response=AgreementOut, operation_id="record_agreement")
@answers(Question)
def agreement(request: HttpRequest, slug: str, asked: Query[Question]) -> dict[str, Any]:
    """Tell everything about an agreement."""
    return agreement_out(door.find(Agreement, slug))


@router.get("/changes", response=Changes, operation_id="record_changes")
@answers(ChangesQuery)
def changes(request: HttpRequest, asked: Query[ChangesQuery]) -> dict[str, Any]:
    """List the history, newest first."""
    rows = Change.objects.select_related("author").order_by("-pk")
    if asked.subject:
        rows = rows.filter(subject=asked.subject)
    if asked.slug:
        rows = rows.filter(slug=asked.slug)
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [change_out(row) for row in items]}


@router.get("/summary", response=Summary, operation_id="record_summary")
@answers(Question)
def summary(request: HttpRequest, asked: Query[Question]) -> dict[str, Any]:
    """Tell every sum that may be made: within one domain, side, nature, currency and stage."""
    at = door.state()
    rows = Total.objects.order_by("domain", "side", "nature", "currency", "stage")
    items = [total_out(row) for row in rows]
    return {
        "version": at.version,
        "changed_at": at.changed_at,
        "count": len(items),
        "items": items,
    }


@router.get(
    "/export/{kind}",
    operation_id="record_export",
    openapi_extra={
        "responses": {
            200: {
                "description": "A data file of format renkei-record/1",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        }
    },
)
def export(request: HttpRequest, kind: str, asked: Query[Question]) -> HttpResponseBase:
    """Download all items of one kind, in every language: what a node can load again."""
    only(request.GET, Question)
    if kind not in engine.KINDS:
        raise NotFoundError(
            gettext_noop("there is no kind {kind!r}: expected one of {known}"),
            kind=kind,
            known=", ".join(engine.KINDS),
        )
    return StreamingHttpResponse(
        engine.serialise(kind, door.export(kind)),
        content_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{kind}.json"',
            "Cache-Control": "no-cache",
        },
    )
