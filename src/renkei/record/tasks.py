"""The record's work outside a request: drawing the dashboard's charts."""

from functools import partial

from django.db import transaction
from django_tasks import TaskResultStatus, task
from django_tasks_db.models import DBTaskResult


@task()
def draw() -> int:
    """Draw the charts for the present version of the facts; return that version."""
    return 0


def draw_later() -> None:
    """Queue a drawing after the transaction, unless one is waiting already."""
    transaction.on_commit(partial(_enqueue_once))


def _enqueue_once() -> None:
    waiting = DBTaskResult.objects.filter(task_path=draw.module_path, status=TaskResultStatus.READY)
    if not waiting.exists():
        draw.enqueue()
