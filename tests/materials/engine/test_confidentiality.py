"""What may leave a node: gates, suppression, bits, set sizes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renkei.materials import engine
from renkei.materials.engine import Cell


def many(value, n=6):
    return {f"f{i}": value / n for i in range(n)}


@pytest.mark.parametrize(
    ("contributions", "why"),
    [
        ([], None), ([0, 0], None), ([5], "few_contributors"), ([5, 5], "few_contributors"),
        ([5, 5, 5], None), ([100, 50, 9], "p_percent"), ([100, 50, 10], None),
        ([100, 50, 4, 6], None), ([1000, 1, 1, 1], "p_percent"),
    ],
)  # fmt: skip
def test_the_gate(contributions, why):
    """Three contributors, and total - x1 - x2 at least 10 % of x1."""
    assert engine.gate(contributions) == why


def test_a_revision_may_not_give_a_contributor_away():
    before = {"a": 10.0, "b": 10.0, "c": 10.0}
    assert engine.difference_gate(before, before | {"d": 7.0}) == "difference"
    assert engine.difference_gate(before, before) is None
    assert (
        engine.difference_gate(before, {name: 2 * tonnes for name, tonnes in before.items()})
        is None
    )


def table():
    """Two nodes by two materials with totals; one cell has two contributors."""
    figures = {("us", "ga"): 40.0, ("us", "ge"): 60.0, ("jp", "ga"): 30.0, ("jp", "ge"): 70.0}
    cells = [
        Cell(
            f"{n}.{m}",
            value,
            {"x": value * 0.6, "y": value * 0.4} if (n, m) == ("us", "ga") else many(value),
        )
        for (n, m), value in figures.items()
    ]
    cells += [
        Cell(f"{node}.all", sum(v for (n, _), v in figures.items() if n == node), {})
        for node in ("us", "jp")
    ]
    cells += [
        Cell(f"all.{material}", sum(v for (_, m), v in figures.items() if m == material), {})
        for material in ("ga", "ge")
    ]
    cells.append(Cell("all.all", sum(figures.values()), {}))
    relations = [
        ("us.all", ["us.ga", "us.ge"]), ("jp.all", ["jp.ga", "jp.ge"]), ("all.ga", ["us.ga", "jp.ga"]),
        ("all.ge", ["us.ge", "jp.ge"]), ("all.all", ["us.all", "jp.all"]),
        ("all.all", ["all.ga", "all.ge"]),
    ]  # fmt: skip
    return cells, relations


def reader_interval(found, cells, relations, target):
    """What a reader can work out, by a linear programme of its own."""
    from scipy.optimize import linprog

    keys = [cell.key for cell in cells]
    a = np.zeros((len(relations), len(keys)))
    for row, (total, parts) in enumerate(relations):
        a[row, keys.index(total)] = 1
        for part in parts:
            a[row, keys.index(part)] -= 1
    bounds = [
        (found.published[key], found.published[key]) if key in found.published else (0, None)
        for key in keys
    ]
    ends = []
    for sign in (1, -1):
        cost = np.zeros(len(keys))
        cost[keys.index(target)] = sign
        solved = linprog(cost, A_eq=a, b_eq=np.zeros(len(relations)), bounds=bounds)
        ends.append(np.inf if solved.status == 3 else solved.x[keys.index(target)])
    return ends


def test_holding_back_one_cell_is_not_enough():
    cells, relations = table()
    found = engine.release(cells, relations)

    assert found.primary == {"us.ga": "few_contributors"}
    assert len(found.secondary) >= 1
    low, high = reader_interval(found, cells, relations, "us.ga")
    assert low <= 40 - 0.1 * 24 + 1e-6
    assert high >= 40 + 0.1 * 24 - 1e-6
    assert found.intervals["us.ga"][0] == pytest.approx(low, abs=1e-6)


def test_as_little_as_possible_is_held_back():
    """A two-way table with totals needs a rectangle: three more cells, and no total."""
    cells, relations = table()
    secondary = engine.release(cells, relations).secondary

    assert secondary == {"us.ge", "jp.ga", "jp.ge"}


def test_the_partner_knows_its_own_cells():
    """What protects against a stranger may not protect against the partner."""
    cells, relations = table()
    with pytest.raises(engine.NotProtectableError, match=r"us\.ga"):
        engine.release(
            [c if not c.key.startswith("all") else Cell(c.key, c.value, {}, "published") for c in cells],
            relations, known=["jp.ga", "jp.ge", "jp.all"],
        )  # fmt: skip
    found = engine.release(cells, relations, known=["jp.ga", "jp.ge", "jp.all"])
    assert {"us.ge", "all.ga"} & found.secondary


def test_what_was_published_stays_and_what_was_held_back_stays_so():
    cells, relations = table()
    states = {"us.ge": "published", "all.ge": "suppressed"}
    changed = [Cell(c.key, c.value, c.contributions, states.get(c.key, "new")) for c in cells]
    found = engine.release(changed, relations)

    assert "us.ge" in found.published
    assert "all.ge" not in found.published
    low, high = reader_interval(found, changed, relations, "us.ga")
    assert high - low >= 0.1 * 24


def test_a_total_of_few_is_held_back_too():
    """Two cells of one contributor each: their total has two, and must not come out either."""
    cells = [Cell("a", 5.0, {"x": 5.0}), Cell("b", 7.0, {"y": 7.0}), Cell("t", 12.0, {})]
    found = engine.release(cells, [("t", ["a", "b"])])

    assert found.published == {}
    assert found.primary == dict.fromkeys("abt", "few_contributors")
    with pytest.raises(engine.BadCellError, match="a part of itself"):
        engine.release([Cell("a", 5, {}), Cell("b", 5, {})], [("a", ["b"]), ("b", ["a"])])


def test_a_year_to_date_may_not_give_a_month_away():
    """January was held back and February is open: the sum of both must be held back too."""
    cells = [
        Cell("jan", 10.0, {"x": 6.0, "y": 4.0}, "suppressed"),
        Cell("feb", 20.0, many(20.0), "published"),
        Cell("ytd", 30.0, many(30.0)),
    ]
    found = engine.release(cells, [("ytd", ["jan", "feb"])])

    assert "ytd" not in found.published
    with pytest.raises(engine.NotProtectableError, match="jan"):
        engine.release(
            [cells[0], cells[1], Cell("ytd", 30.0, many(30.0), "published")],
            [("ytd", ["jan", "feb"])],
        )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_no_reader_works_out_a_primary_cell(seed):
    rng = np.random.default_rng(seed)
    rows, columns = 3, 3
    value = np.round(rng.random((rows, columns)) * 90 + 10)
    cells = [
        Cell(
            f"{r}.{c}", value[r, c],
            {"x": value[r, c]} if rng.random() < 0.25 else many(value[r, c]),
        )
        for r in range(rows)
        for c in range(columns)
    ]  # fmt: skip
    cells += [Cell(f"{r}.t", value[r].sum(), {}) for r in range(rows)]
    cells += [Cell(f"t.{c}", value[:, c].sum(), {}) for c in range(columns)]
    cells.append(Cell("t.t", value.sum(), {}))
    relations = [(f"{r}.t", [f"{r}.{c}" for c in range(columns)]) for r in range(rows)]
    relations += [(f"t.{c}", [f"{r}.{c}" for r in range(rows)]) for c in range(columns)]
    relations.append(("t.t", [f"{r}.t" for r in range(rows)]))
    found = engine.release(cells, relations)
    for key in found.primary:
        size = next(cell.value for cell in cells if cell.key == key)
        low, high = reader_interval(found, cells, relations, key)
        assert low <= size * 0.9 + 1e-5
        assert high >= size * 1.1 - 1e-5


@pytest.mark.parametrize(
    ("cells", "relations", "says"),
    [
        ([Cell("a", 1, {}), Cell("a", 2, {})], [], "row 1: the cell a stands twice"),
        ([Cell("a", -1, {})], [], "row 0"), ([Cell("a", float("nan"), {})], [], "row 0"),
        ([Cell("a", 5, {"x": 1.0})], [], "sum to 1.0, not 5"),
        ([Cell("a", 5, {})], [("a", ["b"])], "relation 0: there is no cell b"),
        ([Cell("a", 5, {}), Cell("b", 4, {})], [("a", ["b"])], "relation 0: the parts of a"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_named(cells, relations, says):
    with pytest.raises(engine.BadCellError, match=says):
        engine.release(cells, relations)


def test_bits_come_from_a_grid_and_are_few():
    grid = [10.0, 20.0, 30.0, 40.0]
    assert engine.threshold_bit(25, 20.0, grid=grid, asked=[])
    assert not engine.threshold_bit(25, 30.0, grid=grid, asked=[20.0])
    with pytest.raises(engine.QueryLimitError, match="no agreed threshold"):
        engine.threshold_bit(25, 24.0, grid=grid, asked=[])
    with pytest.raises(engine.QueryLimitError, match="3 thresholds"):
        engine.threshold_bit(25, 40.0, grid=grid, asked=[10.0, 20.0, 30.0])
    assert engine.threshold_bit(25, 10.0, grid=grid, asked=[10.0, 20.0, 30.0])  # the same again


def exchange(asker_items, answerer_items, **options):
    asker = engine.PsiAsker(asker_items)
    setup, response = engine.PsiAnswerer(answerer_items, **options).answer(asker.request())
    return asker.size(setup, response)


def test_only_the_size_of_the_intersection_comes_out():
    ours = [f"LEI{number:017d}" for number in range(50)]
    theirs = [f"LEI{number:017d}" for number in range(30, 100)]

    assert exchange(ours, theirs) == 20
    assert exchange(ours, [f"X{n}" for n in range(40)]) == 0
    request = engine.PsiAsker(ours).request()
    assert not any(one.encode() in request for one in ours)


def test_small_sets_and_many_questions_are_refused():
    items = [f"LEI{number:017d}" for number in range(40)]
    with pytest.raises(engine.QueryLimitError, match="a set of 3"):
        exchange(items[:3], items)
    with pytest.raises(engine.QueryLimitError, match="asked today"):
        exchange(items, items, asked_today=engine.MOST_QUERIES_A_DAY)
    with pytest.raises(engine.QueryLimitError, match="a set of 20001"):
        engine.check_query(size=20_001, asked_today=0)


@settings(max_examples=200)
@given(st.integers(0, 1023), st.integers(0, 1023))
def test_the_sets_of_a_comparison_meet_once_or_never(one, other):
    ours, theirs = engine.greater_set(one, bits=10), engine.lesser_set(other, bits=10)

    assert len(set(ours) & set(theirs)) == (one > other)
    assert len(set(ours)) == len(set(theirs)) == 10  # sizes tell nothing


@pytest.mark.parametrize(("one", "other"), [(500, 499), (499, 500), (7, 7)])
def test_a_private_comparison(one, other):
    assert exchange(engine.greater_set(one), engine.lesser_set(other)) == (one > other)


def test_no_sum_between_two_parties_is_offered():
    assert not [name for name in engine.__all__ if "sum" in name.lower()]


MANY = {"a": 10.0, "b": 12.0, "c": 9.0}


def by_class(**classes):
    """Cells of a table by class, and their total."""
    whole = {}
    for holders in classes.values():
        for name, tonnes in holders.items():
            whole[name] = whole.get(name, 0.0) + tonnes
    cells = [
        engine.Cell(name, sum(holders.values()), holders)
        for name, holders in (*classes.items(), ("total", whole))
    ]
    return cells, [("total", list(classes))]


@pytest.mark.parametrize(
    "classes",
    [
        {"government": {"US": 50.0}, "producer": {"D": 10.0}},
        {"government": {"US": 50.0}, "producer": {"US": 10.0, "D": 5.0}},
        {"government": {"US": 500.0}, "producer": {"D": 10.0, "E": 9.0}},
    ],
)
def test_what_is_left_of_a_total_is_a_figure_too(classes):
    """Total less industry is government and producer: of two holders each knows the other's."""
    found = engine.release(*by_class(**classes, industry=MANY))
    left = {"government", "producer"} - set(found.published)
    assert left == {"government", "producer"}
    assert not {"total", "industry"} <= set(found.published)
    assert found.published  # and yet not the whole table


def test_what_is_left_of_a_total_may_be_told_where_many_share_it():
    found = engine.release(
        *by_class(government={"US": 30.0}, producer={"D": 10.0, "E": 20.0}, industry=MANY)
    )
    assert set(found.published) == {"total", "industry"}


def test_what_is_left_of_a_total_that_was_told_cannot_be_taken_back():
    cells, relations = by_class(government={"US": 50.0}, producer={"D": 10.0}, industry=MANY)
    told = [
        replace(cell, state="published") if cell.key in {"total", "industry"} else cell
        for cell in cells
    ]
    with pytest.raises(engine.NotProtectableError, match="government, producer"):
        engine.release(told, relations)
