"""Publishers' files: bytes in, checked rows out, and what is wrong with each row.

Nothing is corrected in silence. A token that is no number stays a token ("NA", "W", "E", "XX", "s",
words); a bound ("<", ">") keeps its sign. Every fault names its row as a person counts it: the
header is row 1. What a database knows (former editions) is compared in ``door``.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._places import OTHERS, WORLD, place_code

MOST_FAULTS: Final = 500  # a file that is wrong throughout need not be told row by row
LARGEST_TONNES: Final = 1e11  # the world moves about 6e10 t of sand and gravel a year
LARGEST_KUSD: Final = 1e10
SUM_SLACK: Final = 0.06  # rounding of printed world totals (measured: 82 tables within 5 %)
EARLIEST_YEAR: Final = 1900
LATEST_YEAR: Final = 2100
COUNTRY_TOTALS: Final = 1.1

TONNES: Final[Mapping[str, float]] = {
    "metric tons": 1.0,
    "tonnes (metric)": 1.0,
    "tonnes": 1.0,
    "kilotonnes": 1e3,
    "thousand metric tons": 1e3,
    "thousand metric dry tons": 1e3,
    "million metric tons": 1e6,
    "kilograms": 1e-3,
    "million carats": 0.2,  # 1 carat is 0.2 g
    "thousands of carats": 2e-4,
}
"""Tonnes in one of each unit of mass."""

OTHER_UNITS: Final = re.compile(
    r"(|percent|number|index|tons|million (liters|cubic meters|dollars)|(dollars|cents) per .+)"
)
_ZEROS: Final = frozenset({"—", "–", "-", "0"})
_WORDS: Final[Mapping[str, str]] = {"NA": "NA", "W": "W", "E": "E", "XX": "XX", "s": "half"}
_NUMBER: Final = re.compile(r"([<>]?)\s*(-?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?")

SUBJECTS: Final[Mapping[str, str]] = {
    "production": "production",
    "capacity": "capacity",
    "reserves": "reserves",
    "net import reliance": "reliance",
    "import sources 2021-2024": "source",
    "import": "imports",
    "export": "exports",
    "consumption": "consumption",
    "stock": "stocks",
    "price": "price",
}
_MINED: Final = re.compile(r"\bmine|mining|helium production|marketable|brine", re.IGNORECASE)
_REFINED: Final = re.compile(
    r"refiner|smelter|primary production|sponge|silicon|alumina|arsenic|rare gases|metal production"
    r"|plant production",
    re.IGNORECASE,
)
_ROUNDED: Final = re.compile(r"[:,] rounded$")
_REVISED: Final = re.compile(r"(?P<edition>.+) \((?P<day>[^)]+)\): (?P<old>\S+) -> (?P<new>\S+)")
_MONTHS: Final = [
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
]
# The chapter prints two tables, of scrap and of sheet, whose rows do not say which they belong to.
_TWO_TABLES: Final = frozenset({"MICA (NATURAL)"})


class MovedColumnsError(RenkeiError):
    """The file's columns are not those of this publisher."""

    code = "materials.moved_columns"


class UnreadableError(RenkeiError):
    """The file is no table of text."""

    code = "materials.unreadable"


class FaultyRowError(RenkeiError):
    """One row cannot be; ``row`` counts the header as row 1."""

    code = "materials.faulty_row"

    def __init__(self, row: int, sentence: str, **values: object) -> None:
        self.row = row
        super().__init__(sentence, row=row, **values)


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed cell: an observation that is not in a database yet."""

    row: int
    key: str
    material: str
    stage: str
    subject: str
    place: str
    detail: str
    valid_from: date
    valid_to: date
    raw: str
    qualifier: str
    is_estimated: bool
    quantity: float | None
    unit: str
    tonnes: float | None
    note: str
    known_from: date | None = None  # later than the release: a correction inside it
    known_to: date | None = None  # what a correction inside the release replaced


@dataclass(frozen=True, slots=True)
class Trade:
    """One flow that is not in a database yet."""

    row: int
    code: str
    exporter: str
    importer: str
    valid_from: date
    valid_to: date
    kusd: float
    tonnes: float | None
    basis: str = "consignment"


@dataclass(slots=True)
class Read:
    """What a file held.

    Attributes:
        rows: what can be stored.
        faults: what is wrong, in the order of rows; any fault refuses the file.
        passed_over: how many sound rows are about nothing that the registry keeps, by reason.
    """

    rows: list[Any] = field(default_factory=list)
    faults: list[FaultyRowError] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)

    def fault(self, row: int, sentence: str, **values: object) -> None:
        """Note what is wrong with a row."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(FaultyRowError(row, sentence, **values))

    def skip(self, reason: str) -> None:
        """Count a row that is about something else."""
        self.passed_over[reason] = self.passed_over.get(reason, 0) + 1


