"""What programs are told: rows of lists, things whole, all with texts in the reader's language.

Amounts are decimal texts in their own currency; passages are offsets, never the words themselves.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from ninja import Field, Schema

from renkei.base.rows import moment
from renkei.record import engine
from renkei.record.models import (
    Agreement,
    Change,
    Claim,
    Commitment,
    Disbursement,
    Finding,
    Milestone,
    Organisation,
    Outcome,
    Participation,
    Source,
    Total,
    label,
)

MOST_HISTORY = 100
MOST_PARTS = 200
MOST_COUNTED = 10_001  # stands for more: nobody waits for a longer count
Item = dict[str, Any]


class MoneyOut(Schema):
    """An amount."""

    value: str
    currency: str
    side: str
    nature: str
    relation: str
    qualifier: str


class CommitmentRow(Schema):
    """A commitment in a list; `labels` says its codes in the reader's language."""

    slug: str
    record_class: str = Field(alias="class")
    title: str
    domain: str
    kind: str
    status: str
    scope: str
    funding_source: str
    labels: dict[str, str]
    parties: list[str]
    period: str
    dated: str
    amount: MoneyOut | None
    is_counted: bool
    source: str | None
    version: int
    updated_at: datetime


class Commitments(Schema):
    """A piece of the list of commitments; `count` is of the whole list."""

    count: int
    items: list[CommitmentRow]


class PassageOut(Schema):
    """Offsets in the source's document, in Unicode code points."""

    start: int
    end: int


class ConversionOut(Schema):
    """An amount in another currency, by the rate of a day."""

    value: str
    currency: str
    rate: str
    rate_on: date


class AmountOut(Schema):
    """What an amount says besides its value."""

    currency: str
    side: str
    nature: str
    stage: str
    relation: str
    conversion: ConversionOut | None


class ClaimOut(Schema):
    """What a source says about one field."""

    id: int
    commitment: str
    field: str
    value: str
    qualifier: str
    source: str
    lineage: str
    passages: list[PassageOut]
    seen_on: date
    is_published: bool
    reason: str
    money: AmountOut | None


class ParticipationOut(Schema):
    """An organisation's role."""

    id: int
    organisation: str
    title: str
    role: str


class MilestoneOut(Schema):
    """What is due, and whether it was delivered."""

    slug: str
    title: str
    due: str
    metric: str
    target: str
    state: str
    evidence: str
    evidence_address: str
    assessor: str
    assessed_on: date | None
    source: str | None
    passage: PassageOut | None
    version: int


class DisbursementOut(Schema):
    """Money that was paid; a corrected row is not current."""

    id: int
    value: str
    currency: str
    side: str
    nature: str
    paid_on: date
    recipient: str | None
    source: str | None
    evidence: str
    corrects: int | None
    is_current: bool


class OutcomeOut(Schema):
    """What research gave."""

    id: int
    kind: str
    title: str
    identifier: str
    address: str
    published_on: str


class FindingRow(Schema):
    """A finding in a list."""

    slug: str
    title: str
    kind: str
    severity: str
    detectable: str
    state: str
    labels: dict[str, str]
    version: int
    updated_at: datetime


class Findings(Schema):
    """A piece of the list of findings."""

    count: int
    items: list[FindingRow]


class SideOut(Schema):
    """One passage of a finding and what it says, in our words."""

    source: str
    start: int
    end: int
    says: str


class FindingOut(FindingRow):
    """A finding, whole."""

    suggestion: str
    sides: list[SideOut]
    commitments: list[str]
    decision: str
    decided_at: datetime | None
    history: list["ChangeOut"]


class ChangeOut(Schema):
    """A line of the history."""

    id: int
    at: datetime
    author: str | None
    reason: str
    verb: str
    subject: str
    slug: str
    field: str
    before: Any = None
    after: Any = None


class Changes(Schema):
    """A piece of the history, newest first."""

    count: int
    items: list[ChangeOut]


