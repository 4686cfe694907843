"""The EU's scores and the dated rules, through door, pages and commands; every figure opens."""

from datetime import date

import pytest
from django.test import Client

from renkei.materials import door, engine

pytestmark = pytest.mark.usefixtures("registry")
CREDIT = "clean_vehicle_credit"


def eu(slug, country, **more):
    return door.eu_score(door.find(slug), country, **more)


def test_supply_risk_follows_from_its_inputs():
    """The formula of the methodology (2017), worked out by hand on the inputs that are shown."""
    found = eu("rare_earths", "JPN", stage="mine")
    held = {one.name: one.value for one in found.supply.inputs}
    assert held["import_reliance"] == engine.Bounds(1.0, 1.0)  # Japan mines none
    expected = held["global_concentration"].high / 2 + held["own_concentration"].high / 2
    assert found.supply.value.high == pytest.approx(expected)
    shares = {row.country: row.share for row in found.own.rows}
    assert shares["CHN"] == max(shares.values())
    assert found.origins["recycling_rate"] == "left-out"


def test_what_is_stated_lowers_the_score_in_proportion():
    whole = eu("rare_earths", "JPN", stage="mine").supply.value.high
    less = eu(
        "rare_earths",
        "JPN",
        stage="mine",
        recycling=engine.Bounds(0.1, 0.1),
        substitution=engine.Bounds(0.5, 0.9),
    ).supply.value
    assert less.high == pytest.approx(whole * 0.9 * 0.9)
    assert less.low < less.high


def test_what_trade_cannot_show_stays_open():
    """No code of the release holds gallium alone."""
    found = eu("gallium", "JPN")
    assert found.own is None
    held = {one.name: one.value for one in found.supply.inputs}
    assert (held["own_concentration"].low, held["own_concentration"].high) == (0.0, 10.0)


def test_the_printed_reliance_of_the_united_states():
    found = eu("antimony", "USA")
    held = {one.name: one.value for one in found.supply.inputs}
    assert held["import_reliance"] == engine.Bounds(0.91, 0.91)
    assert found.origins["import_reliance"] == "printed"


def test_economic_importance_by_hand():
    """Two uses of 0.5 each in sectors of 10 and 20, the largest 20: 10 x 15 / 20 = 7.5."""
    uses = door.parse_uses("magnets; 0.5; 10\nmotors; 0.5; 20\n")
    found = eu("rare_earths", "JPN", uses=uses, largest_value_added=20.0)
    assert found.importance.value.high == pytest.approx(7.5)
    assert found.importance.is_notable
    with pytest.raises(door.BadQuestionError):
        eu("rare_earths", "JPN", uses=uses)
    with pytest.raises(engine.BadFigureError):
        eu("rare_earths", "JPN", uses=uses * 2, largest_value_added=20.0)


@pytest.mark.parametrize("text", ["1.2", "0.5-0.2", "much", "0-0.1-0.2"])
def test_no_interval(text):
    with pytest.raises(door.BadQuestionError):
        door.interval(text)


@pytest.mark.parametrize("code", ["en", "ja"])
def test_the_page_opens_the_score(code):
    page = Client().get(f"/{code}/materials/rare_earths/eu/?country=JPN&recycling=0-0.1")
    assert page.status_code == 200
    text = page.content.decode()
    assert "10.2760/73303" in text
    assert ("China" if code == "en" else "中国") in text
    assert Client().get(f"/{code}/materials/rare_earths/eu/?recycling=9").status_code == 422
    assert Client().get(f"/{code}/materials/rare_earths/eu/?country=Nowhere").status_code == 404


# Rules

MINERALS = {"critical_mineral_value": "AUS=30, JPN=25, CHN=45"}


@pytest.mark.parametrize(
    ("day", "share", "clause"),
    [
        (date(2023, 6, 1), 0.4, "(i)"),
        (date(2024, 6, 1), 0.5, "(ii)"),
        (date(2025, 6, 1), 0.6, "(iii)"),
    ],
)
def test_the_share_of_minerals_by_year(day, share, clause):
    found = door.judge(CREDIT, as_of=day, facts=MINERALS)
    one = next(row for row in found.findings if row.rule.startswith("critical minerals"))
    assert (one.required, one.measured) == (share, pytest.approx(0.55))
    assert one.passed == (share <= 0.55)
    assert one.clause.endswith(clause)
    assert one.detail == ("CHN",)


def test_japan_counts_since_28_march_2023():
    """Before the agreement Japan is no partner; the credit's share itself began on 18 April."""
    facts = {"critical_mineral_value": "JPN=100"}
    before = door.judge(CREDIT, as_of=date(2023, 3, 27), facts=facts, hypothetical=True)
    assert before.is_hypothetical
    assert before.findings[0].measured == 0
    after = door.judge(CREDIT, as_of=date(2023, 3, 28), facts=facts, hypothetical=True)
    assert after.findings[0].measured == 1


