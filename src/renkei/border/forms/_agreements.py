"""What officers fill in about agreements; what it means is the door's to judge."""

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from renkei.base.templatetags.renkei import PARTIES
from renkei.border import engine
from renkei.border.templatetags.agreements import ACTIONS, CLASSIFICATIONS


class DraftForm(forms.Form):
    """An agreement as JSON."""

    document = forms.CharField(
        label=_("Agreement"),
        help_text=_(
            "JSON of the profile urn:renkei:agreement:1. Each clause needs its text in English and "
            "in Japanese; hashes that are left out are filled in."
        ),
        strip=False,
        max_length=250_000,
        widget=forms.Textarea(attrs={"rows": 30, "spellcheck": "false", "class": "mono"}),
    )

    def clean_document(self) -> object:
        """Read the JSON."""
        try:
            return engine.read_document(self.cleaned_data["document"].encode())
        except UnicodeEncodeError as error:
            raise forms.ValidationError(_("This is not text.")) from error
        except engine.BadAgreementError as error:
            from renkei.base.problems import say

            raise forms.ValidationError(say(error)) from error


class ReasonForm(forms.Form):
    """Why a draft is proposed."""

    reason = forms.CharField(
        label=_("Reason"), help_text=_("The partner's officers read it."), max_length=500
    )


class EvidenceForm(forms.Form):
    """How an obligation was fulfilled."""

    evidence = forms.CharField(
        label=_("How it was fulfilled"),
        help_text=_("Something that an auditor can look up, such as a report's number."),
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )


def _line(label: Any, *, required: bool = False) -> forms.CharField:
    return forms.CharField(label=label, required=required, max_length=200)


class AskForm(forms.Form):
    """A request, to see how it would be decided."""

    recipient = _line(_("Recipient"), required=True)
    recipient_party = forms.ChoiceField(
        label=_("Recipient's country"), choices=[("", "—"), *PARTIES.items()], required=False
    )
    action = forms.ChoiceField(
        label=_("Action"), choices=[(name, ACTIONS[name]) for name in engine.ACTIONS]
    )
    target = _line(_("About"), required=True)
    purpose = _line(_("Purpose"))
    spatial = forms.CharField(label=_("Place of use"), required=False, max_length=2)
    classification = forms.ChoiceField(
        label=_("Classification"), choices=[("", "—"), *CLASSIFICATIONS.items()], required=False
    )
    output_type = _line(_("Kind of result"))

    def request(self) -> engine.Request:
        """Return what is asked; valid forms only."""
        return engine.Request(**self.cleaned_data)


def as_json(document: object) -> str:
    """Return a document as people edit it."""
    return json.dumps(document, ensure_ascii=False, indent=2)
