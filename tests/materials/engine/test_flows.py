"""Who is short, between no diversion and free diversion."""

from datetime import date

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.materials.engine.published import DATA, needs_data

from renkei.materials import engine
from renkei.materials.engine import Bounds, Disruption, Elasticities

DAY, NEXT = date(2027, 1, 1), date(2028, 1, 1)
YEAR = {"since": DAY, "until": NEXT}
BAN_ATA = Disruption(kind="export_ban", start=DAY, countries={"CHN"}, importers={"ATA"})
BAN = Disruption(kind="export_ban", start=DAY, countries={"CHN"}, importers={"JPN"})


def table(**changes):
    """Japan buys 60 of China and 40 of Australia; Germany 100 of Australia."""
    given_rows = {
        "material": "ree",
        "stages": ["refine"],
        "production": [("refine", "CHN", 100.0), ("refine", "AUS", 150.0)],
        "trade": [
            ("refine", "CHN", "JPN", 60.0),
            ("refine", "AUS", "JPN", 40.0),
            ("refine", "AUS", "DEU", 100.0),
        ],
    }
    return engine.flow_table(**given_rows | changes)


def short(found, country, stage="refine"):
    return found.worst(country, stage)


def test_no_diversion_is_direct_dependence_and_free_diversion_finds_none():
    found = engine.who_is_short(table(), [BAN], **YEAR)
    japan = short(found, "JPN")

    assert japan.direct == pytest.approx(0.6)
    assert japan.no_diversion == pytest.approx(0.6)
    assert japan.free_diversion == pytest.approx(0, abs=1e-6)  # China sells to Germany instead
    assert japan.capped.low <= japan.capped.high <= 0.6 + 1e-6
    assert sum(row.tonnes.high for row in found.rows if row.country == "JPN") == pytest.approx(60)
    assert short(found, "DEU").no_diversion == pytest.approx(0)
    assert found.hit_tonnes == pytest.approx(60)


def test_with_enough_elsewhere_free_diversion_finds_no_shortage():
    rich = table(trade=[
        ("refine", "CHN", "JPN", 60.0), ("refine", "AUS", "JPN", 40.0),
        ("refine", "CHN", "DEU", 30.0), ("refine", "AUS", "DEU", 100.0),
    ])  # fmt: skip
    japan = short(engine.who_is_short(rich, [BAN], **YEAR), "JPN")

    assert japan.no_diversion == pytest.approx(0.6)
    assert japan.free_diversion == pytest.approx(0, abs=1e-6)


def test_a_shortage_passes_down_the_stages():
    """Half of Japan's ore is gone: half of its metal and of what it sells of it."""
    deep = engine.flow_table(
        material="ree", stages=["mine", "refine"], needed={"mine": 1.0},
        production=[("mine", "CHN", 50.0), ("mine", "AUS", 50.0), ("refine", "JPN", 100.0)],
        trade=[("mine", "CHN", "JPN", 50.0), ("mine", "AUS", "JPN", 50.0),
               ("refine", "JPN", "USA", 80.0)],
    )  # fmt: skip
    stop = Disruption(
        kind="export_ban", start=DAY, countries={"CHN"}, importers={"JPN"}, stages={"mine"}
    )
    found = engine.who_is_short(deep, [stop], **YEAR)

    ore = short(found, "JPN", "mine")
    assert ore.no_diversion == pytest.approx(0.5)
    assert 0.3 < ore.capped.high <= 0.5 + 1e-5  # ore that is feed alone is short there too
    assert short(found, "USA").no_diversion == pytest.approx(0.5)


def test_an_origin_rule_stops_re_exports():
    """Vietnam has nothing but Chinese goods: with the rule, Japan gets none of them."""
    handed = table(
        production=[("refine", "CHN", 100.0)],
        trade=[("refine", "CHN", "VNM", 50.0), ("refine", "VNM", "JPN", 50.0)],
    )
    bare = Elasticities(substitution=Bounds(0, 0))
    free = engine.who_is_short(handed, [BAN_WITH_RULE], **YEAR, elasticities=bare)
    assert short(free, "JPN").no_diversion == pytest.approx(1)
    assert short(free, "JPN").free_diversion == pytest.approx(1)
    with pytest.raises(engine.ZeroEffectError):
        engine.who_is_short(handed, [BAN], **YEAR)


