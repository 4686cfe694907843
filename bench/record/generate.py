"""Make a node with a large record: the same tables, rules and sums, deterministic by seed.

``python bench/record/generate.py --commitments 10000`` makes ``bench/out/us-10000-1`` unless it is
there. Rows are written by SQL in bulk; what the record would derive (columns of a commitment,
search terms, summary tables) is derived here a second time, so that ``door.check()`` at the small
size and ``recount`` at the large one compare two independent ways of counting.
"""

import argparse
import fcntl
import hashlib
import json
import os
import random
import secrets
import shutil
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "bench" / "out"
PORT = 8861
SMALL, LARGE = 10_000, 1_000_000
PAID_PER_COMMITMENT = (0, 1, 2, 3, 5, 7, 10, 14, 22, 36)  # shuffled in every ten: 10 on average
CHUNK = 10_000  # commitments
POOL = 1 << 16  # a draw is 16 random bits that pick from a list of this length
ZIPF = 1.1
SUMMARIES = ("record_total", "record_tally", "record_exposure", "record_milestonetally")

COLUMNS = {
    "record_lineage": "id slug title_en title_ja reason_en reason_ja",
    "record_source": (
        "id slug title_en title_ja publisher_en publisher_ja genre_en genre_ja language published "
        "published_note_en published_note_ja sha256 size characters original_file address doi "
        "reliability reliability_reason_en reliability_reason_ja zones money_mentions attached_at "
        "version updated_at lineage_id"
    ),
    "record_organisation": "id slug title_en title_ja kind country aliases ror version updated_at",
    "record_agreement": ("id slug title_en title_ja kind parties signed binding note_en note_ja"),
    "record_cluster": "id slug title_en title_ja",
    "record_commitment": (
        "id slug record_class title_en title_ja note_en note_ja scope is_lead domain kind status "
        "funding_source parties period dated amount_minor amount_currency amount_qualifier "
        "amount_nature amount_side amount_relation is_counted version created_at updated_at "
        "agreement_id cluster_id source_id part_of_id"
    ),
    "record_claim": (
        "id field value qualifier passages seen_on is_published reason created_at author_id "
        "commitment_id source_id"
    ),
    "record_amount": (
        "claim_id minor currency side nature stage relation converted_minor converted_currency "
        "rate rate_on commitment_id"
    ),
    "record_disbursement": (
        "id minor currency side nature paid_on evidence is_current created_at author_id "
        "commitment_id recipient_id source_id corrects_id"
    ),
    "record_participation": "id role start end commitment_id organisation_id",
    "record_milestone": (
        "id slug title_en title_ja due due_last metric target state evidence evidence_address "
        "assessor assessed_on start end version updated_at commitment_id source_id"
    ),
    "record_outcome": (
        "id kind title_en title_ja identifier address published_on created_at commitment_id"
    ),
    "record_finding": (
        "id slug kind severity detectable title_en title_ja suggestion_en suggestion_ja evidence "
        "state decision_en decision_ja decided_at version updated_at decided_by_id"
    ),
    "record_finding_commitments": "id finding_id commitment_id",
    "record_findingside": "id position start end title_en title_ja finding_id source_id",
    "record_change": "id at reason verb subject slug field before after version author_id",
    "record_total": "id domain side nature currency stage minor",
    "record_tally": "id record_class domain kind status scope parties count",
    "record_exposure": "id currency source is_counted minor",
    "record_milestonetally": "id domain state count",
    "record_state": "id version changed_at",
    **dict.fromkeys(
        [f"record_search_{kind}" for kind in ("commitment", "organisation", "source", "finding")],
        "rowid terms",
    ),
}

Row = tuple[Any, ...]
Pair = list[str]


def ensure(commitments: int, *, seed: int = 1, out: Path = OUT, quiet: bool = False) -> Path:
    """Return the folder of a node with that many commitments; make it if it is not there."""
    folder = folder_of(commitments, seed=seed, out=out)
    marker = folder / "made.json"
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who comes second waits, and finds it made
        if not (marker.is_file() and json.loads(marker.read_text())["recipe"] == _recipe()):
            _make(folder, commitments, seed=seed, quiet=quiet)
    return folder


