"""Cascade: equal bits, few told, and an end whatever comes over the line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine import _cascade


def frames(count, rate, seed, bits=_cascade.FRAME_BITS):
    rng = np.random.default_rng(seed)
    errors = (rng.random(count * bits) < rate).astype(np.uint8)
    alice = rng.integers(0, 2**64, count * bits // 64, dtype=np.uint64)
    return alice, alice ^ engine.pack(errors), errors


def reconcile(alice, bob, rate, **more):
    answers = engine.CascadeAlice(alice, **{k: v for k, v in more.items() if k == "frame_bits"})
    machine = engine.CascadeBob(bob, error_rate=rate, **more)
    while not machine.finished:
        machine.absorb(answers.answer(machine.questions))
    return answers, machine


@pytest.mark.parametrize(("rate", "f"), [(0.01, 1.04), (0.02, 1.04), (0.05, 1.045)])
def test_bits_become_equal_and_little_is_told(rate, f):
    """Four frames of 65 536 bits; the mean over many blocks is measured by ``bench/link``."""
    alice, bob, errors = frames(4, rate, seed=1)

    answers, machine = reconcile(alice, bob, rate)

    assert np.array_equal(machine.words(), alice)
    assert machine.corrections == errors.sum()
    assert machine.disclosed == answers.disclosed
    limit = errors.size * engine.binary_entropy(errors.mean())
    assert 1 < machine.disclosed / limit < f
    assert machine.rounds < 2000


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0, 0.15), st.floats(0.001, 0.2), st.integers(0, 2**32), st.sampled_from([4096, 8192])
)
def test_a_wrong_guess_of_the_error_rate_costs_bits_alone(real, guess, seed, bits):
    alice, bob, _ = frames(2, real, seed, bits)

    try:
        _, machine = reconcile(alice, bob, guess, frame_bits=bits)
    except engine.DivergedError:  # a guess ten times too low can ask for nearly all of the key
        assert real > 0.05
        return

    # Eleven masks miss an even rest once in two thousand times; seeds are random here.
    assert (machine.words() != alice).any() <= (
        np.bitwise_count(machine.words() ^ alice).sum() % 2 == 0
    )


def test_bits_without_an_error_are_left_alone():
    alice, bob, _ = frames(1, 0.0, seed=2)

    _, machine = reconcile(alice, bob, 0.01)

    assert np.array_equal(machine.words(), alice)
    assert machine.corrections == 0


@pytest.mark.parametrize("places", [[0], [65_535], [0, 1], [63, 64], list(range(64)), [5, 70_000]])
def test_errors_at_awkward_places(places):
    alice, _, _ = frames(2, 0.0, seed=3)
    errors = np.zeros(2 * 65_536, np.uint8)
    errors[places] = 1

    _, machine = reconcile(alice, alice ^ engine.pack(errors), 0.01)

    assert np.array_equal(machine.words(), alice)


def test_patience_tells_less_and_takes_more_rounds():
    alice, bob, _ = frames(4, 0.02, seed=4)

    quick, patient = (reconcile(alice, bob, 0.02, slack=slack)[1] for slack in (99, 3))

    assert patient.disclosed < quick.disclosed
    assert patient.rounds > quick.rounds


def test_alice_tells_what_is_asked_and_nothing_else():
    """Every answer is the parity of the bits named; a single bit of 1 024 words is in one block."""
    alice = np.zeros(64, np.uint64)
    alice[3] = 1 << 7
    answers = engine.CascadeAlice(alice, frame_bits=4096)
    nodes = [1, 2, 3, (4096 + 3 * 64) >> 6, 4096 + 3 * 64 + 7, 4096 + 3 * 64 + 8]
    questions = len(nodes).to_bytes(2, "little") + b"".join(
        (node << 6).to_bytes(3, "little") for node in nodes
    )

    assert answers.answer(questions) == bytes([0b011011])
    assert answers.disclosed == len(nodes)


@pytest.mark.parametrize(
    "questions",
    [
        b"", b"\0\0", b"\1\0", b"\1\0\0\0\0", b"\1\0\1\0\0", b"\1\0\0\0\xff", b"\1\0\4\1\0",
        b"\1\0\x3f\1\0", b"\1\0\x40\0\0\0", b"\2\0\x40\0\0",
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused(questions):
    with pytest.raises(engine.DivergedError):
        engine.CascadeAlice(np.zeros(64, np.uint64), frame_bits=4096).answer(questions)


def test_alice_does_not_tell_her_key_bit_by_bit():
    answers = engine.CascadeAlice(np.zeros(64, np.uint64), frame_bits=4096)
    one = b"\1\0" + (1 << 6).to_bytes(3, "little")

    told = 0
    while told < 4096:
        try:
            answers.answer(one)
        except engine.DivergedError:
            break
        told += 1
    assert told <= 0.9 * 4096


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.0005, 0.5))
def test_false_answers_never_hang(seed, share):
    """Somebody flips answers: an end comes, with other bits or with a refusal."""
    rng = np.random.default_rng(seed)
    alice, bob, _ = frames(1, 0.03, seed, bits=4096)
    answers = engine.CascadeAlice(alice, frame_bits=4096)
    machine = engine.CascadeBob(bob, error_rate=0.03, frame_bits=4096)

    rounds = 0
    try:
        while not machine.finished:
            said = np.frombuffer(answers.answer(machine.questions), np.uint8)
            flips = np.packbits(rng.random(8 * said.size) < share)
            machine.absorb((said ^ flips).tobytes())
            rounds += 1
    except engine.DivergedError:
        return
    assert rounds <= 4096


def test_answers_of_another_length_are_refused():
    _, bob, _ = frames(1, 0.01, seed=5, bits=4096)
    machine = engine.CascadeBob(bob, error_rate=0.01, frame_bits=4096)

    for spoilt in (b"", machine.questions):
        with pytest.raises(engine.DivergedError, match="another length"):
            machine.absorb(spoilt)


@pytest.mark.parametrize("bits", [100, 2048, 12_288, 131_072])
def test_frames_of_another_size_are_refused(bits):
    with pytest.raises(ValueError, match="power of two"):
        engine.CascadeAlice(np.zeros(bits // 64, np.uint64), frame_bits=bits)


@given(st.floats(1e-9, 0.4999))
def test_block_sizes_rise(rate):
    first, second, third = _cascade.block_sizes(rate)

    assert 1 <= first < second < third == 12
