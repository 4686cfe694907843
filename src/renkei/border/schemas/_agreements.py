"""Agreements, decisions, obligations and the ledger in JSON; reasons in the language asked for."""

from datetime import datetime
from typing import Annotated, Any, Literal

from ninja import Field, Schema

from renkei.base.bodies import Given
from renkei.base.problems import say
from renkei.border import engine
from renkei.border.models import AgreementVersion, Decision, Obligation, OutgoingBytes

PLAIN = r"^[^\x00-\x1f\x7f]*$"
LARGEST_NUMBER = 2**63 - 1
Name = Annotated[str, Field(max_length=200, pattern=PLAIN)]
Limit = Annotated[int, Field(ge=1, le=500)]
Offset = Annotated[int, Field(ge=0, le=10**6)]
Item = dict[str, Any]


class LanguageQuery(Given):
    """Any question: the language of the answer."""

    lang: Literal["en", "ja"] | None = None


class PageQuery(LanguageQuery):
    """Any question for a list: which part of it."""

    limit: Limit = 50
    offset: Offset = 0


class DataAgreementsQuery(PageQuery):
    """Which versions of agreements."""

    state: Literal["draft", "proposed", "in_force", "replaced"] | None = None


class VersionQuery(LanguageQuery):
    """Which version of an agreement: the one in force, else the newest, by default."""

    version: Annotated[int, Field(ge=1, le=10**6)] | None = None


class DecisionsQuery(PageQuery):
    """Which decisions."""

    allow: bool | None = None
    target: Name = ""
    recipient: Name = ""


class ObligationsQuery(PageQuery):
    """Which obligations."""

    state: Literal["open", "overdue", "fulfilled"] | None = None
    party: Name = ""


class OutgoingQuery(PageQuery):
    """Which streams."""

    recipient_party: Name = ""
    digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


class DraftIn(Given):
    """A draft: an agreement of the profile ``urn:renkei:agreement:1``."""

    document: Item


class FulfilmentIn(Given):
    """How an obligation was fulfilled."""

    evidence: Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]


class DataAgreementRow(Schema):
    """One version of an agreement in a list."""

    agreement: str
    uid: str
    version: int
    state: str
    title: str
    assigner: str
    assignees: list[str]
    targets: list[str]
    concluded_at: datetime
    adopted_at: datetime | None
    hash: str


class ClauseOut(Schema):
    """One clause: both texts, and their SHA-256."""

    clause: str
    kind: str
    action: str
    text_en: str
    text_ja: str
    hash_en: str
    hash_ja: str


class DataAgreementOut(DataAgreementRow):
    """One version of an agreement, whole."""

    act: str
    replaced_at: datetime | None
    clauses: list[ClauseOut]
    document: Item


class DataAgreements(Schema):
    """A part of a list."""

    count: int
    items: list[DataAgreementRow]


class StepOut(Schema):
    """What one clause had to say."""

    agreement: str
    clause: str
    kind: str
    outcome: str
    reason: str


class DecisionOut(Schema):
    """One answered request."""

    id: int
    at: datetime
    recipient: str
    recipient_party: str
    action: str
    target: str
    purpose: str
    spatial: str
    classification: str
    output_type: str
    allow: bool
    agreement: str
    clause: str
    agreement_hash: str
    policy_version: str
    reason: str
    trace: list[StepOut]


class Decisions(Schema):
    """A part of a list."""

    count: int
    items: list[DecisionOut]


class ObligationOut(Schema):
    """Something that must be done by a day."""

    id: int
    agreement: str
    clause: str
    action: str
    target: str
    debtor: str
    party: str
    due_at: datetime
    decision: int | None
    fulfilled_at: datetime | None
    evidence: str


class Obligations(Schema):
    """A part of a list."""

    count: int
    items: list[ObligationOut]


class OutgoingOut(Schema):
    """One stream of bytes that left the country."""

    id: int
    at: datetime
    digest: str
    size: int
    target: str
    recipient: str
    recipient_party: str
    channel: str
    agreement: str
    clause: str
    agreement_hash: str
    decision: int


class Outgoing(Schema):
    """A part of the ledger."""

    count: int
    items: list[OutgoingOut]


