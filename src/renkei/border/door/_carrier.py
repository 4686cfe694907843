"""A second seal for what goes to a partner on its own path, where another room has keys for it."""

import functools
from typing import Protocol

from django.utils.module_loading import import_string

from renkei.base.rooms import rooms


class Carrier(Protocol):
    """Seals bytes for a partner with keys that the border does not know."""

    def reaches(self, partner: str) -> bool:
        """Tell whether there is a way to that partner; what it sealed can then be opened here."""

    def seal(self, partner: str, content: bytes) -> bytes | None:
        """Return the bytes sealed; nothing where there is no key now, which is then said aloud."""

    def unseal(self, partner: str, sealed: bytes) -> bytes:
        """Return what the partner sealed.

        Raises:
            RenkeiError: it does not open, or its key was used already.
        """


@functools.cache
def carrier() -> Carrier | None:
    """Return the carrier of the room that has one."""
    named = next((room.carrier for room in rooms() if room.carrier), None)
    return import_string(named)() if named else None
