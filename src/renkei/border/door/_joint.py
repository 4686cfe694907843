"""Joint acts on this node: proposing, answering, sealing, and the fold of what partners say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from renkei.base.models import User
from renkei.border import engine
from renkei.border.door import _log
from renkei.border.door._incidents import note as note_incident
from renkei.border.door._incidents import refuse_frozen
from renkei.border.door._registry import (
    JointKind,
    NotYetError,
    Statement,
    StatementType,
    check_body,
    kinds,
)
from renkei.border.models import Act, Approval, Checkpoint, Entry, Incident
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop

OPEN_FOR = timedelta(days=30)
LONGEST_OPEN = timedelta(days=366)
UNDER_WAY = (Act.Stage.PROPOSED, Act.Stage.APPROVED)


class UnknownActError(NotFoundError):
    """No such joint act here."""

    code = "border.unknown_act"


class ActOverError(ConflictError):
    """The act is decided, or its time is over."""

    code = "border.act_over"


@dataclass(frozen=True, kw_only=True)
class Officer:
    """Who spoke for a party, as far as this node may know."""

    party: str
    approves: bool
    name: str
    issued: datetime


def kind_of(name: str) -> JointKind:
    """Return a kind of joint record.

    Raises:
        NotFoundError: no room of this node knows it.
    """
    found = kinds().get(name)
    if found is None:
        raise NotFoundError(
            gettext_noop("there is no kind of joint record {name}; known are {known}"),
            name=name[:100],
            known=", ".join(sorted(kinds())) or "-",
        )
    return found


def version_of(record: str) -> str:
    """Return the version of a joint record: the leaf hash of its last seal, or empty."""
    sealed = Act.objects.filter(record=record, stage=Act.Stage.SEALED)
    followed = set(sealed.values_list("parent", flat=True))
    heads = [act.version for act in sealed if act.version not in followed]
    return heads[0] if heads else ""


def propose(
    kind: str,
    key: str,
    content: Mapping[str, Any],
    *,
    by: User,
    reason: str,
    home: str = "",
    open_for: timedelta = OPEN_FOR,
    now: datetime | None = None,
) -> Act:
    """Propose what a record of all parties shall be; the proposer's party approves by that.

    Args:
        kind: a registered ``JointKind``.
        key: names the record within its kind and home.
        content: what it becomes.
        by: the officer who proposes.
        reason: why, for the partner's officers.
        home: the node that seals; this one, for a record that is new.
        open_for: how long it may be approved.
        now: for the statements.

    Raises:
        BadStatementError: the content is not what the kind asks for.
        BadActError: the key or the time cannot stand.
        FrozenError: misconduct stands unexamined.
    """
    at = now or timezone.now()
    refuse_frozen()
    known = kind_of(kind)
    check_body(kind, dict(content), joint=True)
    known.check(content)
    if not timedelta(minutes=1) <= open_for <= LONGEST_OPEN:
        raise engine.BadActError(
            gettext_noop("a proposal is open for one minute to {days} days"), days=LONGEST_OPEN.days
        )
    record = f"{kind}/{home or settings.NODE.name}/{key}"
    engine.parse_record(record)
    with transaction.atomic():
        officer = _officer(by)
        body = engine.proposal_body(
            content=content,
            parties=settings.NODE.parties,
            expires=engine.write_time(at + open_for),
            reason=reason.strip(),
            officer=officer,
        )
        entry = _log.say(
            _log.Said(type=engine.PROPOSED, body=body, record=record, parent=version_of(record)),
            now=at,
        )
        act = Act.objects.get(uid=entry.uid)
        _say_answer(act, approves=True, officer=officer, now=at)
        seal_due(now=at)
    return Act.objects.get(pk=act.pk)


def answer(
    uid: str, *, approves: bool, content_hash: str, by: User, now: datetime | None = None
) -> Act:
    """Approve or reject exactly the content that an officer has read.

    Raises:
        UnknownActError: no such act.
        OtherContentError: the content is another one than was read.
        ActOverError: it is decided or expired.
        FrozenError: misconduct stands unexamined.
    """
    at = now or timezone.now()
    refuse_frozen()
    with transaction.atomic():
        act = find(uid)
        if act.content_hash != content_hash:
            raise engine.OtherContentError(
                gettext_noop(
                    "{what} of the answer is {given!r}, but the proposal's is {expected!r}"
                ),
                what="content_hash",
                given=content_hash[:100],
                expected=act.content_hash,
            )
        if act.stage != Act.Stage.PROPOSED or engine.write_time(at) > act.expires:
            raise ActOverError(gettext_noop("this proposal is decided, or its time is over"))
        _say_answer(act, approves=approves, officer=_officer(by), now=at)
        seal_due(now=at)
    return Act.objects.get(pk=act.pk)


def find(uid: str) -> Act:
    """Return an act.

    Raises:
        UnknownActError: no such act.
    """
    act = Act.objects.select_related("proposal__log", "seal__log").filter(uid=uid).first()
    if act is None:
        raise UnknownActError(gettext_noop("there is no joint act {uid}"), uid=uid[:100])
    return act


def acts(kind: str) -> QuerySet[Act]:
    """Return the joint acts of one kind, the newest first."""
    return Act.objects.filter(kind=kind).prefetch_related("approvals").order_by("-pk")


def act_of(name: str) -> Act:
    """Return a joint act by its identifier, or the last sealed one of a record.

    Raises:
        UnknownActError: neither.
    """
    act = Act.objects.filter(uid=name).first()
    if act is None:
        sealed = Act.objects.filter(record=name, stage=Act.Stage.SEALED)
        act = sealed.order_by("-seal__pk").first()
    return act if act is not None else find(name)


def _officer(user: User) -> str:
    said = {"name": user.get_full_name() or user.get_username(), "account": user.get_username()}
    content = json.dumps(said, ensure_ascii=False, sort_keys=True).encode()
    return _log.keep_private(content, recipients=[p.name for p in settings.NODE.partners])


def _say_answer(act: Act, *, approves: bool, officer: str, now: datetime) -> Entry:
    proposal = proposal_of(act)
    return _log.say(
        _log.Said(
            type=engine.ANSWERED,
            body=engine.answer_body(proposal, approves=approves, officer=officer),
            record=act.record,
            parent=act.parent,
            refs=(_log.ref_to(act.proposal),),
        ),
        now=now,
    )


def seal_due(*, now: datetime) -> int:
    """Seal what every party approved and this node is the home of; return how many acts."""
    done = 0
    due = Act.objects.filter(
        stage=Act.Stage.APPROVED, home=settings.NODE.name, expires__gte=engine.write_time(now)
    )
    for number in list(due.values_list("pk", flat=True)):
        try:
            refuse_frozen()
            with _log.locked(_log.own_log()):
                # Read again, now that nobody else writes: another thread or process may have sealed
                # it meanwhile, or another act of its record. A second seal would be misconduct.
                act = due.select_related("proposal__log").filter(pk=number).first()
                if act is None:
                    continue
                approvals = act.approvals.select_related("entry__log").order_by("party")
                refs = [_log.ref_to(act.proposal), *(_log.ref_to(a.entry) for a in approvals)]
                _log.say(
                    _log.Said(
                        type=engine.SEALED,
                        body=engine.seal_body(proposal_of(act)),
                        record=act.record,
                        parent=act.parent,
                        refs=tuple(refs),
                    ),
                    now=now,
                )
        except (engine.BadActError, _log.HaltedError, RenkeiError):
            continue  # it stays approved, and is tried again until it expires
        done += 1
    return done


def expire(*, now: datetime) -> int:
    """Mark what nobody sealed in time; return how many acts."""
    return Act.objects.filter(
        stage__in=UNDER_WAY, expires__lt=engine.write_time(now - timedelta(seconds=300))
    ).update(stage=Act.Stage.EXPIRED)


def proposal_of(act: Act) -> engine.Proposal:
    """Return an act's proposal as the engine reads it."""
    return _read(_log.statement_of(act.proposal, act.proposal.log))


