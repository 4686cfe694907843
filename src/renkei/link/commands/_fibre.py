"""The simulated fibre: a process of its own that plays the photons, and serves each node its half.

A node reaches it on a local port of its own, with a secret of its own, and is given its own half of
a block and nothing else. Anybody may turn the eavesdropper up: that is what the demonstration is
for. Key from here protects nothing, and every half says ``simulated``. It needs no node and loads
no Django.
"""

import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any

from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop
from renkei.link.engine import FIBRE_FILE, SECRETS_FILE

IDLE_SECONDS = 60.0
BLOCKS_KEPT = 4
HALF_KEPT_SECONDS = 120.0
LARGEST_REQUEST = 1 << 16
DISTANCE_KM = 50.0


class NoFibreError(NotFoundError):
    """A folder says of no fibre between which nodes it is."""

    code = "link.no_fibre"


@dataclass
class _Block:
    halves: dict[str, bytes]
    made_at: float


@dataclass
class Fibre:
    """The process's state: one simulated link, the halves not yet fetched, the eavesdropper.

    Args:
        var: folder of the pair.
        secrets: one a node.
        alice: the node that prepares; the other one detects.
    """

    var: Path
    secrets: dict[str, bytes]
    alice: str
    eve: dict[str, float] = field(default_factory=lambda: {"intercept": 0.0, "split": 0.0})
    blocks: dict[int, _Block] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    used_at: float = field(default_factory=time.monotonic)
    source: Any = None
    ports: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        """Begin to serve, in threads."""
        kept = _read(self.var / FIBRE_FILE)
        self.eve |= {name: float(kept.get("eve", {}).get(name, 0.0)) for name in self.eve}
        listeners = {
            node: Listener(("127.0.0.1", 0), authkey=secret, backlog=16)
            for node, secret in self.secrets.items()
        }
        self.ports = {node: one.address[1] for node, one in listeners.items()}
        self._say()
        for node, listener in listeners.items():
            threading.Thread(target=self._accept, args=(node, listener), daemon=True).start()

    def is_idle(self) -> bool:
        """Tell whether there is a simulation in memory that nobody has used for a while."""
        return self.source is not None and time.monotonic() - self.used_at > IDLE_SECONDS

    def _say(self) -> None:
        file = self.var / FIBRE_FILE
        temporary = file.with_suffix(".new")
        temporary.write_text(json.dumps({"ports": self.ports, "eve": self.eve}), "utf-8")
        temporary.replace(file)

    def _accept(self, node: str, listener: Listener) -> None:
        while True:
            try:
                link = listener.accept()
            except (AuthenticationError, OSError, EOFError):
                continue  # not the node: it is told nothing
            threading.Thread(target=self._serve, args=(node, link), daemon=True).start()

    def _serve(self, node: str, link: Connection) -> None:
        try:
            with link:
                while True:
                    asked = json.loads(link.recv_bytes(LARGEST_REQUEST))
                    link.send_bytes(self._answer(node, asked))
        except (EOFError, OSError, ValueError, KeyError, TypeError):
            return

    def _answer(self, node: str, asked: dict[str, Any]) -> bytes:
        with self.lock:
            if asked["op"] == "half":
                self.used_at = time.monotonic()
                return self._half(node, int(asked["number"]), int(asked["key_bits"]))
            if asked["op"] == "eve":
                self.eve = {name: float(asked[name]) for name in self.eve}
                self._say()
            return json.dumps(self.eve).encode()

    def _half(self, node: str, number: int, key_bits: int) -> bytes:
        from renkei.link import engine

        now = time.monotonic()
        for old in [n for n, one in self.blocks.items() if now - one.made_at > HALF_KEPT_SECONDS]:
            del self.blocks[old]
        block = self.blocks.get(number)
        if block is None or node not in block.halves:
            if self.source is None:
                import numpy as np

                self.source = engine.SimulatedLink(
                    engine.Protocol(),
                    engine.Fibre(distance_km=DISTANCE_KM),
                    rng=np.random.default_rng(),
                )
            try:
                alice, bob = self.source.block(
                    number, key_bits=key_bits, eavesdropper=engine.Eavesdropper(**self.eve)
                )
            except RenkeiError as error:
                return b"!" + str(error).encode()
            halves = {
                name: (alice if name == self.alice else bob).to_bytes() for name in self.secrets
            }
            block = self.blocks[number] = _Block(halves, now)
            while len(self.blocks) > BLOCKS_KEPT:
                del self.blocks[min(self.blocks)]
        return b"=" + block.halves.pop(node)


def play(var: Path) -> None:
    """Serve the two nodes of a pair until the process is told to stop."""
    known = _read(var / SECRETS_FILE)
    if not {"fibre", "alice"} <= set(known):
        raise NoFibreError(
            gettext_noop(
                "{folder} is no folder of a fibre: both ends write it by `renkei link found PARTNER "
                "--simulated --fibre FOLDER`"
            ),
            folder=var,
        )
    secrets = {node: bytes.fromhex(secret) for node, secret in known["fibre"].items()}
    fibre = Fibre(var, secrets, known["alice"])
    fibre.start()
    while True:
        time.sleep(1.0)
        with fibre.lock:
            if fibre.is_idle():
                # Compiled kernels and arrays go back to the system; the ports are new ones.
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  ourselves


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError):
        return {}
