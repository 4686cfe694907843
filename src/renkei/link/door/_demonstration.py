"""What ``renkei up`` gives the two nodes of a demonstration, so that their link can begin."""

import contextlib
import json
import os
import re
import secrets
from pathlib import Path

from django.conf import settings

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import engine
from renkei.link.door import _fibre
from renkei.link.door._authority import ensure_authority
from renkei.link.door._channel import SECRET_BYTES, BadMessageError, keep_secret
from renkei.link.door._distil import keep_seed
from renkei.link.door._link import found_link, write_secret
from renkei.link.models import Link

SEED_BYTES = 16 + 32 * 30  # a hash key, and thirty tags for each direction
CARRIED = re.compile(rf"[0-9a-f]{{{2 * (SECRET_BYTES + SEED_BYTES)}}}")


class WrongFibreError(RenkeiError):
    """A simulated fibre is not between the two ends of a link."""

    code = "link.wrong_fibre"
    status = 409


def new_secrets() -> str:
    """Return what a courier carries: a secret for the channel, then a seed for the first blocks."""
    return secrets.token_hex(SECRET_BYTES + SEED_BYTES)


def keep_secrets(link: Link, text: str) -> None:
    """Keep what a courier carried.

    Raises:
        BadMessageError: it is not ``new_secrets`` of either end.
    """
    carried = text.strip()
    if not CARRIED.fullmatch(carried):
        raise BadMessageError(
            gettext_noop("what is carried between the ends has {count} hexadecimal digits"),
            count=2 * (SECRET_BYTES + SEED_BYTES),
        )
    keep_secret(link.partner, carried[: 2 * SECRET_BYTES])
    keep_seed(link, bytes.fromhex(carried[2 * SECRET_BYTES :]))


def _ensure_secrets(file: Path, nodes: list[str]) -> None:
    """Make what two nodes and a fibre must know of each other; the first node that comes does."""
    if file.exists():
        return
    made = {
        "alice": min(nodes),
        "fibre": {node: secrets.token_hex(SECRET_BYTES) for node in nodes},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    mine = file.with_name(f".{file.name}.{nodes[0]}")
    write_secret(mine, json.dumps(made) + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(mine, file)
    mine.unlink()


def join_fibre(link: Link, folder: Path) -> None:
    """Take the end of the simulated fibre of a folder that is this node's, for a simulated link.

    Args:
        link: the link.
        folder: where both ends find what they share, and ``renkei link fibre`` its work.

    Raises:
        WrongFibreError: the link is not simulated, or the fibre joins other nodes.
    """
    file = folder / engine.SECRETS_FILE
    _ensure_secrets(file, [link.own, link.partner])
    try:
        known = dict(json.loads(file.read_text("utf-8"))["fibre"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongFibreError(
            gettext_noop("{file} cannot be used: {why}"), file=file, why=type(error).__name__
        ) from error
    if not link.simulated or link.routed or set(known) != {link.own, link.partner}:
        raise WrongFibreError(
            gettext_noop(
                "the fibre of {folder} is between {nodes}; expected a simulated link of these"
            ),
            folder=folder,
            nodes=" - ".join(sorted(known)),
        )
    said = {
        "node": link.own,
        "secret": known[link.own],
        "file": str((folder / engine.FIBRE_FILE).absolute()),
    }
    place = _fibre.key_file(link.partner)
    text = json.dumps(said) + "\n"
    if not place.exists() or place.read_text("utf-8") != text:
        write_secret(place, text)


def prepare_demonstration(var: Path) -> Link | None:
    """Give this node its end of the demonstration's link; what is there already stays.

    Args:
        var: folder of the pair, where the secrets are kept that both ends share.

    Returns:
        The link, or ``None`` for a node without a partner.
    """
    node = settings.NODE
    if not node.partners:
        return None
    link = found_link(node.partners[0].name, simulated=True)
    ensure_authority()
    join_fibre(link, var)
    return link
