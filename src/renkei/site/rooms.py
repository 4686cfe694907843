"""The rooms of this house, in the order of the menu. Needs no Django: the command line reads it too."""

from importlib.metadata import entry_points

BUILT_IN: tuple[str, ...] = (
    "renkei.record",
    "renkei.materials",
    "renkei.link",
    "renkei.border",
)


def installed() -> tuple[str, ...]:
    """Return the packages of the built-in rooms and of those named by ``renkei.rooms`` entry points."""
    return BUILT_IN + tuple(sorted(point.value for point in entry_points(group="renkei.rooms")))
