"""The border for programs: C2SP logs, witness and mirror, and what partners ask of each other."""

import json
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from renkei.base.access import PUBLIC, access
from renkei.base.problems import problem
from renkei.border import door, engine
from renkei.border.models import Checkpoint, Log, Witnessed
from renkei.kit.errors import NotFoundError, RenkeiError, TooLargeError, gettext_noop

MOST_REQUEST_BYTES = 1 << 16
FOR_EVER = "public, max-age=31536000, immutable"
MOMENTS = "public, max-age=1"
PLAIN = "text/plain; charset=utf-8"


class BadRequestBodyError(RenkeiError):
    """The body of a partner's request is not what the address reads."""

    code = "border.bad_request"
    status = 400


def _refusing(view: Any) -> Any:
    """Answer refusals as problem+json, whatever the client accepts: only programs come here."""

    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = view(request, *args, **kwargs)
        except RenkeiError as error:
            return problem(error)
        return response

    answered.__name__, answered.__doc__ = view.__name__, view.__doc__
    return answered


def _bounded(request: HttpRequest, most: int) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > most:
        raise TooLargeError(gettext_noop("this address reads at most {most} bytes"), most=most)
    return request.body


def _base(request: HttpRequest) -> str:
    return request.build_absolute_uri("/").rstrip("/")


@access(PUBLIC)
@require_GET
@_refusing
def did(request: HttpRequest) -> HttpResponse:
    """The node's keys for discovery (did:web); partners pin the fingerprint instead."""
    return JsonResponse(engine.did_document(door.own_history(), _base(request)))


@access(PUBLIC)
@require_GET
@_refusing
def renkei_node(request: HttpRequest) -> HttpResponse:
    """Who the node is, its keys, its addresses and the versions it speaks."""
    base = _base(request)
    addresses = {
        "log": f"{base}/log",
        "witness": f"{base}/border/v1/witness",
        "mirror": f"{base}/border/v1/mirror",
        "api": f"{base}/node/v1/openapi.json",
    }
    return JsonResponse(engine.renkei_node_document(door.own_history(), base, addresses))


def _newest(log: Log | None) -> bytes:
    row = Checkpoint.objects.filter(log=log).order_by("-size").first() if log else None
    if row is None:
        raise NotFoundError(gettext_noop("this log has no checkpoint yet"))
    return bytes(row.note)


def _note(note: bytes) -> HttpResponse:
    return HttpResponse(note, content_type=PLAIN, headers={"Cache-Control": MOMENTS})


@access(PUBLIC)
@require_GET
@_refusing
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest signed checkpoint of the node's log (C2SP tlog-checkpoint)."""
    return _note(_newest(Log.objects.filter(is_own=True).first()))


def _tile(log: Log | None, wanted: str) -> HttpResponse:
    tile = engine.parse_tile(wanted)
    if log is None:
        raise NotFoundError(gettext_noop("this node holds no such log"))
    if not log.published:
        raise NotFoundError(gettext_noop("this log has no checkpoint yet"))
    content = door.tile(log, tile)
    return HttpResponse(
        content,
        content_type="application/octet-stream",
        headers={"Cache-Control": FOR_EVER},
    )


@access(PUBLIC)
@require_GET
@_refusing
def tile(request: HttpRequest, wanted: str) -> HttpResponse:
    """A tile or a bundle of entries of the node's log (C2SP tlog-tiles)."""
    return _tile(Log.objects.filter(is_own=True).first(), wanted)


def _partners_log(name: str) -> Log | None:
    for log in Log.objects.filter(is_own=False):
        if door.name_of(log.origin) == name:
            return log
    return None


@access(PUBLIC)
@require_GET
@_refusing
def mirrored(request: HttpRequest, log: str) -> HttpResponse:
    """The newest checkpoint of a partner's log whose entries are all held here (C2SP tlog-mirror)."""
    return _note(_newest(_partners_log(log)))


@access(PUBLIC)
@require_GET
@_refusing
def mirror_tile(request: HttpRequest, log: str, wanted: str) -> HttpResponse:
    """A tile of the mirror of a partner's log (C2SP tlog-mirror)."""
    return _tile(_partners_log(log), wanted)


@access(PUBLIC)
@require_GET
@_refusing
def witnessed(request: HttpRequest, log: str) -> HttpResponse:
    """The checkpoint of a partner's log that this witness cosigned last (C2SP tlog-witness)."""
    found = _partners_log(log)
    state = Witnessed.objects.filter(log=found).first() if found else None
    if state is None:
        raise NotFoundError(gettext_noop("this witness has cosigned no such log"))
    return _note(bytes(state.note))


@csrf_exempt
@access(PUBLIC)
@require_POST
def add_checkpoint(request: HttpRequest) -> HttpResponse:
    """Cosign a checkpoint that extends the last one (C2SP tlog-witness); it vouches for itself."""
    try:
        body = _bounded(request, engine.MAX_ADD_CHECKPOINT_BYTES)
        status, kind, content = door.add_checkpoint(body, now=timezone.now())
    except RenkeiError as error:
        return problem(error)
    return HttpResponse(content, status=status, content_type=kind)


def _asked(request: HttpRequest) -> tuple[door.Partner, dict[str, Any]]:
    """Return which partner signed the request, and the JSON object that it carries."""
    body = _bounded(request, MOST_REQUEST_BYTES)
    partner = door.asking(
        request.method or "",
        request.build_absolute_uri(),
        dict(request.headers),
        body,
        now=timezone.now(),
    )
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestBodyError(gettext_noop("the body is not JSON")) from error
    if not isinstance(document, dict):
        raise BadRequestBodyError(gettext_noop("the body is not a JSON object"))
    return partner, document


@csrf_exempt
@access(PUBLIC)
@require_POST
@_refusing
def hint(request: HttpRequest) -> HttpResponse:
    """Take a partner's word that its log grew: the worker looks at once instead of in a while."""
    partner, _document = _asked(request)
    door.wake(partner.name)
    return HttpResponse(status=202)


@csrf_exempt
@access(PUBLIC)
@require_POST
@_refusing
def private(request: HttpRequest) -> HttpResponse:
    """Give a partner the private content meant for it: sealed to its key, and by the carrier."""
    partner, document = _asked(request)
    wanted = document.get("commitments")
    if (
        not isinstance(wanted, list)
        or len(wanted) > 64
        or not all(isinstance(item, str) and len(item) == 64 for item in wanted)
    ):
        raise BadRequestBodyError(
            gettext_noop("commitments: expected at most 64 texts of 64 hexadecimal digits")
        )
    answer = door.carried_for if document.get("carried") is True else door.sealed_for
    return JsonResponse({"origin": settings.NODE.origin, "sealed": answer(partner, wanted)})
