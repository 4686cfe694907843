"""The border for programs: what partners ask, decisions by AuthZEN, and the node's own API."""

from renkei.border.endpoints import _acts, _agreements  # they add their operations to the router
from renkei.border.endpoints._access import authzen_configuration, evaluation, evaluations
from renkei.border.endpoints._base import router
from renkei.border.endpoints._protocol import (
    add_checkpoint,
    checkpoint,
    did,
    hint,
    mirror_tile,
    mirrored,
    private,
    renkei_node,
    tile,
    witnessed,
)

__all__ = [
    "_acts",
    "_agreements",
    "add_checkpoint",
    "authzen_configuration",
    "checkpoint",
    "did",
    "evaluation",
    "evaluations",
    "hint",
    "mirror_tile",
    "mirrored",
    "private",
    "renkei_node",
    "router",
    "tile",
    "witnessed",
]
