"""How the two ends of a link speak to each other: authenticated requests between the nodes.

``Channel`` is what the rest needs. ``SecretChannel`` is the first implementation: HTTP to the
partner's web port, each message and each answer under an HMAC with a secret that both nodes keep
in ``keys/link-with-<partner>``. Nothing that is sent here is secret; what matters is who said it.
"""

import fcntl
import hashlib
import hmac
import http.client
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings

from renkei.kit.errors import ForbiddenError, RenkeiError, gettext_noop
from renkei.link.door._link import NoLinkError, cache_folder, write_secret
from renkei.link.door._store import PartnerSilentError, settle_by, settling
from renkei.link.models import Link

SECRET_BYTES = 32
SECRET = re.compile(r"[0-9a-f]{64}")
TIMEOUT_SECONDS = 10.0
DISTIL_TIMEOUT_SECONDS = 90.0  # compiling kernels, making a block

FRESH_SECONDS = 1.0
HEADER = "Renkei-Link"
LARGEST_MESSAGE_BYTES = 32 << 20


class BadMessageError(ForbiddenError):
    """A message does not come from the partner, or was changed on its way."""

    code = "link.bad_message"


class Channel(Protocol):
    """The authenticated way to the partner's end of the link."""

    def ask(self, kind: str, body: bytes) -> bytes:
        """Send a message and return the answer.

        Raises:
            PartnerSilentError: nobody answers; the message may have arrived or not.
        """

    def ready(self) -> None:
        """Make sure that the partner answers just now.

        Raises:
            PartnerSilentError: it does not.
        """


def secret_file(partner: str) -> Path:
    """Return where the secret that is shared with a partner is kept."""
    file: Path = (
        settings.NODE.folder / "keys" / f"link-with-{partner}"
    )  # beside link-ca, link-kek, link-seal
    return file


def keep_secret(partner: str, text: str) -> None:
    """Keep the secret that is shared with a partner.

    Raises:
        BadMessageError: it is not 32 bytes in hexadecimal digits.
    """
    if not SECRET.fullmatch(text.strip()):
        raise BadMessageError(gettext_noop("the link's secret is 64 hexadecimal digits"))
    file = secret_file(partner)
    if not file.exists() or file.read_text("ascii").strip() != text.strip():
        write_secret(file, text.strip() + "\n")


def secret_with(partner: str) -> bytes:
    """Return the secret that is shared with a partner.

    Raises:
        NoLinkError: there is none.
    """
    try:
        return bytes.fromhex(secret_file(partner).read_text("ascii"))
    except (OSError, ValueError) as error:
        raise NoLinkError(
            gettext_noop("there is no secret for the link with {partner}: {file}"),
            partner=partner,
            file=secret_file(partner),
        ) from error


def _mac(secret: bytes, *parts: str | bytes) -> str:
    mac = hmac.new(secret, b"renkei link channel 1", hashlib.sha256)
    for part in parts:
        said = part.encode() if isinstance(part, str) else part
        mac.update(len(said).to_bytes(8, "big") + said)
    return mac.hexdigest()


class SecretChannel:
    """One connection to the partner's web port; for one thread at a time."""

    def __init__(self, link: Link, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._own, self._partner = link.own, link.partner
        address = next(
            (one.address for one in settings.NODE.partners if one.name == link.partner), ""
        )
        parts = urlsplit(address)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._path = parts.path.rstrip("/")
        self._http = kind(parts.hostname or "", parts.port, timeout=timeout_seconds)
        self._answered_at = 0.0

    def ready(self) -> None:
        """Make sure that the partner answers just now."""
        if time.monotonic() - self._answered_at > FRESH_SECONDS:
            self._http.close()
            self.ask("ping", b"")

    def ask(self, kind: str, body: bytes) -> bytes:
        """Send a message and return the answer."""
        try:
            secret = secret_with(self._partner)  # it changes when the ends meet again
        except NoLinkError as error:
            raise PartnerSilentError(
                gettext_noop("the ends of the link with {partner} have not met yet"),
                partner=self._partner,
            ) from error
        nonce = secrets.token_hex(16)
        mac = _mac(secret, "ask", self._own, self._partner, kind, nonce, body)
        headers = {
            HEADER: f"{self._own} {nonce} {mac}",
            "Content-Type": "application/octet-stream",
        }
        try:
            self._http.request("POST", f"{self._path}/link/v1/{kind}", body, headers)
            answer = self._http.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._silent()
            raise PartnerSilentError(
                gettext_noop("the partner {partner} does not answer: {why}"),
                partner=self._partner,
                why=str(error) or type(error).__name__,
            ) from error
        expected = _mac(secret, "answer", kind, nonce, str(answer.status), said)
        if not hmac.compare_digest(answer.headers.get(HEADER, ""), expected):
            self._silent()
            (cache_folder() / f"link-{self._partner}.stranger").touch()
            raise PartnerSilentError(
                gettext_noop("the answer ({status}) is not from the partner {partner}"),
                partner=self._partner,
                status=answer.status,
            )
        self._answered_at = time.monotonic()
        if answer.status != 200:
            raise _refusal(said)
        return said

    def _silent(self) -> None:
        self._http.close()
        self._answered_at = 0.0

    def close(self) -> None:
        """End the connection."""
        self._http.close()


class RefusedByPartnerError(RenkeiError):
    """The partner's end of the link refuses a message."""

    code = "link.refused_by_partner"
    status = 503


def _refusal(said: bytes) -> RefusedByPartnerError:
    try:
        why = str(json.loads(said)["detail"])
    except (ValueError, KeyError, TypeError):
        why = said[:200].decode("utf-8", "replace")
    return RefusedByPartnerError(gettext_noop("the partner refuses: {why}"), why=why)


def verified(header: str, kind: str, body: bytes) -> tuple[Link, str]:
    """Return the link that a message came over, and its nonce.

    Raises:
        BadMessageError: it is not from a partner of this node.
    """
    words = header.split(" ")
    known = {one.name for one in settings.NODE.partners}
    if len(words) == 3 and words[0] in known and secret_file(words[0]).exists():
        partner, nonce, mac = words
        expected = _mac(secret_with(partner), "ask", partner, settings.NODE.name, kind, nonce, body)
        link = Link.objects.filter(own=settings.NODE.name, partner=partner).first()
        if link is not None and hmac.compare_digest(expected, mac):
            return link, nonce
    raise BadMessageError(gettext_noop("this address answers the partner's end of the link alone"))


def answer_mac(link: Link, kind: str, nonce: str, status: int, body: bytes) -> str:
    """Return what proves to the partner that an answer is ours."""
    return _mac(secret_with(link.partner), "answer", kind, nonce, str(status), body)


def as_send(channel: Channel) -> Any:
    """Return the function that tells the partner a batch."""

    def send(said: dict[str, object]) -> dict[str, Any]:
        answer = json.loads(channel.ask("allocate", json.dumps(said).encode()))
        if not isinstance(answer, dict):
            raise RefusedByPartnerError(gettext_noop("the partner refuses: {why}"), why=answer)
        return answer

    return send


@contextmanager
def alone(link: Link) -> Iterator[None]:
    """Wait until no other process of this node brings blocks in over the link."""
    with (cache_folder() / f"link-{link.own}-{link.partner}.drive").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def settle_with(link: Link, channel: Channel) -> None:
    """Compare lists of blocks with the partner: what one end lacks, the other destroys."""
    for _ in range(2):  # once more where this end was set back: the partner's newer blocks go too
        said = json.loads(channel.ask("settle", json.dumps(settling(link)).encode()))
        if not settle_by(link, said):
            return
