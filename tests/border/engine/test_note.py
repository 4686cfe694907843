"""Signed notes: other people's are read, ours are strict, and no key is taken for another."""

from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from tests.border.logs import Log, cosigners, ed25519, mldsa44, numbered

from renkei.border import engine

VECTORS = Path(__file__).parent.parent / "vectors"

# The package documentation of golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
""".encode()

# C2SP signed-note, Verifier keys.
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = """\
This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
""".encode()


@pytest.mark.parametrize(("key", "note"), [(GO_KEY, GO_NOTE), (SPEC_KEY, SPEC_NOTE)])
def test_published_notes_open(key, note):
    parsed = engine.VerifierKey.parse(key)
    assert parsed.text == key
    opened, verified = engine.open_note(note, [parsed])
    assert verified == (parsed,)
    assert opened.dump() == note
    with pytest.raises(engine.BadSignatureError):
        engine.open_note(note.replace(b"is", b"is ", 1), [parsed])


def test_our_signature_is_gos_signature():
    """The same key and text give the same bytes: Ed25519 leaves no choice."""
    signer = engine.Ed25519NoteSigner(
        "PeterNeumann", Ed25519PrivateKey.from_private_bytes(b64decode(GO_SEED)[1:])
    )
    text = GO_NOTE.decode().partition("\n\n")[0] + "\n"
    assert engine.sign_note(text, [signer]).dump() == GO_NOTE


def test_a_public_witness_is_understood():
    """Both cosignatures of a witness that is not ours, over a log that is not ours."""
    note = (VECTORS / "navigli.note").read_bytes()
    keys = [
        engine.VerifierKey.parse(line)
        for line in (VECTORS / "navigli.vkeys").read_text("utf-8").split()
    ]
    assert [key.kind for key in keys] == [engine.ED25519_COSIGNATURE, engine.MLDSA44_COSIGNATURE]
    opened, verified = engine.open_note(note, keys)
    assert set(verified) == set(keys)
    assert [opened.by(key).timestamp for key in keys] == [1_785_704_691] * 2
    for key in keys:
        for old, new in ((b"185550722", b"185550723"), (b"YXAM", b"YXAN"), (b"coach", b"pouch")):
            with pytest.raises(engine.BadSignatureError):
                engine.open_note(note.replace(old, new, 1), [key])


def test_the_number_of_an_ml_dsa_key():
    """Test data of the witness "litewitness": the key of this seed has this number."""
    seed = "2886adc2b0eabfce67c0472939127998bf886cf256bfee8ba76a253fce1146e0"
    private = MLDSA44PrivateKey.from_seed_bytes(bytes.fromhex(seed))
    key = engine.MlDsa44Cosigner("example.com/mldsa-log", private).key
    assert key.key_id.hex() == "b5df45c5"
    assert key.text.startswith("example.com/mldsa-log+b5df45c5+BuhtcL97l3dc")


def test_what_each_kind_signs():
    """C2SP tlog-cosignature, byte by byte."""
    text = "log.example/x\n5\n" + b64encode(bytes(range(32))).decode() + "\n"
    by_ed25519, by_mldsa44 = cosigners("w.example")
    old, new = (key.sign_note(text.encode(), timestamp=7) for key in (by_ed25519, by_mldsa44))
    assert old[:8] == new[:8] == bytes(7) + b"\7"
    assert (len(old), len(new)) == (8 + 64, 8 + 2420)
    ed25519("w.example").public_key().verify(old[8:], b"cosignature/v1\ntime 7\n" + text.encode())
    mldsa44("w.example").public_key().verify(
        new[8:],
        b"subtree/v1\n\0" + b"\x09w.example" + bytes(7) + b"\7" + b"\x0dlog.example/x"
        + bytes(8) + bytes(7) + b"\5" + bytes(range(32)),
    )  # fmt: skip


def test_a_time_beyond_what_can_be_written_is_nobodys():
    """C2SP tlog-cosignature: a timestamp does not exceed 2^63-1, whoever signs it."""
    text = f"log.example/x\n5\n{b64encode(bytes(32)).decode()}\n".encode()
    key = cosigners("w.example")[0].key
    for timestamp, good in ((2**63 - 1, True), (2**63, False)):
        signed = b"cosignature/v1\ntime %d\n" % timestamp + text
        signature = timestamp.to_bytes(8, "big") + ed25519("w.example").sign(signed)
        assert key.verifies(text, signature) is good


def test_a_cosignature_over_a_text_that_is_no_checkpoint_is_nobodys():
    text = b"pay the bearer\n"
    key = cosigners("w.example")[0].key
    signature = bytes(8) + ed25519("w.example").sign(b"cosignature/v1\ntime 0\n" + text)
    assert not key.verifies(text, signature)


@pytest.fixture(scope="module")
def log():
    return Log(entries=numbered(9))


def test_no_key_stands_for_another(log):
    """Name, kind and public key are all part of who signed."""
    note = log.checkpoint()
    for key in log.keys:
        assert engine.open_note(note, [key])[1] == (key,)
        for other in (
            engine.VerifierKey("jp.example/log", key.kind, key.public),
            engine.VerifierKey(
                key.name, key.kind, bytes(31) + b"\1" if len(key.public) == 32 else bytes(1312)
            ),
        ):
            with pytest.raises(engine.UnsignedNoteError):
                engine.open_note(note, [other])
    as_cosigner = engine.VerifierKey(log.origin, engine.ED25519_COSIGNATURE, log.keys[0].public)
    with pytest.raises(engine.UnsignedNoteError):
        engine.open_note(note, [as_cosigner])


def test_a_known_name_and_number_with_a_false_signature_spoil_the_note(log):
    note = engine.parse_note(log.checkpoint())
    for place, each in enumerate(note.signatures):
        false = engine.NoteSignature(each.name, each.key_id, bytes(len(each.signature)))
        spoilt = list(note.signatures)
        spoilt[place] = false
        for signatures in (spoilt, [*note.signatures, false]):
            with pytest.raises(engine.BadSignatureError, match=each.key_id.hex()):
                engine.open_note(engine.SignedNote(note.text, tuple(signatures)).dump(), log.keys)
        # To who does not know that key it is a stranger's line, and means nothing.
        rest = [key for key in log.keys if key.key_id != each.key_id]
        opened = engine.SignedNote(note.text, tuple(spoilt)).dump()
        assert engine.open_note(opened, rest)[1] == tuple(rest)


def test_two_keys_of_one_number_are_refused():
    """The number is short: keys that share it can be made on purpose."""
    one = engine.VerifierKey("a", 1, bytes(32))

    class Twin(engine.VerifierKey):
        @property
        def key_id(self):
            return one.key_id

    with pytest.raises(engine.BadVerifierKeyError, match="same number"):
        engine.open_note(GO_NOTE, [one, Twin("a", 1, b"\1" * 32)])
    with pytest.raises(engine.UnsignedNoteError):
        engine.open_note(GO_NOTE, [one, one])


LINE = GO_NOTE.decode().split("\n")[3]


@pytest.mark.parametrize(
    "note",
    [b"", b"\n", b"text\n", b"text\n\n", b"text\n" + LINE.encode() + b"\n", GO_NOTE[:-1],
     GO_NOTE + b"\n", GO_NOTE + b"x", GO_NOTE.replace(b"\n\n", b"\n"), GO_NOTE.replace(b"you", b"y\tu"),
     GO_NOTE.replace(b"you", b"y\0u"), GO_NOTE.replace(b"\n", b"\r\n"), GO_NOTE.replace(b"you", b"y\xffu"),
     GO_NOTE.replace(b"you", b"\xed\xa0\x80"), GO_NOTE.replace("—".encode(), b"-"),
     GO_NOTE.replace("—".encode(), "–".encode()), GO_NOTE.replace("— ".encode(), "—".encode()),
     GO_NOTE.replace("— ".encode(), "—  ".encode()), GO_NOTE.replace(b"PeterNeumann", b"Peter+Neumann"),
     GO_NOTE.replace(b"PeterNeumann", "Peter\u00a0Neumann".encode()), GO_NOTE.replace(b"PeterNeumann ", b" "),
     GO_NOTE.replace(b"PeterNeumann", "Peter\u3000Neumann".encode()),
     GO_NOTE.replace(b"nAM=", b"nAN="),
     GO_NOTE.replace(b"nAM=", b"nAM"), GO_NOTE.replace(b"nAM=", b"nAM=="), GO_NOTE.replace(b"go/Z", b"go_Z"),
     GO_NOTE.replace(b"nAM=\n", b"nAM= \n"), "text\n\n— n AAAAAA==\n".encode(), "text\n\n— n \n".encode(),
     GO_NOTE + LINE.encode() * 2 + b"\n"],
)  # fmt: skip
def test_what_is_no_note_is_refused(note):
    with pytest.raises(engine.BadNoteError):
        engine.parse_note(note)


def test_notes_are_bounded():
    line = LINE + "\n"
    many = GO_NOTE + line.encode() * (engine.MAX_SIGNATURES - 1)
    assert len(engine.parse_note(many).signatures) == engine.MAX_SIGNATURES >= 16
    with pytest.raises(engine.BadNoteError, match="64 signature lines"):
        engine.parse_note(many + line.encode())
    with pytest.raises(engine.BadNoteError, match="at most 524288 bytes"):
        engine.parse_note(b"x" * engine.MAX_NOTE_BYTES + GO_NOTE)
    # Sixteen of the largest signatures there are must fit.
    large = engine.NoteSignature("w" * 200, bytes(4), bytes(4627))
    note = engine.SignedNote("text\n", (large,) * 16).dump()
    assert len(engine.parse_note(note).signatures) == 16


def test_a_text_may_hold_empty_lines_and_any_script():
    text = "日本と米国\n\n— not a signature\n\n\u2028end\n"
    signer = engine.Ed25519NoteSigner("日本.example", ed25519("x"))
    note = engine.sign_note(text, [signer]).dump()
    opened, verified = engine.open_note(note, [signer.key])
    assert opened.text == text
    assert verified == (signer.key,)


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "nul\0\n"])
def test_a_text_that_cannot_be_a_note_is_not_signed(text):
    with pytest.raises(engine.BadNoteError):
        engine.sign_note(text, [])


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"], exclude_characters="+"), min_size=1, max_size=40)
    .filter(lambda name: not any(map(str.isspace, name))),
    st.sampled_from([1, 4, 6]), st.binary(min_size=1, max_size=32),
)  # fmt: skip
def test_a_key_is_read_as_it_is_written(name, kind, filler):
    public = (filler * 1312)[: 1312 if kind == 6 else 32]
    key = engine.VerifierKey(name, kind, public)
    assert engine.VerifierKey.parse(key.text) == key


@pytest.mark.parametrize(
    ("key", "words"),
    [("", "such as"), ("a", "such as"), ("a+b", "such as"), ("a+00000000+", "such as"),
     (GO_KEY.replace("c74f20a3", "c74f20a4"), "c74f20a4"), (GO_KEY.replace("c74f20a3", "C74F20A3"), "such as"),
     (GO_KEY.replace("PeterNeumann", "PeterNewmann"), "its number is"), (GO_KEY + "=", "such as"),
     (GO_KEY[:-4], "has 29 bytes"), (" " + GO_KEY, "no space"),
     (GO_KEY.replace("+AR", "+BR"), "0x05"),
     ("x" * 10**6, "such as"), (GO_KEY + "\n", "such as")],
)  # fmt: skip
def test_what_is_no_key_is_refused(key, words):
    with pytest.raises(engine.BadVerifierKeyError, match=words) as refused:
        engine.VerifierKey.parse(key)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(("", 1, bytes(32)), "name"), (("a b", 1, bytes(32)), "name"), (("a+b", 1, bytes(32)), "name"),
     (("a\u2003b", 1, bytes(32)), "name"), (("é" * 128, 1, bytes(32)), "name"), (("a\n", 1, bytes(32)), "name"),
     (("a\udc80", 1, bytes(32)), "name"),
     (("a", 2, bytes(32)), "0x02"), (("a", 5, bytes(32)), "0x05"), (("a", 1, bytes(31)), "expected 32"),
     (("a", 6, bytes(32)), "expected 1312")],
)  # fmt: skip
def test_a_key_that_cannot_sign_notes_is_refused(wrong, words):
    with pytest.raises(engine.BadVerifierKeyError, match=words):
        engine.VerifierKey(*wrong)
