"""The shell without a browser: menu, languages, parties, messages, the account's tokens."""

import pytest
from cryptography.fernet import InvalidToken
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation
from django.utils.functional import SimpleLazyObject

from renkei.base import problems
from renkei.base.http import page_cache
from renkei.base.middleware import address_in
from renkei.base.models import ApiToken
from renkei.base.shell import SecondFactorAdapter, StaticStorage


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/en/", "/ja/"),
        ("/en", "/ja"),
        ("/en/record/x/?q=a&page=2", "/ja/record/x/?q=a&page=2"),
        ("/en?next=/en/x", "/ja?next=/en/x"),
        ("/ja/x/", "/ja/x/"),
        ("/node/v1/openapi.json", "/node/v1/openapi.json"),
        ("/english/", "/english/"),
        ("/", "/"),
    ],
)
def test_only_the_language_of_an_address_changes(address, expected):
    assert address_in(address, "ja") == expected


@pytest.mark.parametrize(("code", "name"), [("US", "United States"), ("ZZ", "ZZ")])
def test_a_party_without_a_name_keeps_its_code(code, name):
    with translation.override("en"):
        assert Template("{{ code|party }}").render(Context({"code": code})) == name


def test_a_query_is_changed_and_kept_otherwise():
    request = RequestFactory().get("/?q=a b&page=3&domain=ai&domain=fusion")
    said = Template("{% query page=2 q=None %}|{% query domain=None page=None q='' %}").render(
        Context({"request": request})
    )
    assert said == "?domain=ai&amp;domain=fusion&amp;page=2|?"


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/en/record/findings/", "page"),
        ("/en/record/findings/no-such/", "true"),
        ("/en/nope/", None),
    ],
)
def test_the_menu_marks_where_the_reader_is(client, db, path, current):
    page = client.get(path).content.decode()
    marked = f'<a href="/en/record/findings/" aria-current="{current}">'
    assert (marked in page) == (current is not None)
    assert '<a href="/en/">' in page, "the front page is not above every page"


def test_static_files_that_were_not_collected_keep_their_names(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    assert StaticStorage(location=tmp_path).stored_name("base/renkei.css") == "base/renkei.css"


def test_nothing_on_a_page_needs_an_exception_from_the_content_policy(client, person):
    client.force_login(person("operator"))
    for path in ("/en/account/", "/en/jobs/", "/en/accounts/2fa/webauthn/add/", "/en/nope/"):
        response = client.get(path, follow=True)
        page = response.content.decode()
        assert " style=" not in page
        assert " onclick=" not in page
        assert "<style" not in page
        assert "unsafe" not in response["Content-Security-Policy"]


def test_a_message_for_one_reader_is_not_kept_for_others(client, record, officer):
    client.force_login(officer)
    page_cache.clear()
    client.post("/en/accounts/logout/")
    answer = client.get("/en/", follow=True)
    assert "You have signed out." in answer.content.decode()
    assert "You have signed out." not in client.get("/en/").content.decode()


def test_tokens_of_others_are_out_of_reach(client, person):
    ApiToken.issue(user=person(name="owner"), name="theirs")
    client.force_login(person(name="other"))
    token = ApiToken.objects.get()

    answer = client.post(f"/en/account/tokens/{token.pk}/revoke/")

    assert answer.status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_a_token_needs_a_password_shown_lately(client, person):
    client.force_login(person())
    answer = client.post("/en/account/tokens/", {"name": "x"})
    assert answer.status_code == 302
    assert "/reauthenticate/" in answer["Location"]
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("path", ["/en/account/", "/en/account/tokens/", "/en/jobs/"])
def test_strangers_are_sent_to_sign_in(client, db, path):
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/en/accounts/login/?next=")


def test_a_part_of_a_page_is_not_replaced_by_the_sign_in_page(client, db):
    answer = client.get("/en/jobs/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer["HX-Redirect"].startswith("/en/accounts/login/?next=")


def test_who_guesses_passwords_is_slowed_down_on_our_own_page(client, db):
    answers = [
        client.post("/ja/accounts/login/", {"login": f"x{n}", "password": "guess"})
        for n in range(40)
    ]
    last = answers[-1]
    assert last.status_code == 429
    assert 'data-problem="429"' in last.content.decode()
    assert "要求が多すぎます" in last.content.decode()


def test_who_was_deactivated_is_told_so(client, person):
    user = person(name="gone")
    user.is_active = False
    user.save()
    answer = client.post(
        "/en/accounts/login/", {"login": "gone", "password": "a long word 7"}, follow=True
    )
    assert answer.status_code == 200
    assert "This account is inactive." in answer.content.decode()


def test_a_body_that_is_too_large_is_refused_in_the_language_of_its_address(client, db):
    answer = client.generic("POST", "/ja/account/", CONTENT_LENGTH=str(1 << 40))
    assert answer.status_code == 413
    assert '<html lang="ja">' in answer.content.decode()


def test_a_node_without_its_database_still_says_that_it_failed(rf):
    """The page shows who is signed in, and must not hide one failure behind another."""

    def nobody_can_tell():
        raise OSError("no database")

    request = rf.get("/en/")
    request.user = SimpleLazyObject(nobody_can_tell)
    with translation.override("en"):
        answer = problems.server_error(request)
    assert answer.status_code == 500
    assert answer.content.decode() == "the node failed; its log says why; nothing was changed\n"


def test_secrets_of_second_factors_are_not_readable_in_the_database():
    adapter = SecondFactorAdapter()
    kept = adapter.encrypt("JBSWY3DPEHPK3PXP")

    assert "JBSWY3DPEHPK3PXP" not in kept
    assert adapter.decrypt(kept) == "JBSWY3DPEHPK3PXP"
    with pytest.raises(InvalidToken):
        adapter.decrypt(kept[:-2] + "AA")
