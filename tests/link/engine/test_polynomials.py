"""Toeplitz matrices both ways, the field GF(2^128), and the same bits on any processor."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine import _polynomials
from renkei.link.engine._vectors import HAS_CLMUL, HAS_WIDE_CLMUL, clmul, kernel


def whole(words):
    return int.from_bytes(words.tobytes(), "little")


def product(x, y):
    sum_ = 0
    while y:
        low = y & -y
        sum_ ^= x * low
        y ^= low
    return sum_


def field_product(x, y):
    value = product(x, y)
    for at in range(value.bit_length() - 1, 127, -1):
        if value >> at & 1:
            value ^= (1 << 128 | 0x87) << (at - 128)
    return value


def words(seed, size):
    return np.random.default_rng(seed).integers(0, 2**64, size, dtype=np.uint64)


WAYS = [
    pytest.param(True, id="fft"),
    pytest.param(
        False,
        id="clmul",
        marks=pytest.mark.skipif(not HAS_WIDE_CLMUL, reason="no VPCLMULQDQ on this processor"),
    ),
]


def by_integers(diagonals, vector, rows, columns):
    """Bits ``columns - 1`` and on of the product without carries."""
    values = whole(vector) & ((1 << columns) - 1)
    return product(whole(diagonals), values) >> (columns - 1) & ((1 << rows) - 1)


SHAPES = [
    (1, 1), (1, 64), (64, 1), (65, 65), (500, 512), (700, 6000), (6000, 700), (4096, 4097),
    (1, 20_000), (20_000, 1), (20_000, 19_000),
]  # fmt: skip


@pytest.mark.parametrize("by_fft", WAYS)
@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_a_toeplitz_matrix_is_the_middle_of_a_product_without_carries(rows, columns, by_fft):
    diagonals, vector = words(1, (rows + columns + 62) // 64), words(2, (columns + 63) // 64)

    found = engine.toeplitz(diagonals, vector, rows=rows, columns=columns, by_fft=by_fft)

    assert found.size == (rows + 63) // 64
    assert whole(found) == by_integers(diagonals, vector, rows, columns)


@pytest.mark.skipif(not HAS_WIDE_CLMUL, reason="no VPCLMULQDQ on this processor")
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30_000), st.integers(1, 30_000), st.integers(0, 2**32))
def test_both_ways_give_the_same_bits(rows, columns, seed):
    diagonals = words(seed, (rows + columns + 62) // 64 + 1)
    vector = words(seed + 1, (columns + 63) // 64 + 1)

    def made(by_fft):
        return engine.toeplitz(diagonals, vector, rows=rows, columns=columns, by_fft=by_fft)

    assert np.array_equal(made(by_fft=True), made(by_fft=False))


def test_a_fft_of_ones_only_is_rounded_right():
    """The largest sums that can appear: every partial product is 1."""
    size = 64 * 20_000
    ones = np.full(2 * 20_000, np.uint64(2**64 - 1))

    found = engine.toeplitz(ones, ones, rows=size, columns=size + 1, by_fft=True)

    assert whole(found) == (1 << size) - 1  # an odd number of ones in every row


def test_the_hash_is_horner_in_the_field():
    blocks, key = words(3, 20), words(4, 2)
    state = np.zeros(2, np.uint64)

    _polynomials.hash_onward(blocks, key, state)

    wanted = 0
    for at in range(0, 20, 2):
        wanted = field_product(wanted ^ whole(blocks[at : at + 2]), whole(key))
    assert whole(state) == wanted


@pytest.mark.skipif(not HAS_CLMUL, reason="no PCLMULQDQ on this processor")
def test_the_portable_word_product_is_that_of_the_instruction():
    @kernel
    def both(x, y):
        return _polynomials._portable_clmul(x, y), clmul(x, y)

    for x, y in words(5, 40).reshape(-1, 2):
        portable, native = both(x, y)
        assert portable == native


@pytest.mark.parametrize(("bits", "start", "size"), [(64, 0, 64), (1000, 3, 900), (4096, 64, 1)])
def test_cut_takes_bits_out(bits, start, size):
    drawn = np.random.default_rng(6).integers(0, 2, bits, dtype=np.uint8)

    found = _polynomials.cut(engine.pack(drawn), start, size)

    assert np.array_equal(engine.unpack(found, size), drawn[start : start + size])
    assert whole(found) >> size == 0


def test_a_processor_without_any_extension_makes_the_same_keys(tmp_path):
    """Numba compiles for a plain x86-64 or ARM: other instructions, the FFT, equal bits."""
    program = "from renkei.link import engine; print(engine.warm())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == engine.warm()