class CommitmentOut(CommitmentRow):
    """A commitment, whole; its history is cut at the newest lines."""

    note: str
    agreement: str | None
    cluster: list[str]
    is_lead: bool
    part_of: str | None
    parts: list[str]
    corroboration: dict[str, int]
    claims: list[ClaimOut]
    organisations: list[ParticipationOut]
    milestones: list[MilestoneOut]
    disbursements: list[DisbursementOut]
    outcomes: list[OutcomeOut]
    findings: list[FindingRow]
    history: list[ChangeOut]


class SourceRow(Schema):
    """A source in a list."""

    slug: str
    title: str
    publisher: str
    genre: str
    language: str
    published: str
    reliability: str
    labels: dict[str, str]
    lineage: str
    sha256: str
    size: int
    characters: int
    is_attached: bool
    version: int
    updated_at: datetime


class Sources(Schema):
    """A piece of the list of sources."""

    count: int
    items: list[SourceRow]


class SourceOut(SourceRow):
    """A source, whole."""

    published_note: str
    reliability_reason: str
    address: str
    doi: str
    commitments: int
    claims: int
    history: list[ChangeOut]


class OrganisationRow(Schema):
    """An organisation in a list."""

    slug: str
    title: str
    kind: str
    labels: dict[str, str]
    country: str
    aliases: list[str]
    ror: str
    version: int
    updated_at: datetime


class Organisations(Schema):
    """A piece of the list of organisations."""

    count: int
    items: list[OrganisationRow]


class RoleOut(Schema):
    """A commitment in which an organisation has a role."""

    commitment: str
    title: str
    role: str


class OrganisationOut(OrganisationRow):
    """An organisation, whole; its roles are cut at the newest."""

    roles: list[RoleOut]
    history: list[ChangeOut]


class AgreementOut(Schema):
    """An instrument under which commitments are made."""

    slug: str
    title: str
    kind: str
    binding: str
    labels: dict[str, str]
    parties: list[str]
    signed: str
    note: str
    commitments: list[str]


class Agreements(Schema):
    """A piece of the list of agreements."""

    count: int
    items: list[AgreementOut]


class TotalOut(Schema):
    """A sum within one domain, side, nature, currency and stage."""

    domain: str
    side: str
    nature: str
    currency: str
    stage: str
    value: str


class Summary(Schema):
    """Every sum that may be made; none is ever made over all of them."""

    version: int
    changed_at: datetime | None
    count: int
    items: list[TotalOut]


def _labels(row: Any, **vocabularies: str) -> dict[str, str]:
    return {name: label(known, getattr(row, name)) for name, known in vocabularies.items()}


def commitment_row(row: Any, *, source: str | None) -> Item:
    """Return a commitment as a list shows it.

    Args:
        row: of ``door.listed``, or a ``Commitment``.
        source: the name of what it rests on.
    """
    amount = row.amount_minor
    return {
        "slug": row.slug,
        "class": row.record_class,
        "title": row.title,
        "domain": row.domain,
        "kind": row.kind,
        "status": row.status,
        "scope": row.scope,
        "funding_source": row.funding_source,
        "labels": _labels(row, domain="domain", kind="kind", status="status", scope="scope"),
        "parties": [code for code in row.parties.split(",") if code],
        "period": row.period,
        "dated": row.dated,
        "amount": None
        if amount is None
        else {
            "value": str(engine.from_minor(amount, row.amount_currency)),
            "currency": row.amount_currency,
            "side": row.amount_side,
            "nature": row.amount_nature,
            "relation": row.amount_relation,
            "qualifier": row.amount_qualifier,
        },
        "is_counted": bool(row.is_counted),  # plain SQL gives a number on SQLite
        "source": source,
        "version": row.version,
        "updated_at": moment(row.updated_at),
    }


