"""Sifting: which events count, and how the slots of millions of them are told in few bytes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renkei.link.engine._vectors import kernel

_LONGEST = 10  # bytes of one gap, seven bits each


@dataclass(frozen=True, slots=True, eq=False)
class Sifted:
    """The events of a block in which both sides chose the same basis.

    Attributes:
        detections: all events announced.
        key: indices of the key-basis events that are used, whole frames of them.
        test: indices of the test-basis events.
        key_by_intensity: how many of ``key`` are signals and decoys.
        test_by_intensity: how many of ``test``.
        matched: signals and decoys of both bases, used or not.
    """

    detections: int
    key: NDArray[np.int64]
    test: NDArray[np.int64]
    key_by_intensity: tuple[int, int]
    test_by_intensity: tuple[int, int]
    matched: tuple[int, int]

    @property
    def bits(self) -> int:
        """Sifted bits that are reconciled."""
        return int(self.key.size)


def _by_intensity(decoys: NDArray[np.bool_], events: NDArray[np.int64]) -> tuple[int, int]:
    of_decoys = int(np.count_nonzero(decoys[events]))
    return int(events.size) - of_decoys, of_decoys


def sift(
    alice_bases: NDArray[np.bool_],
    bob_bases: NDArray[np.bool_],
    decoys: NDArray[np.bool_],
    block_bits: int,
    frame_bits: int,
) -> Sifted:
    """Sort the events of a block.

    Args:
        alice_bases: true where she used the test basis, by event.
        bob_bases: the same of Bob.
        decoys: true where the pulse was a decoy.
        block_bits: most key-basis events to use.
        frame_bits: only whole frames of so many are used; the rest is left out.
    """
    key = np.flatnonzero(~(alice_bases | bob_bases))
    test = np.flatnonzero(alice_bases & bob_bases)
    all_key, all_test = _by_intensity(decoys, key), _by_intensity(decoys, test)
    used = key[: min(key.size, block_bits) // frame_bits * frame_bits]
    return Sifted(
        detections=int(decoys.size),
        key=used,
        test=test,
        key_by_intensity=_by_intensity(decoys, used),
        test_by_intensity=all_test,
        matched=(all_key[0] + all_test[0], all_key[1] + all_test[1]),
    )


@kernel
def _encode(slots: NDArray[np.uint64], out: NDArray[np.uint8]) -> int:
    before = np.uint64(0)
    at = 0
    for slot in slots:
        gap = slot - before
        before = slot
        while gap >= np.uint64(128):
            out[at] = (gap & np.uint64(127)) | np.uint64(128)
            gap >>= np.uint64(7)
            at += 1
        out[at] = gap
        at += 1
    return at


@kernel
def _decode(data: NDArray[np.uint8], slots: NDArray[np.uint64]) -> bool:
    slot = np.uint64(0)
    at = 0
    for index in range(slots.size):
        gap = np.uint64(0)
        shift = np.uint64(0)
        while True:
            if at >= data.size or shift > np.uint64(56):
                return False
            byte = np.uint64(data[at])
            at += 1
            gap |= (byte & np.uint64(127)) << shift
            if byte < np.uint64(128):
                break
            shift += np.uint64(7)
        if index and not gap:
            return False
        slot += gap
        if slot >= np.uint64(1) << np.uint64(62):
            return False
        slots[index] = slot
    return at == data.size


def encode_slots(slots: NDArray[np.uint64]) -> bytes:
    """Return rising slots as the gaps between them, seven bits a byte, low ones first."""
    out = np.empty(_LONGEST * slots.size, np.uint8)
    return out[: _encode(slots, out)].tobytes()


def decode_slots(data: bytes, count: int) -> NDArray[np.uint64] | None:
    """Return the slots that ``encode_slots`` wrote, or None if these bytes are no such thing."""
    if not 0 < count <= len(data):
        return None
    slots = np.empty(count, np.uint64)
    return slots if _decode(np.frombuffer(data, np.uint8), slots) else None
