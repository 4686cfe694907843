"""Scenarios and their answers, the response plan, the firm cascade, alarms and cases."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from renkei.base import problems
from renkei.base.access import PUBLIC, access, roles_of
from renkei.base.forms import refusals_on
from renkei.base.http import require_safe
from renkei.base.models import Job, Role, User
from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop
from renkei.materials import door, engine, schemas
from renkei.materials.forms import (
    CaseForm,
    CloseForm,
    NoteForm,
    NoticeForm,
    OwnerForm,
    PlanForm,
    ScenarioForm,
)
from renkei.materials.models import Alarm, Case, Form, Material, PartnerNotice, Product, Scenario
from renkei.materials.templatetags.materials import percent, place
from renkei.materials.views._registry import svg, tabs

OK, REFUSED = 200, 422
form_page = require_http_methods(["GET", "HEAD", "POST"])
ROWS = 25
ALARM_UNITS: Mapping[str, object] = {  # of "usual" and "found"
    Alarm.Kind.LEVEL: gettext_lazy("tonnes a month"),
    Alarm.Kind.YEAR_ON_YEAR: gettext_lazy("times the same month of the year before"),
    Alarm.Kind.UNIT_VALUE: gettext_lazy("thousand US dollars a tonne"),
    Alarm.Kind.BREADTH: gettext_lazy("share of partners"),
}
MOST_FIRMS = 500
NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
MEASURES: Mapping[str, object] = {
    "": gettext_lazy("with everything"),
    "qualify": gettext_lazy("without new suppliers"),
    "release_stock": gettext_lazy("without stock release"),
    "recycle": gettext_lazy("without recycling"),
    "substitute": gettext_lazy("without substitution"),
}

KINDS: Mapping[str, object] = {
    "buy": gettext_lazy("Another supplier"),
    "qualify": gettext_lazy("New supplier, to be qualified"),
    "release_stock": gettext_lazy("Stock release"),
    "recycle": gettext_lazy("Recycling"),
    "substitute": gettext_lazy("Substitution"),
}
VALUES: Mapping[str, object] = {
    "demand": gettext_lazy("more supply for"),
    "capacity": gettext_lazy("more capacity of"),
    "stock": gettext_lazy("more stock of"),
}


def _person(request: HttpRequest) -> User:
    """Return who is signed in; ``access`` has let nobody else in."""
    return cast(User, request.user)


def _is_analyst(request: HttpRequest) -> bool:
    return Role.ANALYST in roles_of(request)


def _is_insider(request: HttpRequest) -> bool:
    """Tell whether somebody may read scenarios that are not public: officers decide on them."""
    return bool({Role.ANALYST, Role.OFFICER} & roles_of(request))


def _form_page(
    request: HttpRequest,
    form: forms.BaseForm,
    *,
    title: str,
    button: str,
    up: tuple[str, str],
    status: int = OK,
) -> HttpResponse:
    context = {"form": form, "title": title, "button": button, "up": up[0], "up_said": up[1]}
    return TemplateResponse(
        request, "materials/form.html", context, status=status, headers=NO_STORE
    )


@access(PUBLIC)
@require_safe
def scenarios(request: HttpRequest) -> HttpResponse:
    """List scenarios: strangers see those that are public."""
    rows = Scenario.objects.order_by("-created_at")
    if not _is_insider(request):
        rows = rows.filter(is_public=True)
    page = Paginator(rows, ROWS).get_page(request.GET.get("page", "1"))
    context = {"page": page, "tabs": tabs(request)}
    return TemplateResponse(request, "materials/scenarios.html", context, headers=NO_STORE)


@access(Role.ANALYST, Role.OFFICER)
@form_page
def scenario_add(request: HttpRequest) -> HttpResponseBase:
    """Build a scenario and queue its answer."""
    up = (reverse("materials:scenarios"), _("What if"))
    title, button = _("What if it stops?"), _("Answer it")
    if request.method != "POST":
        given = request.GET.get("material", "")
        form = ScenarioForm(initial={"materials": [given], "importers": ["JPN", "USA"]})
        return _form_page(request, form, title=title, button=button, up=up)
    form = ScenarioForm(request.POST)
    if form.is_valid():
        with refusals_on(form):
            made = door.disrupt(**form.arguments(), author=_person(request))
            return redirect("materials:scenario", made.slug)
    return _form_page(request, form, title=title, button=button, up=up, status=REFUSED)


@access(PUBLIC)
@require_safe
def scenario(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a scenario: how far its answer is, then map, timeline, tables and plan."""
    row = door.find_scenario(slug, public=not _is_insider(request))
    context: dict[str, Any] = {
        "row": row,
        "job": Job.objects.filter(task=row.task).first() if row.task else None,
        "may_edit": _is_analyst(request),
        "why": schemas.why_out(row),
        "may_run": _is_insider(request),
        "plans": door.plans(scenario=row.slug),
        "form": PlanForm() if Role.OFFICER in roles_of(request) else None,
        "straits": [door.strait_name(name) for name in row.straits.split()],
        "sites": door.sites().filter(slug__in=row.sites.split()),
    }
    if row.state == Scenario.Answer.READY and row.result:
        context |= (
            _cascade(row)
            if "cascade" in row.result
            else _answer(row, with_stocks=_is_analyst(request))
        )
    template = (
        "materials/_progress.html"
        if request.headers.get("HX-Request")
        else "materials/scenario.html"
    )
    response = TemplateResponse(request, template, context, headers=NO_STORE)
    if request.headers.get("HX-Request") and row.state != Scenario.Answer.WAITING:
        response["HX-Refresh"] = "true"
    return response