BAN_WITH_RULE = Disruption(
    kind="export_ban", start=DAY, countries={"CHN"}, importers={"JPN"}, origin_rule=True
)


def test_new_partners_help_when_they_are_qualified():
    known = Elasticities(
        new_partners=Bounds(1.0, 1.0), qualification_days=Bounds(90, 90), diversion=Bounds(0, 0),
        spare=Bounds(0, 0), substitution=Bounds(0, 0),
    )  # fmt: skip
    spread = table(
        production=[("refine", "CHN", 100.0), ("refine", "CHL", 200.0)],
        trade=[("refine", "CHN", "JPN", 60.0)],
    )
    rows = [
        row
        for row in engine.who_is_short(spread, [BAN], **YEAR, elasticities=known).rows
        if row.country == "JPN"
    ]

    assert [row.since for row in rows] == [DAY, date(2027, 4, 1)]
    assert rows[0].capped == Bounds(pytest.approx(1), pytest.approx(1))
    assert rows[1].capped.low == pytest.approx(0, abs=1e-6)


def test_a_stock_lasts_longer_when_less_is_missing():
    found = engine.who_is_short(table(), [BAN], **YEAR, stocks={"JPN": Bounds(6, 12)})
    japan = [row for row in found.rows if row.country == "JPN"]

    assert japan[0].days_of_stock.low == pytest.approx(6 / (60 / 365))
    assert japan[0].days_of_stock.high >= 12 / (60 / 365)
    assert japan[1].days_of_stock.low == 0  # used up in the periods before


def test_a_mine_out_and_a_price_shock_are_seen():
    out = Disruption(kind="refinery_out", start=DAY, countries={"AUS"}, severity=0.5)
    found = engine.who_is_short(table(), [out], **YEAR)
    assert short(found, "DEU").no_diversion == pytest.approx(0.5)
    shock = Disruption(kind="price_shock", start=DAY, materials={"ree"}, severity=1.0)
    assert engine.who_is_short(table(), [shock], **YEAR).hit_tonnes > 0


@pytest.mark.parametrize(
    "nothing",
    [
        [], [Disruption(kind="export_ban", start=DAY, countries={"BRA"})],
        [Disruption(kind="export_ban", start=date(2030, 1, 1), countries={"CHN"})],
        [Disruption(kind="export_quota", start=DAY, countries={"CHN"}, severity=0.0)],
        [Disruption(kind="export_ban", start=DAY, countries={"CHN"}, materials={"gallium"})],
    ],
)  # fmt: skip
def test_a_scenario_of_zero_effect_is_flagged(nothing):
    with pytest.raises(engine.ZeroEffectError, match="nothing is hit"):
        engine.who_is_short(table(), nothing, **YEAR)


@pytest.mark.parametrize(
    ("rows", "error", "says"),
    [
        ({"trade": [("refine", "CHN", "JPN", -1.0)]}, engine.BadTableError, "trade, row 0: -1.0"),
        ({"trade": [("refine", "CHN", "JPN", float("nan"))]}, engine.BadTableError, "row 0"),
        ({"trade": [("smelt", "CHN", "JPN", 1.0)]}, engine.BadTableError, "stage smelt"),
        ({"trade": [("refine", "CHN", "S19", 1.0)]}, engine.UnknownCountryError, "S19"),
        ({"production": [("refine", "CHN", -5.0)]}, engine.BadTableError, "production, row 0"),
        ({"needed": {"refine": 1.0}, "stages": ["refine", "x"], "production": []}, None, ""),
    ],
)
def test_a_bad_row_is_named(rows, error, says):
    if error is None:
        assert table(**rows).flags
        return
    with pytest.raises(error, match=says):
        table(**rows)


def test_what_was_assumed_is_said():
    rule = Disruption(kind="export_ban", start=DAY, countries={"DEU"}, origin_rule=True)
    found = engine.who_is_short(table(), [rule, BAN], **YEAR)
    assert any("stops no re-export" in flag for flag in found.flags)
    polar = table(trade=[("refine", "CHN", "ATA", 60.0), ("refine", "AUS", "JPN", 40.0)])
    closed = Disruption(kind="strait_closed", start=DAY, straits={"luzon", "taiwan_strait"})
    told = engine.who_is_short(polar, [closed, BAN_ATA], **YEAR).flags
    assert any("ports are not known" in flag and "ATA" in flag for flag in told)
    assert "net exports" in table(production=[]).flags[0]
    more = table(production=[("refine", "CHN", 10.0), ("refine", "AUS", 150.0)])
    assert "CHN export more than they have" in more.flags[0]


