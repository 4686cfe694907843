"""The response programme: small plans by hand, fairness, prices, and what cannot be met."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.materials import engine
from renkei.materials.engine import StockOffer


def problem(**changes):
    """Japan and the USA each need 10 t a month for 4 months; Australia makes 8 t for them."""
    base = engine.ResponseProblem(
        materials=("ree",),
        suppliers=("AUS", "CAN"),
        consumers=("JPN", "USA"),
        arc_material=np.zeros(3, int),
        arc_supplier=np.array([0, 0, 1]),
        arc_consumer=np.array([0, 1, 1]),
        arc_cost=np.array([5.0, 5.0, 8.0]),
        arc_lead=np.array([0, 0, 1]),
        arc_ready=np.array([0, 0, 0]),
        arc_fixed=np.zeros(3),
        arc_limit=np.full(3, np.inf),
        capacity=np.array([[[8.0] * 4, [0.0] * 4]]),
        demand=np.full((1, 2, 4), 10.0),
        shortage_cost=np.full((1, 2), 100.0),
        party=("JP", "US"),
    )
    return replace(base, **changes)


def test_a_plan_by_hand():
    """8 t a month at 5, the other 48 t are missing at 100."""
    plan = engine.respond(problem())

    assert plan.cost == pytest.approx(32 * 5)
    assert plan.shortage.sum() == pytest.approx(48)
    assert plan.shortage_cost == pytest.approx(4800)
    assert plan.objective == pytest.approx(4960)
    assert plan.is_proven


def test_one_more_tonne_is_worth_what_it_saves():
    """A tonne of Australia's saves 100 - 5, one of Canada's 100 - 8 if it still arrives."""
    values = engine.respond(problem()).values
    capacity = {(one.place, one.month): one.value for one in values if one.kind == "capacity"}

    assert capacity == pytest.approx(
        {("AUS", month): 95 for month in range(4)} | {("CAN", month): 92 for month in range(3)}
    )
    assert {round(one.value, 6) for one in values if one.kind == "demand"} == {100}


def test_the_price_is_what_a_tonne_more_really_saves():
    before = engine.respond(problem())
    more = problem().capacity.copy()
    more[0, 0, 2] += 1
    after = engine.respond(problem(capacity=more))

    assert before.objective - after.objective == pytest.approx(95)


def test_stocks_serve_whom_they_are_offered_to():
    offer = StockOffer("JP", (0,), (0,), tonnes=6, cost=1, first_month=2, per_month=2.5)
    plan = engine.respond(problem(stocks=(offer,)))
    release = next(one for one in plan.actions if one.kind == "release_stock")

    assert release.who == "JP"
    assert release.tonnes == pytest.approx(5)  # two months at most 2.5
    assert release.delay_months == 2
    assert release.by_month[:2] == (0, 0)


def test_recycling_and_substitution_stay_within_their_shares():
    plan = engine.respond(
        problem(recycle_share=0.1, recycle_cost=20.0, substitute_share=0.05, substitute_cost=30.0)
    )
    tonnes = {one.kind: 0.0 for one in plan.actions}
    for one in plan.actions:
        tonnes[one.kind] += one.tonnes

    assert tonnes["recycle"] == pytest.approx(8)
    assert tonnes["substitute"] == pytest.approx(4)


def test_shares_are_fair_when_asked():
    lame = problem(shortage_cost=np.array([[100.0, 300.0]]))
    assert engine.respond(lame).party_shortage["JP", "ree"] == pytest.approx(1.0)
    even = engine.respond(replace(lame, fair_gap=0.0)).party_shortage
    assert even["JP", "ree"] == pytest.approx(even["US", "ree"]) == pytest.approx(0.6)
    near = engine.respond(replace(lame, fair_gap=0.2)).party_shortage
    assert near["JP", "ree"] - near["US", "ree"] == pytest.approx(0.2)


def test_a_supplier_waits_for_its_qualification_and_the_voyage():
    new = problem(
        capacity=np.array([[[8.0] * 4, [50.0] * 4]]), arc_ready=np.array([0, 0, 2]),
        arc_fixed=np.array([0, 0, 10.0]),
    )  # fmt: skip
    plan = engine.respond(new)
    bought = next(one for one in plan.actions if one.supplier == "CAN")

    assert bought.kind == "qualify"
    assert bought.delay_months == 3
    assert bought.who == "US"
    assert plan.shortage[0, 1, :3].sum() > 0
    assert bought.cost == pytest.approx(bought.tonnes * 8 + 10)


def test_qualifying_that_costs_more_than_the_shortage_is_not_done():
    new = problem(capacity=np.array([[[8.0] * 4, [50.0] * 4]]), arc_fixed=np.array([0, 0, 1e6]))
    plan = engine.respond(new)

    assert not [one for one in plan.actions if one.supplier == "CAN"]
    assert [one.supplier for one in plan.alternatives if one.kind == "qualify"] == ["CAN"]


def test_alternatives_are_ranked_and_cost_more_than_they_save():
    plan = engine.respond(problem(recycle_share=0.1, recycle_cost=500.0))

    assert [one.rank for one in plan.alternatives] == list(range(1, len(plan.alternatives) + 1))
    assert all(one.worth <= 1e-6 for one in plan.alternatives)
    assert any(
        one.kind == "recycle" and one.worth == pytest.approx(-400) for one in plan.alternatives
    )


def test_what_cannot_be_met_is_named():
    with pytest.raises(
        engine.InfeasibleError, match=r"demand of .* for ree cannot be met"
    ) as caught:
        engine.respond(problem(floor=1.0))

    assert sum(tonnes for *_where, tonnes in caught.value.unmet) == pytest.approx(48)
    assert {where[0] for where in caught.value.unmet} == {"ree"}


def test_every_material_that_cannot_be_met_is_named():
    two = problem(
        materials=("ree", "ga"), arc_material=np.array([0, 0, 1]),
        capacity=np.concatenate([problem().capacity] * 2), demand=np.full((2, 2, 4), 10.0),
        shortage_cost=np.full((2, 2), 100.0), floor=1.0,
    )  # fmt: skip
    with pytest.raises(engine.InfeasibleError) as caught:
        engine.respond(two)

    assert {where[0] for where in caught.value.unmet} == {"ree", "ga"}
    tonnes = [row[3] for row in caught.value.unmet]
    assert tonnes == sorted(tonnes, reverse=True)


def test_qualifying_counts_against_the_budget():
    new = problem(
        capacity=np.array([[[8.0] * 4, [50.0] * 4]]),
        arc_fixed=np.array([0, 0, 100.0]),
        budget=300.0,
    )
    plan = engine.respond(new)

    assert plan.cost <= 300 + 1e-6
    assert [one for one in plan.actions if one.supplier == "CAN"]


def test_a_budget_binds_all_materials():
    rich, poor = engine.respond(problem()), engine.respond(problem(budget=40.0))

    assert poor.cost == pytest.approx(40)
    assert poor.shortage.sum() > rich.shortage.sum()


def test_what_is_on_the_way_comes_first():
    coming = np.zeros((1, 2, 4))
    coming[0, 0, 0] = 10
    assert engine.respond(problem(on_the_way=coming)).shortage.sum() == pytest.approx(38)


def test_without_each_measure_the_plan_is_dearer():
    offer = StockOffer("JP", (0,), (0,), tonnes=10, cost=1)
    ranked = engine.compare(problem(stocks=(offer,), recycle_share=0.1, recycle_cost=20.0))

    assert ranked[0].without == ""
    assert {one.without for one in ranked} == {"", "release_stock", "recycle"}
    costs = [one.plan.objective for one in ranked]
    assert costs == sorted(costs)


def test_materials_apart_are_materials_together():
    """Decomposing must not change the answer: a shared stock of nothing joins them."""
    rng = np.random.default_rng(0)
    two = engine.ResponseProblem(
        materials=("a", "b"), suppliers=("AUS", "CAN"), consumers=("JPN", "USA"),
        arc_material=np.repeat([0, 1], 4), arc_supplier=np.tile([0, 0, 1, 1], 2),
        arc_consumer=np.tile([0, 1], 4), arc_cost=rng.random(8) * 10, arc_lead=np.zeros(8, int),
        arc_ready=np.zeros(8, int), arc_fixed=np.zeros(8), arc_limit=np.full(8, np.inf),
        capacity=rng.random((2, 2, 3)) * 8, demand=rng.random((2, 2, 3)) * 10,
        shortage_cost=rng.random((2, 2)) * 100,
    )  # fmt: skip
    joined = replace(two, stocks=(StockOffer("x", (0, 1), (0, 1), 0.0, 0.0),))

    assert engine.respond(two).objective == pytest.approx(engine.respond(joined).objective)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 20), st.floats(0, 20))
def test_more_capacity_never_costs_more(one, other):
    low, high = sorted((one, other))
    plans = [
        engine.respond(problem(capacity=np.array([[[made] * 4, [0.0] * 4]])), threads=1)
        for made in (low, high)
    ]
    assert plans[1].objective <= plans[0].objective + 1e-6
    assert (plans[0].shortage >= -1e-9).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"demand": np.full((1, 2, 4), -1.0)}, "demand, row"), ({"floor": 1.5}, "floor, row"),
        ({"demand": np.full((1, 2, 4), np.nan)}, "demand"), ({"demand": np.zeros((2, 4))}, "demand"),
        ({"arc_consumer": np.array([0, 1, 2])}, "arc_consumer, row 2: 2.0"),
        ({"arc_cost": np.array([5.0, -5.0, 8.0])}, "arc_cost, row 1"),
        ({"capacity": np.zeros((1, 2, 3))}, "capacity has the shape"),
        ({"party": ("JP",)}, "party"), ({"fair_gap": -0.1}, "fair_gap"),
        ({"stocks": (StockOffer("JP", (5,), (0,), 1.0, 1.0),)}, "stock offer 0 of JP"),
        ({"arc_lead": np.array([0, 0])}, "arc_lead has the shape"),
    ],
)  # fmt: skip
def test_a_bad_part_is_named(changes, says):
    with pytest.raises(engine.BadProblemError, match=says):
        engine.respond(problem(**changes))


def test_a_run_can_be_cancelled():
    with pytest.raises(engine.CancelledError):
        engine.respond(problem(), is_cancelled=lambda: True)
