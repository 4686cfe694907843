"""Template tags of the shell, built into every template."""

from django import template
from django.template import Context
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from renkei.base.middleware import address_in

PARTIES = {
    "AU": _("Australia"),
    "CA": _("Canada"),
    "DE": _("Germany"),
    "FR": _("France"),
    "GB": _("United Kingdom"),
    "IN": _("India"),
    "IT": _("Italy"),
    "JP": _("Japan"),
    "KR": _("Republic of Korea"),
    "US": _("United States"),
}

register = template.Library()


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: object) -> str:
    """Return the address's query with some parameters set, or removed by ``None``."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None or value == "":
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    return f"?{urlencode(sorted(parameters.lists()), doseq=True)}" if parameters else "?"


@register.simple_tag(takes_context=True)
def in_language(context: Context, code: str) -> str:
    """Return the address of this page in another language."""
    return address_in(context["request"].get_full_path(), code)


@register.filter
def party(code: str) -> str:
    """Return the name of a party of the programme; of one without a name here, its code."""
    return str(PARTIES.get(code, code))
