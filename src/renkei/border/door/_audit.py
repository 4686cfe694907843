"""Looking at every stored byte again: audit tells, scrub mends, rebuild fetches everything back."""

import gc
import json
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import transaction

from renkei.border import engine
from renkei.border.door import _client, _exchange, _keys, _log, _tiles
from renkei.border.door._incidents import end as end_incident
from renkei.border.door._incidents import note as note_incident
from renkei.border.door._judge import Judged, judge
from renkei.border.door._keys import Partner
from renkei.border.door._registry import types
from renkei.border.models import Checkpoint, Entry, Fate, Incident, Log, Node, Peer
from renkei.kit.errors import ConflictError, RenkeiError, gettext_noop

MOST_FINDINGS = 100
LONG = 20_000  # entries; below, starting processes takes longer than they save
CHECKED_AT_ONCE = 2_048
AHEAD = 8  # chunks given away and not taken back: memory is bounded


class DamagedError(RenkeiError):
    """Stored bytes are not those that were signed."""

    code = "border.damaged"
    status = 500


class NotRebuiltError(ConflictError):
    """The log could not be fetched back."""

    code = "border.not_rebuilt"


@dataclass(kw_only=True)
class Audit:
    """What was found out about one log.

    Args:
        origin: the log.
        entries: how many were read and hashed.
        statements: how many signatures of statements were checked.
        checkpoints: how many signed checkpoints agree with the entries.
        files: how many tiles on disk agree with the entries.
        witnessed: entries under a checkpoint that the quorum cosigned.
        wrong: what does not agree, at most 100; empty when all is well.
    """

    origin: str
    entries: int = 0
    statements: int = 0
    checkpoints: int = 0
    files: int = 0
    witnessed: int = 0
    wrong: list[RenkeiError] = field(default_factory=list)
    damaged_entries: list[int] = field(default_factory=list)
    damaged_files: list[engine.Tile] = field(default_factory=list)

    def note(self, error: RenkeiError) -> None:
        """Write down what is wrong."""
        if len(self.wrong) < MOST_FINDINGS:
            self.wrong.append(error)


def audit(log: Log, *, signatures: bool = True) -> Audit:
    """Read a whole log as it is stored, and hold it against everything that was signed over it.

    Args:
        log: the own one, or a mirror.
        signatures: whether every statement's signatures are checked too.
    """
    found = Audit(origin=log.origin)
    history: engine.KeyHistory | None = None
    try:
        identity = _keys.identity() if log.is_own else _keys.pinned(log.name)
        history = engine.KeyHistory.founded(identity) if identity else None
    except RenkeiError as error:  # the entry that names the keys is itself damaged
        found.note(error)
    points = Checkpoint.objects.filter(log=log, size__lte=log.size).values_list("size", flat=True)
    stored = engine.Frontier.load(bytes(log.frontier)).root
    with _Statements(found, log, history, signatures=signatures) as statements:
        tree = engine.audit(
            _stored(log), log.size, stored, marks=list(points), heard=statements.hear
        )
    history = statements.history
    for tile in tree.damaged:
        _damage(found, log, tile)
    if tree.root != stored:
        found.note(
            DamagedError(
                gettext_noop("{origin}: the {found} stored entries do not give the tree of {size}"),
                origin=log.origin,
                found=found.entries,
                size=log.size,
            )
        )
    if history is not None:
        _checkpoints(found, log, history, tree.roots)
    _files(found, log)
    return found


def _stored(log: Log) -> Callable[[engine.Tile], bytes]:
    """Return a reader of a log's tiles as the database holds them; of rows that lack, nothing."""
    leaves: dict[engine.Tile, bytes] = {}

    def fetch(tile: engine.Tile) -> bytes:
        if tile in leaves:
            return leaves.pop(tile)
        with suppress(RenkeiError):
            if tile.level != engine.ENTRIES:
                return _tiles.made(log, tile)
            rows = _rows(log, tile)
            if len(rows) == tile.width:
                # Asked for next: one query reads both.
                same = engine.Tile(0, tile.index, tile.width)
                leaves[same] = b"".join(leaf for _index, leaf, _data in rows)
                return engine.bundle([data for _index, _leaf, data in rows])
        return b""

    return fetch


def _rows(log: Log, tile: engine.Tile) -> list[tuple[int, bytes, bytes]]:
    first = tile.index * engine.TILE_WIDTH
    rows = Entry.objects.filter(log=log, index__gte=first, index__lt=first + tile.width)
    found = rows.order_by("index").values_list("index", "leaf", "data")
    return [(index, bytes(leaf), bytes(data)) for index, leaf, data in found]


