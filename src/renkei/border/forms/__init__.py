"""What people fill in at the border."""

from renkei.border.forms._agreements import AskForm, DraftForm, EvidenceForm, ReasonForm, as_json
from renkei.border.forms._joint import AnswerForm, CloseForm, ProposalForm

__all__ = [
    "AnswerForm",
    "AskForm",
    "CloseForm",
    "DraftForm",
    "EvidenceForm",
    "ProposalForm",
    "ReasonForm",
    "as_json",
]
