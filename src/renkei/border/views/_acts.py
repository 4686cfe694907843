"""Joint acts on pages: what was proposed, who approved it, and how far it is proven."""

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from renkei.base.access import PUBLIC, access, roles_of
from renkei.base.forms import refusals_on
from renkei.base.http import require_safe
from renkei.base.models import Role, User
from renkei.border import door
from renkei.border.forms import AnswerForm, ProposalForm
from renkei.border.models import Act

LONGEST_LIST = 200
INSIDERS = {Role.OFFICER, Role.BOARD}


def _shown(act: Act) -> dict[str, Any]:
    kind = door.kind_of(act.kind)
    given = {officer.party: officer for officer in door.officers(act)}
    return {
        "act": act,
        "kind": kind,
        "title": title_of(act),
        "stage": door.shown_stage(act),
        "parties": [(party, given.get(party)) for party in act.parties],
    }


def title_of(act: Act) -> str:
    lines = door.content_lines(door.kind_of(act.kind), act.content)
    for name in (
        "title_ja" if get_language() == "ja" else "title_en",
        "title_en",
        "finding",
        "commitment",
    ):
        if act.content.get(name):
            return str(act.content[name])
    return lines[0][1] if lines else act.record


@access(PUBLIC)
@require_safe
def acts(request: HttpRequest) -> HttpResponse:
    """List joint acts, those that wait for somebody first."""
    rows = [_shown(act) for act in Act.objects.order_by("-pk")[:LONGEST_LIST]]
    pending = [row for row in rows if row["act"].stage in {"proposed", "approved"}]
    return TemplateResponse(
        request,
        "border/acts.html",
        {
            "pending": pending,
            "rows": [row for row in rows if row not in pending],
            "kinds": [kind for kind in door.kinds().values() if kind.fields],
        },
    )


@access(PUBLIC)
@require_safe
def act(request: HttpRequest, uid: str) -> HttpResponse:
    """Show one joint act: its content, who said what, and how far it is proven."""
    return _page(request, door.find(uid), AnswerForm())


def _page(
    request: HttpRequest, found: Act, form: AnswerForm, *, status: int = 200
) -> TemplateResponse:
    held = roles_of(request)
    row = _shown(found)
    may_answer = (
        Role.OFFICER in held
        and found.stage == Act.Stage.PROPOSED
        and settings.NODE.party in found.parties
        and settings.NODE.party not in {officer.party for officer in door.officers(found)}
    )
    return TemplateResponse(
        request,
        "border/act.html",
        {
            **row,
            "lines": door.content_lines(row["kind"], found.content),
            "url": row["kind"].url(found.content) if found.stage == Act.Stage.SEALED else "",
            "page": row["kind"].page(found.uid) if row["kind"].page else "",
            "may_answer": may_answer,
            "sees_names": bool(INSIDERS & held),
            "steps": door.steps(found),
            "form": form,
        },
        status=status,
    )


@access(Role.OFFICER)
@require_http_methods(["POST"])
def act_answer(request: HttpRequest, uid: str) -> HttpResponseBase:
    """Approve or reject exactly what the officer has read."""
    found = door.find(uid)
    form = AnswerForm(request.POST)
    if form.is_valid() and isinstance(request.user, User):
        with refusals_on(form):
            approves = form.cleaned_data["answer"] == "approve"
            door.answer(
                uid,
                approves=approves,
                content_hash=form.cleaned_data["content_hash"],
                by=request.user,
            )
            messages.success(
                request,
                _("Your approval is signed and in the log.")
                if approves
                else _("Your rejection is signed and in the log."),
            )
            return redirect("border:act", uid=uid)
    return _page(request, door.find(found.uid), form, status=422)


@access(Role.OFFICER)
@require_http_methods(["GET", "HEAD", "POST"])
def act_propose(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Propose a joint record; the proposer's party approves by that."""
    known = door.kind_of(kind)
    form = ProposalForm(request.POST or None, kind=known, initial=_initial(request))
    if request.method == "POST" and form.is_valid() and isinstance(request.user, User):
        with refusals_on(form):
            content = form.content()
            made = door.propose(
                kind,
                content.get("slug") or secrets.token_hex(8),
                content,
                by=request.user,
                reason=form.cleaned_data["reason"],
                open_for=timedelta(days=form.cleaned_data["days"]),
            )
            messages.success(
                request,
                _("The proposal is signed and on its way; your party has approved it by that."),
            )
            return redirect("border:act", uid=made.uid)
    return TemplateResponse(
        request,
        "border/act_propose.html",
        {"kind": known, "form": form},
        status=422 if form.is_bound else 200,
    )


def _initial(request: HttpRequest) -> dict[str, str]:
    """Take what a link fills in: the commitment or finding that the proposal is about."""
    return {
        name: str(text)[:100]
        for name, text in request.GET.items()
        if name in {"commitment", "finding", "currency", "side"}
    }


@access(PUBLIC)
@require_safe
def act_receipt(request: HttpRequest, uid: str) -> HttpResponse:
    """Give the receipt of a sealed act; officers' names are not in it."""
    found = door.find(uid)
    return HttpResponse(
        door.receipt(found),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="renkei-receipt-{found.uid}.json"'},
    )
