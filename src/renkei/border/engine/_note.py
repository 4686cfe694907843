"""Signed notes: a text, and below it one line for each signature.

Three kinds of signature are known: the log's own Ed25519 (0x01), and the cosignatures with a
time, by Ed25519 (0x04) and by ML-DSA-44 (0x06). What the text says is in ``_checkpoint``.

Source: C2SP signed-note and tlog-cosignature.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from renkei.border.engine._merkle import HASH_BYTES, LARGEST_SIZE
from renkei.kit.errors import ForbiddenError, RenkeiError, gettext_noop

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04
MLDSA44_COSIGNATURE = 0x06
PUBLIC_KEY_BYTES = {ED25519: 32, ED25519_COSIGNATURE: 32, MLDSA44_COSIGNATURE: 1312}

KEY_ID_BYTES = 4
TIMESTAMP_BYTES = 8
LARGEST_TIMESTAMP = 2**63 - 1
MAX_NAME_BYTES = 255  # an ML-DSA-44 cosignature writes the length in one byte
MAX_SIGNATURES = 64  # a log's two and four by each of fifteen partners
MAX_NOTE_BYTES = 512 * 1024

_DASH = "\N{EM DASH}"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_VERIFIER_KEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")
_SHOWN = 80  # characters of a stranger's text that an error repeats


class BadNoteError(RenkeiError):
    """Bytes are not a signed note, or its text is not what it must be."""

    code = "border.bad_note"
    status = 400


class BadVerifierKeyError(RenkeiError):
    """A name and a public key do not make a key that signs notes."""

    code = "border.bad_verifier_key"


class BadSignatureError(ForbiddenError):
    """A signature says it is by a key we know, and is not."""

    code = "border.bad_signature"


class UnsignedNoteError(ForbiddenError):
    """Nobody whose signature is required has signed."""

    code = "border.unsigned_note"


class BadTimestampError(RenkeiError):
    """A time that a cosignature cannot carry."""

    code = "border.bad_timestamp"


def decode_base64(text: str) -> bytes | None:
    """Return the bytes, or nothing if this is not the one way to write them in base64."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        return None
    return data if b64encode(data).decode() == text else None


def encode_base64(data: bytes) -> str:
    """Return the one way to write bytes in base64."""
    return b64encode(data).decode()


def parse_decimal(text: str) -> int | None:
    """Return a whole number from 0 to 2⁶³-1 written without leading zeroes, or nothing."""
    number = int(text) if _DECIMAL.fullmatch(text) else LARGEST_SIZE + 1
    return number if number <= LARGEST_SIZE else None


def tree_head(text: str) -> tuple[str, int, bytes, tuple[str, ...]]:
    """Read the text of a checkpoint: origin, size, root, extension lines.

    Raises:
        BadNoteError: it is not such a text.

    Source: C2SP tlog-checkpoint.
    """
    *lines, end = text.split("\n")
    if end or len(lines) < 3 or not all(lines) or _CONTROL.search(text):
        raise BadNoteError(
            gettext_noop(
                "a checkpoint has three lines or more, none of them empty: origin, size, root"
            )
        )
    origin, decimal, encoded, *extensions = lines
    if len(origin.encode()) > MAX_NAME_BYTES:
        raise BadNoteError(
            gettext_noop("a checkpoint's origin has at most {most} bytes"), most=MAX_NAME_BYTES
        )
    size = parse_decimal(decimal)
    if size is None:
        raise BadNoteError(
            gettext_noop("a checkpoint's size is a decimal number from 0 to 2^63-1, not {text}"),
            text=decimal[:_SHOWN],
        )
    root = decode_base64(encoded)
    if root is None or len(root) != HASH_BYTES:
        raise BadNoteError(
            gettext_noop("a checkpoint's root is 32 bytes in base64, not {text}"),
            text=encoded[:_SHOWN],
        )
    return origin, size, root, tuple(extensions)


