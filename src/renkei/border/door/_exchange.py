"""What two nodes do with each other's logs: publish, have witnessed, pull, verify, apply, cosign.

One node needs nothing of another but answers: its state toward a partner is how far it has
verified that partner's log. Every step may be cut off and begun again.
"""

import email.utils
import fcntl
import functools
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max

from renkei.base.commits import losable
from renkei.border import engine
from renkei.border.door import _client, _keys, _log, _rotate, _tiles, _witness
from renkei.border.door._carrier import carrier
from renkei.border.door._incidents import note as note_incident
from renkei.border.door._judge import judge
from renkei.border.door._keys import Partner
from renkei.border.models import Checkpoint, Incident, Log, Peer, Private
from renkei.kit.errors import ConflictError, RenkeiError, gettext_noop

COSIGN_AGAIN = timedelta(hours=1)  # silence must be visible: a quiet log is cosigned anew
CHUNK = 16 * engine.TILE_WIDTH
MOST_SKEW_SECONDS = 300
POLICY = "border.policy"
RESTORED = "restored"  # left by a restored backup: nothing is signed before every partner was asked
GUARD_SECONDS = 8.0
KEPT_CHECKPOINTS = 64
PRIVATE_AT_ONCE = 64


class BehindError(ConflictError):
    """This node's log is older than what a partner has cosigned of it."""

    code = "border.behind"


class ShrunkError(ConflictError):
    """A partner's log shows less than was verified of it."""

    code = "border.shrunk"


class AccusedError(ConflictError):
    """A partner's witness refuses this node's checkpoint."""

    code = "border.accused"


