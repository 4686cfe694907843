"""Agreements in a real browser: accessible and whole on a phone, in both languages."""

import copy

import pytest
from tests.border.agreements import changed, genome

from renkei.border import door, engine
from renkei.border.models import Decision, Obligation

DESK, PHONE = 1280, 390
ASK = {
    "subject": "alice@lab.example",
    "party": "US",
    "action": "export",
    "target": "urn:jp:genome-17",
    "purpose": "teaching",
    "spatial": "US",
    "classification": "internal",
}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def adopted(live_server, officer, settings):
    """Keep an agreement with a draft amendment, what it decided, and a stream that left."""
    settings.NODE = copy.copy(settings.NODE)
    door.adopt_agreement(genome(), act="act-1")
    row = door.decide(**ASK)
    door.decide(**ASK | {"action": "read"})
    door.decide(**ASK | {"purpose": "product"})
    object.__setattr__(settings.NODE, "party", "JP")
    door.release(decision=row, digest=engine.text_hash("bytes"), size=5_000_000, channel="hub")
    object.__setattr__(settings.NODE, "party", "US")
    draft = changed(
        genome(), ["permission", 0, "constraint", 1, "rightOperand"], ["carol@uni.example"]
    )
    door.draft_agreement(draft | {"version": 2}, author=officer)


def addresses():
    asked = "recipient=alice&recipient_party=US&action=read&target=urn:jp:soil-3&purpose=teaching"
    return [
        "agreements/",
        "agreements/genome/",
        "agreements/genome/?version=2",
        "agreements/genome/draft/",
        "agreements/genome/simulation/?version=2",
        f"agreements/ask/?{asked}",
        "decisions/",
        f"decisions/{Decision.objects.earliest('pk').pk}/",
        "obligations/",
        f"obligations/{Obligation.objects.earliest('pk').pk}/fulfil/",
        "outgoing/",
    ]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("look", [("light", DESK), ("dark", PHONE)])
def test_pages_have_no_barrier_that_a_machine_can_find(open_page, axe, officer, language, look):
    """Nothing is wider than the screen, and each page is in its language."""
    theme, width = look
    page = open_page(theme=theme, width=width, user=officer)
    for name in addresses():
        page.goto(f"/{language}/border/{name}")
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("document.documentElement.lang") == language
