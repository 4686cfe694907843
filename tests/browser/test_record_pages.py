"""The record's public pages in a real browser: accessible, self-contained, whole on a phone."""

import json
import os
from pathlib import Path

import pytest

from renkei.base.http import page_cache
from renkei.record import door, tasks

PAGES = {
    "dashboard": "",
    "commitments": "record/commitments/",
    "search": "record/commitments/?q=quantum&status=announced",
    "commitment": "record/commitments/s1-c01/",
    "contested": "record/commitments/s3-c01/",
    "organisations": "record/organisations/",
    "organisation": "record/organisations/{organisation}/",
    "sources": "record/sources/",
    "source": "record/sources/s3/",
    "agreements": "record/agreements/",
    "agreement": "record/agreements/tpd-2025/",
    "findings": "record/findings/",
    "finding": "record/findings/x02/",
    "passage": "record/sources/read-here/",
    "refusal": "record/commitments/?page=0",
}
DESK, PHONE = 1280, 390
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "dashboard.png"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def drawings():
    """Keep what was drawn: the same figures give the same drawing, and one takes seconds."""
    made = {}
    draw = tasks._drawn

    def drawn(orders):
        key = json.dumps(orders, sort_keys=True)
        if key not in made:
            made[key] = draw(orders)
        return made[key]

    return drawn


@pytest.fixture(autouse=True)
def drawn(live_server, drawings, monkeypatch):
    """A node as it is after its start: the shipped record, its charts drawn."""
    monkeypatch.setattr(tasks, "_drawn", drawings)
    page_cache.clear()
    door.ensure_shipped()
    tasks.draw_now()


@pytest.fixture
def document(drawn):
    """A source whose document is here, with a passage; the charts are now older than the facts."""
    text = "A first paragraph.\n\nThe parties announce US$5 million for a test.\n"
    door.add_source(
        author=None,
        reason="a document whose passages can be shown",
        slug="read-here",
        title_en="A document that is here",
        title_ja="手元にある文書",
        content=text.encode(),
        reliability="secondary",
        reliability_reason_en="made for this test",
        reliability_reason_ja="試験用",
    )
    start = text.index("US$5 million")
    door.add_claim(
        author=None,
        reason="a passage in its context",
        commitment="s1-c02",
        field="name",
        value="Test",
        source="read-here",
        passages=[(start, start + 12)],
    )


def address(language, name):
    organisation = next(door.export("organisations"))["id"]
    return f"/{language}/{PAGES[name].format(organisation=organisation)}"


@pytest.mark.parametrize(("language", "look"), [("en", ("light", DESK)), ("ja", ("dark", PHONE))])
def test_pages_have_no_barrier_that_a_machine_can_find(open_page, axe, document, language, look):
    """Also nothing is wider than the screen, and nothing is asked of another host."""
    theme, width = look
    page = open_page(theme=theme, width=width)
    for name in PAGES:
        page.goto(address(language, name))
        page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")
        axe(page)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name}: {wide} pixels on a screen of {width}"


@pytest.mark.parametrize(("theme", "width"), [("dark", DESK), ("light", PHONE)])
def test_the_dashboard_in_the_other_themes(open_page, axe, theme, width):
    page = open_page(theme=theme, width=width)
    page.goto("/ja/")
    axe(page)


def test_charts_take_the_colours_of_the_theme(open_page):
    """One drawing is right in both: its marks have the colours of the page's tokens."""
    seen = {}
    for theme in ("light", "dark"):
        page = open_page(theme=theme)
        page.goto("/en/")
        assert page.locator(".drawing svg").count() == 3
        seen[theme] = page.evaluate(
            "() => ({text: getComputedStyle(document.querySelector('#chart-money svg text')).fill,"
            " page: getComputedStyle(document.body).color})"
        )
        assert seen[theme]["text"] == seen[theme]["page"]
    assert seen["light"]["text"] != seen["dark"]["text"]


def test_everything_can_be_read_and_searched_without_javascript(open_page):
    page = open_page(java_script_enabled=False)
    page.goto("/en/")
    page.get_by_text("Table behind the chart").first.click()
    assert page.get_by_role("cell", name="US$30 bn").first.is_visible()
    page.goto("/ja/record/commitments/")
    page.get_by_role("searchbox").fill("理研")
    page.get_by_role("button", name="検索").click()
    assert "q=%E7%90%86%E7%A0%94" in page.url
    assert page.get_by_role("rowheader").count() > 0
    page.get_by_role("link", name="量子技術").first.click()
    assert "domain=quantum" in page.url


def test_a_search_can_be_made_with_the_keyboard_alone(open_page):
    page = open_page()
    page.goto("/en/record/commitments/")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("fusion")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=fusion**")
    assert page.get_by_role("status").filter(has_text="record").first.is_visible()


def test_a_passage_is_marked_in_its_context(open_page, document):
    page = open_page()
    page.goto("/en/record/sources/read-here/")
    assert page.locator("blockquote mark").inner_text() == "US$5 million"
    assert "announce" in page.locator("blockquote").inner_text()


def test_on_a_phone_results_come_before_what_narrows_them(open_page):
    page = open_page(width=PHONE)
    page.goto("/en/record/commitments/")
    first = page.locator("#results").bounding_box()["y"]
    assert first < page.locator("#narrow").bounding_box()["y"]
    page.get_by_role("link", name="Narrow down").click()
    assert page.url.endswith("#narrow")


def test_the_same_page_in_the_other_language(open_page):
    page = open_page()
    page.goto("/en/record/commitments/?domain=quantum")
    page.get_by_role("link", name="日本語").click()
    page.wait_for_url("**/ja/record/commitments/?domain=quantum")
    assert page.get_by_role("heading", level=1).inner_text() == "コミットメント"


def test_a_picture_of_the_dashboard_for_the_readme(open_page):
    page = open_page()
    page.goto("/en/")
    page.evaluate("document.fonts.ready")
    image = page.screenshot(clip={"x": 0, "y": 0, "width": DESK, "height": 1500}, full_page=True)
    assert 20_000 < len(image) < 400_000
    if os.environ.get("RENKEI_SCREENSHOTS"):
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_bytes(image)
