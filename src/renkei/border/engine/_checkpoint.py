"""Checkpoints: a log's word on how many entries it has and what they are, and who stands by it.

A log signs its checkpoints twice, with Ed25519 and with ML-DSA-44; either algorithm may fall
one day, so a reader asks for both. Witnesses and mirrors add cosignatures.

Source: C2SP tlog-checkpoint and tlog-cosignature. The signatures themselves are in ``_note``.
"""

from base64 import b64encode
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from renkei.border.engine._merkle import LARGEST_SIZE
from renkei.border.engine._note import (
    ED25519,
    MAX_SIGNATURES,
    MLDSA44_COSIGNATURE,
    BadNoteError,
    BadTimestampError,
    BadVerifierKeyError,
    Cosigner,
    NoteSignature,
    NoteSigner,
    SignedNote,
    UnsignedNoteError,
    VerifierKey,
    open_note,
    parse_note,
    parse_signatures,
    tree_head,
)
from renkei.kit.errors import gettext_noop

HYBRID: frozenset[int] = frozenset({ED25519, MLDSA44_COSIGNATURE})
"""What a log of a node signs with, and a reader of one requires."""


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself.

    Args:
        origin: the log's name.
        size: entries in it.
        root: of its tree, 32 bytes.
        extensions: further lines, which mean nothing here and which nobody should write.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        read = (self.origin, self.size, self.root, self.extensions)
        if not 0 <= self.size <= LARGEST_SIZE or tree_head(self.text) != read:
            raise BadNoteError(
                gettext_noop("a checkpoint has a size from 0 to 2^63-1 and one line an extension")
            )

    @property
    def text(self) -> str:
        """The text that is signed, three lines."""
        root = b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint, without signatures.

    Raises:
        BadNoteError: it is not origin, size and root in the one form there is for them.
    """
    return Checkpoint(*tree_head(text))


def sign_checkpoint(
    checkpoint: Checkpoint, *, ed25519: NoteSigner, mldsa44: Cosigner, timestamp: int
) -> bytes:
    """Sign as the log, with both algorithms.

    The caller has saved every entry, and has signed nothing that this contradicts.

    Args:
        checkpoint: what the log says.
        ed25519: type 0x01, under the log's name.
        mldsa44: type 0x06, under the log's name.
        timestamp: seconds since 1970, not 0.

    Raises:
        BadVerifierKeyError: a key has another name than the log, or is of another type.
        BadTimestampError: the time is 0 or beyond 2⁶³-1.
    """
    for key, kind in ((ed25519.key, ED25519), (mldsa44.key, MLDSA44_COSIGNATURE)):
        if key.name != checkpoint.origin or key.kind != kind:
            raise BadVerifierKeyError(
                gettext_noop("the log {origin} signs with a key of its name and of type {kind}"),
                origin=checkpoint.origin,
                kind=f"0x{kind:02x}",
            )
    text = checkpoint.text.encode()
    own = NoteSignature(ed25519.key.name, ed25519.key.key_id, ed25519.sign_note(text))
    note = SignedNote(checkpoint.text, (own,)).dump()
    return with_cosignatures(note, cosign(note, [mldsa44], timestamp))


def open_checkpoint(
    data: bytes,
    origin: str,
    keys: Iterable[VerifierKey],
    require: Collection[int] = HYBRID,
) -> tuple[Checkpoint, tuple[VerifierKey, ...]]:
    """Read a checkpoint and believe it only if its log has signed.

    Args:
        data: the signed note.
        origin: the log it must be of.
        keys: the log's, under its name, and those of cosigners whose signatures shall be checked.
        require: signature types with which the log must have signed, each with at least one of
            its keys; whoever strips one of the two is refused. Empty: any one of its keys will do.

    Returns:
        The checkpoint and the keys that signed.

    Raises:
        BadNoteError: it is no checkpoint, or one of another log.
        BadSignatureError: a signature in the name of a known key is not its.
        UnsignedNoteError: the log has not signed, or not with every algorithm required.
    """
    note, verified = open_note(data, keys)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise BadNoteError(
            gettext_noop("the checkpoint is of {found}, expected one of {origin}"),
            found=checkpoint.origin,
            origin=origin,
        )
    kinds = {key.kind for key in verified if key.name == origin} & HYBRID
    missing = set(require) - kinds
    if missing or not kinds:
        raise UnsignedNoteError(
            gettext_noop("{origin} has not signed its checkpoint with type {kinds}"),
            origin=origin,
            kinds=", ".join(f"0x{kind:02x}" for kind in sorted(missing or HYBRID)),
        )
    return checkpoint, verified


def cosign(note: bytes, cosigners: Iterable[Cosigner], timestamp: int) -> list[str]:
    """Stand by a checkpoint at a time; the caller has checked and saved it.

    Returns:
        A line for each cosigner, ended by a newline: the answer of a witness.

    Raises:
        BadNoteError: it is no checkpoint.
        BadTimestampError: the time is 0, which would leave open when it was seen.
    """
    if timestamp == 0:
        raise BadTimestampError(
            gettext_noop("a cosignature over a checkpoint has a time that is not 0")
        )
    text = parse_note(note).text.encode()
    return [
        NoteSignature(
            each.key.name, each.key.key_id, each.sign_note(text, timestamp=timestamp)
        ).line
        for each in cosigners
    ]


def read_cosignatures(note: bytes, answer: bytes, keys: Iterable[VerifierKey]) -> list[str]:
    """Return the lines of a cosigner's answer that are by these keys.

    Lines of other keys are passed over.

    Raises:
        BadNoteError: the answer is not signature lines.
        BadSignatureError: a line in the name of one of the keys is not its.
        UnsignedNoteError: none of the keys has signed.
    """
    try:
        lines = parse_signatures(answer.decode())
    except UnicodeDecodeError as error:
        raise BadNoteError(gettext_noop("a note is UTF-8 text")) from error
    keys = tuple(keys)
    answered = SignedNote(parse_note(note).text, lines)
    _note, verified = open_note(answered.dump(), keys)
    wanted = {(key.name, key.key_id) for key in verified}
    return [each.line for each in lines if (each.name, each.key_id) in wanted]


def with_cosignatures(note: bytes, lines: Sequence[str]) -> bytes:
    """Return the note with signature lines added; a newer line of a key takes the older's place.

    Raises:
        BadNoteError: a line is none, or there would be more than 64.
    """
    if not lines:
        return note
    read = parse_note(note)
    signatures = {(each.name, each.key_id): each for each in read.signatures}
    signatures |= {(each.name, each.key_id): each for each in parse_signatures("".join(lines))}
    if len(signatures) > MAX_SIGNATURES:
        raise BadNoteError(
            gettext_noop("a note has at most {most} signatures"), most=MAX_SIGNATURES
        )
    return SignedNote(read.text, tuple(signatures.values())).dump()
