"""A node's own tables: links, trade with partners, stocks, sites, bills, measures, events.

Each reader checks every row and names the bad ones; a table with any fault is stored by nobody.
What the database knows (organisations, rings of bills) is compared by the caller.
"""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from renkei.kit.errors import gettext_noop
from renkei.materials.engine._files import Source, rows_of
from renkei.materials.engine._places import place_code, places
from renkei.materials.engine._releases import Read, is_whole

LINK_COLUMNS: Final = (
    "supplier_lei", "supplier", "buyer_lei", "buyer", "material", "kusd", "low_share",
    "high_share", "evidence", "confidence", "valid_from",
)  # fmt: skip
TRADE_COLUMNS: Final = (
    "firm_lei", "firm", "party", "direction", "material", "kusd", "evidence", "valid_from",
)  # fmt: skip
STOCK_COLUMNS: Final = (
    "owner", "material", "kind", "low_tonnes", "high_tonnes", "release_rule", "valid_from", "source",
)  # fmt: skip
SITE_COLUMNS: Final = (
    "slug", "material", "stage", "country", "locode", "latitude", "longitude", "capacity_tonnes",
    "lei", "name_en", "name_ja", "public", "source",
)  # fmt: skip
BILL_COLUMNS: Final = (
    "product", "name_en", "name_ja", "sector", "part", "quantity", "unit", "essential",
    "substitutable", "weight", "source", "note",
)  # fmt: skip
MEASURE_COLUMNS: Final = (
    "slug", "kind", "actors", "targets", "materials", "announced_on", "effective_from",
    "effective_to", "name_en", "name_ja", "source",
)  # fmt: skip
EVENT_COLUMNS: Final = (
    "slug", "day", "exact", "actors", "materials", "codes", "name_en", "name_ja", "source",
)  # fmt: skip
OWN_COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "links": LINK_COLUMNS,
    "trade": TRADE_COLUMNS,
    "stocks": STOCK_COLUMNS,
    "sites": SITE_COLUMNS,
    "bills": BILL_COLUMNS,
    "measures": MEASURE_COLUMNS,
    "events": EVENT_COLUMNS,
}
_OPTIONAL: Final[Mapping[str, frozenset[str]]] = {
    "links": frozenset({"supplier_lei", "buyer_lei", "low_share", "high_share"}),
    "trade": frozenset({"firm_lei"}),
    "stocks": frozenset({"release_rule"}),
    "sites": frozenset({"locode", "latitude", "longitude", "capacity_tonnes", "lei", "public"}),
    "bills": frozenset(
        {"name_en", "name_ja", "sector", "quantity", "unit", "substitutable", "weight", "note"}
    ),
    "measures": frozenset({"targets", "announced_on", "effective_to"}),
    "events": frozenset({"codes"}),
}
_MEASURE_KINDS: Final = ("ban", "licence", "quota", "tariff", "agreement", "subsidy")
_STOCK_KINDS: Final = ("government", "industry", "producer", "transit")
_CONFIDENCE: Final = ("low", "middle", "high")
_STAGES: Final = ("mine", "refine", "product")
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_LOCODE: Final = re.compile(r"[A-Z]{2}[A-Z2-9]{3}")
_MOST_TONNES: Final = 1e11
_LONGEST: Final = 300
_BEGINS: Final = dict.fromkeys(("links", "trade", "stocks"), "valid_from") | {"events": "day"}
_MOST_COUNTRIES: Final = 15
_MOST_CODES: Final = 17


