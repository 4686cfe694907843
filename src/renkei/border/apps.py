"""Manifest of the border."""

from django.utils.translation import gettext_lazy as _

from renkei.base.rooms import MenuItem, RoomConfig


class BorderConfig(RoomConfig):
    """What the parties tell each other: signed, ordered, witnessed and mirrored by the other side."""

    name = "renkei.border"
    label = "border"
    verbose_name = _("Border")
    urls = "renkei.border.urls"
    router = "renkei.border.endpoints.router"
    root_urls = "renkei.border.urls.root"
    commands = "renkei.border.commands:border"
    statements = "renkei.border.door.TYPES"
    joint = "renkei.border.door.JOINT"
    founding = "renkei.border.door.found"
    services = ("renkei.border.door.serve",)
    figures = "renkei.border.views.figures"
    menu = (MenuItem(url="border:overview", label=_("Border")),)
