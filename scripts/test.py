"""``make test``: bring what the tests need, run every check and every test, say how it ended.

Each step is run whatever became of the one before; the last line counts them all.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import postgres

HOME = Path(__file__).resolve().parent.parent
BIN = HOME / ".venv" / "bin"
REPORTS = HOME / ".cache" / "test"
MOST_LINES = 60
WORKERS = os.environ.get("TEST_WORKERS", "2")
# What lands is not left to luck: orders and examples are those of one seed, TEST_SEED=random or
# another number looks further.
SEED = os.environ.get("TEST_SEED", "20261122")
ONCE = (  # enough: real processes run on SQLite, and the others here know no database
    "tests/browser",
    "tests/system",
    "tests/site/test_backup.py",
    "tests/site/test_cli.py",
    "tests/border/test_agreements_commands.py::test_refusals_of_the_whole_program",
    "tests/link/test_fibre.py",
    "tests/link/test_soak.py",
    "tests/site/test_config.py",
    "tests/test_architecture.py",
    "tests/test_bench.py",
    "tests/test_docs.py",
    *(str(folder.relative_to(HOME)) for folder in sorted(HOME.glob("tests/*/engine"))),
)

NEEDED: Mapping[str, tuple[Callable[[], object], str, str]] = {
    "chromium": (
        lambda: any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
        "chromium",
        "the browser tests",
    ),
    "PostgreSQL": (postgres.programs, "postgresql", "the run on PostgreSQL"),
    "gettext": (lambda: shutil.which("xgettext"), "gettext", "the check of the catalogues"),
    "Go": (lambda: shutil.which("go"), "golang-go", "the log's verifier in Go"),
    "Go's x/mod": (
        Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog").is_dir,
        "golang-golang-x-mod-dev",
        "the log's verifier in Go",
    ),
}

passed = failed = 0
one_at_a_time = threading.Lock()


def count(name: str, ok: bool, seconds: float, said: str = "") -> None:
    """Note how a step ended, and show what it said if it failed."""
    global passed, failed
    lines = [f"{'ok    ' if ok else 'FAILED'} {name} ({seconds:.0f} s)"]
    if not ok and said:
        found = said.rstrip().splitlines()
        lines += found[:MOST_LINES]
        if len(found) > MOST_LINES:
            lines.append(f"… and {len(found) - MOST_LINES} lines more")
    with one_at_a_time:
        passed, failed = passed + ok, failed + (not ok)
        print("\n".join(lines), flush=True)


def step(name: str, *command: object, **environment: str) -> None:
    """Run a command that says nothing unless it fails."""
    began = time.monotonic()
    done = subprocess.run(
        list(map(str, command)),
        cwd=HOME,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    count(name, done.returncode == 0, time.monotonic() - began, done.stdout)


def bring() -> set[str]:
    """Install what is missing, as root on a Debian system; return what is missing still."""
    missing = {name for name, (there, _package, _what) in NEEDED.items() if not there()}
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [NEEDED[name][1] for name in sorted(missing)]
        print(f"installing {', '.join(packages)}", flush=True)
        quiet = {
            "stdout": subprocess.DEVNULL,
            "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        }
        subprocess.run(["apt-get", "-qq", "update"], check=False, **quiet)  # type: ignore[call-overload]
        subprocess.run(
            ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages],
            check=False,
            **quiet,  # type: ignore[call-overload]
        )
        missing = {name for name in missing if not NEEDED[name][0]()}
    if missing:
        skipped = ", ".join(f"{name} (skipped: {NEEDED[name][2]})" for name in sorted(missing))
        print(f"missing on this machine: {skipped}", flush=True)
    return missing


def checks(missing: set[str]) -> None:
    """Run what needs no test."""
    step("ruff check", BIN / "ruff", "check", ".")
    step("ruff format", BIN / "ruff", "format", "--check", ".")
    with tempfile.TemporaryDirectory(prefix="renkei-check-") as scratch:
        # Django's plugin of mypy loads the settings, and they are those of a node.
        node = Path(scratch) / "us"
        founding = (BIN / "renkei", "node", "init", node, "--name", "us", "--party", "US")
        step("node init", *founding, RENKEI_NODE="", DATABASE_URL="")
        step("mypy", BIN / "mypy", RENKEI_NODE=str(node), DATABASE_URL="")
    step("import contracts", BIN / "lint-imports")
    if "gettext" not in missing:
        step("catalogues", sys.executable, "scripts/messages.py", "--check")


def suite(name: str, *arguments: str, **environment: str) -> None:
    """Run the tests and show how they go."""
    global passed, failed
    print(f"\n== tests on {name}", flush=True)
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    done = subprocess.run(
        [
            BIN / "pytest",
            "-q",
            "-n",
            WORKERS,
            "--dist",
            "loadfile",
            "--no-loadscope-reorder",  # tests/conftest.py orders the files
            *(() if SEED == "random" else (f"--randomly-seed={SEED}", f"--hypothesis-seed={SEED}")),
            f"--junitxml={report}",
            "--durations=40",
            *arguments,
        ],
        cwd=HOME,
        env={**os.environ, **environment},
        check=False,
    )
    good = bad = 0
    if report.exists():
        for found in ET.parse(report).getroot().iter("testsuite"):
            bad += int(found.get("failures", 0)) + int(found.get("errors", 0))
            good += int(found.get("tests", 0)) - int(found.get("skipped", 0))
        good -= bad
    if done.returncode and not bad:
        bad = 1  # it did not get as far as a report
    passed, failed = passed + good, failed + bad


def wheel() -> None:
    """Build the package and try it where nothing else is."""
    with tempfile.TemporaryDirectory(prefix="renkei-wheel-") as scratch:
        folder = Path(scratch)
        step(
            "wheel is built",
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "-o",
            folder,
        )
        built = list(folder.glob("*.whl"))
        if not built:
            return
        began = time.monotonic()
        tracked = subprocess.run(
            ["git", "ls-files", "src/renkei"], cwd=HOME, capture_output=True, text=True, check=False
        ).stdout.split("\n")
        wanted = {name.removeprefix("src/") for name in tracked if name and (HOME / name).exists()}
        lost = sorted(wanted - set(zipfile.ZipFile(built[0]).namelist()))
        count("wheel holds every file", not lost, time.monotonic() - began, "\n".join(lost))
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        pip = (
            python,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "install",
            "--no-deps",
            "--no-compile",
        )
        step("lock installs", *pip, "--require-hashes", "-r", "requirements/runtime.txt")
        step("wheel installs", *pip, built[0])
        renkei = folder / "venv" / "bin" / "renkei"
        step("installed program answers", renkei, "--version", PYTHONPATH="")
        step(
            "installed program founds a node",
            renkei, "node", "init", folder / "us", "--name", "us", "--party", "US",
            PYTHONPATH="", RENKEI_NODE="", DATABASE_URL="",
        )  # fmt: skip


def main() -> int:
    """Run everything."""
    missing = bring()
    if "--checks-only" in sys.argv[1:]:
        checks(missing)
    else:
        os.environ.pop("DATABASE_URL", None)
        # The tests start a thousand programs: each would translate the sources again.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        with ThreadPoolExecutor() as side_by_side:  # each is one process at a time
            for done in [side_by_side.submit(checks, missing), side_by_side.submit(wheel)]:
                done.result()
        suite("sqlite")
        if "PostgreSQL" not in missing:
            with postgres.cluster() as address:
                # a file is not even read; one test is named
                left = (f"--{'deselect' if '::' in name else 'ignore'}={name}" for name in ONCE)
                suite("postgresql", *left, DATABASE_URL=address)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
