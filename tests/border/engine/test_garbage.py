"""Whatever a partner sends: a sentence within a moment, never a crash, never a long wait."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.border.logs import Log, cosigners, numbered

from renkei.border import engine
from renkei.kit.errors import RenkeiError

LOG = Log(entries=numbered(300))
FORK = Log(entries=[b"another", *numbered(299, first=1)])
NOTE = engine.with_cosignatures(
    LOG.checkpoint(), engine.cosign(LOG.checkpoint(), cosigners("w.example"), 1)
)
WITNESSES = "".join(
    f"witness w{at} {each.key.text}\n" for at, each in enumerate(cosigners("w.example"))
)
GOOD = {
    "note": NOTE,
    "request": engine.dump_add_checkpoint(
        7, engine.consistency_proof(7, 300, LOG.read), LOG.checkpoint()
    ),
    "proof": engine.TlogProof(
        5, tuple(engine.inclusion_proof(5, 300, LOG.read)), NOTE, b"extra"
    ).dump(),
    "evidence": engine.fork_evidence(LOG.checkpoint(9), FORK.checkpoint(), FORK.read).dump(),
    "policy": f"log {LOG.keys[0].text}\n{WITNESSES}group g 2 w0 w1\nquorum g\n".encode(),
    "bundle": engine.bundle(LOG.entries[:256]),
    "edge": LOG.frontier.dump(),
}


def decide(data):
    state = {LOG.origin: engine.WitnessedHead(7, engine.frontier_of(7, LOG.read).root, b"")}
    return engine.decide_add_checkpoint(data, {LOG.origin: LOG.keys}, state, now=5)


def verify_proof(data):
    proof = engine.TlogProof.parse(data)
    leaf = engine.leaf_hash(LOG.entries[5])
    proof.verify(leaf=leaf, origin=LOG.origin, keys=LOG.keys)


READ = {
    "note": lambda data: engine.open_checkpoint(data, LOG.origin, LOG.keys),
    "request": decide,
    "proof": verify_proof,
    "evidence": lambda data: engine.ForkEvidence.parse(data).verify(LOG.origin, LOG.keys),
    "policy": engine.parse_policy,
    "bundle": lambda data: engine.parse_bundle(data, 256),
    "edge": engine.Frontier.load,
}


def said(kind, data):
    """Read, and return what was said against it."""
    try:
        READ[kind](data)
    except RenkeiError as error:
        return str(error)
    return "nothing"


@pytest.mark.parametrize("kind", sorted(GOOD))
def test_the_undamaged_is_read(kind):
    found = READ[kind](GOOD[kind])
    assert not isinstance(found, engine.Refuse)


@pytest.mark.parametrize("kind", sorted(GOOD))
@given(data=st.data())
def test_damage_is_refused_with_a_sentence(kind, data):
    """Pieces cut out, doubled, exchanged, overwritten: a value or a refusal, nothing else."""
    good = GOOD[kind]
    first, last = sorted(
        (data.draw(st.integers(0, len(good))), data.draw(st.integers(0, len(good))))
    )
    piece = data.draw(
        st.sampled_from([b"", b"\n", b"\n\n", b" ", b"\0", b"\xff", b"9" * 30, "— ".encode()])
        | st.just(good[first:last] * 2)
        | st.binary(max_size=9)
    )
    assert 0 < len(said(kind, good[:first] + piece + good[last:])) < 1000


MEGABYTE = 1_000_000
BOMBS = {
    "newlines": b"\n" * MEGABYTE,
    "nulls": b"\0" * MEGABYTE,
    "one line": b"x" * MEGABYTE,
    "spaces": b" " * MEGABYTE,
    "digits": b"old " + b"9" * MEGABYTE + b"\n\n" + NOTE,
    "dashes": b"text\n\n" + "— a AAAAAAA=\n".encode() * 40_000,
    "one signature": b"text\n\n" + "— a ".encode() + b"A" * 500_000 + b"\n",
    "our key": NOTE + engine.parse_note(NOTE).signatures[1].line.encode() * 60,
    "hashes": b"old 1\n" + b"A" * 43 + b"=\n" * 20_000 + b"\n" + NOTE,
    "proof lines": b"c2sp.org/tlog-proof@v1\nindex 1\n" + (b"A" * 43 + b"=\n") * 20_000,
    "evidence lines": b"renkei-fork-evidence/v1\nfirst 0\nsecond 0\n" + (b"A" * 43 + b"=\n") * 20_000,
    "groups": WITNESSES.encode() + b"".join(b"group g%d any w0\n" % at for at in range(40_000)),
    "keys": b"".join(
        b"witness n%d %s\n" % (at, engine.VerifierKey("w", 4, at.to_bytes(32, "big")).text.encode())
        for at in range(11_000)
    ) + b"quorum n0\n",
    "lengths": b"\0\0" * (MEGABYTE // 2),
    "edge": b"\xff" * 8 + b"\0" * 32 * 30_000,
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(READ))
@pytest.mark.parametrize("bomb", sorted(BOMBS))
def test_large_input_is_read_or_refused_in_a_moment(kind, bomb):
    began = time.thread_time()
    assert 0 < len(said(kind, BOMBS[bomb])) < 1000
    assert time.thread_time() - began < 1
