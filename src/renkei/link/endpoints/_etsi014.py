"""Key delivery by ETSI GS QKD 014 V1.1.1, on a port of its own with mutual TLS.

Key managers of other vendors ask at the same port, at ``/kmapi/`` (``_etsi020``).

It runs in the worker's process, a thread a connection. Who calls is read from the client's
certificate alone. A handler touches no table: it hands what is asked to the link's dispenser.
"""

import contextlib
import logging
import socket
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import door, engine
from renkei.link.endpoints._etsi020 import LABEL, Interop, encoded
from renkei.link.models import Link

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 200
IDLE_SECONDS = 60.0
HANDSHAKE_SECONDS = 10.0
LINGER_SECONDS = 1.0
LARGEST_BODY_BYTES = 64 << 10
DRAINED_BYTES = 16 << 20  # of a body that is refused, so that its sender hears why
LIMITS = engine.Limits()
MESSAGES = {
    "link.key_not_found": "one or more keys specified are not found on KME",
    "link.unmet": "not all extension_mandatory request options could be met",
}


class PortTakenError(RenkeiError):
    """Something else listens where key would be delivered."""

    code = "link.port_taken"
    status = 409


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """The listener: the handshake too is made in the connection's own thread."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], tls: ssl.SSLContext, dispensers: dict[str, door.Dispenser]
    ) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.tls = tls
        self.dispensers = dispensers
        self.interop = Interop(tls, door.own_address())
        self._authority = door.authority_key()
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__((address[0].strip("[]"), address[1]), Handler)

    def server_close(self) -> None:
        """Listen no more."""
        super().server_close()
        self.interop.close()

    def is_of_an_application(self, der: bytes) -> bool:
        """Tell whether this node's own authority made a certificate: no other one names an SAE."""
        return door.is_issued(der, self._authority)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread, if there are not too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection."""
        try:
            request.settimeout(HANDSHAKE_SECONDS)
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.tls.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            ) as secure:
                try:
                    secure.do_handshake()
                except ssl.SSLError:
                    _let_hear(secure)
                    raise
                secure.settimeout(IDLE_SECONDS)
                Handler(secure, client_address, self)
        except OSError as error:  # a foreign certificate, plain HTTP, a scanner, a lost connection
            log.info("connection from %s: %s", client_address[0], error)
        finally:
            self.shutdown_request(request)
            self._free.release()


def _let_hear(refused: ssl.SSLSocket) -> None:
    """Say no more, and read on: what lies unread at the end would undo the alert that says why."""
    with contextlib.suppress(OSError):
        refused.settimeout(LINGER_SECONDS)
        refused.shutdown(socket.SHUT_WR)
        left = LARGEST_BODY_BYTES
        while left > 0 and (said := refused.recv(left)):
            left -= len(said)


class Handler(BaseHTTPRequestHandler):
    """One connection of an application."""

    protocol_version = "HTTP/1.1"
    server_version = "Renkei"
    sys_version = ""
    wbufsize = 1 << 17  # head and body leave in one piece
    server: Server
    is_interop = False
    _is_read = False
    _known: door.Caller | None = None

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Say nothing of what went well."""
        log.debug(format, *args)

    def parse_request(self) -> bool:
        """Read the head of a request; refuse what two readers would take for different requests."""
        if not super().parse_request():
            return False
        hosts, lengths = (self.headers.get_all(name, []) for name in ("Host", "Content-Length"))
        is_older = self.request_version in {"HTTP/0.9", "HTTP/1.0"}
        if (
            self.request_version == "HTTP/0.9"  # its answers have no head: nothing forbids a cache
            or len(lengths) > 1
            or len(hosts) > 1
            or not (hosts or is_older)
        ):
            self.send_error(400)
            return False
        return True

    def do_GET(self) -> None:
        """Answer a GET; a body that comes with it means nothing, and is not read."""
        if "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True
        self.is_interop = self.path.startswith(engine.KMAPI)
        self._serve(None)

    def do_POST(self) -> None:
        """Answer a POST."""
        self.is_interop = self.path.startswith(engine.KMAPI)
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdecimal()):
            self.close_connection = True
            self._answer(411, self._problem(411, "a body needs a Content-Length"))
            return
        if int(length) > LARGEST_BODY_BYTES:
            self.close_connection = True
            self._drain(min(int(length), DRAINED_BYTES))
            why = f"a body has at most {LARGEST_BODY_BYTES} bytes"
            self._answer(413, self._problem(413, why))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        self._serve(body)

    def _problem(self, status: int, why: str) -> dict[str, Any]:
        """Return the body of a refusal as the interface that is spoken has it."""
        if not self.is_interop:
            return {"message": why}
        return engine.InteropRefusedError(status, "bad-request", "body", why).body

    def _drain(self, left: int) -> None:
        while left > 0 and (block := self.rfile.read(min(left, LARGEST_BODY_BYTES))):
            left -= len(block)

    def _serve(self, body: bytes | None) -> None:
        try:
            parts = urlsplit(self.path)
            if self.is_interop:
                version: str | None = self.connection.version()
                peer = self.server.interop.peer(self._certificate())
                self._answer(*self.server.interop.answer(peer, version, parts.path, body))
                return
            caller = self._caller()
            target = engine.read_path(parts.path, is_post=body is not None)
            answer: Answer = getattr(self, f"_{target.call}")
            self._answer(200, answer(caller, target.sae, body, parts.query))
        except engine.RefusedError as error:
            self._answer(error.http, error.body)
        except RenkeiError as error:
            self._refuse(error)
        except ValueError:  # an address that is none
            self._answer(400, self._problem(400, "bad request format"))

    def _application(self) -> door.Caller | None:
        said: Any = self.connection.getpeercert()
        names = [
            value
            for part in (said or {}).get("subject", ())
            for name, value in part
            if name == "commonName"
        ]
        if len(names) != 1:
            return None
        return door.Caller(names[0], str(said["serialNumber"]).lower().lstrip("0"))

    def _caller(self) -> door.Caller:
        if not self._is_read:
            der = self._certificate()
            # A key manager of others is no application, whatever its certificate says.
            if der and not self.server.interop.peer(der) and self.server.is_of_an_application(der):
                self._known = self._application()
            self._is_read = True
        if self._known is None:
            raise engine.RefusedError(401)
        return self._known

    def _certificate(self) -> bytes | None:
        der: bytes | None = self.connection.getpeercert(binary_form=True)
        return der

    def _dispenser(self, sae: str) -> door.Dispenser:
        found = self.server.dispensers.get(door.node_of(sae))
        if found is None and door.node_of(sae) == settings.NODE.name:
            found = next(iter(self.server.dispensers.values()))
        if found is None:
            raise engine.RefusedError(400, "the SAE is at no node that this one has a link with")
        return found

    def _status(
        self, caller: door.Caller, slave: str, _body: bytes | None, _query: str
    ) -> dict[str, Any]:
        peer = self.server.interop.serves(slave)
        if peer is not None:  # made when they are asked for
            self.server.interop.do(door.refuse_unknown, caller.name, caller.serial)
            count: list[door.Key] | int = LIMITS.max_key_per_request
        else:
            count = self._dispenser(slave).ask(caller, door.Count(LIMITS.key_size // 8, slave))
        return engine.status(
            LIMITS,
            source_kme=door.kme_name(),
            target_kme=peer.kme.name if peer else door.kme_name(door.node_of(slave)),
            master=caller.name,
            slave=slave,
            stored=count if isinstance(count, int) else 0,
        )

    def _enc_keys(self, caller: door.Caller, slave: str, body: bytes | None, query: str) -> bytes:
        asked = engine.read_key_request(body, query, LIMITS)
        slaves = (slave, *(one for one in asked.additional_slaves if one != slave))
        peer = self.server.interop.serves(slave)
        if peer is not None:
            given = door.Draw(
                caller.name, slaves, asked.size // 8, asked.number, asked.source, caller.serial
            )
            return self._container(self.server.interop.give(peer, given))
        if len({door.node_of(one) for one in slaves} - {settings.NODE.name}) > 1:
            raise engine.RefusedError(400, "the slave SAEs shall be at one node beside this one")
        far = next((one for one in slaves if door.node_of(one) != settings.NODE.name), slave)
        draw = door.Draw(
            master=caller.name,
            slaves=slaves,
            size=asked.size // 8,
            number=asked.number,
            source=asked.source,
        )
        return self._container(self._dispenser(far).ask(caller, draw))

    def _dec_keys(self, caller: door.Caller, master: str, body: bytes | None, query: str) -> bytes:
        names = engine.read_key_ids(body, query, LIMITS)
        fetch = door.Fetch(slave=caller.name, master=master, key_ids=names)
        peer = self.server.interop.serves(master)
        if peer is not None:
            fetch.serial = caller.serial
            return self._container(self.server.interop.fetch(peer, fetch))
        return self._container(self._dispenser(master).ask(caller, fetch))

    @staticmethod
    def _container(keys: list[door.Key] | int) -> bytes:
        if isinstance(keys, int):
            raise TypeError("keys, not a count")
        extensions = {one.key_id: one.extension for one in keys if one.extension}
        return engine.container([(one.key_id, one.key, one.simulated) for one in keys], extensions)

    def _refuse(self, error: RenkeiError) -> None:
        status = error.status if error.status in {400, 401} else 503
        if status == 401:
            self._answer(401, None)
        else:
            self._answer(status, {"message": MESSAGES.get(error.code, str(error))})

    def _answer(self, status: int, said: dict[str, Any] | bytes | None) -> None:
        body = said if isinstance(said, bytes) else encoded(said)
        self.send_response(status)
        if self.is_interop:
            is_problem = status >= 400
            kind = "application/problem+json" if is_problem else "application/json; charset=UTF-8"
            self.send_header("Content-Type", kind)
            self.send_header("Renkei-Interface", LABEL)
        else:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == 503:
            self.send_header("Retry-After", "5")
        if status == 405:
            self.send_header("Allow", self._allowed())
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _allowed(self) -> str:
        """Return which methods there are where another one was used."""
        if self.command in {"GET", "POST"}:
            return "GET" if self.command == "POST" else "POST"
        return "GET" if self.path.partition("?")[0].endswith("/status") else "GET, POST"

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no HTTP, or another method, as everything else is refused."""
        del explain
        self.close_connection = True
        self.request_version = self.protocol_version  # before it is known, no head would be sent
        if code == 501:  # what the base class says of every method but GET and POST
            code, message = 405, "keys are asked for with GET and POST"
        self._answer(code, {"message": message or "bad request format"})


class Answer(Protocol):
    """Type of the three calls."""

    def __call__(
        self, caller: door.Caller, sae: str, body: bytes | None, query: str
    ) -> dict[str, Any] | bytes:
        """Answer a call."""


def tls_context() -> ssl.SSLContext:
    """Return what the key manager proves itself with, and by whom it knows its callers."""
    where = door.ensure_authority()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(where / "kme.crt", where / "kme.key")
    tls.load_verify_locations(where / "ca.crt")
    tls.verify_mode = ssl.CERT_OPTIONAL  # who shows none is answered 401, not cut off
    return tls


def deliver(stop: threading.Event) -> None:
    """Deliver keys on the node's port until told to stop.

    A node that has no link and has admitted no key manager does nothing.

    Raises:
        PortTakenError: something else listens there.
    """
    links = list(Link.objects.filter(own=settings.NODE.name))
    if not links and not door.kmes():
        return
    dispensers = {link.partner: door.Dispenser(link, door.SecretChannel) for link in links}
    listen = settings.NODE.listen
    try:
        server = Server((listen.host, listen.etsi014), tls_context(), dispensers)
    except OSError as error:
        raise PortTakenError(
            gettext_noop("{host}:{port} is taken: no key is delivered there"),
            host=listen.host,
            port=listen.etsi014,
        ) from error
    ended: list[str] = []
    threads = [
        threading.Thread(target=_dispense, args=(one, stop, ended), name=f"keys {name}")
        for name, one in dispensers.items()
    ]
    server.interop.refresh()
    threads.append(threading.Thread(target=server.serve_forever, name="etsi014", daemon=True))
    threads.append(
        threading.Thread(target=_carry, args=(server.interop, stop, ended), name="kme courier")
    )
    for thread in threads:
        thread.daemon = True
        thread.start()
    try:
        while not stop.wait(1.0) and not ended:
            pass
    finally:
        server.shutdown()
        server.server_close()
    if ended and not stop.is_set():
        raise DispenserEndedError(gettext_noop("a dispenser of keys ended: {why}"), why=ended[0])


class DispenserEndedError(RenkeiError):
    """The thread that hands out key ended by itself."""

    code = "link.dispenser_ended"
    status = 500


def _carry(interop: Interop, stop: threading.Event, ended: list[str]) -> None:
    try:
        interop.run(stop)
    except Exception as error:
        if not stop.is_set():  # the clerk ends with the server
            log.exception("what is said to other key managers ended")
            ended.append(str(error))


def _dispense(dispenser: door.Dispenser, stop: threading.Event, ended: list[str]) -> None:
    from django.db import connections

    try:
        dispenser.run(stop)
    except Exception as error:
        log.exception("a dispenser of keys ended")
        ended.append(str(error))
    finally:
        connections.close_all()
