"""Pre-shared keys for IPsec gateways: one key of the link, the same name and bytes at both nodes.

RFC 8784 mixes a post-quantum pre-shared key (PPK) into IKEv2: the gateways name it by an identifier and
never send it. Here the identifier is the key's own.
"""

from dataclasses import dataclass

from renkei.kit.errors import gettext_noop
from renkei.link.door._channel import Channel
from renkei.link.door._seal import draw_one, fetch_one
from renkei.link.door._store import KeyNotFoundError
from renkei.link.engine import Source, parse_key_id
from renkei.link.models import Link

PPK_BYTES = 32  # RFC 8784, 6: at least 256 bits


@dataclass(frozen=True)
class Ppk:
    """A pre-shared key as both gateways are to hold it.

    Args:
        id: its PPK_ID, of type ID_FIXED.
        secret: 32 bytes.
        simulated: whether it protects nothing.
    """

    id: str
    secret: bytes
    simulated: bool

    def swanctl(self) -> str:
        """Return it as strongSwan reads it: a file to be included by ``swanctl.conf``."""
        warning = "# simulated: this key protects nothing\n" if self.simulated else ""
        return (
            f"{warning}secrets {{\n"
            f"    ppk-{self.id} {{\n"
            f'        id = "{self.id}"\n'
            f"        secret = 0x{self.secret.hex()}\n"
            "    }\n"
            "}\n"
        )


def draw_ppk(link: Link, channel: Channel) -> Ppk:
    """Draw a fresh key; the partner's node holds it until ``fetch_ppk`` takes it there, once.

    Raises:
        PoolEmptyError, DeliveryStoppedError, PartnerSilentError: there is none now.
    """
    key_id, key, source = draw_one(link, channel, PPK_BYTES)
    return Ppk(key_id, key, source is Source.SIMULATED)


def fetch_ppk(link: Link, channel: Channel, name: str) -> Ppk:
    """Take the key that the partner drew, by its identifier; this succeeds once.

    Raises:
        KeyNotFoundError: there is no such key here, or it was taken already.
    """
    if parse_key_id(name) is None:
        raise KeyNotFoundError(gettext_noop("a key is not known here, or was drawn already"))
    key = fetch_one(link, channel, (name,))
    return Ppk(key.key_id, key.key, key.simulated)
