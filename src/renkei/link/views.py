"""Pages of the link: how it is now, what it could give, what it proves, and an eavesdropper to try."""

from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_POST

from renkei.base.access import PUBLIC, access
from renkei.base.http import require_safe
from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import door
from renkei.link.forms import EavesdropperForm
from renkei.link.models import Link

EVE_PAUSE_SECONDS = 4
SHOWN_RUNS = 12
SHOWN_EVENTS = 8


class TooOftenError(RenkeiError):
    """The eavesdropper was turned a moment ago."""

    code = "link.too_often"
    status = 429


@access(PUBLIC)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show every link of the node as it is now."""
    links = door.links()
    return TemplateResponse(
        request,
        "link/overview.html",
        {
            "now": [_now(link) for link in links],
            "form": _form() if settings.NODE.demonstration and links else None,
            "curves": door.curves(),
            "map": _map(),
            "kmes": [door.kme_summary(one) for one in door.kmes()],
        },
    )


@access(PUBLIC)
@require_safe
def now(request: HttpRequest) -> HttpResponse:
    """Show what changes: asked for every few seconds by the page."""
    return TemplateResponse(
        request, "link/_now.html", {"now": [_now(link) for link in door.links()]}
    )


@access(PUBLIC)
@require_safe
def proof(request: HttpRequest) -> HttpResponse:
    """Say what is proved, what is assumed, and what authorities say."""
    return TemplateResponse(request, "link/proof.html", {"said": door.AUTHORITIES})


@access(PUBLIC)
@require_POST
def eavesdrop(request: HttpRequest) -> HttpResponse:
    """Turn the eavesdropper of the demonstration."""
    form = EavesdropperForm(request.POST)
    if not settings.NODE.demonstration:
        raise door.SimulatedRefusedError(
            gettext_noop("there is an eavesdropper to turn on a demonstration alone")
        )
    if form.is_valid():
        if not cache.add("link-eavesdropper", 1, EVE_PAUSE_SECONDS):
            raise TooOftenError(
                gettext_noop("somebody turned the eavesdropper a moment ago: wait a few seconds")
            )
        for fibre in door.fibres():
            door.set_eavesdropper(
                fibre,
                intercept=form.cleaned_data["intercept"] / 100,
                split=form.cleaned_data["split"] / 100,
            )
        return redirect("link:overview")
    links = door.links()
    return TemplateResponse(
        request,
        "link/overview.html",
        {
            "now": [_now(link) for link in links],
            "form": form,
            "curves": door.curves(),
            "map": _map(),
            "kmes": [door.kme_summary(one) for one in door.kmes()],
        },
        status=422,
    )


def _map() -> dict[str, Any] | None:
    try:
        return door.drawing(door.routes())
    except door.BadRoutesError:
        return None


def _form() -> EavesdropperForm:
    try:
        eve = door.eavesdropper(door.fibres()[0])
    except (door.FibreAwayError, IndexError):
        eve = {"intercept": 0.0, "split": 0.0}
    return EavesdropperForm(initial={name: round(100 * share) for name, share in eve.items()})


def _now(link: Link) -> dict[str, Any]:
    said = door.summary(link, runs=SHOWN_RUNS)
    said["history"] = door.history(link)
    said["events"] = door.events(link, most=SHOWN_EVENTS)
    return said
