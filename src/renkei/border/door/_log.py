"""The node's own log and the mirrors: what is said is in the database before anybody hears of it."""

import logging
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from renkei.border import engine
from renkei.border.door import _keys, _nudge
from renkei.border.door._incidents import note
from renkei.border.door._judge import Judged, spread
from renkei.border.door._keys import NoLogError
from renkei.border.door._registry import (
    NotYetError,
    Statement,
    check_body,
    types,
)
from renkei.border.models import Act, Approval, Entry, Fate, Incident, Log, Node, Private
from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop

logger = logging.getLogger(__name__)
MOST_SKEW_SECONDS = 300
SALT_BYTES = 32
TOGETHER = 256  # entries of a partner that are applied under one savepoint


class HaltedError(RenkeiError):
    """The node must not sign: what it holds is older than what a partner has seen of it."""

    code = "border.halted"
    status = 503


class HandlerError(RenkeiError):
    """A handler met something that it was not made for: a defect of this program."""

    code = "border.handler_failed"
    status = 500


@dataclass(frozen=True, kw_only=True)
class Said:
    """Something to say.

    Args:
        type: a registered statement type.
        body: JSON object without numbers other than integers; amounts are strings.
        record: the record that it is about, or empty.
        parent: version of the record that it follows, or empty.
        refs: entries that it refers to.
    """

    type: str
    body: Mapping[str, Any]
    record: str = ""
    parent: str = ""
    refs: tuple[engine.Ref, ...] = ()


def own_log() -> Log:
    """Return the node's own log.

    Raises:
        NoLogError: there is none yet.
    """
    log = Log.objects.filter(is_own=True).first()
    if log is None:
        raise NoLogError(
            gettext_noop("this node has no log yet: `renkei node migrate` gives it keys and a log")
        )
    return log


@contextmanager
def locked(log: Log) -> Iterator[Log]:
    """Hold a log against every other writer, on SQLite and PostgreSQL alike."""
    with transaction.atomic():
        yield Log.objects.select_for_update().get(pk=log.pk)


def say(
    said: Said, *, now: datetime | None = None, also: Sequence[engine.SigningKey] = ()
) -> Entry:
    """Put one statement into the node's log, with its effect here, in the caller's transaction.

    When this returns inside a transaction, the statement is said if and only if that commits.

    Raises:
        BadStatementError: the body is not what the type asks for.
        HaltedError: the node must not sign.
    """
    return say_all([said], now=now, also=also)[0]


def say_all(
    batch: Sequence[Said],
    *,
    now: datetime | None = None,
    also: Sequence[engine.SigningKey] = (),
) -> list[Entry]:
    """Put statements into the node's log, all or none; see ``say``.

    Args:
        batch: what is said, in this order.
        now: when.
        also: keys that sign beside the log's own: a change of keys needs several.
    """
    at = now or timezone.now()
    for said in batch:
        if said.type not in types():
            raise NotFoundError(gettext_noop("there is no statement type {type}"), type=said.type)
        check_body(said.type, said.body)
    with locked(own_log()) as log:
        refuse_halted(log)
        signers = {
            solemn: _unique([*_keys.signers(solemn=solemn), *also]) for solemn in (False, True)
        }
        drafts = []
        for said in batch:
            uid = f"{log.name}-{secrets.token_hex(16)}"
            draft = engine.draft(
                type=said.type,
                id=uid,
                issuer=log.origin,
                issued=at,
                record=said.record or None,
                parent=said.parent or None,
                body=said.body,
                refs=said.refs,
            )
            drafts.append((uid, draft, signers[types()[said.type].is_solemn]))
        signed = spread(lambda item: item[1].signed(item[2]), drafts)
        leaves = [engine.leaf_hash(data) for data in signed]
        entries = [
            Entry(
                log=log,
                index=place,
                leaf=leaf,
                data=data,
                type=said.type,
                uid=uid,
                record=said.record,
                fate=Fate.APPLIED,
            )
            for place, (said, (uid, _draft, _keys), data, leaf) in enumerate(
                zip(batch, drafts, signed, leaves, strict=True), start=log.size
            )
        ]
        append(log, entries, leaves)
        for entry in entries:
            types()[entry.type].handle(statement_of(entry, log))
        transaction.on_commit(_nudge.wake)
    return entries


def _unique(signers: Sequence[engine.SigningKey]) -> list[engine.SigningKey]:
    return list({signer.kid: signer for signer in signers}.values())


def append(log: Log, entries: list[Entry], leaves: list[bytes]) -> None:
    """Save entries that follow what the locked log holds."""
    for entry in entries:
        entry.is_about_keys = entry.type in engine.KEY_TYPES
    Entry.objects.append(entries)
    frontier, completed = engine.Frontier.load(bytes(log.frontier)).grown(leaves)
    save_nodes(log, completed)
    log.size, log.frontier = frontier.size, frontier.dump()
    log.save(update_fields=["size", "frontier"])


