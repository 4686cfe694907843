"""Authentication of a block: who spoke is who holds the shared secret, whatever computers come.

Each side sends one tag over everything that both said: a polynomial hash over GF(2^128) under a
shared key, covered with a pad that is used once (Wegman and Carter). Hash keys may serve again
while every tag has a fresh pad (Portmann, arXiv:1202.1229); here each confirmed block brings a new
one. Pads and hash keys come from a reserve that only finished blocks fill and nothing else drains.

A first block without a carried seed is signed instead (ML-DSA): what it yields is then as good as
that signature was at that moment, and stays so.
"""

import hashlib
import hmac
import json
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.engine._polynomials import hash_onward

Direction = Literal["alice", "bob"]
SIDES: Final[tuple[Direction, Direction]] = ("alice", "bob")

PAD_BYTES: Final = 16
LEAST_SEED: Final = 16 + 2 * 3 * PAD_BYTES
MOST_PADS: Final = 256  # for each direction; what comes beyond is thrown away

_KEYS_KEPT: Final = 4
_WINDOW: Final = 16  # pads the other side may have burned in blocks that came to nothing
_CONTEXT: Final = b"renkei link block 1\0"


class EmptyReserveError(RenkeiError):
    """No pad is left: the link must be given a new seed or a signed block."""

    code = "link.empty_reserve"
    status = 503


class BadReserveError(RenkeiError):
    """The bytes are no reserve, or the seed is too short."""

    code = "link.bad_reserve"


class Authentication(Protocol):
    """What a session needs to authenticate a block."""

    @property
    def newest(self) -> int:
        """Number of the last block whose secret is known here, 0 for the seed."""

    def tag(self, direction: Direction, messages: Iterable[bytes], common: int) -> bytes:
        """Return the tag that ``direction`` sends; uses up what it is made with."""

    def check(
        self, direction: Direction, messages: Iterable[bytes], common: int, tag: bytes
    ) -> bool:
        """Tell whether ``direction`` sent this tag over these messages."""


def transcript_hash(messages: Iterable[bytes], key: bytes) -> bytes:
    """Return the polynomial hash of a sequence of messages under a secret key of 16 bytes.

    Each message is hashed with its length, so that no two sequences look alike.
    """
    whole = b"".join(
        piece
        for message in messages
        for piece in (struct.pack("<QQ", len(message), 1), message, bytes(-len(message) % 16))
    )
    state = np.zeros(2, np.uint64)
    hash_onward(np.frombuffer(whole, np.uint64), np.frombuffer(key, np.uint64), state)
    return state.tobytes()


def _covered(hash_: bytes, pad: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(hash_, pad, strict=True))


