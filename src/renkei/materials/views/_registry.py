"""The list, a material, what an index was made of, exposure, products and releases."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from renkei.base.access import PUBLIC, access, roles_of
from renkei.base.http import public_page, require_safe
from renkei.kit.errors import NotFoundError, gettext_noop
from renkei.materials import door, engine
from renkei.materials.models import (
    Case,
    Component,
    Event,
    Flow,
    Material,
    Measure,
    Observation,
    Product,
    Release,
    Risk,
    Stage,
    language,
)
from renkei.materials.templatetags.materials import figure, percent, place, term

PARTNERS = ("JPN", "USA")
MOST_BARS = 12
MOST_DIGITS = 8  # of a printed figure with a decimal point
LABELS = 6


def version() -> str:
    """Return what changes whenever a page may."""
    return str(door.state().version)


def version_with_plans() -> str:
    """Return what changes whenever a page may that shows how far joint plans have come."""
    return f"{version()} {door.plans_version()}"


def tabs(request: HttpRequest) -> list[dict[str, object]]:
    """Return the pages of the room that stand side by side."""
    pages = [
        ("materials:list", _("Materials")),
        ("materials:exposure", _("Exposure")),
        ("materials:scenarios", _("What if")),
        ("materials:plans", _("Joint plans")),
        ("materials:cascade", _("Firm cascade")),
        ("materials:alarms", _("Alarms")),
        ("materials:rules", _("Rules")),
        ("materials:releases", _("Releases")),
    ]
    if {"analyst", "officer"} & roles_of(request):
        pages.append(("materials:cases", _("Cases")))
        pages.append(("materials:joint_runs", _("Joint runs")))
        pages.append(("materials:leaving", _("What may leave")))
    made = []
    for name, label in pages:
        url = reverse(name)
        made.append({"url": url, "label": label, "current": request.path == url})
    return made


def svg(text: str) -> str:
    """Mark our own drawing as safe: its texts are escaped where it is drawn."""
    return mark_safe(text)  # noqa: S308


@access(PUBLIC)
@require_safe
@public_page(version)
def listing(request: HttpRequest) -> HttpResponse:
    """Show the materials with how concentrated each stage is."""
    query, everything = request.GET.get("q", "").strip(), request.GET.get("all") == "1"
    rows = list(
        door.materials(query=query, watched=not everything).order_by(f"name_{language()}", "pk")
    )
    risks = {(row.material_id, row.stage): row for row in Risk.objects.filter(is_latest=True)}
    shown = [
        {
            "material": row,
            "risks": [
                {"label": stage.label, "row": risks.get((row.pk, stage.value))}
                for stage in (Stage.MINE, Stage.REFINE)
            ],
        }
        for row in rows
    ]
    counts = {
        "materials": Material.objects.count(),
        "watched": Material.objects.filter(is_watched=True).count(),
        "observations": f"{Observation.objects.current().count():,}",
        "releases": Release.objects.count(),
        "flows": f"{Flow.objects.current().count():,}",
        "cases": Case.objects.filter(closed_at=None).count(),
    }
    return TemplateResponse(
        request,
        "materials/list.html",
        {"rows": shown, "q": query, "all": everything, "counts": counts, "tabs": tabs(request)},
    )


@access(PUBLIC)
@require_safe
@public_page(version_with_plans)
def material(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one material: stages, risk, flows, trend, goods, products, cases."""
    row = door.find(slug)
    risks = list(Risk.objects.filter(material=row, is_latest=True).order_by("stage"))
    tables = [
        _table(table, number)
        for number, table in enumerate(
            door.tables(row, subjects=("production", "capacity", "reserves"))
        )
    ]
    flows = door.flows(row)
    cases = Case.objects.filter(materials=row, closed_at=None)
    events = Event.objects.filter(materials=row)
    measures = Measure.objects.filter(materials=row)
    dated = [
        *({"day": one.day, "name": one.name, "source": one.source} for one in events),
        *({"day": one.effective_from, "name": one.name, "source": one.source} for one in measures),
    ]
    return TemplateResponse(
        request,
        "materials/material.html",
        {
            "material": row,
            "risks": risks,
            "survival": door.survival(row),
            "tables": tables,
            "flows": flows,
            "map": _map(row, flows) if flows else "",
            "trend": _trend(row),
            "forms": door.forms(row),
            "reliance": _reliance(row),
            "sources": door.sources(row),
            "products": door.products_of(row),
            "events": events,
            "measures": measures,
            "dated": sorted(dated, key=lambda one: one["day"]),
            "plans": door.plans(material=slug),
            "open_cases": cases.count(),
            "cases": cases if {"analyst", "officer"} & roles_of(request) else (),
        },
    )


