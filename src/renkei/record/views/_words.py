"""How the record's codes, amounts and dates are said on its pages.

``PAGES`` are the templates that say them.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote_plus

from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy, pgettext_lazy
from markupsafe import escape

from renkei.base.pages import Pages
from renkei.base.rows import moment as as_moment
from renkei.base.shell import url
from renkei.record import door, engine
from renkei.record.models import LABELS, Bilingual, language, side_label
from renkei.record.models import label as label_of

TITLE_CHARACTERS = 80
KEPT = 4_096  # pieces of each kind that one process keeps; the same ones come on many pages
Row = Any  # of ``base.rows``


class Passage(Protocol):
    """A place in a source, as views give it to templates."""

    source: Any
    start: int
    end: int

    @property
    def digest(self) -> str:
        """Return enough of the document's hash to know it by."""


FIELDS = {
    "name": gettext_lazy("Name"),
    "domain": gettext_lazy("Domain"),
    "kind": gettext_lazy("Kind"),
    "status": gettext_lazy("Status"),
    "scope": gettext_lazy("Scope"),
    "funding_source": gettext_lazy("Source of the money"),
    "parties": gettext_lazy("Parties"),
    "period": gettext_lazy("Period"),
    "amount": gettext_lazy("Amount"),
    "title_en": gettext_lazy("Title (English)"),
    "title_ja": gettext_lazy("Title (Japanese)"),
    "note_en": gettext_lazy("Note (English)"),
    "note_ja": gettext_lazy("Note (Japanese)"),
    "decision_en": gettext_lazy("Decision (English)"),
    "decision_ja": gettext_lazy("Decision (Japanese)"),
    "record_class": gettext_lazy("Class"),
    "class": gettext_lazy("Class"),
    "part_of": gettext_lazy("Part of"),
    "party": gettext_lazy("Party"),
    "nature": gettext_lazy("Nature of the money"),
    "source": gettext_lazy("Source"),
    "finding": gettext_lazy("Findings"),
    "value": gettext_lazy("Value"),
    "qualifier": gettext_lazy("Qualifier"),
    "currency": gettext_lazy("Currency"),
    "side": gettext_lazy("Side"),
    "stage": gettext_lazy("Stage"),
    "relation": gettext_lazy("Relation"),
    "state": gettext_lazy("State"),
    "milestone": gettext_lazy("Milestone"),
    "due": gettext_lazy("Due"),
    "evidence": gettext_lazy("Evidence"),
    "assessor": gettext_lazy("Assessor"),
    "disbursement": gettext_lazy("Payment"),
    "paid_on": gettext_lazy("Day of payment"),
    "organisation": gettext_lazy("Organisation"),
    "role": gettext_lazy("Role"),
    "identifier": gettext_lazy("Identifier"),
    "reliability": gettext_lazy("Reliability"),
    "severity": gettext_lazy("Severity"),
    "sha256": gettext_lazy("SHA-256"),
}
DATES = {
    "announced": gettext_lazy("Announced on"),
    "signed": gettext_lazy("Signed on"),
    "agreed": gettext_lazy("Agreed"),
    "cited": gettext_lazy("Date cited"),
    "start": gettext_lazy("Begins"),
    "launch": gettext_lazy("Launch"),
    "launched": gettext_lazy("Launched"),
    "established": gettext_lazy("Established on"),
    "held": gettext_lazy("Held"),
    "milestone": gettext_lazy("Date of a milestone"),
    "target": gettext_lazy("Target date"),
}
METRICS = {
    "qubits": gettext_lazy("Qubits"),
    "fabs": gettext_lazy("Fabs"),
    "models": gettext_lazy("Models"),
    "MW": gettext_lazy("Megawatts"),
    "cost_reduction_percent": gettext_lazy("Cost reduction in per cent"),
    "projects": gettext_lazy("Projects"),
    "engineers": gettext_lazy("Engineers"),
    "charging_stations": gettext_lazy("Charging stations"),
    "other_members": gettext_lazy("Other members"),
    "universities": gettext_lazy("Universities"),
    "partners": gettext_lazy("Partners"),
    "cables": gettext_lazy("Cables"),
}
VERBS = {
    "load": gettext_lazy("Loaded"),
    "add": pgettext_lazy("history", "Added"),
    "edit": gettext_lazy("Edited"),
    "claim": gettext_lazy("Claim added"),
    "publish": gettext_lazy("Claim published"),
    "remove": pgettext_lazy("history", "Removed"),
    "participate": gettext_lazy("Organisation added"),
    "edit role": gettext_lazy("Role edited"),
    "remove role": gettext_lazy("Role removed"),
    "attach": gettext_lazy("Document attached"),
    "add milestone": gettext_lazy("Milestone added"),
    "assess milestone": gettext_lazy("Milestone assessed"),
    "add disbursement": gettext_lazy("Payment added"),
    "correct disbursement": gettext_lazy("Payment corrected"),
    "add outcome": gettext_lazy("Outcome added"),
    "edit outcome": gettext_lazy("Outcome edited"),
    "remove outcome": gettext_lazy("Outcome removed"),
    "resolve": gettext_lazy("Decided"),
    "reopen": gettext_lazy("Reopened"),
}
QUALIFIED = {
    "about": gettext_lazy("about {amount}"),
    "more_than": gettext_lazy("more than {amount}"),
    "at_least": gettext_lazy("at least {amount}"),
    "up_to": gettext_lazy("up to {amount}"),
    "projected": gettext_lazy("{amount} (projected)"),
    "disputed": gettext_lazy("{amount} (disputed)"),
}
LANGUAGE_NAMES = {"en": gettext_lazy("English"), "ja": gettext_lazy("Japanese")}
_CODED = {"record_class": "class", "state": "finding"}


