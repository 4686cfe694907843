"""A file as rows of text: CSV, JSON, either packed by gzip, or Parquet; what it is not is said with its row.

Nothing is sniffed: the first row is the header, the comma divides (the tab, where the header has tabs and
no comma), the text is UTF-8 (or the code page of the publisher who writes that). CSV and Parquet are read
row by row, however large the file is.

JSON is what interfaces answer: a list of rows whose first is the header (US Census), or a list of objects,
bare or under ``data`` (UN Comtrade, GLEIF), ``dataset`` (Comtrade until 2023) or ``records`` (golden copy), or behind a page's own
object (World Bank). An object's columns are its paths, divided by dots; numbers stay as printed.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any, Final

from renkei.kit.errors import RenkeiError, gettext_noop

Source = bytes | Path
LONGEST_CELL: Final = 1_000_000
LARGEST_JSON: Final = 500_000_000  # bytes: an answer is read as a whole, unlike a table
_BATCH: Final = 20_000
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
_LISTS: Final = ("data", "dataset", "records")
_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_WORKBOOKS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")
_PAGES: Final[Mapping[str, str]] = {
    "utf-8-sig": "UTF-8",
    "cp1252": "Windows-1252",
    "cp932": "Windows-31J",
}
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


class MovedColumnsError(RenkeiError):
    """The file's columns are not those of this publisher."""

    code = "materials.moved_columns"


class UnreadableError(RenkeiError):
    """The file is no table of text."""

    code = "materials.unreadable"


