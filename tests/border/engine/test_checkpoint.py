"""Checkpoints: both algorithms or none, the right log, and cosignatures that stay."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.border.logs import Log, cosigners, ed25519, numbered

from renkei.border import engine

ROOT = b64encode(bytes(range(32))).decode()


@pytest.fixture(scope="module")
def log():
    return Log(entries=numbered(300))


def test_the_example_of_the_specification():
    """C2SP tlog-checkpoint."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = engine.parse_checkpoint(text)
    assert checkpoint.origin == "example.com/behind-the-sofa"
    assert checkpoint.size == 20_852_163
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.text == text


@given(
    st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable()),
    st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32),
    st.lists(st.text("abc =日", min_size=1, max_size=9), max_size=3),
)  # fmt: skip
def test_a_text_is_read_as_it_is_written(origin, size, root, extensions):
    checkpoint = engine.Checkpoint(origin, size, root, tuple(extensions))
    assert engine.parse_checkpoint(checkpoint.text) == checkpoint


@pytest.mark.parametrize(
    "text",
    ["", "\n", "o\n", "o\n1\n", f"o\n1\n{ROOT}", f"\n1\n{ROOT}\n", f"o\n\n{ROOT}\n", "o\n1\n\n",
     f"o\n01\n{ROOT}\n", f"o\n-1\n{ROOT}\n", f"o\n+1\n{ROOT}\n", f"o\n 1\n{ROOT}\n", f"o\n1 \n{ROOT}\n",
     f"o\n1.0\n{ROOT}\n", f"o\n0x1\n{ROOT}\n", f"o\n１\n{ROOT}\n", f"o\n1_0\n{ROOT}\n",
     f"o\n{2**63}\n{ROOT}\n", f"o\n{'9' * 5000}\n{ROOT}\n", f"o\n1\n{ROOT[:-1]}\n", f"o\n1\n{ROOT}=\n",
     f"o\n1\n {ROOT}\n", f"o\n1\n{ROOT[:-2]}9=\n", f"o\n1\n{b64encode(bytes(31)).decode()}\n",
     f"o\n1\n{b64encode(bytes(33)).decode()}\n", f"o\n1\n{ROOT}\n\n", f"o\n1\n{ROOT}\nx\n\n",
     f"o\n1\n\n{ROOT}\n", f"o\t\n1\n{ROOT}\n", f"{'o' * 256}\n1\n{ROOT}\n"],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(engine.BadNoteError) as refused:
        engine.parse_checkpoint(text)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "wrong",
    [("", 1, bytes(32)), ("a\nb", 1, bytes(32)), ("a", -1, bytes(32)), ("a", 2**63, bytes(32)),
     ("a", 1, bytes(31)), ("a", 1, bytes(32), ("",)), ("a", 1, bytes(32), ("x\ny",))],
)  # fmt: skip
def test_a_checkpoint_that_cannot_be_written_is_not_made(wrong):
    with pytest.raises(engine.BadNoteError):
        engine.Checkpoint(*wrong)


def test_a_log_signs_with_both(log):
    note = log.checkpoint()
    checkpoint, verified = engine.open_checkpoint(note, log.origin, log.keys)
    assert (checkpoint.size, checkpoint.root) == (300, log.frontier.root)
    assert set(verified) == set(log.keys)
    # The first line is Ed25519's: readers of one algorithm look there.
    assert engine.parse_note(note).signatures[0].key_id == log.ed25519.key.key_id


@pytest.mark.parametrize("stripped", [0, 1])
def test_either_algorithm_stripped_is_refused(log, stripped):
    note = engine.parse_note(log.checkpoint())
    left = note.signatures[1 - stripped]
    kind = f"0x{log.keys[stripped].kind:02x}"
    weaker = engine.SignedNote(note.text, (left,)).dump()
    with pytest.raises(engine.UnsignedNoteError, match=f"not signed .* type {kind}$"):
        engine.open_checkpoint(weaker, log.origin, log.keys)
    # Neither is a cosigner's signature of that algorithm the log's.
    witness = cosigners("w.example")
    lines = engine.cosign(weaker, witness, 9)
    keys = [*log.keys, *(each.key for each in witness)]
    with pytest.raises(engine.UnsignedNoteError, match=kind):
        engine.open_checkpoint(engine.with_cosignatures(weaker, lines), log.origin, keys)
    checkpoint, _keys = engine.open_checkpoint(weaker, log.origin, log.keys, require=())
    assert checkpoint.size == 300


def test_a_cosigner_alone_makes_no_checkpoint(log):
    note = engine.parse_note(log.checkpoint())
    witness = cosigners("w.example")
    lines = engine.cosign(note.dump(), witness, 9)
    alone = engine.SignedNote(note.text, engine.parse_signatures("".join(lines))).dump()
    keys = [*log.keys, *(each.key for each in witness)]
    for require in ((), engine.HYBRID):
        with pytest.raises(engine.UnsignedNoteError):
            engine.open_checkpoint(alone, log.origin, keys, require=require)


