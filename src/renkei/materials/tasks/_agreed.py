"""What an agreement in force lets go to a partner: asked each time, and each answer written down."""

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings

from renkei.base.models import User
from renkei.border import door as border
from renkei.kit.errors import ForbiddenError, gettext_noop

NOTICES: Final = "notices"
SUPPLIERS: Final = "suppliers"
JOINT_RUNS: Final = "joint"
PURPOSES: Final[Mapping[str, str]] = {
    NOTICES: "supply-disruption",
    SUPPLIERS: "shared-suppliers",
    JOINT_RUNS: "joint-simulation",
}


class NotAgreedError(ForbiddenError):
    """No agreement in force lets this go to the partner."""

    code = "materials.not_agreed"


def target(what: str, *, party: str = "") -> str:
    """Return how agreements name a party's ``notices``, ``suppliers`` or ``joint`` runs."""
    return f"urn:{(party or settings.NODE.party).lower()}:materials:{what}"


def allowed(what: str, *, action: str, partner: Any, by: User | None) -> Any:
    """Return the border's decision that lets something go to a partner; it is written down first.

    Raises:
        NotAgreedError: there is none, and why.
    """
    decision = border.decide(
        subject=partner.name,
        action=action,
        target=target(what),
        purpose=PURPOSES[what],
        party=partner.party,
        spatial=partner.party,
        asked_by=by,
    )
    if not decision.allow:
        raise NotAgreedError(
            gettext_noop("nothing may go to {partner} (decision {number}): {why}"),
            partner=partner.name,
            number=decision.pk,
            why=str(decision.reason),
        )
    return decision
