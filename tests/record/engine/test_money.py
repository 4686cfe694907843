"""Exact amounts, and which of them may be added."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.record import engine


@pytest.mark.parametrize(
    ("currency", "decimals"), [("USD", 2), ("JPY", 0), ("KRW", 0), ("BHD", 3), ("EUR", 2)]
)
def test_minor_units(currency, decimals):
    """ISO 4217:2015, table A.1."""
    assert engine.exponent(currency) == decimals


@pytest.mark.parametrize("code", ["", "usd", "US", "XXX", "XAU", "DEM", "BTC", "$", "\x00"])
def test_what_is_no_currency_is_refused(code):
    with pytest.raises(engine.UnknownCurrencyError, match="ISO 4217"):
        engine.exponent(code)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("110000000", "USD", 11_000_000_000), ("0.50", "USD", 50), ("0", "JPY", 0), ("1.5", "USD", 150),
     ("50000000000", "JPY", 50_000_000_000), ("1.234", "BHD", 1234), ("1.00", "JPY", 1),
     ("007", "USD", 700)],
)  # fmt: skip
def test_amounts_in_minor_units(text, currency, minor):
    assert engine.to_minor(text, currency) == minor


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "1,000", "1e9", "NaN", "Infinity", "0x10", "1.", ".5", "１２", " 1", "1 ",
     "1_000", "٣", "9" * 19, "1.0000", "\x00", "1\n"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(engine.BadAmountError):
        engine.to_minor(text, "USD")


def test_more_decimals_than_the_currency_has_are_refused():
    with pytest.raises(engine.BadAmountError, match="JPY has 0 decimals"):
        engine.to_minor("0.5", "JPY")
    with pytest.raises(engine.BadAmountError, match="USD has 2 decimals"):
        engine.to_minor("0.001", "USD")


def test_an_amount_beyond_any_programme_is_refused():
    assert engine.to_minor("1000000000000000", "USD") == 10**17
    with pytest.raises(engine.BadAmountError, match="larger than any programme"):
        engine.to_minor("1000000000000000.01", "USD")


@given(st.integers(0, 10**17), st.sampled_from(["USD", "JPY", "BHD"]))
def test_there_and_back(minor, currency):
    value = engine.from_minor(minor, currency)
    assert engine.to_minor(str(value), currency) == minor
    assert value == Decimal(minor).scaleb(-engine.exponent(currency))
    assert "E" not in str(value)


def test_sides():
    assert [engine.side(text) for text in ("US", "JP", "joint", "other")] == [
        "US",
        "JP",
        "joint",
        "other",
    ]
    for bad in ("", "us", "QUAD", "both", "Mars"):
        with pytest.raises(engine.UnknownSideError):
            engine.side(bad)


def money(minor, side="joint", **kinds):
    given_kinds = {
        "nature": "public",
        "currency": "USD",
        "stage": "announced",
        "relation": "total",
        **kinds,
    }
    return engine.Sum(side=side, minor=minor, **given_kinds)


def test_parts_that_add_up_stand_for_the_total():
    """110 announced together, 60 and 50 by side: each side's share is seen, the sum is the same."""
    added = engine.contributions(
        money(110), [money(60, "US", relation="part"), money(50, "JP", relation="part")]
    )
    assert added == {
        ("US", "public", "USD", "announced"): 60,
        ("JP", "public", "USD", "announced"): 50,
    }


@pytest.mark.parametrize(
    "parts",
    [
        [money(60, "US"), money(49, "JP")],
        [money(60, "US"), money(50, "JP", nature="private_gift")],
        [money(60, "US"), money(50, "JP", currency="JPY")],
        [money(60, "US"), money(50, "JP", stage="signed")],
        [],
    ],
)
def test_else_the_total_stands_alone(parts):
    assert engine.contributions(money(110), parts) == {("joint", "public", "USD", "announced"): 110}


@pytest.mark.parametrize("relation", ["part", "same", "unknown"])
def test_what_is_no_total_is_never_added(relation):
    assert not engine.contributions(money(110, relation=relation), [money(110, "US")])
    assert not engine.contributions(None, [money(5, "US", relation=relation)])


def test_amounts_by_side_without_a_total():
    assert engine.contributions(None, [money(5, "US"), money(7, "JP", relation="part")]) == {
        ("US", "public", "USD", "announced"): 5
    }


@given(
    st.none() | st.integers(0, 50),
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["US", "JP", "joint"])), max_size=4),
)
def test_nothing_is_added_twice(total, parts):
    """What a record adds is its total, or (without one) the amounts by side; never both."""
    added = engine.contributions(
        None if total is None else money(total), [money(minor, side) for minor, side in parts]
    )
    expected = total if total is not None else sum(minor for minor, _side in parts)
    assert sum(added.values()) == expected
