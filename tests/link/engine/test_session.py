"""Two sessions and a hostile line: the same key or a clean end, never two keys."""

import hashlib
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine import _session

SETTINGS = engine.Settings(frames=8)
LDPC = engine.Settings(reconciler="ldpc", frames=8)
# No two pads of it are equal: a message that names another pad has another tag.
SEED = hashlib.shake_256(b"seed").digest(1024)
BLOCKS = {}


def block(number=1, *, of=SETTINGS, **eve):
    """Return the halves of a block; the same one for the same questions, it is never changed."""
    asked = (number, of.block_bits, *sorted(eve.items()))
    if asked not in BLOCKS:
        link = engine.SimulatedLink(of.protocol, engine.Fibre(), rng=np.random.default_rng(number))
        BLOCKS[asked] = link.block(
            number, key_bits=of.block_bits, eavesdropper=engine.Eavesdropper(**eve)
        )
    return BLOCKS[asked]


def sessions(halves=None, of=SETTINGS, reserves=None, entropy=os.urandom):
    sent, seen = halves or block()
    ours, theirs = reserves or (engine.Reserve.from_seed(SEED), engine.Reserve.from_seed(SEED))
    return (
        engine.AliceSession(of, sent, ours, entropy=entropy),
        engine.BobSession(of, seen, theirs),
    )


def talk(alice, bob, line=lambda message: [message], most=60_000):
    """Let them talk over a line that returns what arrives; Bob repeats after a silence."""
    waiting = [("alice", message) for message in line(bob.start())]
    silences = 0
    for _ in range(most):
        if not waiting:
            silences += 1
            if silences > 9 or bob.pending is None:
                break
            waiting = [("alice", message) for message in line(bob.pending)]
            continue
        who, message = waiting.pop(0)
        answer = (alice if who == "alice" else bob).receive(message)
        if answer is not None:
            other = "bob" if who == "alice" else "alice"
            waiting += [(other, heard) for heard in line(answer)]
    return alice.outcome, bob.outcome


def same_key_or_none(ends):
    """What must hold whatever happens."""
    keys = [end for end in ends if isinstance(end, engine.Distilled)]
    if len(keys) == 2:
        assert keys[0].key == keys[1].key
        assert keys[0].for_reserve == keys[1].for_reserve
    return len(keys)


@pytest.mark.parametrize("of", [SETTINGS, LDPC], ids=["cascade", "ldpc"])
def test_a_quiet_line_gives_one_key_to_both(of):
    alice, bob = sessions(of=of)

    ends = talk(alice, bob)

    assert same_key_or_none(ends) == 2
    assert ends[0].label == ends[1].label == "simulated"
    figures = bob.figures
    assert ends[0].bits == figures.secret_bits // 8 * 8 - 8 * of.reserve_bytes
    assert figures.sifted_bits == of.block_bits
    assert figures.error_rate == pytest.approx(0.018, abs=0.002)
    assert 1.0 < figures.inefficiency < (1.06 if of is SETTINGS else 1.2)
    assert figures.secret_bits > 60_000
    told = alice.figures.as_dict()
    assert {**told, "double_clicks": figures.double_clicks} == figures.as_dict()
    assert (alice.phase, bob.phase) == ("done", "done")


def test_the_key_is_balanced_and_differs_from_block_to_block():
    keys = [talk(*sessions(block(number)))[0].key for number in (1, 2)]
    ones = np.unpackbits(np.frombuffer(keys[0], np.uint8))

    assert abs(ones.mean() - 0.5) < 4 * 0.5 / np.sqrt(ones.size)
    assert keys[0][:1000] != keys[1][:1000]


def test_blocks_live_on_what_the_last_one_put_back():
    reserves = engine.Reserve.from_seed(SEED[:112]), engine.Reserve.from_seed(SEED[:112])
    before = reserves[0].tags_left("alice")
    for number in (1, 2):
        ends = talk(*sessions(block(number), reserves=reserves))
        for reserve, end in zip(reserves, ends, strict=True):
            reserve.refill(number, end.for_reserve)

    assert reserves[0].tags_left("alice") == before + 2 * (SETTINGS.reserve_tags - 1)
    assert reserves[0].to_bytes() == reserves[1].to_bytes()


