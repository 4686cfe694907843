"""A node in one file and back: consistent while the node runs, verified before it is placed.

The archive is a gzipped tar of what the node must keep: ``node.toml``, ``keys/``, ``blobs/`` and
every other folder of its own, the database as ``node.sqlite3`` (or ``database.pgdump``), and
``manifest.json`` with the SHA-256 of each file, last. The database is taken first: blobs are only
ever added, so whatever its snapshot names is there when the files are read.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from renkei import __version__
from renkei.kit.errors import ConflictError, RenkeiError, gettext_noop
from renkei.site import config
from renkei.site import node as life

MANIFEST = "manifest.json"
SQLITE = "node.sqlite3"
POSTGRESQL = "database.pgdump"
FORMAT = 1
RESTORED = "log/restored"
NOT_KEPT = frozenset({"cache", SQLITE, f"{SQLITE}-wal", f"{SQLITE}-shm"})
BLOCK = 1 << 20
LARGEST_MANIFEST = 256 << 20
SECONDS_FOR_A_LOCKED_DATABASE = 60.0


class BackupError(RenkeiError):
    """A backup cannot be made, or an archive cannot be trusted."""

    code = "site.backup"


class _Hashed:
    """Hash what is read through it, and read exactly ``size`` bytes."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source = source
        self._left = size
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        self.sha256.update(block)
        return block


def back_up(folder: Path, file: Path) -> dict[str, object]:
    """Write the node in ``folder`` to ``file``; it appears when it is whole, for its owner alone.

    Returns:
        ``file``, ``bytes`` and how many ``files`` it holds.

    Raises:
        ConflictError: ``file`` exists, or lies in the node.
        BackupError: the database could not be read.
    """
    node = life.enter(folder)
    target = file.absolute()
    if target.exists():
        raise ConflictError(gettext_noop("{file} exists: a backup replaces nothing"), file=file)
    if target.resolve().is_relative_to(node.folder):
        raise ConflictError(
            gettext_noop("{file} lies in the node itself: choose a place outside it"), file=file
        )
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            count = _write(node.folder, out)
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(target)
        life.sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return {"file": str(file), "bytes": target.stat().st_size, "files": count}


def _write(folder: Path, out: BinaryIO) -> int:
    files: dict[str, dict[str, object]] = {}
    with (
        tarfile.open(fileobj=out, mode="w:gz", compresslevel=3) as archive,
        tempfile.TemporaryDirectory(prefix="renkei-backup-") as scratch,
    ):
        dump = _dump_database(folder, Path(scratch))
        files[dump.name] = _add(archive, dump, dump.name)
        for path in _kept(folder):
            name = path.relative_to(folder).as_posix()
            files[name] = _add(archive, path, name)
        manifest = json.dumps({"format": FORMAT, "version": __version__, "files": files}).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode, info.mtime = len(manifest), 0o600, int(time.time())
        archive.addfile(info, io.BytesIO(manifest))
    return len(files)


def _kept(folder: Path) -> Iterator[Path]:
    for top in sorted(folder.iterdir()):
        if top.name in NOT_KEPT:
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() and not top.is_symlink() else [top]:
            if path.is_symlink():
                raise BackupError(
                    gettext_noop("{path} is a link: a backup holds the node's own files alone"),
                    path=path,
                )
            if path.is_file():
                yield path


def _add(archive: tarfile.TarFile, path: Path, name: str) -> dict[str, object]:
    with path.open("rb") as source:
        known = os.fstat(source.fileno())
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = known.st_size, 0o600, int(known.st_mtime)
        hashed = _Hashed(source, known.st_size)  # a log that grows meanwhile is cut at its length
        archive.addfile(info, cast("IO[bytes]", hashed))
    return {"sha256": hashed.sha256.hexdigest(), "size": info.size}


def _matches(pattern: str, text: str | None) -> bool | None:
    """Do what Django's ``REGEXP`` does in SQLite."""
    return None if text is None else bool(re.search(pattern, str(text)))


def _dump_database(folder: Path, scratch: Path) -> Path:
    from django.db import connection

    if connection.vendor == "postgresql":
        dump = scratch / POSTGRESQL
        _run_postgresql("pg_dump", "--format=custom", "--no-owner", f"--file={dump}")
        return dump
    dump = scratch / SQLITE
    with (
        contextlib.closing(
            sqlite3.connect(folder / SQLITE, timeout=SECONDS_FOR_A_LOCKED_DATABASE)
        ) as source,
        contextlib.closing(sqlite3.connect(dump)) as copy,
    ):
        source.backup(copy)  # all pages in one step: one moment, whatever is written meanwhile
        copy.execute("PRAGMA journal_mode=DELETE")
        # The check reads the tables' constraints, and some of them use what Django defines.
        copy.create_function("REGEXP", 2, _matches, deterministic=True)
        said = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise BackupError(gettext_noop("the database is damaged: {said}"), said=said)
    return dump