def _damage(found: Audit, log: Log, tile: engine.Tile) -> None:
    """Write down which rows are behind a damaged tile."""
    if tile.level > 0:
        found.damaged_files.append(tile)
        found.note(_damaged_file(log, tile))
        return
    for index, leaf, data in _rows(log, tile):
        if engine.leaf_hash(data) != leaf and index not in found.damaged_entries:
            found.damaged_entries.append(index)
            found.note(
                DamagedError(
                    gettext_noop("{origin}: entry {index} is not the one that was signed"),
                    origin=log.origin,
                    index=index,
                )
            )


def _damaged_file(log: Log, tile: engine.Tile) -> DamagedError:
    return DamagedError(
        gettext_noop("{origin}: the file {path} is damaged or missing"),
        origin=log.origin,
        path=tile.path,
    )


class _Statements:
    """Follows a log's keys through its entries, and checks the statements' signatures.

    Of a long log that is done by a process for each core: most of the time is arithmetic.
    """

    def __init__(
        self, found: Audit, log: Log, history: engine.KeyHistory | None, *, signatures: bool
    ) -> None:
        self.history = history
        self._found, self._log, self._signatures = found, log, signatures
        self._solemn = frozenset(name for name, known in types().items() if known.is_solemn)
        self._rows: list[tuple[int, bytes]] = []
        self._given: deque[tuple[list[tuple[int, bytes]], Future[list[int]]]] = deque()
        self._pool: ProcessPoolExecutor | None = None
        if signatures and log.size >= LONG and (os.cpu_count() or 1) > 1:
            self._pool = ProcessPoolExecutor(
                os.cpu_count(),
                mp_context=multiprocessing.get_context("spawn"),
                initializer=gc.disable,  # nothing there refers to itself
            )

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Wait for what was given away."""
        self._flush()
        while self._given:
            self._take()
        if self._pool is not None:
            self._pool.shutdown()

    def hear(self, first: int, entries: list[bytes]) -> None:
        """Take one bundle."""
        self._found.entries += len(entries)
        if self.history is None:
            return
        rows = list(enumerate(entries, start=first))
        # Later checkpoints are signed with the keys of the changes before them, so these are
        # followed even where signatures are not asked for.
        about_keys = [row for row in rows if engine.may_change_keys(row[1])]
        if about_keys:
            judged, self.history = judge(self._valid(about_keys), self._log.origin, self.history)
            self._count(judged)
        if self._signatures:
            self._rows += [row for row in rows if row not in about_keys] if about_keys else rows
            if len(self._rows) >= CHECKED_AT_ONCE:
                self._flush()

    def _valid(self, rows: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        # What was recorded as no valid statement when it came is passed over.
        invalid = set(
            Entry.objects.filter(
                log=self._log, fate=Fate.INVALID, index__range=(rows[0][0], rows[-1][0])
            ).values_list("index", flat=True)
        )
        return [row for row in rows if row[0] not in invalid]

    def _flush(self) -> None:
        rows, self._rows = self._valid(self._rows) if self._rows else [], []
        if not rows or self.history is None:
            return
        if self._pool is None:
            judged, _history = judge(rows, self._log.origin, self.history)
            self._count(judged)
            return
        later = self._pool.submit(
            engine.unsigned, rows, self._log.origin, self.history, solemn=self._solemn
        )
        self._given.append((rows, later))
        while len(self._given) > AHEAD:
            self._take()

    def _take(self) -> None:
        rows, later = self._given.popleft()
        bad = set(later.result())
        self._found.statements += len(rows) - len(bad)
        if bad and self.history is not None:  # once more, for the sentence
            again = [row for row in rows if row[0] in bad]
            self._count(judge(again, self._log.origin, self.history)[0])

    def _count(self, judged: list[Judged]) -> None:
        for each in judged:
            if isinstance(each, RenkeiError):
                self._found.note(each)
            else:
                self._found.statements += 1


def _checkpoints(
    found: Audit, log: Log, history: engine.KeyHistory, reached: Mapping[int, bytes]
) -> None:
    for row in Checkpoint.objects.filter(log=log).order_by("size"):
        try:
            keys = _keys.verifier_keys(history, "log", row.size)
            checkpoint, _by = engine.open_checkpoint(bytes(row.note), log.origin, keys)
        except RenkeiError as error:
            found.note(error)
            continue
        if checkpoint.root != reached.get(checkpoint.size):
            found.note(
                DamagedError(
                    gettext_noop("{origin}: the checkpoint of {size} entries has another root"),
                    origin=log.origin,
                    size=checkpoint.size,
                )
            )
            continue
        found.checkpoints += 1
        if row.is_witnessed:
            found.witnessed = max(found.witnessed, row.size)


def _files(found: Audit, log: Log) -> None:
    for wanted in engine.new_tiles(0, log.exported):
        if not wanted.is_full:
            continue
        file = _tiles.folder_of(log) / wanted.path
        content = file.read_bytes() if file.exists() else b""
        good = False
        with suppress(RenkeiError):
            good = content == _tiles.made(log, wanted)
        if good:
            found.files += 1
            continue
        found.damaged_files.append(wanted)
        found.note(_damaged_file(log, wanted))


def scrub(log: Log, *, now: datetime) -> Audit:
    """Audit a log, and mend what is damaged: rows from the other side's copy, files from the rows.

    Returns:
        The audit after mending; what could not be mended is still in it.
    """
    found = audit(log, signatures=False)
    if not found.wrong:
        return found
    for error in found.wrong:
        note_incident(Incident.Kind.DAMAGE, error, key=f"{log.origin} {error}", now=now, log=log)
    for index in found.damaged_entries:
        _mend_entry(log, index)
    if not found.damaged_entries:
        _mend_nodes(log)
    for wanted in engine.new_tiles(0, log.exported):
        if wanted in found.damaged_files or (found.damaged_entries and wanted.is_full):
            with suppress(RenkeiError):
                for folder in _tiles.write(
                    _tiles.folder_of(log) / wanted.path, _tiles.made(log, wanted)
                ):
                    _tiles.sync(folder)
    after = audit(log, signatures=False)
    if not after.wrong:
        error = DamagedError(
            gettext_noop("{origin}: {count} damaged places were mended"),
            origin=log.origin,
            count=len(found.wrong),
        )
        note_incident(
            Incident.Kind.REPAIRED, error, key=f"{log.origin} {now.isoformat()}", now=now, log=log
        )
    return after


def _mend_entry(log: Log, index: int) -> None:
    """Fetch one entry from the other side, and take it if its hash is the one that was signed."""
    checkpoint = Checkpoint.objects.filter(log=log, size__gt=index).order_by("size").first()
    if checkpoint is None:
        return
    for partner in _keys.partners():
        if log.is_own:
            base = f"{partner.address}/border/v1/mirror/{_tiles.name_of(log.origin)}"
        elif partner.origin == log.origin:
            base = f"{partner.address}/log"
        else:
            continue
        with suppress(RenkeiError):
            fetch = _exchange.fetcher(base)
            first = index // engine.TILE_WIDTH * engine.TILE_WIDTH
            width = min(engine.TILE_WIDTH, checkpoint.size - first)
            tile = engine.Tile(engine.ENTRIES, first // engine.TILE_WIDTH, width)
            data = _exchange.bundle(fetch, tile)[index - first]
            nodes = engine.TileNodes(fetch, checkpoint.size, root=bytes(checkpoint.root))
            leaf = nodes(0, index)
            if engine.leaf_hash(data) == leaf:
                Entry.objects.filter(log=log, index=index).update(data=data, leaf=leaf)
                return


def _mend_nodes(log: Log) -> None:
    """Make the inner nodes anew from the leaves."""
    with _log.locked(log) as held:
        leaves = Entry.objects.filter(log=held).order_by("index").values_list("leaf", flat=True)
        _frontier, completed = engine.Frontier.empty().grown(bytes(leaf) for leaf in leaves)
        Node.objects.filter(log=held).delete()
        _log.save_nodes(held, completed)


def rebuild(partner: Partner, *, now: datetime) -> dict[str, int]:
    """Fetch this node's own log back from a partner's mirror, and apply it again.

    What this node has and the mirror contradicts was never cosigned: it is put aside as a file
    beside the log, and taken out.

    Returns:
        ``entries`` of the log now, ``fetched`` of them, ``aside`` those that were taken out.

    Raises:
        NotRebuiltError: the mirror's checkpoint is not signed by this node's keys.
    """
    identity = _exchange.meet(partner)
    own = _log.own_log()
    base = f"{partner.address}/border/v1/mirror/{_tiles.name_of(own.origin)}"
    url = f"{base}/checkpoint"
    note = _client.ok(_client.ask("GET", url, most=_client.MOST_NOTE_BYTES), url)
    fetch = _exchange.fetcher(base)
    claimed = engine.parse_checkpoint(engine.parse_note(note).text)
    founding = engine.read_envelope(
        _exchange.bundle(fetch, engine.Tile(engine.ENTRIES, 0, min(256, claimed.size)))[0]
    )
    held = engine.Identity.read((founding.body or {}).get("identity"))
    history = engine.KeyHistory.founded(held)
    history = _exchange.learn(own, history, claimed, fetch, start=0)
    if _keys.keys().log.public not in history.keys_at("log", claimed.size) and own.size > 1:
        raise NotRebuiltError(
            gettext_noop(
                "the mirror of {partner} is of a node with other keys: put yours back first"
            ),
            partner=partner.name,
        )
    checkpoint, _by = engine.open_checkpoint(
        note, own.origin, _keys.verifier_keys(history, "log", claimed.size)
    )
    nodes = engine.TileNodes(fetch, checkpoint.size, root=checkpoint.root)
    common = _common(own, nodes, checkpoint.size)
    with transaction.atomic():
        locked = Log.objects.select_for_update().get(pk=own.pk)
        aside = _put_aside(locked, common, now=now)
        fetched, begun = 0, _keys.history(locked, held)
        while locked.size < checkpoint.size:
            first = locked.size // engine.TILE_WIDTH * engine.TILE_WIDTH
            width = min(engine.TILE_WIDTH, checkpoint.size - first)
            tile = engine.Tile(engine.ENTRIES, first // engine.TILE_WIDTH, width)
            bodies = _exchange.bundle(fetch, tile)[locked.size - first :]
            leaves = [engine.leaf_hash(body) for body in bodies]
            if any(nodes(0, at) != leaf for at, leaf in enumerate(leaves, start=locked.size)):
                raise NotRebuiltError(
                    gettext_noop("the mirror of {partner} does not hold what it cosigned"),
                    partner=partner.name,
                )
            judged, begun = judge(
                enumerate(bodies, start=locked.size), own.origin, begun, signatures=False
            )
            _log.receive(locked, bodies, leaves, judged, now=now)
            fetched += len(bodies)
        Checkpoint.objects.filter(log=own).delete()
        witnessed = _exchange.is_witnessed(note)
        Checkpoint.objects.create(
            log=own,
            size=checkpoint.size,
            root=checkpoint.root,
            note=note,
            signed_at=now,
            is_witnessed=witnessed,
            witnessed_at=now if witnessed else None,
        )
        Log.objects.filter(pk=own.pk).update(published=checkpoint.size, exported=0)
        Peer.objects.filter(name=partner.name).update(cosigned=checkpoint.size)
        for incident in Incident.objects.filter(
            kind=Incident.Kind.ROLLBACK, log=own, closed_at=None
        ):
            end_incident(incident, by=settings.NODE.name, why="rebuilt", now=now)
    own.refresh_from_db()
    _tiles.write(_tiles.folder_of(own) / "checkpoint", note)
    (_tiles.folder_of(own) / _exchange.RESTORED).unlink(missing_ok=True)
    _tiles.export(own)
    _exchange.pull(partner, identity, now=lambda: now)
    _log.retry(now=now)
    return {"entries": own.size, "fetched": fetched, "aside": aside}


def _common(own: Log, nodes: engine.TileNodes, size: int) -> int:
    """Return how many entries this node and the mirror have in common."""
    low, high = 0, min(own.size, size)
    while low < high:
        middle = (low + high + 1) // 2
        mine = engine.frontier_of(middle, _tiles.nodes(own)).root
        low, high = (
            (middle, high) if engine.frontier_of(middle, nodes).root == mine else (low, middle - 1)
        )
    return low


def _put_aside(log: Log, common: int, *, now: datetime) -> int:
    rows = Entry.objects.filter(log=log, index__gte=common).order_by("index")
    count = rows.count()
    if count:
        folder = _tiles.folder_of(log)
        content = json.dumps(
            [{"index": row.index, "statement": bytes(row.data).decode()} for row in rows],
            ensure_ascii=False,
            indent=1,
        )
        _tiles.write(folder / f"aside-{now:%Y%m%dT%H%M%S}.json", content.encode())
        _log.forget_from(log, common)
    leaves = Entry.objects.filter(log=log).order_by("index").values_list("leaf", flat=True)
    frontier, completed = engine.Frontier.empty().grown(bytes(leaf) for leaf in leaves)
    Node.objects.filter(log=log).delete()
    _log.save_nodes(log, completed)
    log.size, log.frontier, log.exported = frontier.size, frontier.dump(), 0
    log.save(update_fields=["size", "frontier", "exported"])
    return count
