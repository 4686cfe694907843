"""Manifest of the room."""

from django.utils.translation import gettext_lazy as _

from renkei.base.rooms import MenuItem, RoomConfig


class MaterialsConfig(RoomConfig):
    """The registry of critical materials, risks, disruptions and responses."""

    name = "renkei.materials"
    label = "materials"
    verbose_name = _("Critical materials")
    urls = "renkei.materials.urls"
    router = "renkei.materials.endpoints.router"
    commands = "renkei.materials.commands:materials"
    root_urls = "renkei.materials.urls.root"
    statements = "renkei.materials.statements.STATEMENTS"
    joint = "renkei.materials.door.JOINT"
    founding = "renkei.materials.door.ensure_shipped"
    menu = (MenuItem(url="materials:list", label=_("Materials")),)
