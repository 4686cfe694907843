"""A node's own tables: supplier links, trade with partners, stocks, sites and bills.

No public page reads the first three.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from renkei.kit.errors import NotFoundError, gettext_noop
from renkei.materials import engine, tasks
from renkei.materials.door import _read
from renkei.materials.door._load import (
    CHUNK,
    EmptyReleaseError,
    FaultyReleaseError,
    KnownTooEarlyError,
    Loaded,
    OlderReleaseError,
    Revision,
    changed,
)
from renkei.materials.models import (
    Component,
    Event,
    Form,
    Link,
    Material,
    Measure,
    Organisation,
    Product,
    Site,
    State,
    Stock,
    Trade,
)

OWN: Final = ("links", "trade", "stocks", "sites", "bills", "measures", "events")


_RING: Final = gettext_noop("row {row}: a product cannot be a part of itself: {ring}")


class UnknownTableError(NotFoundError):
    """A node has no own table of this name."""

    code = "materials.unknown_table"


def import_own(kind: str, file: Path, *, known_on: date | None = None) -> Loaded:
    """Load one of the node's own tables: all of it or nothing; the same file twice changes nothing.

    A link or stock that is said otherwise closes what was known; a site or line of a bill is
    corrected. What the file does not name stays.

    Args:
        kind: one of ``OWN``.
        file: CSV with the columns ``engine.OWN_COLUMNS[kind]``.
        known_on: since when it is known; today when not given.

    Raises:
        UnknownTableError, EmptyReleaseError, MovedColumnsError.
        FaultyReleaseError: with every faulty row in ``faults``.
        OlderReleaseError: what is known since that day or later says otherwise.
        CycleError: a product would be a part of itself; the ring is named.
    """
    if kind not in OWN:
        raise UnknownTableError(
            gettext_noop("there is no own table {kind!r}: expected one of {known}"),
            kind=kind,
            known=", ".join(OWN),
        )
    day = known_on or timezone.localdate()
    if day > timezone.localdate():
        raise KnownTooEarlyError(
            gettext_noop("{day} is not yet: expected the day since which it is known"), day=day
        )
    with transaction.atomic():
        State.objects.select_for_update().get_or_create(pk=1)
        known = dict(Material.objects.values_list("slug", "pk"))
        read = _READERS[kind](file, known)
        engine.refuse_future(read, kind, day)
        if read.faults:
            raise FaultyReleaseError(read.faults, is_cut=read.is_cut)
        if not read.rows:
            raise EmptyReleaseError(
                gettext_noop("{file} says nothing that the registry keeps"), file=file.name
            )
        loaded = Loaded(file.name, kind, rows=len(read.rows))
        _STORES[kind](read.rows, known, day, loaded)
        if loaded.added or loaded.revised:
            changed()
            if kind in {"measures", "events"}:  # the calendar and the back-test read them
                tasks.sweep_series.enqueue()
    return loaded


def _bills(content: engine.Source, materials: Mapping[str, int]) -> engine.Read:
    products = set(Product.objects.values_list("slug", flat=True))
    return engine.read_bills(content, materials=materials, products=products)


def _events(content: engine.Source, materials: Mapping[str, int]) -> engine.Read:
    codes = {code for pair in Form.objects.values_list("hs2022", "hs92") for code in pair}
    return engine.read_events(content, materials=materials, codes=codes)


_READERS: Final[Mapping[str, Callable[[engine.Source, Mapping[str, int]], engine.Read]]] = {
    "links": lambda content, known: engine.read_links(content, materials=known),
    "trade": lambda content, known: engine.read_trade(
        content, materials=known, parties={one.party for one in settings.NODE.partners}
    ),
    "stocks": lambda content, known: engine.read_stocks(content, materials=known),
    "sites": lambda content, known: engine.read_sites(content, materials=known),
    "bills": _bills,
    "measures": lambda content, known: engine.read_measures(content, materials=known),
    "events": _events,
}


def _replace(
    before: Any, said: Mapping[str, Any], *, day: date, what: str, row: int, loaded: Loaded
) -> bool:
    """Tell whether a row must be stored: it is new, or says otherwise and what was known is closed.

    Raises:
        OlderReleaseError: what is known is as new or newer.
    """
    if before is None:
        return True
    if all(getattr(before, name) == value for name, value in said.items()):
        loaded.unchanged += 1
        return False
    if before.known_from >= day:
        raise OlderReleaseError(
            gettext_noop(
                "row {row}: what is known since {day} says otherwise about {what}: give the day since "
                "which this is known (--known-on)"
            ),
            row=row,
            day=before.known_from,
            what=what,
        )
    before.known_to = day
    before.save(update_fields=["known_to"])
    loaded.revised.append(Revision(row, what, "", ""))
    return True


def _store_links(
    rows: Sequence[Mapping[str, Any]], materials: Mapping[str, int], day: date, loaded: Loaded
) -> None:
    firms = _Firms()
    current = {
        (row.supplier_id, row.buyer_id, row.material_id): row for row in Link.objects.current()
    }
    made = []
    for one in rows:
        supplier = firms.find(one["supplier_lei"], one["supplier"])
        buyer = firms.find(one["buyer_lei"], one["buyer"])
        if supplier.pk == buyer.pk:
            fault = engine.FaultyRowError(
                one["row"], gettext_noop("row {row}: {name} supplies itself"), name=buyer.name
            )
            raise FaultyReleaseError([fault])
        where = (supplier.pk, buyer.pk, materials[one["material"]])
        said = {
            name: one[name]
            for name in ("kusd", "low_share", "high_share", "evidence", "confidence", "valid_from")
        }
        what = f"{supplier.name} → {buyer.name}, {one['material']}"
        if _replace(current.get(where), said, day=day, what=what, row=one["row"], loaded=loaded):
            link = Link(
                supplier=supplier, buyer=buyer, material_id=where[2], known_from=day, **said
            )
            current[where] = link
            made.append(link)
    Link.objects.bulk_create(made, batch_size=CHUNK)
    loaded.added = len(made)


def _store_trade(
    rows: Sequence[Mapping[str, Any]], materials: Mapping[str, int], day: date, loaded: Loaded
) -> None:
    firms = _Firms()
    current = {
        (row.firm_id, row.party, row.direction, row.material_id): row
        for row in Trade.objects.current()
    }
    made = []
    for one in rows:
        firm = firms.find(one["firm_lei"], one["firm"])
        where = (firm.pk, one["party"], one["direction"], materials[one["material"]])
        said = {name: one[name] for name in ("kusd", "evidence", "valid_from")}
        what = f"{firm.name}, {one['party']}, {one['direction']}, {one['material']}"
        if _replace(current.get(where), said, day=day, what=what, row=one["row"], loaded=loaded):
            row = Trade(
                firm_id=where[0],
                party=where[1],
                direction=where[2],
                material_id=where[3],
                known_from=day,
                **said,
            )
            current[where] = row
            made.append(row)
    Trade.objects.bulk_create(made, batch_size=CHUNK)
    loaded.added = len(made)


class _Firms:
    """Organisations by LEI, else by name; what is new is this node's alone."""

    def __init__(self) -> None:
        rows = list(Organisation.objects.all())
        self._by_lei = {row.lei: row for row in rows if row.lei}
        self._by_name = {row.name: row for row in rows if not row.lei}

    def find(self, lei: str, name: str) -> Organisation:
        found = self._by_lei.get(lei) if lei else self._by_name.get(name)
        if found is None:
            found = Organisation.objects.create(lei=lei, name=name, is_public=False)
            if lei:
                self._by_lei[lei] = found
            else:
                self._by_name[name] = found
        return found


