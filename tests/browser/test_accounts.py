"""Signing in and what guards it, with a browser that has an authenticator."""

import time

import pytest

PASSWORD = "a long word 7"


@pytest.fixture
def key(open_page, transactional_db, person):
    """Return a page of a browser with a passkey device, and the name of who holds it."""
    user = person("officer", name="hana")
    page = open_page()
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return page, user


def _sign_in(page, name, language="en"):
    page.goto(f"/{language}/accounts/login/")
    page.locator("[name=login]").fill(name)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()


def _confirm(page):
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_passkey_is_added_renamed_used_and_removed(key, axe, language):
    page, user = key
    _sign_in(page, user.username, language)
    page.goto(f"/{language}/accounts/2fa/webauthn/add/")
    _confirm(page)
    page.locator("[name=name]").fill("my laptop")
    page.locator("[name=passwordless]").check()
    page.locator("#mfa_webauthn_add").click()
    page.wait_for_url("**/recovery-codes/")
    axe(page)

    page.locator(".site-tools form button").click()
    page.goto(f"/{language}/accounts/login/")
    page.locator("#passkey_login").click()
    page.get_by_role("link", name=user.username).wait_for()

    page.goto(f"/{language}/accounts/2fa/webauthn/")
    assert page.get_by_role("rowheader", name="my laptop").is_visible()
    axe(page)
    page.locator("main tbody a").first.click()
    if "reauthenticate" in page.url:
        _confirm(page)
    axe(page)
    page.locator("[name=name]").fill("my other laptop")
    page.locator("main form button").click()
    page.get_by_role("rowheader", name="my other laptop").wait_for()
    page.locator("main tbody a.button-danger").click()
    axe(page)
    page.locator("main form button").click()
    page.locator(".empty").wait_for()


def test_a_refused_passkey_is_said_on_the_page(open_page, transactional_db):
    page = open_page()
    page.add_init_script(
        "navigator.credentials.get = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    )
    page.goto("/en/accounts/login/")
    assert not page.locator("#key-problem").is_visible()
    page.locator("#passkey_login").click()
    page.locator("#key-problem").wait_for(state="visible")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_an_authenticator_app_guards_the_sign_in(open_page, axe, person, language):
    from allauth.mfa.totp.internal.auth import hotp_value
    from django.core.cache import cache

    user = person("officer", name="hana")
    page = open_page(user=user)
    page.goto(f"/{language}/accounts/2fa/totp/activate/")
    secret = page.locator("#authenticator_secret").input_value()

    page.locator("[name=code]").fill("000000")
    page.locator("main form button").click()
    assert page.locator("[name=code]").get_attribute("aria-invalid") == "true"
    axe(page)
    page.locator("[name=code]").fill(f"{hotp_value(secret, int(time.time()) // 30):06}")
    page.locator("main form button").click()
    page.wait_for_url("**/recovery-codes/")
    codes = page.locator("textarea").input_value().split()
    assert len(codes) == 10

    cache.clear()  # a code is good once, and this one is still within its half minute
    page.locator(".site-tools form button").click()
    _sign_in(page, user.username, language)
    page.wait_for_url("**/2fa/authenticate/")
    axe(page)
    page.locator("[name=code]").fill(codes[0])
    page.locator("main form button").first.click()
    page.get_by_role("link", name=user.username).wait_for()


def test_a_wrong_password_is_said_without_saying_which_part(open_page, axe, person):
    page = open_page(theme="dark", width=360)
    person(name="hana")
    _sign_in(page, "hana2")
    assert page.get_by_role("alert").first.inner_text().strip()
    axe(page)


def test_a_token_is_shown_once_to_who_confirms_the_password(open_page, axe, person):
    """A stolen session must not become a token for ever."""
    from renkei.base.models import ApiToken

    user = person("officer", name="hana")
    page = open_page()
    _sign_in(page, user.username)
    page.goto("/en/account/")
    page.locator("[name=name]").fill("nightly export")
    page.get_by_role("button", name="Issue a token").click()
    assert "/reauthenticate/" in page.url
    assert not ApiToken.objects.exists()
    _confirm(page)
    text = page.locator("#issued-token").inner_text()
    axe(page)
    assert ApiToken.find(text).user == user

    page.goto("/en/account/")
    assert text not in page.content()
    page.get_by_role("button", name="Revoke nightly export").click()
    page.get_by_text("The token was revoked.").wait_for()
    assert ApiToken.find(text) is None
