"""One description of a disruption, and what it takes from flows, producers and firms."""

from datetime import date

import numpy as np
import pytest

from renkei.materials import engine
from renkei.materials.engine import Disruption

DAY = date(2027, 1, 1)
NEXT = date(2028, 1, 1)
NAMES = ["CHN", "JPN", "USA", "ARE"]
WHERE = {"material": "ree", "stage": "refine", "countries": NAMES, "since": DAY, "until": NEXT}


def ban(**changes):
    return Disruption(**({"kind": "export_ban", "start": DAY, "countries": {"CHN"}} | changes))


def test_a_ban_stops_what_it_names_and_nothing_else():
    left = engine.remaining_trade([ban(importers={"JPN"}, materials={"ree"})], **WHERE)

    assert left[0].tolist() == [1, 0, 1, 1]
    assert left[1:].min() == 1
    assert engine.remaining_trade([ban(materials={"gallium"})], **WHERE).min() == 1
    assert engine.remaining_trade([ban(codes={"284690"})], **WHERE, code="280530").min() == 1
    assert engine.remaining_trade([ban(codes={"284690"})], **WHERE, code="284690")[0, 1] == 0


def test_a_quota_for_half_the_year_takes_half_its_share():
    half = ban(kind="export_quota", severity=0.4, days=73 * 5 // 2 + 0)
    left = engine.remaining_trade([half], **WHERE)

    assert left[0, 1] == pytest.approx(1 - 0.4 * 182 / 365)


def test_bans_multiply():
    two = [ban(severity=0.5, kind="export_quota"), ban(severity=0.5, kind="export_quota")]
    assert engine.remaining_trade(two, **WHERE)[0, 2] == pytest.approx(0.25)


def test_a_mine_out_hits_mines_and_a_site_its_share():
    out = Disruption(kind="mine_out", start=DAY, countries={"CHN"}, severity=0.5)
    mine = WHERE | {"stage": "mine"}
    assert engine.remaining_production([out], **mine).tolist() == [0.5, 1, 1, 1]
    assert engine.remaining_production([out], **WHERE).tolist() == [1, 1, 1, 1]
    site = Disruption(kind="refinery_out", start=DAY, sites={"s1"})
    left = engine.remaining_production(
        [site], **WHERE, site_shares={"s1": ("USA", 0.8), "s2": ("USA", 0.2)}
    )
    assert left == pytest.approx([1, 1, 0.2, 1])


def test_a_strait_without_another_way_blocks_and_one_with_delays():
    assert engine.detour("ARE", "JPN", ["hormuz"]) == float("inf")
    assert 0 < engine.detour("DEU", "CHN", ["suez"]) < 60
    assert engine.detour("CHL", "JPN", ["malacca"]) == 0
    assert engine.detour("CAN", "USA", ["panama"]) == 0  # by land
    closed = Disruption(kind="strait_closed", start=DAY, straits={"hormuz"})
    left = engine.remaining_trade([closed], **WHERE)
    assert left[3, 1] == 0
    assert left[0, 1] == 1
    assert left.diagonal().min() == 1


def test_every_country_with_ports_reaches_every_other():
    for exporter in ("AUS", "BRA", "CHL", "CHN", "COD", "JPN", "RUS", "USA", "ZAF"):
        for importer in ("JPN", "USA", "DEU", "KOR"):
            if exporter != importer:
                assert engine.sea_route(exporter, importer) is not None


def test_a_cyber_attack_takes_the_firms_it_names():
    attack = Disruption(kind="cyber_attack", start=DAY, firms={"b"}, severity=0.7)
    left = engine.remaining_capacity(
        [attack], firms=["a", "b"], countries=["JPN", "JPN"], sectors=["ree", "ree"]
    )
    assert left == pytest.approx([1, 0.3])


def test_a_country_out_takes_its_firms_of_the_material():
    left = engine.remaining_capacity(
        [ban(materials={"ree"})], firms=["a", "b", "c"], countries=["CHN", "CHN", "USA"],
        sectors=["ree", "glass", "ree"],
    )  # fmt: skip
    assert left.tolist() == [0, 1, 1]


def test_a_price_shock_shrinks_demand_by_its_elasticity():
    """Twice the price at an elasticity of -0.5: 1 / √2."""
    shock = Disruption(kind="price_shock", start=DAY, materials={"ree"}, severity=1.0)
    left = engine.remaining_demand([shock], material="ree", since=DAY, until=NEXT, elasticity=-0.5)
    assert left == pytest.approx(2**-0.5)


def test_periods_are_cut_where_something_changes():
    one = ban(start=date(2027, 3, 1), days=31)
    assert engine.timeline([one], since=DAY, until=NEXT) == (
        (DAY, date(2027, 3, 1)),
        (date(2027, 3, 1), date(2027, 4, 1)),
        (date(2027, 4, 1), NEXT),
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "earthquake"}, "kind is 'earthquake'"), ({"severity": 1.5}, "severity is 1.5"),
        ({"severity": -0.1}, "severity"), ({"severity": float("nan")}, "severity"),
        ({"days": 0}, "days is 0"), ({"days": -3}, "days is -3"),
        ({"countries": "CHN"}, "expected a collection"), ({"countries": set()}, "name where"),
        ({"kind": "strait_closed"}, "name the strait"),
        ({"kind": "strait_closed", "straits": {"gibraltor"}}, "'gibraltor' is no strait"),
        ({"kind": "cyber_attack"}, "name the firms"), ({"kind": "price_shock"}, "whose price"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_by_its_field(changes, says):
    with pytest.raises(engine.BadDisruptionError, match=says):
        ban(**changes)


def test_an_unknown_country_is_refused():
    with pytest.raises(engine.UnknownCountryError, match="'CHX'"):
        ban(countries={"CHX"})


def test_remaining_shares_stay_between_none_and_all():
    many = [ban(severity=s, kind="export_quota") for s in (0.2, 0.9, 1.0)]
    left = engine.remaining_trade(many, **WHERE)
    assert ((left >= 0) & (left <= 1)).all()
    assert np.isfinite(left).all()
