"""Rows by plain SQL, for what is read at almost every request.

Putting such a query together by the ORM takes ten times as long as the database needs to answer it.
The SQL is what SQLite and PostgreSQL both understand, values are always bound, and what changes
data stays with the models.
"""

from collections import namedtuple
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection


def ask(sql: str, values: Sequence[Any] = (), **names: str) -> list[Any]:
    """Return the rows of a SELECT, each with its columns as attributes.

    Args:
        sql: with ``%s`` for each value; every column has a name of its own.
        values: what is bound.
        **names: what stands in braces, of our own making (a language, ``marks``), never of a
            reader's.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.format_map(names) if names else sql, values)
        row = _row(tuple(column[0] for column in cursor.description))
        return [row(found) for found in cursor.fetchall()]


def marks(values: Collection[object]) -> str:
    """Return as many ``%s`` as there are values, for ``IN (…)``; ``NULL``, which is in nothing, for none."""
    return ", ".join(["%s"] * len(values)) or "NULL"


def moment(value: datetime) -> datetime:
    """Return a moment with its zone: SQLite keeps UTC without saying so."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


@cache
def _row(names: tuple[str, ...]) -> Any:
    row: Any = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024  the statement names them
    return row._make
