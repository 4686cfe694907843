"""Which events count; slots on the wire; the shuffle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine._shuffle import Shuffle
from renkei.link.engine._sifting import decode_slots, encode_slots, sift


def test_only_equal_bases_count_and_only_whole_frames():
    rng = np.random.default_rng(1)
    alice, bob, decoys = rng.random((3, 20_000)) < 0.3

    found = sift(alice, bob, decoys, block_bits=8192, frame_bits=4096)

    assert found.bits == 8192
    assert not (alice | bob)[found.key].any()
    assert (alice & bob)[found.test].all()
    assert found.test.size == (alice & bob).sum()
    assert sum(found.key_by_intensity) == 8192
    assert found.key_by_intensity[1] == decoys[found.key].sum()
    assert sum(found.matched) == (alice == bob).sum()


def test_too_few_events_are_no_frame():
    none = np.zeros(100, bool)

    assert sift(none, none, none, block_bits=8192, frame_bits=4096).bits == 0


@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=50), st.integers(0, 200))
def test_slots_come_back(gaps, first):
    slots = (first + np.cumsum([0, *gaps])).astype(np.uint64)

    assert np.array_equal(decode_slots(encode_slots(slots), slots.size), slots)


@given(st.binary(max_size=40), st.integers(1, 40))
def test_any_bytes_are_slots_or_nothing(data, count):
    slots = decode_slots(data, count)

    assert slots is None or (slots.size == count and (np.diff(slots.astype(np.int64)) > 0).all())


@pytest.mark.parametrize("bits", [4096, 65_536, 3 * 4096])
def test_the_shuffle_is_the_permutation_it_says(bits):
    drawn = np.random.default_rng(2).integers(0, 2, bits, dtype=np.uint8)
    shuffle = Shuffle(bits, bit_source=np.random.PCG64(7))

    origins = shuffle.origins()

    assert np.array_equal(np.sort(origins), np.arange(bits))
    assert np.array_equal(engine.unpack(shuffle.apply(engine.pack(drawn)), bits), drawn[origins])


def test_a_burst_is_spread_over_all_frames():
    """1 % of a block in error together: no frame of the shuffled block has more than its share."""
    bits = 16 * 65_536
    burst = np.zeros(bits, np.uint8)
    burst[300_000 : 300_000 + bits // 100] = 1

    spread = engine.unpack(
        Shuffle(bits, bit_source=np.random.PCG64(8)).apply(engine.pack(burst)), bits
    )

    in_frames = spread.reshape(16, -1).sum(axis=1)
    assert in_frames.sum() == bits // 100
    assert np.abs(in_frames - 655.36).max() < 5 * 25.6
    in_words = spread.reshape(-1, 64).sum(axis=1)
    assert in_words.max() <= 8  # Poisson with mean 0.64


def test_an_odd_number_of_bits_is_refused():
    with pytest.raises(ValueError, match="multiple of 4096"):
        Shuffle(5000, bit_source=np.random.PCG64(1))