def _answer(row: Scenario, *, with_stocks: bool) -> dict[str, Any]:
    """Return what the page of an answered scenario shows; the node's stocks to analysts alone."""
    result = schemas.result_out(row, with_stocks=with_stocks) or {}
    result = {"spared": (), "unmet": (), **result}  # older answers have fewer parts
    names = {one.slug: one for one in Material.objects.all()}
    products = {one.slug: one for one in Product.objects.all()}
    shown = []
    parties = set(result["parties"])
    for number, one in enumerate(result["materials"]):
        material = names[one["material"]]
        shown.append(
            {
                "material": material,
                "flags": [
                    flag if isinstance(flag, str) else schemas.remark(flag) for flag in one["flags"]
                ],
                "hit_tonnes": one["hit_tonnes"],
                "year": one.get("year"),
                "summary": [_ends(row, line) for line in one.get("summary", ())],
                "dearer": one.get("dearer", ()),
                "rows": [_shortage(line) for line in one["rows"] if line["country"] in parties],
                "others": [
                    _shortage(line) for line in one["rows"] if line["country"] not in parties
                ],
                "lost": one["lost"],
                "map": _lost_map(f"lost-{number}", material, one) if number < 3 else "",
                "timeline": _timeline(f"time-{number}", row, one, result["parties"])
                if number < 3
                else "",
            }
        )
    response = result.get("response")
    return {
        "may_propose": bool((row.result or {}).get("response")),
        "hides_stocks": bool((row.result or {}).get("response")) and response is None,
        "answers": shown,
        "parties": result["parties"],
        "products": [
            {**line, "product": products[line["product"]], "because": names.get(line["because"])}
            for line in result["products"]
            if line["product"] in products
        ],
        "response": response
        and {
            **response,
            "by_party": [
                {**line, "material": names[line["material"]]} for line in response["by_party"]
            ],
            "variants": [
                {**line, "said": MEASURES[line["without"]]} for line in response["variants"]
            ],
            "values": [
                {**line, "material": names.get(line["material"]), "said": VALUES[line["kind"]]}
                for line in response["values"]
                if with_stocks or line["kind"] != "stock"
            ],
            "alternatives": [
                {**line, "material": names.get(line["material"]), "said": KINDS[line["kind"]]}
                for line in response["alternatives"]
                if "who" in line
            ],
        },
        "actions": row.recommendations.select_related("material").order_by("rank"),
        "elasticities": result["elasticities"],
        "stock_days": result["stock_days"],
        "unseen": [names[slug] for slug in result["unseen"]],
        "spared": [names[slug] for slug in result["spared"]],
        "unmet": [{**line, "material": names[line["material"]]} for line in result["unmet"]],
    }