def _is_computed(raw: str) -> bool:
    return "." in raw and len(raw) > MOST_DIGITS


def _table(table: door.Table, number: int) -> dict[str, Any]:
    """Return a table of supply with its chart."""
    said = term(table.subject, "subject")
    bars = [
        engine.Bar(
            place(row.place),
            row.quantity,
            # As printed, but for the fifteen digits of a computed file.
            f"{figure(row.quantity, 4) if _is_computed(row.raw) else row.raw}"
            f" ({percent(row.share)})",
        )
        for row in table.rows[:MOST_BARS]
        if row.quantity
    ]
    last = [row for row in (table.other, table.world) if row]
    return {
        "stage": table.stage,
        "said": f"{said} ({table.detail})" if table.subject != "production" else said,
        "year": table.year,
        "unit": table.unit,
        "release": table.release,
        "all": [*table.rows, *last],
        "svg": svg(
            engine.bars(
                f"table-{number}",
                bars,
                title=f"{term(table.stage, 'stage')}: {said}",
                description=_(
                    "Bars by country, the largest first. The table below holds the figures."
                ),
            )
        ),
    }


def _map(row: Material, flows: door.Flows) -> str:
    """Return the map of flows over countries shaded by production."""
    shares: dict[str, float] = {}
    for stage in (Stage.REFINE, Stage.MINE):
        if Risk.objects.filter(material=row, stage=stage).exists():
            shares = {one.country: one.share for one in door.concentration(row, stage).rows}
    ends = [end for line in flows.rows[:LABELS] for end in (line.exporter, line.importer)]
    return svg(
        engine.world_map(
            "flows-map",
            shares=shares,
            arcs=[engine.Arc(line.exporter, line.importer, line.kusd) for line in flows.rows],
            labels={code: place(code) for code in dict.fromkeys(ends)},
            title=_("Map of flows"),
            description=_(
                "Arcs from shippers to buyers, wider where more was paid; countries are darker "
                "where they make more. The table below holds the figures."
            ),
        )
    )


def _trend(row: Material) -> dict[str, Any] | None:
    """Return imports of the partners by year."""
    years = door.history(row, PARTNERS)
    if len({year.year for year in years}) < 3:
        return None
    series = [
        engine.Line(
            place(importer),
            [(year.year, year.tonnes) for year in years if year.importer == importer],
        )
        for importer in PARTNERS
    ]
    first, last = min(year.year for year in years), max(year.year for year in years)
    drawn = engine.lines(
        "trend",
        [line for line in series if line.points],
        title=_("Imports by year"),
        description=_("One line for each partner. The table below holds the figures."),
        unit=_("tonnes"),
        words={float(year): str(year) for year in range(first, last + 1, 5)},
    )
    rows = [
        {
            "importer": year.importer,
            "year": year.year,
            "tonnes": year.tonnes,
            "price": year.kusd / year.tonnes,
            "leader": year.leader,
            "leader_share": year.leader_share,
        }
        for year in years
    ]
    return {"svg": svg(drawn), "rows": rows}


def _reliance(row: Material) -> dict[str, Any] | None:
    """Return the printed reliance as a table of years."""
    cells = door.reliance(row)
    if not cells:
        return None
    years = sorted({cell.year for cell in cells})
    details = dict.fromkeys(cell.detail for cell in cells)
    by = {(cell.detail, cell.year): cell for cell in cells}
    return {
        "years": years,
        "rows": [
            {"detail": detail, "cells": [by.get((detail, year)) for year in years]}
            for detail in details
        ],
    }


