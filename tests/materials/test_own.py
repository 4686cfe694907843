"""A node's own tables: every bad row is named, nothing is stored by halves, twice changes nothing."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from stdnum.iso7064 import mod_97_10

from renkei.materials import door, engine
from renkei.materials.models import (
    Alarm,
    Component,
    Event,
    Form,
    Link,
    Material,
    Measure,
    Organisation,
    Product,
    Site,
    State,
    Stock,
)

pytestmark = pytest.mark.django_db
NEW_YEAR = date(2027, 1, 1)
SPRING, AUTUMN = date(2026, 4, 1), date(2026, 10, 1)
GOOD_LEI = "HWUPKR0MPOU8FGXBT394"


def lei(number):
    stem = f"5299{number:014d}"
    return stem + mod_97_10.calc_check_digits(stem)


@pytest.fixture(autouse=True)
def known(db):
    for slug in ("gallium", "rare_earths"):
        Material.objects.create(slug=slug, name_en=slug, name_ja=slug)
    for code in ("284690", "280530"):
        Form.objects.create(
            material=Material.objects.get(slug="rare_earths"),
            stage="refine",
            hs2022=code,
            name_en=code,
            name_ja=code,
        )


@pytest.fixture
def load(tmp_path):
    def run(kind, *lines, known_on=SPRING):
        file = tmp_path / f"{kind}.csv"
        file.write_text("\n".join((",".join(engine.OWN_COLUMNS[kind]), *lines)) + "\n", "utf-8")
        return door.import_own(kind, file, known_on=known_on)

    return run


LINKS = (
    f"{lei(1)},Seller,{lei(2)},Maker,gallium,100,0.2,0.4,contract,high,2026-01-01",
    f"{lei(2)},Maker,,Car works,rare_earths,300,,,customs,middle,2026-01-01",
)
STOCKS = (
    "Japan,gallium,government,10,20,minister,2026-01-01,s",
    "Works,gallium,industry,1,2,,2026-01-01,s",
)
SITES = ("plant,gallium,refine,JPN,JPTYO,35.6,139.7,100,,Plant,工場,no,s",)
BILLS = (
    "chip,Chip,チップ,fab,gallium,0.1,g,yes,,,s,",
    "board,Board,基板,fab,chip,2,,no,0.5,0.3,s,",
)
MEASURES = (
    "chn-ban,ban,CHN,JPN USA,gallium,2026-10-01,2027-01-01,,A ban,禁輸,Gazette 1",
    'chn-quota,quota,China,"Japan, United States",gallium rare_earths,,2027-02-01,2027-12-31,Q,枠,Gazette 2',
)
EVENTS = ("mine-fire,2026-03-01,yes,AUS,rare_earths,284690 280530,A fire,火災,Press",)


@pytest.mark.parametrize(
    ("kind", "lines", "model"),
    [
        ("measures", MEASURES, Measure),
        ("events", EVENTS, Event),
        ("links", LINKS, Link),
        ("stocks", STOCKS, Stock),
        ("sites", SITES, Site),
        ("bills", BILLS, Component),
    ],
)
def test_a_table_loads_once(load, kind, lines, model):
    loaded = load(kind, *lines)
    assert (loaded.rows, loaded.added) == (len(lines), len(lines))
    version = door.state().version
    again = load(kind, *lines)
    assert (again.added, again.unchanged) == (0, len(lines))
    assert model.objects.count() == len(lines)
    assert door.state().version == version


@pytest.mark.parametrize(
    ("kind", "line", "said"),
    [
        ("links", LINKS[0].replace(lei(1), lei(1)[:-1] + "x"), "is no LEI"),
        ("links", LINKS[0].replace(",100,", ",,"), "kusd is empty"),
        ("links", LINKS[0].replace(",100,", ",-5,"), "kusd is '-5'"),
        ("links", LINKS[0].replace(lei(2), lei(1)), "supplies itself"),
        ("links", LINKS[0].replace("0.2,0.4", "0.5,0.4"), "low end above"),
        ("links", LINKS[0].replace("gallium", "unobtainium"), "expected one of gallium"),
        ("links", LINKS[0].replace("high,", "sure,"), "confidence is 'sure'"),
        ("links", LINKS[0].replace("2026-01-01", "1.1.2026"), "expected a day"),
        ("links", LINKS[0].replace("2026-01-01", "2026-04-02"), "is 2026-04-02, after 2026-04-01"),
        ("stocks", STOCKS[0].replace("2026-01-01", "2999-01-01"), "valid_from is 2999-01-01"),
        ("links", f"{LINKS[0]}\n{LINKS[0]}", "says again what row 2 says"),
        (
            "bills",
            f"{BILLS[0]}\n{BILLS[0].replace('Chip', 'Crisp').replace('gallium', 'rare_earths')}",
            "chip has other names",
        ),
        (
            "links",
            LINKS[0].replace("0.2,0.4", "0.7,0.9")
            + "\n"
            + LINKS[0].replace(lei(1), lei(3)).replace("0.2,0.4", "0.7,0.9"),
            "sum to more than 1",
        ),
        ("stocks", STOCKS[0].replace("10,20", "20,10"), "low end above"),
        ("stocks", STOCKS[0].replace("10,20", "10,"), "both ends"),
        ("stocks", STOCKS[0].replace("10,20", "10,1e99"), "high_tonnes is '1e99'"),
        ("stocks", STOCKS[0].replace("government", "secret"), "kind is 'secret'"),
        ("sites", SITES[0].replace("JPTYO", "USNYC"), "no UN/LOCODE of JPN"),
        ("sites", SITES[0].replace("JPTYO", "JP1"), "no UN/LOCODE"),
        ("sites", SITES[0].replace("35.6", "95"), "latitude is '95'"),
        ("sites", SITES[0].replace("35.6,139.7", "35.6,"), "both coordinates"),
        ("sites", SITES[0].replace("JPN", "XYZ"), "unknown country"),
        ("sites", SITES[0].replace("plant", "A plant"), "small letters"),
        ("bills", BILLS[0].replace("gallium", "nothing"), "part is 'nothing'"),
        ("bills", BILLS[0].replace("Chip,チップ", ","), "is new: its names"),
        ("bills", BILLS[0].replace(",0.1,", ",0,"), "quantity is '0'"),
        ("bills", BILLS[0].replace("chip,", "gallium,"), "is a material"),
        ("bills", BILLS[0] + ",more", "13 cells, expected 12"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_stored(load, kind, line, said):
    with pytest.raises(door.FaultyReleaseError) as refused:
        load(kind, line)
    assert any(said in str(fault) for fault in refused.value.faults), refused.value.faults
    assert all(fault.row >= 2 for fault in refused.value.faults)
    for model in (Link, Stock, Site, Component, Organisation, Product):
        assert not model.objects.exists()


def test_moved_columns_and_empty_files(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("owner,material\n")
    with pytest.raises(engine.MovedColumnsError, match="kind"):
        door.import_own("stocks", file)
    file.write_text(",".join(engine.OWN_COLUMNS["stocks"]) + "\n")
    with pytest.raises(door.EmptyReleaseError):
        door.import_own("stocks", file)
    with pytest.raises(door.UnknownTableError):
        door.import_own("secrets", file)


def test_a_ring_is_named_and_refuses_the_whole_file(load):
    load("bills", *BILLS)
    with pytest.raises(
        engine.CycleError, match=r"row 2: .*(board → chip → board|chip → board → chip)"
    ):
        load("bills", "chip,,,,board,1,,yes,,,s,")
    with pytest.raises(engine.CycleError, match=r"row 2: .*chip → chip"):
        load("bills", "chip,,,,chip,1,,yes,,,s,")
    assert Component.objects.count() == 2


def test_what_changed_closes_what_was_known(load):
    load("stocks", *STOCKS)
    with pytest.raises(door.OlderReleaseError):
        load("stocks", STOCKS[0].replace("10,20", "11,20"))
    revised = load("stocks", STOCKS[0].replace("10,20", "11,20"), known_on=AUTUMN)
    assert len(revised.revised) == 1
    rows = Stock.objects.filter(owner="JPN").order_by("known_from")
    assert [(row.low_tonnes, row.known_to) for row in rows] == [(10, AUTUMN), (11, None)]
    load("links", *LINKS)
    load("links", LINKS[0].replace(",100,", ",150,"), known_on=AUTUMN)
    assert Link.objects.current().get(supplier__lei=lei(1)).kusd == 150
    load("sites", SITES[0].replace(",100,", ",200,"))
    corrected = load("sites", *SITES)
    assert len(corrected.revised) == 1
    assert Site.objects.get().capacity_tonnes == 100


def test_companies_of_links_are_this_nodes_alone(load):
    load("links", *LINKS)
    assert not Organisation.objects.filter(is_public=True).exists()
    assert not Site.objects.filter(is_public=True).exists()


def test_the_firm_cascade_runs_on_the_nodes_own_network(load, person):
    load("links", *LINKS)
    attack = {"kind": "cyber_attack", "starts_on": NEW_YEAR, "days": 20, "now": True}
    with pytest.raises(door.BadScenarioError, match="never public"):
        door.disrupt(title="attack", firms=[lei(1)], is_public=True, **attack)
    made = door.disrupt(title="attack", firms=[lei(1)], **attack)
    found = made.result["cascade"]
    assert (found["is_synthetic"], found["firms"], found["links"]) == (False, 3, 2)
    # Each firm has one supplier of something essential: all that follow stand still.
    assert found["loss"] == pytest.approx(1.0, abs=0.02)
    with pytest.raises(engine.BadDisruptionError):
        door.disrupt(title="attack", firms=["F00007"], **attack)
    browser = Client()
    assert lei(1) not in browser.get("/en/materials/cascade/").content.decode()
    browser.force_login(person("analyst"))
    assert lei(1) in browser.get("/en/materials/cascade/").content.decode()
    page = browser.get(f"/en/materials/scenarios/{made.slug}/").content.decode()
    assert "own network of 3 firms" in page


@pytest.mark.parametrize(
    ("kind", "line", "said"),
    [
        ("measures", "a,ban,Atlantis,,gallium,,2027-01-01,,A,あ,s", "unknown country 'Atlantis'"),
        ("measures", "a,ban,CHN,,unobtainium,,2027-01-01,,A,あ,s", "holds 'unobtainium'"),
        ("measures", "a,ban,CHN,,gallium,,2027-01-01,2026-01-01,A,あ,s", "ends before it begins"),
        ("measures", "a,wish,CHN,,gallium,,2027-01-01,,A,あ,s", "expected one of agreement, ban"),
        ("measures", "a,ban,CHN,,gallium,,soon,,A,あ,s", "expected a day"),
        ("measures", "a,ban,,,gallium,,2027-01-01,,A,あ,s", "actors: expected 1 to"),
        (
            "measures",
            f"a,ban,{' '.join(16 * ['CHN'])},,gallium,,2027-01-01,,A,あ,s",
            "holds 16 names: expected at most 15",
        ),
        ("events", "a,2026-03-01,yes,CHN,gallium,81129,A,あ,s", "no code of six digits"),
        ("events", "a,2026-03-01,yes,CHN,gallium,999999,A,あ,s", "codes holds '999999'"),
        (
            "events",
            f"a,2026-03-01,yes,CHN,gallium,{' '.join(18 * ['284690'])},A,あ,s",
            "holds 18 names: expected at most 17",
        ),
        ("events", "a,2026-04-02,yes,CHN,gallium,,A,あ,s", "day is 2026-04-02, after 2026-04-01"),
        ("events", "a,2026-03-01,perhaps,CHN,gallium,,A,あ,s", "expected one of no, yes"),
    ],
)
def test_measures_and_events_that_cannot_be(load, kind, line, said):
    with pytest.raises(door.FaultyReleaseError, match=f"row 2: .*{said}"):
        load(kind, line)
    assert not Measure.objects.exists()


def test_an_announced_measure_stands_in_the_calendar(load):
    """A ban that takes effect next month is an alarm before any figure shows it."""
    soon = (timezone.localdate() + timedelta(days=30)).isoformat()
    State.objects.get_or_create(pk=1)
    gallium = Material.objects.get(slug="gallium")
    Form.objects.create(
        material=gallium, stage="refine", hs2022="811292", name_en="Ga", name_ja="Ga"
    )
    load("measures", f"chn-ban,ban,CHN,USA,gallium,,{soon},,A ban,禁輸,Gazette")
    assert door.watch().new == 1
    assert door.watch().new == 0
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.code, str(alarm.month)[:7]) == ("calendar", "811292", soon[:7])
    assert alarm.evidence["measure"] == "chn-ban"
    # What it is about can be corrected.
    again = load("measures", f"chn-ban,ban,CHN,USA,gallium rare_earths,,{soon},,A ban,禁輸,Gazette")
    assert (again.unchanged, len(again.revised)) == (0, 1)
    assert Measure.objects.get(slug="chn-ban").materials.count() == 2
