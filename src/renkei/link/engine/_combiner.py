"""One key out of several secrets, safe if any one of them is: ML-KEM-1024, X25519 and a QKD key.

The shape is the concatenation combiner of ETSI TS 103 744 (CatKDF) and the two-step derivation of
NIST SP 800-56C: extract over the secrets in a fixed order with their lengths, expand over
everything that both sides must have seen alike. X25519 alone binds neither ciphertext nor keys, so
all public values are bound here.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from renkei.kit.errors import RenkeiError, gettext_noop

SUITE = "ML-KEM-1024+X25519+QKD/HKDF-SHA-384/AES-256-GCM"
HASH_BYTES = 48
X25519_BYTES = 32
MLKEM_SEED_BYTES = 64
MLKEM_PUBLIC_BYTES = 1568
MLKEM_CIPHERTEXT_BYTES = 1568
SECRET_SEED_BYTES = X25519_BYTES + MLKEM_SEED_BYTES
PUBLIC_BYTES = X25519_BYTES + MLKEM_PUBLIC_BYTES
ENCAPSULATED_BYTES = X25519_BYTES + MLKEM_CIPHERTEXT_BYTES


class BadPublicKeyError(RenkeiError):
    """Bytes are no public key, or no encapsulation, of this suite."""

    code = "link.bad_public_key"


@dataclass(frozen=True, kw_only=True)
class Context:
    """What both sides must have seen alike, besides the secrets.

    Args:
        sender: name of the node that seals.
        receiver: name of the node that opens.
        key_ids: identifiers of the QKD keys, in order; none when none was used.
        public: the receiver's public keys.
        encapsulated: the sender's fresh X25519 key and the ML-KEM ciphertext.
        transcript: everything else that was said, such as a header.
    """

    sender: str
    receiver: str
    key_ids: tuple[str, ...]
    public: bytes
    encapsulated: bytes
    transcript: bytes


def pack(parts: Sequence[bytes]) -> bytes:
    """Join byte strings, each after its length: no two lists give the same bytes."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def combine(*, mlkem: bytes, x25519: bytes, qkd: bytes, context: Context) -> bytes:
    """Return a pseudorandom key of 48 bytes from which ``expand`` makes what is needed.

    Args:
        mlkem: shared secret of ML-KEM-1024, 32 bytes.
        x25519: shared secret of X25519, 32 bytes.
        qkd: QKD key; empty when the policy allowed to go without.
        context: bound, all of it.

    Source: ETSI TS 103 744 (CatKDF); NIST SP 800-56C rev. 2, 5; RFC 5869, 2.2.
    """
    bound = pack(
        [
            SUITE.encode(),
            context.sender.encode(),
            context.receiver.encode(),
            pack([name.encode() for name in context.key_ids]),
            context.public,
            context.encapsulated,
            context.transcript,
        ]
    )
    salt = hashlib.sha384(bound).digest()
    return hmac.digest(salt, pack([mlkem, x25519, qkd]), hashlib.sha384)


def expand(key: bytes, purpose: str, length: int) -> bytes:
    """Return ``length`` bytes for one purpose (RFC 5869, 2.3)."""
    return HKDFExpand(hashes.SHA384(), length, f"{SUITE}\0{purpose}".encode()).derive(key)


class Recipient:
    """The secret keys of a node that opens what others seal.

    Args:
        seed: 96 bytes: X25519 (32), then ML-KEM-1024 (64, FIPS 203's d and z).
    """

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SECRET_SEED_BYTES:
            raise BadPublicKeyError(gettext_noop("the node's sealing key is damaged"))
        self._x25519 = X25519PrivateKey.from_private_bytes(seed[:X25519_BYTES])
        self._mlkem = MLKEM1024PrivateKey.from_seed_bytes(seed[X25519_BYTES:])

    @property
    def public(self) -> bytes:
        """Return the public keys: X25519, then ML-KEM-1024."""
        raw = self._x25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return raw + self._mlkem.public_key().public_bytes_raw()

    def decapsulate(self, encapsulated: bytes) -> tuple[bytes, bytes]:
        """Return the secrets of ML-KEM and X25519 that a sender made.

        Raises:
            BadPublicKeyError: it is no encapsulation.
        """
        if len(encapsulated) != ENCAPSULATED_BYTES:
            raise BadPublicKeyError(gettext_noop("the encapsulated keys are damaged"))
        ours, text = encapsulated[:X25519_BYTES], encapsulated[X25519_BYTES:]
        try:
            shared = self._x25519.exchange(X25519PublicKey.from_public_bytes(ours))
        except ValueError as error:  # a point of small order
            raise BadPublicKeyError(gettext_noop("the encapsulated keys are damaged")) from error
        return self._mlkem.decapsulate(text), shared


def encapsulate(public: bytes) -> tuple[bytes, bytes, bytes]:
    """Return secrets of ML-KEM and X25519 for a receiver, and what it needs to find them.

    Raises:
        BadPublicKeyError: ``public`` is no pair of public keys.
    """
    if len(public) != PUBLIC_BYTES:
        raise BadPublicKeyError(gettext_noop("the partner's public keys are damaged"))
    fresh = X25519PrivateKey.generate()
    try:
        shared = fresh.exchange(X25519PublicKey.from_public_bytes(public[:X25519_BYTES]))
        theirs = MLKEM1024PublicKey.from_public_bytes(public[X25519_BYTES:])
    except ValueError as error:
        raise BadPublicKeyError(gettext_noop("the partner's public keys are damaged")) from error
    secret, text = theirs.encapsulate()
    raw = fresh.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return secret, shared, raw + text
