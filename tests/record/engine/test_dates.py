"""Dates of three precisions, and periods."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.record import engine


@pytest.mark.parametrize(
    ("text", "first", "last", "grain"),
    [
        ("2025-10-28", date(2025, 10, 28), date(2025, 10, 28), "day"),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29), "month"),
        ("2023-02", date(2023, 2, 1), date(2023, 2, 28), "month"),
        ("1900-02", date(1900, 2, 1), date(1900, 2, 28), "month"),  # no leap year: Gregorian rule
        ("2026", date(2026, 1, 1), date(2026, 12, 31), "year"),
    ],
)
def test_a_date_covers_what_was_said(text, first, last, grain):
    read = engine.partial_date(text)
    assert (read.text, read.first, read.last, read.grain) == (text, first, last, grain)


@pytest.mark.parametrize(
    "text",
    ["", "2025-13", "2025-00", "2025-00-05", "2025-05-00", "2025-02-30", "2023-02-29", "25-10-28", "2025/10/28", "28.10.2025",
     "2025-1", "2025-10-28T00:00", "+2025", "-2025", "1849", "2201", "0000", "9999", "２０２５",
     "2025\n", " 2025", "令和7年", "2025-10-", "NaN", "\x00"],
)  # fmt: skip
def test_what_is_no_date_is_refused(text):
    with pytest.raises(engine.BadDateError):
        engine.partial_date(text)


@given(st.dates(date(1850, 1, 1), date(2200, 12, 31)))
def test_every_day_lies_in_its_month_and_year(day):
    exact = engine.partial_date(day.isoformat())
    month = engine.partial_date(day.isoformat()[:7])
    year = engine.partial_date(day.isoformat()[:4])
    assert exact.first == exact.last == day
    assert year.first <= month.first <= day <= month.last <= year.last


@pytest.mark.parametrize(
    "text", ["P5Y", "P6M", "P1Y6M", "P90D", "R/P3M", "2021/2025", "2021-04/2025-03", "2025/2025"]
)
def test_periods(text):
    assert engine.period(text) == text


@pytest.mark.parametrize(
    "text", ["", "P", "5Y", "P5", "PT5H", "P-5Y", "R/2021/2025", "2025/2021", "2021/", "2021-13/2025"]
)  # fmt: skip
def test_what_is_no_period_is_refused(text):
    with pytest.raises(engine.BadDateError):
        engine.period(text)
