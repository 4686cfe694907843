"""Publishers' files: bytes in, checked rows out, and what is wrong with each row.

Nothing is corrected in silence. A token that is no number stays a token ("NA", "W", "E", "XX", "s",
words); a bound ("<", ">") keeps its sign. Every fault names its row as a person counts it: the
header is row 1. What a database knows (former editions) is compared in ``door``.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._files import Source, header_of, rows_of
from renkei.materials.engine._places import OTHERS, WORLD, place_code, places

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
    "thousand carats": 2e-4,
}
"""Tonnes in one of each unit of mass."""

OTHER_UNITS: Final = re.compile(
    r"(|percent|number|index|tons|million (liters|cubic meters|dollars)|(dollars|cents) per .+)"
)
_ZEROS: Final = frozenset({"—", "–", "-", "0"})
_WORDS: Final[Mapping[str, str]] = {"NA": "NA", "W": "W", "E": "E", "XX": "XX", "s": "half"}
_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER: Final = re.compile(r"([<>]?)\s*(-?)(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?")

SUBJECTS: Final[Mapping[str, str]] = {
    "production": "production",
    "capacity": "capacity",
    "reserves": "reserves",
    "net import reliance": "reliance",
    "import sources": "source",
    "import": "imports",
    "export": "exports",
    "consumption": "consumption",
    "stock": "stocks",
    "price": "price",
    "employment": "other",
    "sales": "other",
    "shipment": "other",
    "sold": "other",
    "sold or used": "other",
    "supply": "other",
}
_YEARS: Final = re.compile(
    r" \d{4}[–-]\d{2,4}$"
)  # "Import sources 2021-2024": each edition its own
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
TWO_TABLES: Final = frozenset({"MICA (NATURAL)"})


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
    bound: float | None = None  # of "<5" and ">95", which are no quantities
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
    reporter: str = ""  # whose customs said so; none where both sides were reconciled


@dataclass(slots=True)
class Read:
    """What a file held.

    Attributes:
        rows: what can be stored.
        faults: what is wrong, in the order of rows; any fault refuses the file.
        passed_over: how many sound rows are about nothing that the registry keeps, by reason.
        doubtful: which of ``rows`` a faulty row contradicts: who leaves out the one leaves out both.
        short: codes of six digits of which a line is faulty: who leaves out the line leaves out all.
        is_cut: more is wrong than ``faults`` names.
        edition: the year that the file says it is the edition of, where it says one.
    """

    rows: list[Any] = field(default_factory=list)
    faults: list[FaultyRowError] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    short: set[str] = field(default_factory=set)
    is_cut: bool = False
    edition: int | None = None

    def fault(self, row: int, sentence: str, **values: object) -> None:
        """Note what is wrong with a row."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(FaultyRowError(row, sentence, **values))
        else:
            self.is_cut = True

    def again(self, row: int, at: int, first: int, *, is_same: bool) -> None:
        """Note that a row says again what ``rows[at]``, the file's row ``first``, says."""
        if is_same:
            self.fault(
                row, gettext_noop("row {row}: says again what row {first} says"), first=first
            )
            return
        self.fault(
            row,
            gettext_noop("row {row}: says otherwise about the same as row {first}"),
            first=first,
        )
        self.doubtful.add(at)

    def lacks(self, code: str) -> None:
        """Remember that a line of a national tariff is faulty: a sum without it is none."""
        if re.fullmatch(r"\d{7,10}", code, re.ASCII):
            self.short.add(code[:6])

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


def is_whole(read: Read, row: int, cells: Mapping[str, str]) -> bool:
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


def read_mcs(content: Source, *, commodities: Mapping[tuple[str, str], str]) -> Read:
    """Read a data release of the USGS Mineral Commodity Summaries (long form, one cell a row).

    Args:
        content: the file, with the columns of the release or those of our shipped table.
        commodities: the material's name by chapter and commodity, both casefolded.
    """
    read = Read()
    seen: dict[tuple[str, date], tuple[int, int]] = {}
    totals: dict[tuple[str, ...], float] = {}
    parts: dict[tuple[str, ...], list[tuple[int, str, float]]] = {}
    optional = frozenset({"estimated", "revision", "printed_row", "notes"})
    for row, cells in rows_of(content, MCS_COLUMNS, optional=optional, page="cp1252"):
        if not is_whole(read, row, cells):
            continue
        for cell in _mcs_cells(read, row, cells, commodities, seen):
            place = (cell.key, cell.valid_from)
            if cell.known_to is None and place in seen:
                first, at = seen[place]
                before = read.rows[at]
                same = (before.raw, before.unit) == (cell.raw, cell.unit)
                read.again(row, at, first, is_same=same)
                continue
            if cell.known_to is None:
                seen[place] = (row, len(read.rows))
                add_to_sums(replace(cell, row=row), totals, parts)
            read.rows.append(cell)
    check_sums(read, totals, parts)
    read.faults.sort(key=lambda fault: fault.row)
    return read


