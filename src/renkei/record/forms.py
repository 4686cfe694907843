"""What officers fill in: one form a verb of the door; ``arguments`` is what the verb is given.

A form checks shapes alone; what a value means is the door's to judge, so that pages, programs and
commands refuse alike.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from renkei.base import problems
from renkei.kit.errors import RenkeiError
from renkei.record import door, engine
from renkei.record.models import LABELS, Claim, Organisation, Source

MOST_SUGGESTED = 500
LONGEST_NOTE = 4_000
_PASSAGE = re.compile(r"\s*(\d{1,9})\s*[-–]\s*(\d{1,9})\s*", re.ASCII)


class ChangeForm(forms.Form):
    """Any change: it has a reason, which comes last."""

    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("Why you change it. Everybody can read it in the history."),
        max_length=500,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([name for name in self.fields if name != "reason"])

    def arguments(self) -> dict[str, Any]:
        """Return what the door's verb is given; valid forms only."""
        return dict(self.cleaned_data)


class VersionedForm(ChangeForm):
    """A change of something that another officer may be changing as well."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)

    def clean(self) -> dict[str, Any]:
        """Say on the form what is wrong with its hidden part."""
        if "version" in self.errors:
            self.add_error(None, gettext("The form is damaged: load the page again."))
        return self.cleaned_data


def _text(label: Any, *, help_text: Any = "", required: bool = True, longest: int = 300) -> Any:
    return forms.CharField(label=label, help_text=help_text, required=required, max_length=longest)


def _note(label: Any, *, help_text: Any = "", required: bool = False) -> Any:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=required,
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 4}),
    )


def _code(
    vocabulary: str, label: Any, *, required: bool = True, initial: str = "", help_text: Any = ""
) -> Any:
    return forms.ChoiceField(
        label=label,
        help_text=help_text,
        required=required,
        initial=initial,
        choices=[("", "—"), *LABELS[vocabulary].items()],
    )


def _day(label: Any, *, required: bool = False, help_text: Any = "") -> Any:
    return forms.DateField(
        label=label,
        required=required,
        help_text=help_text,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )


def _partial(label: Any, *, required: bool = True) -> Any:
    return forms.CharField(
        label=label,
        required=required,
        max_length=10,
        help_text=_("As exact as it is known: 2026-03-31, 2026-03 or 2026."),
    )


def _sources(*, empty: bool) -> Callable[[], list[tuple[str, str]]]:
    def choices() -> list[tuple[str, str]]:
        rows = [(row.slug, f"{row.slug}: {row.title}") for row in Source.objects.order_by("pk")]
        return [("", "—"), *rows] if empty or len(rows) != 1 else rows

    return choices


def _source(label: Any, *, required: bool = True, help_text: Any = "") -> Any:
    return forms.ChoiceField(
        label=label, required=required, help_text=help_text, choices=_sources(empty=not required)
    )


class Suggested(forms.TextInput):
    """A text field that suggests values: a datalist, which needs no script."""

    template_name = "record/suggested.html"

    def __init__(self, suggest: Callable[[], Iterable[tuple[str, Any]]]) -> None:
        super().__init__()
        self._suggest = suggest

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Add the suggestions."""
        context = super().get_context(name, value, attrs)
        stem = context["widget"]["attrs"].get("id", name)
        context["widget"]["attrs"]["list"] = f"{stem}_list"
        context["suggestions"] = list(self._suggest())
        return context


def _organisations() -> list[tuple[str, str]]:
    rows = Organisation.objects.order_by("pk")[:MOST_SUGGESTED]
    return [(row.slug, row.title) for row in rows]


def _codes() -> list[tuple[str, Any]]:
    return [(code, said) for field in engine.CHOSEN_FIELDS for code, said in LABELS[field].items()]


def _sides() -> list[tuple[str, Any]]:
    return [
        ("US", _("United States")),
        ("JP", _("Japan")),
        ("joint", _("Several, shares not stated")),
        ("other", _("Somebody else")),
    ]


def _currencies() -> list[tuple[str, Any]]:
    return [("USD", _("US dollar")), ("JPY", _("Japanese yen")), ("EUR", _("Euro"))]


def passages_of(text: str) -> list[tuple[int, int]]:
    """Read passages, one ``start-end`` a line or between commas."""
    places: list[tuple[int, int]] = []
    for part in re.split(r"[\n,]", text):
        if not part.strip():
            continue
        match = _PASSAGE.fullmatch(part)
        if match is None:
            raise ValidationError(
                gettext("%(text)s is not a passage: expected start and end such as 120-185.")
                % {"text": part.strip()[:40]}
            )
        places.append((int(match[1]), int(match[2])))
    return places


