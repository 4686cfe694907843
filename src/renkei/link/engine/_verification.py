"""Verification: both sides compare a 128-bit hash of the block before anything is made of it.

Two different blocks of L words have the same tag for at most (L / 2 + 1) of the 2^128 keys:
2^-114 for a block of a million bits. The tag is sent in the clear and counted as disclosed.
"""

from typing import Final

import numpy as np

from renkei.link.engine._polynomials import Words, hash_onward

TAG_BITS: Final = 128
TAG_BYTES: Final = TAG_BITS // 8


def verification_tag(words: Words, bits: int, key: bytes) -> bytes:
    """Return the tag of ``bits`` bits under a public random ``key`` of 16 bytes.

    The key must be chosen after the block is fixed on both sides. The length is hashed too.
    """
    blocks = np.zeros(words.size + (words.size & 1) + 2, np.uint64)
    blocks[: words.size] = words
    blocks[-2] = bits
    state = np.zeros(2, np.uint64)
    hash_onward(blocks, np.frombuffer(key, np.uint64), state)
    return state.tobytes()
