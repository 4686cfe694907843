"""The border with its database and its partner: entries said, acts witnessed, a mirror catching up.

Entries are signed and saved by ``door.say_all`` in batches of 256, one committed transaction each, in
SQLite with ``synchronous = FULL``. The peer is the same number of rows of the same bytes in the same
batches written with ``sqlite3`` alone, with the same fsync; the limits are OpenSSL's rates on one
core. Acts and the catching up run on a pair of nodes on this machine.
"""

import json
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HOME = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOME), str(HOME / "src")]

from renkei.border.commands._rig import Rig, environment, until  # noqa: E402

OUT = HOME / "bench" / "out"
IS_SMALL = os.environ.get("RENKEI_BENCH_SIZE") == "small"
BATCH = 256
SAID = 5_120 if IS_SMALL else 25_600
CAUGHT_UP = 10_000 if IS_SMALL else 100_000
ACTS = 20 if IS_SMALL else 100

BEGIN = """
import json, sys, time
from pathlib import Path
from renkei.site import node
node.enter(Path(sys.argv[1]))
from renkei.border import door, engine
from renkei.border.door import _registry
from renkei.border.door._log import Said
_registry.types()["bench.note.made"] = _registry.StatementType(
    name="bench.note.made",
    schema={"type": "object", "required": ["number", "text"], "properties": {
        "number": {"type": "integer"}, "text": {"type": "string"}}},
    handle=lambda statement: None,
)
def batch(first, size):
    return [Said(type="bench.note.made", body={"number": n, "text": "x" * 400})
            for n in range(first, first + size)]
"""
SAY = """
count, size = int(sys.argv[2]), int(sys.argv[3])
door.say_all(batch(0, size))
began, worked = time.perf_counter(), time.process_time()
for first in range(0, count, size):
    door.say_all(batch(first, size))
print(json.dumps([time.perf_counter() - began, time.process_time() - worked]))
"""
BYTES = """
from renkei.border.models import Entry
print(json.dumps(len(bytes(Entry.objects.order_by("-index").first().data))))
"""


def script(folder: Path, text: str, *arguments: object) -> object:
    """Run Python inside a node; return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + text, str(folder), *map(str, arguments)],
        capture_output=True, text=True, check=False,
        env={**environment(), "PYTHONPATH": str(HOME / "src")},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def raw_seconds(file: Path, count: int, width: int) -> float:
    """Return how long SQLite alone takes for as many rows in batches, each committed with fsync."""
    data = os.urandom(width)
    with sqlite3.connect(file, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("CREATE TABLE entry (place INTEGER PRIMARY KEY, leaf BLOB, data BLOB)")
        began = time.perf_counter()
        for first in range(0, count, BATCH):
            database.execute("BEGIN IMMEDIATE")
            rows = [(at, data[:32], data) for at in range(first, first + BATCH)]
            database.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
            database.execute("COMMIT")
        return time.perf_counter() - began


def openssl_signatures() -> float:
    """Return Ed25519 signatures a second by OpenSSL on one core."""
    done = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ed25519"], capture_output=True, text=True, check=True
    )
    found = re.search(r"Ed25519\)\s+\S+\s+\S+\s+(\S+)\s+(\S+)", done.stdout)
    if found is None:
        raise SystemExit(f"openssl speed said something else:\n{done.stdout}")
    return float(found[1])


def latencies(rig: Rig) -> list[float]:
    """Return, for acts one after another, seconds from the proposal to its cosigned checkpoint."""
    found = []
    for number in range(ACTS):
        began = time.perf_counter()
        act = rig.propose("us", f"bench-{number}")
        if act is None:
            raise SystemExit("a proposal was refused")
        last = max(row["index"] for row in act["statements"])
        while rig.log("us", "us").get("witnessed", 0) <= last:
            if time.perf_counter() - began > 60:
                raise SystemExit("not witnessed after a minute")
        found.append(time.perf_counter() - began)
    return sorted(found)


def rows(folder: Path) -> Iterator[dict[str, object]]:
    """Measure."""
    with Rig(folder / "var") as rig:
        until(rig.is_even, 120)
        times = latencies(rig)
        for name, value, target in (
            ("p50", statistics.median(times), "<= 0.1"),
            ("p99", times[min(len(times) - 1, int(len(times) * 0.99))], "<= 0.5"),
        ):
            yield {
                "task": f"submit to witnessed on a loopback pair, {name} of {ACTS}",
                "value": value, "unit": "s", "target": target,
                "note": f"load {os.getloadavg()[0]:.1f}; two entries a submission, over HTTP",
            }  # fmt: skip

        rig.end("jp")
        us = rig.folder("us")
        rig.end("us", "work")
        said = script(us, SAY, SAID, BATCH)
        assert isinstance(said, list)
        wall, cpu = said
        width = script(us, BYTES)
        assert isinstance(width, int)
        raw = raw_seconds(folder / "raw.sqlite3", SAID, width)
        limit = openssl_signatures()
        yield {
            "task": f"entries said, batches of {BATCH}, with fsync", "value": SAID / wall,
            "unit": "1/s", "target": ">= 5000", "peer": "SQLite alone, same fsync",
            "peer_value": SAID / raw, "ratio": raw / wall, "limit": "OpenSSL Ed25519",
            "limit_value": limit,
            "note": f"{SAID / cpu:.0f}/s of CPU; {width} bytes each; load {os.getloadavg()[0]:.1f}",
        }  # fmt: skip

        script(us, SAY, CAUGHT_UP, BATCH)
        rig.start("us", "work")
        size = rig.log("us", "us")["entries"]
        until(lambda: rig.log("us", "us")["signed"] == size, 120)
        before = time.perf_counter()
        rig.start("jp")
        started = time.perf_counter()
        if not until(lambda: rig.log("jp", "us").get("entries") == size, 1800):
            raise SystemExit("the mirror did not catch up")
        wall = time.perf_counter() - started
        yield {
            "task": f"a mirror catches up {size:,} entries", "value": wall, "unit": "s",
            "target": "<= 60",
            "note": f"verified, stored, cosigned; {started - before:.1f} s more until jp answered; "
            f"load {os.getloadavg()[0]:.1f}",
        }  # fmt: skip


def main() -> None:
    """Measure and add the rows to those of the room."""
    OUT.mkdir(exist_ok=True)
    file = OUT / "border.json"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        for row in rows(Path(folder)):
            print(f"{row['task']}: {row['value']:.6g} {row['unit']}", file=sys.stderr, flush=True)
            before = json.loads(file.read_text("utf-8")) if file.exists() else []
            file.write_text(json.dumps([*before, {**row, "machine": machine}], indent=1), "utf-8")


if __name__ == "__main__":
    main()