class _Row:
    """One row while it is checked: what is wrong goes to the faults, once a row."""

    def __init__(self, read: Read, number: int, cells: Mapping[str, str]) -> None:
        self.cells, self.number = cells, number
        self._read = read
        self.is_sound = True

    def fault(self, sentence: str, **values: object) -> None:
        if self.is_sound:
            self._read.fault(self.number, sentence, **values)
        self.is_sound = False

    def text(self, name: str, *, is_needed: bool = True, most: int = _LONGEST) -> str:
        said = self.cells[name]
        if (is_needed and not said) or len(said) > most or not said.isprintable():
            self.fault(
                gettext_noop("row {row}: {name}: expected 1 to {most} characters"),
                name=name,
                most=most,
            )
        return said

    def number_in(
        self, name: str, least: float, most: float, *, default: float | None = None
    ) -> float | None:
        said = self.cells[name]
        if not said and default is not None:
            return default
        if not said:
            return None
        try:
            value = float(said.replace(",", ""))
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            self.fault(
                gettext_noop(
                    "row {row}: {name} is {said!r}: expected a number from {least} to {most}"
                ),
                name=name,
                said=said[:40],
                least=f"{least:g}",
                most=f"{most:g}",
            )
            return None
        return value

    def one_of(self, name: str, known: Collection[str], *, default: str = "") -> str:
        said = self.cells[name] or default
        if said not in known:
            self.fault(
                gettext_noop("row {row}: {name} is {said!r}: expected one of {known}"),
                name=name,
                said=said[:60],
                known=", ".join(sorted(known)[:60]),
            )
        return said

    def day(self, name: str) -> date:
        try:
            return date.fromisoformat(self.cells[name])
        except ValueError:
            self.fault(
                gettext_noop("row {row}: {name} is {said!r}: expected a day such as 2026-11-22"),
                name=name,
                said=self.cells[name][:40],
            )
            return date.min

    def countries(self, name: str, *, is_needed: bool = True) -> str:
        """Return codes of countries, of codes or names with spaces or commas between them."""
        said = self.text(name, is_needed=is_needed)
        parts = [part.strip() for part in (said.split(",") if "," in said else said.split())]
        self._at_most(name, len(parts), _MOST_COUNTRIES)
        found = [place_code(part) for part in parts]
        for part, code in zip(parts, found, strict=True):
            if code is None:
                self.fault(
                    gettext_noop("row {row}: unknown country {country!r}"), country=part[:60]
                )
        return " ".join(code for code in found if code)

    def codes(self, name: str, known: Collection[str]) -> str:
        """Return codes of goods with spaces between them, each of which must be known."""
        parts = self.cells[name].split()
        self._at_most(name, len(parts), _MOST_CODES)
        for part in parts:
            if not re.fullmatch(r"[0-9]{6}", part):
                self.fault(
                    gettext_noop("row {row}: {code!r} is no code of six digits"), code=part[:60]
                )
            elif part not in known:
                self.fault(
                    gettext_noop(
                        "row {row}: {name} holds {said!r}, which the registry does not know"
                    ),
                    name=name,
                    said=part,
                )
        return " ".join(parts)

    def _at_most(self, name: str, count: int, most: int) -> None:
        if count > most:
            self.fault(
                gettext_noop("row {row}: {name} holds {count} names: expected at most {most}"),
                name=name,
                count=count,
                most=most,
            )

    def several(self, name: str, known: Collection[str]) -> tuple[str, ...]:
        """Return names with spaces between them, each of which must be known."""
        parts = tuple(self.cells[name].split())
        for part in parts:
            if part not in known:
                self.fault(
                    gettext_noop(
                        "row {row}: {name} holds {said!r}, which the registry does not know"
                    ),
                    name=name,
                    said=part[:60],
                )
        return parts

    def lei(self, name: str) -> str:
        from stdnum import lei as lei_number

        said = self.cells[name]
        if said and (not re.fullmatch(r"[A-Z0-9]{18}\d{2}", said) or not lei_number.is_valid(said)):
            self.fault(
                gettext_noop("row {row}: {lei!r} is no LEI: its two check digits do not fit"),
                lei=said[:40],
            )
        return said


def _rows(content: Source, kind: str, read: Read) -> Iterator[_Row]:
    columns = {name: (name,) for name in OWN_COLUMNS[kind]}
    for number, cells in rows_of(content, columns, optional=_OPTIONAL[kind]):
        if is_whole(read, number, cells):
            yield _Row(read, number, cells)


def refuse_future(read: Read, kind: str, known_on: date) -> None:
    """Add a fault for each row that says what was not yet on the day since which it is known.

    A measure may take effect later; a supply, a trade, a stock or an event that is known has begun.
    """
    name = _BEGINS.get(kind, "")
    for said in read.rows if name else ():
        if said[name] > known_on:
            read.fault(
                said["row"],
                gettext_noop("row {row}: {name} is {day}, after {known}, since when it is known"),
                name=name,
                day=said[name].isoformat(),
                known=known_on.isoformat(),
            )


def _again(seen: dict[Any, int], key: Any, row: _Row) -> None:
    if key in seen:
        row.fault(gettext_noop("row {row}: says again what row {first} says"), first=seen[key])
    seen.setdefault(key, row.number)


