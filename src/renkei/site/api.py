"""The node's own API: one ninja instance, a router a room, problems as answers."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from renkei import __version__
from renkei.base import problems
from renkei.base.access import BY_OPERATION, PUBLIC
from renkei.base.problems import InvalidError
from renkei.base.rooms import rooms
from renkei.kit.errors import RenkeiError, gettext_noop


def deny(_request: HttpRequest) -> bool:
    """Refuse an operation that states no rule."""
    return False


api = NinjaAPI(
    title="Renkei node",
    version=__version__,
    description="The API of one node. Texts come in the language asked for: `Accept-Language` or `lang`.",
    urls_namespace="api",
    docs_url=None,
    openapi_url="/openapi.json",
    auth=deny,
)


@api.exception_handler(RenkeiError)
def _refused(_request: HttpRequest, error: RenkeiError) -> HttpResponse:
    return problems.problem(error)


@api.exception_handler(ValidationError)
def _invalid(_request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields: dict[str, list[str]] = {}
    for item in error.errors:
        where = ".".join(str(part) for part in item["loc"] if part not in {"body", "query", "path"})
        fields.setdefault(where or "body", []).append(str(item["msg"]))
    return problems.problem(InvalidError(fields))


@api.exception_handler(HttpError)
def _http(_request: HttpRequest, error: HttpError) -> HttpResponse:
    said = problems.BadRequestError(gettext_noop("the request cannot be read"))
    return problems.problem(said, status=error.status_code)


@api.exception_handler(Exception)
def _any(request: HttpRequest, error: Exception) -> HttpResponseBase:
    ours = problems.as_renkei(error)
    if ours is None:
        raise error
    return problems.refuse(request, ours)


def mount() -> tuple[list[URLResolver | URLPattern], str, str]:
    """Add every room's router; return the addresses, marked as ruled by their operations."""
    for room in rooms():
        if room.router:
            api.add_router(f"/{room.label}/", room.router)
    urls = api.urls  # made anew at every access
    for pattern in urls[0]:
        if isinstance(pattern, URLPattern):
            is_public = pattern.name in {"openapi-json", "api-root"}
            pattern.callback.access = frozenset({PUBLIC}) if is_public else BY_OPERATION  # type: ignore[attr-defined]
    return urls
