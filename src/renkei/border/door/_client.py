"""How one node asks another: bounded answers, no redirects, no compression, signed where it counts."""

import json
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from renkei import __version__
from renkei.border import engine
from renkei.border.door import _keys
from renkei.kit.errors import ForbiddenError, RenkeiError, gettext_noop

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
BLOCK = 1 << 16
MOST_NOTE_BYTES = 1 << 18
MOST_JSON_BYTES = 1 << 20
_local = threading.local()


class UnreachableError(RenkeiError):
    """The partner's node did not answer."""

    code = "border.unreachable"
    status = 503


class BadAnswerError(RenkeiError):
    """The partner's node answered something that cannot be used."""

    code = "border.bad_answer"
    status = 502


class RefusedError(ForbiddenError):
    """The partner's node refuses what another room of this node asked of it."""

    code = "border.refused_by_partner"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the partner answered."""

    status: int
    content: bytes
    kind: str
    date: str


def _session() -> requests.Session:
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = _local.session = requests.Session()
        session.trust_env = False  # no proxy, no .netrc: the partner is named in node.toml
        session.headers.update(
            {"User-Agent": f"renkei/{__version__}", "Accept-Encoding": "identity", "Accept": "*/*"}
        )
        session.mount("http://", HTTPAdapter(pool_connections=8, pool_maxsize=2))
        session.mount("https://", HTTPAdapter(pool_connections=8, pool_maxsize=2))
    return session


def ask(
    method: str,
    url: str,
    *,
    most: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Ask a partner's node.

    Args:
        method: GET or POST.
        url: below the partner's address.
        most: bytes of the answer that are read; a longer one is refused.
        body: of a POST.
        headers: besides the usual ones.

    Raises:
        UnreachableError: no connection, no answer in time, or it broke off.
        BadAnswerError: more bytes than expected, or compressed in spite of being asked not to.
    """
    try:
        with _session().request(
            method,
            url,
            data=body or None,
            headers=headers,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as answer:
            content = _bounded(answer, url, most)
            return Answer(
                status=answer.status_code,
                content=content,
                kind=answer.headers.get("Content-Type", ""),
                date=answer.headers.get("Date", ""),
            )
    except BadAnswerError:
        raise
    except (requests.RequestException, OSError, ValueError) as error:
        # urllib3's own errors while a body is read are OSErrors or ValueErrors of its own kind.
        raise UnreachableError(
            gettext_noop("{host} does not answer: {why}"),
            host=urlsplit(url).netloc,
            why=type(error).__name__,
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "urllib3":
            raise
        raise UnreachableError(
            gettext_noop("{host} does not answer: {why}"),
            host=urlsplit(url).netloc,
            why=type(error).__name__,
        ) from error


def _bounded(answer: requests.Response, url: str, most: int) -> bytes:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise BadAnswerError(
            gettext_noop("{url}: the answer is compressed, though plain bytes were asked for"),
            url=url,
        )
    parts: list[bytes] = []
    length = 0
    while block := answer.raw.read(BLOCK, decode_content=False):
        length += len(block)
        if length > most:
            raise BadAnswerError(
                gettext_noop("{url}: the answer has more than {most} bytes"), url=url, most=most
            )
        parts.append(block)
    return b"".join(parts)


def ask_signed(url: str, document: dict[str, Any], *, now: datetime, most: int) -> Answer:
    """Post a JSON document under this node's signatures (RFC 9421, both algorithms)."""
    body = json.dumps(document, separators=(",", ":")).encode()
    headers = engine.sign_request(
        "POST",
        url,
        {"Content-Type": "application/json"},
        body,
        keys=_keys.keys().log,
        now=now,
        nonce=secrets.token_urlsafe(18),
    )
    return ask("POST", url, most=most, body=body, headers=headers)


def ok(answer: Answer, url: str) -> bytes:
    """Return the content of a 200.

    Raises:
        BadAnswerError: another status.
    """
    if answer.status != 200:
        raise BadAnswerError(
            gettext_noop("{url}: answered {status}, expected 200"), url=url, status=answer.status
        )
    return answer.content


def ok_json(answer: Answer, url: str) -> dict[str, Any]:
    """Return the JSON object of a 200.

    Raises:
        BadAnswerError: another status, or no JSON object.
    """
    try:
        parsed = json.loads(ok(answer, url))
    except (ValueError, RecursionError) as error:
        raise BadAnswerError(gettext_noop("{url}: the answer is not JSON"), url=url) from error
    if not isinstance(parsed, dict):
        raise BadAnswerError(gettext_noop("{url}: the answer is not a JSON object"), url=url)
    return parsed


def ask_partner(
    partner: _keys.Partner, path: str, document: dict[str, Any], *, now: datetime, most: int
) -> dict[str, Any]:
    """Ask a room of a partner's node something, signed; return the JSON object of its answer.

    Args:
        partner: whom.
        path: address at the partner's root.
        document: the question.
        now: for the signature.
        most: bytes of the answer.

    Raises:
        UnreachableError, BadAnswerError: no answer, or none that can be used.
        RefusedError: the partner says why not.
    """
    url = f"{partner.address}{path}"
    answer = ask_signed(url, document, now=now, most=most)
    if 400 <= answer.status < 500:
        try:
            said = json.loads(answer.content)
        except (ValueError, RecursionError):
            said = None
        why = said.get("detail") if isinstance(said, dict) else None
        raise RefusedError(
            gettext_noop("{partner} refuses ({status}): {why}"),
            partner=partner.name,
            status=answer.status,
            why=str(why or "-")[:500],
        )
    return ok_json(answer, url)
