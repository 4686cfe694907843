"""Joint acts, incidents and the state of the border in JSON."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from ninja import Field, Schema

from renkei.base.bodies import Given
from renkei.base.problems import say
from renkei.border import door
from renkei.border.models import Act, Incident
from renkei.border.schemas._agreements import PLAIN, Item, PageQuery
from renkei.kit.errors import RenkeiError

Code = Annotated[str, Field(min_length=1, max_length=80, pattern=PLAIN)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ActsQuery(PageQuery):
    """Which joint acts."""

    stage: Literal["proposed", "approved", "sealed", "rejected", "expired", "superseded"] | None = (
        None
    )
    kind: Annotated[str, Field(max_length=100, pattern=PLAIN)] | None = None


class ProposalIn(Given):
    """A proposal: the kind of record, its key, what it becomes, and why."""

    kind: Code
    key: Code
    content: dict[str, Any]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    days: Annotated[int, Field(ge=1, le=366)] = 30

    @property
    def open_for(self) -> timedelta:
        """How long it may be approved."""
        return timedelta(days=self.days)


class AnswerIn(Given):
    """An officer's answer to exactly the content that was read."""

    content_hash: Hash
    approve: bool


class SettleIn(Given):
    """Why an incident is settled."""

    why: Annotated[str, Field(min_length=1, max_length=2000)]


class ActOut(Schema):
    """One joint act."""

    uid: str
    kind: str
    record: str
    parent: str
    stage: str
    content: dict[str, Any]
    content_hash: str
    parties: list[str]
    home: str
    expires: str
    reason: str
    version: str
    witnessed_at: str | None
    failure: str
    approvals: list[dict[str, Any]]
    statements: list[dict[str, Any]]


class Acts(Schema):
    """A list of joint acts."""

    count: int
    items: list[ActOut]


class IncidentOut(Schema):
    """One incident."""

    number: int
    kind: str
    origin: str
    said: str
    seen: int
    at: str
    last_at: str
    closed_at: str | None
    closed_why: str
    has_evidence: bool


class Incidents(Schema):
    """A list of incidents."""

    count: int
    items: list[IncidentOut]


def act_out(act: Act) -> Item:
    """Return an act for a program; officers' names are not in it."""
    return {
        "uid": act.uid,
        "kind": act.kind,
        "record": act.record,
        "parent": act.parent,
        "stage": door.shown_stage(act),
        "content": act.content,
        "content_hash": act.content_hash,
        "parties": act.parties,
        "home": act.home,
        "expires": act.expires,
        "reason": act.reason,
        "version": act.version,
        "witnessed_at": act.witnessed_at.isoformat() if act.witnessed_at else None,
        "failure": act.failure,
        "approvals": [
            {"party": row.party, "approves": row.is_approval} for row in act.approvals.all()
        ],
        "statements": [
            {
                "what": step.what,
                "party": step.party,
                "origin": step.origin,
                "index": step.index,
                "issued": step.issued.isoformat(),
                "is_witnessed": step.is_proven,
            }
            for step in door.steps(act)
        ],
    }


def incident_out(row: Incident) -> Item:
    """Return an incident for a program, said in the language asked for."""
    return {
        "number": row.pk,
        "kind": row.kind,
        "origin": row.log.origin if row.log else "",
        "said": say(RenkeiError(row.said["sentence"], **row.said["values"])),
        "seen": row.seen,
        "at": row.at.isoformat(),
        "last_at": row.last_at.isoformat(),
        "closed_at": row.closed_at.isoformat() if row.closed_at else None,
        "closed_why": row.closed_why,
        "has_evidence": row.evidence is not None,
    }
