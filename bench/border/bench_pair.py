"""The border with its database and its partner: entries said, acts witnessed, a mirror catching up.

Entries are signed and saved by ``door.say_all`` in batches of 256, one committed transaction each, in
SQLite with ``synchronous = FULL``. The peer is the same number of rows of the same bytes in the same
batches written with ``sqlite3`` alone, with the same fsync, the two in turns and the best of each;
the limits are OpenSSL's rates, on as many cores as the task may use. Acts and the catching up run on
a pair of nodes on this machine; when an act is witnessed is read from the node's database.
"""

import json
import math
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.rows import HOME, OUT, keep, row

from renkei.border.commands._rig import Rig, environment, until

IS_SMALL = os.environ.get("RENKEI_BENCH_SIZE") == "small"
BATCH = 256
SAID = 5_120 if IS_SMALL else 25_600
CAUGHT_UP = 10_000 if IS_SMALL else 100_000
AUDITED = 30_000 if IS_SMALL else 1_000_000
ACTS = 20 if IS_SMALL else 100
ROUNDS = 3

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
if size < count:
    door.say_all(batch(0, size))
began, worked = time.perf_counter(), time.process_time()
for first in range(0, count, size):
    door.say_all(batch(first, size))
print(json.dumps([time.perf_counter() - began, time.process_time() - worked]))
"""
WITNESSED = """
SELECT coalesce(max(c.size), 0) FROM border_checkpoint c JOIN border_log l ON l.id = c.log_id
WHERE l.is_own AND c.is_witnessed
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


def openssl_rates() -> tuple[float, float]:
    """Return Ed25519 signatures made and checked a second, by OpenSSL on one core."""
    done = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ed25519"], capture_output=True, text=True, check=True
    )
    found = re.search(r"Ed25519\)\s+\S+\s+\S+\s+(\S+)\s+(\S+)", done.stdout)
    if found is None:
        raise SystemExit(f"openssl speed said something else:\n{done.stdout}")
    return float(found[1]), float(found[2])


def openssl_hashes(length: int) -> float:
    """Return SHA-256 of so many bytes a second, by OpenSSL on one core."""
    done = subprocess.run(
        ["openssl", "speed", "-mr", "-seconds", "1", "-bytes", str(length), "-evp", "sha256"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith("+F:"))
    return float(line.rpartition(":")[2]) / length


def latencies(rig: Rig) -> tuple[list[float], list[float]]:
    """Return seconds from the proposal of an act to its cosigned checkpoint, and to its answer."""
    found, answered = [], []
    place = f"file:{rig.folder('us') / 'node.sqlite3'}?mode=ro"
    with closing(sqlite3.connect(place, uri=True)) as database:
        for number in range(ACTS):
            began = time.perf_counter()
            act = rig.propose("us", f"bench-{number}")
            if act is None:
                raise SystemExit("a proposal was refused")
            answered.append(time.perf_counter() - began)
            last = max(row["index"] for row in act["statements"])
            while database.execute(WITNESSED).fetchone()[0] <= last:
                if time.perf_counter() - began > 60:
                    raise SystemExit("not witnessed after a minute")
                time.sleep(0.001)
            found.append(time.perf_counter() - began)
    return sorted(found), sorted(answered)


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Measure."""
    with Rig(folder / "var") as rig:
        until(rig.is_even, 120)
        times, answered = latencies(rig)
        for name, value, target in (
            ("p50", statistics.median(times), "<= 0.1"),
            ("p99", times[math.ceil(len(times) * 0.99) - 1], "<= 0.5"),  # the nearest rank
        ):
            yield {
                "task": f"submit to witnessed on a loopback pair, {name} of {ACTS}",
                "value": value, "unit": "s", "target": target,
                "note": f"two entries a submission, over HTTP, which answered after "
                f"{statistics.median(answered):.3f} s (median); best {times[0]:.3f} s, worst {times[-1]:.3f} s; "
                f"load {os.getloadavg()[0]:.1f}",
            }  # fmt: skip

        rig.end("jp")
        us = rig.folder("us")
        rig.end("us", "work")
        script(us, SAY, BATCH, BATCH)
        width = script(us, BYTES)
        assert isinstance(width, int)
        walls, cpus, raws = [], [], []
        for turn in range(ROUNDS):
            said = script(us, SAY, SAID, BATCH)
            assert isinstance(said, list)
            walls.append(said[0])
            cpus.append(said[1])
            raws.append(raw_seconds(folder / f"raw-{turn}.sqlite3", SAID, width))
        wall, cpu, raw = min(walls), min(cpus), min(raws)
        signs, checks = openssl_rates()
        cores = os.cpu_count() or 1
        yield {
            "task": f"entries said, batches of {BATCH}, with fsync", "value": SAID / wall,
            "unit": "1/s", "target": ">= 5000", "peer": "SQLite alone, same fsync",
            "peer_value": SAID / raw, "ratio": raw / wall,
            "limit": f"OpenSSL Ed25519 sign, {cores} cores", "limit_value": cores * signs,
            "note": f"{SAID / cpu:.0f}/s of CPU; {width} bytes each; load {os.getloadavg()[0]:.1f}",
        }  # fmt: skip

        script(us, SAY, CAUGHT_UP, BATCH)
        rig.start("us", "work")
        size = rig.log("us", "us")["entries"]
        if not until(lambda: rig.log("us", "us")["signed"] == size, 300):
            raise SystemExit("the log was not signed")
        before = time.perf_counter()
        rig.start("jp")
        started = time.perf_counter()
        place = f"file:{rig.folder('jp') / 'node.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(place, uri=True)) as database:
            mirrored = "SELECT size FROM border_log WHERE name = 'us'"
            if not until(lambda: database.execute(mirrored).fetchone()[0] == size, 1800):
                raise SystemExit("the mirror did not catch up")
        wall = time.perf_counter() - started
        yield {
            "task": f"a mirror catches up {size:,} entries", "value": wall, "unit": "s",
            "target": "<= 60", "limit": f"OpenSSL Ed25519 verify, {cores} cores",
            "limit_value": size / checks / cores, "ratio": size / checks / cores / wall,
            "note": f"verified, stored, cosigned; {started - before:.1f} s more until jp answered; "
            f"load {os.getloadavg()[0]:.1f}",
        }  # fmt: skip

        rig.end("jp")
        rig.end("us", "work")
        more = max(0, AUDITED - size) // BATCH * BATCH
        script(us, SAY, more, BATCH)
        rig.start("us", "work")
        size = rig.log("us", "us")["entries"]
        if not until(lambda: rig.log("us", "us")["signed"] == size, 300):
            raise SystemExit("the log was not signed")
        began = time.perf_counter()
        done = rig.renkei("us", "border", "audit", "--json")
        spent = time.perf_counter() - began
        found = json.loads(done.stdout)[0]
        if not found["ok"] or found["statements"] != size:
            raise SystemExit(done.stdout)
        limit = size / openssl_hashes(width + 1) + size / openssl_hashes(65) + size / checks
        yield {
            "task": f"renkei border audit of {size:,} entries, every signature", "value": spent,
            "unit": "s", "target": f"<= {60 * size / 1e6:.0f}",
            "limit": f"OpenSSL SHA-256 and Ed25519 verify, {cores} cores",
            "limit_value": limit / cores, "ratio": limit / cores / spent,
            "note": f"of SQLite, with its processes; load {os.getloadavg()[0]:.1f}",
        }  # fmt: skip


def main() -> None:
    """Measure and add the rows to those of the room."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        keep("border", (row(**one) for one in rows(Path(folder))))


if __name__ == "__main__":
    main()
