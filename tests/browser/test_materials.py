"""The registry in a real browser: accessible in both languages, whole on a phone."""

from datetime import date

import pytest

from renkei.base.http import page_cache
from renkei.materials import door

PAGES = {
    "list": "",
    "material": "rare_earths/",
    "inputs": "gallium/inputs/refine/",
    "exposure": "exposure/?country=JPN",
    "product": "products/electric-car/",
    "releases": "releases/",
    "scenario": "scenarios/ban/",
    "alarms": "alarms/",
}
DESK, PHONE = 1280, 390
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry(live_server):
    page_cache.clear()
    door.ensure_shipped()
    door.disrupt(
        title="ban",
        kind="export_ban",
        materials=["rare_earths"],
        countries=["CHN"],
        importers=["JPN", "USA"],
        starts_on=date(2027, 1, 1),
        is_public=True,
        now=True,
    )
    door.watch()


def test_pages_have_no_barrier_and_a_table_behind_the_map(registry, open_page, axe):
    """One load of the registry serves both languages, both themes and both widths."""
    for code, theme, width in (("en", "light", DESK), ("ja", "dark", PHONE)):
        page = open_page(theme=theme, width=width)
        for name, path in PAGES.items():
            page.goto(f"/{code}/materials/{path}")
            page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")
            axe(page)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name}: {wide} pixels on a screen of {width}"
    page.goto("/ja/materials/rare_earths/")
    assert page.locator(".materials-map svg path").count() > 10
    page.get_by_text("地図の元の表").click()
    assert page.get_by_role("cell", name="日本").first.is_visible()
