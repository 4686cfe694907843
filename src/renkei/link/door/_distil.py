"""Distillation between the two nodes: a child process at each, which loads the numerical engine.

Bob's child drives: it sends each message of a block to the partner's web port, and hears the
answer. Alice's child listens on a local port that the node's own web server hands messages to. What
must be durable before a message leaves is durable before it leaves: the reserve before a tag, the
pending block before the last word.
"""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link import engine
from renkei.link.door import _fibre
from renkei.link.door._channel import Channel, RefusedByPartnerError, alone, settle_with
from renkei.link.door._link import (
    FIBRE_ALARM,
    cache_folder,
    clear_alarm,
    raise_alarm,
    refuse_simulated,
)
from renkei.link.door._local import HOST, connect
from renkei.link.door._meet import SIGNED, meet, needs_signed_start, signatures
from renkei.link.door._pages import write_curves
from renkei.link.door._store import (
    QBER_ALARM,
    BadBlockError,
    PartnerSilentError,
    begin_block,
    confirm,
    forget_old_runs,
    keep_reserve,
    levels,
    reserve_of,
    take_in,
)
from renkei.link.models import Link, Run

log = logging.getLogger(__name__)

FRAMES = 32  # of a block, unless somebody asks for a smaller or a larger one
FRAME_BITS = 1 << 16  # sifted
FEWEST_BITS, MOST_BITS = 10**6, 10**7  # of a block
LONG_ROUND_TRIP_SECONDS = 0.003  # from here on, Cascade's 1 500 round trips are too many
FIRST_TAGS = 24  # of a signed block: the tags of the next ones must not stop delivery
LOW_BYTES = 96 << 10  # of each half: below it, key is distilled
HIGH_BYTES = 256 << 10  # of each half: above it, no more is wanted
ALICE_IDLE_SECONDS = 30.0
MESSAGE_SECONDS = 60.0
CUT_PAUSES_SECONDS = (0.1, 0.5, 1.0, 2.0)  # before the same words are said again
BEGIN_SECONDS = 40.0
BEGIN_PAUSE_SECONDS = 0.5
CUT = "cut"  # how a block ended of which nobody here knows how it ended
SUSPICIOUS = frozenset({"error_rate", "no_key", "statistics"})
SEED, RESERVE = (
    b"S",
    b"R",
)  # what the stored reserve is: the carried seed, or the engine's own bytes
SAY, BEGIN, SETTLE, CONFIRM = b"M", b"B", b"S", b"C"


class NotReadyError(RenkeiError):
    """The partner's end has not begun to distil yet."""

    code = "link.not_ready"
    status = 503


class NoReserveError(RenkeiError):
    """There is no secret to authenticate the first block with."""

    code = "link.no_reserve"
    status = 503


def is_alice(link: Link) -> bool:
    """Tell whether this node prepares the photons: the one whose name comes first does."""
    return link.own < link.partner


# What both sides do


