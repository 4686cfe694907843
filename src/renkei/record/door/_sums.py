"""Keeping the summary tables equal to the facts, inside the transaction that changes them.

``summed`` is put around a change: what the touched commitments add is counted before and after, and
the difference is applied. ``recount`` counts everything anew; ``check`` compares.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Model

from renkei.kit.errors import gettext_noop
from renkei.record import engine
from renkei.record.models import Commitment, Exposure, MilestoneTally, Tally, Total

CHUNK = 2_000
LARGEST = 2**62  # half of what a column holds: rather refuse than add wrongly
TABLES: tuple[tuple[type[Model], tuple[str, ...], str], ...] = (
    (Total, ("domain", "side", "nature", "currency", "stage"), "minor"),
    (Tally, ("record_class", "domain", "kind", "status", "scope", "parties"), "count"),
    (Exposure, ("currency", "source", "is_counted"), "minor"),
    (MilestoneTally, ("domain", "state"), "count"),
)

Counted = Counter[tuple[Any, ...]]
Counts = tuple[Counted, Counted, Counted, Counted]
"""What facts add to each of ``TABLES``."""

# Plain SQL, alike on SQLite and PostgreSQL: this runs twice in every change, and putting the same
# queries together by the ORM would take longer than all the rest of the change.
_COMMITMENTS = """
SELECT c.id, c.record_class, c.domain, c.kind, c.status, c.scope, c.parties, c.is_counted,
  c.is_lead, c.amount_minor, c.amount_currency, s.slug
