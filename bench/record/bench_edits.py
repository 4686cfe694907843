"""A hundred thousand random edits through the record's verbs; the sums must stay exact.

The limit is the same number of bare row updates, each in a transaction of its own, on a copy of
the same database with the same settings.
"""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

from bench.record import generate
from bench.rows import keep, row

EDITS = 100_000
FEW = 20_000  # where the large record is left out
MEASURED = 2_000  # the first of them, durable on disk, with the machine to themselves
SHOW_EVERY = 10_000


class Editor:
    """Somebody who changes the record at random and knows what is there."""

    def __init__(self, rng: random.Random) -> None:
        from renkei.record import door, engine
        from renkei.record.models import Claim, Commitment, Disbursement, Milestone

        self.door, self.engine, self.rng = door, engine, rng
        self.n = Commitment.objects.count()
        self.sources = list(generate_slugs("record_source"))
        self.bodies = list(generate_slugs("record_organisation"))
        self.claims, self.paid = Claim.objects, Disbursement.objects
        self.milestones = list(Milestone.objects.values_list("slug", flat=True)[:5_000])
        self.last_claim = Claim.objects.order_by("-pk").values_list("pk", flat=True)[0]
        self.last_paid = Disbursement.objects.order_by("-pk").values_list("pk", flat=True)[0]
        self.why = {"author": None, "reason": "an edit of the benchmark"}
        self.verbs = {
            self.claim: 22,
            self.money: 14,
            self.publish: 14,
            self.pay: 24,
            self.correct: 8,
            self.move: 6,
            self.name: 6,
            self.assess: 3,
            self.add: 3,
        }

    def edit(self) -> str:
        """Make one edit; return the verb's name."""
        (verb,) = self.rng.choices(list(self.verbs), list(self.verbs.values()))
        verb()
        return verb.__name__

    def commitment(self) -> str:
        return f"us-c{self.rng.randint(1, self.n)}"

    def code(self, vocabulary: str) -> str:
        return self.rng.choice(self.engine.VOCABULARY[vocabulary])

    def claim(self) -> None:
        """Add a claim about domain, kind, status or parties, every second one published."""
        field = self.rng.choice(["domain", "kind", "status", "parties"])
        value = self.rng.choice(["JP,US", "US", "JP"]) if field == "parties" else self.code(field)
        self.door.add_claim(
            **self.why,
            commitment=self.commitment(),
            field=field,
            value=value,
            source=self.rng.choice(self.sources),
            passages=[(10, 40)],
            publish=self.rng.random() < 0.5,
        )

    def money(self) -> None:
        """Add an amount, whole or of one side."""
        side = self.rng.choice(["US", "JP", "joint"])
        field = f"amount:{side}" if self.rng.random() < 0.4 else "amount"
        self.door.add_claim(
            **self.why,
            commitment=self.commitment(),
            field=field,
            value=str(self.rng.randint(1, 10**9)),
            source=self.rng.choice(self.sources),
            money=self.door.Money(
                currency=self.rng.choice(["USD", "JPY"]),
                side=side,
                nature=self.code("nature"),
                stage=self.code("stage"),
                relation=self.rng.choice(["total", "total", "part", "unknown"]),
            ),
            publish=self.rng.random() < 0.7,
        )

    def publish(self) -> None:
        """Publish any claim instead of the one that is."""
        found = self.claims.filter(pk__gte=self.rng.randint(1, self.last_claim), is_published=False)
        claim = found.order_by("pk").values_list("pk", "commitment__slug").first()
        if claim is not None:
            self.door.publish_claim(**self.why, claim=claim[0], commitment=claim[1])

    def pay(self, corrects: int | None = None, commitment: str = "") -> None:
        """Record a disbursement."""
        self.door.add_disbursement(
            **self.why,
            commitment=commitment or self.commitment(),
            value=str(self.rng.randint(1, 10**7)),
            currency=self.rng.choice(["USD", "JPY"]),
            side=self.rng.choice(["US", "JP"]),
            nature=self.code("nature"),
            paid_on=date(2025, self.rng.randint(1, 12), self.rng.randint(1, 28)),
            recipient=self.rng.choice(self.bodies),
            corrects=corrects,
        )

    def correct(self) -> None:
        """Correct a disbursement that stands."""
        found = self.paid.filter(pk__gte=self.rng.randint(1, self.last_paid), is_current=True)
        old = found.order_by("pk").values_list("pk", "commitment__slug").first()
        if old is not None:
            self.pay(corrects=old[0], commitment=old[1])

    def move(self) -> None:
        """Make a record part of another, or a whole again; sometimes context."""
        own = self.rng.randint(2, self.n)
        whole = f"us-c{self.rng.randint(1, own - 1)}" if self.rng.random() < 0.6 else ""
        texts = {"record_class": "context"} if self.rng.random() < 0.1 else {}
        try:
            self.door.edit_commitment(
                **self.why, commitment=f"us-c{own}", version=None, part_of=whole, **texts
            )
        except self.door_conflict():
            return  # a ring: refused, as it must be

    def door_conflict(self) -> type[Exception]:
        from renkei.kit.errors import ConflictError

        return ConflictError

    def name(self) -> None:
        """Give a record another title and scope."""
        self.door.edit_commitment(
            **self.why,
            commitment=self.commitment(),
            version=None,
            title_en=f"Renamed record {self.rng.randint(1, 10**6)}",
            title_ja=f"改名した記録{self.rng.randint(1, 10**6)}",
            scope=self.code("scope"),
        )

    def assess(self) -> None:
        """Say that a milestone was delivered."""
        self.door.assess_milestone(
            **self.why,
            milestone=self.rng.choice(self.milestones),
            state="delivered",
            evidence="Report",
            assessor="Board",
            assessed_on=date(2025, 12, 1),
        )

    def add(self) -> None:
        """Add a commitment."""
        self.door.add_commitment(
            **self.why,
            title_en="Added by an edit",
            title_ja="編集で追加",
            source=self.rng.choice(self.sources),
            domain=self.code("domain"),
            kind=self.code("kind"),
            status=self.code("status"),
            parties="JP,US",
        )


