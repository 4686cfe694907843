"""One pair is founded for all system tests; each test that founds nothing itself runs a copy."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.site.command import renkei

from renkei.border.commands._rig import free_base_port


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Return a function that puts a copy of a founded and stopped pair at a path.

    ``renkei up`` gives a copy its own ports, as it does for a pair that moves.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    var = shared / "founded" / "var"
    with (shared / "founded.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other workers wait for the one that founds
        if not (var / "demo.json").exists():
            up = renkei("up", "--detach", "--var", var, "--base-port", free_base_port())
            assert up.returncode == 0, up.stderr
            assert renkei("down", "--var", var).returncode == 0

    def copy(to: Path) -> Path:
        shutil.copytree(var, to, ignore=shutil.ignore_patterns("up.lock"), dirs_exist_ok=True)
        return to

    return copy