class OtherDecisionOut(Schema):
    """Requests of one kind that a draft decides otherwise."""

    recipient: str
    recipient_party: str
    action: str
    target: str
    purpose: str
    times: int
    first_at: datetime
    last_at: datetime
    before: str
    after: str


class SimulationOut(Schema):
    """What a draft would have changed."""

    replayed: int
    unchanged: int
    allowed_before: int
    allowed_after: int
    gains: list[OtherDecisionOut]
    loses: list[OtherDecisionOut]


def agreement_row(row: AgreementVersion) -> Item:
    """Tell what a version is."""
    return {
        "agreement": row.agreement.slug,
        "uid": row.agreement.uid,
        "version": row.number,
        "state": row.state,
        "title": row.title,
        "assigner": row.assigner,
        "assignees": row.assignees,
        "targets": row.targets,
        "concluded_at": row.concluded_at,
        "adopted_at": row.adopted_at,
        "hash": row.digest,
    }


def agreement_out(row: AgreementVersion) -> Item:
    """Tell everything about a version."""
    clauses = row.clauses.order_by("position").values(
        "name", "kind", "action", "text_en", "text_ja", "hash_en", "hash_ja"
    )
    return {
        **agreement_row(row),
        "act": row.act,
        "replaced_at": row.replaced_at,
        "clauses": [{**one, "clause": one["name"]} for one in clauses],
        "document": row.document,
    }


def decision_out(row: Decision) -> Item:
    """Tell who asked what, and why it was allowed or denied."""
    return {
        "id": row.pk,
        "at": row.at,
        **{
            name: getattr(row, name)
            for name in (*engine.Request.__slots__, "allow", "clause", "agreement_hash")
        },
        "policy_version": row.policy_version,
        "agreement": row.version.agreement.slug if row.version else "",
        "reason": say(row.reason),
        "trace": [_step(step, step["why"]) for step in row.steps],
    }


def _step(step: Item, why: engine.Reason) -> Item:
    told = {name: step[name] for name in ("agreement", "clause", "kind", "outcome")}
    return {**told, "reason": say(why)}


def explained_out(request: engine.Request, decision: engine.Decision) -> Item:
    """Tell how a request would be decided, in the form of a decision that was not written down."""
    return {
        "id": None,
        "at": None,
        **{name: getattr(request, name) for name in engine.Request.__slots__},
        "allow": decision.allow,
        "agreement": decision.agreement,
        "clause": decision.clause,
        "agreement_hash": decision.agreement_hash,
        "policy_version": decision.policy_version,
        "reason": say(decision.why),
        "trace": [_step(step.to_json(), step.why) for step in decision.trace],
    }


def obligation_out(row: Obligation) -> Item:
    """Tell what must be done by whom until when."""
    return {
        "id": row.pk,
        "agreement": row.version.agreement.slug,
        "clause": row.clause,
        "action": row.action,
        "target": row.target,
        "debtor": row.debtor,
        "party": row.party,
        "due_at": row.due_at,
        "decision": row.decision_id,
        "fulfilled_at": row.fulfilled_at,
        "evidence": row.evidence,
    }


def outgoing_out(row: OutgoingBytes) -> Item:
    """Tell what left, for whom, and under which clause."""
    return {
        "id": row.pk,
        "at": row.at,
        "digest": row.digest,
        "size": row.size,
        "target": row.target,
        "recipient": row.recipient,
        "recipient_party": row.recipient_party,
        "channel": row.channel,
        "agreement": row.version.agreement.slug,
        "clause": row.clause,
        "agreement_hash": row.version.digest,
        "decision": row.decision_id,
    }


def simulation_out(done: engine.Simulation) -> Item:
    """Tell who gains and who loses."""
    return {
        "replayed": done.replayed,
        "unchanged": done.unchanged,
        "allowed_before": done.allowed_before,
        "allowed_after": done.allowed_after,
        "gains": [_change(one) for one in done.gains],
        "loses": [_change(one) for one in done.loses],
    }


def _change(one: engine.Change) -> Item:
    return {
        "recipient": one.request.recipient,
        "recipient_party": one.request.recipient_party,
        "action": one.request.action,
        "target": one.request.target,
        "purpose": one.request.purpose,
        "times": one.times,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "before": say(one.before.why),
        "after": say(one.after.why),
    }