FROM record_commitment c LEFT JOIN record_source s ON s.id = c.source_id WHERE c.id IN ({})
"""
_PAID = """
SELECT commitment_id, side, nature, currency, sum(minor) FROM record_disbursement
WHERE is_current AND commitment_id IN ({}) GROUP BY commitment_id, side, nature, currency
"""
_PUBLISHED = """
SELECT a.commitment_id, k.field, a.side, a.nature, a.currency, a.stage, a.relation, a.minor
FROM record_amount a JOIN record_claim k ON k.id = a.claim_id
WHERE k.is_published AND a.commitment_id IN ({})
"""
_DUE = """
SELECT commitment_id, state, count(*) FROM record_milestone WHERE commitment_id IN ({})
GROUP BY commitment_id, state
"""


@dataclass(frozen=True)
class _Add:
    """The statements that add to a row of a summary table, and drop it when nothing is left."""

    add: str
    drop: str


def _adding(model: type[Model], keys: tuple[str, ...], column: str) -> _Add:
    table, name = model._meta.db_table, f'"{column}"'  # noqa: SLF001
    where = " AND ".join(f"{key} = %s" for key in keys)
    return _Add(
        f"UPDATE {table} SET {name} = {name} + %s WHERE {where} AND {name} <= %s",
        f"DELETE FROM {table} WHERE {where} AND {name} = 0",
    )


_ADD = {model: _adding(model, keys, column) for model, keys, column in TABLES}


def _rows(sql: str, ids: Collection[int]) -> list[tuple[Any, ...]]:
    """Return the rows about these commitments."""
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql.format(", ".join(["%s"] * len(ids))), list(ids))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def count(commitments: Iterable[int]) -> Counts:
    """Return what these commitments add to each summary table."""
    totals, tallies, exposures, due = (Counted() for _ in TABLES)
    domains: dict[int, str] = {}
    counted: dict[int, str] = {}
    paid: dict[int, str] = {}
    for pk, *facets, is_counted, is_lead, minor, currency, source in _rows(
        _COMMITMENTS, list(commitments)
    ):
        tallies[tuple(facets)] += 1
        record_class, domains[pk], *_ = facets
        if record_class == "commitment":
            if minor is not None:
                exposures[currency, source or "", bool(is_counted)] += minor
            if is_lead:
                paid[pk] = domains[pk]
        if is_counted:
            counted[pk] = domains[pk]
    for pk, (total, parts) in _published(counted).items():
        for key, minor in engine.contributions(total, parts).items():
            totals[(counted[pk], *key)] += minor
    for pk, side, nature, currency, minor in _rows(_PAID, paid):
        totals[paid[pk], side, nature, currency, "disbursed"] += int(minor)
    for pk, state, number in _rows(_DUE, domains):
        due[domains[pk], state] += number
    return totals, tallies, exposures, due


def _published(ids: Collection[int]) -> dict[int, tuple[engine.Sum | None, list[engine.Sum]]]:
    found: dict[int, tuple[engine.Sum | None, list[engine.Sum]]] = {}
    for pk, field, side, nature, currency, stage, relation, minor in _rows(_PUBLISHED, ids):
        item = engine.Sum(
            side=side, nature=nature, currency=currency, stage=stage, relation=relation, minor=minor
        )
        total, parts = found.get(pk, (None, []))
        found[pk] = (item, parts) if field == "amount" else (total, [*parts, item])
    return found


def add(counts: Counts) -> None:
    """Add differences to the summary tables, in one order so that writers cannot block in a ring."""
    for (model, keys, column), difference in zip(TABLES, counts, strict=True):
        for values in sorted(difference, key=repr):
            by = difference[values]
            if not by:
                continue
            kept = _ADD[model]
            with connection.cursor() as cursor:
                cursor.execute(kept.add, [by, *values, LARGEST - by])
                if cursor.rowcount:
                    if by < 0:
                        cursor.execute(kept.drop, values)
                    continue
            where = dict(zip(keys, values, strict=True))
            if model._default_manager.filter(**where).exists():  # noqa: SLF001
                raise engine.BadAmountError(
                    gettext_noop("the sum of {currency} would be larger than can be counted"),
                    currency=where.get("currency", ""),
                )
            model._default_manager.create(**where, **{column: by})  # noqa: SLF001


@contextmanager
def summed(*commitments: int) -> Iterator[None]:
    """Keep the summary tables right while the facts of these commitments change.

    Only inside a transaction that holds the record's lock (``_write.change``).
    """
    before = count(commitments)
    yield
    after = count(commitments)
    for old, new in zip(before, after, strict=True):
        new.subtract(old)
    add(after)


def recount() -> Counts:
    """Count everything anew, piece by piece."""
    whole: Counts = (Counter(), Counter(), Counter(), Counter())
    last = 0
    while True:
        ids = list(
            Commitment.objects.filter(pk__gt=last)
            .order_by("pk")
            .values_list("pk", flat=True)[:CHUNK]
        )
        if not ids:
            return whole
        last = ids[-1]
        for table, part in zip(whole, count(ids), strict=True):
            table.update(part)


def rebuild() -> None:
    """Replace the summary tables by a recount."""
    with transaction.atomic():
        for (model, keys, column), counted in zip(TABLES, recount(), strict=True):
            manager = model._default_manager  # noqa: SLF001
            manager.all().delete()
            manager.bulk_create(
                [
                    model(**dict(zip(keys, values, strict=True)), **{column: number})
                    for values, number in counted.items()
                    if number
                ],
                batch_size=CHUNK,
            )


def check() -> list[str]:
    """Return every difference between the summary tables and the facts, in words; none is right."""
    wrong: list[str] = []
    for (model, keys, column), counted in zip(TABLES, recount(), strict=True):
        kept = {
            tuple(row[key] for key in keys): row[column]
            for row in model._default_manager.values(*keys, column)  # noqa: SLF001
        }
        for values in sorted(kept.keys() | {key for key, by in counted.items() if by}, key=repr):
            is_kept, is_fact = kept.get(values, 0), counted.get(values, 0)
            if is_kept != is_fact:
                name = model._meta.model_name  # noqa: SLF001
                wrong.append(f"{name} {values}: kept {is_kept}, facts give {is_fact}")
    return wrong
