"""Forms: what is typed becomes the arguments of a verb."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from renkei.record import door, forms
from renkei.record.models import LABELS

pytestmark = pytest.mark.usefixtures("shipped")

FORMS = [
    form
    for form in vars(forms).values()
    if isinstance(form, type) and issubclass(form, forms.ChangeForm)
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_change_asks_for_its_reason_last(form):
    names = list(form().fields)
    assert names[-1] == "reason"
    assert form().fields["reason"].required


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_field_has_a_label(form):
    for name, field in form().fields.items():
        assert field.widget.is_hidden or field.label, name


def test_money_of_an_amount_by_side_goes_to_its_field():
    form = forms.ClaimForm(
        {
            "about": "amount_side",
            "value": "100",
            "source": "s1",
            "qualifier": "about",
            "currency": "USD",
            "side": "JP",
            "nature": "public",
            "stage": "signed",
            "relation": "total",
            "passages": "1-5\n7-9",
            "reason": "r",
            "version": "3",
        }
    )
    assert form.is_valid(), form.errors
    given_arguments = form.arguments()
    assert given_arguments["field"] == "amount:JP"
    assert given_arguments["money"] == door.Money(
        currency="USD",
        side="JP",
        nature="public",
        stage="signed",
        relation="total",
    )
    assert given_arguments["passages"] == [(1, 5), (7, 9)]
    assert given_arguments["version"] == 3


@pytest.mark.parametrize(
    ("about", "detail", "field"),
    [
        ("date", "signed", "date:signed"),
        ("target", "fellows", "target:fellows"),
        ("name", "", "name"),
    ],
)
def test_a_detail_belongs_to_its_field(about, detail, field):
    form = forms.ClaimForm(
        {
            "about": about,
            "detail": detail,
            "value": "x",
            "source": "s1",
            "qualifier": "exact",
            "reason": "r",
            "version": "1",
        }
    )
    assert form.is_valid(), form.errors
    assert (form.arguments()["field"], form.arguments()["money"]) == (field, None)


def test_an_amount_asks_for_its_money():
    form = forms.ClaimForm({"about": "amount"})
    assert set(forms.MONEY) <= set(form.errors)


def test_a_form_offers_every_code_that_there_is():
    offered = dict(forms.CommitmentForm().fields["domain"].choices)
    assert offered.keys() - {""} == LABELS["domain"].keys()


@given(st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**8)), max_size=5))
def test_passages_are_read_as_written(places):
    text = "\n".join(f"{start}-{end}" for start, end in places)
    assert forms.passages_of(text) == places


@pytest.mark.parametrize("text", ["5", "a-b", "1-2-3", "-5", "1.5-2", "１-２", "1-99999999999"])
def test_what_is_no_passage_is_named(text):
    with pytest.raises(ValidationError, match="is not a passage"):
        forms.passages_of(text)