class NotMetError(RenkeiError):
    """A partner that does not watch this node's log: it has not pinned or not met it yet."""

    code = "border.not_met"
    status = 503


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round with a partner did."""

    applied: int = 0
    cosigned: int = 0


def policy() -> engine.Policy:
    """Return whose cosignatures make a checkpoint witnessed.

    The node's ``border.policy`` (C2SP tlog-policy) where there is one; else every node of the
    programme, with both algorithms.
    """
    file = settings.NODE.folder / POLICY
    if file.exists():
        return _parsed(file.read_bytes())
    return _parsed(default_policy().encode())


_parsed = functools.lru_cache(maxsize=8)(engine.parse_policy)


def default_policy() -> str:
    """Return the policy that holds while the node has no file of its own."""
    known = [(settings.NODE.name, _keys.own_history())]
    for partner in _keys.partners():
        identity = _keys.pinned(partner.name)
        log = Log.objects.filter(name=partner.name).first()
        if identity is not None and log is not None:
            known.append((partner.name, _keys.history(log, identity)))
    lines = [
        f"log {vkey}"
        for _name, history in known
        for span in history.spans
        if span.role == "log"
        for vkey in span.vkeys
    ]
    for name, history in known:
        ed25519, mldsa44 = history.newest("witness").vkeys
        lines += [
            f"witness {name}-ed25519 {ed25519}",
            f"witness {name}-mldsa44 {mldsa44}",
            f"group {name} all {name}-ed25519 {name}-mldsa44",
        ]
    expected = 1 + len(_keys.partners())
    members = " ".join(name for name, _history in known)
    if len(known) < expected:
        # A partner that was never met cannot have cosigned: nothing counts as witnessed by all.
        return "\n".join([*lines, "quorum none", ""])
    return "\n".join([*lines, f"group everybody all {members}", "quorum everybody", ""])


def is_witnessed(note: bytes) -> bool:
    """Tell whether a checkpoint bears the quorum of the policy."""
    found = policy()
    return found.quorum != b"none" and found.is_satisfied(note)


@contextmanager
def _publishing() -> Iterator[None]:
    """Hold the node's one right to sign checkpoints against every other process."""
    folder: Path = settings.NODE.folder / "cache"
    folder.mkdir(exist_ok=True)
    with (folder / "border-publish.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def publish(*, now: datetime, signed: Callable[[], None] = lambda: None) -> Checkpoint:
    """Sign a checkpoint over everything that was said, if it is not signed yet.

    Only committed entries count, so nothing is signed that a crash could take back.

    Args:
        now: for the cosignature of this node's own witness.
        signed: called as soon as a new one is saved, before the file beside the log is.

    Raises:
        HaltedError: the log is behind what a partner has seen of it.
    """
    with _publishing():
        log = _log.own_log()
        _log.refuse_halted(log)
        _refuse_unguarded(log)
        newest = Checkpoint.objects.filter(log=log).order_by("-size").first()
        shown = _shown(log)
        if shown is not None and shown.root != _root(log, shown.size, newest):
            _note_behind(log, shown.size, by=settings.NODE.name, now=now)
            _log.refuse_halted(log)
        if newest is not None and newest.size == log.size:
            _show(log, bytes(newest.note))
            return newest
        frontier = engine.Frontier.load(bytes(log.frontier))
        keys = _keys.keys()
        at = int(now.timestamp())
        note = engine.sign_checkpoint(
            engine.Checkpoint(log.origin, frontier.size, frontier.root),
            ed25519=engine.Ed25519NoteSigner(log.origin, keys.log_ed25519),
            mldsa44=engine.MlDsa44Cosigner(log.origin, keys.log_mldsa44),
            timestamp=at,
        )
        note = _overlapped(note, frontier.size, at=at)
        # A node's own witness signs too, so that one policy holds for every log.
        note = engine.with_cosignatures(note, _witness.cosign(note, "witness", at=at))
        witnessed = is_witnessed(note)
        # The entries are on the disk; a checkpoint over them that is lost is signed anew.
        with losable(), transaction.atomic():
            saved = Checkpoint.objects.create(
                log=log,
                size=frontier.size,
                root=frontier.root,
                note=note,
                signed_at=now,
                is_witnessed=witnessed,
                witnessed_at=now if witnessed else None,
            )
            Log.objects.filter(pk=log.pk).update(published=frontier.size)
            _forget(log)
        signed()
        _show(log, note)
        return saved


def _overlapped(note: bytes, size: int, *, at: int) -> bytes:
    """Sign with the keys before the last rotation too, while they hold: readers may know those."""
    old = _rotate.previous_keys()
    history = _keys.own_history()
    if old is None or old.log.public not in history.keys_at("log", size):
        return note
    origin = history.identity.origin
    signer = engine.Ed25519NoteSigner(origin, old.log_ed25519)
    line = engine.NoteSignature(
        signer.key.name,
        signer.key.key_id,
        signer.sign_note(engine.parse_note(note).text.encode()),
    ).line
    second = engine.cosign(note, [engine.MlDsa44Cosigner(origin, old.log_mldsa44)], at)
    return engine.with_cosignatures(note, [line, *second])


def _refuse_unguarded(log: Log) -> None:
    """Refuse to sign after a backup was restored, until each partner said what it has cosigned."""
    mark = _tiles.folder_of(log) / RESTORED
    if not mark.exists():
        return
    waiting = [p.name for p in _keys.partners() if p.fingerprint and p.name not in _guarded]
    if waiting:
        raise _log.HaltedError(
            gettext_noop(
                "a backup was restored: this node signs nothing until {partners} said what was "
                "cosigned of its log"
            ),
            partners=", ".join(waiting),
        )
    mark.unlink()


def _root(log: Log, size: int, known: Checkpoint | None = None) -> bytes:
    if size > log.size:
        return b""
    if known is not None and known.size == size:
        return bytes(known.root)
    return engine.frontier_of(size, _tiles.nodes(log)).root if size else engine.EMPTY_ROOT


def _shown(log: Log) -> engine.Checkpoint | None:
    """Return what the file says was signed last: it outlives a database that was put back."""
    file = _tiles.folder_of(log) / "checkpoint"
    if not file.exists():
        return None
    try:
        return engine.parse_checkpoint(engine.parse_note(file.read_bytes()).text)
    except RenkeiError:
        return None  # damaged: the scrub says so and writes it anew


def _show(log: Log, note: bytes) -> None:
    file = _tiles.folder_of(log) / "checkpoint"
    with suppress(FileNotFoundError):
        if file.read_bytes() == note:
            return
    _tiles.write(file, note)


def _forget(log: Log) -> None:
    """Drop checkpoints that newer ones prove as well; the newest witnessed one always stays."""
    known = Checkpoint.objects.filter(log=log)
    if known.count() < 2 * KEPT_CHECKPOINTS:
        return
    oldest = known.order_by("-size").values_list("size", flat=True)[KEPT_CHECKPOINTS - 1]
    proven = known.filter(is_witnessed=True).aggregate(Max("size"))["size__max"]
    known.filter(size__lt=oldest).exclude(size=proven).delete()


def add_cosignatures(checkpoint: Checkpoint, lines: list[str], *, now: datetime) -> bool:
    """Put cosignature lines on a stored checkpoint; tell whether it is witnessed by that."""
    with losable(), transaction.atomic():  # the partner gives them again
        row = Checkpoint.objects.select_for_update().filter(pk=checkpoint.pk).first()
        if row is None or not lines:
            return False
        row.note = engine.with_cosignatures(bytes(row.note), lines)
        newly = not row.is_witnessed and is_witnessed(row.note)
        if newly:
            row.is_witnessed, row.witnessed_at = True, now
        row.save(update_fields=["note", "is_witnessed", "witnessed_at"])
    return newly


def meet(partner: Partner) -> engine.Identity:
    """Return a partner's identity; the first time it is fetched and held against the pin.

    Raises:
        NotPinnedError: no fingerprint was exchanged.
        OtherIdentityError: it shows other keys.
        UnreachableError: it does not answer.
    """
    identity = _keys.pinned(partner.name)
    if identity is not None:
        return identity
    url = f"{partner.address}/.well-known/renkei-node"
    document = _client.ok_json(_client.ask("GET", url, most=_client.MOST_JSON_BYTES), url)
    identity = _keys.pin(partner, document.get("identity") or {})
    Log.objects.get_or_create(
        origin=partner.origin,
        defaults={
            "name": partner.name,
            "party": partner.party,
            "frontier": engine.Frontier.empty().dump(),
        },
    )
    return identity


def exchange(partner: Partner, *, now: Callable[[], datetime]) -> Round:
    """Do one round with a partner: have the own log witnessed, pull the partner's, fetch what is private.

    Raises:
        RenkeiError: what stopped the round; everything before it is kept.
    """
    identity = meet(partner)
    guard(partner, now=now())
    push(partner, identity, now=now())
    applied = pull(partner, identity, now=now)
    collect(partner, identity, now=now())
    fetch_private(partner, now=now())
    if applied:
        _log.retry(now=now())
        with suppress(RenkeiError):  # losable: the partner looks by itself now and then
            hint(partner, now=now())
    _note(partner, heard_at=now(), failure="", failed_at=None)
    return Round(applied=applied)


def _note(partner: Partner, **state: object) -> None:
    with losable():
        Peer.objects.filter(name=partner.name).update(**state)


def have_witnessed(partner: Partner, *, now: datetime) -> None:
    """Do the first part of a round alone: have the own log cosigned.

    Raises:
        RenkeiError: see ``push``. A partner that was not met in this process is passed over.
    """
    identity = _keys.pinned(partner.name)
    if identity is not None and partner.name in _guarded:
        push(partner, identity, now=now)


_guarded: set[str] = set()


def guard(partner: Partner, *, now: datetime) -> None:
    """Once a process, ask what the partner cosigned of this node's log, before anything is signed.

    Raises:
        BehindError: more than this node has, or something else.
    """
    if partner.name in _guarded:
        return
    note = _cosigned_by(partner, settings.NODE.origin)
    # Read after the answer: what was signed and cosigned while it was awaited is no rollback.
    log = _log.own_log()
    if note is not None:
        seen = _own_checkpoint(note)
        if seen.size > log.size or seen.root != _root(log, seen.size):
            _note_behind(log, seen.size, by=partner.name, now=now)
            raise BehindError(
                gettext_noop("{partner} has cosigned {seen} entries of this log, which has {size}"),
                partner=partner.name,
                seen=seen.size,
                size=log.size,
            )
        if Peer.objects.filter(name=partner.name, cosigned__lt=seen.size).exists():
            _note(partner, cosigned=seen.size)
    _guarded.add(partner.name)


def _cosigned_by(partner: Partner, origin: str) -> bytes | None:
    url = f"{partner.address}/border/v1/witness/{_tiles.name_of(origin)}/checkpoint"
    answer = _client.ask("GET", url, most=_client.MOST_NOTE_BYTES)
    return None if answer.status == 404 else _client.ok(answer, url)


def _own_checkpoint(note: bytes) -> engine.Checkpoint:
    """Read a checkpoint that this node has signed, whatever it holds now."""
    identity = _keys.identity()
    history = _keys.own_history()
    keys = [
        engine.VerifierKey.parse(text)
        for span in history.spans
        if span.role == "log"
        for text in span.vkeys
    ]
    return engine.open_checkpoint(note, identity.origin, keys)[0]


def _note_behind(log: Log, seen: int, *, by: str, now: datetime) -> None:
    error = BehindError(
        gettext_noop("{partner} has cosigned {seen} entries of this log, which has {size}"),
        partner=by,
        seen=seen,
        size=log.size,
    )
    note_incident(Incident.Kind.ROLLBACK, error, key=log.origin, now=now, log=log)


_pushing: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


def push(partner: Partner, identity: engine.Identity, *, now: datetime) -> None:
    """Have the partner's witness cosign the newest checkpoint of this node's log.

    Raises:
        BehindError: it has cosigned more than this log holds.
        AccusedError: it refuses; both sides keep what they have.
    """
    with _pushing[partner.name]:  # two threads of the worker ask; the later one finds it done
        _push(partner, identity, now=now)


def _push(partner: Partner, identity: engine.Identity, *, now: datetime) -> None:
    log = _log.own_log()
    newest = Checkpoint.objects.filter(log=log).order_by("-size").first()
    peer = Peer.objects.get(name=partner.name)
    if newest is None:
        return
    history = _keys.history(Log.objects.get(name=partner.name), identity)
    keys = [engine.VerifierKey.parse(text) for text in history.newest("witness").vkeys]
    fresh = peer.proven_at is not None and now - peer.proven_at < COSIGN_AGAIN
    # What it has cosigned may not have arrived: this node was killed, or was rebuilt.
    if peer.cosigned >= newest.size and fresh and _signed_by(bytes(newest.note), keys):
        return
    nodes = _tiles.nodes(log, newest.size)
    url = f"{partner.address}/border/v1/witness/add-checkpoint"
    old = min(peer.cosigned, newest.size)
    for _attempt in range(2):
        proof = engine.consistency_proof(old, newest.size, nodes) if 0 < old < newest.size else []
        body = engine.dump_add_checkpoint(old, proof, bytes(newest.note))
        answer = _client.ask(
            "POST",
            url,
            most=_client.MOST_NOTE_BYTES,
            body=body,
            headers={"Content-Type": "text/plain; charset=utf-8"},
        )
        if answer.status == 409 and answer.kind.startswith(engine.TLOG_SIZE):
            old = _size(answer.content)
            if old > newest.size:
                if old > _log.own_log().size:
                    _note_behind(log, old, by=partner.name, now=now)
                    raise BehindError(
                        gettext_noop(
                            "{partner} has cosigned {seen} entries of this log, which has {size}"
                        ),
                        partner=partner.name,
                        seen=old,
                        size=log.size,
                    )
                return  # a newer checkpoint of this node overtook this one
            continue
        break
    if answer.status == 404:
        raise NotMetError(gettext_noop("{partner} has not met this node yet"), partner=partner.name)
    if answer.status in {409, 422}:
        raise AccusedError(
            gettext_noop("{partner} refuses this node's checkpoint with {status}: {said}"),
            partner=partner.name,
            status=answer.status,
            said=answer.content[:200].decode(errors="replace").strip(),
        )
    lines = engine.read_cosignatures(bytes(newest.note), _client.ok(answer, url), keys)
    if add_cosignatures(newest, lines, now=now):
        _show(log, bytes(Checkpoint.objects.get(pk=newest.pk).note))
    _note(partner, cosigned=newest.size, proven_at=now)


def collect(partner: Partner, identity: engine.Identity, *, now: datetime) -> None:
    """Fetch the partner's cosignature as a mirror of this node's log, if it lacks on the newest."""
    log = _log.own_log()
    newest = Checkpoint.objects.filter(log=log).order_by("-size").first()
    if newest is None:
        return
    history = _keys.history(Log.objects.get(name=partner.name), identity)
    keys = [engine.VerifierKey.parse(text) for text in history.newest("mirror").vkeys]
    if _signed_by(bytes(newest.note), keys):
        return
    url = f"{partner.address}/border/v1/mirror/{_tiles.name_of(log.origin)}/checkpoint"
    answer = _client.ask("GET", url, most=_client.MOST_NOTE_BYTES)
    if answer.status != 200:
        return
    seen = _own_checkpoint(answer.content)
    row = Checkpoint.objects.filter(log=log, size=seen.size, root=seen.root).first()
    if row is None:
        return
    note = engine.parse_note(answer.content)
    lines = [line.line for line in note.signatures if line.name == keys[0].name]
    engine.open_note(engine.with_cosignatures(bytes(row.note), lines), keys) if lines else None
    add_cosignatures(row, lines, now=now)


def _size(content: bytes) -> int:
    """Read a ``text/x.tlog.size``."""
    text = content[:32].decode(errors="replace").strip()
    if not text.isdecimal():
        raise _client.BadAnswerError(
            gettext_noop("{url}: the answer is not a size"), url=engine.TLOG_SIZE
        )
    return int(text)


def _signed_by(note: bytes, keys: list[engine.VerifierKey]) -> bool:
    """Tell whether every one of these keys has a line on a note; their signatures were checked."""
    parsed = engine.parse_note(note)
    return all(parsed.by(key) is not None for key in keys)


def hint(partner: Partner, *, now: datetime) -> None:
    """Tell a partner that there is something new here; losing this costs a second."""
    log = _log.own_log()
    _client.ask_signed(
        f"{partner.address}/border/v1/hint",
        {"origin": log.origin, "size": log.published},
        now=now,
        most=_client.MOST_NOTE_BYTES,
    )


def pull(partner: Partner, identity: engine.Identity, *, now: Callable[[], datetime]) -> int:
    """Bring the mirror of a partner's log up to its newest checkpoint; return how many entries.

    Raises:
        RewrittenError: the log contradicts what it signed before; the evidence is kept.
        ShrunkError: it shows less than was verified of it.
        BadAnswerError, UnreachableError: it could not be fetched.
    """
    log = Log.objects.get(origin=partner.origin)
    url = f"{partner.address}/log/checkpoint"
    answer = _client.ask("GET", url, most=_client.MOST_NOTE_BYTES)
    if answer.status == 404:
        return 0  # it has signed nothing yet
    _note_clock(partner, answer.date, now=now())
    note = _client.ok(answer, url)
    fetch = fetcher(f"{partner.address}/log")
    checkpoint, history = _verified(log, identity, note, fetch)
    if checkpoint.size < log.size:
        raise ShrunkError(
            gettext_noop("{origin} shows {size} entries, but {seen} were verified"),
            origin=log.origin,
            size=checkpoint.size,
            seen=log.size,
        )
    nodes = engine.TileNodes(fetch, checkpoint.size, root=checkpoint.root)
    known = Checkpoint.objects.filter(log=log, size=checkpoint.size).first()
    lines = (
        _witness.witness(log, checkpoint, note, nodes, now=now())
        if known is None or _needs(known)
        else []
    )
    applied = 0
    while log.size < checkpoint.size:
        applied += _take(log, checkpoint, nodes, fetch, history, now=now())
        log.refresh_from_db()
        history = _keys.history(log, identity)
    _tiles.export(log)
    if known is None:
        if checkpoint.size == log.size:
            lines += _witness.cosign(note, "mirror", at=int(now().timestamp()))
        signed = engine.with_cosignatures(note, lines)
        witnessed = is_witnessed(signed)
        at = now()
        with suppress(IntegrityError), losable(), transaction.atomic():
            Checkpoint.objects.create(
                log=log,
                size=checkpoint.size,
                root=checkpoint.root,
                note=signed,
                signed_at=at,
                is_witnessed=witnessed,
                witnessed_at=at if witnessed else None,
            )
            Log.objects.filter(pk=log.pk).update(published=checkpoint.size)
            _forget(log)
        _show(log, signed)
    else:
        theirs = [line.line for line in engine.parse_note(note).signatures]
        add_cosignatures(known, _good(theirs, note), now=now())
    return applied


def _needs(known: Checkpoint) -> bool:
    """Tell whether this node's own witness is missing on a stored checkpoint."""
    keys = [cosigner.key for cosigner in _witness.cosigners("witness")]
    return not _signed_by(bytes(known.note), keys)


def _good(lines: list[str], note: bytes) -> list[str]:
    """Return those of a checkpoint's lines that are by witnesses of the policy."""
    keys = list(policy().witnesses.values())
    try:
        return engine.read_cosignatures(note, "".join(lines).encode(), keys)
    except RenkeiError:
        return []


def fetcher(base: str) -> Callable[[engine.Tile], bytes]:
    def fetch(tile: engine.Tile) -> bytes:
        url = f"{base}/{tile.path}"
        most = engine.MAX_BUNDLE_BYTES if tile.level == engine.ENTRIES else 32 * engine.TILE_WIDTH
        answer = _client.ask("GET", url, most=most)
        if answer.status == 404 and not tile.is_full:
            # The log may have filled it meanwhile.
            full = engine.Tile(tile.level, tile.index, engine.TILE_WIDTH)
            url = f"{base}/{full.path}"
            answer = _client.ask("GET", url, most=most)
        return _client.ok(answer, url)

    return fetch


def _verified(
    log: Log,
    identity: engine.Identity,
    note: bytes,
    fetch: Callable[[engine.Tile], bytes],
) -> tuple[engine.Checkpoint, engine.KeyHistory]:
    history = _keys.history(log, identity)
    claimed = engine.parse_checkpoint(engine.parse_note(note).text)
    try:
        found, _by = engine.open_checkpoint(
            note, log.origin, _keys.verifier_keys(history, "log", claimed.size)
        )
    except engine.UnsignedNoteError:
        # The keys may have changed while this node was away: their history is in the log itself,
        # and each change is signed by the old, the new and the recovery key.
        history = learn(log, history, claimed, fetch)
        found, _by = engine.open_checkpoint(
            note, log.origin, _keys.verifier_keys(history, "log", claimed.size)
        )
    return found, history


def learn(
    log: Log,
    history: engine.KeyHistory,
    claimed: engine.Checkpoint,
    fetch: Callable[[engine.Tile], bytes],
    *,
    start: int | None = None,
) -> engine.KeyHistory:
    """Read changes of keys beyond what is mirrored; each vouches for itself by its signatures."""
    begin = log.size if start is None else start
    index = begin
    while index < claimed.size:
        first = index // engine.TILE_WIDTH * engine.TILE_WIDTH
        width = min(engine.TILE_WIDTH, claimed.size - first)
        tile = engine.Tile(engine.ENTRIES, first // engine.TILE_WIDTH, width)
        for place, data in enumerate(bundle(fetch, tile), start=first):
            if place < begin:
                continue
            with suppress(RenkeiError):
                history = history.after(place, engine.read_envelope(data))
        index = first + width
    return history


def bundle(fetch: Callable[[engine.Tile], bytes], tile: engine.Tile) -> list[bytes]:
    data = fetch(tile)
    try:
        return engine.parse_bundle(data, tile.width)
    except engine.BadBundleError:
        if tile.is_full:
            raise
        return engine.parse_bundle(data, engine.TILE_WIDTH)[: tile.width]


def _take(
    log: Log,
    checkpoint: engine.Checkpoint,
    nodes: engine.TileNodes,
    fetch: Callable[[engine.Tile], bytes],
    history: engine.KeyHistory,
    *,
    now: datetime,
) -> int:
    """Fetch, verify and apply the next entries, in one transaction; return how many."""
    until = min(checkpoint.size, (log.size // CHUNK + 1) * CHUNK)
    frontier = engine.Frontier.load(bytes(log.frontier))
    if log.size and engine.frontier_of(log.size, nodes) != frontier:
        raise _witness.RewrittenError(
            gettext_noop("{origin} contradicts what it signed before"), origin=log.origin
        )
    bodies: list[bytes] = []
    at = log.size
    while at < until:
        first = at // engine.TILE_WIDTH * engine.TILE_WIDTH
        width = min(engine.TILE_WIDTH, checkpoint.size - first)
        tile = engine.Tile(engine.ENTRIES, first // engine.TILE_WIDTH, width)
        bodies += bundle(fetch, tile)[at - first :]
        at = first + width
    leaves = [engine.leaf_hash(body) for body in bodies]
    for index, leaf in enumerate(leaves, start=log.size):
        if nodes(0, index) != leaf:
            raise _client.BadAnswerError(
                gettext_noop(
                    "entry {index} of {origin} is not the one that its checkpoint commits to"
                ),
                index=index,
                origin=log.origin,
            )
    judged, _history = judge(enumerate(bodies, start=log.size), log.origin, history)
    with _log.locked(log) as held:
        if held.size != log.size:
            return 0  # another process was faster
        _log.receive(held, bodies, leaves, judged, now=now)
    return len(bodies)


def _note_clock(partner: Partner, date: str, *, now: datetime) -> None:
    try:
        theirs = email.utils.parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    skew = (theirs - now).total_seconds()
    _note(partner, clock_skew_seconds=skew)
    if abs(skew) > MOST_SKEW_SECONDS:
        error = RenkeiError(
            gettext_noop("the clocks of this node and {partner} differ by {seconds} seconds"),
            partner=partner.name,
            seconds=round(skew),
        )
        note_incident(Incident.Kind.CLOCK, error, key=partner.name, now=now)


def fetch_private(partner: Partner, *, now: datetime) -> int:
    """Ask a partner for the private content that its statements commit to; return how much came."""
    wanted = Private.objects.filter(state=Private.State.WANTED, origin=partner.origin)
    commitments = list(wanted.values_list("commitment", flat=True)[:PRIVATE_AT_ONCE])
    if not commitments:
        return 0
    sealed = _asked_private(partner, commitments, now=now)
    came = 0
    for commitment, text in sealed.items():
        row = wanted.filter(commitment=commitment).first()
        if row is None or not isinstance(text, str):
            continue
        row.content, row.salt = engine.unseal(
            engine.read_base64(text, what="sealed"),
            keys=[_keys.keys().sealing],
            issuer=partner.origin,
            recipient=settings.NODE.origin,
            entry=commitment,
            commitment=commitment,
        )
        row.state = Private.State.HELD
        row.save(update_fields=["salt", "content", "state"])
        came += 1
    return came


def _asked_private(partner: Partner, commitments: list[str], *, now: datetime) -> dict[str, object]:
    """Ask for private content over the carrier, or without where it does not open."""
    url = f"{partner.address}/border/v1/private"
    found = carrier()
    for carried in (True, False) if found and found.reaches(partner.name) else (False,):
        asked = {"commitments": commitments, "carried": carried}
        answer = _client.ask_signed(url, asked, now=now, most=8 * _client.MOST_JSON_BYTES)
        sealed = _client.ok_json(answer, url).get("sealed")
        if isinstance(sealed, str) and carried and found is not None:
            with suppress(RenkeiError, ValueError, RecursionError):
                opened = found.unseal(partner.name, engine.read_base64(sealed, what="sealed"))
                sealed = json.loads(opened)
        if isinstance(sealed, dict):
            return sealed
    return {}


def carried_for(partner: Partner, commitments: list[str]) -> str | dict[str, str]:
    """Return what ``sealed_for`` does, under the carrier's seal as one text if it has a key."""
    sealed = sealed_for(partner, commitments)
    found = carrier()
    if not sealed or found is None:
        return sealed
    content = found.seal(partner.name, json.dumps(sealed).encode())
    return sealed if content is None else engine.encode_base64(content)


def sealed_for(partner: Partner, commitments: list[str]) -> dict[str, str]:
    """Return private content that a partner may have, sealed to its key, by commitment."""
    identity = _keys.pinned(partner.name)
    log = Log.objects.filter(name=partner.name).first()
    if identity is None or log is None:
        return {}
    key = _keys.history(log, identity).sealing_for(max(log.size - 1, 0))
    rows = Private.objects.filter(commitment__in=commitments, state=Private.State.HELD)
    return {
        row.commitment: engine.encode_base64(
            engine.seal(
                bytes(row.content or b""),
                bytes(row.salt or b""),
                to=key,
                issuer=settings.NODE.origin,
                recipient=partner.origin,
                entry=row.commitment,
            )
        )
        for row in rows
        if partner.name in row.recipients
    }


def note_trouble(partner: Partner, error: RenkeiError, *, now: datetime) -> None:
    """Write down why a round with a partner ended early."""
    _note(partner, failure=str(error)[:1000], failed_at=now)
    if isinstance(error, ShrunkError | AccusedError | _client.BadAnswerError):
        log = Log.objects.filter(origin=partner.origin).first()
        note_incident(
            Incident.Kind.BAD_ANSWER, error, key=f"{partner.name} {error.code}", now=now, log=log
        )
