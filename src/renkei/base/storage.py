"""Content-addressed bytes in the node's folder: what is stored under a digest is what it names."""

import hashlib
import os
import tempfile
from pathlib import Path

from django.conf import settings

from renkei.kit.errors import RenkeiError, gettext_noop


class DamagedBytesError(RenkeiError):
    """Stored bytes are not the ones that their name says."""

    code = "base.damaged_bytes"
    status = 500


def _path(digest: str) -> Path:
    folder: Path = settings.NODE.blobs
    return folder / digest[:2] / digest


def put(content: bytes) -> str:
    """Store bytes durably and return their SHA-256; storing the same twice keeps one copy."""
    digest = hashlib.sha256(content).hexdigest()
    path = _path(digest)
    if path.exists():
        return digest
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    return digest


def get(digest: str) -> bytes | None:
    """Return the bytes of a digest, or ``None`` when they are not here.

    Raises:
        DamagedBytesError: the file was changed or cut.
    """
    try:
        content = _path(digest).read_bytes()
    except FileNotFoundError:
        return None
    if hashlib.sha256(content).hexdigest() != digest:
        raise DamagedBytesError(
            gettext_noop("the stored bytes of {digest} are damaged: restore them from a backup"),
            digest=digest,
        )
    return content
