"""Choosing commitments: what a list shows, how many there are, and what could be chosen next.

Pages and the API read through this, so that both refuse the same values and stay fast on a million
commitments: counts come from ``Tally`` wherever its columns suffice, others stop at
``MOST_COUNTED``, and a full-text search looks at the ``MOST_HITS`` newest hits.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Self

from django.db.models import Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce

from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop
from renkei.record import engine
from renkei.record.door._write import state
from renkei.record.models import (
    Commitment,
    Finding,
    Source,
    Tally,
    code_term,
    found,
    hits,
    language,
)

MOST_COUNTED: Final = 10_000
MOST_HITS: Final = 2_000
MOST_BY_HAND: Final = 1_000
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
"""Fields of a selection that ``Tally`` has as columns, and their vocabularies; and ``party``."""

NOT_ONE_OF: Final = gettext_noop("{name}: {value!r} is none of {known}")

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
        for name, vocabulary in {**_TALLIED, "nature": "nature"}.items():
            _one_of(PARAMETER[name], getattr(self, name), engine.VOCABULARY[vocabulary])
        _one_of("finding", self.finding, FINDING)
        _one_of("sort", self.sort or "?", SORTS)
        if self.party and self.party not in engine.COUNTRIES | engine.BLOCS:
            _one_of("party", self.party, ("US", "JP", *sorted(engine.BLOCS)))
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
    if slug and ("\x00" in slug or not Source.objects.filter(slug=slug).exists()):
        raise BadSelectionError(gettext_noop("the record has no source {slug!r}"), slug=slug)


def _one_of(name: str, value: str, known: Iterable[str]) -> None:
    if value and value not in set(known):
        raise BadSelectionError(
            NOT_ONE_OF,
            name=name,
            value=value,
            known=", ".join(known),
        )


def choose(rows: QuerySet[Any], /, **values: tuple[str, str]) -> QuerySet[Any]:
    """Filter rows by codes of vocabularies: ``choose(rows, kind=("company", "organisation"))``."""
    for column, (value, vocabulary) in values.items():
        _one_of(column, value, engine.VOCABULARY[vocabulary])
        if value:
            rows = rows.filter(**{column: value})
    return rows


# How many


def count(selection: Selection) -> int:
    """Return how many commitments there are; ``MOST_COUNTED + 1`` stands for more.

    Exact at any size where only facets of ``Tally`` are chosen.
    """
    return _count(replace(selection, sort="recent"), _now())


def _now() -> Now:
    """Return what names the present state of the facts: what was counted under it still holds."""
    at = state()
    return at.version, at.changed_at


@lru_cache(maxsize=KEPT)
def _count(selection: Selection, now: Now) -> int:
    if selection.is_tallied:
        return sum(_tally(selection, now)["record_class"].values())
    return len(_keys(selection, now))


@lru_cache(maxsize=64)
def _keys(selection: Selection, now: Now) -> "array[int]":  # noqa: ARG001  part of the key
    """Return the keys of the last added of a selection: found once, then counted and read."""
    most = MOST_COUNTED + 1
    return array("q", hits("commitment", selection.q, codes=_codes(selection), most=most))


def _by_key(keys: Iterable[int]) -> QuerySet[Commitment]:
    """Return rows by their keys: whole numbers of our own, so that they need no parameters."""
    listed = ", ".join(map(str, keys))
    return Commitment.objects.extra(where=[f"record_commitment.id IN ({listed or 'NULL'})"])  # noqa: S610


TallyRow = tuple[str, str, str, str, str, str, int]


@lru_cache(maxsize=1)
def _tallied(now: Now) -> dict[tuple[str, str], list[TallyRow]]:  # noqa: ARG001  the key
    """Return the rows of ``Tally`` by each value they have; all of them by ``("", "")``.

    Read once in one state of the facts, asked for every choice.
    """
    rows = list(Tally.objects.values_list(*_TALLIED, "parties", "count"))
    by: dict[tuple[str, str], list[TallyRow]] = {("", ""): rows}
    for row in rows:
        named = [
            *zip(_TALLIED, row, strict=False),
            *(("party", code) for code in row[5].split(",")),
        ]
        for item in named:
            by.setdefault(item, []).append(row)
    return by


@lru_cache(maxsize=KEPT)
def _tally(selection: Selection, now: Now) -> dict[str, Number]:
    """Return the numbers of each value of each tallied facet, under all of the selection."""
    by = _tallied(now)
    chosen = [(name, getattr(selection, name)) for name in (*_TALLIED, "party")]
    pieces = sorted((by.get(item, []) for item in chosen if item[1]), key=len)
    rows = pieces[0] if pieces else by["", ""]
    for place, (name, value) in enumerate(chosen):
        if value and name == "party":
            rows = [row for row in rows if value in row[5].split(",")]
        elif value:
            rows = [row for row in rows if row[place] == value]
    counted: list[defaultdict[str, int]] = [defaultdict(int) for _ in chosen]
    classes, domains, kinds, statuses, scopes, parties = counted
    for record_class, domain, kind, status, scope, together, number in rows:
        classes[record_class] += number
        domains[domain] += number
        kinds[kind] += number
        statuses[status] += number
        scopes[scope] += number
        parties[together] += number
    party: Counter[str] = Counter()
    for together, number in parties.items():
        party.update({code: number for code in together.split(",") if code})
    numbers = dict(zip(_TALLIED, map(dict, counted), strict=False))
    return {**numbers, "party": dict(party)}


@lru_cache(maxsize=64)
def _with_party(party: str, now: Now) -> frozenset[str]:
    """Return the combinations of parties that hold one: few, where commitments are many."""
    return frozenset(row[5] for row in _tallied(now).get(("party", party), []))


def facets(selection: Selection) -> dict[str, list[Choice]]:
    """Return what can be chosen: by field of ``Selection``, most frequent first.

    A facet's own choice does not narrow its numbers, so that another can be picked instead.
    """
    now = _now()
    selection = replace(selection, sort="recent")
    found_here = None if selection.is_tallied else _counted_by_hand(selection, now)
    offered: dict[str, list[Choice]] = {}
    for name in (*_TALLIED, "party"):
        chosen = getattr(selection, name)
        open_here = replace(selection, **{name: ""})
        numbers: Mapping[str, int | None]
        if selection.is_tallied:
            numbers = _tally(open_here, now)[name]
        elif found_here is None:
            everything = _tally(Selection(), now)[name]
            numbers = dict.fromkeys(everything)
        elif chosen:
            numbers = (_counted_by_hand(open_here, now) or found_here)[name]
        else:
            numbers = found_here[name]
        ranked = sorted(numbers, key=lambda value: (-(numbers[value] or 0), value))
        if chosen and chosen not in numbers:
            ranked.append(chosen)
            numbers = {**numbers, chosen: 0}
        offered[name] = [
            Choice(value=value, count=numbers[value], is_chosen=value == chosen) for value in ranked
        ]
    sources = list(Source.objects.order_by("pk").values_list("slug", flat=True)[:MOST_SOURCES])
    if selection.source and selection.source not in sources:
        sources.append(selection.source)
    natures = engine.VOCABULARY["nature"]
    for name, values in (("source", sources), ("nature", natures), ("finding", FINDING)):
        chosen = getattr(selection, name)
        offered[name] = [
            Choice(value=value, count=None, is_chosen=value == chosen) for value in values
        ]
    return offered


@lru_cache(maxsize=KEPT)
def _counted_by_hand(selection: Selection, now: Now) -> dict[str, Number] | None:
    """Count a selection that ``Tally`` does not know, if it is small."""
    if _count(selection, now) > MOST_BY_HAND:
        return None
    rows = list(_by_key(_keys(selection, now)).values_list(*_TALLIED, "parties"))
    counted: dict[str, Counter[str]] = {name: Counter() for name in (*_TALLIED, "party")}
    for *values, parties in rows:
        for name, value in zip(_TALLIED, values, strict=True):
            counted[name][value] += 1
        counted["party"].update(code for code in parties.split(",") if code)
    return {name: dict(numbers) for name, numbers in counted.items()}


# Which


def _codes(selection: Selection) -> list[str]:
    """Return the terms of the search index that a selection's facets stand for."""
    names = [*_TALLIED, "party", "source", "nature", "finding"]
    return [code_term(name, getattr(selection, name)) for name in names if getattr(selection, name)]


