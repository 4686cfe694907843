"""A proof of logging: one file, offline, and nobody's extra bytes are believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.border.logs import Log, cosigners, numbered

from renkei.border import engine


@pytest.fixture(scope="module")
def log():
    return Log(entries=numbered(700))


@pytest.fixture(scope="module")
def note(log):
    note = log.checkpoint()
    for name in ("us.example/witness", "jp.example/witness"):
        note = engine.with_cosignatures(note, engine.cosign(note, cosigners(name), 9))
    return note


POLICY = (
    "".join(
        f"witness {name}-{at} {each.key.text}\n"
        for name in ("us", "jp")
        for at, each in enumerate(cosigners(f"{name}.example/witness"))
    )
    + "group us all us-0 us-1\ngroup jp all jp-0 jp-1\ngroup both all us jp\nquorum both\n"
)


def policy(log):
    lines = "".join(f"log {key.text}\n" for key in log.keys)
    return engine.parse_policy((lines + POLICY).encode())


@given(st.integers(0, 699), st.none() | st.binary(max_size=50))
def test_there_and_back_and_true(log, note, index, extra):
    hashes = tuple(engine.inclusion_proof(index, 700, log.read))
    proof = engine.TlogProof(index, hashes, note, extra)
    assert engine.TlogProof.parse(proof.dump()) == proof
    leaf = engine.leaf_hash(log.entries[index])
    checkpoint, verified = proof.verify(
        leaf=leaf, origin=log.origin, keys=log.keys, policy=policy(log)
    )
    assert checkpoint.size == 700
    assert set(verified) == set(log.keys)
    with pytest.raises(engine.BadProofError):
        proof.verify(leaf=engine.leaf_hash(b"another"), origin=log.origin, keys=log.keys)


def test_the_form_of_the_specification(log, note):
    """C2SP tlog-proof: first line, extra, index, hashes from the leaf up, empty line, note."""
    hashes = engine.inclusion_proof(5, 700, log.read)
    proof = engine.TlogProof(5, tuple(hashes), note, b"any bytes")
    lines = proof.dump().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra YW55IGJ5dGVz", "index 5"]
    assert lines[3 + len(hashes)] == ""
    assert proof.dump().endswith(b"\n\n" + note)
    assert engine.TlogProof(5, tuple(hashes), note).dump().decode().split("\n")[1] == "index 5"


def test_a_proof_of_another_log_or_without_its_quorum_is_refused(log, note):
    leaf, hashes = engine.leaf_hash(log.entries[0]), engine.inclusion_proof(0, 700, log.read)
    proof = engine.TlogProof(0, tuple(hashes), note)
    with pytest.raises(engine.BadNoteError):
        proof.verify(leaf=leaf, origin="jp.example/log", keys=log.keys)
    with pytest.raises(engine.UnsignedNoteError):
        proof.verify(leaf=leaf, origin=log.origin, keys=Log(seed="x").keys)
    alone = engine.TlogProof(0, tuple(hashes), log.checkpoint())
    assert alone.verify(leaf=leaf, origin=log.origin, keys=log.keys)
    with pytest.raises(engine.UnmetQuorumError, match=r"us-0.*jp-1"):
        alone.verify(leaf=leaf, origin=log.origin, keys=log.keys, policy=policy(log))


def test_a_log_of_one_entry(log):
    one = Log(entries=[b"only"])
    proof = engine.TlogProof.parse(engine.TlogProof(0, (), one.checkpoint()).dump())
    assert proof.verify(leaf=engine.leaf_hash(b"only"), origin=one.origin, keys=one.keys)


def test_what_is_no_proof_is_refused(log, note):
    hashes = tuple(engine.inclusion_proof(5, 700, log.read))
    good = engine.TlogProof(5, hashes, note, b"x").dump()
    line = good.split(b"\n")[3]
    for wrong in (
        b"",
        b"c2sp.org/tlog-proof@v1",
        b"c2sp.org/tlog-proof@v1\n\n" + note,
        good.replace(b"@v1", b"@v2", 1),
        good.replace(b"extra eA==", b"extra eA=", 1),
        good.replace(b"extra eA==\n", b"extra eA==\nextra eA==\n", 1),
        good.replace(b"index 5\n", b"", 1),
        good.replace(b"index 5", b"index 05", 1),
        good.replace(b"index 5", b"index -5", 1),
        good.replace(b"index 5", b"index 5 ", 1),
        good.replace(b"index 5", b"index " + b"9" * 99, 1),
        good.replace(line, line[:-1], 1),
        good.replace(line, b"AAAA", 1),
        good.replace(line, b"\n".join([line] * (65 - len(hashes))), 1),
        good.replace(line, b"\n".join([line] * 64), 1),
        good + b"x" * (1 << 20),
        b"\xff\xfe",
    ):
        with pytest.raises(engine.BadTlogProofError):
            engine.TlogProof.parse(wrong)
    for wrong in (good[:-1], good.partition(b"\n\n")[0] + b"\n\n", good + b"\n"):
        with pytest.raises(engine.BadNoteError):
            engine.TlogProof.parse(wrong)


def test_the_size_of_a_receipt(log, note):
    """The target of the study: at most 12 kB with both algorithms, log and two witnesses."""
    hashes = tuple(engine.inclusion_proof(5, 700, log.read))
    assert len(engine.TlogProof(5, hashes, note).dump()) <= 12_000
