"""Privacy amplification against the explicit matrix and against randextract."""

import numpy as np
import pytest

from renkei.link import engine


def draw(bits, seed):
    return np.random.default_rng(seed).integers(0, 2, bits, dtype=np.uint8)


def by_matrix(key, seed, out):
    rest = key.size - out
    rows, columns = np.ogrid[:out, :rest]
    toeplitz = seed[rows - columns + rest - 1]
    return (key[:out] + toeplitz.astype(np.int64) @ key[out:]) & 1


@pytest.mark.parametrize("by_fft", [True, False])
@pytest.mark.parametrize(("bits", "out"), [(2, 1), (64, 63), (200, 1), (1000, 700), (3001, 1500)])
def test_it_is_the_identity_beside_a_toeplitz_matrix(bits, out, by_fft):
    key, seed = draw(bits, 1), draw(bits - 1, 2)

    found = engine.amplify(
        engine.pack(key), engine.pack(seed), bits=bits, out_bits=out,
        **({"by_fft": True} if by_fft else {}),
    )  # fmt: skip

    assert np.array_equal(engine.unpack(found, out), by_matrix(key, seed, out))


@pytest.mark.filterwarnings("ignore")
def test_randextract_gives_the_same():
    """An independent implementation: T stands before I, and its seed starts at the diagonal."""
    from galois import GF2
    from randextract import ModifiedToeplitzHashing

    bits, out = 100_000, 60_000
    key, seed = draw(bits, 3), draw(bits - 1, 4)

    theirs = ModifiedToeplitzHashing(bits, out).extract(
        GF2(np.concatenate([key[out:], key[:out]])), GF2(np.roll(seed, -(bits - out - 1)))
    )
    ours = engine.amplify(engine.pack(key), engine.pack(seed), bits=bits, out_bits=out)

    assert np.array_equal(engine.unpack(ours, out), np.array(theirs))


@pytest.mark.parametrize(
    ("bits", "out", "key_bits", "seed_bits"),
    [(100, 0, 100, 99), (100, 100, 100, 99), (100, 50, 64, 99), (1000, 500, 1000, 900)],
)
def test_lengths_that_do_not_fit_are_refused(bits, out, key_bits, seed_bits):
    with pytest.raises(engine.BadAmplificationError, match="cannot be made"):
        engine.amplify(
            engine.pack(draw(key_bits, 1)), engine.pack(draw(seed_bits, 2)), bits=bits, out_bits=out
        )


def test_one_flipped_bit_of_the_key_changes_half_of_the_output():
    key, seed = draw(20_000, 5), draw(19_999, 6)
    other = key.copy()
    other[15_000] ^= 1

    outs = [
        engine.unpack(
            engine.amplify(engine.pack(k), engine.pack(seed), bits=20_000, out_bits=8000), 8000
        )
        for k in (key, other)
    ]

    assert 0.45 < (outs[0] != outs[1]).mean() < 0.55
