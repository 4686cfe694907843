"""Public pages: an ETag per version of the facts, 304, and no page of one reader for another."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse

from renkei.base.http import page_cache, public_page

pytestmark = pytest.mark.django_db


class Counter:
    """A page that says how often it was made."""

    def __init__(self):
        self.version, self.made = "1", 0

        @public_page(lambda: self.version)
        def view(_request):
            self.made += 1
            return HttpResponse(f"made {self.made}")

        self.view = view


@pytest.fixture
def page():
    page_cache.clear()
    return Counter()


def _get(rf, page, path="/en/x", user=None, **headers):
    request = rf.get(path, headers=headers)
    request.user = user or AnonymousUser()
    return page.view(request)


def test_the_same_facts_are_rendered_once(rf, page):
    first, second = _get(rf, page), _get(rf, page)

    assert first.content == second.content == b"made 1"
    assert first["ETag"] == second["ETag"]
    assert page.made == 1


def test_who_has_it_is_told_that_it_still_holds(rf, page):
    etag = _get(rf, page)["ETag"]

    answer = _get(rf, page, **{"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == etag


def test_new_facts_make_a_new_page(rf, page):
    etag = _get(rf, page)["ETag"]
    page.version = "2"

    answer = _get(rf, page, **{"If-None-Match": etag})

    assert answer.status_code == 200
    assert answer.content == b"made 2"


def test_addresses_do_not_share_a_page(rf, page):
    assert _get(rf, page, "/en/x?page=1").content != _get(rf, page, "/en/x?page=2").content


def test_who_is_signed_in_is_given_no_stranger_s_page(rf, page, officer):
    _get(rf, page)
    answer = _get(rf, page, user=officer)

    assert answer.content == b"made 2"
    assert "private" in answer["Cache-Control"]
    assert _get(rf, page).content == b"made 1"
