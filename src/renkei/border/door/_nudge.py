"""A losable word from one process of the node to the loop in its worker: look now, not in a second."""

import hashlib
import platform
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

MOST_BYTES = 64


def _address() -> str:
    # Addresses of sockets are short; the folder's name may not be.
    name = hashlib.sha256(str(settings.NODE.folder).encode()).hexdigest()[:24]
    if platform.system() == "Linux":
        return f"\0renkei-border-{name}"
    return str(Path(tempfile.gettempdir()) / f"renkei-border-{name}")


def wake(what: str = "") -> None:
    """Tell the worker's loop that there is something to do; nobody listening is no matter.

    Args:
        what: name of the partner whose log grew, or empty for the node's own.
    """
    with (
        suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out,
    ):
        out.sendto(what.encode()[:MOST_BYTES], _address())


@contextmanager
def listening() -> Iterator[socket.socket]:
    """Yield the socket that hears ``wake``."""
    address = _address()
    if not address.startswith("\0"):
        Path(address).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(address)
        yield heard


def wait(heard: socket.socket, seconds: float) -> set[str]:
    """Wait for a word, at most so long; return all that were said."""
    words: set[str] = set()
    heard.settimeout(max(seconds, 0.001))
    with suppress(TimeoutError, BlockingIOError):
        while True:
            words.add(heard.recv(MOST_BYTES).decode("ascii", "replace"))
            heard.setblocking(False)
    return words
