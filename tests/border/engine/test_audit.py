"""The audit: every damaged file is named, and no other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.border.engine.pair import Node
from tests.border.logs import Log, numbered

from renkei.border import engine
from renkei.border.engine import ENTRIES, Tile

SIZE = 66_000  # three levels


@pytest.fixture(scope="module")
def log():
    return Log(entries=numbered(SIZE))


def files_of(log, size=None):
    files = {}
    for tile in engine.new_tiles(0, len(log.entries) if size is None else size):
        first = tile.index * 256
        files[tile] = (
            engine.bundle(log.entries[first : first + tile.width])
            if tile.level == ENTRIES
            else engine.tile_hashes(tile, log.read)
        )
    return files


@pytest.fixture(scope="module")
def files(log):
    return files_of(log)


def test_a_sound_log(log, files):
    heard = []
    found = engine.audit(
        files.__getitem__, SIZE, log.frontier.root, heard=lambda *bundle: heard.append(bundle)
    )
    assert found == engine.Audit(SIZE, log.frontier.root, (), sound=True)
    assert [first for first, _entries in heard] == list(range(0, SIZE, 256))
    assert [entry for _first, entries in heard for entry in entries] == log.entries


def test_roots_on_the_way(log, files):
    marks = [1, 255, 256, 257, 65_536, SIZE]
    found = engine.audit(files.__getitem__, SIZE, log.frontier.root, marks=marks)
    assert found.roots == {at: engine.frontier_of(at, log.read).root for at in marks}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 65_535, 65_536, 65_537])
def test_any_size(log, size):
    files, root = files_of(log, size), engine.frontier_of(size, log.read).root
    read = set()

    def fetch(tile):
        read.add(tile)
        return files[tile]

    assert engine.audit(fetch, size, root) == engine.Audit(size, root, (), sound=True)
    assert read == set(files)


def flipped(data, bit):
    content = bytearray(data)
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


SMALL = Log(entries=numbered(256 * 3 + 40))
SMALL_FILES = files_of(SMALL)


@settings(max_examples=150)
@given(st.data())
def test_the_damaged_file_is_named_and_no_other(data):
    victims = data.draw(st.sampled_from(sorted(SMALL_FILES)))
    bit = data.draw(st.integers(0, len(SMALL_FILES[victims]) * 8 - 1))
    files = {**SMALL_FILES, victims: flipped(SMALL_FILES[victims], bit)}
    found = engine.audit(files.__getitem__, len(SMALL.entries), SMALL.frontier.root)
    assert found.damaged == (victims,)
    assert found.root == SMALL.frontier.root
    assert not found.sound


@pytest.mark.parametrize(
    "victims",
    [
        [Tile(ENTRIES, 17, 256)], [Tile(0, 255, 256)], [Tile(1, 0, 256)], [Tile(1, 1, 1)], [Tile(2, 0, 1)],
        [Tile(ENTRIES, 257, 208)], [Tile(0, 257, 208)], [Tile(0, 3, 256), Tile(ENTRIES, 9, 256)],
        [Tile(1, 0, 256), Tile(0, 3, 256), Tile(2, 0, 1)],
    ],
)  # fmt: skip
def test_files_that_are_gone_are_named(log, files, victims):
    left = {tile: data for tile, data in files.items() if tile not in victims}
    found = engine.audit(lambda tile: left.get(tile, b""), SIZE, log.frontier.root)
    assert set(found.damaged) == set(victims)
    assert found.root == log.frontier.root


def test_where_nothing_vouches_both_are_named():
    """An entry and everything above it damaged: what was there cannot be known."""
    spoilt = [Tile(ENTRIES, 1, 256), Tile(0, 1, 256), Tile(1, 0, 3)]
    files = {**SMALL_FILES, **{tile: flipped(SMALL_FILES[tile], 99) for tile in spoilt}}
    found = engine.audit(files.__getitem__, len(SMALL.entries), SMALL.frontier.root)
    assert set(spoilt) <= set(found.damaged)
    assert found.root != SMALL.frontier.root


def test_a_log_of_its_own_is_unsound():
    """Whole in itself, and not what the checkpoint says."""
    found = engine.audit(SMALL_FILES.__getitem__, len(SMALL.entries), bytes(32))
    assert found == engine.Audit(len(SMALL.entries), SMALL.frontier.root, (), sound=False)


def test_entries_that_nobody_signed_are_named():
    us, jp = Node("us", "US"), Node("jp", "JP")
    for number in range(3):
        us.say("test.note", {"number": number}, signers=us.keys.log.both[:1])
    jp.say("test.note", {"number": 1})
    rows = list(enumerate([*us.entries, jp.entries[1], b"{}", us.entries[1][:-9] + b'"2.0"}']))

    def unsigned(**more):
        return engine.unsigned(rows, us.origin, us.history, **({"solemn": ()} | more))

    assert unsigned() == [4, 5, 6]
    assert unsigned(solemn=("test.note",)) == [1, 2, 3, 4, 5, 6]
    assert [index for index, data in rows if engine.may_change_keys(data)] == [0]
