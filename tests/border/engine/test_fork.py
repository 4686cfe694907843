"""Evidence of a fork: it convicts who forked, and never who did not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.border.logs import Log, numbered

from renkei.border import engine


@pytest.fixture(scope="module")
def log():
    return Log(entries=numbered(100))


@given(data=st.data())
def test_a_change_of_any_entry_is_proved(log, data):
    old = data.draw(st.integers(1, 100), "old")
    new = data.draw(st.integers(old, 100), "new")
    changed = data.draw(st.integers(0, old - 1), "changed")
    entries = log.entries[:]
    entries[changed] = b"another"
    fork = Log(log.origin, entries)
    pair = [log.checkpoint(old), fork.checkpoint(new)]
    evidence = engine.fork_evidence(*data.draw(st.permutations(pair)), fork.read)
    assert engine.ForkEvidence.parse(evidence.dump()) == evidence
    first, second = evidence.verify(log.origin, log.keys)
    assert {first.size, second.size} == {old, new}


@given(st.integers(1, 100), st.integers(1, 100))
def test_an_honest_log_cannot_be_convicted(log, one, other):
    old, new = sorted((one, other))
    pair = log.checkpoint(old), log.checkpoint(new)
    assert engine.fork_evidence(*pair, log.read) is None
    path = tuple(engine.consistency_proof(old, new, log.read))
    for claimed in (path, (bytes(32), *path), path[1:], ()):
        with pytest.raises(engine.BadEvidenceError):
            engine.ForkEvidence(*pair, claimed).verify(log.origin, log.keys)


def test_the_empty_tree_contradicts_nothing(log):
    empty = engine.sign_checkpoint(
        engine.Checkpoint(log.origin, 0, engine.EMPTY_ROOT),
        ed25519=log.ed25519,
        mldsa44=log.mldsa44,
        timestamp=1,
    )
    assert engine.fork_evidence(empty, log.checkpoint(), log.read) is None


def test_nodes_of_another_tree_are_no_evidence(log):
    other = Log(log.origin, numbered(100, first=7))
    with pytest.raises(engine.BadProofError, match="not the nodes"):
        engine.fork_evidence(log.checkpoint(50), log.checkpoint(100), other.read)


def fork_of(log):
    return Log(log.origin, [b"another", *log.entries[1:]])


def test_unsigned_or_half_signed_checkpoints_convict_nobody(log):
    fork = fork_of(log)
    good = engine.fork_evidence(log.checkpoint(), fork.checkpoint(), fork.read)
    stranger = Log(log.origin, seed="stranger")
    with pytest.raises(engine.UnsignedNoteError):
        good.verify(log.origin, stranger.keys)
    with pytest.raises(engine.BadNoteError):
        good.verify("jp.example/log", log.keys)
    note = engine.parse_note(fork.checkpoint())
    for left in note.signatures:
        half = engine.ForkEvidence(good.first, engine.SignedNote(note.text, (left,)).dump())
        with pytest.raises(engine.UnsignedNoteError):
            half.verify(log.origin, log.keys)


def test_two_copies_of_one_checkpoint_convict_nobody(log):
    with pytest.raises(engine.BadEvidenceError, match="can both be true"):
        engine.ForkEvidence(log.checkpoint(), log.checkpoint()).verify(log.origin, log.keys)


def test_what_is_no_evidence_is_refused(log):
    fork = fork_of(log)
    good = engine.fork_evidence(log.checkpoint(77), fork.checkpoint(), fork.read).dump()
    head, _blank, rest = good.partition(b"\n\n")
    for wrong in (
        b"",
        b"\n\n",
        head,
        good[:-1],
        good + b"x",
        good.replace(b"v1", b"v2", 1),
        good.replace(b"first", b"frist", 1),
        good.replace(b"first ", b"first -", 1),
        good.replace(b"first ", b"first 9", 1),
        head + b"\nAAAA\n\n" + rest,
        head + b"\n" + b"\n".join([head.rsplit(b"\n", 1)[1]] * 70) + b"\n\n" + rest,
        good + b"x" * (2 << 20),
        b"\xff" * 100 + b"\n\n",
    ):
        with pytest.raises(engine.BadEvidenceError):
            engine.ForkEvidence.parse(wrong)
