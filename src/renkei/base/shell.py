"""The web shell: what every page is given, static files, the rules of accounts."""

import base64
from functools import cache
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from whitenoise.storage import CompressedManifestStaticFilesStorage

from renkei import __version__
from renkei.base.access import roles_of
from renkei.base.rooms import rooms
from renkei.base.spoken import spoken


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """Names with the hash of the content, kept for ever by browsers."""

    manifest_strict = False

    def stored_name(self, name: str) -> str:
        """Return the hashed name; a node whose static files are not collected yet still answers."""
        try:
            return str(super().stored_name(name))
        except ValueError:
            return name


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # untyped
    """Accounts are made by the node's operator alone."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002  allauth's signature
        """Refuse everyone who would make an account."""
        return False


class InstitutionAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # untyped
    """The institution says who somebody is; the node's operator says whose account that is."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Show who has no account here what the operator needs to give them one."""
        if not sociallogin.is_existing:
            known = {
                "institution": sociallogin.account.get_provider().name,
                "subject": sociallogin.account.uid,
            }
            page = render(request, "socialaccount/unknown.html", known, status=403)
            raise ImmediateHttpResponse(page)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:  # noqa: ARG002
        """Refuse everyone who would make an account."""
        return False


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # untyped
    """Secrets of second factors lie in the database encrypted with a key from the node's folder."""

    @staticmethod
    def _cipher() -> Fernet:
        # Derived, not the web secret itself: one key has one purpose (NIST SP 800-57, 5.2).
        key = HKDF(SHA256(), 32, salt=None, info=b"renkei second factor").derive(
            settings.SECRET_KEY.encode()
        )
        return Fernet(base64.urlsafe_b64encode(key))

    def encrypt(self, text: str) -> str:
        """Encrypt and authenticate a secret."""
        return self._cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret; a changed one is refused by the cipher."""
        return self._cipher().decrypt(encrypted_text.encode()).decode()


_SLUG = "a-name"


@cache
def _address(name: str, language: str) -> str:  # noqa: ARG001  part of the key
    return reverse(name)


@cache
def _around(name: str, language: str) -> tuple[str, str]:  # noqa: ARG001
    before, _, after = reverse(name, args=[_SLUG]).partition(_SLUG)
    return before, after


def url(name: str, slug: str | None = None) -> str:
    """Return a page's address in the active language; kept, because addresses do not change.

    Args:
        name: as ``reverse`` knows it.
        slug: its only argument, if it has one: a name that needs no quoting.
    """
    if slug is None:
        return _address(name, spoken())
    before, after = _around(name, spoken())
    return f"{before}{slug}{after}"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return what the shell shows: the node, the menu with the current entry marked."""
    held = roles_of(request) if hasattr(request, "user") else {"public"}
    menu: list[dict[str, object]] = []
    for room in rooms():
        for item in room.menu:
            if held & set(item.roles):
                try:
                    address = url(item.url)
                except NoReverseMatch:  # outside the language prefix, on an error page
                    continue
                current = _current(request.path, address)
                menu.append({"url": address, "label": item.label, "current": current})
    return {
        "node": settings.NODE,
        "version": __version__,
        "menu": menu,
        "held_roles": held,
        "here": request.get_full_path(),
    }


def _current(path: str, url: str) -> str:
    """Return the value of ``aria-current``: this page, a page below it, or neither."""
    if path == url:
        return "page"
    is_front = url.strip("/").count("/") == 0  # "/en/" is above every page, and says nothing
    return "true" if path.startswith(url) and not is_front else ""
