"""Choosing commitments: what a list shows, how many there are, and what could be chosen next.

Pages and the API read through this, so that both refuse the same values and stay fast on a million
commitments: counts come from ``Tally`` wherever its columns suffice, others stop at
``MOST_COUNTED``, and a full-text search looks at the ``MOST_HITS`` newest hits.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Self

import numpy as np
from django.db import connection
from django.db.models import F, QuerySet
from numpy.typing import NDArray

from renkei.base.rows import ask, marks
from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop
from renkei.record import engine
from renkei.record.door._write import state
from renkei.record.models import (
    Commitment,
    Hits,
    code_term,
    found,
    hits,
    language,
    matching,
)

MOST_COUNTED: Final = 10_000
MOST_HITS: Final = 2_000
MOST_BY_HAND: Final = 1_000
FAR: Final = 4  # how many hits there may be for each that was counted, where counting stopped
SHARE: Final = 2  # of an order is walked, of what it takes where the hits are spread evenly
BESIDE: Final = 8  # rows of an index that are walked while one row of the table is fetched
SOUGHT: Final = 1_500  # rows that are fetched while the search index is asked
KEPT: Final = 1_024  # numbers that one process keeps
DEEPEST_ROW: Final = 20_000
LONGEST_QUERY: Final = 200
MOST_SOURCES: Final = 50
FINDING = ("any", "none")
SORTS = ("recent", "title", "amount", "date")
_TALLIED = {
    "record_class": "class",
    "domain": "domain",
    "kind": "kind",
    "status": "status",
    "scope": "scope",
}
"""Fields of a selection that ``Tally`` has as columns, and their vocabularies."""
_COLUMNS = (*_TALLIED, "party")
"""All columns of ``Tally``; the last holds all parties that act together."""

_CODED = {**_TALLIED, "nature": "nature"}

NOT_ONE_OF: Final = gettext_noop("{name}: {value!r} is none of {known}")

_SOURCE = "SELECT id FROM record_source WHERE slug = %s"
_FIRST_SOURCES = "SELECT slug FROM record_source ORDER BY id LIMIT %s"
_FACETS_OF = """
SELECT record_class, domain, kind, status, scope, parties FROM record_commitment c WHERE {where}
"""
_DISPUTED = "EXISTS (SELECT 1 FROM record_finding_commitments f WHERE f.commitment_id = c.id)"
# Which rows first, from an index where there is one; then what is said of those alone.
_LISTED = f"""
SELECT c.id, c.slug, c.record_class, c.title_{{l}} AS title, c.domain, c.kind, c.status, c.scope,
  c.funding_source, c.parties, c.period, c.dated, c.amount_minor, c.amount_currency,
  c.amount_qualifier, c.amount_nature, c.amount_side, c.amount_relation, c.is_counted, c.version,
  c.updated_at, s.slug AS source_slug, s.title_{{l}} AS source_title,
  s.reliability AS source_reliability, {_DISPUTED} AS is_disputed