def _mcs_cells(
    read: Read,
    row: int,
    cells: dict[str, str],
    commodities: Mapping[tuple[str, str], str],
    seen: Mapping[tuple[str, date], tuple[int, int]],
) -> Iterator[Printed]:
    """Yield the cell of a row, and before it the one that a later edition replaced."""
    chapter, commodity = cells["chapter"], cells["commodity"]
    period = _period(cells["year"])
    material = commodities.get((chapter.casefold(), commodity.casefold()))
    place = place_code(cells["country"]) or (OTHERS if ", " in cells["country"] else None)
    unit = cells["unit"]
    subject = SUBJECTS.get(_YEARS.sub("", cells["statistic"].casefold()), "")
    said = _wrong(cells, period=period, material=material, place=place, subject=subject)
    if said is not None or period is None or material is None or place is None:
        columns = ("year", "commodity", "chapter", "country", "statistic", "unit", "raw")
        named = {name: cells[name] for name in columns}
        read.fault(row, said or "", **named)
        return
    is_world = cells["section"].casefold().startswith("world")
    detail = _ROUNDED.sub("", cells["detail"]) if place == WORLD else cells["detail"]
    stage = ""
    if is_world and subject in {"production", "capacity", "reserves"}:
        stage = stage_of(chapter, detail)
    parts = [chapter, commodity, str(is_world), cells["statistic"], detail, cells["country"]]
    if chapter in TWO_TABLES:
        # The tables follow each other: what is said again belongs to the second.
        again = (key_of("usgs", *parts, "0"), period[0]) in seen
        parts.append("1" if again else "0")
    values: dict[str, Any] = {
        "row": int(cells["printed_row"] or row),
        "key": key_of("usgs", *parts),
        "material": material_of(material, detail),
        "stage": stage,
        "subject": subject,
        "place": place,
        "detail": detail[:160],
        "valid_from": period[0],
        "valid_to": period[1],
        "is_estimated": cells["estimated"].casefold() == "true"
        or (not cells["estimated"] and "stimated" in cells["notes"]),
        "unit": unit,
        "note": cells["notes"],
    }
    revised = _REVISED.fullmatch(cells["revision"])
    if revised:
        day = _day(revised["day"])
        for raw, later in ((revised["old"], False), (revised["new"], True)):
            yield Printed(
                **values,
                **figure_of(raw, unit),
                known_from=day if later else None,
                known_to=None if later else day,
            )
        return
    yield Printed(**values, **figure_of(cells["raw"], unit))


def figure_of(raw: str, unit: str) -> dict[str, Any]:
    """Return what a printed token says: a quantity, or a bound ("<5"), or neither."""
    sign, number = token(raw)
    quantity = None if sign in {"<", ">"} else number
    return {
        "raw": raw[:80],
        "qualifier": sign,
        "quantity": quantity,
        "tonnes": tonnes_of(quantity, unit),
        "bound": number if sign in {"<", ">"} else None,
    }


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
    if not subject:
        return gettext_noop("row {row}: unknown statistic {statistic!r}: have the columns moved?")
    if unit not in TONNES and not OTHER_UNITS.fullmatch(unit):
        return gettext_noop("row {row}: unknown unit {unit!r}")
    if not cells["raw"]:
        return gettext_noop("row {row}: the value is empty")
    return implausible(token(cells["raw"])[1], unit, subject)


def material_of(material: str, detail: str) -> str:
    """Return the material of a row in a chapter that holds two."""
    if material == "silicon_metal" and "ferrosilicon" in detail.casefold():
        return "ferrosilicon"
    if material == "titanium_minerals" and "ilmenite" in detail.casefold():
        return "ilmenite"
    return material


