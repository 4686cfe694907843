"""Appends that are killed, or whose system calls fail, one after another; a check after each.

``python tests/system/faults.py NODE ROUNDS`` prints one JSON object for each fault. Rounds are how
often a process is killed at random; from 200 on every system call of an append is struck, else some
of each kind. ``… NODE full`` fills the disks instead: the node must lie alone on a tmpfs, and
have said nothing yet. The node must have no processes of its own.

A child adds a batch, signs a checkpoint and writes tiles, and notes in shared memory what was
acknowledged; that takes no system call, so none of ours is counted. Another child looks at what is left.
"""

import contextlib
import json
import mmap
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CALLS = ("pwrite64", "write", "fdatasync", "fsync", "rename", "ftruncate")
BATCH = 256
NOTE = struct.Struct(">Q32s")  # entries that were acknowledged, and the root of their tree
FAULTY = 3  # exit code of a child that was told of an error, and said so


class Trial:
    """Children of one process that has entered the node."""

    def __init__(self, seldom: int) -> None:
        self.noted = mmap.mmap(-1, mmap.PAGESIZE)
        self.seldom = seldom  # every so many checks, the whole log is audited
        self.checks = 0

    def acknowledged(self) -> tuple[int, bytes]:
        """Return size and root that were acknowledged last."""
        size, root = NOTE.unpack(self.noted[: NOTE.size])
        return size, root

    def append(self) -> None:
        """Add, sign and export one batch; in a child."""
        from django.utils import timezone

        from renkei.border import door, engine
        from renkei.border.door import _tiles

        door.say_all([door.Said(type="fault.note.made", body={"n": n}) for n in range(BATCH)])
        log = door.own_log()
        root = engine.Frontier.load(bytes(log.frontier)).root
        self.noted[: NOTE.size] = NOTE.pack(log.size, root)
        door.publish(now=timezone.now())
        _tiles.export(door.own_log())

    def check(self) -> None:
        """Look at everything that is left, then go on; in a child."""
        from django.utils import timezone

        from renkei.border import door, engine
        from renkei.border.door import _tiles
        from renkei.border.models import Checkpoint

        log = door.own_log()
        size, root = self.acknowledged()
        assert log.size >= size, f"{size} entries were acknowledged, {log.size} are there"
        nodes = _tiles.nodes(log)
        assert not size or engine.frontier_of(size, nodes).root == root, "other entries are there"
        signed = [(row.size, bytes(row.root)) for row in Checkpoint.objects.filter(log=log)]
        file = _tiles.folder_of(log) / "checkpoint"
        if file.exists():
            shown = engine.parse_checkpoint(engine.parse_note(file.read_bytes()).text)
            signed.append((shown.size, shown.root))
        for at, claimed in signed[-4:]:
            assert at <= log.size, "a checkpoint was signed over entries that were not saved"
            assert engine.frontier_of(at, nodes).root == claimed, "a checkpoint has another root"
        self.append()  # nothing has to be repaired by hand
        log = door.own_log()
        assert log.published == log.size == log.exported // BATCH * BATCH + log.size % BATCH
        if self.checks % self.seldom == 0:
            found = door.audit(log, signatures=False)
            assert not found.wrong, [str(error) for error in found.wrong]
        assert door.publish(now=timezone.now()).size == log.size

    def child(self, work: Callable[[], None], *, waits: bool = False) -> int:
        """Fork a child that does some work; return its process id."""
        pid = os.fork()
        if pid:
            return pid
        code = 0
        try:
            if waits:
                os.kill(os.getpid(), signal.SIGSTOP)
            work()
        except Exception:  # noqa: BLE001  what went wrong is what is asked here
            code = FAULTY
            if not waits:
                traceback.print_exc()
        finally:
            os._exit(code)

    def checked(self) -> str:
        """Check in a child; return what is wrong, or nothing."""
        with tempfile.TemporaryFile() as said:
            kept = os.dup(2)
            os.dup2(said.fileno(), 2)
            try:
                pid = self.child(self.check)
                self.checks += 1
            finally:
                os.dup2(kept, 2)
                os.close(kept)
            status = os.waitpid(pid, 0)[1]
            said.seek(0)
            return said.read().decode()[-2000:] or f"status {status}" if status else ""

    def traced(self, *how: str) -> tuple[int, str]:
        """Append under strace; return how the child ended, and what strace wrote."""
        pid = self.child(self.append, waits=True)
        os.waitpid(pid, os.WUNTRACED)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "calls"
            tracer = subprocess.Popen(
                ["strace", "-f", "-p", str(pid), "-o", str(out), *how], stderr=subprocess.DEVNULL
            )
            while "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text("utf-8"):
                assert tracer.poll() is None, "strace may not attach here"
                time.sleep(0.002)
            os.kill(pid, signal.SIGCONT)
            status = os.waitpid(pid, 0)[1]
            tracer.wait()
            return os.waitstatus_to_exitcode(status), out.read_text("utf-8", "replace")


def calls_of(text: str) -> dict[str, int]:
    """Count the system calls of an append."""
    return {call: len(re.findall(rf"^\d+ +{call}\(", text, re.MULTILINE)) for call in CALLS}