FROM (
  SELECT c.id FROM {{rows}} c WHERE {{where}} ORDER BY {{order}} LIMIT %s OFFSET %s
) AS chosen JOIN record_commitment c ON c.id = chosen.id
LEFT JOIN record_source s ON s.id = c.source_id ORDER BY {{order}}
"""

# The first rows of an order, from its index alone.
_FIRST = """(
  SELECT c.id, c.{column} FROM record_commitment c WHERE {within} ORDER BY {order} LIMIT %s
)"""

Number = dict[str, int]
Now = tuple[int, datetime | None]


class BadSelectionError(RenkeiError):
    """The list was asked for in a way that it does not know."""

    code = "record.bad_selection"


class TooDeepError(BadSelectionError):
    """A page so far down that finding it would be slow for everybody else."""

    code = "record.too_deep"


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which commitments, in which order; an empty text leaves that open.

    Raises:
        BadSelectionError: a value that the record does not know.
    """

    q: str = ""
    record_class: str = ""
    domain: str = ""
    kind: str = ""
    status: str = ""
    scope: str = ""
    party: str = ""
    source: str = ""
    nature: str = ""
    finding: str = ""
    sort: str = "recent"

    def __post_init__(self) -> None:
        check_query(self.q)
        for name, vocabulary in _CODED.items():
            if getattr(self, name):
                _one_of(PARAMETER[name], getattr(self, name), engine.VOCABULARY[vocabulary])
        _one_of("finding", self.finding, FINDING)
        _one_of("sort", self.sort or "?", SORTS)
        if self.party and self.party not in engine.COUNTRIES | engine.BLOCS:
            raise BadSelectionError(
                gettext_noop(
                    "party: {code!r} is neither a country code in capitals, such as US or JP, nor "
                    "one of {blocs}"
                ),
                code=self.party,
                blocs=", ".join(sorted(engine.BLOCS)),
            )
        check_source(self.source)

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Read the parameters of an address: ``q``, ``class``, ``domain`` … ``sort``; others are not ours."""
        names = {item.name: PARAMETER[item.name] for item in fields(cls)}
        chosen = {name: str(given.get(key) or "") for name, key in names.items()}
        return cls(**{name: text.strip() for name, text in chosen.items() if text.strip()})

    @property
    def parameters(self) -> dict[str, str]:
        """Return what an address must carry to give this selection."""
        values = {PARAMETER[item.name]: getattr(self, item.name) for item in fields(self)}
        return {
            key: text for key, text in values.items() if text and (key, text) != ("sort", "recent")
        }

    @property
    def is_tallied(self) -> bool:
        """Tell whether ``Tally`` alone knows how many there are."""
        return not (self.q or self.source or self.nature or self.finding)


PARAMETER: Final = {
    **{item.name: item.name for item in fields(Selection)},
    "record_class": "class",
}
"""What each field of a selection is called in an address."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of a facet.

    Attributes:
        count: how many commitments choosing it would leave; ``None`` where that is not counted.
    """

    value: str
    count: int | None
    is_chosen: bool


def check_query(text: str) -> str:
    """Return a search text that can be searched for.

    Raises:
        BadSelectionError: too long, or with characters that no text has.
    """
    if len(text) > LONGEST_QUERY:
        raise BadSelectionError(
            gettext_noop("the search has {length} characters: at most {longest}"),
            length=len(text),
            longest=LONGEST_QUERY,
        )
    if any(ord(char) < 0x20 or 0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise BadSelectionError(gettext_noop("the search holds a character that no text has"))
    return text


def check_source(slug: str) -> None:
    """Refuse the name of a source that is not there."""
    if slug and ("\x00" in slug or not ask(_SOURCE, [slug])):
        raise BadSelectionError(gettext_noop("the record has no source {slug!r}"), slug=slug)


def _one_of(name: str, value: str, known: Collection[str]) -> None:
    if value and value not in known:
        raise BadSelectionError(
            NOT_ONE_OF,
            name=name,
            value=value,
            known=", ".join(known),
        )


def check_code(name: str, value: str, vocabulary: str) -> str:
    """Return a code to choose by; an empty one leaves it open.

    Raises:
        BadSelectionError: the vocabulary does not have it.
    """
    _one_of(name, value, engine.VOCABULARY[vocabulary])
    return value


def choose(rows: QuerySet[Any], /, **values: tuple[str, str]) -> QuerySet[Any]:
    """Filter rows by codes of vocabularies: ``choose(rows, kind=("company", "organisation"))``."""
    for column, (value, vocabulary) in values.items():
        if check_code(column, value, vocabulary):
            rows = rows.filter(**{column: value})
    return rows


# How many


def count(selection: Selection, *, at: Now | None = None) -> int:
    """Return how many commitments there are; ``MOST_COUNTED + 1`` stands for more.

    Exact at any size where only facets of ``Tally`` are chosen.

    Args:
        at: the state of the facts, where the caller asks for several things: read once for all.
    """
    return _count(replace(selection, sort="recent"), at or as_of())


def as_of() -> Now:
    """Return what names the present state of the facts: what was counted under it still holds."""
    at = state()
    return at.version, at.changed_at


@lru_cache(maxsize=KEPT)
def _count(selection: Selection, now: Now) -> int:
    if selection.is_tallied:
        tallied = _tallied(now)
        return tallied.count(tallied.rows(selection))
    return _keys(selection, now, MOST_COUNTED + 1).count


@lru_cache(maxsize=64)
def _keys(selection: Selection, now: Now, most: int) -> Hits:  # noqa: ARG001
    """Return the keys of the last added of a selection: found once, then counted and read."""
    return hits("commitment", selection.q, codes=_codes(selection), most=most)


def _with_keys(keys: str) -> str:
    """Return the condition that a row is one of these: whole numbers of our own, written as such."""
    return f"c.id IN ({keys or 'NULL'})"


class _Tallied:
    """``Tally`` in one state of the facts, by columns: a hundredth of its rows' memory and time."""

    def __init__(self) -> None:
        # Each column in one text: forty thousand rows would take longer to fetch than to read.
        mark, gather = (
            ("chr(31)", "string_agg")
            if connection.vendor == "postgresql"
            else ("char(31)", "group_concat")
        )
        wanted = ", ".join(
            f"{gather}(CAST({name} AS text), {mark})" for name in (*_TALLIED, "parties", "count")
        )
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {wanted} FROM record_tally")
            texts = cursor.fetchone()
        *columns, counts = [[] if text is None else text.split("\x1f") for text in texts]
        self._counts = np.array(list(map(int, counts)), np.int64)
        self.values: dict[str, list[str]] = {}
        self._codes: dict[str, NDArray[np.int32]] = {}
        for name, column in zip(_COLUMNS, columns, strict=True):
            self.values[name] = list(dict.fromkeys(column))
            places = {value: at for at, value in enumerate(self.values[name])}
            codes = map(places.__getitem__, column)
            self._codes[name] = np.fromiter(codes, np.int32, len(column))

    def together(self, party: str) -> list[str]:
        """Return the combinations of parties that hold one: few, where commitments are many."""
        return [codes for codes in self.values["party"] if party in codes.split(",")]

    def rows(self, selection: Selection) -> NDArray[np.intp] | slice:
        """Return which rows are under all of a selection."""
        wanted: NDArray[np.bool_] | None = None
        for name in _COLUMNS:
            if not (chosen := getattr(selection, name)):
                continue
            values = self.together(chosen) if name == "party" else [chosen]
            places = [at for at, value in enumerate(self.values[name]) if value in values]
            here = np.isin(self._codes[name], places)
            wanted = here if wanted is None else wanted & here
        return slice(None) if wanted is None else np.flatnonzero(wanted)

    def count(self, rows: NDArray[np.intp] | slice) -> int:
        """Return how many commitments there are in these rows."""
        return int(self._counts[rows].sum())

    def numbers(self, name: str, rows: NDArray[np.intp] | slice) -> Number:
        """Return how many there are of each value of a facet in these rows, where there are any."""
        values = self.values[name]
        # Sums of whole numbers far below 2^53 are exact in floating point.
        sums = np.bincount(self._codes[name][rows], self._counts[rows], len(values)).tolist()
        numbers = {value: int(sum_) for value, sum_ in zip(values, sums, strict=True) if sum_}
        return _each_party(numbers) if name == "party" else numbers


