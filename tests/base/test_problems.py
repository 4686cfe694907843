"""Refusals: a page for people, a problem for programs, in the reader's language."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils.translation import override

from renkei.base import problems
from renkei.kit.errors import NotFoundError, RenkeiError, TooLargeError

pytestmark = pytest.mark.django_db


def test_an_address_of_the_api_that_is_not_there_is_a_problem(client):
    answer = client.get("/node/v1/nothing")

    body = json.loads(answer.content)
    assert answer.status_code == body["status"] == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert body["code"] == "renkei.not_found"


@pytest.mark.parametrize(("language", "word"), [("en", "Not found"), ("ja", "見つかりません")])
def test_a_page_that_is_not_there_says_so_in_its_language(client, language, word):
    answer = client.get(f"/{language}/nothing")

    assert answer.status_code == 404
    assert word in answer.content.decode()


@pytest.mark.parametrize("path", ["/en/%00", "/en/?q=%00", "/en/%ff%fe", "/..%2f..%2fetc/passwd"])
def test_a_broken_address_is_refused_and_not_a_failure(client, path):
    answer = client.get(path)

    assert answer.status_code in {200, 400, 404}
    if "%00" in path and "?" not in path:
        assert answer.status_code == 400


@pytest.mark.parametrize("query", ["q=%ff%fe", "q=%ED%A0%80", "%c3=1", "q=\xff"])
@pytest.mark.parametrize("path", ["/en/", "/healthz"])
def test_a_query_that_is_no_text_is_refused(client, path, query):
    answer = client.get(path, QUERY_STRING=query)

    assert answer.status_code == 400
    assert "UTF-8" in answer.content.decode()


@pytest.mark.parametrize("query", ["q=%E9%87%8F%E5%AD%90", "q=a+b%20c", "", "q=%", "q=%zz"])
def test_a_query_that_is_text_is_read(client, query):
    assert client.get("/healthz", QUERY_STRING=query).status_code == 200


def test_head_of_the_nodes_health_is_get_without_the_body(client):
    answer = client.head("/healthz")

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_wrong_method_says_which_are_taken(client):
    answer = client.post("/healthz")

    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD"
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "address",
    ["/", "/healthz", "/en/", "/ja/record/commitments/", "/en/record/findings/x1/", "/ja/border/"],
)
def test_a_page_that_takes_no_form_asks_for_no_token(address):
    """A program that posts there is told that it cannot, not that its form is too old."""
    answer = Client(enforce_csrf_checks=True).post(address, {"any": "thing"})

    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD"


def test_a_page_that_takes_a_form_still_asks_for_its_token():
    answer = Client(enforce_csrf_checks=True).post("/en/accounts/login/", {"login": "a"})

    assert answer.status_code == 403


def test_django_s_own_refusals_become_ours():
    error = problems.as_renkei(ValidationError({"title": ["too long"]}))

    assert isinstance(error, problems.InvalidError)
    assert error.fields == {"title": ["too long"]}
    assert problems.as_renkei(ZeroDivisionError()) is None


def test_a_sentence_is_said_in_the_reader_s_language():
    error = NotFoundError("there is nothing at this address")
    with override("ja"):
        said = problems.say(error)

    assert said != str(error)
    assert any("぀" <= char <= "鿿" for char in said)


def test_values_with_braces_do_not_break_a_sentence():
    error = RenkeiError("{what} is odd", what="{oops}")

    assert str(error) == problems.say(error) == "{oops} is odd"


def test_an_announced_body_above_the_limit_is_refused_unread(client, settings):
    limit = settings.NODE.max_upload_mib << 20
    answer = client.post(
        "/node/v1/x", data=b"", content_type="text/plain", CONTENT_LENGTH=str(limit + 1)
    )

    assert answer.status_code == TooLargeError.status
