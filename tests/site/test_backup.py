"""Backup and restore: the same node comes back, or nothing does."""

import gzip
import io
import json
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.site.command import renkei

ROWS_AT_A_TIME = 50


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a node with a blob and an account."""
    folder = tmp_path_factory.mktemp("home") / "us"
    assert renkei("node", "init", folder, "--name", "us", "--party", "US").returncode == 0
    (folder / "blobs" / "ab").mkdir()
    (folder / "blobs" / "ab" / "cd").write_bytes(bytes(range(256)) * 5000)
    (folder / "cache").mkdir()
    (folder / "cache" / "x").write_text("can be made again")
    renkei("node", "user", "add", folder, "ada", "--role", "officer")
    return folder


@pytest.fixture(scope="module")
def archive(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a backup of the node."""
    file = tmp_path_factory.mktemp("backup") / "us.tar.gz"
    done = renkei("node", "backup", node, file, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == len(files(node)) + 1  # and the database
    return file


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder, but for its database and cache."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "cache" not in path.parts and not path.name.startswith("node.sqlite3")
    }


def dump(folder: Path) -> list[str]:
    """Return every row of a node's database."""
    with closing(sqlite3.connect(folder / "node.sqlite3")) as database:
        return list(database.iterdump())


def test_what_is_restored_equals_what_was_backed_up(
    node: Path, archive: Path, tmp_path: Path
) -> None:
    done = renkei("node", "restore", archive, tmp_path / "back", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["node"] == "us"
    back = files(tmp_path / "back")
    assert back.pop("log/restored")  # the border asks the partners before it signs again
    assert back == files(node)
    assert dump(tmp_path / "back") == dump(node)
    assert not (tmp_path / "back" / "cache").exists()
    assert stat.S_IMODE((tmp_path / "back" / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "back" / "keys" / "web-secret").stat().st_mode) == 0o600
    assert renkei("node", "check", tmp_path / "back").returncode == 0


def test_only_its_owner_reads_a_backup_and_nothing_is_replaced(node: Path, archive: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    before = archive.read_bytes()

    again = renkei("node", "backup", node, archive)
    inside = renkei("node", "backup", node, node / "blobs" / "x.tar.gz")

    assert (again.returncode, inside.returncode) == (1, 1)
    assert archive.read_bytes() == before
    assert [item.name for item in archive.parent.iterdir()] == [archive.name]


def test_a_backup_taken_while_the_node_writes_is_of_one_moment(tmp_path: Path) -> None:
    """Two tables that are always written together hold the same rows in the backup."""
    folder = tmp_path / "us"
    renkei("node", "init", folder, "--name", "us", "--party", "US")
    with closing(sqlite3.connect(folder / "node.sqlite3")) as database:
        database.executescript(
            "PRAGMA journal_mode=WAL; CREATE TABLE a (n, t); CREATE TABLE b (n, t);"
        )
    over = threading.Event()
    written = []

    def write() -> None:
        with closing(sqlite3.connect(folder / "node.sqlite3", timeout=30)) as database:
            number = 0
            while not over.is_set():
                rows = [(number + step, "x" * 500) for step in range(ROWS_AT_A_TIME)]
                with database:
                    database.executemany("INSERT INTO a VALUES (?, ?)", rows)
                    database.executemany("INSERT INTO b VALUES (?, ?)", rows)
                number += ROWS_AT_A_TIME
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = renkei("node", "backup", folder, tmp_path / "us.tar.gz")
        at_the_end = len(written)
    finally:
        over.set()
        writer.join()
    restored = renkei("node", "restore", tmp_path / "us.tar.gz", tmp_path / "back")

    assert (done.returncode, restored.returncode) == (0, 0), done.stderr + restored.stderr
    with closing(sqlite3.connect(tmp_path / "back" / "node.sqlite3")) as database:
        a, b = (database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in "ab")
    assert a == b
    assert a % ROWS_AT_A_TIME == 0
    assert 0 < a <= written[at_the_end]  # it did write meanwhile


def test_a_folder_in_use_is_not_restored_into(archive: Path, node: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")

    assert renkei("node", "restore", archive, tmp_path).returncode == 1
    assert renkei("node", "restore", archive, node).returncode == 1
    assert [item.name for item in tmp_path.iterdir()] == ["letter.txt"]


def rewritten(
    archive: Path, change: Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]]
) -> bytes:
    """Return the archive with each member changed."""
    out = io.BytesIO()
    with tarfile.open(archive) as before, tarfile.open(fileobj=out, mode="w:gz") as after:
        for member in before:
            content = before.extractfile(member)
            assert content is not None
            for info, data in change(member, content.read()):
                info.size = len(data) if info.isreg() else 0
                after.addfile(info, io.BytesIO(data))
    return out.getvalue()


def extra(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]]:
    """Return a change that puts one more member before the manifest."""

    def change(info: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
        if info.name != "manifest.json":
            return [(info, data)]
        more = tarfile.TarInfo(name)
        more.type, more.linkname = kind, link
        return [(more, b"evil"), (info, data)]

    return change


def flipped(info: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Change one bit of the blob."""
    return [(info, data[:-1] + bytes([data[-1] ^ 1]) if info.name == "blobs/ab/cd" else data)]


def without_blob(info: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Leave the blob out."""
    return [] if info.name == "blobs/ab/cd" else [(info, data)]


def without_manifest(info: tarfile.TarInfo, data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Leave the manifest out."""
    return [] if info.name == "manifest.json" else [(info, data)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flipped, "blobs/ab/cd"),
        (without_blob, "blobs/ab/cd"),
        (without_manifest, "no manifest"),
        (extra("blobs/more"), "blobs/more"),
        (extra("node.toml"), "twice"),
        (extra("../evil"), "'../evil'"),
        (extra("blobs/../../evil"), "'blobs/../../evil'"),
        (extra("/tmp/renkei-evil"), "'/tmp/renkei-evil'"),
        (extra("./evil"), "evil"),
        (extra("blobs/link", tarfile.SYMTYPE, "/etc"), "'blobs/link'"),
        (extra("blobs/link", tarfile.LNKTYPE, "node.toml"), "'blobs/link'"),
        (extra("blobs/pipe", tarfile.FIFOTYPE), "'blobs/pipe'"),
        (extra("node.toml/below"), "not a whole backup"),
    ],
)
def test_a_changed_archive_restores_nothing(
    archive: Path,
    tmp_path: Path,
    change: Callable[[tarfile.TarInfo, bytes], list[tuple[tarfile.TarInfo, bytes]]],
    said: str,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(rewritten(archive, change))

    done = renkei("node", "restore", bad, home / "us")

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert said in done.stderr
    assert list(home.iterdir()) == []
    assert sorted(item.name for item in tmp_path.iterdir()) == ["bad.tar.gz", "home"]
    assert not Path("/tmp/renkei-evil").exists()


@pytest.mark.parametrize("cut", [0, 10, 1000, -300])
def test_a_cut_archive_restores_nothing(archive: Path, tmp_path: Path, cut: int) -> None:
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(archive.read_bytes()[:cut])

    done = renkei("node", "restore", bad, tmp_path / "us")

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert [item.name for item in tmp_path.iterdir()] == ["bad.tar.gz"]


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(b"no tar"))

    assert renkei("node", "restore", tmp_path / "x", tmp_path / "us").returncode == 1
    assert renkei("node", "restore", tmp_path / "none", tmp_path / "us").returncode == 1
