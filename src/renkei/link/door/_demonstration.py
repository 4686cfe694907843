"""What ``renkei up`` gives the two nodes of a demonstration, so that their link can begin."""

import contextlib
import json
import os
import re
import secrets
from pathlib import Path

from django.conf import settings

from renkei.kit.errors import gettext_noop
from renkei.link import engine
from renkei.link.door import _fibre
from renkei.link.door._authority import ensure_authority
from renkei.link.door._channel import SECRET_BYTES, BadMessageError, keep_secret
from renkei.link.door._distil import keep_seed
from renkei.link.door._link import found_link, write_secret
from renkei.link.models import Link

SEED_BYTES = 16 + 32 * 30  # a hash key, and thirty tags for each direction
CARRIED = re.compile(rf"[0-9a-f]{{{2 * (SECRET_BYTES + SEED_BYTES)}}}")


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
    mine = file.with_name(f".{file.name}.{nodes[0]}")
    write_secret(mine, json.dumps(made) + "\n")
    with contextlib.suppress(FileExistsError):
        os.link(mine, file)
    mine.unlink()


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
    file = var / engine.SECRETS_FILE
    _ensure_secrets(file, [node.name, node.partners[0].name])
    known = json.loads(file.read_text("utf-8"))
    link = found_link(node.partners[0].name, simulated=True)
    ensure_authority()
    said = {
        "node": node.name,
        "secret": known["fibre"][node.name],
        "file": str((var / engine.FIBRE_FILE).absolute()),
    }
    place = node.folder / "keys" / _fibre.KEY_FILE
    text = json.dumps(said) + "\n"
    if not place.exists() or place.read_text("utf-8") != text:
        write_secret(place, text)
    return link