def stage_of(chapter: str, detail: str) -> str:
    if _MINED.search(detail):
        return "mine"
    if _REFINED.search(detail) or chapter == "ARSENIC":
        return "refine"
    return "mine" if "reserves" in detail.casefold() else ""


def implausible(quantity: float | None, unit: str, subject: str) -> str | None:
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


def add_to_sums(
    cell: Printed,
    totals: dict[tuple[str, ...], float],
    parts: dict[tuple[str, ...], list[tuple[int, str, float]]],
) -> None:
    """Remember what belongs to one printed world table."""
    if not cell.stage or cell.quantity is None:
        return
    if cell.subject != "production":
        return
    group = (cell.material, cell.stage, cell.subject, cell.detail, cell.valid_from.isoformat())
    if cell.place == WORLD:
        totals[group] = cell.quantity
    else:
        parts.setdefault(group, []).append((cell.row, cell.place, cell.quantity))


def check_sums(
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


def month_of(text: str) -> tuple[date, date] | None:
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
_REPORTER: Final = ("reporterCode", "Reporter Code", "rtCode")
_PARTNER: Final = ("partnerCode", "Partner Code", "ptCode")
COMTRADE_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "period": ("period", "Period", "refYear", "month", "yr", "year", "Year"),
    "reporter": ("reporterISO", "reporter_iso3", "Reporter ISO", "rt3ISO", *_REPORTER, "reporter"),
    "reporter_number": _REPORTER,
    "flow": ("flowCode", "Trade Flow", "rgDesc", "flow"),
    "partner": ("partnerISO", "partner_iso3", "Partner ISO", "pt3ISO", *_PARTNER, "partner"),
    "partner_number": _PARTNER,
    "code": ("cmdCode", "Commodity Code", "hs6", "code"),
    "value": ("primaryValue", "Trade Value (US$)", "TradeValue", "value_usd"),
    "mass": ("netWgt", "Netweight (kg)", "NetWeight", "qty_kg", "net_kg", "mass_kg"),
    "classification": ("classificationCode", "Classification", "pfCode"),
    "second": ("partner2ISO", "partner2Code", "2nd Partner Code", "ptCode2"),
    "procedure": ("customsCode", "Customs Proc. Code", "cstCode"),
    "transport": ("motCode", "Mode of Transport Code", "motDesc"),
    "supply": ("mosCode",),
}
COMTRADE_OPTIONAL: Final = frozenset(
    {
        "reporter_number",
        "partner_number",
        "classification",
        "second",
        "procedure",
        "transport",
        "supply",
    }
)
_WHOLE: Final[Mapping[str, frozenset[str]]] = {  # what a total of a Comtrade breakdown is called
    "second": frozenset({"", "0", "W00"}),
    "procedure": frozenset({"", "0", "C00"}),
    "transport": frozenset({"", "0", "TOTAL MOT"}),
    "supply": frozenset({"", "0"}),
}
# Areas of UN Comtrade that are no country: "Areas, nes", "Bunkers", "Free Zones", "Other Europe, nes" …
_AREAS: Final = frozenset(
    [
        "_X",
        "XX",
        "X1",
        "X2",
        "X3",
        "A49",
        "A59",
        "A79",
        "E19",
        "E29",
        "F19",
        "F49",
        "F97",
        "O19",
        "R20",
        "R91",
        "129",
        "221",
        "290",
        "471",
        "472",
        "473",
        "492",
        "527",
        "536",
        "568",
        "577",
        "636",
        "637",
        "697",
        "837",
        "838",
        "839",
        "879",
        "899",
    ]
)
_OTHER_FLOWS: Final = frozenset(
    [
        "rx",
        "rm",
        "dx",
        "fm",
        "mip",
        "mop",
        "xip",
        "xop",
        "re-export",
        "re-exports",
        "re-import",
        "re-imports",
    ]
)
FLOWS: Final[Mapping[str, str]] = {
    "m": "import",
    "import": "import",
    "imports": "import",
    "x": "export",
    "export": "export",
    "exports": "export",
}
_BASES: Final = ("", "consignment", "origin")


