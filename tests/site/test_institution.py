"""Signing in by the institution: a real OpenID Connect provider, asked over HTTP."""

import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from renkei.base.models import User
from renkei.border.commands._rig import free_base_port
from renkei.kit.errors import ConflictError, NotFoundError
from renkei.site import node

pytestmark = pytest.mark.django_db
LOGIN = "/en/accounts/oidc/institution/login/"
SECRET = "a secret between the node and the institution"


@pytest.fixture(scope="module")
def provider():
    port = free_base_port()
    address = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("oidc-provider-mock")
    server = subprocess.Popen(
        [program, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{address}/.well-known/openid-configuration", timeout=5)
                break
            except requests.ConnectionError:
                assert time.monotonic() < end
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def institution(settings, provider):
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": settings.INSTITUTION,
                    "name": "National Institute",
                    "client_id": "renkei",
                    "secret": SECRET,
                    "settings": {"server_url": provider},
                }
            ]
        }
    }
    return provider


@pytest.fixture
def ada():
    user = User(username="ada")
    user.set_unusable_password()
    user.save()
    return user


def sign_in(subject, *, change=None):
    """Go to the institution, say who one is, and come back; return the client and the answer."""
    client = Client()
    there = client.post(f"{LOGIN}?process=login").headers["Location"]
    back = requests.post(there, data={"sub": subject}, allow_redirects=False, timeout=10)
    path, _, query = back.headers["Location"].partition("testserver")[2].partition("?")
    return client, client.get(f"{path}?{change or query}")


def test_the_page_to_sign_in_names_the_institution(institution):
    assert "National Institute" in Client().get("/ja/accounts/login/").content.decode()


def test_who_is_connected_is_signed_in(institution, ada):
    assert node.connect_user(name="ada", subject="0001")

    client, answer = sign_in("0001")

    assert answer.status_code == 302
    assert int(client.session["_auth_user_id"]) == ada.pk
    assert not node.connect_user(name="ada", subject="0001")


def test_a_second_factor_is_asked_for_all_the_same(institution, ada):
    node.connect_user(name="ada", subject="0001")
    TOTP.activate(ada, generate_totp_secret())

    client, answer = sign_in("0001")

    assert answer.headers["Location"].endswith("/accounts/2fa/authenticate/")
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    ("language", "word"), [("en", "No account"), ("ja", "アカウントがありません")]
)
def test_who_is_not_is_shown_what_the_operator_needs(institution, ada, language, word):
    node.connect_user(name="ada", subject="0001")
    client = Client()
    there = client.post(f"/{language}/accounts/oidc/institution/login/").headers["Location"]
    back = requests.post(there, data={"sub": "<b>2</b>"}, allow_redirects=False, timeout=10)

    answer = client.get(back.headers["Location"].partition("testserver")[2])

    assert answer.status_code == 403
    said = answer.content.decode()
    assert word in said
    assert "National Institute" in said
    assert "&lt;b&gt;2&lt;/b&gt;" in said
    assert "_auth_user_id" not in client.session
    assert User.objects.count() == 1


def test_an_answer_that_the_node_did_not_ask_for_signs_nobody_in(institution, ada):
    node.connect_user(name="ada", subject="0001")

    client, answer = sign_in("0001", change=urlencode({"code": "stolen", "state": "made-up"}))

    assert answer.status_code in {200, 401, 403}
    assert "_auth_user_id" not in client.session


def test_one_identity_is_one_account_and_may_be_taken_back(institution, ada):
    User.objects.create(username="grace")
    node.connect_user(name="ada", subject="0001")
    with pytest.raises(ConflictError, match="0001 signs in to the account ada already"):
        node.connect_user(name="grace", subject="0001")
    with pytest.raises(NotFoundError, match="no account nobody"):
        node.connect_user(name="nobody", subject="2")

    assert node.connect_user(name="ada", subject="")

    assert sign_in("0001")[1].status_code == 403
    assert not node.connect_user(name="ada", subject="")