def read_links(content: Source, *, materials: Collection[str]) -> Read:
    """Read who supplies whom: yearly value and share of what the buyer takes of a material.

    Shares of one buyer and material cannot surely be more than the whole.
    """
    read, seen = Read(), dict[Any, int]()
    surely: dict[tuple[str, str], float] = defaultdict(float)
    for row in _rows(content, "links", read):
        said: dict[str, Any] = {
            "row": row.number,
            "supplier_lei": row.lei("supplier_lei"),
            "supplier": row.text("supplier"),
            "buyer_lei": row.lei("buyer_lei"),
            "buyer": row.text("buyer"),
            "material": row.one_of("material", materials),
            "kusd": row.number_in("kusd", 1e-9, 1e12),
            "low_share": row.number_in("low_share", 0, 1, default=0.0),
            "high_share": row.number_in("high_share", 0, 1, default=1.0),
            "evidence": row.text("evidence"),
            "confidence": row.one_of("confidence", _CONFIDENCE),
            "valid_from": row.day("valid_from"),
        }
        seller = said["supplier_lei"] or said["supplier"]
        buyer = str(said["buyer_lei"] or said["buyer"])
        if row.is_sound and said["kusd"] is None:
            row.fault(gettext_noop("row {row}: kusd is empty: expected thousand US dollars a year"))
        if row.is_sound and seller == buyer:
            row.fault(gettext_noop("row {row}: {name} supplies itself"), name=buyer)
        if row.is_sound and said["low_share"] > said["high_share"]:
            row.fault(gettext_noop("row {row}: the interval has its low end above its high end"))
        _again(seen, (seller, buyer, said["material"]), row)
        if not row.is_sound:
            continue
        surely[buyer, str(said["material"])] += said["low_share"]
        if surely[buyer, str(said["material"])] > 1 + 1e-9:
            row.fault(
                gettext_noop(
                    "row {row}: the low shares of {buyer} and {material} sum to more than 1"
                ),
                buyer=buyer,
                material=said["material"],
            )
            continue
        read.rows.append(said)
    return read


def read_trade(content: Source, *, materials: Collection[str], parties: Collection[str]) -> Read:
    """Read what own firms sell to the partners' countries and buy there, by material."""
    read, seen = Read(), dict[Any, int]()
    for row in _rows(content, "trade", read):
        said: dict[str, Any] = {
            "row": row.number,
            "firm_lei": row.lei("firm_lei"),
            "firm": row.text("firm"),
            "party": row.one_of("party", parties),
            "direction": row.one_of("direction", ("sells", "buys")),
            "material": row.one_of("material", materials),
            "kusd": row.number_in("kusd", 1e-9, 1e12),
            "evidence": row.text("evidence"),
            "valid_from": row.day("valid_from"),
        }
        if row.is_sound and said["kusd"] is None:
            row.fault(gettext_noop("row {row}: kusd is empty: expected thousand US dollars a year"))
        firm = said["firm_lei"] or said["firm"]
        _again(seen, (firm, said["party"], said["direction"], said["material"]), row)
        if row.is_sound:
            read.rows.append(said)
    return read


def read_stocks(content: Source, *, materials: Collection[str]) -> Read:
    """Read stocks by owner, material and class, as intervals of tonnes.

    An owner that is a country is kept by its code.
    """
    read, seen = Read(), dict[Any, int]()
    for row in _rows(content, "stocks", read):
        owner = row.text("owner", most=120)
        said: dict[str, Any] = {
            "row": row.number,
            "owner": (place_code(owner) or owner) if row.is_sound else owner,
            "material": row.one_of("material", materials),
            "kind": row.one_of("kind", _STOCK_KINDS),
            "low_tonnes": row.number_in("low_tonnes", 0, _MOST_TONNES),
            "high_tonnes": row.number_in("high_tonnes", 0, _MOST_TONNES),
            "release_rule": row.text("release_rule", is_needed=False),
            "valid_from": row.day("valid_from"),
            "source": row.text("source"),
        }
        low, high = said["low_tonnes"], said["high_tonnes"]
        if row.is_sound and (low is None or high is None):
            row.fault(gettext_noop("row {row}: a stock is an interval: both ends are expected"))
        elif row.is_sound and low > high:
            row.fault(gettext_noop("row {row}: the interval has its low end above its high end"))
        _again(seen, (said["owner"], said["material"], said["kind"]), row)
        if row.is_sound:
            read.rows.append(said)
    return read


def read_sites(content: Source, *, materials: Collection[str]) -> Read:
    """Read mines, refineries and works; a UN/LOCODE must be one of the site's country."""
    read, seen = Read(), dict[Any, int]()
    for row in _rows(content, "sites", read):
        country = place_code(row.text("country"))
        if country is None:
            row.fault(
                gettext_noop("row {row}: unknown country {country!r}"),
                country=row.cells["country"][:60],
            )
        locode = row.cells["locode"].replace(" ", "")
        alpha2 = places()[country].alpha2 if country and country in places() else ""
        if locode and (not _LOCODE.fullmatch(locode) or locode[:2] != alpha2):
            row.fault(
                gettext_noop("row {row}: {locode!r} is no UN/LOCODE of {country}"),
                locode=locode[:20],
                country=country,
            )
        said: dict[str, Any] = {
            "row": row.number,
            "slug": _slug(row, "slug", 60),
            "material": row.one_of("material", materials),
            "stage": row.one_of("stage", _STAGES),
            "country": country,
            "locode": locode,
            "latitude": row.number_in("latitude", -90, 90),
            "longitude": row.number_in("longitude", -180, 180),
            "capacity_tonnes": row.number_in("capacity_tonnes", 0, _MOST_TONNES),
            "lei": row.lei("lei"),
            "name_en": row.text("name_en", most=200),
            "name_ja": row.text("name_ja", most=200),
            "is_public": row.one_of("public", ("yes", "no"), default="no") == "yes",
            "source": row.text("source"),
        }
        if (said["latitude"] is None) != (said["longitude"] is None):
            row.fault(gettext_noop("row {row}: a place has both coordinates or neither"))
        _again(seen, said["slug"], row)
        if row.is_sound:
            read.rows.append(said)
    return read