def _read(statement: Statement) -> engine.Proposal:
    envelope = statement.envelope
    return engine.read_proposal(
        act=envelope.id,
        issuer=envelope.issuer,
        issued=engine.write_time(envelope.issued),
        record=envelope.record or "",
        parent=envelope.parent or "",
        body=envelope.body or {},
    )


def _answers(act: Act) -> list[engine.Answer]:
    return [
        engine.Answer(
            act=act.uid,
            party=row.party,
            issued="",
            approves=row.is_approval,
            officer=row.officer,
        )
        for row in act.approvals.all()
    ]


def _proposed(statement: Statement) -> None:
    proposal = _read(statement)
    known = kind_of(proposal.record.kind)
    check_body(known.name, dict(proposal.content), joint=True)
    nodes = {settings.NODE.name: settings.NODE.party}
    nodes |= {partner.name: partner.party for partner in settings.NODE.partners}
    if proposal.record.home not in nodes:
        raise engine.BadActError(
            gettext_noop("the home {home} is no node of this programme: {known}"),
            home=proposal.record.home,
            known=", ".join(sorted(nodes)),
        )
    if set(proposal.parties) != set(settings.NODE.parties):
        raise engine.BadActError(
            gettext_noop("the proposal asks {parties}; this programme is {programme}"),
            parties=", ".join(proposal.parties),
            programme=", ".join(settings.NODE.parties),
        )
    record = str(proposal.record)
    if proposal.parent and not Act.objects.filter(record=record, version=proposal.parent).exists():
        raise NotYetError(
            gettext_noop("the version that this proposal follows has not arrived yet")
        )
    _want_officer(statement, str((statement.envelope.body or {})["officer"]))
    Act.objects.create(
        uid=proposal.act,
        kind=known.name,
        record=record,
        parent=proposal.parent,
        content=dict(proposal.content),
        content_hash=proposal.content_hash,
        home=proposal.record.home,
        parties=list(proposal.parties),
        expires=proposal.expires,
        stage=Act.Stage.SUPERSEDED if _is_taken(record, proposal.parent) else Act.Stage.PROPOSED,
        reason=proposal.reason,
        proposal_id=statement.entry,
    )


