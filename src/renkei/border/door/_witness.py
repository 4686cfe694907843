"""This node as a witness of its partners' logs: it cosigns what extends what it cosigned before."""

from datetime import datetime

from django.db import transaction

from renkei.border import engine
from renkei.border.door import _keys, _nudge
from renkei.border.door._incidents import note as note_incident
from renkei.border.models import Checkpoint, Incident, Log, Witnessed
from renkei.kit.errors import ConflictError, RenkeiError, gettext_noop


class ClockBackError(RenkeiError):
    """The clock shows less than a time that was signed already."""

    code = "border.clock_back"
    status = 503


class RewrittenError(ConflictError):
    """A log contradicts what it signed before."""

    code = "border.rewritten"


def cosigners(role: str) -> list[engine.Cosigner]:
    """Return this node's cosigners of a role, witness or mirror."""
    keys = _keys.keys()
    name = _keys.own_history().newest(role).name
    pair = getattr(keys, role)
    return [
        engine.Ed25519Cosigner(name, pair.ed25519.private),
        engine.MlDsa44Cosigner(name, pair.mldsa44.private),
    ]


def cosign(note: bytes, role: str, *, at: int) -> list[str]:
    """Return this node's cosignature lines, with both algorithms."""
    return engine.cosign(note, cosigners(role), at)


def log_keys(log: Log, size: int) -> list[engine.VerifierKey]:
    """Return the keys that may sign a checkpoint of that size of a partner's log."""
    identity = _keys.pinned(log.name)
    if identity is None:
        return []
    return _keys.verifier_keys(_keys.history(log, identity), "log", size)


def add_checkpoint(body: bytes, *, now: datetime) -> tuple[int, str, bytes]:
    """Answer C2SP tlog-witness ``add-checkpoint``; what is cosigned is saved before the answer.

    Returns:
        Status, content type and body.
    """
    log, size = _claimed(body)
    with transaction.atomic():
        if log is not None:
            log = Log.objects.select_for_update().get(pk=log.pk)
        head = _head(log)
        decided = engine.decide_add_checkpoint(
            body,
            {log.origin: log_keys(log, size)} if log else {},
            {log.origin: head} if log and head else {},
            now=int(now.timestamp()),
        )
        if isinstance(decided, engine.Refuse):
            if decided.evidence is not None and log is not None:
                _note_fork(log, decided.evidence, now=now)
            return decided.status, decided.content_type, decided.body
        assert log is not None  # noqa: S101  the engine accepts known origins alone
        lines = _save(log, decided.checkpoint, decided.note, now=now)
    _nudge.wake(log.name)
    return 200, engine.PLAIN, "".join(lines).encode()


def _claimed(body: bytes) -> tuple[Log | None, int]:
    try:
        note = engine.parse_note(engine.parse_add_checkpoint(body).note)
        claimed = engine.parse_checkpoint(note.text)
    except RenkeiError:  # the engine says what is wrong with it, in the standard's order
        text = body.partition(b"\n\n")[2].partition(b"\n")[0].decode(errors="replace")
        return Log.objects.filter(is_own=False, origin=text[:200]).first(), 0
    return Log.objects.filter(is_own=False, origin=claimed.origin).first(), claimed.size


def _head(log: Log | None) -> engine.WitnessedHead | None:
    """Return what was cosigned last; without it, what the mirror verified: it was cosigned too."""
    if log is None:
        return None
    state = Witnessed.objects.filter(log=log).first()
    if state is not None:
        return engine.WitnessedHead(state.size, bytes(state.root), bytes(state.note), state.signed)
    row = Checkpoint.objects.filter(log=log).order_by("-size").first()
    if row is None:
        return None
    signed = int(row.signed_at.timestamp())
    return engine.WitnessedHead(row.size, bytes(row.root), bytes(row.note), signed)


def witness(
    log: Log, checkpoint: engine.Checkpoint, note: bytes, nodes: engine.NodeReader, *, now: datetime
) -> list[str]:
    """Cosign a checkpoint that this node fetched by itself.

    Args:
        log: the partner's.
        checkpoint: verified: the log has signed it with both algorithms.
        note: its bytes.
        nodes: reads the tree it commits to, checked against its root.
        now: for the cosignature.

    Raises:
        RewrittenError: it contradicts what this witness cosigned; the evidence is kept.
        ClockBackError: this node's clock went back.
    """
    with transaction.atomic():
        log = Log.objects.select_for_update().get(pk=log.pk)
        head = _head(log)
        if head is not None and head.size > checkpoint.size:
            return []
        evidence = engine.fork_evidence(head.note, note, nodes) if head else None
        if evidence is None:
            return _save(log, checkpoint, note, now=now)
        _note_fork(log, evidence, now=now)
    raise RewrittenError(  # after the evidence was committed
        gettext_noop("{origin} contradicts what it signed before"), origin=log.origin
    )


def _save(log: Log, checkpoint: engine.Checkpoint, note: bytes, *, now: datetime) -> list[str]:
    at = int(now.timestamp())
    state = Witnessed.objects.filter(log=log).first()
    if state is not None and state.signed > at:
        raise ClockBackError(
            gettext_noop(
                "this node's clock shows less than the time of its last cosignature: it waits until "
                "the clock has caught up"
            )
        )
    said = (checkpoint.size, checkpoint.root, at)
    # The witness is asked, and then looks by itself: what the one saved the other needs not.
    if state is None or (state.size, bytes(state.root), state.signed) != said:
        Witnessed.objects.update_or_create(
            log=log,
            defaults={
                "size": checkpoint.size,
                "root": checkpoint.root,
                "note": note,
                "signed": at,
            },
        )
    return cosign(note, "witness", at=at)


def _note_fork(log: Log, evidence: engine.ForkEvidence, *, now: datetime) -> None:
    error = RewrittenError(
        gettext_noop("{origin} contradicts what it signed before"), origin=log.origin
    )
    data = evidence.dump()
    note_incident(Incident.Kind.FORK, error, key=log.origin, now=now, log=log, evidence=data)
