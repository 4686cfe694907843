"""Forms of joint acts and incidents."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from renkei.border import door

SHORTEST_DAYS, LONGEST_DAYS, DAYS = 1, 366, 30


class ProposalForm(forms.Form):
    """What is proposed: the fields of its kind, why, and for how long it may be approved."""

    reason = forms.CharField(
        label=_("Reason"),
        help_text=_("For the partner's officers; it becomes part of the signed proposal."),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    days = forms.IntegerField(
        label=_("Open for (days)"),
        min_value=SHORTEST_DAYS,
        max_value=LONGEST_DAYS,
        initial=DAYS,
    )

    def __init__(self, *args: Any, kind: door.JointKind, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        required = set(kind.schema.get("required", ()))
        own = dict(self.fields)
        self.fields.clear()
        for item in kind.fields:
            self.fields[item.name] = _field(item, is_required=item.name in required)
        self.fields.update(own)

    def content(self) -> dict[str, str]:
        """Return the proposed content: fields that were left empty are left out."""
        return {
            item.name: self.cleaned_data[item.name].strip()
            for item in self.kind.fields
            if self.cleaned_data.get(item.name, "").strip()
        }


def _field(item: door.JointField, *, is_required: bool) -> forms.Field:
    label: Any = item.label
    if item.choices:
        blank = [] if is_required else [("", _("Not stated"))]
        return forms.ChoiceField(label=label, choices=[*blank, *item.choices], required=is_required)
    widget = forms.Textarea(attrs={"rows": 3}) if item.is_long else forms.TextInput()
    return forms.CharField(label=label, required=is_required, widget=widget, max_length=4000)


class AnswerForm(forms.Form):
    """An officer's yes or no to exactly the content that the page showed."""

    content_hash = forms.CharField(widget=forms.HiddenInput, max_length=64)
    answer = forms.ChoiceField(
        choices=[("approve", _("Approve")), ("reject", _("Reject"))], widget=forms.HiddenInput
    )


class CloseForm(forms.Form):
    """Why an incident is settled."""

    why = forms.CharField(
        label=_("What was found and decided"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
