"""Tables of the border: what was said, what was heard, what both agreed."""

from renkei.border.models._joint import Act, Approval
from renkei.border.models._log import (
    Checkpoint,
    Entry,
    Fate,
    Incident,
    Log,
    Node,
    Nonce,
    Peer,
    Private,
    Witnessed,
)

__all__ = [
    "Act",
    "Approval",
    "Checkpoint",
    "Entry",
    "Fate",
    "Incident",
    "Log",
    "Node",
    "Nonce",
    "Peer",
    "Private",
    "Witnessed",
]