def _hits(selection: Selection, *, most: int | None) -> QuerySet[Commitment]:
    """Return the rows of a selection by the search index, at most so many: the last added."""
    rows: QuerySet[Commitment] = found(
        Commitment.objects.all(),
        "commitment",
        selection.q,
        codes=_codes(selection),
        newest=most,
    )
    return rows


def _walked(selection: Selection, *, along: str) -> QuerySet[Commitment]:
    """Return the rows of a selection without words, filtered one by one.

    The filters are hidden from the database's indexes, so that it walks along the index of the
    order and stops after a page: right where hits are frequent.

    Args:
        along: a field that is not hidden, because it has an index of its own in this order.
    """
    wanted: dict[str, Any] = {
        name: getattr(selection, name) for name in _TALLIED if getattr(selection, name)
    }
    if selection.nature:
        wanted["amount_nature"] = selection.nature
    if selection.source:
        wanted["source_id"] = Source.objects.only("pk").get(slug=selection.source).pk
    if selection.party:
        wanted["parties__in"] = _with_party(selection.party, _now())
    rows: QuerySet[Any] = Commitment.objects.all()
    for name, value in wanted.items():
        column, _mark, lookup = name.partition("__")
        if column == along:
            rows = rows.filter(**{name: value})
        else:
            nothing = Value(0 if column == "source_id" else "")
            hidden = f"by_{column}__{lookup or 'exact'}"
            rows = rows.alias(**{f"by_{column}": Coalesce(F(column), nothing)})
            rows = rows.filter(**{hidden: value})
    if selection.finding:
        has_finding = Exists(
            Finding.commitments.through.objects.filter(commitment_id=OuterRef("pk"))
        )
        rows = rows.filter(has_finding if selection.finding == "any" else ~has_finding)
    return rows