PASSAGES = forms.CharField(
    label=_("Passages"),
    help_text=_("Offsets in the document, one passage a line: start-end, for example 120-185."),
    required=False,
    max_length=2_000,
    widget=forms.Textarea(attrs={"rows": 2}),
)
QUOTATION = forms.CharField(
    label=_("Quotation"),
    help_text=_(
        "Instead of offsets: the exact words of the document. They are looked up in the "
        "document on this node; only their place is kept."
    ),
    required=False,
    max_length=5_000,
    widget=forms.Textarea(attrs={"rows": 3}),
)


class PassageForm(forms.Form):
    """Where a source says it: by offsets, or by a quotation that is looked up and not kept.

    The form declares ``passages`` and ``quotation`` where it shows them.
    """

    def clean_passages(self) -> list[tuple[int, int]]:
        """Read the offsets."""
        return passages_of(self.cleaned_data["passages"])

    def located(self, slug: str) -> list[tuple[int, int]]:
        """Return the passages in the source of that name, the quotation's among them.

        What cannot be located is said beside the quotation.
        """
        places: list[tuple[int, int]] = self.cleaned_data.get("passages") or []
        quotation = self.cleaned_data.get("quotation", "")
        source = Source.objects.filter(slug=slug).first()
        if not quotation or source is None:
            return places
        text = door.text_of(source)
        if text is None:
            self.add_error(
                "quotation",
                gettext(
                    "This node does not have the document: attach it first, or give the offsets."
                ),
            )
            return places
        try:
            return [*places, engine.locate(text, quotation)]
        except RenkeiError as error:
            self.add_error("quotation", problems.say(error))
            return places


# Commitments and their claims


class CommitmentForm(ChangeForm, PassageForm):
    """A new commitment."""

    title_en = _text(_("Title in English"))
    title_ja = _text(_("Title in Japanese"))
    record_class = _code("class", _("Class"), initial="commitment")
    source = _source(_("Source"))
    passages = PASSAGES
    quotation = QUOTATION
    domain = _code("domain", _("Domain"))
    kind = _code("kind", _("Kind"))
    status = _code("status", _("Status"))
    scope = _code("scope", _("Scope"), initial="bilateral")
    parties = _text(
        _("Parties"),
        help_text=_("Country codes or blocs between commas, for example JP,US."),
        required=False,
        longest=120,
    )
    funding_source = _code("funding_source", _("Whose money"), initial="unknown")
    part_of = _text(
        _("Part of"),
        help_text=_("Name of the commitment that this one is a part of, as in its address."),
        required=False,
        longest=80,
    )
    note_en = _note(_("Note in English"))
    note_ja = _note(_("Note in Japanese"))
    seen_on = _day(_("Seen on"), help_text=_("When the source said so to you; empty for today."))

    def clean(self) -> dict[str, Any]:
        """Find the quotation in the document."""
        super().clean()
        self.cleaned_data["passages"] = self.located(self.cleaned_data.get("source", ""))
        return self.cleaned_data

    def arguments(self) -> dict[str, Any]:
        """Leave out the quotation: its place is among the passages."""
        return {name: value for name, value in self.cleaned_data.items() if name != "quotation"}


class CommitmentEditForm(VersionedForm):
    """What is ours about a commitment: titles, note, scope, class, whole."""

    title_en = CommitmentForm.base_fields["title_en"]
    title_ja = CommitmentForm.base_fields["title_ja"]
    record_class = CommitmentForm.base_fields["record_class"]
    scope = CommitmentForm.base_fields["scope"]
    part_of = CommitmentForm.base_fields["part_of"]
    note_en = CommitmentForm.base_fields["note_en"]
    note_ja = CommitmentForm.base_fields["note_ja"]


MONEY = ("currency", "side", "nature", "stage", "relation")
CONVERSION = ("converted", "converted_currency", "rate", "rate_on")
FIELDS: Mapping[str, Any] = {
    "name": _("Name"),
    "domain": _("Domain"),
    "kind": _("Kind"),
    "status": _("Status"),
    "scope": _("Scope"),
    "funding_source": _("Whose money"),
    "parties": _("Parties"),
    "period": _("Period"),
    "amount": _("Amount"),
    "amount_side": _("Amount of one side"),
    "date": _("Date"),
    "target": _("Target"),
}
"""What a claim can be about; the last three need a detail."""