def read_bills(content: Source, *, materials: Collection[str], products: Collection[str]) -> Read:
    """Read lines of bills of materials; a part is a material, or a product known or in the file.

    A product that is new has its names in some row.
    """
    read, seen = Read(), dict[Any, int]()
    rows = list(_rows(content, "bills", read))
    named: dict[str, tuple[str, str, str]] = {}
    for row in rows:
        texts = (row.cells["name_en"], row.cells["name_ja"], row.cells["sector"])
        if texts[0] and texts[1]:
            first = named.setdefault(row.cells["product"], texts)
            if first != texts:
                row.fault(
                    gettext_noop(
                        "row {row}: {name} has other names or another sector in a row above"
                    ),
                    name=row.cells["product"][:40],
                )
    known = {*materials, *products, *named}
    for row in rows:
        said: dict[str, Any] = {
            "row": row.number,
            "product": _slug(row, "product", 40),
            "part": row.one_of("part", known),
            "quantity": row.number_in("quantity", 1e-12, 1e12),
            "unit": row.text("unit", is_needed=False, most=40),
            "is_essential": row.one_of("essential", ("yes", "no")) == "yes",
            "substitutable": row.number_in("substitutable", 0, 1, default=0.0),
            "weight": row.number_in("weight", 0, 1, default=0.0),
            "source": row.text("source"),
            "note": row.text("note", is_needed=False),
        }
        product = str(said["product"])
        if row.is_sound and product in materials:
            row.fault(gettext_noop("row {row}: {name} is a material, and no product"), name=product)
        if row.is_sound and product not in products and product not in named:
            row.fault(
                gettext_noop(
                    "row {row}: the product {name} is new: its names in both languages are expected"
                ),
                name=product,
            )
        _again(seen, (product, said["part"]), row)
        said["names"] = named.get(product)
        if row.is_sound:
            read.rows.append(said)
    return read


def read_measures(content: Source, *, materials: Collection[str]) -> Read:
    """Read what governments decided: who, against whom, of which materials, from which day."""
    read, seen = Read(), dict[Any, int]()
    for row in _rows(content, "measures", read):
        said: dict[str, Any] = {
            "row": row.number,
            "slug": _slug(row, "slug", 40),
            "kind": row.one_of("kind", _MEASURE_KINDS),
            "actors": row.countries("actors"),
            "targets": row.countries("targets", is_needed=False),
            "materials": row.several("materials", materials),
            "announced_on": row.day("announced_on") if row.cells["announced_on"] else None,
            "effective_from": row.day("effective_from"),
            "effective_to": row.day("effective_to") if row.cells["effective_to"] else None,
            "name_en": row.text("name_en", most=200),
            "name_ja": row.text("name_ja", most=200),
            "source": row.text("source"),
        }
        last = said["effective_to"]
        if row.is_sound and last is not None and last < said["effective_from"]:
            row.fault(gettext_noop("row {row}: it ends before it begins"))
        _again(seen, said["slug"], row)
        if row.is_sound:
            read.rows.append(said)
    return read


def read_events(content: Source, *, materials: Collection[str], codes: Collection[str]) -> Read:
    """Read what happened: the day, who, which materials, and the codes in which trade shows it."""
    read, seen = Read(), dict[Any, int]()
    for row in _rows(content, "events", read):
        said: dict[str, Any] = {
            "row": row.number,
            "slug": _slug(row, "slug", 40),
            "day": row.day("day"),
            "is_exact_day": row.one_of("exact", ("yes", "no")) == "yes",
            "actors": row.countries("actors"),
            "materials": row.several("materials", materials),
            "codes": row.codes("codes", codes),
            "name_en": row.text("name_en", most=200),
            "name_ja": row.text("name_ja", most=200),
            "source": row.text("source"),
        }
        _again(seen, said["slug"], row)
        if row.is_sound:
            read.rows.append(said)
    return read


def _slug(row: _Row, name: str, most: int) -> str:
    said = row.cells[name]
    if not _SLUG.fullmatch(said[:40]) or len(said) > most:
        row.fault(
            gettext_noop(
                "row {row}: {name} is {said!r}: small letters, digits, - and _ are expected"
            ),
            name=name,
            said=said[:60],
        )
    return said
