"""Officers' pages in a real browser: accessible, whole on a phone, and a conflict that loses nothing."""

from datetime import date

import pytest

from renkei.record import door
from renkei.record.models import (
    Claim,
    Commitment,
    Disbursement,
    Milestone,
    Outcome,
    Participation,
)

DESK, PHONE = 1280, 390
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def founded(live_server):
    """Load the shipped record, and on one commitment something of each kind to edit."""
    door.ensure_shipped()
    door.add_milestone(
        author=None,
        reason="planned",
        commitment="s1-c02",
        title_en="First light",
        title_ja="初観測",
        due="2026-03",
    )
    door.add_outcome(
        author=None,
        reason="published",
        commitment="s1-c02",
        kind="dataset",
        title_en="Data",
        title_ja="データ",
        identifier="set 1",
    )
    door.add_disbursement(
        author=None,
        reason="order 7",
        commitment="s1-c02",
        value="5",
        currency="USD",
        side="US",
        nature="public",
        paid_on=date(2025, 1, 2),
    )


def addresses():
    claim = Claim.objects.filter(commitment__slug="s1-c02").first().pk
    milestone = Milestone.objects.latest("pk").slug
    part = Participation.objects.filter(commitment__slug="s1-c02").first().pk
    outcome = Outcome.objects.latest("pk").pk
    paid = Disbursement.objects.latest("pk").pk
    on = "commitments/s1-c02/"
    return [
        "add/commitment/",
        "add/organisation/",
        "add/source/",
        "add/finding/",
        f"{on}edit/",
        f"{on}claims/add/",
        f"{on}claims/{claim}/publish/",
        f"{on}roles/add/",
        f"{on}milestones/add/",
        f"milestones/{milestone}/assess/",
        f"{on}disbursements/add/",
        f"{on}disbursements/{paid}/correct/",
        f"{on}outcomes/add/",
        f"{on}outcomes/{outcome}/edit/",
        f"{on}outcomes/{outcome}/remove/",
        f"{on}roles/{part}/edit/",
        f"{on}roles/{part}/remove/",
        "organisations/uw/edit/",
        "organisations/uw/remove/",
        "sources/s1/attach/",
        "findings/x01/resolve/",
        "findings/x01/reopen/",
    ]


@pytest.mark.parametrize(("language", "look"), [("en", ("dark", PHONE)), ("ja", ("light", DESK))])
def test_forms_have_no_barrier_that_a_machine_can_find(open_page, axe, officer, language, look):
    """Neither when they are new nor when they are refused; nothing is wider than the screen."""
    theme, width = look
    page = open_page(theme=theme, width=width, user=officer)
    for name in addresses():
        for is_refused in (False, True):
            page.goto(f"/{language}/record/{name}")
            if is_refused:
                page.locator("main form .button-primary").first.click()
                page.locator(".field-error").first.wait_for()
            axe(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_an_officer_edits_by_keyboard_and_another_ones_edit_is_shown(open_page, axe, officer):
    page = open_page(user=officer)
    page.goto("/en/record/commitments/s1-c02/")
    page.get_by_role("link", name="Edit", exact=True).click()
    door.edit_commitment(
        author=None, reason="first", commitment="s1-c02", version=None, title_en="Theirs"
    )
    page.get_by_label("Title in English").fill("Mine")
    page.get_by_label("Reason").fill("a slip of the pen")
    page.get_by_label("Reason").press("Enter")

    page.get_by_role("heading", name="What the record says now").wait_for()
    axe(page)
    assert page.get_by_label("Title in English").input_value() == "Mine"
    assert page.locator("dd", has_text="Theirs").count() == 1
    page.get_by_label("Reason").press("Enter")

    page.get_by_text("Saved.").wait_for()
    assert Commitment.objects.get(slug="s1-c02").title_en == "Mine"
