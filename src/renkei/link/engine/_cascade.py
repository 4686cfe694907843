"""Reconciliation by talk: Cascade for many frames at once, a round a message.

Bob asks for the parities of blocks, Alice answers with one bit each; nothing else is told. Bob
keeps the books and corrects his bits, Alice keeps nothing: she is five times as fast. Where the
errors were can be seen from the questions, so all of it counts as public.

Each pass cuts a frame into blocks of a power of two of bits, in its own order. A block is a binary
tree of parity differences: ``known`` says which nodes have been compared (or follow from others),
``odd`` whether an odd number of errors is below. Correcting a bit toggles a path in each of the
three trees, a few words of bit masks. Sub-block reuse thus costs nothing. All frames advance
together, each at its own pace, so that a round is one message however many there are.

The sizes are those of Martinez-Mateo, Pacher, Peev, Ciurana and Martin, arXiv:1407.3257, "nearly
optimal": 2^ceil(log2(1/Q) - 1/2), then the mean of that exponent and 12, then 4 096, and eleven
random halves of the frame. Here a half is a random mask, and its search is over words.
"""

# In a kernel every integer is NumPy's, and Numba knows them all.
# mypy: disable-error-code="arg-type,assignment,no-any-return"

from math import ceil, log2
from typing import Final

import numpy as np
from numba import carray  # type: ignore[attr-defined]
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.engine._polynomials import Words
from renkei.link.engine._shuffle import ROUNDS, SQUARE, Shuffle, shuffle_round
from renkei.link.engine._vectors import (
    fetch_ahead,
    helper,
    kernel,
    parity,
    pointer_to_bytes,
    pointer_to_codes,
    pointer_to_numbers,
    pointer_to_places,
    pointer_to_words,
    top_bit,
)

FRAME_BITS: Final = 65_536
PASSES: Final = 3
MASKS: Final = 11
ANY_SLACK: Final = 99
SLACK: Final = 2  # measured: f 1.034 at an error rate of 2 %, against 1.041 without a limit

_LARGEST_BLOCK: Final = 12  # as a power of two
_SEED: Final = 0x52454E4B4549  # of the orders of passes two and three, the same everywhere
_MOST_DISCLOSED: Final = 0.9  # of a frame; beyond it nothing is left to keep
_MOST_FLIPS: Final = 4  # a bit; more are made only if somebody changed the parities on their way

# What a question is about: frame << 32 | kind << 24 | log2(size) << 16 | first bit.
_MASK: Final = 3  # kinds 0, 1, 2 are blocks of a pass
_RANGE: Final = 4  # a range of a mask, kept in ``search``

_PATIENT: Final = 6  # blocks of a word never wait: that would take twice the rounds for nothing
_MOST_WAITING: Final = 4096  # blocks of a frame; more than these do not wait
_FIELDS: Final = 7  # of ``search``


class DivergedError(RenkeiError):
    """The parities contradict each other: they were changed on their way."""

    code = "link.diverged"
    status = 409


# The state is rows of eight words. A row is a tree of 64 leaves as a heap: node i has children
# 2i and 2i + 1, leaves are 64 to 127. Words 0-1: known, 2-3: odd, 4-5: asked, 6: the bits.
# Rows of a frame: 1 024 words a pass, then the trees above them, for blocks of more than a word.


@helper
def _row(
    frame: int, kind: int, size: int, start: int, layout: NDArray[np.int64]
) -> tuple[int, int]:
    """Return (offset of the row, index in its heap) of a block."""
    words, rows = layout[0], layout[1]
    if size <= 6:
        row = kind * words + (start >> 6)
        return (frame * rows + row) * 8, (64 | (start & 63)) >> size
    largest = layout[2 + kind]
    leaves = 1 << (largest - 6)
    row = layout[5 + kind] + (start >> largest)
    return (frame * rows + row) * 8, (leaves | ((start >> 6) & (leaves - 1))) >> (size - 6)


@helper
def _bit(state: Words, row: int, which: int, node: int) -> np.uint64:
    return (state[row + which + (node >> 6)] >> np.uint64(node & 63)) & np.uint64(1)


@helper
def _put(state: Words, row: int, which: int, node: int, value: np.uint64) -> None:
    at = row + which + (node >> 6)
    place = np.uint64(node & 63)
    state[at] = (state[at] & ~(np.uint64(1) << place)) | (value << place)


@helper
def _learn(
    state: Words, frame: int, kind: int, size: int, start: int, odd: np.uint64,
    layout: NDArray[np.int64],
) -> None:  # fmt: skip
    row, node = _row(frame, kind, size, start, layout)
    _put(state, row, 0, node, np.uint64(1))
    _put(state, row, 2, node, odd)


