"""The language that a thread speaks, cheap to ask for.

A page asks for it some hundred times. Django looks it up in what threads and coroutines share, each
time for as long as a short statement to the database takes; while a page is drawn it does not change.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import get_language


class _Drawing(threading.local):
    language = ""  # of the page that this thread draws, if it draws one


_drawing = _Drawing()


def spoken() -> str:
    """Return the code of the active language; empty where translation is off."""
    return _drawing.language or get_language() or ""


@contextmanager
def speaking() -> Iterator[str]:
    """Keep the active language for what is drawn inside, which must not choose another."""
    before, _drawing.language = _drawing.language, get_language() or ""
    try:
        yield _drawing.language
    finally:
        _drawing.language = before