@lru_cache(maxsize=1)
def _tallied(now: Now) -> _Tallied:  # noqa: ARG001  the key
    """Return ``Tally``, read once in one state of the facts."""
    return _Tallied()


@lru_cache(maxsize=KEPT)
def _tally(selection: Selection, now: Now) -> dict[str, Number]:
    """Return the numbers of each value of each tallied facet, under all of the selection."""
    tallied = _tallied(now)
    rows = tallied.rows(selection)
    return {name: tallied.numbers(name, rows) for name in _COLUMNS}


@lru_cache(maxsize=KEPT)
def _tally_of(name: str, selection: Selection, now: Now) -> Number:
    """Return the numbers of each value of one tallied facet, under all of the selection."""
    tallied = _tallied(now)
    return tallied.numbers(name, tallied.rows(selection))


def _each_party(together: Mapping[str, int]) -> Number:
    """Return the number of each party from those of all that act together."""
    party: Counter[str] = Counter()
    for codes, number in together.items():
        party.update({code: number for code in codes.split(",") if code})
    return dict(party)


def facets(selection: Selection, *, at: Now | None = None) -> dict[str, list[Choice]]:
    """Return what can be chosen: by field of ``Selection``, most frequent first.

    A facet's own choice does not narrow its numbers, so that another can be picked instead.
    """
    now = at or as_of()
    selection = replace(selection, sort="recent")
    found_here = None
    if not selection.is_tallied and _count(selection, now) <= MOST_BY_HAND:
        found_here = _counted_by_hand(selection, now, MOST_COUNTED + 1)  # found for their number
    offered: dict[str, list[Choice]] = {}
    for name in _COLUMNS:
        chosen = getattr(selection, name)
        open_here = replace(selection, **{name: ""})
        numbers: Mapping[str, int | None]
        if selection.is_tallied:
            numbers = _tally_of(name, open_here, now) if chosen else _tally(selection, now)[name]
        elif found_here is None:
            everything = _tally(Selection(), now)[name]
            numbers = dict.fromkeys(everything)
        elif chosen:
            numbers = (_counted_by_hand(open_here, now, MOST_BY_HAND + 1) or found_here)[name]
        else:
            numbers = found_here[name]
        ranked = sorted(numbers, key=lambda value: (-(numbers[value] or 0), value))
        if chosen and chosen not in numbers:
            ranked.append(chosen)
            numbers = {**numbers, chosen: 0}
        offered[name] = [
            Choice(value=value, count=numbers[value], is_chosen=value == chosen) for value in ranked
        ]
    sources = [*_first_sources(now)]
    if selection.source and selection.source not in sources:
        sources.append(selection.source)
    natures = engine.VOCABULARY["nature"]
    for name, values in (("source", sources), ("nature", natures), ("finding", FINDING)):
        chosen = getattr(selection, name)
        offered[name] = [
            Choice(value=value, count=None, is_chosen=value == chosen) for value in values
        ]
    return offered


