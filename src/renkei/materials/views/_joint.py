"""Joint runs: two nodes' firms in one cascade, and every byte of it that crossed the border."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from renkei.base import problems
from renkei.base.access import access, roles_of
from renkei.base.forms import refusals_on
from renkei.base.models import Job, Role, User
from renkei.kit.errors import RenkeiError
from renkei.materials import door, engine
from renkei.materials.forms import JointRunForm
from renkei.materials.models import JointRun, Material
from renkei.materials.views._registry import tabs

NO_STORE: dict[str, Any] = {"Cache-Control": "no-store"}
ROWS = 25
insiders = access(Role.ANALYST, Role.OFFICER)


@insiders
@require_safe
def joint_runs(request: HttpRequest) -> HttpResponse:
    """List joint runs."""
    context = {
        "page": Paginator(door.joint_runs(), ROWS).get_page(request.GET.get("page", "1")),
        "tabs": tabs(request),
        "may_edit": Role.ANALYST in roles_of(request),
    }
    return TemplateResponse(request, "materials/joint_runs.html", context, headers=NO_STORE)


@access(Role.ANALYST)
@require_http_methods(["GET", "HEAD", "POST"])
def joint_add(request: HttpRequest) -> HttpResponseBase:
    """Open a joint run."""
    status, form = 200, JointRunForm()
    if request.method == "POST":
        status, form = 422, JointRunForm(request.POST)
        if form.is_valid():
            with refusals_on(form):
                made = door.open_joint(**form.arguments(), author=cast(User, request.user))
                return redirect("materials:joint_run", made.uid)
    context = {"form": form, "most": door.MOST_JOINT_RUNS_A_DAY}
    return TemplateResponse(
        request, "materials/joint_add.html", context, status=status, headers=NO_STORE
    )


@access(Role.ANALYST)
@require_POST
def joint_verb(request: HttpRequest, uid: str) -> HttpResponseBase:
    """Stop a joint run, or go on with it."""
    row = door.find_joint_run(uid)
    try:
        (door.resume_joint if request.POST.get("do") == "resume" else door.stop_joint)(row)
    except RenkeiError as error:
        messages.error(request, problems.say(error))
    else:
        messages.success(request, _("Noted."))
    return redirect("materials:joint_run", uid)


@insiders
@require_safe
def joint_run(request: HttpRequest, uid: str) -> HttpResponse:
    """Show a joint run: how far it is, what both nodes know, what stays here, what crossed."""
    row = door.find_joint_run(uid)
    moves = not row.is_over and row.state != JointRun.State.PAUSED
    context = {
        "row": row,
        "moves": moves,
        "job": Job.objects.filter(task=row.task).first() if row.task else None,
        "may_edit": Role.ANALYST in roles_of(request),
        "tabs": tabs(request),
        "vectors": _vectors(row.agreed) if row.agreed else [],
        "sides": row.agreed["sides"] if row.agreed else [],
        "messages_of": door.joint_messages(row),
        "target": door.target("joint"),
    }
    is_part = bool(request.headers.get("HX-Request"))
    template = "materials/_joint_progress.html" if is_part else "materials/joint_run.html"
    response = TemplateResponse(request, template, context, headers=NO_STORE)
    if is_part and not moves:
        response["HX-Refresh"] = "true"
    return response


def _vectors(agreed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the table: by product, what is left of deliveries and orders of each side."""
    names = {row.slug: row.name for row in Material.objects.all()}
    return [
        {
            "product": names.get(product, product),
            "shares": [
                side[name][at] / engine.UNITS
                for side in agreed["sides"]
                for name in ("deliveries", "orders")
            ],
        }
        for at, product in enumerate(agreed["products"])
    ]


@insiders
@require_safe
def joint_file(request: HttpRequest) -> HttpResponse:
    """Give every message of every run as a file: with the ledger beside it, anybody can check it."""
    rows = [
        {"run": run.uid, **one}
        for run in door.joint_runs().order_by("pk")
        for one in door.joint_messages(run)
    ]
    said = {
        "target": door.target("joint"),
        "schema": engine.JOINT_SCHEMA,
        "items": rows,
    }
    return JsonResponse(
        said,
        headers={
            **NO_STORE,
            "Content-Disposition": 'attachment; filename="renkei-joint-messages.json"',
        },
    )
