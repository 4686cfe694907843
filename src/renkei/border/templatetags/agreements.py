"""How agreements are said on pages: rules in words, reasons, parties, instants."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from renkei.base.problems import Sayable, say
from renkei.base.templatetags.renkei import party
from renkei.border import engine

register = template.Library()

ACTIONS = {
    "use": pgettext_lazy("action", "Use"),
    "read": pgettext_lazy("action", "Read"),
    "compute": pgettext_lazy("action", "Compute"),
    "export": pgettext_lazy("action", "Export"),
    "delete": pgettext_lazy("duty", "Delete"),
    "report": pgettext_lazy("duty", "Report"),
}
KINDS = {
    "permission": _("Permission"),
    "prohibition": _("Prohibition"),
    "obligation": _("Obligation"),
}
OPERANDS = {
    "purpose": _("Purpose"),
    "dateTime": _("Date and time"),
    "recipient": _("Recipient"),
    "recipientParty": _("Recipient's country"),
    "spatial": _("Place of use"),
    "count": _("Number of uses"),
    "delayPeriod": _("Time since conclusion"),
    "classification": _("Classification"),
    "outputType": _("Kind of result"),
}
OPERATORS = {
    "eq": pgettext_lazy("operator", "{operand}: {value}"),
    "neq": pgettext_lazy("operator", "{operand}: not {value}"),
    "isAnyOf": pgettext_lazy("operator", "{operand}: one of {value}"),
    "isNoneOf": pgettext_lazy("operator", "{operand}: none of {value}"),
    "lt": pgettext_lazy("operator", "{operand}: below {value}"),
    "lteq": pgettext_lazy("operator", "{operand}: at most {value}"),
    "gt": pgettext_lazy("operator", "{operand}: above {value}"),
    "gteq": pgettext_lazy("operator", "{operand}: at least {value}"),
}
TIMES = {
    "lt": pgettext_lazy("operator on time", "{operand}: before {value}"),
    "lteq": pgettext_lazy("operator on time", "{operand}: until {value}"),
    "gt": pgettext_lazy("operator on time", "{operand}: after {value}"),
    "gteq": pgettext_lazy("operator on time", "{operand}: from {value}"),
}
CLASSIFICATIONS = {
    "public": pgettext_lazy("classification", "Public"),
    "internal": pgettext_lazy("classification", "Internal"),
    "restricted": pgettext_lazy("classification", "Restricted"),
    "confidential": pgettext_lazy("classification", "Confidential"),
    "secret": pgettext_lazy("classification", "Secret"),
    "top-secret": pgettext_lazy("classification", "Top secret"),
}
STATES = {
    "draft": ("warning", _("Draft")),
    "proposed": ("info", _("Proposed")),
    "in_force": ("good", _("In force")),
    "replaced": ("", _("Replaced")),
}
OUTCOMES = {
    "applies": _("applies"),
    "does_not_apply": _("does not apply"),
    "unknown": _("cannot be told"),
}
PARTIES = {"recipientParty", "spatial"}
ANY, ALL = _("One of these:"), _("All of these:")


@register.filter
def reason(said: Sayable) -> str:
    """Say a reason in the reader's language."""
    return say(said)


@register.filter
def action(code: str) -> str:
    """Return what people read for an action or a duty."""
    return str(ACTIONS.get(code, code))


@register.filter
def clause_kind(code: str) -> str:
    """Return what people read for a kind of clause."""
    return str(KINDS.get(code, code))


@register.filter
def outcome(code: str) -> str:
    """Return what people read for what a clause had to say."""
    return str(OUTCOMES.get(code, code))


@register.filter
def classification(code: str) -> str:
    """Return what people read for a level."""
    return str(CLASSIFICATIONS.get(code, code))


@register.filter
def parties(codes: list[str]) -> str:
    """Return the names of several parties."""
    return gettext(", ").join(party(code) for code in codes)


@register.filter
def state_badge(code: str) -> SafeString:
    """Return where a version stands, with a sign."""
    kind, label = STATES.get(code, ("", code))
    return format_html('<span class="badge{}">{}</span>', f" badge-{kind}" if kind else "", label)


@register.filter
def at(value: datetime | None) -> str:
    """Return an instant to the minute, in the node's time, with the zone's name."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return f"{date_format(local, 'DATE_FORMAT')} {local:%H:%M} {local:%Z}"


def _value(operand: str, raw: Any) -> str:
    if isinstance(raw, Mapping):
        raw = raw.get("@value")
    if isinstance(raw, list):
        return gettext(", ").join(_value(operand, item) for item in raw)
    if operand == "classification":
        return classification(str(raw))
    if operand == "dateTime":
        return at(datetime.fromisoformat(str(raw)))
    if operand == "delayPeriod":
        return days(engine.duration(raw))
    return party(str(raw)) if operand in PARTIES else str(raw)


def words(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return one constraint in words: ``said``, and ``parts`` of a group."""
    for name, head in (("and", ALL), ("or", ANY)):
        if name in raw:
            parts = raw[name]["@list"] if isinstance(raw[name], Mapping) else raw[name]
            return {"said": str(head), "parts": [words(part) for part in parts]}
    operand, operator = str(raw.get("leftOperand")), str(raw.get("operator"))
    forms = {**OPERATORS, **TIMES} if operand == "dateTime" else OPERATORS
    pattern = str(forms.get(operator, "{operand}: {value}"))
    return {
        "said": pattern.format(
            operand=OPERANDS.get(operand, operand), value=_value(operand, raw.get("rightOperand"))
        ),
        "parts": [],
    }


@register.filter
def bytes_size(size: int) -> str:
    """Return a number of bytes with a fitting unit (IEC 80000-13)."""
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


@register.filter
def days(length: timedelta) -> str:
    """Return a length of time as an agreement counts it: in days, else in hours or minutes."""
    minutes = int(length.total_seconds()) // 60
    if minutes % (24 * 60) == 0:
        return ngettext("{count} day", "{count} days", length.days).format(count=length.days)
    if minutes % 60 == 0:
        return ngettext("{count} hour", "{count} hours", minutes // 60).format(count=minutes // 60)
    return ngettext("{count} minute", "{count} minutes", minutes).format(count=minutes)