def _run_postgresql(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the node's database; the password stays out of ``ps``."""
    from django.db import connection

    params = connection.settings_dict
    given = {
        "PGHOST": params["HOST"],
        "PGPORT": params["PORT"],
        "PGUSER": params["USER"],
        "PGPASSWORD": params["PASSWORD"],
        "PGDATABASE": params["NAME"],
        "PGSSLMODE": params["OPTIONS"].get("sslmode"),
    }
    try:
        done = subprocess.run(  # noqa: S603  our own words alone
            [program, "--no-password", *arguments],
            env={**os.environ, **{name: str(value) for name, value in given.items() if value}},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise BackupError(
            gettext_noop("{program} is not installed: it comes with PostgreSQL's client"),
            program=program,
        ) from error
    if done.returncode:
        raise BackupError(
            gettext_noop("{program} failed: {said}"), program=program, said=done.stderr.strip()
        )


def restore(file: Path, folder: Path) -> dict[str, object]:
    """Place the node that ``file`` holds in ``folder``, after every hash in it was verified.

    Returns:
        ``folder``, ``node`` and how many ``files`` were placed.

    Raises:
        FolderInUseError: there is something in ``folder``.
        BackupError: the archive is damaged, was changed, or names places outside the node.
    """
    life.refuse_used(folder)
    with life.appearing(folder) as building:
        try:
            with tarfile.open(file, "r:gz") as archive:
                files, manifest = _extract(archive, building)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise BackupError(
                gettext_noop("{file} is not a whole backup: {error}"), file=file, error=error
            ) from error
        _verify(files, manifest, file)
        (building / "blobs").mkdir(exist_ok=True)  # an archive has no empty folders
        node = config.load(building)
        _restore_database(building)
        if (building / "keys" / "border").is_dir():
            # What was said since the backup is in the partners' mirrors: the border signs nothing
            # before it has asked them.
            (building / RESTORED).parent.mkdir(exist_ok=True)
            (building / RESTORED).write_text("ask the partners before signing\n", "ascii")
    return {"folder": str(folder), "node": node.name, "files": len(files)}


def _extract(archive: tarfile.TarFile, building: Path) -> tuple[dict[str, object], bytes]:
    files: dict[str, object] = {}
    manifest = b""
    for member in archive:
        path = PurePosixPath(member.name)
        if (
            not member.isreg()
            or path.is_absolute()
            or ".." in path.parts
            or path.as_posix() != member.name
            or "\0" in member.name
        ):
            raise BackupError(
                gettext_noop("the archive holds {name!r}, which no backup of a node does: refused"),
                name=member.name,
            )
        source = archive.extractfile(member)
        if member.name in files or manifest or source is None:
            raise BackupError(gettext_noop("the archive holds {name!r} twice"), name=member.name)
        if member.name == MANIFEST:
            manifest = source.read(LARGEST_MANIFEST)
            continue
        place = building / path
        for parent in reversed(place.relative_to(building).parents[:-1]):
            (building / parent).mkdir(mode=0o700, exist_ok=True)
        hashed = _Hashed(source, member.size)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            shutil.copyfileobj(hashed, out, BLOCK)
            out.flush()
            os.fsync(out.fileno())
        files[member.name] = {"sha256": hashed.sha256.hexdigest(), "size": member.size}
    return files, manifest


def _verify(files: dict[str, object], manifest: bytes, file: Path) -> None:
    try:
        said = json.loads(manifest or b"{}")
    except ValueError:
        said = {}
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise BackupError(
            gettext_noop(
                "{file} has no manifest of a kind known here: it is cut off, or no backup"
            ),
            file=file,
        )
    stated = said.get("files")
    if stated != files:
        stated = stated if isinstance(stated, dict) else {}
        wrong = sorted(name for name in {*stated, *files} if stated.get(name) != files.get(name))
        raise BackupError(
            gettext_noop("{file} was changed or is damaged: {names}; nothing was restored"),
            file=file,
            names=", ".join(wrong[:5]),
        )


def _restore_database(building: Path) -> None:
    dump = building / POSTGRESQL
    asked = bool(os.environ.get("DATABASE_URL"))
    if dump.exists() != asked:
        raise BackupError(
            gettext_noop(
                "the backup holds a PostgreSQL database: name an empty one in DATABASE_URL"
            )
            if dump.exists()
            else gettext_noop("the backup holds a SQLite database: restore it without DATABASE_URL")
        )
    if not asked:
        return
    life.enter(building, founding=True)
    life.refuse_used_database()
    _run_postgresql(
        "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", *_target(), str(dump)
    )
    life.leave()
    dump.unlink()


def _target() -> list[str]:
    from django.db import connection

    return [f"--dbname={connection.settings_dict['NAME']}"]
