"""Background work: progress that people see, a stop they can ask for, and survival of a kill.

Tasks are ``django_tasks`` functions in a room's ``tasks.py``, declared with ``takes_context``; they
wrap their work in ``job(context, ...)``. What was running when a worker died is run again from its
start, so a task must be safe to repeat. Tasks run in a child of the worker that ends when the queue
is empty: compilers, solvers and drawing programs that a task brought in leave memory with it.
"""

import fcntl
import signal
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.db import close_old_connections, transaction
from django.utils import timezone
from django_tasks import TaskContext, TaskResultStatus
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from renkei.base.models import Job
from renkei.base.rooms import rooms
from renkei.base.services import running
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop

MAX_ATTEMPTS = 3  # a task that kills its worker every time must not do so for ever
LOOK_SECONDS = 0.2
AFTER_DEATH_SECONDS = 2.0


class JobCancelledError(RenkeiError):
    """Somebody asked the job to stop, and it has."""

    code = "base.job_cancelled"
    status = 409


class WorkerRunsError(RenkeiError):
    """A second worker would run what the first one is running."""

    code = "base.worker_runs"
    status = 409


@contextmanager
def job(context: TaskContext, *, title: str, total: int = 0) -> Iterator[Callable[[int], None]]:
    """Report the progress of the running task.

    Args:
        context: what ``takes_context`` hands to the task.
        title: an English sentence with a translation.
        total: how many steps there are; 0 when nobody knows.

    Yields:
        ``step(done)``: record that ``done`` steps are done.

    Raises:
        JobCancelledError: from ``step``, after somebody asked for a stop.
    """
    task = uuid.UUID(str(context.task_result.id))
    Job.objects.update_or_create(task=task, defaults={"title": title, "total": total, "done": 0})

    def step(done: int) -> None:
        now = timezone.now()
        Job.objects.filter(task=task).update(done=done, updated_at=now)
        if Job.objects.filter(task=task, cancel_asked_at__isnull=False).exists():
            raise JobCancelledError(gettext_noop("stopped at somebody's request"))

    try:
        step(0)
        yield step
    except JobCancelledError:
        Job.objects.filter(task=task).update(cancelled_at=timezone.now())
        raise


def cancel(task: uuid.UUID) -> None:
    """Ask a job to stop: at once if it has not begun, else at its next step.

    Raises:
        NotFoundError: no such job.
        ConflictError: it is already over.
    """
    with transaction.atomic():
        row = DBTaskResult.objects.select_for_update().filter(pk=task).first()
        if row is None:
            raise NotFoundError(gettext_noop("there is no job {task}"), task=task)
        if row.status in {TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED}:
            raise ConflictError(gettext_noop("the job is over already"))
        now = timezone.now()
        Job.objects.update_or_create(
            task=task,
            defaults={"cancel_asked_at": now},
            create_defaults={"cancel_asked_at": now, "title": row.task_name},
        )
        if row.status == TaskResultStatus.READY:
            row.set_failed(JobCancelledError(gettext_noop("stopped at somebody's request")))
            Job.objects.filter(task=task).update(cancelled_at=now)


def recover() -> int:
    """Queue again what was running when the last worker died; return how many.

    Only the one worker of a node calls this, before its first task. A task that has been begun
    ``MAX_ATTEMPTS`` times is marked as failed instead.
    """
    recovered = 0
    for row in DBTaskResult.objects.running():
        if len(row.worker_ids) >= MAX_ATTEMPTS:
            row.set_failed(
                RuntimeError(f"the worker died {MAX_ATTEMPTS} times while it ran this task")
            )
            continue
        row.status = TaskResultStatus.READY
        row.started_at = None
        row.save(update_fields=["status", "started_at"])
        recovered += 1
    return recovered


def drain() -> None:
    """Run the queued tasks one after another; return when the queue is empty.

    Only the child of a node's one worker calls this. A first signal to end lets the task at hand
    come to its end, a second one does not.
    """
    worker = Worker(
        queue_names=["*"],
        interval=0.0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=uuid.uuid4().hex,
        excluded_queue_names=[],
    )
    if threading.current_thread() is threading.main_thread():
        worker.configure_signals()
    worker.run()


def work(lock: Path, *, drainer: Sequence[str], interval: float = 0.5) -> None:
    """Have the node's tasks run, and the rooms' services beside them, until told to stop.

    Args:
        lock: a file that the one worker of a node holds locked.
        drainer: the command that calls ``drain`` for this node in a process of its own.
        interval: seconds between looks at an empty queue.

    Raises:
        WorkerRunsError: another worker of this node is running.
    """
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkerRunsError(
                gettext_noop("a worker of this node is running already: {lock} is locked"),
                lock=lock,
            ) from error
        stop = threading.Event()
        for which in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(which, lambda _number, _frame: stop.set())
        recover()
        own = "renkei.base.commits.shorten_log"
        with running([own, *(name for room in rooms() for name in room.services)]):
            while not stop.is_set():
                if DBTaskResult.objects.ready().exists():
                    _drain_in_child(drainer, stop)
                close_old_connections()
                stop.wait(interval)


def _drain_in_child(drainer: Sequence[str], stop: threading.Event) -> None:
    """Run one child to its end; when the worker is told to stop, tell the child too, once."""
    child = subprocess.Popen(drainer, stdin=subprocess.DEVNULL)  # noqa: S603  our own program
    while child.poll() is None:
        if stop.wait(LOOK_SECONDS):
            child.send_signal(signal.SIGTERM)
            child.wait()
    if child.returncode:
        # It was killed, or could not begin: what it ran is queued again, and not at once.
        recover()
        stop.wait(AFTER_DEATH_SECONDS)
