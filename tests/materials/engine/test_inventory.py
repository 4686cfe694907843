"""Inventories day by day: no shock, a closed form, and what nobody knows."""

from datetime import date

import numpy as np
import pytest

from renkei.materials import engine
from renkei.materials.engine import Shock


@pytest.fixture(scope="module")
def net():
    return engine.synthetic_network(500, 4000, seed=2, sectors=15)


def pair(stock_days):
    """One supplier, one buyer that cannot do without it."""
    net = engine.network(
        supplier=[0], buyer=[1], weight=[1.0], sector=[0, 1], essential=np.ones((2, 2), bool),
        outside=[0.0, 2.0],
    )  # fmt: skip
    shock = Shock(first_day=3, days=20, firms=np.array([0]), remaining=0.0)
    return engine.run_inventories(net, [shock], days=60, stock_days=stock_days, threads=1)


def test_no_shock_no_loss(net):
    run = engine.run_inventories(net, [], days=60)

    assert (run.loss == 0).all()
    assert (run.first_hit == -1).all()
    assert run.is_synthetic


@pytest.mark.parametrize("stock_days", [5, 9, 12])
def test_a_stock_lasts_as_many_days_as_it_holds(stock_days):
    """The supplier stops on day 3; deliveries come at the day's end, so the stock of n days of use
    is whole on day 3 and gone n days later."""
    run = pair(stock_days)

    assert run.first_hit[0] == 3
    assert run.first_out[1] == 3 + stock_days
    assert run.loss[3 + stock_days - 1] == pytest.approx(1 / 3)  # the supplier alone: 1 of 3
    assert run.loss[3 + stock_days] == pytest.approx(1.0)


def test_a_stock_longer_than_the_shock_saves_the_buyer():
    run = pair(25)
    assert run.first_hit[1] == -1


def test_losses_end_after_the_shock(net):
    hit = np.argsort(-net.output)[:20]
    run = engine.run_inventories(net, [Shock(0, 30, hit, 0.3)], days=365)

    assert run.loss[:40].max() > 0.05
    assert run.loss[-1] < 0.01
    assert (run.loss >= -1e-9).all()
    assert run.lost_days == pytest.approx(run.loss.sum())
    assert run.sector_loss.shape == (365, net.sectors)


def test_threads_agree(net):
    shock = [Shock(0, 10, np.arange(50), 0.5)]
    one, two = (engine.run_inventories(net, shock, days=50, threads=n) for n in (1, 2))

    assert one.loss == pytest.approx(two.loss, abs=1e-9)
    assert (one.first_hit == two.first_hit).all()


def test_larger_stocks_hit_later(net):
    shock = [Shock(0, 365, np.argsort(-net.output)[:5], 0.0)]
    few, many = (
        engine.run_inventories(net, shock, days=100, stock_days=days) for days in (4.0, 20.0)
    )

    hit = (few.first_hit > 0) & (many.first_hit > 0)
    assert hit.any()
    assert (few.first_hit[hit] <= many.first_hit[hit]).mean() > 0.9
    assert few.loss[:20].sum() > many.loss[:20].sum()


def test_what_nobody_knows_is_an_interval(net):
    bounds, runs = engine.inventory_interval(
        net, [Shock(0, 30, np.argsort(-net.output)[:20], 0.3)], days=90
    )

    assert len(runs) == 4
    assert bounds.low < bounds.high
    assert bounds.low == min(run.lost_days for run in runs)
    assert engine.ADJUST_DAYS >= 6  # shorter ones swing long after the event


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"days": 0}, engine.BadFigureError), ({"adjust_days": 0.5}, engine.BadFigureError),
        ({"adjust_days": float("nan")}, engine.BadFigureError),
        ({"stock_days": 0.0}, engine.BadFigureError), ({"stock_days": -1.0}, engine.BadFigureError),
    ],
)  # fmt: skip
def test_bad_options_are_refused(net, options, error):
    with pytest.raises(error):
        engine.run_inventories(net, [], **options)


@pytest.mark.parametrize(
    "shock",
    [
        Shock(0, 10, np.array([500]), 0.5), Shock(0, 10, np.array([-1]), 0.5),
        Shock(0, 0, np.array([1]), 0.5), Shock(0, 10, np.array([1]), 1.5),
        Shock(-1, 10, np.array([1]), 0.5),
    ],
)  # fmt: skip
def test_a_bad_shock_is_named(net, shock):
    with pytest.raises(engine.BadShockError, match="row 1"):
        engine.run_inventories(net, [Shock(0, 1, np.array([1]), 0.5), shock])


def test_a_run_can_be_cancelled(net):
    days = []
    with pytest.raises(engine.CancelledError):
        engine.run_inventories(
            net, [], days=50, progress=days.append, is_cancelled=lambda: len(days) == 5
        )
    assert len(days) == 5


def test_a_disruption_becomes_a_shock():
    firms = {"firms": ["a", "b", "c"], "countries": ["CHN", "JPN", "CHN"], "sectors": ["x"] * 3}
    ban = engine.Disruption(
        kind="export_quota", start=date(2027, 1, 11), days=30, severity=0.4, countries={"CHN"}
    )
    attack = engine.Disruption(kind="cyber_attack", start=date(2026, 12, 1), firms={"b"})
    late = engine.Disruption(kind="mine_out", start=date(2029, 1, 1), countries={"CHN"})
    found = engine.shocks_of([ban, attack, late], **firms, since=date(2027, 1, 1), days=90)

    assert [(one.first_day, one.days, one.firms.tolist()) for one in found] == [
        (10, 30, [0, 2]),
        (0, 90, [1]),
    ]
    assert [one.remaining for one in found] == [0.6, 0.0]