def read_baci(
    content: Source,
    *,
    codes: frozenset[str],
    later: frozenset[str] = frozenset(),
    until: date | None = None,
) -> Read:
    """Read bilateral flows of CEPII BACI: thousand dollars and tonnes, by HS 1992 code.

    Args:
        content: the file.
        codes: those that the registry keeps; rows of others are passed over.
        later: codes that HS 1992 does not have: a file with one is of another edition.
        until: the day on which it was published: no flow lies after it.
    """
    read = Read()
    seen: dict[tuple[Any, ...], tuple[int, int]] = {}
    others: set[str] = set()
    for row, cells in rows_of(content, BACI_COLUMNS):
        if not is_whole(read, row, cells):
            continue
        code = cells["code"].zfill(6)
        if code in later:
            read.fault(
                row,
                gettext_noop(
                    "row {row}: HS 1992 has no code {code}: this is BACI in a later edition"
                ),
                code=code,
            )
            continue
        if code not in codes and (code in others or re.fullmatch(r"\d{6}", code)):
            others.add(code)
            read.skip("code")
            continue
        if cells["exporter"] in _AREAS or cells["importer"] in _AREAS:
            read.skip("area")
            continue
        trade = trade_of(
            read,
            row,
            cells,
            code=code,
            sides=(("exporter", cells["exporter"]), ("importer", cells["importer"])),
            until=until,
        )
        if trade is not None:
            keep(read, trade, seen)
    return read


def read_comtrade(
    content: Source,
    *,
    codes: frozenset[str],
    given: Mapping[str, str] | None = None,
    until: date | None = None,
) -> Read:
    """Read UN Comtrade rows, annual or monthly: dollars and kilograms, seen from a reporter.

    What its pages and interfaces give (names as in ``COMTRADE_COLUMNS``): downloads and bulk files, since
    2023 and before, as CSV or divided by tabs, and answers in JSON, with and without descriptions.

    Headings of two or four digits, totals over partners, parts of a total (by second partner, customs
    procedure or transport), re-exports, and areas that are no country are passed over.

    Args:
        content: the file.
        codes: those that the registry keeps; rows of others are passed over.
        given: ``reporter`` and ``flow`` of every row, where the file does not say.
        until: the day on which it was published: no flow lies after it.
    """
    return read_reported(
        content,
        COMTRADE_COLUMNS,
        optional=COMTRADE_OPTIONAL,
        codes=codes,
        given=given or {},
        until=until,
        mass=lambda _cells: 1e-3,
        page="cp1252",
    )


def read_reported(
    content: Source,
    columns: Mapping[str, Sequence[str]],
    *,
    optional: frozenset[str],
    codes: frozenset[str],
    given: Mapping[str, str],
    until: date | None,
    mass: Callable[[Mapping[str, str]], float | None],
    dollars: Callable[[Mapping[str, str]], float | None] = lambda _cells: 1e-3,
    page: str = "",
) -> Read:
    """Read a table with one row a flow, seen from its reporter.

    Args:
        content: the file.
        columns: what each column may be called.
        optional: those that may be missing.
        codes: those that the registry keeps.
        given: ``reporter`` and ``flow`` of every row, where the file does not say.
        until: the day on which it was published: no flow lies after it.
        mass: tonnes in one of a row's unit; none where the unit is unknown.
        dollars: thousand US dollars in one of a row's currency; none where nobody stated a rate.
        page: code page of text that is no UTF-8.
    """
    read = Read()
    seen: dict[tuple[Any, ...], tuple[int, int]] = {}
    for row, said in rows_of(content, columns, optional=optional | frozenset(given), page=page):
        if not is_whole(read, row, said):
            continue
        cells = said | {name: value for name, value in given.items() if not said[name]}
        for name in ("reporter", "partner"):  # what has no ISO code has a number
            cells[name] = cells[name] or cells.get(f"{name}_number", "")
        reason = _beside(cells, codes)
        if reason:
            read.skip(reason)
            continue
        before = len(read.faults)
        trade = _reported(read, row, cells, mass=mass, dollars=dollars, until=until)
        if trade is not None:
            keep(read, trade, seen)
        if len(read.faults) > before:
            read.lacks(cells["code"])
    return read


