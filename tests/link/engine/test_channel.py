"""The fibre in numbers: limits of physics, the closed form against the exact one, refusals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine._channel import click_table


@pytest.mark.parametrize(
    ("distance_km", "bits"),
    [(50, 0.152), (100, 1.45e-2), (150, 1.44e-3), (200, 1.44e-4), (300, 1.44e-6)],
)
def test_plob_at_known_distances(distance_km, bits):
    assert engine.plob(0.2 * distance_km) == pytest.approx(bits, rel=5e-3)


def test_without_loss_there_is_no_limit():
    assert engine.plob(0.0) == math.inf


@given(
    st.floats(0, 300),
    st.floats(0.05, 1),
    st.floats(1e-9, 1e-5),
    st.sampled_from([1e5, 1e6, 1e7, 1e9, 1e12]),
)
def test_no_rate_is_above_what_physics_allows(distance_km, efficiency, dark, matched):
    fibre = engine.Fibre(
        distance_km=distance_km, detector_efficiency=efficiency, dark_probability=dark
    )

    found = engine.secret_rate(engine.Protocol(), fibre, matched=matched, inefficiency=1.0)

    assert 0 <= found.bits_per_pulse <= found.plob


@pytest.mark.parametrize("matched", [0, -1, math.nan, math.inf])
def test_a_block_of_no_size_has_no_rate(matched):
    with pytest.raises(engine.ImpossibleStatisticsError, match="above 0"):
        engine.secret_rate(engine.Protocol(), engine.Fibre(distance_km=50), matched=matched)


def test_tokyo_to_washington_needs_relays():
    """Ten thousand kilometres of the best fibre lose more than a thousand decibel."""
    with pytest.raises(engine.BadFibreError, match="distance_km is 10900"):
        engine.Fibre(distance_km=10_900)
    far = engine.Fibre(distance_km=1000, attenuation_db_per_km=0.17)
    assert engine.secret_rate(engine.Protocol(), far, matched=1e9).bits_per_second == 0


@pytest.mark.parametrize("distance_km", [0, 50, 150])
def test_the_closed_form_is_near_the_exact_one(distance_km):
    protocol = engine.Protocol()
    fibre = engine.Fibre(distance_km=distance_km, afterpulse=0.0)
    table = click_table(protocol, fibre, engine.Eavesdropper(), place=0.5)

    for row, mean in zip(table, protocol.intensities, strict=True):
        gain, errors = engine.gain_and_error(mean, fibre)
        assert row[0] == pytest.approx(gain, rel=1e-3)
        # double clicks, which become random bits, are not in the closed form
        assert row[1] == pytest.approx(errors / gain, rel=0.06)


@given(st.floats(0, 1))
def test_an_interceptor_adds_a_quarter(share):
    """Q = Q0 (1 - p/2) + p/4: half of the bases are wrong, and half of these bits."""
    protocol, fibre = engine.Protocol(), engine.Fibre()
    quiet = click_table(protocol, fibre, engine.Eavesdropper(), place=0.5)
    heard = click_table(protocol, fibre, engine.Eavesdropper(intercept=share), place=0.5)

    assert heard[:, 1] == pytest.approx(quiet[:, 1] * (1 - share / 2) + share / 4)
    assert heard[:, 0] == pytest.approx(quiet[:, 0])


def test_a_photon_number_splitter_keeps_the_gain_of_the_signal():
    protocol, fibre = engine.Protocol(), engine.Fibre()
    quiet = click_table(protocol, fibre, engine.Eavesdropper(), place=0.5)
    split = click_table(protocol, fibre, engine.Eavesdropper(split=1.0), place=0.5)

    assert split[0, 0] == pytest.approx(quiet[0, 0], rel=1e-6)
    assert split[1, 0] < 0.6 * quiet[1, 0]  # what decoys are for


@pytest.mark.parametrize(
    ("which", "value"),
    [
        ("distance_km", -1), ("attenuation_db_per_km", 11), ("detector_efficiency", 0),
        ("detector_efficiency", 1.1), ("dark_probability", 0.5), ("misalignment", 0.7),
        ("afterpulse", 0.9), ("dead_slots", -1), ("pulse_hz", 0), ("distance_km", math.nan),
    ],
)  # fmt: skip
def test_no_such_fibre(which, value):
    with pytest.raises(engine.BadFibreError, match=which):
        engine.Fibre(**{which: value})


@pytest.mark.parametrize("which", ["intercept", "split", "burst_error", "burst_share"])
def test_no_such_eavesdropper(which):
    with pytest.raises(engine.BadFibreError, match=which):
        engine.Eavesdropper(**{which: 1.5})
