"""The witness: every answer of the specification in its order, and a log kept to one story."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.border.logs import Log, cosigners, numbered

from renkei.border import engine

KNOWN = 300  # entries in what the witness cosigned last


@pytest.fixture(scope="module")
def log():
    return Log(entries=numbered(1000))


@pytest.fixture(scope="module")
def fork(log):
    """The same log with another entry 250: what a log that tells two stories would sign."""
    entries = log.entries[:]
    entries[250] = b"another"
    return Log(log.origin, entries)


def head_of(log, size, cosigned_at=0):
    root = engine.frontier_of(size, log.read).root if size else engine.EMPTY_ROOT
    return engine.WitnessedHead(size, root, log.checkpoint(size), cosigned_at)


def request(log, old, new, **wrong):
    proof = engine.consistency_proof(old, new, log.read)
    return engine.dump_add_checkpoint(
        wrong.get("claimed", old), wrong.get("proof", proof), wrong.get("note", log.checkpoint(new))
    )


def decide(log, body, head=None, **more):
    state = {log.origin: head} if head else {}
    return engine.decide_add_checkpoint(body, {log.origin: log.keys}, state, **more)


def b64(data):
    return b64encode(data).decode()


def test_a_request_is_read_as_it_is_written(log):
    proof = engine.consistency_proof(KNOWN, 1000, log.read)
    body = request(log, KNOWN, 1000)
    assert body.startswith(f"old 300\n{b64(proof[0])}\n".encode())
    parsed = engine.parse_add_checkpoint(body)
    assert (parsed.old_size, parsed.proof) == (KNOWN, tuple(proof))
    assert body.endswith(parsed.note)


@pytest.mark.parametrize(
    ("old", "new"), [(0, 0), (0, 1), (0, 1000), (1, 1), (1, 2), (256, 1000), (300, 300), (300, 301)]
)
def test_a_log_that_grows_is_accepted(log, old, new):
    head = head_of(log, old) if old else None
    note = log.checkpoint(new) if new else engine.sign_checkpoint(
        engine.Checkpoint(log.origin, 0, engine.EMPTY_ROOT),
        ed25519=log.ed25519, mldsa44=log.mldsa44, timestamp=1,
    )  # fmt: skip
    accepted = decide(log, request(log, old, new, note=note), head, now=5)
    assert isinstance(accepted, engine.Accept)
    assert (accepted.origin, accepted.checkpoint.size) == (log.origin, new)
    assert accepted.previous_size == old
    assert accepted.note == note
    answer = "".join(engine.cosign(accepted.note, cosigners("w.example"), 5)).encode()
    assert engine.read_cosignatures(note, answer, [each.key for each in cosigners("w.example")])


def test_the_whole_life_of_a_log(log):
    """One decision after the other, each saved before the next."""
    head = None
    for old, new in [(0, 1), (1, 256), (256, 256), (256, 511), (511, 512), (512, 1000)]:
        accepted = decide(log, request(log, old, new), head)
        assert isinstance(accepted, engine.Accept)
        head = engine.WitnessedHead(
            accepted.checkpoint.size, accepted.checkpoint.root, accepted.note
        )
        stale = decide(log, request(log, 0, new), head)
        assert (stale.status, stale.body) == (409, f"{new}\n".encode())


# One refusal for each answer; each body also has every fault that comes after its own, so that
# the order is tested too.
def faulty(log, status):
    other = Log("jp.example/log", numbered(3))
    unsigned = engine.parse_note(log.checkpoint(1000))
    bad_proof = [bytes(32)]
    return {
        404: request(log, KNOWN, 1000, note=other.checkpoint(), claimed="7777", proof=bad_proof),
        403: request(log, KNOWN, 1000, note=engine.SignedNote(
            unsigned.text, engine.parse_note(other.checkpoint()).signatures).dump(), claimed="7777"),
        400: request(log, KNOWN, 1000, claimed="1001", proof=bad_proof),
        409: request(log, KNOWN, 1000, claimed="299", proof=bad_proof),
        422: request(log, KNOWN, 1000, proof=bad_proof),
    }[status]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "border.unknown_origin"), (403, "border.unsigned_note"), (400, "border.bad_add_checkpoint"),
     (409, "border.stale_size"), (422, "border.bad_proof")],
)  # fmt: skip
def test_the_answers_in_the_order_of_the_specification(log, status, code):
    refused = decide(log, faulty(log, status), head_of(log, KNOWN), now=0)
    assert isinstance(refused, engine.Refuse)
    assert (refused.status, refused.reason.code) == (status, code)
    assert refused.evidence is None
    if status == 409:
        assert (refused.body, refused.content_type) == (b"300\n", "text/x.tlog.size")
    else:
        assert refused.body.decode().strip() == str(refused.reason)


def test_a_size_never_cosigned_is_zero(log):
    refused = decide(log, request(log, KNOWN, 1000))
    assert (refused.status, refused.body) == (409, b"0\n")


@pytest.mark.parametrize("stripped", [0, 1])
def test_a_log_known_under_two_algorithms_signs_with_both(log, stripped):
    note = engine.parse_note(log.checkpoint(1000))
    weaker = engine.SignedNote(note.text, (note.signatures[1 - stripped],)).dump()
    refused = decide(log, request(log, KNOWN, 1000, note=weaker), head_of(log, KNOWN))
    assert refused.status == 403
    # A log of the public network that we know by one key need sign with no more.
    one = {log.origin: [log.keys[1 - stripped]]}
    state = {log.origin: head_of(log, KNOWN)}
    accepted = engine.decide_add_checkpoint(request(log, KNOWN, 1000, note=weaker), one, state)
    assert isinstance(accepted, engine.Accept)


def test_a_false_line_in_a_trusted_name_is_403(log):
    note = log.checkpoint(1000) + engine.parse_note(log.checkpoint(999)).signatures[0].line.encode()
    refused = decide(log, request(log, KNOWN, 1000, note=note), head_of(log, KNOWN))
    assert (refused.status, refused.reason.code) == (403, "border.bad_signature")


def test_strangers_lines_do_no_harm(log):
    note = log.checkpoint(1000)
    lines = engine.cosign(note, cosigners("w.example"), 3)
    body = request(log, KNOWN, 1000, note=engine.with_cosignatures(note, lines))
    assert isinstance(decide(log, body, head_of(log, KNOWN)), engine.Accept)


ZERO = b64(bytes(32))


@pytest.mark.parametrize(
    "head",
    ["old", "old ", "old -1", "old 0300", "old +300", "old 300 ", "old ３００", "old 3e2",
     "old 99999999999999999999", "old 300\nx", f"old 300\n{ZERO[:-1]}", f"old 300\n {ZERO}",
     f"old 300\n{b64(bytes(31))}", f"old 300\n{ZERO[:-2]}B=", "old 300\n" + "\n".join([ZERO] * 64),
     f"old 300\r\n{ZERO}", "OLD 300", "size 300", "", "300"],
)  # fmt: skip
def test_a_head_that_is_none_is_400(log, head):
    body = head.encode() + b"\n\n" + log.checkpoint(1000)
    refused = decide(log, body, head_of(log, KNOWN))
    assert refused.status == 400
    assert len(refused.body) < 400
    with pytest.raises(engine.BadAddCheckpointError):
        engine.parse_add_checkpoint(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", b"\n\n", b"old 0", b"old 0\n\n", b"old 0\n\nx", b"old 0\n\nus.example/log\n", b"\xff" * 99,
     b"old 0\n\nus.example/log\n1\nAAAA\n\n\xe2\x80\x94 x AAAAAAAA\n", b"{}", b"x" * (1 << 20)],
)  # fmt: skip
def test_garbage_is_400(log, body):
    refused = decide(log, body, head_of(log, KNOWN))
    assert refused.status == 400
    assert len(refused.body) < 400


@given(st.data())
def test_no_damaged_request_is_accepted(log, data):
    """Whatever one byte becomes, nothing is cosigned but what the log signed and proved."""
    body = request(log, KNOWN, 1000)
    at = data.draw(st.integers(0, len(body) - 1))
    byte = data.draw(st.integers(0, 255))
    damaged = body[:at] + bytes([byte]) + body[at + 1 :]
    outcome = decide(log, damaged, head_of(log, KNOWN))
    if isinstance(outcome, engine.Accept):
        assert outcome.checkpoint.root == log.frontier.root
        assert outcome.checkpoint.size == 1000
    else:
        assert outcome.status in {400, 403, 404, 409, 422}
        assert outcome.evidence is None


def test_size_zero(log):
    def signed(root):
        return engine.sign_checkpoint(
            engine.Checkpoint(log.origin, 0, root),
            ed25519=log.ed25519, mldsa44=log.mldsa44, timestamp=1,
        )  # fmt: skip

    body = engine.dump_add_checkpoint(0, [], signed(bytes(32)))
    assert decide(log, body).status == 422
    body = engine.dump_add_checkpoint(0, [bytes(32)], log.checkpoint(5))
    assert decide(log, body).status == 422
    body = engine.dump_add_checkpoint(0, [], signed(engine.EMPTY_ROOT))
    assert isinstance(decide(log, body), engine.Accept)


def test_another_root_at_the_same_size_is_422_and_kept(log, fork):
    refused = decide(log, request(fork, KNOWN, KNOWN), head_of(log, KNOWN))
    assert refused.status == 422
    first, second = refused.evidence.verify(log.origin, log.keys)
    assert first.size == second.size == KNOWN
    assert first.root != second.root


def test_a_fork_is_kept_even_where_the_size_is_stale(log, fork):
    refused = decide(log, request(fork, 299, KNOWN), head_of(log, KNOWN))
    assert (refused.status, refused.body) == (409, b"300\n")
    assert refused.evidence.verify(log.origin, log.keys)


def test_a_longer_fork_with_a_true_proof_of_itself_convicts(log, fork):
    refused = decide(log, request(fork, KNOWN, 1000), head_of(log, KNOWN))
    assert refused.status == 422
    first, second = refused.evidence.verify(log.origin, log.keys)
    assert (first.size, second.size) == (KNOWN, 1000)


def test_a_false_proof_convicts_nobody(log):
    """Anybody can send a bad proof with a good checkpoint."""
    proof = [bytes(32) for _each in engine.consistency_proof(KNOWN, 1000, log.read)]
    refused = decide(log, request(log, KNOWN, 1000, proof=proof), head_of(log, KNOWN))
    assert refused.status == 422
    assert refused.evidence is None


def test_the_clock_does_not_go_back(log):
    head = head_of(log, KNOWN, cosigned_at=1000)
    for now in (0, 999, -5):
        refused = decide(log, request(log, KNOWN, 1000), head, now=now)
        assert (refused.status, refused.reason.code) == (503, "border.backward_time")
    assert isinstance(decide(log, request(log, KNOWN, 1000), head, now=1000), engine.Accept)
    assert decide(log, request(log, 0, 5), now=0).status == 503


def test_the_caller_sends_no_more_than_63_hashes(log):
    assert engine.dump_add_checkpoint(1, [bytes(32)] * 63, b"x\n")
    with pytest.raises(engine.BadAddCheckpointError, match="at most 63"):
        engine.dump_add_checkpoint(1, [bytes(32)] * 64, b"x\n")