def label(code: str, vocabulary: str) -> str:
    """Return what people read for a code: ``{{ row.domain|label("domain") }}``."""
    return label_of(vocabulary, code)


def text(row: Bilingual, name: str) -> str:
    """Return a text of a row in the reader's language: ``{{ row|text("note") }}``."""
    return row.said(name)


def place(code: str) -> str:
    """Return the names of countries or blocs: ``JP``, ``JP,US`` or ``US/JP``."""
    codes = [part for part in str(code).replace("/", ",").split(",") if part]
    names = [engine.place(part, language()) for part in codes]
    return ("・" if language() == "ja" else ", ").join(names)


def parties(codes: str) -> str:
    """Return the names of parties, or that there are none."""
    return place(codes) or _("none named")


def side(code: str) -> str:
    """Return what people read for who pays."""
    return side_label(code)


def known(text: str) -> str:
    """Return a text, or that the source does not state it."""
    return text or _("not stated")


_COUNTED = {
    "commitment": ngettext_lazy("%(said)s commitment", "%(said)s commitments", "count"),
    "document": ngettext_lazy("%(said)s document", "%(said)s documents", "count"),
    "entry": ngettext_lazy("%(said)s entry", "%(said)s entries", "count"),
    "line": ngettext_lazy(
        "%(said)s independent line of evidence", "%(said)s independent lines of evidence", "count"
    ),
    "record": ngettext_lazy("%(said)s record", "%(said)s records", "count"),
    "rests": ngettext_lazy(
        "The documents that the record rests on: %(said)s independent line of evidence. "
        "Documents that go back to the same account count once.",
        "The documents that the record rests on: %(said)s independent lines of evidence. "
        "Documents that go back to the same account count once.",
        "count",
    ),
}


def counted(count: int, what: str) -> str:
    """Return how many there are of something: ``{{ hits|counted("record") }}``."""
    return str(_COUNTED[what] % {"count": count, "said": number(count)})


def number(value: object) -> str:
    """Return a whole number with separators of thousands; anything else as it is."""
    return engine.number(value) if isinstance(value, int) else str(value)


def money(minor: int, currency: str, qualifier: str = "exact") -> SafeString:
    """Return an amount in words, with all its digits for programs and for a closer look."""
    return _money(minor, currency, qualifier, language())


