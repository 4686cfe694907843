"""Scenarios of every kind: what stops, between which bounds, and what a plan does about it."""

from datetime import date

import jsonschema
import pytest
from django.test import Client

from renkei.materials import door, engine, tasks
from renkei.materials.models import Scenario, Site

pytestmark = pytest.mark.usefixtures("registry")
NEW_YEAR = date(2027, 1, 1)


def asked(**more):
    return door.disrupt(title="t", starts_on=NEW_YEAR, now=True, **more).result


def summary(result, party="JPN"):
    return next(row for row in result["materials"][0]["summary"] if row["party"] == party)


@pytest.mark.parametrize(
    ("kind", "material", "country"),
    [
        ("mine_out", "lithium", "CHL"),
        ("mine_out", "cobalt", "COD"),
        ("refinery_out", "cobalt", "CHN"),
        ("mine_out", "tungsten", "CHN"),
        ("mine_out", "natural_graphite", "CHN"),
        ("refinery_out", "lithium", "CHN"),
    ],
)
def test_an_outage_stops_what_is_made_and_what_is_made_of_it(kind, material, country):
    whole = asked(kind=kind, materials=[material], countries=[country])
    half = asked(kind=kind, materials=[material], countries=[country], severity=0.5)
    for found in (whole, half):
        row = summary(found)
        assert 0 <= row["free_diversion"] <= row["capped"][0] <= row["capped"][1] + 1e-5
        assert row["capped"][1] <= row["no_diversion"] + 1e-5
    assert summary(whole)["no_diversion"] > summary(half)["no_diversion"] > 0.01
    assert whole["response"]["by_party"]


def test_a_site_takes_its_share_of_its_countrys_output():
    Site.objects.create(
        slug="half", material=door.find("niobium"), stage="mine", country="BRA", source="test",
        capacity_tonnes=sum(
            row.quantity for row in door.tables(door.find("niobium"))[0].rows if row.place == "BRA"
        ) / 2,
    )  # fmt: skip
    whole, part = (asked(kind="mine_out", sites=[slug]) for slug in ("araxa", "half"))
    assert [one["material"] for one in whole["materials"]] == ["niobium"]
    assert summary(part)["no_diversion"] == pytest.approx(
        summary(whole)["no_diversion"] / 2, rel=0.2
    )
    said = [
        [flag for flag in one["materials"][0]["flags"] if "araxa" in flag["values"].values()]
        for one in (whole, part)
    ]
    assert [len(flags) for flags in said] == [1, 0]  # what is not known is told
    Site.objects.filter(slug="half").update(is_public=False)
    with pytest.raises(door.BadScenarioError, match="this node's own"):
        asked(kind="mine_out", sites=["half"], is_public=True)


def test_codes_narrow_a_scenario_to_their_goods():
    cerium = asked(kind="export_ban", countries=["CHN"], codes=["284610"])
    whole = asked(kind="export_ban", countries=["CHN"], materials=["rare_earths"])
    assert [one["material"] for one in cerium["materials"]] == ["rare_earths"]
    assert 0 < cerium["materials"][0]["hit_tonnes"] < whole["materials"][0]["hit_tonnes"]
    assert any(
        "284610" in flag["values"].get("codes", "") for flag in cerium["materials"][0]["flags"]
    )


def test_a_price_shock_says_what_is_given_up_and_what_it_costs():
    """Thrice the price: between 1 - 3 ** -0.1 and 1 - 3 ** -0.5 of use is given up."""
    found = asked(kind="price_shock", materials=["lithium"], severity=2.0)
    row = summary(found)
    assert row["free_diversion"] == pytest.approx(1 - 3**-0.1)
    assert row["no_diversion"] == pytest.approx(1 - 3**-0.5)
    [bill] = [one for one in found["materials"][0]["dearer"] if one["party"] == "JPN"]
    assert bill["more_usd_a_year"] == pytest.approx(2 * bill["usd_a_year"])
    # A car holds lithium in its cells and by itself: it is missing once.
    cars = [one for one in found["products"] if one["product"] == "electric-car"]
    assert {one["no_diversion"] for one in cars} == {row["no_diversion"]}


