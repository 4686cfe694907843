"""Key managers of other vendors by ETSI GS QKD 020, a draft here: they ask at the port of 014, we ask them.

Who calls is read from the certificate alone, which was admitted by itself; TLS is 1.3 or later. Tables
are touched by one thread, the clerk; what is due to others is said by another one, the courier.
"""

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import DatabaseError, connections
from django.utils import timezone

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import door, engine
from renkei.link.models import Kme

log = logging.getLogger(__name__)

LIMITS = engine.Limits(max_sae_id_count=1)
LABEL = "draft; ETSI GS QKD 020 V1.1.1"
GIVE_SECONDS = 15.0  # for the other one to say that its target has the keys
LOOK_SECONDS = 0.25
LOOK_DUE_SECONDS = 2.0
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 300.0  # after one that did not answer

T = TypeVar("T")


@dataclass(frozen=True)
class Peer:
    """An admitted key manager, as the connection's thread knows it."""

    kme: Kme


class Interop:
    """What this node does for, and asks of, key managers of others.

    Args:
        tls: of the server; certificates that are admitted are added to it.
        address: what is said to be our own, ``https://host:port``.
    """

    def __init__(self, tls: ssl.SSLContext, address: str) -> None:
        self._tls = tls
        self.callback = address + engine.ACK_PATH
        self._clerk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kme clerk")
        self._peers: dict[str, Peer] = {}
        self._saes: dict[str, Peer] = {}
        self._changed = threading.Condition()
        self._quiet_until: dict[str, tuple[float, float]] = {}
        tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a certificate is admitted by itself

    def refresh(self) -> None:
        """Learn who is admitted now."""
        kmes = self.do(door.kmes)
        for kme in kmes:
            if not all(one in self._peers for one in kme.fingerprints):
                self._tls.load_verify_locations(cadata=kme.certificates)
        self._peers = {one: Peer(kme) for kme in kmes for one in kme.fingerprints}
        self._saes = {sae: Peer(kme) for kme in kmes for sae in kme.saes}

    def do(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Let the clerk do something with tables, and return what comes of it."""
        return self._clerk.submit(_closing, work, arguments, named).result()

    def close(self) -> None:
        """End the clerk, and its connection with the database."""
        self._clerk.submit(connections.close_all)
        self._clerk.shutdown(wait=True)

    def peer(self, der: bytes | None) -> Peer | None:
        """Return whose certificate it is, if it was admitted."""
        return self._peers.get(door.fingerprint_of(der)) if der else None

    def serves(self, sae: str) -> Peer | None:
        """Return the key manager that serves an application of another network."""
        return self._saes.get(sae)

    # What they ask

    def answer(
        self, peer: Peer | None, version: str | None, path: str, body: bytes | None
    ) -> tuple[int, Any]:
        """Answer a request at ``/kmapi/``: status and body."""
        try:
            return self._answer(peer, version, path, body)
        except engine.InteropRefusedError as error:
            return error.http, error.body
        except (RenkeiError, DatabaseError) as error:
            log.exception("a request of another key manager failed")
            why = str(error) if isinstance(error, RenkeiError) else type(error).__name__
            refused = engine.InteropRefusedError(
                503, "server-side-general-error", "server_side_general_error", why
            )
            return refused.http, refused.body

    def _answer(
        self, peer: Peer | None, version: str | None, path: str, body: bytes | None
    ) -> tuple[int, Any]:
        if peer is None or version != "TLSv1.3":
            raise engine.InteropRefusedError(
                401,
                "unauthorized",
                "unauthorized",
                "the certificate of an admitted key manager and TLS 1.3 are required",
            )
        if path == engine.VERSIONS_PATH and body is None:
            return 200, engine.versions()
        if path not in {engine.KEYS_PATH, engine.ACK_PATH, engine.VOID_PATH}:
            raise engine.InteropRefusedError(404, "not-found", "path", "no such resource")
        if body is None:
            raise engine.InteropRefusedError(405, "method-not-allowed", "method", "expected POST")
        if path == engine.KEYS_PATH:
            self.do(door.take_keys, peer.kme, engine.read_keys(body, LIMITS))
        elif path == engine.VOID_PATH:
            self.do(door.void_keys, peer.kme, engine.read_void(body, LIMITS))
        else:
            self.do(door.hear_acks, peer.kme, engine.read_acks(body, LIMITS))
        self.wake()
        return (200 if path == engine.ACK_PATH else 202), None

    def wake(self) -> None:
        """Let whoever waits for news look."""
        with self._changed:
            self._changed.notify_all()

    # What our applications ask

    def give(self, peer: Peer, draw: door.Draw) -> list[door.Key]:
        """Return new keys that an application of the other network has, too.

        Raises:
            KmeSilentError: the other key manager did not say in time that it has them; they are
                discarded at both.
        """
        said = self.do(door.begin_giving, peer.kme, draw, self.callback, timezone.now())
        try:
            status, answer = door.ask_kme(said.kme, said.path, said.body)
        except OSError as error:
            self.do(door.give_up, said.rows)
            self.wake()
            raise door.KmeSilentError(
                gettext_noop("the key manager {name} does not answer: {why}"),
                name=peer.kme.name,
                why=type(error).__name__,
            ) from error
        until = time.monotonic() + GIVE_SECONDS
        while status == 202 and time.monotonic() < until:
            if given := self.do(door.are_given, said):
                return self.do(door.end_giving, said)
            if given is False:
                break
            with self._changed:
                self._changed.wait(LOOK_SECONDS)
        self.do(door.give_up, said.rows, is_refused=status in {400, 401})
        self.wake()  # the other side is to hear of it
        raise door.KmeSilentError(
            gettext_noop("the key manager {name} has not delivered the keys: {why}"),
            name=peer.kme.name,
            why=f"{status} {answer[:300]!r}" if status != 202 else "no acknowledgement",
        )

    def fetch(self, peer: Peer, fetch: door.Fetch) -> list[door.Key]:
        """Return keys that were handed over for an application of this node."""
        return self.do(door.fetch_handed, peer.kme, fetch)

    # What we say to them

    def run(self, stop: threading.Event) -> None:
        """Say what is due until told to stop."""
        self.do(door.give_up_unfinished)
        while not stop.is_set():
            try:
                self.refresh()
                for said in self.do(door.due, self.callback):
                    self._say(said)
            except DatabaseError:
                log.exception("what is due to other key managers cannot be read")
            with self._changed:
                self._changed.wait(LOOK_DUE_SECONDS)

    def _say(self, said: "door.Said") -> None:
        name = said.kme.name
        until, pause = self._quiet_until.get(name, (0.0, PAUSE_SECONDS))
        if time.monotonic() < until:
            return
        try:
            status, answer = door.ask_kme(said.kme, said.path, said.body)
        except OSError as error:
            status, answer = 0, str(error).encode()
        # What it calls unknown or wrong will not become right by saying it again.
        if status in {200, 202, 400}:
            self.do(door.told, said)
            self._quiet_until.pop(name, None)
        if status not in {200, 202}:
            log.warning("%s %s: %s %r", name, said.path, status, answer[:300])
        if status not in {200, 202, 400}:
            self._quiet_until[name] = (
                time.monotonic() + pause,
                min(2 * pause, LONGEST_PAUSE_SECONDS),
            )


def encoded(said: Any) -> bytes:
    """Return a body as it is sent; nothing for none."""
    return b"" if said is None else json.dumps(said).encode()


def _closing(work: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any]) -> T:
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
    return work(*arguments, **named)
