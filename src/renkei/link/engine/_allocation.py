"""Which bytes of a block of key go where, once: the counters of two key managers that never trust luck.

A block is cut into two halves, one for each node as the master: a node allocates from its own half
alone, so that no lock is shared. A node's
allocations move a ``Position`` that only grows; the peer remembers the furthest it has seen, and
how many keys the node has handed out as a slave. A node that was restored from a backup, or whose
machine went back to a snapshot, is behind what the peer remembers: it is told so, and burns what
lies between. Nothing is stored or sent here.
"""

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from renkei.kit.errors import ConflictError, RenkeiError, gettext_noop

PREFIX_BYTES = 14
MOST_IN_ALLOCATION = 1 << 16
PREFIX = re.compile(r"[0-9a-f]{28}")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class PoolEmptyError(RenkeiError):
    """There is not enough key."""

    code = "link.pool_empty"
    status = 503


class RolledBackError(ConflictError):
    """A node's counters are behind what its peer remembers: it was restored from an old copy.

    Attributes:
        remembered: what the peer remembers of it.
    """

    code = "link.rolled_back"

    def __init__(self, remembered: "Counters") -> None:
        self.remembered = remembered
        super().__init__(
            gettext_noop(
                "the node's counters are behind what its partner remembers ({remembered}): it must "
                "burn the keys between"
            ),
            remembered=remembered,
        )


class BadAllocationError(RenkeiError):
    """A message between key managers says something that no honest manager says."""

    code = "link.bad_allocation"
    status = 400


@dataclass(frozen=True, order=True)
class Position:
    """The next unused byte of one share: block number, then offset in that block's share."""

    block: int = 0
    offset: int = 0


@dataclass(frozen=True)
class Counters:
    """What must never go back at one node.

    Args:
        allocated: where its next allocation as a master begins.
        delivered: how many keys it has given to slaves.
    """

    allocated: Position = Position()
    delivered: int = 0

    def __str__(self) -> str:
        """Return the counters for people."""
        return f"{self.allocated.block}/{self.allocated.offset}/{self.delivered}"


@dataclass(frozen=True)
class Extent:
    """A run of bytes in one block's share."""

    block: int
    offset: int
    length: int

    @property
    def start(self) -> Position:
        """Return where it begins."""
        return Position(self.block, self.offset)

    @property
    def end(self) -> Position:
        """Return the first position after it."""
        return Position(self.block, self.offset + self.length)


@dataclass(frozen=True)
class Allocation:
    """Keys of one size for one master and its slaves.

    Args:
        prefix: 28 hexadecimal digits that, with an index, make the key identifiers.
        master: who draws them.
        slaves: who else is to have them.
        size: bytes a key.
        extents: where they lie; each holds a whole number of keys.
    """

    prefix: str
    master: str
    slaves: tuple[str, ...]
    size: int
    extents: tuple[Extent, ...]

    @property
    def number(self) -> int:
        """Return how many keys it has."""
        return sum(extent.length for extent in self.extents) // self.size

    def key_ids(self) -> list[str]:
        """Return the identifiers of its keys, in order."""
        head = key_id(self.prefix, 0)[:-4]
        return [f"{head}{index:04x}" for index in range(self.number)]


@dataclass(frozen=True)
class Batch:
    """What a node tells its peer before it answers anybody.

    Args:
        before: its counters before this batch; what lies between them and what the peer remembers
            was burned.
        after: its counters now.
        allocations: in the order of their extents.
    """

    before: Counters
    after: Counters
    allocations: tuple[Allocation, ...] = ()


class BlockState(StrEnum):
    """Where a block is on its way to being used; what is no longer there was used or destroyed."""

    PENDING = "pending"  # durable here; the peer has not confirmed that it holds the same
    READY = "ready"  # both hold the same bytes


