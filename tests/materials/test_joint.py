"""Response plans that both parties decide on: proposed here or there, kept once all have witnessed."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from tests.border.room import found, pull

from renkei.border import door as border
from renkei.border.door import _joint as border_joint
from renkei.materials import door
from renkei.materials.models import Plan
from renkei.materials.templatetags.materials import interval

pytestmark = pytest.mark.usefixtures("registry")


@pytest.fixture
def pair(settings, monkeypatch, tmp_path, registry):
    return found(settings, monkeypatch, tmp_path)


@pytest.fixture
def ban():
    return door.disrupt(
        title="ban",
        kind="export_ban",
        materials=["rare_earths"],
        countries=["CHN"],
        importers=["JPN", "USA"],
        starts_on=date(2027, 1, 1),
        now=True,
    )


def witnessed(monkeypatch):
    """Let every log be cosigned to its end, and fold what follows from that."""
    monkeypatch.setattr(border_joint, "is_proven", lambda _entry, _sizes: True)
    border.note_witnessed(now=timezone.now())


def approved(jp, wire, act):
    """Let the partner approve, and this node seal."""
    proposal = border_joint.proposal_of(act)
    jp.answer(proposal, [border.ref_to(act.proposal)])
    pull(wire)
    border.seal_due(now=timezone.now())


def test_a_plan_is_kept_when_both_approved_and_all_witnessed(pair, ban, officer, monkeypatch):
    jp, wire = pair
    made = door.propose(ban, by=officer, reason="imports stop", note="for the joint group")
    assert made.stage == "approved_by_one"
    assert made.content["by"] == "US"
    assert not Plan.objects.exists()

    approved(jp, wire, made.act)
    assert door.find_plan(made.act.uid).stage == "sealed"
    assert not Plan.objects.exists()  # sealed, and not yet witnessed by all

    before = door.state().version
    witnessed(monkeypatch)
    kept = door.find_plan(made.act.uid)
    assert (kept.stage, kept.is_kept) == ("witnessed", True)
    assert [row.slug for row in Plan.objects.get().materials.all()] == ["rare_earths"]
    assert door.state().version == before + 1


def test_a_second_plan_of_the_scenario_follows_the_first(pair, ban, officer, monkeypatch):
    jp, wire = pair
    first = door.propose(ban, by=officer, reason="r")
    with pytest.raises(door.ProposedError):
        door.propose(ban, by=officer, reason="again")
    approved(jp, wire, first.act)
    witnessed(monkeypatch)
    second = door.propose(ban, by=officer, reason="better", note="other note")
    approved(jp, wire, second.act)
    witnessed(monkeypatch)
    assert list(Plan.objects.order_by("pk").values_list("act", "is_current")) == [
        (first.act.uid, False),
        (second.act.uid, True),
    ]


def test_the_partners_plan_is_read_in_the_readers_language_and_answered(pair, ban, officer):
    """The partner's node has no scenario of it here: the sealed content is all there is."""
    jp, wire = pair
    content = door.recommend(ban)
    ref, proposal = jp.propose(record="materials.plan/jp/ban", content=content)
    jp.answer(proposal, [ref])
    pull(wire)
    uid = proposal.act

    listed = Client().get("/ja/border/acts/").content.decode()
    assert "輸出禁止：中国から日本・米国へ（レアアース）" in listed
    act = Client().get(f"/ja/border/acts/{uid}/").content.decode()
    for said in ("影響を受ける製品", "電気自動車", "、上限付き ", f"/ja/materials/plans/{uid}/"):
        assert said in act
    browser = Client()
    browser.force_login(officer)
    page = browser.get(f"/ja/materials/plans/{uid}/").content.decode()
    low, high = map(float, content["bounds"][0]["with_caps"])
    for said in ("提案に回答する", "影響を受ける製品", "日本", interval(low, high, "percent")):
        assert said in page
    told = Client().get("/node/v1/materials/plans").json()
    assert [(one["uid"], one["stage"]) for one in told] == [(uid, "approved_by_one")]

    border.answer(uid, approves=True, content_hash=proposal.content_hash, by=officer)
    assert door.find_plan(uid).stage == "approved"
    material = Client().get("/en/materials/rare_earths/").content.decode()
    assert f"/en/materials/plans/{uid}/" in material
    assert "Approved by every party" in material