@pytest.mark.parametrize("wrong", [{"substitution": Bounds(0, 1.5)}, {"spare": Bounds(-1, 0)},
                                   {"demand": Bounds(-1, 0.5)}, {"diversion": Bounds(0.5, 0.2)}])  # fmt: skip
def test_an_elasticity_outside_its_range_is_refused(wrong):
    with pytest.raises(engine.BadFigureError):
        Elasticities(**wrong)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_stricter_ban_never_leaves_the_target_more(seed):
    rng = np.random.default_rng(seed)
    names = ["AUS", "BRA", "CHN", "DEU", "JPN", "USA"]
    random = table(
        production=[("refine", name, float(rng.random() * 100)) for name in names],
        trade=[("refine", a, b, float(rng.random() * 10)) for a in names for b in names if a != b],
    )
    lost = []
    for severity in (0.3, 1.0):
        cut = Disruption(
            kind="export_quota", start=DAY, countries={"CHN"}, importers={"JPN"}, severity=severity
        )
        lost.append(short(engine.who_is_short(random, [cut], **YEAR), "JPN").no_diversion)
        for row in engine.who_is_short(random, [cut], **YEAR).rows:
            assert 0 <= row.capped.low <= row.capped.high <= row.no_diversion + 1e-5
            if row.country == "JPN":
                assert row.free_diversion <= row.capped.low + 1e-5
    assert lost[0] <= lost[1] + 1e-9


def test_a_run_can_be_cancelled():
    with pytest.raises(engine.CancelledError):
        engine.who_is_short(table(), [BAN], **YEAR, is_cancelled=lambda: True)


@needs_data
@pytest.mark.parametrize(
    ("code", "japan", "states"),
    [
        ("284690", 0.48, 0.82),
        ("250410", 0.88, 0.38),
        ("280530", 0.73, 0.98),
        ("282520", 0.87, 0.03),
    ],
)
def test_a_ban_on_both_partners_in_2023(code, japan, states):
    """Study 3.4: direct loss of imports, and no shortage at all when everything can be diverted."""
    rows = duckdb.sql(
        "select replace(exp_iso3, 'S19', 'TWN'), replace(imp_iso3, 'S19', 'TWN'), sum(qty_t) from"
        f" '{DATA / 'baci_crm_hs6_1995_2024.parquet'}' where year = 2023 and hs92_6 = '{code}'"
        " and qty_t > 0 group by all"
    ).fetchall()
    real = engine.flow_table(
        material="x", stages=["refine"], trade=[("refine", a, b, float(t)) for a, b, t in rows]
    )
    stop = Disruption(kind="export_ban", start=DAY, countries={"CHN"}, importers={"JPN", "USA"})
    found = engine.who_is_short(real, [stop], **YEAR)
    direct = [short(found, name).direct for name in ("JPN", "USA")]

    assert direct == pytest.approx([japan, states], abs=0.011)
    assert [short(found, name).free_diversion for name in ("JPN", "USA")] == pytest.approx(
        [0, 0], abs=1e-6
    )
    assert short(found, "JPN").no_diversion >= japan - 0.02


def test_two_that_stand_alike_are_short_alike():
    """A programme is free to give all of a scarce tonne to one of them; the answer is not."""
    one = engine.flow_table(
        material="x",
        stages=["refine"],
        production=[("refine", "CHN", 100.0), ("refine", "AUS", 40.0)],
        trade=[
            ("refine", seller, buyer, tonnes)
            for seller, tonnes in (("CHN", 50.0), ("AUS", 20.0))
            for buyer in ("JPN", "USA")
        ],
    )
    ban = engine.Disruption(
        kind="export_ban", start=date(2027, 1, 1), countries={"CHN"}, importers={"JPN", "USA"}
    )
    found = engine.who_is_short(one, [ban], since=date(2027, 1, 1), until=date(2028, 1, 1))
    japan, states = (found.worst(name) for name in ("JPN", "USA"))
    assert japan.no_diversion == pytest.approx(states.no_diversion)
    assert japan.free_diversion == pytest.approx(states.free_diversion, abs=0.1)
    assert japan.capped.low == pytest.approx(states.capped.low, abs=0.1)
