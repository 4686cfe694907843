"""The cascade: closed forms, one pass against another, and a plain program over networkx."""

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.materials import engine

EVERYTHING = np.ones((3, 3), bool)
NOTHING = np.zeros((3, 3), bool)


def chain(essential=EVERYTHING):
    """Three firms, each the only supplier of the next, each of a sector of its own."""
    return engine.network(
        supplier=[0, 1], buyer=[1, 2], weight=[1.0, 1.0], sector=[0, 1, 2], essential=essential,
        outside=[0.0, 0.0, 1.0],
    )  # fmt: skip


def closed(net, *firms):
    capacity = np.ones(net.firms)
    capacity[list(firms)] = 0.0
    return engine.cascade(net, capacity, tolerance=1e-12, threads=1)


def by_networkx(net, capacity, tolerance=1e-2):
    """The same index over a graph, firm by firm; written from the formulas alone."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(net.firms))
    buyers = np.repeat(np.arange(net.firms), np.diff(net.in_ptr))
    for s, b, w in zip(net.supplier.tolist(), buyers.tolist(), net.weight.tolist(), strict=True):
        graph.add_edge(s, b, weight=w)
    essential = {
        (int(b), int(k)): bool(e)
        for b, k, e in zip(net.group_buyer, net.group_sector, net.group_essential, strict=True)
    }
    sector, output = net.sector.tolist(), net.output.tolist()
    down, up = capacity.tolist(), capacity.tolist()
    step, worst = 0, math.inf
    while worst >= tolerance:
        step += 1
        made = [0.0] * net.sectors
        for i in graph:
            made[sector[i]] += output[i] * down[i]
        new_down, new_up = [], []
        for i in graph:
            lost, bought = {}, {}
            for j, link in graph.pred[i].items():
                share = min(1.0, output[j] / made[sector[j]]) if made[sector[j]] > 0 else 1.0
                kind = sector[j]
                bought[kind] = bought.get(kind, 0.0) + link["weight"]
                lost[kind] = lost.get(kind, 0.0) + link["weight"] * share * (1 - down[j])
            least, linear = 1.0, 0.0
            for kind, amount in lost.items():
                if essential[i, kind]:
                    least = min(least, 1 - amount / bought[kind])
                else:
                    linear += amount / sum(bought.values())
            new_down.append(min(down[i], capacity[i], least, 1 - linear))
            asked = 1.0
            if graph.succ[i]:
                asked = sum(link["weight"] * up[k] for k, link in graph.succ[i].items())
                asked = (asked + net.outside[i]) / output[i]
            new_up.append(min(up[i], capacity[i], asked))
        worst = max(map(abs, np.subtract(down + up, new_down + new_up)))
        down, up = new_down, new_up
    left = np.minimum(down, up)
    return float((net.output * (1 - left)).sum() / net.output.sum()), step


def test_a_chain_of_essential_inputs_falls_whole():
    assert closed(chain(), 0).loss == pytest.approx(1.0)
    assert closed(chain(), 2).loss == pytest.approx(1.0)  # nobody orders any more


def test_a_chain_falls_upward_alone_when_demand_is_elsewhere():
    """The middle firm sells half outside: with the last one gone it keeps half."""
    net = engine.network(
        supplier=[0, 1], buyer=[1, 2], weight=[1.0, 1.0], sector=[0, 1, 2], essential=EVERYTHING,
        outside=[0.0, 1.0, 1.0],
    )  # fmt: skip
    found = closed(net, 2)

    assert found.upstream == pytest.approx([0.5, 0.5, 0.0])
    assert found.loss == pytest.approx((0.5 + 1.0 + 1.0) / 4)


def test_a_star_loses_its_share_of_linear_inputs():
    """The hub buys a quarter of its inputs from each of four suppliers of four sectors."""
    net = engine.network(
        supplier=[0, 1, 2, 3], buyer=[4] * 4, weight=[1.0] * 4, sector=[0, 1, 2, 3, 4],
        essential=np.zeros((5, 5), bool), outside=[0.0, 0.0, 0.0, 0.0, 4.0],
    )  # fmt: skip
    found = closed(net, 0)

    assert found.downstream[4] == pytest.approx(0.75)
    assert found.loss == pytest.approx((1 + 1) / 8)


def test_two_suppliers_of_one_sector_stand_in_for_each_other():
    """Output 3 and 1: of the loss of the small one, min(1, 1/3) cannot be replaced."""
    net = engine.network(
        supplier=[0, 1], buyer=[2, 2], weight=[3.0, 1.0], sector=[0, 0, 1],
        essential=np.ones((2, 2), bool), outside=[0.0, 0.0, 1.0],
    )  # fmt: skip
    small, large = closed(net, 1), closed(net, 0)

    assert small.downstream[2] == pytest.approx(1 - (1 / 4) * (1 / 3))
    assert large.downstream[2] == pytest.approx(1 - 3 / 4)  # the small one is no match for it


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_sweep_is_the_plain_program(seed):
    net = engine.synthetic_network(400, 3000, seed=seed, sectors=12, outside_share=0.2)
    capacity = np.ones(net.firms)
    capacity[np.argsort(-net.output)[:3]] = [0.0, 0.3, 0.5]
    found = engine.cascade(net, capacity)
    loss, steps = by_networkx(net, capacity)

    assert found.loss == pytest.approx(loss, abs=1e-12)
    assert found.iterations == steps
    assert found.has_settled
    assert found.is_synthetic


def test_threads_change_nothing():
    net = engine.synthetic_network(500, 4000, seed=5)
    capacity = np.random.default_rng(1).random(net.firms)
    one, two = (engine.cascade(net, capacity, threads=threads) for threads in (1, 2))

    assert (one.downstream == two.downstream).all()
    assert (one.upstream == two.upstream).all()


def test_closing_one_firm_is_a_sweep_with_one_firm_closed():
    net = engine.synthetic_network(600, 5000, seed=7, sectors=20)
    firms = np.array([*np.argsort(-net.output)[:10], *range(20)])
    exact = engine.CascadeEngine(net, threads=1).close_each(firms, cutoff=0.0)
    quick = engine.systemic(net, firms)
    for firm, loss in zip(firms, exact, strict=True):
        capacity = np.ones(net.firms)
        capacity[firm] = 0.0
        assert loss == pytest.approx(engine.cascade(net, capacity).loss, abs=1e-12)

    assert quick == pytest.approx(exact, abs=1e-6)


def test_closures_leave_no_trace():
    """A second list gives what the first gave, in whatever order."""
    machine = engine.CascadeEngine(engine.synthetic_network(300, 2500, seed=9), threads=2)
    firms = np.arange(300)
    there, back = machine.close_each(firms), machine.close_each(firms[::-1])

    assert (there == back[::-1]).all()


def test_systemic_firms_are_few():
    """Diem et al. (2022): a plateau of a few firms, then a fast decay."""
    losses = np.sort(engine.systemic(engine.synthetic_network(2000, 16000, seed=3)))[::-1]

    assert losses[0] > 20 * np.median(losses)
    assert (losses < 0.01).mean() > 0.8


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_less_capacity_never_loses_less(seed, left):
    net = engine.synthetic_network(60, 300, seed=seed % 7, sectors=6)
    capacity = np.random.default_rng(seed).random(net.firms)
    more = engine.cascade(net, capacity, tolerance=1e-10, threads=1)
    less = engine.cascade(net, capacity * left, tolerance=1e-10, threads=1)

    assert (less.remaining <= more.remaining + 1e-9).all()
    assert 0 <= more.loss <= less.loss + 1e-9 <= 1 + 1e-9


def test_nothing_happens_without_a_shock():
    net = engine.synthetic_network(200, 1500, seed=1)
    assert engine.cascade(net, np.ones(net.firms)).loss == pytest.approx(0, abs=1e-15)


def test_a_run_can_be_cancelled_and_shows_progress():
    net = engine.synthetic_network(1500, 6000, seed=1)
    shown = []
    with pytest.raises(engine.CancelledError):
        engine.systemic(net, threads=1, progress=shown.append, is_cancelled=lambda: len(shown) >= 2)
    assert 0 < shown[0] < shown[1] < 1


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_capacity_outside_its_range_is_named(value):
    net = chain()
    with pytest.raises(engine.BadFigureError, match="row 1: a capacity of"):
        engine.cascade(net, np.array([1.0, value, 1.0]))
    with pytest.raises(engine.BadFigureError, match="firm 3 is outside"):
        engine.systemic(net, np.array([0, 3]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weight": [1.0, 0.0]}, "row 1: a weight"), ({"weight": [1.0, math.nan]}, "row 1: a weight"),
        ({"weight": [1.0, -2.0]}, "row 1"), ({"buyer": [1, 9]}, "row 1: a firm outside 0 to 2"),
        ({"buyer": [1, 1]}, "row 1: a firm that supplies itself"),
        ({"sector": [0, 1, 3]}, "row 2: a sector outside 0 to 2"),
        ({"supplier": [0, 0], "buyer": [1, 1]}, r"row 1: the link 0 → 1 stands twice"),
        ({"supplier": [0]}, "1 suppliers, 2 buyers"), ({"outside": [0.0, -1.0, 0.0]}, "row 1"),
        ({"names": ["a"]}, "1 names of 3 firms"),
    ],
)  # fmt: skip
def test_a_bad_link_is_named(change, says):
    fine = {
        "supplier": [0, 1], "buyer": [1, 2], "weight": [1.0, 1.0], "sector": [0, 1, 2],
        "essential": NOTHING,
    }  # fmt: skip
    with pytest.raises(engine.BadNetworkError, match=says):
        engine.network(**fine | change)


def test_a_synthetic_network_is_what_was_asked_for():
    net = engine.synthetic_network(1000, 10_000, seed=4)
    again = engine.synthetic_network(1000, 10_000, seed=4)

    assert (net.firms, net.links, net.is_synthetic) == (1000, 10_000, True)
    assert (net.weight == again.weight).all()
    assert np.diff(net.in_ptr).max() > 10 * np.median(np.diff(net.in_ptr))
    with pytest.raises(engine.BadNetworkError, match="expected 1 to 45"):
        engine.synthetic_network(10, 46, seed=0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 0.5))
def test_the_published_index_lies_between_its_bounds(seed, left, spare):
    net = engine.synthetic_network(60, 240, seed=seed)
    capacity = np.ones(net.firms)
    capacity[seed % net.firms] = left
    none, share, free = (
        engine.cascade(net, capacity, tolerance=1e-9, threads=1, diversion=how, spare=spare)
        for how in ("none", "share", "free")
    )
    assert (none.remaining <= share.remaining + 1e-12).all()
    assert (share.remaining <= free.remaining + 1e-12).all()


def test_spare_capacity_of_the_sector_serves_who_misses_its_goods():
    """Two sellers of ten and one buyer of one of them: one seller out is a tenth of the sector."""
    net = engine.network(
        supplier=[0], buyer=[10], weight=[1.0], sector=[0] * 10 + [1], essential=EVERYTHING[:2, :2],
        outside=[0.0] + [1.0] * 10,
    )  # fmt: skip
    capacity = np.ones(11)
    capacity[0] = 0.0

    def buyer(diversion, spare=0.0):
        found = engine.cascade(
            net, capacity, tolerance=1e-12, threads=1, diversion=diversion, spare=spare
        )
        return found.downstream[10]

    assert buyer("none") == pytest.approx(0.0)
    assert buyer("share") == pytest.approx(1 - 1 / 9)
    assert buyer("free", spare=1 / 9) == pytest.approx(1.0)


def test_no_bound_passes_the_published_index():
    """Each run stops near its rest: apart, two passed each other by two thousandths of all output."""
    crossed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        firms, sectors = int(rng.integers(2, 14)), int(rng.integers(1, 5))
        links = rng.random((firms, firms)) < rng.uniform(0.05, 0.5)
        np.fill_diagonal(links, val=False)
        supplier, buyer = np.nonzero(links)
        net = engine.network(
            supplier=supplier,
            buyer=buyer,
            weight=np.exp(rng.normal(0, 2, len(supplier))),
            sector=rng.integers(0, sectors, firms),
            essential=rng.random((sectors, sectors)) < 0.4,
            outside=rng.choice([0, 1.0, 5], firms),
        )
        capacity = rng.choice([0.0, 0.3, 1.0, 1.0, 1.0], firms)
        rest, alone, free = engine.cascade_between(net, capacity, spare=0.1, threads=1)
        assert rest.loss == engine.cascade(net, capacity, threads=1).loss
        assert (alone.remaining <= rest.remaining).all()
        assert (rest.remaining <= free.remaining).all()
        assert free.loss <= rest.loss + 1e-15
        assert rest.loss <= alone.loss + 1e-15
        apart = engine.cascade(net, capacity, diversion="none", threads=1)
        crossed += apart.loss < rest.loss
        assert alone.loss == pytest.approx(apart.loss, abs=0.03)
    assert crossed  # what this is for
