"""What people fill in at the border."""

from renkei.border.forms._joint import AnswerForm, CloseForm, ProposalForm

__all__ = ["AnswerForm", "CloseForm", "ProposalForm"]
