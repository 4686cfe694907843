"""What this end says for good: a statement in the node's log, which the partner mirrors and cosigns."""

import hashlib
import logging

from renkei.border import door as border
from renkei.kit.errors import RenkeiError
from renkei.link.models import Event, Link
from renkei.link.statements import EVENT, LONGEST_ABOUT

log = logging.getLogger(__name__)


def tell(link: Link, what: Event.What, kind: str, about: str = "") -> int:
    """Sign an event into this node's log, in the caller's transaction; return its index there.

    Raises:
        NoLogError: the node has no log.
        HaltedError: it must not sign.
    """
    entry = border.say(
        border.Said(
            type=EVENT,
            body={
                "between": sorted([link.own, link.partner]),
                "event": what.value,
                "kind": kind,
                "about": about[:LONGEST_ABOUT],
            },
        )
    )
    return int(entry.index)


def try_to_tell(link: Link, what: Event.What, kind: str, about: str = "") -> None:
    """Sign an event if the node can sign; an alarm must stop delivery even where it cannot."""
    try:
        tell(link, what, kind, about)
    except RenkeiError as error:
        log.warning("%s %s is not signed into the log: %s", what.value, kind, error)


def header_digest(head: bytes) -> str:
    """Return what a signed downgrade names a sealed file by."""
    return hashlib.sha256(head).hexdigest()


def downgrade_index(link: Link, head: bytes) -> int | None:
    """Return where the partner's log says that it sealed this without a quantum key, if it is here."""
    found = Event.objects.filter(
        link=link, said_by=link.partner, what=Event.What.DOWNGRADE, about=header_digest(head)
    ).first()
    return found.index if found else None


def events(link: Link, *, most: int) -> list[Event]:
    """Return what both ends said last, the newest first."""
    return list(link.events.order_by("-said_at", "-pk")[:most])
