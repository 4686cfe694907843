"""Polynomials over GF(2): Toeplitz matrices, and the field GF(2^128) for hashing.

A polynomial is an array of 64-bit words, the coefficient of x^i in bit i % 64 of word i // 64.
Two ways multiply a Toeplitz matrix: splits in three down to the processor's carry-less multiply,
and a real FFT where there is none. Both give the same bits; the tests compare them.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from renkei.link.engine._vectors import (
    HAS_CLMUL,
    HAS_WIDE_CLMUL,
    clmul,
    clmul_both_odd,
    clmul_even,
    clmul_odd,
    fill_words,
    helper,
    kernel,
    load_word,
    load_words,
    store_words,
    words_from_1,
    words_from_2,
    words_from_4,
    xor_words,
)

Words = NDArray[np.uint64]
Stack = NDArray[np.int64]

_BASE_WORDS: Final = 40  # below it the schoolbook product is faster than another split
_LONGEST_FFT: Final = 1 << 22  # its rounding error stays below 1e-8, its memory below 200 MB


def words_of(bits: int) -> int:
    """Return how many words hold ``bits`` bits."""
    return -(-bits // 64)


def pack(bits: NDArray[np.uint8]) -> Words:
    """Return bits, one a byte, as words; the last word is filled with zeros."""
    padded = np.zeros(words_of(bits.size) * 64, np.uint8)
    padded[: bits.size] = bits
    return np.packbits(padded, bitorder="little").view(np.uint64)


def unpack(words: Words, bits: int) -> NDArray[np.uint8]:
    """Return the first ``bits`` bits, one a byte."""
    return np.unpackbits(words.view(np.uint8), bitorder="little", count=bits)


@kernel
def _shift_kernel(words: Words, start: int, bits: int, out: Words) -> None:
    first, offset = start >> 6, np.uint64(start & 63)
    count = (bits + 63) >> 6
    for at in range(count):
        value = words[first + at] >> offset
        if offset and first + at + 1 < words.size:
            value |= words[first + at + 1] << (np.uint64(64) - offset)
        out[at] = value
    rest = np.uint64(bits & 63)
    if rest:
        out[count - 1] &= (np.uint64(1) << rest) - np.uint64(1)


@kernel
def _place_kernel(words: Words, start: int, out: Words) -> None:
    """Write ``words`` from bit ``start`` on, 1 to 64."""
    offset = np.uint64(start & 63)
    low = np.uint64(0)
    for at in range(out.size):
        word = words[at] if at < words.size else np.uint64(0)
        if offset:
            out[at] = word << offset | low
            low = word >> (np.uint64(64) - offset)
        else:
            out[at], low = low, word


def cut(words: Words, start: int, bits: int) -> Words:
    """Return ``bits`` bits from bit ``start`` on."""
    out = np.zeros(words_of(bits), np.uint64)
    _shift_kernel(words, start, bits, out)
    return out


# --- Toeplitz matrices on the carry-less multiply; addresses in bytes, sizes in words
#
# With sums[i] = sum over j of diagonals[i + j] * vector[j], words as polynomials, word i of a
# result is the high half of sums[i] and the low half of sums[i + 1]: a square of ``size`` words
# takes 2 size words of diagonals. Split in four, its blocks are A B over B C, and three products
# of half the size do the work of four: B (low + high), (A + B) low, (B + C) high.


@helper
def _add(left: int, right: int, out: int, size: int) -> None:
    for at in range(0, 8 * size, 64):
        store_words(out + at, xor_words(load_words(left + at), load_words(right + at)))


@helper
def _schoolbook(diagonals: int, vector: int, out: int, size: int) -> None:
    """Write the product of a square whose size is a multiple of 8, eight rows at a time."""
    last = fill_words(0)
    for at in range(0, 8 * size, 64):
        factors, words = load_words(vector + at), load_words(diagonals + 8 * size + at)
        last = xor_words(last, clmul_even(factors, words))
        last = xor_words(last, clmul_both_odd(factors, words))
    last = xor_words(last, words_from_4(last, last))
    below = xor_words(last, words_from_2(last, last))
    for row in range(8 * size - 64, -1, -64):
        even = fill_words(0)
        odd = fill_words(0)
        for at in range(0, 8 * size, 16):  # two at once: the three-way exclusive or joins them
            factor = fill_words(np.int64(load_word(vector + at)))
            next_ = fill_words(np.int64(load_word(vector + at + 8)))
            words = load_words(diagonals + row + at)
            after = load_words(diagonals + row + at + 8)
            even = xor_words(xor_words(even, clmul_even(factor, words)), clmul_even(next_, after))
            odd = xor_words(xor_words(odd, clmul_odd(factor, words)), clmul_odd(next_, after))
        # sums 0, 2, 4, 6 lie one word too far on, their high halves where word 0 ... 6 belong
        store_words(out + row, xor_words(odd, words_from_1(even, below)))
        below = even


@helper
def _square(
    diagonals: int, vector: int, out: int, size: int, base: int, free: int, stack: Stack
) -> None:
    """Write the product of a square of base * 2^k words; ``free`` has 3 size words.

    The recursion is on ``stack``, shape (depth, 6): Numba's cache cannot bring back a function
    that calls itself (it crashes in the second process).
    """
    top = 0
    stack[0, 0], stack[0, 1], stack[0, 2] = diagonals, vector, out
    stack[0, 3], stack[0, 4], stack[0, 5] = size, free, 0
    while top >= 0:
        diagonals, vector, out = stack[top, 0], stack[top, 1], stack[top, 2]
        size, free, stage = stack[top, 3], stack[top, 4], stack[top, 5]
        if size <= base:
            _schoolbook(diagonals, vector, out, size)
            top -= 1
            continue
        stack[top, 5] += 1
        half = size // 2
        step = 8 * half
        sums = free + step  # behind the product that both halves of the result share
        if stage == 0:
            _add(vector, vector + step, sums, half)
            diagonals, vector, out = diagonals + step, sums, free
        elif stage == 1:
            _add(diagonals, diagonals + step, sums, size)
            diagonals = sums
        elif stage == 2:
            _add(diagonals + step, diagonals + 2 * step, sums, size)
            diagonals, vector, out = sums, vector + step, out + step
        else:
            _add(out, free, out, half)
            _add(out + step, free, out + step, half)
            top -= 1
            continue
        top += 1
        stack[top, 0], stack[top, 1], stack[top, 2] = diagonals, vector, out
        stack[top, 3], stack[top, 4], stack[top, 5] = half, free + 3 * step, 0


@kernel
def _strip_kernel(
    diagonals: Words,
    vector: Words,
    out: Words,
    row: int,
    column: int,
    size: int,
    base: int,
    count: int,
    down: bool,
    work: Words,
    stack: Stack,
) -> None:
    """Add ``count`` squares to ``out``, one below the other or one beside the other."""
    product = work.ctypes.data
    for _ in range(count):
        from_ = diagonals.ctypes.data + 8 * (row + column)
        values = vector.ctypes.data + 8 * column
        _square(from_, values, product, size, base, product + 8 * size, stack)
        to = out.ctypes.data + 8 * row
        _add(to, product, to, size)
        if down:
            row += size
        else:
            column += size


def _halvable(size: int) -> tuple[int, int]:
    """Return (base, size): at least ``size``, halvable down to base, which is a multiple of 8."""
    base, halvings = size, 0
    while -(-base // 8) * 8 > _BASE_WORDS:
        halvings += 1
        base = -(-size // (1 << halvings))
    base = -(-base // 8) * 8
    return base, base << halvings


def _strips(rows: int, columns: int) -> list[tuple[int, int, int, int, int, bool]]:
    """Cover a rectangle with squares: (row, column, size, base, count, one below the other)."""
    strips = []
    row = column = 0
    while row < rows and column < columns:
        down = rows - row >= columns - column
        base, size = _halvable(min(rows - row, columns - column))
        count = max(1, (rows - row if down else columns - column) // size)
        strips.append((row, column, size, base, count, down))
        row += count * size if down else 0
        column += 0 if down else count * size
    return strips


def _toeplitz_by_clmul(diagonals: Words, vector: Words, rows: int, columns: int) -> Words:
    height, width = words_of(rows), words_of(columns)
    strips = _strips(height, width)
    largest = max(size for _, _, size, _, _, _ in strips)
    # Bit ``columns - 1`` of the diagonals goes to the first bit of word ``width``.
    placed = np.zeros(height + width + 4 * largest, np.uint64)
    _place_kernel(diagonals, 64 * width - columns + 1, placed[: height + width])
    values = np.zeros(width + 2 * largest, np.uint64)
    values[:width] = cut(vector, 0, columns)[::-1]
    out = np.zeros(height + 2 * largest, np.uint64)
    work = np.empty(4 * largest + 64, np.uint64)
    stack = np.empty((64, 6), np.int64)
    for row, column, size, base, count, down in strips:
        _strip_kernel(placed, values, out, row, column, size, base, count, down, work, stack)
    return cut(out, 0, rows)


def _multiply_by_fft(left: Words, right: Words) -> Words:
    if left.size < right.size:
        left, right = right, left
    step = min(left.size, max(right.size, 1024, _LONGEST_FFT // 64 - right.size))
    length = 1 << (64 * (step + right.size)).bit_length()
    spectrum = np.fft.rfft(unpack(right, 64 * right.size).astype(np.float64), length)
    out = np.zeros(left.size + right.size + step, np.uint64)
    for start in range(0, left.size, step):
        chunk = left[start : start + step]
        product = np.fft.irfft(
            np.fft.rfft(unpack(chunk, 64 * chunk.size).astype(np.float64), length) * spectrum,
            length,
        )
        count = 64 * (chunk.size + right.size)
        parities = (np.rint(product[:count]).astype(np.int64) & 1).astype(np.uint8)
        out[start : start + chunk.size + right.size] ^= pack(parities)
    return out[: left.size + right.size]


def toeplitz(
    diagonals: Words,
    vector: Words,
    *,
    rows: int,
    columns: int,
    by_fft: bool = not HAS_WIDE_CLMUL,
) -> Words:
    """Return a Toeplitz matrix times a vector, modulo 2.

    Bit i of the result is the sum over j of diagonals[i - j + columns - 1] vector[j].

    Args:
        diagonals: ``rows + columns - 1`` bits, packed; what lies beyond is not looked at.
        vector: ``columns`` bits, packed; what lies beyond is not looked at.
        rows: at least 1.
        columns: at least 1.
        by_fft: go the way that needs no special instruction; the bits are the same.

    Returns:
        ``rows`` bits, packed; the rest of the last word is zero.

    Source: the split in three of Fan and Hasan, IEEE Trans. Computers 56 (2007) 224-233.
    """
    if not by_fft:
        return _toeplitz_by_clmul(diagonals, vector, rows, columns)
    product = _multiply_by_fft(cut(diagonals, 0, rows + columns - 1), cut(vector, 0, columns))
    return cut(product, columns - 1, rows)


# --- GF(2^128) modulo x^128 + x^7 + x^2 + x + 1


@helper
def _portable_clmul(x: np.uint64, y: np.uint64) -> tuple[np.uint64, np.uint64]:
    low = np.uint64(0)
    high = np.uint64(0)
    for at in range(64):
        mask = np.uint64(0) - ((y >> np.uint64(at)) & np.uint64(1))
        low ^= (x << np.uint64(at)) & mask
        if at:
            high ^= (x >> np.uint64(64 - at)) & mask
    return low, high


_word_product: Any = clmul if HAS_CLMUL else _portable_clmul


@helper
def _reduced(
    a0: np.uint64, a1: np.uint64, a2: np.uint64, a3: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Return a 256-bit polynomial modulo the field's, with shifts: 128 = 7 + 2 + 1 + 0."""
    a2 ^= (a3 >> np.uint64(63)) ^ (a3 >> np.uint64(62)) ^ (a3 >> np.uint64(57))
    low = a0 ^ a2 ^ (a2 << np.uint64(1)) ^ (a2 << np.uint64(2)) ^ (a2 << np.uint64(7))
    high = a1 ^ a3 ^ (a3 << np.uint64(1)) ^ (a3 << np.uint64(2)) ^ (a3 << np.uint64(7))
    high ^= (a2 >> np.uint64(63)) ^ (a2 >> np.uint64(62)) ^ (a2 >> np.uint64(57))
    return low, high


def _hash(words: Words, key: Words, state: Words) -> None:
    """Go on with Horner's rule: state = (state + block) * key for every 128-bit block."""
    k0, k1 = key[0], key[1]
    s0, s1 = state[0], state[1]
    for at in range(0, words.size - 1, 2):
        s0 ^= words[at]
        s1 ^= words[at + 1]
        l0, l1 = _word_product(s0, k0)
        h0, h1 = _word_product(s1, k1)
        m0, m1 = _word_product(s0 ^ s1, k0 ^ k1)
        m0 ^= l0 ^ h0
        m1 ^= l1 ^ h1
        s0, s1 = _reduced(l0, l1 ^ m0, h0 ^ m1, h1)
    state[0], state[1] = s0, s1


hash_onward = kernel(_hash)
"""Go on with Horner's rule over 128-bit blocks: ``hash_onward(words, key, state)``.

``words`` has an even number of words; ``key`` and ``state`` have two; ``state`` changes.
"""
