"""Reading the registry: what a page, an answer or a notebook asks."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.conf import settings
from django.db.models import F, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop
from renkei.materials import engine
from renkei.materials.door._summaries import governance
from renkei.materials.models import (
    IN_BILLS,
    OTHERS,
    WORLD,
    Component,
    Exposure,
    Flow,
    Form,
    Material,
    Observation,
    Product,
    Risk,
    Rule,
    State,
    Subject,
)

LONGEST_QUERY: Final = 100
MOST_FLOWS: Final = 40
DAYS_IN_YEAR: Final = 365.0


class UnknownMaterialError(NotFoundError):
    """The registry has no such material."""

    code = "materials.unknown_material"


class UnknownPlaceError(NotFoundError):
    """No country has this code."""

    code = "materials.unknown_country"


class BadQuestionError(RenkeiError):
    """A parameter that cannot be."""

    code = "materials.bad_question"


def state() -> State:
    """Return the version of the facts, by which pages are kept."""
    return State.objects.filter(pk=1).first() or State(pk=1)


def home() -> str:
    """Return the country of this node's party, as trade data names it."""
    return place(settings.NODE.party)


def place(text: str) -> str:
    """Return the code of a country by its code or name.

    Raises:
        UnknownPlaceError: there is none.
    """
    found = engine.place_code(text)
    if found is None or found in {WORLD, OTHERS}:
        raise UnknownPlaceError(
            gettext_noop("{text!r} is no country: expected an ISO 3166-1 code such as JPN"),
            text=text,
        )
    return found


def strait_name(name: str) -> str:
    """Return what people call a strait; one without a name here by its code."""
    names = {
        "hormuz": _("Strait of Hormuz"),
        "malacca": _("Strait of Malacca"),
        "suez": _("Suez Canal"),
        "panama": _("Panama Canal"),
        "bab_el_mandeb": _("Bab el-Mandeb"),
        "taiwan_strait": _("Taiwan Strait"),
        "bosporus": _("Bosporus"),
        "gibraltar": _("Strait of Gibraltar"),
        "danish_straits": _("Danish straits"),
        "lombok": _("Lombok Strait"),
        "luzon": _("Luzon Strait"),
    }
    return str(names.get(name, name))


def find(slug: str) -> Material:
    """Return a material by its name.

    Raises:
        UnknownMaterialError: there is none.
    """
    found = Material.objects.filter(slug=slug).first()
    if found is None:
        raise UnknownMaterialError(gettext_noop("the registry has no material {slug!r}"), slug=slug)
    return found


def materials(*, query: str = "", watched: bool = True) -> QuerySet[Material]:
    """Return materials whose names hold every word of ``query``; the watched ones, or all.

    Raises:
        BadQuestionError: the query is too long.
    """
    if len(query) > LONGEST_QUERY:
        raise BadQuestionError(
            gettext_noop("a search has at most {most} characters"), most=LONGEST_QUERY
        )
    rows = Material.objects.order_by("name_en")
    for word in query.split():
        rows = rows.filter(
            Q(name_en__icontains=word)
            | Q(name_ja__icontains=word)
            | Q(symbol__iexact=word)
            | Q(slug__icontains=word)
            | Q(forms__hs2022__startswith=word)
        )
    return rows.distinct() if watched is False else rows.filter(is_watched=True).distinct()


@dataclass(frozen=True, slots=True)
class Row:
    """One country's line in a table of supply."""

    place: str
    raw: str
    qualifier: str
    is_estimated: bool
    quantity: float | None
    share: float | None
    row: int | None


@dataclass(slots=True)
class Table:
    """A printed table: who holds how much of one stage in one year, and who says so."""

    subject: str
    stage: str
    year: int
    detail: str
    unit: str
    release: Any
    rows: list[Row] = field(default_factory=list)
    other: Row | None = None
    world: Row | None = None


