"""Privacy amplification: what an eavesdropper may know of a block is hashed away.

The hash is the modified Toeplitz matrix (I | T): the first bits go through as they are, each one
added to a Toeplitz combination of the others. It needs fewer random bits and a shorter product
than a full Toeplitz matrix.
"""

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.engine._polynomials import Words, cut, toeplitz, words_of
from renkei.link.engine._vectors import HAS_WIDE_CLMUL


class BadAmplificationError(RenkeiError):
    """The lengths of key, seed and output do not fit each other."""

    code = "link.bad_amplification"


def amplify(
    key: Words, seed: Words, *, bits: int, out_bits: int, by_fft: bool = not HAS_WIDE_CLMUL
) -> Words:
    """Return the secret part of a reconciled key.

    With n = ``bits``, m = ``out_bits`` and k = n - m, bit i of the result is
    x[i] + sum over j of seed[i - j + k - 1] x[m + j] modulo 2.

    Args:
        key: n bits, packed; bits beyond n are not looked at.
        seed: n - 1 public random bits, packed, fresh for every block.
        bits: n.
        out_bits: m, at least 1 and less than n.
        by_fft: go the way that needs no carry-less multiply; the bits are the same.

    Returns:
        m bits, packed; the rest of the last word is zero.

    Raises:
        BadAmplificationError: if a length does not fit.

    Source: Hayashi and Tsurumaru, arXiv:1311.5322, section III (modified Toeplitz).
    """
    if not 0 < out_bits < bits or key.size < words_of(bits) or seed.size < words_of(bits - 1):
        raise BadAmplificationError(
            gettext_noop("{out} bits cannot be made of {bits} with a key and a seed of that size"),
            out=out_bits,
            bits=bits,
        )
    rest = bits - out_bits
    mixed = toeplitz(seed, cut(key, out_bits, rest), rows=out_bits, columns=rest, by_fft=by_fft)
    return cut(key, 0, out_bits) ^ mixed
