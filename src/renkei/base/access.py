"""Who may call what: every route states it, and what states nothing is refused.

A view carries its rule as an attribute that ``access`` sets; an operation of the API has
``allow(...)`` as its ``auth``; views of other people's packages are named in
``renkei.site.urls``. ``AccessMiddleware`` refuses every view without a rule.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware

from renkei.base import problems
from renkei.base.models import ApiToken, Grant, Role, User
from renkei.kit.errors import ForbiddenError, RenkeiError, SignInError, gettext_noop

PUBLIC = "public"
SIGNED_IN = "signed-in"  # any account: the pages about the account itself
BY_OPERATION = frozenset({"by-operation"})  # the API decides for each method of a path
KNOWN = frozenset({PUBLIC, SIGNED_IN, *Role.values})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class UnknownRoleError(ValueError):
    """A route names a role that does not exist: a mistake in our own code."""


def roles_of(request: HttpRequest) -> set[str]:
    """Return the roles that the caller holds for this node's party, always with ``public``."""
    held = {PUBLIC}
    user = request.user
    if isinstance(user, User) and user.is_active:
        if not hasattr(request, "_renkei_roles"):
            request._renkei_roles = Grant.objects.of(user, party=settings.NODE.party)  # type: ignore[attr-defined]  # noqa: SLF001  kept for this request alone
        held |= {SIGNED_IN, *request._renkei_roles}  # type: ignore[attr-defined]  # noqa: SLF001
    return held


def check(request: HttpRequest, roles: Iterable[str]) -> None:
    """Refuse a caller who holds none of ``roles``.

    Raises:
        SignInError: the caller is not known.
        ForbiddenError: the caller is known and holds none of them.
    """
    wanted = set(roles)
    if wanted & roles_of(request):
        return
    if not request.user.is_authenticated:
        raise SignInError(gettext_noop("sign in first: this needs an account with a role"))
    raise ForbiddenError(
        gettext_noop("your account may not do this; it needs one of these roles: {roles}"),
        roles=", ".join(sorted(wanted)),
    )


def _known(roles: tuple[str, ...]) -> frozenset[str]:
    if not roles or not KNOWN.issuperset(roles):
        raise UnknownRoleError(f"{roles}: expected one or more of {sorted(KNOWN)}")
    return frozenset(roles)


def access(*roles: str) -> Callable[[View], View]:
    """State who may call a page; others are sent to the sign-in page or refused."""
    rule = _known(roles)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            check(request, rule)
            return view(request, *args, **kwargs)

        guarded.access = rule  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


class allow:  # noqa: N801  read as a statement: auth=allow("officer")
    """State who may call an operation of the API (a ninja ``auth``)."""

    def __init__(self, *roles: str) -> None:
        self.roles = _known(roles)
        if PUBLIC not in self.roles:  # what ninja describes the operation with
            self.openapi_security_schema = {"type": "http", "scheme": "bearer"}

    def __call__(self, request: HttpRequest) -> str:
        """Return who calls; refuse who may not."""
        check(request, self.roles)
        if request.method not in SAFE_METHODS and not getattr(request, "token", None):
            _check_csrf(request)
        return request.user.get_username() or PUBLIC


def _check_csrf(request: HttpRequest) -> None:
    """Refuse a write that a browser was tricked into: no token, only a session cookie."""
    if not request.user.is_authenticated:
        return
    csrf = CsrfViewMiddleware(lambda _request: HttpResponse())
    request._dont_enforce_csrf_checks = getattr(request, "_dont_enforce_csrf_checks", False)  # type: ignore[attr-defined]  # noqa: SLF001  set by Django's test client
    csrf.process_request(request)
    if csrf.process_view(request, _no_view, (), {}) is not None:
        raise ForbiddenError(
            gettext_noop("a write with a session cookie needs its CSRF token; programs use a token")
        )


def _no_view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class AccessMiddleware:
    """Resolve bearer tokens, and refuse every view that states no rule."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, as the owner of the token where one is given."""
        header = request.headers.get("Authorization", "")
        scheme, _, text = header.partition(" ")
        if scheme.lower() == "bearer":
            token = ApiToken.find(text.strip())
            if token is None:
                request.bad_token = True  # type: ignore[attr-defined]
            else:
                request.user = token.user
                request.token = token  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        _args: Any,
        _kwargs: Any,
    ) -> HttpResponseBase | None:
        """Refuse what states nothing, and a token that is not known."""
        try:
            self._decide(request, rule_of(view))
        except RenkeiError as error:
            # Django passes on to process_exception only what a view raises.
            return problems.refuse(request, error)
        return None

    def _decide(self, request: HttpRequest, rule: frozenset[str] | None) -> None:
        if getattr(request, "bad_token", False):
            raise SignInError(gettext_noop("the bearer token is not known here or was revoked"))
        if rule is None:
            raise ForbiddenError(gettext_noop("this address states no rule of access: refused"))
        if rule != BY_OPERATION:
            check(request, rule)


def rule_of(view: Callable[..., object]) -> frozenset[str] | None:
    """Return the rule that a view states, or ``None``."""
    return getattr(view, "access", None)