def _is_taken(record: str, parent: str) -> bool:
    return Act.objects.filter(record=record, parent=parent, stage=Act.Stage.SEALED).exists()


def _want_officer(statement: Statement, commitment: str) -> None:
    if not statement.is_own:
        _log.want_private(commitment, origin=statement.origin)


def _act_of(statement: Statement) -> Act:
    uid = (statement.envelope.body or {}).get("act")
    act = Act.objects.select_for_update().filter(uid=uid).first() if isinstance(uid, str) else None
    if act is None:
        raise NotYetError(gettext_noop("the proposal of this statement has not arrived yet"))
    return act


def _answered(statement: Statement) -> None:
    act = _act_of(statement)
    proposal = proposal_of(act)
    envelope = statement.envelope
    given = engine.read_answer(
        proposal,
        party=statement.party,
        issued=engine.write_time(envelope.issued),
        record=envelope.record or "",
        parent=envelope.parent or "",
        body=envelope.body or {},
        before=_answers(act),
    )
    _want_officer(statement, given.officer)
    Approval.objects.create(
        act=act,
        party=given.party,
        is_approval=given.approves,
        officer=given.officer,
        entry_id=statement.entry,
    )
    if act.stage != Act.Stage.PROPOSED:
        return  # it was superseded, or has expired here: the answer is kept, and changes nothing
    if not given.approves:
        act.stage = Act.Stage.REJECTED
    elif not engine.lacking(proposal, _answers(act)):
        act.stage = Act.Stage.APPROVED
    else:
        return
    act.save(update_fields=["stage"])


def _sealed(statement: Statement) -> None:
    act = _act_of(statement)
    proposal = proposal_of(act)
    envelope = statement.envelope
    entries = [_log.referred(ref) for ref in envelope.refs]
    rows = Approval.objects.filter(entry__in=entries, act=act)
    if len(rows) < len(entries) - 1:
        raise NotYetError(gettext_noop("an approval that this seal refers to was not applied yet"))
    answers = [
        engine.Answer(
            act=act.uid, party=row.party, issued="", approves=row.is_approval, officer=row.officer
        )
        for row in rows
    ]
    engine.check_seal(
        proposal,
        answers,
        by=statement.name,
        issued=engine.write_time(envelope.issued),
        record=envelope.record or "",
        parent=envelope.parent or "",
        body=envelope.body or {},
    )
    rival = (
        Act.objects.select_related("seal")
        .filter(record=act.record, parent=act.parent, stage=Act.Stage.SEALED)
        .first()
    )
    if rival is not None:
        _note_two_seals(statement, rival)
        return
    act.stage, act.seal_id, act.version = Act.Stage.SEALED, statement.entry, statement.leaf
    act.save(update_fields=["stage", "seal", "version"])
    if not kind_of(act.kind).is_applied_witnessed:
        _apply(act)
    Act.objects.filter(record=act.record, parent=act.parent, stage__in=UNDER_WAY).exclude(
        pk=act.pk
    ).update(stage=Act.Stage.SUPERSEDED)


def _apply(act: Act) -> None:
    """Make the sealed content true here; what cannot be applied is sealed all the same, and says so."""
    try:
        with transaction.atomic():
            kind_of(act.kind).apply(act.content, act.uid, act.reason)
    except RenkeiError as error:
        Act.objects.filter(pk=act.pk).update(failure=str(error))


def _note_two_seals(statement: Statement, rival: Act) -> None:
    """Keep the proof that a home sealed two versions after one; the second one does not count."""
    first = rival.seal
    assert first is not None  # noqa: S101  a constraint of the table
    second = Entry.objects.get(pk=statement.entry)
    evidence = json.dumps(
        {
            "kind": "two-seals",
            "origin": statement.origin,
            "first": bytes(first.data).decode(),
            "second": bytes(second.data).decode(),
        },
        ensure_ascii=False,
    ).encode()
    error = engine.BadActError(
        gettext_noop("{origin} sealed two versions of {record} after one"),
        origin=statement.origin,
        record=rival.record,
    )
    note_incident(
        Incident.Kind.TWO_SEALS,
        error,
        key=f"{rival.record} {rival.parent}",
        now=statement.envelope.issued,
        log=second.log,
        evidence=evidence,
    )


