"""Tiles and bundles: which there are, where they lie, what is in them, and who vouches for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.border import engine
from renkei.border.engine import ENTRIES, Tile

SIZE = 70_000


@pytest.fixture(scope="module")
def log():
    """The log of the specification's example: every node, every tile, the root."""
    leaves = [engine.leaf_hash(b"entry %d" % number) for number in range(SIZE)]
    frontier, levels = engine.Frontier.empty().grown(leaves)
    nodes = {
        (height, at): each
        for height, (first, hashes) in levels.items()
        for at, each in enumerate(hashes, first)
    }
    read = lambda height, index: nodes[height, index]  # noqa: E731
    tiles = [tile for tile in engine.new_tiles(0, SIZE) if tile.level != ENTRIES]
    return frontier, read, {tile: engine.tile_hashes(tile, read) for tile in tiles}


def test_the_example_of_the_specification():
    """C2SP tlog-tiles: what a tree of 70,000 and one of 256 entries is made of."""
    tiles = engine.new_tiles(0, SIZE)
    assert len(tiles) == len(set(tiles))
    level = {at: [tile for tile in tiles if tile.level == at] for at in (ENTRIES, 0, 1, 2, 3)}
    assert [tile.index for tile in level[0]] == list(range(274))
    assert [tile.path for tile in level[0] if not tile.is_full] == ["tile/0/273.p/112"]
    assert [tile.path for tile in level[1]] == ["tile/1/000", "tile/1/001.p/17"]
    assert [tile.path for tile in level[2]] == ["tile/2/000.p/1"]
    assert level[3] == []
    assert level[ENTRIES][-1].path == "tile/entries/273.p/112"
    assert len(level[ENTRIES]) == 274
    assert [tile.path for tile in engine.new_tiles(0, 256)] == [
        "tile/entries/000", "tile/0/000", "tile/1/000.p/1",
    ]  # fmt: skip


def test_a_path_of_three_groups():
    """C2SP tlog-tiles: index 1234067."""
    assert Tile(0, 1_234_067, 256).path == "tile/0/x001/x234/067"
    assert Tile(ENTRIES, 1_234_067, 12).path == "tile/entries/x001/x234/067.p/12"


