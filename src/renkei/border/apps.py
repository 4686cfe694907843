"""Manifest of the room."""

from django.utils.translation import gettext_lazy as _

from renkei.base.rooms import RoomConfig


class BorderConfig(RoomConfig):
    """The border between the nodes: statements, log, witness and agreements."""

    name = "renkei.border"
    label = "border"
    verbose_name = _("Border")