def _store_stocks(
    rows: Sequence[Mapping[str, Any]], materials: Mapping[str, int], day: date, loaded: Loaded
) -> None:
    current = {(row.owner, row.material_id, row.kind): row for row in Stock.objects.current()}
    made = []
    for one in rows:
        where = (one["owner"], materials[one["material"]], one["kind"])
        names = ("low_tonnes", "high_tonnes", "release_rule", "valid_from", "source")
        said = {name: one[name] for name in names}
        what = f"{one['owner']}, {one['material']}, {one['kind']}"
        if _replace(current.get(where), said, day=day, what=what, row=one["row"], loaded=loaded):
            made.append(
                Stock(owner=where[0], material_id=where[1], kind=where[2], known_from=day, **said)
            )
    Stock.objects.bulk_create(made, batch_size=CHUNK)
    loaded.added = len(made)


def _store_sites(
    rows: Sequence[Mapping[str, Any]], materials: Mapping[str, int], _day: date, loaded: Loaded
) -> None:
    firms = _Firms()
    there = {row.slug: row for row in Site.objects.all()}
    for one in rows:
        said = {
            name: value
            for name, value in one.items()
            if name not in {"row", "slug", "material", "lei"}
        }
        said["material_id"] = materials[one["material"]]
        firm = firms.find(one["lei"], one["lei"]) if one["lei"] else None
        said["organisation_id"] = firm.pk if firm else None
        _put(
            there.get(one["slug"]), Site, {"slug": one["slug"]}, said, row=one["row"], loaded=loaded
        )


