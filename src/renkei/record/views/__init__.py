"""Pages of the record."""

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from renkei.base.access import PUBLIC, access
from renkei.record.views._edit import (
    claim_add,
    claim_publish,
    commitment_add,
    commitment_edit,
    disbursement_add,
    disbursement_correct,
    finding_add,
    finding_reopen,
    finding_resolve,
    milestone_add,
    milestone_assess,
    organisation_add,
    outcome_add,
    participation_add,
    source_add,
    source_attach,
)

__all__ = [
    "claim_add",
    "claim_publish",
    "commitment_add",
    "commitment_edit",
    "dashboard",
    "disbursement_add",
    "disbursement_correct",
    "finding_add",
    "finding_reopen",
    "finding_resolve",
    "milestone_add",
    "milestone_assess",
    "organisation_add",
    "outcome_add",
    "participation_add",
    "source_add",
    "source_attach",
]


@access(PUBLIC)
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the programme at a glance."""
    return TemplateResponse(request, "record/dashboard.html", {})
