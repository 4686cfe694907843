"""Where detections come from: one interface for hardware and for the simulated fibre.

A block is a run of pulse slots. Alice's half says what she prepared, Bob's half what he saw; both
carry a label, and the label travels to every key made of the block. The simulation draws
detections, not pulses: from one click to the next it takes one random number, however long the
fibre. It plays the photons with a pseudo-random generator and protects nothing.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.engine._channel import (
    DeadFibreError,
    Eavesdropper,
    Fibre,
    click_table,
    pulses_for,
)
from renkei.link.engine._finite_key import Protocol
from renkei.link.engine._vectors import helper, kernel

SIMULATED: Final = "simulated"
BIT: Final = 1  # of a tag: the bit prepared or seen
BASIS: Final = 2  # the basis: set in the test basis
DECOY: Final = 4  # of Alice's tags: a decoy pulse
DOUBLE: Final = 4  # of Bob's tags: both detectors clicked, the bit is a random one

_SEGMENTS: Final = 64  # of a block in which drift and bursts are looked up
_GUARD: Final = 64  # a simulated fibre gives up after so many times the expected pulses
_HEAD: Final = struct.Struct("<4sBIQQH")


class BadBlockError(RenkeiError):
    """The bytes or the numbers of a block are not what a source delivers."""

    code = "link.bad_block"


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """One party's half of a block.

    Attributes:
        block: number of the block, from 1, never used twice.
        pulses: slots that were sent.
        label: where the photons came from; "simulated" or the name of a device.
        slots: slot of each event, rising, below ``pulses``.
        tags: for each event the bits BIT, BASIS and DECOY or DOUBLE.
    """

    block: int
    pulses: int
    label: str
    slots: NDArray[np.uint64]
    tags: NDArray[np.uint8]

    _MAGIC: ClassVar[bytes]

    def __post_init__(self) -> None:
        """Refuse what is no block."""
        if (
            self.slots.dtype != np.uint64
            or self.tags.dtype != np.uint8
            or self.slots.shape != self.tags.shape
            or self.slots.ndim != 1
            or not 0 < self.block < 1 << 32
            or not 0 < len(self.label.encode()) < 256
            or bool((self.slots[1:] <= self.slots[:-1]).any())
            or (self.slots.size and int(self.slots[-1]) >= self.pulses)
            or bool((self.tags > 7).any())
        ):
            raise BadBlockError(
                gettext_noop(
                    "block {block}: expected rising slots below the number of pulses, "
                    "one tag below 8 for each, a number from 1 and a label"
                ),
                block=self.block,
            )

    def to_bytes(self) -> bytes:
        """Return the half as bytes, to be sent from the source to its party alone."""
        label = self.label.encode()
        head = _HEAD.pack(self._MAGIC, 1, self.block, self.pulses, self.slots.size, len(label))
        return head + label + self.slots.astype("<u8").tobytes() + self.tags.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the half that ``to_bytes`` wrote.

        Raises:
            BadBlockError: if it is anything else.
        """
        if len(data) >= _HEAD.size:
            magic, version, block, pulses, count, size = _HEAD.unpack_from(data)
            body = _HEAD.size + size
            if (magic, version) == (cls._MAGIC, 1) and len(data) == body + 9 * count:
                try:
                    label = data[_HEAD.size : body].decode()
                except UnicodeDecodeError:
                    label = ""
                slots = np.frombuffer(data, "<u8", count, body).astype(np.uint64)
                tags = np.frombuffer(data, np.uint8, count, body + 8 * count).copy()
                return cls(block, pulses, label, slots, tags)
        raise BadBlockError(gettext_noop("these bytes are not one half of a block"))


class Preparations(_Half):
    """What Alice sent, at least in every slot in which Bob may have seen something."""

    __slots__ = ()
    _MAGIC = b"RKqA"


class Detections(_Half):
    """What Bob saw."""

    __slots__ = ()
    _MAGIC = b"RKqB"