@lru_cache(maxsize=1)
def _first_sources(now: Now) -> list[str]:  # noqa: ARG001  the key
    return [row.slug for row in ask(_FIRST_SOURCES, [MOST_SOURCES])]


@lru_cache(maxsize=KEPT)
def _counted_by_hand(selection: Selection, now: Now, most: int) -> dict[str, Number] | None:
    """Count a selection that ``Tally`` does not know, if it is small.

    Args:
        most: how many hits to look for at most.
    """
    hits_here = _keys(selection, now, most)
    if hits_here.count > MOST_BY_HAND:
        return None
    rows = ask(_FACETS_OF, where=_with_keys(hits_here.keys))
    columns = zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
    counted = dict(zip(_COLUMNS, map(Counter, columns), strict=True))
    return {**counted, "party": _each_party(counted["party"])}


# Which


def _codes(selection: Selection) -> list[str]:
    """Return the terms of the search index that a selection's facets stand for."""
    names = [*_COLUMNS, "source", "nature", "finding"]
    return [code_term(name, getattr(selection, name)) for name in names if getattr(selection, name)]


def _walked(selection: Selection, *, along: str, now: Now) -> tuple[str, list[object]]:
    """Return the condition of a selection without words, for filtering rows one by one.

    The columns are hidden from the database's indexes, so that it walks along the index of the
    order and stops after a page: right where hits are frequent.

    Args:
        along: a column that is not hidden, because it has an index of its own in this order.
    """
    conditions: list[str] = []
    values: list[object] = []

    def wanted(column: str, *these: object) -> None:
        nothing = "0" if column == "source_id" else "''"
        hidden = f"c.{column}" if column == along else f"coalesce(c.{column}, {nothing})"
        conditions.append(f"{hidden} IN ({marks(these)})")
        values.extend(these)

    for name in _TALLIED:
        if chosen := getattr(selection, name):
            wanted(name, chosen)
    if selection.nature:
        wanted("amount_nature", selection.nature)
    if selection.source:
        wanted("source_id", *(row.id for row in ask(_SOURCE, [selection.source])))
    if selection.party:
        wanted("parties", *_tallied(now).together(selection.party))
    if selection.finding:
        conditions.append(_DISPUTED if selection.finding == "any" else f"NOT {_DISPUTED}")
    return " AND ".join(conditions) or "TRUE", values


_BY: Final = {
    "recent": ("updated_at DESC", "id DESC"),
    "title": ("title_{l}", "id"),
    "amount": ("amount_minor DESC NULLS LAST", "id DESC"),
    "date": ("dated DESC", "id DESC"),
}
"""What each of ``SORTS`` orders rows by."""


def _order(selection: Selection) -> list[Any]:
    """Return the order as the models know it."""
    ways = [way.replace("{l}", language()).split() for way in _BY[selection.sort]]
    return [
        F(column).desc(nulls_last="LAST" in rest or None) if "DESC" in rest else F(column)
        for column, *rest in ways
    ]