def test_another_logs_checkpoint_is_refused(log):
    other = Log("jp.example/log", numbered(3))
    with pytest.raises(engine.UnsignedNoteError):
        engine.open_checkpoint(other.checkpoint(), log.origin, log.keys)
    with pytest.raises(engine.BadNoteError, match=r"of jp\.example/log, expected one of us"):
        engine.open_checkpoint(other.checkpoint(), log.origin, [*log.keys, *other.keys])


def test_rotated_keys_overlap(log):
    """During an overlap the log may sign with any of its keys of each algorithm."""
    later = Log(log.origin, log.entries, seed="later")
    for each in (log, later):
        assert engine.open_checkpoint(each.checkpoint(), log.origin, [*log.keys, *later.keys])
    both = engine.with_cosignatures(
        log.checkpoint(), [each.line for each in engine.parse_note(later.checkpoint()).signatures]
    )
    for keys in (log.keys, later.keys):
        assert engine.open_checkpoint(both, log.origin, keys)[1] == keys


def test_a_log_signs_with_its_own_keys_alone(log):
    checkpoint = engine.Checkpoint("jp.example/log", 300, log.frontier.root)
    signers = {"ed25519": log.ed25519, "mldsa44": log.mldsa44}
    with pytest.raises(engine.BadVerifierKeyError, match=r"jp\.example/log signs with a key"):
        engine.sign_checkpoint(checkpoint, **signers, timestamp=1)
    signers["ed25519"] = engine.Ed25519Cosigner(log.origin, ed25519("x"))
    with pytest.raises(engine.BadVerifierKeyError, match="type 0x01"):
        engine.sign_checkpoint(
            engine.Checkpoint(log.origin, 1, log.frontier.root), **signers, timestamp=1
        )


def test_cosignatures_come_and_are_renewed(log):
    note = log.checkpoint()
    for name in ("us.example/witness", "jp.example/witness", "jp.example/mirror"):
        note = engine.with_cosignatures(note, engine.cosign(note, cosigners(name), 100))
    assert len(engine.parse_note(note).signatures) == 8
    again = cosigners("jp.example/witness")
    note = engine.with_cosignatures(note, engine.cosign(note, again, 200))
    assert len(engine.parse_note(note).signatures) == 8
    opened, verified = engine.open_note(note, [each.key for each in again])
    assert len(verified) == 2
    assert [opened.by(key).timestamp for key in verified] == [200, 200]
    assert engine.with_cosignatures(note, []) == note


def test_a_witness_answer_is_read_by_its_keys(log):
    note = log.checkpoint()
    witness, other = cosigners("w.example"), cosigners("v.example")
    keys = [each.key for each in witness]
    lines = engine.cosign(note, [*other, *witness], 5)
    answer = "".join(lines).encode()
    assert engine.read_cosignatures(note, answer, keys) == lines[2:]
    with pytest.raises(engine.BadSignatureError):
        engine.read_cosignatures(log.checkpoint(size=299), answer, keys)
    with pytest.raises(engine.UnsignedNoteError):
        engine.read_cosignatures(note, "".join(lines[:2]).encode(), keys)
    for garbage in (b"", b"\n", b"\xff", b"OK\n", answer[:-1], answer + b"\n"):
        with pytest.raises(engine.BadNoteError):
            engine.read_cosignatures(note, garbage, keys)


@pytest.mark.parametrize("timestamp", [0, -1, 2**63])
def test_a_time_that_says_nothing_is_not_cosigned(log, timestamp):
    with pytest.raises(engine.BadTimestampError):
        engine.cosign(log.checkpoint(), cosigners("w.example"), timestamp)


def test_only_checkpoints_are_cosigned():
    note = engine.sign_note("pay the bearer\n", [engine.Ed25519NoteSigner("a", ed25519("a"))])
    for cosigner in cosigners("w.example"):
        with pytest.raises(engine.BadNoteError):
            engine.cosign(note.dump(), [cosigner], 1)


def test_a_note_is_not_filled_beyond_its_bound(log):
    note = log.checkpoint()
    lines = [
        engine.NoteSignature(f"w{number}", bytes(4), bytes(72)).line
        for number in range(engine.MAX_SIGNATURES - 1)
    ]
    with pytest.raises(engine.BadNoteError, match="at most 64"):
        engine.with_cosignatures(note, lines)
    assert engine.with_cosignatures(note, lines[1:])


def test_extension_lines_are_signed_by_ed25519_alone(log):
    """C2SP tlog-cosignature says so of ML-DSA-44; they mean nothing here."""
    checkpoint = engine.Checkpoint(log.origin, 1, bytes(32), ("an extension",))
    note = engine.sign_checkpoint(checkpoint, ed25519=log.ed25519, mldsa44=log.mldsa44, timestamp=1)
    assert engine.open_checkpoint(note, log.origin, log.keys)[0] == checkpoint
    changed = note.replace(b"an extension", b"a sextension")
    assert engine.open_note(changed, [log.mldsa44.key])
    with pytest.raises(engine.BadSignatureError):
        engine.open_checkpoint(changed, log.origin, log.keys)
