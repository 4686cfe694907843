"""How long a commit waits for the disk."""

import sqlite3
import threading
import time
from contextlib import closing

import pytest
from django.db import connection, transaction

from renkei.base import commits
from renkei.base.commits import losable
from renkei.base.models import ApiToken


def level():
    with connection.cursor() as cursor:
        cursor.execute(
            "PRAGMA synchronous" if connection.vendor == "sqlite" else "SHOW synchronous_commit"
        )
        return str(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_only_what_is_losable_does_not_wait():
    usual = level()
    with losable(), transaction.atomic():
        inside = level()
        assert not ApiToken.objects.exists()
    # The tests' own PostgreSQL waits for no disk anyhow.
    assert (usual, inside) in {("2", "1"), ("on", "off"), ("off", "off")}
    assert level() == usual
    with pytest.raises(ZeroDivisionError), losable():
        _ = 1 / 0
    assert level() == usual


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_waits_goes_on_waiting():
    usual = level()
    with transaction.atomic(), losable():
        assert level() == usual
    assert level() == usual


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own log of changes")
def test_a_long_log_is_written_back_by_the_service(tmp_path, monkeypatch):
    file = tmp_path / "node.sqlite3"
    monkeypatch.setitem(connection.settings_dict, "NAME", str(file))
    monkeypatch.setattr(commits, "LOOK_SECONDS", 0.01)
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        with database:
            database.execute("CREATE TABLE thing (content BLOB)")
            database.execute("INSERT INTO thing VALUES (zeroblob(4000000))")
        before = file.stat().st_size
        stop = threading.Event()
        service = threading.Thread(target=commits.shorten_log, args=(stop,))

        service.start()

        try:
            end = time.monotonic() + 20
            while file.stat().st_size < 4_000_000 and time.monotonic() < end:
                time.sleep(0.01)
        finally:
            stop.set()
            service.join()
        assert before < 100_000
        assert file.stat().st_size > 4_000_000
