"""Two nodes that tell figures of one table: what one holds back comes out of neither, ever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from renkei.materials import engine
from renkei.materials.engine import Cell

KINDS = ("government", "industry", "producer", "transit")
KEYS = (*KINDS, "total")
RELATIONS = [("total", list(KINDS))]


class Node:
    """A node as the door keeps it: what it told of each cell, what it held back, by edition."""

    def __init__(self):
        self.editions = {}  # key: (contributions, was told) of each
        self.told = []  # by edition: key: value

    def cells(self, table):
        whole = {}
        for by in table.values():
            for name, tonnes in by.items():
                whole[name] = whole.get(name, 0.0) + tonnes
        return [
            Cell(key, sum(given.values()), given, engine.earlier(given, self.editions.get(key, ())))
            for key, given in {**table, "total": whole}.items()
        ]

    def pattern(self, table, other):
        """What it holds back of a table beside the other's pattern."""
        found = engine.release_beside(
            self.cells(table), RELATIONS, held=other.held, told=other.ever_told
        )
        self.held = {cell.key for cell in self.cells(table)} - set(found.published)
        self.found = found

    held = frozenset()
    found = None

    @property
    def ever_told(self):
        return {key for key, editions in self.editions.items() if editions[-1][1]}

    def tell(self, table):
        for cell in self.cells(table):
            editions = self.editions.setdefault(cell.key, [])
            if cell.key in self.found.published:
                editions.append((dict(cell.contributions), True))
            elif not editions or not editions[-1][1]:
                editions.append((dict(cell.contributions), False))
        self.told.append(dict(self.found.published))


def settle(nodes, tables):
    """Exchange patterns until neither holds back more; return how many rounds that took."""
    for node in nodes:
        node.held = frozenset()
    for number in range(1, 20):
        before = [set(node.held) for node in nodes]
        for at, node in enumerate(nodes):
            node.pattern(tables[at], nodes[1 - at])
        if [set(node.held) for node in nodes] == before:
            return number
    raise AssertionError("the patterns do not come to rest")


def split(rng, value):
    """A value by holders: sometimes by few, sometimes with one that is nearly all."""
    holders = int(rng.integers(1, 6))
    shares = rng.dirichlet(np.full(holders, rng.choice([0.3, 5.0]))) + 1e-3
    return {f"h{n}": float(value * share) for n, share in enumerate(shares / shares.sum())}


def moved(rng, given):
    """A later edition of a cell: as it was, one holder moved, or all, or some joined."""
    how = rng.integers(5)
    if how <= 1:
        return dict(given)
    if how == 2:
        joined = {f"j{n}": max(given.values()) for n in range(rng.integers(1, 4))}
        return dict(given) | joined
    names = list(given) if how == 3 else [rng.choice(list(given))]
    return {
        name: tonnes * (rng.uniform(0.6, 1.6) if name in names else 1.0)
        for name, tonnes in given.items()
    }


def reader(editions, told, key, at):
    """What a reader of everything told so far can work out about a cell of an edition (an LP).

    The reader knows too which cells did not change between editions.
    """
    place = {
        (key, t): t * len(KEYS) + n for t in range(len(editions)) for n, key in enumerate(KEYS)
    }
    rows, right = [], []

    def row(entries, value=0.0):
        line = np.zeros(len(place))
        for where, coefficient in entries:
            line[place[where]] += coefficient
        rows.append(line)
        right.append(value)

    for t, values in enumerate(editions):
        row([(("total", t), 1.0), *(((kind, t), -1.0) for kind in KINDS)])
        for name, value in values.items():
            if t and value == editions[t - 1][name]:
                row([((name, t), 1.0), ((name, t - 1), -1.0)])
    for t, published in told:
        for name, value in published.items():
            row([((name, t), 1.0)], value)
    ends = []
    for sign in (1, -1):
        cost = np.zeros(len(place))
        cost[place[key, at]] = sign
        solved = linprog(cost, A_eq=np.array(rows), b_eq=right, bounds=(0, None))
        assert solved.status in {0, 3}, solved.message
        ends.append(np.inf if solved.status == 3 else solved.x[place[key, at]])
    return ends


def values(table):
    found = {kind: sum(given.values()) for kind, given in table.items()}
    return found | {"total": sum(found.values())}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), is_one_table=st.booleans(), editions=st.integers(1, 3))