def is_key_name(name: str) -> bool:
    """Tell whether a name can stand in a signature line."""
    return bool(name) and not any(
        each == "+" or each.isspace() or "\ud800" <= each <= "\udfff" for each in name
    )


@lru_cache(maxsize=256)
def _public_key(kind: int, public: bytes) -> Ed25519PublicKey | MLDSA44PublicKey:
    if kind == MLDSA44_COSIGNATURE:
        return MLDSA44PublicKey.from_public_bytes(public)
    return Ed25519PublicKey.from_public_bytes(public)


def _stamp(timestamp: int) -> bytes:
    if not 0 <= timestamp <= LARGEST_TIMESTAMP:
        raise BadTimestampError(
            gettext_noop("a cosignature's time is 0 to 2^63-1 seconds, not {timestamp}"),
            timestamp=timestamp,
        )
    return timestamp.to_bytes(TIMESTAMP_BYTES, "big")


def _ed25519_cosigned(timestamp: int, text: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n" % timestamp + text


def _mldsa44_cosigned(name: str, timestamp: int, text: bytes) -> bytes:
    origin, size, root, _extensions = tree_head(text.decode())
    return b"".join(
        (
            b"subtree/v1\n\0",
            len(name.encode()).to_bytes(1, "big"),
            name.encode(),
            timestamp.to_bytes(TIMESTAMP_BYTES, "big"),
            len(origin.encode()).to_bytes(1, "big"),
            origin.encode(),
            (0).to_bytes(8, "big"),  # the whole tree begins at its first entry
            size.to_bytes(8, "big"),
            root,
        )
    )


@dataclass(frozen=True)
class VerifierKey:
    """A public key under a name, for one kind of signature.

    Args:
        name: of the log or the cosigner; 1 to 255 bytes, no space, no plus.
        kind: ``ED25519`` 0x01, ``ED25519_COSIGNATURE`` 0x04 or ``MLDSA44_COSIGNATURE`` 0x06.
        public: the raw public key, 32 or 1,312 bytes.
    """

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name) or len(self.name.encode()) > MAX_NAME_BYTES:
            raise BadVerifierKeyError(
                gettext_noop("a key's name has 1 to {most} bytes and no space or plus, not {name}"),
                name=repr(self.name[:_SHOWN]),
                most=MAX_NAME_BYTES,
            )
        if self.kind not in PUBLIC_KEY_BYTES:
            raise BadVerifierKeyError(
                gettext_noop(
                    "signature type {kind} is not known; expected 0x01 (Ed25519), "
                    "0x04 (Ed25519 cosignature) or 0x06 (ML-DSA-44 cosignature)"
                ),
                kind=f"0x{self.kind:02x}",
            )
        if len(self.public) != PUBLIC_KEY_BYTES[self.kind]:
            raise BadVerifierKeyError(
                gettext_noop("the public key of {name} has {found} bytes, expected {expected}"),
                name=self.name,
                found=len(self.public),
                expected=PUBLIC_KEY_BYTES[self.kind],
            )

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature line names the key."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(named).digest()[:KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The key in one line: ``name+12345678+base64``."""
        encoded = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read what ``text`` writes.

        Raises:
            BadVerifierKeyError: it is not such a line, or its short number is not this key's.
        """
        found = _VERIFIER_KEY.fullmatch(text) if len(text) <= 4096 else None
        material = decode_base64(found[3]) if found else None
        if not found or not material:
            raise BadVerifierKeyError(
                gettext_noop("expected a verifier key such as name+12345678+base64, not {text}"),
                text=repr(text[:_SHOWN]),
            )
        key = cls(found[1], material[0], material[1:])
        if key.key_id.hex() != found[2]:
            raise BadVerifierKeyError(
                gettext_noop("the verifier key of {name} says {said}, but its number is {found}"),
                name=key.name,
                said=found[2],
                found=key.key_id.hex(),
            )
        return key

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Tell whether a signature, without the key's number before it, is this key's.

        A cosignature over a text that is no checkpoint is nobody's.
        """
        try:
            if self.kind == ED25519:
                signed = text
            else:
                timestamp = int.from_bytes(signature[:TIMESTAMP_BYTES], "big")
                signature = signature[TIMESTAMP_BYTES:]
                if timestamp > LARGEST_TIMESTAMP:
                    return False
                if self.kind == ED25519_COSIGNATURE:
                    tree_head(text.decode())
                    signed = _ed25519_cosigned(timestamp, text)
                else:
                    signed = _mldsa44_cosigned(self.name, timestamp, text)
            _public_key(self.kind, self.public).verify(signature, signed)
        except (InvalidSignature, BadNoteError, ValueError):
            return False
        return True


