"""Charts are drawn for a version of the facts, on a day, and not twice for the same."""

import subprocess
from datetime import date, timedelta

import pytest
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from renkei.record import door, tasks
from renkei.record.models import Drawing, State

pytestmark = pytest.mark.django_db


@pytest.fixture
def drawn(record, monkeypatch):
    """Count drawings; the drawing process itself is tested with the engine."""
    calls = []

    def draw(orders):
        calls.append(len(orders))
        return ["<svg/>" for _order in orders]

    monkeypatch.setattr(tasks, "_drawn", draw)
    return calls


def test_what_is_fresh_is_not_drawn_again(drawn):
    assert door.ensure_drawn()
    assert door.ensure_drawn()

    assert len(drawn) == 1
    version = State.objects.get().version
    assert set(Drawing.objects.values_list("version", flat=True)) == {version}


def test_new_facts_and_a_new_day_are_drawn(drawn, officer):
    door.ensure_drawn()
    door.resolve_finding(
        author=officer, reason="a test", finding="x01", decision_en="Both.", decision_ja="両方。"
    )
    door.ensure_drawn()
    Drawing.objects.update(drawn_on=date(2026, 1, 1))
    door.ensure_drawn()

    assert len(drawn) == 3


def test_a_queued_drawing_of_what_is_drawn_already_draws_nothing(drawn, officer):
    door.ensure_drawn()
    assert tasks.draw.func() == State.objects.get().version
    assert len(drawn) == 1
    door.resolve_finding(
        author=officer, reason="a test", finding="x01", decision_en="Both.", decision_ja="両方。"
    )
    assert tasks.draw.func() == State.objects.get().version
    assert len(drawn) == 2


def test_charts_that_cannot_be_drawn_stop_nothing(record, monkeypatch, caplog):
    def fail(_orders):
        raise subprocess.TimeoutExpired("charts", 1)

    monkeypatch.setattr(tasks, "_drawn", fail)

    assert not door.ensure_drawn()
    assert "could not be drawn" in caplog.text


def test_changes_after_one_another_are_drawn_once_a_minute(record):
    def queued():
        rows = DBTaskResult.objects.filter(task_path=tasks.draw.module_path)
        return [(row.status, row.run_after) for row in rows.order_by("enqueued_at")]

    DBTaskResult.objects.all().delete()
    tasks._enqueue_once()
    tasks._enqueue_once()
    assert len(queued()) == 1

    DBTaskResult.objects.update(status=TaskResultStatus.SUCCESSFUL)
    tasks._enqueue_once()
    tasks._enqueue_once()
    (_, _at_once), (_, second) = queued()
    assert timedelta(seconds=0) < second - timezone.now() <= timedelta(minutes=1)