def select(selection: Selection) -> QuerySet[Commitment]:
    """Return all commitments of a selection in its order: for reading through, not for a page."""
    rows: QuerySet[Commitment] = found(
        Commitment.objects.all(),
        "commitment",
        selection.q,
        codes=_codes(selection),
        newest=MOST_HITS if selection.q else None,
    )
    return rows.order_by(*_order(selection))


def listed(selection: Selection, *, offset: int, limit: int, at: Now | None = None) -> list[Any]:
    """Return a piece of a selection: rows with the columns of a commitment that lists show.

    Beside them ``title`` in the reader's language, ``source_slug``, ``source_title`` and
    ``source_reliability`` where it rests on a source, and ``is_disputed`` by a finding.

    Raises:
        TooDeepError: ``offset`` lies beyond ``DEEPEST_ROW``.
    """
    if offset > DEEPEST_ROW:
        raise TooDeepError(
            gettext_noop(
                "a list can be leafed through to row {deepest}: choose more narrowly, or download "
                "the selection"
            ),
            deepest=DEEPEST_ROW,
        )
    now, chosen = at or as_of(), replace(selection, sort="recent")
    known = _count(chosen, now)
    # Titles begin with their subject: along all of them, none of a domain may come for long.
    along = "domain" if selection.sort == "title" and selection.domain else ""
    walked = _count(Selection(domain=selection.domain if along else ""), now)
    order = ", ".join(f"c.{way}" for way in _BY[selection.sort]).replace("{l}", language())

    def read(rows: str, where: str, *values: object) -> list[Any]:
        bound = [*values, limit, offset]
        return ask(_LISTED, bound, rows=rows, where=where, order=order, l=language())

    # How many rows are walked until a page of hits has come, if these are spread evenly.
    steps = walked * (offset + limit) // max(known, 1)
    if not selection.q and known > MOST_COUNTED:
        # Nobody has all keys. The index of the newest has all that is chosen by, others have not.
        where, values = _walked(selection, along=along, now=now)
        if steps > known * (BESIDE if selection.sort == "recent" else FAR):
            where, values = matching("commitment", "", codes=_codes(selection), key="c.id")
        return read("record_commitment", where, *values)
    is_short = selection.sort == "recent" and steps < BESIDE * (known + SOUGHT)
    if selection.is_tallied and (is_short or not _codes(selection)):
        where, values = _walked(selection, along=along, now=now)
        return read("record_commitment", where, *values)
    kept = _keys(chosen, now, MOST_COUNTED + 1)
    hits_here = min(kept.count, MOST_HITS) if selection.q else kept.count
    keys = _with_keys(",".join(kept.first(hits_here)) if hits_here < kept.count else kept.keys)
    # Of a search, the hits are the newest of all, and come together; by title they lie in heaps.
    spread = known if selection.sort == "recent" else hits_here
    steps = SHARE * walked * (offset + limit) // max(spread, 1)
    is_near = steps < BESIDE * hits_here and not (selection.q and selection.sort == "title")
    if is_near and offset + limit <= hits_here:
        within, values = _walked(Selection(domain=selection.domain), along=along, now=now)
        column = _BY[selection.sort][0].split()[0].replace("{l}", language())
        first = _FIRST.format(column=column, within=within if along else "TRUE", order=order)
        rows = read(first, keys, *(values if along else ()), steps)
        if len(rows) == limit:  # fewer: the next hit may lie further on
            return rows
    return read("record_commitment", keys)


def pages(hits: int, size: int) -> int:
    """Return how many pages of ``size`` rows there are: at least one."""
    return max(1, -(-hits // size))


def page_number(text: str, *, last: int) -> int:
    """Read the number of a page.

    Raises:
        BadSelectionError: not a whole number from 1.
        NotFoundError: a page beyond the last.
    """
    if not (text.isascii() and text.isdigit() and int(text[:9] or 0) > 0 and len(text) < 9):
        raise BadSelectionError(
            gettext_noop("page: {text!r} is not a page: expected a whole number from 1"), text=text
        )
    if int(text) > last:
        raise NotFoundError(
            gettext_noop("there is no page {number}: the last one is {last}"),
            number=int(text),
            last=last,
        )
    return int(text)
