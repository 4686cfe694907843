"""Manifest of the record."""

from django.utils.translation import gettext_lazy as _

from renkei.base.rooms import MenuItem, RoomConfig


class RecordConfig(RoomConfig):
    """The programme's commitments, money, milestones, outcomes, sources and findings."""

    name = "renkei.record"
    label = "record"
    verbose_name = _("Programme record")
    urls = "renkei.record.urls"
    router = "renkei.record.endpoints.router"
    front = "renkei.record.views.dashboard"
    joint = "renkei.record.door.JOINT"
    commands = "renkei.record.commands:record"
    menu = (
        MenuItem(url="front", label=_("Dashboard")),
        MenuItem(url="record:commitments", label=_("Commitments")),
        MenuItem(url="record:organisations", label=_("Organisations")),
        MenuItem(url="record:sources", label=_("Sources")),
        MenuItem(url="record:findings", label=_("Findings")),
    )
