"""Pages that belong to no room: the root, the language, health, the account, jobs."""

import uuid
from collections.abc import Mapping
from typing import Any, cast

from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
)
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult

from renkei import __version__
from renkei.base import jobs, problems
from renkei.base.access import PUBLIC, SIGNED_IN, access, roles_of
from renkei.base.forms import TokenForm
from renkei.base.http import require_safe
from renkei.base.middleware import LANGUAGES, address_in, language_of
from renkei.base.models import ApiToken, Job, Role, User
from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop

A_YEAR_IN_SECONDS = 365 * 24 * 3600
JOB_STATES: Mapping[str, tuple[object, str]] = {
    TaskResultStatus.READY: (gettext_lazy("waiting"), ""),
    TaskResultStatus.RUNNING: (gettext_lazy("running"), "badge-info"),
    TaskResultStatus.SUCCESSFUL: (gettext_lazy("done"), "badge-good"),
    TaskResultStatus.FAILED: (gettext_lazy("failed"), "badge-bad"),
}


@access(PUBLIC)
@require_safe
def health(_request: HttpRequest) -> JsonResponse:
    """Say that the node answers, and who it is."""
    node = settings.NODE
    return JsonResponse(
        {"status": "ok", "node": node.name, "party": node.party, "version": __version__},
        headers={"Cache-Control": "no-store"},
    )


@access(PUBLIC)
@require_safe
def root(request: HttpRequest) -> HttpResponseRedirect:
    """Send the reader to the dashboard in their language."""
    response = HttpResponseRedirect(f"/{language_of(request)}/")
    response["Vary"] = "Accept-Language, Cookie"
    response["Cache-Control"] = "private, no-cache"
    return response


@access(PUBLIC)
@require_GET
def language(request: HttpRequest, code: str) -> HttpResponseRedirect:
    """Remember the reader's language and show the same page in it."""
    if code not in LANGUAGES:
        raise NotFoundError(
            gettext_noop("there is no language {code}; there are: en, ja"), code=code
        )
    here = request.GET.get("next", "/")
    if not url_has_allowed_host_and_scheme(here, allowed_hosts=None):
        here = "/"
    response = HttpResponseRedirect(address_in(here, code) if here != "/" else f"/{code}/")
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=A_YEAR_IN_SECONDS,
        samesite="Lax",
        secure=settings.NODE.secure,
        httponly=True,
    )
    if isinstance(request.user, User) and request.user.language != code:
        User.objects.filter(pk=request.user.pk).update(language=code)
    return response


@access(SIGNED_IN)
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """Show the account: roles, language, second factor, tokens."""
    return _account_page(request, form=TokenForm())


@access(SIGNED_IN)
@require_http_methods(["GET", "POST"])
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]  # allauth has no types
def token_issue(request: HttpRequest) -> HttpResponse:
    """Make a token and show its text, this once; who signed in long ago does so again first."""
    if request.method == "GET":  # a reload, or the same page in the other language
        return redirect("account")
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _account_page(request, form=form)
    issued = ApiToken.issue(user=_person(request), name=form.cleaned_data["name"])
    return _account_page(request, form=TokenForm(), issued=issued)


@access(SIGNED_IN)
@require_POST
def token_revoke(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """End a token of one's own; it stays in the list."""
    mine = ApiToken.objects.filter(pk=pk, user=_person(request))
    if not mine.exists():
        raise NotFoundError(gettext_noop("there is nothing at this address"))
    mine.filter(revoked_at=None).update(revoked_at=timezone.now())
    messages.success(request, _("The token was revoked."))
    return redirect("account")


def _person(request: HttpRequest) -> User:
    """Return who is signed in; ``access`` has let nobody else in."""
    return cast(User, request.user)


def _account_page(request: HttpRequest, *, form: TokenForm, issued: str = "") -> HttpResponse:
    person = _person(request)
    return TemplateResponse(
        request,
        "base/account.html",
        {
            "grants": person.grants.order_by("party", "role"),
            "tokens": person.tokens.order_by("-created_at"),
            "form": form,
            "issued": issued,
        },
        headers={"Cache-Control": "no-store"},
    )


@access(Role.OFFICER, Role.OPERATOR)
@require_GET
def job_list(request: HttpRequest) -> HttpResponse:
    """Show the background work, newest first."""
    paginator = Paginator(DBTaskResult.objects.order_by("-enqueued_at"), 50)
    page = paginator.get_page(request.GET.get("page", "1"))
    progress = Job.objects.in_bulk([task.pk for task in page])
    may_read_why = Role.OPERATOR in roles_of(request)
    context = {
        "rows": [_job_row(task, progress.get(task.pk), with_why=may_read_why) for task in page],
        "page": page,
        "live": "still" not in request.GET,  # a reader may stop the list from changing by itself
    }
    template = "base/job_rows.html" if request.headers.get("HX-Request") else "base/jobs.html"
    return TemplateResponse(request, template, context, headers={"Cache-Control": "no-store"})


def _job_row(task: DBTaskResult[Any, Any], job: Job | None, *, with_why: bool) -> dict[str, object]:
    """Return what the list of jobs says about one of them."""
    state, badge = JOB_STATES[task.status]
    if job is not None and job.cancelled_at is not None:
        state, badge = _("stopped"), ""
    elif job is not None and job.is_cancelling and task.finished_at is None:
        state, badge = _("stopping"), "badge-warning"
    has_failed = task.status == TaskResultStatus.FAILED and (job is None or not job.cancelled_at)
    until = task.finished_at or timezone.now()
    seconds = (until - task.started_at).total_seconds() if task.started_at else None
    return {
        "task": task,
        "job": job,
        "state": state,
        "badge": badge,
        "is_open": task.finished_at is None,
        "is_running": task.status == TaskResultStatus.RUNNING,
        "duration": "–" if seconds is None else f"{seconds:.1f} s",
        # The last line names the error; the lines above it are in the worker's log.
        "why": task.traceback.strip().rpartition("\n")[2] if with_why and has_failed else "",
    }


@access(Role.OPERATOR)
@require_POST
def job_cancel(request: HttpRequest, task: uuid.UUID) -> HttpResponseRedirect:
    """Ask a job to stop."""
    try:
        jobs.cancel(task)
    except RenkeiError as error:
        messages.error(request, problems.say(error))
    else:
        messages.success(request, _("The job was asked to stop."))
    return redirect("jobs")
