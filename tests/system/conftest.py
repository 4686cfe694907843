"""One pair is founded for all system tests; each test that founds nothing itself runs a copy."""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.site.command import renkei

from renkei.border.commands._rig import free_base_port, until

SECONDS = 240
TASKS = "django_tasks_database_dbtaskresult"


def rests(file: Path) -> bool:
    """Tell whether a node has done all its jobs."""
    with closing(sqlite3.connect(file, timeout=30)) as database:
        left = f"SELECT count(*) FROM {TASKS} WHERE status IN ('READY', 'RUNNING')"
        return database.execute(left).fetchone() == (0,)


def put_off_drawing(file: Path) -> None:
    """Queue a node's last drawing again, for tomorrow: while it waits, no other one is queued."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")
    with closing(sqlite3.connect(file)) as database, database:
        done = database.execute(
            f"UPDATE {TASKS} SET status = 'READY', run_after = ?, started_at = NULL,"
            " finished_at = NULL, worker_ids = '[]' WHERE id ="
            f" (SELECT id FROM {TASKS} WHERE task_path = 'renkei.record.tasks.draw'"
            " ORDER BY enqueued_at DESC LIMIT 1)",
            (tomorrow,),
        )
        assert done.rowcount == 1


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that puts a copy of a founded and stopped pair at a path.

    ``renkei up`` gives a copy its own ports, as it does for a pair that moves. The jobs of founding
    are over, and no charts are drawn for a day: what the tests write would have each node begin a
    drawing of four seconds' work once a minute. The pair of ``test_up`` draws its own.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    var = shared / "founded" / "var"
    with (shared / "founded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other workers wait for the one that founds
        if not (var / "demo.json").exists():
            up = renkei("up", "--detach", "--var", var, "--base-port", free_base_port())
            assert up.returncode == 0, up.stderr
            assert until(lambda: all(map(rests, var.glob("*/node.sqlite3"))), SECONDS)
            assert renkei("down", "--var", var).returncode == 0
            for file in var.glob("*/node.sqlite3"):
                put_off_drawing(file)

    def copy(to: Path) -> Path:
        shutil.copytree(var, to, ignore=shutil.ignore_patterns("up.lock"), dirs_exist_ok=True)
        return to

    return copy