def _reported(
    read: Read,
    row: int,
    cells: Mapping[str, str],
    *,
    mass: Callable[[Mapping[str, str]], float | None],
    dollars: Callable[[Mapping[str, str]], float | None],
    until: date | None,
) -> Trade | None:
    """Return the flow of a row, or note what is wrong with it."""
    flow = FLOWS.get(cells["flow"].casefold())
    factor, per_value = mass(cells), dollars(cells)
    if flow is None:
        read.fault(row, gettext_noop("row {row}: unknown flow {flow!r}"), flow=cells["flow"])
    elif factor is None:
        read.fault(row, gettext_noop("row {row}: unknown unit {unit!r}"), unit=cells["unit"])
    elif per_value is None:
        read.fault(
            row,
            gettext_noop("row {row}: the value is in {currency}; US dollars are expected"),
            currency=cells["currency"],
        )
    elif cells.get("basis", "") not in _BASES:
        read.fault(
            row,
            gettext_noop("row {row}: {name} is {said!r}: expected one of {known}"),
            name="basis",
            said=cells["basis"][:60],
            known=", ".join(filter(None, _BASES)),
        )
    else:
        here, there = ("reporter", cells["reporter"]), ("partner", cells["partner"])
        return trade_of(
            read,
            row,
            cells,
            code=cells["code"].zfill(6) if len(cells["code"]) == 5 else cells["code"],
            sides=(here, there) if flow == "export" else (there, here),
            is_reported=True,
            per_value=per_value,
            per_mass=factor,
            until=until,
        )
    return None


def _beside(cells: Mapping[str, str], codes: frozenset[str]) -> str:
    """Return why a sound row says nothing that the registry keeps, or nothing."""
    code = cells["code"]
    if code.isdigit():
        if len(code) in {2, 4}:
            return "heading"
        if code.zfill(6)[:6] not in codes and len(code) <= 10:
            return "code"
    elif code.upper() in {"TOTAL", "AG2", "AG4", "AG6", "ALL"}:
        return "heading"
    if cells.get("classification") and not cells["classification"].upper().startswith("H"):
        return "classification"  # SITC, BEC, services
    if cells["partner"] in {"W00", "0", "WLD", "World"}:
        return "total"
    if cells["partner"] in _AREAS or cells["reporter"] in _AREAS:
        return "area"
    if cells["flow"].casefold() in _OTHER_FLOWS:
        return "flow"
    if any(name in cells and cells[name] not in whole for name, whole in _WHOLE.items()):
        return "part"
    return ""


def trade_of(
    read: Read,
    row: int,
    cells: Mapping[str, str],
    *,
    code: str,
    sides: tuple[tuple[str, str], tuple[str, str]],
    is_reported: bool = False,
    per_value: float = 1.0,
    per_mass: float = 1.0,
    until: date | None = None,
) -> Trade | None:
    """Return the flow of a row, or note what is wrong with it.

    ``sides`` are exporter and importer: the column and what it says.
    """
    if not re.fullmatch(r"\d{6}" if not is_reported else r"\d{6}(\d{2,4})?", code):
        read.fault(
            row, gettext_noop("row {row}: {code!r} is no code of six digits"), code=code[:40]
        )
        return None
    period = month_of(cells["period"])
    if period is None:
        read.fault(
            row,
            gettext_noop("row {row}: {year!r} is no year: have the columns moved?"),
            year=cells["period"],
        )
        return None
    if until is not None and period[0] > until:
        read.fault(
            row,
            gettext_noop("row {row}: {year} lies after {day}, when the file was published"),
            year=cells["period"],
            day=until,
        )
        return None
    ends = _ends(read, row, sides)
    amounts = _kusd_and_tonnes(read, row, cells, per_value=per_value, per_mass=per_mass)
    if ends is None or amounts is None:
        return None
    reporter = next((str(place_code(name)) for column, name in sides if column == "reporter"), "")
    return Trade(
        row,
        code,
        *ends,
        *period,
        *amounts,
        cells.get("basis") or "consignment",
        reporter,
    )


def _ends(
    read: Read, row: int, sides: tuple[tuple[str, str], tuple[str, str]]
) -> tuple[str, str] | None:
    """Return exporter and importer, or note which of them is no country."""
    found = [place_code(name) for _column, name in sides]
    for place, (_column, name) in zip(found, sides, strict=True):
        if place is None:
            read.fault(row, gettext_noop("row {row}: unknown country {country!r}"), country=name)
            return None
        if place == WORLD:
            read.fault(
                row,
                gettext_noop("row {row}: {country!r} is the world, and no country"),
                country=name,
            )
            return None
    return str(found[0]), str(found[1])


