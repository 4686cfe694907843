"""``renkei up``: a pair of nodes on one machine, watched over by one process.

The supervisor is small and loads no Django: it holds the lock of its folder, starts a web server
and a job worker a node, starts again what dies, and ends them all when it ends. How it is asked
to stop: SIGTERM or SIGINT.
"""

import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from renkei.kit.errors import ConflictError, RenkeiError, gettext_noop
from renkei.site import config, process
from renkei.site import node as life
from renkei.site.config import Listen, NodeConfig, Partner
from renkei.site.serve import becomes_free
from renkei.site.words import gettext as _

HOST = "127.0.0.1"
NODES = (("us", "US"), ("jp", "JP"))
HIGHEST_BASE_PORT = config.HIGHEST_PORT - 20 - len(NODES)
ACCOUNTS = "demo.json"
LOCK = "up.lock"
TERM_SECONDS = 15.0
ANSWER_SECONDS = 120.0
DOWN_SECONDS = 40.0
LOOK_SECONDS = 0.2
LINGER_SECONDS = 8.0  # how long a killed supervisor's children may still hold their ports
STEADY_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 30.0
LOG_BYTES = 8 << 20
LOG_LINES = 15

Row = dict[str, str | None]  # of the table: node, address, name, password (only when it is new)


class UpRefusedError(ConflictError):
    """Something stands in the way of starting or stopping a pair."""

    code = "site.up_refused"


class UpFailedError(RenkeiError):
    """A node could not be founded or does not answer."""

    code = "site.up_failed"
    status = 500


def pair(var: Path, base_port: int) -> dict[Path, NodeConfig]:
    """Return the demonstration's nodes by folder, each naming the others as partners."""
    ports = {
        name: Listen(
            host=HOST, web=base_port + at, bulk=base_port + 10 + at, etsi014=base_port + 20 + at
        )
        for at, (name, _party) in enumerate(NODES, 1)
    }
    return {
        var / name: NodeConfig(
            folder=var / name,
            name=name,
            party=party,
            demonstration=True,
            listen=ports[name],
            partners=tuple(
                Partner(name=other, party=theirs, address=f"http://{HOST}:{ports[other].web}")
                for other, theirs in NODES
                if other != name
            ),
        )
        for name, party in NODES
    }


class Lock:
    """The lock of a pair's folder: held by the one supervisor that runs there, freed with it."""

    def __init__(self, var: Path) -> None:
        self._file = (var / LOCK).open("a+", encoding="utf-8")
        self.was_stale = False

    def take(self) -> dict[str, Any] | None:
        """Take the lock; return what its holder wrote when somebody has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._read() or {"pid": 0, "addresses": []}
        self.was_stale = bool(self._read())  # its holder was killed, or the machine was
        self._file.seek(0)
        self._file.truncate()
        return None

    def _read(self) -> dict[str, Any]:
        self._file.seek(0)
        try:
            return dict(json.loads(self._file.read() or "{}"))
        except ValueError:  # it is being written
            return {}

    def write(self, said: Mapping[str, object]) -> None:
        """Say who holds the lock."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(said))
        self._file.flush()

    def leave(self) -> None:
        """Free the lock."""
        self._file.seek(0)
        self._file.truncate()
        self._file.close()


@dataclass
class Child:
    """One process of a node, and what is known of its deaths."""

    name: str
    arguments: Sequence[str]
    log: Path
    running: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    again_at: float = 0.0
    deaths: int = 0

    def start(self, now: float) -> None:
        """Start the process; what it writes is appended to its log."""
        self.running = _spawn(self.arguments, self.log)
        self.started_at = now

    def look(self, now: float) -> None:
        """Start the process again if it died, later each time if it dies at once."""
        if self.running is None:
            if now >= self.again_at:
                self.start(now)
            return
        status = self.running.poll()
        if status is None:
            return
        steady = now - self.started_at > STEADY_SECONDS
        self.deaths = 1 if steady else self.deaths + 1
        pause = 0.0 if self.deaths == 1 else min(2.0 ** (self.deaths - 2), LONGEST_PAUSE_SECONDS)
        self.running, self.again_at = None, now + pause
        tell(
            _(
                "{name} ended with {status}; started again in {seconds:.0f} s; its log: {log}",
                name=self.name,
                status=status,
                seconds=pause,
                log=self.log,
            )
        )


