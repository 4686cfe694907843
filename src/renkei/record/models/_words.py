"""What people read for the record's codes, in the language that is spoken."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from renkei.base.spoken import spoken
from renkei.record import engine

LABELS: Mapping[str, Mapping[str, Any]] = {
    "class": {"commitment": _("Joint commitment"), "context": _("Context")},
    "domain": {
        "ai": _("Artificial intelligence"),
        "quantum": _("Quantum technology"),
        "semiconductors": _("Semiconductors"),
        "advanced-computing": _("Advanced computing"),
        "5g-digital": _("5G and digital"),
        "critical-minerals": _("Critical minerals"),
        "clean-tech": _("Clean technology"),
        "ev-batteries": _("Electric vehicles and batteries"),
        "defence-tech": _("Defence technology"),
        "education-exchange": _("Education and exchange"),
        "governance": _("Governance"),
        "general": _("Whole programme"),
    },
    "kind": {
        "agreement": _("Agreement"),
        "research_partnership": _("Research partnership"),
        "infrastructure": _("Infrastructure"),
        "education_exchange": _("Education and training"),
        "standard_or_policy": _("Standard or policy"),
        "institution": pgettext_lazy("kind of commitment", "Institution"),
        "national_measure": _("National measure"),
        "governance": _("Governance body or rule"),
        "commercial": _("Commercial deal"),
        "funding": _("Funding"),
        "fund": _("Investment fund"),
        "research_output": _("Research output"),
        "research_strand": _("Research strand"),
        "service_contract": _("Service contract"),
        "reporting_duty": _("Reporting duty"),
        "consortium": _("Consortium"),
        "forecast": _("Forecast"),
        "exchange_programme": _("Exchange programme"),
        "degree_programme": _("Degree programme"),
    },
    "status": {
        "under_consideration": _("Under consideration"),
        "potential": _("Possible"),
        "projected": _("Projected"),
        "planned": _("Planned"),
        "announced": _("Announced"),
        "signed": _("Signed"),
        "established": _("Established"),
        "operating": _("Operating"),
        "completed": _("Completed"),
    },
    "scope": {
        "bilateral": _("Bilateral"),
        "trilateral": _("Trilateral"),
        "multilateral": _("Multilateral"),
        "third_country": _("In a third country"),
        "national": _("National"),
        "corporate": _("Corporate"),
        "context": _("Background"),
    },
    "funding_source": {
        "public": _("Public money"),
        "private": _("Private money"),
        "mixed": _("Public and private money"),
        "unknown": _("Source of money not stated"),
    },
    "nature": {
        "public": _("Public funds"),
        "private_gift": _("Private gift"),
        "contract": _("Contract"),
        "fund": _("Investment fund money"),
        "capital_expenditure": _("Capital expenditure"),
        "national_budget": _("National budget"),
        "market_forecast": _("Market forecast (not money of the programme)"),
        "unknown": _("Nature not stated"),
    },
    "stage": {
        "projected": _("Projected sum"),
        "planned": _("Planned sum"),
        "announced": _("Announced sum"),
        "signed": _("Signed sum"),
        "funded": _("Funded"),
        "disbursed": _("Disbursed"),
    },
    "relation": {
        "total": _("Total"),
        "part": _("Part of another record"),
        "same": _("Same money as another record"),
        "unknown": _("Relation to other money unknown"),
    },
    "qualifier": {
        "exact": _("exactly"),
        "about": _("about"),
        "more_than": _("more than"),
        "at_least": _("at least"),
        "up_to": _("up to"),
        "projected": _("projected"),
        "disputed": _("disputed"),
    },
    "reliability": {
        "primary": _("Primary source"),
        "secondary": _("Secondary source"),
        "low": _("Low reliability"),
    },
    "severity": {"high": _("High"), "medium": _("Medium"), "low": _("Low")},
    "detectable": {
        "internal": _("Visible in one document"),
        "cross": _("Visible by comparing documents"),
        "external": _("Needs outside knowledge"),
    },
    "milestone": {"open": _("Open"), "delivered": _("Delivered"), "missed": _("Missed")},
    "milestone_on": {
        "open": _("Not yet due"),
        "overdue": _("Overdue"),
        "delivered": _("Delivered"),
        "missed": _("Missed"),
    },
    "outcome": {
        "publication": _("Publication"),
        "dataset": _("Data set"),
        "model": _("Model"),
        "software": _("Software"),
    },
    "finding": {"open": _("Undecided"), "resolved": _("Decided")},
    "agreement": {
        "agreement": _("Agreement between governments"),
        "memorandum": _("Memorandum"),
        "pledge": _("Pledge"),
        "partnership": _("Partnership"),
    },
    "binding": {
        "yes": _("Legally binding"),
        "no": _("Not legally binding"),
        "unknown": _("Legal force not stated"),
    },
    "organisation": {
        "government": _("Government body"),
        "legislature": _("Legislature"),
        "international": _("International organisation"),
        "council": _("Council or committee"),
        "institution": _("Public institution"),
        "research-institute": _("Research institute"),
        "university": _("University"),
        "consortium": _("Consortium of organisations"),
        "company": _("Company"),
        "fund": _("Fund"),
        "programme": _("Programme"),
        "think-tank": _("Think tank"),
        "media": _("Media"),
    },
    "role": {
        "participant": _("Participant"),
        "lead": _("Lead"),
        "partner": _("Partner"),
        "supporter": _("Supporter"),
        "signatory": _("Signatory"),
        "owner": _("Owner"),
        "founder": _("Founder"),
        "funder": _("Funder"),
        "backer": _("Backer"),
        "investor": _("Investor"),
        "provider": _("Provider"),
        "client": _("Client"),
        "recipient": _("Recipient"),
        "beneficiary": _("Beneficiary"),
        "coordinator": _("Coordinator"),
        "selector": _("Selecting body"),
        "announcer": _("Announcing body"),
        "actor": _("Acting body"),
        "institution": _("Host institution"),
        "to_be_established": _("To be established"),
        "consortium": _("Consortium itself"),
        "fund": _("Fund itself"),
        "framework": _("Framework"),
        "reference": _("Mentioned"),
        "source": _("Source of the statement"),
    },
    "finding_type": {
        "amount_conflict": _("Amounts contradict"),
        "arithmetic": _("Figures do not add up"),
        "double_counting": _("Danger of counting twice"),
        "count_conflict": _("Numbers of items contradict"),
        "date_conflict": _("Dates contradict"),
        "temporal": _("Time is unclear"),
        "status_conflict": _("Statuses contradict"),
        "party_conflict": _("Parties contradict"),
        "scope_conflict": _("Scopes contradict"),
        "name_conflict": _("Names contradict"),
        "acronym": _("Acronym does not fit"),
        "definitional": _("Unlike things under one word"),
        "external_conflict": _("Contradicts a primary source"),
        "impossible_officeholder": _("Impossible office-holder"),
        "implausible": _("Implausible"),
        "provenance": _("Origin of the text"),
        "source_dependence": _("Sources are not independent"),
        "missing_data": _("Data are missing"),
        "missing_reference": _("Reference is missing"),
        "duplicate_reference": _("Reference stands twice"),
        "citation_numbering": _("Citations are misnumbered"),
        "unverifiable": _("Cannot be verified"),
        "encoding": _("Trap of character encoding"),
    },
}
"""What people read for each code of ``engine.VOCABULARY``."""

NOUNS: Mapping[str, Any] = {
    "agreement": _("agreement"),
    "commitment": _("commitment"),
    "finding": _("finding"),
    "lineage": _("line of evidence"),
    "milestone": _("milestone"),
    "organisation": _("organisation"),
    "outcome": _("research outcome"),
    "participation": _("role of an organisation"),
    "source": _("source"),
}
"""What messages call a row of a table, by its model's name."""


def label(vocabulary: str, code: str) -> str:
    """Return what people read for a code; the code itself where it is not known."""
    return _said(vocabulary, code, spoken() or "en")


@cache
def _said(vocabulary: str, code: str, language: str) -> str:  # noqa: ARG001  part of the key
    """Return a label; kept, because a page says hundreds and the catalogues do not change."""
    known = LABELS[vocabulary]
    return str(known[code]) if code in known else code


def language() -> str:
    """Return the active language, one of the two that texts exist in."""
    return "ja" if spoken().startswith("ja") else "en"


def side_label(side: str) -> str:
    """Return what people read for who pays."""
    if side in engine.SIDES_OF_SEVERAL:
        return str(_("Joint, split not stated") if side == "joint" else _("Others"))
    return engine.place(side, language())