def _kusd_and_tonnes(
    read: Read, row: int, cells: Mapping[str, str], *, per_value: float, per_mass: float
) -> tuple[float, float | None] | None:
    """Return value and mass, or note what is wrong with one of them."""
    value, mass = amount_of(cells["value"]), amount_of(cells["mass"])
    for name, text, number in (("value", cells["value"], value), ("mass", cells["mass"], mass)):
        if number is not None and not number >= 0:
            read.fault(
                row,
                gettext_noop("row {row}: the {name} {text} is below zero")
                if number < 0
                else gettext_noop("row {row}: the {name} {text!r} is no number"),
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
    return kusd, tonnes


def amount_of(text: str) -> float | None:
    """Return a number; ``None`` for an empty cell or BACI's NA; NaN for what is no number."""
    if text in {"", "NA", "None", "null"}:
        return None
    return float(text) if _PLAIN.fullmatch(text) else float("nan")


def keep(read: Read, trade: Trade, seen: dict[tuple[Any, ...], tuple[int, int]]) -> None:
    place = where_of(trade)
    if place in seen:
        first, at = seen[place]
        before = read.rows[at]
        same = (before.kusd, before.tonnes) == (trade.kusd, trade.tonnes)
        read.again(trade.row, at, first, is_same=same)
        return
    seen[place] = (trade.row, len(read.rows))
    read.rows.append(trade)


def where_of(trade: Trade) -> tuple[Any, ...]:
    """Return what a flow is about: two rows of a file about the same contradict each other."""
    return (
        trade.code,
        trade.exporter,
        trade.importer,
        trade.valid_from,
        trade.valid_to,
        trade.basis,
        trade.reporter,
    )


WGI_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "country": ("iso3", "code", "countrycode", "Economy (code)", "countryiso3code"),
    "year": ("year", "Year", "date"),
    "estimate": (
        "estimate",
        "wgi_political_stability_est",
        "pve",
        "Governance estimate (approx. -2.5 to +2.5)",
        "value",
    ),
    "error": ("std_err", "stddev", "pvs", "Standard error (estimate)"),
    "indicator": ("indicator", "Governance dimension", "indicator.id"),
}
_STABILITY: Final = frozenset({"pv", "PV.EST", "GOV_WGI_PV.EST", "GOV_WGI_PV_EST"})
_STABILITY_ERROR: Final = frozenset({"PV.STD.ERR", "GOV_WGI_PV.SE", "GOV_WGI_PV_SE"})
_WIDE: Final = ("Indicator Code", "Series Code")  # the World Bank's bulk file and its DataBank
_YEAR_COLUMN: Final = re.compile(r"(\d{4})( \[YR\d{4}\])?")
_WORLD_BANK: Final[Mapping[str, str]] = {  # where the Bank's codes are not those of ISO 3166-1
    "ADO": "AND",
    "KSV": "XKK",
    "ROM": "ROU",
    "TMP": "TLS",
    "WBG": "PSE",
    "XKX": "XKK",
    "ZAR": "COD",
}
_NO_ESTIMATE: Final = frozenset({"", "..", "#N/A", "NA"})


def read_wgi(content: Source) -> Read:
    """Read "political stability" of the World Bank's Worldwide Governance Indicators.

    One estimate a row (``wgidataset``, since 2025 with whole names for columns; answers of the Bank's
    interface), or a column a year (the bulk file, DataBank). Rows are
    ``(row, place, year, estimate, error)``.
    """
    read = Read()
    seen: dict[tuple[str, int], tuple[int, int]] = {}
    for row, cells in _wgi_rows(read, content):
        if cells["indicator"] and cells["indicator"] not in _STABILITY:
            read.skip("indicator")
            continue
        place = place_code(_WORLD_BANK.get(cells["country"], cells["country"]))
        period = _period(cells["year"])
        if cells["estimate"] in _NO_ESTIMATE:
            read.skip("empty")
            continue
        if place == WORLD:
            read.skip("total")
            continue
        estimate = amount_of(cells["estimate"])
        error = None if cells["error"] in _NO_ESTIMATE else amount_of(cells["error"])
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
        elif error is not None and not 0 <= error <= 5:
            read.fault(
                row,
                gettext_noop("row {row}: {text!r} is no standard error between 0 and 5"),
                text=cells["error"],
            )
        elif (place, period[0].year) in seen:
            first, at = seen[place, period[0].year]
            read.again(row, at, first, is_same=read.rows[at][3:] == (estimate, error))
        else:
            seen[place, period[0].year] = (row, len(read.rows))
            read.rows.append((row, place, period[0].year, estimate, error))
    return read


