"""National customs' own tables: lines of 9 and 10 digits, own country codes, own units and currency.

Three forms are read, each known by its header:

- the registry's own: one row a flow, with unit and currency in each row;
- Trade Statistics of Japan, "commodity by country" (品別国別表) as e-Stat and customs.go.jp give it: one
  row a 9-digit code and country, three columns a month (or the year's alone), values in thousand yen,
  country codes of the Ministry of Finance. Columns and codes as described in the e-Stat API's metadata
  and by users who read these files (statistics 00350300, tables 000001013141); "About Trade Statistics of
  Japan" (www.customs.go.jp/toukei/sankou/howto/gaiyou_e.htm) for units, countries and rounding;
- US Census Bureau, International Trade API (``timeseries/intltrade/imports|exports/hs``): a list of rows
  whose first is the header, values in dollars, country codes of Schedule C; "Guide to International Trade
  Datasets" (www.census.gov/foreign-trade/reference/guides).

``data/customs.csv`` holds both lists of country codes; where a code is no country, its place is empty.

What is not taken: a quantity in pieces, litres or content is no tonnes; a month that nobody has published
is no zero (both offices print 0 there); thousand yen are no dollars unless somebody states a rate; a
heading of four digits (USITC DataWeb's tables by HTS-4) is no code of six.
"""

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Final

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._files import MovedColumnsError, Source, header_of, rows_of
from renkei.materials.engine._places import places
from renkei.materials.engine._releases import (
    Read,
    Trade,
    amount_of,
    is_whole,
    keep,
    month_of,
    read_reported,
    trade_of,
    where_of,
)

Rates = Mapping[tuple[str, str], float]
"""What one US dollar costs, by currency (ISO 4217) and month ("2025-01"; "" is every other month)."""

COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "period": ("month",),
    "reporter": ("reporter",),
    "flow": ("flow",),
    "partner": ("partner",),
    "code": ("code",),
    "value": ("value",),
    "currency": ("currency",),
    "mass": ("quantity",),
    "unit": ("unit",),
    "basis": ("basis",),
}
_TONNES: Final[Mapping[str, float]] = {"kg": 1e-3, "t": 1.0, "g": 1e-6, "mt": 1.0, "gr": 1e-6}
_PLAUSIBLE: Final[Mapping[str, tuple[float, float]]] = {
    "JPY": (60.0, 400.0)
}  # 75.3 in 2011, 360 once
_RATE: Final = re.compile(r"([A-Z]{3})(?:@(\d{4}-(?:0[1-9]|1[0-2])))?=(\d+(?:\.\d+)?)")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_ALSO: Final[Mapping[str, str]] = {"Apr": "Apl"}  # as the tables of 2008 have it
_CODES: Final[Mapping[str, str]] = {"export": "1", "import": "2"}
_ROUNDING: Final = 12  # twelve months, each rounded down by less than one thousand yen
_SAME: Final = 1e-6  # a total and the sum of its lines, both in whole dollars


class NoRateError(RenkeiError):
    """Values are in a currency whose price nobody stated."""

    code = "materials.no_rate"


class BadRateError(RenkeiError):
    """What somebody stated as a rate is none."""

    code = "materials.bad_rate"


class StatedTwiceError(RenkeiError):
    """Somebody states what a table says itself."""

    code = "materials.stated_twice"


class HeadingsError(RenkeiError):
    """A table by headings of four digits says nothing about codes of six."""

    code = "materials.headings"


def rates_of(stated: Sequence[str]) -> dict[tuple[str, str], float]:
    """Read rates as people state them: "JPY=150.2" for every month, "JPY@2025-01=156.4" for one.

    Raises:
        BadRateError: it has another form, is stated twice, or is no price of a dollar.
    """
    rates: dict[tuple[str, str], float] = {}
    for text in stated:
        found = _RATE.fullmatch(text.strip())
        if found is None:
            raise BadRateError(
                gettext_noop(
                    "{text!r} is no rate: expected JPY=150.2 (yen for one US dollar) or "
                    "JPY@2025-01=156.4 for one month"
                ),
                text=text[:60],
            )
        currency, month, number = found[1], found[2] or "", float(found[3])
        low, high = _PLAUSIBLE.get(currency, (0.0, math.inf))
        if not low < number < high:
            raise BadRateError(
                gettext_noop(
                    "{text!r}: expected how much {currency} one US dollar costs, between {low} and {high}"
                ),
                text=text[:60],
                currency=currency,
                low=f"{low:g}",
                high=f"{high:g}",
            )
        if (currency, month) in rates:
            raise BadRateError(
                gettext_noop("the rate of {currency} {month} is stated twice"),
                currency=currency,
                month=month,
            )
        rates[currency, month] = number
    return rates


