"""Distillation of one block between two processes: bytes in, bytes out, then a key or a reason.

The parties speak in turn, Bob first::

    Bob    DETECTIONS   in which slots he saw something, in which basis
    Alice  SIFT         her bases and intensities, her bits in the test basis, a shuffle
    Bob    ESTIMATE     errors in the test basis; with Cascade the first questions
    ...    QUESTIONS / PARITIES, or SYNDROMES / RETRY
    Bob    RECONCILED   errors that he corrected, by intensity
    Alice  VERIFY       a hash of her key, the key length, the seed of the amplification
    Bob    CONFIRM      his tag over everything said
    Alice  FINISH       her tag over everything said

Until the tags nothing is authenticated: whoever changes a message can make a block fail and
nothing else. Lost and repeated messages do no harm: after a silence Bob says ``pending`` again,
Alice answers what she has heard before with the same words, and messages of another block or out
of turn are left alone. (If both answered repetitions, a line that doubles messages would drown in
them.) A session is its own journal: ``dump``
holds what it was given, drew and heard, and ``load`` lives through it again.
"""

import hashlib
import json
import struct
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.engine import _cascade, _ldpc
from renkei.link.engine._amplification import amplify
from renkei.link.engine._authentication import PAD_BYTES, Authentication, EmptyReserveError
from renkei.link.engine._finite_key import (
    Counts,
    ImpossibleStatisticsError,
    KeyLength,
    Protocol,
    binary_entropy,
    key_length,
)
from renkei.link.engine._polynomials import Words, pack, words_of
from renkei.link.engine._shuffle import Shuffle
from renkei.link.engine._sifting import (
    Sifted,
    decode_slots,
    encode_slots,
    sift,
)
from renkei.link.engine._source import BASIS, BIT, DECOY, DOUBLE, Detections, Preparations
from renkei.link.engine._verification import TAG_BITS, TAG_BYTES, verification_tag

Reconciler = Literal["cascade", "ldpc"]

REASONS: Final = {
    "error_rate": gettext_noop("The error rate is above the limit: somebody may be listening."),
    "no_key": gettext_noop("What may be known of the block leaves no secret bit."),
    "short": gettext_noop("The block has too few detections."),
    "statistics": gettext_noop("The two halves of the block do not belong together."),
    "settings": gettext_noop("The two sides have different settings."),
    "reconciliation": gettext_noop("The errors could not be corrected."),
    "verification": gettext_noop("Errors were left after the correction."),
    "tag": gettext_noop("A message was changed on its way, or the other side is not who it says."),
    "reserve": gettext_noop("No authentication key is left."),
    "format": gettext_noop("A message is not one of this protocol."),
    "peer": gettext_noop("The other side gave up."),
}
"""Why a block can come to nothing; what a program reads, and the sentence for people."""

_MAGIC: Final = b"RKq1"
_HEAD: Final = struct.Struct("<4sBII")
_MOST_EVENTS: Final = 1 << 27


class BadSettingsError(RenkeiError):
    """Settings that no link can run with."""

    code = "link.bad_settings"


class _Kind(IntEnum):
    DETECTIONS = 1
    SIFT = 2
    ESTIMATE = 3
    QUESTIONS = 4
    PARITIES = 5
    SYNDROMES = 6
    RETRY = 7
    RECONCILED = 8
    VERIFY = 9
    CONFIRM = 10
    FINISH = 11
    ABORT = 255