def save_nodes(log: Log, completed: Mapping[int, tuple[int, Sequence[bytes]]]) -> None:
    """Save the roots of full tiles among the subtrees that an append completed."""
    Node.objects.bulk_create(
        Node(log=log, level=height // engine.TILE_HEIGHT, index=index, hash=found)
        for height, (first, hashes) in completed.items()
        if height and height % engine.TILE_HEIGHT == 0
        for index, found in enumerate(hashes, start=first)
    )


def forget_from(log: Log, index: int) -> None:
    """Take out entries that no partner has cosigned, with the acts that rest on them alone."""
    gone = Entry.objects.filter(log=log, index__gte=index)
    acts = Act.objects.filter(proposal__in=gone)
    Approval.objects.filter(Q(entry__in=gone) | Q(act__in=acts)).delete()
    Act.objects.filter(seal__in=gone).exclude(proposal__in=gone).update(
        seal=None, stage=Act.Stage.APPROVED, version="", witnessed_at=None
    )
    acts.delete()
    gone.delete()


def statement_of(entry: Entry, log: Log) -> Statement:
    """Return a stored entry as handlers see it."""
    return Statement(
        origin=log.origin,
        name=log.name,
        party=log.party,
        index=entry.index,
        leaf=bytes(entry.leaf).hex(),
        data=bytes(entry.data),
        entry=entry.pk,
        is_own=log.is_own,
    )


def ref_to(entry: Entry) -> engine.Ref:
    """Return a reference to a stored entry."""
    return engine.Ref(entry.log.origin, entry.index, bytes(entry.leaf).hex())


def referred(ref: engine.Ref) -> Entry:
    """Return the entry that a reference names.

    Raises:
        NotYetError: it has not arrived.
        BadStatementError: another entry stands at that place.
    """
    entry = (
        Entry.objects.select_related("log").filter(log__origin=ref.origin, index=ref.index).first()
    )
    if entry is None:
        raise NotYetError(
            gettext_noop("entry {index} of {origin} has not arrived yet"),
            index=ref.index,
            origin=ref.origin,
        )
    if bytes(entry.leaf).hex() != ref.leaf:
        raise engine.BadActError(
            gettext_noop("entry {index} of {origin} is another one than the reference says"),
            index=ref.index,
            origin=ref.origin,
        )
    return entry


def receive(
    log: Log,
    bodies: Sequence[bytes],
    leaves: list[bytes],
    judged: Sequence[Judged],
    *,
    now: datetime,
) -> list[Entry]:
    """Store verified bytes of a partner's locked log, and apply what they say.

    Whatever an entry says, its bytes are kept: they are in the partner's log. What is wrong with
    one is written beside it and never stops the ones after it.

    Args:
        log: the locked mirror; ``bodies`` follow what it holds.
        bodies: entries whose leaf hashes were proven against a signed checkpoint.
        leaves: their leaf hashes.
        judged: what each says, or why it is no statement.
        now: to tell what is dated in the future.
    """
    entries: list[Entry] = []
    due: list[tuple[Entry, Statement]] = []
    for index, (data, leaf, found) in enumerate(
        zip(bodies, leaves, judged, strict=True), start=log.size
    ):
        entry = Entry(log=log, index=index, leaf=leaf, data=data, fate=Fate.INVALID)
        entries.append(entry)
        if isinstance(found, RenkeiError):
            entry.why = str(found)
            note(
                Incident.Kind.BAD_STATEMENT,
                found,
                key=f"{log.origin} {index}",
                log=log,
                evidence=data,
                now=now,
            )
            continue
        entry.type, entry.uid = found.type[:100], found.id[:100]
        entry.record = (found.record or "")[:200]
        entry.fate = _first_fate(found, now)
    append(log, entries, leaves)
    for entry, found in zip(entries, judged, strict=True):
        if entry.fate == Fate.APPLIED:
            statement = statement_of(entry, log)
            statement.__dict__["envelope"] = found  # read once
            due.append((entry, statement))
    for first in range(0, len(due), TOGETHER):
        _apply_all(due[first : first + TOGETHER], log, now=now)
    return entries


def _apply_all(due: Sequence[tuple[Entry, Statement]], log: Log, *, now: datetime) -> None:
    """Apply entries under one savepoint; if one of them cannot be, one after another."""
    try:
        with transaction.atomic():
            for _entry, statement in due:
                _handle(statement)
    except (OSError, OperationalError):
        raise
    except Exception:  # noqa: BLE001  which one it was, and why, is found out and said below
        for entry, statement in due:
            apply(entry, log, now=now, statement=statement)


def _handle(statement: Statement) -> None:
    check_body(statement.envelope.type, statement.envelope.body)
    types()[statement.envelope.type].handle(statement)


def _first_fate(envelope: engine.Envelope, now: datetime) -> str:
    if envelope.type not in types():
        return Fate.UNKNOWN
    if envelope.issued > now + timedelta(seconds=MOST_SKEW_SECONDS):
        return Fate.QUARANTINED
    return Fate.APPLIED


def apply(entry: Entry, log: Log, *, now: datetime, statement: Statement | None = None) -> None:
    """Let the entry's room apply it; write down what became of it.

    Raises:
        OSError, OperationalError: the disk or the database failed; nothing is known of the entry.
    """
    statement = statement or statement_of(entry, log)
    try:
        with transaction.atomic():
            try:
                _handle(statement)
            except (RenkeiError, OSError, OperationalError):
                raise
            except Exception as error:
                # A defect of ours that one statement meets must not hold up all that follow it.
                logger.exception("%s %s", log.origin, entry.index)
                raise HandlerError(
                    gettext_noop("this node failed to apply it: {why}"),
                    why=f"{type(error).__name__}: {error}"[:200],
                ) from error
    except NotYetError as error:
        fate, why = Fate.WAITING, str(error)
    except RenkeiError as error:
        fate, why = Fate.REFUSED, str(error)
        note(
            Incident.Kind.REFUSED,
            error,
            key=f"{log.origin} {entry.index}",
            log=log,
            evidence=bytes(entry.data),
            now=now,
        )
    else:
        fate, why = Fate.APPLIED, ""
    if (fate, why) != (entry.fate, entry.why):
        entry.fate, entry.why = fate, why
        entry.save(update_fields=["fate", "why"])


def retry(*, now: datetime) -> int:
    """Apply what waited and can be applied now; return how many entries that were."""
    done = 0
    pending = Entry.objects.filter(fate__in=[Fate.WAITING, Fate.QUARANTINED]).order_by("pk")
    for found in pending.values_list("pk", "log_id")[:1000]:
        with transaction.atomic():
            log = Log.objects.select_for_update().get(pk=found[1])
            entry = Entry.objects.get(pk=found[0])
            if entry.fate == Fate.QUARANTINED:
                issued = engine.read_envelope(bytes(entry.data)).issued
                if issued > now + timedelta(seconds=MOST_SKEW_SECONDS):
                    continue
            apply(entry, log, now=now)
            done += entry.fate == Fate.APPLIED
    return done


def refuse_halted(log: Log) -> None:
    """Refuse to sign while the log is known to be behind what a partner has seen of it.

    Raises:
        HaltedError: it is.
    """
    if Incident.objects.filter(kind=Incident.Kind.ROLLBACK, log=log, closed_at=None).exists():
        raise HaltedError(
            gettext_noop(
                "this node's log is behind what a partner has cosigned: it signs nothing until "
                "`renkei border rebuild` has fetched it back from the partner's mirror"
            )
        )


def keep_private(content: bytes, *, recipients: Iterable[str]) -> str:
    """Keep content of which a statement will hold the salted hash; return that hash, in hex."""
    salt = secrets.token_bytes(SALT_BYTES)
    commitment = engine.commitment_of(content, salt)
    Private.objects.create(
        commitment=commitment,
        salt=salt,
        content=content,
        recipients=sorted(recipients),
        state=Private.State.HELD,
    )
    return commitment


def want_private(commitment: str, *, origin: str) -> None:
    """Note that a partner holds content that this node may ask for."""
    Private.objects.get_or_create(
        commitment=commitment, defaults={"state": Private.State.WANTED, "origin": origin}
    )


def private(commitment: str) -> bytes | None:
    """Return private content, or ``None`` when it was not fetched yet or was erased."""
    row = Private.objects.filter(commitment=commitment, state=Private.State.HELD).first()
    return bytes(row.content) if row and row.content is not None else None


def erase_private(commitment: str, *, now: datetime | None = None) -> None:
    """Erase content and its salt; the log still verifies.

    Raises:
        NotFoundError: nothing is held under this hash.
    """
    changed = Private.objects.filter(commitment=commitment, state=Private.State.HELD).update(
        content=None, salt=None, state=Private.State.ERASED, erased_at=now or timezone.now()
    )
    if not changed:
        raise NotFoundError(
            gettext_noop("no private content is held under {commitment}"), commitment=commitment
        )


def found() -> None:
    """Give the node its keys, and its log the first entry: the node's identity."""
    _keys.ensure()
    if Log.objects.filter(is_own=True).exists():
        return
    node = settings.NODE
    with transaction.atomic():
        Log.objects.create(
            origin=node.origin,
            name=node.name,
            party=node.party,
            is_own=True,
            frontier=engine.Frontier.empty().dump(),
        )
        say(Said(type=engine.FOUNDED, body=engine.founding_body(_keys.identity())))
