"""A witness's decision on a checkpoint, without a table and without a socket.

The caller reads what it last cosigned, asks here, saves, and only then answers; between reading
and saving nobody else may have saved.

Source: C2SP tlog-witness (the order of its checks; since July 2026 another root at the same size
is answered by 422, before by 409 without a body: a caller takes either as final).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from renkei.border.engine._checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from renkei.border.engine._fork import ForkEvidence
from renkei.border.engine._merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    BadProofError,
    consistency_roots,
    verify_consistency,
)
from renkei.border.engine._note import (
    MAX_NOTE_BYTES,
    BadNoteError,
    BadSignatureError,
    UnsignedNoteError,
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_decimal,
    parse_note,
)
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop

MAX_PROOF_LINES = 63
MAX_ADD_CHECKPOINT_BYTES = MAX_NOTE_BYTES + 4096
TLOG_SIZE = "text/x.tlog.size"
PLAIN = "text/plain; charset=utf-8"
_SHOWN = 80  # characters of a stranger's text that an error repeats


class BadAddCheckpointError(RenkeiError):
    """A request to witness a checkpoint is not written as one."""

    code = "border.bad_add_checkpoint"
    status = 400


class UnknownOriginError(NotFoundError):
    """A log that this witness does not watch."""

    code = "border.unknown_origin"


class StaleSizeError(ConflictError):
    """The proof does not begin at what this witness cosigned last."""

    code = "border.stale_size"


class BackwardTimeError(RenkeiError):
    """This node's clock is behind a time it has already put its name to."""

    code = "border.backward_time"
    status = 503


@dataclass(frozen=True)
class AddCheckpoint:
    """A request to witness a checkpoint.

    Args:
        old_size: entries in the checkpoint that the sender thinks was cosigned last.
        proof: of consistency from there, at most 63 hashes.
        note: the signed checkpoint, as it was sent; not verified.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True)
class WitnessedHead:
    """What a witness cosigned last of one log.

    Args:
        size: entries.
        root: of their tree.
        note: the checkpoint with the log's signatures: the other half of any evidence.
        cosigned_at: the time it was cosigned with, seconds since 1970.
    """

    size: int
    root: bytes
    note: bytes
    cosigned_at: int = 0


@dataclass(frozen=True)
class Accept:
    """To be saved, cosigned and answered with the cosignatures, in this order.

    Args:
        origin: the log.
        checkpoint: what it says, verified.
        note: the checkpoint with the log's signatures.
        previous_size: what must still be the size when it is saved.
    """

    origin: str
    checkpoint: Checkpoint
    note: bytes
    previous_size: int


@dataclass(frozen=True)
class Refuse:
    """To be answered as it stands.

    Args:
        status: of HTTP.
        reason: what was wrong, for the node's own people and its programs.
        body: the answer's.
        content_type: the body's.
        evidence: proof that the log told two stories, to be kept for good.
    """

    status: int
    reason: RenkeiError
    body: bytes
    content_type: str = PLAIN
    evidence: ForkEvidence | None = None


def dump_add_checkpoint(old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return the body of a request to witness a signed checkpoint.

    Args:
        old_size: what the witness cosigned last; 0 asks it to say so (409).
        proof: of consistency from there to the checkpoint, at most 63 hashes.
        checkpoint: the signed note.
    """
    if len(proof) > MAX_PROOF_LINES:
        raise BadAddCheckpointError(
            gettext_noop("a proof of consistency has at most {most} hashes"), most=MAX_PROOF_LINES
        )
    lines = [f"old {old_size}", *map(encode_base64, proof), "", ""]
    return "\n".join(lines).encode() + checkpoint


def _frame(body: bytes) -> tuple[list[str], bytes, Checkpoint]:
    """Take the body apart as far as is needed to know whose checkpoint it is."""
    if len(body) > MAX_ADD_CHECKPOINT_BYTES:
        raise BadAddCheckpointError(
            gettext_noop("a request to witness has at most {most} bytes"),
            most=MAX_ADD_CHECKPOINT_BYTES,
        )
    head, blank, note = body.partition(b"\n\n")
    if not blank or not head.startswith(b"old "):
        raise BadAddCheckpointError(
            gettext_noop(
                "expected a line such as 'old 15', a proof, an empty line and a checkpoint"
            )
        )
    return head.decode(errors="replace").split("\n"), note, parse_checkpoint(parse_note(note).text)


