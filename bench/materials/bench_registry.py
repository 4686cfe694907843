"""A founded node: a question to its ranked page, and the import of a whole release with its checks.

Pages are rendered anew for each question (the cache of pages is emptied); limit: the same flows
summed by plain SQL, without a page. The import goes into a registry without that release and is
rolled back; limit: the same file through ``csv.DictReader`` alone.
"""

import csv
import gzip
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from bench.rows import keep, row

QUESTIONS = 40 if os.environ.get("RENKEI_BENCH_SIZE") == "small" else 400
IMPORTS = 3
ROWS = 8_886
HEADINGS = {
    "chapter": "MCS chapter",
    "section": "Section",
    "commodity": "Commodity",
    "country": "Country",
    "statistic": "Statistics",
    "detail": "Statistics_detail",
    "unit": "Unit",
    "year": "Year",
    "value_raw": "Value",
    "notes": "Notes",
}


def enter(folder: Path) -> None:
    """Found a node and enter it."""
    subprocess.run(
        [sys.executable, "-m", "renkei.site.cli", "node", "init", str(folder), "--name", "us",
         "--party", "US"],
        check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    from renkei.site import node

    node.enter(folder)
    from renkei.materials import door

    door.ensure_shipped()


def pages() -> list[dict[str, Any]]:
    """Ask what a country is most vulnerable to, for every country in turn."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client

    from renkei.base.http import page_cache
    from renkei.materials import door

    settings.ALLOWED_HOSTS = ["testserver"]
    countries, client = door.importers(), Client()
    client.get("/en/materials/exposure/?country=JPN")
    spent, cpu, plain = [], [], []
    for number in range(QUESTIONS):
        country = countries[number * 7 % len(countries)]
        page_cache.clear()
        started, before = time.perf_counter(), time.process_time()
        answer = client.get(f"/{('en', 'ja')[number % 2]}/materials/exposure/?country={country}")
        spent.append(time.perf_counter() - started)
        cpu.append(time.process_time() - before)
        if answer.status_code != 200:
            raise SystemExit(f"{country}: {answer.status_code}")
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT code, exporter, SUM(kusd), SUM(tonnes) FROM materials_flow WHERE "
                "importer = %s AND known_to IS NULL GROUP BY code, exporter",
                [country],
            )
            cursor.fetchall()
        plain.append(time.perf_counter() - started)

    def at95(values: list[float]) -> float:
        return statistics.quantiles(values, n=20)[-1] * 1e3

    return [
        row(
            "question to ranked exposure page, p95", at95(spent), "ms", "<= 300",
            limit="its flows summed by SQL, p95", limit_value=at95(plain),
            ratio=at95(spent) / at95(plain),
            note=f"{QUESTIONS} questions, page cache emptied; p95 of CPU {at95(cpu):.0f} ms",
        )
    ]  # fmt: skip


def release(folder: Path) -> Path:
    """Write the shipped release as its publisher's own file."""
    from renkei.materials import engine

    packed = Path(engine.__file__).parent.parent / "data" / "usgs.csv.gz"
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed.read_bytes()).decode())))
    file = folder / "release.csv"
    with file.open("w", encoding="cp1252", errors="replace", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(HEADINGS.values())
        writer.writerows([row[name] for name in HEADINGS] for row in rows)
    return file


def imports(folder: Path) -> list[dict[str, Any]]:
    """Load the whole release into a registry without it, and roll back."""
    from django.db import transaction

    from renkei.materials import door
    from renkei.materials.models import Observation, Release

    file = release(folder)
    walls, cpus = [], []
    for _ in range(IMPORTS):
        with transaction.atomic():
            Observation.objects.filter(release__publisher="usgs").delete()
            Release.objects.filter(publisher="usgs").delete()
            started, before = time.perf_counter(), time.process_time()
            loaded = door.import_file("usgs", file, known_on=date(2026, 2, 6))
            walls.append(time.perf_counter() - started)
            cpus.append(time.process_time() - before)
            if (loaded.rows, loaded.added) != (ROWS, ROWS):
                raise SystemExit(f"{loaded.rows} rows read, {loaded.added} stored")
            transaction.set_rollback(True)
    started = time.perf_counter()
    sum(1 for _row in csv.DictReader(io.StringIO(file.read_bytes().decode("cp1252"))))
    plain = time.perf_counter() - started
    return [
        row(
            f"import of the whole MCS release, {ROWS:,} rows", min(walls), "s", "<= 3",
            limit="csv.DictReader alone", limit_value=plain, ratio=min(walls) / plain,
            note=f"best of {IMPORTS}, wall, with checks, provenance and the summaries counted anew; "
            f"CPU {min(cpus):.2f} s",
        )
    ]  # fmt: skip


def main() -> None:
    """Measure both on one node."""
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept) / "us"
        enter(folder)
        keep("materials", pages() + imports(Path(kept)))


if __name__ == "__main__":
    main()