def _order(selection: Selection) -> list[Any]:
    if selection.sort == "title":
        return [f"title_{language()}", "id"]
    if selection.sort == "amount":
        return [F("amount_minor").desc(nulls_last=True), "-id"]
    return ["-dated", "-id"] if selection.sort == "date" else ["-updated_at", "-id"]


def select(selection: Selection) -> QuerySet[Commitment]:
    """Return all commitments of a selection in its order: for reading through, not for a page."""
    return _hits(selection, most=MOST_HITS if selection.q else None).order_by(*_order(selection))


def _way(selection: Selection, now: Now) -> tuple[str, int]:
    """Return along which column's index a walk is shortest, if any, and how long it can be."""
    everything = _count(Selection(), now)
    if selection.sort == "title" and selection.domain:
        return "domain", _count(Selection(domain=selection.domain), now)
    if selection.sort != "recent":
        return "", everything
    ways = [
        (_count(Selection(**{name: getattr(selection, name)}), now), name)
        for name in ("domain", "kind", "status")
        if getattr(selection, name)
    ]
    if selection.nature and not ways:
        return "amount_nature", everything
    walked, along = min(ways, default=(everything, ""))
    return along, walked


def listed(selection: Selection, *, offset: int, limit: int) -> list[Commitment]:
    """Return a piece of a selection, with the sources of its rows.

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
    now, chosen = _now(), replace(selection, sort="recent")
    known = _count(chosen, now)
    along, walked = _way(selection, now)
    # Walking reads walked / known rows for each hit; fetching all hits reads each.
    if not selection.q and known * known > walked * (offset + limit):
        rows = _walked(selection, along=along)
    elif not selection.q and (known > MOST_COUNTED or not _codes(selection)):
        rows = _hits(selection, most=None)
    else:
        rows = _by_key(_keys(chosen, now)[: MOST_HITS if selection.q else None])
    rows = rows.order_by(*_order(selection))
    ids = list(rows.values_list("pk", flat=True)[offset : offset + limit])
    found_rows = Commitment.objects.in_bulk(ids)
    sources = short_sources({row.source_id for row in found_rows.values()})
    for row in found_rows.values():
        row.source = sources.get(row.source_id) if row.source_id is not None else None
    return [found_rows[pk] for pk in ids]


def short_sources(ids: Iterable[int | None]) -> dict[int, Source]:
    """Return sources by primary key, without what is long: what a list says of each."""
    wanted = {pk for pk in ids if pk is not None}
    return Source.objects.only("slug", "title_en", "title_ja", "reliability").in_bulk(wanted)


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
