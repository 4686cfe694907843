"""Joint acts, incidents and the state of the border in the node's own API."""

from typing import Annotated, Any, cast

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Status

from renkei.base.access import PUBLIC, allow
from renkei.base.models import Role, User
from renkei.border import door
from renkei.border.endpoints._base import only, piece, router
from renkei.border.models import Act, Incident
from renkei.border.schemas import (
    ActOut,
    Acts,
    ActsQuery,
    AnswerIn,
    IncidentOut,
    Incidents,
    PageQuery,
    ProposalIn,
    SettleIn,
    act_out,
    incident_out,
)

Item = dict[str, Any]
EVERYBODY = allow(PUBLIC)
OFFICER = allow(Role.OFFICER)
KEEPERS = allow(Role.OFFICER, Role.BOARD, Role.OPERATOR)
Uid = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/status", auth=EVERYBODY, response=dict[str, Any], operation_id="border_status")
def status(request: HttpRequest) -> Item:
    """Show logs, partners, joint acts under way and open incidents."""
    return door.status()


@router.get("/acts", auth=EVERYBODY, response=Acts, operation_id="border_acts")
def acts(request: HttpRequest, asked: Query[ActsQuery]) -> Item:
    """List joint acts, the newest first."""
    only(request.GET, ActsQuery)
    rows = Act.objects.order_by("-pk")
    if asked.stage:
        rows = rows.filter(stage=asked.stage)
    if asked.kind:
        rows = rows.filter(kind=asked.kind)
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [act_out(row) for row in items]}


@router.get("/acts/{uid}", auth=EVERYBODY, response=ActOut, operation_id="border_act")
def act(request: HttpRequest, uid: Uid) -> Item:
    """Show one joint act."""
    return act_out(door.find(uid))


@router.post("/acts", auth=OFFICER, response={201: ActOut}, operation_id="border_propose")
def propose(request: HttpRequest, body: ProposalIn) -> Status[Item]:
    """Propose a joint record; the proposer's party approves by that."""
    made = door.propose(
        body.kind,
        body.key,
        body.content,
        by=cast(User, request.user),
        reason=body.reason,
        open_for=body.open_for,
    )
    return Status(201, act_out(made))


@router.post("/acts/{uid}/answer", auth=OFFICER, response=ActOut, operation_id="border_answer")
def answer(request: HttpRequest, uid: Uid, body: AnswerIn) -> Item:
    """Approve or reject exactly the content of this hash."""
    given = door.answer(
        uid,
        approves=body.approve,
        content_hash=body.content_hash,
        by=cast(User, request.user),
    )
    return act_out(given)


@router.get("/incidents", auth=KEEPERS, response=Incidents, operation_id="border_incidents")
def incidents(request: HttpRequest, asked: Query[PageQuery]) -> Item:
    """List incidents, the last seen first."""
    only(request.GET, PageQuery)
    rows = Incident.objects.select_related("log").order_by("-last_at", "-pk")
    count, items = piece(rows, offset=asked.offset, limit=asked.limit)
    return {"count": count, "items": [incident_out(row) for row in items]}


@router.get(
    "/incidents/{number}/evidence",
    auth=KEEPERS,
    response=bytes,
    operation_id="border_evidence",
)
def evidence(request: HttpRequest, number: Number) -> HttpResponse:
    """Give the file that proves an incident; of a rewritten log, anybody can check it offline."""
    name, data = door.evidence_file(number)
    kind = "application/json" if name.endswith(".json") else "application/octet-stream"
    return HttpResponse(data, content_type=kind)


@router.post(
    "/incidents/{number}/settlement",
    auth=OFFICER,
    response=IncidentOut,
    operation_id="border_settle",
)
def settle(request: HttpRequest, number: Number, body: SettleIn) -> Item:
    """Close an incident with a reason; joint acts that it froze go on."""
    door.close_incident(number, by=cast(User, request.user), why=body.why)
    return incident_out(Incident.objects.select_related("log").get(pk=number))
