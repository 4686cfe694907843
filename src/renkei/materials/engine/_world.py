"""The world tables of the USGS Mineral Commodity Summaries, as the release of 2025 has them: a column a year.

U.S. Geological Survey, 2025, Mineral Commodity Summaries 2025 World Data Release, doi 10.5066/P13XCP3R:
``SOURCE,COMMODITY,COUNTRY,TYPE,UNIT_MEAS,PROD_2023,PROD_EST_ 2024,PROD_NOTES,CAP_2023,CAP_EST_ 2024,
CAP_NOTES,RESERVES_2024,RESERVE_NOTES`` in Windows-1252; the years move with the edition. Tokens that are
no numbers ("NA", "W for 23-24", "Large") stand in the notes of an empty cell, and so do other units of
reserves. Since 2026 the release has one cell a row (``read_mcs``); ``data/world.csv`` says which chapter
and which printed detail of 2026 a commodity and type of 2025 are, so that editions are compared. A type
that the list does not know keeps its own words.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from typing import Final

from renkei.kit.errors import gettext_noop
from renkei.materials.engine._files import MovedColumnsError, Source, header_of, rows_of
from renkei.materials.engine._places import OTHERS, WORLD, place_code
from renkei.materials.engine._releases import (
    EARLIEST_YEAR,
    LATEST_YEAR,
    OTHER_UNITS,
    TONNES,
    TWO_TABLES,
    Printed,
    Read,
    add_to_sums,
    check_sums,
    figure_of,
    implausible,
    is_whole,
    key_of,
    material_of,
    read_mcs,
    stage_of,
    token,
)

COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "commodity": ("COMMODITY", "commodity"),
    "country": ("COUNTRY", "country"),
    "type": ("TYPE", "type"),
    "unit": ("UNIT_MEAS", "unit"),
    "production notes": ("PROD_NOTES", "prod_notes"),
    "capacity notes": ("CAP_NOTES", "cap_notes"),
    "reserves notes": ("RESERVE_NOTES", "reserve_notes"),
    "source": ("SOURCE", "source"),
    "printed_row": ("source_row",),
}
_OPTIONAL: Final = frozenset({"capacity notes", "reserves notes", "source", "printed_row"})
_YEAR: Final = re.compile(r"(PROD|CAP|RESERVES)_(EST_\s*)?(\d{4})(E?)", re.IGNORECASE)
_SUBJECTS: Final[Mapping[str, str]] = {
    "PROD": "production",
    "CAP": "capacity",
    "RESERVES": "reserves",
}
_TOKENS: Final[Mapping[str, str]] = {"na": "NA", "w": "W", "xx": "XX", "e": "E"}
_WITHHELD: Final = re.compile(r"(w|na) for (\d{4}|\d{2})(?:-(\d{2}))?", re.IGNORECASE)
_HALF: Final = "less than 1/2 unit"
_WORDS: Final = re.compile(r"(very )?(large|small|moderate)( to (large|moderate))?", re.IGNORECASE)
_OTHER_UNIT: Final = re.compile(r"\b((?:thousand|million) metric tons)\b", re.IGNORECASE)
_ALL_ROWS: Final = re.compile(r"reserve data is ((?:thousand|million) metric tons)", re.IGNORECASE)
_NAMED: Final = re.compile(r"(.+?)\s*\(([^)]*)\)(?:,\s*(\w+))?\s*\d*")
_BESIDE: Final = frozenset({"includes puerto rico"})  # as the country is counted everywhere
_ESTIMATED: Final = re.compile(r",\s*estimated$", re.IGNORECASE)
_ROUNDED: Final = re.compile(r"(,\s*)?rounded", re.IGNORECASE)


def read_usgs(content: Source, *, commodities: Mapping[tuple[str, str], str]) -> Read:
    """Read a data release of the Mineral Commodity Summaries, one cell a row or a column a year.

    Args:
        content: the file.
        commodities: the material's name by chapter and commodity, both casefolded.
    """
    header = header_of(content)
    if any(_YEAR.fullmatch(name) for name in header):
        return _read_world(content, header, commodities)
    return read_mcs(content, commodities=commodities)


@cache
def _tables() -> Mapping[tuple[str, str], Mapping[str, str]]:
    text = (resources.files("renkei.materials") / "data" / "world.csv").read_text("utf-8")
    return {
        (_plain(row["commodity"]), _plain(row["type"])): row
        for row in csv.DictReader(text.splitlines())
    }


def _plain(text: str) -> str:
    text = text.replace("\xa0", " ").casefold().replace("gemanium", "germanium")
    return _ESTIMATED.sub("", " ".join(text.split()))


def _read_world(
    content: Source, header: Sequence[str], commodities: Mapping[tuple[str, str], str]
) -> Read:
    years: dict[str, tuple[str, int, bool]] = {}
    columns = dict(COLUMNS)
    for name in header:
        found = _YEAR.fullmatch(name)
        if found:
            years[name] = (
                _SUBJECTS[found[1].upper()],
                int(found[3]),
                bool(found[2] or found[4]),
            )
            columns[name] = (name,)
    if not any(subject == "production" for subject, _year, _estimated in years.values()):
        raise MovedColumnsError(
            gettext_noop("row 1: expected a column of production by year; the file has: {header}"),
            header=", ".join(header)[:300],
        )
    read = Read()
    seen: dict[tuple[str, date], tuple[int, int]] = {}
    totals: dict[tuple[str, ...], float] = {}
    parts: dict[tuple[str, ...], list[tuple[int, str, float]]] = {}
    rows = list(rows_of(content, columns, optional=_OPTIONAL, page="cp1252"))
    units = _reserve_units(rows)
    for row, cells in rows:
        if not is_whole(read, row, cells):
            continue
        table = _table(read, row, cells, commodities)
        if table is None:
            continue
        for cell in _cells(read, row, cells, table, (years, units)):
            place = (cell.key, cell.valid_from)
            if place in seen:
                first, at = seen[place]
                before = read.rows[at]
                read.again(
                    row, at, first, is_same=(before.raw, before.unit) == (cell.raw, cell.unit)
                )
                continue
            seen[place] = (row, len(read.rows))
            add_to_sums(replace(cell, row=row), totals, parts)
            read.rows.append(cell)
    check_sums(read, totals, parts)
    read.faults.sort(key=lambda fault: fault.row)
    return read


def _reserve_units(rows: Sequence[tuple[int, Mapping[str, str]]]) -> dict[tuple[str, str], str]:
    """Return the unit of a table's reserves where one of its rows states it for all."""
    return {
        (_plain(cells["commodity"]), _plain(cells["type"])): found[1].casefold()
        for _row_number, cells in rows
        if "" not in cells and (found := _ALL_ROWS.search(cells["reserves notes"]))
    }


