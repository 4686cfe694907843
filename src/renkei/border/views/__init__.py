"""Pages of the border."""

from renkei.border.views._agreements import (
    agreement,
    agreement_ask,
    agreement_discard,
    agreement_draft,
    agreement_propose,
    agreement_simulation,
    agreements,
    decision,
    decisions,
    obligation_fulfil,
    obligations,
    outgoing,
    outgoing_file,
)

__all__ = [
    "agreement",
    "agreement_ask",
    "agreement_discard",
    "agreement_draft",
    "agreement_propose",
    "agreement_simulation",
    "agreements",
    "decision",
    "decisions",
    "obligation_fulfil",
    "obligations",
    "outgoing",
    "outgoing_file",
]
