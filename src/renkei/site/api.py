"""The node's own API: one ninja instance, a router a room, problems as answers."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser
from ninja.renderers import JSONRenderer

from renkei import __version__
from renkei.base import problems
from renkei.base.access import BY_OPERATION, PUBLIC
from renkei.base.problems import InvalidError
from renkei.base.rooms import rooms
from renkei.kit.errors import RenkeiError, gettext_noop


def deny(_request: HttpRequest) -> bool:
    """Refuse an operation that states no rule."""
    return False


PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A refusal (RFC 9457): `code` is for programs, `detail` for people.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["type", "title", "status", "code", "detail"],
}


SOURCES = frozenset({"body", "query", "path", "form", "file"})
"""Where a value came from: ninja's first words about a field, of no use to its sender."""


class JsonRenderer(JSONRenderer):
    """Write Japanese as it is: a third of the bytes, and readable."""

    json_dumps_params = {"ensure_ascii": False}  # noqa: RUF012  as the base class has it


class JsonParser(Parser):
    """Read bodies that say they are JSON; others are refused, not guessed."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the body."""
        if request.content_type != "application/json":
            raise problems.UnsupportedError(
                gettext_noop("this address reads application/json, not {given!r}"),
                given=request.content_type,
            )
        try:
            parsed: dict[str, Any] = json.loads(
                request.body, object_pairs_hook=_once, parse_constant=_no_number
            )
        except json.JSONDecodeError as error:
            raise problems.BadRequestError(
                gettext_noop("the body is no JSON: line {line}, column {column}"),
                line=error.lineno,
                column=error.colno,
            ) from error
        return parsed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a name that is there twice would be read in two ways by two programs."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise problems.BadRequestError(
                gettext_noop("the body names {name!r} twice in one object"), name=name[:80]
            )
        found[name] = value
    return found


def _no_number(given: str) -> None:
    raise problems.BadRequestError(
        gettext_noop("the body holds {given}, which is no number of JSON"), given=given
    )


class NodeAPI(NinjaAPI):
    """The API, described with the refusals that any operation can answer with."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """Return the description."""
        schema = super().get_openapi_schema(**options)
        schema["components"].setdefault("schemas", {})["Problem"] = PROBLEM
        refusal = {
            "description": "Refused",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for operations in schema["paths"].values():
            for method, operation in operations.items():
                operation["responses"]["4XX"] = refusal
                if method == "get":
                    operation["responses"][304] = {"description": "Not changed"}
        return schema


api = NodeAPI(
    title="Renkei node",
    version=__version__,
    description="The API of one node. Texts come in the language asked for: `Accept-Language` or `lang`.",
    urls_namespace="api",
    docs_url=None,
    openapi_url="/openapi.json",
    auth=deny,
    parser=JsonParser(),
    renderer=JsonRenderer(),
)


@api.exception_handler(RenkeiError)
def _refused(_request: HttpRequest, error: RenkeiError) -> HttpResponse:
    return problems.problem(error)


@api.exception_handler(ValidationError)
def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields: dict[str, list[str]] = {}
    for item in error.errors:
        where = ".".join(str(part) for part in item["loc"] if part not in SOURCES)
        fields.setdefault(where or "body", []).append(problems.say_invalid(item))
    return problems.problem(InvalidError(fields))


@api.exception_handler(HttpError)
def _http(_request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, RenkeiError):  # a parser's own refusal, in ninja's wrapping
        return problems.problem(error.__cause__)
    said = problems.BadRequestError(gettext_noop("the request cannot be read"))
    return problems.problem(said, status=error.status_code)


@api.exception_handler(Exception)
def _any(request: HttpRequest, error: Exception) -> HttpResponseBase:
    ours = problems.as_renkei(error)
    if ours is None:
        raise error
    return problems.refuse(request, ours)


def with_head(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Answer ``HEAD`` as ``GET`` without the body (RFC 9110, 9.3.2); operations name GET alone."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "HEAD":
            return view(request, *args, **kwargs)
        request.method = "GET"
        response = view(request, *args, **kwargs)
        request.method = "HEAD"
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = iter(())
        elif isinstance(response, HttpResponse):
            response["Content-Length"] = len(response.content)
            response.content = b""
        return response

    return answered


def mount() -> tuple[list[URLResolver | URLPattern], str, str]:
    """Add every room's router; return the addresses, marked as ruled by their operations."""
    for room in rooms():
        if room.router:
            api.add_router(f"/{room.label}/", room.router)
    urls = api.urls  # made anew at every access
    for pattern in urls[0]:
        if isinstance(pattern, URLPattern):
            pattern.callback = with_head(pattern.callback)
            is_public = pattern.name in {"openapi-json", "api-root"}
            pattern.callback.access = frozenset({PUBLIC}) if is_public else BY_OPERATION  # type: ignore[attr-defined]
    return urls
