"""Key at rest opens only as what it is; tags and fingerprints are those of their standards."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from renkei.link import engine

KEK = bytes(range(32))


@given(st.binary(max_size=200), st.text(max_size=30))
def test_what_is_sealed_opens_as_what_it_is(piece, what):
    rest = engine.AtRest(KEK)

    sealed = rest.seal(piece, what=what)

    assert rest.open(sealed, what=what) == piece
    assert len(sealed) == len(piece) + 48
    with pytest.raises(engine.DamagedKeyError):
        rest.open(sealed, what=what + "x")


@pytest.mark.parametrize("at", [0, 31, 32, 40, -1])
def test_a_flipped_bit_anywhere_is_noticed(at):
    rest = engine.AtRest(KEK)
    sealed = bytearray(rest.seal(b"k" * 32, what="x"))
    sealed[at] ^= 1
    with pytest.raises(engine.DamagedKeyError, match="does not open"):
        rest.open(bytes(sealed), what="x")


def test_the_same_key_never_looks_the_same_twice():
    rest = engine.AtRest(KEK)
    assert rest.seal(b"k" * 32, what="x") != rest.seal(b"k" * 32, what="x")


def test_another_key_encryption_key_opens_nothing():
    sealed = engine.AtRest(KEK).seal(b"k", what="x")
    with pytest.raises(engine.DamagedKeyError):
        engine.AtRest(KEK[::-1]).open(sealed, what="x")


def test_sealing_is_aes_gcm_under_a_derived_key():
    """An independent derivation: HMAC of the label and the salt, then NIST's AES-256-GCM."""
    import hashlib
    import hmac

    sealed = engine.AtRest(KEK).seal(b"secret", what="leaf 1")
    derived = hmac.new(KEK, b"renkei link at rest 1\0" + sealed[:32], hashlib.sha256).digest()
    assert AESGCM(derived).decrypt(bytes(12), sealed[32:], b"leaf 1") == b"secret"


@pytest.mark.parametrize("count", [0, 16, 31, 33])
def test_a_short_key_encryption_key_is_refused(count):
    with pytest.raises(engine.DamagedKeyError, match=f"has {count} bytes"):
        engine.AtRest(bytes(count))


def test_the_tag_is_that_of_rfc_8439():
    """RFC 8439, 2.5.2."""
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    tag = engine.one_time_tag(b"Cryptographic Forum Research Group", key)
    assert tag.hex() == "a8061dc1305136c6c22b8baf0c0127a9"


def test_a_one_time_key_has_32_bytes():
    with pytest.raises(ValueError, match="32 bytes"):
        engine.one_time_tag(b"", b"short")


@given(st.binary(min_size=1, max_size=200), st.integers(0, 200 * 8))
def test_blocks_that_differ_in_one_bit_have_other_fingerprints(rest, at):
    spent = bytes(range(100, 132))
    other = bytearray(rest)
    other[at // 8 % len(rest)] ^= 1 << at % 8

    mark, key = engine.split_fingerprint(spent + rest)

    assert key == rest
    assert engine.split_fingerprint(spent + other)[0] != mark