class ClaimForm(VersionedForm, PassageForm):
    """What a source says about one field."""

    about = forms.ChoiceField(label=_("Field"), choices=[("", "—"), *FIELDS.items()])
    detail = _text(
        _("Detail of the field"),
        help_text=_(
            "For a date what happens then (signed, start, end), for a target what is measured; "
            "lower-case letters without spaces."
        ),
        required=False,
        longest=41,
    )
    value = forms.CharField(
        label=_("Value"),
        help_text=_(
            "An amount in digits alone (110000000), a date as 2025-10-28, parties as JP,US; for "
            "domain, kind, status, scope and whose money the code that is suggested."
        ),
        max_length=engine.LONGEST_VALUE,
        widget=Suggested(_codes),
    )
    qualifier = _code("qualifier", _("How exact"), initial="exact")
    source = _source(_("Source"))
    passages = PASSAGES
    quotation = QUOTATION
    seen_on = _day(_("Seen on"), help_text=_("When the source said so to you; empty for today."))
    currency = forms.CharField(
        label=_("Currency (amounts)"),
        help_text=_("ISO 4217 code."),
        required=False,
        max_length=3,
        widget=Suggested(_currencies),
    )
    side = forms.CharField(
        label=_("Side that pays (amounts)"),
        help_text=_("Country code, joint or other."),
        required=False,
        max_length=8,
        widget=Suggested(_sides),
    )
    nature = _code("nature", _("Nature of the money (amounts)"), required=False)
    stage = _code("stage", _("Stage of the money (amounts)"), required=False)
    relation = _code("relation", _("Relation to other money (amounts)"), required=False)
    converted = _text(_("Converted amount"), required=False, longest=24)
    converted_currency = _text(_("Currency of the conversion"), required=False, longest=3)
    rate = _text(_("Rate of the conversion"), required=False, longest=24)
    rate_on = _day(_("Day of the rate"))
    publish = forms.BooleanField(
        label=_("Publish this claim"),
        help_text=_("The claim that is published now stays beside it as a rival."),
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        """Find the quotation; ask for what an amount needs."""
        super().clean()
        data = self.cleaned_data
        about = data.get("about", "")
        if about in {"amount", "amount_side"}:
            for name in MONEY:
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, gettext("An amount needs this."))
        if about in {"date", "target"} and not data.get("detail"):
            self.add_error("detail", gettext("This field needs a detail."))
        data["passages"] = self.located(data.get("source", ""))
        return data

    def arguments(self) -> dict[str, Any]:
        """Put the field and the money together."""
        data = self.cleaned_data
        detail = {"amount_side": data["side"], "date": data["detail"], "target": data["detail"]}
        about = str(data["about"])
        field = f"{about.removesuffix('_side')}:{detail[about]}" if about in detail else about
        money = {name: data[name] for name in (*MONEY, *CONVERSION)}
        plain = ("value", "qualifier", "source", "passages", "seen_on", "publish")
        return {
            **{name: data[name] for name in (*plain, "version", "reason")},
            "field": field,
            "money": door.Money(**money) if any(money.values()) else None,
        }


class PublishForm(VersionedForm):
    """Choose the published claim: which one, the address says."""


class ParticipationForm(VersionedForm):
    """An organisation's role in a commitment."""

    organisation = forms.CharField(
        label=_("Organisation"),
        help_text=_("Its name in the record, as in its address; choose from the list."),
        max_length=80,
        widget=Suggested(_organisations),
    )
    role = _code("role", _("Role"))


class RemovalForm(VersionedForm):
    """What is taken out of the record: the reason alone is asked for."""


# Milestones, money paid, outcomes


class MilestoneForm(VersionedForm, PassageForm):
    """What is due, and when."""

    title_en = _text(_("Title in English"))
    title_ja = _text(_("Title in Japanese"))
    due = _partial(_("Due"))
    metric = _text(_("What is measured"), required=False, longest=60)
    target = _text(_("Value to reach"), required=False, longest=40)
    source = _source(_("Source"), required=False)
    passages = PASSAGES
    quotation = QUOTATION

    def clean(self) -> dict[str, Any]:
        """Find the quotation; a milestone stands in one passage."""
        super().clean()
        self.cleaned_data["passages"] = self.located(self.cleaned_data.get("source", ""))
        if len(self.cleaned_data["passages"]) > 1:
            self.add_error("passages", gettext("A milestone stands in one passage."))
        return self.cleaned_data

    def arguments(self) -> dict[str, Any]:
        """Give the one passage."""
        data = dict(self.cleaned_data)
        del data["quotation"]
        passages = data.pop("passages")
        return {**data, "passage": passages[0] if passages else None}


