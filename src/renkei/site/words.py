"""What the command line says, in the language of its reader. Works before Django is loaded.

``RENKEI_LANG``, else ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` as everywhere, choose English or
Japanese. The sentences come from the same catalogues that the pages use.
"""

import gettext as catalogues
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from renkei.kit.errors import RenkeiError
from renkei.site import rooms

LANGUAGES = ("en", "ja")


_asked: list[str] = []


def ask_for(chosen: str) -> None:
    """Take a language that the command names before those of the environment."""
    _asked[:] = [chosen] if chosen in LANGUAGES else []


def language() -> str:
    """Return ``en`` or ``ja``."""
    if _asked:
        return _asked[0]
    for name in ("RENKEI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if chosen := os.environ.get(name, ""):
            short = chosen[:2].lower()
            return short if short in LANGUAGES else "en"
    return "en"


def translate_click() -> None:
    """Let the library of the command line speak the reader's language.

    It asks the standard library for its sentences, which looks for a catalogue of the environment's
    language.
    """
    chosen = language()
    if chosen == "en":
        catalogues.textdomain("messages")  # the library's own: none
        return
    os.environ["LANGUAGE"] = chosen
    catalogues.bindtextdomain("click", Path(__file__).with_name("locale"))
    catalogues.textdomain("click")


@cache
def _catalogue(chosen: str) -> catalogues.NullTranslations:
    whole = catalogues.NullTranslations()
    if chosen != "en":
        for package in reversed(("renkei.site", "renkei.base", *rooms.installed())):
            spec = find_spec(package)
            for place in (spec.submodule_search_locations if spec else None) or ():
                one = catalogues.translation(
                    "django", Path(place) / "locale", [chosen], fallback=True
                )
                one.add_fallback(whole)
                whole = one
    return whole


def gettext(sentence: str, **values: object) -> str:
    """Return the sentence in the reader's language with its places filled."""
    # The empty sentence would be answered with the catalogue's header.
    said = _catalogue(language()).gettext(sentence) if sentence else ""
    return said.format(**values) if values else said


def say(error: RenkeiError) -> str:
    """Return the sentence of an error in the reader's language; a value may be a sentence itself."""
    values = {
        name: say(value) if hasattr(value, "sentence") else value  # type: ignore[arg-type]  # alike
        for name, value in error.values.items()
    }
    return gettext(error.sentence, **values)
