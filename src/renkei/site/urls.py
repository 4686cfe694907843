"""Every address of the node. What other packages bring is given its rule of access here."""

from collections.abc import Iterator
from importlib import import_module

from django.conf.urls.i18n import i18n_patterns
from django.urls import URLPattern, URLResolver, include, path
from django.utils.module_loading import import_string

from renkei.base import views
from renkei.base.access import PUBLIC, SIGNED_IN
from renkei.base.rooms import rooms
from renkei.site.api import mount

handler400 = "renkei.base.problems.bad_request"
handler403 = "renkei.base.problems.forbidden"
handler404 = "renkei.base.problems.not_found"
handler429 = "renkei.base.problems.too_many_requests"  # read by allauth
handler500 = "renkei.base.problems.server_error"

# allauth checks for itself who may see what; this says what a walker of routes must find.
ACCOUNT_PAGES = {
    "account_login": PUBLIC,
    "account_inactive": PUBLIC,
    "account_logout": PUBLIC,
    "account_reauthenticate": SIGNED_IN,
    "account_change_password": SIGNED_IN,
    "mfa_authenticate": PUBLIC,
    "mfa_reauthenticate": SIGNED_IN,
    "mfa_index": SIGNED_IN,
    "mfa_activate_totp": SIGNED_IN,
    "mfa_deactivate_totp": SIGNED_IN,
    "mfa_view_recovery_codes": SIGNED_IN,
    "mfa_generate_recovery_codes": SIGNED_IN,
    "mfa_download_recovery_codes": SIGNED_IN,
    "mfa_login_webauthn": PUBLIC,
    "mfa_list_webauthn": SIGNED_IN,
    "mfa_add_webauthn": SIGNED_IN,
    "mfa_edit_webauthn": SIGNED_IN,
    "mfa_remove_webauthn": SIGNED_IN,
    "mfa_reauthenticate_webauthn": SIGNED_IN,
    "openid_connect_login": PUBLIC,
    "openid_connect_callback": PUBLIC,
    "socialaccount_login_cancelled": PUBLIC,
    "socialaccount_login_error": PUBLIC,
}


def _leaves(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _leaves(pattern.url_patterns)
        else:
            yield pattern


def _ruled(module: str) -> tuple[list[URLPattern | URLResolver], str | None, str | None]:
    """Include a foreign module: pages named above get their rule, all others none (refused)."""
    included = include(module)
    for leaf in _leaves(import_module(module).urlpatterns):
        if leaf.name in ACCOUNT_PAGES:
            leaf.callback.access = frozenset({ACCOUNT_PAGES[leaf.name]})  # type: ignore[attr-defined]
    return included  # type: ignore[return-value]


urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.root, name="root"),
    path("healthz", views.health, name="health"),
    path("language/<str:code>/", views.language, name="language"),
    path("node/v1/", mount()),
    *(path("", include(room.root_urls)) for room in rooms() if room.root_urls),
    *i18n_patterns(
        path("accounts/", _ruled("allauth.urls")),
        path("", include("renkei.base.urls")),
        *(path(f"{room.label}/", include(room.urls)) for room in rooms() if room.urls),
        *(path("", import_string(room.front), name="front") for room in rooms() if room.front),
    ),
]
