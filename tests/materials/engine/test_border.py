"""A joint cascade by border vectors: the pooled run to 1e-6, and messages that cannot be."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.materials import engine

RUN = "0" * 32


def parted(seed, *, firms=60, links=300, products=4, sectors=6, part=0.5, outside=1.0):
    """One network of all firms, cut in two at random: each side with what it knows of the border."""
    rng = np.random.default_rng(seed)
    pairs = rng.choice(firms * firms, 4 * links, replace=False)
    pairs = pairs[pairs // firms != pairs % firms][:links]
    seller, buyer = pairs // firms, pairs % firms
    weight = np.exp(rng.normal(0, 1, len(pairs)))
    here = rng.random(firms) < part
    here[:2] = True, False
    product = rng.integers(0, products, firms)  # what a firm sells across
    sides = []
    for own in (here, ~here):
        number = np.cumsum(own) - 1
        inside = own[seller] & own[buyer]
        sells, buys = own[seller] & ~own[buyer], ~own[seller] & own[buyer]
        exported = np.bincount(number[seller[sells]], weight[sells], own.sum())
        imported = np.zeros((own.sum(), products))
        np.add.at(imported, (number[buyer[buys]], product[seller[buys]]), weight[buys])
        who, what = np.nonzero(imported)
        sold = np.flatnonzero(exported)
        sides.append(
            engine.Side(
                products=products,
                supplier=number[seller[inside]],
                buyer=number[buyer[inside]],
                weight=weight[inside],
                sector=rng.integers(0, sectors, own.sum()),
                outside=np.exp(rng.normal(0, 1, own.sum())) * outside,
                exporter=sold,
                export_product=product[own][sold],
                exported=exported[sold],
                importer=who,
                import_product=what,
                imported=imported[who, what],
                essential=rng.random((sectors, sectors)) < 0.4,
            )
        )
    return sides, rng


def shock(rng, side, share=0.1):
    left = np.ones(len(side.sector))
    hit = rng.random(len(left)) < share
    left[hit] = rng.choice([0.0, 0.3, 0.8], hit.sum())
    return left


def together(sides, left):
    net = engine.pooled(*sides)
    capacity = np.ones(net.firms)
    capacity[: sum(map(len, left))] = np.concatenate(left)
    return net, engine.cascade(net, capacity, tolerance=1e-12, most_iterations=200_000, threads=1)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    part=st.floats(0.1, 0.9),
    products=st.integers(1, 6),
    outside=st.floats(0.2, 2),
    links=st.integers(20, 500),
)
def test_a_joint_run_is_the_pooled_run(seed, part, products, outside, links):
    """Every firm of every network, however it is cut, ends where it would if all were pooled."""
    sides, rng = parted(seed, part=part, products=products, outside=outside, links=links)
    left = [shock(rng, side) for side in sides]
    one, other = (engine.BorderSide(side, cut) for side, cut in zip(sides, left, strict=True))
    engine.run_jointly(one, other)
    net, whole = together(sides, left)
    first, both = len(left[0]), sum(map(len, left))

    assert np.abs(one.downstream - whole.downstream[:first]).max() < 1e-6
    assert np.abs(one.upstream - whole.upstream[:first]).max() < 1e-6
    assert np.abs(other.downstream - whole.downstream[first:both]).max() < 1e-6
    assert np.abs(other.upstream - whole.upstream[first:both]).max() < 1e-6
    lost = (net.output * (1 - whole.remaining))[:both].sum()
    assert one.lost + other.lost == pytest.approx(lost, rel=1e-6, abs=1e-6)


def test_a_shock_crosses_and_comes_back():
    """Three firms by hand: a in one country sells to b in the other, b to c in the first."""
    side = {
        "products": 2, "weight": np.zeros(0), "supplier": np.zeros(0, int), "buyer": np.zeros(0, int),
        "essential": np.ones((2, 2), bool),
    }  # fmt: skip
    us = engine.Side(
        **side, sector=np.array([0, 1]), outside=np.array([0.0, 5.0]),
        exporter=np.array([0]), export_product=np.array([0]), exported=np.array([10.0]),
        importer=np.array([1]), import_product=np.array([1]), imported=np.array([4.0]),
    )  # fmt: skip
    jp = engine.Side(
        **side, sector=np.array([1]), outside=np.array([0.0]),
        exporter=np.array([0]), export_product=np.array([1]), exported=np.array([4.0]),
        importer=np.array([0]), import_product=np.array([0]), imported=np.array([10.0]),
    )  # fmt: skip
    one = engine.BorderSide(us, np.array([0.25, 1.0]))
    other = engine.BorderSide(jp, np.ones(1))
    engine.run_jointly(one, other)

    assert other.downstream == pytest.approx([0.25])
    assert one.downstream == pytest.approx([0.25, 0.25])
    assert one.lost == pytest.approx(10 * 0.75 + 5 * 0.75)
    assert one.sent.deliveries == (engine.UNITS // 4, engine.UNITS)


def test_a_side_that_forgot_everything_but_the_last_messages_goes_on_as_before():
    """The side that answers keeps no state: each answer follows from the messages alone."""
    sides, rng = parted(5)
    left = [shock(rng, side, 0.2) for side in sides]
    one, other = (engine.BorderSide(side, cut) for side, cut in zip(sides, left, strict=True))
    engine.run_jointly(one, other)

    first = engine.BorderSide(sides[0], left[0])
    got = sent = message = None
    while not first.is_at_rest:
        said = first.step(message)
        anew = engine.BorderSide(sides[1], left[1], got=got, sent=sent)
        message = sent = anew.step(said)
        got = said
    assert first.downstream == pytest.approx(one.downstream, abs=1e-8)
    assert anew.upstream == pytest.approx(other.upstream, abs=1e-8)
    later = engine.BorderSide(sides[0], left[0], got=sent, sent=first.sent)
    assert later.step(sent) == first.sent
    assert later.is_at_rest
    assert later.lost == pytest.approx(one.lost, rel=1e-8)


def test_only_border_vectors_cross():
    sides, _rng = parted(0, products=3)
    one = engine.BorderSide(sides[0], np.ones(len(sides[0].sector)))
    message = one.step(None)

    assert message == engine.whole(3)  # nothing happened
    content = engine.write_joint(
        "turn", run=RUN, step=1, deliveries=message.deliveries, orders=message.orders
    )
    said = engine.read_joint(content, kinds=["turn"])
    assert set(said) == {"format", "kind", "run", "step", "deliveries", "orders"}
    assert content == json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


FULL = (engine.UNITS,) * 3


@pytest.mark.parametrize(
    ("deliveries", "orders", "says"),
    [
        (FULL[:2], FULL, "deliveries: expected 3 whole"),
        ((1, 1, 1), (*FULL, 1), "orders: expected 3 whole"),
        ((engine.UNITS + 1, 1, 1), FULL, "deliveries: expected"),
        ((-1, 1, 1), FULL, "deliveries: expected"),
        ((float("nan"), 1, 1), FULL, "deliveries: expected"),
        ((True, 1, 1), FULL, "deliveries: expected"),
        ((6 * 10**9, 1, 1), FULL, "deliveries of product 0 rose"),
        ((1, 1, 1), FULL, "orders of product 2 rose"),
    ],
)
def test_a_message_that_cannot_be_is_refused(deliveries, orders, says):
    sides, _rng = parted(0, products=3)
    one = engine.BorderSide(sides[0], np.ones(len(sides[0].sector)))
    one.step(engine.BorderMessage((5 * 10**9, *FULL[1:]), (*FULL[:2], 0)))
    with pytest.raises(engine.BadBorderError, match=says):
        one.step(engine.BorderMessage(deliveries, orders))


TURN = {
    "format": "renkei-materials-joint/1", "kind": "turn", "run": RUN, "step": 1,
    "deliveries": [1], "orders": [1],
}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"[]", b"[" * 5000, json.dumps(TURN | {"firms": ["x"]}).encode(),
        json.dumps(TURN | {"deliveries": [float("nan")]}).encode(),
        json.dumps(TURN | {"deliveries": [0.5]}).encode(), json.dumps(TURN | {"orders": [-1]}).encode(),
        json.dumps(TURN | {"orders": [engine.UNITS + 1]}).encode(),
        json.dumps(TURN | {"deliveries": [True]}).encode(), json.dumps(TURN | {"run": "x"}).encode(),
        json.dumps(TURN | {"deliveries": [1] * 201}).encode(),
        json.dumps(TURN | {"step": engine.MOST_TURNS + 2}).encode(),
        json.dumps({**TURN, "format": "renkei-materials-joint/2"}).encode(),
    ],
)  # fmt: skip
def test_bytes_that_are_no_message(content):
    with pytest.raises(engine.BadBorderError):
        engine.read_joint(content)
    with pytest.raises(engine.BadBorderError, match="out of turn"):
        engine.read_joint(json.dumps(TURN).encode(), kinds=["open"])


def test_where_it_rests_has_one_digest():
    products = ["gallium", "tungsten"]
    one, other = engine.whole(2), engine.BorderMessage((1, 2), (3, 4))
    found = engine.rest_digest(products, one, other, step=3)
    assert found == engine.rest_digest(products, one, other, step=3)
    assert found != engine.rest_digest(products, other, one, step=3)
    said = {
        "products": products, "opener": [[10**10] * 2] * 2, "answerer": [[1, 2], [3, 4]], "step": 3,
    }  # fmt: skip
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    assert found == hashlib.sha256(text.encode()).hexdigest()


def test_few_firms_tell_no_loss():
    sides, _rng = parted(1)
    firms = len(sides[0].sector)
    quiet = engine.BorderSide(sides[0], np.ones(firms))
    assert quiet.told_loss == 0
    left = np.ones(firms)
    left[0] = 0.0
    alone = engine.Side(
        **{name: getattr(sides[0], name) for name in sides[0].__slots__ if name != "outside"},
        outside=np.where(np.arange(firms) == 0, 1e9, sides[0].outside),
    )
    assert engine.BorderSide(alone, left).told_loss is None  # one firm is nearly all of it
    many = engine.BorderSide(sides[0], np.full(firms, 0.5))
    assert many.told_loss >= 5000


def test_a_circle_over_the_border_that_loses_little_each_time_finds_no_rest():
    """a and b live of each other, and b a little of d, which is out: a refusal, no wrong figure."""
    none, trade = np.zeros(0, int), np.array([10.0])

    def side(own, **more):
        return engine.Side(
            **{
                "products": 2, "supplier": none, "buyer": none, "weight": np.zeros(0),
                "sector": np.array([own]), "outside": np.ones(1), "exporter": np.array([0]),
                "export_product": np.array([own]), "exported": trade, "importer": np.array([0]),
                "import_product": np.array([1 - own]), "imported": trade,
                "essential": np.zeros((2, 2), bool),
            } | more
        )  # fmt: skip

    one = engine.BorderSide(side(0), np.ones(1))
    more = {"supplier": np.array([1]), "buyer": np.array([0]), "weight": np.array([0.01])}
    jp = side(1, sector=np.array([1, 0]), outside=np.ones(2), **more)
    other = engine.BorderSide(jp, np.array([1.0, 0.0]))
    with pytest.raises(engine.BadBorderError, match="no rest after 1000 rounds"):
        engine.run_jointly(one, other)


@pytest.mark.parametrize("products", [0, 7])
def test_as_many_products_as_sectors_cross_at_most(products):
    sides, _rng = parted(1)
    wrong = engine.Side(
        **{name: getattr(sides[0], name) for name in sides[0].__slots__ if name != "products"},
        products=products,
    )
    with pytest.raises(engine.BadNetworkError, match="products cross the border"):
        engine.BorderSide(wrong, np.ones(len(sides[0].sector)))
