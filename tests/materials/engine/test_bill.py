"""Bills of materials: amounts down, shortages up, no rings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.materials import engine
from renkei.materials.engine import BillLine

LINES = [
    BillLine("vehicle", "motor", 2),
    BillLine("vehicle", "paint", 3, essential=False, weight=0.1),
    BillLine("motor", "magnet", 4),
    BillLine("motor", "copper", 10, substitutable=0.3),
    BillLine("magnet", "neodymium", 0.3),
    BillLine("magnet", "dysprosium", 0.05),
    BillLine("vehicle", "neodymium", 0.1),
]


def test_amounts_multiply_down_the_tree():
    """2 motors * 4 magnets * 0.3 and 0.1 of its own: 2.5 of neodymium."""
    assert engine.Bills(LINES).explode("vehicle") == pytest.approx(
        {"neodymium": 2.5, "dysprosium": 0.4, "copper": 20, "paint": 3}
    )


def test_the_scarcest_part_sets_what_can_be_made():
    found = engine.Bills(LINES).exposure("vehicle", {"dysprosium": 0.6, "copper": 0.5})

    assert found.lost == pytest.approx(0.6)
    assert found.because == "dysprosium"
    assert found.path == ("vehicle", "motor", "magnet", "dysprosium")
    assert found.materials == pytest.approx({"dysprosium": 0.6, "copper": 0.2})


def test_a_part_that_is_not_essential_costs_its_weight():
    found = engine.Bills(LINES).exposure("vehicle", {"paint": 0.5})

    assert found.lost == pytest.approx(0.05)
    assert found.because == "paint"


def test_who_uses_a_material():
    assert engine.Bills(LINES).products_of("dysprosium") == ["magnet", "motor", "vehicle"]


def test_a_ring_is_named():
    with pytest.raises(engine.CycleError, match="motor → magnet → alloy → motor"):
        engine.Bills([
            BillLine("motor", "magnet", 1), BillLine("magnet", "alloy", 1),
            BillLine("alloy", "motor", 1),
        ])  # fmt: skip
    with pytest.raises(engine.CycleError, match="cell → cell"):
        engine.Bills([BillLine("cell", "cell", 1)])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (BillLine("a", "b", 0), "row 1"), (BillLine("a", "b", -1), "row 1"),
        (BillLine("a", "b", float("nan")), "row 1"), (BillLine("a", "b", 1, weight=2), "row 1"),
        (BillLine("vehicle", "motor", 1), "row 1: motor stands twice"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named(line, says):
    with pytest.raises(engine.BadLineError, match=says):
        engine.Bills([LINES[0], line])


def test_an_unknown_product_is_not_found():
    with pytest.raises(engine.UnknownProductError, match="submarine"):
        engine.Bills(LINES).explode("submarine")


def test_a_deep_bill_needs_no_deep_stack():
    lines = [BillLine(f"p{n}", f"p{n + 1}", 1) for n in range(5000)]

    assert engine.Bills(lines).explode("p0") == {"p5000": 1}


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_shortage_never_costs_less(one, other):
    bills = engine.Bills(LINES)
    low, high = sorted((one, other))

    assert (
        bills.exposure("vehicle", {"copper": low}).lost
        <= bills.exposure("vehicle", {"copper": high}).lost
    )


@given(st.floats(0, 1))
def test_one_material_that_is_missing_in_several_parts_is_missing_once(share):
    bills = engine.Bills([
        BillLine("car", "lithium", 1),
        BillLine("car", "cell", 1, essential=False, weight=1.0),
        BillLine("car", "pump", 1, essential=False, weight=0.5),
        BillLine("cell", "lithium", 1), BillLine("pump", "lithium", 1),
    ])  # fmt: skip
    assert bills.exposure("car", {"lithium": share}).lost == pytest.approx(share)
