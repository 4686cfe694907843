"""Tags: nobody else makes them, no pad serves twice, and the reserve survives on the disk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine import _authentication
from renkei.link.engine._authentication import transcript_hash

SEED = np.random.default_rng(0).bytes(512)
SAID = [b"detections", b"", b"sift" * 1000]


def pair(seed=SEED):
    return engine.Reserve.from_seed(seed), engine.Reserve.from_seed(seed)


@pytest.mark.parametrize("side", ["alice", "bob"])
def test_a_tag_is_recognised_once(side):
    ours, theirs = pair()
    tag = ours.tag(side, SAID, 0)

    assert theirs.check(side, SAID, 0, tag)
    assert not theirs.check(side, SAID, 0, tag)


@pytest.mark.parametrize(
    "said",
    [
        [b"detectionS", b"", SAID[2]],
        [b"detections", SAID[2]],
        [b"detections", b"", SAID[2] + b"\0"],
        [b"detections" + SAID[2], b""],
        [SAID[2], b"", b"detections"],
        [],
    ],
)
def test_other_words_are_not_those(said):
    ours, theirs = pair()

    assert not theirs.check("alice", said, 0, ours.tag("alice", SAID, 0))


def test_a_tag_of_one_direction_is_none_of_the_other():
    ours, theirs = pair()

    assert not theirs.check("bob", SAID, 0, ours.tag("alice", SAID, 0))


@pytest.mark.parametrize("at", range(24))
def test_a_flipped_bit_of_a_tag_is_seen(at):
    ours, theirs = pair()
    tag = bytearray(ours.tag("alice", SAID, 0))
    tag[at] ^= 1 << (at % 8)

    assert not theirs.check("alice", SAID, 0, bytes(tag))


def test_no_pad_is_used_twice_and_the_end_is_said():
    ours, _ = pair()
    count = ours.tags_left("alice")
    tags = [ours.tag("alice", SAID, 0) for _ in range(count)]

    assert len({tag[:8] for tag in tags}) == count
    assert len({tag[8:] for tag in tags}) == count
    with pytest.raises(engine.EmptyReserveError, match="new seed"):
        ours.tag("alice", SAID, 0)
    assert ours.tags_left("bob") == count


def test_a_forged_number_burns_no_more_than_a_few_pads():
    _, theirs = pair(bytes(4096))
    before = theirs.tags_left("alice")

    assert not theirs.check("alice", SAID, 0, (before - 1).to_bytes(8, "little") + bytes(16))
    assert not theirs.check("alice", SAID, 0, (2**63).to_bytes(8, "little") + bytes(16))
    assert theirs.tags_left("alice") == before


def test_pads_lost_on_one_side_are_burned_on_the_other():
    """Two blocks came to nothing after Alice had made her tags."""
    ours, theirs = pair()
    for _ in range(2):
        ours.tag("alice", [b"lost"], 0)

    assert theirs.check("alice", SAID, 0, ours.tag("alice", SAID, 0))
    assert theirs.tags_left("alice") == ours.tags_left("alice")


def test_pads_that_may_have_been_used_are_burned_on_one_side_alone():
    ours, theirs = pair()
    used = {ours.tag("bob", SAID, 0)[:8] for _ in range(2)}
    back, _ = pair()  # as before it sent them
    before = back.tags_left("alice"), back.tags_left("bob")
    back.burn("bob", 2)

    assert (back.tags_left("alice"), back.tags_left("bob")) == (before[0], before[1] - 2)
    again = engine.Reserve.from_bytes(back.to_bytes()).tag("bob", SAID, 0)
    assert again[:8] not in used
    assert theirs.check("bob", SAID, 0, again)
    back.burn("bob", 10_000)
    with pytest.raises(engine.EmptyReserveError):
        back.tag("bob", SAID, 0)


def test_a_finished_block_brings_pads_and_a_new_hash_key():
    ours, theirs = pair()
    material = np.random.default_rng(1).bytes(16 + 2 * 4 * 16)
    before = ours.tags_left("bob")
    for reserve in (ours, theirs):
        reserve.refill(7, material)
        reserve.refill(7, material)  # told twice
        reserve.refill(3, material)  # told late

    assert ours.newest == 7
    assert ours.tags_left("bob") == before + 4
    assert theirs.check("bob", SAID, 7, ours.tag("bob", SAID, 7))
    # who has not stored the block yet still shares the seed
    assert theirs.check("bob", SAID, 0, ours.tag("bob", SAID, 0))


def test_the_reserve_does_not_grow_without_end():
    ours, _ = pair()
    for block in range(1, 200):
        ours.refill(block, bytes(16 + 2 * 4 * 16))

    assert ours.tags_left("alice") <= _authentication.MOST_PADS


def test_a_reserve_survives_the_disk_without_what_was_used():
    ours, theirs = pair()
    used = ours.tag("alice", SAID, 0)
    read = engine.Reserve.from_bytes(ours.to_bytes())

    assert read.tags_left("alice") == ours.tags_left("alice")
    again = read.tag("alice", SAID, 0)
    assert again[:8] != used[:8]
    assert theirs.check("alice", SAID, 0, again)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"keys": {}}', b"\xff", b'{"keys": {"a": 1}}']
)
def test_other_bytes_are_no_reserve(data):
    with pytest.raises(engine.BadReserveError):
        engine.Reserve.from_bytes(data)


def test_a_short_seed_is_refused():
    with pytest.raises(engine.BadReserveError, match="111 bytes: expected at least 112"):
        engine.Reserve.from_seed(bytes(111))


@given(st.lists(st.binary(max_size=40), max_size=4), st.lists(st.binary(max_size=40), max_size=4))
def test_different_talks_have_different_hashes(one, other):
    key = bytes(range(1, 17))
    assert (transcript_hash(one, key) == transcript_hash(other, key)) == (one == other)


def test_a_block_can_be_signed_instead():
    """With the ML-DSA of the node's identity; here with a key of the test."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

    private = MLDSA65PrivateKey.generate()

    def verify(data, signature):
        try:
            private.public_key().verify(signature, data)
        except InvalidSignature:
            return False
        return True

    signed = engine.Signatures(sign=private.sign, verify=verify)
    tag = signed.tag("alice", SAID, 0)

    assert signed.check("alice", SAID, 0, tag)
    assert not signed.check("bob", SAID, 0, tag)
    assert not signed.check("alice", SAID[:2], 0, tag)
    assert not signed.check("alice", SAID, 0, tag[:-1] + bytes([tag[-1] ^ 1]))
