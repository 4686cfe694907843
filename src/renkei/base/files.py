"""Tables as files: CSV for spreadsheet programs and JSON for others, streamed row by row."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import StreamingHttpResponse
from django.utils.text import get_valid_filename

FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def cell(value: object) -> str:
    """Return a value that no spreadsheet program takes for a formula.

    Source: OWASP, CSV Injection.
    """
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_SIGNS) else text


def csv_lines(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a CSV file line by line, with the byte order mark that spreadsheet programs need."""
    names = list(columns)
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(names)
    for row in rows:
        yield writer.writerow([cell(row[name]) for name in names])


def json_lines(
    columns: Iterable[str], rows: Iterable[Mapping[str, Any]], **head: object
) -> Iterator[str]:
    """Yield a JSON document item by item."""
    names = list(columns)
    yield json.dumps(head, ensure_ascii=False)[:-1] + (", " if head else "") + '"items": [\n'
    for index, row in enumerate(rows):
        picked = {name: row[name] for name in names}
        text = json.dumps(picked, ensure_ascii=False, cls=DjangoJSONEncoder)
        yield (",\n" if index else "") + text
    yield "\n]}\n"


def table_file(
    name: str,
    form: str,
    columns: Iterable[str],
    rows: Iterable[Mapping[str, Any]],
    **head: object,
) -> StreamingHttpResponse:
    """Return a download.

    Args:
        name: of the file, without its ending.
        form: ``csv`` or ``json``.
        head: what a JSON file says before its items.
    """
    lines = csv_lines(columns, rows) if form == "csv" else json_lines(columns, rows, **head)
    file = get_valid_filename(f"renkei-{name}.{form}")
    return StreamingHttpResponse(
        lines,
        content_type=FORMATS[form],
        headers={
            "Content-Disposition": f'attachment; filename="{file}"',
            "Cache-Control": "no-cache",
        },
    )