def _put(
    before: Any,
    model: type[Any],
    key: Mapping[str, Any],
    said: Mapping[str, Any],
    *,
    row: int,
    loaded: Loaded,
) -> None:
    """Store a row that has no history: make it, correct it, or leave it as it is."""
    if before is None:
        model.objects.create(**key, **said)
        loaded.added += 1
    elif all(getattr(before, name) == value for name, value in said.items()):
        loaded.unchanged += 1
    else:
        for name, value in said.items():
            setattr(before, name, value)
        before.save()
        loaded.revised.append(Revision(row, str(before), "", ""))


def _store_bills(
    rows: Sequence[Mapping[str, Any]], materials: Mapping[str, int], _day: date, loaded: Loaded
) -> None:
    products = {row.slug: row for row in Product.objects.all()}
    for one in rows:
        if one["product"] not in products:
            english, japanese, sector = one["names"]
            products[one["product"]] = Product.objects.create(
                slug=one["product"], name_en=english, name_ja=japanese, sector=sector
            )
    there: dict[tuple[int | None, ...], Component] = {
        (row.product_id, row.material_id, row.part_id): row for row in Component.objects.all()
    }
    for one in rows:
        material = materials.get(one["part"])
        part = None if material else products[one["part"]].pk
        key = {
            "product_id": products[one["product"]].pk,
            "material_id": material,
            "part_id": part,
        }
        if part == key["product_id"]:
            raise engine.CycleError(
                _RING, row=one["row"], ring=f"{one['product']} → {one['product']}"
            )
        names = ("quantity", "unit", "is_essential", "substitutable", "weight", "source", "note")
        said = {name: one[name] for name in names}
        _put(there.get(tuple(key.values())), Component, key, said, row=one["row"], loaded=loaded)
    try:
        _read.bills()
    except engine.CycleError as error:
        ring = str(error.values["ring"]).split(" → ")
        edges = set(pairwise(ring))
        closing = [one["row"] for one in rows if (one["product"], one["part"]) in edges]
        raise engine.CycleError(_RING, row=max(closing), ring=" → ".join(ring)) from error


def _store_dated(model: type[Measure] | type[Event]) -> Callable[..., None]:
    """Return what stores measures, or events, by their name, with the materials they are about."""

    def store(
        rows: Sequence[Mapping[str, Any]], materials: Mapping[str, int], _day: date, loaded: Loaded
    ) -> None:
        there = {row.slug: row for row in model.objects.prefetch_related("materials")}
        for one in rows:
            said = {
                name: value
                for name, value in one.items()
                if name not in {"row", "slug", "materials"}
            }
            wanted = {materials[slug] for slug in one["materials"]}
            before = there.get(one["slug"])
            told = len(loaded.revised)
            _put(before, model, {"slug": one["slug"]}, said, row=one["row"], loaded=loaded)
            held = before or model.objects.get(slug=one["slug"])
            was = {row.pk for row in before.materials.all()} if before else wanted
            if was != wanted and len(loaded.revised) == told:
                loaded.unchanged -= 1
                loaded.revised.append(Revision(one["row"], str(before), "", ""))
            held.materials.set(wanted)

    return store


_STORES: Final[
    Mapping[str, Callable[[Sequence[Mapping[str, Any]], Mapping[str, int], date, Loaded], None]]
] = {
    "links": _store_links,
    "trade": _store_trade,
    "stocks": _store_stocks,
    "sites": _store_sites,
    "bills": _store_bills,
    "measures": _store_dated(Measure),
    "events": _store_dated(Event),
}