def strikes(rounds: int, counted: dict[str, int]) -> Iterator[tuple[str, int, str]]:
    """Yield which call is struck, which of its calls that is, and how."""
    for call, count in counted.items():
        chosen = count if rounds >= 200 else min(count, 1)
        for step in range(chosen):
            when = 1 + (2 * step + 1) * count // (2 * chosen)
            yield call, min(when, count), "error=EIO"
            yield call, min(when, count), "signal=KILL"


def run(rounds: int) -> Iterator[dict[str, Any]]:
    """Strike appends, and tell what became of each."""
    trial = Trial(seldom=20 if rounds >= 200 else 1)
    rng = random.Random(7)
    began = time.monotonic()
    assert trial.checked() == "", "the node is not sound to begin with"
    length = time.monotonic() - began
    size, root = trial.acknowledged()
    trial.noted[: NOTE.size] = NOTE.pack(size + 10**6, root)
    assert "were acknowledged" in trial.checked(), "the check finds no loss"
    trial.noted[: NOTE.size] = NOTE.pack(size, root)
    for number in range(rounds):
        pid = trial.child(trial.append, waits=True)
        os.waitpid(pid, os.WUNTRACED)
        os.kill(pid, signal.SIGCONT)
        time.sleep(rng.uniform(0, length))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        yield {"fault": "SIGKILL at random", "at": number, "ended": "", "wrong": trial.checked()}
    if shutil.which("strace") is None:
        return
    ended, text = trial.traced("-e", f"trace={','.join(CALLS)}")
    assert ended == 0, text[-2000:]
    counted = calls_of(text)
    yield {"fault": "none", "calls": counted, "wrong": trial.checked()}
    for call, when, what in strikes(rounds, counted):
        ended, _text = trial.traced(
            "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={when}"
        )
        yield {
            "fault": f"{call} {what}",
            "at": when,
            "ended": {0: "went on", FAULTY: "said so"}.get(ended, f"{ended}"),
            "wrong": trial.checked(),
        }
    trial.seldom = 1
    yield {"fault": "none", "at": "the end", "wrong": trial.checked()}


def resize(folder: Path, kib: int) -> None:
    """Give a tmpfs another size."""
    subprocess.run(["mount", "-o", f"remount,size={kib}k", folder], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that a disk has left."""
    file = folder / "filler"
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    out.write(bytes(size))
    return file


def refused(work: Callable[[], object]) -> str:
    """Return which error work ends with, or nothing."""
    try:
        work()
    except Exception as error:  # noqa: BLE001  its name is what is asked here
        return type(error).__name__
    return ""


def full(node: Path) -> Iterator[dict[str, Any]]:
    """Fill the disk of the log, of the write-ahead log and of the database, one after another."""
    from django.db import connection
    from django.utils import timezone

    from renkei.border import door, engine
    from renkei.border.door import _tiles
    from renkei.border.models import Checkpoint, Entry

    def say() -> None:
        door.say_all([door.Said(type="fault.note.made", body={"n": n}) for n in range(BATCH)])

    def sign() -> object:
        return door.publish(now=timezone.now())

    def reads() -> bool:
        return len(door.tile(door.own_log(), engine.Tile(engine.ENTRIES, 0, BATCH))) > 0

    def after() -> dict[str, Any]:
        say()
        sign()
        _tiles.export(door.own_log())
        log = door.own_log()
        wrong = [str(error) for error in door.audit(log).wrong]
        return {"signed again": log.published == log.size, "wrong": wrong}

    disk, folder = node.parent, node / "log"
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder], check=True)
    say()
    say()
    sign()
    row = {"fault": "log", "said": refused(lambda: _tiles.export(door.own_log())), "reads": reads()}
    resize(folder, 64 << 10)
    yield {**row, **after()}

    space = os.statvfs(disk)
    resize(disk, (space.f_blocks - space.f_bfree) * space.f_bsize // 1024 + 3000)
    said = ""
    while not said:
        before = door.own_log().size
        said = refused(say)
    filler = fill(disk)
    refused(sign)  # what is committed may be signed where the log beside it has room: never more
    newest = Checkpoint.objects.filter(log=door.own_log()).order_by("-size").first()
    row = {
        "fault": "write-ahead log",
        "said": said,
        "lost": before - Entry.objects.filter(log=door.own_log()).count(),
        "signed beyond": newest is not None and newest.size > before,
        "reads": reads(),
    }
    filler.unlink(missing_ok=True)
    resize(disk, 256 << 10)
    yield {**row, **after()}

    say()
    before = door.own_log().size
    space = os.statvfs(disk)
    resize(disk, (space.f_blocks - space.f_bfree) * space.f_bsize // 1024 + 64)
    filler = fill(disk)

    def move() -> None:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    row = {
        "fault": "database",
        "said": refused(move),
        "lost": before - Entry.objects.filter(log=door.own_log()).count(),
        "reads": reads(),
    }
    filler.unlink(missing_ok=True)
    resize(disk, 256 << 10)
    yield {**row, **after()}


def known() -> None:
    """Register the type of statement that the appends say."""
    from renkei.border.door import _registry

    types = _registry.types()
    assert isinstance(types, dict)
    types["fault.note.made"] = _registry.StatementType(
        name="fault.note.made", schema={"type": "object"}, handle=lambda _statement: None
    )


def main() -> None:
    """Run on the node that is named."""
    from renkei.site import node

    node.enter(Path(sys.argv[1]))
    from django.db import connections

    known()
    connections.close_all()
    rows = full(Path(sys.argv[1])) if sys.argv[2] == "full" else run(int(sys.argv[2]))
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
