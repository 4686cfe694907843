"""Places of the registry: ISO 3166-1 codes, what people and releases call them, and where they lie."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

WORLD: Final = "WLD"
OTHERS: Final = "OTH"
_BACI: Final[Mapping[str, str]] = {  # where CEPII's numbers are not those of ISO 3166-1
    "842": "USA",
    "757": "CHE",
    "699": "IND",
    "251": "FRA",
    "579": "NOR",
    "380": "ITA",
    "381": "ITA",
    "736": "SDN",  # until 2011
}


@dataclass(frozen=True, slots=True)
class Place:
    """A country, or what a release puts where a country stands.

    ``longitude`` and ``latitude`` are where a map draws it, in degrees; none for places too small
    for the map or without a place.
    """

    code: str
    alpha2: str
    number: str
    name_en: str
    name_ja: str
    longitude: float | None
    latitude: float | None
    also: tuple[str, ...]

    def name(self, language: str) -> str:
        """Return its name in ``en`` or ``ja``."""
        return self.name_ja if language == "ja" else self.name_en


def _data(name: str) -> str:
    return (resources.files("renkei.materials") / "data" / name).read_text("utf-8")


@cache
def places() -> Mapping[str, Place]:
    """Return every place by its code."""
    return {
        row["iso3"]: Place(
            row["iso3"],
            row["iso2"],
            row["number"],
            row["name_en"],
            row["name_ja"],
            float(row["lon"]) if row["lon"] else None,
            float(row["lat"]) if row["lat"] else None,
            tuple(row["also"].split("|")) if row["also"] else (),
        )
        for row in csv.DictReader(_data("countries.csv").splitlines())
    }


@cache
def _by_name() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for code, place in places().items():
        for name in (code, place.name_en, place.name_ja, *place.also):
            found[name.casefold()] = code
        if place.alpha2:
            found.setdefault(place.alpha2.casefold(), code)
    return found


@cache
def _by_number() -> Mapping[str, str]:
    found = {place.number.lstrip("0"): code for code, place in places().items() if place.number}
    return {**found, **_BACI}


def place_code(text: str) -> str | None:
    """Return the code of a place by its code, number or a name that a release prints.

    "NA" says in releases that there is nothing, and is no place; Namibia is "NAM" or 516.
    """
    given = text.strip()
    if given.casefold() == "na":
        return None
    if given.isdigit():
        return _by_number().get(given.lstrip("0"))
    return _by_name().get(given.casefold())


@cache
def _notes() -> Mapping[str, str]:
    return {row["note"]: row["note_ja"] for row in csv.DictReader(_data("notes.csv").splitlines())}


def note_text(note: str, language: str) -> str:
    """Return a note of a shipped bill of materials in ``en`` or ``ja``; others as they are."""
    return _notes().get(note, note) if language == "ja" else note


def place_name(code: str, language: str) -> str:
    """Return what people call a place; a code that is not known as it is."""
    place = places().get(code)
    return place.name(language) if place else code
