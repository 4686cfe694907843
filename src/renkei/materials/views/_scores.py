"""The EU's scores with their inputs, and eligibility by dated rules."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from renkei.base import problems
from renkei.base.access import PUBLIC, access
from renkei.base.http import require_safe
from renkei.kit.errors import RenkeiError
from renkei.materials import door, engine
from renkei.materials.forms import FACTS, PASSPORT, PROGRAMMES, EuForm, JudgeForm
from renkei.materials.models import Material, Rule
from renkei.materials.templatetags.materials import place
from renkei.materials.views._registry import tabs

OK = 200
INPUTS: Mapping[str, object] = {
    "global_concentration": _(
        "Concentration of the world's supply, weighted by governance (0 to 10)"
    ),
    "own_concentration": _("Concentration of the country's sourcing, weighted likewise (0 to 10)"),
    "import_reliance": _("Net import reliance"),
    "recycling_rate": _("End-of-life recycling input rate"),
    "substitution": _("Substitution index"),
    "largest_value_added": _("Value added of the largest sector"),
}
ORIGINS: Mapping[str, object] = {
    "production": _("from the production table below"),
    "trade": _("from the imports below"),
    "no-trade": _("no code shows what it buys: open between 0 and 10"),
    "printed": _("as the US Geological Survey prints it"),
    "no-production": _("the table names no production of its own"),
    "open": _("it makes some itself; how much of its use, is not known: open between 0 and 1"),
    "stated": _("as stated"),
    "left-out": _("not in the registry: left out, so that the score is an upper bound"),
}
VERDICTS: Mapping[str, tuple[object, str]] = {
    "yes": (_("Eligible"), "badge-good"),
    "no": (_("Not eligible"), "badge-bad"),
    "unknown": (_("A fact is missing"), "badge-warning"),
    "not_in_force": (_("No clause is in force on that day"), "badge-warning"),
}


@access(PUBLIC)
@require_safe
def eu(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the EU's supply risk of a material for a country, opened to its inputs."""
    row = door.find(slug)
    form = EuForm(request.GET or None)
    asked: dict[str, Any] = form.cleaned_data if form.is_bound and form.is_valid() else {}
    country = door.place(asked.get("country") or request.GET.get("country") or door.home())
    said, status, found = "", OK, None
    try:
        found = door.eu_score(
            row,
            country,
            stage=asked.get("stage", ""),
            recycling=door.interval(asked.get("recycling", "")),
            substitution=door.interval(asked.get("substitution", "")),
            uses=door.parse_uses(asked.get("uses", "")),
            largest_value_added=asked.get("largest"),
        )
    except RenkeiError as error:
        said, status = problems.say(error), error.status
    context = {
        "material": row,
        "country": country,
        "form": form if form.is_bound else EuForm(initial={"country": country}),
        "found": found,
        "said": said,
        "inputs": _inputs(found) if found else (),
        "importance": found.importance.inputs if found and found.importance else (),
        "own_rows": sorted(found.own.rows, key=lambda line: -line.share)
        if found and found.own
        else (),
    }
    return TemplateResponse(request, "materials/eu.html", context, status=status)


def _inputs(found: door.EuScore) -> list[dict[str, Any]]:
    return [
        {
            "name": INPUTS[one.name],
            "low": one.value.low,
            "high": one.value.high,
            "origin": ORIGINS[found.origins[one.name]],
        }
        for one in found.supply.inputs
    ]


@access(PUBLIC)
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """Judge typed facts by a programme's rules as of a day; each clause answers for itself."""
    programme = request.GET.get("programme", "")
    if "as_of" in request.GET or programme not in door.programmes():
        form = JudgeForm(request.GET or None, programme=programme)
    else:  # a programme was chosen: ask for its facts, as of today
        initial = {"programme": programme, "as_of": timezone.localdate()}
        form = JudgeForm(programme=programme, initial=initial)
    said, status, found = "", OK, None
    if form.is_bound and form.is_valid():
        try:
            found = door.judge(**form.arguments())
        except RenkeiError as error:
            said, status = problems.say(error), error.status
    elif form.is_bound:
        status = 422
    names = {row.name_en: row.name for row in Rule.objects.all()}
    context = {
        "form": form,
        "found": found,
        "said": said,
        "verdict": VERDICTS[found.verdict] if found else None,
        "programme": PROGRAMMES.get(programme, programme),
        "findings": [
            {
                "one": one,
                "name": names.get(one.rule, one.rule),
                "detail": _detail(one),
                "missing": [FACTS.get(name, name) for name in one.missing],
            }
            for one in (found.findings if found else ())
        ],
        "rules": [
            {
                "row": row,
                "asks": _asks(row.content),
                "ended": _ended(row),
                "never": (_ended(row) or date.max) < row.effective_from,
            }
            for row in Rule.objects.order_by("family", "effective_from", "pk")
        ],
        "programmes": [(name, PROGRAMMES.get(name, name)) for name in door.programmes()],
        "chosen": programme,
        "tabs": tabs(request),
    }
    return TemplateResponse(request, "materials/rules.html", context, status=status)


def _ended(row: Rule) -> date | None:
    """Return the last day of a rule by a later law."""
    ended = row.content["ended"]
    return date.fromisoformat(ended) if ended else None


def _asks(content: Mapping[str, Any]) -> str:
    """Return in short what a rule asks for."""
    kind, names = content["kind"], ", ".join(place(name) for name in content["countries"])
    if kind in {"share_from_partners", "at_least"}:
        return f"≥ {content['least']:.0%}"
    if kind == "none_from":
        return gettext("nothing from {countries}").format(countries=names)
    if kind == "in_force":
        known = {
            row.slug: row.name for row in Material.objects.filter(slug__in=content["minerals"])
        }
        return f"{names}: {', '.join(known.get(name, name) for name in content['minerals'])}"
    return ", ".join(map(_field, content["fields"]))


def _field(name: str) -> str:
    """Return a field of the passport in words, and the name by which the form takes it."""
    return f"{PASSPORT[name]} ({name})" if name in PASSPORT else place(name)


def _detail(one: engine.Finding) -> str:
    return ", ".join(map(_field, one.detail))