class AssessmentForm(VersionedForm):
    """Whether a milestone was delivered, on what evidence, and who judged it."""

    state = _code("milestone", _("Judgement"))
    evidence = _text(
        _("Evidence"),
        help_text=_("What shows it; needed for a delivered milestone."),
        required=False,
        longest=500,
    )
    evidence_address = forms.URLField(
        label=_("Address of the evidence"), required=False, max_length=500, assume_scheme="https"
    )
    assessor = _text(
        _("Assessor"),
        help_text=_("The person or body that judged; needed for a delivered milestone."),
        required=False,
        longest=200,
    )
    assessed_on = _day(_("Assessed on"))


class DisbursementForm(VersionedForm):
    """Money that was paid."""

    value = _text(
        _("Amount"), help_text=_("Digits alone, for example 110000000 or 0.50."), longest=24
    )
    currency = forms.CharField(
        label=_("Currency"),
        help_text=_("ISO 4217 code."),
        max_length=3,
        widget=Suggested(_currencies),
    )
    side = forms.CharField(
        label=_("Side that paid"),
        help_text=_("Country code, joint or other."),
        max_length=8,
        widget=Suggested(_sides),
    )
    nature = _code("nature", _("Nature of the money"))
    paid_on = _day(_("Paid on"), required=True)
    recipient = forms.CharField(
        label=_("Recipient"),
        help_text=_("Its name in the record, as in its address; choose from the list."),
        required=False,
        max_length=80,
        widget=Suggested(_organisations),
    )
    source = _source(_("Source"), required=False)
    evidence = _text(
        _("Evidence"),
        help_text=_("For example a payment order's number."),
        required=False,
        longest=500,
    )


class OutcomeForm(VersionedForm):
    """What research gave."""

    kind = _code("outcome", _("Kind"))
    title_en = _text(_("Title in English"))
    title_ja = _text(_("Title in Japanese"))
    identifier = _text(
        _("Identifier"),
        help_text=_("A publication's DOI, such as 10.1000/182; else any lasting identifier."),
        longest=200,
    )
    address = forms.URLField(
        label=_("Address"), required=False, max_length=500, assume_scheme="https"
    )
    published_on = _partial(_("Published"), required=False)


# Organisations and sources


