"""Key managers that are killed at the fsyncs of a day give no key twice.

``RENKEI_ROUNDS=200 pytest tests/system/test_link_faults.py`` is the long run: 240 points or more.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from renkei.base.node import PROGRAM

POINTS = 240 if int(os.environ.get("RENKEI_ROUNDS", "3")) >= 200 else 6
pytestmark = pytest.mark.timeout(300 if POINTS < 240 else 7200)


def python(*arguments: object) -> str:
    """Run Python on a node of its own; return what it prints."""
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
    return done.stdout


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_killed_at_an_fsync_nothing_is_given_twice(tmp_path: Path) -> None:
    node = tmp_path / "us"
    python("-m", PROGRAM, "node", "init", node, "--name", "us", "--party", "US")

    rows = [
        json.loads(line)
        for line in python(Path(__file__).with_name("link_faults.py"), node, POINTS).splitlines()
        if line.startswith("{")
    ]

    assert [row for row in rows if row["wrong"]] == []
    assert sum(row.get("ended") == -9 for row in rows) == POINTS
    # Some kills come before the first key of a day was given, some after.
    assert len({row["keys"] > 0 for row in rows if "keys" in row}) == 2
