"""Keeping the summary tables equal to the facts, inside the transaction that changes them.

``summed`` is put around a change: what the touched commitments add is counted before and after, and
the difference is applied. ``recount`` counts everything anew; ``check`` compares.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import F, Model, Sum

from renkei.kit.errors import gettext_noop
from renkei.record import engine
from renkei.record.models import (
    Amount,
    Commitment,
    Disbursement,
    Exposure,
    Tally,
    Total,
)

CHUNK = 2_000
LARGEST = 2**62  # half of what a column holds: rather refuse than add wrongly
TABLES: tuple[tuple[type[Model], tuple[str, ...], str], ...] = (
    (Total, ("domain", "side", "nature", "currency", "stage"), "minor"),
    (Tally, ("record_class", "domain", "kind", "status", "scope", "parties"), "count"),
    (Exposure, ("currency", "source", "is_counted"), "minor"),
)

Counts = tuple[Counter[tuple[Any, ...]], Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]
_COLUMNS = (
    "pk",
    "record_class",
    "domain",
    "kind",
    "status",
    "scope",
    "parties",
    "is_counted",
    "is_lead",
    "amount_minor",
    "amount_currency",
    "source__slug",
)


def count(commitments: Iterable[int]) -> Counts:
    """Return what these commitments add to each summary table."""
    ids = list(commitments)
    totals: Counter[tuple[Any, ...]] = Counter()
    tallies: Counter[tuple[Any, ...]] = Counter()
    exposures: Counter[tuple[Any, ...]] = Counter()
    rows = {row["pk"]: row for row in Commitment.objects.filter(pk__in=ids).values(*_COLUMNS)}
    for row in rows.values():
        tallies[
            row["record_class"],
            row["domain"],
            row["kind"],
            row["status"],
            row["scope"],
            row["parties"],
        ] += 1
        if row["record_class"] == "commitment" and row["amount_minor"] is not None:
            source = row["source__slug"] or ""
            exposures[row["amount_currency"], source, row["is_counted"]] += row["amount_minor"]
    counted = {pk: row["domain"] for pk, row in rows.items() if row["is_counted"]}
    for pk, (total, parts) in _published(counted).items():
        for key, minor in engine.contributions(total, parts).items():
            totals[(counted[pk], *key)] += minor
    paid = [
        pk for pk, row in rows.items() if row["record_class"] == "commitment" and row["is_lead"]
    ]
    sums = (
        Disbursement.objects.filter(commitment__in=paid, is_current=True)
        .values_list("commitment_id", "side", "nature", "currency")
        .annotate(sum=Sum("minor"))
    )
    for pk, side, nature, currency, minor in sums:
        totals[rows[pk]["domain"], side, nature, currency, "disbursed"] += minor
    return totals, tallies, exposures


def _published(ids: Iterable[int]) -> dict[int, tuple[engine.Sum | None, list[engine.Sum]]]:
    found: dict[int, tuple[engine.Sum | None, list[engine.Sum]]] = {}
    amounts = Amount.objects.filter(commitment__in=list(ids), claim__is_published=True).values_list(
        "commitment_id", "claim__field", "side", "nature", "currency", "stage", "relation", "minor"
    )
    for pk, field, side, nature, currency, stage, relation, minor in amounts:
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
            where = dict(zip(keys, values, strict=True))
            kept = model._default_manager.filter(**where)  # noqa: SLF001
            if kept.filter(**{f"{column}__lte": LARGEST - by}).update(**{column: F(column) + by}):
                continue
            if kept.exists():
                raise engine.BadAmountError(
                    gettext_noop("the sum of {currency} would be larger than can be counted"),
                    currency=where.get("currency", ""),
                )
            model._default_manager.create(**where, **{column: by})  # noqa: SLF001
        model._default_manager.filter(**{column: 0}).delete()  # noqa: SLF001


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
    whole: Counts = (Counter(), Counter(), Counter())
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
