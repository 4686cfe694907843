"""Sealed files and short one-time-pad messages: formats, and the steps to write and read them.

A sealed file is a line that says what it is, a header in JSON, and chunks under AES-256-GCM. The
header is bound to every chunk; a chunk's number is its nonce, and the last chunk says that it is
the last, so nothing can be cut, swapped or joined. The key changes after 2^30 bytes.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.engine._combiner import SUITE, Context, Recipient, combine, encapsulate, expand
from renkei.link.engine._rest import one_time_tag

MAGIC = b"renkei sealed 1\n"
PAD_SUITE = "one-time pad + Wegman-Carter"
CHUNK_BYTES = 1 << 20
TAG_BYTES = 16
REKEY_BYTES = 1 << 30
LARGEST_HEADER_BYTES = 64 << 10
LONGEST_NAME = 255
QKD_KEY_BYTES = 32
PAD_UNIT_BYTES = 64  # a message's length is hidden within such a unit
LONGEST_PAD_MESSAGE_BYTES = 16 << 10
PAD_TAG_KEY_BYTES = 32


class Policy(StrEnum):
    """Whether a file may be sealed without a QKD key."""

    REQUIRE_QKD = "require-qkd"
    HYBRID_OR_PQC = "hybrid-or-pqc"


class Source(StrEnum):
    """Where the QKD key came from."""

    QUANTUM = "quantum"
    SIMULATED = "simulated"
    NONE = "none"


class NotSealedError(RenkeiError):
    """Bytes are no sealed file, or one that was changed or cut."""

    code = "link.not_sealed"


class PolicyError(RenkeiError):
    """What is asked for is against the policy of the seal or of the node."""

    code = "link.policy"


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a sealed file says in clear.

    Args:
        suite: which cryptography.
        sender: node that sealed.
        receiver: node that opens.
        policy: what the sender demanded.
        source: where the QKD key came from; ``none`` is a downgrade that the policy allowed.
        key_ids: identifiers of the QKD keys.
        encapsulated: for the receiver's secret keys; empty for a one-time pad.
        name: of the file, as people are shown it; bound.
    """

    suite: str
    sender: str
    receiver: str
    policy: Policy
    source: Source
    key_ids: tuple[str, ...]
    encapsulated: bytes
    name: str

    @property
    def is_downgrade(self) -> bool:
        """Tell whether no QKD key protects the file."""
        return self.source is Source.NONE


def write_header(header: Header) -> bytes:
    """Return the first bytes of a sealed file."""
    said = asdict(header) | {
        "encapsulated": base64.b64encode(header.encapsulated).decode("ascii"),
        "key_ids": list(header.key_ids),
    }
    body = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    return MAGIC + len(body).to_bytes(4, "big") + body


def read_header(file: BinaryIO) -> tuple[Header, bytes]:
    """Return the header of a sealed file, and the bytes that are bound to what follows.

    Raises:
        NotSealedError: it is none.
    """
    head = file.read(len(MAGIC) + 4)
    length = int.from_bytes(head[len(MAGIC) :], "big")
    if not head.startswith(MAGIC) or len(head) < len(MAGIC) + 4 or length > LARGEST_HEADER_BYTES:
        raise NotSealedError(gettext_noop("this is no sealed file"))
    body = file.read(length)
    try:
        said = json.loads(body)
        header = Header(
            suite=_text(said["suite"]),
            sender=_text(said["sender"]),
            receiver=_text(said["receiver"]),
            policy=Policy(said["policy"]),
            source=Source(said["source"]),
            key_ids=tuple(_text(one) for one in list(said["key_ids"])),
            encapsulated=base64.b64decode(said["encapsulated"], validate=True),
            name=shown_name(_text(said["name"])),
        )
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
        raise NotSealedError(gettext_noop("the header of the sealed file is damaged")) from error
    if header.suite not in {SUITE, PAD_SUITE}:
        raise NotSealedError(
            gettext_noop("the file is sealed with {suite}, which is not known here"),
            suite=header.suite,
        )
    if header.is_downgrade == bool(header.key_ids) or (
        header.is_downgrade and header.policy is Policy.REQUIRE_QKD
    ):
        raise PolicyError(gettext_noop("the file was sealed against its own policy"))
    return header, head + body


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError
    return said


def shown_name(name: str) -> str:
    """Return a file's name without what would not be shown, or would do something else.

    Some file systems have names that are no text; and whoever wrote a header may have put into it
    what a terminal obeys.
    """
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in name)[
        :LONGEST_NAME
    ]


def seal(
    plain: BinaryIO,
    out: BinaryIO,
    *,
    public: bytes,
    sender: str,
    receiver: str,
    policy: Policy,
    qkd: tuple[str, bytes, Source] | None,
    name: str = "",
) -> Header:
    """Seal a file for the node that ``public`` belongs to.

    Args:
        plain: what is sealed.
        out: where to.
        public: the receiver's public keys.
        sender: name of the node that seals.
        receiver: name of the node that opens.
        policy: ``require-qkd`` refuses to go without a QKD key.
        qkd: identifier, key of 32 bytes and its source; ``None`` when there is none.
        name: of the file, in clear.

    Raises:
        PolicyError: a QKD key is required and there is none.
    """
    if qkd is None and policy is Policy.REQUIRE_QKD:
        raise PolicyError(
            gettext_noop("the policy requires a QKD key and there is none: nothing was sealed")
        )
    mlkem, x25519, encapsulated = encapsulate(public)
    header = Header(
        suite=SUITE,
        sender=sender,
        receiver=receiver,
        policy=policy,
        source=qkd[2] if qkd else Source.NONE,
        key_ids=(qkd[0],) if qkd else (),
        encapsulated=encapsulated,
        name=shown_name(name),
    )
    head = write_header(header)
    key = combine(
        mlkem=mlkem,
        x25519=x25519,
        qkd=qkd[1] if qkd else b"",
        context=_context(header, public, head),
    )
    out.write(head)
    chunks = _chunks(plain, CHUNK_BYTES)
    block = next(chunks, b"")
    cipher = _Chunks(key, head)
    while True:
        following = next(chunks, None)
        out.write(cipher.seal(block, last=following is None))
        if following is None:
            return header
        block = following