@dataclass(frozen=True, slots=True)
class _Table:
    """What a row is about."""

    names: tuple[str, str]
    chapter: str
    member: str
    details: Mapping[str, str]
    material: str
    country: str
    place: str
    said: str
    unit: str


def _table(
    read: Read,
    row: int,
    cells: Mapping[str, str],
    commodities: Mapping[tuple[str, str], str],
) -> _Table | None:
    """Return what a row is about, or note what is wrong with it."""
    names = (_plain(cells["commodity"]), _plain(cells["type"]))
    chapter, member, details = _named(names, cells["type"])
    material = commodities.get((chapter.casefold(), member.casefold()))
    country, place, said = _place(cells["country"])
    unit = " ".join(cells["unit"].split())
    edition = re.fullmatch(r"MCS\s*(\d{4})", cells["source"])
    read.edition = read.edition or (int(edition[1]) if edition else None)
    fault = None
    if edition and int(edition[1]) != read.edition:
        fault = gettext_noop("row {row}: {source} stands among rows of MCS{edition}")
    elif material is None:
        fault = gettext_noop("row {row}: the registry knows no commodity {commodity!r}")
    elif place is None:
        fault = gettext_noop("row {row}: unknown country {country!r}")
    elif not unit:
        fault = gettext_noop("row {row}: the unit is empty")
    elif unit not in TONNES and not OTHER_UNITS.fullmatch(unit):
        fault = gettext_noop("row {row}: unknown unit {unit!r}")
    if fault is None and material is not None and place is not None:
        return _Table(names, chapter, member, details, material, country, place, said, unit)
    read.fault(
        row,
        fault or "",
        commodity=cells["commodity"],
        country=cells["country"],
        unit=unit,
        source=cells["source"][:20],
        edition=read.edition,
    )
    return None