def published(size):
    """Every tile that a tree of that size has, by the sentence of the specification."""
    found = set()
    for level in range(8):
        hashes = size >> (8 * level)
        for at in [level] if level else [ENTRIES, 0]:
            found |= {Tile(at, index, 256) for index in range(hashes // 256)}
            if hashes % 256:
                found.add(Tile(at, hashes // 256, hashes % 256))
    return found


@given(st.lists(st.integers(0, 140_000), min_size=2, max_size=5).map(sorted))
def test_growing_publishes_exactly_what_is_new(sizes):
    there = set()
    for old, new in zip([0, *sizes], sizes, strict=False):
        more = engine.new_tiles(old, new)
        assert not there & set(more)
        there |= set(more)
        assert published(new) <= there
    assert engine.new_tiles(sizes[-1], sizes[-1]) == []


def test_a_tree_does_not_shrink():
    with pytest.raises(engine.OutOfTreeError):
        engine.new_tiles(5, 4)


@given(st.integers(-1, 63), st.integers(0, 10**15) | st.integers(0, 2000), st.integers(1, 256))
def test_a_path_is_read_as_it_is_written(level, index, width):
    tile = Tile(level, index, width)
    assert engine.parse_tile(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    ["", "tile", "tile/0", "tile/0/", "tile/00/000", "tile/01/000", "tile/64/000", "tile/-1/000",
     "tile/data/000", "tile/Entries/000", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000/001",
     "tile/0/001/002", "tile/0/x001", "tile/0/x001/x002", "tile/0/000.p/0", "tile/0/000.p/256",
     "tile/0/000.p/01", "tile/0/000.p/", "tile/0/000.p", "tile/0/000.p/12/", "/tile/0/000",
     "tile/0/000 ", "tile/0/000\n", "tile/0/０００", "tile/0/../000", "tile//000", "tile/0/000?x",
     "tile/8/0/000", "tile/0/x999/x999/x999/x999/x999/x999/999", "tile/0/" + "x001/" * 10**4 + "001",
     "tile/0/x099/x999/x999/x999/x999/999"],
)  # fmt: skip
def test_any_other_path_is_refused(path):
    with pytest.raises(engine.BadTilePathError) as refused:
        engine.parse_tile(path)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "wrong", [(-2, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, 2**60, 1)]
)
def test_there_are_no_other_tiles(wrong):
    with pytest.raises(engine.BadTilePathError):
        Tile(*wrong)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_a_bundle_there_and_back(entries):
    assert engine.parse_bundle(engine.bundle(entries), len(entries)) == entries


def test_a_bundle_is_lengths_and_entries():
    assert engine.bundle([b"", b"ab", b"x" * 258]) == b"\0\0\0\2ab\1\2" + b"x" * 258


def test_the_longest_entry_and_one_byte_more():
    longest = bytes(engine.MAX_ENTRY_BYTES)
    assert engine.parse_bundle(engine.bundle([longest]), 1) == [longest]
    with pytest.raises(engine.EntryTooLargeError, match="65536 bytes; at most 65535"):
        engine.bundle([longest + b"\0"])


@pytest.mark.parametrize(
    ("data", "width", "words"),
    [(b"", 1, "0 entries"), (b"\0", 1, "within entry 0"), (b"\0\1", 1, "within entry 0"),
     (b"\0\1a\0\2b", 2, "within entry 1"), (b"\0\1a", 2, "1 entries"), (b"\0\1a\0\1b", 1, "3 bytes more"),
     (b"\0\1ab", 1, "1 bytes more"), (b"\0\1a\0", 1, "1 bytes more")],
)  # fmt: skip
def test_what_is_no_bundle_of_that_width_is_refused(data, width, words):
    with pytest.raises(engine.BadBundleError, match=words):
        engine.parse_bundle(data, width)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 65_535, 65_536, 65_537, SIZE])
def test_proofs_from_tiles_of_any_size_need_no_trust_in_them(log, size):
    _frontier, read, _tiles = log
    root = engine.frontier_of(size, read).root
    asked = []

    def fetch(tile):
        asked.append(tile)
        return engine.tile_hashes(tile, read)

    nodes = engine.TileNodes(fetch, size, root=root)
    for index in {0, size // 3, size // 2, size - 1}:
        proof = engine.inclusion_proof(index, size, nodes)
        leaf = engine.leaf_hash(b"entry %d" % index)
        engine.verify_inclusion(index=index, size=size, leaf=leaf, proof=proof, root=root)
    for old in {1, size // 2 or 1, max(1, size - 1)}:
        engine.verify_consistency(
            old_size=old,
            old_root=engine.frontier_of(old, read).root,
            new_size=size,
            new_root=root,
            proof=engine.consistency_proof(old, size, nodes),
        )
    assert set(asked) <= published(size)
    assert len(asked) == len(set(asked)), "a tile was fetched twice"


def test_a_deleted_partial_tile_is_replaced_by_the_full_one(log):
    """C2SP tlog-tiles lets a log delete the part once the whole is there."""
    _frontier, read, tiles = log
    size = 40_000

    def fetch(tile):
        whole = Tile(tile.level, tile.index, 256)
        return tiles[whole] if whole in tiles else engine.tile_hashes(tile, read)

    nodes = engine.TileNodes(fetch, size, root=engine.frontier_of(size, read).root)
    assert nodes(0, size - 1) == read(0, size - 1)
    assert Tile(0, 156, 256) in tiles
    assert Tile(1, 0, 256) in tiles


@given(st.data())
def test_a_flipped_bit_in_any_tile_is_found(log, data):
    frontier, _read, tiles = log
    victim = data.draw(st.sampled_from(sorted(tiles)))
    bit = data.draw(st.integers(0, len(tiles[victim]) * 8 - 1))
    content = bytearray(tiles[victim])
    content[bit // 8] ^= 1 << bit % 8
    spoilt = {**tiles, victim: bytes(content)}
    nodes = engine.TileNodes(spoilt.__getitem__, SIZE, root=frontier.root)
    with pytest.raises(engine.BadTileError, match="tile"):
        nodes(8 * victim.level, victim.index * 256)
    # The whole tile is refused, and again when it is asked for again.
    with pytest.raises(engine.BadTileError, match="tile"):
        nodes(8 * victim.level, victim.index * 256 + victim.width - 1)
    assert engine.TileNodes(tiles.__getitem__, SIZE, root=frontier.root)(0, 0)


@pytest.mark.parametrize("length", [0, 31, 32 * 255, 32 * 257, 10**6])
def test_a_tile_of_another_length_is_refused(length):
    nodes = engine.TileNodes(lambda _tile: bytes(length), 1000)
    with pytest.raises(engine.BadTileError, match="expected 8192"):
        nodes(0, 0)


@pytest.mark.parametrize("place", [(0, 1000), (0, -1), (-1, 0), (10, 0), (9, 1), (64, 0)])
def test_a_subtree_that_is_not_complete_is_not_read(place):
    with pytest.raises(engine.OutOfTreeError):
        engine.TileNodes(lambda tile: bytes(32 * tile.width), 1000)(*place)


def test_only_so_many_tiles_are_remembered(log):
    _frontier, read, _tiles = log
    asked = []

    def fetch(tile):
        asked.append(tile)
        return engine.tile_hashes(tile, read)

    nodes = engine.TileNodes(fetch, SIZE, remembered=3)
    for _round in range(2):
        for index in range(5):
            assert nodes(0, index * 256) == read(0, index * 256)
    assert len(asked) == 10
