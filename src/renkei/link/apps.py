"""Manifest of the room."""

from django.utils.translation import gettext_lazy as _

from renkei.base.rooms import RoomConfig


class LinkConfig(RoomConfig):
    """Keys from quantum key distribution, their delivery and their use."""

    name = "renkei.link"
    label = "link"
    verbose_name = _("Quantum secure link")
    root_urls = "renkei.link.urls.root"
    services = ("renkei.link.endpoints.deliver", "renkei.link.door.keep_full")
    commands = "renkei.link.commands:link"
