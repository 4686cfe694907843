"""The simulated fibre has the statistics of the formulas, and its halves survive the wire."""

from math import sqrt

import numpy as np
import pytest

from renkei.link import engine
from renkei.link.engine import _source

PROTOCOL = engine.Protocol()
BITS = 200_000


def counts(sent, seen):
    """Count both bases by intensity, knowing both halves."""
    wrong = ((sent.tags ^ seen.tags) & _source.BIT) != 0
    decoy = (sent.tags & _source.DECOY) != 0
    bases = (sent.tags & _source.BASIS, seen.tags & _source.BASIS)
    return [
        engine.Counts(
            tuple(int((same & (decoy == which)).sum()) for which in (False, True)),
            tuple(int((same & wrong & (decoy == which)).sum()) for which in (False, True)),
        )
        for same in ((bases[0] | bases[1]) == 0, (bases[0] & bases[1]) != 0)
    ]


def block(fibre=None, seed=1, bits=BITS, **eve):
    link = engine.SimulatedLink(PROTOCOL, fibre or engine.Fibre(), rng=np.random.default_rng(seed))
    return link.block(1, key_bits=bits, eavesdropper=engine.Eavesdropper(**eve))


def near(found, wanted, sigma, times=4.5):
    return abs(found - wanted) < times * sigma


@pytest.mark.parametrize("distance_km", [0, 30, 120])
def test_gains_and_errors_are_those_of_the_formula(distance_km):
    fibre = engine.Fibre(distance_km=distance_km, afterpulse=0.0, dead_slots=0)
    sent, seen = block(fibre)
    key, test = counts(sent, seen)

    wanted_key, wanted_test = engine.expected_counts(PROTOCOL, fibre, sent.pulses)

    for found, wanted in ((key, wanted_key), (test, wanted_test)):
        for at in (0, 1):
            assert near(
                found.detections[at],
                wanted.detections[at],
                sqrt(wanted.detections[at]) + BITS * 1e-3,
            )
            assert near(found.errors[at], wanted.errors[at], sqrt(wanted.errors[at]) * 1.3)


def test_each_bit_and_basis_is_a_fair_choice():
    sent, seen = block()
    n = sent.slots.size

    assert near((sent.tags & 1).mean(), 0.5, 0.5 / sqrt(n))
    assert near((seen.tags & 1).mean(), 0.5, 0.5 / sqrt(n))
    for half in (sent, seen):
        share = ((half.tags & _source.BASIS) == 0).mean()
        assert near(share, PROTOCOL.p_key_basis, 0.45 / sqrt(n))
    unequal = ((sent.tags ^ seen.tags) & _source.BASIS) != 0
    wrong = ((sent.tags ^ seen.tags) & 1) != 0
    assert near(wrong[unequal].mean(), 0.5, 0.5 / sqrt(unequal.sum()))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.4, 1.0])
def test_an_interceptor_is_seen_in_the_error_rate(share):
    quiet = counts(*block(seed=2))[0].error_rate
    heard = counts(*block(seed=3, intercept=share))[0].error_rate

    wanted = quiet * (1 - share / 2) + share / 4
    assert near(heard, wanted, sqrt(wanted * (1 - wanted) / BITS) * 1.5, times=4)


def test_a_splitter_is_seen_by_the_decoys_alone():
    quiet, split = (
        counts(*block(seed=4, bits=1 << 20)),
        counts(*block(seed=5, bits=1 << 20, split=1.0)),
    )

    assert split[0].error_rate == pytest.approx(quiet[0].error_rate, rel=0.1)
    lengths = [
        engine.key_length(*pair, PROTOCOL, disclosed_bits=150_000) for pair in (quiet, split)
    ]
    assert lengths[0].bits > 200_000
    assert lengths[1].bits == 0
    assert lengths[1].single_photons < 0.02 * lengths[0].single_photons


def test_a_burst_is_where_it_is_said_to_be():
    sent, seen = block(burst_error=0.08, burst_share=0.25)
    wrong = ((sent.tags ^ seen.tags) & 1) != 0
    same = ((sent.tags ^ seen.tags) & _source.BASIS) == 0
    quarters = np.array_split(wrong[same], 8)

    rates = [float(quarter.mean()) for quarter in quarters]
    assert max(rates[:3] + rates[5:]) < 0.03
    assert min(rates[3:5]) > 0.07


def test_drift_moves_the_error_rate_through_the_block():
    fibre = engine.Fibre(misalignment=0.01, drift=0.04)
    sent, seen = block(fibre)
    wrong = ((sent.tags ^ seen.tags) & 1) != 0
    same = ((sent.tags ^ seen.tags) & _source.BASIS) == 0
    first, last = np.array_split(wrong[same], 10)[::9]

    assert first.mean() == pytest.approx(0.02, abs=0.006)
    assert last.mean() == pytest.approx(0.056, abs=0.008)


def test_after_a_click_both_detectors_are_blind():
    sent, seen = block(engine.Fibre(distance_km=0, dead_slots=25))

    assert int(np.diff(seen.slots.astype(np.int64)).min()) == 26
    assert np.array_equal(sent.slots, seen.slots)


def test_afterpulses_add_their_share_of_errors():
    many = counts(*block(engine.Fibre(afterpulse=0.1)))[0].error_rate
    none = counts(*block(engine.Fibre(afterpulse=0.0)))[0].error_rate

    assert many - none == pytest.approx(0.1 / 1.1 * (0.5 - none) * 1.1, rel=0.12)


def test_a_seed_gives_one_block_and_another_another():
    same = [block(seed=9, bits=4096) for _ in range(2)]
    other = block(seed=10, bits=4096)

    assert same[0][0].to_bytes() == same[1][0].to_bytes()
    assert same[0][1].to_bytes() == same[1][1].to_bytes()
    assert other[0].to_bytes() != same[0][0].to_bytes()


def test_everything_simulated_says_so():
    for half in block(bits=4096):
        assert half.label == engine.SIMULATED
        assert type(half).from_bytes(half.to_bytes()).label == engine.SIMULATED


def test_a_half_survives_the_wire_and_is_no_other_half():
    sent, seen = block(bits=4096)

    read = engine.Detections.from_bytes(seen.to_bytes())
    assert np.array_equal(read.slots, seen.slots)
    assert np.array_equal(read.tags, seen.tags)
    assert (read.block, read.pulses) == (1, seen.pulses)
    with pytest.raises(engine.BadBlockError):
        engine.Detections.from_bytes(sent.to_bytes())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"",
        lambda data: b"RKqB\2" + data[5:],
        lambda data: data[:-1] + b"\xff",
        lambda data: data[:27] + b"\xff" + data[28:],
    ],
)
def test_other_bytes_are_refused(spoil):
    _, seen = block(bits=4096)
    with pytest.raises(engine.BadBlockError):
        engine.Detections.from_bytes(spoil(seen.to_bytes()))


def test_slots_out_of_order_are_refused():
    slots = np.array([5, 5], np.uint64)
    with pytest.raises(engine.BadBlockError, match="rising slots"):
        engine.Detections(1, 100, "device", slots, np.zeros(2, np.uint8))


def test_a_dead_fibre_is_named():
    with pytest.raises(engine.DeadFibreError, match="nothing arrives"):
        block(engine.Fibre(distance_km=1000, dark_probability=0.0), bits=4096)
