"""The reader's language where the address does not say it."""

from collections.abc import Callable

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation

from renkei.base.models import User

LANGUAGES = ("en", "ja")


def language_of(request: HttpRequest) -> str:
    """Return the reader's language: asked for, else the person's, the cookie's, the browser's."""
    asked = request.GET.get("lang", "")
    if asked in LANGUAGES:
        return asked
    user = request.user
    if isinstance(user, User) and user.language in LANGUAGES:
        return user.language
    cookie = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    if cookie in LANGUAGES:
        return cookie
    return translation.get_language_from_request(request)


def address_in(address: str, code: str) -> str:
    """Return an address of this node in another language; one without a language as it is."""
    _, first, *rest = address.split("/", 2)
    language, mark, query = first.partition("?")
    return "/".join(["", code + mark + query, *rest]) if language in LANGUAGES else address


class PolicyMiddleware:
    """Write the content security policy, put together once: no page has one of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._policy = build_policy()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer under the policy."""
        response = self.get_response(request)
        response.headers.setdefault(HEADER, self._policy)
        return response


class LanguageMiddleware:
    """Outside ``/en/`` and ``/ja/`` (API, root), choose the language by the reader."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer in the reader's language; an address that names one has the last word."""
        if translation.get_language_from_path(request.path_info) is None:
            language = language_of(request)
            translation.activate(language)
            request.LANGUAGE_CODE = language
        return self.get_response(request)