def generate_slugs(table: str) -> list[str]:
    """Return the names in a table."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT slug FROM {table} ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def not_durable() -> None:
    """Stop waiting for the disk."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")


def bare(database: Path, updates: int, rng: random.Random) -> tuple[float, float]:
    """Return wall and CPU seconds of so many single-row updates, a transaction each."""
    db = sqlite3.connect(database, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-16000"):
        db.execute(f"PRAGMA {pragma}")
    (last,) = db.execute("SELECT max(id) FROM record_disbursement").fetchone()
    began, worked = time.perf_counter(), time.process_time()
    for _ in range(updates):
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "UPDATE record_disbursement SET minor = ? WHERE id = ?",
            (rng.randint(1, 10**9), rng.randint(1, last)),
        )
        db.execute("COMMIT")
    spent = time.perf_counter() - began, time.process_time() - worked
    db.close()
    return spent


def main() -> int:
    """Edit, compare the sums with the facts, write the rows."""
    is_small = os.environ.get("RENKEI_BENCH_SIZE") == "small"
    edits = int(os.environ.get("RENKEI_BENCH_EDITS", FEW if is_small else EDITS))
    measured = min(edits, MEASURED)
    made = generate.ensure(generate.SMALL)
    folder = made.with_name("edited")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    limit_wall, limit_cpu = bare(folder / "node.sqlite3", measured, random.Random(2))
    shutil.copyfile(made / "node.sqlite3", folder / "node.sqlite3")
    for rest in folder.glob("node.sqlite3-*"):
        rest.unlink()
    generate.enter(folder)
    editor = Editor(random.Random(3))
    spent: Counter[str] = Counter()
    times: Counter[str] = Counter()
    began, worked = time.perf_counter(), time.process_time()
    for number in range(1, edits + 1):
        at = time.process_time()
        verb = editor.edit()
        if number <= measured:
            spent[verb] += time.process_time() - at
            times[verb] += 1
        if number == measured:
            wall, cpu = time.perf_counter() - began, time.process_time() - worked
            not_durable()  # the others are for the sums alone
            if not is_small and number < edits:  # the other core has nothing to do from here on
                subprocess.Popen(
                    [sys.executable, generate.__file__, "--commitments", str(generate.LARGE)],
                    stdout=subprocess.DEVNULL,
                )
        if number % SHOW_EVERY == 0:
            rate = number / (time.perf_counter() - began)
            print(f"  {number:,} of {edits:,} edits, {rate:,.0f} a second", file=sys.stderr)
    wrong = editor.door.check()
    each = ", ".join(f"{verb} {1e3 * spent[verb] / times[verb]:.1f}" for verb in sorted(spent))
    note = f"10^4 commitments, {measured:,} edits, one transaction each, durable on disk"
    keep("record",
        [
            row(
                "sums that differ after random edits", len(wrong), "sums", "<= 0",
                note="; ".join(wrong[:3]) or f"10^4 commitments, {edits:,} edits by every verb",
            ),
            row(
                "edits a second", measured / wall, "1/s", "", limit="bare SQL updates",
                limit_value=measured / limit_wall, ratio=limit_wall / wall, note=note,
            ),
            row(
                "CPU an edit", 1e3 * cpu / measured, "ms", "", limit="bare SQL updates",
                limit_value=1e3 * limit_cpu / measured, ratio=cpu / limit_cpu,
                note=f"ms by verb: {each}",
            ),
        ]
    )  # fmt: skip
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
