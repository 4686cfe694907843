"""Proof that a log told two stories: a file that a third party can check.

Either two checkpoints of one size have different roots, or the tree of the larger one does not
begin with that of the smaller one, shown by hashes that lead to the larger root and to another
smaller one. A proof of consistency that merely fails proves nothing: anybody can send a bad one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from renkei.border.engine._checkpoint import (
    HYBRID,
    Checkpoint,
    open_checkpoint,
    parse_checkpoint,
)
from renkei.border.engine._merkle import (
    HASH_BYTES,
    BadProofError,
    NodeReader,
    consistency_proof,
    consistency_roots,
)
from renkei.border.engine._note import (
    MAX_NOTE_BYTES,
    VerifierKey,
    decode_base64,
    encode_base64,
    parse_decimal,
    parse_note,
)
from renkei.kit.errors import RenkeiError, gettext_noop

FORK_EVIDENCE = "renkei-fork-evidence/v1"
MAX_PATH = 65  # a consistency proof, and the smaller tree's own root before it
MAX_EVIDENCE_BYTES = 2 * MAX_NOTE_BYTES + 8192


class BadEvidenceError(RenkeiError):
    """A file does not prove that a log told two stories."""

    code = "border.bad_evidence"


@dataclass(frozen=True)
class ForkEvidence:
    """Two signed checkpoints of one log that cannot both be true.

    Args:
        first: the signed checkpoint of the smaller tree, as it was received.
        second: that of the larger one, or of one as large.
        path: empty for equal sizes; else the consistency proof of the second tree, with the root
            of its own first entries before it where the smaller size is a power of two.
    """

    first: bytes
    second: bytes
    path: tuple[bytes, ...] = ()

    def dump(self) -> bytes:
        """Return the file: a head with lengths and hashes, an empty line, the two checkpoints."""
        head = [
            FORK_EVIDENCE,
            f"first {len(self.first)}",
            f"second {len(self.second)}",
            *map(encode_base64, self.path),
        ]
        return "\n".join([*head, "", ""]).encode() + self.first + self.second

    @classmethod
    def parse(cls, data: bytes) -> "ForkEvidence":
        """Read what ``dump`` wrote; whether it proves anything, ``verify`` tells.

        Raises:
            BadEvidenceError: it is no such file.
        """
        head, blank, notes = data[:MAX_EVIDENCE_BYTES].partition(b"\n\n")
        lines = head.decode(errors="replace").split("\n")
        lengths = [
            parse_decimal(line.removeprefix(name)) if line.startswith(name) else None
            for line, name in zip(lines[1:3], ("first ", "second "), strict=False)
        ]
        path = [decode_base64(line) for line in lines[3:]]
        if (
            not blank
            or lines[0] != FORK_EVIDENCE
            or len(lengths) < 2
            or None in lengths
            or sum(length or 0 for length in lengths) != len(notes)
            or len(data) > MAX_EVIDENCE_BYTES
            or len(path) > MAX_PATH
        ):
            raise BadEvidenceError(
                gettext_noop("expected a file that begins with {line}"), line=FORK_EVIDENCE
            )
        hashes = tuple(each for each in path if each is not None and len(each) == HASH_BYTES)
        if len(hashes) != len(path):
            raise BadEvidenceError(gettext_noop("a hash of the evidence is not 32 bytes in base64"))
        return cls(notes[: lengths[0]], notes[lengths[0] :], hashes)

    def verify(
        self, origin: str, keys: Iterable[VerifierKey], require: Collection[int] = HYBRID
    ) -> tuple[Checkpoint, Checkpoint]:
        """Check that the log signed both checkpoints, and that they cannot both be true.

        Args:
            origin: the log accused.
            keys: its keys at the time.
            require: signature types that both must bear; one alone could be broken one day, and
                would let anybody accuse.

        Returns:
            The two checkpoints, the smaller one first.

        Raises:
            BadEvidenceError: they can both be true.
            BadNoteError, BadSignatureError, UnsignedNoteError: one is not the log's.
        """
        keys = tuple(keys)
        first, _keys = open_checkpoint(self.first, origin, keys, require)
        second, _keys = open_checkpoint(self.second, origin, keys, require)
        if first.size == second.size:
            if first.root != second.root and not self.path:
                return first, second
        else:
            try:
                old_root, new_root = consistency_roots(first.size, second.size, self.path)
            except BadProofError as error:
                raise BadEvidenceError(error.sentence, **error.values) from error
            if new_root == second.root and old_root != first.root:
                return first, second
        raise BadEvidenceError(
            gettext_noop("the checkpoints of {first} and {second} entries can both be true"),
            first=first.size,
            second=second.size,
        )


def fork_evidence(first: bytes, second: bytes, read: NodeReader) -> ForkEvidence | None:
    """Return the proof that two checkpoints of one log contradict each other, or nothing.

    Args:
        first: a signed checkpoint, verified by the caller.
        second: another, of the same log.
        read: nodes of the tree of the larger one, for instance ``TileNodes`` with its root; not
            used if the sizes are equal.

    Raises:
        BadProofError: what ``read`` returns is not the tree of the larger checkpoint.
    """
    pair = sorted(
        ((parse_checkpoint(parse_note(note).text), note) for note in (first, second)),
        key=lambda each: each[0].size,
    )
    (old, old_note), (new, new_note) = pair
    if old.size == new.size:
        return ForkEvidence(old_note, new_note) if old.root != new.root else None
    if old.size == 0:
        return None
    path = tuple(consistency_proof(old.size, new.size, read))
    if old.size.bit_count() == 1:
        path = (read(old.size.bit_length() - 1, 0), *path)
    old_root, new_root = consistency_roots(old.size, new.size, path)
    if new_root != new.root:
        raise BadProofError(
            gettext_noop("these are not the nodes of the tree of {size} entries"), size=new.size
        )
    return ForkEvidence(old_note, new_note, path) if old_root != old.root else None
