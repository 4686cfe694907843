"""The web shell: what every page is given, static files, the rules of accounts."""

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from whitenoise.storage import CompressedManifestStaticFilesStorage

from renkei.base.access import roles_of
from renkei.base.rooms import rooms


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Names with the hash of the content, kept for ever by browsers."""

    manifest_strict = False  # a node whose static files were not collected yet still answers


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by the node's operator alone."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002  allauth's signature
        """Refuse everyone who would make an account."""
        return False


def shell(request: HttpRequest) -> dict[str, object]:
    """Return what the shell shows: the node, the menu, the same page in the other languages."""
    held = roles_of(request) if hasattr(request, "user") else {"public"}
    menu = []
    for room in rooms():
        for item in room.menu:
            if held & set(item.roles):
                try:
                    menu.append({"url": reverse(item.url), "label": item.label})
                except NoReverseMatch:  # outside the language prefix, on an error page
                    continue
    return {"node": settings.NODE, "menu": menu, "held_roles": held}
