"""The node's own API about the link: what the pages show, for programs."""

from typing import Any

from django.http import HttpRequest
from ninja import Router

from renkei.base.access import PUBLIC, allow
from renkei.link import door
from renkei.link.schemas import LinkOut

router = Router(tags=["link"])


@router.get("/links", response=list[LinkOut], auth=allow(PUBLIC))
def links(request: HttpRequest) -> list[dict[str, Any]]:
    """List this node's links: pools, counters, standing alarms, the last blocks."""
    del request
    return [door.summary(link) for link in door.links()]


@router.get("/rates", auth=allow(PUBLIC))
def rates(request: HttpRequest) -> dict[str, Any]:
    """Return secret bits a second by distance and block size, and the bound of physics (PLOB)."""
    del request
    return door.rates()
