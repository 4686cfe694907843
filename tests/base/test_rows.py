"""Rows by plain SQL: columns as attributes, values bound, moments with their zone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import Error

from renkei.base import rows
from renkei.base.models import User

ASKED = "SELECT id, username AS name, is_active FROM base_user WHERE username = %s"


@pytest.fixture
def ann(db):
    return User.objects.create(username="ann")


def test_columns_are_attributes(ann):
    (row,) = rows.ask(ASKED, ["ann"])
    assert (row.id, row.name, row.is_active) == (ann.pk, "ann", True)


@pytest.mark.parametrize("value", ["' OR ''='", "%s", "{l}", "ann'; DROP TABLE base_user; --"])
def test_a_value_is_never_part_of_the_statement(ann, value):
    assert rows.ask(ASKED, [value]) == []
    assert User.objects.count() == 1


def test_names_stand_in_braces_and_keys_are_bound(ann):
    keys = [ann.pk, ann.pk + 1]
    sql = "SELECT {column} AS said FROM base_user WHERE id IN ({ids})"
    assert [row.said for row in rows.ask(sql, keys, column="username", ids=rows.marks(keys))] == [
        "ann"
    ]


def test_nothing_is_in_no_keys(ann):
    assert rows.ask("SELECT id FROM base_user WHERE id IN ({ids})", ids=rows.marks([])) == []


def test_too_few_values_are_refused(ann):
    with pytest.raises((Error, TypeError, IndexError)):
        rows.ask(ASKED, [])


def test_a_moment_without_a_zone_is_utc():
    naive = datetime(2026, 1, 2, 3, 4)  # noqa: DTZ001  as SQLite gives it
    assert rows.moment(naive) == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    there = datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=9)))
    assert rows.moment(there) is there
