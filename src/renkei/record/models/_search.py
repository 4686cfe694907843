"""The search index: what is asked of it, and under what every row is found."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models.expressions import RawSQL
from django.utils.translation import override

from renkei.base.rows import ask, marks
from renkei.record import engine
from renkei.record.models._tables import Finding, Organisation, Source
from renkei.record.models._words import label

MOST_BOUND = 500  # keys in one statement
SEARCHED = ("commitment", "organisation", "source", "finding")

Found = Any  # a QuerySet of one of the searched tables


def found(
    rows: Found, kind: str, query: str, *, codes: Iterable[str] = (), newest: int | None = None
) -> Found:
    """Keep the rows that hold every term of ``query``; all of them when it has no term.

    Args:
        codes: what ``code_term`` made of values that the rows must have too.
        newest: look at that many hits, the last added first: a common word hits half the record.
    """
    asked = _asked(kind, query, codes, newest)
    if query.strip() and not engine.query_terms(query):
        return rows.none()
    if asked is None:
        return rows
    sql, match = asked
    return rows.filter(pk__in=RawSQL(sql, (match,)))  # noqa: S611  the table is one of SEARCHED


def matching(
    kind: str, query: str, *, codes: Iterable[str] = (), key: str
) -> tuple[str, list[object]]:
    """Return the condition that ``found`` puts on a key, as SQL, and its values."""
    asked = _asked(kind, query, codes, None)
    if asked is None:
        return ("FALSE" if query.strip() else "TRUE"), []
    return f"{key} IN ({asked[0]})", [asked[1]]


def hits(kind: str, query: str, *, codes: Iterable[str] = (), most: int) -> "Hits":
    """Return the keys that ``found`` would keep, at most ``most``; asks the search index alone."""
    asked = _asked(kind, query, codes, most)
    if asked is None or (query.strip() and not engine.query_terms(query)):
        return Hits(0, "")
    sql, match = asked
    # In one text: ten thousand rows would take longer to fetch than to find.
    together = "string_agg(id::text, ',')" if connection.vendor == "postgresql" else GATHER
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*), {together} FROM ({sql}) AS found", (match,))
        count, keys = cursor.fetchone()
    return Hits(count, keys or "")


GATHER = "group_concat(rowid, ',')"


@dataclass(frozen=True)
class Hits:
    """Keys that a search found, the last added first, in a text with commas between them."""

    count: int
    keys: str

    def first(self, most: int) -> list[str]:
        """Return the newest of them, as texts of digits."""
        return self.keys.split(",", most)[:most] if self.keys else []


def _asked(
    kind: str, query: str, codes: Iterable[str], newest: int | None
) -> tuple[str, str] | None:
    """Return the statement that finds keys in the search index, and its parameter.

    ``None`` where nothing is asked for that could be found.
    """
    wanted = [*((code, False) for code in codes), *engine.query_terms(query)]
    if not wanted:
        return None
    lacking = ""
    if (UNDISPUTED, False) in wanted and len(wanted) > 1:
        # Nearly all rows have it, so that every hit would be sought in the longest of lists.
        wanted.remove((UNDISPUTED, False))
        lacking = DISPUTED
    table = f"record_search_{_searched(kind)}"
    if connection.vendor == "postgresql":
        # Terms are letters and digits alone, so nothing in them can be an operator. The cast, unlike
        # to_tsquery, does not parse: a parser's idea of a letter depends on the cluster's locale.
        match = " & ".join(f"'{term}':*" if longer else f"'{term}'" for term, longer in wanted)
        match += f" & !'{lacking}'" if lacking else ""
        key, condition = "id", "terms @@ %s::tsquery"
    else:
        match = " ".join(f'"{term}"*' if longer else f'"{term}"' for term, longer in wanted)
        match = f'({match}) NOT "{lacking}"' if lacking else match
        key, condition = "rowid", f"{table} MATCH %s"
    last = "" if newest is None else f" ORDER BY {key} DESC LIMIT {int(newest)}"
    return f"SELECT {key} FROM {table} WHERE {condition}{last}", match


CODE_MARK = "\ue000"  # a character for private use: no word that a reader types holds it


def code_term(name: str, value: str) -> str:
    """Return the term under which rows with this value of a field are in the search index.

    The index intersects values like words, so that any choice of facets, with or without words, is
    found without reading the rows.
    """
    return CODE_MARK + "".join(char for char in f"{name}{value}".casefold() if char.isalnum())


DISPUTED, UNDISPUTED = code_term("finding", "any"), code_term("finding", "none")
"""Every commitment is in the index under one of these."""


def index(
    kind: str, entries: Mapping[int, str], *, codes: Mapping[int, Iterable[str]] | None = None
) -> None:
    """Put rows (by primary key) in the search index, instead of what was there of them.

    Args:
        entries: the text under which each row is found.
        codes: what ``code_term`` made of the values under which it is found too.
    """
    table = f"record_search_{_searched(kind)}"
    rows = [
        (pk, " ".join(dict.fromkeys([*engine.index_terms(text), *(codes or {}).get(pk, ())])))
        for pk, text in entries.items()
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.executemany(
                f"INSERT INTO {table} (id, terms) "
                "VALUES (%s, array_to_tsvector(array_remove(string_to_array(%s, ' '), ''))) "
                "ON CONFLICT (id) DO UPDATE SET terms = excluded.terms",
                rows,
            )
        else:
            cursor.executemany(f"DELETE FROM {table} WHERE rowid = %s", [(pk,) for pk, _ in rows])
            cursor.executemany(f"INSERT INTO {table} (rowid, terms) VALUES (%s, %s)", rows)


def forget(kind: str, pk: int) -> None:
    """Take a row out of the search index."""
    key = "id" if connection.vendor == "postgresql" else "rowid"
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM record_search_{_searched(kind)} WHERE {key} = %s", (pk,))


def _searched(kind: str) -> str:
    if kind not in SEARCHED:
        raise ValueError(f"{kind!r} is not searched: expected one of {SEARCHED}")
    return kind


# Under what rows are found


def organisation_text(row: Organisation) -> str:
    """Return the text under which an organisation is found."""
    return " ".join([row.slug, row.title_en, row.title_ja, row.country, *row.aliases])


def source_text(row: Source) -> str:
    """Return the text under which a source is found."""
    return " ".join(
        [
            row.slug,
            row.title_en,
            row.title_ja,
            row.publisher_en,
            row.publisher_ja,
            row.genre_en,
            row.genre_ja,
            row.doi,
            row.original_file,
            row.sha256,
        ]
    )


def finding_text(row: Finding) -> str:
    """Return the text under which a finding is found."""
    return " ".join(
        [
            row.slug,
            row.title_en,
            row.title_ja,
            row.suggestion_en,
            row.suggestion_ja,
            row.decision_en,
            row.decision_ja,
            *_in_both("finding_type", row.kind),
        ]
    )


def _in_both(vocabulary: str, code: str) -> list[str]:
    said = []
    for language in ("en", "ja"):
        with override(language):
            said.append(label(vocabulary, code))
    return said


_INDEXED = """
SELECT c.id, c.slug, c.title_en, c.title_ja, c.note_en, c.note_ja, c.record_class, c.domain, c.kind,
  c.status, c.scope, c.parties, c.amount_nature, s.slug AS source_slug, s.title_en AS source_en,
  s.title_ja AS source_ja
