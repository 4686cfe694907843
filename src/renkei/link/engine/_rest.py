"""Key at rest: only ciphertext under a key-encryption key, each piece bound to what it is.

Each sealing has a data key of its own, derived from the key-encryption key and a fresh salt, so the
number of sealings under one key-encryption key has no practical limit (NIST SP 800-38D, 8.3, limits
random nonces under one key to 2^32).
"""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.poly1305 import Poly1305

from renkei.kit.errors import RenkeiError, gettext_noop

KEK_BYTES = 32
SALT_BYTES = 32
NONCE = bytes(12)  # the data key is used once
LABEL = b"renkei link at rest 1\0"
MARK_LABEL = b"renkei link mark 1\0"
MARK_BYTES = 16
ONE_TIME_KEY_BYTES = 32


class DamagedKeyError(RenkeiError):
    """Stored key does not open: it was changed, moved, or its key-encryption key is another."""

    code = "link.damaged_key"
    status = 500


class AtRest:
    """Seals and opens pieces of key under one key-encryption key of 32 bytes."""

    def __init__(self, kek: bytes) -> None:
        if len(kek) != KEK_BYTES:
            raise DamagedKeyError(
                gettext_noop("the key-encryption key has {count} bytes, expected 32"),
                count=len(kek),
            )
        self._kek = kek

    def _cipher(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac.digest(self._kek, LABEL + salt, hashlib.sha256))

    def seal(self, piece: bytes, *, what: str) -> bytes:
        """Return salt and ciphertext; ``what`` (identifier and state) is bound, not stored."""
        salt = os.urandom(SALT_BYTES)
        return salt + self._cipher(salt).encrypt(NONCE, piece, what.encode())

    def mark(self, key: bytes) -> str:
        """Return by what a key is known again without being kept; it tells nothing without the KEK."""
        return hmac.digest(self._kek, MARK_LABEL + key, hashlib.sha256)[:MARK_BYTES].hex()

    def open(self, sealed: bytes, *, what: str) -> bytes:
        """Return what was sealed as ``what``.

        Raises:
            DamagedKeyError: it is not that.
        """
        salt, box = sealed[:SALT_BYTES], sealed[SALT_BYTES:]
        try:
            return self._cipher(salt).decrypt(NONCE, box, what.encode())
        except InvalidTag as error:
            raise DamagedKeyError(
                gettext_noop(
                    "stored key {what} does not open: it was changed, or keys/link-kek is not the "
                    "one it was sealed with"
                ),
                what=what,
            ) from error


def one_time_tag(message: bytes, key: bytes) -> bytes:
    """Return a Wegman-Carter tag of 16 bytes; ``key`` is 32 secret bytes that are never used again.

    The polynomial hash over the field of 2^130 - 5 and its masking are those of RFC 8439, 2.5 (there
    called Poly1305). With a one-time key nobody forges a tag with a probability above
    8·ceil(bytes/16)/2^106, whatever they can compute (Bernstein 2005, theorem 3.3).
    """
    if len(key) != ONE_TIME_KEY_BYTES:
        raise ValueError("a one-time key has 32 bytes")
    return Poly1305.generate_tag(key, message)


def split_fingerprint(block: bytes) -> tuple[str, bytes]:
    """Return a block's fingerprint, and the key that is left of it.

    The first 32 bytes of the block are spent as the one-time key of a tag over the rest. Comparing
    tags in public therefore tells nobody anything about the rest, and two blocks that differ agree
    by chance with the probability that ``one_time_tag`` states.
    """
    key, rest = block[:ONE_TIME_KEY_BYTES], block[ONE_TIME_KEY_BYTES:]
    return one_time_tag(rest, key).hex(), rest
