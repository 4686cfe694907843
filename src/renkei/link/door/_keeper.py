"""The service that keeps the pools full: it starts the child that distils, and lets it go."""

import logging
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from django.conf import settings

from renkei.base.node import PROGRAM
from renkei.kit.errors import RenkeiError
from renkei.link.door import _fibre
from renkei.link.door._distil import HIGH_BYTES, is_alice, is_low, wanted_file
from renkei.link.door._link import FIBRE_ALARM, clear_alarm, raise_alarm
from renkei.link.door._meet import has_met, meet
from renkei.link.door._routes import relay, routes
from renkei.link.door._store import QBER_ALARM, levels
from renkei.link.models import Link

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PROBE_SECONDS = 600.0  # a line that nobody uses is looked at so often
ALARM_SECONDS = 15.0  # and so often while it is disturbed
FULL_SECONDS = 30.0  # so often for an eavesdropper that somebody turns while the pools overflow
PAUSE_SECONDS = 5.0
MEET_PAUSE_SECONDS = 2.0
MISSES = 3  # looks in succession before a fibre that may be starting is said to be away
LONGEST_PAUSE_SECONDS = 120.0
MOST_BYTES = 8 * HIGH_BYTES
SUPERVISOR = "RENKEI_SUPERVISOR"  # the command line ends with the process that is named here


@dataclass
class _Child:
    """The child of one link."""

    link: Link
    running: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    not_before: float = 0.0
    failures: int = 0
    looked_at: float = -PAUSE_SECONDS  # at the fibre
    misses: int = 0
    may_alarm: bool = True  # one may stand, from before or by the child
    eve: object = None
    has_turned: bool = False  # since the last block
    seen_wanted: float | None = None

    def __post_init__(self) -> None:
        self.seen_wanted = self._wanted_at()

    def look(self) -> None:
        """Notice that the child ended; start it when it is wanted."""
        if self.running is not None:
            status = self.running.poll()
            if status is None:
                return
            self.running, self.may_alarm = None, True
            self.failures = self.failures + 1 if status else 0
            pause = min(PAUSE_SECONDS * 2**self.failures, LONGEST_PAUSE_SECONDS)
            self.not_before = time.monotonic() + (pause if status else 0.0)
        has_line = self._has_line()
        if (
            time.monotonic() >= self.not_before
            and (is_alice(self.link) or has_met(self.link) or self._meet())
            and self._is_wanted()
            and (has_line or is_alice(self.link))  # she is asked by one who saw the line
        ):
            self.begin()
            self.running = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-m", PROGRAM, "--node", str(settings.NODE.folder),
                 "link", "distil", self.link.partner],
                stdin=subprocess.DEVNULL,
                env={**os.environ, SUPERVISOR: str(os.getpid())},
            )  # fmt: skip

    def begin(self) -> None:
        """Note that blocks are tried from now on."""
        self.started_at = time.monotonic()
        self.has_turned = False

    def _meet(self) -> bool:
        """Meet the partner; tell whether that is done."""
        try:
            meet(self.link)
        except RenkeiError as error:
            log.info("the ends have not met: %s", error)
            self.not_before = time.monotonic() + MEET_PAUSE_SECONDS
            return False
        return True

    def _has_line(self) -> bool:
        """Tell whether there is a line to take key from; each end says for itself if there is none.

        A child that found none would have loaded in vain.
        """
        if not self.link.simulated:
            return True
        is_settled = self.misses in {0, MISSES}
        if is_settled and time.monotonic() < self.looked_at + PAUSE_SECONDS:
            return not self.misses
        self.looked_at = time.monotonic()
        try:
            _fibre.reach(_fibre.key_file(self.link.partner))
        except _fibre.FibreAwayError as error:
            self.misses = min(self.misses + 1, MISSES)
            if self.misses == MISSES:
                raise_alarm(self.link, FIBRE_ALARM, why=error)
            return False
        if self.misses or self.may_alarm:
            clear_alarm(self.link, FIBRE_ALARM)
        self.misses, self.may_alarm = 0, False
        return True

    def _is_wanted(self) -> bool:
        if is_alice(self.link):
            return self._was_asked()
        since = time.monotonic() - self.started_at
        self.has_turned |= self._eve_changed()
        if self.link.alarms.filter(kind=QBER_ALARM, cleared_at=None).exists():
            return since > ALARM_SECONDS or self.has_turned
        level = levels(self.link)
        least = min(level["own"], level["peer"])
        if self.has_turned:  # also while the pools are full: delivery stops by a block alone
            return least < MOST_BYTES or since > FULL_SECONDS
        return is_low(self.link) or (since > PROBE_SECONDS and least < 2 * HIGH_BYTES)

    def _was_asked(self) -> bool:
        asked = self._wanted_at()
        if asked == self.seen_wanted:  # not "is later": a clock may go back
            return False
        self.seen_wanted = asked
        return asked is not None

    def _wanted_at(self) -> float | None:
        try:
            return wanted_file(self.link).stat().st_mtime
        except OSError:
            return None

    def _eve_changed(self) -> bool:
        if not self.link.simulated:
            return False
        try:
            now: object = _fibre.eavesdropper(_fibre.key_file(self.link.partner))
        except _fibre.FibreAwayError:
            return False
        changed = self.eve is not None and now != self.eve
        self.eve = now
        return changed

    def end(self) -> None:
        """End the child."""
        if self.running is not None and self.running.poll() is None:
            self.running.terminate()
            try:
                self.running.wait(PAUSE_SECONDS)
            except subprocess.TimeoutExpired:
                self.running.kill()
                self.running.wait()


@dataclass
class _Relayed:
    """A link whose key comes over relays: this thread sends blocks while the pool is low.

    Each block that fails burns key of the hops that it went over, so the pauses grow.
    """

    link: Link
    not_before: float = 0.0
    failures: int = 0

    def look(self) -> None:
        """Send a block when one is wanted, from the end that asks; pause after a failure."""
        if is_alice(self.link) or time.monotonic() < self.not_before:
            return
        try:
            if not has_met(self.link):
                meet(self.link)
            route = routes().with_partner(self.link.own, self.link.partner)
            if route is None or not is_low(self.link) or relay(self.link, route):
                self.failures = 0
                return
            why = "it was changed on its way"
        except RenkeiError as error:
            why = str(error)
        log.info("no block came over relays: %s", why)
        pause = min(PAUSE_SECONDS * 2**self.failures, LONGEST_PAUSE_SECONDS)
        self.failures += 1
        self.not_before = time.monotonic() + pause

    def end(self) -> None:
        """There is nothing to end."""


def keep_full(stop: threading.Event) -> None:
    """Keep the pools of this node's links full until told to stop; without a link do nothing."""
    links = Link.objects.filter(own=settings.NODE.name)
    children: list[_Child | _Relayed] = [
        _Relayed(link) if link.routed else _Child(link) for link in links
    ]
    if not children:
        return
    try:
        while not stop.wait(LOOK_SECONDS):
            for child in children:
                child.look()
    finally:
        for child in children:
            child.end()