def _cells(
    read: Read,
    row: int,
    cells: Mapping[str, str],
    table: _Table,
    columns: tuple[Mapping[str, tuple[str, int, bool]], Mapping[tuple[str, str], str]],
) -> Iterator[Printed]:
    """Yield what a row prints, or note which token is none."""
    years, units = columns
    for name, (printed, year, is_estimate) in years.items():
        is_capacity = printed == "production" and "capacity" in table.names[1]
        subject = "capacity" if is_capacity else printed
        note = cells[f"{printed} notes"].replace("\xa0", " ")
        raw = _raw(cells[name], note, subject, year)
        if not raw:
            continue
        own = table.unit
        if subject == "reserves":
            other = _OTHER_UNIT.search(note)
            own = units.get(table.names, other[1].casefold() if other else own)
        detail = _detail(table.details[subject], table.said, note, is_world=table.place == WORLD)
        wrong = _wrong(raw, own, subject, year)
        if wrong:
            read.fault(row, wrong, raw=raw, unit=own, year=year)
            continue
        key = [table.chapter, table.member, "True", subject.capitalize(), detail, table.country]
        if table.chapter in TWO_TABLES:
            key.append("0")
        yield Printed(
            row=int(cells["printed_row"]) if cells["printed_row"].isdigit() else row,
            key=key_of("usgs", *key),
            material=material_of(table.material, detail),
            stage=stage_of(table.chapter, detail),
            subject=subject,
            place=table.place,
            detail=detail[:160],
            valid_from=date(year, 1, 1),
            valid_to=date(year, 12, 31),
            is_estimated=_is_estimated(cells["type"], note, is_estimate=is_estimate),
            unit=own,
            note=note,
            **figure_of(raw, own),
        )


def _named(names: tuple[str, str], printed: str) -> tuple[str, str, Mapping[str, str]]:
    """Return chapter, commodity and the details of a table, as the release since 2026 names them."""
    own = _ESTIMATED.sub("", " ".join(printed.replace("\xa0", " ").split()))
    table = _tables().get(names)
    if table is not None:
        return (
            table["chapter"],
            table["member"],
            {subject: table[subject] or own for subject in _SUBJECTS.values()},
        )
    same = next((row for (name, _type), row in _tables().items() if name == names[0]), None)
    details = {"production": own, "capacity": own, "reserves": f"Reserves, {own}"}
    return (same["chapter"], same["member"], details) if same else ("", "", details)


def _place(printed: str) -> tuple[str, str | None, str]:
    """Return the country, its code, and what is said of it in brackets."""
    text = " ".join(printed.replace("\xa0", " ").split())
    name, said, place = text, "", place_code(text)
    found = _NAMED.fullmatch(text)
    if place is None and found:
        name = found[1]
        place = place_code(name)
        said = _ROUNDED.sub("", ", ".join(filter(None, (found[2], found[3])))).strip(" ,")
        said = "" if said.casefold() in _BESIDE else said
    if place is None and " and " in name and all(place_code(one) for one in name.split(" and ")):
        place = OTHERS  # "United States and Canada" is no country
    if place == WORLD:
        name = "World total"
    return name, place, said


def _detail(base: str, said: str, note: str, *, is_world: bool) -> str:
    """Return a detail as the release since 2026 prints it."""
    if base.endswith("—"):  # boron: each country in a form of its own, which the note names
        is_form = note.strip() and not _token(note) and not _WITHHELD.match(note)
        return base + (note.strip() if is_form else "All forms")
    if not said or base.casefold().endswith(f": {said}".casefold()):
        return base
    if is_world and ": " in base:
        base = base.partition(": ")[0]
    return f"{base}: {said}"


def _token(note: str) -> str:
    return _TOKENS.get(note.strip().casefold(), "")


def _raw(cell: str, note: str, subject: str, year: int) -> str:
    """Return the printed token: a cell, or of an empty one what its note says instead of a number."""
    if cell:
        return cell
    text = note.strip()
    of = _WITHHELD.match(text)
    if of:
        first = int(of[2][-2:])
        return of[1].upper() if first <= year % 100 <= int(of[3] or first) else ""
    if _token(re.sub(r"\s*\(.*\)\.?$", "", text)):
        return _token(re.sub(r"\s*\(.*\)\.?$", "", text))
    if text.casefold() == _HALF:
        return "s"
    return text if subject == "reserves" and _WORDS.fullmatch(text) else ""


def _is_estimated(kind: str, note: str, *, is_estimate: bool) -> bool:
    if re.match(r"reported\b", note.strip(), re.IGNORECASE):
        return False
    return is_estimate or bool(_ESTIMATED.search(kind.strip())) or "estimated" in note.casefold()


def _wrong(raw: str, unit: str, subject: str, year: int) -> str | None:
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        return gettext_noop("row {row}: {year!r} is no year: have the columns moved?")
    sign, number = token(raw)
    if sign == "words" and not _WORDS.fullmatch(raw):
        return gettext_noop("row {row}: {raw!r} is no number and no token of this release")
    return implausible(number, unit, subject)
