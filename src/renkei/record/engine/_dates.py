"""Dates as sources give them: a day, a month or a year, never more exact than was said."""

import calendar
import re
from dataclasses import dataclass
from datetime import date

from renkei.kit.errors import RenkeiError, gettext_noop

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
FIRST_YEAR, LAST_YEAR = 1850, 2200  # modern treaties to far targets; outside is a slip of the pen


class BadDateError(RenkeiError):
    """This is not a date that the record can hold."""

    code = "record.bad_date"


@dataclass(frozen=True, order=True)
class PartialDate:
    """A day, month or year (ISO 8601-1, 4.3.2 reduced precision).

    Attributes:
        text: ``2025-10-28``, ``2025-10`` or ``2025``.
        first: its first day.
        last: its last day; what is due then is overdue after it.
    """

    text: str
    first: date
    last: date

    @property
    def grain(self) -> str:
        """Return ``day``, ``month`` or ``year``."""
        return {4: "year", 7: "month", 10: "day"}[len(self.text)]


def partial_date(text: str) -> PartialDate:
    """Read a date of any of the three precisions.

    Raises:
        BadDateError: another form, or a day that the calendar does not have.
    """
    match = _PARTIAL.fullmatch(text)
    if match is None:
        raise BadDateError(
            gettext_noop("{text!r} is not a date: expected 2025-10-28, 2025-10 or 2025"), text=text
        )
    year, month, day = (int(part) if part else None for part in match.groups())
    if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
        raise BadDateError(
            gettext_noop("{text!r}: the year must lie within {first} and {last}"),
            text=text,
            first=FIRST_YEAR,
            last=LAST_YEAR,
        )
    try:
        first = date(year, 1 if month is None else month, 1 if day is None else day)
    except ValueError as error:
        raise BadDateError(
            gettext_noop("{text!r}: the calendar has no such day or month"), text=text
        ) from error
    if day is not None:
        last = first
    elif month is not None:
        last = date(year, month, calendar.monthrange(year, month)[1])
    else:
        last = date(year, 12, 31)
    return PartialDate(text, first, last)


_PERIOD = re.compile(
    r"(?:R/)?P(?=\d)(?:\d{1,4}Y)?(?:\d{1,4}M)?(?:\d{1,5}D)?|(\d{4}(?:-\d{2}){0,2})/(\d{4}(?:-\d{2}){0,2})",
    re.ASCII,
)


def period(text: str) -> str:
    """Check a period: a duration (``P5Y``), a rhythm (``R/P3M``) or an interval (``2021/2025``).

    Raises:
        BadDateError: none of the three, or an interval that ends before it begins.

    Source: ISO 8601-1:2019, 5.5 (durations, intervals) and 5.6 (recurring).
    """
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise BadDateError(
            gettext_noop("{text!r} is not a period: expected P5Y, R/P3M or 2021/2025"), text=text
        )
    if match[1] and partial_date(match[1]).first > partial_date(match[2]).last:
        raise BadDateError(gettext_noop("{text!r} ends before it begins"), text=text)
    return text
