"""The border at a glance: partners, what was proven when, and what people must look at."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from renkei.base.access import PUBLIC, access
from renkei.base.forms import refusals_on
from renkei.base.http import require_safe
from renkei.base.models import Role, User
from renkei.base.problems import say
from renkei.base.rooms import Figure
from renkei.base.rows import ask, moment
from renkei.base.shell import url
from renkei.border import door
from renkei.border.forms import CloseForm
from renkei.border.models import Act, Checkpoint, Entry, Incident, Log, Peer
from renkei.border.views._acts import title_of
from renkei.kit.errors import NotFoundError, RenkeiError

LONGEST_LIST = 200
UNDER_WAY = ("proposed", "approved")


_LAST_PROVEN = """
SELECT c.size, c.witnessed_at FROM border_checkpoint c JOIN border_log l ON l.id = c.log_id
WHERE l.name = %s AND c.is_witnessed ORDER BY c.size DESC LIMIT 1
"""


_NEWEST_WITNESSED = """
SELECT id, count(*) OVER () AS number FROM border_act WHERE witnessed_at IS NOT NULL
ORDER BY witnessed_at DESC, id DESC LIMIT 1
"""


def _partners() -> list[dict[str, Any]]:
    sizes = door.witnessed_sizes()
    rows = []
    for partner in door.partners():
        log = Log.objects.filter(name=partner.name).first()
        peer = Peer.objects.filter(name=partner.name).first()
        rows.append(
            {
                "partner": partner,
                "log": log,
                "peer": peer,
                "proven": _proven(log) if log else None,
                "witnessed": sizes.get(log.pk, 0) if log else 0,
                "is_pinned": bool(partner.fingerprint),
            }
        )
    return rows


def _proven(log: Log) -> Checkpoint | None:
    return Checkpoint.objects.filter(log=log, is_witnessed=True).order_by("-size").first()


@access(PUBLIC)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the node's own log, its partners, and what waits for people."""
    own = Log.objects.filter(is_own=True).first()
    return TemplateResponse(
        request,
        "border/overview.html",
        {
            "own": own,
            "own_proven": _proven(own) if own else None,
            "fingerprint": door.fingerprint() if own else "",
            "partners": _partners(),
            "pending": Act.objects.filter(stage__in=UNDER_WAY).order_by("-pk")[:20],
            "incidents": Incident.objects.filter(closed_at=None).count(),
        },
    )


def _said(incident: Incident) -> str:
    said = incident.said
    return say(RenkeiError(said["sentence"], **said["values"]))


@access(Role.OFFICER, Role.BOARD, Role.OPERATOR)
@require_safe
def incidents(request: HttpRequest) -> HttpResponse:
    """List what happened, what is open first."""
    rows = Incident.objects.select_related("log").order_by("-last_at")
    still = [(row, _said(row)) for row in rows.filter(closed_at=None)[:LONGEST_LIST]]
    over = [(row, _said(row)) for row in rows.exclude(closed_at=None)[:LONGEST_LIST]]
    troubled = Entry.objects.filter(fate__in=["refused", "invalid", "waiting", "quarantined"])
    return TemplateResponse(
        request,
        "border/incidents.html",
        {
            "open": still,
            "closed": over,
            "entries": troubled.select_related("log").order_by("-pk")[:LONGEST_LIST],
        },
    )


@access(Role.OFFICER)
@require_http_methods(["GET", "HEAD", "POST"])
def incident(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Show one incident; on POST close it with a reason."""
    row = Incident.objects.select_related("log").filter(pk=pk).first()
    if row is None:
        raise Http404
    form = CloseForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and isinstance(request.user, User):
        with refusals_on(form):
            door.close_incident(pk, by=request.user, why=form.cleaned_data["why"])
            return redirect("border:incidents")
    return TemplateResponse(
        request,
        "border/incident.html",
        {"row": row, "said": _said(row), "form": form},
        status=422 if form.is_bound else 200,
    )


@access(Role.OFFICER, Role.BOARD, Role.OPERATOR)
@require_safe
def evidence(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Give the file that proves an incident."""
    try:
        name, data = door.evidence_file(pk)
    except NotFoundError as error:
        raise Http404 from error
    return HttpResponse(
        data,
        content_type="application/json" if name.endswith(".json") else "application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@access(PUBLIC)
@require_safe
def verify(request: HttpRequest) -> HttpResponse:
    """Show the page that checks a receipt in the browser, without asking anybody."""
    return TemplateResponse(request, "border/verify.html", {})


def figures() -> list[Figure]:
    """Return what the dashboard shows: each partner's last proven state, what all have witnessed."""
    shown = []
    for partner in door.partners():  # at every request for the dashboard: its version asks too
        proven = next(iter(ask(_LAST_PROVEN, [partner.name])), None)
        note: Any = gettext_lazy("not exchanged yet")
        if proven:
            note = _("{size} entries, cosigned by every party").format(size=proven.size)
        at = moment(proven.witnessed_at) if proven and proven.witnessed_at else None
        shown.append(
            Figure(
                label=_("Last proven state of {name}").format(name=partner.party),
                value=_moment(at) if proven else _("none yet"),
                url=url("border:overview"),
                note=note,
            )
        )
    if newest := next(iter(ask(_NEWEST_WITNESSED)), None):
        act = Act.objects.get(pk=newest.id)
        shown.append(
            Figure(
                label=_("Joint acts witnessed by all"),
                value=str(newest.number),
                url=url("border:acts"),
                note=_("newest: {title}").format(title=title_of(act)),
            )
        )
    return shown


def _moment(at: datetime | None) -> str:
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M") if at else ""
