"""How a refusal is said: a page in the reader's language, or an RFC 9457 problem to a program."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast
from urllib.parse import unquote_to_bytes, urlencode

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFilesSent,
    ValidationError,
)
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from renkei.kit.errors import (
    ForbiddenError,
    NotFoundError,
    RenkeiError,
    SignInError,
    TooLargeError,
    gettext_noop,
)

API_PREFIXES = ("/node/", "/healthz", "/access/")
logger = logging.getLogger("renkei")

TITLES: Mapping[int, object] = {
    400: _("The request cannot be read"),
    401: _("Sign in first"),
    403: _("Not allowed"),
    404: _("Not found"),
    405: _("This method is not offered here"),
    409: _("Not possible as things stand now"),
    413: _("Too large"),
    415: _("Not a kind of body that is read here"),
    422: _("Not accepted"),
    429: _("Too many requests"),
    500: _("The node failed"),
    503: _("Not available now"),
}


class InvalidError(RenkeiError):
    """One or more fields are not acceptable; ``fields`` says which and why."""

    code = "renkei.invalid"

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self.fields = dict(fields)
        super().__init__(
            "{said}",
            said="; ".join(
                " ".join(why) if name == "__all__" else f"{name}: {' '.join(why)}"
                for name, why in fields.items()
            ),
        )


class Sayable(Protocol):
    """A sentence with its values apart: an error, or a reason that an engine gives."""

    @property
    def sentence(self) -> str:
        """The English sentence, with places for the values."""

    @property
    def values(self) -> Mapping[str, object]:
        """What fills the places; a value may be such a sentence itself."""


def say(error: Sayable) -> str:
    """Return a sentence with its values in the active language."""
    sentence = gettext(error.sentence)
    if not error.values:
        return sentence
    said = {
        name: say(cast(Sayable, value)) if hasattr(value, "sentence") else value
        for name, value in error.values.items()
    }
    return sentence.format(**said)


_EXPECTED: Mapping[str, str] = {
    "missing": gettext_noop("is missing"),
    "extra_forbidden": gettext_noop("is not known here"),
    "string_type": gettext_noop("must be a text"),
    "string_unicode": gettext_noop("must be a text of Unicode characters"),
    "string_too_long": gettext_noop("has more than {max_length} characters"),
    "string_too_short": gettext_noop("has fewer than {min_length} characters"),
    "string_pattern_mismatch": gettext_noop(
        "has another form, or holds a character that no text has"
    ),
    "int_type": gettext_noop("must be a whole number"),
    "int_parsing": gettext_noop("must be a whole number"),
    "int_parsing_size": gettext_noop("is too large"),
    "int_from_float": gettext_noop("must be a whole number"),
    "bool_type": gettext_noop("must be true or false"),
    "greater_than_equal": gettext_noop("must be at least {ge}"),
    "less_than_equal": gettext_noop("must be at most {le}"),
    "literal_error": gettext_noop("must be {expected}"),
    "list_type": gettext_noop("must be a list"),
    "too_long": gettext_noop("has more than {max_length} items"),
    "model_type": gettext_noop("must be an object"),
    "model_attributes_type": gettext_noop("must be an object"),
    "dict_type": gettext_noop("must be an object"),
    "date_from_datetime_parsing": gettext_noop("must be a day such as 2025-10-28"),
    "date_parsing": gettext_noop("must be a day such as 2025-10-28"),
    "date_type": gettext_noop("must be a day such as 2025-10-28"),
}
"""What pydantic found wrong with a value, by its name for it, as we say it."""


def say_invalid(item: Mapping[str, Any]) -> str:
    """Return what was wrong with one value of an API's request, in the active language."""
    kind = str(item["type"])
    values = item.get("ctx") or {}
    if kind == "value_error":
        return gettext(str(values.get("error", item["msg"])))
    if kind not in _EXPECTED:
        return str(item["msg"])
    return gettext(_EXPECTED[kind]).format(**values)


def as_renkei(error: BaseException) -> RenkeiError | None:
    """Translate what Django raises into our own error; ``None`` when it is a defect."""
    match error:
        case RenkeiError():
            return error
        case ValidationError():
            return InvalidError(_messages(error))
        case Http404():
            return NotFoundError(gettext_noop("there is nothing at this address"))
        case PermissionDenied():
            return ForbiddenError(gettext_noop("this is not allowed"))
        case RequestDataTooBig() | TooManyFilesSent():
            return TooLargeError(gettext_noop("the request carries more than this node accepts"))
        case SuspiciousOperation():
            return BadRequestError(gettext_noop("the request cannot be read"))
        case _:
            return None


class BadRequestError(RenkeiError):
    """The request itself is malformed."""

    code = "renkei.bad_request"
    status = 400


class UnsupportedError(RenkeiError):
    """The body is of a kind that this address does not read."""

    code = "renkei.unsupported"
    status = 415


class MethodError(RenkeiError):
    """The address exists, and does not take this method."""

    code = "renkei.method"
    status = 405


def _messages(error: ValidationError) -> dict[str, list[str]]:
    if hasattr(error, "error_dict"):
        return {name: [str(text) for text in texts] for name, texts in error.message_dict.items()}
    return {"__all__": [str(text) for text in error.messages]}