def _rate(rates: Rates, currency: str, day: date) -> float | None:
    return rates.get((currency, f"{day:%Y-%m}"), rates.get((currency, "")))


@cache
def _places(reporter: str) -> Mapping[str, str]:
    """Return the places of an office's country codes; empty where a code is no country."""
    text = (resources.files("renkei.materials") / "data" / "customs.csv").read_text("utf-8")
    return {
        row["code"]: row["place"]
        for row in csv.DictReader(text.splitlines())
        if row["reporter"] == reporter
    }


def read_customs(
    content: Source,
    *,
    codes: frozenset[str],
    given: Mapping[str, str] | None = None,
    until: date | None = None,
    rates: Rates | None = None,
) -> Read:
    """Read a customs table: the registry's own form, Japan's or the US Census Bureau's.

    Lines of a national tariff (8 to 10 digits) stay lines; ``add_up`` makes codes of six of them.

    Args:
        content: the file.
        codes: those that the registry keeps; rows of others are passed over.
        given: ``reporter`` and ``flow`` of every row, where a table in the own form does not say.
        until: the day on which it was published: no flow lies after it.
        rates: what one US dollar costs in the currency of the table.

    Raises:
        NoRateError: values are in yen, and no rate was stated.
        HeadingsError: the table is by headings of four digits.
        StatedTwiceError: ``given`` for a table that says it itself.
        MovedColumnsError: no form has these columns.
    """
    header = header_of(content, page="cp932")
    if given and {"Exp or Imp", "I_COMMODITY", "E_COMMODITY"} & set(header):
        raise StatedTwiceError(
            gettext_noop(
                "the table says itself whose trade it is and which way it goes: --reporter and --flow are "
                "for tables that do not"
            )
        )
    if "Exp or Imp" in header:
        read = _read_japan(content, header, codes=codes, until=until, rates=rates or {})
    elif {"I_COMMODITY", "E_COMMODITY"} & set(header):
        read = _read_census(content, header, codes=codes, until=until)
    elif {"hts4", "HTS4", "hts_4"} & set(header):
        raise HeadingsError(
            gettext_noop(
                "the table is by HTS headings of four digits, which cannot be divided into codes of six: "
                "take the query at HTS-10 (or HTS-6) from the US Census Bureau's International Trade API"
            )
        )
    else:
        read = _read_own(content, codes=codes, given=given or {}, until=until, rates=rates or {})
    _totals_beside_lines(read)
    read.faults.sort(key=lambda fault: fault.row)
    return read


def add_up(read: Read) -> int:
    """Add lines of a national tariff up to six digits; return how many lines there were.

    A mass that one line lacks the sum lacks. A sum of which a line is faulty is none, and stays out.
    """
    found: dict[tuple[Any, ...], Trade] = {}
    lines = 0
    for trade in read.rows:
        if trade.code[:6] in read.short:
            read.skip("beside a faulty line")
            continue
        one = replace(trade, code=trade.code[:6])
        lines += len(trade.code) > 6
        place = where_of(one)
        held = found.get(place)
        if held is not None:
            masses = (held.tonnes, one.tonnes)
            kusd = held.kusd + one.kusd
            one = replace(
                held,
                kusd=kusd,
                tonnes=None if None in masses else sum(mass or 0.0 for mass in masses),
            )
        found[place] = one
    read.rows = list(found.values())
    return lines


def _totals_beside_lines(read: Read) -> None:
    """Take out a total of six digits that stands beside its own lines, or note that it is another.

    The Census Bureau answers all levels at once unless one is asked for.
    """
    lines: dict[tuple[Any, ...], float] = {}
    for trade in read.rows:
        if len(trade.code) > 6:
            place = where_of(replace(trade, code=trade.code[:6]))
            lines[place] = lines.get(place, 0.0) + trade.kusd
    kept: list[Trade] = []
    moved: dict[int, int] = {}
    for at, trade in enumerate(read.rows):
        place = where_of(trade)
        if len(trade.code) > 6 or place not in lines:
            moved[at] = len(kept)
            kept.append(trade)
        elif abs(lines[place] - trade.kusd) > _SAME * max(1.0, trade.kusd):
            read.short.add(trade.code)
            read.fault(
                trade.row,
                gettext_noop(
                    "row {row}: {code} says {total} thousand US dollars, and its lines add up to {sum}"
                ),
                code=trade.code,
                total=f"{trade.kusd:g}",
                sum=f"{lines[place]:g}",
            )
        else:
            read.skip("total")
    read.doubtful = {moved[at] for at in read.doubtful if at in moved}
    read.rows = kept


