"""A log of a million entries: append, prove, audit; beside Go's reader and OpenSSL's SHA-256.

The files are written below ``bench/out/`` and removed afterwards. The limit of everything that
hashes is the same number of SHA-256 of the same lengths by ``openssl speed``, one core.
"""

import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.rows import HOME, OUT, keep, row
from tests.border import logs

from renkei.border import engine

IS_SMALL = os.environ.get("RENKEI_BENCH_SIZE") == "small"
ENTRIES = 100_000 if IS_SMALL else 1_000_000
ENTRY_BYTES = 900  # a statement with an Ed25519 signature and a short body
BATCH = 256
PROOFS = 5_000
ROUNDS = 3  # the best counts: other work on the machine only ever adds
GO_PATH = Path("/usr/share/gocode")


def batches(rng: random.Random) -> Iterator[list[bytes]]:
    """Make entries, all different, in batches of one bundle."""
    filler = rng.randbytes(ENTRY_BYTES)
    for first in range(0, ENTRIES, BATCH):
        numbers = range(first, min(first + BATCH, ENTRIES))
        yield [b"%020d" % number + filler[20:] for number in numbers]


def sha256_seconds(count: int, length: int) -> float:
    """Return how long OpenSSL takes for so many hashes of so many bytes, on one core."""
    done = subprocess.run(
        ["openssl", "speed", "-mr", "-seconds", "1", "-bytes", str(length), "-evp", "sha256"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith("+F:"))
    return count * length / float(line.rpartition(":")[2])


def best(work: Callable[[], object]) -> float:
    """Return the least CPU time of a few rounds, seconds."""
    times = []
    for _round in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


def write(
    folder: Path, log: logs.Log, entries: list[bytes], tiles: list[engine.Tile], *, full: bool
) -> None:
    """Write the full tiles among these, or the partial ones; a bundle is of the last entries."""
    for tile in tiles:
        if tile.is_full == full:
            file = folder / tile.path
            file.parent.mkdir(parents=True, exist_ok=True)
            is_bundle = tile.level == engine.ENTRIES
            data = engine.bundle(entries) if is_bundle else engine.tile_hashes(tile, log.read)
            file.write_bytes(data)


def publish(folder: Path) -> tuple[logs.Log, bytes, float]:
    """Write a log as it grows; return it, its last checkpoint and the CPU time of its tree."""
    log = logs.Log()
    spent, published = 0.0, 0
    for entries in batches(random.Random(3)):
        began = time.process_time()
        log.frontier, levels = log.frontier.grown(map(engine.leaf_hash, entries))
        spent += time.process_time() - began
        for height, (first, hashes) in levels.items():
            if height % 8 == 0:  # tiles hold no others
                log.nodes.update({(height, at): each for at, each in enumerate(hashes, first)})
        # Partial tiles are written once, at the end: nobody asks for them before.
        write(folder, log, entries, engine.new_tiles(published, log.frontier.size), full=True)
        published = log.frontier.size
    write(folder, log, entries, engine.new_tiles(0, ENTRIES), full=False)
    checkpoint = engine.Checkpoint(log.origin, ENTRIES, log.frontier.root)
    note = engine.sign_checkpoint(
        checkpoint, ed25519=log.ed25519, mldsa44=log.mldsa44, timestamp=1_790_000_000
    )
    (folder / "checkpoint").write_bytes(note)
    log.nodes.clear()
    return log, note, spent


def go_seconds(folder: Path, key: engine.VerifierKey) -> float | None:
    """Return the CPU time of the reader in Go, or nothing where Go is missing."""
    if not shutil.which("go") or not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        print("no peer: needs Debian's golang-go and golang-golang-x-mod-dev", file=sys.stderr)
        return None
    program = folder / "verify"
    environment = {
        **os.environ, "GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOMAXPROCS": "1",
        "GOCACHE": str(folder / "cache"),
    }  # fmt: skip
    source = HOME / "tests" / "border" / "verify.go"
    subprocess.run(["go", "build", "-o", program, source], check=True, env=environment)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [program, folder, key.text, str(ENTRIES)], check=True, env=environment, capture_output=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Measure."""
    log, note, appended = publish(folder)
    root = log.frontier.root
    leaf_seconds = sha256_seconds(ENTRIES, 1 + ENTRY_BYTES)
    hashing = leaf_seconds + sha256_seconds(ENTRIES, 65)
    yield {
        "task": f"tree of {ENTRIES:,} entries in batches of {BATCH}", "value": ENTRIES / appended,
        "unit": "entries/s CPU", "target": "", "limit": "OpenSSL SHA-256",
        "limit_value": ENTRIES / hashing, "ratio": hashing / appended,
    }  # fmt: skip

    def fetch(tile: engine.Tile) -> bytes:
        return (folder / tile.path).read_bytes()

    began, worked = time.perf_counter(), time.process_time()
    engine.open_checkpoint(note, log.origin, log.keys)
    found = engine.audit(fetch, ENTRIES, root)
    wall, cpu = time.perf_counter() - began, time.process_time() - worked
    if not found.sound:
        raise SystemExit(f"the audit found damage: {found}")
    peer = go_seconds(folder, log.ed25519.key)
    yield {
        "task": f"audit of {ENTRIES:,} entries", "value": wall, "unit": "s", "target": "<= 60",
        "peer": "Go x/mod, CPU" if peer else "", "peer_value": peer,
        "ratio": cpu / peer if peer else None,
        "limit": "OpenSSL SHA-256", "limit_value": hashing,
        "note": f"{cpu:.1f} s CPU; every bundle and tile from disk, signatures of entries not checked",
    }  # fmt: skip

    rng = random.Random(5)
    picked = [rng.randrange(ENTRIES) for _each in range(PROOFS)]
    nodes = engine.TileNodes(fetch, ENTRIES, root=root)
    cold = best(lambda: [engine.inclusion_proof(at, ENTRIES, nodes) for at in picked])
    near = [at % 50_000 for at in picked]
    warm = best(lambda: [engine.inclusion_proof(at, ENTRIES, nodes) for at in near])
    steps = (ENTRIES - 1).bit_length()
    for name, spent in (("entries anywhere", cold), ("entries close together", warm)):
        yield {
            "task": f"proofs of inclusion from tiles, {name}", "value": PROOFS / spent,
            "unit": "1/s CPU", "target": ">= 1000",
        }  # fmt: skip
    spent = best(lambda: [engine.consistency_proof(at + 1, ENTRIES, nodes) for at in near])
    yield {
        "task": "proofs of consistency from tiles", "value": PROOFS / spent, "unit": "1/s CPU",
        "target": ">= 1000",
    }  # fmt: skip

    proofs = [(at, engine.leaf_hash(entry_at(fetch, at)), engine.inclusion_proof(at, ENTRIES, nodes))
              for at in near[:1000]]  # fmt: skip

    def check() -> None:
        for at, leaf, proof in proofs:
            engine.verify_inclusion(index=at, size=ENTRIES, leaf=leaf, proof=proof, root=root)

    spent = best(check)
    limit = sha256_seconds(len(proofs) * steps, 65)
    yield {
        "task": "proofs of inclusion checked", "value": len(proofs) / spent, "unit": "1/s CPU",
        "target": "", "limit": "OpenSSL SHA-256", "limit_value": len(proofs) / limit,
        "ratio": limit / spent,
    }  # fmt: skip
    spent = best(lambda: [engine.open_checkpoint(note, log.origin, log.keys) for _ in range(500)])
    yield {
        "task": "checkpoints opened, both algorithms", "value": 500 / spent, "unit": "1/s CPU",
        "target": "",
    }  # fmt: skip


def entry_at(fetch: Callable[[engine.Tile], bytes], index: int) -> bytes:
    """Return one entry of the log."""
    tile = engine.Tile(engine.ENTRIES, index // BATCH, min(BATCH, ENTRIES - index // BATCH * BATCH))
    return engine.parse_bundle(fetch(tile), tile.width)[index % BATCH]


def main() -> None:
    """Measure and add the rows to those of the room."""
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        keep("border", (row(**one) for one in rows(Path(folder))))


if __name__ == "__main__":
    main()
