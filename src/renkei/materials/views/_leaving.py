"""What may leave the node of its own tables: gated sums of stocks, and the size of a shared set."""

from collections.abc import Mapping
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from renkei.base import problems
from renkei.base.access import access, roles_of
from renkei.base.models import Role, User
from renkei.kit.errors import ForbiddenError, RenkeiError, gettext_noop
from renkei.materials import door, engine
from renkei.materials.forms import OverlapForm
from renkei.materials.models import Material
from renkei.materials.views._registry import tabs

WHY: Mapping[str, object] = {
    "few_contributors": gettext_lazy("fewer than three holders"),
    "p_percent": gettext_lazy("one holder could be worked out"),
    "difference": gettext_lazy("the change since the last edition would give a holder away"),
    "partner": gettext_lazy("a partner holds it back"),
    "protects": gettext_lazy("held back to protect others"),
}
MOST_ROWS = 50


@access(Role.ANALYST, Role.OFFICER)
@require_http_methods(["GET", "HEAD", "POST"])
def leaving(request: HttpRequest) -> HttpResponseBase:
    """Show which figures may be told and which questions were asked; tell them, or ask."""
    status, form = 200, OverlapForm()
    if request.method == "POST":
        try:
            if request.POST.get("do") == "release":
                _release(request)
            else:
                form = OverlapForm(request.POST)
                _ask(request, form)
        except RenkeiError as error:
            messages.error(request, problems.say(error))
            status = error.status
        else:
            return redirect("materials:leaving")
    return _page(request, form, status=status)


def _release(request: HttpRequest) -> None:
    if Role.OFFICER not in roles_of(request):
        raise ForbiddenError(gettext_noop("only an officer decides what is told"))
    told = [one for one in door.publish_figures(by=cast(User, request.user)) if not one.why]
    messages.success(
        request,
        ngettext("{count} figure is told.", "{count} figures are told.", len(told)).format(
            count=len(told)
        ),
    )


def _ask(request: HttpRequest, form: OverlapForm) -> None:
    if not form.is_valid():
        raise problems.BadRequestError(gettext_noop("the request cannot be read"))
    row = door.ask_overlap(form.cleaned_data["partner"], by=cast(User, request.user))
    messages.success(
        request,
        _("{shared} of {size} suppliers are shared with {partner}.").format(
            shared=row.shared, size=row.size, partner=row.partner
        ),
    )


def _page(request: HttpRequest, form: OverlapForm, *, status: int) -> HttpResponse:
    names = {row.slug: row.name for row in Material.objects.all()}
    said, figures = "", []
    try:
        figures = door.preview()
    except RenkeiError as error:
        said = problems.say(error)
    context = {
        "tabs": tabs(request),
        "said": said,
        "figures": [
            {"one": one, "name": names.get(one.material, one.material), "why": WHY.get(one.why, "")}
            for one in figures
        ],
        "waiting": door.unsettled() if door.patterns() else [],
        "patterns": door.patterns(),
        "may_release": Role.OFFICER in roles_of(request),
        "form": form,
        "suppliers": len(door.own_suppliers()),
        "least": engine.LEAST_SET,
        "most": engine.MOST_QUERIES_A_DAY,
        "overlaps": door.overlaps()[:MOST_ROWS],
    }
    return TemplateResponse(
        request,
        "materials/leaving.html",
        context,
        status=status,
        headers={"Cache-Control": "no-store"},
    )
