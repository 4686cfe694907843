"""The manifest of a room: one ``RoomConfig`` in its ``apps.py`` plugs it into the node."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from django.apps import AppConfig, apps
from django.utils.module_loading import import_string


@dataclass(frozen=True, kw_only=True)
class MenuItem:
    """One entry of the node's menu.

    Args:
        url: name of the page's address, ``room:page``.
        label: a lazy translation.
        roles: who sees it.
    """

    url: str
    label: object
    roles: tuple[str, ...] = ("public",)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number that a room shows on the programme's dashboard."""

    label: object
    value: str
    url: str
    note: object = ""


class RoomConfig(AppConfig):
    """What a room adds to the node; every attribute that it does not set adds nothing.

    Attributes:
        urls: module of its pages, mounted at ``/<language>/<room>/``.
        router: dotted path of a ninja ``Router``, mounted at ``/node/v1/<room>/``.
        root_urls: module of addresses that other people's protocols fix, mounted at the root.
        commands: ``module:group`` of its commands, imported when one is called.
        figures: dotted path of a function that returns figures for the dashboard.
        front: dotted path of the view at ``/<language>/``; one room alone sets it.
        menu: its entries in the menu.
        statements: dotted path of a tuple of ``renkei.border.door.StatementType``.
        joint: dotted path of a tuple of ``renkei.border.door.JointKind``.
        founding: dotted path of a function that gives a new node what the room needs; it is run
            again whenever the node is brought up to date, and then changes nothing that is there.
        carrier: dotted path of a class of ``renkei.border.door.Carrier``; one room alone sets it.
        services: dotted paths of functions that the worker runs while it lives, each in a thread;
            see ``renkei.base.services``.
    """

    default = False
    urls: ClassVar[str | None] = None
    router: ClassVar[str | None] = None
    root_urls: ClassVar[str | None] = None
    commands: ClassVar[str | None] = None
    figures: ClassVar[str | None] = None
    front: ClassVar[str | None] = None
    menu: ClassVar[tuple[MenuItem, ...]] = ()
    statements: ClassVar[str | None] = None
    joint: ClassVar[str | None] = None
    founding: ClassVar[str | None] = None
    carrier: ClassVar[str | None] = None
    services: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Make the room's own config the default: an imported base would be a rival candidate."""
        super().__init_subclass__(**kwargs)
        cls.default = True


def rooms() -> list[RoomConfig]:
    """Return the installed rooms in the order of the menu."""
    return [config for config in apps.get_app_configs() if isinstance(config, RoomConfig)]


def found() -> None:
    """Give the node what each room needs; what is there already stays as it is."""
    for room in rooms():
        if room.founding:
            import_string(room.founding)()


FigureSource = Callable[[], list[Figure]]
