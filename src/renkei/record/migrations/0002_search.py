"""Full-text indexes: FTS5 on SQLite, tsvector with GIN on PostgreSQL, fed the same terms."""

from typing import ClassVar

from django.db import migrations

PREFIXES = " ".join(map(str, range(1, 15)))
SEARCHED = ("commitment", "organisation", "source", "finding")


def create(_apps, schema_editor):
    for kind in SEARCHED:
        table = f"record_search_{kind}"
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(
                f"CREATE TABLE {table} (id bigint PRIMARY KEY, terms tsvector NOT NULL)"
            )
            schema_editor.execute(f"CREATE INDEX {table}_terms ON {table} USING gin (terms)")
        else:
            schema_editor.execute(
                f"CREATE VIRTUAL TABLE {table} USING fts5 (terms, tokenize = 'unicode61', "
                # Only whether a row holds a term is ever asked, so where it stands is not kept; and
                # the beginning of a word is a term of its own, or a common one costs all its hits.
                f"detail = none, columnsize = 0, prefix = '{PREFIXES}')"
            )


def drop(_apps, schema_editor):
    for kind in SEARCHED:
        schema_editor.execute(f"DROP TABLE record_search_{kind}")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("record", "0001_initial")]
    operations: ClassVar = [migrations.RunPython(create, drop)]