def test_a_quota_is_not_bought_around():
    found = asked(
        kind="export_quota", materials=["niobium"], countries=["BRA"], severity=0.4, days=365
    )
    made = Scenario.objects.get(slug="t")
    bought = made.recommendations.filter(kind="supplier", origin="BRA", place="JPN").first()
    [row] = [one for one in found["response"]["by_party"] if one["party"] == "JPN"]
    assert bought is None or bought.tonnes <= 0.6 * row["demand"] * 11 / 12


def test_the_plan_qualifies_recycles_shares_and_prices():
    found = asked(
        kind="export_ban", materials=["rare_earths"], countries=["CHN"], importers=["JPN", "USA"],
        parameters={"recycle_share": 0.05, "fair_gap": 0.0},
    )  # fmt: skip
    plan = found["response"]
    shares = [row["missing"] / row["demand"] for row in plan["by_party"]]
    assert shares[0] == pytest.approx(shares[1], abs=1e-6)
    kinds = {row.kind for row in Scenario.objects.get(slug="t").recommendations.all()}
    assert {"supplier", "recycle"} <= kinds
    assert {row["without"] for row in plan["variants"]} >= {"", "qualify", "recycle"}
    assert all(row["who"] for row in plan["variants"])
    assert all(row["who"] and row["usd_a_tonne"] > 0 for row in plan["alternatives"])
    assert plan["values"]
    fresh = Scenario.objects.get(slug="t").recommendations.filter(delay_days__gte=180)
    assert fresh.exists()  # a supplier that must be qualified first


def test_a_plan_that_cannot_be_names_the_demand():
    found = asked(
        kind="export_ban", materials=["rare_earths"], countries=["CHN"], importers=["JPN", "USA"],
        parameters={"floor": 1.0},
    )  # fmt: skip
    assert found["response"] is None
    assert {row["party"] for row in found["unmet"]} == {"JPN", "USA"}
    assert all(row["month"] > 1 and row["tonnes"] > 0 for row in found["unmet"])


def test_stocks_end_on_a_day_between_the_bounds():
    found = asked(
        kind="export_ban", materials=["rare_earths"], countries=["CHN"], importers=["JPN", "USA"]
    )
    for row in found["materials"][0]["summary"]:
        ends = row["stock_ends"]
        assert ends["free_diversion"] == [None, None]
        low, high = ends["no_diversion"]
        assert low <= high
        assert ends["capped"][0] >= low - 0.01
    japan = summary(found)
    # 60 and 180 days of all use serve what is missing.
    assert japan["stock_ends"]["no_diversion"] == pytest.approx(
        [60 / japan["no_diversion"], 180 / japan["no_diversion"]]
    )


def test_two_of_one_title_have_names_of_their_own_and_a_last_day_sets_the_days():
    more = {"kind": "export_ban", "materials": ["cobalt"], "countries": ["COD"]}
    first, second = (
        door.disrupt(title="same", starts_on=NEW_YEAR, ends_on=date(2027, 1, 31), **more)
        for _again in range(2)
    )
    assert [first.slug, second.slug] == ["same", "same-2"]
    assert first.days == 31
    with pytest.raises(door.BadScenarioError, match="is before the first day"):
        door.disrupt(title="same", starts_on=NEW_YEAR, ends_on=date(2026, 12, 31), **more)


@pytest.mark.parametrize("more", [{"end": "2026-01-01"}, {"title": "a\x00b"}, {"days": -3}])
def test_the_interface_refuses_what_it_does_not_know(more, person):
    client = Client()
    client.force_login(person("officer", name="officer"))
    body = {"title": "t", "kind": "export_ban", "countries": ["COD"], "starts_on": "2027-01-01"}
    answer = client.post(
        "/node/v1/materials/scenarios", body | more, content_type="application/json"
    )
    assert answer.status_code == 422, answer.content
    assert not Scenario.objects.exists()


@pytest.mark.parametrize("material", ["rare_earths", "copper", "manganese"])
def test_nobody_falls_below_no_diversion_when_many_mines_are_out(material):
    """Presolve once took the rounding of small flows for a contradiction; the floors were dropped."""
    countries = ["COD", "CHN", "BRA", "AUS", "CHL", "ZAF"]
    found = asked(kind="mine_out", materials=[material], countries=countries, days=120)
    rows = found["materials"][0]["rows"]
    assert len(rows) > 10
    for row in rows:
        low, high = row["capped"]
        assert row["free_diversion"] <= low <= high <= row["no_diversion"]


