"""A log as files: tiles of hashes, bundles of entries, and where each of them lies.

Source: C2SP tlog-tiles. What the hashes are is in ``_merkle``.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from renkei.border.engine._merkle import (
    HASH_BYTES,
    LARGEST_SIZE,
    NodeReader,
    OutOfTreeError,
    frontier_of,
)
from renkei.kit.errors import NotFoundError, RenkeiError, TooLargeError, gettext_noop

ENTRIES = -1  # the level of a bundle of entries, written "entries" in a path
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
LARGEST_LEVEL = 63
LARGEST_TILE_INDEX = LARGEST_SIZE // TILE_WIDTH
MAX_ENTRY_BYTES = 65_535  # its length is written in 16 bits
MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)"
    r"/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_SHOWN = 80  # characters of a stranger's path that an error repeats


class BadTilePathError(NotFoundError):
    """A path names no tile and no bundle in the one form there is for it."""

    code = "border.bad_tile_path"


class EntryTooLargeError(TooLargeError):
    """An entry is longer than a bundle can say."""

    code = "border.entry_too_large"


class BadBundleError(RenkeiError):
    """Bytes are not a bundle of so many entries."""

    code = "border.bad_bundle"


class BadTileError(RenkeiError):
    """A tile has another length than it must, or hashes that do not belong to the tree."""

    code = "border.bad_tile"


@dataclass(frozen=True, order=True)
class Tile:
    """A tile of hashes or, at level ``ENTRIES``, a bundle of entries.

    Args:
        level: 0 for the hashes of entries, 1 for those of full tiles of level 0, up to 63.
        index: of the tile within its level, from 0.
        width: hashes or entries in it, 1 to 256; less than 256 is a partial tile.
    """

    level: int
    index: int
    width: int

    def __post_init__(self) -> None:
        if not (
            ENTRIES <= self.level <= LARGEST_LEVEL
            and 0 <= self.index <= LARGEST_TILE_INDEX
            and 1 <= self.width <= TILE_WIDTH
        ):
            raise BadTilePathError(
                gettext_noop("there is no tile {index} of width {width} at level {level}"),
                level=self.level,
                index=self.index,
                width=self.width,
            )

    @property
    def path(self) -> str:
        """Where it lies below the log's prefix: ``tile/0/x001/x234/067.p/12``."""
        rest, last = divmod(self.index, 1000)
        groups = [f"{last:03}"]
        while rest:
            rest, group = divmod(rest, 1000)
            groups.append(f"x{group:03}")
        level = "entries" if self.level == ENTRIES else str(self.level)
        part = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(reversed(groups))}{part}"

    @property
    def is_full(self) -> bool:
        """Whether nothing can be added to it."""
        return self.width == TILE_WIDTH


def parse_tile(path: str) -> Tile:
    """Read a path below the log's prefix; only the form that ``Tile.path`` writes is one.

    Raises:
        BadTilePathError: it is anything else.
    """
    if found := _PATH.fullmatch(path):
        level = ENTRIES if found["level"] == "entries" else int(found["level"])
        index = int(found["index"].replace("/", "").replace("x", ""))
        width = int(found["width"] or TILE_WIDTH)
        if level <= LARGEST_LEVEL and index <= LARGEST_TILE_INDEX and width <= TILE_WIDTH:
            tile = Tile(level, index, width)
            if tile.path == path:  # no leading x000, no .p/256
                return tile
    raise BadTilePathError(
        gettext_noop("{path} is no tile; expected a path such as tile/0/x001/234.p/56"),
        path=path[:_SHOWN],
    )


