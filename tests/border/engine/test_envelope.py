"""Statements: what is signed, what is refused, and what a newer version may add."""

import hashlib
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.border.engine.pair import NOON, stream

from renkei.border import engine
from renkei.kit.errors import RenkeiError

KEYS = engine.NodeKeys.generate(stream("envelope"))
OTHER = engine.NodeKeys.generate(stream("other"))
BODY = {"amount": "12500000.00", "currency": "USD", "note": "共同 𠮷 facility"}


def compose(**changes):
    fields = {
        "type": "record.commitment.stated",
        "id": "c-1",
        "issuer": "us.example/log",
        "issued": NOON,
        "record": "commitment/c-17",
        "parent": "0" * 64,
        "body": BODY,
        "refs": [engine.Ref("jp.example/log", 7, "a" * 64)],
        "signers": KEYS.log.both,
    } | changes
    return engine.compose(**fields)


def respell(data, change):
    """Change a statement as a stranger would: parse, change, spell again."""
    said = json.loads(data)
    change(said)
    return engine.canonical(said)


def test_a_statement_is_read_as_it_was_said():
    data = compose()

    read = engine.read_envelope(data)

    assert (read.type, read.id, read.issuer) == (
        "record.commitment.stated",
        "c-1",
        "us.example/log",
    )
    assert read.issued == NOON
    assert (read.record, read.parent) == ("commitment/c-17", "0" * 64)
    assert read.body == BODY
    assert read.commitment is None
    assert read.refs == (engine.Ref("jp.example/log", 7, "a" * 64),)
    assert read.version == "1.0"
    assert read.leaf == hashlib.sha256(b"\0" + data).hexdigest()
    assert engine.verify_envelope(read, [KEYS.log.public], require=engine.BOTH) == KEYS.log.public


def test_what_is_signed_is_the_prefix_and_the_text_without_signatures():
    """The form is fixed for good: other programs check it."""
    data = engine.compose(
        type="a.b", id="1", issuer="us.example/log", issued=NOON, body={}, signers=KEYS.log.both
    )
    signed = (
        b'renkei-statement/v1\n\0{"body":{},"id":"1","issued":"2026-11-22T12:00:00Z",'
        b'"issuer":"us.example/log","type":"a.b","version":"1.0"}'
    )

    read = engine.read_envelope(data)

    assert read.payload == signed
    KEYS.log_ed25519.public_key().verify(read.signatures[0].sig, signed)
    KEYS.log_mldsa44.public_key().verify(read.signatures[1].sig, signed)


def test_ed25519_signs_the_same_bytes_each_time():
    """RFC 8032 has no chance in it: an entry that is composed again is the same entry."""
    assert compose(signers=[KEYS.log.ed25519]) == compose(signers=[KEYS.log.ed25519])


json_bodies = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab😀ﬀ"), inner),
        max_leaves=8,
    ),
    max_size=4,
)


@given(json_bodies)
@settings(max_examples=60)
def test_every_body_is_said_and_verified(body):
    read = engine.read_envelope(compose(body=body, signers=[KEYS.log.ed25519]))

    assert read.body == body
    engine.verify_envelope(read, [KEYS.log.public])


SIGNED = compose(signers=[KEYS.log.ed25519])


@given(st.integers(0, len(SIGNED) - 1), st.integers(0, 7))
@settings(max_examples=200)
def test_no_bit_can_be_changed(at, bit):
    """Every flipped bit is refused by the reader or by the signature."""
    data = bytearray(SIGNED)
    data[at] ^= 1 << bit

    with pytest.raises(RenkeiError):
        engine.verify_envelope(engine.read_envelope(bytes(data)), [KEYS.log.public])


