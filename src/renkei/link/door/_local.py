"""How processes of one machine speak to each other: the web server, the child that distils, the fibre."""

import socket
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

HOST = "127.0.0.1"


def connect(port: int, secret: bytes, *, seconds: float) -> Connection:
    """Connect to a ``multiprocessing.connection.Listener`` with this secret.

    Args:
        port: of this machine.
        secret: what both know.
        seconds: how long it may be busy with something else.

    The library's own ``Client`` leaves Nagle's algorithm on: its last word of the greeting and the
    first message then wait 40 ms for each other, and a block of Cascade has a thousand messages.

    Raises:
        OSError, EOFError, AuthenticationError: nobody listens, or somebody else, or too slowly.
    """
    with socket.create_connection((HOST, port), seconds) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(None)
        link = Connection(plain.detach())
    try:
        _greet(link, secret, seconds)
    except BaseException:
        link.close()
        raise
    return link


def _greet(link: Connection, secret: bytes, seconds: float) -> None:
    if not link.poll(seconds):
        raise TimeoutError
    answer_challenge(link, secret)
    deliver_challenge(link, secret)
