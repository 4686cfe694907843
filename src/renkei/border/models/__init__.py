"""Tables of the border: what was said, what was heard, what both agreed."""

from renkei.border.models._agreements import (
    Agreement,
    AgreementVersion,
    Clause,
    ClauseUse,
    Decision,
    Obligation,
    OutgoingBytes,
    in_language,
)
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
    "Agreement",
    "AgreementVersion",
    "Approval",
    "Checkpoint",
    "Clause",
    "ClauseUse",
    "Decision",
    "Entry",
    "Fate",
    "Incident",
    "Log",
    "Node",
    "Nonce",
    "Obligation",
    "OutgoingBytes",
    "Peer",
    "Private",
    "Witnessed",
    "in_language",
]
