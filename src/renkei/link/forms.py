"""Forms of the link's pages."""

from django import forms
from django.utils.translation import gettext_lazy as _


class EavesdropperForm(forms.Form):
    """What the eavesdropper on the simulated fibre does."""

    intercept = forms.IntegerField(
        label=_("Measures and sends again, % of the pulses"),
        help_text=_("Every measured pulse adds errors: 100 % makes a quarter of the bits wrong."),
        min_value=0,
        max_value=100,
    )
    split = forms.IntegerField(
        label=_("Splits photon numbers, % of the single photons blocked"),
        help_text=_("No error is added; only the decoy pulses show it."),
        min_value=0,
        max_value=100,
    )
