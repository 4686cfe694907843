"""What pages rank by, counted from the facts: concentration by stage, exposure by country and code.

Everything here can be made anew at any time (``rebuild``); nothing here is a source.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from django.db import transaction
from django.db.models import QuerySet

from renkei.kit.errors import NotFoundError, gettext_noop
from renkei.materials import engine
from renkei.materials.models import (
    OTHERS,
    WORLD,
    Exposure,
    Flow,
    Form,
    Governance,
    Observation,
    Risk,
    Subject,
)

CHUNK: Final = 1_000
PREFERRED: Final = ("usgs", "iea", "bgs")
LEAST_KUSD: Final = 100.0  # a country that buys less of a code does not depend on it
Table = dict[str, Any]


def governance() -> dict[str, float]:
    """Return political instability, 0 (stable) to 1, of each country in its latest year."""
    rows = Governance.objects.current().order_by("valid_from")
    latest: dict[str, float] = dict(rows.values_list("place", "estimate"))
    scaled = engine.instability(np.array(list(latest.values()), float))
    return dict(zip(latest, (float(one) for one in scaled), strict=True))


def production(material: int | None = None) -> dict[tuple[int, str, int, str, str], Table]:
    """Return the world tables of production: by material, stage, year, publisher and what is counted.

    Each has ``quantities`` by country, ``other``, ``world`` (or ``None``), ``unit`` and ``withheld``
    (countries whose figure their publisher keeps secret).
    """
    rows: QuerySet[Any] = Observation.objects.current().filter(subject=Subject.PRODUCTION)
    rows = rows.exclude(stage="")
    if material is not None:
        rows = rows.filter(material=material)
    tables: dict[tuple[int, str, int, str, str], Table] = {}
    for pk, stage, day, publisher, detail, place, quantity, qualifier, unit in rows.values_list(
        "material",
        "stage",
        "valid_from",
        "release__publisher",
        "detail",
        "place",
        "quantity",
        "qualifier",
        "unit",
    ):
        table = tables.setdefault(
            (pk, stage, day.year, publisher, detail),
            {"quantities": {}, "other": 0.0, "world": None, "unit": unit, "withheld": []},
        )
        if qualifier == "W":
            table["withheld"].append(place)
        if quantity is None:  # words, and bounds, are no figures
            continue
        if place == WORLD:
            table["world"] = quantity
        elif place == OTHERS:
            table["other"] += quantity
        else:
            table["quantities"][place] = table["quantities"].get(place, 0.0) + quantity
    return tables


def _concentrations(
    tables: Mapping[tuple[int, str, int, str, str], Table], risks: Mapping[str, float]
) -> dict[tuple[int, str, int], tuple[str, engine.Concentration]]:
    """Return the concentration of each stage and year by the publisher that is preferred."""
    best: dict[tuple[int, str, int], tuple[int, str, Table]] = {}
    for (pk, stage, year, publisher, detail), table in tables.items():
        named = [place for place, quantity in table["quantities"].items() if quantity > 0]
        is_world = len(named) > 1 or table["other"] or table["world"]
        if not named or not is_world:  # a table of one country is no table of the world
            continue
        rank = PREFERRED.index(publisher) if publisher in PREFERRED else len(PREFERRED)
        size = -len(table["quantities"])  # of two tables of one publisher, the fuller one
        held = best.get((pk, stage, year))
        if held is None or (rank, size, detail) < (held[0], -len(held[2]["quantities"]), held[1]):
            best[pk, stage, year] = (rank, detail, table | {"publisher": publisher})
    return {
        where: (
            table["publisher"],
            engine.concentration(
                table["quantities"], other=table["other"], world=table["world"], governance=risks
            ),
        )
        for where, (_rank, _detail, table) in best.items()
    }


def rebuild() -> None:
    """Count the summaries anew."""
    with transaction.atomic():
        risks = governance()
        tables = production()
        found = _concentrations(tables, risks)
        latest: dict[tuple[int, str], int] = {}
        for pk, stage, year in found:
            latest[pk, stage] = max(year, latest.get((pk, stage), 0))
        Risk.objects.all().delete()
        Risk.objects.bulk_create(
            (
                Risk(
                    material_id=pk,
                    stage=stage,
                    year=year,
                    publisher=publisher,
                    leader=one.leading,
                    leader_share=one.leading_share,
                    low=one.index.low,
                    high=max(one.index.low, min(1.0, one.index.high)),
                    governance_low=one.governed.low if one.governed else None,
                    governance_high=one.governed.high if one.governed else None,
                    named_share=1 - one.other / one.total,
                    producers=sum(row.quantity > 0 for row in one.rows),
                    is_latest=latest[pk, stage] == year,
                )
                for (pk, stage, year), (publisher, one) in found.items()
            ),
            batch_size=CHUNK,
        )
        Exposure.objects.all().delete()
        Exposure.objects.bulk_create(_exposures(risks, tables), batch_size=CHUNK)


def _exposures(
    risks: Mapping[str, float], tables: Mapping[tuple[int, str, int, str, str], Table]
) -> list[Exposure]:
    """Return what each country buys of each code in the latest year of annual flows."""
    annual = Flow.objects.current().filter(valid_from__month=1, valid_to__month=12)
    day = annual.filter(release__publisher="baci").newest_whole()
    if day is None:
        return []
    bought: dict[tuple[str, str], dict[str, list[float | None]]] = defaultdict(dict)
    rows = annual.filter(valid_from=day, release__publisher="baci")
    for code, importer, exporter, kusd, tonnes in rows.values_list(
        "code", "importer", "exporter", "kusd", "tonnes"
    ):
        if exporter != importer:
            bought[code, importer][exporter] = [kusd, tonnes]
    forms: dict[str, list[Form]] = defaultdict(list)
    for form in Form.objects.exclude(hs92=""):
        forms[form.hs92].append(form)
    made = []
    scores = _geopolitical(bought, forms, risks, tables, day.year)
    for (code, importer), sources in bought.items():
        kusd = sum(one[0] or 0 for one in sources.values())
        if kusd < LEAST_KUSD:
            continue
        shares = _shares(sources)
        leader = max(shares, key=lambda place: (shares[place], place))
        tonnes = [one[1] for one in sources.values()]
        made += [
            Exposure(
                importer=importer,
                material_id=form.material_id,
                stage=form.stage,
                code=code,
                is_mixed=form.is_mixed,
                year=day.year,
                kusd=kusd,
                tonnes=sum(one or 0 for one in tonnes) if any(tonnes) else None,
                leader=leader,
                leader_share=shares[leader],
                concentration=sum(share * share for share in shares.values()),
                geopolitical=scores.get((code, form.material_id, importer)),
                score=sum(share * share * risks.get(place, 0.5) for place, share in shares.items()),
            )
            for form in forms[code]
        ]
    return made


def _shares(sources: Mapping[str, list[float | None]]) -> dict[str, float]:
    """Return each source's share: of mass where every source has one, else of value."""
    by_mass = all(one[1] for one in sources.values())
    amounts = {place: float(one[1 if by_mass else 0] or 0) for place, one in sources.items()}
    total = sum(amounts.values())
    return (
        {place: amount / total for place, amount in amounts.items()}
        if total
        else dict.fromkeys(amounts, 0.0)
    )