def _head(lines: Sequence[str]) -> tuple[int, tuple[bytes, ...]]:
    """Read the old size and the proof."""
    first, *rest = lines
    old_size = parse_decimal(first.removeprefix("old "))
    if old_size is None:
        raise BadAddCheckpointError(
            gettext_noop("expected a line such as 'old 15', not {text}"), text=repr(first[:_SHOWN])
        )
    if len(rest) > MAX_PROOF_LINES:
        raise BadAddCheckpointError(
            gettext_noop("a proof of consistency has at most {most} hashes"), most=MAX_PROOF_LINES
        )
    proof = []
    for line in rest:
        each = decode_base64(line)
        if each is None or len(each) != HASH_BYTES:
            raise BadAddCheckpointError(
                gettext_noop("a line of a proof is 32 bytes in base64, not {text}"),
                text=repr(line[:_SHOWN]),
            )
        proof.append(each)
    return old_size, tuple(proof)


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read the body of a request to witness a checkpoint, without believing it.

    Raises:
        BadAddCheckpointError, BadNoteError: it is not written as one.
    """
    lines, note, _checkpoint = _frame(body)
    old_size, proof = _head(lines)
    return AddCheckpoint(old_size, proof, note)


def _refuse(
    reason: RenkeiError, status: int | None = None, evidence: ForkEvidence | None = None
) -> Refuse:
    return Refuse(status or reason.status, reason, f"{reason}\n".encode(), PLAIN, evidence)


def _evidence(
    head: WitnessedHead, checkpoint: Checkpoint, note: bytes, proof: Sequence[bytes]
) -> ForkEvidence | None:
    """Return what a refused checkpoint proves together with the one cosigned last, if anything."""
    if checkpoint.size == head.size:
        return ForkEvidence(head.note, note) if checkpoint.root != head.root else None
    # A proof that leads to the new root, but from another old one, convicts the log itself.
    if not 0 < head.size < checkpoint.size:
        return None
    try:
        old_root, new_root = consistency_roots(head.size, checkpoint.size, proof)
    except BadProofError:
        return None
    if new_root == checkpoint.root and old_root != head.root:
        return ForkEvidence(head.note, note, tuple(proof))
    return None


def decide_add_checkpoint(
    body: bytes,
    log_keys_by_origin: Mapping[str, Collection[VerifierKey]],
    state_by_origin: Mapping[str, WitnessedHead],
    *,
    now: int | None = None,
) -> Accept | Refuse:
    """Decide whether to cosign a checkpoint.

    Args:
        body: of the request.
        log_keys_by_origin: the logs watched, and the keys trusted for each. A log known under
            two algorithms must have signed with both.
        state_by_origin: what was cosigned last; a log that is not there has nothing cosigned.
        now: seconds since 1970, to be cosigned with; given, it must not be before the last time.

    Returns:
        ``Accept``, or ``Refuse`` with 404, 403, 400, 409, 422 (in this order) or 503.

    Source: C2SP tlog-witness, add-checkpoint.
    """
    try:
        lines, note, claimed = _frame(body)
    except (BadAddCheckpointError, BadNoteError) as error:
        return _refuse(error, 400)
    origin = claimed.origin
    keys = log_keys_by_origin.get(origin)
    if not keys:
        return _refuse(UnknownOriginError(gettext_noop("this witness does not watch that log")))
    try:
        checkpoint, _keys = open_checkpoint(note, origin, keys, {key.kind for key in keys})
    except (BadSignatureError, UnsignedNoteError) as error:
        return _refuse(error, 403)
    try:
        old_size, proof = _head(lines)
    except BadAddCheckpointError as error:
        return _refuse(error)
    if old_size > checkpoint.size:
        return _refuse(
            BadAddCheckpointError(
                gettext_noop("the old size {old} is larger than the checkpoint's {size}"),
                old=old_size,
                size=checkpoint.size,
            )
        )
    head = state_by_origin.get(origin, WitnessedHead(0, EMPTY_ROOT, b""))
    if old_size != head.size:
        stale = StaleSizeError(
            gettext_noop("the checkpoint cosigned last has {size} entries, not {old}"),
            size=head.size,
            old=old_size,
        )
        evidence = _evidence(head, checkpoint, note, ()) if head.note else None
        return Refuse(409, stale, b"%d\n" % head.size, TLOG_SIZE, evidence)
    try:
        verify_consistency(
            old_size=head.size,
            old_root=head.root,
            new_size=checkpoint.size,
            new_root=checkpoint.root,
            proof=proof,
        )
    except BadProofError as error:
        evidence = _evidence(head, checkpoint, note, proof) if head.note else None
        return _refuse(error, 422, evidence)
    if now is not None and now < max(head.cosigned_at, 1):
        return _refuse(
            BackwardTimeError(
                gettext_noop(
                    "this witness's clock says {now}, before its last cosignature at {last}"
                ),
                now=now,
                last=head.cosigned_at,
            )
        )
    return Accept(origin, checkpoint, note, head.size)