def _wgi_rows(read: Read, content: Source) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield one estimate at a time, whichever of the two forms the file has."""
    header = header_of(content)
    if not set(_WIDE) & set(header):
        optional = frozenset({"error", "indicator"})
        if {"Economy (code)", "countryiso3code"} & set(header):
            optional -= {"indicator"}  # six dimensions have one form: which it is must be said
        for row, cells in rows_of(content, WGI_COLUMNS, optional=optional):
            if is_whole(read, row, cells):
                yield row, cells
        return
    named = {at[1]: name for name in header if (at := _YEAR_COLUMN.fullmatch(name))}
    years = list(named)
    columns = {
        "country": ("Country Code",),
        "code": _WIDE,
        **{year: (name,) for year, name in named.items()},
    }
    errors: dict[tuple[str, str], str] = {}
    found: list[tuple[int, dict[str, str]]] = []
    for row, cells in rows_of(content, columns):
        if not is_whole(read, row, cells):
            continue
        if cells["code"] in _STABILITY_ERROR:
            errors |= {(cells["country"], year): cells[year] for year in years}
        elif cells["code"] in _STABILITY:
            found += [
                (
                    row,
                    {
                        "country": cells["country"],
                        "year": year,
                        "estimate": cells[year],
                        "indicator": "",
                    },
                )
                for year in years
            ]
        else:
            read.skip("indicator")
    for row, one in found:
        yield row, one | {"error": errors.get((one["country"], one["year"]), "")}


GLEIF_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "lei": ("LEI", "lei", "attributes.lei", "LEI.$"),
    "name": (
        "Entity.LegalName",
        "legal_name",
        "attributes.entity.legalName.name",
        "Entity.LegalName.$",
    ),
    "country": (
        "Entity.LegalAddress.Country",
        "country_iso2",
        "attributes.entity.legalAddress.country",
        "Entity.LegalAddress.Country.$",
    ),
    "category": (
        "Entity.EntityCategory",
        "category",
        "attributes.entity.category",
        "Entity.EntityCategory.$",
    ),
    "status": (
        "Registration.RegistrationStatus",
        "attributes.registration.status",
        "Registration.RegistrationStatus.$",
    ),
}
_NO_ENTITY: Final = frozenset({"DUPLICATE", "ANNULLED"})  # numbers that name nobody, or again


def read_gleif(content: Source) -> Read:
    """Read legal entities: GLEIF's golden copy (LEI-CDF as CSV or JSON), or answers of its interface.

    Rows are ``(row, lei, name, country, category)``.

    ``country`` is ISO 3166-1 alpha-2, as GLEIF writes it.
    """
    from stdnum import lei as lei_number

    read = Read()
    seen: dict[str, tuple[int, int]] = {}
    known = places()
    for row, cells in rows_of(content, GLEIF_COLUMNS, optional=frozenset({"category", "status"})):
        if not is_whole(read, row, cells):
            continue
        if cells["status"] in _NO_ENTITY:
            read.skip("status")
            continue
        lei = cells["lei"]
        # GLEIF writes ISO 3166-1 alpha-2, where NA is Namibia.
        country = "NAM" if cells["country"] == "NA" else place_code(cells["country"])
        if not re.fullmatch(r"[A-Z0-9]{18}\d{2}", lei) or not lei_number.is_valid(lei):
            read.fault(
                row,
                gettext_noop("row {row}: {lei!r} is no LEI: its two check digits do not fit"),
                lei=lei[:40],
            )
            continue
        if not cells["name"]:
            read.fault(row, gettext_noop("row {row}: the name is empty"))
            continue
        if country is None or not known[country].alpha2:
            read.fault(
                row,
                gettext_noop("row {row}: unknown country {country!r}"),
                country=cells["country"],
            )
            continue
        told = (lei, cells["name"][:300], known[country].alpha2, cells["category"][:40])
        if lei in seen:
            first, at = seen[lei]
            read.again(row, at, first, is_same=read.rows[at][1:] == told)
            continue
        seen[lei] = (row, len(read.rows))
        read.rows.append((row, *told))
    return read