def token(raw: str) -> tuple[str, float | None]:
    """Return the qualifier and the number of a printed token; no number where it prints none.

    "—" is zero; "NA", "W", "E" and "XX" say why there is no number; "s" is less than half a unit;
    "<5" and ">95" keep sign and bound; everything else is words.
    """
    text = raw.strip()
    if text in _ZEROS:
        return "zero", 0.0
    if text in _WORDS:
        return _WORDS[text], None
    found = _NUMBER.fullmatch(text)
    if found is None:
        return "words", None
    sign, minus, whole, part = found.groups()
    number = float(whole.replace(",", "") + (part or ""))
    return sign, -number if minus else number


def text_of(content: bytes) -> str:
    """Return a file's text: UTF-8, else the Windows-1252 that USGS writes.

    Raises:
        UnreadableError: it is neither, or holds NUL bytes.
    """
    if b"\0" in content:
        raise UnreadableError(gettext_noop("the file holds NUL bytes: it is no table of text"))
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableError(gettext_noop("the file is neither UTF-8 nor Windows-1252"))


def table(
    content: bytes, columns: Mapping[str, Sequence[str]], *, optional: frozenset[str] = frozenset()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row's number and the columns wanted, whatever their order.

    Args:
        content: a CSV file.
        columns: our name of a column, and the headings it may have.
        optional: those that may be missing; they are then empty.

    Raises:
        MovedColumnsError: a column is missing or stands twice.
    """
    reader = csv.reader(io.StringIO(text_of(content), newline=""))
    header = [name.strip() for name in next(reader, [])]
    places: dict[str, int] = {}
    for name, headings in columns.items():
        found = [at for at, heading in enumerate(header) if heading in headings]
        if len(found) > 1 or (not found and name not in optional):
            raise MovedColumnsError(
                gettext_noop(
                    "row 1: the column {name} is expected once (as {headings}); the file has: "
                    "{header}"
                ),
                name=name,
                headings=" / ".join(headings),
                header=", ".join(header)[:300],
            )
        if found:
            places[name] = found[0]
    for number, row in enumerate(reader, 2):
        if not any(row):
            continue
        if len(row) != len(header):
            yield number, {"": f"{len(row)}/{len(header)}"}
            continue
        yield (
            number,
            {name: row[places[name]].strip() if name in places else "" for name in columns},
        )


def _whole(read: Read, row: int, cells: Mapping[str, str]) -> bool:
    """Tell whether a row has as many cells as the header; note it if not."""
    if "" in cells:
        found, expected = cells[""].split("/")
        read.fault(
            row,
            gettext_noop("row {row}: {found} cells, expected {expected}"),
            found=found,
            expected=expected,
        )
        return False
    return True


def key_of(*parts: str) -> str:
    """Return a short name of a cell that is the same in every edition."""
    return hashlib.blake2s("|".join(parts).casefold().encode(), digest_size=12).hexdigest()


def tonnes_of(quantity: float | None, unit: str) -> float | None:
    """Return a quantity in tonnes; ``None`` where the unit is no mass."""
    return None if quantity is None or unit not in TONNES else quantity * TONNES[unit]


MCS_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "chapter": ("MCS chapter", "chapter"),
    "section": ("Section", "section"),
    "commodity": ("Commodity", "commodity"),
    "country": ("Country", "country"),
    "statistic": ("Statistics", "statistic"),
    "detail": ("Statistics_detail", "detail"),
    "unit": ("Unit", "unit"),
    "year": ("Year", "year"),
    "raw": ("Value", "value_raw"),
    "notes": ("Notes", "notes"),
    "estimated": ("estimated",),
    "revision": ("revision",),
    "printed_row": ("source_row",),
}


def read_mcs(content: bytes, *, commodities: Mapping[tuple[str, str], str]) -> Read:
    """Read a data release of the USGS Mineral Commodity Summaries (long form, one cell a row).

    Args:
        content: the file, with the columns of the release or those of our shipped table.
        commodities: the material's name by chapter and commodity, both casefolded.
    """
    read = Read()
    seen: dict[tuple[str, date], int] = {}
    totals: dict[tuple[str, ...], float] = {}
    parts: dict[tuple[str, ...], list[tuple[int, str, float]]] = {}
    optional = frozenset({"estimated", "revision", "printed_row", "notes"})
    for row, cells in table(content, MCS_COLUMNS, optional=optional):
        if not _whole(read, row, cells):
            continue
        for cell in _mcs_cells(read, row, cells, commodities, seen):
            place = (cell.key, cell.valid_from)
            if cell.known_to is None and place in seen:
                read.fault(
                    row,
                    gettext_noop("row {row}: says again what row {first} says"),
                    first=seen[place],
                )
                continue
            if cell.known_to is None:
                seen[place] = row
                _sum(cell, totals, parts)
            read.rows.append(cell)
    _check_sums(read, totals, parts)
    read.faults.sort(key=lambda fault: fault.row)
    return read


def _mcs_cells(
    read: Read,
    row: int,
    cells: dict[str, str],
    commodities: Mapping[tuple[str, str], str],
    seen: Mapping[tuple[str, date], int],
) -> Iterator[Printed]:
    """Yield the cell of a row, and before it the one that a later edition replaced."""
    chapter, commodity = cells["chapter"], cells["commodity"]
    period = _period(cells["year"])
    material = commodities.get((chapter.casefold(), commodity.casefold()))
    place = place_code(cells["country"]) or (OTHERS if ", " in cells["country"] else None)
    unit = cells["unit"]
    qualifier, quantity = token(cells["raw"])
    subject = SUBJECTS.get(cells["statistic"].casefold(), "other")
    said = _wrong(cells, period=period, material=material, place=place, subject=subject)
    if said is not None or period is None or material is None or place is None:
        named = {
            name: cells[name] for name in ("year", "commodity", "chapter", "country", "unit", "raw")
        }
        read.fault(row, said or "", **named)
        return
    is_world = cells["section"].casefold().startswith("world")
    detail = _ROUNDED.sub("", cells["detail"]) if place == WORLD else cells["detail"]
    stage = ""
    if is_world and subject in {"production", "capacity", "reserves"}:
        stage = _stage(chapter, detail)
    parts = [chapter, commodity, str(is_world), cells["statistic"], detail, cells["country"]]
    if chapter in _TWO_TABLES:
        # The tables follow each other: what is said again belongs to the second.
        again = (key_of("usgs", *parts, "0"), period[0]) in seen
        parts.append("1" if again else "0")
    values: dict[str, Any] = {
        "row": int(cells["printed_row"] or row),
        "key": key_of("usgs", *parts),
        "material": _split(material, detail),
        "stage": stage,
        "subject": subject,
        "place": place,
        "detail": detail[:160],
        "valid_from": period[0],
        "valid_to": period[1],
        "is_estimated": cells["estimated"] == "True"
        or (not cells["estimated"] and "stimated" in cells["notes"]),
        "unit": unit,
        "note": cells["notes"],
    }
    revised = _REVISED.fullmatch(cells["revision"])
    if revised:
        day = _day(revised["day"])
        for raw, later in ((revised["old"], False), (revised["new"], True)):
            sign, number = token(raw)
            yield Printed(
                **values,
                raw=raw,
                qualifier=sign,
                quantity=number,
                tonnes=tonnes_of(number, unit),
                known_from=day if later else None,
                known_to=None if later else day,
            )
        return
    yield Printed(
        **values,
        raw=cells["raw"][:80],
        qualifier=qualifier,
        quantity=quantity,
        tonnes=tonnes_of(quantity, unit),
    )


def _wrong(
    cells: Mapping[str, str],
    *,
    period: tuple[date, date] | None,
    material: str | None,
    place: str | None,
    subject: str,
) -> str | None:
    """Return what is wrong with a row, or ``None``."""
    unit = cells["unit"]
    if period is None:
        return gettext_noop("row {row}: {year!r} is no year: have the columns moved?")
    if material is None:
        return gettext_noop(
            "row {row}: the registry knows no commodity {commodity!r} in {chapter!r}"
        )
    if place is None:
        return gettext_noop("row {row}: unknown country {country!r}")
    if unit not in TONNES and not OTHER_UNITS.fullmatch(unit):
        return gettext_noop("row {row}: unknown unit {unit!r}")
    if not cells["raw"]:
        return gettext_noop("row {row}: the value is empty")
    return _implausible(token(cells["raw"])[1], unit, subject)


def _split(material: str, detail: str) -> str:
    """Return the material of a row in a chapter that holds two."""
    if material == "silicon_metal" and "ferrosilicon" in detail.casefold():
        return "ferrosilicon"
    if material == "titanium_minerals" and "ilmenite" in detail.casefold():
        return "ilmenite"
    return material


def _stage(chapter: str, detail: str) -> str:
    if _MINED.search(detail):
        return "mine"
    if _REFINED.search(detail) or chapter == "ARSENIC":
        return "refine"
    return "mine" if "reserves" in detail.casefold() else ""


def _implausible(quantity: float | None, unit: str, subject: str) -> str | None:
    """Return what is wrong with a number, or ``None``."""
    if quantity is None:
        return None
    if quantity < 0:
        return gettext_noop("row {row}: {raw} {unit} is below zero")
    if unit == "percent" and quantity > 100 and subject in {"reliance", "source"}:
        return gettext_noop("row {row}: {raw} percent is more than everything")
    tonnes = tonnes_of(quantity, unit)
    if tonnes is not None and tonnes > LARGEST_TONNES and subject != "reserves":
        return gettext_noop("row {row}: {raw} {unit} is more than the world moves of anything")
    return None


def _sum(
    cell: Printed,
    totals: dict[tuple[str, ...], float],
    parts: dict[tuple[str, ...], list[tuple[int, str, float]]],
) -> None:
    """Remember what belongs to one printed world table."""
    if not cell.stage or cell.quantity is None or cell.qualifier in {"<", ">"}:
        return
    if cell.subject != "production":
        return
    group = (cell.material, cell.stage, cell.subject, cell.detail, cell.valid_from.isoformat())
    if cell.place == WORLD:
        totals[group] = cell.quantity
    else:
        parts.setdefault(group, []).append((cell.row, cell.place, cell.quantity))


def _check_sums(
    read: Read,
    totals: Mapping[tuple[str, ...], float],
    parts: Mapping[tuple[str, ...], list[tuple[int, str, float]]],
) -> None:
    """Compare each country with its printed world total, as far as one was printed."""
    for group, total in totals.items():
        for row, place, quantity in parts.get(group, []):
            if total > 0 and quantity > total * COUNTRY_TOTALS:
                read.fault(
                    row,
                    gettext_noop(
                        "row {row}: {place} makes {quantity}, more than the world's {total}"
                    ),
                    place=place,
                    quantity=f"{quantity:,g}",
                    total=f"{total:,g}",
                )


def _period(text: str) -> tuple[date, date] | None:
    """Return first and last day of "2024" or "2021–24"."""
    found = re.fullmatch(r"(\d{4})(?:[–-](\d{2}|\d{4}))?", text)
    if found is None:
        return None
    first = int(found[1])
    last = (
        first
        if found[2] is None
        else int(found[2] if len(found[2]) == 4 else f"{first // 100}{found[2]}")
    )
    if not EARLIEST_YEAR <= first <= last <= LATEST_YEAR:
        return None
    return date(first, 1, 1), date(last, 12, 31)


def _month(text: str) -> tuple[date, date] | None:
    """Return first and last day of "2024", "2024-03", "202403" or "2024-03-01"."""
    found = re.fullmatch(r"(\d{4})(?:-?(\d{2})(?:-\d{2})?)?", text)
    if found is None or not EARLIEST_YEAR <= int(found[1]) <= LATEST_YEAR:
        return None
    year = int(found[1])
    if found[2] is None:
        return date(year, 1, 1), date(year, 12, 31)
    month = int(found[2])
    if not 1 <= month <= 12:
        return None
    after = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, 1), date.fromordinal(after.toordinal() - 1)


def _day(text: str) -> date:
    day, month, year = text.split()
    return date(int(year), _MONTHS.index(month[:3]) + 1, int(day))


BACI_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "period": ("t", "year"),
    "exporter": ("i", "exp_iso3"),
    "importer": ("j", "imp_iso3"),
    "code": ("k", "hs92_6"),
    "value": ("v", "value_kusd"),
    "mass": ("q", "qty_t"),
}
COMTRADE_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "period": ("period", "refYear", "month"),
    "reporter": ("reporterISO", "reporter"),
    "flow": ("flowCode", "flow"),
    "partner": ("partnerISO", "partner_iso3", "partner"),
    "code": ("cmdCode", "hs6", "code"),
    "value": ("primaryValue", "value_usd"),
    "mass": ("netWgt", "qty_kg", "mass_kg"),
}
CUSTOMS_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
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
_FLOWS: Final[Mapping[str, str]] = {
    "m": "import",
    "import": "import",
    "imports": "import",
    "x": "export",
    "export": "export",
    "exports": "export",
}
_CUSTOMS_TONNES: Final[Mapping[str, float]] = {"kg": 1e-3, "t": 1.0, "g": 1e-6, "mt": 1.0}


def read_baci(rows: Iterator[tuple[int, dict[str, str]]], *, codes: frozenset[str]) -> Read:
    """Read bilateral flows of CEPII BACI: thousand dollars and tonnes, by HS 1992 code."""
    read = Read()
    seen: dict[tuple[str, str, str, date], int] = {}
    for row, cells in rows:
        if not _whole(read, row, cells):
            continue
        code = cells["code"].zfill(6)
        if code not in codes and re.fullmatch(r"\d{6}", code):
            read.skip("code")
            continue
        period = _month(cells["period"])
        exporter, importer = place_code(cells["exporter"]), place_code(cells["importer"])
        trade = _trade(
            read, row, cells, code=code, period=period, exporter=exporter, importer=importer
        )
        if trade is not None:
            _keep(read, trade, seen)
    return read


def read_comtrade(rows: Iterator[tuple[int, dict[str, str]]], *, codes: frozenset[str]) -> Read:
    """Read UN Comtrade rows, annual or monthly: dollars and kilograms, seen from a reporter."""
    return _read_reported(rows, codes=codes, per_usd=1e-3, mass=lambda _cells: 1e-3)


def read_customs(rows: Iterator[tuple[int, dict[str, str]]], *, codes: frozenset[str]) -> Read:
    """Read a customs table in the registry's own form, with the unit and currency in each row."""
    return _read_reported(
        rows,
        codes=codes,
        per_usd=1e-3,
        mass=lambda cells: _CUSTOMS_TONNES.get(cells["unit"].casefold()),
    )


def _read_reported(
    rows: Iterator[tuple[int, dict[str, str]]],
    *,
    codes: frozenset[str],
    per_usd: float,
    mass: Any,
) -> Read:
    read = Read()
    seen: dict[tuple[str, str, str, date], int] = {}
    for row, cells in rows:
        if not _whole(read, row, cells):
            continue
        code = cells["code"].zfill(6)[:6] if cells["code"].isdigit() else cells["code"]
        if code not in codes and re.fullmatch(r"\d{6}", code):
            read.skip("code")
            continue
        if cells["partner"] in {"W00", "0", "WLD", "World"}:
            read.skip("total")
            continue
        flow = _FLOWS.get(cells["flow"].casefold())
        factor = mass(cells)
        if flow is None:
            read.fault(row, gettext_noop("row {row}: unknown flow {flow!r}"), flow=cells["flow"])
            continue
        if factor is None:
            read.fault(row, gettext_noop("row {row}: unknown unit {unit!r}"), unit=cells["unit"])
            continue
        if cells.get("currency", "USD") != "USD":
            read.fault(
                row,
                gettext_noop("row {row}: the value is in {currency}; US dollars are expected"),
                currency=cells["currency"],
            )
            continue
        reporter, partner = place_code(cells["reporter"]), place_code(cells["partner"])
        exporter, importer = (reporter, partner) if flow == "export" else (partner, reporter)
        trade = _trade(
            read,
            row,
            cells,
            code=code,
            period=_month(cells["period"]),
            exporter=exporter,
            importer=importer,
            names=(cells["reporter"], cells["partner"]),
            per_value=per_usd,
            per_mass=factor,
        )
        if trade is not None:
            _keep(read, trade, seen)
    return read


def _trade(
    read: Read,
    row: int,
    cells: Mapping[str, str],
    *,
    code: str,
    period: tuple[date, date] | None,
    exporter: str | None,
    importer: str | None,
    names: tuple[str, str] | None = None,
    per_value: float = 1.0,
    per_mass: float = 1.0,
) -> Trade | None:
    """Return the flow of a row, or note what is wrong with it."""
    given = names or (cells.get("exporter", ""), cells.get("importer", ""))
    if not re.fullmatch(r"\d{6}", code):
        read.fault(row, gettext_noop("row {row}: {code!r} is no code of six digits"), code=code)
        return None
    if period is None:
        read.fault(
            row,
            gettext_noop("row {row}: {year!r} is no year: have the columns moved?"),
            year=cells["period"],
        )
        return None
    for place, name in zip((exporter, importer), given, strict=True):
        if place is None:
            read.fault(row, gettext_noop("row {row}: unknown country {country!r}"), country=name)
            return None
    value, mass = _amount(cells["value"]), _amount(cells["mass"])
    for name, text, number in (("value", cells["value"], value), ("mass", cells["mass"], mass)):
        if number is not None and number != number:  # noqa: PLR0124  not a number
            read.fault(
                row,
                gettext_noop("row {row}: the {name} {text!r} is no number"),
                name=name,
                text=text,
            )
            return None
        if number is not None and number < 0:
            read.fault(
                row,
                gettext_noop("row {row}: the {name} {text} is below zero"),
                name=name,
                text=text,
            )
            return None
    if value is None:
        read.fault(row, gettext_noop("row {row}: the value is empty"))
        return None
    kusd = value * per_value
    tonnes = None if mass is None or (mass == 0 and kusd > 0) else mass * per_mass
    if kusd > LARGEST_KUSD or (tonnes or 0) > LARGEST_TONNES:
        read.fault(
            row,
            gettext_noop("row {row}: value {value} and mass {mass} are not plausible"),
            value=cells["value"],
            mass=cells["mass"],
        )
        return None
    basis = cells.get("basis") or "consignment"
    return Trade(
        row, code, exporter or "", importer or "", period[0], period[1], kusd, tonnes, basis
    )


def _amount(text: str) -> float | None:
    """Return a number; ``None`` for an empty cell or BACI's NA; NaN for what is no number."""
    if text in {"", "NA", "None", "null"}:
        return None
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _keep(read: Read, trade: Trade, seen: dict[tuple[str, str, str, date], int]) -> None:
    place = (trade.code, trade.exporter, trade.importer, trade.valid_from)
    if place in seen:
        read.fault(
            trade.row,
            gettext_noop("row {row}: says again what row {first} says"),
            first=seen[place],
        )
        return
    seen[place] = trade.row
    read.rows.append(trade)


def flow_rows(
    path: Path, columns: Mapping[str, Sequence[str]]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV, compressed CSV or Parquet file of flows.

    Raises:
        MovedColumnsError: a column is missing.
        UnreadableError: it is no such file.
    """
    import duckdb

    name = str(path).replace("'", "''")
    optional = {"basis", "currency", "unit"} if columns is not CUSTOMS_COLUMNS else {"basis"}
    try:
        source = (
            f"read_parquet('{name}')"
            if path.suffix == ".parquet"
            else f"read_csv('{name}', all_varchar=true, header=true, delim=',', quote='\"')"
        )
        with duckdb.connect(config={"threads": 2}) as database:
            header = [
                row[0] for row in database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            ]
            chosen = []
            for wanted, headings in columns.items():
                found = [heading for heading in header if heading in headings]
                if not found and wanted in optional:
                    continue
                if not found:
                    raise MovedColumnsError(
                        gettext_noop(
                            "row 1: the column {name} is expected once (as {headings}); the file "
                            "has: {header}"
                        ),
                        name=wanted,
                        headings=" / ".join(headings),
                        header=", ".join(header)[:300],
                    )
                first = min(found, key=list(headings).index)
                chosen.append(f'CAST("{first}" AS VARCHAR) AS {wanted}')
            cursor = database.execute(f"SELECT {', '.join(chosen)} FROM {source}")
            names = [item[0] for item in cursor.description or ()]
            number = 1
            while rows := cursor.fetchmany(20_000):
                for row in rows:
                    number += 1
                    yield (
                        number,
                        {name: (cell or "").strip() for name, cell in zip(names, row, strict=True)},
                    )
    except duckdb.Error as error:
        raise UnreadableError(
            gettext_noop("the file cannot be read as a table: {why}"),
            why=str(error).partition("\n")[0],
        ) from error


WGI_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "country": ("iso3", "code", "countrycode"),
    "year": ("year",),
    "estimate": ("estimate", "wgi_political_stability_est", "pve"),
    "error": ("std_err", "stddev", "pvs"),
    "indicator": ("indicator",),
}


def read_wgi(content: bytes) -> Read:
    """Read "political stability" of the World Bank's Worldwide Governance Indicators.

    Rows are ``(row, place, year, estimate, error)``.
    """
    read = Read()
    seen: dict[tuple[str, int], int] = {}
    optional = frozenset({"error", "indicator"})
    for row, cells in table(content, WGI_COLUMNS, optional=optional):
        if not _whole(read, row, cells):
            continue
        if cells["indicator"] not in {"", "pv"}:
            read.skip("indicator")
            continue
        place, period = place_code(cells["country"]), _period(cells["year"])
        if cells["estimate"] in {"", "..", "#N/A"}:
            read.skip("empty")
            continue
        estimate, error = _amount(cells["estimate"]), _amount(cells["error"])
        if place is None:
            read.fault(
                row,
                gettext_noop("row {row}: unknown country {country!r}"),
                country=cells["country"],
            )
        elif period is None:
            read.fault(
                row,
                gettext_noop("row {row}: {year!r} is no year: have the columns moved?"),
                year=cells["year"],
            )
        elif estimate is None or not -5 <= estimate <= 5:
            read.fault(
                row,
                gettext_noop("row {row}: {text!r} is no estimate between -5 and 5"),
                text=cells["estimate"],
            )
        elif (place, period[0].year) in seen:
            read.fault(
                row,
                gettext_noop("row {row}: says again what row {first} says"),
                first=seen[place, period[0].year],
            )
        else:
            seen[place, period[0].year] = row
            read.rows.append((row, place, period[0].year, estimate, error))
    return read


GLEIF_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "lei": ("LEI", "lei"),
    "name": ("Entity.LegalName", "legal_name"),
    "country": ("Entity.LegalAddress.Country", "country_iso2"),
    "category": ("Entity.EntityCategory", "category"),
}


def read_gleif(content: bytes) -> Read:
    """Read legal entities (GLEIF LEI-CDF as CSV). Rows are ``(row, lei, name, country, category)``."""
    from stdnum import lei as lei_number

    read = Read()
    seen: dict[str, int] = {}
    for row, cells in table(content, GLEIF_COLUMNS, optional=frozenset({"category"})):
        if not _whole(read, row, cells):
            continue
        lei = cells["lei"]
        if not re.fullmatch(r"[A-Z0-9]{18}\d{2}", lei) or not lei_number.is_valid(lei):
            read.fault(
                row,
                gettext_noop("row {row}: {lei!r} is no LEI: its two check digits do not fit"),
                lei=lei,
            )
        elif lei in seen:
            read.fault(
                row, gettext_noop("row {row}: says again what row {first} says"), first=seen[lei]
            )
        elif not cells["name"]:
            read.fault(row, gettext_noop("row {row}: the name is empty"))
        elif place_code(cells["country"]) is None:
            read.fault(
                row,
                gettext_noop("row {row}: unknown country {country!r}"),
                country=cells["country"],
            )
        else:
            seen[lei] = row
            read.rows.append((row, lei, cells["name"][:300], cells["country"], cells["category"]))
    return read