def test_nothing_that_either_holds_back_comes_out_of_both(seed, is_one_table, editions):
    """One table known by other holders at each node, or two tables: no cell, no edition, no reader."""
    rng = np.random.default_rng(seed)
    nodes = (Node(), Node())
    totals = rng.integers(10, 200, len(KINDS)).astype(float)
    first = {kind: split(rng, total) for kind, total in zip(KINDS, totals, strict=True)}
    history, told, held = [[], []], [[], []], []
    tables = [first, first]
    for edition in range(editions):
        if edition:
            tables[0] = {kind: moved(rng, given) for kind, given in tables[0].items()}
        worth = [sum(tables[0][kind].values()) * (1 if is_one_table else 1.7) for kind in KINDS]
        if not edition or not is_one_table:
            drawn = {kind: split(rng, value) for kind, value in zip(KINDS, worth, strict=True)}
            tables[1] = drawn if not edition else {k: moved(rng, g) for k, g in tables[1].items()}
        else:  # the same figures by this node's own holders
            tables[1] = {
                kind: {name: tonnes * value / sum(given.values()) for name, tonnes in given.items()}
                for (kind, given), value in zip(tables[1].items(), worth, strict=True)
            }
        for at in (0, 1):
            history[at].append(values(tables[at]))
        try:
            settle(nodes, tables)
        except engine.NotProtectableError:
            continue  # then nobody tells anything of this edition
        # Only what was told before, and did not change, can be held back at one node alone.
        assert nodes[0].held ^ nodes[1].held <= nodes[0].ever_told | nodes[1].ever_told
        for at, node in enumerate(nodes):
            node.tell(tables[at])
            told[at].append((edition, node.told[-1]))
        held += [
            (at, edition, cell)
            for at, node in enumerate(nodes)
            for cell in node.cells(tables[at])
            if cell.key in node.held and cell.key not in node.ever_told
        ]
        for at, when, cell in held:  # of every edition so far
            seen = told[0] + told[1] if is_one_table else told[at]
            low, high = reader(history[at], seen, cell.key, when)
            largest = max(cell.contributions.values())
            assert low <= max(0.0, cell.value - 0.1 * largest) + 1e-5 * cell.value
            assert high >= cell.value + 0.1 * largest - 1e-5 * cell.value


def test_alone_each_node_would_give_the_others_cell_away():
    """Why patterns are exchanged: each may tell by its own rules what the other holds back."""
    many = {f"h{n}": 10.0 for n in range(4)}
    tables = [
        {"government": {"a": 40.0}, "industry": many, "producer": many, "transit": many},
        {"government": many, "industry": {"a": 40.0}, "producer": many, "transit": many},
    ]
    nodes = (Node(), Node())
    for node, table in zip(nodes, tables, strict=True):
        node.pattern(table, Node())
    assert "government" in nodes[1].found.published
    assert "industry" in nodes[0].found.published
    settle(nodes, tables)
    assert nodes[0].held == nodes[1].held >= {"government", "industry"}


def test_what_the_partner_told_protects_nothing_any_more():
    many = {f"h{n}": 10.0 for n in range(4)}
    table = {"government": {"a": 40.0}, "industry": many, "producer": many, "transit": many}
    cells = Node().cells(table)
    told = {"industry", "producer"}
    found = engine.release_beside(cells, RELATIONS, held=(), told=told)
    assert told <= set(found.published)
    assert set(found.primary) == {"government"}
    with pytest.raises(engine.NotProtectableError):
        engine.release_beside(
            [Cell(c.key, c.value, c.contributions, "published" if c.key != "government" else "new")
             for c in cells], RELATIONS, held=(), told=(),
        )  # fmt: skip


def test_where_the_partner_told_what_is_held_back_here_nothing_more_is_told():
    many = {f"h{n}": 10.0 for n in range(4)}
    table = {"government": {"a": 40.0}, "industry": many, "producer": many, "transit": many}
    found = engine.release_beside(Node().cells(table), RELATIONS, held=(), told={"government"})
    assert found.published == {}


def test_a_class_that_was_held_back_does_not_come_out_of_a_later_edition():
    """A third holder joins: the class could be told, and with it what the first edition hid."""
    many = {f"h{n}": 10.0 for n in range(4)}
    node = Node()
    table = {"government": {"a": 12.0}, "industry": {"b": 9.0, "c": 8.0}, "producer": many,
             "transit": many}  # fmt: skip
    node.pattern(table, Node())
    assert node.held == {"government", "industry"}
    node.tell(table)
    later = table | {"industry": {"b": 9.0, "c": 8.0, "d": 7.0}}
    node.pattern(later, Node())
    assert {"government", "industry"} <= node.held
    assert engine.earlier({"a": 1.0}, []) == "new"
    assert engine.earlier(many, [(many, True)]) == "published"
    assert engine.earlier(many | {"h0": 11.0}, [(many, True)]) == "held"
    assert engine.earlier(many | {"h0": 11.0}, [(many, False)]) == "suppressed"
    assert engine.earlier(dict.fromkeys(many, 20.0), [(many, False)]) == "new"
    others = dict.fromkeys(many, 20.0)
    assert engine.earlier(many | {"h0": 11.0}, [(many, True), (others, True)]) == "held"
    assert engine.earlier(many, [(many, False), (others, True)]) == "held"
    assert engine.earlier(many, [(many, True), (others, True)]) == "new"
