"""Choosing commitments: what a list shows, how many there are, and what could be chosen next.

Pages and the API read through this, so that both refuse the same values and stay fast on a million
commitments: counts come from ``Tally`` wherever its columns suffice, others stop at
``MOST_COUNTED``, and a full-text search looks at the ``MOST_HITS`` newest hits.
"""

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
from renkei.record.models import Commitment, Finding, Source, Tally, code_term, found, language

MOST_COUNTED: Final = 10_000
MOST_HITS: Final = 2_000
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
    if selection.is_tallied:
        at = state()
        chosen = replace(selection, sort="recent")
        return sum(_tally(at.version, at.changed_at, chosen)["record_class"].values())
    return _hits(selection, most=MOST_COUNTED + 1).count()


@lru_cache(maxsize=1)
def _tallied(version: int, at: datetime | None) -> list[tuple[Any, ...]]:  # noqa: ARG001  the key
    """Return ``Tally`` as it is at a version of the facts: read once, asked for every choice."""
    return list(Tally.objects.values_list(*_TALLIED, "parties", "count"))


@lru_cache(maxsize=1_024)
def _tally(version: int, at: datetime | None, selection: Selection) -> dict[str, Number]:
    """Return the numbers of each value of each tallied facet, under all of the selection."""
    rows = _tallied(version, at)
    for place, name in enumerate(_TALLIED):
        chosen = getattr(selection, name)
        if chosen:
            rows = [row for row in rows if row[place] == chosen]
    if selection.party:
        rows = [row for row in rows if selection.party in row[-2].split(",")]
    counted: dict[str, Number] = {}
    for place, name in enumerate((*_TALLIED, "parties")):
        numbers: dict[str, int] = defaultdict(int)
        for row in rows:
            numbers[row[place]] += row[-1]
        counted[name] = dict(numbers)
    party: Counter[str] = Counter()
    for parties, number in counted.pop("parties").items():
        party.update(dict.fromkeys(filter(None, parties.split(",")), number))
    counted["party"] = dict(party)
    return counted


def _with_party(party: str) -> list[str]:
    """Return the combinations of parties that hold one: few, where commitments are many."""
    at = state()
    combinations = {row[-2] for row in _tallied(at.version, at.changed_at)}
    return [text for text in combinations if party in text.split(",")]


def facets(selection: Selection) -> dict[str, list[Choice]]:
    """Return what can be chosen: by field of ``Selection``, most frequent first.

    A facet's own choice does not narrow its numbers, so that another can be picked instead.
    """
    at = state()
    found_here = None if selection.is_tallied else _counted_by_hand(selection)
    offered: dict[str, list[Choice]] = {}
    for name in (*_TALLIED, "party"):
        chosen = getattr(selection, name)
        open_here = replace(selection, **{name: ""})
        numbers: Mapping[str, int | None]
        if selection.is_tallied:
            numbers = _tally(at.version, at.changed_at, replace(open_here, sort="recent"))[name]
        elif found_here is None:
            everything = _tally(at.version, at.changed_at, Selection())[name]
            numbers = dict.fromkeys(everything)
        elif chosen:
            numbers = (_counted_by_hand(open_here) or found_here)[name]
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


def _counted_by_hand(selection: Selection) -> dict[str, Number] | None:
    """Count a selection that ``Tally`` does not know, if it is small."""
    rows = list(_hits(selection, most=MOST_HITS + 1).values_list(*_TALLIED, "parties"))
    if len(rows) > MOST_HITS:
        return None
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

    def name_of(column: str) -> str:
        return column if column == along else f"by_{column}"

    rows: QuerySet[Any] = Commitment.objects.all()
    names = [*_TALLIED, "source_id", "amount_nature", "parties"]
    rows = rows.alias(
        **{
            f"by_{name}": Coalesce(F(name), Value(0 if name == "source_id" else ""))
            for name in names
        }
    )
    for name in _TALLIED:
        if getattr(selection, name):
            rows = rows.filter(**{name_of(name): getattr(selection, name)})
    if selection.party:
        rows = rows.filter(by_parties__in=_with_party(selection.party))
    if selection.nature:
        rows = rows.filter(**{name_of("amount_nature"): selection.nature})
    if selection.source:
        source = Source.objects.only("pk").get(slug=selection.source)
        rows = rows.filter(by_source_id=source.pk)
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


def _way(selection: Selection) -> tuple[str, int]:
    """Return along which column's index a walk is shortest, if any, and how long it can be."""
    everything = count(Selection())
    if selection.sort != "recent":
        return "", everything
    ways = [
        (count(Selection(**{name: getattr(selection, name)})), name)
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
    hits = count(selection)
    along, walked = _way(selection)
    # Walking reads walked / hits rows for each hit; fetching all hits reads each.
    if not selection.q and hits * hits > walked * (offset + limit):
        rows = _walked(selection, along=along).order_by(*_order(selection))
    else:
        rows = select(selection)
    ids = list(rows.values_list("pk", flat=True)[offset : offset + limit])
    found_rows = Commitment.objects.select_related("source").in_bulk(ids)
    return [found_rows[pk] for pk in ids]


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