def test_a_moment_is_written_in_utc_to_the_second():
    tokyo = timezone(timedelta(hours=9))
    read = engine.read_envelope(
        compose(issued=datetime(2026, 11, 22, 21, 0, 0, 999_999, tzinfo=tokyo))
    )

    assert read.issued == NOON
    assert read.issued.tzinfo == UTC


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"type": "Commitment"},
            "type is 'Commitment': expected at most 100 characters of the form",
        ),
        ({"type": "a." + "b" * 100}, "type"),
        ({"id": ""}, "id is ''"),
        ({"id": "x" * 101}, "id"),
        ({"issuer": "https://us.example/log"}, "no origin of a log"),
        ({"issued": NOON.replace(tzinfo=None)}, "no time zone"),
        ({"record": "line\nbreak"}, "record"),
        ({"parent": "abc"}, "parent is 'abc': expected at most 64"),
        ({"body": None}, "either a body or a commitment"),
        ({"commitment": "0" * 64}, "either a body or a commitment"),
        ({"body": {"amount": 12.5}}, "12.5 is not a whole number: amounts are texts"),
        ({"body": {"a": [0.1]}}, "amounts are texts"),
        ({"refs": [engine.Ref("jp.example/log", -1, "a" * 64)]}, "refs.index"),
        (
            {"refs": [engine.Ref("jp.example/log", 1, "a" * 64)] * 65},
            r"refs is .*: expected \[1–64\]",
        ),
        ({"signers": []}, "signed with Ed25519 at least"),
        ({"signers": [KEYS.log.mldsa44]}, "signed with Ed25519 at least"),
        ({"body": {"text": "x" * 65_000}}, "at most 65535; commit to the content"),
    ],
)
def test_nothing_is_signed_that_a_reader_would_refuse(changes, why):
    with pytest.raises(RenkeiError, match=why):
        compose(**changes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda said: said.pop("id"), "no 'id'"),
        (lambda said: said.pop("signatures"), "no 'signatures'"),
        (lambda said: said.update(unknown=1), "has no field 'unknown'"),
        (lambda said: said.update(issued="2026-11-22T12:00:00+00:00"), "no moment"),
        (lambda said: said.update(issued="2026-02-30T12:00:00Z"), "no moment"),
        (lambda said: said.update(issued=1), "no moment"),
        (lambda said: said.update(type=["a.b"]), "type"),
        (lambda said: said.update(record=""), "record"),
        (lambda said: said.update(body=[]), "body is .*: expected {…}"),
        (lambda said: said.update(body=None), "body"),
        (lambda said: said.update(refs=[]), r"refs is .*: expected \[1–64\]"),
        (lambda said: said["refs"][0].pop("leaf"), "expected {index, leaf, origin}"),
        (lambda said: said["refs"][0].update(index=True), "refs.index"),
        (lambda said: said.update(signatures=[]), r"signatures is .*: expected \[1–16\]"),
        (
            lambda said: said.update(signatures=said["signatures"] * 9),
            r"signatures is .*: expected \[1–16\]",
        ),
        (lambda said: said.update(signatures=said["signatures"] * 2), "once, not twice"),
        (lambda said: said["signatures"][0].update(sig="AA=="), "1 bytes: expected 64"),
        (lambda said: said["signatures"][0].update(sig="!"), "not base64"),
        (lambda said: said["signatures"][0].update(kid="x"), "kid"),
        (lambda said: said["signatures"][0].update(extra=1), "expected {alg, kid, sig}"),
        (lambda said: said.update(version=1), "no version"),
        (lambda said: said.update(version="1"), "no version"),
        (lambda said: said.pop("version"), "no version"),
    ],
)
def test_a_malformed_statement_is_refused(change, why):
    with pytest.raises(engine.BadEnvelopeError, match=why):
        engine.read_envelope(respell(compose(), change))


@pytest.mark.parametrize("value", [[], "text", 1, None])
def test_canonical_json_that_is_no_object_is_no_statement(value):
    with pytest.raises(engine.BadEnvelopeError, match="no object"):
        engine.read_envelope(engine.canonical(value))


def test_another_major_version_is_told_apart():
    """It is kept and mirrored, so the reader must be able to tell it from garbage."""
    data = respell(compose(), lambda said: said.update(version="2.0", anything={}))

    with pytest.raises(engine.UnknownVersionError, match=r"2\.0: this node reads 1\.0"):
        engine.read_envelope(data)


def test_a_newer_minor_version_may_say_more():
    """What it adds is signed and kept, and changes nothing that is understood."""
    said = json.loads(compose())
    said |= {"version": "1.3", "language": "ja"}
    unsigned = engine.canonical({k: v for k, v in said.items() if k != "signatures"})
    said["signatures"] = [
        {
            "kid": key.kid,
            "alg": key.alg,
            "sig": b64encode(key.sign(b"renkei-statement/v1\n\0" + unsigned)).decode(),
        }
        for key in KEYS.log.both
    ]

    read = engine.read_envelope(engine.canonical(said))

    assert read.extra == {"language": "ja"}
    assert read.body == BODY
    engine.verify_envelope(read, [KEYS.log.public], require=engine.BOTH)
    said["language"] = "en"
    with pytest.raises(engine.ForgedStatementError):
        engine.verify_envelope(
            engine.read_envelope(engine.canonical(said)), [KEYS.log.public], require=engine.BOTH
        )


