"""Loading publishers' files: checked, all or nothing, bitemporal, and the same twice.

A file is read by the engine; what the database knows is compared here: a cell whose unit changed,
or whose revision is out of proportion, refuses the file with its row.
"""

import csv
import gzip
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from django.db import connection, transaction
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.text import slugify

from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.materials import engine, tasks
from renkei.materials.models import (
    OTHERS,
    WORLD,
    Component,
    Event,
    Flow,
    Form,
    Governance,
    Material,
    Measure,
    Observation,
    Organisation,
    Product,
    Release,
    Rule,
    Site,
    State,
)

CHUNK: Final = 1_000
LARGEST_FACTOR: Final = 100.0  # a revision beyond it is a change of unit, not of knowledge
ROUNDED: Final = 1e-4  # editions print an estimate with four digits, or with fifteen
MOST_LEFT_OUT: Final = 20  # one row in so many may be left out, when somebody asks for that
EDITION_DAY: Final = (1, 31)  # the Mineral Commodity Summaries come at the end of January
LEAST_KUSD: Final = 1_000.0  # small flows are revised by any factor
LEAST_HISTORY: Final = 6  # flows of a code that must be known before its unit value says anything
_HS_EDITION: Final = re.compile(r"HS(\d\d)(?!\d)", re.IGNORECASE)  # as CEPII names its files
PUBLISHERS: Final = ("usgs", "baci", "comtrade", "wgi", "gleif", "customs")
LICENCES: Final[Mapping[str, str]] = {
    "usgs": "US Government work, public domain",
    "baci": "Etalab Open Licence 2.0",
    "comtrade": "UN Comtrade terms of use",
    "wgi": "CC BY 4.0",
    "gleif": "CC0 1.0",
    "customs": "as its publisher states",
}


class FaultyReleaseError(RenkeiError):
    """A file has rows that cannot be; nothing of it was loaded."""

    code = "materials.faulty_release"

    def __init__(self, faults: Sequence[RenkeiError], *, is_cut: bool = False) -> None:
        self.faults = tuple(faults)
        super().__init__(
            gettext_noop(
                "more than {count} rows are refused, and nothing was loaded; the first: {first}"
            )
            if is_cut
            else gettext_noop(
                "{count} rows are refused, and nothing was loaded; the first: {first}"
            ),
            count=len(self.faults),
            first=str(self.faults[0]),
        )


class UnknownPublisherError(NotFoundError):
    """No importer has this name."""

    code = "materials.unknown_publisher"


class EmptyReleaseError(RenkeiError):
    """A file says nothing that the registry keeps."""

    code = "materials.empty_release"


class OtherNomenclatureError(RenkeiError):
    """The codes of a file are those of another edition of the Harmonized System."""

    code = "materials.other_nomenclature"


class KnownTooEarlyError(RenkeiError):
    """The day on which a file was published is not one."""

    code = "materials.not_published_yet"


class OtherEditionError(RenkeiError):
    """A file says another year than the day on which it is said to be published."""

    code = "materials.other_edition"


class OlderReleaseError(ConflictError):
    """Two editions that were known on one day say different things."""

    code = "materials.same_day"


@dataclass(frozen=True, slots=True)
class Revision:
    """A cell that an edition says otherwise than the one before."""

    row: int
    what: str
    before: str
    after: str


@dataclass(slots=True)
class Loaded:
    """What an import did."""

    release: str
    publisher: str
    rows: int = 0
    added: int = 0
    unchanged: int = 0
    was_loaded: bool = False
    edition: int | None = None  # what the file says, where nobody stated the day
    lines: int = 0  # of a national tariff, that were added up into ``rows``
    missing: int = 0  # said before of the same codes and periods, and not by this file
    revised: list[Revision] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    passed_over: dict[str, int] = field(default_factory=dict)
    left_out: list[RenkeiError] = field(default_factory=list)


