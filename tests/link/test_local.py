"""Processes of one machine speak to each other at once, and to nobody who does not know the secret."""

import socket
import threading
import time
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Listener

import pytest

from renkei.link import door
from renkei.link.door import _distil, _local
from renkei.link.models import Link

MESSAGES = 25


def serve(listener):
    """Answer as the child that distils does: a connection a message."""
    for _ in range(MESSAGES):
        try:
            with listener.accept() as asked:
                asked.send_bytes(asked.recv_bytes()[::-1])
        except (OSError, EOFError, AuthenticationError):
            continue


@pytest.mark.parametrize("length", [100, 20_000, 200_000])
def test_a_thousand_messages_of_a_block_do_not_wait_for_acknowledgements(
    settings, tmp_path, length
):
    settings.NODE = replace(settings.NODE, folder=tmp_path)
    link = Link(own="jp", partner="us")
    message = bytes(range(250)) * (length // 250)
    with Listener(("127.0.0.1", 0), authkey=_distil.local_secret()) as listener:
        _distil._port_file(link).write_text(str(listener.address[1]))
        child = threading.Thread(target=serve, args=(listener,))
        child.start()
        times = []
        for _ in range(MESSAGES):
            begun = time.perf_counter()
            assert door.hand_over(link, message) == message[::-1]
            times.append(time.perf_counter() - begun)
        child.join()
    # With Nagle's algorithm each one, but the first, takes 40 ms and more.
    assert sorted(times)[MESSAGES // 2] < 0.02


def test_who_listens_and_never_answers_is_not_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(TimeoutError):
        _local.connect(mute.getsockname()[1], b"right", seconds=0.1)


def test_who_does_not_know_the_secret_is_not_spoken_to():
    with Listener(("127.0.0.1", 0), authkey=b"right") as listener:
        child = threading.Thread(target=serve, args=(listener,), daemon=True)
        child.start()
        with pytest.raises((AuthenticationError, EOFError, OSError)):
            _local.connect(listener.address[1], b"wrong", seconds=5)
        with _local.connect(listener.address[1], b"right", seconds=5) as link:
            link.send_bytes(b"ab")
            assert link.recv_bytes() == b"ba"