def _make(folder: Path, commitments: int, *, seed: int, quiet: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    found_node(folder)
    began, worked = time.perf_counter(), time.process_time()
    _migrate(folder)
    Maker(folder, commitments, seed, quiet=quiet).make()
    database = folder / "node.sqlite3"
    if recount(database) != kept(database):
        raise AssertionError("the summary tables differ from a recount by SQL")
    size = sum(file.stat().st_size for file in folder.glob("node.sqlite3*"))
    made = {
        "recipe": _recipe(),
        "commitments": commitments,
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - worked, 1),
        "mib": round(size / (1 << 20)),
    }
    (folder / "made.json").write_text(json.dumps(made, indent=1))


def folder_of(commitments: int, *, seed: int = 1, out: Path = OUT) -> Path:
    """Return where a node of that size is kept."""
    return out / f"us-{commitments}-{seed}"


def found_node(folder: Path) -> None:
    """Make the folder of an empty node."""
    for name in ("keys", "blobs"):
        (folder / name).mkdir(parents=True)
    (folder / "keys" / "web-secret").write_text(secrets.token_urlsafe(50))
    (folder / "node.toml").write_text(
        f'name = "us"\nparty = "US"\n[listen]\nweb = {PORT}\n'
        '[[partners]]\nname = "jp"\nparty = "JP"\naddress = "http://127.0.0.1:8802"\n'
    )


