"""Manifest of the room."""

from django.utils.translation import gettext_lazy as _

from renkei.base.rooms import MenuItem, RoomConfig


class LinkConfig(RoomConfig):
    """Keys from quantum key distribution, their delivery and their use."""

    name = "renkei.link"
    label = "link"
    verbose_name = _("Quantum secure link")
    urls = "renkei.link.urls"
    root_urls = "renkei.link.urls.root"
    router = "renkei.link.endpoints.router"
    commands = "renkei.link.commands:link"
    statements = "renkei.link.statements.TYPES"
    carrier = "renkei.link.door.Carrier"
    services = ("renkei.link.endpoints.deliver", "renkei.link.door.keep_full")
    menu = (MenuItem(url="link:overview", label=_("Quantum link")),)
