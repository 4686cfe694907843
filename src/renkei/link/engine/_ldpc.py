"""Reconciliation one way: quasi-cyclic LDPC syndromes, decoded in vector registers.

Alice sends the syndrome of her frame, Bob decodes which of his bits differ. Where he fails she
splits some checks in two and sends the parities of the halves: the code gets stronger, and nothing
that was sent is lost. Apart from that single answer nothing goes back, so that neither a long
round trip nor a talking Bob has to be accounted for.

A code is a matrix of ``rows`` x 1 024 circulants of 256 bits. Its column weights come from
``degrees.json``, which density evolution of exactly this decoder found; rows are as even as they
can be, and no two columns meet in two checks. The decoder is layered A-min* (Jones, Vallés, Smith
and Villasenor, Milcom 2003) with eight-bit messages in quarters of a natural unit.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from math import floor, log
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from renkei.link.engine._finite_key import binary_entropy
from renkei.link.engine._polynomials import Words
from renkei.link.engine._vectors import (
    absolute,
    add_saturated,
    box_plus,
    chosen_if_equal,
    chosen_if_less,
    fill_bytes,
    helper,
    kernel,
    larger,
    load_bytes,
    load_word,
    negated_where,
    signs,
    smaller,
    smaller_unsigned,
    store_bytes,
    store_word,
    subtract_saturated,
    xor_bytes,
)

CIRCULANT: Final = 256
COLUMNS: Final = 1024
FRAME_BITS: Final = CIRCULANT * COLUMNS
SPLIT_SHARE: Final = 0.03  # of the checks, with each further answer
MOST_TURNS: Final = 60
MOST_SPLITS: Final = 16

_LEAST_ROWS: Final = 82  # rows of 87 ones; longer ones would lose too much in eight bits
_MOST_ROWS: Final = 640
_MOST_LIGHT: Final = 0.8  # columns of weight two a row; as many as rows would be codewords
_CAP: Final = 63  # of a message
_FRONT, _BACK = 64, 128  # bytes beside each circulant, so that rotated reads need no branch
_SEED: Final = 0x4C4450
EDITION: Final = 2  # of the codes: both sides must have the same


class Code(NamedTuple):
    """Checks as lists of circulants.

    Attributes:
        starts: where each row's circulants begin, shape (rows + 1,).
        columns: column of each circulant.
        shifts: check z of the row touches bit (z + shift) % 256 of the column.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int64]
    shifts: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """Rows of circulants; 256 checks each."""
        return self.starts.size - 1


class _Design(NamedTuple):
    checks_per_bit: float
    start_inefficiency: float
    edge_shares: dict[int, float]


@lru_cache(maxsize=1)
def _designs() -> list[_Design]:
    text = resources.files(__package__).joinpath("degrees.json").read_text("utf-8")
    return [
        _Design(
            row["checks_per_bit"],
            row["start_inefficiency"],
            {int(weight): share for weight, share in row["edge_shares"].items()},
        )
        for row in json.loads(text)["designs"]
    ]


def _design(checks_per_bit: float) -> _Design:
    return min(_designs(), key=lambda one: abs(log(one.checks_per_bit / checks_per_bit)))


def _weights(rows: int) -> list[int]:
    """Return the weight of every column, light ones first."""
    shares = _design(rows / COLUMNS).edge_shares
    nodes = {weight: share / weight for weight, share in shares.items()}
    scale = COLUMNS / sum(nodes.values())
    exact = {weight: share * scale for weight, share in sorted(nodes.items())}
    counts = {weight: floor(share) for weight, share in exact.items()}
    by_rest = sorted(exact, key=lambda weight: exact[weight] - counts[weight], reverse=True)
    for weight in by_rest[: COLUMNS - sum(counts.values())]:
        counts[weight] += 1
    too_many = max(0, counts[2] - int(_MOST_LIGHT * rows))
    counts[2] -= too_many
    counts[3] += too_many
    return [weight for weight in sorted(counts) for _ in range(counts[weight])]