def wants_json(request: HttpRequest) -> bool:
    """Tell whether the caller is a program."""
    return request.path.startswith(API_PREFIXES)


def problem(
    error: RenkeiError, *, status: int | None = None, errors: object = None
) -> HttpResponse:
    """Return an RFC 9457 problem document in the active language."""
    status = status or error.status
    body: dict[str, object] = {
        "type": "about:blank",
        "title": str(TITLES.get(status, "")),
        "status": status,
        "code": error.code,
        "detail": say(error),
    }
    if isinstance(error, InvalidError):
        body["fields"] = error.fields
    if errors:
        body["errors"] = errors
    response = HttpResponse(
        # What cannot be written as UTF-8 (half of a surrogate pair) is written as JSON escapes it.
        json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace"),
        status=status,
        content_type="application/problem+json",
        headers={"Cache-Control": "no-store", "Content-Language": get_language() or "en"},
    )
    if status == SignInError.status:
        response["WWW-Authenticate"] = 'Bearer realm="renkei"'
    return response


def refuse(request: HttpRequest, error: RenkeiError) -> HttpResponseBase:
    """Answer a refused request in the form that its caller reads."""
    if wants_json(request):
        return problem(error)
    if isinstance(error, SignInError):
        here = urlencode({"next": request.get_full_path()})
        sign_in = f"{reverse('account_login')}?{here}"
        # htmx would put the sign-in page into a part of this one.
        if request.headers.get("HX-Request"):
            return HttpResponse(status=error.status, headers={"HX-Redirect": sign_in})
        return HttpResponseRedirect(sign_in)
    return page(request, status=error.status, detail=say(error))


def page(request: HttpRequest, *, status: int, detail: str = "") -> HttpResponse:
    """Return the page of a refusal."""
    context = {"title": TITLES.get(status, TITLES[500]), "detail": detail, "status": status}
    response = render(request, "base/problem.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _is_utf8(query: str) -> bool:
    """Tell whether the query of an address, as WSGI gives it, is text once it is unquoted."""
    if query.isascii() and "%" not in query:
        return True
    try:
        unquote_to_bytes(query.encode("latin-1")).decode()
    except UnicodeError:
        return False
    return True


class ProblemMiddleware:
    """Turn what a view raises, and Django's own bare answers, into pages and problems."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer."""
        query = request.META.get("QUERY_STRING", "")
        if "\x00" in request.path or "\x00" in query:
            return refuse(
                request, BadRequestError(gettext_noop("an address cannot hold a NUL byte"))
            )
        if not _is_utf8(query):  # Django would read on with marks in place of what is broken
            return refuse(
                request, BadRequestError(gettext_noop("what follows the ? is not text in UTF-8"))
            )
        response = self.get_response(request)
        if isinstance(response, HttpResponse) and _is_bare(response):
            return self._dress(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """Say what a view refused; leave defects to the server error page."""
        ours = as_renkei(error)
        return None if ours is None else refuse(request, ours)

    @staticmethod
    def _dress(request: HttpRequest, response: HttpResponse) -> HttpResponseBase:
        status = response.status_code
        said = {
            405: MethodError(gettext_noop("this address does not take this method")),
            413: TooLargeError(gettext_noop("the request carries more than this node accepts")),
        }.get(status, BadRequestError(gettext_noop("the request cannot be read")))
        answer = refuse(request, said)
        if "Allow" in response:
            answer["Allow"] = response["Allow"]
        return answer


def _is_bare(response: HttpResponse) -> bool:
    """Tell whether this is an error answer that Django made without our templates."""
    return response.status_code in {400, 405, 413} and (
        "problem" not in response.get("Content-Type", "")
        and b"data-problem" not in response.content
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer an address that is not there (``handler404``)."""
    error = as_renkei(exception)
    return refuse(request, error or NotFoundError(gettext_noop("there is nothing at this address")))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a malformed request (``handler400``)."""
    error = as_renkei(exception)
    return refuse(request, error or BadRequestError(gettext_noop("the request cannot be read")))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer what is not allowed (``handler403``)."""
    error = as_renkei(exception)
    return refuse(request, error or ForbiddenError(gettext_noop("this is not allowed")))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Answer a form that was not sent from our own page (``CSRF_FAILURE_VIEW``)."""
    logger.warning("csrf refused: %s", reason)
    return refuse(
        request,
        ForbiddenError(gettext_noop("the form is too old or came from elsewhere: load it again")),
    )


def too_many_requests(request: HttpRequest) -> HttpResponseBase:
    """Answer who tries too often (``handler429``, called by allauth)."""
    return refuse(request, TooManyRequestsError(gettext_noop("wait a few minutes, then try again")))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer a defect of ours (``handler500``); the log has the traceback."""
    error = NodeFailedError(gettext_noop("the node failed; its log says why; nothing was changed"))
    try:
        return refuse(request, error)
    except Exception:  # the page needs the session, and the database may be what failed
        logger.exception("the page of a failure failed too")
        return HttpResponse(
            f"{say(error)}\n", status=error.status, content_type="text/plain; charset=utf-8"
        )


class TooManyRequestsError(RenkeiError):
    """Somebody tries too often, as who guesses passwords does."""

    code = "renkei.too_many_requests"
    status = 429


class NodeFailedError(RenkeiError):
    """A defect of ours."""

    code = "renkei.node_failed"
    status = 500