@dataclass(frozen=True, slots=True)
class Settings:
    """How blocks are distilled; the same on both sides, compared at the start of each.

    Attributes:
        protocol: intensities and probabilities.
        frames: most frames of 65 536 sifted bits in a block; 16 to 153 are 10^6 to 10^7 bits.
        reconciler: "cascade" (fast, many round trips) or "ldpc" (one way, the proof mode).
        epsilon_secret: failure probability of secrecy a block.
        epsilon_correct: failure probability of correctness a block.
        greatest_error_rate: of the test basis; above it a block is dropped and alarm is given.
        reserve_tags: tags for each direction that a block puts back into the reserve.
    """

    protocol: Protocol = field(default_factory=Protocol)
    frames: int = 16
    reconciler: Reconciler = "cascade"
    epsilon_secret: float = 1e-12
    epsilon_correct: float = 1e-12
    greatest_error_rate: float = 0.11
    reserve_tags: int = 4

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        least = 1 if self.reconciler == "cascade" else _ldpc.FRAME_BITS // _cascade.FRAME_BITS
        for name, value, low, high in (
            ("frames", self.frames, least, 1024),
            ("epsilon_secret", self.epsilon_secret, 1e-30, 0.1),
            ("epsilon_correct", self.epsilon_correct, 2.0**-100, 0.1),
            ("greatest_error_rate", self.greatest_error_rate, 0.0, 0.25),
            ("reserve_tags", self.reserve_tags, 1, 255),
        ):
            if not low <= value <= high:
                raise BadSettingsError(
                    gettext_noop("{name} is {value}: expected {least} to {greatest}"),
                    name=name,
                    value=value,
                    least=low,
                    greatest=high,
                )
        if self.reconciler not in {"cascade", "ldpc"}:
            raise BadSettingsError(
                gettext_noop("reconciler is {value}: expected cascade or ldpc"),
                value=self.reconciler,
            )

    @property
    def frame_bits(self) -> int:
        """Bits that are reconciled together."""
        return _cascade.FRAME_BITS if self.reconciler == "cascade" else _ldpc.FRAME_BITS

    @property
    def block_bits(self) -> int:
        """Most sifted bits that a block uses: what a source should collect in the key basis."""
        return self.frames * _cascade.FRAME_BITS // self.frame_bits * self.frame_bits

    @property
    def reserve_bytes(self) -> int:
        """What a block puts back into the reserve: a hash key and pads."""
        return PAD_BYTES * (1 + 2 * self.reserve_tags)

    def digest(self) -> bytes:
        """Return 32 bytes that differ if anything does, the edition of the codes included."""
        said = asdict(self)
        if self.reconciler == "ldpc":
            said["codes"] = _ldpc.EDITION
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


@dataclass(slots=True)
class Figures:
    """What is known of a block so far; all of it public. None: not known yet.

    Attributes:
        block: its number.
        label: where the photons came from.
        pulses: slots sent.
        detections: events that Bob announced.
        double_clicks: of these, events in which both detectors clicked (Bob alone knows).
        key_detections: in the key basis, by intensity (signal, decoy), as used.
        test_detections: in the test basis.
        test_errors: of these, errors.
        key_errors: errors corrected in the key basis.
        test_error_rate: errors a detection in the test basis.
        error_rate: errors a detection in the key basis.
        gains: detections a pulse in equal bases, by intensity.
        reconciler: "cascade" or "ldpc".
        frames: frames of the block.
        rounds: messages of questions (cascade) or of further parities (ldpc).
        disclosed_bits: what reconciliation told about the key.
        inefficiency: f, disclosed bits over the Shannon limit at the error rate.
        sifted_bits: bits that were reconciled.
        single_photons: least number of them that were single photons.
        phase_error: greatest phase error rate of these.
        secret_bits: length of the key, reserve included.
    """

    block: int
    label: str
    reconciler: str
    pulses: int | None = None
    detections: int | None = None
    double_clicks: int | None = None
    key_detections: tuple[int, int] | None = None
    test_detections: tuple[int, int] | None = None
    test_errors: tuple[int, int] | None = None
    key_errors: tuple[int, int] | None = None
    test_error_rate: float | None = None
    error_rate: float | None = None
    gains: tuple[float, float] | None = None
    frames: int | None = None
    rounds: int | None = None
    disclosed_bits: int | None = None
    inefficiency: float | None = None
    sifted_bits: int | None = None
    single_photons: float | None = None
    phase_error: float | None = None
    secret_bits: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Distilled:
    """A secret key that both sides have.

    Attributes:
        block: its number.
        key: for applications; whole bytes.
        for_reserve: for ``Reserve.refill``, once both sides have stored the block.
        label: where the photons came from; must stay with every part of the key.
        figures: what is known of the block.
    """

    block: int
    key: bytes = field(repr=False)
    for_reserve: bytes = field(repr=False)
    label: str
    figures: Figures

    @property
    def bits(self) -> int:
        """Bits of the key for applications."""
        return 8 * len(self.key)


