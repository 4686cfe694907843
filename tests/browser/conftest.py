"""A real browser against the whole node, and what every page that it opens is held to.

``open_page(theme=…, width=…)`` gives a page of its own context; when the test ends, nothing may
have left the node's origin and the content security policy may have refused nothing.
"""

import time
from pathlib import Path

import pytest
from tests.conftest import CHROMIUM

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def pytest_collection_modifyitems(items):
    """Skip the browser's tests, with one sentence, where there is no browser."""
    if CHROMIUM.exists():
        return
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is absent: install chromium"))


class Watch:
    """What a page's browser asked for and complained about."""

    def __init__(self, origin):
        self.origin = origin
        self.foreign = []
        self.refused = []

    def on(self, page):
        """Watch one page."""
        page.on("request", self._request)
        page.on("console", self._console)
        return page

    def _request(self, request):
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.foreign.append(request.url)

    def _console(self, message):
        if "Content Security Policy" in message.text:
            self.refused.append(message.text)


@pytest.fixture
def origin(live_server):
    """Return the node's origin; passkeys need the name localhost."""
    return live_server.url.replace("127.0.0.1", "localhost")


@pytest.fixture
def watch(origin):
    """Return what the browser did that a page must not cause; tests that cause it empty the list."""
    seen = Watch(origin)
    yield seen
    assert not seen.foreign, f"requests that left the node: {seen.foreign}"
    assert not seen.refused, f"refused by the content security policy: {seen.refused}"


@pytest.fixture
def open_page(chromium, origin, watch):
    """Return a maker of pages: ``theme`` is light or dark, ``width`` in pixels."""
    contexts = []

    def make(*, theme="light", width=1280, user=None, **options):
        context = chromium.new_context(
            base_url=origin,
            color_scheme=theme,
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        if user is not None:
            context.add_cookies([_session_of(user, origin)])
        return watch.on(context.new_page())

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def browser_page(open_page):
    """Return a stranger's page, light, 1280 pixels wide."""
    return open_page()


def _session_of(user, origin):
    """Return the cookie of somebody who has just shown their password."""
    from allauth.account.internal.flows.login import (
        _AUTHENTICATION_METHODS_USER_SESSION_KEY,
        AUTHENTICATION_METHODS_SESSION_KEY,
    )
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(user)
    session = client.session
    shown = {"method": "password", "at": time.time(), "reauthenticated": True}
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [shown]
    session[_AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(user.pk)
    session.save()
    return {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key, "url": origin}


@pytest.fixture
def axe():
    """Return a check: a page has no violation of WCAG 2.2 AA that a machine can find."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"runOnly": {"type": "tag", "values": WCAG}, "resultTypes": ["violations"]}

    def check(page):
        found = Axe().run(page, options=options).response["violations"]
        said = [
            f"{rule['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
            for rule in found
            for node in rule["nodes"]
        ]
        assert not said, "\n".join([page.url, *said])

    return check
