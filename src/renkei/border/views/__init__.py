"""Pages of the border."""

from renkei.border.views._acts import act, act_answer, act_propose, act_receipt, acts
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
from renkei.border.views._overview import evidence, figures, incident, incidents, overview, verify

__all__ = [
    "act",
    "act_answer",
    "act_propose",
    "act_receipt",
    "acts",
    "agreement",
    "agreement_ask",
    "agreement_discard",
    "agreement_draft",
    "agreement_propose",
    "agreement_simulation",
    "agreements",
    "decision",
    "decisions",
    "evidence",
    "figures",
    "incident",
    "incidents",
    "obligation_fulfil",
    "obligations",
    "outgoing",
    "outgoing_file",
    "overview",
    "verify",
]
