"""The shell around Jinja pages: kept for strangers, and still each reader's own."""

from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from renkei.base.models import User
from renkei.base.pages import empty
from renkei.base.shell import url


@pytest.mark.parametrize("language", ["en", "ja"])
def test_addresses_are_those_that_reverse_gives(language):
    for _ in range(2):  # made, then kept
        with override(language):
            assert url("record:sources") == reverse("record:sources")
            assert url("record:source", "s1") == reverse("record:source", args=["s1"])


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_strangers_shell_names_the_address_asked_for(language):
    client = Client()
    for path in ("record/findings/?q=a%26b", "record/findings/?q=c", "record/sources/", ""):
        address = f"/{language}/{path}"
        text = client.get(address).content.decode()
        assert text.count(f"next={quote(address, safe='')}") == 2  # other language, sign in
        assert "0PLACE0" not in text
        menu = text.split("</nav>")[0]
        marked = menu.split('" aria-current="page"')[0].rpartition('href="')[2]
        assert marked == address.partition("?")[0]


@pytest.mark.usefixtures("db")
def test_who_is_signed_in_sees_their_own_name():
    ann = User.objects.create(username="ann")
    stranger, reader = Client(), Client()
    reader.force_login(ann)
    for _ in range(2):
        assert "ann" in reader.get("/en/record/findings/").content.decode()
        assert ">ann<" not in stranger.get("/en/record/findings/").content.decode()


def test_what_stands_for_an_empty_list_is_escaped():
    assert empty("<b>", "a & b") == (
        '<div class="empty"><p>&lt;b&gt;</p><p class="muted">a &amp; b</p></div>'
    )
