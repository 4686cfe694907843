"""The one thread of a link that hands out key: it gathers what is asked meanwhile into one commit."""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import DatabaseError

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import engine
from renkei.link.door._channel import Channel, as_send
from renkei.link.door._link import SILENT_ALARM, clear_alarm, raise_alarm
from renkei.link.door._store import (
    DeliveryStoppedError,
    Draw,
    Fetch,
    Key,
    NotYoursError,
    PartnerSilentError,
    UnknownSaeError,
    burn_to,
    node_of,
    serve,
    stored,
    turn,
)
from renkei.link.models import Link, Sae

log = logging.getLogger(__name__)

MOST_TOGETHER = 64
ANSWER_SECONDS = 20.0
HEARTBEAT_SECONDS = 5.0


@dataclass(frozen=True)
class Caller:
    """Who a verified client certificate says is calling."""

    name: str
    serial: str


@dataclass(frozen=True)
class Count:
    """A request for how many keys of a size (bytes) could be drawn now for an application."""

    size: int
    slave: str


@dataclass
class _Waiting:
    caller: Caller
    asked: Draw | Fetch | Count
    answered: threading.Event = field(default_factory=threading.Event)
    result: "list[Key] | int | RenkeiError | None" = None


class Dispenser:
    """Hands out the key of one link; ``run`` in one thread, ``ask`` from any."""

    def __init__(self, link: Link, open_channel: Callable[[Link], Channel]) -> None:
        self._link = link
        self._open = open_channel
        self._queue: queue.Queue[_Waiting] = queue.Queue()

    def ask(self, caller: Caller, asked: Draw | Fetch | Count) -> list[Key] | int:
        """Return keys, or a count, once they are durable on both sides.

        Raises:
            RenkeiError: why there are none; its ``status`` is 400, 401 or 503.
        """
        waiting = _Waiting(caller, asked)
        self._queue.put(waiting)
        if not waiting.answered.wait(ANSWER_SECONDS):
            raise DeliveryStoppedError(gettext_noop("the key manager is too busy to answer"))
        if waiting.result is None or isinstance(waiting.result, RenkeiError):
            raise waiting.result or DeliveryStoppedError(
                gettext_noop("the key manager did not answer")
            )
        return waiting.result

    def run(self, stop: threading.Event) -> None:
        """Answer until told to stop."""
        channel = self._open(self._link)
        self._greet(channel)
        while not stop.is_set():
            group = self._gather()
            if not group:
                self._greet(channel)
                continue
            try:
                self._answer(group, channel)
            except (RenkeiError, DatabaseError) as error:
                log.exception("a group of requests failed")
                ours = error if isinstance(error, RenkeiError) else _failed(error)
                for one in group:
                    one.result = one.result if isinstance(one.result, RenkeiError) else ours
            finally:
                for one in group:
                    one.answered.set()

    def _gather(self) -> list[_Waiting]:
        try:
            group = [self._queue.get(timeout=HEARTBEAT_SECONDS)]
        except queue.Empty:
            return []
        while len(group) < MOST_TOGETHER:
            try:
                group.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return group

    def _answer(self, group: list[_Waiting], channel: Channel) -> None:
        counts = [one for one in group if isinstance(one.asked, Count)]
        if counts:
            self._count(counts)
        keys = [one for one in group if not isinstance(one.asked, Count)]
        asked: list[Draw | Fetch] = []
        for one in keys:
            if not isinstance(one.asked, Count):
                one.asked.serial = one.caller.serial
                asked.append(one.asked)
        if asked:
            channel.ready()  # a partner that is away must cost no key
            serve(self._link, asked, as_send(channel))
            for one, done in zip(keys, asked, strict=True):
                one.result = done.result

    def _count(self, group: list[_Waiting]) -> None:
        link = Link.objects.get(pk=self._link.pk)
        counts = [(one, one.asked) for one in group if isinstance(one.asked, Count)]
        names = {name for one, count in counts for name in (one.caller.name, count.slave)}
        known = dict(
            Sae.objects.filter(name__in=names, revoked_at=None).values_list("name", "serial")
        )
        for one, count in counts:
            if known.get(one.caller.name) != one.caller.serial:
                one.result = NotYoursError(gettext_noop("the certificate is of no SAE known here"))
            elif node_of(count.slave) == link.own and count.slave not in known:
                one.result = UnknownSaeError(
                    gettext_noop("{sae} is not known here"), sae=count.slave
                )  # of its own applications alone a node knows that
            else:
                one.result = stored(link, size=count.size)

    def _greet(self, channel: Channel) -> None:
        """Tell the partner our counters, and learn whether we are behind what it remembers."""
        try:
            greet(self._link, channel)
        except RenkeiError as error:
            raise_alarm(self._link, SILENT_ALARM, why=error)
        else:
            clear_alarm(self._link, SILENT_ALARM)


def greet(link: Link, channel: Channel) -> None:
    """Compare counters with the partner; burn what this node is behind by.

    Raises:
        PartnerSilentError: nobody answers.
    """
    with turn(link):
        counters = Link.objects.get(pk=link.pk).counters
        said = as_send(channel)({"link": engine.to_json(engine.Batch(counters, counters))})
        if "remembered" in said:
            burn_to(link, engine.counters_from_json(said["remembered"]))


def _failed(error: Exception) -> RenkeiError:
    return DeliveryStoppedError(
        gettext_noop("the key store cannot be used: {why}"), why=type(error).__name__
    )


__all__ = ["Caller", "Count", "Dispenser", "PartnerSilentError", "greet"]
