"""What prose says equals what the code is."""

import importlib.util
import re
from pathlib import Path

import polib
import pytest
from django.utils import translation

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def _maker():
    spec = importlib.util.spec_from_file_location("reference_make", DOCS / "reference" / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = _maker()


@pytest.mark.parametrize("name", MAKER.PAGES)
def test_reference_pages_equal_the_code(name):
    """`python docs/reference/make.py` writes them anew; whatever language is active."""
    with translation.override("ja"):
        made = MAKER.PAGES[name]()
    assert (DOCS / "reference" / name).read_text("utf-8") == made


def _pages():
    return [
        path
        for path in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "src").rglob("README.md")]
        if "_build" not in path.parts
    ]


@pytest.mark.parametrize("page", _pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(
    "catalogue", sorted((ROOT / "src").rglob("*.po")), ids=lambda path: path.parts[-5]
)
def test_every_string_exists_in_japanese_and_is_compiled(catalogue):
    po = polib.pofile(str(catalogue))
    assert len(po) > 5
    assert [entry.msgid for entry in po.untranslated_entries()] == []
    assert [entry.msgid for entry in po.fuzzy_entries()] == []
    compiled = polib.mofile(str(catalogue.with_suffix(".mo")))
    said = {(entry.msgctxt, entry.msgid): entry.msgstr for entry in compiled}
    wanted = {(entry.msgctxt, entry.msgid): entry.msgstr for entry in po if not entry.obsolete}
    assert said == wanted


@pytest.mark.parametrize(
    "catalogue", sorted((ROOT / "src").rglob("*.po")), ids=lambda path: path.parts[-5]
)
def test_translations_keep_the_places_for_values(catalogue):
    for entry in polib.pofile(str(catalogue)):
        places = re.compile(r"\{[a-z_0-9!r]*\}|%\([a-z_]+\)[sd]")
        for text in [entry.msgstr] if entry.msgstr else entry.msgstr_plural.values():
            said = entry.msgid_plural or entry.msgid  # Japanese has one form for both
            assert set(places.findall(text)) == set(places.findall(said)), entry.msgid


def test_the_readme_names_what_there_is():
    readme = (ROOT / "README.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"\$ make (\w+)", readme):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