def test_a_first_block_can_be_signed():
    signed = engine.Signatures(
        sign=lambda data: b"signed " + data, verify=lambda data, tag: tag == b"signed " + data
    )

    assert same_key_or_none(talk(*sessions(reserves=(signed, signed)))) == 2


# -- eavesdroppers


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 1.0])
def test_the_key_shrinks_to_nothing_under_an_interceptor(share):
    quiet = talk(*sessions())[0]
    alice, bob = sessions(block(3, intercept=share))

    ends = talk(alice, bob)

    lengths = [end.figures.secret_bits or 0 for end in ends]
    assert max(lengths) < quiet.figures.secret_bits
    if share >= 0.1:
        assert {end.reason for end in ends} <= {"error_rate", "no_key", "peer"}
        assert lengths == [0, 0]
    if share >= 0.5:
        assert bob.outcome.reason == "error_rate"
        assert bob.figures.test_error_rate == pytest.approx(0.26, abs=0.01)


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_a_photon_number_splitter_gets_no_key_out_of_it(share):
    """The error rate stays as it was: the decoys alone tell."""
    alice, bob = sessions(block(4, split=share))

    ends = talk(alice, bob)

    assert same_key_or_none(ends) == 0
    assert "no_key" in {end.reason for end in ends} <= {"no_key", "peer"}
    assert bob.figures.test_error_rate < 0.02
    assert bob.figures.secret_bits == 0


def test_a_burst_of_errors_is_survived():
    ends = talk(*sessions(block(5, burst_error=0.08, burst_share=0.01)))

    assert same_key_or_none(ends) == 2


@pytest.mark.parametrize("of", [SETTINGS, LDPC], ids=["cascade", "ldpc"])
def test_drift_is_survived(of):
    link = engine.SimulatedLink(
        of.protocol, engine.Fibre(misalignment=0.005, drift=0.03), rng=np.random.default_rng(6)
    )

    ends = talk(*sessions(link.block(6, key_bits=of.block_bits), of=of))

    assert same_key_or_none(ends) == 2
    assert ends[0].figures.error_rate > 0.025


# -- the line


def test_every_message_sent_twice_changes_nothing():
    assert same_key_or_none(talk(*sessions(), line=lambda message: [message, message])) == 2


def test_lost_messages_are_said_again():
    lost = iter(range(10**6))

    ends = talk(*sessions(), line=lambda message: [] if next(lost) in {0, 5, 9} else [message])

    assert same_key_or_none(ends) == 2


def test_old_messages_come_back_and_are_left_alone():
    heard = []

    def line(message):
        heard.append(message)
        return [*heard[-4:][::-1], message]

    assert same_key_or_none(talk(*sessions(), line=line)) == 2


def test_a_whole_old_block_played_again_is_nothing():
    recorded = []

    def recorder(message):
        recorded.append(message)
        return [message]

    assert same_key_or_none(talk(*sessions(), line=recorder)) == 2
    alice, bob = sessions(block(2))
    bob.start()
    for message in recorded:
        assert alice.receive(message) is None
        assert bob.receive(message) is None
    assert alice.outcome is bob.outcome is None
    assert same_key_or_none(talk(alice, bob)) == 2


def kinds(of=SETTINGS):
    return {
        SETTINGS: ["DETECTIONS", "SIFT", "ESTIMATE", "PARITIES", "QUESTIONS", "RECONCILED", "VERIFY",
                   "CONFIRM", "FINISH"],
        LDPC: ["SYNDROMES", "RETRY"],
    }[of]  # fmt: skip


def spoiler(kind, spoil):
    """Return a line that spoils the first message of a kind, and a list of whether it did."""
    done = []

    def line(message):
        if message[4] == _session._Kind[kind] and not done:
            done.append(True)
            return [spoil(message)]
        return [message]

    return line, done