def _read_own(
    content: Source,
    *,
    codes: frozenset[str],
    given: Mapping[str, str],
    until: date | None,
    rates: Rates,
) -> Read:
    def dollars(cells: Mapping[str, str]) -> float | None:
        if cells["currency"] == "USD":
            return 1e-3
        period = month_of(cells["period"])
        rate = _rate(rates, cells["currency"], period[0]) if period else None
        return None if rate is None else 1e-3 / rate

    return read_reported(
        content,
        COLUMNS,
        optional=frozenset({"basis"}),
        codes=codes,
        given=given,
        until=until,
        mass=lambda cells: _TONNES.get(cells["unit"].casefold()),
        dollars=dollars,
    )


# Japan


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of Japan's table, in its own units."""

    row: int
    flow: str
    year: int
    code: str
    place: str
    factor: float | None  # tonnes in one unit of quantity; none: it is no mass
    amounts: Mapping[int, tuple[int, int]]  # by month (0: the year): thousand yen, and quantity


def _read_japan(
    content: Source,
    header: Sequence[str],
    *,
    codes: frozenset[str],
    until: date | None,
    rates: Rates,
) -> Read:
    if "Country" not in header or {"Custom", "Customs"} & set(header):
        raise MovedColumnsError(
            gettext_noop(
                "row 1: expected Japan's table of commodities by country (品別国別表), for all customs "
                "offices; the file has: {header}"
            ),
            header=", ".join(header)[:300],
        )
    columns, months = _japanese_columns(header)
    read = Read()
    seen: dict[tuple[Any, ...], tuple[int, int]] = {}
    units: dict[tuple[str, str], tuple[int, tuple[str, str]]] = {}
    lines: list[_Line] = []
    latest: dict[tuple[str, int], int] = {}
    for row, cells in rows_of(content, columns, page="cp932"):
        if not is_whole(read, row, cells):
            continue
        _look(latest, cells, months)
        code = cells["code"] = cells["code"].strip("'\"")
        if re.fullmatch(r"\d{9}", code) and code[:6] not in codes:
            read.skip("code")
            continue
        line = _japanese(read, row, cells, units, months)
        if line is None:
            read.lacks(code)
            continue
        if line.place == "":
            read.skip("area")
            continue
        where = (line.flow, line.year, line.code, cells["partner"])
        if where in seen:
            first, at = seen[where]
            same = lines[at].amounts == line.amounts
            read.again(row, at, first, is_same=same)
            read.lacks(code)
            continue
        seen[where] = (row, len(lines))
        lines.append(line)
    read.doubtful.clear()  # these were lines of the file; what they say stays out as a whole code
    _priced(lines, latest, rates)
    kept: dict[tuple[Any, ...], tuple[int, int]] = {}
    for line in lines:
        for trade in _trades(read, line, latest, until, rates):
            _add_area(read, trade, kept)
    return read


def _priced(lines: Sequence[_Line], latest: Mapping[tuple[str, int], int], rates: Rates) -> None:
    """Refuse yen of which nobody said what they are worth.

    Raises:
        NoRateError: naming the first month without a rate.
    """
    needed = {
        day
        for line in lines
        for month in line.amounts
        if month <= latest.get((_CODES[line.flow], line.year), 0)
        and (day := date(line.year, month or 1, 1))
    }
    unpriced = sorted(day for day in needed if _rate(rates, "JPY", day) is None)
    if unpriced:
        raise NoRateError(
            gettext_noop(
                "the values are in thousand yen, and no rate is stated for {month}: state what one US "
                "dollar costs by --rate JPY=150.2, or month by month by --rate JPY@{month}=156.4; nothing "
                "was loaded"
            ),
            month=f"{unpriced[0]:%Y-%m}",
        )