@lru_cache(maxsize=KEPT)
def _money(minor: int, currency: str, qualifier: str, code: str) -> SafeString:
    if qualifier in QUALIFIED:
        amount = _money(minor, currency, "exact", code)
        return format_html(str(QUALIFIED[qualifier]), amount=amount)
    exact = engine.money_exact(minor, currency, code)
    said = engine.money(minor, currency, code)
    value = f"{engine.from_minor(minor, currency):f}"
    title = "" if said == exact else f' title="{escape(exact)}"'
    return mark_safe(f'<data value="{value}"{title}>{escape(said)}</data>')  # noqa: S308


def day(value: object) -> str:
    """Return a date in words, with the grain it has; of a moment, its day here."""
    if isinstance(value, datetime):
        value = timezone.localtime(value).date()
    text = value.isoformat() if isinstance(value, date) else str(value or "")
    return _day(text, language()) if text else ""


@lru_cache(maxsize=KEPT)
def _day(text: str, code: str) -> str:
    return engine.date_words(text, code)


def moment(value: datetime | None) -> str:
    """Return a moment in words, to the minute, in the node's time."""
    if value is None:
        return ""
    here = timezone.localtime(as_moment(value))
    return f"{day(here)} {here:%H:%M} {here.tzname()}"


def iso(value: datetime) -> str:
    """Return a moment for programs."""
    return as_moment(value).isoformat()


def shortened(text: str) -> str:
    """Return what fits into the title of a page."""
    return Truncator(text).chars(TITLE_CHARACTERS)


def period(text: str) -> str:
    """Return a period in words."""
    return engine.period_words(text, language()) if text else ""


def field(name: str) -> str:
    """Return what people read for a field of a claim or of the history."""
    head, _mark, rest = name.partition(":")
    if head == "amount" and rest:
        return _("Amount: {side}").format(side=side_label(rest))
    if head == "date":
        return str(DATES.get(rest, rest.replace("_", " ")))
    if head == "target":
        return _("Target: {metric}").format(metric=metric(rest))
    return str(FIELDS.get(name, name.replace("_", " ")))


def metric(code: str) -> str:
    """Return what people read for what is counted."""
    return str(METRICS.get(code, code.replace("_", " ")))


def verb(code: str) -> str:
    """Return what people read for what was done."""
    return str(VERBS.get(code, code))


def tongue(code: str) -> str:
    """Return the name of a document's language."""
    return str(LANGUAGE_NAMES.get(code, code))


def said(value: object, name: str) -> str:
    """Return a value of the history in words: a code by its field, anything else as it is."""
    if value is None or value == "":
        return "–"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    vocabulary = _CODED.get(name, name)
    if isinstance(value, str) and value in LABELS.get(vocabulary, {}):
        return label_of(vocabulary, value)
    return str(value)


def stated(claim: Row) -> Any:
    """Return what a claim says, in words."""
    head = claim.field.partition(":")[0]
    if claim.minor is not None:
        return money(claim.minor, claim.currency, claim.qualifier)
    if head in engine.CHOSEN_FIELDS:
        return label_of(head, claim.value)
    if head == "parties":
        return parties(claim.value)
    if head == "date":
        return day(claim.value)
    if head == "period":
        return period(claim.value)
    return figure(claim.value) if head == "target" else claim.value


def severity_badge(code: str) -> str:
    """Return the style of a finding's severity."""
    return {"high": "badge-bad", "medium": "badge-warning"}.get(code, "badge-info")


def reliability_badge(code: str) -> str:
    """Return the style of a source's reliability."""
    return {"primary": "badge-good", "low": "badge-warning"}.get(code, "")


def milestone_badge(code: str) -> str:
    """Return the style of a milestone's state."""
    return {
        "overdue": "badge-bad",
        "missed": "badge-bad",
        "delivered": "badge-good",
    }.get(code, "badge-info")


def careless_money(minor: int, currency: str) -> SafeString:
    """Return an amount rounded to what a headline would say; only the warning panel rounds."""
    exact = engine.money_exact(minor, currency, language())
    said = engine.money(minor, currency, language(), decimals=1)
    return format_html('<span title="{}">{}</span>', exact, said)


SORTS = {
    "recent": gettext_lazy("Changed last"),
    "title": gettext_lazy("Title"),
    "amount": gettext_lazy("Largest amount"),
    "date": gettext_lazy("Latest date"),
}
FINDING = {"any": gettext_lazy("With findings"), "none": gettext_lazy("Without findings")}


