"""Words and numbers of the link's pages."""

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_lazy

register = template.Library()

OUTCOMES = {
    "": gettext_lazy("key"),
    "error_rate": gettext_lazy("error rate too high: perhaps an eavesdropper"),
    "no_key": gettext_lazy("no secret bit left: perhaps an eavesdropper"),
    "statistics": gettext_lazy("impossible statistics"),
    "unequal": gettext_lazy("the two nodes held different bytes"),
}

ALARMS = {
    "qber": gettext_lazy("line disturbed, delivery stopped"),
    "rolled-back": gettext_lazy("set back to an older state, keys burned"),
    "damaged-key": gettext_lazy("stored key damaged and burned"),
    "unequal": gettext_lazy("different bytes at the two nodes, destroyed"),
    "relay": gettext_lazy("key changed on a relayed route"),
    "hybrid-or-pqc": gettext_lazy("allowed by the policy"),
    "ml-dsa-44": "ML-DSA-44",
}


@register.filter
def percent(share: float) -> str:
    """Return a share in per cent with two decimals."""
    return f"{number_format(100 * share, 2)} %"


@register.filter
def outcome(refused: str) -> str:
    """Return in words how a block ended."""
    known = OUTCOMES.get(refused)
    return str(known) if known is not None else gettext("given up: {why}").format(why=refused)


@register.filter
def detail(alarm: dict[str, str]) -> str:
    """Return what an alarm says besides its kind."""
    said = alarm["detail"]
    if alarm["kind"] != "qber":
        return said
    reason, _, rate = said.partition(": ")
    return outcome(reason) + (f" ({rate})" if rate else "")


@register.filter
def alarm(kind: str) -> str:
    """Return in words what an alarm or a signed event is about."""
    return str(ALARMS.get(kind, kind))
