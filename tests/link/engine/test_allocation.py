"""Two managers' counters: nothing is used twice, whatever is lost, restored or set back."""

import copy
import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from renkei.link import engine
from renkei.link.engine import Batch, Counters, Extent, Position


def test_keys_are_placed_whole_and_in_order():
    assert engine.place(Position(1, 8), [(1, 100), (2, 100)], size=32, number=4) == (
        Extent(1, 8, 64),
        Extent(2, 0, 64),
    )


def test_an_empty_pool_says_how_much_it_lacks():
    with pytest.raises(engine.PoolEmptyError, match="4 keys of 256 bits are asked for and 1 are"):
        engine.place(Position(), [(1, 100)], size=32, number=4)


@given(st.binary(min_size=14, max_size=14), st.integers(0, 65535))
def test_key_identifiers_are_uuids_and_are_read_back(random, index):
    prefix = engine.new_prefix(random)
    name = engine.key_id(prefix, index)

    assert uuid.UUID(name).version == 8
    assert uuid.UUID(name).variant == uuid.RFC_4122
    assert engine.parse_key_id(name) == (prefix, index)
    assert engine.parse_key_id(name.upper()) == (prefix, index)


@pytest.mark.parametrize("text", ["", "x", "0" * 31, "not-a-uuid-at-all-not-a-uuid-at-all-"])
def test_what_is_no_uuid_is_no_key(text):
    assert engine.parse_key_id(text) is None


def allocation(*extents, size=32, prefix="0" * 28):
    return engine.Allocation(prefix, "us.a", ("jp.b",), size, tuple(extents))


def test_a_batch_survives_its_journey():
    batch = Batch(
        Counters(Position(1, 0), 3),
        Counters(Position(2, 32), 5),
        (allocation(Extent(1, 0, 64), Extent(2, 0, 32)),),
    )
    assert engine.from_json(json.loads(json.dumps(engine.to_json(batch)))) == batch


@pytest.mark.parametrize(
    "wrong",
    [
        Batch(Counters(), Counters(Position(1, 33)), (allocation(Extent(1, 0, 33)),)),
        Batch(Counters(), Counters(Position(1, 32)), (allocation(Extent(1, 0, 64)),)),
        Batch(Counters(), Counters(Position(1, 0))),
        Batch(Counters(delivered=3), Counters(delivered=2)),
        Batch(
            Counters(),
            Counters(Position(1, 64)),
            (allocation(Extent(1, 0, 64)), allocation(Extent(1, 32, 32))),
        ),
        Batch(
            Counters(),
            Counters(Position(1, 32)),
            (allocation(Extent(2, 0, 32), Extent(1, 0, 32)),),
        ),
        Batch(
            Counters(), Counters(Position(1, 32)), (allocation(Extent(1, 0, 32), prefix="../../x"),)
        ),
        Batch(Counters(), Counters(Position(1, 0)), (allocation(size=0),)),
    ],
)
def test_what_no_honest_manager_says_is_refused(wrong):
    with pytest.raises(engine.BadAllocationError):
        engine.accept(Counters(), wrong)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_no_message_breaks_the_reader(said):
    with pytest.raises(engine.BadAllocationError):
        engine.from_json(said)


@pytest.mark.parametrize("counters", [[1, 2], [1, 2, -3], [1, 2, True], [1.0, 2, 3], "123", None])
def test_counters_are_three_natural_numbers(counters):
    with pytest.raises(engine.BadAllocationError, match="three natural numbers"):
        engine.counters_from_json(counters)


@pytest.mark.parametrize(
    "before",
    [Counters(Position(2, 31), 7), Counters(Position(1, 99), 7), Counters(Position(2, 32), 6)],
)
def test_a_node_that_went_back_is_told_what_is_remembered(before):
    remembered = Counters(Position(2, 32), 7)
    with pytest.raises(engine.RolledBackError) as refused:
        engine.accept(remembered, Batch(before, before))

    assert refused.value.remembered == remembered
    assert engine.catch_up(before, remembered) == remembered


@given(
    st.dictionaries(st.integers(0, 5), st.sampled_from("ab")),
    st.dictionaries(st.integers(0, 5), st.sampled_from("ab")),
)
def test_both_sides_settle_on_the_same_blocks(mine, theirs):
    mine = {number: (engine.BlockState.PENDING, mark) for number, mark in mine.items()}
    theirs = {number: (engine.BlockState.READY, mark) for number, mark in theirs.items()}

    def left(decided):
        return {number for number, state in decided.items() if state is not None}

    one, other = engine.settle(mine, theirs), engine.settle(theirs, mine)

    assert set(one) == set(mine)
    assert left(one) == left(other)
    assert all(mine[number][1] == theirs[number][1] for number in left(one))


class Managers(RuleBasedStateMachine):
    """One manager that allocates, one that remembers; messages are lost and the first is set back."""

    def __init__(self):
        super().__init__()
        self.own, self.remembered = Counters(), Counters()
        self.copy = copy.deepcopy(self.own)
        self.given: set[tuple[int, int]] = set()
        self.blocks = [(number, 100) for number in range(1, 40)]

    @rule(
        size=st.integers(1, 40),
        number=st.integers(1, 3),
        lost=st.sampled_from(["", "ask", "answer"]),
    )
    def allocate(self, size, number, lost):
        try:
            extents = engine.place(self.own.allocated, self.blocks, size=size, number=number)
        except engine.PoolEmptyError:
            return
        before = self.own
        self.own = Counters(extents[-1].end, before.delivered + number)
        if lost == "ask":
            return
        try:
            self.remembered = engine.accept(
                self.remembered, Batch(before, self.own, (allocation(*extents, size=size),))
            )
        except engine.RolledBackError as error:
            self.own = engine.catch_up(self.own, error.remembered)
            return
        if lost == "answer":
            return
        used = {(part.block, at) for part in extents for at in range(part.offset, part.end.offset)}
        assert not used & self.given
        self.given |= used

    @rule()
    def back_up(self):
        self.copy = self.own

    @rule()
    def restore(self):
        self.own = self.copy

    @precondition(lambda self: self.given)
    @invariant()
    def what_was_given_is_behind_what_is_remembered(self):
        assert all(Position(*one) < self.remembered.allocated for one in self.given)


Managers.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestManagers = Managers.TestCase