@helper
def _code(frame: int, kind: int, size: int, start: int) -> np.uint64:
    return (
        (np.uint64(frame) << np.uint64(32))
        | np.uint64(kind << 24)
        | np.uint64(size << 16)
        | np.uint64(start)
    )


@helper
def _block_parity(
    state: Words, frame: int, kind: int, size: int, start: int, layout: NDArray[np.int64]
) -> np.uint64:
    base = (frame * layout[1] + kind * layout[0] + (start >> 6)) * 8 + 6
    if size < 6:
        word = state[base] >> np.uint64(start & 63)
        return parity(word & ((np.uint64(1) << np.uint64(1 << size)) - np.uint64(1)))
    sum_ = np.uint64(0)
    for at in range(1 << (size - 6)):
        sum_ ^= state[base + 8 * at]
    return parity(sum_)


@helper
def _range_parity(
    state: Words, frame: int, low: int, high: int, mask: Words, layout: NDArray[np.int64]
) -> np.uint64:
    """Parity of the masked bits low to high - 1, in the order of the first pass."""
    base = frame * layout[1] * 8 + 6
    sum_ = np.uint64(0)
    if high - low < 64:
        bits = (np.uint64(1) << np.uint64(high - low)) - np.uint64(1)
        sum_ = ((state[base + 8 * (low >> 6)] & mask[low >> 6]) >> np.uint64(low & 63)) & bits
    else:
        for at in range(low >> 6, high >> 6):
            sum_ ^= state[base + 8 * at] & mask[at]
    return parity(sum_)


