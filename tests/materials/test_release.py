"""What may be told of stocks: three holders, the p-percent rule, no differences, no back doors."""

import hashlib
import json
from datetime import UTC, date, datetime

import pytest
from django.test import Client
from tests.border.room import found, pull

from renkei.border.models import Entry
from renkei.materials import door, schemas
from renkei.materials.models import Material, Pattern, Released, Stock

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


def test_an_edition_is_judged_beside_every_edition_before(hold, officer):
    """Four holders moved since the second edition; since the first it is A alone."""
    hold("industry", A=10, B=12, C=9, D=11, E=8)
    door.publish_figures(by=officer)
    hold("industry", B=20, C=17, D=19)
    door.publish_figures(by=officer)
    assert door.released()[0].tonnes == 74
    hold("industry", A=17, B=12, C=9, D=11)
    assert state()["industry"] == "difference"
    door.publish_figures(by=officer)
    assert door.released()[0].tonnes == 74


def test_a_figure_that_returns_to_what_was_held_back_is_held_back(hold, officer):
    """The first edition told the total and held the class: its figure would give the other away."""
    hold("industry", A=10, B=12, C=9)
    hold("government", JPN=50)
    door.publish_figures(by=officer)
    assert state()["industry"] == "protects"
    assert [row.key for row in door.released()] == ["gallium/total"]
    hold("industry", A=20, B=22, C=19)
    door.publish_figures(by=officer)
    hold("industry", A=10, B=12, C=9)
    hold("government", JPN=50, USA=40, KOR=30)
    assert state()["industry"] != ""


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


# Beside a partner


@pytest.fixture
def pair(settings, monkeypatch, tmp_path, db):
    return found(settings, monkeypatch, tmp_path)


def digest(row):
    """Of what a pattern holds back and would tell, as the other node computes it."""
    said = json.dumps([sorted(row.held), sorted(row.open)], separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def says(pair, held=(), open_=(), told=(), seen=()):
    """Let the partner say what it holds back."""
    jp, wire = pair
    body = {"held": list(held), "open": list(open_), "told": list(told), "seen": list(seen)}
    jp.say("materials.pattern", body, issued=datetime.now(UTC))
    pull(wire)


def test_nothing_is_told_before_the_partner_has_settled(pair, hold, officer):
    hold("industry", A=10, B=12, C=9)
    hold("government", JPN=50)
    hold("producer", D=10, E=11, F=12)
    hold("transit", G=10, H=11, I=12)
    with pytest.raises(door.NotSettledError, match="before jp has said"):
        door.publish_figures(by=officer)
    assert not Released.objects.exists()
    own = Pattern.objects.get(name="us")
    assert "gallium/government" in own.held
    assert len(own.held) == 2
    said = bytes(Entry.objects.order_by("-pk").first().data)
    assert b"gallium/government" in said
    for secret in (b"50", b"JPN", b"31"):
        assert secret not in said.split(b'"body"')[1].split(b'"id"')[0]
    count = Entry.objects.count()
    door.announce()
    assert Entry.objects.count() == count  # twice says nothing new

    says(pair, held=own.held, open_=["gallium/total"])  # made without sight of ours
    with pytest.raises(door.NotSettledError):
        door.publish_figures(by=officer)
    own.refresh_from_db()
    says(pair, held=["gallium/government"], open_=own.held[1:], seen=[digest(own)])
    with pytest.raises(door.NotSettledError):  # it would tell what protects our figure
        door.publish_figures(by=officer)
    assert door.unsettled() == [
        ("jp", own.held[1:] if "government" in own.held[0] else own.held[:1])
    ]
    own.refresh_from_db()
    says(pair, held=own.held, open_=["gallium/total"], seen=[digest(own)])
    door.publish_figures(by=officer)
    assert {row.key for row in door.released()} == set(own.open)
    assert Pattern.objects.get(name="us").told == sorted(own.open)


def test_what_the_partner_holds_back_is_held_back_and_protected(pair, hold):
    hold("industry", A=10, B=12, C=9)
    hold("producer", D=10, E=11, F=12)
    hold("transit", G=10, H=11, I=12)
    assert set(state().values()) == {""}
    says(pair, held=["gallium/industry", "gallium/none", "zinc/total"])
    found = state()
    assert found["industry"] == "partner"
    assert list(found.values()).count("protects") >= 1


def test_a_partner_that_told_what_is_held_back_here_silences_the_table(pair, hold):
    hold("industry", A=10, B=12)
    hold("producer", D=10, E=11, F=12)
    hold("transit", G=10, H=11, I=12)
    says(pair, open_=["gallium/industry"], told=["gallium/industry"])
    assert "" not in state().values()


@pytest.mark.parametrize(
    "bent", [{"held": ["gallium/industry=31"]}, {"tonnes": 3}, {"held": "all"}, {"seen": ["x"]}]
)
def test_a_pattern_with_more_than_names_is_refused(pair, bent):
    jp, wire = pair
    body = {"held": [], "open": [], "told": [], "seen": []} | bent
    jp.say("materials.pattern", body, issued=datetime.now(UTC))
    pull(wire)
    assert not Pattern.objects.exists()


def test_the_page_shows_who_is_waited_for(pair, hold, officer):
    hold("industry", A=10, B=12, C=9)
    browser = Client()
    browser.force_login(officer)
    assert browser.post("/en/materials/leaving/", {"do": "release"}).status_code == 409
    assert "Waiting for jp" in browser.get("/en/materials/leaving/").content.decode()


def test_a_node_without_stocks_settles_too(pair, officer):
    says(pair, held=["gallium/industry"], open_=["gallium/total"])
    browser = Client()
    browser.force_login(officer)
    assert "Tell what may be told" in browser.get("/en/materials/leaving/").content.decode()
    browser.post("/en/materials/leaving/", {"do": "release"})
    own, theirs = (Pattern.objects.get(name=name) for name in ("us", "jp"))
    assert (own.held, own.open, own.seen) == ([], [], [digest(theirs)])
