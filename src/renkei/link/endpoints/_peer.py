"""What the partner's end of the link asks, at ``/link/v1/``: each message under the link's secret."""

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from renkei.base.access import PUBLIC, access
from renkei.border import door as border
from renkei.kit.errors import RenkeiError, TooLargeError, gettext_noop
from renkei.link import door
from renkei.link.models import Link


def _ping(_link: Link, _body: bytes) -> bytes:
    return b"{}"


def _allocate(link: Link, body: bytes) -> bytes:
    return json.dumps(door.hear(link, _said(body).get("link"))).encode()


def _confirm(link: Link, body: bytes) -> bytes:
    said = _said(body)
    equal = door.confirm(link, int(said["number"]), str(said["fingerprint"]))
    return json.dumps({"equal": equal}).encode()


def _settle(link: Link, body: bytes) -> bytes:
    return json.dumps(door.hear_settling(link, _said(body))).encode()


def _public(_link: Link, _body: bytes) -> bytes:
    return json.dumps({"public": door.recipient().public.hex()}).encode()


def _relay_begin(link: Link, body: bytes) -> bytes:
    number = door.begin_relayed(link, int(_said(body)["number"]))
    return json.dumps({"number": number}).encode()


def _relay(link: Link, body: bytes) -> bytes:
    return json.dumps(door.hear_relayed(link, _said(body))).encode()


def _said(body: bytes) -> dict[str, Any]:
    said = json.loads(body)
    if not isinstance(said, dict):
        raise TypeError
    return said


ANSWERS: dict[str, Callable[[Link, bytes], bytes]] = {
    "ping": _ping,
    "allocate": _allocate,
    "confirm": _confirm,
    "settle": _settle,
    "public": _public,
    "relay-begin": _relay_begin,
    "relay": _relay,
    "distil": door.hand_over,
}


def _meet(request: HttpRequest, body: bytes) -> HttpResponse:
    """Answer the partner that wants to meet: its node has signed the request."""
    try:
        partner = border.asking(
            request.method or "",
            request.build_absolute_uri(),
            dict(request.headers),
            body,
            now=timezone.now(),
        )
        status, said = 200, door.answer_meeting(door.link_with(partner.name), _said(body))
    except RenkeiError as error:
        status, said = error.status, {"detail": str(error)}
    except (ValueError, TypeError):
        status, said = 400, {"detail": "the message cannot be read"}
    return JsonResponse(said, status=status, headers={"Cache-Control": "no-store"})


@csrf_exempt
@access(PUBLIC)  # who may speak is decided by the link's secret
@require_POST
def peer(request: HttpRequest, kind: str) -> HttpResponse:
    """Answer the partner's end of the link."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > door.LARGEST_MESSAGE_BYTES:
        raise TooLargeError(gettext_noop("a message of the link has at most 32 MiB"))
    body = request.read()
    if kind == "meet":
        return _meet(request, body)
    try:
        link, nonce = door.verified(request.headers.get(door.HEADER, ""), kind, body)
    except door.BadMessageError as error:
        return HttpResponse(f"{error}\n", status=error.status, content_type="text/plain")
    try:
        status, said = 200, ANSWERS[kind](link, body)
    except RenkeiError as error:
        status, said = error.status, json.dumps({"detail": str(error)}).encode()
    except (ValueError, KeyError, TypeError):
        status, said = 400, b'{"detail": "the message cannot be read"}'
    answer = HttpResponse(said, status=status, content_type="application/octet-stream")
    answer[door.HEADER] = door.answer_mac(link, kind, nonce, status, said)
    answer["Cache-Control"] = "no-store"
    return answer
