"""Pages of the border."""

from renkei.border.views._acts import act, act_answer, act_propose, act_receipt, acts
from renkei.border.views._overview import evidence, figures, incident, incidents, overview, verify

__all__ = [
    "act",
    "act_answer",
    "act_propose",
    "act_receipt",
    "acts",
    "evidence",
    "figures",
    "incident",
    "incidents",
    "overview",
    "verify",
]
