"""Public pages of a node with a million commitments, asked by eight clients at once.

The server is the node's own (its processes and threads); its CPU is read from the system, so that
the clients, which share the machine, do not count. Datasette serves the same file as the peer, and
plain SQL in this process is the limit.
"""

import http.client
import importlib.util
import json
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode

import psutil
from bench.record import generate
from bench.rows import keep, row

CLIENTS = 8
COLD = 1_600
AGAIN = 300  # addresses of the warm rounds: fewer than the server keeps
PEER = 10
ALIKE = 60  # requests of each task that is compared with the peer
WORDS = (
    ["quantum", "research", "semiconductors", "battery", "kyoto", "hawaii", "hydrogen", "exchange"],
    ["量子", "半導体", "共同研究", "北海道", "水素", "博士課程交流", "レアアース", "海底ケーブル"],
)
Request = tuple[str, str]  # what kind of page, which address


class Mix:
    """Distinct addresses of public pages in fixed shares, by chance with a seed."""

    def __init__(self, commitments: int, seed: int) -> None:
        from renkei.record import engine

        self.rng, self.n, self.codes = random.Random(seed), commitments, engine.VOCABULARY
        self.organisations = max(100, min(5_000, commitments // 40))
        self.seen: set[str] = set()
        self.kinds: dict[str, tuple[int, Callable[[], str]]] = {
            "dashboard": (6, self.dashboard),
            "list": (14, self.facets),
            "sorted list": (10, self.sorted),
            "search": (18, self.search),
            "commitment": (30, self.commitment),
            "findings": (5, self.findings),
            "finding": (5, self.finding),
            "organisation": (4, self.organisation),
            "API list": (8, self.api),
        }

    def take(self, count: int) -> list[Request]:
        """Return so many requests, no address twice."""
        names = list(self.kinds)
        weights = [self.kinds[name][0] for name in names]
        taken: list[Request] = []
        while len(taken) < count:
            (name,) = self.rng.choices(names, weights)
            address = self.kinds[name][1]()
            if address not in self.seen:
                self.seen.add(address)
                taken.append((name, address))
        return taken

    def page(self, path: str, **query: object) -> str:
        asked = {key: value for key, value in query.items() if value}
        language = self.rng.choice(["en", "ja"])
        return f"/{language}{path}" + (f"?{urlencode(asked)}" if asked else "")

    def dashboard(self) -> str:
        # A parameter that means nothing makes the address a new one for the page cache.
        return self.page("/", fresh=self.rng.randrange(10**9))

    def chosen(self) -> dict[str, object]:
        rng, codes = self.rng, self.codes
        facets = {
            "domain": rng.choice(codes["domain"]),
            "kind": rng.choice(codes["kind"]),
            "status": rng.choice(codes["status"]),
            "scope": rng.choice(codes["scope"]),
            "nature": rng.choice(codes["nature"]),
            "party": rng.choice(["US", "JP", "KR", "PH"]),
            "finding": rng.choice(["any", "none"]),
        }
        names = rng.sample(list(facets), rng.choice([1, 1, 2, 2, 3]))
        return {name: facets[name] for name in names}

    def facets(self) -> str:
        return self.page("/record/commitments/", **self.chosen())

    def sorted(self) -> str:
        order = self.rng.choice(["title", "amount", "date"])
        return self.page("/record/commitments/", **self.chosen(), sort=order)

    def words(self) -> str:
        rng = self.rng
        words = rng.choice(WORDS)
        topic = rng.choice(self.topics())[words is WORDS[1]]
        place = rng.choice(["Kyoto", "Ohio", "Texas"] if words is WORDS[0] else ["京都", "大阪"])
        return rng.choice(
            [
                rng.choice(words),
                " ".join(rng.sample(words, 2)),
                topic,
                f"{topic} {place}",
                f"{topic} {rng.randint(1, 40)}",
                f"us-c{rng.randint(1, self.n)}",
            ]
        )

    def topics(self) -> list[list[str]]:
        words = json.loads(Path(__file__).with_name("words.json").read_text("utf-8"))
        return [topic for topics in words["topics"].values() for topic in topics]

    def search(self) -> str:
        narrow = self.chosen() if self.rng.random() < 0.3 else {}
        order = self.rng.choice(["", "", "title", "date"])
        return self.page("/record/commitments/", q=self.words(), **narrow, sort=order)

    def commitment(self) -> str:
        return self.page(f"/record/commitments/us-c{self.rng.randint(1, self.n)}/")

    def findings(self) -> str:
        rng, fresh = self.rng, self.rng.randrange(10**9)
        if rng.random() < 0.5:
            last = min(self.n // 100 // 50, 100)
            return self.page("/record/findings/", page=rng.randint(1, last), fresh=fresh)
        return self.page(
            "/record/findings/",
            severity=rng.choice(["", "high", "medium", "low"]),
            state=rng.choice(["", "open", "resolved"]),
            q=rng.choice(["", f"us-x{rng.randint(1, self.n // 100)}", "documents", "矛盾"]),
            fresh=fresh,
        )

    def finding(self) -> str:
        return self.page(f"/record/findings/us-x{self.rng.randint(1, self.n // 100)}/")

    def organisation(self) -> str:
        return self.page(f"/record/organisations/us-o{self.rng.randint(1, self.organisations)}/")

    def api(self) -> str:
        words = self.words() if self.rng.random() < 0.4 else ""
        asked = {**self.chosen(), "q": words, "lang": self.rng.choice(["en", "ja"])}
        asked |= {"offset": self.rng.choice([0, 0, 50, 100]), "limit": 50}
        kept = {key: value for key, value in asked.items() if value}
        return f"/node/v1/record/commitments?{urlencode(kept)}"


class Server:
    """A server's processes: their CPU and memory, and the clients that ask them."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = psutil.Process(process.pid), port

    def processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu(self) -> float:
        """Return the CPU seconds that all its processes used."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(used.user + used.system for used in times)

    def memory(self) -> tuple[int, int]:
        """Return its memory in MiB: without and with the pages of files that it maps.

        What is shared counts by shares. The pages of the database are the system's to take back.
        """
        own = both = 0
        for process in self.processes():
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in {"Pss", "Pss_Anon"}:
                    kib = int(rest.split()[0])
                    own, both = (own + kib, both) if name == "Pss_Anon" else (own, both + kib)
        return own >> 10, both >> 10

    def ask(
        self, requests: list[Request], tags: dict[str, str] | None = None, *, clients: int = CLIENTS
    ) -> "Answers":
        """Send the requests from several clients, each with a connection that stays open."""
        todo = iter(requests)
        lock = threading.Lock()
        answers = Answers()

        def client() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            while True:
                with lock:
                    kind, address = next(todo, ("", ""))
                if not address:
                    break
                headers = {"Accept-Encoding": "identity"}
                if tags is not None:
                    headers["If-None-Match"] = tags[address]
                at = time.perf_counter()
                connection.request("GET", quote(address, safe="/?&=%+"), headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                spent = time.perf_counter() - at
                with lock:
                    answers.add(kind, address, answer.status, spent, len(body))
                    answers.tags[address] = answer.headers.get("ETag", "")
            connection.close()

        threads = [threading.Thread(target=client) for _ in range(clients)]
        worked, began = self.cpu(), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answers.wall = time.perf_counter() - began
        answers.cpu = self.cpu() - worked
        return answers


class Answers:
    """What came back, and how fast."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, list[float]] = defaultdict(list)
        self.tags: dict[str, str] = {}
        self.wrong: list[tuple[int, str]] = []
        self.bytes = 0
        self.wall = self.cpu = 0.0

    def add(self, kind: str, address: str, status: int, spent: float, size: int) -> None:
        self.spent[kind].append(spent)
        self.bytes += size
        if status not in {200, 304}:
            self.wrong.append((status, address))

    @property
    def all(self) -> list[float]:
        return [spent for kind in self.spent.values() for spent in kind]

    @property
    def cpu_ms(self) -> float:
        return 1e3 * self.cpu / len(self.all)

    def within(self, share: float) -> float:
        """Return the time within which that share of the answers came, in ms."""
        return 1e3 * statistics.quantiles(self.all, n=100)[round(share * 100) - 1]

    def by_kind(self) -> str:
        return ", ".join(
            f"{kind} {1e3 * statistics.median(self.spent[kind]):.0f}" for kind in sorted(self.spent)
        )


def refuse_taken(port: int) -> None:
    """Leave where something else listens on a port that a server here needs."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections still closing
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(
                f"port {port} is taken: another benchmark runs, or another server; "
                "wait for it or stop it"
            )


@contextmanager
def serving(command: list[str], port: int, path: str, **environment: str) -> Iterator[Server]:
    """Start a server, wait until it answers, and stop it."""
    refuse_taken(port)  # somebody else's answers would be measured
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=None if os.environ.get("RENKEI_BENCH_LOUD") else subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError(f"{command[:4]} ended by itself: RENKEI_BENCH_LOUD=1 says why")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    break
            except OSError:
                time.sleep(0.1)
        yield Server(process, port)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def node(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command and environment that serve a node."""
    environment = {
        "RENKEI_NODE": str(folder),
        "DJANGO_SETTINGS_MODULE": "renkei.site.settings",
        "PYTHONPATH": str(generate.ROOT / "src"),
    }
    if importlib.util.find_spec("renkei.site.cli"):
        command = [sys.executable, "-m", "renkei.site.cli", "node", "serve", str(folder)]
    else:
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "1",
            "--blocking-threads", "4", "--port", str(generate.PORT), "--no-ws", "--http", "1",
            "renkei.site.wsgi:application",
        ]  # fmt: skip
    return command, environment


# The same work by the peer and by plain SQL


def alike(
    commitments: int,
) -> dict[str, tuple[list[str], list[str], list[tuple[str, tuple[object, ...]]]]]:
    """Return tasks: addresses of ours, of Datasette, and the statements that give the rows."""
    from renkei.record import engine

    rng = random.Random(7)
    table = "/node/record_commitment"
    columns = (
        "c.id, c.slug, c.title_en, c.domain, c.kind, c.status, c.parties, c.dated, "
        "c.amount_minor, c.amount_currency, s.slug"
    )
    joined = "record_commitment c JOIN record_source s ON s.id = c.source_id"
    tasks: dict[str, tuple[list[str], list[str], list[tuple[str, tuple[object, ...]]]]] = {
        name: ([], [], []) for name in ("filtered list", "one record", "list with facets", "search")
    }
    pairs = [(a, b) for a in engine.VOCABULARY["domain"] for b in engine.VOCABULARY["status"]]
    for at, (domain, status) in enumerate(rng.sample(pairs, ALIKE)):
        own, peer, plain = tasks["filtered list"]
        own.append(f"/en/record/commitments/?domain={domain}&status={status}&fresh={at}")
        peer.append(f"{table}?domain={domain}&status={status}&_sort_desc=updated_at&_size=25")
        listed = (
            f"SELECT {columns} FROM {joined} WHERE c.domain = ? AND c.status = ? "
            "ORDER BY c.updated_at DESC, c.id DESC LIMIT 25"
        )
        plain.append((listed, (domain, status)))
        own, peer, plain = tasks["list with facets"]
        own.append(f"/ja/record/commitments/?domain={domain}&status={status}&fresh={at}")
        peer.append(
            f"{table}?domain={domain}&status={status}&_sort_desc=updated_at&_size=25"
            "&_facet=kind&_facet=scope&_facet=parties&_facet=record_class"
        )
        plain.append(
            (
                "SELECT kind, scope, parties, record_class, sum(count) FROM record_tally "
                "WHERE domain = ? AND status = ? GROUP BY 1, 2, 3, 4",
                (domain, status),
            )
        )
    for _ in range(ALIKE):
        number = rng.randint(1, commitments)
        own, peer, plain = tasks["one record"]
        own.append(f"/en/record/commitments/us-c{number}/")
        peer.append(f"{table}/{number}")
        plain.append((f"SELECT {columns} FROM {joined} WHERE c.id = ?", (number,)))
        plain.append(("SELECT * FROM record_claim WHERE commitment_id = ?", (number,)))
        plain.append(("SELECT * FROM record_disbursement WHERE commitment_id = ?", (number,)))
    for number in range(1, ALIKE + 1):
        own, peer, plain = tasks["search"]
        words = f"{WORDS[0][number % len(WORDS[0])]} {number % 40 + 1}"
        match = " ".join(f'"{word}"*' for word in words.split())
        statement = (
            f"SELECT {columns} FROM {joined} WHERE c.id IN (SELECT rowid FROM "
            "record_search_commitment WHERE record_search_commitment MATCH {} "
            "ORDER BY rowid DESC LIMIT 2000) ORDER BY c.updated_at DESC, c.id DESC LIMIT 25"
        )
        own.append(f"/en/record/commitments/?{urlencode({'q': words, 'fresh': number})}")
        asked = urlencode({"sql": statement.format(":words"), "words": match})
        peer.append(f"/node?{asked}")
        plain.append((statement.format("?"), (match,)))
    return tasks


def timed(database: Path, statements: list[tuple[str, tuple[object, ...]]], tasks: int) -> float:
    """Return the milliseconds that plain SQL takes for one task."""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    for pragma in ("cache_size=-16000", "mmap_size=268435456", "temp_store=MEMORY"):
        db.execute(f"PRAGMA {pragma}")
    at = time.perf_counter()
    for statement, values in statements:
        db.execute(statement, values).fetchall()
    return 1e3 * (time.perf_counter() - at) / tasks


def into_memory(file: Path) -> None:
    """Read a file once, as a node's has been that has run for a while: not the disk is measured."""
    with file.open("rb", buffering=0) as read:
        while read.read(1 << 24):
            pass


def measure(folder: Path, commitments: int) -> list[dict[str, object]]:
    """Return the rows of one node."""
    size = f"10^{len(str(commitments)) - 1}"
    note = f"{size} commitments, 10 times as many disbursements, {CLIENTS} clients"
    mix = Mix(commitments, seed=5)
    command, environment = node(folder)
    rows = []
    tasks = alike(commitments)
    ours: dict[str, float] = {}
    into_memory(folder / "node.sqlite3")
    with serving(command, generate.PORT, "/healthz", **environment) as server:
        idle = server.memory()
        server.ask(mix.take(24))  # templates, catalogues, counts: read once by every process
        cold = server.ask(mix.take(COLD))
        recent = list(dict.fromkeys(cold.tags))[-AGAIN:]
        again = [("again", address) for address in recent] * 4
        warm = server.ask(again)
        unchanged = server.ask(again, warm.tags)
        wrong = cold.wrong + warm.wrong + unchanged.wrong
        for name, (own, _, _) in tasks.items():
            answers = server.ask([(name, address) for address in own], clients=1)
            ours[name] = 1e3 * statistics.median(answers.all)
            wrong += answers.wrong
        loaded = server.memory()
    if wrong:
        raise RuntimeError(f"{len(wrong)} answers were errors, such as {wrong[:5]}")
    is_large = commitments >= generate.LARGE
    rows += [
        row(f"pages, p95, {size}", cold.within(0.95), "ms", "<= 150" if is_large else "",
                   note=f"{note}, no address twice, the database's file read into memory before;"
                   f" medians in ms: {cold.by_kind()}"),
        row(f"pages, p50, {size}", cold.within(0.5), "ms", "", note=note),
        row(f"pages, requests a second, {size}", len(cold.all) / cold.wall, "1/s", "",
                   note=note),
        row(f"pages, CPU a request, {size}", cold.cpu_ms, "ms", "<= 8" if is_large else "",
                   note=f"{note}; {cold.bytes / len(cold.all) / 1024:.0f} KiB an answer"),
        row(f"pages again, p95, {size}", warm.within(0.95), "ms", "",
                   note=f"{note}, {AGAIN} addresses that the server keeps; CPU {warm.cpu_ms:.2f} ms"),
        row(f"pages again, CPU a request, {size}", warm.cpu_ms, "ms", "", note=note),
        row(f"unchanged pages (304), CPU a request, {size}", unchanged.cpu_ms, "ms", "",
                   note=f"{note}; p95 {unchanged.within(0.95):.1f} ms"),
        row(f"server memory under load, {size}", loaded[0], "MiB", "",
                   note=f"all its processes, {idle[0]} MiB before the first request; with mapped "
                   f"files, such as the database, {loaded[1]} MiB and {idle[1]} MiB"),
    ]  # fmt: skip
    rows += compared(folder, size, tasks, ours)
    return rows


def compared(
    folder: Path,
    size: str,
    tasks: dict[str, tuple[list[str], list[str], list[tuple[str, tuple[object, ...]]]]],
    ours: dict[str, float],
) -> list[dict[str, object]]:
    """Return the rows that set our pages beside Datasette's and plain SQL."""
    database = folder / "node.sqlite3"
    port = generate.PORT + 1
    command = [sys.executable, "-m", "datasette", "serve", str(database), "--port", str(port),
               "--setting", "sql_time_limit_ms", "20000", "--setting", "facet_time_limit_ms", "20000"]  # fmt: skip
    rows = []
    with serving(command, port, "/-/versions.json") as peer:
        for name, (own, theirs, plain) in tasks.items():
            # Its facets and counts of a large table take seconds: a few of them tell.
            answers = peer.ask([(name, address) for address in theirs[:PEER]], clients=1)
            if answers.wrong:
                raise RuntimeError(f"Datasette answered {answers.wrong[:3]}")
            value = 1e3 * statistics.median(answers.all)
            rows.append(
                row(
                    f"{name}, {size}", ours[name], "ms", "", peer="Datasette 0.65", peer_value=value,
                    ratio=ours[name] / value, limit="plain SQL",
                    limit_value=timed(database, plain, len(own)),
                    note="one client, median, a whole HTML page each; ratio is ours to the peer's",
                )
            )  # fmt: skip
    return rows


def main() -> int:
    """Measure the small node and, unless told otherwise, the large one."""
    sizes = [generate.SMALL]
    if os.environ.get("RENKEI_BENCH_SIZE") != "small":
        sizes.append(generate.LARGE)
    made = {}
    for commitments in sizes:  # made by processes of their own, which give their memory back
        subprocess.run(
            [sys.executable, generate.__file__, "--commitments", str(commitments)], check=True
        )
        made[commitments] = generate.folder_of(commitments)
    generate.enter(made[generate.SMALL])  # for the vocabularies alone
    for commitments, folder in made.items():
        keep("record", measure(folder, commitments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