def test_a_closed_strait_stops_the_ships_of_whom_it_names():
    asked_of = {"kind": "strait_closed", "materials": ["natural_graphite"]}
    whole = asked(straits=["suez"], **asked_of)["materials"][0]
    chinas = asked(straits=["suez"], countries=["CHN"], **asked_of)["materials"][0]
    assert (
        {arc["exporter"] for arc in chinas["lost"]}
        == {"CHN"}
        < {arc["exporter"] for arc in whole["lost"]}
    )


@pytest.mark.parametrize(
    ("kind", "more", "word"),
    [
        ("cyber_attack", {"firms": ["F00001"], "countries": ["JPN"]}, "where it happens"),
        ("cyber_attack", {"firms": ["F00001"], "materials": ["cobalt"]}, "Materials"),
        ("cyber_attack", {"firms": ["F00001"], "codes": ["284690"]}, "codes"),
        ("cyber_attack", {"firms": ["F00001"], "importers": ["JPN"]}, "whom it hits"),
        ("price_shock", {"materials": ["lithium"], "countries": ["JPN"]}, "where it happens"),
        ("strait_closed", {"straits": ["suez"], "sites": ["araxa"]}, "sites"),
        ("export_ban", {"countries": ["CHN"], "sites": ["araxa"]}, "sites"),
        ("mine_out", {"countries": ["CHN"], "straits": ["suez"]}, "straits"),
        ("export_quota", {"countries": ["CHN"], "firms": ["F00001"]}, "firms"),
    ],
)
def test_what_a_kind_does_not_read_is_refused(kind, more, word):
    """It would pass for being in the answer."""
    with pytest.raises(door.BadScenarioError, match=f"“{word}” has no meaning for the kind"):
        asked(kind=kind, **more)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("mine_out", {"materials": ["cobalt"]}),
        ("refinery_out", {}),
        ("refinery_out", {"materials": ["niobium"]}),
    ],
)
def test_a_site_of_something_else_is_refused(kind, more):
    with pytest.raises(door.BadScenarioError, match="'araxa' is of niobium, stage mine: the scen"):
        asked(kind=kind, sites=["araxa"], **more)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"severity": 1e300}, "the price rises by 1e.300: expected at most 100"),
        ({"parameters": {"diversion": [0, 1e9]}}, "expected 0 to 100000, low first"),
    ],
)
def test_a_figure_beyond_all_measure_is_refused(more, says):
    with pytest.raises(door.BadScenarioError, match=says):
        asked(kind="price_shock", materials=["lithium"], **more)
    assert not Scenario.objects.exists()


def test_what_the_figures_do_not_show_does_not_pass_for_unhurt():
    with pytest.raises(engine.ZeroEffectError, match="282580, 811000 are not in it"):
        asked(kind="export_ban", materials=["antimony"], countries=["CHN"], importers=["JPN"])
    with pytest.raises(tasks.NoFlowsError, match="nothing of copper at the stage refine"):
        asked(kind="refinery_out", materials=["copper"], countries=["CHN"])
    both = asked(kind="refinery_out", materials=["copper", "cobalt"], countries=["CHN"])
    assert both["unseen"] == ["copper"]


def test_a_country_may_be_named_in_japanese():
    named = asked(kind="export_ban", materials=["cobalt"], countries=["コンゴ民主共和国"])
    assert named["materials"][0]["lost"][0]["exporter"] == "COD"


def test_a_joint_plan_says_what_stops():
    """Who approves a plan must not have to guess from its title which strait is closed."""
    row = door.disrupt(
        title="t",
        kind="strait_closed",
        materials=["natural_graphite"],
        codes=["250410"],
        straits=["taiwan_strait", "luzon"],
        starts_on=NEW_YEAR,
        now=True,
    )
    said = door.recommend(row)
    jsonschema.validate(said, door.recommendation_schema())
    assert said["scenario"]["straits"] == ["taiwan_strait", "luzon"]
    assert said["scenario"]["codes"] == ["250410"]
    assert "sites" not in said["scenario"]
    Site.objects.create(
        slug="secret", material=door.find("niobium"), stage="mine", country="BRA", source="test",
        is_public=False,
    )  # fmt: skip
    out = door.disrupt(
        title="t", kind="mine_out", sites=["araxa", "secret"], starts_on=NEW_YEAR, now=True
    )
    assert door.recommend(out)["scenario"]["sites"] == ["araxa"]
