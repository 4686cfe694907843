"""A file as rows of text: CSV, CSV packed by gzip, or Parquet; what it is not is said with its row.

Nothing is sniffed: the first row is the header, the comma divides, the text is UTF-8 (or Windows-1252
where a publisher writes that). A file is read row by row, however large it is.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from renkei.kit.errors import RenkeiError, gettext_noop

Source = bytes | Path
LONGEST_CELL: Final = 1_000_000
_BATCH: Final = 20_000
_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_WORKBOOKS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")
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
    windows: bool = False,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row's number (the header is row 1) and the columns wanted, whatever their order.

    A row of another length has the one key ``""`` with "found/expected".

    Args:
        source: the file, or what it holds.
        columns: our name of a column, and the headings it may have; of several, the first counts.
        optional: those that may be missing; they are then empty.
        windows: text that is no UTF-8 is Windows-1252.

    Raises:
        MovedColumnsError: a column is missing or stands twice.
        UnreadableError: it is no table of text.
    """
    reader = _records(source, windows=windows)
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
        if len(row) != width:
            yield number, {"": f"{len(row)}/{width}"}
            continue
        yield number, {name: row[at].strip() for name, at in places} | missing


def header_of(source: Source) -> list[str]:
    """Return the first row of a file.

    Raises:
        UnreadableError: it is no table of text.
    """
    return [name.strip() for name in next(_records(source, windows=True), [])]


def _records(source: Source, *, windows: bool) -> Iterator[list[str]]:
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
    return _text(source, is_packed=start.startswith(_GZIP), windows=windows)


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _text(source: Source, *, is_packed: bool, windows: bool) -> Iterator[list[str]]:
    encoding = "utf-8-sig"
    if windows and not _is_utf8(source, is_packed=is_packed):
        encoding = "cp1252"
    row = 1
    csv.field_size_limit(LONGEST_CELL)
    with _lines(source, is_packed=is_packed, encoding=encoding) as lines:
        reader = csv.reader(_clean(lines))
        while True:
            try:
                cells = next(reader, None)
            except UnicodeDecodeError as error:
                raise UnreadableError(
                    gettext_noop(
                        "near row {row}: the text is not {encoding}: save the table as CSV (UTF-8)"
                    ),
                    row=row,
                    encoding="UTF-8" if encoding == "utf-8-sig" else "Windows-1252",
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


def _clean(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise UnreadableError(gettext_noop("the file holds NUL bytes: it is no table of text"))
        yield line


@contextmanager
def _lines(source: Source, *, is_packed: bool, encoding: str) -> Iterator[io.TextIOWrapper]:
    raw: Any = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with (
        raw,
        gzip.GzipFile(fileobj=raw) if is_packed else nullcontext(raw) as file,
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