def _geopolitical(
    bought: Mapping[tuple[str, str], Mapping[str, list[float | None]]],
    forms: Mapping[str, list[Form]],
    risks: Mapping[str, float],
    tables: Mapping[tuple[int, str, int, str, str], Table],
    year: int,
) -> dict[tuple[str, int, str], float]:
    """Return GeoPolRisk of each code, material and importer, where the world's production is known."""
    made = _made(tables, year)
    pairs = [
        (code, form.material_id, made[form.material_id, form.stage])
        for code, known in forms.items()
        for form in known
        if (form.material_id, form.stage) in made
    ]
    if not pairs:
        return {}
    names = sorted(
        {place for (_code, importer), sources in bought.items() for place in (importer, *sources)}
        | {place for *_pair, quantities in pairs for place in quantities}
    )
    at = {name: index for index, name in enumerate(names)}
    grown = np.zeros((len(pairs), 1, len(names)))
    columns: list[tuple[int, int, int, float, float]] = []
    by_code: dict[str, list[tuple[str, Mapping[str, list[float | None]]]]] = defaultdict(list)
    for (code, importer), sources in bought.items():
        by_code[code].append((importer, sources))
    for index, (code, _pk, quantities) in enumerate(pairs):
        for place, quantity in quantities.items():
            grown[index, 0, at[place]] = quantity
        for importer, sources in by_code[code]:
            for exporter, (kusd, tonnes) in sources.items():
                if tonnes:
                    columns.append((index, at[importer], at[exporter], tonnes, (kusd or 0) * 1e3))
    if not columns:
        return {}
    which, importers, exporters, tonnes_of, value = (
        np.array(one) for one in zip(*columns, strict=True)
    )
    scored = engine.geopolrisk(
        production=grown,
        material=which.astype(int),
        year=np.zeros(len(columns), int),
        importer=importers.astype(int),
        exporter=exporters.astype(int),
        tonnes=tonnes_of.astype(float),
        value=value.astype(float),
        governance=np.array([[risks.get(name, 0.5) for name in names]]),
    )
    return {
        (code, pk, name): float(scored.score[index, 0, at[name]])
        for index, (code, pk, _quantities) in enumerate(pairs)
        for name in names
    }


