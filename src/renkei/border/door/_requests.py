"""Signed requests of partners: who asks, once, and with both algorithms."""

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from renkei.border import engine
from renkei.border.door import _keys
from renkei.border.models import Log, Nonce
from renkei.kit.errors import ForbiddenError, gettext_noop


class ReplayedError(ForbiddenError):
    """A signed request that was seen before."""

    code = "border.replayed"


def asking(
    method: str, url: str, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> _keys.Partner:
    """Return the pinned partner that signed a request.

    Raises:
        BadHttpSignatureError: a signature lacks, is wrong or stale, or no pinned partner's.
        ReplayedError: the same request came before.
    """
    owners: dict[str, _keys.Partner] = {}
    pairs = []
    for partner in _keys.partners():
        identity = _keys.pinned(partner.name)
        log = Log.objects.filter(origin=partner.origin).first()
        if identity is None or log is None:
            continue
        for pair in _keys.history(log, identity).keys_at("log", log.size):
            pairs.append(pair)
            owners[pair.ed25519.kid] = partner
    verified = engine.verify_request(method, url, headers, body, keys=pairs, now=now)
    Nonce.objects.filter(expires__lt=int(now.timestamp()) - 600).delete()
    try:
        with transaction.atomic():
            Nonce.objects.create(
                key=f"{verified.keyid} {verified.nonce}",
                expires=int(verified.expires.timestamp()),
            )
    except IntegrityError as error:
        raise ReplayedError(gettext_noop("this signed request came before")) from error
    return owners[verified.keyid]