def flip(place):
    def spoil(message):
        at = int(place * (8 * len(message) - 1))
        data = bytearray(message)
        data[at // 8] ^= 1 << (at % 8)
        return bytes(data)

    return spoil


@pytest.mark.parametrize("kind", kinds())
@settings(max_examples=4, deadline=None)
@given(place=st.floats(0, 1))
def test_one_flipped_bit_anywhere(kind, place):
    line, done = spoiler(kind, flip(place))
    alice, bob = sessions()

    ends = talk(alice, bob, line=line)

    assert done
    count = same_key_or_none(ends)
    # Bits of a head may be repaired by saying it again; all others must be noticed. Who speaks
    # last can not know whether it arrived: Alice may have the key and Bob not, never another one.
    assert count == 2 or kind == "FINISH" or count == 0
    for end in ends:
        if isinstance(end, engine.Aborted):
            assert end.reason in engine.REASONS


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("spoil", ["cut", "grow", "empty", "zero"])
def test_messages_of_another_length(kind, spoil):
    spoils = {
        "cut": lambda message: message[: len(message) * 2 // 3],
        "grow": lambda message: message + b"\0",
        "empty": lambda message: message[:13],
        "zero": lambda message: message[:13] + bytes(len(message) - 13),
    }
    line, done = spoiler(kind, spoils[spoil])

    ends = talk(*sessions(), line=line)

    assert done
    assert same_key_or_none(ends) < 2 or spoil == "zero"


def test_spoilt_syndromes_end_cleanly():
    line, done = spoiler("SYNDROMES", flip(0.4))

    ends = talk(*sessions(of=LDPC), line=line)

    assert done
    assert same_key_or_none(ends) == 0


@given(st.binary(max_size=60))
@settings(max_examples=50, deadline=None)
def test_any_bytes_are_left_alone_or_end_it(data):
    alice, bob = WAITING
    for session in (alice, bob):
        session.receive(data)
        head = _session._HEAD.pack(b"RKq1", len(data) % 12, 99, 0)
        assert session.receive(head + data) is None  # another block
    assert alice.outcome is None


WAITING = sessions()
WAITING[1].start()


def test_who_has_another_secret_is_not_who_he_says():
    reserves = engine.Reserve.from_seed(SEED), engine.Reserve.from_seed(SEED[::-1])

    ends = talk(*sessions(reserves=reserves))

    assert ends[0].reason == "tag"
    assert ends[1].reason == "peer"
    assert ends[1].peer_reason == "tag"


def test_an_empty_reserve_stops_the_link():
    reserves = engine.Reserve.from_seed(SEED[:112]), engine.Reserve.from_seed(SEED[:112])
    while reserves[1].tags_left("bob"):
        reserves[1].tag("bob", [], 0)

    ends = talk(*sessions(reserves=reserves))

    assert ends[1].reason == "reserve"
    assert same_key_or_none(ends) == 0


def test_no_pad_is_used_twice_over_aborts_and_repeats():
    """Twenty blocks whose last words are lost or spoilt: every tag that left had its own pad."""
    reserves = engine.Reserve.from_seed(SEED), engine.Reserve.from_seed(SEED)
    numbers = []
    for turn in range(6):

        def line(message, turn=turn):
            kind = message[4]
            if kind in {_session._Kind.CONFIRM, _session._Kind.FINISH}:
                numbers.append((kind, message[13:21], message[21:]))
                return [[], [message], [flip(0.9)(message)]][turn % 3]
            return [message]

        talk(*sessions(reserves=reserves), line=line)
    for kind in (_session._Kind.CONFIRM, _session._Kind.FINISH):
        tags = {(number, tag) for which, number, tag in numbers if which == kind}
        assert len({number for number, _ in tags}) == len(tags) >= 2


# -- statistics and settings


def test_halves_of_different_blocks_do_not_fit():
    other = engine.SimulatedLink(
        SETTINGS.protocol, engine.Fibre(), rng=np.random.default_rng(77)
    ).block(1, key_bits=SETTINGS.block_bits)

    ends = talk(*sessions((block()[0], other[1])))

    assert ends[0].reason == "statistics"
    assert ends[1].peer_reason == "statistics"


def test_detections_that_were_never_sent_are_refused():
    sent, seen = block()
    slots = seen.slots.copy()
    slots[-1] = seen.pulses - 1 if int(slots[-1]) != seen.pulses - 1 else slots[-2] + np.uint64(1)
    if int(slots[-1]) == int(seen.slots[-1]):
        pytest.skip("the last slot was seen")
    forged = engine.Detections(1, seen.pulses, seen.label, slots, seen.tags)

    assert talk(*sessions((sent, forged)))[0].reason == "statistics"


def test_a_block_with_too_few_detections_is_dropped():
    link = engine.SimulatedLink(SETTINGS.protocol, engine.Fibre(), rng=np.random.default_rng(1))

    ends = talk(*sessions(link.block(1, key_bits=20_000)))

    assert {end.reason for end in ends} == {"short", "peer"}


@pytest.mark.parametrize(
    "other",
    [engine.Settings(frames=15), engine.Settings(epsilon_secret=1e-9), LDPC,
     engine.Settings(protocol=engine.Protocol(signal=0.41))],
)  # fmt: skip
def test_different_settings_are_noticed_at_once(other):
    sent, seen = block()
    seed = engine.Reserve.from_seed(SEED)
    alice = engine.AliceSession(SETTINGS, sent, seed, entropy=os.urandom)
    bob = engine.BobSession(other, seen, seed)

    assert talk(alice, bob)[0].reason == "settings"


def test_a_device_and_a_simulation_do_not_mix():
    sent, seen = block()
    device = engine.Detections(1, seen.pulses, "vendor 7", seen.slots, seen.tags)

    assert talk(*sessions((sent, device)))[0].reason == "settings"


@pytest.mark.parametrize(
    "wrong",
    [{"frames": 0}, {"frames": 3, "reconciler": "ldpc"}, {"epsilon_secret": 0.0},
     {"epsilon_correct": 1e-40}, {"greatest_error_rate": 0.6}, {"reserve_tags": 0},
     {"reconciler": "winnow"}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(wrong):
    with pytest.raises(engine.BadSettingsError, match="expected"):
        engine.Settings(**wrong)


# -- restarts


@pytest.mark.parametrize("of", [SETTINGS, LDPC], ids=["cascade", "ldpc"])
def test_sessions_go_on_after_a_restart_anywhere(of):
    """Both processes are replaced at chosen points; what was drawn and burned stays so."""
    reserves = engine.Reserve.from_seed(SEED), engine.Reserve.from_seed(SEED)
    alice, bob = sessions(of=of, reserves=reserves)
    plain = talk(*sessions(of=of, entropy=fixed()))[0]
    alice = engine.AliceSession(of, block()[0], reserves[0], entropy=fixed())
    message, spoken = bob.start(), 0
    while message is not None:
        if spoken in {1, 2, 3, 40} or message[4] in {9, 10, 11}:
            alice = engine.AliceSession.load(alice.dump(), of, reserves[0], entropy=fail)
            alice._entropy = fixed(spoken > 1, message[4] >= 8)
            bob = engine.BobSession.load(bob.dump(), of, reserves[1])
        answer = alice.receive(message)
        message = None if answer is None else bob.receive(answer)
        spoken += 1

    assert same_key_or_none((alice.outcome, bob.outcome)) == 2
    assert alice.outcome.key == plain.key
    assert reserves[0].tags_left("alice") == reserves[1].tags_left("alice")
    assert reserves[0].tags_left("bob") == reserves[1].tags_left("bob")


def fail(size):
    raise AssertionError(f"{size} bytes drawn again")


def fixed(*skipped):
    """Return entropy that gives the same bytes for each size, whatever was drawn before."""
    del skipped
    return lambda size: np.random.default_rng(size).bytes(size)


def test_a_journal_can_be_stored_piece_by_piece():
    alice, bob = sessions()
    stored = alice.dump()
    entries = alice.entries
    message = bob.start()
    for _ in range(6):
        message = bob.receive(alice.receive(message))
        stored += alice.dump(since=entries)
        entries = alice.entries

    assert stored == alice.dump()
    loaded = engine.AliceSession.load(stored, SETTINGS, None, entropy=fail)
    assert loaded.pending == alice.pending


# -- long runs


def test_a_soak_keeps_its_books():
    *_, last = engine.soak(1_500_000, rng=np.random.default_rng(8))

    assert last.sifted_bits >= 1_500_000
    assert last.unequal_keys == 0
    assert last.failed_blocks == {}
    assert last.frames == last.sifted_bits // 65_536
    assert 1.02 < last.inefficiency < 1.05
    assert last.frame_error_bound == pytest.approx(3.0 / last.frames, rel=0.01)


def test_a_soak_under_attack_makes_no_key():
    last = next(
        engine.soak(
            1, rng=np.random.default_rng(9), eavesdropper=engine.Eavesdropper(intercept=1.0)
        )
    )

    assert last.secret_bits == 0
    assert last.failed_blocks == {"error_rate": 1}