@access(PUBLIC)
@require_safe
@public_page(version)
def inputs(request: HttpRequest, slug: str, stage: str) -> HttpResponse:
    """Open an index to everything that it was made of."""
    row = door.find(slug)
    one = door.concentration(row, stage)
    cells = door.cells(row, stage)
    if not cells:  # the facts are newer than the summaries
        raise NotFoundError(gettext_noop("there is nothing at this address"))
    unit = cells[0].unit if cells else ""
    rows = [
        {
            "country": line.country,
            "quantity": line.quantity,
            "share": line.share,
            "square": line.share**2,
            "governance": line.governance,
        }
        for line in one.rows
    ]
    context = {
        "material": row,
        "stage": stage,
        "one": one,
        "rows": rows,
        "cells": cells,
        "unit": unit,
    }
    return TemplateResponse(request, "materials/inputs.html", context)


@access(PUBLIC)
@require_safe
@public_page(version)
def exposure(request: HttpRequest) -> HttpResponse:
    """Answer what a country is most vulnerable to."""
    importer = door.place(request.GET.get("country") or door.home())
    rows = list(door.exposure(importer))
    shown: dict[str, Any] = {}
    for row in rows:
        if not row.is_mixed and len(shown) < MOST_BARS:
            shown.setdefault(f"{row.material.name} ({row.code})", row)
    drawn = engine.bars(
        "scores",
        [
            engine.Bar(name, row.score, f"{figure(row.score)} – {place(row.leader)}")
            for name, row in shown.items()
        ],
        title=_("The highest scores (0 to 1)"),
        description=_(
            "Bars by material, the highest score first. The table below holds the figures."
        ),
        whole=1.0,
    )
    names = sorted(((code, place(code)) for code in door.importers()), key=lambda pair: pair[1])
    return TemplateResponse(
        request,
        "materials/exposure.html",
        {
            "importer": importer,
            "rows": rows,
            "svg": svg(drawn),
            "countries": names,
            "products": door.product_exposure(importer),
            "tabs": tabs(request),
        },
    )


@access(PUBLIC)
@require_safe
def exposure_of(request: HttpRequest, country: str, slug: str = "") -> HttpResponse:
    """Go from above the opened scores of a country to its ranking."""
    if slug:
        door.find(slug)
    query = QueryDict(mutable=True)
    query["country"] = door.place(country)
    return redirect(f"{reverse('materials:exposure')}?{query.urlencode()}")


@access(PUBLIC)
@require_safe
def products(request: HttpRequest) -> HttpResponse:
    """Go to where products are listed."""
    return redirect(f"{reverse('materials:exposure')}#by-product")


@access(PUBLIC)
@require_safe
def inputs_of(request: HttpRequest, slug: str) -> HttpResponse:
    """Go from above the opened indices of a material to its page."""
    return redirect("materials:material", door.find(slug).slug)


@access(PUBLIC)
@require_safe
@public_page(version)
def exposure_inputs(request: HttpRequest, country: str, slug: str, code: str) -> HttpResponse:
    """Open a country's score for one material and code to everything that it was made of."""
    one = door.open_exposure(country, slug, code)
    made = sorted(one.made.items(), key=lambda pair: (-pair[1], pair[0]))
    return TemplateResponse(
        request,
        "materials/opened.html",
        {"one": one, "row": one.score, "made": [pair for pair in made if pair[1]]},
    )


@access(PUBLIC)
@require_safe
@public_page(version)
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a product's bill of materials."""
    row = Product.objects.filter(slug=slug).first()
    if row is None:
        raise NotFoundError(gettext_noop("there is nothing at this address"))
    parts = Component.objects.filter(product=row).select_related("material", "part").order_by("pk")
    parents = Product.objects.filter(Q(components__part=row)).distinct()
    return TemplateResponse(
        request,
        "materials/product.html",
        {"product": row, "components": parts, "parents": parents},
    )


@access(PUBLIC)
@require_safe
@public_page(version)
def releases(request: HttpRequest) -> HttpResponse:
    """Show where every figure comes from, and the dated rules."""
    return TemplateResponse(
        request,
        "materials/releases.html",
        {
            "rows": Release.objects.order_by("publisher", "-known_on"),
            "tabs": tabs(request),
        },
    )