def test_the_credit_ended_and_a_hypothetical_answer_says_so():
    last = door.judge(CREDIT, as_of=date(2025, 9, 30), facts=MINERALS)
    assert last.verdict != "not_in_force"
    over = door.judge(CREDIT, as_of=date(2025, 10, 1), facts=MINERALS)
    assert (over.verdict, over.ended_on) == ("not_in_force", date(2025, 9, 30))
    assert "119-21" in over.ended_by
    would = door.judge(CREDIT, as_of=date(2027, 1, 1), facts=MINERALS, hypothetical=True)
    assert would.is_hypothetical
    assert next(one for one in would.findings if "minerals" in one.rule).required == 0.8


def test_the_bar_on_foreign_entities():
    facts = {"mineral_entities": "AUS, CHN"}
    found = door.judge(CREDIT, as_of=date(2025, 6, 1), facts=facts)
    one = next(row for row in found.findings if "no critical mineral" in row.rule)
    assert (one.passed, one.detail) == (False, ("CHN",))
    assert found.verdict == "no"


def test_a_country_may_be_named():
    """ "China" is no free pass: it is found by its name, or refused."""
    found = door.judge(
        CREDIT,
        as_of=date(2025, 6, 1),
        facts={"mineral_entities": "Australia, China", "critical_mineral_value": "Japan=6, CHN=4"},
    )
    by_name = {row.rule: row for row in found.findings}
    assert by_name["no critical mineral of a foreign entity of concern"].detail == ("CHN",)
    assert by_name["critical minerals 2025"].measured == pytest.approx(0.6)


def test_an_agreement_counts_for_its_minerals():
    facts = {"critical_mineral_value": "JPN=100"}
    counted = [
        door.judge(CREDIT, as_of=date(2024, 6, 1), facts=facts, mineral=name).findings[0].passed
        for name in ("", "Cobalt")
    ]
    assert counted == [True, True]
    with pytest.raises(door.BadFactTextError, match="expected one of cobalt, graphite"):
        door.judge(CREDIT, as_of=date(2024, 6, 1), facts=facts, mineral="gold")


def test_what_has_not_begun_says_when_it_does():
    found = door.judge("battery_passport", as_of=date(2026, 1, 1))
    assert (found.verdict, found.begins_on) == ("not_in_force", date(2027, 2, 18))


def test_the_battery_passport_names_what_lacks():
    found = door.judge(
        "battery_passport", as_of=date(2027, 3, 1), facts={"passport": "manufacturer, weight"}
    )
    assert found.verdict == "no"
    assert "carbon_footprint" in found.findings[0].detail


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"luck": "1"}, door.BadFactTextError),
        ({"critical_mineral_value": "much"}, door.BadFactTextError),
        ({"component_share": "half"}, door.BadFactTextError),
        ({"component_share": "95"}, engine.BadFactError),
        ({"critical_mineral_value": "XYZ=70"}, door.BadFactTextError),
        ({"critical_mineral_value": "AUS=60, Australia=40"}, door.BadFactTextError),
        ({"component_entities": "Atlantis"}, door.BadFactTextError),
    ],
)
def test_facts_that_cannot_be_read(facts, error):
    with pytest.raises(error):
        door.judge(CREDIT, as_of=date(2024, 1, 1), facts=facts)
    with pytest.raises(engine.BadRuleError):
        door.judge("nothing", as_of=date(2024, 1, 1))


@pytest.mark.parametrize("code", ["en", "ja"])
def test_the_page_judges(code):
    where = f"/{code}/materials/rules/"
    assert Client().get(where).status_code == 200
    asked = f"?programme={CREDIT}&as_of=2024-06-01&critical_mineral_value=AUS%3D60%2CCHN%3D40"
    text = Client().get(where + asked).content.decode()
    assert "26 U.S.C. 30D(e)(1)(B)(ii)" in text
    assert ("missing" if code == "en" else "不足") in text
    over = Client().get(where + asked.replace("2024", "2026")).content.decode()
    assert "Public Law 119-21" in over
    would = Client().get(where + asked.replace("2024", "2026") + "&hypothetical=on")
    assert ("Hypothetical" if code == "en" else "仮定") in would.content.decode()
    assert Client().get(where + asked + "&component_share=x").status_code == 422
    assert Client().get(where + "?programme=nothing").status_code == 422
    chosen = Client().get(where + f"?programme={CREDIT}")
    assert chosen.status_code == 200
    assert b'name="critical_mineral_value"' in chosen.content
    # Each rule shows what it asks for, and those that a later law overtook say so.
    assert "≥ 40%" in chosen.content.decode()
    never = "never came into force" if code == "en" else "施行されず"
    assert chosen.content.decode().count(never) == 6
    # Fields and minerals stand in the reader's language, with the name that the form takes.
    words = ("manufacturer (manufacturer)", "Cobalt")
    for said in words if code == "en" else ("製造者 (manufacturer)", "コバルト"):
        assert said in chosen.content.decode()


