"""Joint response plans: what was proposed to every party, and how far it is."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from renkei.base import problems
from renkei.base.access import PUBLIC, access, roles_of
from renkei.base.http import require_safe
from renkei.base.models import Role, User
from renkei.kit.errors import RenkeiError
from renkei.materials import door, engine
from renkei.materials.forms import RANGES, PlanForm, ScenarioForm
from renkei.materials.models import Material, Product, Recommendation, Scenario
from renkei.materials.views._registry import tabs

NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}


@access(PUBLIC)
@require_safe
def plans(request: HttpRequest) -> HttpResponse:
    """List joint plans, the newest first."""
    context = {"plans": door.plans(), "tabs": tabs(request)}
    return TemplateResponse(request, "materials/plans.html", context, headers=NO_STORE)


@access(PUBLIC)
@require_safe
def plan(request: HttpRequest, uid: str) -> HttpResponse:
    """Show a joint plan in the reader's language, whatever its stage."""
    found = door.find_plan(uid)
    content = found.content
    asked = content["scenario"]
    names = {row.slug: row for row in Material.objects.all()}
    goods = {row.slug: row for row in Product.objects.all()}
    kinds = dict(Recommendation._meta.get_field("kind").flatchoices)  # noqa: SLF001  Django's name
    context = {
        "plan": found,
        "asked": asked,
        "by": engine.place_code(content["by"]) or content["by"],
        "kind": dict(Scenario.Kind.choices).get(asked["kind"], asked["kind"]),
        "countries": " ".join(asked["countries"]),
        "importers": " ".join(asked["importers"]),
        "straits": [door.strait_name(name) for name in asked.get("straits", ())],
        "sites": door.site_names(asked.get("sites", ())),
        "severity": float(asked["severity"]),
        "ranges": list(_ranges(content["assumptions"]["elasticities"])),
        "fair_gap": float(content["assumptions"]["fair_gap"]),
        "starts_on": date.fromisoformat(asked["starts_on"]),
        "missing": float(content["missing_share"]),
        "stock": " ".join(content["releases_stock"]),
        "materials": [
            names[slug]
            for slug in dict.fromkeys(row["material"] for row in content["bounds"])
            if slug in names
        ],
        "bounds": [
            {
                **row,
                **_two(row),
                "name": _name(names, row["material"]),
                "caps": [float(end) for end in row.get("with_caps", ())],
                "first": date.fromisoformat(row["since"]),
                "last": date.fromisoformat(row["until"]),
            }
            for row in content["bounds"]
        ],
        "products": [
            {
                **row,
                **_two(row),
                "good": goods.get(row["product"]),
                "name": _name(names, row["because"]),
            }
            for row in content["products"]
        ],
        "actions": [
            {
                **row,
                "said": kinds.get(row["kind"], row["kind"]),
                "name": _name(names, row["material"]),
                "amount": float(row["tonnes"]),
            }
            for row in content["actions"]
        ],
        "may_answer": Role.OFFICER in roles_of(request) and found.is_waiting_here,
        "scenario": _scenario(request, found),
    }
    return TemplateResponse(request, "materials/plan.html", context, headers=NO_STORE)


def _ranges(stated: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, float], str]]:
    """Yield each range that the plan rests on: its label, both ends, and how they are written."""
    for name in RANGES:
        if name in stated:
            low, high = (float(end) for end in stated[name])
            unit = "figure" if name == "qualification_days" else "percent"
            yield str(ScenarioForm.base_fields[name].label), (low, high), unit


def _two(row: Mapping[str, Any]) -> dict[str, float]:
    return {"most": float(row["no_diversion"]), "least": float(row["free_diversion"])}


def _name(names: Mapping[str, Material], slug: str) -> str:
    return names[slug].name if slug in names else slug


def _scenario(request: HttpRequest, found: door.JointPlan) -> Scenario | None:
    """Return the scenario of a plan of this node, if the reader may see it."""
    rows = Scenario.objects.filter(slug=found.scenario_here) if found.scenario_here else None
    if rows is not None and not {Role.ANALYST, Role.OFFICER} & roles_of(request):
        rows = rows.filter(is_public=True)
    return rows.first() if rows is not None else None


@access(Role.OFFICER)
@require_POST
def scenario_propose(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Propose the plan of a scenario to the other parties."""
    row = door.find_scenario(slug)
    form = PlanForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why: the partner's officers read the reason."))
        return redirect("materials:scenario", slug)
    try:
        made = door.propose(row, by=cast(User, request.user), **form.cleaned_data)
    except RenkeiError as error:
        messages.error(request, problems.say(error))
        return redirect("materials:scenario", slug)
    messages.success(request, _("The plan is signed and on its way; your party has approved it."))
    return redirect("materials:plan", made.act.uid)
