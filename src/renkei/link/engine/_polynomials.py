"""Polynomials over GF(2): long carry-less products, and the field GF(2^128) for hashing.

A polynomial is an array of 64-bit words, the coefficient of x^i in bit i % 64 of word i // 64.
Two ways multiply: Karatsuba over the processor's carry-less multiply, and a real FFT where there
is none. Both give the same bits; the tests compare them.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from renkei.link.engine._vectors import (
    HAS_CLMUL,
    HAS_WIDE_CLMUL,
    clmul,
    clmul_even,
    clmul_odd,
    fill_words,
    helper,
    kernel,
    load_word,
    load_words,
    store_words,
    xor_words,
)

Words = NDArray[np.uint64]
Stack = NDArray[np.int64]

_BASE_WORDS: Final = 48  # below it the schoolbook product is faster than a Karatsuba step
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


def cut(words: Words, start: int, bits: int) -> Words:
    """Return ``bits`` bits from bit ``start`` on."""
    out = np.zeros(words_of(bits), np.uint64)
    _shift_kernel(words, start, bits, out)
    return out


# --- Karatsuba on the carry-less multiply; addresses and lengths in words, multiples of 8


@helper
def _clear(address: int, size: int) -> None:
    zero = fill_words(0)
    for at in range(0, size, 8):
        store_words(address + 8 * at, zero)


@helper
def _schoolbook(left: int, right: int, out: int, size: int, scratch: int) -> None:
    """Write out[0 : 2 size] = left * right; ``scratch`` has 3 size + 16 words."""
    _clear(scratch, size)
    _clear(scratch + 16 * size, size)
    for at in range(0, size, 8):
        store_words(scratch + 8 * (size + at), load_words(right + 8 * at))
    # Each vector of sums is written once. Even and odd words of the shifted operand give
    # products that start at even and odd words; the odd ones are added one word further.
    _clear(out, 2 * size + 8)
    for top in range(0, 2 * size, 8):
        even = fill_words(0)
        odd = fill_words(0)
        for at in range(max(0, top - size + 1), min(size, top + 8)):
            shifted = load_words(scratch + 8 * (size + top - at))
            factor = fill_words(np.int64(load_word(left + 8 * at)))
            even = xor_words(even, clmul_even(factor, shifted))
            odd = xor_words(odd, clmul_odd(factor, shifted))
        store_words(out + 8 * top, xor_words(load_words(out + 8 * top), even))
        store_words(out + 8 * top + 8, xor_words(load_words(out + 8 * top + 8), odd))


@helper
def _split(left: int, right: int, size: int, free: int) -> None:
    """Write low + high half of both operands to ``free``."""
    half = size // 2
    for at in range(0, half, 8):
        low, high = 8 * at, 8 * (half + at)
        store_words(free + low, xor_words(load_words(left + low), load_words(left + high)))
        sum_ = xor_words(load_words(right + low), load_words(right + high))
        store_words(free + 8 * half + low, sum_)


@helper
def _join(out: int, size: int, free: int) -> None:
    """Add what the middle product has beyond the outer ones between them."""
    half = size // 2
    middle = free + 8 * size
    for at in range(0, size, 8):
        ends = xor_words(load_words(out + 8 * at), load_words(out + 8 * (size + at)))
        store_words(middle + 8 * at, xor_words(load_words(middle + 8 * at), ends))
    for at in range(0, size, 8):
        sum_ = xor_words(load_words(out + 8 * (half + at)), load_words(middle + 8 * at))
        store_words(out + 8 * (half + at), sum_)


@helper
def _karatsuba(
    left: int, right: int, out: int, size: int, free: int, scratch: int, base: int, stack: Stack
) -> None:
    """Write out[0 : 2 size] = left * right; the 8 words behind are spoilt.

    The recursion is on ``stack``, shape (depth, 6): Numba's cache cannot bring back a function
    that calls itself (it crashes in the second process).
    """
    top = 0
    stack[0, 0], stack[0, 1], stack[0, 2] = left, right, out
    stack[0, 3], stack[0, 4], stack[0, 5] = size, free, 0
    while top >= 0:
        left, right, out = stack[top, 0], stack[top, 1], stack[top, 2]
        size, free, stage = stack[top, 3], stack[top, 4], stack[top, 5]
        if size <= base:
            _schoolbook(left, right, out, size, scratch)
            top -= 1
            continue
        stack[top, 5] += 1
        half = size // 2
        if stage == 0:
            _split(left, right, size, free)
            left, right, out = free, free + 8 * half, free + 8 * size
        elif stage == 2:
            left, right, out = left + 8 * half, right + 8 * half, out + 8 * size
        elif stage == 3:
            _join(out, size, free)
            top -= 1
            continue
        top += 1
        stack[top, 0], stack[top, 1], stack[top, 2] = left, right, out
        stack[top, 3], stack[top, 4], stack[top, 5] = half, free + 8 * (2 * size + 8), 0


@kernel
def _multiply_kernel(
    left: Words,
    chunks: int,
    right: Words,
    size: int,
    out: Words,
    base: int,
    work: Words,
    stack: Stack,
) -> None:
    """Add left * right to ``out``, ``left`` in chunks of the size of ``right``."""
    product = work.ctypes.data
    scratch = product + 8 * (2 * size + 16)
    free = scratch + 8 * (3 * base + 32)
    for chunk in range(chunks):
        from_ = left.ctypes.data + 8 * chunk * size
        _karatsuba(from_, right.ctypes.data, product, size, free, scratch, base, stack)
        to = out.ctypes.data + 8 * chunk * size
        for at in range(0, 2 * size, 8):
            store_words(
                to + 8 * at, xor_words(load_words(to + 8 * at), load_words(product + 8 * at))
            )


def _halvable(size: int) -> tuple[int, int]:
    """Return (base, size): at least ``size``, halvable down to base, which is a multiple of 8."""
    halvings = 0
    while words_of(-(-size // (1 << halvings)) * 8) * 8 > _BASE_WORDS:
        halvings += 1
    base = words_of(-(-size // (1 << halvings)) * 8) * 8
    return base, base << halvings


def _multiply_by_clmul(left: Words, right: Words) -> Words:
    if left.size < right.size:
        left, right = right, left
    base, size = _halvable(max(right.size, 1))
    chunks = -(-left.size // size)
    long = np.zeros(chunks * size + 16, np.uint64)
    long[: left.size] = left
    short = np.zeros(size + 16, np.uint64)
    short[: right.size] = right
    out = np.zeros((chunks + 1) * size + 32, np.uint64)
    work = np.empty(2 * size + 16 + 3 * base + 32 + 5 * size + 4096, np.uint64)
    stack = np.empty((64, 6), np.int64)
    _multiply_kernel(long, chunks, short, size, out, base, work, stack)
    return out[: left.size + right.size]


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


def multiply(left: Words, right: Words, *, by_fft: bool = not HAS_WIDE_CLMUL) -> Words:
    """Return the carry-less product of two polynomials.

    Args:
        left: at least one word.
        right: at least one word.
        by_fft: go the way that needs no special instruction; the bits are the same.

    Returns:
        ``left.size + right.size`` words.
    """
    return (_multiply_by_fft if by_fft else _multiply_by_clmul)(left, right)


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