def _add_area(read: Read, trade: Trade, kept: dict[tuple[Any, ...], tuple[int, int]]) -> None:
    """Keep a flow; of two areas of one country (Azores and Portugal) both count."""
    place = where_of(trade)
    if place not in kept:
        kept[place] = (trade.row, len(read.rows))
        read.rows.append(trade)
        return
    at = kept[place][1]
    held = read.rows[at]
    masses = (held.tonnes, trade.tonnes)
    read.rows[at] = replace(
        held,
        kusd=held.kusd + trade.kusd,
        tonnes=None if None in masses else sum(mass or 0.0 for mass in masses),
    )


def _japanese_columns(header: Sequence[str]) -> tuple[dict[str, Sequence[str]], list[int]]:
    """Return the columns of Japan's table, and which months it has; 0 is the year's column."""
    columns: dict[str, Sequence[str]] = {
        "flow": ("Exp or Imp",),
        "year": ("Year",),
        "code": ("HS",),
        "partner": ("Country",),
        "unit1": ("Unit1",),
        "unit2": ("Unit2",),
    }
    names = {0: ("Year",)} | {
        at: (name, _ALSO[name]) if name in _ALSO else (name,) for at, name in enumerate(_MONTHS, 1)
    }
    there = [at for at, said in names.items() if any(f"Value-{one}" in header for one in said)]
    if not there:
        there = [0]  # the year's column is named as missing
    for at in there:
        for kind in ("Quantity1", "Quantity2", "Value"):
            columns[f"{kind}-{at}"] = tuple(f"{kind}-{one}" for one in names[at])
    return columns, there


def _look(
    latest: dict[tuple[str, int], int], cells: Mapping[str, str], months: Sequence[int]
) -> None:
    """Remember the last month of a year in which any row of a flow, of any code, says anything."""
    if not cells["year"].isdigit():
        return
    year = (cells["flow"], int(cells["year"]))
    for month in reversed(months):
        if month <= latest.get(year, 0):
            return
        if any((amount_of(cells[f"{kind}-{month}"]) or 0) > 0 for kind in ("Quantity2", "Value")):
            latest[year] = month
            return


def _japanese(
    read: Read,
    row: int,
    cells: Mapping[str, str],
    units: dict[tuple[str, str], tuple[int, tuple[str, str]]],
    months: Sequence[int],
) -> _Line | None:
    """Return a row of Japan's table, or note what is wrong with it."""
    code = cells["code"]
    flow = next((name for name, code in _CODES.items() if code == cells["flow"]), None)
    place = _places("JPN").get(cells["partner"])
    if flow is None:
        read.fault(row, gettext_noop("row {row}: unknown flow {flow!r}"), flow=cells["flow"])
    elif not re.fullmatch(r"\d{9}", code):
        read.fault(
            row, gettext_noop("row {row}: {code!r} is no code of nine digits"), code=code[:40]
        )
    elif not re.fullmatch(r"(19|20)\d\d", cells["year"]):
        read.fault(
            row,
            gettext_noop("row {row}: {year!r} is no year: have the columns moved?"),
            year=cells["year"],
        )
    elif place is None:
        read.fault(
            row,
            gettext_noop("row {row}: {country!r} is no country code of Japan's customs"),
            country=cells["partner"],
        )
    else:
        said = (cells["unit1"], cells["unit2"])
        first = units.setdefault((flow, code), (row, said))
        if first[1] != said:
            read.fault(
                row,
                gettext_noop(
                    "row {row}: {code} is counted in {unit!r} here and in {other!r} in row {first}"
                ),
                code=code,
                unit=" ".join(said).strip(),
                other=" ".join(first[1]).strip(),
                first=first[0],
            )
            return None
        # The second quantity is the main one; the first is the mass of some goods counted in pieces.
        which = next((at for at in (2, 1) if cells[f"unit{at}"].casefold() in _TONNES), 2)
        amounts = _whole_numbers(read, row, cells, which, months)
        if amounts is not None:
            factor = _TONNES.get(cells[f"unit{which}"].casefold())
            return _Line(row, flow, int(cells["year"]), code, place, factor, amounts)
    return None


