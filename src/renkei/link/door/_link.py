"""The link's row, its alarms, and the key-encryption key of the node."""

import json
import os
import secrets
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from renkei.base.problems import say
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.link import engine
from renkei.link.door._events import try_to_tell
from renkei.link.models import Alarm, Event, Link, Sae

KEK_FILE = "link-kek"
DOWNGRADE_ALARM = "downgrade"
SILENT_ALARM = "partner-silent"
FIBRE_ALARM = "fibre-away"
BODIES_ALARM = "bodies"  # private statement bodies go without a quantum key
# A downgrade is signed itself; that somebody does not answer says nothing about the key.
UNSIGNED = frozenset({DOWNGRADE_ALARM, SILENT_ALARM, FIBRE_ALARM})
NODE_QUOTA_BYTES_PER_HOUR = 1 << 40


class NoLinkError(NotFoundError):
    """This node has no link with that partner."""

    code = "link.no_link"


class SimulatedRefusedError(RenkeiError):
    """Key from a simulated source is offered where there is no demonstration."""

    code = "link.simulated_refused"


class OtherLinkError(ConflictError):
    """There is a link with this partner already, and its key comes another way."""

    code = "link.other_link"


class NoKekError(RenkeiError):
    """There is stored key, and the file that opens it is missing or damaged."""

    code = "link.no_kek"
    status = 500


def at_rest() -> engine.AtRest:
    """Return what seals and opens this node's key.

    Raises:
        NoKekError: the file of the key-encryption key is missing or damaged.
    """
    return _at_rest(settings.NODE.folder / "keys" / KEK_FILE)


@lru_cache(maxsize=4)
def _at_rest(file: Path) -> engine.AtRest:
    try:
        return engine.AtRest(bytes.fromhex(file.read_text("ascii")))
    except (OSError, ValueError, engine.DamagedKeyError) as error:
        raise NoKekError(
            gettext_noop(
                "{file} is missing or damaged: without it no stored key opens; restore it from a "
                "backup, or `renkei link found` anew"
            ),
            file=file,
        ) from error


def cache_folder() -> Path:
    """Return the node's folder for what may be lost at any time."""
    folder: Path = settings.NODE.folder / "cache"
    folder.mkdir(exist_ok=True)
    return folder


def ensure_kek() -> None:
    """Make the node's key-encryption key if it has none."""
    file = settings.NODE.folder / "keys" / KEK_FILE
    if not file.exists():
        write_secret(file, secrets.token_hex(engine.KEK_BYTES) + "\n")


def write_secret(file: Path, text: str) -> None:
    """Write a file for its owner alone, the whole of it or nothing."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)


def found_link(partner: str, *, simulated: bool, routed: bool = False) -> Link:
    """Open the link with a partner, or return the one there is.

    Args:
        partner: its name.
        simulated: its key comes from the simulated fibre, or over hops of which one is simulated.
        routed: its key comes over relays.

    Raises:
        NoLinkError: the node has no such partner.
        SimulatedRefusedError: a simulated link on a node that is no demonstration.
        OtherLinkError: the link there is has another source.
    """
    node = settings.NODE
    if partner not in {one.name for one in node.partners}:
        raise NoLinkError(
            gettext_noop("{partner} is no partner of this node; known: {known}"),
            partner=partner,
            known=", ".join(one.name for one in node.partners),
        )
    if simulated:
        refuse_simulated()
    ensure_kek()
    link, _made = Link.objects.get_or_create(
        own=node.name, partner=partner, defaults={"simulated": simulated, "routed": routed}
    )
    if (simulated and not link.simulated) or (routed and not link.routed):
        raise OtherLinkError(
            gettext_noop(
                "there is a link with {partner} already, and its key comes another way: one link a "
                "partner"
            ),
            partner=partner,
        )
    Sae.objects.get_or_create(  # the node itself: no certificate has an empty serial number
        name=f"{node.name}.node",
        defaults={"quota_bytes_per_hour": NODE_QUOTA_BYTES_PER_HOUR, "created_at": timezone.now()},
    )
    return link


def may_be_used(*, simulated: bool) -> bool:
    """Tell whether this node uses key of a source: what is simulated, on a demonstration alone."""
    return settings.NODE.demonstration or not simulated


def refuse_simulated() -> None:
    """Refuse what is simulated on a node that is no demonstration.

    Raises:
        SimulatedRefusedError: it is none.
    """
    if not may_be_used(simulated=True):
        raise SimulatedRefusedError(
            gettext_noop(
                "simulated key protects nothing: it is taken on a demonstration alone "
                "(`demonstration = true` in node.toml)"
            )
        )


def link_with(partner: str = "") -> Link:
    """Return this node's link with a partner; with the only one when none is named.

    Raises:
        NoLinkError: there is none.
    """
    links = Link.objects.filter(own=settings.NODE.name)
    found = (links.filter(partner=partner) if partner else links.order_by("pk")).first()
    if found is None and links:
        raise NoLinkError(
            gettext_noop("this node has no quantum link with {partner}; it has one with {known}"),
            partner=partner,
            known=", ".join(links.values_list("partner", flat=True)),
        )
    if found is None:
        raise NoLinkError(gettext_noop("this node has no quantum link yet: `renkei link found`"))
    return found


def raise_alarm(link: Link, kind: str, detail: str = "", *, why: RenkeiError | None = None) -> None:
    """Raise an alarm, unless one of its kind stands; sign it into the node's log.

    The refusal that it comes from is kept as a sentence and its values: whoever reads of it is told
    in a language of their own.
    """
    kept, signed = detail, detail
    if why is not None:
        values = {name: str(value) for name, value in why.values.items()}
        kept = json.dumps({"about": detail, "sentence": why.sentence, "values": values})
        signed = f"{detail}: {why}" if detail else str(why)
    with transaction.atomic():
        _alarm, is_new = Alarm.objects.get_or_create(
            link=link,
            kind=kind,
            cleared_at=None,
            defaults={"detail": kept, "raised_at": timezone.now()},
        )
        if is_new and kind not in UNSIGNED:
            try_to_tell(link, Event.What.RAISED, kind, signed)


def alarm_detail(kept: str) -> str:
    """Return what an alarm says besides its kind, in the language of the reader."""
    try:
        said = json.loads(kept)
        why = RenkeiError(said["sentence"], **said["values"])
    except (ValueError, TypeError, KeyError):
        return kept  # no refusal
    return f"{said['about']}: {say(why)}" if said["about"] else say(why)


def clear_alarm(link: Link, *kinds: str) -> int:
    """Clear the alarms of these kinds that stand; return how many."""
    with transaction.atomic():
        standing = Alarm.objects.filter(link=link, kind__in=kinds, cleared_at=None)
        cleared = list(standing.values_list("kind", flat=True))
        if cleared:
            standing.update(cleared_at=timezone.now())
        for kind in cleared:
            if kind not in UNSIGNED:
                try_to_tell(link, Event.What.CLEARED, kind)
    return len(cleared)
