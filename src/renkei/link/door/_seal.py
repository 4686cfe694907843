"""Sealing for the partner and opening what it sealed: the use of the link's own key."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import engine
from renkei.link.door._channel import Channel, as_send
from renkei.link.door._events import downgrade_index, header_digest, tell
from renkei.link.door._link import DOWNGRADE_ALARM, raise_alarm, refuse_simulated, write_secret
from renkei.link.door._store import Draw, Fetch, Key, serve
from renkei.link.engine import Policy, Source
from renkei.link.models import Event, Link

SEED_FILE = "link-seal"
NODE_SAE = "node"
DOWNGRADE_PAUSE_STATUSES = frozenset({503})


class NotForUsError(RenkeiError):
    """A sealed file is for another node, or from one that this node has no link with."""

    code = "link.not_for_us"


@dataclass(frozen=True)
class Opened:
    """What is known of a file that was opened.

    Args:
        header: what it says in clear.
        bytes: how long it is.
        downgrade_index: of a file without a quantum key: where the sender's log says so; ``None``
            when that has not arrived here.
    """

    header: engine.Header
    bytes: int
    downgrade_index: int | None = None


def node_sae(node: str) -> str:
    """Return the name of the application that a node itself is."""
    return f"{node}.{NODE_SAE}"


def recipient() -> engine.Recipient:
    """Return the node's own secret keys for opening, made when they are first needed."""
    file: Path = settings.NODE.folder / "keys" / SEED_FILE
    if not file.exists():
        write_secret(file, secrets.token_hex(engine.SECRET_SEED_BYTES) + "\n")
    try:
        return engine.Recipient(bytes.fromhex(file.read_text("ascii")))
    except ValueError as error:
        raise engine.BadPublicKeyError(gettext_noop("the node's sealing key is damaged")) from error


def public_of_partner(link: Link, channel: Channel) -> bytes:
    """Return the partner's public keys: asked for once, then kept."""
    kept = bytes(Link.objects.values_list("peer_public", flat=True).get(pk=link.pk))
    if not kept:
        kept = bytes.fromhex(json.loads(channel.ask("public", b""))["public"])
        Link.objects.filter(pk=link.pk).update(peer_public=kept)
    return kept


def seal(
    link: Link,
    channel: Channel,
    plain: BinaryIO,
    out: BinaryIO,
    *,
    policy: Policy = Policy.REQUIRE_QKD,
    name: str = "",
) -> engine.Header:
    """Seal a file for the partner of a link with one fresh QKD key.

    A file that goes without a QKD key, where the policy allows it, raises an alarm at both nodes
    and is signed into this node's log.

    Raises:
        PoolEmptyError: the policy requires a QKD key and there is none now.
        HaltedError, NoLogError: it would go without one, and this node cannot sign that.
    """
    public = public_of_partner(link, channel)
    qkd: tuple[str, bytes, Source] | None = None
    try:
        qkd = draw_one(link, channel, engine.QKD_KEY_BYTES)
    except RenkeiError as error:
        if policy is Policy.REQUIRE_QKD or error.status not in DOWNGRADE_PAUSE_STATUSES:
            raise
        raise_alarm(link, DOWNGRADE_ALARM, engine.shown_name(name), why=error)
    header = engine.seal(
        plain,
        out,
        public=public,
        sender=link.own,
        receiver=link.partner,
        policy=policy,
        qkd=qkd,
        name=name,
    )
    if header.is_downgrade:
        digest = header_digest(engine.write_header(header))
        tell(link, Event.What.DOWNGRADE, policy.value, digest)
    return header


def seal_pad(link: Link, channel: Channel, message: bytes, *, name: str = "") -> bytes:
    """Seal a short message with a one-time pad for the partner of a link.

    Raises:
        PolicyError: it is too long.
    """
    key = draw_one(link, channel, engine.pad_bytes(len(message)))
    return engine.seal_pad(message, sender=link.own, receiver=link.partner, qkd=key, name=name)


def unseal(link: Link, channel: Channel, file: BinaryIO, out: BinaryIO) -> Opened:
    """Open what the partner sealed; its QKD key is used up, so this succeeds once.

    Raises:
        NotForUsError: it is for another node.
        SimulatedRefusedError: its key is simulated and this node is no demonstration.
        KeyNotFoundError: its key was used already.
        NotSealedError: it was changed or cut.
    """
    header, head = engine.read_header(file)
    if header.receiver != link.own or header.sender != link.partner:
        raise NotForUsError(
            gettext_noop(
                "the file is from {sender} for {receiver}; this link is of {own} with {partner}"
            ),
            sender=header.sender,
            receiver=header.receiver,
            own=link.own,
            partner=link.partner,
        )
    if header.source is Source.SIMULATED:
        refuse_simulated()
    if header.is_downgrade:
        key = Key("", b"", simulated=False)
    else:
        key = fetch_one(link, channel, header.key_ids)
        if key.simulated != (header.source is Source.SIMULATED):
            raise engine.NotSealedError(
                gettext_noop("the header says another source than the key's")
            )
    if header.suite == engine.PAD_SUITE:
        message = engine.unseal_pad(file.read(1 << 20), head=head, key=key.key)
        out.write(message)
        return Opened(header, len(message))
    done = engine.unseal(file, out, recipient=recipient(), header=header, head=head, qkd=key.key)
    if not header.is_downgrade:
        return Opened(header, done)
    raise_alarm(link, DOWNGRADE_ALARM, header.name)  # not for a header that anybody wrote
    return Opened(header, done, downgrade_index(link, head))


def peek(file: BinaryIO) -> engine.Header:
    """Return what a sealed file says in clear.

    Raises:
        NotSealedError: it is none.
    """
    return engine.read_header(file)[0]


def draw_one(link: Link, channel: Channel, size: int) -> tuple[str, bytes, Source]:
    """Draw one key of ``size`` bytes that the two nodes themselves share; it is used up."""
    channel.ready()
    draw = Draw(node_sae(link.own), (node_sae(link.partner),), size, 1)
    serve(link, [draw], as_send(channel))
    key = _only(draw.result)
    return key.key_id, key.key, Source.SIMULATED if key.simulated else Source.QUANTUM


def fetch_one(link: Link, channel: Channel, key_ids: tuple[str, ...]) -> Key:
    """Take the one key that the partner's node drew for this one."""
    channel.ready()
    fetch = Fetch(node_sae(link.own), node_sae(link.partner), key_ids)
    serve(link, [fetch], as_send(channel))
    return _only(fetch.result)


def _only(result: list[Key] | RenkeiError | None) -> Key:
    if isinstance(result, RenkeiError):
        raise result
    if not result or len(result) != 1:
        raise engine.NotSealedError(gettext_noop("the sealed file names not one key"))
    return result[0]