def sort_label(code: str) -> str:
    """Return the name of an order."""
    return str(SORTS.get(code, code))


def choice(value: str, name: str, sources: Mapping[str, str]) -> str:
    """Return what people read for one value of a facet.

    Args:
        value: one of those that can be chosen.
        name: of the facet, as in an address.
        sources: titles of sources by their slugs.
    """
    match name:
        case "party":
            return place(value)
        case "source":
            title = sources.get(value)
            return f"{value}: {title}" if title else value
        case "finding":
            return str(FINDING[value])
        case _:
            return label_of(name, value)


def urlencoded(parameters: Mapping[str, str]) -> str:
    """Return parameters as the query of an address."""
    return urlencode(sorted(parameters.items()))


def facet_items(selection: door.Selection, facet: Mapping[str, Any]) -> SafeString:
    """Return the choices of a facet, each with the query that chooses it from the first page on.

    In Python, because a page has a hundred of them and each would be a dozen nodes of a template.
    """
    name = facet["name"]
    parameters = selection.parameters
    others = urlencode(sorted((key, text) for key, text in parameters.items() if key != name))
    chosen = _("chosen; choose again to remove")
    before = escape(f"{others}&{name}=" if others else f"{name}=")
    items = []
    for item in facet["choices"]:
        said, value = _offered(item.value, name, facet["sources"].get(item.value, ""), language())
        count = "" if item.count is None else f'<span class="count">{number(item.count)}</span>'
        if item.is_chosen:
            start = f'<a href="?{escape(others)}" aria-current="true">'
            said = f'{said}<span class="visually-hidden"> ({escape(chosen)})</span>'
        else:
            start = f'<a href="?{before}{value}" rel="nofollow">'
        items.append(f"<li>{start}<span>{said}</span>{count}</a></li>")
    return mark_safe("\n".join(items))  # noqa: S308  every part is escaped above


@lru_cache(maxsize=KEPT)
def _offered(value: str, name: str, title: str, code: str) -> tuple[str, str]:
    """Return what people read for a value of a facet, escaped, and the value in an address."""
    return escape(choice(value, name, {value: title})), quote_plus(value)


def commitment_rows(rows: Iterable[Row]) -> SafeString:
    """Return the rows of a list of commitments; in Python, as ``facet_items`` and for its reason."""
    to_row, to_source = url("record:commitments"), url("record:sources")
    named = {
        word: escape(str(said))
        for word, said in (
            ("status", _("Status")),
            ("date", _("Date")),
            ("amount", _("Amount")),
            ("source", _("Source")),
            ("findings", _("Findings")),
        )
    }
    nothing = '<span class="muted">–</span>'
    lines = []
    for row in rows:
        about = _subject(row.domain, row.parties, row.record_class, language())
        mark = ""
        if row.is_disputed:
            mark = f' <span class="badge badge-warning">{named["findings"]}</span>'
        dated, amount, source = nothing, nothing, ""
        if row.dated:
            dated = f'<time datetime="{escape(row.dated)}">{escape(day(row.dated))}</time>'
        if row.amount_minor is not None:
            amount = money(row.amount_minor, row.amount_currency, row.amount_qualifier)
        if row.source_slug:
            slug, title = escape(row.source_slug), escape(row.source_title)
            source = (
                f'<a href="{to_source}{slug}/" title="{title}">{slug}'
                f'<span class="visually-hidden">: {title}</span></a>'
            )
            if row.source_reliability == "low":
                doubt = escape(label(row.source_reliability, "reliability"))
                source += f' <span class="badge badge-warning">{doubt}</span>'
        lines.append(
            f'<tr><th scope="row"><a href="{to_row}{escape(row.slug)}/">{escape(row.title)}</a><br>'
            f'<span class="small muted">{about}</span>{mark}</th>\n'
            f'<td class="short" data-label="{named["status"]}">'
            f"{escape(label(row.status, 'status'))}</td>\n"
            f'<td class="date" data-label="{named["date"]}">{dated}</td>\n'
            f'<td class="num" data-label="{named["amount"]}">{amount}</td>\n'
            f'<td data-label="{named["source"]}">{source}</td></tr>'
        )
    return mark_safe("\n".join(lines))  # noqa: S308  every part is escaped above