def import_file(
    publisher: str,
    file: Path,
    *,
    known_on: date | None = None,
    title: str = "",
    given: Mapping[str, str] | None = None,
    leave_out: bool = False,
    whole: bool = False,
    rates: Sequence[str] = (),
) -> Loaded:
    """Load a publisher's file: all of it or nothing; the same file twice changes nothing.

    Args:
        publisher: one of ``PUBLISHERS``.
        file: CSV or JSON, either packed by gzip, or Parquet.
        known_on: the day on which its publisher said so; when not given, today, or for a file that says
            which edition it is, ``EDITION_DAY`` of that year.
        title: what the edition is called.
        given: ``reporter`` and ``flow`` of every row of a trade table that does not say.
        leave_out: load the rest when at most one row in ``MOST_LEFT_OUT`` is faulty; a row that
            contradicts another one leaves with it. What was left out stands in the answer.
        whole: the file is a whole edition: what an earlier one said of the same codes (USGS: the same
            materials; the World Bank: all) and periods, and this one does not, is withdrawn.
        rates: what one US dollar costs in a customs table's currency ("JPY=150.2", "JPY@2025-01=156.4");
            kept with the release, whose digest is then that of the file and a line of the rates.

    Raises:
        UnknownPublisherError, EmptyReleaseError, KnownTooEarlyError, OtherEditionError.
        NoRateError, BadRateError: values in yen, and no rate that can be.
        FaultyReleaseError: with every faulty row in ``faults``.
        MovedColumnsError, UnreadableError: it is not a file of this publisher.
        OlderReleaseError: another edition of the same day says otherwise.
    """
    if publisher not in PUBLISHERS:
        raise UnknownPublisherError(
            gettext_noop("there is no importer {publisher!r}: expected one of {known}"),
            publisher=publisher,
            known=", ".join(PUBLISHERS),
        )
    from renkei.materials.door._summaries import rebuild

    day = known_on or timezone.localdate()
    if day > timezone.localdate():
        raise KnownTooEarlyError(
            gettext_noop("{day} is not yet: expected the day on which the file was published"),
            day=day,
        )
    prices = engine.rates_of(rates)
    stated = " ".join(sorted(text.strip() for text in rates))
    with file.open("rb") as held:
        hashed = hashlib.file_digest(held, "sha256")
    if stated:
        hashed.update(f"{stated}\n".encode())
    digest = hashed.hexdigest()
    with transaction.atomic():
        State.objects.select_for_update().get_or_create(pk=1)
        known = Release.objects.filter(publisher=publisher, sha256=digest).first()
        if known is not None:
            return Loaded(known.slug, publisher, rows=known.rows, was_loaded=True)
        read = _read(publisher, file, given=given, until=day, rates=prices)
        day = _edition_day(read.edition, known_on, day)
        left_out = _left_out(read) if leave_out else []
        if read.faults and not left_out:
            raise FaultyReleaseError(read.faults, is_cut=read.is_cut)
        lines = engine.add_up(read) if publisher == "customs" else 0
        if not read.rows:
            raise EmptyReleaseError(
                gettext_noop("{file} says nothing that the registry keeps{why}"),
                file=file.name,
                why="".join(f"; {reason}: {count}" for reason, count in read.passed_over.items()),
            )
        release = Release.objects.create(
            slug=f"{publisher}-{day.isoformat()}-{digest[:8]}",
            publisher=publisher,
            title=title or file.name,
            licence=LICENCES[publisher],
            reference=_reference(file.name, stated),
            known_on=day,
            sha256=digest,
            rows=len(read.rows),
        )
        loaded = _store(release, read, left_out if leave_out else None, whole=whole)
        loaded.lines = lines
        loaded.edition = read.edition if known_on is None else None
        changed()
        # Counted before anything is kept: an import that is killed leaves no stale index behind.
        rebuild()
    if publisher in {"comtrade", "customs"}:  # monthly series may have grown
        tasks.sweep_series.enqueue()
    return loaded


def _edition_day(edition: int | None, stated: date | None, day: date) -> date:
    """Return when an edition was published: an old one must not replace what a newer one says."""
    if edition is None or (stated is not None and stated.year == edition):
        return day
    usual = date(edition, *EDITION_DAY)
    if stated is None and usual <= day:
        return usual
    raise OtherEditionError(
        gettext_noop(
            "the file says that it is the edition of {edition}: expected a day of that year as the day of "
            "publication (--known-on), and not {day}"
        ),
        edition=edition,
        day=day,
    )


def _reference(name: str, rates: str) -> str:
    """Return where a release comes from, and at which rates its values became dollars."""
    if not rates:
        return name[:200]
    if len(rates) > 200:
        raise engine.BadRateError(
            gettext_noop(
                "{count} rates for one file: expected one, or one for each month of a year"
            ),
            count=len(rates.split()),
        )
    return f"{name}; {rates}" if len(name) + len(rates) < 199 else rates


def changed() -> None:
    """Give the facts another version: every kept page is stale."""
    state, _made = State.objects.select_for_update().get_or_create(pk=1)
    state.version += 1
    state.save()


def _read(
    publisher: str,
    file: Path,
    *,
    given: Mapping[str, str] | None = None,
    until: date | None = None,
    rates: engine.Rates | None = None,
) -> engine.Read:
    """Read a file with its publisher's reader."""
    codes = frozenset(Form.objects.exclude(hs92="").values_list("hs92", flat=True))
    edition = _HS_EDITION.search(file.name) if publisher == "baci" else None
    if edition is not None and edition[1] != "92":
        raise OtherNomenclatureError(
            gettext_noop(
                "{file} is of the Harmonized System {year}: the registry reads BACI in HS92, whose codes "
                "mean the same in every year"
            ),
            file=file.name,
            year=edition[1],
        )
    newer = codes | frozenset(Form.objects.values_list("hs2022", flat=True))
    readers: dict[str, Callable[[], engine.Read]] = {
        "usgs": lambda: engine.read_usgs(file, commodities=commodities()),
        "wgi": lambda: engine.read_wgi(file),
        "gleif": lambda: engine.read_gleif(file),
        "baci": lambda: engine.read_baci(file, codes=codes, later=newer - codes, until=until),
        "comtrade": lambda: engine.read_comtrade(file, codes=newer, given=given, until=until),
        "customs": lambda: engine.read_customs(
            file, codes=newer, given=given, until=until, rates=rates
        ),
    }
    return readers[publisher]()