@dataclass
class _End:
    """One side of one block."""

    link: Link
    number: int
    settings: Any
    reserve: Any
    session: Any
    begun: float
    is_over: bool = False

    def hear(self, message: bytes) -> bytes:
        """Take a message in and return the answer, when all that it rests on is durable."""
        before = self._tags()
        answer: bytes | None = self.session.receive(message)
        if self._tags() != before:
            _store_reserve(self.link, self.reserve)
        return answer or b""

    def _tags(self) -> tuple[int, int]:
        if isinstance(self.reserve, engine.Signatures):
            return 0, 0
        return self.reserve.tags_left("alice"), self.reserve.tags_left("bob")

    def store(self) -> str:
        """Store the block as pending; return its fingerprint, or nothing for one that failed."""
        outcome = self.session.outcome
        if not isinstance(outcome, engine.Distilled):
            return ""
        return take_in(
            self.link,
            self.number,
            outcome.key,
            simulated=outcome.label == engine.SIMULATED,
        )

    def end(self, *, confirmed: bool) -> None:
        """Write down how it went; fill the reserve with what a confirmed block gave."""
        self.is_over = True
        outcome = self.session.outcome
        refused = ""
        if isinstance(outcome, engine.Distilled):
            if confirmed:
                if isinstance(self.reserve, engine.Signatures):
                    self.reserve = engine.Reserve.empty()
                self.reserve.refill(self.number, outcome.for_reserve)
                _store_reserve(self.link, self.reserve)
                clear_alarm(self.link, QBER_ALARM)
            else:
                refused = "unequal"
        else:
            reason = getattr(outcome, "reason", "peer")
            refused = getattr(outcome, "peer_reason", "") or reason
        _write_run(self, refused)
        if refused in SUSPICIOUS:
            rate = self.session.figures.test_error_rate or self.session.figures.error_rate
            raise_alarm(self.link, QBER_ALARM, _suspicion(refused, rate))

    def cut_off(self) -> None:
        """Write down that it came to no end here: every pad that a tag took was stored as burned."""
        if self.is_over:
            return
        self.is_over = True
        if self.session.figures.sifted_bits:
            _write_run(self, CUT)
        else:
            _note_cut(self.link, self.number)


def _suspicion(refused: str, rate: float | None) -> str:
    return f"{refused}: {rate:.2%}" if rate is not None else refused


def _write_run(end: _End, refused: str) -> None:
    figures = end.session.figures
    gains = figures.gains or (None, None)
    outcome = end.session.outcome
    rate = figures.error_rate if figures.error_rate is not None else figures.test_error_rate
    Run.objects.create(
        link=end.link,
        number=end.number,
        finished_at=timezone.now(),
        simulated=figures.label == engine.SIMULATED,
        sifted_bits=figures.sifted_bits or 0,
        qber=rate,
        gain=gains[0],
        leak_bits=figures.disclosed_bits or 0,
        key_bits=8 * len(outcome.key)
        if isinstance(outcome, engine.Distilled) and not refused
        else 0,
        seconds=time.monotonic() - end.begun,
        figures=figures.as_dict(),
        refused=refused,
    )
    forget_old_runs(end.link)


def _store_reserve(link: Link, reserve: Any) -> None:
    left = min(reserve.tags_left("alice"), reserve.tags_left("bob"))
    keep_reserve(link, RESERVE + reserve.to_bytes(), tags_left=left)


def _load_reserve(link: Link) -> Any:
    kept = reserve_of(link)
    if kept == SIGNED:
        return signatures(link)
    if kept[:1] == RESERVE:
        return engine.Reserve.from_bytes(kept[1:])
    if kept[:1] == SEED:
        reserve = engine.Reserve.from_seed(kept[1:])
        _store_reserve(link, reserve)
        return reserve
    raise NoReserveError(
        gettext_noop("there is no secret to authenticate the first block with: `renkei link found`")
    )


def _burn_forgotten(link: Link, number: int, reserve: Any) -> None:
    """Burn a pad for each block before this one of which this end does not know how it ended.

    Its process was killed, or the node was set back to an older state: what it said since then, it
    may have said under a tag. The new block's number is beyond all that the partner remembers.
    """
    ended = link.runs.filter(number__lt=number).aggregate(last=Max("number"))["last"] or 0
    forgotten = number - 1 - ended
    if not forgotten:
        return
    if not isinstance(reserve, engine.Signatures):
        reserve.burn("alice" if is_alice(link) else "bob", forgotten)
        _store_reserve(link, reserve)
    _note_cut(link, number - 1)


def _note_cut(link: Link, number: int) -> None:
    """Write down that no block up to this one is open: one row for all that came to nothing."""
    last = link.runs.newest().first()
    if last is not None and last.refused == CUT and not last.figures:
        last.number, last.finished_at = number, timezone.now()
        last.save(update_fields=["number", "finished_at"])
        return
    Run.objects.create(
        link=link,
        number=number,
        finished_at=timezone.now(),
        simulated=link.simulated,
        refused=CUT,
    )