@lru_cache(maxsize=KEPT)
def _subject(domain: str, parties: str, record_class: str, code: str) -> str:
    """Return, escaped, what a commitment is about and whose it is."""
    said = [label(domain, "domain"), place(parties)]
    if record_class == "context":
        said.append(label(record_class, "class"))
    return escape(" · ".join(said))


def disbursement_rows(rows: Iterable[Row]) -> SafeString:
    """Return the rows of a list of payments; in Python, as ``commitment_rows``."""
    to_organisation, to_source = url("record:organisations"), url("record:sources")
    amount_head, recipient_head, evidence_head = (
        f'data-label="{escape(word)}"' for word in (_("Amount"), _("Recipient"), _("Evidence"))
    )
    corrected = f' <span class="badge">{escape(_("Corrected"))}</span>'
    corrects = _("Correction")
    correction = f' <span class="badge badge-info">{escape(corrects)}</span>'
    lines = []
    for row in rows:
        amount: str = money(row.minor, row.currency)
        if not row.is_current:
            amount = f"<s>{amount}</s>{corrected}"
        if row.corrects_id:
            amount += correction
        recipient, source = "–", ""
        if row.recipient_slug:
            title = escape(row.recipient_title)
            recipient = f'<a href="{to_organisation}{escape(row.recipient_slug)}/">{title}</a>'
        if row.source_slug:
            title = escape(row.source_title)
            source = f' <a href="{to_source}{escape(row.source_slug)}/">{title}</a>'
        lines.append(
            f'<tr><th scope="row">{escape(day(row.paid_on))}</th>'
            f'<td class="num" {amount_head}>{amount}</td>'
            f"{_paid_as(row.side, row.nature, language())}"
            f"<td {recipient_head}>{recipient}</td>"
            f"<td {evidence_head}>{escape(row.evidence or '–')}{source}</td></tr>"
        )
    return mark_safe("\n".join(lines))  # noqa: S308  every part is escaped above


@lru_cache(maxsize=KEPT)
def _paid_as(side: str, nature: str, code: str) -> str:
    """Return the cells that say who paid and what kind of money."""
    payer, kind = escape(side_label(side)), escape(label(nature, "nature"))
    return (
        f'<td data-label="{escape(_("Side"))}">{payer}</td>'
        f'<td data-label="{escape(_("Nature"))}">{kind}</td>'
    )


def locator(passage: Passage) -> SafeString:
    """Return where a passage stands: characters of a document with this hash."""
    place = _("Characters %(start)s–%(end)s") % {
        "start": number(passage.start),
        "end": number(passage.end),
    }
    return format_html(
        '{} <span class="mono" title="SHA-256 {}">{}…</span>',
        place,
        passage.source.sha256,
        passage.digest,
    )


FINDING_FACETS = {
    "severity": gettext_lazy("Severity"),
    "kind": gettext_lazy("Type"),
    "state": gettext_lazy("State"),
    "detectable": gettext_lazy("How it can be seen"),
}


def finding_facet(name: str) -> str:
    """Return the name of a facet of findings."""
    return str(FINDING_FACETS[name])


def figure(text: str) -> str:
    """Return a target with separators of thousands, where it is a number."""
    whole, dot, rest = text.partition(".")
    return engine.number(int(whole)) + dot + rest if whole.isdecimal() else text


def is_web(address: str) -> bool:
    """Tell whether an address may be a link."""
    return address.startswith(("https://", "http://"))


PAGES = Pages(
    "renkei.record",
    style="record/record.css",
    filters={
        item.__name__: item
        for item in (
            counted, day, field, figure, finding_facet, is_web, iso, known, label, metric,
            milestone_badge, moment, number, parties, period, place, reliability_badge, said,
            severity_badge, shortened, side, sort_label, stated, text, tongue, urlencoded, verb,
        )
    },
    functions={
        item.__name__: item
        for item in (
            careless_money, commitment_rows, disbursement_rows, facet_items, locator, money,
        )
    },
)  # fmt: skip
