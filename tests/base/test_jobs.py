"""Background work shows progress, stops when asked, and survives a killed worker."""

import uuid

import pytest
from django.utils import timezone
from django_tasks import TaskResultStatus, task
from django_tasks_db.models import DBTaskResult

from renkei.base import jobs
from renkei.base.models import Job
from renkei.kit.errors import ConflictError, NotFoundError

pytestmark = pytest.mark.django_db(transaction=True)
SEEN = []


@task(takes_context=True)
def count_to(context, number):
    """Count, saying how far it is; stop in the middle when ``SEEN`` says so."""
    with jobs.job(context, title="Counting", total=number) as step:
        for done in range(1, number + 1):
            if done in SEEN:
                jobs.cancel(uuid.UUID(str(context.task_result.id)))
            step(done)
    return number


@pytest.fixture(autouse=True)
def _forget():
    SEEN.clear()


def _work():
    jobs.recover()
    jobs.drain()


def test_a_job_runs_and_says_how_far_it_is():
    result = count_to.enqueue(3)

    _work()

    row = DBTaskResult.objects.get(pk=result.id)
    assert (row.status, row.return_value) == (TaskResultStatus.SUCCESSFUL, 3)
    job = Job.objects.get(pk=result.id)
    assert (job.done, job.total, job.percent) == (3, 3, 100)


def test_a_running_job_stops_at_its_next_step():
    SEEN.append(2)
    result = count_to.enqueue(5)

    _work()

    job = Job.objects.get(pk=result.id)
    assert job.done == 2
    assert job.cancelled_at is not None
    assert DBTaskResult.objects.get(pk=result.id).status == TaskResultStatus.FAILED


def test_a_waiting_job_is_stopped_at_once_and_never_runs():
    result = count_to.enqueue(5)
    jobs.cancel(uuid.UUID(str(result.id)))

    _work()

    assert Job.objects.get(pk=result.id).done == 0
    with pytest.raises(ConflictError, match="over already"):
        jobs.cancel(uuid.UUID(str(result.id)))


def test_what_does_not_exist_cannot_be_stopped():
    with pytest.raises(NotFoundError):
        jobs.cancel(uuid.uuid4())


def test_what_a_killed_worker_ran_is_run_again():
    result = count_to.enqueue(4)
    DBTaskResult.objects.filter(pk=result.id).update(
        status=TaskResultStatus.RUNNING, started_at=timezone.now(), worker_ids=["dead"]
    )

    _work()

    row = DBTaskResult.objects.get(pk=result.id)
    assert row.status == TaskResultStatus.SUCCESSFUL
    assert len(row.worker_ids) == 2


def test_a_task_that_kills_its_worker_each_time_is_given_up(tmp_path):
    result = count_to.enqueue(4)
    DBTaskResult.objects.filter(pk=result.id).update(
        status=TaskResultStatus.RUNNING,
        started_at=timezone.now(),
        worker_ids=["dead"] * jobs.MAX_ATTEMPTS,
    )

    assert jobs.recover() == 0
    assert DBTaskResult.objects.get(pk=result.id).status == TaskResultStatus.FAILED


def test_a_node_has_one_worker(tmp_path):
    import fcntl

    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(jobs.WorkerRunsError):
            jobs.work(tmp_path / "lock", drainer=("false",))
