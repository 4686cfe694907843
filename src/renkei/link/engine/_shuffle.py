"""Permutations of packed bits that cost almost nothing: words moved, rotated and transposed.

A round takes 64 words from random places, rotates each by a random amount and writes the columns
of the 64 x 64 bit square as words. Two rounds bring every bit to a place that looks random: bits
of one word end up in 64 words, and a burst is spread over the whole block. Moving bits one by one
in a fully random order costs thirty times as much.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from renkei.link.engine._polynomials import Words
from renkei.link.engine._vectors import helper, kernel

SQUARE: Final = 64 * 64
ROUNDS: Final = 2


@helper
def _transpose(square: Words) -> None:
    """Transpose a 64 x 64 bit matrix in place (Hacker's Delight, section 7-3)."""
    mask = np.uint64(0x00000000FFFFFFFF)
    step = 32
    while step:
        shift = np.uint64(step)
        for block in range(0, 64, 2 * step):
            for at in range(block, block + step):
                swapped = ((square[at] >> shift) ^ square[at + step]) & mask
                square[at] ^= swapped << shift
                square[at + step] ^= swapped
        step >>= 1
        mask ^= mask << np.uint64(step)


@kernel
def shuffle_round(
    words: Words, order: NDArray[np.int64], turns: NDArray[np.uint8], out: Words
) -> None:
    """Write the words moved, rotated and, 64 at a time, transposed to ``out``."""
    square = np.empty(64, np.uint64)
    for group in range(0, words.size, 64):
        for at in range(64):
            word = words[order[group + at]]
            turn = np.uint64(turns[group + at])
            back = (np.uint64(64) - turn) & np.uint64(63)
            square[at] = (word << turn) | (word >> back) if turn else word
        _transpose(square)
        for at in range(64):
            out[group + at] = square[at]


class Shuffle:
    """One permutation of a number of bits that is a multiple of 4 096.

    Args:
        bits: how many.
        bit_source: chooses the permutation; both sides make it from the same public seed. A bare
            bit generator, because its stream is the same in every version of NumPy.
    """

    def __init__(self, bits: int, *, bit_source: np.random.PCG64) -> None:
        if bits <= 0 or bits % SQUARE:
            raise ValueError(f"{bits} bits are no multiple of {SQUARE}")
        self.bits = bits
        words = bits // 64
        self.rounds = [
            (
                np.argsort(bit_source.random_raw(words), kind="stable"),
                (bit_source.random_raw(words) >> np.uint64(58)).astype(np.uint8),
            )
            for _ in range(ROUNDS)
        ]

    def apply(self, words: Words) -> Words:
        """Return the bits in their new order, both packed."""
        for order, turns in self.rounds:
            out = np.empty_like(words)
            shuffle_round(words, order, turns, out)
            words = out
        return words

    def origins(self) -> NDArray[np.int64]:
        """Return for each new place the place where its bit was."""
        places = np.arange(self.bits).reshape(-1, 64)
        for order, turns in self.rounds:
            moved = places[order]
            columns = (np.arange(64)[None, :] - turns[:, None].astype(np.int64)) % 64
            moved = np.take_along_axis(moved, columns, axis=1)
            places = moved.reshape(-1, 64, 64).swapaxes(1, 2).reshape(-1, 64)
        return places.reshape(-1)