def place(
    start: Position, blocks: Iterable[tuple[int, int]], *, size: int, number: int
) -> tuple[Extent, ...]:
    """Find room for keys from ``start`` on; no key lies in two blocks.

    Args:
        start: first byte that may be used.
        blocks: (number, bytes of the share) of the blocks that are ready, by number.
        size: bytes a key, at least 1.
        number: how many keys, at least 1.

    Raises:
        PoolEmptyError: there is not room for all of them.
    """
    extents: list[Extent] = []
    left = number
    for block, length in blocks:
        if block < start.block:
            continue
        offset = start.offset if block == start.block else 0
        keys = min(left, (length - offset) // size)
        if keys > 0:
            extents.append(Extent(block, offset, keys * size))
            left -= keys
        if left == 0:
            return tuple(extents)
    raise PoolEmptyError(
        gettext_noop("{number} keys of {bits} bits are asked for and {left} are lacking"),
        number=number,
        bits=8 * size,
        left=left,
    )


def capacity(start: Position, blocks: Iterable[tuple[int, int]], *, size: int) -> int:
    """Return how many keys of ``size`` bytes ``place`` would find."""
    return sum(
        max(0, length - (start.offset if block == start.block else 0)) // size
        for block, length in blocks
        if block >= start.block
    )


def new_prefix(random: bytes) -> str:
    """Return the prefix of an allocation's key identifiers from 14 random bytes."""
    if len(random) != PREFIX_BYTES:
        raise ValueError("a prefix is made of 14 bytes")
    made = bytearray(random)
    made[6] = made[6] & 0x0F | 0x80  # version 8: whatever the maker likes
    made[8] = made[8] & 0x3F | 0x80  # variant of RFC 9562
    return made.hex()


def key_id(prefix: str, index: int) -> str:
    """Return the identifier of one key: a UUID of version 8 (RFC 9562, 5.8)."""
    return str(uuid.UUID(hex=f"{prefix}{index:04x}"))


def parse_key_id(text: str) -> tuple[str, int] | None:
    """Return prefix and index of a key identifier, or ``None`` for a text that is none of ours."""
    if not UUID.fullmatch(text):
        return None
    digits = text.replace("-", "").lower()
    return digits[:28], int(digits[28:], 16)


def cut(material: bytes, size: int) -> Iterator[bytes]:
    """Cut the bytes of an allocation into its keys."""
    for at in range(0, len(material), size):
        yield material[at : at + size]


def accept(remembered: Counters, batch: Batch) -> Counters:
    """Return what to remember of the peer after its batch.

    Raises:
        RolledBackError: the peer is behind what is remembered; nothing of the batch holds.
        BadAllocationError: extents overlap, go back, or the counters do not fit them.
    """
    before, after = batch.before, batch.after
    if before.allocated < remembered.allocated or before.delivered < remembered.delivered:
        raise RolledBackError(remembered)
    at = before.allocated
    for allocation in batch.allocations:
        _check(allocation)
        for extent in allocation.extents:
            if extent.start < at:
                raise BadAllocationError(gettext_noop("an allocation lies before its batch begins"))
            at = extent.end
    if after.allocated != at or after.delivered < before.delivered:
        raise BadAllocationError(gettext_noop("a batch does not end where its allocations do"))
    return after


def _check(allocation: Allocation) -> None:
    if not (
        PREFIX.fullmatch(allocation.prefix)
        and allocation.size > 0
        and allocation.extents
        and all(
            extent.length > 0 and extent.length % allocation.size == 0 and extent.offset >= 0
            for extent in allocation.extents
        )
        and all(one.end <= other.start for one, other in pairwise(allocation.extents))
        and allocation.number <= MOST_IN_ALLOCATION
    ):
        raise BadAllocationError(gettext_noop("an allocation is not a whole number of keys"))


def catch_up(own: Counters, remembered: Counters) -> Counters:
    """Return the counters of a node that its peer remembers further on."""
    return Counters(
        allocated=max(own.allocated, remembered.allocated),
        delivered=max(own.delivered, remembered.delivered),
    )


def settle(
    mine: Mapping[int, tuple[BlockState, str]], theirs: Mapping[int, tuple[BlockState, str]]
) -> dict[int, BlockState | None]:
    """Decide, after a crash on either side, what becomes of each of my blocks.

    Both sides do this with the same two lists, so both come to the same end.

    Args:
        mine: state and fingerprint by block number.
        theirs: the peer's.

    Returns:
        ``READY`` for what both hold alike, ``None`` (destroy) for all else.
    """
    return {
        number: BlockState.READY if number in theirs and theirs[number][1] == fingerprint else None
        for number, (_state, fingerprint) in mine.items()
    }


def to_json(batch: Batch) -> dict[str, object]:
    """Return a batch as it is sent."""
    return {
        "before": counters_to_json(batch.before),
        "after": counters_to_json(batch.after),
        "allocations": [
            {
                "prefix": one.prefix,
                "master": one.master,
                "slaves": list(one.slaves),
                "size": one.size,
                "extents": [[part.block, part.offset, part.length] for part in one.extents],
            }
            for one in batch.allocations
        ],
    }


def from_json(said: object) -> Batch:
    """Read a batch.

    Raises:
        BadAllocationError: it is not one.
    """
    try:
        table = _table(said)
        return Batch(
            before=counters_from_json(table["before"]),
            after=counters_from_json(table["after"]),
            allocations=tuple(_allocation(item) for item in _list(table["allocations"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadAllocationError(gettext_noop("the message is no batch of allocations")) from error


def counters_to_json(counters: Counters) -> list[int]:
    """Return counters as they are sent."""
    return [counters.allocated.block, counters.allocated.offset, counters.delivered]


def counters_from_json(said: object) -> Counters:
    """Read counters.

    Raises:
        BadAllocationError: they are not three natural numbers.
    """
    if not isinstance(said, list) or len(said) != 3:
        raise BadAllocationError(gettext_noop("counters are three natural numbers"))
    block, offset, delivered = (_natural(item) for item in said)
    return Counters(Position(block, offset), delivered)


def _allocation(said: object) -> Allocation:
    table = _table(said)
    return Allocation(
        prefix=_text(table["prefix"]),
        master=_text(table["master"]),
        slaves=tuple(_text(item) for item in _list(table["slaves"])),
        size=_natural(table["size"]),
        extents=tuple(
            Extent(*(_natural(item) for item in _list(part))) for part in _list(table["extents"])
        ),
    )


def _table(said: object) -> dict[str, object]:
    if not isinstance(said, dict):
        raise TypeError
    return said


def _list(said: object) -> Sequence[object]:
    if not isinstance(said, list):
        raise TypeError
    return said


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError
    return said


def _natural(said: object) -> int:
    if type(said) is not int or not 0 <= said < 1 << 53:
        raise BadAllocationError(gettext_noop("counters are three natural numbers"))
    return said