FROM record_commitment c LEFT JOIN record_source s ON s.id = c.source_id WHERE c.id IN ({ids})
"""
_NAMES = """
SELECT commitment_id, value FROM record_claim WHERE field = 'name' AND commitment_id IN ({ids})
ORDER BY id
"""
_BODIES = """
SELECT p.commitment_id, o.title_en, o.title_ja, o.aliases FROM record_participation p
JOIN record_organisation o ON o.id = p.organisation_id WHERE p.commitment_id IN ({ids}) ORDER BY p.id
"""
_DISPUTED = """
SELECT DISTINCT commitment_id FROM record_finding_commitments WHERE commitment_id IN ({ids})
"""


def _about(sql: str, keys: list[int]) -> list[Any]:
    """Return rows about commitments, by pieces that every database can bind."""
    return [
        row
        for at in range(0, len(keys), MOST_BOUND)
        for row in ask(sql, keys[at : at + MOST_BOUND], ids=marks(keys[at : at + MOST_BOUND]))
    ]


def chosen_by(row: Any) -> dict[str, list[str]]:
    """Return the values of a commitment by which lists choose, each by its name in a selection."""
    return {
        "record_class": [row.record_class],
        "domain": [row.domain],
        "kind": [row.kind],
        "status": [row.status],
        "scope": [row.scope],
        "party": row.parties.split(","),
        "nature": [row.amount_nature],
    }


def reindex_commitments(ids: Iterable[int]) -> None:
    """Put commitments in the search index under everything that belongs to them."""
    keys = list(ids)
    rows = _about(_INDEXED, keys)
    disputed = {pk for (pk,) in _about(_DISPUTED, keys)}
    names: defaultdict[int, list[str]] = defaultdict(list)
    for pk, name in _about(_NAMES, keys):
        names[pk].append(name)
    for pk, en, ja, aliases in _about(_BODIES, keys):
        names[pk] += [en, ja, *json.loads(aliases)]
    entries: dict[int, str] = {}
    codes: dict[int, list[str]] = {}
    labels: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        parties = [code for code in row.parties.split(",") if code]
        words = [row.slug, row.title_en, row.title_ja, row.note_en, row.note_ja, *parties]
        for vocabulary in ("domain", "kind", "status", "scope"):
            code = getattr(row, vocabulary)
            if (vocabulary, code) not in labels:
                labels[vocabulary, code] = _in_both(vocabulary, code)
            words += labels[vocabulary, code]
        words += names[row.id]
        if row.source_slug:
            words += [row.source_slug, row.source_en, row.source_ja]
        entries[row.id] = " ".join(words)
        values_of = {
            **chosen_by(row),
            "source": [row.source_slug],
            "finding": ["any" if row.id in disputed else "none"],
        }
        codes[row.id] = [
            code_term(name, value)
            for name, values in values_of.items()
            for value in values
            if value
        ]
    index("commitment", entries, codes=codes)