def _left_out(read: engine.Read) -> list[RenkeiError]:
    """Take the doubtful rows out of what was read; return what is wrong with all that stay out.

    Raises:
        FaultyReleaseError: so much is wrong that the file is another than it seems.
    """
    if read.is_cut or len(read.faults) * MOST_LEFT_OUT > len(read.rows):
        raise FaultyReleaseError(read.faults, is_cut=read.is_cut)
    read.rows = [row for at, row in enumerate(read.rows) if at not in read.doubtful]
    return list(read.faults)


def _refuse_or_leave(
    faults: Sequence[RenkeiError], loaded: Loaded, left_out: list[RenkeiError] | None
) -> None:
    """Refuse a file for what the database knows otherwise, or note what is left out of it."""
    if not faults:
        return
    if left_out is None or (len(faults) + len(left_out)) * MOST_LEFT_OUT > loaded.rows:
        raise FaultyReleaseError(faults)
    loaded.left_out += faults


def _store(
    release: Release,
    read: engine.Read,
    left_out: list[RenkeiError] | None = None,
    *,
    whole: bool = False,
) -> Loaded:
    loaded = Loaded(
        release.slug, release.publisher, rows=len(read.rows), passed_over=read.passed_over
    )
    loaded.left_out = list(left_out or ())
    if release.publisher == "usgs":
        _store_cells(release, read.rows, loaded, left_out, whole=whole)
    elif release.publisher == "wgi":
        _store_governance(release, read.rows, loaded, whole=whole)
    elif release.publisher == "gleif":
        _store_organisations(release, read.rows, loaded)
    else:
        _store_flows(release, read.rows, loaded, left_out, whole=whole)
    return loaded


@cache
def commodities() -> Mapping[tuple[str, str], str]:
    """Return the material of each chapter and commodity of the USGS release, casefolded."""
    found = {}
    for row in _table("materials.csv"):
        for pair in filter(None, row["mcs"].split("|")):
            chapter, _slash, commodity = pair.partition("/")
            found[chapter.casefold(), commodity.casefold()] = row["slug"]
    return found


def _same_day(release: Release, what: str) -> OlderReleaseError:
    return OlderReleaseError(
        gettext_noop(
            "another edition known on {day} says otherwise about {what}: give the day on which "
            "this one was published (--known-on)"
        ),
        day=release.known_on,
        what=what,
    )