def new_tiles(old_size: int, new_size: int) -> list[Tile]:
    """Return what must be published before a checkpoint of ``new_size`` entries.

    Args:
        old_size: the size whose tiles are all published; not merely the last one tried.
        new_size: at least as large.

    Returns:
        Bundles and tiles, full and partial, that a tree of the old size did not have. Each
        bundle comes before its tile, and a level before the one above it.
    """
    if not 0 <= old_size <= new_size <= LARGEST_SIZE:
        raise OutOfTreeError(
            gettext_noop("a tree cannot grow from {old} entries to {new}"),
            old=old_size,
            new=new_size,
        )
    tiles: list[Tile] = []
    level, old, new = 0, old_size, new_size
    while new > old:
        for index in range(old // TILE_WIDTH, -(-new // TILE_WIDTH)):
            width = min(TILE_WIDTH, new - index * TILE_WIDTH)
            if level == 0:
                tiles.append(Tile(ENTRIES, index, width))
            tiles.append(Tile(level, index, width))
        level, old, new = level + 1, old // TILE_WIDTH, new // TILE_WIDTH
    return tiles


def tile_hashes(tile: Tile, read: NodeReader) -> bytes:
    """Return the content of a tile of hashes, 32 bytes for each."""
    first, height = tile.index * TILE_WIDTH, tile.level * TILE_HEIGHT
    return b"".join([read(height, first + at) for at in range(tile.width)])


def bundle(entries: Iterable[bytes]) -> bytes:
    """Return the content of a bundle: each entry behind its length in two bytes.

    Raises:
        EntryTooLargeError: an entry has more than 65,535 bytes.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise EntryTooLargeError(
                gettext_noop(
                    "an entry has {size} bytes; at most {most} fit, larger things go by their hash"
                ),
                size=len(entry),
                most=MAX_ENTRY_BYTES,
            )
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """Return the entries of a bundle of that width.

    Raises:
        BadBundleError: it has fewer or more entries, or ends within one.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < width:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise BadBundleError(
                gettext_noop("the bundle ends within entry {number}"), number=len(entries)
            )
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width or at != len(data):
        raise BadBundleError(
            gettext_noop("the bundle has {found} entries and {more} bytes more, expected {width}"),
            found=len(entries),
            more=len(data) - at,
            width=width,
        )
    return entries


class TileNodes:
    """A reader of nodes over fetched tiles, which remembers the last ones it used.

    Args:
        fetch: returns the content of a tile of hashes. For a partial tile it may return the full
            one, since a log may have deleted the partial one meanwhile.
        size: entries in the tree whose nodes are read.
        root: of that tree; with it every tile is checked against the root before it is used,
            so that nothing fetched needs to be trusted.
        remembered: tiles kept, at most; each takes some 20 kB.

    Raises, when read:
        OutOfTreeError: that subtree is not complete in a tree of this size.
        BadTileError: a tile has the wrong length or, with ``root``, the wrong hashes.
    """

    def __init__(
        self,
        fetch: Callable[[Tile], bytes],
        size: int,
        *,
        root: bytes | None = None,
        remembered: int = 256,
    ) -> None:
        self._fetch = fetch
        self._size = size
        self._root = root
        self._remembered = remembered
        self._tiles: OrderedDict[tuple[int, int], Sequence[bytes]] = OrderedDict()
        self._edge: dict[tuple[int, int], Sequence[bytes]] = {}
        self._edge_checked = root is None

    def __call__(self, height: int, index: int) -> bytes:
        """Return the hash of the complete subtree at that height and index."""
        if height < 0 or index < 0 or (index + 1) << height > self._size:
            raise OutOfTreeError(
                gettext_noop(
                    "a tree of {size} entries has no complete subtree {index} of 2^{height}"
                ),
                size=self._size,
                height=height,
                index=index,
            )
        if not self._edge_checked:
            self._check_edge()
        return self._node(height, index)

    def _node(self, height: int, index: int) -> bytes:
        level, above = divmod(height, TILE_HEIGHT)
        number = (index << above) // TILE_WIDTH
        row = self._rows(level, number)[above]
        at = (index - (number << (TILE_HEIGHT - above))) * HASH_BYTES
        return row[at : at + HASH_BYTES]

    def _rows(self, level: int, index: int) -> Sequence[bytes]:
        """Return the tile's hashes and, above them, those of its complete subtrees."""
        key = (level, index)
        if key in self._edge:
            return self._edge[key]
        if key in self._tiles:
            self._tiles.move_to_end(key)
            return self._tiles[key]
        width = min(TILE_WIDTH, (self._size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
        tile = Tile(level, index, width)
        data = self._fetch(tile)
        if len(data) not in (width * HASH_BYTES, TILE_WIDTH * HASH_BYTES):
            raise BadTileError(
                gettext_noop("{path} has {found} bytes, expected {expected}"),
                path=tile.path,
                found=len(data),
                expected=width * HASH_BYTES,
            )
        rows = [data[: width * HASH_BYTES]]
        while len(rows[-1]) >= 2 * HASH_BYTES:
            row, step = rows[-1], 2 * HASH_BYTES
            whole = len(row) // step * step
            rows.append(
                b"".join(
                    [sha256(b"\x01" + row[at : at + step]).digest() for at in range(0, whole, step)]
                )
            )
        if not tile.is_full:
            self._edge[key] = rows  # at most one a level, and the root vouches for it
            return rows
        if self._root is not None and rows[-1] != self._node((level + 1) * TILE_HEIGHT, index):
            raise BadTileError(
                gettext_noop("{path} does not belong to the tree of {size} entries"),
                path=tile.path,
                size=self._size,
            )
        self._tiles[key] = rows
        if len(self._tiles) > self._remembered:
            self._tiles.popitem(last=False)
        return rows

    def _check_edge(self) -> None:
        """Hold the partial tiles, which nothing above them vouches for, against the root."""
        if frontier_of(self._size, self._node).root != self._root:
            self._edge.clear()
            self._tiles.clear()
            raise BadTileError(
                gettext_noop("the last tiles do not lead to the root of {size} entries"),
                size=self._size,
            )
        self._edge_checked = True
