"""A file as rows: what it is not is said, with its row where there is one."""

import gzip

import pytest

from renkei.materials import engine
from renkei.materials.engine._files import rows_of

COLUMNS = {"a": ("A", "a"), "b": ("B",)}
GOOD = "A,B,C\n1,2,3\n4,5,6\n"
ROWS = [(2, {"a": "1", "b": "2"}), (3, {"a": "4", "b": "5"})]


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        gzip.compress(GOOD.encode(), mtime=0),  # the tests are named alike in every process
        b"C,B,A\n3,2,1\n6,5,4\n",
        b"A,B\n 1 ,2\n4,5",
    ],
)
def test_one_table_in_many_dresses(content):
    assert list(rows_of(content, COLUMNS)) == ROWS


def test_a_file_on_disk_is_what_it_holds(tmp_path):
    """A name says nothing: a packed file need not end in .gz."""
    file = tmp_path / "table.csv"
    file.write_bytes(gzip.compress(GOOD.encode()))
    assert list(rows_of(file, COLUMNS)) == ROWS


def test_parquet(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    file = tmp_path / "it's.parquet"
    name = str(file).replace("'", "''")
    duckdb.sql(f"COPY (SELECT 1 AS A, 2 AS B UNION ALL SELECT 4, NULL) TO '{name}'")
    assert list(rows_of(file, COLUMNS)) == [ROWS[0], (3, {"a": "4", "b": ""})]


def test_rows_are_counted_as_a_person_counts_them():
    """An empty line counts, and a line break inside quotes does not."""
    assert [row for row, _cells in rows_of(b'A,B\n\n"1\n1",2\n3,4\n', COLUMNS)] == [3, 4]


def test_the_first_row_is_the_header_whatever_follows():
    """Nothing is guessed: no row is skipped because later ones look more like a table."""
    with pytest.raises(engine.MovedColumnsError, match="row 1"):
        list(rows_of(b"# of 2024\nA,B\n1,2\n", COLUMNS))
    assert next(iter(rows_of(b"A,B\n1,2,3\n4,5\n", COLUMNS))) == (2, {"": "3/2"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04rest", "a workbook or an archive"),
        (b"\xd0\xcf\x11\xe0rest", "a workbook or an archive"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (b"PAR1rest", "Parquet"),
        (b"A,B\n1,\0\n", "NUL"),
        (b"A,B\n1,2\nC\xf4te,3\n", "near row 1: the text is not UTF-8"),
        (gzip.compress(GOOD.encode() * 99, mtime=0)[:-12], "breaks off or is damaged"),
        (b"\x1f\x8bnothing", "breaks off or is damaged"),
        (b"A,B\n1," + b"9" * 1_000_001 + b"\n", "row 2: the file cannot be read"),
    ],
)
def test_what_is_no_table(content, said):
    with pytest.raises(engine.UnreadableError, match=said):
        list(rows_of(content, COLUMNS))


def test_windows_text_only_where_a_publisher_writes_it():
    content = "A,B\nCôte,2\n".encode("cp1252")
    assert list(rows_of(content, COLUMNS, page="cp1252")) == [(2, {"a": "Côte", "b": "2"})]


def test_a_column_may_be_missing_if_it_is_optional():
    assert list(rows_of(b"A\n1\n", COLUMNS, optional=frozenset({"b"}))) == [
        (2, {"a": "1", "b": ""})
    ]
    with pytest.raises(engine.MovedColumnsError, match="the column b"):
        list(rows_of(b"A,B,B\n1,2,3\n", COLUMNS))


@pytest.mark.parametrize(
    "content",
    [
        b'[["A","B"],["1","2"],\n["4","5"]]',
        b'\xef\xbb\xbf [["A","B","A"],[1,2,1],[4,5,4]]',  # a condition is told again
        b'[{"A":1,"B":2},{"A":4,"B":5,"C":null}]',
        b'{"elapsedTime":"1 s","count":2,"data":[{"A":1,"B":"2"},{"A":"4","B":5}]}',
        b'{"dataset":[{"A":1,"B":"2","C":[1]},{"A":"4","B":5}]}',
        b'[{"page":1,"pages":1},[{"A":1,"B":"2"},{"A":"4","B":5}]]',
        gzip.compress(b'{"data":[{"A":1,"B":"2"},{"A":"4","B":5}]}', mtime=0),
    ],
)
def test_answers_of_interfaces(content):
    assert list(rows_of(content, COLUMNS)) == ROWS


def test_an_object_is_divided_by_dots_and_numbers_stay_as_printed():
    content = b'{"data":{"id":"x","attributes":{"n":{"name":"N"},"big":12345678901234567890.10}}}'
    columns = {"name": ("attributes.n.name",), "big": ("attributes.big",)}
    assert list(rows_of(content, columns)) == [(2, {"name": "N", "big": "12345678901234567890.10"})]


def test_bulk_files_are_divided_by_tabs_and_downloads_end_rows_with_a_comma():
    assert list(rows_of(b"A\tB\tC\n1\t2\t3,5\n4\t5\t\n", COLUMNS)) == ROWS
    assert list(rows_of(b"A,B\n1,2,\n4,5,\n", COLUMNS)) == ROWS
    assert next(rows_of(b"A,B\n1,2,,\n", COLUMNS)) == (2, {"": "4/2"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"data":[]}', "no list of rows"),
        (b'{"error":"invalid key"}', "no list of rows"),
        (b'[["A","B"],{"A":1}]', "no list of rows"),
        (b"[1,2]", "no list of rows"),
        (b'[["A","B"],["1",', "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (gzip.compress(b'[["A","B"]]' * 999, mtime=0)[:-12], "breaks off or is damaged"),
    ],
)
def test_what_is_no_answer(content, said):
    with pytest.raises(engine.UnreadableError, match=said):
        list(rows_of(content, COLUMNS))


def test_two_columns_of_one_name_that_differ_stay_a_fault():
    with pytest.raises(engine.MovedColumnsError, match="the column a"):
        list(rows_of(b'[["A","B","A"],["1","2","9"]]', COLUMNS))


def test_text_of_japan():
    content = "A,B\n\u6771\u4eac,2\n".encode("cp932")
    assert list(rows_of(content, COLUMNS, page="cp932")) == [(2, {"a": "\u6771\u4eac", "b": "2"})]
    with pytest.raises(engine.UnreadableError, match="Windows-31J"):
        list(rows_of(b"A,B\n\x81 ,2\n", COLUMNS, page="cp932"))
