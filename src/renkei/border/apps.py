"""Manifest of the border."""

from django.utils.translation import gettext_lazy as _

from renkei.base.rooms import RoomConfig


class BorderConfig(RoomConfig):
    """What the parties tell each other: signed, ordered, witnessed and mirrored by the other side."""

    name = "renkei.border"
    label = "border"
    verbose_name = _("Border")
    root_urls = "renkei.border.urls.root"
    statements = "renkei.border.door.TYPES"
    joint = "renkei.border.door.JOINT"
    founding = "renkei.border.door.found"
    services = ("renkei.border.door.serve",)
