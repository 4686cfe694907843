"""A whole log held against its checkpoint, and which of its files are damaged.

The tree is rebuilt from the entries alone; tiles are compared with it, and vouch for entries that
are damaged themselves.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from renkei.border.engine._envelope import check_signatures, read_signed
from renkei.border.engine._identity import KEY_TYPES, KeyHistory
from renkei.border.engine._keys import BOTH
from renkei.border.engine._merkle import HASH_BYTES, Frontier, leaf_hash
from renkei.border.engine._tiles import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    BadBundleError,
    BadTileError,
    Tile,
    TileNodes,
    parse_bundle,
)
from renkei.kit.errors import RenkeiError


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Args:
        size: entries that the checkpoint speaks of.
        root: of the tree rebuilt.
        damaged: bundles and tiles that do not belong to the checkpoint's tree, in the order in
            which they were read.
        sound: whether nothing is damaged and the root is the checkpoint's. Nothing damaged and
            yet unsound: this is a log of its own, not the one of the checkpoint.
        roots: at each size that was asked for.
    """

    size: int
    root: bytes
    damaged: tuple[Tile, ...]
    sound: bool
    roots: Mapping[int, bytes] = field(default_factory=dict)


class _Auditor:
    """Reads a log from its first entry to its last, and keeps what it found."""

    def __init__(
        self, fetch: Callable[[Tile], bytes], size: int, root: bytes, marks: Collection[int]
    ) -> None:
        self.fetch = fetch
        self.marks = sorted(marks)
        self.roots: dict[int, bytes] = {}
        self.nodes = TileNodes(fetch, size, root=root)
        self.frontier = Frontier.empty()
        self.damaged: list[Tile] = []
        self.contradicted: list[Tile] = []
        self._above: dict[int, list[bytes]] = {}  # by level: hashes of its last tile, so far

    def read(self, first: int, width: int) -> list[bytes]:
        """Take one bundle and the tile of its hashes; return the entries."""
        entries, tile = (Tile(level, first // TILE_WIDTH, width) for level in (ENTRIES, 0))
        try:
            read = parse_bundle(self.fetch(entries), width)
        except BadBundleError:
            read = []
        leaves = list(map(leaf_hash, read))
        if self.fetch(tile) != b"".join(leaves):
            try:  # the tile, if everything above vouches for it, convicts the entries
                leaves = [self.nodes(0, at) for at in range(first, first + width)]
                self.damaged.append(entries)
            except BadTileError:
                self.damaged.append(tile)
                self.contradicted.append(entries)
                leaves = leaves or [bytes(HASH_BYTES)] * width
        while self.marks and self.marks[0] <= first + width:
            mark = self.marks.pop(0)
            self.roots[mark] = self.frontier.extended(leaves[: mark - first]).root
        self.frontier, completed = self.frontier.grown(leaves)
        for height in completed:
            level, within = divmod(height, TILE_HEIGHT)
            if level and not within:
                self._above.setdefault(level, []).extend(completed[height][1])
                if len(self._above[level]) == TILE_WIDTH:
                    self.compare(level)
        return read

    def compare(self, level: int) -> None:
        """Hold a tile against the hashes that were rebuilt for it, and begin the next."""
        hashes = self._above.pop(level)
        last = (self.frontier.size >> (level * TILE_HEIGHT)) - 1
        tile = Tile(level, last // TILE_WIDTH, len(hashes))
        if self.fetch(tile) != b"".join(hashes):
            self.damaged.append(tile)

    def end(self) -> None:
        """Hold the partial tiles against what was rebuilt."""
        for level in sorted(self._above):
            self.compare(level)


def audit(
    fetch: Callable[[Tile], bytes],
    size: int,
    root: bytes,
    *,
    marks: Collection[int] = (),
    heard: Callable[[int, list[bytes]], object] = lambda _first, _entries: None,
) -> Audit:
    """Read every bundle and every tile of a log, and rebuild its root.

    Args:
        fetch: returns the content of a bundle or a tile; of one that is not there, nothing.
        size: from a verified checkpoint.
        root: from the same.
        marks: sizes up to this one at which the root is wanted too.
        heard: given each bundle: the index of its first entry, and its entries; none of one that
            cannot be read.

    Returns:
        What is damaged. If the root is found in spite of it, the list is exact; else entries and
        tiles that contradict each other are both in it.
    """
    auditor = _Auditor(fetch, size, root, marks)
    for first in range(0, size, TILE_WIDTH):
        width = min(TILE_WIDTH, size - first)
        heard(first, auditor.read(first, width))
    auditor.end()
    found = auditor.frontier.root
    damaged = tuple(auditor.damaged + (auditor.contradicted if found != root else []))
    return Audit(size, found, damaged, not damaged and found == root, auditor.roots)


def may_change_keys(data: bytes) -> bool:
    """Tell whether an entry may be about keys, before it is read; no such entry is missed."""
    return any(mark in data for mark in _KEY_MARKS)


_KEY_MARKS = tuple(f'"type":"{name}"'.encode() for name in sorted(KEY_TYPES))


def unsigned(
    rows: Iterable[tuple[int, bytes]],
    origin: str,
    history: KeyHistory,
    *,
    solemn: Collection[str],
) -> list[int]:
    """Return which entries are no statements that a log's node has signed.

    Args:
        rows: index and bytes, in any order.
        origin: of the log.
        history: of its keys, up to the last of these entries or beyond.
        solemn: types that both algorithms must sign.
    """
    found = []
    for index, data in rows:
        try:
            name, issuer, signatures, payload = read_signed(data)
            both = name in solemn or name in KEY_TYPES
            pairs = history.keys_for("log", index)
            check_signatures(signatures, payload, pairs, BOTH if both else BOTH[:1])
            if issuer != origin:
                found.append(index)
        except RenkeiError:
            found.append(index)
    return found
