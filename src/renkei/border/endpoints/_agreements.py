"""Agreements, decisions, obligations and what left the country, in the node's own API."""

from typing import Annotated, Any, cast

from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Status

from renkei.base.access import PUBLIC, allow, roles_of
from renkei.base.models import Role, User
from renkei.border import door, engine
from renkei.border.endpoints._base import only, piece, router
from renkei.border.models import Decision, Obligation, OutgoingBytes
from renkei.border.schemas import (
    DataAgreementOut,
    DataAgreements,
    DataAgreementsQuery,
    Decisions,
    DecisionsQuery,
    DraftIn,
    FulfilmentIn,
    LanguageQuery,
    ObligationOut,
    Obligations,
    ObligationsQuery,
    Outgoing,
    OutgoingQuery,
    SimulationOut,
    VersionQuery,
    agreement_out,
    agreement_row,
    decision_out,
    obligation_out,
    outgoing_out,
    simulation_out,
)

MEMBERS = allow(*Role.values)  # anybody with a role: agreements bind them all
OVERSEERS = allow(Role.OFFICER, Role.BOARD)  # decisions and ledgers name persons
OFFICER = allow(Role.OFFICER)
Item = dict[str, Any]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/agreements", auth=MEMBERS, response=DataAgreements, operation_id="border_agreements")
def agreements(request: HttpRequest, asked: Query[DataAgreementsQuery]) -> Item:
    """List versions of agreements; drafts are shown to officers and the board alone."""
    only(request.GET, DataAgreementsQuery)
    rows = door.visible_versions(with_drafts=sees_drafts(request))
    rows = rows.order_by("agreement__uid", "-number", "-pk")
    if asked.state:
        rows = rows.filter(state=asked.state)
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [agreement_row(row) for row in items]}


def sees_drafts(request: HttpRequest) -> bool:
    """Tell whether the caller may see what is not sealed yet."""
    return bool(roles_of(request) & {Role.OFFICER, Role.BOARD})


@router.get(
    "/agreements/{slug}", auth=MEMBERS, response=DataAgreementOut, operation_id="border_agreement"
)
def agreement(request: HttpRequest, slug: str, asked: Query[VersionQuery]) -> Item:
    """Tell everything about one version: both texts of each clause, hashes, the whole document."""
    only(request.GET, VersionQuery)
    return agreement_out(door.find_version(slug, asked.version, with_drafts=sees_drafts(request)))


@router.get(
    "/agreement-schema",
    auth=allow(PUBLIC),
    operation_id="border_agreement_schema",
    openapi_extra={
        "responses": {
            200: {
                "description": "The JSON Schema (2020-12) of an agreement",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        }
    },
)
def agreement_schema(request: HttpRequest, asked: Query[LanguageQuery]) -> Item:
    """Give the JSON Schema of the profile."""
    only(request.GET, LanguageQuery)
    return engine.agreement_schema()


@router.post(
    "/agreements",
    auth=OFFICER,
    response={201: DataAgreementOut},
    operation_id="border_agreement_draft",
)
def agreement_draft(request: HttpRequest, body: DraftIn) -> Status[Item]:
    """Keep a draft on this node; hashes of texts that it lacks are filled in."""
    row = door.draft_agreement(body.document, author=cast(User, request.user))
    return Status(201, agreement_out(row))


@router.post(
    "/agreement-simulation",
    auth=OVERSEERS,
    response=SimulationOut,
    operation_id="border_agreement_simulation",
)
def agreement_simulation(request: HttpRequest, body: DraftIn) -> Item:
    """Replay past decisions against a draft: who would have gained access, who lost it."""
    return simulation_out(door.simulate_amendment(body.document))


@router.get("/decisions", auth=OVERSEERS, response=Decisions, operation_id="border_decisions")
def decisions(request: HttpRequest, asked: Query[DecisionsQuery]) -> Item:
    """List decisions, the newest first."""
    only(request.GET, DecisionsQuery)
    rows = Decision.objects.select_related("version__agreement").order_by("-pk")
    given = {"allow": asked.allow, "target": asked.target, "recipient": asked.recipient}
    rows = rows.filter(**{name: value for name, value in given.items() if value not in {None, ""}})
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [decision_out(row) for row in items]}


@router.get("/obligations", auth=OVERSEERS, response=Obligations, operation_id="border_obligations")
def obligations(request: HttpRequest, asked: Query[ObligationsQuery]) -> Item:
    """List obligations, the most urgent first."""
    only(request.GET, ObligationsQuery)
    rows = Obligation.objects.select_related("version__agreement").order_by("due_at", "pk")
    match asked.state:
        case "open":
            rows = rows.open()
        case "overdue":
            rows = rows.overdue(timezone.now())
        case "fulfilled":
            rows = rows.exclude(fulfilled_at=None)
    if asked.party:
        rows = rows.filter(party=asked.party)
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [obligation_out(row) for row in items]}


@router.post(
    "/obligations/{number}/fulfilment",
    auth=OFFICER,
    response=ObligationOut,
    operation_id="border_obligation_fulfil",
)
def obligation_fulfil(request: HttpRequest, body: FulfilmentIn, number: Number) -> Item:
    """Note that an obligation was fulfilled, and how one can see it."""
    row = door.fulfil_obligation(number, author=cast(User, request.user), evidence=body.evidence)
    return obligation_out(row)


@router.get("/outgoing", auth=OVERSEERS, response=Outgoing, operation_id="border_outgoing")
def outgoing(request: HttpRequest, asked: Query[OutgoingQuery]) -> Item:
    """List what left the country, the newest first: digest, recipient, clause."""
    only(request.GET, OutgoingQuery)
    rows = OutgoingBytes.objects.select_related("version__agreement").order_by("-pk")
    if asked.recipient_party:
        rows = rows.filter(recipient_party=asked.recipient_party)
    if asked.digest:
        rows = rows.filter(digest=asked.digest)
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [outgoing_out(row) for row in items]}