def _whole_numbers(
    read: Read, row: int, cells: Mapping[str, str], which: int, months: Sequence[int]
) -> dict[int, tuple[int, int]] | None:
    """Return value and quantity by month, or note which of them is none."""
    told: dict[int, tuple[int, int]] = {}
    for month in months:
        pair = []
        for name in (f"Value-{month}", f"Quantity{which}-{month}"):
            text = cells[name]
            if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
                named = name.replace(f"-{month}", f"-{'Year' if not month else _MONTHS[month - 1]}")
                read.fault(
                    row,
                    gettext_noop("row {row}: the {name} {text!r} is no number")
                    if not re.fullmatch(r"-\d+", text)
                    else gettext_noop("row {row}: the {name} {text} is below zero"),
                    name=named,
                    text=text[:40],
                )
                return None
            pair.append(int(text))
        told[month] = (pair[0], pair[1])
    if 0 in told and len(told) > 1:
        year = told.pop(0)
        for at, name in ((0, "Value"), (1, "Quantity")):
            found = sum(pair[at] for pair in told.values())
            # A part of the year's columns proves nothing; all twelve do.
            if len(told) == 12 and abs(found - year[at]) > _ROUNDING:
                read.fault(
                    row,
                    gettext_noop(
                        "row {row}: {name}: the months add up to {found}, and the year says {year}"
                    ),
                    name=name,
                    found=found,
                    year=year[at],
                )
                return None
    return told


def _trades(
    read: Read, line: _Line, latest: Mapping[tuple[str, int], int], until: date | None, rates: Rates
) -> Iterator[Trade]:
    """Yield the flows of a line: one a month that was published, or one a year."""
    last = latest.get((_CODES[line.flow], line.year), 0)
    for month, (value, quantity) in line.amounts.items():
        period = month_of(f"{line.year}-{month:02d}" if month else str(line.year))
        if period is None or (month > last and not value):
            read.skip("unpublished")
            continue
        if until is not None and (period[0] if month else period[1]) > until:
            read.lacks(line.code)
            read.fault(
                line.row,
                gettext_noop("row {row}: {year} lies after {day}, when the file was published"),
                year=f"{line.year}-{month:02d}" if month else line.year,
                day=until,
            )
            return
        jpn, there = ("reporter", "JPN"), ("partner", line.place)
        trade = trade_of(
            read,
            line.row,
            {
                "period": f"{line.year}-{month:02d}" if month else str(line.year),
                "value": str(value),
                "mass": "" if line.factor is None else str(quantity),
                "basis": "consignment" if line.flow == "export" else "origin",
            },
            code=line.code,
            sides=(jpn, there) if line.flow == "export" else (there, jpn),
            is_reported=True,
            per_value=1 / (_rate(rates, "JPY", period[0]) or math.nan),
            per_mass=line.factor or 0.0,
        )
        if trade is None:
            read.lacks(line.code)
            return
        yield trade


# The United States


_FLAGS: Final = frozenset({"", "-", "null"})
_ALL: Final = frozenset({"", "-", "null"})
_GROUP: Final = re.compile(r"00\d\d|\dX{3}")  # country groups and continents of Schedule C


def _read_census(
    content: Source, header: Sequence[str], *, codes: frozenset[str], until: date | None
) -> Read:
    is_import = "I_COMMODITY" in header
    columns = _census_columns(is_import=is_import)
    has_time = "time" in header
    optional = frozenset(columns) - {"code", "partner", "value"}
    optional -= frozenset({"period"} if has_time else {"year", "month"})
    read = Read()
    seen: dict[tuple[Any, ...], tuple[int, int]] = {}
    units: dict[str, tuple[int, str]] = {}
    kinds: dict[str, list[Trade]] = {}
    for row, cells in rows_of(content, columns, optional=optional, page="cp1252"):
        if not is_whole(read, row, cells):
            continue
        code = cells["code"]
        reason = _beside_census(cells, codes)
        if reason:
            read.skip(reason)
            continue
        trade = _census(read, row, cells, units, is_import=is_import, until=until)
        if trade is None:
            read.lacks(code)
            continue
        kind = cells["domestic"] if cells["domestic"] not in _ALL else ""
        kinds.setdefault(kind, []).append(trade)
    if kinds.keys() - {""}:
        _both_kinds(read, kinds)
    for trade in kinds.get("", []):
        before = len(read.faults)
        keep(read, trade, seen)
        if len(read.faults) > before:
            read.lacks(trade.code)
    return read


def _census_columns(*, is_import: bool) -> dict[str, Sequence[str]]:
    return {
        "code": ("I_COMMODITY",) if is_import else ("E_COMMODITY",),
        "partner": ("CTY_CODE",),
        "value": ("GEN_VAL_MO",) if is_import else ("ALL_VAL_MO",),
        "quantity1": ("GEN_QY1_MO",) if is_import else ("QTY_1_MO",),
        "quantity2": ("GEN_QY2_MO",) if is_import else ("QTY_2_MO",),
        "flag1": ("GEN_QY1_MO_FLAG",) if is_import else ("QTY_1_MO_FLAG",),
        "flag2": ("GEN_QY2_MO_FLAG",) if is_import else ("QTY_2_MO_FLAG",),
        "unit1": ("UNIT_QY1",),
        "unit2": ("UNIT_QY2",),
        "period": ("time",),
        "year": ("YEAR",),
        "month": ("MONTH",),
        "summary": ("SUMMARY_LVL",),
        "domestic": ("DF",),
        "district": ("DISTRICT", "PORT", "STATE"),
    }


