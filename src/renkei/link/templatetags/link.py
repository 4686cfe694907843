"""Words and numbers of the link's pages."""

from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_lazy

from renkei.link.models import Event

register = template.Library()

OUTCOMES = {
    "": gettext_lazy("key"),
    "error_rate": gettext_lazy("error rate too high: perhaps an eavesdropper"),
    "no_key": gettext_lazy("no secret bit left: perhaps an eavesdropper"),
    "statistics": gettext_lazy("impossible statistics"),
    "unequal": gettext_lazy("the two nodes held different bytes"),
    "cut": gettext_lazy("cut off before both ends knew how it went"),
    # The sentences of engine.REASONS; to load it here would cost each server Numba.
    "short": gettext_lazy("The block has too few detections."),
    "settings": gettext_lazy("The two sides have different settings."),
    "reconciliation": gettext_lazy("The errors could not be corrected."),
    "verification": gettext_lazy("Errors were left after the correction."),
    "tag": gettext_lazy("A message was changed on its way, or the other side is not who it says."),
    "reserve": gettext_lazy("No authentication key is left."),
    "format": gettext_lazy("A message is not one of this protocol."),
    "peer": gettext_lazy("The other side gave up."),
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


STANDING = {  # an alarm that has not been cleared
    "qber": gettext_lazy("The line is disturbed: delivery has stopped."),
    "rolled-back": gettext_lazy("This node was set back to an older state and has burned keys."),
    "damaged-key": gettext_lazy("Stored key was damaged and has been burned."),
    "partner-silent": gettext_lazy("The partner does not answer."),
    "fibre-away": gettext_lazy("The source of the photons does not answer: no new key."),
    "relay": gettext_lazy("Key was changed on a relayed route and destroyed."),
    "bodies": gettext_lazy("Private statement bodies go without a quantum key."),
    "downgrade": gettext_lazy("A file was sealed without a quantum key."),
    "unequal": gettext_lazy("The two nodes held different bytes: they were destroyed."),
}


STAGES = (  # of a block, in order: what is said, where in its figures, how it is written
    (gettext_lazy("Pulses sent"), "pulses", "count"),
    (gettext_lazy("Detections"), "detections", "count"),
    (gettext_lazy("Double clicks, given a random bit"), "double_clicks", "count"),
    (gettext_lazy("Bits after sifting"), "sifted_bits", "count"),
    (gettext_lazy("Error rate of the test basis"), "test_error_rate", "share"),
    (gettext_lazy("Error rate of the key"), "error_rate", "share"),
    (gettext_lazy("Messages to correct errors"), "rounds", "count"),
    (gettext_lazy("Bits disclosed to correct errors"), "disclosed_bits", "count"),
    (gettext_lazy("Single photons, at least"), "single_photons", "count"),
    (gettext_lazy("Phase error of single photons, at most"), "phase_error", "share"),
    (gettext_lazy("Bits after privacy amplification"), "secret_bits", "count"),
)


@register.filter
def stages(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Return in words and numbers what each stage of a block came to, as far as it went."""
    found = [(str(said), figures.get(name), kind) for said, name, kind in STAGES]
    return [
        (
            said,
            percent(value) if kind == "share" else number_format(round(value), force_grouping=True),
        )
        for said, value, kind in found
        if isinstance(value, int | float)
    ]


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
def standing(kind: str) -> str:
    """Return in a sentence what a standing alarm says."""
    return str(STANDING.get(kind, kind))


@register.filter
def detail(alarm: dict[str, str]) -> str:
    """Return what an alarm says besides its kind."""
    said = alarm["detail"]
    if alarm["kind"] != "qber":
        return said
    reason, _, rate = said.partition(": ")
    return outcome(reason) + (f" ({rate})" if rate else "")


@register.filter
def whole(number: int) -> str:
    """Return a count with its digits in groups."""
    return number_format(number, force_grouping=True)


@register.filter
def about(event: Event) -> str:
    """Return what a signed event says besides its kind."""
    return detail({"kind": event.kind, "detail": event.about}) if event.about else ""


@register.filter
def alarm(kind: str) -> str:
    """Return in words what an alarm or a signed event is about."""
    return str(ALARMS.get(kind, kind))
