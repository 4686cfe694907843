"""Pages that belong to no room: the root, the language, health, the account, jobs."""

import uuid

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import translate_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_tasks_db.models import DBTaskResult

from renkei import __version__
from renkei.base import jobs, problems
from renkei.base.access import PUBLIC, SIGNED_IN, access
from renkei.base.middleware import LANGUAGES, language_of
from renkei.base.models import Job, Role, User
from renkei.kit.errors import NotFoundError, gettext_noop

A_YEAR_IN_SECONDS = 365 * 24 * 3600


@access(PUBLIC)
@require_GET
def health(_request: HttpRequest) -> JsonResponse:
    """Say that the node answers, and who it is."""
    node = settings.NODE
    return JsonResponse(
        {"status": "ok", "node": node.name, "party": node.party, "version": __version__},
        headers={"Cache-Control": "no-store"},
    )


@access(PUBLIC)
@require_GET
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
    response = HttpResponseRedirect(translate_url(here, code) if here != "/" else f"/{code}/")
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
    """Show the account: roles, language, second factor."""
    return TemplateResponse(
        request,
        "base/account.html",
        {"grants": request.user.grants.order_by("party", "role")},  # type: ignore[union-attr]
    )


@access(Role.OFFICER, Role.OPERATOR)
@require_GET
def job_list(request: HttpRequest) -> HttpResponse:
    """Show the background work, newest first."""
    paginator = Paginator(DBTaskResult.objects.order_by("-enqueued_at"), 50)
    number = request.GET.get("page", "1")
    page = paginator.get_page(number)
    progress = Job.objects.in_bulk([row.pk for row in page])
    rows = [(row, progress.get(row.pk)) for row in page]
    template = "base/job_rows.html" if request.headers.get("HX-Request") else "base/jobs.html"
    return TemplateResponse(request, template, {"rows": rows, "page": page})


@access(Role.OPERATOR)
@require_POST
def job_cancel(request: HttpRequest, task: uuid.UUID) -> HttpResponseRedirect:
    """Ask a job to stop."""
    try:
        jobs.cancel(task)
    except problems.RenkeiError as error:
        messages.error(request, problems.say(error))
    else:
        messages.success(request, _("The job was asked to stop."))
    return redirect("jobs")