def _insert(model: type[Any], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert rows by plain SQL; return how many.

    Model instances would take three times as long for forty thousand flows; the constraints are
    the database's either way.
    """
    if not rows:
        return 0
    meta = model._meta  # noqa: SLF001  Django's own name for it
    names = list(rows[0])
    columns = ", ".join(f'"{meta.get_field(name).column}"' for name in names)
    sql = f'INSERT INTO "{meta.db_table}" ({columns}) VALUES ({", ".join(["%s"] * len(names))})'
    with connection.cursor() as cursor:
        cursor.executemany(sql, [[_value(row[name]) for name in names] for row in rows])
    return len(rows)


def _value(value: Any) -> Any:
    """Return what both databases read in a column of its type."""
    return value.isoformat() if isinstance(value, date) else value


class _Known(Protocol):
    """A fact that the database holds."""

    @property
    def pk(self) -> int: ...
    @property
    def known_from(self) -> date: ...
    @property
    def known_to(self) -> date | None: ...


_Fact = TypeVar("_Fact", bound=_Known)


def _place_in_time(
    release: Release,
    told: Sequence[_Fact],
    *,
    same: Callable[[_Fact], bool],
    what: str,
    day: date,
) -> tuple[bool, _Fact | None, date | None]:
    """Return where in time a fact belongs that an edition of ``day`` states.

    Args:
        told: what is said about the same thing, in any order; no two hold on one day.

    Returns:
        Whether there is anything to add; the fact that ends on ``day``, if any; and when the new one
        ends: where a later edition says something of its own.

    Raises:
        OlderReleaseError: another edition of the same day says otherwise.
    """
    ends = None
    for one in sorted(told, key=lambda one: one.known_from, reverse=True):
        if one.known_from > day:
            ends = one.known_from
            continue
        if one.known_to is not None and one.known_to <= day:
            break
        if same(one):
            return False, None, None
        if one.known_from == day:
            raise _same_day(release, what)
        return True, one, one.known_to
    return True, None, ends


def _withdraw(
    model: type[Any], release: Release, gone: Mapping[int, str], loaded: Loaded, *, whole: bool
) -> None:
    """Close what a whole edition does not say any more; else only count it."""
    loaded.missing = 0 if whole else len(gone)
    if not whole:
        return
    loaded.withdrawn = sorted(gone.values())
    pks = sorted(gone)
    for start in range(0, len(pks), CHUNK):
        rows = model.objects.filter(pk__in=pks[start : start + CHUNK])
        rows.update(known_to=release.known_on)


def _told(
    release: Release,
) -> tuple[
    dict[tuple[str, date], list[Observation]],
    dict[str, list[Observation]],
    dict[tuple[int, str, date], date],
]:
    """Return what is known of a publisher: by cell and period, by cell, and which tables came later."""
    told: dict[tuple[str, date], list[Observation]] = defaultdict(list)
    years: dict[str, list[Observation]] = defaultdict(list)
    later: dict[tuple[int, str, date], date] = {}  # when a later edition printed a world table anew
    for row in Observation.objects.filter(release__publisher=release.publisher):
        told[row.key, row.valid_from].append(row)
        years[row.key].append(row)
        if row.place == WORLD and row.known_from > release.known_on:
            table = (row.material_id, row.subject, row.valid_from)
            later[table] = min(row.known_from, later.get(table, row.known_from))
    return told, years, later


def _store_cells(
    release: Release,
    cells: Sequence[engine.Printed],
    loaded: Loaded,
    left_out: list[RenkeiError] | None,
    *,
    whole: bool,
) -> None:
    materials = dict(Material.objects.values_list("slug", "pk"))
    told, years, later = _told(release)
    rows: list[dict[str, Any]] = []
    closed: list[Observation] = []
    faults: list[RenkeiError] = []
    for cell in cells:
        there = told.get((cell.key, cell.valid_from), [])
        from_day, to_day = cell.known_from or release.known_on, cell.known_to
        if there and to_day is not None:
            continue  # what a correction inside the release replaced is kept already
        if there:
            what = f"{cell.material}, {cell.detail}, {cell.place}, {cell.valid_from.year}"
            is_new, before, to_day = _place_in_time(
                release, there, same=partial(_says, cell), what=what, day=from_day
            )
            if not is_new:
                loaded.unchanged += 1
                continue
            beside = before or max(there, key=lambda one: one.known_from)
            if (fault := _out_of_proportion(cell, beside)) is not None:
                faults.append(fault)
                continue
            if before is not None:
                if before.known_to is None:
                    loaded.revised.append(
                        Revision(
                            cell.row, what, f"{before.raw} {before.unit}", f"{cell.raw} {cell.unit}"
                        )
                    )
                before.known_to = from_day
                closed.append(before)
        elif (fault := _other_unit(cell, years.get(cell.key, ()))) is not None:
            faults.append(fault)
            continue
        else:
            # What a later edition's table does not name any more is in its "other countries".
            table = (materials[cell.material], cell.subject, cell.valid_from)
            to_day = to_day or later.get(table)
        rows.append(
            {
                "key": cell.key,
                "material": materials[cell.material],
                "stage": cell.stage,
                "subject": cell.subject,
                "place": cell.place,
                "detail": cell.detail,
                "valid_from": cell.valid_from,
                "valid_to": cell.valid_to,
                "known_from": from_day,
                "known_to": to_day,
                "release": release.pk,
                "row": cell.row,
                "raw": cell.raw,
                "qualifier": cell.qualifier,
                "is_estimated": cell.is_estimated,
                "quantity": cell.quantity,
                "unit": cell.unit,
                "tonnes": cell.tonnes,
                "bound": cell.bound,
                "note": cell.note,
            }
        )
    _refuse_or_leave(faults, loaded, left_out)
    Observation.objects.bulk_update(closed, ["known_to"], batch_size=CHUNK)
    stated = {(cell.key, cell.valid_from) for cell in cells}
    scope = {(materials[cell.material], cell.valid_from, cell.valid_to) for cell in cells}
    gone = {
        row.pk: f"{row.detail}, {row.place}, {row.valid_from.year}: {row.raw} {row.unit}"
        for where, there in told.items()
        if where not in stated
        for row in there
        if row.known_to is None
        and row.known_from < release.known_on
        and (row.material_id, row.valid_from, row.valid_to) in scope
    }
    _withdraw(Observation, release, gone, loaded, whole=whole)
    loaded.added = _insert(Observation, rows)


def _says(cell: engine.Printed, row: Observation) -> bool:
    """Tell whether a fact is what a cell prints: "10,000" and "10000" are one number."""
    return (_figure(row), row.unit, row.qualifier, row.is_estimated) == (
        _figure(cell),
        cell.unit,
        cell.qualifier,
        cell.is_estimated,
    )


def _figure(one: Observation | engine.Printed) -> float | str:
    """Return the number or the bound of a printed token, or its words."""
    if one.quantity is not None:
        return one.quantity
    return one.raw if one.bound is None else one.bound


def _other_unit(cell: engine.Printed, told: Sequence[Observation]) -> RenkeiError | None:
    """Return why a figure of a new year cannot be one: the nearest year has another unit and size."""
    if not told or cell.known_to is not None:
        return None
    near = min(told, key=lambda one: abs((one.valid_from - cell.valid_from).days))
    return None if near.unit == cell.unit else _out_of_proportion(cell, near)


def _out_of_proportion(cell: engine.Printed, before: Observation) -> RenkeiError | None:
    """Return why a revision cannot be one: the unit changed, or the number by a factor of 100."""
    if cell.unit != before.unit and (cell.tonnes is None) != (before.tonnes is None):
        return engine.FaultyRowError(
            cell.row,
            gettext_noop("row {row}: the unit changed from {before!r} to {after!r}"),
            before=before.unit,
            after=cell.unit,
        )
    if (cell.bound is None) != (before.bound is None):
        return None
    pairs = (
        (before.tonnes, cell.tonnes),
        (before.quantity, cell.quantity),
        (before.bound, cell.bound),
    )
    old, new = next((pair for pair in pairs if None not in pair), (None, None))
    if not old or not new:
        return None
    factor = max(old / new, new / old)
    if factor >= LARGEST_FACTOR or (cell.unit != before.unit and factor >= LARGEST_FACTOR / 10):
        return engine.FaultyRowError(
            cell.row,
            gettext_noop(
                "row {row}: {before} became {after}, a factor of {factor}: has the unit changed?"
            ),
            before=f"{before.raw} {before.unit}",
            after=f"{cell.raw} {cell.unit}",
            factor=f"{factor:.0f}",
        )
    return None


def _store_flows(
    release: Release,
    trades: Sequence[engine.Trade],
    loaded: Loaded,
    left_out: list[RenkeiError] | None,
    *,
    whole: bool,
) -> None:
    days = [trade.valid_from for trade in trades]
    known = Flow.objects.filter(
        code__in={trade.code for trade in trades},
        reporter__in={trade.reporter for trade in trades},
        valid_from__range=(min(days), max(days)),
    )
    told: dict[tuple[Any, ...], list[_Flow]] = defaultdict(list)
    for *where, pk, since, until, kusd, tonnes in known.values_list(
        *_WHERE, "pk", "known_from", "known_to", "kusd", "tonnes"
    ).iterator(chunk_size=CHUNK):
        told[tuple(where)].append(_Flow(pk, since, until, kusd, tonnes))
    faults = _other_units(trades) | _other_amounts(trades, told)
    rows: list[dict[str, Any]] = []
    closed: list[int] = []
    for trade in trades:
        if trade.code in faults:
            continue
        where = _where(trade)
        what = f"{trade.code} {trade.exporter}→{trade.importer} {trade.valid_from}"
        is_new, before, to_day = _place_in_time(
            release,
            told.get(where, ()),
            same=partial(_same, trade),
            what=what,
            day=release.known_on,
        )
        if not is_new:
            loaded.unchanged += 1
            continue
        if before is not None:
            closed.append(before.pk)
            if before.known_to is None:
                loaded.revised.append(Revision(trade.row, what, _amounts(before), _amounts(trade)))
        rows.append(
            {
                **dict(zip(_WHERE, where, strict=True)),
                "known_from": release.known_on,
                "known_to": to_day,
                "release": release.pk,
                "row": trade.row,
                "kusd": trade.kusd,
                "tonnes": trade.tonnes,
            }
        )
    _refuse_or_leave(list(faults.values()), loaded, left_out)
    for start in range(0, len(closed), CHUNK):
        Flow.objects.filter(pk__in=closed[start : start + CHUNK]).update(known_to=release.known_on)
    stated = {_where(trade) for trade in trades}
    scope = {_scope(where) for where in stated}
    gone = {
        one.pk: f"{where[0]} {where[1]}→{where[2]} {where[3]}: {_amounts(one)}"
        for where, there in told.items()
        if where not in stated and _scope(where) in scope
        for one in there
        if one.known_to is None and one.known_from < release.known_on
    }
    _withdraw(Flow, release, gone, loaded, whole=whole)
    loaded.added = _insert(Flow, rows)


_WHERE: Final = ("code", "exporter", "importer", "valid_from", "valid_to", "basis", "reporter")


@dataclass(frozen=True, slots=True)
class _Flow:
    """What the database says about a flow."""

    pk: int
    known_from: date
    known_to: date | None
    kusd: float
    tonnes: float | None


def _where(trade: engine.Trade) -> tuple[Any, ...]:
    return tuple(getattr(trade, name) for name in _WHERE)


def _scope(where: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what a whole edition says all about: a code, a period, a reporter and a direction."""
    code, exporter, _importer, *rest = where
    return (code, *rest, bool(where[-1]) and exporter == where[-1])


def _same(trade: engine.Trade, one: _Flow) -> bool:
    return _alike(one.kusd, trade.kusd) and _alike(one.tonnes, trade.tonnes)


def _amounts(one: engine.Trade | _Flow) -> str:
    mass = "-" if one.tonnes is None else f"{one.tonnes:g} t"
    return f"{one.kusd:g} kUSD, {mass}"


def _other_units(trades: Sequence[engine.Trade]) -> dict[str, RenkeiError]:
    """Return by code the first row of a code whose dollars a tonne are out of all proportion.

    Compared with what the registry knows of the code by the same reporter, or by anybody where the
    reporter is new: a file in another unit of mass or value shows there, whatever it calls its columns.
    """
    said: dict[tuple[str, str], list[engine.Trade]] = {}
    for trade in trades:
        if trade.tonnes and trade.kusd:
            said.setdefault((trade.code, trade.reporter), []).append(trade)
    by_reporter: dict[tuple[str, str], tuple[int, float, float]] = {}
    by_all: dict[str, tuple[int, float, float]] = {}
    for code, reporter, *sums in (
        Flow.objects.current()
        .filter(code__in={code for code, _reporter in said}, tonnes__gt=0, kusd__gt=0)
        .values_list("code", "reporter")
        .annotate(Count("pk"), Sum("kusd"), Sum("tonnes"))
        .order_by()
    ):
        count, kusd, tonnes = sums
        by_reporter[code, reporter] = (count, kusd, tonnes)
        held = by_all.get(code, (0, 0.0, 0.0))
        by_all[code] = (held[0] + count, held[1] + kusd, held[2] + tonnes)
    faults: dict[str, RenkeiError] = {}
    for (code, reporter), there in said.items():
        known = by_reporter.get((code, reporter), (0, 0.0, 0.0))
        if known[0] < LEAST_HISTORY:
            known = by_all.get(code, (0, 0.0, 0.0))
        if known[0] < LEAST_HISTORY:
            continue
        usual = known[1] / known[2]
        found = sum(one.kusd for one in there) / sum(one.tonnes or 0.0 for one in there)
        factor = max(found / usual, usual / found)
        if factor >= LARGEST_FACTOR:
            faults.setdefault(
                code,
                engine.FaultyRowError(
                    there[0].row,
                    gettext_noop(
                        "row {row}: {code} has {found} US dollars a tonne, where {usual} are usual: "
                        "has the unit changed?"
                    ),
                    code=code,
                    found=f"{found * 1e3:,.6g}",
                    usual=f"{usual * 1e3:,.6g}",
                ),
            )
    return faults


def _other_amounts(
    trades: Sequence[engine.Trade], told: Mapping[tuple[Any, ...], Sequence[_Flow]]
) -> dict[str, RenkeiError]:
    """Return by code the first row of a code whose revision is out of all proportion as a whole.

    Where value and mass both are in another unit, dollars a tonne stay as they were.
    """
    sums: dict[str, list[float]] = {}
    first: dict[str, tuple[engine.Trade, _Flow]] = {}
    for trade in trades:
        there = [one for one in told.get(_where(trade), ()) if one.known_to is None]
        if there:
            first.setdefault(trade.code, (trade, there[0]))
            held = sums.setdefault(trade.code, [0.0, 0.0])
            held[0] += there[0].kusd
            held[1] += trade.kusd
    faults: dict[str, RenkeiError] = {}
    for code, (old, new) in sums.items():
        if not old or not new or max(old, new) < LEAST_KUSD:
            continue
        if (factor := max(old / new, new / old)) < LARGEST_FACTOR:
            continue
        trade, before = first[code]
        faults[code] = engine.FaultyRowError(
            trade.row,
            gettext_noop(
                "row {row}: {before} became {after}, a factor of {factor}: has the unit changed?"
            ),
            before=_amounts(before),
            after=_amounts(trade),
            factor=f"{factor:.0f}",
        )
    return faults


def _alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= 1e-6 * max(1.0, abs(one), abs(other))


def _store_governance(
    release: Release, rows: Sequence[Any], loaded: Loaded, *, whole: bool
) -> None:
    told: dict[tuple[str, int], list[Governance]] = defaultdict(list)
    for one in Governance.objects.all():
        told[one.place, one.valid_from.year].append(one)
    made: list[dict[str, Any]] = []
    closed: list[int] = []
    for row, place, year, estimate, error in rows:
        what = f"{place} {year}"
        is_new, before, to_day = _place_in_time(
            release,
            told.get((place, year), ()),
            same=partial(_estimates, estimate),
            what=what,
            day=release.known_on,
        )
        if not is_new:
            loaded.unchanged += 1
            continue
        if before is not None:
            closed.append(before.pk)
            if before.known_to is None:
                loaded.revised.append(Revision(row, what, f"{before.estimate:g}", f"{estimate:g}"))
        made.append(
            {
                "place": place,
                "estimate": estimate,
                "error": error,
                "valid_from": date(year, 1, 1),
                "valid_to": date(year, 12, 31),
                "known_from": release.known_on,
                "known_to": to_day,
                "release": release.pk,
                "row": row,
            }
        )
    for start in range(0, len(closed), CHUNK):
        ended = Governance.objects.filter(pk__in=closed[start : start + CHUNK])
        ended.update(known_to=release.known_on)
    stated = {(row[1], row[2]) for row in rows}
    years = {year for _place, year in stated}
    gone = {
        one.pk: f"{place} {year}: {one.estimate:g}"
        for (place, year), there in told.items()
        if year in years and (place, year) not in stated
        for one in there
        if one.known_to is None and one.known_from < release.known_on
    }
    _withdraw(Governance, release, gone, loaded, whole=whole)
    loaded.added = _insert(Governance, made)


def _estimates(said: float, one: Governance) -> bool:
    return abs(one.estimate - said) <= ROUNDED


def _store_organisations(release: Release, rows: Sequence[Any], loaded: Loaded) -> None:
    there = {row.lei: row for row in Organisation.objects.exclude(lei="").select_related("release")}
    made: list[Organisation] = []
    for row, lei, name, country, category in rows:
        before = there.get(lei)
        if before is None:
            made.append(
                Organisation(
                    lei=lei, name=name, country=country, category=category, release=release
                )
            )
        elif (before.name, before.country) == (name, country) or (
            before.release is not None and before.release.known_on > release.known_on
        ):
            loaded.unchanged += 1  # or an older edition than what is known
        else:
            loaded.revised.append(Revision(row, lei, before.name, name))
            before.name, before.country, before.release = name, country, release
            before.save(update_fields=["name", "country", "release"])
    Organisation.objects.bulk_create(made, batch_size=CHUNK)
    loaded.added = len(made)


# What the project ships


SHIPPED: Final = (
    # slug, publisher, file, known on, title, licence, reference
    (
        "usgs-mcs-2026",
        "usgs",
        "usgs.csv.gz",
        date(2026, 2, 6),
        "USGS Mineral Commodity Summaries 2026, data release, with revision 1.3 of 27 May 2026",
        LICENCES["usgs"],
        "doi:10.5066/P1WKQ63T",
    ),
    (
        "cepii-baci-hs92",
        "baci",
        "baci.csv.gz",
        date(2026, 1, 22),
        (
            "CEPII BACI, HS 1992: all flows of 2024, and imports of Japan and the United States "
            "since 2005, of the registry's codes"
        ),
        LICENCES["baci"],
        "Gaulier and Zignago (2010), CEPII working paper 2010-23",
    ),
    (
        "world-bank-wgi",
        "wgi",
        "wgi.csv",
        date(2025, 9, 24),
        "World Bank, Worldwide Governance Indicators: political stability 2018–2024",
        LICENCES["wgi"],
        "www.govindicators.org",
    ),
    (
        "gleif-2025-10",
        "gleif",
        "gleif.csv.gz",
        date(2025, 10, 1),
        "GLEIF golden copy: entities of Japan and the United States named after minerals",
        LICENCES["gleif"],
        "www.gleif.org",
    ),
    (
        "un-comtrade-chn-retyped",
        "comtrade",
        "monthly.csv",
        date(2025, 12, 1),
        "UN Comtrade: monthly exports of China in three codes, 2017–2024, typed with citation",
        "facts, re-used with attribution to UN Comtrade",
        "comtrade.un.org",
    ),
)
RETYPED: Final = {
    "IEA": (
        "iea-2024-retyped",
        "iea",
        date(2025, 5, 21),
        "IEA Critical Minerals Data Explorer: refining in 2024, typed with citation",
        "CC BY 4.0, as its redistributor states",
    ),
    "BGS": (
        "bgs-2023-retyped",
        "bgs",
        date(2025, 3, 1),
        "BGS World Mineral Statistics: production in 2023, typed with citation",
        "Open Government Licence, as a redistributor states",
    ),
}
_OLD_NAMES: Final = {
    "cobalt_bgs": "cobalt",
    "nickel_bgs": "nickel",
    "rare_earth_oxides_bgs": "rare_earths",
}


def _data() -> Any:
    return resources.files("renkei.materials") / "data"


def _table(name: str) -> list[dict[str, str]]:
    content = (_data() / name).read_bytes()
    if name.endswith(".gz"):
        content = gzip.decompress(content)
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def ensure_shipped() -> int:
    """Load what the project ships into a node that has no registry; return its materials."""
    if not Material.objects.exists():
        from renkei.materials.door._summaries import rebuild

        with transaction.atomic():
            _load_shipped()
            rebuild()
        tasks.sweep_series.enqueue()
    return Material.objects.count()


def _load_shipped() -> None:
    State.objects.get_or_create(pk=1)
    named = _table("materials.csv")
    Material.objects.bulk_create(
        Material(
            slug=row["slug"], symbol=row["symbol"], name_en=row["name_en"], name_ja=row["name_ja"]
        )
        for row in named
    )
    materials = {row.slug: row for row in Material.objects.all()}
    Form.objects.bulk_create(
        Form(
            material=materials[row["material"]],
            stage=row["stage"],
            hs2022=row["hs2022"],
            hs92=row["hs92"],
            is_mixed=row["mixed"] == "yes",
            content_factor=float(row["content_factor"]) if row["content_factor"] else None,
            name_en=row["name_en"],
            name_ja=row["name_ja"],
        )
        for row in _table("forms.csv")
    )
    folder = _data()
    for slug, publisher, name, day, title, licence, reference in SHIPPED:
        with resources.as_file(folder / name) as file:
            content = file.read_bytes()
            read = _read(publisher, file)
        if read.faults:
            raise FaultyReleaseError(read.faults)
        release = Release.objects.create(
            slug=slug,
            publisher=publisher,
            title=title,
            licence=licence,
            reference=reference,
            known_on=day,
            sha256=hashlib.sha256(content).hexdigest(),
            rows=len(read.rows),
        )
        _store(release, read)
    _load_retyped(materials)
    _load_hand_made(materials)
    _mark(materials)
    changed()


def _mark(materials: Mapping[str, Material]) -> None:
    """Say which materials stand first, and which the United States call critical."""
    critical = {
        commodities()[row["chapter"].casefold(), row["commodity"].casefold()]
        for row in _table("usgs.csv.gz")
        if row["critical_2025"] == "Yes"
    }
    watched = {row["material"] for row in _table("watched.csv")}
    for slug, material in materials.items():
        material.is_us_critical = slug in critical
        material.is_watched = slug in watched
    Material.objects.bulk_update(materials.values(), ["is_us_critical", "is_watched"])


def _load_retyped(materials: Mapping[str, Material]) -> None:
    """Load the figures that people typed from a table, each with its citation."""
    rows = _table("retyped.csv")
    made = {}
    for initials, (slug, publisher, day, title, licence) in RETYPED.items():
        made[initials] = Release.objects.create(
            slug=slug,
            publisher=publisher,
            title=title,
            licence=licence,
            known_on=day,
            rows=sum(row["source"].startswith(initials) for row in rows),
        )
    cells = []
    for number, row in enumerate(rows, 2):
        release = made[row["source"][:3]]
        year = int(row["year"])
        slug = _OLD_NAMES.get(row["material"], row["material"])
        quantity = float(row["quantity"]) if row["quantity"] else None
        cells.append(
            Observation(
                key=engine.key_of(release.publisher, slug, row["stage"], row["country"]),
                material=materials[slug],
                stage=row["stage"],
                subject="production",
                place=engine.place_code(row["iso3"] or row["country"]) or OTHERS,
                detail=row["note"][:160],
                valid_from=date(year, 1, 1),
                valid_to=date(year, 12, 31),
                known_from=release.known_on,
                release=release,
                row=number,
                raw=row["value_raw"],
                qualifier=row["qualifier"],
                is_estimated=row["estimated"] == "True",
                quantity=quantity,
                unit=row["unit"],
                tonnes=engine.tonnes_of(quantity, row["unit"]),
                note=row["source"],
            )
        )
    Observation.objects.bulk_create(cells, batch_size=CHUNK)


def _rule(one: engine.Rule, said: Mapping[str, str]) -> Rule:
    """Return the row of a rule that the engine ships; ``door.rules`` reads it back."""
    content = {
        "kind": one.kind,
        "ended": one.ended.isoformat() if one.ended else None,
        "ended_by": one.ended_by,
        "fact": one.fact,
        "least": one.least,
        "countries": sorted(one.countries),
        "minerals": sorted(one.minerals),
        "fields": list(one.fields),
    }
    return Rule(
        slug=slugify(f"{one.programme}-{one.name}")[:60],
        family=one.programme,
        clause=one.clause,
        effective_from=one.since,
        effective_to=one.until,
        content=content,
        name_en=one.name,
        name_ja=said["name_ja"],
        source=one.source,
        confirmed=said["confirmed"],
    )


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _load_hand_made(materials: Mapping[str, Material]) -> None:
    """Load products, events, measures, rules and sites."""
    products = {}
    for row in _table("products.csv"):
        products[row["slug"]] = Product.objects.create(
            slug=row["slug"], sector=row["sector"], name_en=row["name_en"], name_ja=row["name_ja"]
        )
    Component.objects.bulk_create(
        Component(
            product=products[row["product"]],
            material=materials.get(row["part"]),
            part=None if row["part"] in materials else products[row["part"]],
            quantity=float(row["quantity"]) if row["quantity"] else None,
            unit=row["unit"],
            is_essential=row["essential"] == "yes",
            weight=float(row["weight"] or 0),
            source=row["source"],
            confirmed=row["confirmed"],
            note=row["note"],
        )
        for row in _table("components.csv")
    )
    for row in _table("events.csv"):
        event = Event.objects.create(
            slug=row["slug"],
            day=date.fromisoformat(row["day"]),
            is_exact_day=row["exact"] == "yes",
            actors=row["actors"],
            codes=row["codes"],
            name_en=row["name_en"],
            name_ja=row["name_ja"],
            source=row["source"],
        )
        event.materials.set([materials[slug] for slug in row["materials"].split()])
    for row in _table("measures.csv"):
        measure = Measure.objects.create(
            slug=row["slug"],
            kind=row["kind"],
            actors=row["actors"],
            targets=row["targets"],
            announced_on=_day(row["announced_on"]),
            effective_from=date.fromisoformat(row["effective_from"]),
            effective_to=_day(row["effective_to"]),
            name_en=row["name_en"],
            name_ja=row["name_ja"],
            source=row["source"],
        )
        measure.materials.set([materials[slug] for slug in row["materials"].split()])
    said = {row["name"]: row for row in _table("rules.csv")}
    Rule.objects.bulk_create(_rule(one, said[one.name]) for one in engine.SHIPPED_RULES)
    Site.objects.bulk_create(
        Site(
            slug=row["slug"],
            material=materials[row["material"]],
            stage=row["stage"],
            country=row["country"],
            locode=row["locode"],
            latitude=float(row["latitude"]) if row["latitude"] else None,
            longitude=float(row["longitude"]) if row["longitude"] else None,
            capacity_tonnes=float(row["capacity_tonnes"]) if row["capacity_tonnes"] else None,
            name_en=row["name_en"],
            name_ja=row["name_ja"],
            source=row["source"],
        )
        for row in _table("sites.csv")
    )