def _beside_census(cells: Mapping[str, str], codes: frozenset[str]) -> str:
    """Return why a sound row says nothing that the registry keeps, or nothing."""
    code = cells["code"]
    if code == "-" or (code.isdigit() and len(code) < 6):
        return "heading"
    if code.isdigit() and len(code) in {6, 10} and code[:6] not in codes:
        return "code"
    if cells["partner"] == "-":
        return "total"
    if cells["partner"] == "1000":
        return "area"  # goods of the United States that come back
    if cells["summary"] == "CGP" or _GROUP.fullmatch(cells["partner"]):
        return "area"
    return "" if cells["district"] in _ALL else "part"


def _census(
    read: Read,
    row: int,
    cells: Mapping[str, str],
    units: dict[str, tuple[int, str]],
    *,
    is_import: bool,
    until: date | None,
) -> Trade | None:
    """Return the flow of a row, or note what is wrong with it."""
    place = _places("USA").get(cells["partner"])
    period = cells["period"] or f"{cells['year']}-{cells['month'].zfill(2)}"
    if not place or place not in places():
        read.fault(
            row,
            gettext_noop("row {row}: {country!r} is no country code of the US Census Bureau"),
            country=cells["partner"],
        )
        return None
    if not re.fullmatch(r"\d{4}-?\d{2}", period):
        read.fault(
            row, gettext_noop("row {row}: {month!r} is no month of a year"), month=period[:40]
        )
        return None
    if len(cells["code"]) == 10:
        first = units.setdefault(cells["code"], (row, cells["unit1"]))
        if first[1] != cells["unit1"]:
            read.fault(
                row,
                gettext_noop(
                    "row {row}: {code} is counted in {unit!r} here and in {other!r} in row {first}"
                ),
                code=cells["code"],
                unit=cells["unit1"],
                other=first[1],
                first=first[0],
            )
            return None
    # Content (CKG), pieces, litres and "no quantity" (X, -) are no mass of the goods.
    which = next((at for at in "12" if cells[f"unit{at}"].casefold() in _TONNES), "")
    is_told = which and cells[f"flag{which}"] in _FLAGS
    partner, usa = ("partner", place), ("reporter", "USA")
    return trade_of(
        read,
        row,
        {
            **cells,
            "period": period,
            "mass": cells[f"quantity{which}"] if is_told else "",
            "basis": "origin" if is_import else "consignment",
        },
        code=cells["code"],
        sides=(partner, usa) if is_import else (usa, partner),
        is_reported=True,
        per_value=1e-3,
        per_mass=_TONNES[cells[f"unit{which}"].casefold()] if which else 1.0,
        until=until,
    )


def _both_kinds(read: Read, kinds: dict[str, list[Trade]]) -> None:
    """Add domestic and foreign exports up, unless their totals stand beside them.

    One kind alone is a part of the exports, and no flow.
    """
    parts = [trade for kind, there in kinds.items() if kind for trade in there]
    if "" in kinds or len(kinds) == 1:
        for _trade in parts:
            read.skip("part")
        return
    once: dict[tuple[Any, ...], tuple[int, int]] = {}
    sums: dict[tuple[Any, ...], Trade] = {}
    for kind, there in kinds.items():
        for trade in there:
            place = where_of(trade)
            if (kind, *place) in once:
                first = once[kind, *place][0]
                read.fault(
                    trade.row,
                    gettext_noop("row {row}: says again what row {first} says"),
                    first=first,
                )
                read.lacks(trade.code)
                continue
            once[kind, *place] = (trade.row, 0)
            held = sums.get(place)
            if held is not None:
                masses = (held.tonnes, trade.tonnes)
                trade = replace(  # noqa: PLW2901  the sum takes its place
                    held,
                    kusd=held.kusd + trade.kusd,
                    tonnes=None if None in masses else sum(mass or 0.0 for mass in masses),
                )
            sums[place] = trade
    kinds[""] = list(sums.values())