class Reserve:
    """Secret bits kept back for authentication; the same on both sides, each in its own store.

    A pad leaves the reserve when a tag is made or checked with it. Whoever uses one must store
    ``to_bytes`` durably before the tag is sent, so that no restart brings a pad back.
    """

    def __init__(
        self, keys: dict[int, bytes], pads: dict[Direction, dict[int, bytes]], least: dict[str, int]
    ) -> None:
        self._keys, self._pads, self._least = keys, pads, least

    @classmethod
    def from_seed(cls, seed: bytes) -> "Reserve":
        """Return the reserve that a carried seed gives.

        Args:
            seed: at least 112 secret random bytes, the same on both sides, never used before.

        Raises:
            BadReserveError: if it is shorter.
        """
        if len(seed) < LEAST_SEED:
            raise BadReserveError(
                gettext_noop("a seed of {size} bytes: expected at least {least}"),
                size=len(seed),
                least=LEAST_SEED,
            )
        reserve = cls.empty()
        reserve.refill(0, seed)
        return reserve

    @classmethod
    def empty(cls) -> "Reserve":
        """Return a reserve that the first block is still to fill."""
        return cls({}, {side: {} for side in SIDES}, dict.fromkeys(SIDES, 0))

    @property
    def newest(self) -> int:
        """Number of the last block that filled the reserve, 0 for the seed."""
        return max(self._keys)

    def tags_left(self, direction: Direction) -> int:
        """Return how many tags this side can still send."""
        return len(self._pads[direction])

    def refill(self, block: int, material: bytes) -> None:
        """Add what a finished block gave, once the other side has finished it too.

        A block that was added before, or an older one, changes nothing.

        Args:
            block: its number.
            material: ``Distilled.for_reserve``: a hash key, then pads for both sides in turn.
        """
        if self._keys and block <= self.newest:
            return
        self._keys[block] = material[:PAD_BYTES]
        for old in sorted(self._keys)[:-_KEYS_KEPT]:
            del self._keys[old]
        pieces = (len(material) - PAD_BYTES) // (2 * PAD_BYTES)
        for at in range(pieces):
            for which, side in enumerate(SIDES):
                begin = PAD_BYTES * (1 + 2 * at + which)
                if len(self._pads[side]) < MOST_PADS:
                    self._pads[side][block << 16 | at] = material[begin : begin + PAD_BYTES]

    def _key(self, common: int) -> bytes:
        known = [block for block in self._keys if block <= common]
        if not known:
            raise EmptyReserveError(
                gettext_noop("both sides have no hash key in common: the reserves went apart")
            )
        return self._keys[max(known)]

    def tag(self, direction: Direction, messages: Iterable[bytes], common: int) -> bytes:
        """Return a tag over the messages and burn the pad it took.

        Args:
            direction: who sends it.
            messages: everything said so far, in order.
            common: the last block that filled both reserves.

        Raises:
            EmptyReserveError: if no pad is left that both sides have.
        """
        usable = [at for at in self._pads[direction] if at >> 16 <= common]
        if not usable:
            raise EmptyReserveError(
                gettext_noop("no authentication key is left: give the link a new seed")
            )
        number = min(usable)
        pad = self._pads[direction].pop(number)
        self._least[direction] = number + 1
        return number.to_bytes(8, "little") + _covered(
            transcript_hash(messages, self._key(common)), pad
        )

    def burn(self, direction: Direction, count: int) -> None:
        """Burn the next pads of one side: some of its tags may have been sent with them."""
        for number in sorted(self._pads[direction])[:count]:
            del self._pads[direction][number]
            self._least[direction] = number + 1

    def check(
        self, direction: Direction, messages: Iterable[bytes], common: int, tag: bytes
    ) -> bool:
        """Tell whether the tag is right; its pad is burned either way."""
        if len(tag) != 8 + PAD_BYTES:
            return False
        number = int.from_bytes(tag[:8], "little")
        waiting = sorted(self._pads[direction])
        # A forged number must not burn the whole reserve.
        if number < self._least[direction] or number not in waiting[:_WINDOW]:
            return False
        pad = self._pads[direction][number]
        for old in waiting:
            if old <= number:
                del self._pads[direction][old]
        self._least[direction] = number + 1
        wanted = _covered(transcript_hash(messages, self._key(common)), pad)
        return hmac.compare_digest(wanted, tag[8:])

    def to_bytes(self) -> bytes:
        """Return the reserve as bytes: secret, to be stored encrypted."""
        return json.dumps(
            {
                "keys": {str(block): key.hex() for block, key in self._keys.items()},
                "pads": {
                    side: {str(at): pad.hex() for at, pad in pads.items()}
                    for side, pads in self._pads.items()
                },
                "least": self._least,
            }
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Reserve":
        """Return the reserve that ``to_bytes`` wrote.

        Raises:
            BadReserveError: if it is anything else.
        """
        try:
            read = json.loads(data)
            return cls(
                {int(block): bytes.fromhex(key) for block, key in read["keys"].items()},
                {
                    side: {int(at): bytes.fromhex(pad) for at, pad in read["pads"][side].items()}
                    for side in SIDES
                },
                {side: int(read["least"][side]) for side in SIDES},
            )
        except (ValueError, KeyError, TypeError, AttributeError) as wrong:
            raise BadReserveError(gettext_noop("these bytes are no reserve")) from wrong


@dataclass(frozen=True, slots=True)
class Signatures:
    """Authentication of a first block by signatures (ML-DSA) instead of a seed.

    Attributes:
        sign: returns the own signature of some bytes.
        verify: takes bytes and the other side's signature; true if it is theirs.
    """

    sign: Callable[[bytes], bytes]
    verify: Callable[[bytes, bytes], bool]

    @property
    def newest(self) -> int:
        """There is no secret yet."""
        return 0

    @staticmethod
    def _said(direction: Direction, messages: Iterable[bytes]) -> bytes:
        digest = hashlib.sha384()
        for message in messages:
            digest.update(len(message).to_bytes(8, "little") + message)
        return _CONTEXT + direction.encode() + b"\0" + digest.digest()

    def tag(self, direction: Direction, messages: Iterable[bytes], common: int) -> bytes:
        """Return the signature of everything said so far."""
        del common
        return self.sign(self._said(direction, messages))

    def check(
        self, direction: Direction, messages: Iterable[bytes], common: int, tag: bytes
    ) -> bool:
        """Tell whether the other side signed the same."""
        del common
        return self.verify(self._said(direction, messages), tag)
