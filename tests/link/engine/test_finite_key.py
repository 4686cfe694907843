"""Key lengths: the authors' table, an independent implementation of Lim, and refusals."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine

AUTHORS_PROTOCOL = engine.Protocol(signal=0.5, decoy=0.15, p_signal=0.7, p_key_basis=0.9)


def authors_fibre(distance_km):
    """625 MHz, 200 dark counts a second for both detectors together, errors 2 %, perfect Bob."""
    return engine.Fibre(
        distance_km=distance_km, pulse_hz=625e6, detector_efficiency=1.0,
        dark_probability=100 / 625e6, misalignment=0.02, afterpulse=0.0, dead_slots=0,
        extinction_db=200.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("matched", "rates"),
    [
        (1e5, [0, 0, 0, 0, 0, 0]),
        (1e6, [0, 0, 0, 0, 0, 0]),
        (1e7, [4.3346e7, 2.3902e6, 2.1389e5, 2.0430e4, 1.3469e3, 0]),
        (1e9, [6.6343e7, 5.1523e6, 4.9607e5, 4.8801e4, 4.2747e3, 0]),
    ],
)
def test_the_table_of_the_published_code(matched, rates):
    """Values of the code that the authors of arXiv:2405.16578 published, run with fixed settings."""
    for distance_km, rate in zip((0, 50, 100, 150, 200, 250), rates, strict=True):
        found = engine.secret_rate(AUTHORS_PROTOCOL, authors_fibre(distance_km), matched=matched)
        assert found.bits_per_second == pytest.approx(rate, rel=5e-5)
        assert found.bits_per_pulse <= found.plob


LIM = {"means": (0.5, 0.1, 2e-4), "weights": (0.6, 0.3, 0.1), "epsilon_secret": 1e-9}
BLOCKS = [
    ((9.1e6, 8.0e5, 7.0e3), (1.1e6, 9.0e4, 9.0e2), (2.2e4, 2.6e3, 4.5e2)),
    ((6.0e6, 6.1e5, 4.0e3), (2.0e6, 2.1e5, 1.4e3), (4.0e4, 5.0e3, 6.0e2)),
    ((9.0e8, 7.9e7, 6.0e5), (9.0e7, 8.0e6, 6.5e4), (1.9e6, 2.0e5, 3.2e4)),
]


@pytest.mark.parametrize("block", BLOCKS)
def test_lims_bounds_are_those_of_another_implementation(block):
    """The Rust core of ``qkd`` computes Lim et al., equations (2) to (5)."""
    from qkd import _core

    key, test, errors = block
    epsilon = LIM["epsilon_secret"] / 21
    args = (*LIM["means"], LIM["weights"])
    vacuum, ones = _core.decoy_counts(*args, key, epsilon)
    _, tested = _core.decoy_counts(*args, test, epsilon)
    wrong = _core.decoy_errors(*args, errors, epsilon)
    phase = _core.bb84_phase(wrong, tested, ones, LIM["epsilon_secret"])

    found = engine.lim_bounds(key, test, errors, **LIM)

    assert found.vacuum == pytest.approx(vacuum, rel=1e-12, abs=1e-9)
    assert found.single_photons == pytest.approx(ones, rel=1e-12)
    assert found.phase_error == pytest.approx(phase, rel=1e-12)
    for rate in (0.01, 0.03):
        disclosed = 1.16 * engine.binary_entropy(rate) * sum(key)
        theirs = _core.bb84_length(vacuum, ones, phase, sum(key), rate, 1.16, 1e-9, 1e-15)
        ours = engine.lim_key_length(
            found, disclosed_bits=disclosed, epsilon_secret=1e-9, epsilon_correct=1e-15
        )
        assert max(ours, 0) == pytest.approx(theirs, rel=1e-9, abs=2)


def block_of(scale):
    """Counts in the proportions of a good link."""
    return (
        engine.Counts((720_000 * scale, 280_000 * scale), (13_000 * scale, 6_000 * scale)),
        engine.Counts((72_000 * scale, 28_000 * scale), (1_300 * scale, 600 * scale)),
    )


def length(key, test, disclosed=140_000, **more):
    return engine.key_length(key, test, engine.Protocol(), disclosed_bits=disclosed, **more)


def test_a_larger_block_loses_less_to_its_finite_size():
    shares = [
        length(*block_of(scale), disclosed=140_000 * scale).bits / scale for scale in (1, 10, 100)
    ]

    assert 0 < shares[0] < shares[1] < shares[2]


@given(st.integers(0, 40_000), st.integers(0, 300_000))
def test_what_is_disclosed_is_lost_bit_by_bit(more_errors, more_told):
    key, test = block_of(1)
    worse = engine.Counts(test.detections, (test.errors[0] + more_errors, test.errors[1]))

    found = length(key, test)

    assert length(key, worse).bits <= found.bits
    assert length(key, test, 140_000 + more_told).bits == max(0, found.bits - more_told)
    assert found.bits < found.single_photons


def test_smaller_failure_probabilities_cost_bits():
    key, test = block_of(1)
    found = [length(key, test, epsilon_secret=10.0**-at).bits for at in (6, 9, 12, 15)]

    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


def test_no_detection_gives_no_key():
    nothing = engine.Counts((0, 0), (0, 0))

    assert length(nothing, nothing, 0) == engine.KeyLength(0, 0.0, 0.5)
    assert nothing.error_rate == 0


@pytest.mark.parametrize(
    ("detections", "errors"),
    [((10, 10), (11, 0)), ((10, 10), (0, -1)), ((math.nan, 1), (0, 0)), ((-5, 5), (0, 0))],
)
def test_impossible_counts_are_refused(detections, errors):
    with pytest.raises(engine.ImpossibleStatisticsError, match="expected 0 <= errors"):
        engine.Counts(detections, errors)


@pytest.mark.parametrize(
    "wrong",
    [{"signal": 0.1}, {"decoy": 0.0}, {"signal": 3.0}, {"p_signal": 1.0}, {"p_key_basis": 0.0}],
)
def test_what_is_no_protocol_is_refused(wrong):
    with pytest.raises(engine.BadProtocolError, match="expected"):
        engine.Protocol(**wrong)


def test_one_decoy_beats_two_for_blocks_that_can_be_had():
    """Rusca et al. 2018: up to 10^8 bits one decoy gives more; here at 100 km, 10^7 bits.

    Settings are those that an optimiser found for each; dark counts 1e-8, no afterpulses.
    """
    rates = [one_decoy(), two_decoys()]

    assert 1.05 < rates[0] / rates[1] < 1.3


FIBRE = engine.Fibre(
    distance_km=100, detector_efficiency=0.1, dark_probability=1e-8, misalignment=0.005,
    afterpulse=0.0, dead_slots=0, extinction_db=200.0,
)  # fmt: skip


def one_decoy(n=1e7):
    best = 0.0
    for signal, decoy, p_signal, p_key in itertools.product(
        (0.5, 0.6), (0.14, 0.18, 0.22), (0.6, 0.75, 0.85), (0.9, 0.93, 0.96)
    ):
        protocol = engine.Protocol(signal, decoy, p_signal, p_key)
        pulses = n / sum(engine.expected_counts(protocol, FIBRE, 1.0)[0].detections)
        key, test = engine.expected_counts(protocol, FIBRE, pulses)
        found = engine.rusca_key_length(
            key, test, protocol,
            disclosed_bits=1.16 * engine.binary_entropy(key.error_rate) * n,
            epsilon_secret=1e-9, epsilon_correct=1e-15,
        )  # fmt: skip
        best = max(best, found / pulses)
    return best


def two_decoys(n=1e7):
    best = 0.0
    for one, two, p_one, p_two, p_key in itertools.product(
        (0.45, 0.55), (0.1, 0.15, 0.2), (0.55, 0.7, 0.8), (0.12, 0.2, 0.3), (0.9, 0.93, 0.96)
    ):
        means, weights = (one, two, 2e-4), (p_one, p_two, 1 - p_one - p_two)
        if weights[2] <= 0:
            continue
        pairs = [engine.gain_and_error(mean, FIBRE) for mean in means]
        gain = sum(w * pair[0] for w, pair in zip(weights, pairs, strict=True))
        pulses = n / (p_key**2 * gain)
        key = [pulses * p_key**2 * w * pair[0] for w, pair in zip(weights, pairs, strict=True)]
        test = [x * (1 - p_key) ** 2 / p_key**2 for x in key]
        errors = [
            pulses * (1 - p_key) ** 2 * w * pair[1] for w, pair in zip(weights, pairs, strict=True)
        ]
        rate = sum(errors) / sum(test)
        bounds = engine.lim_bounds(
            key, test, errors, means=means, weights=weights, epsilon_secret=1e-9
        )
        found = engine.lim_key_length(
            bounds, disclosed_bits=1.16 * engine.binary_entropy(rate) * n,
            epsilon_secret=1e-9, epsilon_correct=1e-15,
        )  # fmt: skip
        best = max(best, found / pulses)
    return best
