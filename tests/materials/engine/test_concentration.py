"""How concentrated a supply is, and what "other countries" leave open."""

import csv
import math
from collections import defaultdict

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.materials.engine.published import DATA, needs_data

from renkei.materials import engine

# The smallest amounts, of less than 1e-307 tonnes, have no quarter that could be shared out.
amounts = st.floats(0, 1e9, allow_subnormal=False)
quantities = st.dictionaries(
    st.sampled_from(["CHN", "USA", "JPN", "AUS", "CHL", "COD", "IDN"]), amounts, min_size=1
)


def test_worked_example_of_the_guidelines():
    """US DoJ and FTC (2010), footnote 9: 30, 30, 20 and 20 % give 2 600."""
    found = engine.concentration({"CHN": 30, "USA": 30, "JPN": 20, "AUS": 20, "CHL": 0})

    assert found.index == engine.Bounds(pytest.approx(0.26), pytest.approx(0.26))
    assert [row.country for row in found.rows] == ["CHN", "USA", "AUS", "JPN"]
    assert engine.hhi(np.array([[0.3, 0.3, 0.2, 0.2]])) == pytest.approx([0.26])


def test_other_countries_open_an_interval():
    """Neon in the study: 196 to 7592 when most of the supply has no name."""
    found = engine.concentration({"CHN": 14}, other=86)

    assert found.index.low == pytest.approx(0.0196)
    assert found.index.high == pytest.approx(0.0196 + 0.86**2)


def test_what_a_printed_total_has_above_its_rows_counts_as_unlisted():
    found = engine.concentration({"CHN": 60, "USA": 20}, other=5, world=100)

    assert found.other == pytest.approx(20)
    assert found.leading_share == pytest.approx(0.6)
    assert found.leading_of_world == pytest.approx(0.6)


def test_a_country_without_governance_opens_the_governed_index():
    found = engine.concentration({"CHN": 50, "USA": 50}, governance={"CHN": 0.6})

    assert found.governed == engine.Bounds(pytest.approx(0.15), pytest.approx(0.4))
    assert found.without_governance == ("USA",)


@given(quantities, amounts)
def test_bounds_hold_every_way_to_split_the_others(named, other):
    if sum(named.values()) + other <= 0:
        return
    low_high = engine.concentration(named, other=other).index
    names = ["ZAF", "BRA", "RUS", "KAZ"]
    split = engine.concentration(named | dict.fromkeys(names, other / 4)).index

    assert low_high.low - 1e-12 <= split.low <= low_high.high + 1e-12
    assert 0 <= low_high.low <= low_high.high <= 1 + 1e-12


@pytest.mark.parametrize("row", [[0.6, 0.3], [1.2, -0.2], [0.0, 0.0], [math.nan, 1.0]])
def test_a_row_that_is_no_distribution_is_named(row):
    with pytest.raises(engine.BadSharesError, match="row 1: shares sum to"):
        engine.hhi(np.array([[0.6, 0.4], row]))


@pytest.mark.parametrize(
    ("given_quantities", "error", "says"),
    [
        ({"CHN": 1.0, "China": 2.0}, engine.UnknownCountryError, "row 1: 'China' is no country"),
        ({"CHN": 1.0, "ZZZ": 2.0}, engine.UnknownCountryError, "row 1: 'ZZZ'"),
        ({"CHN": 1.0, "WLD": 2.0}, engine.UnknownCountryError, "row 1: 'WLD'"),
        ({"CHN": 1.0, "USA": -2.0}, engine.BadFigureError, "row 1: supply of USA is -2.0"),
        ({"CHN": math.nan}, engine.BadFigureError, "row 0: supply of CHN is nan"),
        ({"CHN": math.inf}, engine.BadFigureError, "row 0"),
        ({"CHN": 0.0}, engine.NoSupplyError, "nobody supplies"),
    ],
)
def test_bad_rows_are_named(given_quantities, error, says):
    with pytest.raises(error, match=says):
        engine.concentration(given_quantities)


@needs_data
def test_leading_sources_of_the_summaries():
    """USGS, Mineral Commodity Summaries 2026, table 7: Co 74, Ga 100, Li 32, rare earths 69 %."""
    rows = defaultdict(dict)
    world = {}
    with (DATA / "facts_production.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            stage = "refine" if row["material"] == "gallium" else "mine"
            if row["year"] != "2025" or row["stage"] != stage or not row["quantity"]:
                continue
            if row["iso3"] == "WLD":
                world[row["material"]] = float(row["quantity"])
            elif row["iso3"]:
                rows[row["material"]][row["iso3"]] = float(row["quantity"])
    leading = {
        name: 100 * engine.concentration(rows[name], world=world[name]).leading_of_world
        for name in ("cobalt", "gallium", "lithium", "rare_earths")
    }

    assert leading == pytest.approx(
        {"cobalt": 74.2, "gallium": 100.0, "lithium": 31.7, "rare_earths": 69.2}, abs=0.05
    )
    printed = {"cobalt": 74, "gallium": 100, "lithium": 32, "rare_earths": 69}
    assert {name: round(share) for name, share in leading.items()} == printed


@needs_data
def test_index_of_nickel_in_2022():
    """geopolrisk-py's published test value: 0.267490 (World Mining Data)."""
    found = duckdb.sql(
        f"select iso3, quantity from '{DATA / 'wmd_mine_production_2018_2024.parquet'}'"
        " where commodity like 'Nickel%' and year = '2022' and quantity > 0 and iso3 <> 'WLD'"
    ).fetchall()

    index = engine.concentration(
        {name.replace("R20", "XKX"): float(tonnes) for name, tonnes in found}
    ).index

    assert index.low == pytest.approx(0.267490, abs=5e-7)
    assert index.is_exact
