"""How the registry's figures, places and terms are said."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django import template
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from renkei.materials import engine
from renkei.materials.models import Qualifier, Scenario, Stage, Stock, Subject, Trade, language

register = template.Library()
_FLOATING = re.compile(r"\d{1,3}\.\d{5,}", re.ASCII)

UNITS: Mapping[str, Any] = {
    "metric tons": _("tonnes"),
    "tonnes (metric)": _("tonnes"),
    "kilotonnes": _("thousand tonnes"),
    "thousand metric tons": _("thousand tonnes"),
    "thousand metric dry tons": _("thousand dry tonnes"),
    "million metric tons": _("million tonnes"),
    "kilograms": _("kilograms"),
    "million cubic meters": _("million cubic metres"),
    "million liters": _("million litres"),
    "million carats": _("million carats"),
    "thousands of carats": _("thousand carats"),
    "kg per car": _("kg per car"),
    "kg per MW": _("kg per MW"),
    "litres": _("litres"),
    "percent": "%",
    "t": _("tonnes"),
    "days": _("days"),
    "t/a": _("tonnes a year"),
}
TERMS: Mapping[str, Mapping[str, Any]] = {
    "stage": {**dict(Stage.choices), "": _("whole chain")},
    "subject": dict(Subject.choices),
    "qualifier": dict(Qualifier.choices),
    "kind": dict(Scenario.Kind.choices),
    "direction": dict(Trade.Direction.choices),
    "stock": {
        **dict(Stock._meta.get_field("kind").flatchoices),  # noqa: SLF001  Django's name
        "total": pgettext_lazy("materials", "Total"),
    },
    "publisher": {
        "usgs": _("US Geological Survey"),
        "baci": "CEPII BACI",
        "wgi": _("World Bank"),
        "gleif": "GLEIF",
        "comtrade": "UN Comtrade",
        "customs": _("Customs"),
        "iea": _("International Energy Agency"),
        "bgs": _("British Geological Survey"),
    },
}


@register.filter
def place(code: str) -> str:
    """Return what people call a country."""
    return engine.place_name(code, language())


@register.filter
def places(codes: str) -> str:
    """Return the names of countries given by codes and spaces."""
    return ("・" if language() == "ja" else ", ").join(place(code) for code in codes.split())


@register.filter
def term(code: str, table: str) -> str:
    """Return what a code of a table means."""
    return str(TERMS[table].get(code, code))


@register.filter
def unit(name: str) -> str:
    """Return a unit in the reader's words."""
    return str(UNITS.get(name, name))


@register.filter
def figure(value: float | None, digits: int = 3) -> str:
    """Return a number with a few significant digits and separators; a dash for none."""
    if value is None:
        return "–"
    if value in (float("inf"), float("-inf")):
        return "∞"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 10 ** (digits - 1):
        whole = 10 ** max(0, len(str(int(size))) - digits)
        return f"{round(value / whole) * whole:,}"
    said = f"{value:.{digits}g}"
    if "e" in said:  # people do not read powers of ten
        said = f"{value:.12f}".rstrip("0")
        zeros = len(said) - len(said.lstrip("-0."))
        said = said[: zeros + 2].rstrip(".") or "0"
    return said


@register.filter
def printed(raw: str) -> str:
    """Return a printed figure; what a file made of floating point is told by four digits."""
    return f"{float(raw):,.4g}" if _FLOATING.fullmatch(raw) else raw


@register.filter
def note(text: str) -> str:
    """Return a note of a shipped bill in the reader's language."""
    return engine.note_text(text, language())


@register.filter
def percent(share: float | None) -> str:
    """Return a share in percent; a small one with two digits, for it is not nothing."""
    if share is None:
        return "–"
    if 2e-5 <= share < 5e-4:
        return f"{share * 100:.2g} %"
    return f"{share * 100:.1f} %" if share < 0.9995 else "100 %"


@register.filter
def rise(share: float) -> str:
    """Return by how much something grows, in percent; it may more than double."""
    grown = share * 100
    return f"+{grown:,.0f} %" if grown >= 100 else f"+{grown:.3g} %"


@register.simple_tag
def tenthousandths(units: int) -> str:
    """Return a share that is told in ten-thousandths."""
    return percent(units / 10_000)


@register.filter
def listed(value: object) -> object:
    """Return a list as words with commas; everything else as it is."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


@register.filter
def hhi(value: float | None) -> str:
    """Return an index of concentration as it is printed, 0 to 10 000."""
    return "–" if value is None else f"{round(value * 10_000):,}"


@register.filter
def day(value: date | None) -> str:
    """Return a day in the reader's words."""
    return "–" if value is None else date_format(value, "DATE_FORMAT", use_l10n=True)


@register.simple_tag
def interval(low: float, high: float, how: str = "figure") -> str:
    """Return two bounds, or one number where they are the same."""
    ways: Mapping[str, Callable[[float | None], str]] = {
        "figure": figure,
        "percent": percent,
        "hhi": hhi,
    }
    say = ways[how]
    one, other = say(low), say(high)
    return one if one == other else f"{one} – {other}"
