"""How long a commit waits for the disk."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import OperationalError, connection

LOOK_SECONDS = 0.5
QUIET_SECONDS = 0.2
MOST_WAIT_SECONDS = 10.0
LONG_LOG_BYTES = 1 << 20


@contextmanager
def losable() -> Iterator[None]:
    """Commit without waiting for the disk what a node finds out again by itself.

    A kill of the process takes nothing back; a power cut may, but nothing that was committed
    outside before it. In a transaction that has begun this changes nothing: that one decides.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            before = cursor.execute("PRAGMA synchronous").fetchone()[0]
            cursor.execute(f"PRAGMA synchronous={min(before, 1)}")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA synchronous={before}")
    else:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO off")
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SET synchronous_commit TO DEFAULT")


def shorten_log(stop: threading.Event) -> None:
    """Write SQLite's log of changes back into the database beside everybody's commits.

    Otherwise every thousandth page makes somebody's commit wait for all of it. A service of the
    worker; while none runs, SQLite does it by itself when the log is long (``settings``).
    """
    if connection.vendor != "sqlite":
        return
    log = Path(f"{connection.settings_dict['NAME']}-wal")
    done, waited = 0, 0.0
    while not stop.wait(LOOK_SECONDS):
        with suppress(FileNotFoundError, OperationalError):
            found = log.stat()
            # The file keeps its length when it is begun anew: its last change tells more.
            if found.st_size < LONG_LOG_BYTES or found.st_mtime_ns == done:
                continue
            waited += LOOK_SECONDS
            if time.time() - found.st_mtime < QUIET_SECONDS and waited < MOST_WAIT_SECONDS:
                continue  # somebody commits just now
            done, waited = found.st_mtime_ns, 0.0
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