@lru_cache(maxsize=8)
def code(rows: int) -> Code:
    """Return the code with this many rows; the same on every machine."""
    source = np.random.PCG64(_SEED + rows)
    table = np.full((rows, COLUMNS), -1, np.int64)
    filled = np.zeros(rows, np.int64)
    for column, weight in enumerate(_weights(rows)):
        chosen: list[int] = []
        for at in range(weight):
            if weight == 2:  # a zigzag: columns of weight two must not close short cycles
                row = (column + at) % rows
            else:
                free = np.ones(rows, bool)
                free[chosen] = False
                least = np.flatnonzero(free & (filled == filled[free].min()))
                row = int(least[source.random_raw() % least.size])
            forbidden: set[int] = set()
            for other in chosen:
                both = (table[row] >= 0) & (table[other] >= 0)
                gaps = table[other, column] + table[row, both] - table[other, both]
                forbidden.update((gaps % CIRCULANT).tolist())
            allowed = [shift for shift in range(CIRCULANT) if shift not in forbidden]
            allowed = allowed or list(range(CIRCULANT))
            table[row, column] = allowed[source.random_raw() % len(allowed)]
            chosen.append(row)
            filled[row] += 1
    return _listed([[(int(c), int(table[r, c])) for c in np.flatnonzero(table[r] >= 0)]
                    for r in range(rows)])  # fmt: skip


def _listed(rows: Sequence[Sequence[tuple[int, int]]]) -> Code:
    starts = np.cumsum([0, *map(len, rows)])
    flat = [one for row in rows for one in row]
    return Code(
        starts.astype(np.int64),
        np.array([column for column, _ in flat], np.int64),
        np.array([shift for _, shift in flat], np.int64),
    )


def _row(whole: Code, row: int) -> list[tuple[int, int]]:
    part = slice(whole.starts[row], whole.starts[row + 1])
    columns, shifts = whole.columns[part].tolist(), whole.shifts[part].tolist()
    return list(zip(columns, shifts, strict=True))


def split_rows(rows: int, split: int) -> range:
    """Return which rows the answer number ``split``, from 1, cuts in two."""
    step = max(1, round(SPLIT_SHARE * rows))
    return range(min(rows, (split - 1) * step), min(rows, split * step))


@lru_cache(maxsize=16)
def halves(rows: int, split: int) -> Code:
    """Return the halves whose parities the answer number ``split``, from 1, adds."""
    whole = code(rows)
    return _listed([_row(whole, row)[::2] for row in split_rows(rows, split)])


@lru_cache(maxsize=16)
def _split_code(rows: int, splits: int) -> Code:
    """Return the code after so many answers: halves in place of the rows, the others behind."""
    whole = code(rows)
    cut = sum(len(split_rows(rows, at)) for at in range(1, splits + 1))
    first = [_row(whole, row)[::2] for row in range(cut)]
    second = [_row(whole, row)[1::2] for row in range(cut)]
    return _listed([*first, *(_row(whole, row) for row in range(cut, rows)), *second])


def rows_for(error_rate: float) -> int:
    """Return how many rows of checks to begin with at an error rate in (0, 0.5)."""
    limit = binary_entropy(error_rate)
    # One row more than the design began with: an eighth fewer turns, and fewer frames that fail.
    wanted = 1 + round(_design(1.145 * limit).start_inefficiency * limit * COLUMNS)
    return min(max(wanted, _LEAST_ROWS), _MOST_ROWS)


@kernel
def _syndrome(
    words: Words, starts: NDArray[np.int64], columns: NDArray[np.int64],
    shifts: NDArray[np.int64], out: Words,
) -> None:  # fmt: skip
    across = CIRCULANT // 64
    for row in range(starts.size - 1):
        for part in range(across):
            sum_ = np.uint64(0)
            for edge in range(starts[row], starts[row + 1]):
                base = columns[edge] * across
                first = part + (shifts[edge] >> 6)
                offset = np.uint64(shifts[edge] & 63)
                sum_ ^= words[base + first % across] >> offset
                if offset:
                    sum_ ^= words[base + (first + 1) % across] << (np.uint64(64) - offset)
            out[row * across + part] = sum_