def officers(act: Act) -> list[Officer]:
    """Return who spoke for each party; a name is empty while it was not fetched or is erased."""
    found = []
    for row in act.approvals.select_related("entry").order_by("entry__pk"):
        content = _log.private(row.officer)
        said = json.loads(content) if content else {}
        envelope = engine.read_envelope(bytes(row.entry.data))
        found.append(
            Officer(
                party=row.party,
                approves=row.is_approval,
                name=str(said.get("name", "")),
                issued=envelope.issued,
            )
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Step:
    """One statement of an act, and whether every party's witness has cosigned it.

    Args:
        what: ``proposed``, ``approved``, ``rejected`` or ``sealed``.
        party: who said it.
        issued: when, by the issuer's clock.
        origin: log that it stands in.
        index: its place there.
        is_proven: whether it is under a checkpoint that the quorum cosigned.
    """

    what: str
    party: str
    issued: datetime
    origin: str
    index: int
    is_proven: bool


def steps(act: Act) -> list[Step]:
    """Return the statements of an act, in the order in which they refer to each other."""
    sizes = witnessed_sizes()
    entries = [("proposed", act.proposal)]
    entries += [
        ("approved" if row.is_approval else "rejected", row.entry)
        for row in act.approvals.select_related("entry__log").order_by("pk")
    ]
    if act.seal is not None:
        entries.append(("sealed", act.seal))
    return [
        Step(
            what=what,
            party=entry.log.party,
            issued=engine.read_envelope(bytes(entry.data)).issued,
            origin=entry.log.origin,
            index=entry.index,
            is_proven=is_proven(entry, sizes),
        )
        for what, entry in entries
    ]


def shown_stage(act: Act) -> str:
    """Return how far an act has come, for people: ``witnessed`` and ``approved_by_one`` included."""
    if act.stage == Act.Stage.SEALED and act.witnessed_at is not None:
        return "witnessed"
    if act.stage == Act.Stage.PROPOSED and act.approvals.exists():
        return "approved_by_one"
    return act.stage


def witnessed_sizes() -> dict[int, int]:
    """Return, by log, how many entries are under a checkpoint that the quorum cosigned."""
    rows = Checkpoint.objects.filter(is_witnessed=True).values("log_id").annotate(size=Max("size"))
    return {row["log_id"]: row["size"] for row in rows}


def is_proven(entry: Entry, sizes: Mapping[int, int]) -> bool:
    """Tell whether an entry is under such a checkpoint."""
    return entry.index < sizes.get(entry.log_id, 0)


def note_witnessed(*, now: datetime) -> int:
    """Note which sealed acts are witnessed by all, in every log that they stand in."""
    sizes = witnessed_sizes()
    done = 0
    sealed: QuerySet[Act] = Act.objects.filter(stage=Act.Stage.SEALED, witnessed_at=None)
    for act in sealed.select_related("proposal", "seal"):
        entries = [act.proposal, *(row.entry for row in act.approvals.select_related("entry"))]
        if act.seal is not None:
            entries.append(act.seal)
        if not all(is_proven(entry, sizes) for entry in entries):
            continue
        with transaction.atomic():
            if not Act.objects.filter(pk=act.pk, witnessed_at=None).update(witnessed_at=now):
                continue  # another thread was faster
            done += 1
            kind = kind_of(act.kind)
            if kind.is_applied_witnessed:
                _apply(act)
            kind.witnessed(act.content, act.uid)
    return done


_TEXT = {"type": "string"}
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TYPES = (
    StatementType(
        name=engine.PROPOSED,
        schema={
            "type": "object",
            "required": ["content", "content_hash", "parties", "expires", "reason", "officer"],
            "properties": {
                "content": {"type": "object"},
                "content_hash": _HASH,
                "parties": {"type": "array", "items": _TEXT},
                "expires": _TEXT,
                "reason": _TEXT,
                "officer": _HASH,
            },
        },
        handle=_proposed,
        is_solemn=True,
    ),
    StatementType(
        name=engine.ANSWERED,
        schema={
            "type": "object",
            "required": ["act", "content_hash", "expires", "answer", "officer"],
            "properties": {
                "act": _TEXT,
                "content_hash": _HASH,
                "expires": _TEXT,
                "answer": {"enum": ["approve", "reject"]},
                "officer": _HASH,
            },
        },
        handle=_answered,
        is_solemn=True,
    ),
    StatementType(
        name=engine.SEALED,
        schema={
            "type": "object",
            "required": ["act", "content_hash"],
            "properties": {"act": _TEXT, "content_hash": _HASH},
        },
        handle=_sealed,
        is_solemn=True,
    ),
)
