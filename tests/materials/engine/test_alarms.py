"""Early warning: the sweep against a plain loop, real graphite, and honest back-tests."""

import csv
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.materials.engine.published import DATA, needs_data

from renkei.materials import engine
from renkei.materials.engine import Measure, Month

FIRST = Month(2017, 1)


def by_loop(values, window=24, least=18, floor=0.05):
    """The same score one value at a time."""
    z = np.full(values.shape, np.nan)
    for row, series in enumerate(values):
        for at in range(window, len(series)):
            known = [value for value in series[at - window : at] if not math.isnan(value)]
            if len(known) < least or math.isnan(series[at]):
                continue
            middle = statistics.median(known)
            wide = 1.4826 * statistics.median(abs(value - middle) for value in known) + floor
            z[row, at] = (series[at] - middle) / wide
    return z


def series(rows=5, months=72, seed=0, holes=0.05):
    rng = np.random.default_rng(seed)
    found = np.exp(rng.normal(5, 0.3, (rows, months)))
    found[rng.random(found.shape) < holes] = np.nan
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_sweep_is_the_loop(seed):
    amounts = series(seed=seed)
    found = engine.sweep(amounts, first=FIRST, value=amounts * 3)
    logs = np.log(amounts)
    changes = np.full(logs.shape, np.nan)
    changes[:, 12:] = logs[:, 12:] - logs[:, :-12]

    np.testing.assert_allclose(found.level.z, by_loop(logs), rtol=1e-12)
    np.testing.assert_allclose(found.year_on_year.z, by_loop(changes), rtol=1e-12)
    assert np.nanmax(np.abs(found.unit_value.z)) < 1e-9  # the price never moves


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 1000), st.integers(0, 100))
def test_the_unit_does_not_matter(factor, seed):
    amounts = series(rows=2, seed=seed)
    one, other = (engine.sweep(amounts * by, first=FIRST).level.z for by in (1, factor))

    np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_reported_zero_alarms_and_a_missing_month_does_not():
    amounts = series(rows=2, holes=0)
    amounts[0, 60], amounts[1, 60] = 0.0, np.nan
    found = engine.sweep(amounts, first=FIRST)
    raised = engine.alarms(
        found, names=["a", "b"], since=Month(2022, 1), until=Month(2022, 1), threshold=6
    )

    assert {one.series for one in raised} == {"a"}
    assert {one.direction for one in raised} == {-1}
    assert raised[0].known_in == Month(2022, 3)
    assert raised[0].found < raised[0].usual


def test_breadth_counts_partners_and_asks_for_enough_of_them():
    amounts = series(rows=8, months=60, holes=0)
    amounts[:6, 55] *= 8
    found = engine.sweep(amounts, first=FIRST)
    up, down, known = engine.breadth(found, ["g"] * 8)["g"]

    assert known[55] == 8
    assert up[55] >= 6 / 8
    assert down[55] <= 2 / 8
    assert np.isnan(engine.breadth(found, ["few"] * 4 + ["rest"] * 4)["few"][0]).all()
    raised = engine.alarms(
        found, names=list("abcdefgh"), groups=["g"] * 8, since=Month(2021, 8), threshold=99
    )
    assert [(one.kind, one.series, str(one.month)) for one in raised] == [
        ("breadth", "g", "2021-08")
    ]


def test_an_announced_measure_is_in_the_calendar():
    found = engine.sweep(series(months=60, holes=0), first=FIRST)
    measures = [
        Measure("soon", Month(2022, 3), frozenset(["250410"]), Month(2021, 10)),
        Measure("secret", Month(2022, 3), frozenset(["1"]), Month(2022, 2)),
        Measure("far", Month(2024, 1), frozenset(["2"])),
        Measure("past", Month(2020, 1), frozenset(["3"])),
    ]
    raised = engine.alarms(
        found, names=list("abcde"), measures=measures, since=Month(2021, 12), threshold=99
    )

    assert [(one.kind, one.series, one.found) for one in raised] == [
        ("calendar", "250410 soon", 3.0)
    ]


def test_months_count():
    assert Month.parse("2023-12").plus(2) == Month(2024, 2)
    assert Month(2024, 2).since(Month(2023, 12)) == 2
    assert str(Month.parse("2023-08-01")) == "2023-08"
    for text in ("2023", "2023-13", "December"):
        with pytest.raises(engine.BadSeriesError, match="no month"):
            Month.parse(text)