def _ends(row: Scenario, line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a party's line with the dates on which its stock ends."""

    def day(after: float | None) -> date | None:
        return None if after is None else row.starts_on + timedelta(days=int(after))

    ends = {
        name: [{"days": after, "on": day(after)} for after in pair]
        for name, pair in line["stock_ends"].items()
    }
    return {**line, "ends": ends}


def _shortage(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **line,
        "since": date.fromisoformat(line["since"]),
        "until": date.fromisoformat(line["until"]),
    }


def _lost_map(name: str, material: Material, one: Mapping[str, Any]) -> str:
    """Return the map of who is short without diversion, and of the flows that stop."""
    shares: dict[str, float] = {}
    for line in one["rows"]:
        shares[line["country"]] = max(shares.get(line["country"], 0.0), line["no_diversion"])
    ends = [end for arc in one["lost"][:6] for end in (arc["exporter"], arc["importer"])]
    return svg(
        engine.world_map(
            name,
            shares=shares,
            arcs=[
                engine.Arc(arc["exporter"], arc["importer"], arc["tonnes"], is_lost=True)
                for arc in one["lost"]
            ],
            labels={code: place(code) for code in dict.fromkeys(ends)},
            title=_("Who is short of {material}").format(material=material.name),
            description=_(
                "Countries are darker where a larger share of use is missing without diversion; "
                "dashed arcs are flows that stop. The table below holds the figures."
            ),
        )
    )


def _timeline(name: str, row: Scenario, one: Mapping[str, Any], parties: list[str]) -> str:
    """Return the share that each party misses over time, with the band between the corners."""
    series = []
    for party in parties:
        lines = sorted(
            (line for line in one["rows"] if line["country"] == party),
            key=lambda line: line["since"],
        )
        points, band = [], []
        for line in lines:
            for day in (line["since"], line["until"]):
                x = float((date.fromisoformat(day) - row.starts_on).days)
                points.append((x, line["no_diversion"] * 100))
                band.append((x, line["capped"][0] * 100, line["capped"][1] * 100))
        if points:
            series.append(engine.Line(place(party), points, band))
    if not series:
        return ""
    return svg(
        engine.lines(
            name,
            series,
            title=_("Share of use that is missing, in percent"),
            description=_(
                "Lines: without diversion. Bands: between the careful and the hopeful corner of what "
                "is uncertain. With free diversion nobody may be short. The table below holds the "
                "figures."
            ),
            unit=_("percent of use missing; days since the first day"),
        )
    )


def _cascade(row: Scenario) -> dict[str, Any]:
    """Return what the page of a firm cascade shows."""
    found = (row.result or {})["cascade"]
    days = [(float(day), loss * 100) for day, loss in enumerate(found["days"])]
    lows, highs = (found.get(name, found["days"]) for name in ("days_low", "days_high"))
    band = [
        (float(day), low * 100, high * 100)
        for day, (low, high) in enumerate(zip(lows, highs, strict=True))
    ]
    drawn = engine.lines(
        "days",
        [engine.Line(_("all firms"), days, band)],
        title=_("Lost output by day, in percent"),
        description=_(
            "One line over the days since the attack; the band runs from large stocks to small ones. "
            "The figures are in the table below."
        ),
        unit=_("percent of usual output; days since the first day"),
    )
    ranked = engine.bars(
        "systemic",
        [
            engine.Bar(line["firm"], line["loss"], percent(line["loss"]))
            for line in found["systemic"][:12]
        ],
        title=_("Which firm alone would cost most"),
        description=_("Bars by firm, the largest loss first. The table below holds the figures."),
    )
    return {
        "cascade": found,
        "days": svg(drawn),
        "ranked": svg(ranked),
        "tenth": list(zip(found["days"], lows, highs, strict=True))[::10],
    }


@access(Role.ANALYST, Role.OFFICER)
@require_POST
def scenario_stop(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Ask the job of a scenario to stop."""
    row = door.find_scenario(slug)
    try:
        door.stop(row)
    except RenkeiError as error:
        messages.error(request, problems.say(error))
    else:
        messages.success(request, _("The job was asked to stop."))
    return redirect("materials:scenario", slug)


@access(PUBLIC)
@require_safe
def cascade(request: HttpRequest) -> HttpResponse:
    """Explain the firm cascade and list its runs."""
    rows = Scenario.objects.filter(kind=Scenario.Kind.CYBER_ATTACK).order_by("-created_at")
    if not _is_analyst(request):
        rows = rows.filter(is_public=True)
    context = {
        "rows": rows[:ROWS],
        "tabs": tabs(request),
        "firms": door.own_firms()[:MOST_FIRMS] if _is_analyst(request) else (),
    }
    return TemplateResponse(request, "materials/cascade.html", context, headers=NO_STORE)


@access(PUBLIC)
@require_safe
def alarms(request: HttpRequest) -> HttpResponse:
    """List alarms, the newest month first."""
    page = Paginator(door.alarms(), ROWS).get_page(request.GET.get("page", "1"))
    rows = list(page.object_list)
    figures = door.alarm_figures(rows)
    goods: dict[str, list[str]] = {}
    for form in Form.objects.filter(hs2022__in={row.code for row in rows}).order_by("pk"):
        said = goods.setdefault(form.hs2022, [])
        if form.name not in said:
            said.append(form.name)
    back = door.back_test()
    context = {
        "page": page,
        "lines": [
            {
                "row": row,
                "goods": ", ".join(goods.get(row.code, ())),
                "unit": ALARM_UNITS.get(row.kind, ""),
                "figures": figures[row.pk],
            }
            for row in rows
        ],
        "tabs": tabs(request),
        "back": back,
        "kinds": [
            {**one, "kind": Alarm.Kind(one["kind"]).label} for one in back.get("by_kind", ())
        ],
    }
    return TemplateResponse(request, "materials/alarms.html", context, headers=NO_STORE)


@access(Role.ANALYST)
@require_safe
def cases(request: HttpRequest) -> HttpResponse:
    """List cases, open ones first."""
    rows = Case.objects.select_related("owner").order_by("closed_at", "-opened_at")
    page = Paginator(rows, ROWS).get_page(request.GET.get("page", "1"))
    context = {
        "page": page,
        "tabs": tabs(request),
        "received": door.partner_notices()[:ROWS],
    }
    return TemplateResponse(request, "materials/cases.html", context, headers=NO_STORE)


def _asked(given: str, model: type[Any]) -> Any:
    """Return the row that an address names by its number, if it names one.

    Raises:
        NotFoundError: there is none.
    """
    if not given:
        return None
    row = model._default_manager.filter(pk=int(given)).first() if given.isdigit() else None  # noqa: SLF001
    if row is None:
        raise NotFoundError(gettext_noop("there is nothing at this address"))
    return row


@access(Role.ANALYST)
@form_page
def case_add(request: HttpRequest) -> HttpResponseBase:
    """Open a case, of an alarm or a scenario if the address names one."""
    up = (reverse("materials:cases"), _("Cases"))
    title, button = _("Open a case"), _("Open the case")
    alarm = _asked(request.GET.get("alarm", ""), Alarm)
    about = door.find_scenario(request.GET["scenario"]) if request.GET.get("scenario") else None
    notice = _asked(request.GET.get("notice", ""), PartnerNotice)
    if request.method != "POST":
        said = str(alarm) if alarm else about.title if about else ""
        if notice is not None:
            fields = door.find_partner_notice(notice.pk).fields or {}
            said = fields.get("text", "")[:160]
        form = CaseForm(initial={"title": said})
        return _form_page(request, form, title=title, button=button, up=up)
    form = CaseForm(request.POST)
    if form.is_valid():
        with refusals_on(form):
            made = door.open_case(
                **form.arguments(), owner=_person(request), alarm=alarm, scenario=about
            )
            if notice is not None:
                door.take_notice(notice.pk, made)
            return redirect("materials:case", made.slug)
    return _form_page(request, form, title=title, button=button, up=up, status=REFUSED)


@access(Role.ANALYST)
@form_page
def case(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show a case; take notes, another owner, a notice, an end."""
    row = door.find_case(slug)
    blank: dict[str, forms.BaseForm] = {
        "note": NoteForm(prefix="note"),
        "owner": OwnerForm(prefix="owner", initial={"owner": row.owner_id}),
        "notice": NoticeForm(
            prefix="notice",
            initial={"materials_affected": " ".join(one.slug for one in row.materials.all())},
        ),
        "close": CloseForm(prefix="close"),
    }
    status = OK
    if request.method == "POST":
        status = _act(request, row, blank)
        if status == OK:
            return redirect("materials:case", slug)
    notices = list(row.notices.order_by("-pk"))
    context = {
        "row": row,
        "forms": blank,
        "notes": row.notes.select_related("author").order_by("at"),
        "notices": [(one, door.notice_out(one)) for one in notices],
        "received": door.partner_notices(case=row),
        "materials": row.materials.order_by("name_en"),
        "alarm_unit": ALARM_UNITS.get(row.alarm.kind, "") if row.alarm else "",
    }
    return TemplateResponse(
        request, "materials/case.html", context, status=status, headers=NO_STORE
    )


def _act(request: HttpRequest, row: Case, blank: dict[str, forms.BaseForm]) -> int:
    """Do what the form that was sent asks for; return the status of the answer."""
    author, asked = _person(request), request.POST.get("do", "")
    if asked == "send":
        return _send(request, row)
    kinds: dict[str, type[forms.BaseForm]] = {
        "note": NoteForm,
        "owner": OwnerForm,
        "notice": NoticeForm,
        "close": CloseForm,
    }
    if asked not in kinds:
        raise problems.BadRequestError(gettext_noop("the request cannot be read"))
    form = blank[asked] = kinds[asked](request.POST, prefix=asked)
    if not form.is_valid():
        return REFUSED
    data = form.cleaned_data
    with refusals_on(form) as refused:
        if asked == "note":
            door.add_note(row, text=data["text"], author=author)
        elif asked == "owner":
            door.hand_over(row, owner=User.objects.get(pk=data["owner"]))
        elif asked == "notice":
            door.add_notice(row, author=author, **data)
        else:
            door.close_case(row, reason=data["reason"])
    if refused:
        messages.error(request, problems.say(refused[0]))
        return refused[0].status
    messages.success(request, _("Saved."))
    return OK


def _send(request: HttpRequest, row: Case) -> int:
    """Send one notice of a case to the partner."""
    number = request.POST.get("notice", "")
    try:
        if not number.isdecimal() or not row.notices.filter(pk=int(number)).exists():
            raise NotFoundError(gettext_noop("there is nothing at this address"))
        door.send_notice(int(number), by=_person(request))
    except RenkeiError as error:
        messages.error(request, problems.say(error))
        return error.status
    messages.success(request, _("The notice is signed and on its way."))
    return OK
