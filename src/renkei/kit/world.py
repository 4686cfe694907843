"""The world's outlines, for maps that a page draws."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

DEGREES: Final = 360.0  # of longitude, over the whole width; as many of latitude are as high


@cache
def outlines() -> Mapping[str, Any]:
    """Return the outlines of countries on one canvas, a degree of latitude as high as one of longitude.

    ``paths`` are SVG paths by country code; ``width`` is that of 360 degrees, from 180 degrees west on,
    ``height`` that of what is drawn, ``top`` the latitude of its upper edge, ``source`` whose they are.
    """
    read: dict[str, Any] = json.loads((files("renkei.kit") / "world.json").read_text("utf-8"))
    return read