def commitment_out(row: Commitment) -> Item:
    """Return everything about a commitment."""
    claims = list(
        row.claims.select_related("source__lineage", "amount", "commitment").order_by("field", "pk")
    )
    lines: dict[tuple[str, str], list[str]] = defaultdict(list)
    for claim in claims:
        lines[claim.field, claim.value].append(claim.source.lineage.slug)
    mates = row.cluster.members.order_by("-is_lead", "pk") if row.cluster else ()
    return {
        **commitment_row(row, source=row.source.slug if row.source else None),
        "note": row.said("note"),
        "agreement": row.agreement.slug if row.agreement else None,
        "cluster": [item.slug for item in mates],
        "is_lead": row.is_lead,
        "part_of": row.part_of.slug if row.part_of else None,
        "parts": list(row.parts.order_by("pk").values_list("slug", flat=True)[:MOST_PARTS]),
        "corroboration": {
            claim.field: engine.corroboration(lines[claim.field, claim.value])
            for claim in claims
            if claim.is_published
        },
        "claims": [claim_out(claim) for claim in claims],
        "organisations": [
            participation_out(item)
            for item in row.participations.select_related("organisation").order_by("pk")
        ],
        "milestones": [
            milestone_out(item)
            for item in row.milestones.select_related("source").order_by("due_last", "pk")
        ],
        "disbursements": [
            disbursement_out(item)
            for item in row.disbursements.select_related("recipient", "source").order_by("pk")
        ],
        "outcomes": [outcome_out(item) for item in row.outcomes.order_by("pk")],
        "findings": [finding_row(item) for item in row.findings.order_by("pk")],
        "history": history("commitment", row.slug),
    }


def claim_out(row: Claim) -> Item:
    """Return a claim with its money."""
    money = row.amount if row.is_money else None
    return {
        "id": row.pk,
        "commitment": row.commitment.slug,
        "field": row.field,
        "value": row.value,
        "qualifier": row.qualifier,
        "source": row.source.slug,
        "lineage": row.source.lineage.slug,
        "passages": [{"start": start, "end": end} for start, end in row.passages],
        "seen_on": row.seen_on,
        "is_published": row.is_published,
        "reason": row.reason,
        "money": None
        if money is None
        else {
            "currency": money.currency,
            "side": money.side,
            "nature": money.nature,
            "stage": money.stage,
            "relation": money.relation,
            "conversion": None
            if money.rate_on is None
            else {
                "value": str(money.converted),
                "currency": money.converted_currency,
                "rate": money.rate,
                "rate_on": money.rate_on,
            },
        },
    }


def participation_out(row: Participation) -> Item:
    """Return an organisation's role in a commitment."""
    return {
        "id": row.pk,
        "organisation": row.organisation.slug,
        "title": row.organisation.title,
        "role": row.role,
    }


def milestone_out(row: Milestone) -> Item:
    """Return a milestone."""
    return {
        "slug": row.slug,
        "title": row.title,
        "due": row.due,
        "metric": row.metric,
        "target": row.target,
        "state": row.state,
        "evidence": row.evidence,
        "evidence_address": row.evidence_address,
        "assessor": row.assessor,
        "assessed_on": row.assessed_on,
        "source": row.source.slug if row.source else None,
        "passage": None if row.start is None else {"start": row.start, "end": row.end},
        "version": row.version,
    }


def disbursement_out(row: Disbursement) -> Item:
    """Return a disbursement."""
    return {
        "id": row.pk,
        "value": str(row.value),
        "currency": row.currency,
        "side": row.side,
        "nature": row.nature,
        "paid_on": row.paid_on,
        "recipient": row.recipient.slug if row.recipient else None,
        "source": row.source.slug if row.source else None,
        "evidence": row.evidence,
        "corrects": row.corrects_id,
        "is_current": row.is_current,
    }