def unseal(
    file: BinaryIO,
    out: BinaryIO,
    *,
    recipient: Recipient,
    header: Header,
    head: bytes,
    qkd: bytes,
) -> int:
    """Open a sealed file whose header was read, and return how many bytes it holds.

    What was written to ``out`` counts only when this returns: the end of a cut file is found last.

    Raises:
        NotSealedError: it was changed or cut, or one of the keys is another.
    """
    mlkem, x25519 = recipient.decapsulate(header.encapsulated)
    key = combine(
        mlkem=mlkem,
        x25519=x25519,
        qkd=qkd,
        context=_context(header, recipient.public, head),
    )
    cipher = _Chunks(key, head)
    total = 0
    chunks = _chunks(file, CHUNK_BYTES + TAG_BYTES)
    block = next(chunks, None)
    while block is not None:
        following = next(chunks, None)
        piece = cipher.open(block, last=following is None)
        out.write(piece)
        total += len(piece)
        if following is None:
            return total
        block = following
    raise NotSealedError(gettext_noop("the sealed file is cut off"))


def _context(header: Header, public: bytes, head: bytes) -> Context:
    return Context(
        sender=header.sender,
        receiver=header.receiver,
        key_ids=header.key_ids,
        public=public,
        encapsulated=header.encapsulated,
        transcript=head,
    )


def _chunks(file: BinaryIO, size: int) -> Iterator[bytes]:
    while block := file.read(size):
        yield block


class _Chunks:
    """Number, key and bound bytes of one chunk after another."""

    def __init__(self, key: bytes, head: bytes) -> None:
        self._key = key
        self._bound = hashlib.sha384(head).digest()
        self._number = 0
        self._cipher = AESGCM(expand(key, "chunks 0", 32))

    def _next(self, *, last: bool) -> tuple[bytes, bytes]:
        each = REKEY_BYTES // CHUNK_BYTES
        if self._number and self._number % each == 0:
            self._cipher = AESGCM(expand(self._key, f"chunks {self._number // each}", 32))
        nonce = self._number.to_bytes(12, "big")
        self._number += 1
        return nonce, self._bound + (b"\1" if last else b"\0")

    def seal(self, piece: bytes, *, last: bool) -> bytes:
        nonce, bound = self._next(last=last)
        return self._cipher.encrypt(nonce, piece, bound)

    def open(self, piece: bytes, *, last: bool) -> bytes:
        nonce, bound = self._next(last=last)
        try:
            return self._cipher.decrypt(nonce, piece, bound)
        except (InvalidTag, ValueError) as error:
            raise NotSealedError(
                gettext_noop(
                    "the sealed file was changed or cut in chunk {number}, or its key is another"
                ),
                number=self._number,
            ) from error


# One-time pad, for short messages


def pad_bytes(length: int) -> int:
    """Return how much key a one-time-pad message of ``length`` bytes uses.

    Raises:
        PolicyError: it is too long.
    """
    if length > LONGEST_PAD_MESSAGE_BYTES:
        raise PolicyError(
            gettext_noop("a one-time pad is for messages of at most {most} bytes, not {count}"),
            most=LONGEST_PAD_MESSAGE_BYTES,
            count=length,
        )
    return PAD_TAG_KEY_BYTES + (length // PAD_UNIT_BYTES + 1) * PAD_UNIT_BYTES


def seal_pad(
    message: bytes, *, sender: str, receiver: str, qkd: tuple[str, bytes, Source], name: str = ""
) -> bytes:
    """Seal a short message so that no computation ever opens it without the key.

    The key is used up; its last 32 bytes make the tag. The message is filled up to a multiple of
    64 bytes: only that is seen of its length.

    Raises:
        PolicyError: the message is too long, or the key has not ``pad_bytes`` of it.
    """
    key_id, key, source = qkd
    if len(key) != pad_bytes(len(message)):
        raise PolicyError(gettext_noop("the pad has not the message's length"))
    header = Header(
        suite=PAD_SUITE,
        sender=sender,
        receiver=receiver,
        policy=Policy.REQUIRE_QKD,
        source=source,
        key_ids=(key_id,),
        encapsulated=b"",
        name=shown_name(name),
    )
    head = write_header(header)
    pad, tag_key = key[:-PAD_TAG_KEY_BYTES], key[-PAD_TAG_KEY_BYTES:]
    filled = message + b"\x80" + bytes(len(pad) - len(message) - 1)
    text = _xor(filled, pad)
    return head + text + one_time_tag(head + text, tag_key)


def unseal_pad(text: bytes, *, head: bytes, key: bytes) -> bytes:
    """Return the message of what follows the header of a one-time-pad message.

    Raises:
        NotSealedError: it was changed, or the key is another.
    """
    pad, tag_key = key[:-PAD_TAG_KEY_BYTES], key[-PAD_TAG_KEY_BYTES:]
    body, tag = text[:-TAG_BYTES], text[-TAG_BYTES:]
    if len(body) != len(pad) or not hmac.compare_digest(one_time_tag(head + body, tag_key), tag):
        raise NotSealedError(gettext_noop("the message was changed, or its key is another"))
    return _xor(body, pad).rstrip(b"\0")[:-1]


def _xor(one: bytes, other: bytes) -> bytes:
    length = len(one)
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(length, "big")