@pytest.mark.parametrize(
    ("material", "code"), [("rare_earths", "284690"), ("natural_graphite", "250410")]
)
def test_a_countrys_score_opens_to_its_inputs(material, code):
    """What is shown adds up to what is ranked, and each term names its release and row."""
    one = door.open_exposure("JPN", material, code)
    assert sum(row.term for row in one.shippers) == pytest.approx(one.score.score)
    assert sum(row.share**2 for row in one.shippers) == pytest.approx(one.score.concentration)
    assert all(row.release == "cepii-baci-hs92" and row.row for row in one.shippers)
    if one.score.geopolitical is not None:
        made = one.world_index * one.weighted / (one.imported + one.own)
        assert made == pytest.approx(one.score.geopolitical)
    text = Client().get(f"/en/materials/exposure/JPN/{material}/{code}/").content.decode()
    assert "what the score was made of" in text
    told = Client().get(f"/node/v1/materials/exposure/{material}/{code}?country=JPN").json()
    assert told["shippers"][0]["country"] == one.score.leader
    assert Client().get(f"/ja/materials/exposure/ATA/{material}/{code}/").status_code == 404


def test_graphite_has_a_score_of_geopolitical_supply_risk():
    assert door.open_exposure("JPN", "natural_graphite", "250410").score.geopolitical > 0


def test_a_few_flows_of_a_newer_year_are_not_that_years_trade(tmp_path):
    file = tmp_path / "baci.csv"
    file.write_text("t,i,j,k,v,q\n2025,156,392,250410,5,5\n")
    before = door.exposure("USA").count()
    door.import_file("baci", file)
    assert door.exposure("USA").count() == before
    assert door.flows(door.find("natural_graphite")).year == 2024


def test_a_material_tells_both_views_and_the_printed_reliance():
    """Gallium: 3.4 t of stocks, 19 t a year; by who ships it and by where it was made."""
    told = Client().get("/node/v1/materials/materials/gallium").json()
    views = told["survival"]
    assert (views["lost"], views["year"]) == ("CHN", 2025)
    assert views["shipper"]["low"] > views["origin"]["high"]
    by_name = {one["name"]: one for one in views["origin"]["inputs"]}
    assert (by_name["stock"]["low"], by_name["stock"]["unit"]) == (pytest.approx(3.4), "t")
    antimony = Client().get("/node/v1/materials/materials/antimony").json()["reliance"]
    assert [one["raw"] for one in antimony] == ["85", "81", "81", "86", "91"]
    assert all(one["release"] == "usgs-mcs-2026" and one["row"] for one in antimony)


def test_a_notice_names_materials_of_the_registry(person):
    owner = person("analyst", name="analyst")
    case = door.open_case(title="A fear", owner=owner, materials=["gallium"])
    with pytest.raises(door.UnknownMaterialError):
        door.add_notice(
            case,
            author=owner,
            text="x",
            effect="capacity-reduction",
            start_expected=date(2027, 1, 1),
            materials_affected="gallium unobtainium",
        )


@pytest.mark.parametrize(
    ("kind", "least", "column"),
    [
        ("sites", 5, "latitude"),
        ("organisations", 500, "lei"),
        ("bills", 59, "part"),
        ("events", 12, "day"),
        ("measures", 8, "effective_from"),
        ("rules", 15, "clause"),
    ],
)
def test_every_kind_of_public_row_is_exported(kind, least, column):
    from renkei.materials import schemas

    rows = list(schemas.exported(kind))
    assert len(rows) >= least
    assert all(column in row for row in rows)


def test_what_is_no_ones_business_is_not_exported():
    from renkei.materials import schemas
    from renkei.materials.models import Organisation, Site

    firm = Organisation.objects.create(name="Secret Works", is_public=False)
    material = door.find("gallium")
    Site.objects.create(
        slug="secret",
        material=material,
        stage="refine",
        country="JPN",
        name_en="Secret",
        name_ja="秘",
        source="s",
        is_public=False,
        organisation=firm,
    )
    for kind in ("sites", "organisations"):
        assert "ecret" not in str(list(schemas.exported(kind)))