def keep_seed(link: Link, seed: bytes) -> None:
    """Keep the carried seed, if nothing authenticates the link yet."""
    if needs_signed_start(link):
        keep_reserve(link, SEED + seed, tags_left=max(0, len(seed) - 16) // 32)


def _frames(bits: int | None) -> int:
    """Return how many frames a block of about so many sifted bits has: a multiple of four.

    Raises:
        BadBlockError: it is no size for a block.
    """
    if bits is None:
        return FRAMES
    if not FEWEST_BITS <= bits <= MOST_BITS:
        raise BadBlockError(
            gettext_noop("a block has {least} to {most} sifted bits, not {bits}"),
            least=FEWEST_BITS,
            most=MOST_BITS,
            bits=bits,
        )
    return max(1, round(bits / FRAME_BITS / 4)) * 4


def _begin(link: Link, number: int, reconciler: str, frames: int) -> _End:
    link = Link.objects.get(pk=link.pk)
    chosen: Literal["cascade", "ldpc"] = "cascade" if reconciler == "cascade" else "ldpc"
    reserve = _load_reserve(link)
    _burn_forgotten(link, number, reserve)
    wanted = engine.Settings(frames=frames, reconciler=chosen)
    if isinstance(reserve, engine.Signatures):
        wanted = replace(wanted, reserve_tags=FIRST_TAGS)
    if link.simulated:
        refuse_simulated()
    half = _half(link, number, wanted.block_bits + 1)
    if is_alice(link):
        session: Any = engine.AliceSession(
            wanted, engine.Preparations.from_bytes(half), reserve, entropy=secrets.token_bytes
        )
    else:
        session = engine.BobSession(wanted, engine.Detections.from_bytes(half), reserve)
    return _End(link, number, wanted, reserve, session, time.monotonic())


def _half(link: Link, number: int, key_bits: int) -> bytes:
    """Return this node's half of a block; a source that does not answer raises an alarm."""
    try:
        half = _fibre.half(_fibre.key_file(link.partner), number, key_bits=key_bits)
    except _fibre.FibreAwayError as error:
        raise_alarm(link, FIBRE_ALARM, why=error)
        raise
    clear_alarm(link, FIBRE_ALARM)
    return half


# Alice, who listens


def local_secret() -> bytes:
    """Return what a node's own processes know each other by."""
    return hashlib.sha256(b"renkei link local\0" + settings.SECRET_KEY.encode()).digest()


def _port_file(link: Link) -> Path:
    return cache_folder() / f"link-{link.partner}.port"


def wanted_file(link: Link) -> Path:
    """Return the file whose age says when somebody last wanted this end to distil."""
    return cache_folder() / f"link-{link.partner}.wanted"


def hand_over(link: Link, message: bytes) -> bytes:
    """In the web server: hand the partner's message to the child that distils; return its answer.

    Raises:
        NotReadyError: there is none; the worker is asked to start it.
    """
    wanted_file(link).touch()
    try:
        port = int(_port_file(link).read_text("ascii"))
        with connect(port, local_secret(), seconds=MESSAGE_SECONDS) as child:
            child.send_bytes(message)
            if child.poll(MESSAGE_SECONDS):
                return child.recv_bytes()
    except (OSError, ValueError, EOFError, AuthenticationError):
        pass
    raise NotReadyError(gettext_noop("this end of the link is not distilling yet"))


def listen(link: Link) -> int:
    """In Alice's child: answer the partner's messages until it has nothing more to say.

    Returns:
        How many blocks came to an end.
    """
    done = 0
    write_curves()
    with Listener((HOST, 0), authkey=local_secret(), backlog=8) as listener:
        listener._listener._socket.settimeout(ALICE_IDLE_SECONDS)  # type: ignore[attr-defined]  # noqa: SLF001  the library offers no other way
        _port_file(link).write_text(str(listener.address[1]), "ascii")
        alice = _Alice(link)
        while True:
            try:
                with listener.accept() as asked:
                    asked.send_bytes(alice.answer(asked.recv_bytes()))
            except TimeoutError:
                break
            except (OSError, EOFError, AuthenticationError):
                continue
        alice.rest()
        done = alice.done
    _port_file(link).unlink(missing_ok=True)
    return done


class _Alice:
    """What Alice's child knows between two messages."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._end: _End | None = None
        self._fingerprint = ""
        self.done = 0

    def rest(self) -> None:
        """Give up the block that the partner has left, if there is one."""
        if self._end is not None:
            self._end.cut_off()

    def answer(self, message: bytes) -> bytes:
        """Answer one message of the driver."""
        kind, body = message[:1], message[1:]
        try:
            if kind == SAY:
                return b"=" + self._say(body)
            said = json.loads(body)
            if kind == BEGIN:
                return b"=" + json.dumps({"number": self._start(said)}).encode()
            if kind == CONFIRM:
                return b"=" + json.dumps({"equal": self._confirm(said)}).encode()
            raise BadBlockError(gettext_noop("the message is of no kind known here"))
        except RenkeiError as error:
            return b"!" + json.dumps({"code": error.code, "detail": str(error)}).encode()

    def _start(self, said: dict[str, Any]) -> int:
        self.rest()
        self._end, self._fingerprint = None, ""
        bits = int(said["sifted_bits"]) if "sifted_bits" in said else None
        number = max(int(said["number"]), Link.objects.get(pk=self._link.pk).next_block)
        end = _begin(self._link, number, str(said["reconciler"]), _frames(bits))
        begin_block(self._link, number)  # for good, now that it has photons
        end.session.start()
        self._end = end
        return number

    def _say(self, message: bytes) -> bytes:
        if self._end is None:
            raise NotReadyError(gettext_noop("this end of the link is not distilling yet"))
        was_open = self._end.session.outcome is None
        answer = self._end.hear(message)
        if was_open and self._end.session.outcome is not None:
            self._fingerprint = self._end.store()
            if not self._fingerprint:
                self._end.end(confirmed=False)
                self.done += 1
        return answer

    def _confirm(self, said: dict[str, Any]) -> bool:
        """Compare fingerprints; the first confirmation of a block also ends it here."""
        number, mark = int(said["number"]), str(said["fingerprint"])
        equal = confirm(self._link, number, mark)
        if self._end is not None and self._end.number == number and self._fingerprint:
            self._end.end(confirmed=equal)
            self._fingerprint = ""
            self.done += 1
        return equal


# Bob, who drives


def drive(
    link: Link,
    channel: Channel,
    *,
    blocks: int | None = None,
    reconciler: str = "",
    sifted_bits: int | None = None,
    tell: Callable[[Run], None] | None = None,
) -> int:
    """In Bob's child: distil blocks until the pools are full; return how many gave key.

    Args:
        link: the link.
        channel: to the partner.
        blocks: how many, whatever the pools hold; ``None`` until they are full.
        reconciler: ``cascade`` or ``ldpc``; chosen by the round trip when empty.
        sifted_bits: of a block, about, 10^6 to 10^7; more lose less to their finite size.
        tell: is called after each block.

    Raises:
        NotReadyError: the partner's end does not begin.
        PartnerSilentError: the partner does not answer.
    """
    given = tried = 0
    write_curves()
    with alone(link):
        if needs_signed_start(link):
            meet(link)
        settle_with(link, channel)
        chosen = reconciler or _by_round_trip(channel)
        while tried < blocks if blocks is not None else not (tried and is_full(link)):
            run = one_block(link, channel, chosen, sifted_bits)
            tried += 1
            given += run.key_bits > 0
            if tell is not None:
                tell(run)
            if run.refused and blocks is None:
                break  # try again later: a line that is disturbed stays so for a while
    return given


def _by_round_trip(channel: Channel) -> str:
    """Return how errors are best corrected over this channel."""
    trips = []
    for _ in range(3):
        begun = time.monotonic()
        channel.ask("ping", b"")
        trips.append(time.monotonic() - begun)
    return "ldpc" if min(trips) > LONG_ROUND_TRIP_SECONDS else "cascade"


def is_full(link: Link) -> bool:
    """Tell whether no more key is wanted."""
    level = levels(link)
    return min(level["own"], level["peer"]) >= HIGH_BYTES


def is_low(link: Link) -> bool:
    """Tell whether key should be distilled."""
    level = levels(link)
    return min(level["own"], level["peer"]) < LOW_BYTES


def one_block(link: Link, channel: Channel, reconciler: str, sifted_bits: int | None = None) -> Run:
    """Distil one block as Bob; return how it went."""
    frames = _frames(sifted_bits)
    hint = Link.objects.get(pk=link.pk).next_block
    asked: dict[str, Any] = {"number": hint, "reconciler": reconciler}
    if sifted_bits is not None:
        asked["sifted_bits"] = sifted_bits
    said = _begin_there(channel, asked)
    number = begin_block(link, int(said["number"]))
    if number != int(said["number"]):
        raise NotReadyError(gettext_noop("the two ends cannot agree on the number of the block"))
    try:
        end = _begin(link, number, reconciler, frames)
    except _fibre.FibreAwayError:
        _note_cut(link, number)
        raise
    try:
        return _talk(end, channel)
    except RenkeiError:
        end.cut_off()
        raise


def _talk(end: _End, channel: Channel) -> Run:
    link, number = end.link, end.number
    message = end.session.start()
    while message:
        answer = _say_until_heard(channel, SAY + message)
        if answer[:1] != b"=":
            raise _of_partner(answer)
        message = end.hear(answer[1:]) if len(answer) > 1 else b""
    fingerprint = end.store()
    equal = False
    if fingerprint:
        said = _tell(channel, CONFIRM, {"number": number, "fingerprint": fingerprint})
        equal = bool(said["equal"])
        if equal:
            equal = confirm(link, number, fingerprint)
        else:
            settle_with(link, channel)
    elif end.session.outcome is None:
        end.session.give_up()
    end.end(confirmed=equal)
    return end.link.runs.newest()[0]


def _say_until_heard(channel: Channel, message: bytes) -> bytes:
    """Say the same words again when the way was cut: what was heard before is answered again.

    Raises:
        PartnerSilentError: it stays cut; the block is thrown away at both ends.
    """
    for pause in CUT_PAUSES_SECONDS:
        try:
            return channel.ask("distil", message)
        except PartnerSilentError:
            time.sleep(pause)
    return channel.ask("distil", message)


def _begin_there(channel: Channel, said: dict[str, Any]) -> dict[str, Any]:
    """Ask the partner's end to begin a block; its worker may have to start it first."""
    until = time.monotonic() + BEGIN_SECONDS
    while True:
        try:
            return _tell(channel, BEGIN, said)
        except RefusedByPartnerError:
            if time.monotonic() > until:
                raise
            time.sleep(BEGIN_PAUSE_SECONDS)


def _tell(channel: Channel, kind: bytes, said: dict[str, Any]) -> dict[str, Any]:
    said_as = kind + json.dumps(said).encode()
    # A block may be begun once too often: nothing comes of it. Confirming twice does nothing.
    answer = (
        _say_until_heard(channel, said_as) if kind == CONFIRM else channel.ask("distil", said_as)
    )
    if answer[:1] != b"=":
        raise _of_partner(answer)
    return dict(json.loads(answer[1:]))


def _of_partner(answer: bytes) -> RenkeiError:
    try:
        why = str(json.loads(answer[1:])["detail"])
    except (ValueError, KeyError, TypeError):
        why = "?"
    return PartnerSilentError(gettext_noop("the partner's end cannot distil: {why}"), why=why)