def _spawn(arguments: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603  our own command line
            [sys.executable, "-m", "renkei.site.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=_environment(),
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends it in order
        )


def _environment() -> dict[str, str]:
    ours = {process.SUPERVISOR: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **ours}


def tell(sentence: str) -> None:
    """Say something to the person, beside the data."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


@dataclass
class Pair:
    """The nodes of one folder while they run."""

    var: Path
    base_port: int
    children: list[Child] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, *, fresh: bool, when_up: Callable[[list[Row]], None]) -> None:
        """Start the pair, call ``when_up`` with the rows of its table, and watch it to its end.

        Raises:
            UpRefusedError: it runs already, or a port is taken.
            UpFailedError: a node could not be founded or does not answer.
        """
        self.var.mkdir(parents=True, exist_ok=True)
        (self.var / "logs").mkdir(exist_ok=True)
        nodes = pair(self.var, self.base_port)
        with self._locked(nodes):
            if fresh:
                remove(self.var)
            for folder, wanted in nodes.items():
                if (folder / "node.toml").exists():
                    life.refuse_foreign(config.load(folder), wanted.name)
            with self._stoppable():
                try:
                    new = self._prepare(nodes)
                    self._start(nodes)
                    self._await_answers(nodes)
                    if not self.stop.is_set():
                        when_up(self._table(nodes, new))
                    while not self.stop.wait(LOOK_SECONDS):
                        self._look()
                finally:
                    self._end()

    @contextmanager
    def _locked(self, nodes: Mapping[Path, NodeConfig]) -> Iterator[None]:
        lock = Lock(self.var)
        holder = lock.take()
        if holder is not None:
            raise UpRefusedError(
                gettext_noop(
                    "Renkei runs on {var} already: process {pid}, {addresses}; `renkei down --var "
                    "{var}` stops it"
                ),
                var=self.var,
                pid=holder["pid"],
                addresses=", ".join(holder["addresses"]),
            )
        try:
            addresses = [address(node) for node in nodes.values()]
            lock.write({"pid": os.getpid(), "addresses": addresses})
            self._refuse_taken_ports(nodes, patience=LINGER_SECONDS if lock.was_stale else 0.0)
            yield
        finally:
            lock.leave()

    def _refuse_taken_ports(self, nodes: Mapping[Path, NodeConfig], *, patience: float) -> None:
        for node in nodes.values():
            if not becomes_free(node.listen.host, node.listen.web, within=patience):
                raise UpRefusedError(
                    gettext_noop(
                        "port {port} on {host} is taken by another program: stop it, or choose other "
                        "ports with --base-port (now {base})"
                    ),
                    port=node.listen.web,
                    host=node.listen.host,
                    base=self.base_port,
                )

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        def asked(_signal: int, _frame: object) -> None:
            self.stop.set()

        before = {which: signal.signal(which, asked) for which in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for which, handler in before.items():
                signal.signal(which, handler)

    def _prepare(self, nodes: Mapping[Path, NodeConfig]) -> bool:
        """Found or update the nodes side by side; keep the accounts; tell whether one was founded."""
        for leftover in self.var.glob(f".*{life.FOUNDING}*"):
            shutil.rmtree(leftover)  # of a founding that was killed; nobody else founds here now
        file = self.var / ACCOUNTS
        known = read_accounts(file)
        running: list[tuple[NodeConfig, subprocess.Popen[str], IO[bytes]]] = []
        try:
            for folder, node in nodes.items():
                if not folder.exists():
                    tell(_("founding the node {name} in {folder}", name=node.name, folder=folder))
                errors: IO[bytes] = _rotated(self.var / "logs" / f"{node.name}-prepare.log").open(
                    "wb"
                )
                asked = {"accounts": [entry for entry in known if entry.get("node") == node.name]}
                child = subprocess.Popen(  # noqa: S603  our own command line
                    [sys.executable, "-m", "renkei.site.cli", "node", "prepare", str(folder),
                     "--base-port", str(self.base_port)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=_environment(),
                    start_new_session=True,
                    text=True,
                )  # fmt: skip
                running.append((node, child, errors))
                if child.stdin:
                    child.stdin.write(json.dumps(asked))
                    child.stdin.close()
            answers = [self._answer_of(node, child) for node, child, _errors in running]
        finally:
            for _node, child, errors in running:
                if child.poll() is None:
                    child.terminate()
                    child.wait()
                errors.close()
        self._pin(
            {
                node.name: answer["fingerprint"]
                for (node, _child, _errors), answer in zip(running, answers, strict=True)
            }
        )
        accounts = [account for answer in answers for account in answer["accounts"]]
        if accounts != known:
            life.write_private(file, json.dumps(accounts, indent=2, ensure_ascii=False) + "\n")
        return accounts != known

    def _pin(self, fingerprints: Mapping[str, str]) -> None:
        """Tell each node the others' fingerprints: here one person founds all of them."""
        for name in fingerprints:
            folder = self.var / name
            there = config.load(folder)
            partners = tuple(
                replace(partner, fingerprint=fingerprints.get(partner.name, partner.fingerprint))
                for partner in there.partners
            )
            if partners != there.partners:
                life.rewrite(folder, replace(there, partners=partners))

    def _answer_of(self, node: NodeConfig, child: "subprocess.Popen[str]") -> dict[str, Any]:
        while not self.stop.is_set():
            try:
                # The answer is a few hundred bytes: it fits the pipe, whenever it is read.
                status = child.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            if status == 0 and child.stdout:
                return dict(json.loads(child.stdout.read()))
            log = self.var / "logs" / f"{node.name}-prepare.log"
            raise UpFailedError(
                gettext_noop("the node {name} could not be made ready: {said}"),
                name=node.name,
                said=tail(log) or log,
            )
        raise KeyboardInterrupt

    def _start(self, nodes: Mapping[Path, NodeConfig]) -> None:
        now = time.monotonic()
        for folder, node in nodes.items():
            for what in ("serve", "work"):
                log = _rotated(self.var / "logs" / f"{node.name}-{what}.log")
                name = f"{node.name} {what}"
                self._begin(Child(name=name, arguments=("node", what, str(folder)), log=log), now)
        log = _rotated(self.var / "logs" / "fibre.log")
        fibre = Child(name="fibre", arguments=("link", "fibre", str(self.var)), log=log)
        self._begin(fibre, now)

    def _begin(self, child: Child, now: float) -> None:
        child.start(now)
        self.children.append(child)

    def _look(self) -> None:
        for child in self.children:
            child.look(time.monotonic())

    def _await_answers(self, nodes: Mapping[Path, NodeConfig]) -> None:
        until = time.monotonic() + ANSWER_SECONDS
        for node in nodes.values():
            while not self.stop.is_set() and not answers(node):
                self._look()
                failing = [child for child in self.children if child.deaths > 1]
                if failing or time.monotonic() > until:
                    names = ", ".join(child.name for child in failing) or node.name
                    log = failing[0].log if failing else self.var / "logs"
                    raise UpFailedError(
                        gettext_noop("{names} does not start: {said} (log: {log})"),
                        names=names,
                        said=tail(log) if failing else "",
                        log=log,
                    )
                self.stop.wait(LOOK_SECONDS)

    def _table(self, nodes: Mapping[Path, NodeConfig], new: bool) -> list[Row]:
        accounts = read_accounts(self.var / ACCOUNTS)
        officers = {entry["node"]: entry for entry in accounts if entry["role"] == "officer"}
        return [
            {
                "node": node.name,
                "address": address(node),
                "name": officers[node.name]["name"],
                "password": officers[node.name]["password"] if new else None,
            }
            for node in nodes.values()
        ]

    def _end(self) -> None:
        """End every child: first asked, then killed."""
        running = [child.running for child in self.children if child.running]
        for one in running:
            if one.poll() is None:
                one.terminate()
        until = time.monotonic() + TERM_SECONDS
        for one in running:
            try:
                one.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


def address(node: NodeConfig) -> str:
    """Return the base address of a node on this machine."""
    return f"http://{node.listen.host}:{node.listen.web}"


def answers(node: NodeConfig) -> bool:
    """Tell whether the node itself, and not another program, answers on its port."""
    link = http.client.HTTPConnection(node.listen.host, node.listen.web, timeout=5)
    try:
        link.request("GET", "/healthz")
        said = json.loads(link.getresponse().read())
        return bool(said["status"] == "ok" and said["node"] == node.name)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        link.close()


def read_accounts(file: Path) -> list[dict[str, str]]:
    """Return the entries of ``demo.json``; none when there is no such file.

    Raises:
        UpRefusedError: the file is not what ``renkei up`` writes.
    """
    if not file.exists():
        return []
    try:
        entries = json.loads(file.read_text("utf-8"))
        return [{str(key): str(value) for key, value in entry.items()} for entry in entries]
    except (ValueError, AttributeError, TypeError) as error:
        raise UpRefusedError(
            gettext_noop("{file} is damaged: remove it, and new passwords are made"), file=file
        ) from error


def remove(var: Path) -> None:
    """Remove a pair and its accounts, and nothing that ``renkei up`` did not make.

    Raises:
        FolderInUseError: a folder holds something else.
    """
    folders = [var / name for name, _party in NODES]
    there = [folder for folder in folders if folder.is_symlink() or folder.exists()]
    for folder in there:
        life.refuse_foreign(config.load(folder), folder.name)
    for folder in there:
        # Renamed first: a folder half removed must not look like a node.
        going = folder.with_name(f".{folder.name}{life.FOUNDING}old")
        shutil.rmtree(going, ignore_errors=True)
        folder.rename(going)
        shutil.rmtree(going)
    (var / ACCOUNTS).unlink(missing_ok=True)


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    try:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-LOG_LINES:])