def _made(
    tables: Mapping[tuple[int, str, int, str, str], Table], year: int
) -> dict[tuple[int, str], Mapping[str, float]]:
    """Return tonnes made in a year by country: of each material and stage, its fullest table."""
    made: dict[tuple[int, str], Mapping[str, float]] = {}
    for (pk, stage, when, publisher, _detail), table in tables.items():
        if when == year and table["unit"] in engine.TONNES and publisher in PREFERRED:
            factor = engine.TONNES[table["unit"]]
            held = made.get((pk, stage), {})
            if len(table["quantities"]) > len(held):
                made[pk, stage] = {
                    place: quantity * factor for place, quantity in table["quantities"].items()
                }
    return made


class NoExposureError(NotFoundError):
    """A country has no score for this material and code."""

    code = "materials.no_exposure"


@dataclass(frozen=True, slots=True)
class Shipper:
    """What one country shipped: one term of the sum that is the score."""

    country: str
    kusd: float
    tonnes: float | None
    share: float
    instability: float
    release: str
    row: int | None

    @property
    def term(self) -> float:
        """Return what it adds to the score."""
        return self.share**2 * self.instability


@dataclass(frozen=True, slots=True)
class Opened:
    """A score of exposure with everything that it was made of.

    Attributes:
        score: the kept score; its ``score`` is the sum of ``shippers``' terms.
        by_mass: whether shares are of tonnes, or of value where a mass is missing.
        made: tonnes that each country makes, of which GeoPolRisk takes the HHI; empty: not known.
        world_index: that HHI; ``imported``, ``own``: tonnes bought and made by the country itself;
            ``weighted``: tonnes bought times instability. GeoPolRisk is
            ``world_index * weighted / (imported + own)``.
    """

    score: Exposure
    shippers: tuple[Shipper, ...]
    by_mass: bool
    made: Mapping[str, float]
    world_index: float | None
    weighted: float
    imported: float
    own: float


def open_exposure(importer: str, material: str, code: str) -> Opened:
    """Return the score of a country for one material and code, opened to its inputs.

    Raises:
        NoExposureError: there is no such score.
    """
    row = (
        Exposure.objects.filter(importer=importer, material__slug=material, code=code)
        .select_related("material")
        .first()
    )
    if row is None:
        raise NoExposureError(
            gettext_noop("{country} has no score for {material} and the code {code}"),
            country=importer[:3],
            material=material[:40],
            code=code[:6],
        )
    risks = governance()
    flows = (
        Flow.objects.current()
        .filter(
            code=code,
            importer=importer,
            valid_from=date(row.year, 1, 1),
            valid_to=date(row.year, 12, 31),
            release__publisher="baci",
        )
        .exclude(exporter=importer)
        .select_related("release")
    )
    sources: dict[str, list[float | None]] = {one.exporter: [one.kusd, one.tonnes] for one in flows}
    shares = _shares(sources)
    shippers = sorted(
        (
            Shipper(
                one.exporter,
                one.kusd,
                one.tonnes,
                shares[one.exporter],
                risks.get(one.exporter, 0.5),
                one.release.slug,
                one.row,
            )
            for one in flows
        ),
        key=lambda one: (-one.share, one.country),
    )
    made = _made(production(row.material_id), row.year).get((row.material_id, row.stage), {})
    index = None
    if any(made.values()):
        index = float(engine.concentration(made).index.low)
    return Opened(
        row,
        tuple(shippers),
        all(one[1] for one in sources.values()),
        made,
        index,
        sum((one.tonnes or 0.0) * one.instability for one in shippers),
        sum(one.tonnes or 0.0 for one in shippers),
        made.get(importer, 0.0),
    )
