"""What may be told of stocks: three holders, the p-percent rule, no differences, no back doors."""

from datetime import date

import pytest
from django.test import Client

from renkei.materials import door, schemas
from renkei.materials.models import Material, Released, Stock

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def gallium(db):
    return Material.objects.create(slug="gallium", name_en="Gallium", name_ja="ガリウム")


@pytest.fixture
def hold(gallium):
    def put(kind, **holders):
        for owner, tonnes in holders.items():
            Stock.objects.update_or_create(
                owner=owner,
                material=gallium,
                kind=kind,
                defaults={
                    "low_tonnes": 0,
                    "high_tonnes": tonnes,
                    "valid_from": DAY,
                    "known_from": DAY,
                    "source": "test",
                },
            )

    return put


def state():
    return {one.kind: one.why for one in door.preview()}


def test_three_holders_of_like_size_may_be_told(hold):
    hold("industry", A=10, B=12, C=9)
    assert state() == {"industry": "", "total": ""}


def test_two_holders_or_one_large_one_are_held_back(hold):
    hold("industry", A=10, B=12)
    assert state()["industry"] == "few_contributors"
    hold("producer", D=1000, E=50, F=1)
    assert state()["producer"] == "p_percent"


def test_what_would_give_another_away_is_held_back_too(hold):
    """The total less the told class is the class that is held back."""
    hold("industry", A=10, B=12, C=9)
    hold("government", JPN=50)
    hold("producer", D=10, E=11, F=12)
    found = {one.kind: one for one in door.preview()}
    assert found["government"].why == "few_contributors"
    assert "protects" in {one.why for one in found.values()}
    low, high = found["government"].between
    assert low <= 45
    assert high >= 55


def test_an_edition_that_would_tell_by_difference_is_held_back(hold, officer):
    hold("industry", A=10, B=12, C=9)
    door.publish_figures(by=officer)
    assert [(row.key, row.tonnes) for row in door.released()] == [
        ("gallium/industry", 31),
        ("gallium/total", 31),
    ]
    count = Released.objects.count()
    door.publish_figures(by=officer)
    assert Released.objects.count() == count  # twice changes nothing
    hold("industry", A=17)  # one holder moved: the difference of the editions is A's
    assert state()["industry"] == "difference"
    door.publish_figures(by=officer)
    assert door.released()[0].tonnes == 31
    hold("industry", A=17, B=20, C=16)
    assert state()["industry"] == ""


def test_what_was_held_back_stays_held_back(hold, officer):
    hold("industry", A=10, B=12)
    door.publish_figures(by=officer)
    assert not door.released()
    assert list(schemas.exported("stocks")) == []


def test_the_export_holds_what_was_told_and_no_holder(hold, officer):
    hold("industry", A=10, B=12, C=9)
    assert list(schemas.exported("stocks")) == []  # nobody has decided yet
    door.publish_figures(by=officer)
    assert list(schemas.exported("stocks")) == [
        {"material": "gallium", "kind": "industry", "at_most_tonnes": 31.0},
        {"material": "gallium", "kind": "total", "at_most_tonnes": 31.0},
    ]


def test_an_officer_decides_on_the_page(hold, officer, person):
    hold("industry", A=10, B=12, C=9)
    browser = Client()
    where = "/en/materials/leaving/"
    assert browser.get(where).status_code == 302
    browser.force_login(person("analyst"))
    assert browser.post(where, {"do": "release"}).status_code == 403
    assert not Released.objects.exists()
    browser.force_login(officer)
    assert browser.post(where, {"do": "release"}).status_code == 302
    assert Released.objects.count() == 2
    page = browser.get(where.replace("/en/", "/ja/")).content.decode()
    assert "ガリウム" in page
    assert browser.post(where, {"partner": "nobody"}).status_code == 400
    assert browser.post(where, {"partner": "jp"}).status_code == 403  # no supplier to ask about