def tables(material: Material, *, subjects: Iterable[str] = (Subject.PRODUCTION,)) -> list[Table]:
    """Return the tables of a material: the latest year of each, largest holder first."""
    rows = (
        Observation.objects.current()
        .filter(material=material, subject__in=list(subjects))
        .exclude(stage="")
        .select_related("release")
    )
    grouped: dict[tuple[str, str, str, str, str], list[Observation]] = defaultdict(list)
    for row in rows:
        publisher = row.release.publisher
        grouped[row.subject, row.stage, publisher, row.detail, row.unit].append(row)
    found = []
    for (subject, stage, _publisher, detail, unit), group in grouped.items():
        last = max(row.valid_from for row in group)
        held = [row for row in group if row.valid_from == last]
        if len(held) < 2:
            continue
        table = Table(subject, stage, last.year, detail, unit, held[0].release)
        total = _total(held)
        for row in held:
            share = row.quantity / total if row.quantity is not None and total else None
            line = Row(
                row.place, row.raw, row.qualifier, row.is_estimated, row.quantity, share, row.row
            )
            if row.place == WORLD:
                table.world = line
            elif row.place == OTHERS:
                table.other = line
            else:
                table.rows.append(line)
        table.rows.sort(key=lambda line: (-(line.quantity or -1), line.place))
        found.append(table)
    order = ["production", "capacity", "reserves"]
    return sorted(
        found,
        key=lambda table: (
            order.index(table.subject),
            table.stage != "mine",
            table.detail,
            -table.year,
        ),
    )


def _total(rows: Sequence[Observation]) -> float:
    world = next((row.quantity for row in rows if row.place == WORLD), None)
    named = sum(row.quantity or 0 for row in rows if row.place != WORLD)
    return max(world or 0.0, named)


def risks(material: Material) -> QuerySet[Risk]:
    """Return the concentration of each stage, latest year first."""
    return Risk.objects.filter(material=material).order_by("stage", "-year")


def concentration(material: Material, stage: str, year: int | None = None) -> engine.Concentration:
    """Return the concentration of a stage with everything that it was made of.

    Raises:
        BadQuestionError: no table of the registry says who holds this stage.
    """
    from renkei.materials.door._summaries import _concentrations, production

    found = _concentrations(production(material.pk), governance())
    years = [when for (_pk, at, when) in found if at == stage]
    if not years or (year is not None and year not in years):
        raise BadQuestionError(
            gettext_noop("no table says who holds the stage {stage!r} of {material}"),
            stage=stage,
            material=material.slug,
        )
    return found[material.pk, stage, year or max(years)][1]


def cells(material: Material, stage: str) -> QuerySet[Any]:
    """Return the printed cells of the latest index of a stage, with release and row.

    None while the facts are newer than the summaries.
    """
    risk = Risk.objects.filter(material=material, stage=stage, is_latest=True).first()
    if risk is None:
        return observations(material).none()
    return (
        observations(material)
        .filter(
            subject="production",
            stage=stage,
            valid_from__year=risk.year,
            release__publisher=risk.publisher,
        )
        .order_by("row")
    )


def forms(material: Material) -> QuerySet[Form]:
    """Return the goods in which a material is traded."""
    return Form.objects.filter(material=material).order_by("stage", "hs2022")


@dataclass(frozen=True, slots=True)
class FlowLine:
    """What one country sent another in the latest year, over all codes of a material."""

    exporter: str
    importer: str
    kusd: float
    tonnes: float | None


@dataclass(frozen=True, slots=True)
class Flows:
    """The largest flows of a material in one year."""

    year: int
    codes: tuple[str, ...]
    rows: tuple[FlowLine, ...]
    kusd: float


def flows(material: Material, *, most: int = MOST_FLOWS) -> Flows | None:
    """Return the largest flows of the latest year; codes that hold other goods are left out."""
    codes = sorted(
        set(forms(material).filter(is_mixed=False).values_list("hs92", flat=True)) - {""}
    )
    rows = Flow.objects.current().filter(code__in=codes, release__publisher="baci")
    day = rows.newest_whole()
    if day is None:
        return None
    rows = rows.filter(valid_from=day).exclude(exporter=F("importer"))
    total = rows.aggregate(Sum("kusd"))["kusd__sum"] or 0.0
    largest = (
        rows.values("exporter", "importer")
        .annotate(value=Sum("kusd"), mass=Sum("tonnes"))
        .order_by("-value", "exporter", "importer")[:most]
    )
    lines = tuple(
        FlowLine(row["exporter"], row["importer"], row["value"], row["mass"]) for row in largest
    )
    return Flows(day.year, tuple(codes), lines, total)


