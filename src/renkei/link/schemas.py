"""What the API answers with."""

from datetime import datetime
from typing import Any

from ninja import Schema


class LinkAlarmOut(Schema):
    """A standing alarm."""

    kind: str
    detail: str
    raised_at: datetime


class RunOut(Schema):
    """How the distillation of one block went."""

    number: int
    finished_at: datetime
    simulated: bool
    sifted_bits: int
    qber: float | None
    gain: float | None
    leak_bits: int
    key_bits: int
    seconds: float
    refused: str
    figures: dict[str, Any]


class LinkOut(Schema):
    """One link of the node."""

    node: str
    partner: str
    source: str
    keys_ready: int
    own_bytes: int
    peer_bytes: int
    held_bytes: int
    tags_left: int
    blocks: int
    delivered: int
    heard_at: datetime | None
    alarms: list[LinkAlarmOut]
    runs: list[RunOut]
