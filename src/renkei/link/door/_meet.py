"""How the two ends begin without anything carried: they meet under the signatures of their nodes.

The end that detects asks, with fresh public keys, in a request that its node signs (RFC 9421, Ed25519
and ML-DSA-44); the other end encapsulates a secret for them and vouches for its answer together with
the question. What comes of it is the secret of the channel. An end without any authentication key says
so, and then the next block is signed on both sides instead of tagged: key that it yields is as good as
those signatures are at that moment, and stays so.
"""

import hashlib
import json
import secrets
from typing import Any

from django.utils import timezone

from renkei.border import door as border
from renkei.kit.errors import gettext_noop
from renkei.link import engine
from renkei.link.door._channel import SECRET_BYTES, BadMessageError, keep_secret, secret_file
from renkei.link.door._events import try_to_tell
from renkei.link.door._link import cache_folder
from renkei.link.door._store import keep_reserve, reserve_of
from renkei.link.models import Event, Link

PATH = "/link/v1/meet"
MOST_ANSWER_BYTES = 1 << 20
PURPOSE = "link meet 1"
BLOCK_PURPOSE = "link block 1"
SIGNED = b"V"  # what the stored reserve is when the next block is signed
ALGORITHMS = "ml-dsa-44"


def meet(link: Link) -> None:
    """Agree on the channel's secret with the partner; called by the end that detects.

    Raises:
        BadMessageError: the answer is not the partner's.
        UnreachableError, BadAnswerError, RefusedError: it does not answer, or refuses.
    """
    fresh = engine.Recipient(secrets.token_bytes(engine.SECRET_SEED_BYTES))
    asked = {
        "from": link.own,
        "public": fresh.public.hex(),
        "signed_start": needs_signed_start(link),
        "nonce": secrets.token_hex(16),
    }
    said = border.ask_partner(
        border.partner(link.partner), PATH, asked, now=timezone.now(), most=MOST_ANSWER_BYTES
    )
    try:
        encapsulated = bytes.fromhex(said["encapsulated"])
        signature = bytes.fromhex(said["signature"])
        signed_start = bool(said["signed_start"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadMessageError(gettext_noop("the partner's answer cannot be read")) from error
    bound = _bound(asked, encapsulated, signed_start=signed_start)
    if not border.vouched(link.partner, PURPOSE, bound, signature):
        raise BadMessageError(gettext_noop("the answer is not signed by the partner's node"))
    mlkem, x25519 = fresh.decapsulate(encapsulated)
    context = _context(link.partner, link.own, fresh.public, encapsulated, bound)
    _keep(link, context, mlkem, x25519)
    if signed_start and not link.routed:
        _start_signed(link)
    stranger_file(link).unlink(missing_ok=True)


def answer_meeting(link: Link, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer the partner that wants to meet; its node's signature was verified.

    Raises:
        BadMessageError: it is not from the end that detects, or cannot be read.
    """
    try:
        public = bytes.fromhex(asked["public"])
        wanted = bool(asked["signed_start"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadMessageError(gettext_noop("the partner's message cannot be read")) from error
    if asked.get("from") != link.partner or is_asker(link):
        raise BadMessageError(gettext_noop("the end that detects is the one that asks to meet"))
    mlkem, x25519, encapsulated = engine.encapsulate(public)
    signed_start = wanted or needs_signed_start(link)
    bound = _bound(asked, encapsulated, signed_start=signed_start)
    context = _context(link.own, link.partner, public, encapsulated, bound)
    _keep(link, context, mlkem, x25519)
    stranger_file(link).unlink(missing_ok=True)
    if signed_start and not link.routed:
        _start_signed(link)
    return {
        "encapsulated": encapsulated.hex(),
        "signed_start": signed_start,
        "signature": border.vouch(PURPOSE, bound).hex(),
    }


def _bound(asked: dict[str, Any], encapsulated: bytes, *, signed_start: bool) -> bytes:
    """Return everything that was said, in one way alone."""
    return json.dumps([asked, encapsulated.hex(), signed_start], sort_keys=True).encode()


def _keep(link: Link, context: engine.Context, mlkem: bytes, x25519: bytes) -> None:
    key = engine.combine(mlkem=mlkem, x25519=x25519, qkd=b"", context=context)
    keep_secret(link.partner, engine.expand(key, "link channel", SECRET_BYTES).hex())


def _context(
    answers: str, asks: str, public: bytes, encapsulated: bytes, bound: bytes
) -> engine.Context:
    return engine.Context(
        sender=answers,
        receiver=asks,
        key_ids=(),
        public=public,
        encapsulated=encapsulated,
        transcript=hashlib.sha384(bound).digest(),
    )


def is_asker(link: Link) -> bool:
    """Tell whether this end is the one that asks to meet: the one that detects."""
    return link.own > link.partner


def needs_signed_start(link: Link) -> bool:
    """Tell whether this end has nothing to authenticate the next block with but signatures."""
    return not link.routed and reserve_of(link)[:1] in {b"", SIGNED}


def _start_signed(link: Link) -> None:
    if reserve_of(link) != SIGNED:
        keep_reserve(link, SIGNED, tags_left=0)
        try_to_tell(link, Event.What.SIGNED_START, ALGORITHMS)


def forget_reserve(link: Link) -> None:
    """Throw away what authenticates blocks: the next one is signed by both nodes instead."""
    keep_reserve(link, SIGNED, tags_left=0)
    try_to_tell(link, Event.What.SIGNED_START, ALGORITHMS)


def signatures(link: Link) -> "engine.Signatures":
    """Return what authenticates a block by the signatures of the two nodes."""
    return engine.Signatures(
        sign=lambda data: border.vouch(BLOCK_PURPOSE, data),
        verify=lambda data, signature: border.vouched(link.partner, BLOCK_PURPOSE, data, signature),
    )


def stranger_file(link: Link) -> Any:
    """Return the file that is there when an answer was not under the channel's secret."""
    return cache_folder() / f"link-{link.partner}.stranger"


def has_met(link: Link) -> bool:
    """Tell whether the ends share a secret, as far as this one knows."""
    return secret_file(link.partner).exists() and not stranger_file(link).exists()
