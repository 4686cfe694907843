"""The logs as C2SP tlog-tiles: made from the database, kept as files where they are full."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from renkei.border import engine
from renkei.border.models import Entry, Log, Node
from renkei.kit.errors import NotFoundError, gettext_noop

EXPORTED_AT_ONCE = 64


def folder_of(log: Log) -> Path:
    """Return where a log's files are: the own log's, or the mirror of a partner's."""
    root: Path = settings.NODE.folder / "log"
    return root if log.is_own else root / "mirror" / log.name


def name_of(origin: str) -> str:
    """Return how a log is named in the addresses of its witnesses and mirrors (C2SP tlog-witness)."""
    return hashlib.sha256(origin.encode()).hexdigest()


def tile(log: Log, wanted: engine.Tile) -> bytes:
    """Return a tile or a bundle of entries.

    Raises:
        NotFoundError: the log does not reach that far.
    """
    reach = log.size >> (engine.TILE_HEIGHT * max(wanted.level, 0))
    if wanted.index * engine.TILE_WIDTH + wanted.width > reach:
        raise NotFoundError(
            gettext_noop("{path} is beyond the {size} entries of the log"),
            path=wanted.path,
            size=log.size,
        )
    if wanted.is_full:
        with suppress(OSError):
            return (folder_of(log) / wanted.path).read_bytes()
    return made(log, wanted)


def made(log: Log, wanted: engine.Tile) -> bytes:
    """Make a tile from the database, whatever the files say."""
    first = wanted.index * engine.TILE_WIDTH
    span = {"index__gte": first, "index__lt": first + wanted.width}
    if wanted.level > 0:
        nodes = Node.objects.filter(log=log, level=wanted.level, **span).order_by("index")
        return _joined(nodes.values_list("hash", flat=True), wanted, log)
    entries = Entry.objects.filter(log=log, **span).order_by("index")
    if wanted.level == engine.ENTRIES:
        rows = [bytes(data) for data in entries.values_list("data", flat=True)]
        _refuse_short(len(rows), wanted, log)
        return engine.bundle(rows)
    return _joined(entries.values_list("leaf", flat=True), wanted, log)


def _joined(
    rows: "QuerySet[Entry, Any] | QuerySet[Node, Any]", wanted: engine.Tile, log: Log
) -> bytes:
    hashes = [bytes(row) for row in rows]
    _refuse_short(len(hashes), wanted, log)
    return b"".join(hashes)


def _refuse_short(found: int, wanted: engine.Tile, log: Log) -> None:
    if found != wanted.width:
        raise engine.BadTileError(
            gettext_noop("{path} of {origin}: {lacking} rows are missing in the database"),
            path=wanted.path,
            origin=log.origin,
            lacking=wanted.width - found,
        )


def nodes(log: Log, size: int | None = None) -> engine.TileNodes:
    """Return a reader of a log's tree, for proofs."""
    return engine.TileNodes(lambda wanted: made(log, wanted), log.size if size is None else size)


def export(log: Log) -> int:
    """Write the full tiles that are not files yet; return how many.

    Starts from what is known to be written whole, so a crash between two files leaves no gap.
    """
    size = log.size // engine.TILE_WIDTH * engine.TILE_WIDTH
    written = 0
    while log.exported < size:
        until = min(size, log.exported + EXPORTED_AT_ONCE * engine.TILE_WIDTH)
        touched: set[Path] = set()
        for wanted in engine.new_tiles(log.exported, until):
            if wanted.is_full:
                touched |= write(folder_of(log) / wanted.path, made(log, wanted))
                written += 1
        for folder in touched:
            sync(folder)
        # The column alone: another process may be appending meanwhile.
        Log.objects.filter(pk=log.pk).update(exported=until)
        log.exported = until
    return written


def write(file: Path, content: bytes) -> set[Path]:
    """Write a file whole or not at all; return the folders whose names changed."""
    made_folders = [folder for folder in file.parents if not folder.exists()]
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return {file.parent, *(folder.parent for folder in made_folders)}


def sync(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
