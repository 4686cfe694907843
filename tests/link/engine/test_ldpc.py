"""One-way reconciliation: what is decoded is right, and what was sent is never lost."""

import numpy as np
import pytest

from renkei.link import engine
from renkei.link.engine import _ldpc

BITS = _ldpc.FRAME_BITS


def frame(rate, seed):
    rng = np.random.default_rng(seed)
    alice = rng.integers(0, 2**64, BITS // 64, dtype=np.uint64)
    return alice, alice ^ engine.pack((rng.random(BITS) < rate).astype(np.uint8))


def dense_syndrome(words, checks):
    bits = engine.unpack(words, BITS).reshape(_ldpc.COLUMNS, _ldpc.CIRCULANT)
    rows = []
    for row in range(checks.rows):
        sum_ = np.zeros(_ldpc.CIRCULANT, np.uint8)
        for edge in range(checks.starts[row], checks.starts[row + 1]):
            sum_ ^= np.roll(bits[checks.columns[edge]], -checks.shifts[edge])
        rows.append(sum_)
    return np.concatenate(rows)


def test_a_syndrome_is_the_parity_of_the_circulants():
    checks = _ldpc.code(100)
    words, _ = frame(0.0, seed=1)

    found = _ldpc.syndrome(words, checks)

    assert np.array_equal(engine.unpack(found, 100 * 256), dense_syndrome(words, checks))


@pytest.mark.parametrize("rows", [90, 167, 320])
def test_no_two_columns_meet_twice(rows):
    """Four-cycles would let errors hide from the decoder."""
    checks = _ldpc.code(rows)
    seen = set()
    by_column = [[] for _ in range(_ldpc.COLUMNS)]
    for row in range(rows):
        for edge in range(checks.starts[row], checks.starts[row + 1]):
            by_column[checks.columns[edge]].append((row, int(checks.shifts[edge])))
    meetings = 0
    for column in by_column:
        for at, (row, shift) in enumerate(column):
            for other, second in column[at + 1 :]:
                seen.add((row, other, (shift - second) % _ldpc.CIRCULANT))
                meetings += 1
    assert len(seen) >= 0.999 * meetings
    assert sum(map(len, by_column)) == checks.columns.size
    weights = np.diff(checks.starts)
    assert weights.max() - weights.min() <= 4
    assert weights.max() <= 88


@pytest.mark.parametrize(("rate", "f"), [(0.01, 1.21), (0.0137, 1.18), (0.02, 1.16), (0.05, 1.17)])
def test_a_frame_is_decoded_near_the_limit(rate, f):
    alice, bob = frame(rate, seed=2)
    rows = _ldpc.rows_for(rate)
    decoder = _ldpc.Decoder(rows, error_rate=rate)
    sent = [_ldpc.syndrome(alice, _ldpc.code(rows))]
    while (found := decoder.decode(bob, sent)) is None:
        sent.append(_ldpc.syndrome(alice, _ldpc.halves(rows, len(sent))))

    assert np.array_equal(found, alice)
    told = 64 * sum(part.size for part in sent)
    assert told / (BITS * engine.binary_entropy(rate)) < f


def test_more_parities_help_where_the_first_were_too_few():
    alice, bob = frame(0.026, seed=3)
    rows = _ldpc.rows_for(0.02)
    decoder = _ldpc.Decoder(rows, error_rate=0.02)
    sent = [_ldpc.syndrome(alice, _ldpc.code(rows))]

    assert decoder.decode(bob, sent) is None
    for split in range(1, _ldpc.MOST_SPLITS + 1):
        sent.append(_ldpc.syndrome(alice, _ldpc.halves(rows, split)))
        found = decoder.decode(bob, sent)
        if found is not None:
            break

    assert np.array_equal(found, alice)
    assert 3 <= split <= _ldpc.MOST_SPLITS


def test_halves_add_to_what_was_sent():
    """A split check and its half give the other half: no parity is sent twice."""
    rows = 100
    words, _ = frame(0.0, seed=4)
    whole = _ldpc.syndrome(words, _ldpc.code(rows)).reshape(rows, -1)
    half = _ldpc.syndrome(words, _ldpc.halves(rows, 1))
    both = _ldpc.syndrome(words, _ldpc._split_code(rows, 1))
    count = len(_ldpc.split_rows(rows, 1))

    assert np.array_equal(both[: half.size], half)
    assert np.array_equal(
        both[-half.size :].reshape(count, -1), whole[:count] ^ half.reshape(count, -1)
    )


@pytest.mark.parametrize("rows", [82, 100, 120, 128, 165, 204, 340])
def test_light_columns_are_fewer_than_rows(rows):
    """As many columns of weight two as rows close a ring: a few wrong bits that no check sees."""
    checks = _ldpc.code(rows)
    weights = np.bincount(checks.columns, minlength=_ldpc.COLUMNS)

    assert weights.min() == 2
    assert (weights == 2).sum() <= 0.8 * rows


def test_a_nearly_decoded_frame_is_not_worn_down():
    """Beliefs at the limit of a byte once turned to their opposites while three bits were left."""
    rng = np.random.default_rng(9)
    for _ in range(3):
        errors = engine.pack((rng.random(BITS) < 0.02).astype(np.uint8))
        alice = rng.integers(0, 2**64, BITS // 64, dtype=np.uint64)
    decoder = _ldpc.Decoder(167, error_rate=0.02)

    found = decoder.decode(alice ^ errors, [_ldpc.syndrome(alice, _ldpc.code(167))])

    assert found is not None
    assert np.array_equal(found, alice)


def test_an_undecodable_frame_is_said_to_be_one():
    alice, bob = frame(0.11, seed=5)
    rows = _ldpc.rows_for(0.02)

    decoder = _ldpc.Decoder(rows, error_rate=0.02)

    assert decoder.decode(bob, [_ldpc.syndrome(alice, _ldpc.code(rows))]) is None
    assert decoder.turns == _ldpc.MOST_TURNS


def test_a_code_is_the_same_everywhere():
    """Both nodes build it from its number of rows; NumPy's versions must not matter."""
    checks = _ldpc.code(167)
    digest = np.bitwise_xor.reduce(
        (checks.columns * 65_537 + checks.shifts * 257 + np.arange(checks.columns.size))
        * 2654435761
    )

    assert (checks.columns.size, int(digest)) == (KNOWN_EDGES, KNOWN_DIGEST)


KNOWN_EDGES, KNOWN_DIGEST = 7139, 221901821652828323
