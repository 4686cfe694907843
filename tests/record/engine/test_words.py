"""Amounts, dates and periods in words: what they say is exactly what is known."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.record import engine


@pytest.mark.parametrize(
    ("minor", "currency", "en", "ja"),
    [
        (3_000_000_000_000, "USD", "US$30 bn", "300億米ドル"),
        (11_000_000_000, "USD", "US$110 million", "1億1,000万米ドル"),
        (750_000, "USD", "US$7,500", "7,500米ドル"),
        (50, "USD", "US$0.50", "0.50米ドル"),
        (109_560_300_000_000, "USD", "US$1,095.603 bn", "1兆956億300万米ドル"),
        (50_000_000_000, "JPY", "¥50 bn", "500億円"),
        (12_345_678, "CHF", "CHF 123,456.78", "12万3,456.78スイスフラン"),
        (0, "USD", "US$0", "0米ドル"),
    ],
)
def test_amounts_as_people_write_them(minor, currency, en, ja):
    assert engine.money(minor, currency, "en") == en
    assert engine.money(minor, currency, "ja") == ja


def test_only_rounding_that_was_asked_for():
    assert engine.money(109_560_300_000_000, "USD", "en", decimals=1) == "US$1,095.6 bn"
    assert engine.money(109_560_300_000_000, "USD", "ja", decimals=1) == "1兆956億米ドル"
    assert engine.money(6_970_300_000_000, "USD", "en", decimals=1) == "US$69.7 bn"


UNITS = {"兆": 10**12, "億": 10**8, "万": 10**4}
ENGLISH = {"trillion": 10**12, "bn": 10**9, "million": 10**6}


def read_japanese(text):
    value, digits = Decimal(0), ""
    for sign in text.replace(",", ""):
        if sign in UNITS:
            value += int(digits) * UNITS[sign]
            digits = ""
        else:
            digits += sign
    return value + Decimal(digits or 0)


@given(st.integers(0, 10**17), st.sampled_from(["USD", "JPY", "KWD"]))
def test_words_lead_back_to_the_amount(minor, currency):
    """Nothing is lost between the number and its words, in either language."""
    value = engine.from_minor(minor, currency)
    ja = engine.money(minor, currency, "ja").removesuffix(engine.currency_name(currency, "ja"))
    places = Decimal("0.01")
    assert abs(read_japanese(ja.strip()) - value) < places
    en = engine.money(minor, currency, "en").removeprefix(engine.currency_name(currency, "en"))
    number, _, unit = en.strip().partition(" ")
    assert abs(Decimal(number.replace(",", "")) * ENGLISH.get(unit, 1) - value) < places


@pytest.mark.parametrize(
    ("text", "en", "ja"),
    [
        ("2025-10-28", "28 October 2025", "2025年10月28日"),
        ("2025-10", "October 2025", "2025年10月"),
        ("2027", "2027", "2027年"),
    ],
)
def test_a_date_keeps_its_grain(text, en, ja):
    assert (engine.date_words(text, "en"), engine.date_words(text, "ja")) == (en, ja)


@pytest.mark.parametrize(
    ("text", "en", "ja"),
    [
        ("P5Y", "5 years", "5年間"),
        ("P1Y", "1 year", "1年間"),
        ("P12M", "12 months", "12か月間"),
        ("R/P3M", "every 3 months", "3か月ごと"),
        ("R/P1Y", "every year", "1年ごと"),
        ("2021/2025", "2021 to 2025", "2021年から2025年まで"),
    ],
)
def test_periods(text, en, ja):
    assert (engine.period_words(text, "en"), engine.period_words(text, "ja")) == (en, ja)


def test_every_country_and_bloc_has_both_names():
    for code in engine.COUNTRIES | engine.BLOCS:
        en, ja = engine.place(code, "en"), engine.place(code, "ja")
        assert en
        assert ja
        assert en.isascii() or code in {"AX", "BL", "CI", "CW", "RE", "ST", "TR"}, en
    assert engine.place("JP", "ja") == "日本"
    assert engine.place("ZZ", "en") == "ZZ"  # an unknown code is shown as it is
