"""Template tags of the shell, built into every template."""

from django import template
from django.template import Context
from django.urls import translate_url
from django.utils.http import urlencode

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
    return translate_url(context["request"].get_full_path(), code)