class OrganisationForm(ChangeForm):
    """A new organisation."""

    title_en = _text(_("Name in English"))
    title_ja = _text(_("Name in Japanese"))
    kind = _code("organisation", _("Kind"))
    country = _text(
        _("Country"),
        help_text=_("Country code, or several between slashes."),
        required=False,
        longest=8,
    )
    aliases = forms.CharField(
        label=_("Other names"),
        help_text=_("One a line."),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def clean_aliases(self) -> list[str]:
        """Read one name a line."""
        return [line.strip() for line in self.cleaned_data["aliases"].splitlines() if line.strip()]


class OrganisationEditForm(OrganisationForm, VersionedForm):
    """What is said of an organisation."""


class DocumentField(forms.FileField):
    """A text document; its size is looked at before anybody reads it."""

    def to_python(self, data: Any) -> Any:
        """Refuse a document that is too large."""
        file = super().to_python(data)
        if isinstance(file, UploadedFile):
            try:
                engine.check_size(file.size or 0)
            except RenkeiError as error:
                raise ValidationError(problems.say(error)) from error
        return file


class AttachForm(ChangeForm):
    """The document of a source."""

    content = DocumentField(
        label=_("Document"),
        help_text=_("The text file itself, UTF-8; its SHA-256 must be the one of the source."),
    )

    def arguments(self) -> dict[str, Any]:
        """Read the document."""
        return {**self.cleaned_data, "content": self.cleaned_data["content"].read()}


class SourceForm(AttachForm):
    """A new source with its document."""

    content = DocumentField(
        label=_("Document"), help_text=_("The text file itself, UTF-8, at most 32 MiB.")
    )
    title_en = _text(_("Title in English"))
    title_ja = _text(_("Title in Japanese"))
    publisher_en = _text(_("Publisher in English"), required=False)
    publisher_ja = _text(_("Publisher in Japanese"), required=False)
    language = forms.ChoiceField(
        label=_("Language of the document"),
        initial="en",
        choices=[("en", _("English")), ("ja", _("Japanese")), ("mul", _("Several"))],
    )
    published = _partial(_("Published"), required=False)
    address = forms.URLField(
        label=_("Address"), required=False, max_length=500, assume_scheme="https"
    )
    doi = _text(_("DOI"), required=False, longest=120)
    reliability = _code("reliability", _("Reliability"))
    reliability_reason_en = _note(_("Why this reliability, in English"), required=True)
    reliability_reason_ja = _note(_("Why this reliability, in Japanese"), required=True)
    same_evidence_as = _source(
        _("Same line of evidence as"),
        required=False,
        help_text=_("A source that goes back to the same account: the two count as one."),
    )


# Findings


class FindingForm(ChangeForm):
    """A contradiction or gap, with up to two passages that show it."""

    kind = _code("finding_type", _("Kind"))
    severity = _code("severity", _("Severity"))
    detectable = _code("detectable", _("How it can be seen"))
    title_en = _note(_("What is contradictory, in English"), required=True)
    title_ja = _note(_("What is contradictory, in Japanese"), required=True)
    suggestion_en = _note(_("Suggestion in English"))
    suggestion_ja = _note(_("Suggestion in Japanese"))
    commitments = _text(
        _("Commitments"),
        help_text=_("Names of the commitments concerned, between commas."),
        required=False,
        longest=800,
    )
    first_source = _source(_("First source"), required=False)
    first_passage = _text(_("First passage"), help_text=_("start-end"), required=False, longest=24)
    first_says_en = _text(_("What the first says, in English"), required=False)
    first_says_ja = _text(_("What the first says, in Japanese"), required=False)
    second_source = _source(_("Second source"), required=False)
    second_passage = _text(
        _("Second passage"), help_text=_("start-end"), required=False, longest=24
    )
    second_says_en = _text(_("What the second says, in English"), required=False)
    second_says_ja = _text(_("What the second says, in Japanese"), required=False)

    def clean(self) -> dict[str, Any]:
        """Put each side's parts together; a side is given whole or not at all."""
        self.cleaned_data["sides"] = [
            side for side in (self._side("first"), self._side("second")) if side is not None
        ]
        return self.cleaned_data

    def _side(self, name: str) -> door.Side | None:
        keys = [f"{name}_{part}" for part in ("source", "passage", "says_en", "says_ja")]
        parts = [self.cleaned_data.get(key, "") for key in keys]
        if not any(parts):
            return None
        for key, part in zip(keys, parts, strict=True):
            if not part and key not in self.errors:
                self.add_error(key, gettext("A side has a source, a passage and both texts."))
        if not all(parts):
            return None
        try:
            ((start, end),) = passages_of(parts[1])
        except (ValidationError, ValueError):
            self.add_error(f"{name}_passage", gettext("Expected one passage such as 120-185."))
            return None
        return door.Side(source=parts[0], start=start, end=end, says_en=parts[2], says_ja=parts[3])

    def arguments(self) -> dict[str, Any]:
        """Give the sides and the commitments as lists."""
        data = self.cleaned_data
        plain = ("kind", "severity", "detectable", "title_en", "title_ja", "reason", "sides")
        names = [name.strip() for name in data["commitments"].split(",") if name.strip()]
        return {
            **{name: data[name] for name in (*plain, "suggestion_en", "suggestion_ja")},
            "commitments": list(dict.fromkeys(names)),
        }


class DecisionForm(VersionedForm):
    """What was decided about a finding."""

    decision_en = _note(_("Decision in English"), required=True)
    decision_ja = _note(_("Decision in Japanese"), required=True)


class ReopenForm(VersionedForm):
    """Take a decision back: which, the address says."""


def initial_correction(row: Any) -> dict[str, Any]:
    """Return a disbursement as the form for its correction shows it."""
    return {
        "value": str(row.value),
        "currency": row.currency,
        "side": row.side,
        "nature": row.nature,
        "paid_on": row.paid_on,
        "recipient": row.recipient.slug if row.recipient else "",
        "source": row.source.slug if row.source else "",
        "evidence": row.evidence,
    }


def claim_said(claim: Claim) -> str:
    """Return a claim in one line: how exact, value, currency, source."""
    amount = f" {claim.amount.currency}" if claim.is_money else ""
    qualifier = "" if claim.qualifier == "exact" else f"{LABELS['qualifier'][claim.qualifier]} "
    code = LABELS[claim.field].get(claim.value) if claim.field in engine.CHOSEN_FIELDS else None
    return f"{qualifier}{code or claim.value}{amount} ({claim.source.slug})"