def syndrome(words: Words, checks: Code) -> Words:
    """Return the parities of a frame, packed: 256 bits for each row."""
    out = np.empty(checks.rows * CIRCULANT // 64, np.uint64)
    _syndrome(words, checks.starts, checks.columns, checks.shifts, out)
    return out


_STRIDE: Final = _FRONT + CIRCULANT + _BACK
_ACROSS: Final = CIRCULANT // 64


@helper
def _place(part: int, shift: int) -> int:
    at = part * 64 + shift
    return at - CIRCULANT if at >= CIRCULANT else at


@kernel
def _decode(
    beliefs: NDArray[np.int8], starts: NDArray[np.int64], columns: NDArray[np.int64],
    shifts: NDArray[np.int64], parities: Words, old: NDArray[np.int8], old_signs: Words,
    scratch: NDArray[np.int8], channel: int, turns: int, out: Words,
) -> int:  # fmt: skip
    """Decode the error pattern of these parities; return the turns taken, or -1.

    ``beliefs`` has a stride of 448 bytes a column; ``old`` three vectors for 64 checks: message of
    most edges, message of the weakest edge, and which one that is.
    """
    belief = beliefs.ctypes.data + _FRONT
    kept = old.ctypes.data
    kept_signs = old_signs.ctypes.data
    wanted = parities.ctypes.data
    inputs = scratch.ctypes.data
    sizes = inputs + 64 * 128
    rows = starts.size - 1
    zero, one, cap, most = fill_bytes(0), fill_bytes(1), fill_bytes(_CAP), fill_bytes(127)
    for column in range(COLUMNS):
        for at in range(-_FRONT, CIRCULANT + _BACK, 64):
            store_bytes(belief + column * _STRIDE + at, fill_bytes(channel))
    for at in range(rows * _ACROSS):
        store_bytes(kept + 192 * at, zero)
        store_bytes(kept + 192 * at + 64, zero)
        store_bytes(kept + 192 * at + 128, fill_bytes(-1))
    old_signs[:] = 0
    for turn in range(turns):
        for row in range(rows):
            first = starts[row]
            weight = starts[row + 1] - first
            padded = (weight + 7) & ~7
            for part in range(_ACROSS):
                at = kept + 192 * (row * _ACROSS + part)
                old_most, old_one = load_bytes(at), load_bytes(at + 64)
                old_which = load_bytes(at + 128)
                sign = load_word(wanted + 8 * (row * _ACROSS + part))
                least = most
                which = fill_bytes(-1)
                for edge in range(weight):
                    from_ = belief + columns[first + edge] * _STRIDE
                    from_ += _place(part, shifts[first + edge])
                    before = chosen_if_equal(old_which, fill_bytes(edge), old_one, old_most)
                    before_signs = load_word(kept_signs + 8 * ((first + edge) * _ACROSS + part))
                    value = load_bytes(from_)
                    # A belief at its limit has forgotten parts of its sum: to take a message back
                    # from it would wear it down, turn by turn, to its opposite.
                    before = chosen_if_equal(value, most, zero, before)
                    value = subtract_saturated(value, negated_where(before_signs, before))
                    sign ^= signs(value)
                    size = smaller_unsigned(absolute(value), cap)  # of -128 too
                    store_bytes(inputs + 64 * edge, value)
                    which = chosen_if_less(size, least, fill_bytes(edge), which)
                    store_bytes(sizes + 64 * edge, larger(size, least))  # all but the least
                    least = smaller(size, least)
                for edge in range(weight, padded):
                    store_bytes(sizes + 64 * edge, most)
                # A balanced tree: a chain of eight-bit sums would stick at its first values.
                even, odd = most, most
                for edge in range(0, padded, 8):
                    s = sizes + 64 * edge
                    x0 = load_bytes(s)
                    x1 = load_bytes(s + 64)
                    x2 = load_bytes(s + 128)
                    x3 = load_bytes(s + 192)
                    x4 = load_bytes(s + 256)
                    x5 = load_bytes(s + 320)
                    x6 = load_bytes(s + 384)
                    x7 = load_bytes(s + 448)
                    low = box_plus(box_plus(x0, x1), box_plus(x2, x3))
                    high = box_plus(box_plus(x4, x5), box_plus(x6, x7))
                    both = box_plus(low, high)
                    if (edge >> 3) & 1:
                        odd = box_plus(odd, both)
                    else:
                        even = box_plus(even, both)
                # Never 0: where all are weak, as at first, rounding would stop the decoder.
                to_weakest = larger(smaller(box_plus(even, odd), cap), one)
                to_others = larger(box_plus(to_weakest, least), one)
                store_bytes(at, to_others)
                store_bytes(at + 64, to_weakest)
                store_bytes(at + 128, which)
                for edge in range(weight):
                    value = load_bytes(inputs + 64 * edge)
                    new_signs = signs(value) ^ sign
                    store_word(kept_signs + 8 * ((first + edge) * _ACROSS + part), new_signs)
                    message = chosen_if_equal(which, fill_bytes(edge), to_weakest, to_others)
                    value = add_saturated(value, negated_where(new_signs, message))
                    place = _place(part, shifts[first + edge])
                    to = belief + columns[first + edge] * _STRIDE
                    store_bytes(to + place, value)
                    # Beside the circulant its ends are written again; else this is the same place.
                    again = place - CIRCULANT if place > CIRCULANT - 64 else place
                    store_bytes(to + (place + CIRCULANT if place < 64 else again), value)
        if turn < 3:
            continue
        wrong = False
        for row in range(rows):
            for part in range(_ACROSS):
                sum_ = zero
                for edge in range(starts[row], starts[row + 1]):
                    from_ = belief + columns[edge] * _STRIDE + _place(part, shifts[edge])
                    sum_ = xor_bytes(sum_, load_bytes(from_))
                if signs(sum_) != load_word(wanted + 8 * (row * _ACROSS + part)):
                    wrong = True
                    break
            if wrong:
                break
        if not wrong:
            for column in range(COLUMNS):
                for part in range(_ACROSS):
                    from_ = belief + column * _STRIDE + 64 * part
                    out[column * _ACROSS + part] = signs(load_bytes(from_))
            return turn + 1
    return -1


class Decoder:
    """Bob's side of one frame after the other.

    Args:
        rows: rows of the code that Alice uses.
        error_rate: what to expect, in (0, 0.5).
    """

    def __init__(self, rows: int, *, error_rate: float) -> None:
        self.rows = rows
        bounded = min(max(error_rate, 1e-3), 0.2)
        self._channel = round(4 * log((1 - bounded) / bounded))
        self._beliefs = np.empty(COLUMNS * _STRIDE + 64, np.int8)
        self._scratch = np.empty(2 * 64 * 136, np.int8)
        self.turns = 0

    def decode(self, words: Words, sent: Sequence[Words]) -> Words | None:
        """Return the frame with Alice's bits, or None if more parities are needed.

        Args:
            words: Bob's bits, packed.
            sent: Alice's syndrome, then the parities of her further answers, in order.
        """
        splits = len(sent) - 1
        checks = _split_code(self.rows, splits) if splits else code(self.rows)
        wanted = sent[0] ^ syndrome(words, code(self.rows))
        if splits:
            added = np.concatenate(
                [
                    part ^ syndrome(words, halves(self.rows, at))
                    for at, part in enumerate(sent[1:], 1)
                ]
            )
            others = wanted[: added.size] ^ added
            wanted = np.concatenate([added, wanted[added.size :], others])
        errors = np.empty(FRAME_BITS // 64, np.uint64)
        turns = _decode(
            self._beliefs, checks.starts, checks.columns, checks.shifts, wanted,
            np.empty(checks.rows * _ACROSS * 192, np.int8),
            np.empty(checks.columns.size * _ACROSS, np.uint64),
            self._scratch, self._channel, MOST_TURNS, errors,
        )  # fmt: skip
        self.turns += MOST_TURNS if turns < 0 else turns
        return None if turns < 0 else words ^ errors
