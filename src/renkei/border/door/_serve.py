"""The loop in the node's worker: sign what was said, exchange with each partner, seal what is due."""

import logging
import threading
from contextlib import suppress
from typing import Any

from django.db import close_old_connections, connections
from django.utils import timezone

from renkei.border.door import _exchange, _joint, _keys, _log, _nudge, _rotate, _tiles
from renkei.border.models import Act, Checkpoint, Entry, Fate, Incident, Log, Peer
from renkei.kit.errors import RenkeiError

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PARTNER_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 10.0
FAILED_SECONDS = 1.0
MINUTE = 60.0


class _Talk(threading.Thread):
    """Exchanges with one partner, in its own time: a slow partner delays nobody else."""

    def __init__(self, partner: _keys.Partner, stop: threading.Event) -> None:
        super().__init__(name=f"border-{partner.name}", daemon=True)
        self.partner = partner
        self.stop = stop
        self.wake = threading.Event()
        self.tried = threading.Event()  # one round was begun and ended, however

    def run(self) -> None:
        """Exchange until the worker ends."""
        pause, said = 0.0, ""
        try:
            while not self.stop.is_set():
                if pause and said:
                    self.stop.wait(FAILED_SECONDS)  # a partner in trouble is not hurried
                self.wake.wait(pause)
                self.wake.clear()
                if self.stop.is_set():
                    return
                close_old_connections()
                try:
                    _exchange.exchange(self.partner, now=timezone.now)
                    now = timezone.now()
                    _joint.seal_due(now=now)
                    _joint.note_witnessed(now=now)
                    if said:  # the partner may be waiting out a long pause of its own
                        _exchange.hint(self.partner, now=now)
                    pause, said = PARTNER_SECONDS, ""
                except RenkeiError as error:
                    _exchange.note_trouble(self.partner, error, now=timezone.now())
                    pause = min(max(1.0, 2 * pause), LONGEST_PAUSE_SECONDS)
                    if str(error) != said:
                        said = str(error)
                        log.warning("with %s: %s", self.partner.name, said)
                except Exception:
                    log.exception("with %s", self.partner.name)
                    pause = LONGEST_PAUSE_SECONDS
                finally:
                    self.tried.set()
        finally:
            connections.close_all()


class _Asker(threading.Thread):
    """Has each new checkpoint cosigned at once, even while much of the partner's log is fetched."""

    def __init__(self, talk: _Talk) -> None:
        super().__init__(name=f"border-{talk.partner.name}-witness", daemon=True)
        self.talk = talk
        self.wake = threading.Event()

    def run(self) -> None:
        """Ask until the worker ends."""
        try:
            while True:
                self.wake.wait()
                self.wake.clear()
                if self.talk.stop.is_set():
                    return
                close_old_connections()
                try:
                    _exchange.have_witnessed(self.talk.partner, now=timezone.now())
                except RenkeiError:
                    pass  # the exchange that follows meets the same, and says it
                except Exception:
                    log.exception("with %s", self.talk.partner.name)
                self.talk.wake.set()
        finally:
            connections.close_all()


def serve(stop: threading.Event) -> None:
    """Run the border of this node until the worker is told to stop.

    A node without partners, or whose partners are not pinned, signs its log and talks to nobody.
    """
    if not Log.objects.filter(is_own=True).exists():
        return
    _rotate.finish()
    talks = {
        partner.name: _Talk(partner, stop) for partner in _keys.partners() if partner.fingerprint
    }
    askers = [_Asker(talk) for talk in talks.values()]
    with _nudge.listening() as heard:
        # Before the first signature of this process, each partner is asked what it has cosigned.
        for talk in talks.values():
            talk.start()
        for talk in talks.values():
            talk.tried.wait(_exchange.GUARD_SECONDS)
        for asker in askers:
            asker.start()
        _own_round(askers)
        quiet = 0.0
        while not stop.is_set():
            words = _nudge.wait(heard, LOOK_SECONDS)
            close_old_connections()
            for word in words & talks.keys():
                talks[word].wake.set()
            quiet += LOOK_SECONDS
            if quiet >= MINUTE:
                quiet = 0.0
                _joint.expire(now=timezone.now())
                with suppress(RenkeiError):
                    _log.retry(now=timezone.now())
            _own_round(askers)
    for thread in (*talks.values(), *askers):
        thread.wake.set()


def _own_round(askers: list[_Asker]) -> None:
    own = _log.own_log()
    if own.published == own.size and own.size:
        return

    def wake() -> None:
        for asker in askers:
            asker.wake.set()

    try:
        _exchange.publish(now=timezone.now(), signed=wake)
    except RenkeiError as error:
        log.warning("nothing is signed: %s", error)
        return
    except OSError as error:  # the disk is full, or broken: nothing new is signed, reading goes on
        log.error("nothing is signed: %s", error)  # noqa: TRY400  it says all there is
        return
    with suppress(OSError):
        _tiles.export(_log.own_log())


def newest(name: str) -> Checkpoint | None:
    """Return the newest checkpoint of a log, by the name of its node."""
    return Checkpoint.objects.filter(log__name=name).order_by("-size").first()


def logs() -> list[Log]:
    """Return the logs held here, the node's own first."""
    return list(Log.objects.order_by("-is_own", "name"))


def status() -> dict[str, Any]:
    """Return the state of the border as plain data."""
    sizes = _joint.witnessed_sizes()
    rows = []
    for each in logs():
        peer = Peer.objects.filter(name=each.name).first()
        proven = Checkpoint.objects.filter(log=each, is_witnessed=True).order_by("-size").first()
        rows.append(
            {
                "name": each.name,
                "origin": each.origin,
                "party": each.party,
                "is_own": each.is_own,
                "entries": each.size,
                "signed": each.published,
                "witnessed": sizes.get(each.pk, 0),
                "proven_at": proven.witnessed_at.isoformat()
                if proven and proven.witnessed_at
                else None,
                "state": peer.failure if peer and peer.failure else "ok",
                "clock_skew_seconds": peer.clock_skew_seconds if peer else 0.0,
            }
        )
    known = {each.name for each in logs()}
    return {
        "logs": rows,
        "not_met": [p.name for p in _keys.partners() if p.name not in known],
        "acts_under_way": Act.objects.filter(stage__in=_joint.UNDER_WAY).count(),
        "open_incidents": Incident.objects.filter(closed_at=None).count(),
        "not_applied": Entry.objects.filter(
            fate__in=[Fate.WAITING, Fate.QUARANTINED, Fate.REFUSED, Fate.INVALID]
        ).count(),
    }