class TestWhoSigned:
    def test_either_of_two_pairs_will_do(self):
        read = engine.read_envelope(compose())

        signed = engine.verify_envelope(read, [OTHER.log.public, KEYS.log.public])

        assert signed == KEYS.log.public

    def test_a_stripped_signature_is_refused(self):
        """A solemn statement of which one algorithm was taken away is no statement."""
        for index in (0, 1):
            data = respell(compose(), lambda said: said["signatures"].pop(index))  # noqa: B023
            with pytest.raises(engine.StrippedSignatureError, match="every algorithm"):
                engine.verify_envelope(
                    engine.read_envelope(data), [KEYS.log.public], require=engine.BOTH
                )

    def test_unknown_keys_are_passed_over(self):
        read = engine.read_envelope(compose(signers=[*OTHER.log.both, *KEYS.log.both]))

        assert engine.verify_envelope(read, [KEYS.log.public], require=engine.BOTH)

    def test_nobody_known_is_nobody(self):
        read = engine.read_envelope(compose())
        for keys in ([], [OTHER.log.public], [KEYS.witness.public]):
            with pytest.raises(engine.UnknownSignerError, match="no key that may sign here"):
                engine.verify_envelope(read, keys)

    def test_two_pairs_do_not_make_one(self):
        """Ed25519 of one pair and ML-DSA-44 of another are two half signatures."""
        read = engine.read_envelope(compose(signers=[KEYS.log.ed25519, OTHER.log.mldsa44]))

        with pytest.raises(engine.StrippedSignatureError):
            engine.verify_envelope(read, [KEYS.log.public, OTHER.log.public], require=engine.BOTH)

    def test_the_algorithm_is_the_key_s(self):
        """A message that calls an Ed25519 signature by another name is refused, not obeyed."""
        data = respell(compose(), lambda said: said["signatures"][0].update(alg="none", sig=""))

        with pytest.raises(engine.ForgedStatementError, match="ed25519"):
            engine.verify_envelope(engine.read_envelope(data), [KEYS.log.public])

    def test_a_known_key_s_bad_signature_spoils_the_rest(self):
        """Also where that algorithm was not asked for (C2SP signed-note has the same rule)."""
        other = json.loads(compose(id="c-2"))["signatures"][1]
        data = respell(compose(), lambda said: said["signatures"].__setitem__(1, other))

        with pytest.raises(engine.ForgedStatementError, match="ml-dsa-44"):
            engine.verify_envelope(engine.read_envelope(data), [KEYS.log.public])


class TestCommitments:
    SALT = bytes(range(32))

    def test_a_known_answer(self):
        """SHA-256 of 32 bytes 00…1f and the text, by sha256sum."""
        assert engine.commitment_of(b"abc", self.SALT) == (
            "42fd4a8c529fdb402d577c701b291018f0b2c52207f96e2a057483fd349a9868"
        )

    @given(st.binary(max_size=80), st.binary(min_size=32, max_size=32))
    def test_it_opens_to_its_content_alone(self, content, salt):
        commitment = engine.commitment_of(content, salt)

        assert engine.open_commitment(commitment, content, salt) == content
        for other, grain in ((content + b"x", salt), (content, bytes(31) + b"\1")):
            if (other, grain) != (content, salt):
                with pytest.raises(engine.BadCommitmentError, match="not what was committed to"):
                    engine.open_commitment(commitment, other, grain)

    def test_a_short_salt_is_refused(self):
        """Of a guessable text the hash must not tell that the guess was right."""
        with pytest.raises(engine.BadCommitmentError, match="31 bytes: expected 32"):
            engine.commitment_of(b"Dana Whitfield", bytes(31))

    def test_a_statement_carries_it_instead_of_a_body(self):
        commitment = engine.commitment_of(b"secret", self.SALT)

        read = engine.read_envelope(compose(body=None, commitment=commitment))

        assert (read.body, read.commitment) == (None, commitment)
        assert b"secret" not in read.data


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(data):
    with pytest.raises((engine.NotCanonicalError, engine.BadEnvelopeError)):
        engine.read_envelope(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab01:.", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(json.loads(SIGNED))), json_values)
@settings(max_examples=200)
def test_any_value_in_any_field_is_read_or_refused(name, value):
    data = respell(SIGNED, lambda said: said.__setitem__(name, value))

    try:
        engine.read_envelope(data)
    except (engine.BadEnvelopeError, engine.UnknownVersionError):
        return
    assert name in {"body", "id", "record", "issuer"} or value == json.loads(SIGNED)[name]


@pytest.mark.parametrize("where", ["body", "zeal"])
def test_only_the_statement_s_own_signatures_are_cut_out(where):
    """Something that looks like them, in what is said or in a field of a newer minor version."""
    lookalike = {"a": 1, "signatures": [{"alg": "ed25519", "kid": "0" * 32, "sig": ""}]}
    said = json.loads(compose())
    said[where] = lookalike
    said["version"] = "1.9"
    signed = dict(said)
    del signed["signatures"]
    payload = engine.canonical(signed)

    envelope = engine.read_envelope(engine.canonical(said))

    assert envelope.payload.endswith(payload)
    assert len(envelope.payload) - len(payload) < 64  # the prefix alone
