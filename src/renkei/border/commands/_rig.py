"""A throwaway pair with real processes and links that can be cut: for drills, tests and benchmarks.

The pair is founded as ``renkei up`` founds one; then its processes run here, and each node
reaches the other through a proxy of this process.
"""

import atexit
import contextlib
import json
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from renkei.base.node import PROGRAM
from renkei.kit.errors import RenkeiError, gettext_noop

HOST = "127.0.0.1"
START_SECONDS = 180.0
END_SECONDS = 15.0
BLOCK = 1 << 14
PROCESSES = ("serve", "work")
LOWEST_BASE_PORT = 10_000
BLOCK_OF_PORTS = 30
ORDINARY_FIRST_PORT = 32_768  # of ip_local_port_range


class RigError(RenkeiError):
    """The throwaway pair could not be founded or started."""

    code = "border.no_drill"
    status = 500


class Link:
    """A TCP proxy to one port, with faults.

    Attributes:
        is_cut: connections end, and new ones are refused an answer.
        is_deaf: what is asked arrives; no answer comes back.
        delay: seconds before each block of bytes.
        loss: probability that a connection breaks at a block.
    """

    def __init__(self, port: int) -> None:
        self.is_cut = self.is_deaf = False
        self.delay = self.loss = 0.0
        self._to = port
        self._open: set[socket.socket] = set()
        self._listening = socket.create_server((HOST, 0))
        self.port = int(self._listening.getsockname()[1])
        self._chance = random.Random(port)
        threading.Thread(target=self._accept, daemon=True).start()

    def heal(self) -> None:
        """Take every fault away."""
        self.is_cut = self.is_deaf = False
        self.delay = self.loss = 0.0
        self._end_all()

    def cut(self) -> None:
        """End what runs, and let nothing through."""
        self.is_cut = True
        self._end_all()

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()
        self._end_all()

    def _end_all(self) -> None:
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _address = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near:
            if self.is_cut:
                return
            try:
                far = socket.create_connection((HOST, self._to), timeout=5)
            except OSError:
                return
            far.settimeout(None)
            for end in (near, far):  # a block is passed on as it came, without waiting for more
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with far:
                self._open |= {near, far}
                back = threading.Thread(target=self._pump, args=(far, near, True), daemon=True)
                back.start()
                self._pump(near, far, False)
                back.join()
                self._open -= {near, far}

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(BLOCK):
                if self.delay:
                    time.sleep(self.delay)
                if self.is_cut or (self.loss and self._chance.random() < self.loss):
                    break
                if not (self.is_deaf and is_answer):
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Rig:
    """Two nodes, ``us`` and ``jp``, in a folder of their own.

    Attributes:
        links: by (who asks, who is asked), the link between them.
    """

    names = ("us", "jp")

    def __init__(self, var: Path) -> None:
        self.var = var
        self.base = free_base_port()
        self.links: dict[tuple[str, str], Link] = {}
        self._running: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._tokens: dict[tuple[str, str], str] = {}
        self._guests: dict[str, tuple[Path, int]] = {}

    def __enter__(self) -> Self:
        """Found the pair and start it, every node with its partner behind a link.

        Raises:
            RigError: it does not start.
        """
        try:
            self._found()
            for row in json.loads((self.var / "demo.json").read_text("utf-8")):
                self._tokens[row["node"], row["role"]] = row["token"]
            for asking in self.names:
                for asked in self.names:
                    if asked != asking:
                        self.connect(asking, asked)
            for name in self.names:
                self.start(name)
        except BaseException:
            self.close()
            raise
        return self

    def _found(self) -> None:
        up = ("up", "--detach", "--var", str(self.var), "--base-port", str(self.base))
        for arguments in (up, ("down", "--var", str(self.var))):
            done = self.command(*arguments)
            if done.returncode:
                raise RigError(
                    gettext_noop("the throwaway pair does not start: {said}"),
                    said=done.stderr[-2000:],
                )

    def __exit__(self, *_error: object) -> None:
        """End every process."""
        self.close()

    def close(self) -> None:
        """End every process and link."""
        for key in list(self._running):
            self.end(*key, how=signal.SIGKILL)
        for link in self.links.values():
            link.close()

    def use_token(self, name: str, role: str, token: str) -> None:
        """Ask a node with another token from here on."""
        self._tokens[name, role] = token

    def folder(self, name: str) -> Path:
        """Return a node's folder."""
        return self._guests[name][0] if name in self._guests else self.var / name

    def adopt(self, name: str, folder: Path, port: int) -> None:
        """Run another node beside the pair; links are not put before it."""
        self._guests[name] = folder, port

    def port(self, name: str) -> int:
        """Return the port of a node's pages."""
        if name in self._guests:
            return self._guests[name][1]
        return self.base + 1 + self.names.index(name)

    def address(self, name: str) -> str:
        """Return a node's base address."""
        return f"http://{HOST}:{self.port(name)}"

    def connect(self, asking: str, asked: str) -> None:
        """Put a link between two nodes; it holds when the one that asks is started."""
        link = self.links[asking, asked] = Link(self.port(asked))
        file = self.folder(asking) / "node.toml"
        text = re.sub(
            rf'(name = "{asked}"\nparty = "[A-Z]+"\naddress = )"[^"]*"',
            rf'\1"http://{HOST}:{link.port}"',
            file.read_text("utf-8"),
        )
        file.write_text(text, "utf-8")

    def start(self, name: str, *which: str) -> None:
        """Start processes of a node (both when none is named) and wait until it answers.

        Raises:
            RigError: it does not answer.
        """
        for what in which or PROCESSES:
            with (self.var / "logs" / f"{name}-{what}.log").open("ab") as out:
                self._running[name, what] = subprocess.Popen(  # noqa: S603  our own program
                    [sys.executable, "-m", PROGRAM, "node", what, str(self.folder(name))],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    env={**environment(), "RENKEI_SUPERVISOR": str(os.getpid())},
                    start_new_session=True,
                )
        if "serve" in (which or PROCESSES) and not until(lambda: self.answers(name), START_SECONDS):
            raise RigError(
                gettext_noop("the throwaway pair does not start: {said}"),
                said=(self.var / "logs" / f"{name}-serve.log").read_text("utf-8")[-2000:],
            )

    def end(self, name: str, *which: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End processes of a node: both when none is named."""
        ended = [self._running.pop((name, what), None) for what in which or PROCESSES]
        for process in ended:
            if process is not None and process.poll() is None:
                process.send_signal(how)
        for process in ended:
            if process is not None:
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def pid(self, name: str, what: str) -> int:
        """Return the process id of a running process."""
        return self._running[name, what].pid

    def answers(self, name: str) -> bool:
        """Tell whether a node's pages are served."""
        return self.ask(name, "GET", "/healthz", token="")[0] == 200

    def ask(
        self,
        name: str,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        seconds: float = 30.0,
    ) -> tuple[int, bytes]:
        """Ask a node, as its officer unless another token (or none) is given.

        Returns:
            Status (0 when there was no answer) and body.
        """
        given = self._tokens.get((name, "officer"), "") if token is None else token
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        kind = {"Authorization": f"Bearer {given}"} if given else {}
        if body is not None:
            kind["Content-Type"] = "application/json"
        request = urllib.request.Request(  # noqa: S310  our own node
            self.address(name) + path, data, {**kind, **(headers or {})}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except (OSError, ValueError):
            return 0, b""
        except Exception:  # noqa: BLE001  http.client breaks off with errors of its own
            return 0, b""

    def status(self, name: str) -> dict[str, Any]:
        """Return the state of a node's border."""
        status, body = self.ask(name, "GET", "/node/v1/border/status")
        return dict(json.loads(body)) if status == 200 else {}

    def log(self, name: str, of: str) -> dict[str, Any]:
        """Return what a node says of one log."""
        rows = self.status(name).get("logs", [])
        return next((dict(row) for row in rows if row["name"] == of), {})

    def incidents(self, name: str) -> list[dict[str, Any]]:
        """Return a node's incidents."""
        status, body = self.ask(name, "GET", "/node/v1/border/incidents?limit=100")
        return list(json.loads(body)["items"]) if status == 200 else []

    def propose(self, name: str, key: str, *, seconds: float = 30.0) -> dict[str, Any] | None:
        """Propose a commitment; return the act, or nothing when it was not acknowledged."""
        content = {
            "slug": key, "title_en": f"Drill {key}", "title_ja": f"訓練 {key}",
            "domain": "quantum", "kind": "infrastructure", "status": "planned", "parties": "US, JP",
        }  # fmt: skip
        status, body = self.ask(
            name,
            "POST",
            "/node/v1/border/acts",
            {"kind": "record.commitment", "key": key, "content": content, "reason": "a drill"},
            seconds=seconds,
        )
        return dict(json.loads(body)) if status == 201 else None

    def answer(self, name: str, act: dict[str, Any], *, approve: bool = True) -> int:
        """Approve or reject an act; return the status."""
        return self.ask(
            name,
            "POST",
            f"/node/v1/border/acts/{act['uid']}/answer",
            {"content_hash": act["content_hash"], "approve": approve},
        )[0]

    def act(self, name: str, uid: str) -> dict[str, Any]:
        """Return an act as a node shows it, or nothing."""
        status, body = self.ask(name, "GET", f"/node/v1/border/acts/{uid}")
        return dict(json.loads(body)) if status == 200 else {}

    def is_even(self) -> bool:
        """Tell whether both nodes hold both logs whole, and both are witnessed to the end."""
        seen = [self.log(name, of) for name in self.names for of in self.names]
        if not all(seen):
            return False
        first, second = seen[: len(self.names)], seen[len(self.names) :]
        return all(
            mine["entries"] == theirs["entries"] == mine["witnessed"] == theirs["witnessed"]
            for mine, theirs in zip(first, second, strict=True)
        )

    def renkei(self, name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on one node."""
        return self.command(*arguments, node=name)

    def command(
        self, *arguments: str, node: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run ``renkei`` in English."""
        more = {"RENKEI_NODE": str(self.folder(node))} if node else {}
        return subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-m", PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            env={**environment(), **more},
        )

    def audit(self, name: str) -> list[dict[str, Any]]:
        """Audit every log of a node."""
        done = self.renkei(name, "border", "audit", "--json")
        return list(json.loads(done.stdout)) if done.stdout else []

    @contextmanager
    def stopped(self, name: str) -> Iterator[Path]:
        """Stop a node for a moment, and give its folder."""
        self.end(name)
        yield self.folder(name)
        self.start(name)


def environment() -> dict[str, str]:
    """Return this process's environment without what names a node."""
    taken = {"RENKEI_NODE", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "RENKEI_VAR"}
    rest = {name: value for name, value in os.environ.items() if name not in taken}
    return {**rest, "RENKEI_LANG": "en", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}


def free_base_port() -> int:
    """Return a base at which nobody listens on a pair's ports: pages, bulk bytes, ETSI 014.

    They lie below the range from which the system gives ports to outgoing connections, and no other
    process that asks here is given them while this one lives: founding takes long, and what was
    free before it must be free after it.
    """
    given = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()
    first = int(given[0])
    if first < 2 * LOWEST_BASE_PORT:  # it leaves no room below: as it is on an ordinary machine
        first = ORDINARY_FIRST_PORT
    bases = range(LOWEST_BASE_PORT, first - BLOCK_OF_PORTS, BLOCK_OF_PORTS)
    while True:
        base = secrets.choice(bases)  # not from a seed: two processes may share it
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for offset in (1, 2, 11, 12, 21, 22):
                held.enter_context(socket.socket()).bind((HOST, base + offset))
            hold(base)
            return base


def hold(base: int) -> None:
    """Keep a block of ports for this process until it ends.

    Raises:
        OSError: a process has it.
    """
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0renkei-base-port-{base}")  # an abstract name: it ends with its holder
    except OSError:
        name.close()
        raise
    _held.enter_context(name)


_held = contextlib.ExitStack()
atexit.register(_held.close)


def until(true: Callable[[], object], seconds: float) -> bool:
    """Wait for something to become true; tell whether it did."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False