@helper
def _random(state: NDArray[np.uint64]) -> np.uint64:
    """Xoshiro256++ of Blackman and Vigna."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    sum_ = s0 + s3
    result: np.uint64 = ((sum_ << np.uint64(23)) | (sum_ >> np.uint64(41))) + s0
    s2 ^= s0
    s3 ^= s1
    state[0] = s0 ^ s3
    state[1] = s1 ^ s2
    state[2] = s2 ^ (s1 << np.uint64(17))
    state[3] = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return result


@kernel
def _simulate(
    place: NDArray[np.int64],
    state: NDArray[np.uint64],
    odds: NDArray[np.float64],
    table: NDArray[np.float64],
    dead: int,
    key_target: int,
    pulses: int,
    slots: NDArray[np.uint64],
    sent: NDArray[np.uint8],
    seen: NDArray[np.uint8],
) -> None:
    """Draw detections until the key basis has ``key_target`` of them.

    ``place`` is (slot, events, key events) and changes; ``odds`` is (click a pulse, signal given a
    click, signal, test basis, afterpulse); it stops early at ``pulses`` or when the arrays are full.
    """
    scale = 2.0**-32
    low32 = np.uint64(0xFFFFFFFF)
    slot, count, key = place[0], place[1], place[2]
    gap = 1.0 / np.log1p(-odds[0])
    after = False
    while key < key_target and count < slots.size:
        if not after:
            # the top 53 bits and a half: never 0
            uniform = (np.float64(_random(state) >> np.uint64(11)) + 0.5) * 2.0**-53
            step = np.log(uniform) * gap
            if step > 4e18:
                slot = pulses
                break
            slot += np.int64(step)
        if slot >= pulses:
            break
        first = _random(state)
        second = _random(state)
        third = _random(state)
        # A false click says nothing of the pulse: its intensity is as likely as any.
        decoy = np.float64(first & low32) * scale >= odds[2 if after else 1]
        test_a = np.float64(first >> np.uint64(32)) * scale < odds[3]
        test_b = np.float64(second & low32) * scale < odds[3]
        uniform = np.float64(second >> np.uint64(32)) * scale
        row = 1 if decoy else 0
        same = test_a == test_b
        error = uniform < (0.5 if after or not same else table[row, 1])
        bit = third & np.uint64(1)
        uniform = np.float64((third >> np.uint64(1)) & np.uint64(0x7FFFFFFF)) * 2.0**-31
        double = (not after) and uniform < table[row, 2 if same else 3]
        if double:
            # independent of the bit that was sent: half of the doubles are errors
            error = np.bool_((third >> np.uint64(33)) & np.uint64(1))
        slots[count] = slot
        sent[count] = (
            bit
            | (np.uint64(2) if test_a else np.uint64(0))
            | (np.uint64(4) if decoy else np.uint64(0))
        )
        seen[count] = (
            (bit ^ np.uint64(error))
            | (np.uint64(2) if test_b else np.uint64(0))
            | (np.uint64(4) if double else np.uint64(0))
        )
        count += 1
        if not (test_a or test_b):
            key += 1
        after = np.float64(third >> np.uint64(34)) * 2.0**-30 < odds[4]
        slot += 1 + dead
    place[0], place[1], place[2] = slot, count, key


class SimulatedLink:
    """A decoy-state BB84 link played by a generator: for demonstrations and tests alone.

    Args:
        protocol: intensities and probabilities.
        fibre: losses and noise.
        rng: the only source of chance; the same seed gives the same blocks.
    """

    def __init__(self, protocol: Protocol, fibre: Fibre, *, rng: np.random.Generator) -> None:
        self.protocol = protocol
        self.fibre = fibre
        self._state = rng.integers(1, 2**64, 4, dtype=np.uint64)

    def block(
        self, number: int, *, key_bits: int, eavesdropper: Eavesdropper | None = None
    ) -> tuple[Preparations, Detections]:
        """Return both halves of a block.

        Args:
            number: of the block, from 1.
            key_bits: how many detections to collect in the key basis.
            eavesdropper: what is done on the line; nobody if not given.

        Raises:
            DeadFibreError: if that many would take 64 times the pulses of an undisturbed line
                or the fibre is so long that nothing arrives.
        """
        eve = eavesdropper or Eavesdropper()
        expected = pulses_for(self.protocol, self.fibre, key_bits)
        pulses = _GUARD * expected + (key_bits + 1) * (1 + self.fibre.dead_slots)
        share = self.protocol.p_key_basis**2
        capacity = int(key_bits / share * 1.05 + 20 * (key_bits / share) ** 0.5 + 1000)
        slots = np.empty(capacity, np.uint64)
        sent = np.empty(capacity, np.uint8)
        seen = np.empty(capacity, np.uint8)
        place = np.zeros(3, np.int64)
        changes = self.fibre.drift or (eve.burst_error and eve.burst_share)
        segments = _SEGMENTS if changes else 1
        for segment in range(segments):
            where = (segment + 0.5) / segments
            table = click_table(self.protocol, self.fibre, eve, place=where)
            weights = np.array(self.protocol.weights)
            clicks = float(weights @ table[:, 0])
            odds = np.array(
                [
                    min(clicks, 1 - 1e-12),
                    weights[0] * table[0, 0] / clicks,
                    weights[0],
                    1 - self.protocol.p_key_basis,
                    self.fibre.afterpulse,
                ]
            )
            target = key_bits * (segment + 1) // segments
            _simulate(
                place, self._state, odds, table, self.fibre.dead_slots, target, pulses,
                slots, sent, seen,
            )  # fmt: skip
        count = int(place[1])
        if place[2] < key_bits:
            raise DeadFibreError(
                gettext_noop("{found} of {wanted} detections came in {pulses} pulses"),
                found=int(place[2]),
                wanted=key_bits,
                pulses=pulses,
            )
        used = int(slots[count - 1]) + 1
        return (
            Preparations(number, used, SIMULATED, slots[:count], sent[:count].copy()),
            Detections(number, used, SIMULATED, slots[:count].copy(), seen[:count].copy()),
        )
