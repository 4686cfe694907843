"""What runs beside a node's jobs for as long as the worker does: loops, and servers of other ports.

A service is a function of a room, ``service(stop)``, that works until the ``threading.Event`` it
is given is set. Each runs in a thread of the worker's process, so it shares its memory and must
leave heavy work to a child process.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.db import connections
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
STOP_SECONDS = 10.0

Service = Callable[[threading.Event], None]


@contextmanager
def running(
    names: Sequence[str], *, pause_seconds: float = FIRST_PAUSE_SECONDS
) -> Iterator[threading.Event]:
    """Run services until the block ends.

    A service that raises is started again, after a pause that doubles each time it raises; one
    that returns before it was asked to has nothing to do here, and is left alone.

    Args:
        names: dotted paths of ``service(stop: threading.Event) -> None``.
        pause_seconds: before the first new start.

    Yields:
        The event that ends them; it is set when the block is left.
    """
    stop = threading.Event()
    threads = [
        threading.Thread(target=_keep, args=(name, stop, pause_seconds), name=name, daemon=True)
        for name in names
    ]
    for thread in threads:
        thread.start()
    try:
        yield stop
    finally:
        stop.set()
        for thread in threads:
            thread.join(STOP_SECONDS)
            if thread.is_alive():  # as a daemon it ends with the process
                log.warning("the service %s did not end when it was asked to", thread.name)


def _keep(name: str, stop: threading.Event, pause: float) -> None:
    while not stop.is_set():
        try:
            service: Service = import_string(name)
            service(stop)
        except Exception:
            log.exception("the service %s ended; it starts again in %.0f s", name, pause)
        else:
            return
        finally:
            connections.close_all()  # this thread's own
        stop.wait(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
