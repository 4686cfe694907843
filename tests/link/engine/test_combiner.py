"""The combiner: known answers by an independent derivation, and every input counts."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine
from renkei.link.engine import Context

SECRETS = {"mlkem": b"\1" * 32, "x25519": b"\2" * 32, "qkd": b"\3" * 32}
CONTEXT = Context(
    sender="us",
    receiver="jp",
    key_ids=("94d4eaa0-8f17-836b-8222-395fc0010000",),
    public=b"public",
    encapsulated=b"text",
    transcript=b"header",
)


def long(parts):
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def hkdf_extract(salt, secret):
    """RFC 5869, 2.2, written anew with hashlib alone: HMAC by its own definition (RFC 2104)."""
    block = 128
    key = salt.ljust(block, b"\0")
    inner = hashlib.sha384(bytes(one ^ 0x36 for one in key) + secret).digest()
    return hashlib.sha384(bytes(one ^ 0x5C for one in key) + inner).digest()


def hkdf_expand(key, info, length):
    """RFC 5869, 2.3."""
    out, last, number = b"", b"", 1
    while len(out) < length:
        last = hmac.new(key, last + info + bytes([number]), hashlib.sha384).digest()
        out, number = out + last, number + 1
    return out[:length]


def test_the_combiner_is_hkdf_over_lengths_and_secrets_bound_to_everything():
    suite = b"ML-KEM-1024+X25519+QKD/HKDF-SHA-384/AES-256-GCM"
    bound = long(
        [suite, b"us", b"jp", long([CONTEXT.key_ids[0].encode()]), b"public", b"text", b"header"]
    )
    expected = hkdf_extract(
        hashlib.sha384(bound).digest(), long([b"\1" * 32, b"\2" * 32, b"\3" * 32])
    )
    key = engine.combine(**SECRETS, context=CONTEXT)

    assert key == expected
    assert engine.expand(key, "chunks 0", 100) == hkdf_expand(key, suite + b"\0chunks 0", 100)


def test_a_known_answer_that_must_never_change():
    """Files that were sealed must open with later versions."""
    key = engine.combine(**SECRETS, context=CONTEXT)
    assert engine.expand(key, "chunks 0", 32).hex() == (
        "4024b2458999337df2dd2135aee9b53b54f0216e0226b96f570ac75f5d215449"
    )


@pytest.mark.parametrize("name", SECRETS)
def test_the_key_changes_with_any_one_secret_while_the_others_are_known(name):
    known = engine.combine(**SECRETS, context=CONTEXT)
    outputs = []
    for guess in range(200):
        secret = hashlib.sha256(bytes([guess])).digest()
        outputs.append(engine.combine(**(SECRETS | {name: secret}), context=CONTEXT))
    assert known not in outputs
    assert len(set(outputs)) == 200
    ones = sum(int.from_bytes(one, "big").bit_count() for one in outputs)
    assert abs(ones / (200 * 384) - 0.5) < 0.01  # 5.5 standard deviations


@pytest.mark.parametrize(
    "other",
    [
        {"sender": "jp", "receiver": "us"},
        {"key_ids": ()},
        {"key_ids": ("94d4eaa0-8f17-836b-8222-395fc0010001",)},
        {"public": b"publi"},
        {"encapsulated": b"texu"},
        {"transcript": b""},
        {"sender": "usj", "receiver": "p"},
    ],
)
def test_everything_that_was_seen_is_bound(other):
    from dataclasses import replace

    assert engine.combine(**SECRETS, context=replace(CONTEXT, **other)) != engine.combine(
        **SECRETS, context=CONTEXT
    )


@given(st.binary(min_size=96, max_size=96))
def test_sender_and_receiver_find_the_same_secrets(seed):
    receiver = engine.Recipient(seed)
    mlkem, x25519, encapsulated = engine.encapsulate(receiver.public)
    assert receiver.decapsulate(encapsulated) == (mlkem, x25519)


def test_what_is_no_key_is_refused():
    receiver = engine.Recipient(bytes(range(96)))
    for bad in (b"", receiver.public[:-1], bytes(32) + receiver.public[32:], b"\xff" * 1600):
        with pytest.raises(engine.BadPublicKeyError):
            engine.encapsulate(bad)
    for bad in (b"", bytes(1600)):  # an all-zero X25519 key is of small order
        with pytest.raises(engine.BadPublicKeyError):
            receiver.decapsulate(bad)
    with pytest.raises(engine.BadPublicKeyError):
        engine.Recipient(bytes(95))