@dataclass(frozen=True)
class NoteSignature:
    """One line below a note.

    Args:
        name: of the key.
        key_id: 4 bytes.
        signature: at least one byte; a cosignature begins with its time.
    """

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line, with the newline that ends it."""
        return f"{_DASH} {self.name} {b64encode(self.key_id + self.signature).decode()}\n"

    @property
    def timestamp(self) -> int:
        """The time of a cosignature, seconds since 1970; without meaning for type 0x01."""
        return int.from_bytes(self.signature[:TIMESTAMP_BYTES], "big")

    @classmethod
    def parse(cls, line: str) -> "NoteSignature":
        """Read a line, without the newline that ends it.

        Raises:
            BadNoteError: it is not an em dash, a name and base64.
        """
        dash, name, encoded = [*line.split(" "), "", ""][:3] if line.count(" ") == 2 else ("",) * 3
        data = decode_base64(encoded)
        if dash != _DASH or not is_key_name(name) or not data or len(data) <= KEY_ID_BYTES:
            raise BadNoteError(
                gettext_noop("expected an em dash, a name and a signature in base64, not {line}"),
                line=repr(line[:_SHOWN]),
            )
        return cls(name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


@dataclass(frozen=True)
class SignedNote:
    """A text and the signatures below it; not yet a reason to believe the text.

    Args:
        text: ends in a newline.
        signatures: at least one.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def dump(self) -> bytes:
        """Return the note as it is sent."""
        return f"{self.text}\n{''.join(each.line for each in self.signatures)}".encode()

    def by(self, key: VerifierKey) -> NoteSignature | None:
        """Return the first signature that names this key; whether it is its, ``open_note`` tells."""
        for each in self.signatures:
            if each.name == key.name and each.key_id == key.key_id:
                return each
        return None


def parse_signatures(text: str) -> tuple[NoteSignature, ...]:
    """Read signature lines, each ended by a newline: those of a note, or a witness's answer.

    Raises:
        BadNoteError: a line is none, there is none, or there are more than 64.
    """
    *lines, end = text.split("\n")
    if end or not lines or len(lines) > MAX_SIGNATURES:
        raise BadNoteError(
            gettext_noop("expected 1 to {most} signature lines, each ended by a newline"),
            most=MAX_SIGNATURES,
        )
    return tuple(map(NoteSignature.parse, lines))