@dataclass(frozen=True, slots=True)
class Aborted:
    """A block that came to nothing.

    Attributes:
        block: its number.
        reason: a key of ``REASONS``; "peer" if the other side gave up.
        peer_reason: why the other side gave up, if it said so; "" otherwise. Anybody on the line
            may have said it.
        figures: what was known by then.
    """

    block: int
    reason: str
    peer_reason: str
    figures: Figures


class _AbortError(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _Reader:
    """Takes a payload apart; what is missing or left over aborts."""

    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 0

    def take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._payload):
            raise _AbortError("format")
        self._at += size
        return self._payload[self._at - size : self._at]

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def bits(self, count: int) -> NDArray[np.bool_]:
        data = np.frombuffer(self.take(-(-count // 8)), np.uint8)
        return np.unpackbits(data, bitorder="little", count=count).astype(bool)

    def rest(self) -> bytes:
        return self.take(len(self._payload) - self._at)

    def end(self) -> None:
        if self._at != len(self._payload):
            raise _AbortError("format")


def _bitmap(bits: NDArray[np.bool_]) -> bytes:
    return np.packbits(bits, bitorder="little").tobytes()


Said = tuple[_Kind, bytes]
Talk = Generator[Said | None, Said, tuple[Distilled, Said | None]]
"""What a side says and hears in turn; at the end its key, and the last words if there are any."""


class _Session:
    """What both sides have in common: turns, repetition, abort, journal."""

    _ANSWERS_AGAIN: ClassVar[bool]

    def __init__(
        self,
        settings: Settings,
        half: Preparations | Detections,
        authentication: Authentication,
    ) -> None:
        self.settings = settings
        self.outcome: Distilled | Aborted | None = None
        self.pending: bytes | None = None
        self.phase = "sifting"
        self.figures = Figures(half.block, half.label, settings.reconciler)
        self._block, self._label = half.block, half.label
        self._authentication = authentication
        self._half = half
        self._journal: list[tuple[str, bytes]] = []  # behind the half
        self._recorded: deque[bytes] = deque()
        self._messages: list[bytes] = []
        self._last_heard: bytes | None = None
        self._talk = self._run()
        self._started = False

    def _run(self) -> Talk:
        raise NotImplementedError

    # -- the outside

    def start(self) -> bytes | None:
        """Return the first message if this side speaks first."""
        if self._started:
            return self.pending
        self._started = True
        return self._step(None)

    def receive(self, message: bytes) -> bytes | None:
        """Take a message and return what to answer, if anything.

        Never raises for what a message holds: a bad one ends the session with ``Aborted``, one
        of another block or out of turn is left alone. Alice gives the last answer once more to
        what she has just heard before; Bob does not.
        """
        if not self._started:
            self.start()
        if message == self._last_heard:
            return self.pending if self._ANSWERS_AGAIN else None
        if len(message) < _HEAD.size or self.outcome is not None:
            return None
        magic, kind, block, number = _HEAD.unpack_from(message)
        if magic != _MAGIC or block != self._block:
            return None
        if kind == _Kind.ABORT:
            said = message[_HEAD.size :].decode("ascii", "replace")
            self._end_badly("peer", said if said in REASONS else "")
            self.pending = None
            return None
        if number != len(self._messages):
            return None
        self._journal.append(("heard", message))
        self._last_heard = message
        self._messages.append(message)
        return self._step((kind, message[_HEAD.size :]))

    def give_up(self) -> bytes | None:
        """End the session from this side; return what to tell the other one."""
        return None if self.outcome else self._abort("peer")

    @property
    def entries(self) -> int:
        """How many entries the journal has; it only grows."""
        return 1 + len(self._journal)

    def dump(self, *, since: int = 0) -> bytes:
        """Return what is needed to go on after a restart: secret, to be stored encrypted.

        The first entry is the block, tens of megabytes; a store that is written after every
        message appends ``dump(since=...)`` of the entries it lacks.
        """
        out = []
        first = [("half", self._half.to_bytes())] if since == 0 else []
        for name, data in [*first, *self._journal[max(since - 1, 0) :]]:
            out.append(struct.pack("<BQ", ("half", "drawn", "heard").index(name), len(data)))
            out.append(data)
        return b"".join(out)

    # -- the inside

    def _resume(self, journal: list[tuple[str, bytes]]) -> None:
        self._recorded.extend(data for name, data in journal if name == "drawn")
        self.start()
        for name, data in journal:
            if name == "heard":
                self.receive(data)

    def _draw(self, make: Callable[[], bytes]) -> bytes:
        """Return what must be the same when the journal is lived through again."""
        data = self._recorded.popleft() if self._recorded else make()
        self._journal.append(("drawn", data))
        return data

    def _say(self, kind: _Kind, payload: bytes) -> bytes:
        message = _HEAD.pack(_MAGIC, kind, self._block, len(self._messages)) + payload
        self._messages.append(message)
        self.pending = message
        return message

    def _end_badly(self, reason: str, peer_reason: str = "") -> None:
        self.phase = "aborted"
        self.outcome = Aborted(self._block, reason, peer_reason, self.figures)
        self._talk.close()

    def _abort(self, reason: str) -> bytes:
        self._end_badly(reason)
        return self._say(_Kind.ABORT, reason.encode())

    def _step(self, heard: Said | None) -> bytes | None:
        self.pending = None
        try:
            said = next(self._talk) if heard is None else self._talk.send(heard)
        except StopIteration as done:
            self.phase = "done"
            self.outcome, said = done.value
        except _AbortError as wrong:
            return self._abort(wrong.reason)
        except _cascade.DivergedError:
            return self._abort("reconciliation")
        except ImpossibleStatisticsError:
            return self._abort("statistics")
        except EmptyReserveError:
            return self._abort("reserve")
        return self._say(*said) if said else None

    def _newest(self) -> int:
        """Return the last block that filled the reserve when this block began."""
        drawn = self._draw(lambda: self._authentication.newest.to_bytes(4, "little"))
        return int.from_bytes(drawn, "little")

    def _tag(self, side: Literal["alice", "bob"], kind: _Kind, common: int) -> bytes:
        """Return the own tag over all messages and the head of the one that carries it."""
        head = _HEAD.pack(_MAGIC, kind, self._block, len(self._messages))
        return self._draw(lambda: self._authentication.tag(side, [*self._messages, head], common))

    def _check_tag(self, side: Literal["alice", "bob"], common: int, tag: bytes) -> None:
        """Compare the other side's tag, in the last message, with everything before it."""
        *before, last = self._messages
        said = [*before, last[: _HEAD.size]]
        right = self._draw(lambda: bytes([self._authentication.check(side, said, common, tag)]))
        if right != b"\1":
            raise _AbortError("tag")

    def _count(self, sifted: Sifted) -> None:
        figures = self.figures
        figures.key_detections = _pair(sifted.key_by_intensity)
        figures.test_detections = _pair(sifted.test_by_intensity)
        figures.frames = sifted.bits // self.settings.frame_bits
        figures.sifted_bits = sifted.bits
        figures.detections = sifted.detections
        if figures.pulses:
            weights = self.settings.protocol.weights
            same = self.settings.protocol.p_key_basis**2
            same += (1 - self.settings.protocol.p_key_basis) ** 2
            figures.gains = (
                sifted.matched[0] / (figures.pulses * weights[0] * same),
                sifted.matched[1] / (figures.pulses * weights[1] * same),
            )
        if sifted.bits == 0:
            raise _AbortError("short")

    def _estimate(self, sifted: Sifted, errors: tuple[int, int], rate: float) -> Counts:
        """Take in the errors of the test basis; abort where there is no hope."""
        figures = self.figures
        figures.test_errors = errors
        test = Counts(sifted.test_by_intensity, errors)
        figures.test_error_rate = test.error_rate
        if test.error_rate > self.settings.greatest_error_rate or not 0 < rate < 0.5:
            raise _AbortError("error_rate")
        best = self._length(Counts(sifted.key_by_intensity, (0, 0)), test, 0)
        figures.single_photons, figures.phase_error = best.single_photons, best.phase_error
        if best.bits < 8 * (self.settings.reserve_bytes + 1):
            figures.secret_bits = 0
            raise _AbortError("no_key")
        return test

    def _length(self, key: Counts, test: Counts, disclosed: int) -> KeyLength:
        settings = self.settings
        return key_length(
            key,
            test,
            settings.protocol,
            disclosed_bits=disclosed,
            epsilon_secret=settings.epsilon_secret,
            epsilon_correct=settings.epsilon_correct,
            verification_bits=TAG_BITS,
        )

    def _conclude(
        self, sifted: Sifted, test: Counts, errors: tuple[int, int], disclosed: int, rounds: int
    ) -> KeyLength:
        """Take in how reconciliation went; return the key length, aborting if there is none."""
        figures = self.figures
        key = Counts(sifted.key_by_intensity, errors)
        length = self._length(key, test, disclosed)
        figures.key_errors, figures.error_rate = errors, key.error_rate
        figures.disclosed_bits, figures.rounds = disclosed, rounds
        limit = sifted.bits * binary_entropy(key.error_rate)
        figures.inefficiency = disclosed / limit if limit else None
        figures.single_photons, figures.phase_error = length.single_photons, length.phase_error
        figures.secret_bits = length.bits
        return length

    def _distilled(self, words: Words, seed: bytes, bits: int, secret: int) -> Distilled:
        padded = np.frombuffer(seed.ljust(8 * words_of(bits - 1), b"\0"), np.uint64)
        out = amplify(words, padded, bits=bits, out_bits=secret).tobytes()[: secret // 8]
        kept = self.settings.reserve_bytes
        self.figures.secret_bits = secret
        return Distilled(self._block, out[kept:], out[:kept], self._label, self.figures)


def _pair(values: tuple[float, float]) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def _parse(dump: bytes) -> list[tuple[str, bytes]]:
    journal, at = [], 0
    while at < len(dump):
        kind, size = struct.unpack_from("<BQ", dump, at)
        at += struct.calcsize("<BQ")
        journal.append((("half", "drawn", "heard")[kind], dump[at : at + size]))
        at += size
    return journal


class AliceSession(_Session):
    """Alice's side of a block.

    Args:
        settings: the same as Bob's.
        preparations: what was sent.
        authentication: a ``Reserve`` or ``Signatures``.
        entropy: returns so many unguessable bytes, as ``os.urandom`` does.
    """

    _ANSWERS_AGAIN = True

    def __init__(
        self,
        settings: Settings,
        preparations: Preparations,
        authentication: Authentication,
        *,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._preparations, self._entropy = preparations, entropy
        super().__init__(settings, preparations, authentication)

    @classmethod
    def load(
        cls,
        dump: bytes,
        settings: Settings,
        authentication: Authentication,
        *,
        entropy: Callable[[int], bytes],
    ) -> Self:
        """Return the session that ``dump`` wrote, at the same place."""
        (_, half), *journal = _parse(dump)
        made = cls(settings, Preparations.from_bytes(half), authentication, entropy=entropy)
        made._resume(journal)
        return made

    def _random(self, size: int) -> bytes:
        return self._draw(lambda: self._entropy(size))

    def _run(self) -> Talk:
        settings = self.settings
        kind, payload = yield None  # she listens first
        # -- sifting
        common, bob_bases, tags = self._announced(_expect(kind, payload, _Kind.DETECTIONS))
        own_bases, decoys = (tags & BASIS) != 0, (tags & DECOY) != 0
        sifted = sift(own_bases, bob_bases, decoys, settings.block_bits, settings.frame_bits)
        self._count(sifted)
        shuffle_seed = self._random(16)
        shuffle = _shuffle(sifted.bits, shuffle_seed)
        own_bits = (tags & BIT).astype(bool)
        words = shuffle.apply(pack(own_bits[sifted.key].astype(np.uint8)))
        payload = b"".join(
            (
                shuffle_seed,
                struct.pack("<I", common),
                _bitmap(own_bases),
                _bitmap(decoys),
                _bitmap(own_bits[sifted.test]),
            )
        )
        self.phase = "estimating"
        kind, payload = yield _Kind.SIFT, payload
        # -- estimation
        reader = _expect(kind, payload, _Kind.ESTIMATE)
        first, second, parts = reader.numbers("<III")
        test = self._estimate(sifted, (first, second), parts * 1e-9)
        # -- reconciliation
        self.phase = "reconciling"
        if settings.reconciler == "cascade":
            kind, payload, disclosed, rounds = yield from self._cascade(words, reader.rest())
        else:
            reader.end()
            kind, payload, disclosed, rounds = yield from self._syndromes(words, parts * 1e-9)
        # -- length and verification
        reader = _expect(kind, payload, _Kind.RECONCILED)
        self.phase = "verifying"
        errors = reader.numbers("<II")
        reader.end()
        length = self._conclude(sifted, test, (errors[0], errors[1]), disclosed, rounds)
        if length.bits < 8 * (settings.reserve_bytes + 1):
            raise _AbortError("no_key")
        key = self._random(TAG_BYTES)
        seed = self._random(-(-(sifted.bits - 1) // 8))
        tag = verification_tag(words, sifted.bits, key)
        kind, payload = yield _Kind.VERIFY, key + tag + struct.pack("<Q", length.bits) + seed
        # -- amplification and authentication
        self.phase = "authenticating"
        _expect(kind, payload, _Kind.CONFIRM)
        self._check_tag("bob", common, payload)
        self.phase = "amplifying"
        result = self._distilled(words, seed, sifted.bits, length.bits)
        return result, (_Kind.FINISH, self._tag("alice", _Kind.FINISH, common))

    def _announced(self, reader: _Reader) -> tuple[int, NDArray[np.bool_], NDArray[np.uint8]]:
        """Return the secret in common, and for each event Bob's basis and the own tag."""
        sent = self._preparations
        if reader.take(32) != _digest(self.settings, self._label):
            raise _AbortError("settings")
        pulses, count, newest = reader.numbers("<QQI")
        if pulses != sent.pulses or not 0 < count <= min(_MOST_EVENTS, pulses):
            raise _AbortError("statistics")
        self.figures.pulses = pulses
        bases = reader.bits(count)
        slots = decode_slots(reader.rest(), count)
        if slots is None or int(slots[-1]) >= pulses:
            raise _AbortError("format")
        if np.array_equal(sent.slots, slots):  # the simulated source keeps nothing else
            return min(newest, self._newest()), bases, sent.tags
        where = np.searchsorted(sent.slots, slots)
        if int(where.max()) >= sent.slots.size or bool((sent.slots[where] != slots).any()):
            raise _AbortError("statistics")
        return min(newest, self._newest()), bases, sent.tags[where]

    def _cascade(
        self, words: Words, questions: bytes
    ) -> Generator[Said, Said, tuple[_Kind, bytes, int, int]]:
        machine = _cascade.CascadeAlice(words)
        kind = _Kind.QUESTIONS
        payload = questions
        while kind == _Kind.QUESTIONS:
            kind, payload = yield _Kind.PARITIES, machine.answer(payload)
        return kind, payload, machine.disclosed, machine.rounds

    def _syndromes(
        self, words: Words, rate: float
    ) -> Generator[Said, Said, tuple[_Kind, bytes, int, int]]:
        rows = _ldpc.rows_for(rate)
        frames = words.reshape(-1, _ldpc.FRAME_BITS // 64)
        checks = _ldpc.code(rows)
        said = b"".join(_ldpc.syndrome(frame, checks).tobytes() for frame in frames)
        disclosed, rounds = 8 * len(said), 1
        kind, payload = yield _Kind.SYNDROMES, said
        while kind == _Kind.RETRY:
            if rounds > _ldpc.MOST_SPLITS:
                raise _AbortError("reconciliation")
            reader = _Reader(payload)
            failed = reader.bits(len(frames))
            reader.end()
            checks = _ldpc.halves(rows, rounds)
            said = b"".join(_ldpc.syndrome(frame, checks).tobytes() for frame in frames[failed])
            disclosed += 8 * len(said)
            rounds += 1
            kind, payload = yield _Kind.SYNDROMES, said
        return kind, payload, disclosed, rounds


class BobSession(_Session):
    """Bob's side of a block.

    Args:
        settings: the same as Alice's.
        detections: what was seen.
        authentication: a ``Reserve`` or ``Signatures``.
    """

    _ANSWERS_AGAIN = False

    def __init__(
        self, settings: Settings, detections: Detections, authentication: Authentication
    ) -> None:
        self._detections = detections
        super().__init__(settings, detections, authentication)

    @classmethod
    def load(cls, dump: bytes, settings: Settings, authentication: Authentication) -> Self:
        """Return the session that ``dump`` wrote, at the same place."""
        (_, half), *journal = _parse(dump)
        made = cls(settings, Detections.from_bytes(half), authentication)
        made._resume(journal)
        return made

    def _run(self) -> Talk:
        settings, seen = self.settings, self._detections
        # -- sifting
        count = seen.slots.size
        self.figures.pulses = seen.pulses
        self.figures.double_clicks = int(((seen.tags & DOUBLE) != 0).sum())
        if not 0 < count <= _MOST_EVENTS:
            raise _AbortError("short")
        newest = self._newest()
        own_bases = (seen.tags & BASIS) != 0
        kind, payload = yield (
            _Kind.DETECTIONS,
            b"".join(
                (
                    _digest(settings, self._label),
                    struct.pack("<QQI", seen.pulses, count, newest),
                    _bitmap(own_bases),
                    encode_slots(seen.slots),
                )
            ),
        )
        reader = _expect(kind, payload, _Kind.SIFT)
        shuffle_seed, (common,) = reader.take(16), reader.numbers("<I")
        if common > newest:
            raise _AbortError("format")
        alice_bases, decoys = reader.bits(count), reader.bits(count)
        sifted = sift(alice_bases, own_bases, decoys, settings.block_bits, settings.frame_bits)
        self._count(sifted)
        told = reader.bits(int(sifted.test.size))
        reader.end()
        # -- estimation
        self.phase = "estimating"
        own_bits = (seen.tags & BIT).astype(bool)
        errors = _by_intensity(
            pack((told != own_bits[sifted.test]).astype(np.uint8)),
            pack(decoys[sifted.test].astype(np.uint8)),
        )
        # Laplace's rule: a small sample without an error does not promise that there is none.
        parts = round(1e9 * (sum(errors) + 1) / (told.size + 2))
        test = self._estimate(sifted, errors, parts * 1e-9)
        shuffle = _shuffle(sifted.bits, shuffle_seed)
        words = shuffle.apply(pack(own_bits[sifted.key].astype(np.uint8)))
        decoy_words = shuffle.apply(pack(decoys[sifted.key].astype(np.uint8)))
        # -- reconciliation
        self.phase = "reconciling"
        estimate = struct.pack("<III", *errors, parts)
        reconcile = self._cascade if settings.reconciler == "cascade" else self._decode
        corrected, disclosed, rounds = yield from reconcile(words, estimate, parts * 1e-9)
        errors = _by_intensity(corrected ^ words, decoy_words)
        length = self._conclude(sifted, test, errors, disclosed, rounds)
        kind, payload = yield _Kind.RECONCILED, struct.pack("<II", *errors)
        # -- verification
        self.phase = "verifying"
        reader = _expect(kind, payload, _Kind.VERIFY)
        key, tag = reader.take(TAG_BYTES), reader.take(TAG_BYTES)
        (secret,) = reader.numbers("<Q")
        seed = reader.take(-(-(sifted.bits - 1) // 8))
        reader.end()
        if verification_tag(corrected, sifted.bits, key) != tag:
            raise _AbortError("verification")
        # The same formula on another processor may round differently, by one bit at most.
        least = 8 * (settings.reserve_bytes + 1)
        if abs(secret - length.bits) > 1 or not least <= secret < sifted.bits:
            raise _AbortError("format")
        # -- amplification and authentication
        self.phase = "amplifying"
        result = self._distilled(corrected, seed, sifted.bits, secret)
        self.phase = "authenticating"
        kind, payload = yield _Kind.CONFIRM, self._tag("bob", _Kind.CONFIRM, common)
        _expect(kind, payload, _Kind.FINISH)
        self._check_tag("alice", common, payload)
        return result, None

    def _cascade(
        self, words: Words, estimate: bytes, rate: float
    ) -> Generator[Said, Said, tuple[Words, int, int]]:
        machine = _cascade.CascadeBob(words, error_rate=rate)
        kind, payload = yield _Kind.ESTIMATE, estimate + machine.questions
        while True:
            machine.absorb(_expect(kind, payload, _Kind.PARITIES).rest())
            if machine.finished:
                return machine.words(), machine.disclosed, machine.rounds
            kind, payload = yield _Kind.QUESTIONS, machine.questions

    def _decode(
        self, words: Words, estimate: bytes, rate: float
    ) -> Generator[Said, Said, tuple[Words, int, int]]:
        rows = _ldpc.rows_for(rate)
        decoder = _ldpc.Decoder(rows, error_rate=rate)
        frames = words.reshape(-1, _ldpc.FRAME_BITS // 64)
        sent: list[list[Words]] = [[] for _ in frames]
        done: list[Words | None] = [None] * len(frames)
        kind, payload = yield _Kind.ESTIMATE, estimate
        disclosed = rounds = 0
        while True:
            reader = _expect(kind, payload, _Kind.SYNDROMES)
            checks = _ldpc.halves(rows, rounds) if rounds else _ldpc.code(rows)
            size = checks.rows * _ldpc.CIRCULANT // 8
            for at, frame in enumerate(frames):
                if done[at] is None:
                    sent[at].append(np.frombuffer(reader.take(size), np.uint64))
                    disclosed += 8 * size
                    done[at] = decoder.decode(frame, sent[at])
            reader.end()
            rounds += 1
            failed = np.array([one is None for one in done])
            if not failed.any():
                found = [one for one in done if one is not None]
                return np.concatenate(found), disclosed, rounds
            if rounds > _ldpc.MOST_SPLITS:
                raise _AbortError("reconciliation")
            kind, payload = yield _Kind.RETRY, _bitmap(failed)


def _by_intensity(errors: Words, decoys: Words) -> tuple[int, int]:
    of_decoys = int(np.bitwise_count(errors & decoys).sum())
    return int(np.bitwise_count(errors).sum()) - of_decoys, of_decoys


def _expect(kind: int, payload: bytes, wanted: _Kind) -> _Reader:
    if kind != wanted:
        raise _AbortError("format")
    return _Reader(payload)


def _digest(settings: Settings, label: str) -> bytes:
    return hashlib.sha256(settings.digest() + label.encode()).digest()


def _shuffle(bits: int, seed: bytes) -> Shuffle:
    return Shuffle(bits, bit_source=np.random.PCG64(int.from_bytes(seed, "little")))
