"""What public pages share: ETag and 304, a small cache of rendered pages, bounded bodies."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags, quote_etag
from django.utils.translation import activate, get_language, get_language_from_request
from django.views.decorators.http import require_http_methods

from renkei import __version__
from renkei.base import problems
from renkei.kit.errors import TooLargeError, gettext_noop

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
CACHED_PAGES = 256  # in each process of the server
MIB = 1 << 20


class _PageCache:
    """The last rendered public answers of this process, by ETag; safe to lose at any time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pages: OrderedDict[str, HttpResponse] = OrderedDict()
        self._lock = threading.Lock()  # requests run in several threads

    def get(self, key: str) -> HttpResponse | None:
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
            return self._pages.get(key)

    def put(self, key: str, page: HttpResponse) -> None:
        with self._lock:
            self._pages[key] = page
            while len(self._pages) > self._size:
                self._pages.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._pages.clear()


page_cache = _PageCache(CACHED_PAGES)


def public_page(version: Callable[[], str]) -> Callable[[View], View]:
    """Give a public answer an ETag from the version of the facts, and keep it while that holds.

    Args:
        version: returns what changes whenever anything that the page shows changes.

    The ETag also covers address, language, program version and whether the reader is signed in.
    Only strangers' answers are kept: they are the same for everyone. What ``version`` returned is
    ``page_version`` of the request, for a view that needs it too.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def conditional(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            # A message ("you have signed out") is for one reader, once.
            is_personal = request.user.is_authenticated or len(get_messages(request)) > 0
            if request.method not in {"GET", "HEAD"} or is_personal:
                response = view(request, *args, **kwargs)
                response.headers.setdefault("Cache-Control", "private, no-cache")
                return response
            request.page_version = version()  # type: ignore[attr-defined]
            etag = _etag(request, request.page_version)  # type: ignore[attr-defined]
            given = parse_etags(request.headers.get("If-None-Match", ""))
            if etag in given or f"W/{etag}" in given or "*" in given:
                return _marked(HttpResponse(status=304), etag)
            page = page_cache.get(etag)
            if page is None:
                answer = view(request, *args, **kwargs)
                if isinstance(answer, SimpleTemplateResponse):
                    answer.render()
                is_plain = isinstance(answer, HttpResponse) and not answer.cookies
                if not is_plain or answer.status_code != HTTPStatus.OK:
                    return answer
                page = cast(HttpResponse, answer)
                page_cache.put(etag, page)
            copy = HttpResponse(page.content, status=page.status_code)
            for name, value in page.items():
                copy[name] = value
            return _marked(copy, etag)

        return conditional  # type: ignore[return-value]

    return decorate


def _etag(request: HttpRequest, version: str) -> str:
    parts = (
        __version__,
        settings.NODE.name,
        version,
        get_language() or "",
        request.get_full_path(),
        request.headers.get("HX-Request", ""),
    )
    return quote_etag(hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32])


def _marked(response: HttpResponse, etag: str) -> HttpResponse:
    response["ETag"] = etag
    response["Cache-Control"] = "no-cache"  # keep it, and ask each time whether it still holds
    patch_vary_headers(response, ["Cookie", "Accept-Language", "HX-Request"])
    return response


def require_safe(view: View) -> View:
    """Take GET and HEAD alone; any other method is refused with 405, whatever else it lacks.

    Nothing that writes reaches the view, so no token of a form is asked for: without one, a program
    would be told of a stale form (403) where the address takes no form at all.
    """
    safe = require_http_methods(["GET", "HEAD"])(view)
    safe.csrf_exempt = True  # type: ignore[attr-defined]
    return safe


class BodyLimitMiddleware:
    """Refuse bodies above ``max_upload_mib`` before reading them, and stop reading at the limit."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or refuse by the announced length."""
        limit = settings.NODE.max_upload_mib * MIB
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > limit:
            # Nothing has chosen a language yet: this is the first thing that a request meets.
            activate(get_language_from_request(request, check_path=True))
            return problems.refuse(
                request,
                TooLargeError(
                    gettext_noop(
                        "the request carries more than this node accepts: at most {mib} MiB"
                    ),
                    mib=settings.NODE.max_upload_mib,
                ),
            )
        return self.get_response(request)
