"""A proof of logging in one file, to be checked offline for as long as the keys are believed.

Source: C2SP tlog-proof.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from renkei.border.engine._checkpoint import HYBRID, Checkpoint, open_checkpoint
from renkei.border.engine._merkle import HASH_BYTES, verify_inclusion
from renkei.border.engine._note import (
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_decimal,
    parse_note,
)
from renkei.border.engine._policy import Policy
from renkei.kit.errors import RenkeiError, gettext_noop

TLOG_PROOF = "c2sp.org/tlog-proof@v1"
MAX_PROOF_HASHES = 63
MAX_TLOG_PROOF_BYTES = 1024 * 1024


class BadTlogProofError(RenkeiError):
    """A file is not written as a proof of logging."""

    code = "border.bad_tlog_proof"
    status = 400


@dataclass(frozen=True)
class TlogProof:
    """That an entry stands in a log, as far as the log's checkpoint goes.

    Args:
        index: of the entry, from 0.
        hashes: the proof of inclusion, from the leaf up.
        note: the signed checkpoint with all its cosignatures.
        extra: bytes that nobody vouches for, or nothing.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    def dump(self) -> bytes:
        """Return the file."""
        lines = [TLOG_PROOF]
        if self.extra is not None:
            lines.append(f"extra {encode_base64(self.extra)}")
        lines += [f"index {self.index}", *map(encode_base64, self.hashes), "", ""]
        return "\n".join(lines).encode() + self.note

    @classmethod
    def parse(cls, data: bytes) -> "TlogProof":
        """Read a file without believing it.

        Raises:
            BadTlogProofError: it is not written as a proof.
            BadNoteError: what follows it is no signed note.
        """
        if len(data) > MAX_TLOG_PROOF_BYTES:
            raise BadTlogProofError(
                gettext_noop("a proof of logging has at most {most} bytes"),
                most=MAX_TLOG_PROOF_BYTES,
            )
        head, blank, note = data.partition(b"\n\n")
        lines = head.decode(errors="replace").split("\n")
        if not blank or lines.pop(0) != TLOG_PROOF or not lines:
            raise BadTlogProofError(
                gettext_noop("expected a file that begins with {line}"), line=TLOG_PROOF
            )
        extra = None
        if lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "))
            if extra is None:
                raise BadTlogProofError(gettext_noop("the proof's extra data are not base64"))
        number = lines.pop(0) if lines else ""
        index = (
            parse_decimal(number.removeprefix("index ")) if number.startswith("index ") else None
        )
        if index is None:
            raise BadTlogProofError(gettext_noop("expected a line such as 'index 15' in the proof"))
        hashes = [decode_base64(line) for line in lines[:MAX_PROOF_HASHES]]
        good = tuple(each for each in hashes if each is not None and len(each) == HASH_BYTES)
        if len(good) != len(lines):
            raise BadTlogProofError(
                gettext_noop("a proof has at most {most} hashes, each of 32 bytes in base64"),
                most=MAX_PROOF_HASHES,
            )
        parse_note(note)
        return cls(index, good, note, extra)

    def verify(
        self,
        *,
        leaf: bytes,
        origin: str,
        keys: Iterable[VerifierKey],
        require: Collection[int] = HYBRID,
        policy: Policy | None = None,
    ) -> tuple[Checkpoint, tuple[VerifierKey, ...]]:
        """Check that the entry stands in the log, at that index.

        Args:
            leaf: the entry's hash (``leaf_hash``).
            origin: the log it must stand in.
            keys: of the log, and of the cosigners to be looked for.
            require: signature types with which the log must have signed.
            policy: who must have cosigned; without one, nobody.

        Returns:
            The checkpoint, and the keys that signed it.

        Raises:
            BadProofError: the hashes do not lead to the checkpoint's root.
            BadNoteError, BadSignatureError, UnsignedNoteError: the checkpoint is not the log's.
            UnmetQuorumError: too few have cosigned.
        """
        checkpoint, verified = open_checkpoint(self.note, origin, keys, require)
        verify_inclusion(
            index=self.index,
            size=checkpoint.size,
            leaf=leaf,
            proof=self.hashes,
            root=checkpoint.root,
        )
        if policy is not None:
            policy.check(self.note)
        return checkpoint, verified