@dataclass(frozen=True, slots=True)
class Year:
    """What one country bought in one year."""

    importer: str
    year: int
    tonnes: float
    kusd: float
    leader: str
    leader_share: float


def history(material: Material, importers: Iterable[str]) -> list[Year]:
    """Return imports by year, over the codes that hold nothing else, with the leading shipper."""
    codes = sorted(
        set(forms(material).filter(is_mixed=False).values_list("hs92", flat=True)) - {""}
    )
    rows = (
        Flow.objects.current()
        .filter(code__in=codes, importer__in=list(importers), release__publisher="baci")
        .exclude(exporter=F("importer"))
        .values_list("importer", "valid_from", "exporter")
        .annotate(mass=Sum("tonnes"), value=Sum("kusd"))
    )
    found: dict[tuple[str, int], dict[str, tuple[float, float]]] = defaultdict(dict)
    for importer, day, exporter, mass, value in rows:
        found[importer, day.year][exporter] = (mass or 0.0, value)
    years = []
    for (importer, year), sources in sorted(found.items()):
        tonnes = sum(mass for mass, _value in sources.values())
        if not tonnes:
            continue
        leader = max(sources, key=lambda name: (sources[name][0], name))
        years.append(
            Year(
                importer,
                year,
                tonnes,
                sum(value for _mass, value in sources.values()),
                leader,
                sources[leader][0] / tonnes,
            )
        )
    return years


def reliance(material: Material) -> list[Observation]:
    """Return the printed net import reliance of the United States, by what it is of and by year."""
    rows = Observation.objects.current().filter(material=material, subject=Subject.RELIANCE)
    return list(rows.select_related("release").order_by("detail", "valid_from"))


def sources(material: Material) -> list[Observation]:
    """Return the printed shares of imports of the United States by country."""
    rows = Observation.objects.current().filter(material=material, subject=Subject.SOURCE)
    return list(
        rows.select_related("release").order_by("detail", F("quantity").desc(nulls_last=True))
    )


@dataclass(frozen=True, slots=True)
class Survival:
    """How long the published stocks of the United States last when one country stops."""

    lost: str
    year: int
    stock: Observation
    demand: Observation
    shipper: engine.Score
    origin: engine.Score


def survival(material: Material) -> Survival | None:
    """Return the time to survive, where stocks and consumption are published in one unit.

    What stops is the country that makes most; the shipper's view takes the printed import sources,
    the origin's view the shares of production.
    """
    rows = Observation.objects.current().filter(
        material=material,
        subject__in=[Subject.STOCKS, Subject.CONSUMPTION],
        quantity__gt=0,
        qualifier="",
    )
    stocks = [row for row in rows if row.subject == Subject.STOCKS]
    for stock in sorted(stocks, key=lambda row: (row.valid_from, row.quantity or 0), reverse=True):
        used = [
            row
            for row in rows
            if row.subject == Subject.CONSUMPTION
            and row.valid_from == stock.valid_from
            and row.unit == stock.unit
        ]
        if not used:
            continue
        demand = max(used, key=lambda row: row.quantity or 0)
        made = Risk.objects.filter(material=material, is_latest=True).order_by("-stage").first()
        if made is None:
            return None
        one = concentration(material, made.stage)
        by_origin = {row.country: row.share for row in one.rows}
        by_shipper: dict[str, float] = {}
        for row in sources(material):
            if (
                row.place != OTHERS
                and row.quantity is not None
                and row.detail == sources(material)[0].detail
            ):
                by_shipper[row.place] = row.quantity / 100
        if not by_shipper or sum(by_shipper.values()) > 1.0001:
            return None
        in_tonnes = stock.tonnes is not None and demand.tonnes is not None
        shipper, origin = engine.time_to_survive(
            stock=stock.tonnes if in_tonnes else stock.quantity or 0.0,
            demand=demand.tonnes if in_tonnes else demand.quantity or 0.0,
            lost=[made.leader],
            by_shipper=by_shipper,
            by_origin=by_origin,
        )
        return Survival(made.leader, stock.valid_from.year, stock, demand, shipper, origin)
    return None


