"""Content on its own path: sealed to the one party that may read it, tied to the statement.

The log holds the commitment alone (``commitment_of``). Who has the sealed bytes and not the
recipient's key learns their length; who moves them to another statement gets nothing opened.
"""

from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke

from renkei.border.engine._canonical import canonical
from renkei.border.engine._envelope import (
    SALT_BYTES,
    BadCommitmentError,
    commitment_of,
    open_commitment,
)
from renkei.border.engine._keys import SealingKey, SealingPublicKey
from renkei.kit.errors import RenkeiError, TooLargeError, gettext_noop

SEAL_INFO_PREFIX = b"renkei-seal/v1\n\0"
LARGEST_SEALED = 16 * 1024 * 1024  # bytes: HPKE seals in one piece, in memory
_VERSION = b"\x01"
_KID_BYTES = 16
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class BadSealError(RenkeiError):
    """Sealed bytes that do not open: damaged, for somebody else, or of another statement."""

    code = "border.bad_seal"


def seal(
    content: bytes,
    salt: bytes,
    *,
    to: SealingPublicKey,
    issuer: str,
    recipient: str,
    entry: str,
) -> bytes:
    """Seal content and salt to one party.

    Args:
        content: at most 16 MiB; larger things travel under an agreement.
        salt: the 32 random bytes of the commitment.
        to: the recipient's key.
        issuer: origin of the log that holds the commitment.
        recipient: origin of the log of who may read.
        entry: ``id`` of the statement that commits to the content.

    Returns:
        A version byte, 16 bytes that name the key, and an HPKE message (RFC 9180, base mode,
        MLKEM768-X25519, HKDF-SHA256, AES-256-GCM); 1,153 bytes more than content and salt.

    Raises:
        BadCommitmentError: the salt has not 32 bytes.
        TooLargeError: more content than that.
    """
    if len(content) > LARGEST_SEALED:
        raise TooLargeError(
            gettext_noop("the content has {length} bytes: at most {largest} are sealed at once"),
            length=len(content),
            largest=LARGEST_SEALED,
        )
    info = _info(issuer, recipient, entry, commitment_of(content, salt))
    message = _SUITE.encrypt(salt + content, to.hpke, info)
    return _VERSION + bytes.fromhex(to.kid) + message


def unseal(
    sealed: bytes,
    *,
    keys: Iterable[SealingKey],
    issuer: str,
    recipient: str,
    entry: str,
    commitment: str,
) -> tuple[bytes, bytes]:
    """Open what ``seal`` sealed.

    Args:
        sealed: anything a partner may send.
        keys: this node's sealing keys, also those it rotated away from and kept.
        issuer, recipient, entry: as the statement says.
        commitment: of the statement.

    Returns:
        Content and salt; the commitment is to them.

    Raises:
        BadSealError: it does not open.
        TooLargeError: longer than anything that ``seal`` makes.
    """
    if len(sealed) > LARGEST_SEALED + 2_048:
        raise TooLargeError(
            gettext_noop("the sealed content has {length} bytes: at most {largest}"),
            length=len(sealed),
            largest=LARGEST_SEALED + 2_048,
        )
    named = sealed[1 : 1 + _KID_BYTES].hex()
    key = next((each for each in keys if each.public.kid == named), None)
    if sealed[:1] != _VERSION or key is None:
        raise BadSealError(
            gettext_noop("the content is sealed to key {kid}: expected one of this node"),
            kid=named or "-",
        )
    info = _info(issuer, recipient, entry, commitment)
    try:
        opened = _SUITE.decrypt(sealed[1 + _KID_BYTES :], key.hpke, info)
        salt, content = opened[:SALT_BYTES], opened[SALT_BYTES:]
        return open_commitment(commitment, content, salt), salt
    except (InvalidTag, ValueError, BadCommitmentError):
        raise BadSealError(
            gettext_noop(
                "the content of {entry} does not open: it is damaged, or of another "
                "statement; ask {issuer} to send it again"
            ),
            entry=entry[:100],
            issuer=issuer[:100],
        ) from None


def _info(issuer: str, recipient: str, entry: str, commitment: str) -> bytes:
    return SEAL_INFO_PREFIX + canonical(
        {"commitment": commitment, "entry": entry, "issuer": issuer, "recipient": recipient}
    )
