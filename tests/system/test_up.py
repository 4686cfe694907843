"""``renkei up`` with real processes: two nodes that answer, come back, keep what they have, and end."""

import contextlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.site.command import renkei

from renkei.border.commands._rig import free_base_port

SECONDS_TO_COME_BACK = 30
SECONDS_OF_A_SECOND_START = 90  # six on a machine that does nothing else
pytestmark = pytest.mark.timeout(300)


def health(port: int) -> dict[str, Any] | None:
    """Return what a node says of itself, or ``None``."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return dict(json.load(answer))
    except OSError:
        return None


def until(true: Callable[[], object], seconds: float = SECONDS_TO_COME_BACK) -> bool:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


def of_pair(var: Path) -> list[int]:
    """Return the processes whose command line names this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if str(var).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return found


def serving(var: Path, name: str) -> list[int]:
    """Return the processes of one node's web server, the oldest first."""
    found = []
    for pid in of_pair(var):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"serve" in words and str(var / name).encode() in words:
                found.append(pid)
    return sorted(found)


class Pair:
    """A pair of nodes in a folder of its own."""

    def __init__(self, var: Path) -> None:
        self.var = var
        self.base = free_base_port()

    def up(self, *more: str) -> "subprocess.CompletedProcess[str]":
        """Start it in the background."""
        return renkei("up", "--detach", "--var", self.var, "--base-port", self.base, *more)

    def down(self) -> "subprocess.CompletedProcess[str]":
        """Stop it."""
        return renkei("down", "--var", self.var)

    def accounts(self) -> list[dict[str, str]]:
        """Return the demonstration's accounts."""
        return list(json.loads((self.var / "demo.json").read_text()))

    def supervisor(self) -> int:
        """Return the process id of what runs the pair."""
        return int(json.loads((self.var / "up.lock").read_text())["pid"])


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Return a pair, and stop it whatever became of it."""
    made = Pair(tmp_path / "var")
    yield made
    made.down()
    for pid in of_pair(made.var):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_two_nodes_come_up_come_back_keep_their_data_and_go_down(pair: Pair) -> None:
    first = pair.up()

    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == "Renkei is up"
    for at, (name, party) in enumerate((("us", "US"), ("jp", "JP")), 1):
        said = health(pair.base + at)
        assert said is not None
        assert (said["status"], said["node"], said["party"]) == ("ok", name, party)

    accounts = pair.accounts()
    assert stat.S_IMODE((pair.var / "demo.json").stat().st_mode) == 0o600
    assert [(one["node"], one["role"]) for one in accounts] == [
        (node, role)
        for node in ("us", "jp")
        for role in ("officer", "researcher", "analyst", "operator")
    ]
    assert {frozenset(one) for one in accounts} == {
        frozenset({"node", "role", "name", "password", "token"})
    }
    assert len({one["password"] for one in accounts} | {one["token"] for one in accounts}) == 16
    for one in accounts:
        assert (one["role"] == "officer") == (one["password"] in first.stdout)
        assert one["token"] not in first.stdout + first.stderr

    again = pair.up()
    assert again.returncode == 1
    assert str(pair.supervisor()) in again.stderr
    assert f"http://127.0.0.1:{pair.base + 1}" in again.stderr
    refused = pair.up("--fresh")
    assert (refused.returncode, (pair.var / "us").exists()) == (1, True)

    # What is written survives a kill, and the killed node comes back by itself.
    added = renkei("node", "user", "add", pair.var / "us", "ada", "--role", "board")
    assert added.returncode == 0, added.stderr
    killed = serving(pair.var, "us")
    os.kill(killed[0], signal.SIGKILL)
    assert until(lambda: set(serving(pair.var, "us")).isdisjoint(killed) and health(pair.base + 1))
    assert health(pair.base + 2)
    with contextlib.closing(sqlite3.connect(pair.var / "us" / "node.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM base_user").fetchone() == (5,)

    down = pair.down()
    assert (down.returncode, of_pair(pair.var)) == (0, [])
    assert pair.down().returncode == 0
    assert health(pair.base + 1) is None

    started = time.monotonic()
    second = pair.up()
    assert time.monotonic() - started < SECONDS_OF_A_SECOND_START
    assert second.returncode == 0, second.stderr
    assert pair.accounts() == accounts
    with contextlib.closing(sqlite3.connect(pair.var / "us" / "node.sqlite3")) as database:
        assert database.execute("SELECT count(*) FROM base_user").fetchone() == (5,)


def test_a_killed_supervisor_leaves_nothing_behind_and_stops_nobody(
    pair: Pair, founded: Callable[[Path], Path]
) -> None:
    founded(pair.var)
    assert pair.up().returncode == 0
    os.kill(pair.supervisor(), signal.SIGKILL)

    assert until(lambda: not of_pair(pair.var))  # no orphan
    assert (pair.var / "up.lock").read_text()  # it could not clean up, and that is no obstacle
    assert pair.up().returncode == 0


def test_pairs_run_side_by_side_and_move(
    pair: Pair, tmp_path: Path, founded: Callable[[Path], Path]
) -> None:
    """A taken port is named before anything is founded; a pair can go to other ports."""
    founded(pair.var)
    assert pair.up().returncode == 0
    other = Pair(tmp_path / "other")
    other.base = pair.base
    taken = other.up()
    assert taken.returncode == 1
    assert f"port {pair.base + 1}" in taken.stderr
    assert "--base-port" in taken.stderr
    assert not (other.var / "us").exists()

    try:
        founded(other.var)
        before = other.accounts()
        other.base = free_base_port()
        assert other.up("--json").returncode == 0
        assert health(pair.base + 1)
        assert health(other.base + 2)
        assert other.accounts() == before
        toml = (other.var / "us" / "node.toml").read_text()
        assert f"web = {other.base + 1}" in toml
        assert f'address = "http://127.0.0.1:{other.base + 2}"' in toml
    finally:
        other.down()


def test_fresh_removes_its_own_nodes_and_no_others(
    pair: Pair, founded: Callable[[Path], Path]
) -> None:
    founded(pair.var)
    before = pair.accounts()
    (pair.var / "letter.txt").write_text("mine")

    assert pair.up("--fresh").returncode == 0
    pair.down()
    assert {one["password"] for one in before}.isdisjoint(
        one["password"] for one in pair.accounts()
    )
    assert (pair.var / "letter.txt").read_text() == "mine"

    toml = pair.var / "jp" / "node.toml"
    toml.write_text(toml.read_text().replace("demonstration = true", "demonstration = false"))
    for more in ((), ("--fresh",)):
        refused = pair.up(*more)
        assert (refused.returncode, "left alone" in refused.stderr) == (1, True)
        assert (pair.var / "us" / "node.sqlite3").exists()


def test_ctrl_c_in_the_foreground_ends_everything(
    pair: Pair, founded: Callable[[Path], Path]
) -> None:
    founded(pair.var)
    with subprocess.Popen(
        [sys.executable, "-m", "renkei.site.cli", "up", "--var", pair.var,
         "--base-port", str(pair.base), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "RENKEI_LANG": "en"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        said = ""
        while not said.rstrip().endswith("]"):
            line = process.stdout.readline()
            assert line, said
            said += line
        assert [row["node"] for row in json.loads(said)] == ["us", "jp"]
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS_TO_COME_BACK) == 0
    assert until(lambda: not of_pair(pair.var), 5)


def test_a_node_that_cannot_be_founded_is_said_and_leaves_nothing(pair: Pair) -> None:
    (pair.var / "jp").mkdir(parents=True)
    (pair.var / "jp" / "letter.txt").write_text("mine")

    done = pair.up()

    assert done.returncode == 1
    assert "letter.txt" in done.stderr or "node.toml" in done.stderr
    assert of_pair(pair.var) == []
    assert (pair.var / "jp" / "letter.txt").read_text() == "mine"
