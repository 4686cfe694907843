"""Keys handed out, durable at both managers: CPU seconds of one core, both ends in one process.

A draw takes 128 keys of 256 bits: a commit at the master's manager, a message through JSON, a commit
at the slave's. Under load the dispenser gathers what is asked meanwhile, so groups are measured
too. Rate and p99 are those of the best of three rounds. The limit is SQLite alone: two commits a
group that insert and delete as many bytes.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rows import HOME, Row, keep, row

from renkei.site import node as life

KEYS, KEY_BYTES = 128, 32
GROUPS = (1, 8, 32)
DRAWS = 192
ROUNDS = 3


def limit_seconds(folder: Path, group: int) -> float:
    """Return the CPU time that SQLite alone takes for as many bytes and commits."""
    file = sqlite3.connect(folder / "limit.sqlite3", isolation_level=None)
    file.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS k(b)"
    )
    piece = os.urandom(KEYS * KEY_BYTES)
    begun = time.process_time()
    for _ in range(DRAWS // group):
        for _side in range(2):
            file.execute("BEGIN IMMEDIATE")
            file.executemany("INSERT INTO k VALUES (?)", [(piece,)] * group)
            file.execute("DELETE FROM k WHERE rowid IN (SELECT rowid FROM k LIMIT ?)", [group])
            file.execute("COMMIT")
    file.close()
    return time.process_time() - begun


def main() -> int:
    """Measure."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "us"
        subprocess.run(
            [sys.executable, "-m", "renkei.site.cli", "node", "init", str(folder), "--name", "us",
             "--party", "US", "--partner", "jp:JP:http://127.0.0.1:1"],
            check=True, env={**os.environ, "PYTHONPATH": str(HOME / "src")},
        )  # fmt: skip
        life.enter(folder)
        rows = measure(folder)
        life.leave()
    keep("link", rows)
    return 0


def measure(folder: Path) -> list[Row]:
    """Return the rows of the table."""
    from tests.link.ends import Ends

    from renkei.link import door

    door.ensure_kek()
    ends = Ends(blocks=0)
    send = ends.send_from(ends.us)
    rows: list[Row] = []
    for group in GROUPS:
        best, p99 = 1e9, 1e9  # of the quietest round: others may be on the machine
        for _round in range(ROUNDS):
            needed = DRAWS * KEYS * KEY_BYTES * 2
            for _block in range(needed // (1 << 20) + 2):
                ends.add_block(1 << 20)
            times = []
            begun = time.process_time()
            for _ in range(DRAWS // group):
                draws = [door.Draw("us.a", ("jp.b",), KEY_BYTES, KEYS) for _ in range(group)]
                at = time.process_time()
                door.serve(ends.us, draws, send)
                times.append(time.process_time() - at)
                if not all(isinstance(draw.result, list) for draw in draws):
                    raise RuntimeError(draws[0].result)
            best = min(best, time.process_time() - begun)
            times.sort()
            p99 = min(p99, 1e3 * times[min(len(times) - 1, len(times) * 99 // 100)])
        limit = min(limit_seconds(folder, group) for _round in range(ROUNDS))
        said = f"{group} draws of {KEYS} keys a commit, both managers on one core"
        rows += [
            row(
                f"key delivery, durable, {said}", DRAWS * KEYS / best, "keys/s of CPU",
                ">= 20000" if group > 1 else "", limit="SQLite, the same commits and bytes",
                limit_value=DRAWS * KEYS / limit,
            ),
            row(
                f"key delivery, p99 of a group, {said}", p99, "ms of CPU",
                "< 10" if group == 1 else "",
            ),
        ]  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.exit(main())