def test_a_backtest_by_hand():
    z = np.zeros((2, 60))
    z[0, 40] = -5  # the event
    z[0, 38] = 6  # the rush before it
    z[1, [20, 21, 30]] = -5  # two episodes that mean nothing
    scores = engine.Scores(z, z, z)
    found = engine.backtest(
        scores, first=FIRST, codes=["a", "b"], events={"a": FIRST.plus(40)}, threshold=4,
        since=FIRST.plus(12),
    )  # fmt: skip

    assert (found.hits, found.events, found.delays, found.leads) == (1, 1, (0,), (2,))
    assert found.false_alarms == 2
    assert found.series_years == pytest.approx((48 + 48 - 14) / 12)


def test_nothing_watched_gives_no_rate():
    z = np.full((1, 30), np.nan)
    found = engine.backtest(
        engine.Scores(z, z, z), first=FIRST, codes=["a"], events={}, threshold=4, since=FIRST
    )
    assert np.isnan(found.false_alarms_per_series_year)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [(-1.0, r"row 1, 2017-04: -1.0"), (np.inf, r"row 1, 2017-04: inf")],
)
def test_a_bad_value_is_named_with_its_month(wrong, says):
    amounts = series(rows=2, months=30)
    amounts[1, 3] = wrong
    with pytest.raises(engine.BadSeriesError, match=says):
        engine.sweep(amounts, first=FIRST)


def test_shapes_that_differ_are_refused():
    with pytest.raises(engine.BadSeriesError, match="values have the shape"):
        engine.sweep(series(), first=FIRST, value=np.ones((1, 1)))
    with pytest.raises(engine.BadSeriesError, match="names of 5 series"):
        engine.alarms(engine.sweep(series(), first=FIRST), names=["a"], since=FIRST)


def chinese_exports():
    """Monthly totals by code, and partners of at least 84 months."""
    totals, partners = {}, {}
    for name, keys, into in (
        ("china_exports_monthly_hs6_2017_2024.csv", ("hs6",), totals),
        ("china_exports_monthly_hs6_partner_2017_2024.csv", ("hs6", "partner"), partners),
    ):
        with (DATA / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                key = tuple(row[one] for one in keys)
                line = into.setdefault(key, np.full(96, np.nan))
                if float(row["qty_kg"] or 0) > 0:  # a printed zero of these tables is a gap
                    line[Month.parse(row["month"]).since(FIRST)] = float(row["qty_kg"])
    kept = {key: line for key, line in partners.items() if np.isfinite(line).sum() >= 84}
    return {key[0]: line for key, line in totals.items() if np.isfinite(line).sum() > 80}, kept


EVENTS = {"811292": Month(2023, 8), "250410": Month(2023, 12), "380110": Month(2023, 12)}


@needs_data
def test_graphite_is_caught_in_its_first_month_and_a_mixed_code_is_not():
    """Study 4: 250410 falls in December 2023; 811292 mixes seven metals and never shows it."""
    totals, _ = chinese_exports()
    found = engine.sweep(np.array(list(totals.values())), first=FIRST)
    tested = engine.backtest(
        found.year_on_year, first=FIRST, codes=list(totals), events=EVENTS, threshold=4,
        since=Month(2020, 1),
    )  # fmt: skip

    assert (tested.hits, tested.events, tested.delays) == (1, 3, (0,))
    assert tested.false_alarms_per_series_year < 0.2
    raised = engine.alarms(
        found, names=list(totals), since=Month(2023, 12), until=Month(2023, 12), threshold=4
    )
    assert "250410" in {one.series for one in raised}


@needs_data
def test_the_rush_before_the_graphite_controls_is_broad():
    """Study 4: in November 2023 a third of the partners were far above usual."""
    _, partners = chinese_exports()
    names = [key[0] for key in partners]
    found = engine.sweep(np.array(list(partners.values())), first=FIRST, least_known=12)
    up, _down, known = engine.breadth(found, names)["250410"]
    november = Month(2023, 11).since(FIRST)

    assert known[november] >= 15
    assert up[november] > 0.25
    assert up[november] > np.nanmax(up[:november])


@needs_data
def test_each_event_is_judged_by_a_threshold_chosen_without_it():
    totals, _ = chinese_exports()
    found = engine.sweep(np.array(list(totals.values())), first=FIRST)
    judged = engine.leave_one_out(
        found.year_on_year, first=FIRST, codes=list(totals), events=EVENTS, since=Month(2020, 1)
    )

    assert set(judged) == set(EVENTS)
    assert judged["250410"].hits == 1
    assert judged["811292"].hits == 0
