"""What an append of the border survives: kills, failing system calls, full disks.

``RENKEI_ROUNDS=200 pytest tests/system/test_border_faults.py`` is the long run: 200 kills at random,
then every system call of an append that writes, struck by an error and by a kill.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.faults import CALLS

from renkei.base.node import PROGRAM

ROUNDS = int(os.environ.get("RENKEI_ROUNDS", "3"))
FAULTS = Path(__file__).with_name("faults.py")
pytestmark = pytest.mark.timeout(300 if ROUNDS < 200 else 7200)


def python(*arguments: object) -> list[dict[str, Any]]:
    """Run Python on a node of its own; return the JSON lines that it prints."""
    taken = {"RENKEI_NODE", "DATABASE_URL", "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in taken},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a node without partners that has said nothing yet."""
    folder = tmp_path_factory.mktemp("faults") / "us"
    python("-m", PROGRAM, "node", "init", folder, "--name", "us", "--party", "US")
    return folder


def test_an_append_survives_kills_and_failing_calls(founded: Path, tmp_path: Path) -> None:
    node = tmp_path / "us"
    shutil.copytree(founded, node)
    rows = python(FAULTS, node, ROUNDS)

    assert [row for row in rows if row["wrong"]] == []
    assert len([row for row in rows if row["fault"] == "SIGKILL at random"]) == ROUNDS
    if shutil.which("strace") is None:
        pytest.skip("kills alone: strace is not installed, so no system call could be struck")
    struck = [row for row in rows if "ended" in row and row["fault"] != "SIGKILL at random"]
    assert {row["fault"].split()[0] for row in struck} == set(CALLS)
    killed = [row["ended"] for row in struck if row["fault"].endswith("KILL")]
    assert set(killed) == {"-9"}
    # A lock file or a file that is cut shorter afterwards may fail without harm.
    failed = {row["ended"] for row in struck if row["fault"].endswith("EIO")}
    assert "said so" in failed
    assert failed <= {"said so", "went on"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m", "none", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-R", folder], check=True)


def test_full_disks_refuse_and_lose_nothing(founded: Path, disk: Path) -> None:
    shutil.copytree(founded, disk / "us")
    log, wal, database = python(FAULTS, disk / "us", "full")

    sound = {"reads": True, "signed again": True, "wrong": []}
    assert log == {"fault": "log", "said": "OSError", **sound}
    assert wal == {
        "fault": "write-ahead log", "said": "OperationalError", "lost": 0, "signed beyond": False,
        **sound,
    }  # fmt: skip
    assert database == {"fault": "database", "said": "OperationalError", "lost": 0, **sound}
