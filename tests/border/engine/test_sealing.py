"""Content for one party's eyes, tied to the statement that committed to it."""

import json

import pytest
from cryptography.hazmat.primitives import hpke
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.border.engine.pair import SALT, stream

from renkei.border import engine
from renkei.border.engine import _sealing
from renkei.kit.errors import TooLargeError

JP = engine.NodeKeys.generate(stream("jp-sealing"))
US = engine.NodeKeys.generate(stream("us-sealing"))
PLACE = {"issuer": "us.example/log", "recipient": "jp.example/log", "entry": "c-1"}
TEXT = "佐藤 恵".encode()
COMMITMENT = engine.commitment_of(TEXT, SALT)


def sealed(**changes):
    return engine.seal(TEXT, SALT, to=JP.sealing.public, **(PLACE | changes))


@given(st.binary(max_size=500), st.binary(min_size=32, max_size=32))
@settings(max_examples=40)
def test_what_is_sealed_opens_with_its_salt(content, salt):
    data = engine.seal(content, salt, to=JP.sealing.public, **PLACE)

    opened = engine.unseal(
        data, keys=[JP.sealing], commitment=engine.commitment_of(content, salt), **PLACE
    )

    assert opened == (content, salt)
    assert len(data) == len(content) + 32 + 1_153


def test_the_form_is_hpke_with_the_statement_as_info():
    """RFC 9180 base mode: another program opens it with the suite and the info alone."""
    info = (
        b"renkei-seal/v1\n\0"
        + json.dumps(
            {
                "commitment": COMMITMENT,
                "entry": "c-1",
                "issuer": "us.example/log",
                "recipient": "jp.example/log",
            },
            separators=(",", ":"),
        ).encode()
    )
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    data = sealed()

    assert data[:1] == b"\x01"
    assert data[1:17].hex() == JP.sealing.public.kid
    assert suite.decrypt(data[17:], JP.sealing.hpke, info) == SALT + TEXT


def test_it_is_never_sealed_the_same_way_twice():
    assert sealed() != sealed()


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "jp.example/log"},
        {"recipient": "us.example/log"},
        {"entry": "c-2"},
        {"commitment": engine.commitment_of(b"other", SALT)},
    ],
)
def test_it_opens_nowhere_else(changes):
    """Sealed bytes moved to another statement, or to another party's name, stay shut."""
    arguments = PLACE | {"commitment": COMMITMENT} | changes

    with pytest.raises(engine.BadSealError, match="does not open"):
        engine.unseal(sealed(), keys=[JP.sealing], **arguments)


@given(st.integers(0, 1_152 + 32 + len(TEXT)), st.integers(0, 7))
@settings(max_examples=100)
def test_no_bit_can_be_changed(at, bit):
    data = bytearray(sealed())
    data[at] ^= 1 << bit

    with pytest.raises(engine.BadSealError):
        engine.unseal(bytes(data), keys=[JP.sealing], commitment=COMMITMENT, **PLACE)


def test_another_node_cannot_open_it():
    with pytest.raises(engine.BadSealError, match="expected one of this node"):
        engine.unseal(sealed(), keys=[US.sealing], commitment=COMMITMENT, **PLACE)


def test_a_key_that_was_rotated_away_from_still_opens():
    keys = [US.sealing, JP.sealing]

    assert engine.unseal(sealed(), keys=keys, commitment=COMMITMENT, **PLACE) == (TEXT, SALT)


@given(st.binary(max_size=2_000))
@settings(max_examples=50)
def test_garbage_is_refused(data):
    for shaped in (data, b"\x01" + bytes.fromhex(JP.sealing.public.kid) + data):
        with pytest.raises(engine.BadSealError):
            engine.unseal(shaped, keys=[JP.sealing], commitment=COMMITMENT, **PLACE)


def test_too_much_is_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(_sealing, "LARGEST_SEALED", 100)

    with pytest.raises(TooLargeError, match="101 bytes: at most 100"):
        engine.seal(bytes(101), SALT, to=JP.sealing.public, **PLACE)
    with pytest.raises(TooLargeError):
        engine.unseal(bytes(2_149), keys=[JP.sealing], commitment=COMMITMENT, **PLACE)


def test_the_same_without_a_real_salt_is_refused():
    with pytest.raises(engine.BadCommitmentError, match="expected 32"):
        engine.seal(TEXT, b"", to=JP.sealing.public, **PLACE)
