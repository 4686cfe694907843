"""A single bit left over is always found."""

import numpy as np
import pytest

from renkei.link import engine

BITS = 65_536


def test_one_flipped_bit_is_found_ten_thousand_times():
    rng = np.random.default_rng(1)
    words = rng.integers(0, 2**64, BITS // 64, dtype=np.uint64)
    missed = 0
    for _ in range(10_000):
        key = rng.bytes(16)
        place = int(rng.integers(BITS))
        other = words.copy()
        other[place // 64] ^= np.uint64(1 << (place % 64))
        missed += engine.verification_tag(words, BITS, key) == engine.verification_tag(
            other, BITS, key
        )

    assert missed == 0


@pytest.mark.parametrize("bits", [64, 128, 192])
def test_length_counts(bits):
    """Zeros behind a block are not nothing."""
    key = bytes(range(16))
    words = np.zeros(3, np.uint64)

    tags = {engine.verification_tag(words[: size // 64], size, key) for size in (64, 128, 192)}

    assert len(tags) == 3
    assert len(engine.verification_tag(words[: bits // 64], bits, key)) == 16
