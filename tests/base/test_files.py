"""Tables as files."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest

from renkei.base.files import cell, csv_lines, json_lines, table_file

ROWS = [
    {"name": "量子", "at": datetime(2026, 11, 1, tzinfo=UTC), "extra": 1},
    {"name": 'a "b", c', "at": None, "extra": 2},
]


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", " =", "＝"])
def test_no_cell_is_a_formula(sign):
    """A title that somebody typed must not run in who opens the file."""
    assert cell(f"{sign}HYPERLINK()").startswith("'")
    assert cell("plain = text") == "plain = text"


def test_both_files_hold_the_same_rows():
    table = "".join(csv_lines(["name", "at"], ROWS))
    found = list(csv.DictReader(io.StringIO(table.removeprefix("\ufeff"))))
    document = json.loads("".join(json_lines(["name", "at"], ROWS, made="here")))

    assert table.startswith("\ufeff")
    assert [row["name"] for row in found] == ["量子", 'a "b", c']
    assert document["made"] == "here"
    assert [row["name"] for row in document["items"]] == [row["name"] for row in found]
    assert document["items"][0]["at"] == "2026-11-01T00:00:00Z"


def test_an_empty_table_is_still_a_document():
    assert json.loads("".join(json_lines(["a"], []))) == {"items": []}


def test_a_download_has_a_safe_name():
    answer = table_file("what left/../x", "csv", ["name"], ROWS)

    assert answer["Content-Disposition"] == 'attachment; filename="renkei-what_left..x.csv"'
