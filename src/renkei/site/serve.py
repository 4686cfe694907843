"""The processes of a node: the web server and the job worker, each in the foreground."""

import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.site import node as life
from renkei.site import process
from renkei.site.config import NodeConfig

WORKERS = 2  # Python runs in one thread of a process at a time
THREADS = 2  # of each: a short answer does not wait behind a long one
IDLE_SECONDS = 600  # a thread that ends takes its database connection with it
KILL_SECONDS = 10
LINGER_SECONDS = 2.0  # a killed server's worker may hold the port for a moment
LOOK_SECONDS = 0.1


class PortTakenError(RenkeiError):
    """Something else listens where the node would."""

    code = "site.port_taken"
    status = 409


class ServerFailedError(RenkeiError):
    """The web server ended by itself."""

    code = "site.server_failed"
    status = 500


def is_free(host: str, port: int) -> bool:
    """Tell whether nothing listens there.

    The web server shares its port between its own workers, so it would not notice a stranger.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections still closing
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


def becomes_free(host: str, port: int, *, within: float) -> bool:
    """Tell whether nothing listens there, once what is just ending had ``within`` seconds."""
    until = time.monotonic() + within
    while not is_free(host, port):
        if time.monotonic() >= until:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def ready(folder: Path) -> NodeConfig:
    """Enter a node whose database is as new as the program.

    Raises:
        MigrationsPendingError: it is older.
    """
    config = life.enter(folder)
    life.refuse_pending(folder)
    return config


def preload() -> None:
    """Load what every worker needs, so that they share its memory."""
    from django.urls import get_resolver

    import renkei.site.wsgi  # noqa: F401  the application and its middleware

    for pattern in get_resolver().url_patterns:
        getattr(pattern, "url_patterns", None)


def web(folder: Path) -> None:
    """Serve pages and API until the process is told to stop.

    Raises:
        PortTakenError: something listens on the node's port.
        MigrationsPendingError: the database is older than the program.
    """
    process.share_one_heap()
    config = ready(folder)
    if not becomes_free(config.listen.host, config.listen.web, within=LINGER_SECONDS):
        raise PortTakenError(
            gettext_noop(
                "{host}:{port} is taken: stop what listens there, or change [listen] in {file}"
            ),
            host=config.listen.host,
            port=config.listen.web,
            file=folder / "node.toml",
        )
    life.collect_static(config)
    with life.uncollected():  # what both workers have stays shared: no collection touches it
        preload()
        life.leave()  # they are forks of this process
        gc.collect()
    from granian.constants import HTTPModes, Interfaces
    from granian.server import Server

    server = Server(
        "renkei.site.wsgi:application",
        address=config.listen.host,
        port=config.listen.web,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,  # HTTP/2 is spoken by the proxy in front
        websockets=False,
        workers=WORKERS,
        blocking_threads=THREADS,
        blocking_threads_idle_timeout=IDLE_SECONDS,
        workers_kill_timeout=KILL_SECONDS,
    )
    # A worker that dies ends the server: who started it starts it again, as after any other death.
    try:
        server.serve(target_loader=process.load_application)
    except SystemExit as ended:
        raise ServerFailedError(gettext_noop("the web server's worker died")) from ended


def work(folder: Path, *, until_empty: bool = False) -> None:
    """Run the node's jobs until the process is told to stop, or until there are none.

    Args:
        folder: the node.
        until_empty: what the worker's child does: run what is queued, and end.

    Raises:
        WorkerRunsError: the node has a worker already.
        MigrationsPendingError: the database is older than the program.
    """
    process.share_one_heap()
    config = ready(folder)
    from renkei.base import jobs

    if until_empty:
        # The next worker queues again what was running: nothing may run it still.
        process.die_with_parent(os.getppid(), by=signal.SIGKILL)
        jobs.drain()
        return
    (folder / "cache").mkdir(exist_ok=True)
    jobs.work(
        config.folder / "cache" / "worker.lock",
        drainer=(
            sys.executable, "-m", "renkei.site.cli", "node", "work", "--until-empty", str(folder),
        ),
    )  # fmt: skip
