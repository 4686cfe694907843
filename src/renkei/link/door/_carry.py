"""The border's private statement bodies under the link's own seal: one fresh QKD key a message."""

import io
import time

from django.conf import settings

from renkei.kit.errors import RenkeiError
from renkei.link.door._channel import SecretChannel, secret_file
from renkei.link.door._link import BODIES_ALARM, clear_alarm, raise_alarm
from renkei.link.door._seal import seal, unseal
from renkei.link.engine import Policy
from renkei.link.models import Link

NAME = "border"
TIMEOUT_SECONDS = 3.0  # somebody waits for the answer that is sealed
AGAIN_SECONDS = 10.0  # a link without keys is not asked for each message
_failed: dict[int, float] = {}


class Carrier:
    """What the border asks for by ``renkei.border.door.Carrier``."""

    def reaches(self, partner: str) -> bool:
        """Tell whether there is a link with that partner whose ends have met."""
        return self._link(partner) is not None

    def seal(self, partner: str, content: bytes) -> bytes | None:
        """Seal for a partner, or return nothing while there is no QKD key.

        The border's own seal holds then alone. That is no secret: an alarm stands until a key is
        there again, and both are signed into this node's log.
        """
        link = self._link(partner)
        if link is None or time.monotonic() < _failed.get(link.pk, 0.0):
            return None
        out = io.BytesIO()
        channel = SecretChannel(link, timeout_seconds=TIMEOUT_SECONDS)
        try:
            seal(link, channel, io.BytesIO(content), out, policy=Policy.REQUIRE_QKD, name=NAME)
        except RenkeiError as error:
            raise_alarm(link, BODIES_ALARM, why=error)
            _failed[link.pk] = time.monotonic() + AGAIN_SECONDS
            return None
        finally:
            channel.close()
        clear_alarm(link, BODIES_ALARM)
        return out.getvalue()

    def unseal(self, partner: str, sealed: bytes) -> bytes:
        """Open what the partner sealed; its QKD key is used up."""
        link = self._link(partner)
        if link is None:
            return b""
        out = io.BytesIO()
        channel = SecretChannel(link, timeout_seconds=TIMEOUT_SECONDS)
        try:
            unseal(link, channel, io.BytesIO(sealed), out)
        finally:
            channel.close()
        return out.getvalue()

    def _link(self, partner: str) -> Link | None:
        if not secret_file(partner).exists():
            return None
        return Link.objects.filter(own=settings.NODE.name, partner=partner).first()
