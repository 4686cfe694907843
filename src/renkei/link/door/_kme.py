"""This node's way to an admitted key manager of another vendor: TLS 1.3, both certificates known."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import engine
from renkei.link.door._authority import ensure_authority
from renkei.link.door._interop import fingerprint_of
from renkei.link.models import Kme

ASK_SECONDS = 10.0
LARGEST_ANSWER_BYTES = 64 << 10


class KmeSilentError(RenkeiError):
    """The key manager of another network did not deliver keys to its application."""

    code = "link.kme_silent"
    status = 503


class StrangerError(OSError):
    """What answers shows another certificate than the admitted one."""


def ask_kme(kme: Kme, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Ask an admitted key manager with this node's own certificate; redirects are not followed.

    Raises:
        OSError: it does not answer, or another one does.
    """
    where = ensure_authority()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.check_hostname = False  # the certificate itself is known
    tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    tls.load_verify_locations(cadata=kme.certificates)
    tls.load_cert_chain(where / "kme.crt", where / "kme.key")
    parts = urlsplit(kme.address)
    link = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 443, timeout=ASK_SECONDS, context=tls
    )
    try:
        link.connect()
        der = link.sock.getpeercert(binary_form=True)
        if der is None or fingerprint_of(der) not in kme.fingerprints:
            raise StrangerError("another certificate")
        headers = {"Content-Type": "application/json; charset=UTF-8"} if body else {}
        link.request("POST" if body else "GET", path, body, headers)
        answer = link.getresponse()
        return answer.status, answer.read(LARGEST_ANSWER_BYTES)
    except http.client.HTTPException as error:
        raise OSError(str(error) or type(error).__name__) from error
    finally:
        link.close()


def ask_versions(kme: Kme) -> dict[str, Any]:
    """Return which versions and modes a key manager says that it speaks.

    Raises:
        KmeSilentError: it does not answer so.
    """
    try:
        status, answer = ask_kme(kme, engine.VERSIONS_PATH)
        said = json.loads(answer) if status == 200 else None
    except (OSError, ValueError) as error:
        status, said = 0, str(error)
    if not isinstance(said, dict):
        raise KmeSilentError(
            gettext_noop("the key manager {name} does not answer: {why}"),
            name=kme.name,
            why=said or status,
        )
    return said


def own_address() -> str:
    """Return where other key managers reach this node's."""
    listen = settings.NODE.listen
    host = settings.NODE.hosts[0] if settings.NODE.hosts else listen.host
    return f"https://{host}:{listen.etsi014}"
