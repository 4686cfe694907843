"""Help for every room's forms, and the forms that belong to no room."""

from collections.abc import Iterator
from contextlib import contextmanager

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from renkei.base import problems
from renkei.kit.errors import RenkeiError


class TokenForm(forms.Form):
    """What a new API token is called."""

    name = forms.CharField(
        label=_("Name of the new token"),
        help_text=_("What it is for: the program and the machine that will hold it."),
        max_length=80,
    )


@contextmanager
def refusals_on(form: forms.BaseForm) -> Iterator[list[RenkeiError]]:
    """Put what a door refuses on the form, with everything that was typed still in it.

    Yields:
        A list that holds the refusal afterwards, for its status; empty when nothing was refused.
    """
    refused: list[RenkeiError] = []
    try:
        yield refused
    except (ValidationError, RenkeiError) as error:
        ours = problems.as_renkei(error)
        if ours is not None:
            refused.append(ours)
        _add(form, ours)


def _add(form: forms.BaseForm, error: RenkeiError | None) -> None:
    if isinstance(error, problems.InvalidError):
        for name, texts in error.fields.items():
            for text in texts:
                form.add_error(name if name in form.fields else None, text)
    elif error is not None:
        form.add_error(None, problems.say(error))
