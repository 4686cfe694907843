"""The same node on PostgreSQL: founded, given an account, served, backed up, restored."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from tests.site.command import renkei
from tests.system.test_up import free_base_port, health, until

SERVER = os.environ.get("DATABASE_URL", "")
pytestmark = pytest.mark.skipif(not SERVER, reason="DATABASE_URL names no PostgreSQL")


@pytest.fixture
def databases() -> Iterator[list[str]]:
    """Return the addresses of two empty databases."""
    names = [f"renkei_{secrets.token_hex(4)}" for _ in range(2)]
    with contextlib.closing(psycopg.connect(SERVER, autocommit=True)) as link:
        for name in names:
            link.execute(f'CREATE DATABASE "{name}"')
        yield [urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}")) for name in names]
        for name in names:
            link.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def users(database: str) -> list[tuple[object, ...]]:
    """Return the accounts that a database holds."""
    with contextlib.closing(psycopg.connect(database)) as link:
        return link.execute("SELECT username, password FROM base_user").fetchall()


def test_a_node_on_postgresql_lives_and_comes_back(databases: list[str], tmp_path: Path) -> None:
    first, second = databases
    folder, archive, back = tmp_path / "us", tmp_path / "us.tar.gz", tmp_path / "back"
    base = free_base_port()

    founded = renkei("node", "init", folder, "--name", "us", "--party", "US",
                     "--base-port", base, DATABASE_URL=first)  # fmt: skip
    assert founded.returncode == 0, founded.stderr
    assert not (folder / "node.sqlite3").exists()
    renkei("node", "user", "add", folder, "ada", "--role", "officer", DATABASE_URL=first)
    checked = renkei("node", "check", folder, "--json", DATABASE_URL=first)
    assert {one["ok"] for one in json.loads(checked.stdout)} == {True}

    taken = renkei(
        "node", "init", tmp_path / "jp", "--name", "jp", "--party", "JP", DATABASE_URL=first
    )
    assert (taken.returncode, (tmp_path / "jp").exists()) == (1, False)

    with subprocess.Popen(
        [sys.executable, "-m", "renkei.site.cli", "node", "serve", folder],
        env={**os.environ, "DATABASE_URL": first},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as server:
        try:
            assert until(lambda: health(base + 1))
            done = renkei("node", "backup", folder, archive, DATABASE_URL=first)
        finally:
            server.terminate()
    assert done.returncode == 0, done.stderr

    without = renkei("node", "restore", archive, back)
    assert (without.returncode, back.exists()) == (1, False)
    restored = renkei("node", "restore", archive, back, DATABASE_URL=second)
    assert restored.returncode == 0, restored.stderr
    assert users(second) == users(first) != []
    assert not (back / "database.pgdump").exists()


def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    done = renkei("node", "init", tmp_path / "us", "--name", "us", "--party", "US",
                  DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")  # fmt: skip

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "database cannot be used" in done.stderr
    assert list(tmp_path.iterdir()) == []