@helper
def _ask(
    frame: int, questions: Words, first: int, end: int, state: Words,
    search: NDArray[np.int64], masks: NDArray[np.uint64], layout: NDArray[np.int64],
    own: NDArray[np.uint8], message: NDArray[np.uint8], line: Words,
) -> None:  # fmt: skip
    """Write a frame's part of the message of questions, and the own answers, eight a byte."""
    words, rows = layout[0], layout[1]
    bits = words * 64
    to = 2 * search.shape[0] + 3 * first
    gathered = np.uint64(own[first >> 3]) if first & 7 else np.uint64(0)
    for at in range(first, end):
        code = questions[at]
        kind = np.int64((code >> np.uint64(24)) & np.uint64(255))
        size = np.int64((code >> np.uint64(16)) & np.uint64(255))
        start = np.int64(code & np.uint64(0xFFFF))
        if kind < _MASK:
            answer = _block_parity(state, frame, kind, size, start, layout)
            wire = kind | (((bits + start) >> size) << 6)
        elif kind == _MASK:
            if size == 0:  # the masks of a frame follow one another
                for word in range(words):
                    line[word] = state[(frame * rows + word) * 8 + 6]
            answer = np.uint64(0)
            for word in range(words):
                answer ^= line[word] & masks[size, word]
            answer = parity(answer)
            wire = _MASK | (size << 2) | (1 << 6)
        else:
            which, low, high = search[frame, 1], search[frame, 2], search[frame, 3]
            half = (high - low) >> 1
            answer = _range_parity(state, frame, low, low + half, masks[which], layout)
            wire = _MASK | (which << 2) | (((bits + low) // half) << 6)
        message[to] = wire & 255
        message[to + 1] = (wire >> 8) & 255
        message[to + 2] = wire >> 16
        to += 3
        gathered |= answer << np.uint64(at & 7)
        if at & 7 == 7:
            own[at >> 3] = gathered
            gathered = np.uint64(0)
    if end & 7:
        own[end >> 3] = gathered
    message[2 * frame] = (end - first) & 255
    message[2 * frame + 1] = (end - first) >> 8


@kernel
def _answer(desk: NDArray[np.int64], message: bytes) -> int:
    """Answer a message of questions, eight answers a byte.

    ``desk``: frames, words of one, and the addresses of the words of all frames in the order of
    each pass, of the masks and of the room for the answers. Returns how many questions there were,
    or -1 if these are none.
    """
    frames, words = desk[0], desk[1]
    orders = carray(pointer_to_words(desk[2]), (PASSES, frames * words))
    masks = carray(pointer_to_words(desk[3]), (MASKS, words))
    out = carray(pointer_to_bytes(desk[4]), frames << 13)
    head = 2 * frames
    if len(message) < head:
        return -1
    total = 0
    for frame in range(frames):
        total += np.int64(message[2 * frame]) | (np.int64(message[2 * frame + 1]) << 8)
    if not total or len(message) != head + 3 * total:
        return -1
    asked = 0
    gathered = np.uint64(0)
    bits = words * 64
    one = np.uint64(1)
    for frame in range(frames):
        base = frame * words
        count = np.int64(message[2 * frame]) | (np.int64(message[2 * frame + 1]) << 8)
        for _ in range(count):
            at = head + 3 * asked
            wire = (
                np.int64(message[at])
                | (np.int64(message[at + 1]) << 8)
                | (np.int64(message[at + 2]) << 16)
            )
            kind, which, node = wire & 3, (wire >> 2) & 15, wire >> 6
            if node == 0 or node >= 2 * bits or which >= MASKS or (kind < _MASK and which):
                return -1
            # The nodes of a frame are a heap: 1 is all of it, from ``bits`` on they are single.
            depth = top_bit(np.uint64(node))
            size = top_bit(np.uint64(bits)) - depth
            start = (node << size) - bits
            at = base + (start >> 6)
            sum_ = np.uint64(0)
            if kind == _MASK:
                end = base + ((start + (1 << size) + 63) >> 6)
                for word in range(at, end):
                    sum_ ^= orders[0, word] & masks[which, word - base]
            else:
                for word in range(at, at + max(1, (1 << size) >> 6)):
                    sum_ ^= orders[kind, word]
            if size < 6:
                sum_ = (sum_ >> np.uint64(start & 63)) & ((one << np.uint64(1 << size)) - one)
            gathered |= parity(sum_) << np.uint64(asked & 7)
            asked += 1
            if asked & 7 == 0:
                out[(asked >> 3) - 1] = gathered
                gathered = np.uint64(0)
    if asked & 7:
        out[asked >> 3] = gathered
    return asked


@helper
def _flip(
    frame: int, place: int, state: Words, places: NDArray[np.uint16], search: NDArray[np.int64],
    masks: NDArray[np.uint64], paths: Words, layout: NDArray[np.int64],
    leaves: Words, blocks: Words, depth: int, waiting: int,
) -> tuple[int, int]:  # fmt: skip
    """Correct a bit; note what becomes odd by it, return the lengths of both lists.

    ``leaves`` takes bits that are known to be wrong, ``blocks`` the smallest odd block around.
    """
    words, rows = layout[0], layout[1]
    one = np.uint64(1)
    if search[frame, 0] >= 4:
        for which in range(MASKS):
            if (masks[which, place >> 6] >> np.uint64(place & 63)) & one:
                search[frame, 4] ^= 1 << which
    for kind in range(min(search[frame, 0] + 1, PASSES)):  # later ones are not laid out yet
        at = place if kind == 0 else np.int64(places[kind - 1, place])
        word, bit = at >> 6, at & 63
        row = (frame * rows + kind * words + word) * 8
        leaf = one << np.uint64(bit)
        path = paths[64 + bit]
        state[row + 6] ^= leaf
        state[row + 2] ^= path
        state[row + 3] ^= leaf
        largest = layout[2 + kind]
        upper = 0
        path_above = np.uint64(0)
        if largest > 6:
            tops = 1 << (largest - 6)
            upper = (frame * rows + layout[5 + kind] + (at >> largest)) * 8
            path_above = paths[tops | (word & (tops - 1))]
            state[upper + 2] ^= path_above
        if state[row + 1] & state[row + 3] & leaf:
            leaves[depth] = _code(frame, kind, 0, at)
            depth += 1
            continue
        found = state[row] & state[row + 2] & path
        if found:
            node = top_bit(found)
            size = 6 - top_bit(np.uint64(node))
            blocks[waiting] = _code(frame, kind, size, (word << 6) | ((node << size) & 63))
            waiting += 1
        elif largest > 6:
            found = state[upper] & state[upper + 2] & path_above
            if found:
                size = largest - top_bit(np.uint64(top_bit(found)))
                blocks[waiting] = _code(frame, kind, size, (at >> size) << size)
                waiting += 1
    return depth, waiting


@helper
def _lay_out(
    frame: int, kind: int, state: Words, orders: NDArray[np.int64], turns: NDArray[np.uint8],
    layout: NDArray[np.int64], line: Words, other: Words,
) -> None:  # fmt: skip
    """Write the bits of a frame, as corrected so far, in the order of a pass that begins."""
    words, first = layout[0], frame * layout[1]
    for word in range(words):
        line[word] = state[(first + word) * 8 + 6]
    shuffle_round(line, orders[kind - 1, 0], turns[kind - 1, 0], other)
    shuffle_round(other, orders[kind - 1, 1], turns[kind - 1, 1], line)
    for word in range(words):
        state[(first + kind * words + word) * 8 + 6] = line[word]


@helper
def _open_stage(
    frame: int, search: NDArray[np.int64], layout: NDArray[np.int64], questions: Words,
    count: int, state: Words, orders: NDArray[np.int64], turns: NDArray[np.uint8],
    line: Words, other: Words,
) -> int:  # fmt: skip
    """Ask what comes next in a frame in which nothing is odd; return the number of questions."""
    bits = layout[0] * 64
    stage = search[frame, 0]
    if stage < _MASK:
        stage += 1
        search[frame, 0] = stage
        if stage == _MASK:
            for which in range(MASKS):
                questions[count] = _code(frame, _MASK, which, 0)
                count += 1
            return count
        if stage:
            _lay_out(frame, stage, state, orders, turns, layout, line, other)
        size = layout[2 + stage]
        # All blocks together are even since the first pass: the last one follows.
        last = bits if stage == 0 else bits - (1 << size)
        for start in range(0, last, 1 << size):
            questions[count] = _code(frame, stage, size, start)
            count += 1
        return count
    search[frame, 0] = 4
    if search[frame, 4]:
        which = 0
        while not (search[frame, 4] >> which) & 1:
            which += 1
        search[frame, 1], search[frame, 2], search[frame, 3] = which, 0, bits
        questions[count] = _code(frame, _RANGE, 0, 0)
        count += 1
    return count


@helper
def _learn_halves(
    state: Words, frame: int, kind: int, size: int, start: int, odd: np.uint64,
    layout: NDArray[np.int64],
) -> np.uint64:  # fmt: skip
    """Take in the parity of a left half; return that of the right one, which follows."""
    one, three = np.uint64(1), np.uint64(3)
    row, node = _row(frame, kind, size + 1, start, layout)
    other = _bit(state, row, 2, node) ^ odd
    if size == 6:  # the halves are words of their own
        _learn(state, frame, kind, size, start, odd, layout)
        _learn(state, frame, kind, size, start + 64, other, layout)
        return other
    left = 2 * node
    at = row + (left >> 6)
    shift = np.uint64(left & 63)
    state[at] |= three << shift
    state[at + 2] = (state[at + 2] & ~(three << shift)) | ((odd | (other << one)) << shift)
    return other


@helper
def _descend(code: np.uint64, state: Words, layout: NDArray[np.int64]) -> tuple[bool, np.uint64]:
    """Follow odd halves down to a bit, or to a half that has not been compared.

    Returns (there is something to do, what): a block of size 0 is a wrong bit, any other the left
    half to ask for. Nothing is to do where the block is even by now or its half is asked already.
    """
    one = np.uint64(1)
    frame = np.int64(code >> np.uint64(32))
    kind = np.int64((code >> np.uint64(24)) & np.uint64(255))
    size = np.int64((code >> np.uint64(16)) & np.uint64(255))
    start = np.int64(code & np.uint64(0xFFFF))
    row, node = _row(frame, kind, size, start, layout)
    if not _bit(state, row, 2, node):
        return False, code
    while size:
        size -= 1
        if size == 6:
            row = (frame * layout[1] + kind * layout[0] + (start >> 6)) * 8
            node = 1
        else:
            node *= 2
        at = row + (node >> 6)
        shift = np.uint64(node & 63)
        if not (state[at] >> shift) & one:
            if (state[at + 4] >> shift) & one:
                return False, code
            state[at + 4] |= one << shift
            break
        if not (state[at + 2] >> shift) & one:
            start += 1 << size
            if size == 6:
                row += 8
            else:
                node += 1
    return True, _code(frame, kind, size, start)


@helper
def _most_questions(frame_bits: int) -> int:
    """Return how many questions a frame may have in one round: half of its bits, in pass one."""
    return (frame_bits >> 1) + MASKS


@helper
def _is_odd(code: np.uint64, state: Words, layout: NDArray[np.int64]) -> np.uint64:
    frame = np.int64(code >> np.uint64(32))
    kind = np.int64((code >> np.uint64(24)) & np.uint64(255))
    size = np.int64((code >> np.uint64(16)) & np.uint64(255))
    row, node = _row(frame, kind, size, np.int64(code & np.uint64(0xFFFF)), layout)
    return _bit(state, row, 2, node)


@helper
def _end_of_wait(
    frame: int, smallest: int, slack: int, state: Words, search: NDArray[np.int64],
    waits: NDArray[np.uint32], layout: NDArray[np.int64], blocks: Words, waiting: int,
) -> tuple[int, int]:  # fmt: skip
    """Append what need not wait any longer to ``blocks``; return their number, and the smallest."""
    count = search[frame, 5]
    least = smallest
    kept = 0
    for at in range(count):
        code = waits[frame, at]
        if _is_odd((np.uint64(frame) << np.uint64(32)) | np.uint64(code), state, layout):
            waits[frame, kept] = code
            kept += 1
            least = min(least, np.int64((code >> 16) & 255))
    count, kept = kept, 0
    next_ = 99
    for at in range(count):
        code = waits[frame, at]
        size = np.int64((code >> 16) & 255)
        if size <= max(least + slack, _PATIENT) and waiting < blocks.size:
            blocks[waiting] = (np.uint64(frame) << np.uint64(32)) | np.uint64(code)
            waiting += 1
        else:
            waits[frame, kept] = code
            kept += 1
            next_ = min(next_, size)
    search[frame, 5], search[frame, 6] = kept, next_
    return waiting, least


# Where the addresses of a machine's arrays are on its desk.
_STATE, _SEARCH, _LAYOUT, _PLACES, _ORIGINS, _MASKS, _PATHS = range(7)
_ORDERS, _TURNS, _LISTS, _WAITS, _LINES = range(7, 12)
_QUESTIONS, _FOLLOWING, _OWN, _NEXT_OWN, _MESSAGE = range(12, 17)
_FRAMES, _ROWS, _WORDS, _SLACK, _CAPACITY, _FLIPS = range(17, 23)


@kernel
def _absorb(desk: NDArray[np.int64], count: int, theirs: bytes) -> tuple[int, int]:
    """Take in their parities, correct what is found, ask on and answer that from the own bits.

    With no questions behind it (``count`` 0) this asks for the blocks of the first pass.
    ``search`` is by frame: stage, mask, low, high, odd masks, blocks that wait, the size of the
    smallest of these. Returns how many questions follow and how many corrections were made;
    (-1, 0) if there were more corrections or questions than there can be: only false answers lead
    there.
    """
    frames, rows, words = desk[_FRAMES], desk[_ROWS], desk[_WORDS]
    bits, capacity = words * 64, desk[_CAPACITY]
    state = carray(pointer_to_words(desk[_STATE]), frames * rows * 8)
    search = carray(pointer_to_numbers(desk[_SEARCH]), (frames, _FIELDS))
    layout = carray(pointer_to_numbers(desk[_LAYOUT]), 2 + 2 * PASSES)
    places = carray(pointer_to_places(desk[_PLACES]), (PASSES - 1, bits))
    origins = carray(pointer_to_places(desk[_ORIGINS]), (PASSES - 1, bits))
    masks = carray(pointer_to_words(desk[_MASKS]), (MASKS, words))
    paths = carray(pointer_to_words(desk[_PATHS]), 128)
    lists = carray(pointer_to_words(desk[_LISTS]), (2, 4 * bits))
    waits = carray(pointer_to_codes(desk[_WAITS]), (frames, _MOST_WAITING))
    questions = carray(pointer_to_words(desk[_QUESTIONS]), capacity)
    following = carray(pointer_to_words(desk[_FOLLOWING]), capacity)
    own = carray(pointer_to_bytes(desk[_OWN]), (capacity + 7) >> 3)
    next_own = carray(pointer_to_bytes(desk[_NEXT_OWN]), (capacity + 7) >> 3)
    message = carray(pointer_to_bytes(desk[_MESSAGE]), 2 * frames + 3 * capacity)
    lines = carray(pointer_to_words(desk[_LINES]), (2, words))
    line, other_line = lines[0], lines[1]
    orders = carray(pointer_to_numbers(desk[_ORDERS]), (PASSES - 1, ROUNDS, words))
    turns = carray(pointer_to_bytes(desk[_TURNS]), (PASSES - 1, ROUNDS, words))
    message[: 2 * frames] = 0
    slack = desk[_SLACK]
    leaves, blocks = lists[0], lists[1]
    most = _most_questions(bits)
    asked = 0
    flips = 0
    at = 0
    if count == 0:
        for frame in range(frames):
            first_asked = asked
            asked = _open_stage(
                frame, search, layout, following, asked, state, orders, turns, line, other_line
            )
            _ask(
                frame, following, first_asked, asked, state, search, masks, layout,
                next_own, message, line,
            )  # fmt: skip
    while at < count:
        frame = np.int64(questions[at] >> np.uint64(32))
        depth = 0
        waiting = 0
        sum_ = np.uint64(0)
        first_asked = asked
        # All answers first: they tell of the time before this round's corrections.
        while at < count and np.int64(questions[at] >> np.uint64(32)) == frame:
            code = questions[at]
            kind = np.int64((code >> np.uint64(24)) & np.uint64(255))
            size = np.int64((code >> np.uint64(16)) & np.uint64(255))
            start = np.int64(code & np.uint64(0xFFFF))
            odd = np.uint64((np.int64(theirs[at >> 3]) ^ np.int64(own[at >> 3])) >> (at & 7))
            odd &= np.uint64(1)
            at += 1
            if kind < _MASK and size < layout[2 + kind]:
                other = _learn_halves(state, frame, kind, size, start, odd, layout)
                right = code + (np.uint64(1) << np.uint64(size))
                if size == 0:
                    leaves[depth] = code
                    depth += np.int64(odd)
                    leaves[depth] = right
                    depth += np.int64(other)
                    if odd | other:
                        place = start + np.int64(other)
                        if kind:
                            place = np.int64(origins[kind - 1, place])
                        base = desk[_STATE] + 64 * frame * rows
                        fetch_ahead(base + 64 * (place >> 6))
                        for pass_ in range(1, min(search[frame, 0] + 1, PASSES)):
                            there = np.int64(places[pass_ - 1, place])
                            fetch_ahead(base + 64 * (pass_ * words + (there >> 6)))
                else:
                    blocks[waiting] = code
                    waiting += np.int64(odd)
                    blocks[waiting] = right
                    waiting += np.int64(other)
            elif kind < _MASK:
                _learn(state, frame, kind, size, start, odd, layout)
                sum_ ^= odd
                blocks[waiting] = code
                waiting += np.int64(odd)
                last = bits - (1 << size)
                if kind and start + (1 << size) == last:
                    _learn(state, frame, kind, size, last, sum_, layout)
                    blocks[waiting] = _code(frame, kind, size, last)
                    waiting += np.int64(sum_)
            elif kind == _MASK:
                search[frame, 4] |= np.int64(odd) << size
            else:
                low, high = search[frame, 2], search[frame, 3]
                middle = (low + high) >> 1
                if odd:
                    high = middle
                else:
                    low = middle
                search[frame, 2], search[frame, 3] = low, high
                if high - low == 1:
                    leaves[depth] = _code(frame, 0, 0, low)
                    depth += 1
                else:
                    following[asked] = code
                    asked += 1
        item = 0
        largest = 99
        while True:
            # Certain corrections first: they may make other blocks even, and save questions.
            while depth:
                depth -= 1
                code = leaves[depth]
                kind = np.int64((code >> np.uint64(24)) & np.uint64(255))
                place = np.int64(code & np.uint64(0xFFFF))
                row, node = _row(frame, kind, 0, place, layout)
                known = _bit(state, row, 0, node)
                if known and not _bit(state, row, 2, node):
                    continue  # found in two passes at once
                if kind:
                    place = np.int64(origins[kind - 1, place])
                flips += 1
                if flips > desk[_FLIPS] or max(waiting, depth) + PASSES > leaves.size:
                    return -1, 0
                depth, waiting = _flip(
                    frame, place, state, places, search, masks, paths, layout,
                    leaves, blocks, depth, waiting,
                )  # fmt: skip
            if item == 0:
                smallest = 99
                for other_item in range(waiting):
                    code = blocks[other_item]
                    size = np.int64((code >> np.uint64(16)) & np.uint64(255))
                    if size < smallest and _is_odd(code, state, layout):
                        smallest = size
                if search[frame, 5] and search[frame, 6] <= max(smallest + slack, _PATIENT):
                    waiting, smallest = _end_of_wait(
                        frame, smallest, slack, state, search, waits, layout, blocks, waiting
                    )
                largest = max(smallest + slack, _PATIENT)
            if item == waiting:
                if asked > first_asked or not search[frame, 5]:
                    break
                item = waiting = 0  # what all waited for became even by itself
                search[frame, 6] = 0
                continue
            if asked - first_asked >= most:
                return -1, 0
            code = blocks[item]
            item += 1
            size = np.int64((code >> np.uint64(16)) & np.uint64(255))
            if size > largest and search[frame, 5] < _MOST_WAITING:
                waits[frame, search[frame, 5]] = np.uint32(code & np.uint64(0xFFFFFFFF))
                search[frame, 5] += 1
                search[frame, 6] = min(search[frame, 6], size)
                continue
            found, code = _descend(code, state, layout)
            if found:
                if (code >> np.uint64(16)) & np.uint64(255):
                    following[asked] = code
                    asked += 1
                else:
                    # A left bit that was not compared is a question; a known odd one is wrong.
                    kind = np.int64((code >> np.uint64(24)) & np.uint64(255))
                    place = np.int64(code & np.uint64(0xFFFF))
                    row, node = _row(frame, kind, 0, place, layout)
                    if _bit(state, row, 0, node):
                        leaves[0] = code
                        depth = 1
                    else:
                        following[asked] = code
                        asked += 1
        if asked == first_asked:
            asked = _open_stage(
                frame, search, layout, following, asked, state, orders, turns, line, other_line
            )
        # While the frame's rows are near at hand.
        _ask(
            frame, following, first_asked, asked, state, search, masks, layout,
            next_own, message, line,
        )  # fmt: skip
    return asked, flips


def _paths() -> Words:
    """Return for heap node i the mask of its ancestors."""
    paths = np.zeros(128, np.uint64)
    for node in range(1, 128):
        above = node >> 1
        while above:
            paths[node] |= np.uint64(1 << above)
            above >>= 1
    return paths


def block_sizes(error_rate: float) -> tuple[int, int, int]:
    """Return log2 of the block sizes of the three passes for an error rate in (0, 0.5)."""
    wanted = log2(1 / min(max(error_rate, 1e-4), 0.25)) - 0.5
    first = min(max(ceil(wanted), 1), _LARGEST_BLOCK - 2)
    second = min(max(ceil((wanted + 12) / 2), first + 1), _LARGEST_BLOCK - 1)
    return first, second, _LARGEST_BLOCK


def _aligned_rows(frames: int, rows: int) -> NDArray[np.uint64]:
    """Return zeros, shape (frames, rows, 8), each row a cache line of its own."""
    room = np.zeros(frames * rows * 8 + 8, np.uint64)
    first = (-room.ctypes.data >> 3) & 7
    return room[first : first + frames * rows * 8].reshape(frames, rows, 8)


class _Orders:
    """The orders of a frame's bits in the second and third pass, and the masks: all public."""

    def __init__(self, bits: int) -> None:
        source = np.random.PCG64(_SEED)
        self.shuffles = [Shuffle(bits, bit_source=source) for _ in range(PASSES - 1)]
        origins = [shuffle.origins() for shuffle in self.shuffles]
        self.origins = np.stack(origins).astype(np.uint16)
        self.places = np.empty_like(self.origins)
        for kind, row in enumerate(origins):
            self.places[kind, row] = np.arange(bits, dtype=np.uint16)
        self.masks = source.random_raw((MASKS, bits // 64))
        self.paths = _paths()
        rounds = [shuffle.rounds for shuffle in self.shuffles]
        self.orders = np.array([[order for order, _ in one] for one in rounds], np.int64)
        self.turns = np.array([[turns for _, turns in one] for one in rounds], np.uint8)


_KNOWN: dict[int, _Orders] = {}


def _orders(words: Words, frame_bits: int) -> _Orders:
    """Return the public orders of frames of this size."""
    power_of_two = frame_bits & (frame_bits - 1) == 0
    if not (power_of_two and SQUARE <= frame_bits <= FRAME_BITS):
        raise ValueError(f"a frame of {frame_bits} bits: expected a power of two, 4096 to 65536")
    if words.size == 0 or words.size * 64 % frame_bits:
        raise ValueError(f"{words.size} words are no whole frames of {frame_bits} bits")
    if frame_bits not in _KNOWN:
        _KNOWN[frame_bits] = _Orders(frame_bits)
    return _KNOWN[frame_bits]


class CascadeAlice:
    """Who answers.

    Args:
        words: the bits, packed, whole frames of ``frame_bits``.
        frame_bits: a power of two, 4 096 to 65 536.
    """

    def __init__(self, words: Words, *, frame_bits: int = FRAME_BITS) -> None:
        orders = _orders(words, frame_bits)
        laid = np.empty((PASSES, words.size), np.uint64)
        laid[0] = words
        count = frame_bits // 64
        for kind, shuffle in enumerate(orders.shuffles, 1):
            for at in range(0, words.size, count):
                laid[kind, at : at + count] = shuffle.apply(words[at : at + count])
        self.frames = words.size * 64 // frame_bits
        self.frame_bits = frame_bits
        self.disclosed = 0
        self.rounds = 0
        self._out = np.empty(self.frames << 13, np.uint8)
        self._said = memoryview(self._out)
        self._kept = (laid, orders.masks, self._out)
        addresses = [one.ctypes.data for one in self._kept]
        self._desk = np.array([self.frames, frame_bits // 64, *addresses], np.int64)

    def answer(self, questions: bytes) -> bytes:
        """Return the parities asked for, eight a byte.

        Raises:
            DivergedError: if these are no questions, or more than can be answered without
                telling nearly all of the key.
        """
        asked = _answer(self._desk, questions)
        if asked < 0:
            raise DivergedError(gettext_noop("these are no questions of Cascade"))
        self.disclosed += asked
        self.rounds += 1
        if self.disclosed > _MOST_DISCLOSED * self.frames * self.frame_bits:
            raise DivergedError(gettext_noop("Cascade does not come to an end: too many errors"))
        return self._said[: (asked + 7) >> 3].tobytes()


class CascadeBob:
    """Who asks, and whose bits become Alice's.

    Args:
        words: the bits, packed, whole frames of ``frame_bits``.
        error_rate: what to expect; a wrong guess costs bits, never correctness.
        frame_bits: a power of two, 4 096 to 65 536.
        slack: how many times (as a power of two) a block may be larger than the smallest odd one
            of its frame before it waits; less slack discloses less and takes more rounds.
    """

    def __init__(
        self,
        words: Words,
        *,
        error_rate: float,
        frame_bits: int = FRAME_BITS,
        slack: int = SLACK,
    ) -> None:
        orders = _orders(words, frame_bits)
        self.frames = words.size * 64 // frame_bits
        self.frame_bits = frame_bits
        self.disclosed = 0
        self.rounds = 0
        self.corrections = 0
        sizes = block_sizes(error_rate)
        count = frame_bits // 64
        tops, rows = [], PASSES * count
        for size in sizes:
            tops.append(rows)
            rows += frame_bits >> size if size > 6 else 0
        layout = np.array([count, rows, *sizes, *tops], np.int64)
        self._rows = _aligned_rows(self.frames, rows)
        self._rows[:, :count, 6] = words.reshape(self.frames, count)
        search = np.zeros((self.frames, _FIELDS), np.int64)
        search[:, 0] = -1
        search[:, 6] = ANY_SLACK
        capacity = self.frames * ((frame_bits >> 1) + MASKS) + 8
        message = np.empty(2 * self.frames + 3 * capacity, np.uint8)
        self._said = memoryview(message)
        room = (capacity + 7) >> 3
        self._kept = (
            self._rows, search, layout, orders.places, orders.origins, orders.masks, orders.paths,
            orders.orders, orders.turns, np.empty((2, 4 * frame_bits), np.uint64),
            np.empty((self.frames, _MOST_WAITING), np.uint32), np.empty((2, count), np.uint64),
            np.empty(capacity, np.uint64), np.empty(capacity, np.uint64),
            np.empty(room, np.uint8), np.empty(room, np.uint8), message,
        )  # fmt: skip
        self._desk = np.array(
            [
                *(one.ctypes.data for one in self._kept),
                *(self.frames, rows, count, slack, capacity, _MOST_FLIPS * words.size * 64),
            ],
            np.int64,
        )
        self.asked = 0
        self._go_on(b"\0")

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to ask."""
        return self.asked == 0

    @property
    def questions(self) -> bytes:
        """This round's questions: how many for each frame, then three bytes each."""
        return self._said[: 2 * self.frames + 3 * self.asked].tobytes()

    def absorb(self, answers: bytes) -> None:
        """Go on with Alice's answers of this round.

        Raises:
            DivergedError: if they are too few or too many, or contradict each other beyond what
                bits on the line can do.
        """
        if len(answers) != (self.asked + 7) >> 3:
            raise DivergedError(gettext_noop("a round of Cascade has another length than expected"))
        self.disclosed += self.asked
        self.rounds += 1
        if self.disclosed > _MOST_DISCLOSED * self.frames * self.frame_bits:
            raise DivergedError(gettext_noop("Cascade does not come to an end: too many errors"))
        self._go_on(answers)

    def _go_on(self, answers: bytes) -> None:
        desk = self._desk
        asked, flips = _absorb(desk, self.asked, answers)
        if asked < 0:
            raise DivergedError(gettext_noop("Cascade does not come to an end: too many errors"))
        self.corrections += flips
        desk[_FLIPS] -= flips
        desk[_QUESTIONS], desk[_FOLLOWING] = desk[_FOLLOWING], desk[_QUESTIONS]
        desk[_OWN], desk[_NEXT_OWN] = desk[_NEXT_OWN], desk[_OWN]
        self.asked = asked

    def words(self) -> Words:
        """Return the bits as corrected so far, packed."""
        count = self.frame_bits // 64
        return np.ascontiguousarray(self._rows[:, :count, 6]).reshape(-1)