def _rotated(log: Path) -> Path:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return log


def down(var: Path) -> int | None:
    """Stop the pair that runs on ``var`` and wait for its end; return its process id.

    Returns:
        ``None`` when nothing ran there.

    Raises:
        UpFailedError: it does not end.
    """
    if not (var / LOCK).exists():
        return None
    lock = Lock(var)
    holder = lock.take()
    if holder is None:
        lock.leave()
        return None
    until = time.monotonic() + DOWN_SECONDS
    asked = 0
    while time.monotonic() < until:
        # Read anew until it says something: its holder may just have taken it.
        if not asked and holder["pid"]:
            asked = int(holder["pid"])
            os.kill(asked, signal.SIGTERM)
        time.sleep(LOOK_SECONDS)
        holder = lock.take()
        if holder is None:
            lock.leave()
            return asked
    raise UpFailedError(
        gettext_noop("process {pid} does not end; what it does is in {logs}"),
        pid=asked,
        logs=var / "logs",
    )


def detach(log: Path) -> int | None:
    """Go on in a child of its own session; the parent waits until it is up or has failed.

    Returns:
        In the child ``None``; in the parent the child's exit status, 0 once it is up.
    """
    ready, tell_ready = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(ready)
        os.set_inheritable(tell_ready, False)
        global _ready  # noqa: PLW0603  one process has one readiness
        _ready = (tell_ready, log)
        return None
    os.close(tell_ready)
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda number, _frame: os.kill(child, number))
    with os.fdopen(ready, "rb") as pipe:
        if pipe.read(1):
            return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


_ready: tuple[int, Path] | None = None


def is_up() -> None:
    """In a detached child, let the parent return and write to the log from now on."""
    if _ready is None:
        return
    pipe, log = _ready
    sys.stdout.flush()
    sys.stderr.flush()
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.write(pipe, b"1")
    os.close(pipe)
