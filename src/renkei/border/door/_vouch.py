"""What a node vouches for beside its log: bytes of other protocols."""

import hashlib

from cryptography.exceptions import InvalidSignature

from renkei.border.door import _keys
from renkei.border.models import Log

LABEL = b"renkei vouch 1\0"  # no statement, note or HTTP signature begins like this
ED25519_BYTES = 64


def _message(purpose: str, data: bytes) -> bytes:
    return LABEL + purpose.encode() + b"\0" + hashlib.sha384(data).digest()


def vouch(purpose: str, data: bytes) -> bytes:
    """Sign bytes with both keys of this node's log: Ed25519, then ML-DSA-44.

    Args:
        purpose: of one protocol alone; a signature for one is none for another.
        data: what is signed.
    """
    pair = _keys.keys().log
    signatures = [bytes(key.private.sign(_message(purpose, data))) for key in pair.both]
    return b"".join(signatures)


def vouched(name: str, purpose: str, data: bytes, signature: bytes) -> bool:
    """Tell whether a pinned partner vouched for these bytes, with both algorithms."""
    partner = _keys.partner(name)
    identity = _keys.pinned(name)
    log = Log.objects.filter(origin=partner.origin).first()
    if identity is None or log is None:
        return False
    message = _message(purpose, data)
    both = (signature[:ED25519_BYTES], signature[ED25519_BYTES:])
    for pair in _keys.history(log, identity).keys_at("log", log.size):
        try:
            for key, one in zip((pair.ed25519, pair.mldsa44), both, strict=True):
                key.loaded.verify(one, message)
        except (InvalidSignature, ValueError):
            continue
        return True
    return False