def exposure(importer: str) -> QuerySet[Exposure]:
    """Return what a country depends on, worst first; codes that hold other goods come last."""
    return (
        Exposure.objects.filter(importer=importer)
        .select_related("material")
        .order_by("is_mixed", "-score", "code")
    )


def importers() -> list[str]:
    """Return the countries that the exposure table knows."""
    return sorted(Exposure.objects.values_list("importer", flat=True).distinct())


def bills() -> engine.Bills:
    """Return the bills of materials; a quantity that nobody published counts as one unit.

    Only what a shortage does is asked of them here, and that needs no quantities.
    """
    rows = Component.objects.select_related("product", "material", "part").order_by("pk")
    return engine.Bills(
        engine.BillLine(
            row.product.slug,
            row.part_name,
            row.quantity or 1.0,
            essential=row.is_essential,
            substitutable=row.substitutable,
            weight=row.weight,
        )
        for row in rows
    )


def products_of(material: Material) -> list[Product]:
    """Return the products that a material goes into, at whatever depth."""
    known = bills()
    names = {
        *known.products_of(material.slug),
        *known.products_of(IN_BILLS.get(material.slug, material.slug)),
    }
    return list(Product.objects.filter(slug__in=names).order_by("name_en"))


@dataclass(frozen=True, slots=True)
class ProductRisk:
    """What makes one product of a country vulnerable: its worst material."""

    product: Product
    needs: tuple[tuple[Material, Exposure | None], ...]

    @property
    def worst(self) -> tuple[Material, Exposure] | None:
        """Return the material with the highest score, if any is known."""
        known = [(material, row) for material, row in self.needs if row is not None]
        return max(known, key=lambda pair: pair[1].score) if known else None


def product_exposure(importer: str) -> list[ProductRisk]:
    """Return each product with what the country's imports of its materials look like."""
    best: dict[int, Exposure] = {}
    for row in exposure(importer).filter(is_mixed=False):
        held = best.get(row.material_id)
        if held is None or row.score > held.score:
            best[row.material_id] = row
    by_slug = {row.slug: row for row in Material.objects.all()}
    known = bills()
    found = []
    for product in Product.objects.order_by("name_en"):
        if product.slug not in known.parts:
            continue
        needs = [by_slug[slug] for slug in known.explode(product.slug) if slug in by_slug]
        pairs = [(material, best.get(material.pk)) for material in needs]
        pairs.sort(key=lambda pair: (-(pair[1].score if pair[1] else -1), pair[0].slug))
        found.append(ProductRisk(product, tuple(pairs)))
    return sorted(found, key=lambda one: -(one.worst[1].score if one.worst else -1))


def rules() -> list[engine.Rule]:
    """Return the rules of eligibility as the engine reads them."""
    return [
        engine.Rule(
            name=row.name_en,
            programme=row.family,
            kind=row.content["kind"],
            clause=row.clause,
            since=row.effective_from,
            until=row.effective_to,
            ended=date.fromisoformat(row.content["ended"]) if row.content["ended"] else None,
            ended_by=row.content["ended_by"],
            fact=row.content["fact"],
            least=row.content["least"],
            countries=frozenset(row.content["countries"]),
            minerals=frozenset(row.content["minerals"]),
            fields=tuple(row.content["fields"]),
            source=row.source,
            confirmed=row.confirmed,
        )
        for row in Rule.objects.order_by("family", "effective_from", "pk")
    ]


def observations(material: Material, *, known: date | None = None) -> QuerySet[Any]:
    """Return all printed cells of a material, as known today or on a day."""
    rows: Any = Observation.objects
    rows = rows.current() if known is None else rows.as_known(known)
    found: QuerySet[Any] = (
        rows.filter(material=material)
        .select_related("release")
        .order_by("subject", "stage", "detail", "-valid_from", "place")
    )
    return found