def parse_note(data: bytes) -> SignedNote:
    """Take a note apart without believing it.

    Raises:
        BadNoteError: it is longer than 512 KiB, is not UTF-8, holds a control character, or
            has no text, no empty line or no signature line where they belong.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise BadNoteError(
            gettext_noop("a note has at most {most} bytes, not {found}"),
            most=MAX_NOTE_BYTES,
            found=len(data),
        )
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise BadNoteError(gettext_noop("a note is UTF-8 text")) from error
    if _CONTROL.search(whole):
        raise BadNoteError(gettext_noop("a note holds no control character but the newline"))
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank:
        raise BadNoteError(gettext_noop("a note is a text, an empty line and signature lines"))
    return SignedNote(text + "\n", parse_signatures(signatures))


def open_note(
    data: bytes, keys: Iterable[VerifierKey]
) -> tuple[SignedNote, tuple[VerifierKey, ...]]:
    """Take a note apart and check every signature that names a key we know.

    Signatures by unknown keys are passed over, whatever they are.

    Returns:
        The note, and the keys that did sign it, in the order of its lines.

    Raises:
        BadNoteError: it is no note.
        BadSignatureError: a line names a known key and is not by it; the note is worth nothing.
        UnsignedNoteError: no known key has signed.
        BadVerifierKeyError: two different keys have one name and one number.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise BadVerifierKeyError(
                gettext_noop("two keys of {name} have the same number {number}"),
                name=key.name,
                number=key.key_id.hex(),
            )
    note = parse_note(data)
    text, verified = note.text.encode(), dict[VerifierKey, None]()
    for each in note.signatures:
        if found := known.get((each.name, each.key_id)):
            if not found.verifies(text, each.signature):
                raise BadSignatureError(
                    gettext_noop("the signature by {name} ({number}) is not its"),
                    name=found.name,
                    number=found.key_id.hex(),
                )
            verified[found] = None
    if not verified:
        raise UnsignedNoteError(gettext_noop("no key that we know has signed the note"))
    return note, tuple(verified)


class NoteSigner(Protocol):
    """Who signs a note as its author."""

    @property
    def key(self) -> VerifierKey:
        """The public half."""

    def sign_note(self, text: bytes) -> bytes:
        """Return the signature, without the key's number."""


class Cosigner(Protocol):
    """Who signs a checkpoint at a time."""

    @property
    def key(self) -> VerifierKey:
        """The public half."""

    def sign_note(self, text: bytes, *, timestamp: int) -> bytes:
        """Return time and signature, without the key's number."""


class Ed25519NoteSigner:
    """Signs any note with Ed25519, type 0x01."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = VerifierKey(name, ED25519, private.public_key().public_bytes_raw())

    def sign_note(self, text: bytes) -> bytes:
        """Return the signature, 64 bytes."""
        return self._private.sign(text)


class Ed25519Cosigner:
    """Cosigns checkpoints with Ed25519, type 0x04.

    What it signs does not hold the cosigner's name: one key must not serve two names.
    """

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.key = VerifierKey(name, ED25519_COSIGNATURE, private.public_key().public_bytes_raw())

    def sign_note(self, text: bytes, *, timestamp: int) -> bytes:
        """Return time and signature, 72 bytes.

        Raises:
            BadNoteError: the text is no checkpoint.
            BadTimestampError: the time is not 0 to 2⁶³-1 seconds.
        """
        tree_head(text.decode())
        return _stamp(timestamp) + self._private.sign(_ed25519_cosigned(timestamp, text))


class MlDsa44Cosigner:
    """Cosigns checkpoints with ML-DSA-44, type 0x06; a log signs its own with it too."""

    def __init__(self, name: str, private: MLDSA44PrivateKey) -> None:
        self._private = private
        self.key = VerifierKey(name, MLDSA44_COSIGNATURE, private.public_key().public_bytes_raw())

    def sign_note(self, text: bytes, *, timestamp: int) -> bytes:
        """Return time and signature, 2,428 bytes.

        Raises:
            BadNoteError: the text is no checkpoint.
            BadTimestampError: the time is not 0 to 2⁶³-1 seconds.
        """
        stamp = _stamp(timestamp)
        return stamp + self._private.sign(_mldsa44_cosigned(self.key.name, timestamp, text))


def sign_note(text: str, signers: Iterable[NoteSigner]) -> SignedNote:
    """Sign a text that is not a checkpoint.

    Raises:
        BadNoteError: the text holds control characters or does not end in a newline.
    """
    if not text.endswith("\n") or _CONTROL.search(text):
        raise BadNoteError(
            gettext_noop("a note's text ends in a newline and holds no control character")
        )
    return SignedNote(
        text,
        tuple(
            NoteSignature(each.key.name, each.key.key_id, each.sign_note(text.encode()))
            for each in signers
        ),
    )