def outcome_out(row: Outcome) -> Item:
    """Return a research outcome."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "title": row.title,
        "identifier": row.identifier,
        "address": row.address,
        "published_on": row.published_on,
    }


def finding_row(row: Finding) -> Item:
    """Return a finding as a list shows it."""
    return {
        "slug": row.slug,
        "title": row.title,
        "kind": row.kind,
        "severity": row.severity,
        "detectable": row.detectable,
        "state": row.state,
        "labels": _labels(
            row,
            kind="finding_type",
            severity="severity",
            detectable="detectable",
            state="finding",
        ),
        "version": row.version,
        "updated_at": row.updated_at,
    }


def finding_out(row: Finding) -> Item:
    """Return everything about a finding."""
    return {
        **finding_row(row),
        "suggestion": row.said("suggestion"),
        "sides": [
            {
                "source": side.source.slug,
                "start": side.start,
                "end": side.end,
                "says": side.title,
            }
            for side in row.sides.select_related("source").order_by("position")
        ],
        "commitments": list(row.commitments.order_by("slug").values_list("slug", flat=True)),
        "decision": row.said("decision"),
        "decided_at": row.decided_at,
        "history": history("finding", row.slug),
    }


def source_row(row: Source) -> Item:
    """Return a source as a list shows it."""
    return {
        "slug": row.slug,
        "title": row.title,
        "publisher": row.said("publisher"),
        "genre": row.said("genre"),
        "language": row.language,
        "published": row.published,
        "reliability": row.reliability,
        "labels": _labels(row, reliability="reliability"),
        "lineage": row.lineage.slug,
        "sha256": row.sha256,
        "size": row.size,
        "characters": row.characters,
        "is_attached": row.attached_at is not None,
        "version": row.version,
        "updated_at": row.updated_at,
    }


def source_out(row: Source) -> Item:
    """Return everything about a source."""
    return {
        **source_row(row),
        "published_note": row.said("published_note"),
        "reliability_reason": row.said("reliability_reason"),
        "address": row.address,
        "doi": row.doi,
        "commitments": row.commitments.order_by()[:MOST_COUNTED].count(),
        "claims": row.claims.order_by()[:MOST_COUNTED].count(),
        "history": history("source", row.slug),
    }


def organisation_row(row: Organisation) -> Item:
    """Return an organisation as a list shows it."""
    return {
        "slug": row.slug,
        "title": row.title,
        "kind": row.kind,
        "labels": _labels(row, kind="organisation"),
        "country": row.country,
        "aliases": row.aliases,
        "ror": row.ror,
        "version": row.version,
        "updated_at": row.updated_at,
    }


def organisation_out(row: Organisation) -> Item:
    """Return everything about an organisation."""
    roles = row.participations.select_related("commitment").order_by("-pk")[:MOST_PARTS]
    return {
        **organisation_row(row),
        "roles": [
            {"commitment": item.commitment.slug, "title": item.commitment.title, "role": item.role}
            for item in roles
        ],
        "history": history("organisation", row.slug),
    }


def agreement_out(row: Agreement) -> Item:
    """Return an agreement; its commitments are prefetched by the caller."""
    return {
        "slug": row.slug,
        "title": row.title,
        "kind": row.kind,
        "binding": row.binding,
        "labels": _labels(row, kind="agreement", binding="binding"),
        "parties": [code for code in row.parties.split(",") if code],
        "signed": row.signed,
        "note": row.said("note"),
        "commitments": sorted(item.slug for item in row.commitments.all()),
    }


def total_out(row: Total) -> Item:
    """Return a sum."""
    return {
        "domain": row.domain,
        "side": row.side,
        "nature": row.nature,
        "currency": row.currency,
        "stage": row.stage,
        "value": str(row.value),
    }


def history(subject: str, slug: str) -> list[Item]:
    """Return the newest lines of a subject's history."""
    lines: Iterable[Change] = (
        Change.objects.filter(subject=subject, slug=slug)
        .select_related("author")
        .order_by("-pk")[:MOST_HISTORY]
    )
    return [change_out(line) for line in lines]


def change_out(row: Change) -> Item:
    """Return a line of the history."""
    return {
        "id": row.pk,
        "at": row.at,
        "author": row.author.title if row.author else None,
        "reason": row.reason,
        "verb": row.verb,
        "subject": row.subject,
        "slug": row.slug,
        "field": row.field,
        "before": row.before,
        "after": row.after,
    }
