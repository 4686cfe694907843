"""Processes that do not outlive the one that started them, and share what they can."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

SUPERVISOR = (
    "RENKEI_SUPERVISOR"  # environment: process id of the supervisor, for its children alone
)
PR_SET_PDEATHSIG = 1
M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD = -8, -3, -1  # of mallopt(3)
LARGE_BYTES = 1 << 17
SECONDS_BETWEEN_LOOKS = 1.0


def die_with_parent(parent: int, *, by: signal.Signals) -> None:
    """Have this process sent a signal when its parent dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(by), 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent, by), daemon=True).start()
    if os.getppid() != parent:  # it died before the request was made
        os.kill(os.getpid(), by)


def _watch(parent: int, by: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), by)


def die_with_supervisor() -> None:
    """In a child of the supervisor, end when it ends; elsewhere do nothing."""
    # Taken out of the environment: it does not hold for what this process starts in its turn.
    supervisor = os.environ.pop(SUPERVISOR, "")
    if supervisor:
        die_with_parent(int(supervisor), by=signal.SIGTERM)


def load_application(_target: str) -> Callable[..., object]:
    """Return the WSGI application, in a web worker that is killed when its server is.

    Without this, a worker whose server was killed would go on answering on the node's port.
    """
    server = multiprocessing.parent_process()
    if server and server.pid:
        die_with_parent(server.pid, by=signal.SIGKILL)
    from renkei.site.wsgi import application

    return application


def share_one_heap() -> None:
    """Have glibc keep one heap for all threads, and give back what is freed; elsewhere do nothing.

    Python's threads take turns anyway, and what each heap has kept for itself is memory that the
    node does not have: a tenth of it.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_ARENA_MAX, 1)
        for which in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            libc.mallopt(which, LARGE_BYTES)  # else they grow with the largest that was freed