def rows_of(
    source: Source,
    columns: Mapping[str, Sequence[str]],
    *,
    optional: frozenset[str] = frozenset(),
    page: str = "",
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row's number (the header is row 1) and the columns wanted, whatever their order.

    A row of another length has the one key ``""`` with "found/expected"; a comma at the end of each row
    but the header (UN Comtrade's downloads) makes no cell. Of a list of objects, the first is row 2.

    Args:
        source: the file, or what it holds.
        columns: our name of a column, and the headings it may have; of several, the first counts.
        optional: those that may be missing; they are then empty.
        page: the code page of text that is no UTF-8, such as ``cp1252``; none: it is refused.

    Raises:
        MovedColumnsError: a column is missing or stands twice.
        UnreadableError: it is no table of text.
    """
    reader = _records(source, page=page)
    header = [name.strip() for name in next(reader, [])]
    places: list[tuple[str, int]] = []
    for name, headings in columns.items():
        said = next((one for one in headings if one in header), None)
        if (said is None and name not in optional) or (said and header.count(said) > 1):
            raise MovedColumnsError(
                gettext_noop(
                    "row 1: the column {name} is expected once (as {headings}); the file has: "
                    "{header}"
                ),
                name=name,
                headings=" / ".join(headings),
                header=", ".join(header)[:300],
            )
        if said is not None:
            places.append((name, header.index(said)))
    missing = dict.fromkeys((name for name in columns if name not in dict(places)), "")
    width = len(header)
    for number, row in enumerate(reader, 2):
        if not any(row):
            continue
        if len(row) == width + 1 and not row[-1]:
            row.pop()
        if len(row) != width:
            yield number, {"": f"{len(row)}/{width}"}
            continue
        yield number, {name: row[at].strip() for name, at in places} | missing


def header_of(source: Source, *, page: str = "cp1252") -> list[str]:
    """Return the first row of a file.

    Raises:
        UnreadableError: it is no table of text.
    """
    return [name.strip() for name in next(_records(source, page=page), [])]


def _records(source: Source, *, page: str) -> Iterator[list[str]]:
    """Yield the cells of each row, the header first."""
    start = source[:4] if isinstance(source, bytes) else _start(source)
    if not start:
        raise UnreadableError(gettext_noop("the file is empty"))
    if start.startswith(_WORKBOOKS):
        raise UnreadableError(
            gettext_noop("the file is a workbook or an archive: save its table as CSV (UTF-8)")
        )
    if start.startswith(_UTF16):
        raise UnreadableError(gettext_noop("the text is UTF-16: save the table as CSV (UTF-8)"))
    if start == _PARQUET:
        if isinstance(source, bytes):
            raise UnreadableError(gettext_noop("Parquet is read from a file alone"))
        return _parquet(source)
    is_packed = start.startswith(_GZIP)
    if _opening(source, is_packed=is_packed) in {b"[", b"{"}:
        return _json(source, is_packed=is_packed)
    return _text(source, is_packed=is_packed, page=page)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


@contextmanager
def _bytes(source: Source, *, is_packed: bool) -> Iterator[Any]:
    raw: Any = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with raw, gzip.GzipFile(fileobj=raw) if is_packed else nullcontext(raw) as file:
        yield file


def _opening(source: Source, *, is_packed: bool) -> bytes:
    """Return the first character that is no blank, as far as it can be read."""
    try:
        with _bytes(source, is_packed=is_packed) as file:
            return bytes(file.read(1024).lstrip(_BLANK)[:1])
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return b""  # what is wrong is said when it is read


def _json(source: Source, *, is_packed: bool) -> Iterator[list[str]]:
    with _bytes(source, is_packed=is_packed) as file:
        try:
            content = file.read(LARGEST_JSON + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableError(
                gettext_noop("after row {row} the packed file breaks off or is damaged"), row=0
            ) from error
    if len(content) > LARGEST_JSON:
        raise UnreadableError(
            gettext_noop("the JSON file is larger than {most} MB: take the publisher's CSV"),
            most=LARGEST_JSON // 1_000_000,
        )
    try:
        told = json.loads(content.decode("utf-8-sig"), parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(
            gettext_noop("the file cannot be read as JSON: {why}"), why=str(error)[:200]
        ) from error
    rows = _listed(told)
    if rows and all(isinstance(row, list) for row in rows):
        yield from _arrays([[_cell(cell) for cell in row] for row in rows])
        return
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UnreadableError(
            gettext_noop(
                "the JSON is no list of rows with a header, and no list of objects, bare or under "
                "'data'"
            )
        )
    flat = [dict(_leaves(row)) for row in rows]
    header = list(dict.fromkeys(name for row in flat for name in row))
    yield header
    for row in flat:
        yield [row.get(name, "") for name in header]


def _listed(told: Any) -> list[Any]:
    """Return the rows of an answer."""
    if isinstance(told, dict):
        told = next((told[name] for name in _LISTS if told.get(name)), [])
        return [told] if isinstance(told, dict) else list(told)
    if not isinstance(told, list):
        return []
    if len(told) == 2 and isinstance(told[0], dict) and isinstance(told[1], list):
        return list(told[1])
    return told


def _arrays(rows: list[list[str]]) -> Iterator[list[str]]:
    """Yield rows without the columns that only say again what one before them says.

    The US Census answers a column twice when it is both asked for and a condition.
    """
    header = rows[0]
    again = {
        at
        for at, name in enumerate(header)
        if (first := header.index(name)) != at
        and all(len(row) == len(header) and row[at] == row[first] for row in rows)
    }
    for row in rows:
        yield [cell for at, cell in enumerate(row) if at not in again]


def _leaves(told: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield each plain value of an object by its path; lists inside are no cells."""
    for name, value in told.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        elif not isinstance(value, list):
            yield before + name, _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _text(source: Source, *, is_packed: bool, page: str) -> Iterator[list[str]]:
    encoding = "utf-8-sig"
    if page and not _is_utf8(source, is_packed=is_packed):
        encoding = page
    row = 1
    csv.field_size_limit(LONGEST_CELL)
    with _lines(source, is_packed=is_packed, encoding=encoding) as lines:
        reader = _divided(_clean(lines))
        while True:
            try:
                cells = next(reader, None)
            except UnicodeDecodeError as error:
                raise UnreadableError(
                    gettext_noop(
                        "near row {row}: the text is not {encoding}: save the table as CSV (UTF-8)"
                    ),
                    row=row,
                    encoding=_PAGES.get(encoding, encoding),
                ) from error
            except csv.Error as error:
                raise UnreadableError(
                    gettext_noop("row {row}: the file cannot be read as a table: {why}"),
                    row=row,
                    why=str(error),
                ) from error
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise UnreadableError(
                    gettext_noop("after row {row} the packed file breaks off or is damaged"),
                    row=row - 1,
                ) from error
            if cells is None:
                return
            yield cells
            row += 1


def _divided(lines: Iterator[str]) -> Iterator[list[str]]:
    """Yield the cells of each row; bulk files of UN Comtrade are divided by tabs."""
    first = next(lines, "")
    mark = "\t" if "\t" in first and "," not in first else ","
    yield from csv.reader(chain([first], lines), delimiter=mark)


def _clean(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise UnreadableError(gettext_noop("the file holds NUL bytes: it is no table of text"))
        yield line


@contextmanager
def _lines(source: Source, *, is_packed: bool, encoding: str) -> Iterator[io.TextIOWrapper]:
    with (
        _bytes(source, is_packed=is_packed) as file,
        io.TextIOWrapper(file, encoding=encoding, newline="") as lines,
    ):
        yield lines


def _is_utf8(source: Source, *, is_packed: bool) -> bool:
    try:
        with _lines(source, is_packed=is_packed, encoding="utf-8") as lines:
            for _line in lines:
                pass
    except UnicodeDecodeError:
        return False
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return True  # what is wrong is said when it is read
    return True


def _parquet(path: Path) -> Iterator[list[str]]:
    import duckdb

    name = str(path).replace("'", "''")
    try:
        with duckdb.connect(config={"threads": 2}) as database:
            cursor = database.execute(f"SELECT COLUMNS(*)::VARCHAR FROM read_parquet('{name}')")
            yield [item[0] for item in cursor.description or ()]
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    yield ["" if cell is None else cell for cell in row]
    except duckdb.Error as error:
        raise UnreadableError(
            gettext_noop("the file cannot be read as a table: {why}"),
            why=str(error).partition("\n")[0],
        ) from error