def test_who_approves_reads_what_stops_for_whom_and_what_was_assumed(pair, officer):
    closed = door.disrupt(
        title="t",
        kind="strait_closed",
        materials=["natural_graphite"],
        codes=["250410"],
        straits=["taiwan_strait"],
        importers=["JPN", "USA"],
        severity=0.5,
        starts_on=date(2027, 1, 1),
        now=True,
    )
    uid = door.propose(closed, by=officer, reason="r").act.uid
    page = Client().get(f"/en/materials/plans/{uid}/").content.decode()
    said = (
        "Strait closed", "Taiwan Strait", "Japan, United States", "250410", "50.0 %", "Proposed by",
        "180 – 540", "0.0 % – 30.0 %",
    )  # fmt: skip
    for word in said:
        assert word in page, word
    assert "台湾海峡" in Client().get(f"/ja/border/acts/{uid}/").content.decode()


def test_an_officer_proposes_on_the_page(pair, ban, officer, analyst):
    browser = Client()
    browser.force_login(analyst)
    where = f"/en/materials/scenarios/{ban.slug}/"
    assert "propose/" not in browser.get(where).content.decode()
    assert browser.post(f"{where}propose/", {"reason": "r"}).status_code == 403
    browser.force_login(officer)
    assert f"{where}propose/" in browser.get(where).content.decode()
    assert browser.post(f"{where}propose/", {"reason": ""})["Location"] == where
    made = browser.post(f"{where}propose/", {"reason": "it stops", "note": "n"})
    uid = door.plans()[0].act.uid
    assert made["Location"] == f"/en/materials/plans/{uid}/"
    assert browser.post(f"{where}propose/", {"reason": "r"})["Location"] == where  # it waits
    assert "Approved by one party" in browser.get(where).content.decode()
    assert uid in Client().get("/en/materials/plans/").content.decode()


def test_the_material_page_changes_with_the_plans_stage(pair, ban, officer):
    page = Client().get("/en/materials/rare_earths/")
    made = door.propose(ban, by=officer, reason="r")
    again = Client().get("/en/materials/rare_earths/", headers={"If-None-Match": page["ETag"]})
    assert again.status_code == 200
    assert made.act.uid in again.content.decode()


def test_who_is_no_officer_proposes_nothing(pair, ban, analyst):
    with pytest.raises(door.NotOfficerError):
        door.officer(analyst.username)
    with pytest.raises(door.UnknownPlanError):
        door.find_plan("nothing")


def test_a_plan_about_nothing_known_is_refused_before_it_is_signed(pair, ban, officer):
    content = door.recommend(ban)
    content["scenario"]["materials"] = ["unobtainium"]
    with pytest.raises(door.UnknownMaterialError):
        border.propose("materials.plan", "x", content, by=officer, reason="r")
    content["scenario"]["materials"] = ["rare_earths"]
    content["cost_usd"] = 1.5  # a float has no place in what is signed
    with pytest.raises(border.BadStatementError):
        border.propose("materials.plan", "x", content, by=officer, reason="r")


def test_days_that_follow_from_own_stocks_stay_here(pair, officer):
    from renkei.materials.models import Stock

    Stock.objects.create(
        owner="JPN",
        material=door.find("rare_earths"),
        kind="government",
        low_tonnes=100,
        high_tonnes=200,
        valid_from=date(2026, 1, 1),
        known_from=date(2026, 1, 1),
        source="test",
    )
    made = door.disrupt(
        title="own",
        kind="export_ban",
        materials=["rare_earths"],
        countries=["CHN"],
        importers=["JPN"],
        starts_on=timezone.localdate() + timedelta(days=30),
        is_public=True,
        now=True,
    )
    told = door.recommend(made)
    assert all(row["days_of_stock"] == [] for row in told["bounds"])
    public = Client().get(f"/node/v1/materials/scenarios/{made.slug}").json()
    rows = public["result"]["materials"][0]["rows"]
    assert {row["days_of_stock"] for row in rows} == {None}
    assert public["result"]["response"] is None
    page = Client().get(f"/en/materials/scenarios/{made.slug}/").content.decode()
    assert "shown to its analysts alone" in page
    browser = Client()
    browser.force_login(officer)  # decides on it all the same
    page = browser.get(f"/en/materials/scenarios/{made.slug}/").content.decode()
    assert f"scenarios/{made.slug}/propose/" in page