def enter(folder: Path) -> None:
    """Load Django for the node in ``folder``."""
    sys.path.insert(0, str(ROOT / "src"))
    os.environ["RENKEI_NODE"] = str(folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "renkei.site.settings"
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()


def _recipe() -> str:
    """Name what the data depend on, so that what an older program made is made anew."""
    source = ROOT / "src" / "renkei" / "record"
    # Not the whole room: a large record takes minutes, and a change of pages changes no data.
    files = [Path(__file__), Path(__file__).with_name("words.json")]
    files += [source / "engine" / f"_{name}.py" for name in ("search", "vocabulary")]
    files += sorted(source.glob("migrations/*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _migrate(folder: Path) -> None:
    enter(folder)
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    connection.close()


def _pool(rng: random.Random, values: list[Any], weights: list[float] | None = None) -> list[Any]:
    return rng.choices(values, weights, k=POOL)


class Maker:
    """One run: holds the generator of chance, the pools of words and the sums so far."""

    def __init__(self, folder: Path, commitments: int, seed: int, *, quiet: bool) -> None:
        from renkei.record import engine

        self.engine = engine
        self.folder, self.n, self.quiet = folder, commitments, quiet
        self.rng = random.Random(seed)
        self.words = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))
        self.n_organisations = max(100, min(5_000, commitments // 40))
        self.n_sources = max(20, min(500, commitments // 400))
        self.totals: Counter[Row] = Counter()
        self.tallies: Counter[Row] = Counter()
        self.exposures: Counter[Row] = Counter()
        self.due: Counter[Row] = Counter()
        self.rows: defaultdict[str, list[Row]] = defaultdict(list)
        self.ids: Counter[str] = Counter()
        self.terms_of: dict[str, str] = {}
        self.codes = Codes()
        first = date(2023, 1, 1)
        self.days = [(first + timedelta(days=day)).isoformat() for day in range(1_300)]
        self.clock = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86_400)]

    def say(self, text: str) -> None:
        if not self.quiet:
            print(f"  {time.perf_counter() - self.began:6.1f} s  {text}", file=sys.stderr)

    def make(self) -> None:
        self.began = time.perf_counter()
        self.db = sqlite3.connect(self.folder / "node.sqlite3", isolation_level=None)
        bulk = self.n > SMALL
        # So that the search index is written in few large pieces; set back below.
        self.merging(hashsize=64 << 20)
        for pragma in (
            "journal_mode=OFF" if bulk else "journal_mode=WAL",
            "synchronous=OFF",
            "cache_size=-1000000",
            "temp_store=MEMORY",
            "threads=2",
            "foreign_keys=OFF",
            # At the small size the database checks every row; the large one is made the same way.
            f"ignore_check_constraints={int(bulk)}",
        ):
            self.db.execute(f"PRAGMA {pragma}")
        indexes = self.db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name LIKE 'record_%' ORDER BY tbl_name, name"
        ).fetchall()
        for name, _ in indexes:
            self.db.execute(f'DROP INDEX "{name}"')
        self.db.execute("BEGIN")
        self.labels()
        self.few()
        self.commitments()
        self.summaries()
        self.flush()
        self.say("rows written")
        for _, sql in indexes:
            self.db.execute(sql)
        self.db.execute("COMMIT")
        self.say("indexes made")
        for kind in ("commitment", "organisation", "source", "finding"):
            table = f"record_search_{kind}"
            self.db.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")
        self.merging(hashsize=1 << 20)
        self.say("search index merged")
        if not bulk:
            broken = self.db.execute("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise AssertionError(f"rows that refer to nothing: {broken[:5]}")
        self.db.execute("PRAGMA optimize=0x10002")
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.close()
        self.say("analysed")

    def merging(self, *, hashsize: int) -> None:
        table = "record_search_commitment"
        self.db.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('hashsize', {hashsize})")

    # What there is few of

    def labels(self) -> None:
        from django.utils.translation import override

        from renkei.record.models import label

        self.said: dict[tuple[str, str], tuple[str, str]] = {}
        for vocabulary in ("domain", "kind", "status", "scope", "finding_type"):
            for code in self.engine.VOCABULARY[vocabulary]:
                both = []
                for language in ("en", "ja"):
                    with override(language):
                        both.append(label(vocabulary, code))
                self.said[vocabulary, code] = (both[0], both[1])

    def few(self) -> None:
        rng, words = self.rng, self.words
        for number in range(1, self.n_sources + 1):
            # Every tenth document tells the account of the one before: one line of evidence.
            lineage = number - 1 if number % 10 == 0 else number
            if lineage == number:
                self.rows["record_lineage"].append(
                    (number, f"us-l{number}", f"Account {number}", f"系統 {number}", "", "")
                )
            kind = ("primary", "primary", "secondary", "low")[number % 4]
            digest = hashlib.sha256(f"{self.n} {number}".encode()).hexdigest()
            title = (f"Press release {number}", f"報道発表 {number}")
            self.rows["record_source"].append(
                (
                    number, f"us-s{number}", *title, "Science office", "科学局", "Release", "発表",
                    "en" if number % 2 else "ja", self.days[number], "", "", digest, 60_000, 20_000,
                    "", "", "", kind, "Checked by hand.", "確認済み。", "[]", "[]", None, 1,
                    f"{self.days[number]} 09:00:00", lineage,
                )
            )  # fmt: skip
            self.search("source", number, [f"us-s{number}", *title, "Science office", "科学局",
                                           "Release", "発表", digest])  # fmt: skip
        self.organisations: list[tuple[str, str, list[str]]] = []
        for number in range(1, self.n_organisations + 1):
            home, country = rng.choice([("here", "US"), ("there", "JP")])
            place, field = rng.choice(words[home]), rng.choice(words["fields"])
            body = rng.choice(words["bodies"])
            en = f"{field[0]} {place[0]} {body[0]} {number}"
            ja = f"{place[1]}{field[1]}{body[1]} {number}"
            aliases = ["".join(word[0] for word in en.split())] if number % 2 else []
            self.organisations.append((en, ja, aliases))
            self.rows["record_organisation"].append(
                (number, f"us-o{number}", en, ja, body[2], country, json.dumps(aliases), "", 1,
                 f"{self.days[0]} 09:00:00")
            )  # fmt: skip
            self.search("organisation", number, [f"us-o{number}", en, ja, country, *aliases])
        for number in range(1, 21):
            self.rows["record_agreement"].append(
                (number, f"us-a{number}", f"Agreement {number}", f"協定 {number}", "memorandum",
                 "JP,US", self.days[number], "no", "", "")
            )  # fmt: skip
        self.flush()

    def search(self, kind: str, number: int, texts: list[str]) -> None:
        terms = dict.fromkeys(" ".join(map(self.terms, texts)).split())
        self.rows[f"record_search_{kind}"].append((number, " ".join(terms)))

    def terms(self, text: str) -> str:
        """Return the search terms of a text that comes again and again."""
        found = self.terms_of.get(text)
        if found is None:
            found = self.terms_of[text] = " ".join(self.engine.index_terms(text))
        return found

    # Commitments and all that belongs to them

    def commitments(self) -> None:
        rng, words, voc = self.rng, self.words, self.engine.VOCABULARY
        weights = [1 / rank**ZIPF for rank in range(1, self.n_organisations + 1)]
        self.body = _pool(rng, list(range(1, self.n_organisations + 1)), weights)
        self.source = _pool(
            rng, list(range(1, self.n_sources + 1)), [1 / r for r in range(1, self.n_sources + 1)]
        )
        self.domain = _pool(rng, list(voc["domain"]), [9, 8, 8, 6, 6, 5, 7, 5, 4, 6, 3, 2])
        self.kind = _pool(rng, list(voc["kind"]), [1 / r for r in range(1, len(voc["kind"]) + 1)])
        self.status = _pool(rng, list(voc["status"]), [2, 2, 3, 8, 14, 8, 6, 8, 5])
        self.scope = _pool(rng, list(voc["scope"]), [14, 2, 2, 1, 4, 3, 1])
        self.parties = _pool(rng, ["JP,US", "JP", "US", "JP,KR,US", "JP,PH,US"], [12, 3, 3, 1, 1])
        self.funding = _pool(rng, list(voc["funding_source"]), [6, 3, 2, 4])
        self.qualifier = _pool(rng, list(voc["qualifier"]), [20, 4, 3, 2, 2, 1, 1])
        self.side = _pool(rng, ["US", "JP", "joint", "other"], [5, 5, 2, 1])
        self.nature = _pool(rng, list(voc["nature"]), [8, 2, 3, 2, 3, 2, 1, 1])
        self.stage = _pool(rng, list(voc["stage"])[:5], [1, 2, 6, 3, 3])
        self.relation = _pool(rng, list(voc["relation"]), [17, 1, 1, 1])
        self.currency = _pool(rng, ["USD", "JPY"], [1, 1])
        self.role = _pool(rng, list(voc["role"]), [1 / r for r in range(1, len(voc["role"]) + 1)])
        self.place = [
            (f"{here[0]} and {there[0]}", f"{here[1]}と{there[1]}")
            for here in words["here"]
            for there in words["there"]
        ]
        counts: list[int] = []
        cluster_left, cluster = 0, 0
        for number in range(1, self.n + 1):
            if not counts:
                counts = list(PAID_PER_COMMITMENT)
                rng.shuffle(counts)
            lead = cluster_left == 0
            if cluster_left:
                cluster_left -= 1
            elif rng.random() < 0.01 and number + 2 <= self.n:
                cluster_left = rng.choice([1, 2])
                cluster = self.next("record_cluster")
                self.rows["record_cluster"].append(
                    (cluster, f"us-k{cluster}", f"Commitment {cluster}", f"約束 {cluster}")
                )
            else:
                cluster = 0
            self.commitment(number, counts.pop(), cluster=cluster or None, is_lead=lead)
            if number % CHUNK == 0:
                self.flush()
                if number % (CHUNK * 20) == 0:
                    self.say(f"{number:,} commitments")
        self.flush()

    def next(self, table: str) -> int:
        self.ids[table] += 1
        return self.ids[table]

    def bits(self, count: int) -> Iterator[int]:
        """Yield numbers of 16 random bits, all from one draw."""
        drawn = self.rng.getrandbits(16 * count)
        for _ in range(count):
            yield drawn & 0xFFFF
            drawn >>= 16

    def commitment(self, number: int, paid: int, *, cluster: int | None, is_lead: bool) -> None:
        draw = self.bits(32).__next__
        domain, kind = self.domain[draw()], self.kind[draw()]
        status, scope = self.status[draw()], self.scope[draw()]
        parties, funding = self.parties[draw()], self.funding[draw()]
        source, seen = self.source[draw()], self.days[draw() % 900]
        record_class = "context" if draw() % 20 == 0 else "commitment"
        topic = self.words["topics"][domain][draw() % 6]
        use = self.words["uses"][draw() % 12]
        place = self.place[draw() % 144]
        phase = draw() % 40 + 1
        said_kind = self.said["kind", kind]
        # Who takes part says what scope it has; else there would be more kinds than in any record.
        codes = parties.count(",") + 1
        scope = ("national", "bilateral", "trilateral")[codes - 1] if draw() % 10 else scope
        # Japanese parts meet at signs that end a run of characters: terms of parts are the terms
        # of the whole.
        titles = (
            f"{topic[0]} {use[0]}: {said_kind[0].lower()}, {place[0]}, phase {phase}",
            f"{topic[1]}、{use[1]}:{said_kind[1]}({place[1]} {phase})",
        )
        part_of = None
        if number > 100 and cluster is None and draw() % 20 == 0:
            part_of = number - 1 - draw() % 99
        # Most rows are touched last when they are made, some later.
        created = number * 900 // self.n
        touched = min(1_299, created + (draw() % 400 if draw() % 7 == 0 else 0))
        clock = self.clock[number % 86_400]
        created_at, updated_at = f"{self.days[created]} {clock}", f"{self.days[touched]} {clock}"
        facts = Facts(self, number, source, seen, created_at)
        for field, value in (
            ("domain", domain),
            ("kind", kind),
            ("status", status),
            ("parties", parties),
            ("funding_source", funding),
        ):
            facts.claim(field, value)
        dated = self.days[draw() % 900] if draw() % 10 else ""
        if dated:
            facts.claim("date:announced", dated)
        period = ""
        if draw() % 4 == 0:
            period = f"{2023 + draw() % 3}/{2027 + draw() % 4}"
            facts.claim("period", period)
        counted = record_class == "commitment" and part_of is None and is_lead
        amount = facts.money(domain, counted=counted) if draw() % 10 < 6 else (None, *[""] * 5)
        disputed = draw() % 50 == 0
        if disputed:
            self.rival(facts, status, has_amount=amount[0] is not None)
        self.rows["record_commitment"].append(
            (
                number, f"us-c{number}", record_class, *titles, "", "", scope, is_lead, domain,
                kind, status, funding, parties, period, dated, *amount, counted, 1, created_at,
                updated_at, number % 20 + 1 if number % 3 == 0 else None, cluster, source, part_of,
            )
        )  # fmt: skip
        self.tallies[record_class, domain, kind, status, scope, parties] += 1
        if record_class == "commitment" and amount[0] is not None:
            self.exposures[amount[1], f"us-s{source}", counted] += amount[0]
        self.paid(number, paid, domain if record_class == "commitment" and is_lead else None)
        bodies = self.participations(number)
        self.belongings(number, domain, topic, created_at)
        self.rows["record_change"].append(
            (number, created_at, "generated for a benchmark", "load", "commitment", f"us-c{number}",
             "", None, None, 1, None)
        )  # fmt: skip
        texts = [*topic, *use, *said_kind, *place, "phase", str(phase), *parties.split(",")]
        for vocabulary, code in (("domain", domain), ("status", status), ("scope", scope)):
            texts += self.said[vocabulary, code]
        for body in bodies:
            en, ja, aliases = self.organisations[body - 1]
            texts += [en, ja, *aliases]
        texts += [f"us-s{source}", f"Press release {source}", f"報道発表 {source}"]
        terms = dict.fromkeys(" ".join(map(self.terms, texts)).split())
        chosen_by = [
            ("record_class", record_class), ("domain", domain), ("kind", kind),
            ("status", status), ("scope", scope), ("nature", amount[3]),
            ("source", f"us-s{source}"), ("finding", "any" if disputed else "none"),
            *(("party", party) for party in parties.split(",")),
        ]  # fmt: skip
        coded = " ".join(self.codes[item] for item in chosen_by if item[1])
        self.rows["record_search_commitment"].append(
            (number, f"us c{number} {' '.join(terms)} {coded}")
        )

    def rival(self, facts: "Facts", status: str, *, has_amount: bool) -> None:
        """Let another document contradict: a rival claim that stays unpublished, and a finding."""
        other = facts.source % self.n_sources + 1
        if has_amount:
            facts.rival_money(other)
        else:
            rest = [code for code in self.engine.VOCABULARY["status"] if code != status]
            facts.claim("status", rest[facts.number % len(rest)], published=False, source=other)
        finding = self.next("record_finding")
        slug, kind = f"us-x{finding}", "amount_conflict" if has_amount else "status_conflict"
        title = (
            f"Two documents differ on record {facts.number}",
            f"記録{facts.number}で文書が矛盾",
        )
        severity = ("high", "medium", "low", "low")[finding % 4]
        decided = finding % 5 == 0
        decision = ("The primary source holds.", "一次資料を採る。") if decided else ("", "")
        self.rows["record_finding"].append(
            (finding, slug, kind, severity, "cross", *title, "", "", "[]",
             "resolved" if decided else "open", *decision, facts.at if decided else None, 1,
             facts.at, None)
        )  # fmt: skip
        self.rows["record_finding_commitments"].append((finding, finding, facts.number))
        for place, source in enumerate((facts.source, other)):
            self.rows["record_findingside"].append(
                (self.next("record_findingside"), place, 10 * finding % 19_000,
                 10 * finding % 19_000 + 60, "One figure", "一方の数値", finding, source)
            )  # fmt: skip
        terms = [slug, *title, *decision, *self.said["finding_type", kind]]
        self.rows["record_search_finding"].append(
            (finding, " ".join(dict.fromkeys(self.engine.index_terms(" ".join(terms)))))
        )

    def paid(self, number: int, count: int, domain: str | None) -> None:
        """Write disbursements: some late, three in a hundred replaced by a correction."""
        rows, rng, totals = self.rows["record_disbursement"], self.rng, self.totals
        first = self.ids["record_disbursement"] + 1
        replaced: list[int] = []
        corrections: dict[int, int] = {}
        for at in range(count):
            drawn = rng.getrandbits(64)
            currency = self.currency[drawn & 0xFFFF]
            side, nature = self.side[drawn >> 8 & 0xFFFF], self.nature[drawn >> 16 & 0xFFFF]
            minor = ((drawn >> 24 & 0xFFFF) + 1) * (10_000 if currency == "USD" else 15_000)
            day = (drawn >> 30 & 0xFFFF) % 900
            late = (drawn >> 40 & 0xFF) if drawn >> 48 & 7 == 0 else 1
            recipient, own = self.body[drawn >> 34 & 0xFFFF], first + at
            corrected = None
            if at and drawn >> 52 & 0x1F == 0 and own - 1 not in replaced:
                corrected = own - 1
                replaced.append(corrected)
                corrections[corrected] = own
            rows.append(
                (own, minor, currency, side, nature, self.days[day], "", 1,
                 f"{self.days[min(1_299, day + late)]} 12:00:00", None, number, recipient,
                 None, corrected)
            )  # fmt: skip
            if domain is not None:
                totals[domain, side, nature, currency, "disbursed"] += minor
        self.ids["record_disbursement"] += count
        for old in replaced:
            place = old - first - count + len(rows)
            row = rows[place]
            rows[place] = (*row[:7], 0, *row[8:])
            if domain is not None:
                totals[domain, row[3], row[4], row[2], "disbursed"] -= row[1]

    def participations(self, number: int) -> list[int]:
        drawn = self.rng.getrandbits(64)
        pairs = [
            (self.body[drawn & 0xFFFF], self.role[drawn >> 4 & 0xFFFF]),
            (self.body[drawn >> 16 & 0xFFFF], self.role[drawn >> 20 & 0xFFFF]),
            (self.body[drawn >> 32 & 0xFFFF], self.role[drawn >> 36 & 0xFFFF]),
        ][: 1 + (drawn >> 60) % 3]
        for body, role in dict.fromkeys(pairs):
            self.rows["record_participation"].append(
                (self.next("record_participation"), role, None, None, number, body)
            )
        return [body for body, _ in dict.fromkeys(pairs)]

    def belongings(self, number: int, domain: str, topic: Pair, at: str) -> None:
        """Write milestones and outcomes."""
        drawn = self.rng.getrandbits(32)
        if drawn & 3 == 0:
            own = self.next("record_milestone")
            due = self.days[200 + (drawn >> 8) % 1_100]
            state = ("open", "open", "delivered", "missed")[drawn >> 24 & 3]
            proof = ("Report", "", "Board", due) if state == "delivered" else ("", "", "", None)
            self.rows["record_milestone"].append(
                (own, f"us-m{own}", f"{topic[0]}: first result", f"{topic[1]}:最初の成果", due, due,
                 "", "", state, *proof, None, None, 1, at, number, None)
            )  # fmt: skip
            self.due[domain, state] += 1
        if drawn >> 2 & 15 == 0:
            own = self.next("record_outcome")
            kind = ("publication", "dataset", "model", "software")[drawn >> 26 & 3]
            self.rows["record_outcome"].append(
                (own, kind, f"{topic[0]}: results", f"{topic[1]}:成果", f"10.99999/us.{own}", "",
                 self.days[(drawn >> 6) % 1_000], at, number)
            )  # fmt: skip

    # Sums and writing

    def summaries(self) -> None:
        counted = (self.totals, self.tallies, self.exposures, self.due)
        for table, counts in zip(SUMMARIES, counted, strict=True):
            kept = sorted((values, by) for values, by in counts.items() if by)
            self.rows[table] = [(at, *values, by) for at, (values, by) in enumerate(kept, 1)]
        self.rows["record_state"] = [(1, 1, f"{self.days[-1]} 12:00:00")]

    def flush(self) -> None:
        for table, rows in self.rows.items():
            if rows:
                self.db.executemany(self.insert(table), rows)
                rows.clear()

    def insert(self, table: str) -> str:
        if not hasattr(self, "inserts"):
            self.inserts: dict[str, str] = {}
        if table not in self.inserts:
            names = COLUMNS[table].split()
            columns = ", ".join(f'"{name}"' for name in names)
            marks = ", ".join("?" * len(names))
            self.inserts[table] = f"INSERT INTO {table} ({columns}) VALUES ({marks})"
        return self.inserts[table]


class Codes(dict[tuple[str, str], str]):
    """The search terms of values, made once each."""

    def __missing__(self, item: tuple[str, str]) -> str:
        from renkei.record.models import code_term

        self[item] = code_term(*item)
        return self[item]


class Facts:
    """The claims of one commitment."""

    def __init__(self, maker: Maker, number: int, source: int, seen: str, at: str) -> None:
        self.maker, self.number, self.source, self.seen, self.at = maker, number, source, seen, at
        start = 20 * number % 19_000
        self.passages = f"[[{start}, {start + 60}]]"

    def claim(
        self,
        field: str,
        value: str,
        *,
        qualifier: str = "exact",
        published: bool = True,
        source: int = 0,
    ) -> int:
        own = self.maker.next("record_claim")
        self.maker.rows["record_claim"].append(
            (own, field, value, qualifier, self.passages, self.seen, published, "", self.at, None,
             self.number, source or self.source)
        )  # fmt: skip
        return own

    def money(self, domain: str, *, counted: bool) -> Row:
        """Write the published amount, sometimes split by side; return the columns it sets."""
        maker = self.maker
        drawn = maker.rng.getrandbits(128)
        currency, side = maker.currency[drawn & 0xFFFF], maker.side[drawn >> 8 & 0xFFFF]
        nature, stage = maker.nature[drawn >> 16 & 0xFFFF], maker.stage[drawn >> 24 & 0xFFFF]
        relation = maker.relation[drawn >> 32 & 0xFFFF]
        qualifier = maker.qualifier[drawn >> 40 & 0xFFFF]
        millions = 2 * (drawn >> 56 & 0x3FF) + 2
        scale = 100_000_000 if currency == "USD" else 150_000_000
        self.kind = (currency, side, nature, stage, relation)
        self.minor = millions * scale
        self.amount("amount", self.minor, side, qualifier=qualifier)
        whole = (side, nature, currency, stage)
        split = drawn >> 80 & 15
        parts: list[tuple[Row, int]] = []
        if split < 2:
            # Halves that add up stand for the total; two in sixteen of the splits do not.
            halves = (self.minor // 2, self.minor // 2 + (scale if drawn >> 88 & 15 < 2 else 0))
            for party, half in zip(("US", "JP"), halves, strict=True):
                self.amount(f"amount:{party}", half, party)
                parts.append(((party, nature, currency, stage), half))
        if counted and relation == "total":
            if not parts or sum(half for _, half in parts) != self.minor:
                parts = [(whole, self.minor)]
            for key, minor in parts:
                maker.totals[(domain, *key)] += minor
        return self.minor, currency, qualifier, nature, side, relation

    def rival_money(self, source: int) -> None:
        self.amount("amount", self.minor * 3, self.kind[1], published=False, source=source)

    def amount(self, field: str, minor: int, side: str, **of_claim: Any) -> None:
        currency, _, nature, stage, relation = self.kind
        value = str(minor // 100 if currency == "USD" else minor)
        own = self.claim(field, value, **of_claim)
        self.maker.rows["record_amount"].append(
            (own, minor, currency, side, nature, stage, relation, None, "", "", None, self.number)
        )


# The second way of counting


def recount(database: Path) -> dict[str, Counter[Row]]:
    """Return the summaries by plain SQL over the facts."""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    for pragma in ("cache_size=-500000", "mmap_size=8589934592", "temp_store=MEMORY"):
        db.execute(f"PRAGMA {pragma}")
    return {table: _counted(db.execute, _RECOUNT[table]) for table in SUMMARIES}


def kept(database: Path) -> dict[str, Counter[Row]]:
    """Return the summaries as the tables hold them."""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    found = {}
    for table in SUMMARIES:
        names = COLUMNS[table].split()[1:]
        found[table] = _counted(db.execute, [f"SELECT {', '.join(names)} FROM {table}"])
    return found


def _counted(execute: Callable[[str], Any], queries: list[str]) -> Counter[Row]:
    counted: Counter[Row] = Counter()
    for query in queries:
        for *values, by in execute(query):
            counted[tuple(values)] += by
    return Counter({values: by for values, by in counted.items() if by})


_AMOUNTS = """
WITH published AS (
  SELECT c.id, c.domain, k.field, a.side, a.nature, a.currency, a.stage, a.relation, a.minor
  FROM record_commitment c
  JOIN record_claim k ON k.commitment_id = c.id AND k.is_published
  JOIN record_amount a ON a.claim_id = k.id
  WHERE c.is_counted
), whole AS (SELECT * FROM published WHERE field = 'amount'),
split AS (
  SELECT p.id, sum(p.minor) = w.minor AND min(p.currency = w.currency AND p.nature = w.nature
    AND p.stage = w.stage) AS stands
  FROM published p JOIN whole w ON w.id = p.id WHERE p.field <> 'amount' GROUP BY p.id
), added AS (
  SELECT w.* FROM whole w LEFT JOIN split s ON s.id = w.id
  WHERE w.relation = 'total' AND NOT coalesce(s.stands, 0)
  UNION ALL
  SELECT p.* FROM published p JOIN whole w ON w.id = p.id AND w.relation = 'total'
  JOIN split s ON s.id = p.id AND s.stands WHERE p.field <> 'amount'
  UNION ALL
  SELECT p.* FROM published p LEFT JOIN whole w ON w.id = p.id
  WHERE p.field <> 'amount' AND w.id IS NULL AND p.relation = 'total'
)
SELECT domain, side, nature, currency, stage, sum(minor) FROM added GROUP BY 1, 2, 3, 4, 5
"""
_RECOUNT = {
    "record_total": [
        _AMOUNTS,
        """SELECT c.domain, d.side, d.nature, d.currency, 'disbursed', sum(d.minor)
        FROM record_disbursement d CROSS JOIN record_commitment c ON c.id = d.commitment_id
        WHERE d.is_current AND c.is_lead AND c.record_class = 'commitment'
        GROUP BY 1, 2, 3, 4""",
    ],
    "record_tally": [
        """SELECT record_class, domain, kind, status, scope, parties, count(*)
        FROM record_commitment GROUP BY 1, 2, 3, 4, 5, 6"""
    ],
    "record_exposure": [
        """SELECT c.amount_currency, coalesce(s.slug, ''), c.is_counted, sum(c.amount_minor)
        FROM record_commitment c LEFT JOIN record_source s ON s.id = c.source_id
        WHERE c.record_class = 'commitment' AND c.amount_minor IS NOT NULL GROUP BY 1, 2, 3"""
    ],
    "record_milestonetally": [
        """SELECT c.domain, m.state, count(*) FROM record_milestone m
        CROSS JOIN record_commitment c ON c.id = m.commitment_id GROUP BY 1, 2"""
    ],
}


def main() -> int:
    """Make the node, unless it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commitments", type=int, default=SMALL)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    print(ensure(given.commitments, seed=given.seed, out=given.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
