"""One spelling of JSON, checked against RFC 8785 and the reference implementation's port."""

import json
import random

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from renkei.border import engine

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def test_sorting_example_of_rfc_8785():
    """3.2.3: keys are sorted by UTF-16 units, so U+1F600 comes before U+FB33."""
    said = {
        "€": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "😀": "Emoji: Grinning Face",
        "\x80": "Control",
        "ö": "Latin Small Letter O With Diaeresis",
    }

    order = list(json.loads(engine.canonical(said)).values())

    assert order == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_text_example_of_rfc_8785():
    """3.2.2.2, the string of the example in 3.2.2."""
    text = '€$\x0f\nA\'B"\\\\"/'

    assert engine.canonical(text) == b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'


@given(values)
def test_the_spelling_is_that_of_rfc8785(value):
    assert engine.canonical(value) == rfc8785.dumps(value)


@given(values)
def test_what_is_spelled_is_read_back(value):
    assert engine.read_canonical(engine.canonical(value)) == value


@given(values, st.integers(0, 2**32))
def test_any_other_spelling_is_refused(value, seed):
    """Indented, with escapes, or with keys in another order: the meaning is not enough."""
    chance = random.Random(seed)
    other = json.dumps(value, indent=chance.choice([None, 1]), ensure_ascii=chance.random() < 0.5)
    if other.encode() == engine.canonical(value):
        return

    with pytest.raises(engine.NotCanonicalError):
        engine.read_canonical(other.encode())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":1,"a":1}', "'a' stands twice"),
        (b'{"a":1.0}', "1.0 is not a whole number: amounts are texts"),
        (b'{"a":1e3}', "not a whole number"),
        (b"NaN", "NaN is not a whole number"),
        (b"-Infinity", "not a whole number"),
        (b"[-0]", "not in canonical form"),
        (b'{"b":1,"a":2}', "not in canonical form"),
        (b'"\\u0041"', "not in canonical form"),
        (b'["\\ud800"]', "half of a surrogate pair"),
        (b"[9007199254740992]", "beyond 2\\^53"),
        (b"9" * 60_000, "beyond 2\\^53"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "not JSON"),
        (b'"' + b"x" * 65_535 + b'"', "65537 bytes are too many: at most 65535"),
        (b"[" * 33 + b"]" * 33, "nested too deeply"),
        (b"[" * 60_000, "nested too deeply"),
        (b'{"a":' * 10_000, "nested too deeply"),
    ],
)
def test_bytes_with_another_reading_are_refused(data, why):
    with pytest.raises(engine.NotCanonicalError, match=why):
        engine.read_canonical(data)


def test_the_deepest_value_is_read():
    data = b"[" * engine.DEEPEST + b"]" * engine.DEEPEST

    assert engine.canonical(engine.read_canonical(data)) == data


@pytest.mark.parametrize(
    "value",
    [{"amount": 12.5}, [float("nan")], {1: "a"}, {"a": {2.5: 1}}, b"bytes", {"a": {1, 2}}, 2**53],
)
def test_a_value_that_two_programs_may_spell_differently_is_not_spelled(value):
    with pytest.raises(engine.NotCanonicalError):
        engine.canonical(value)


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(data):
    try:
        value = engine.read_canonical(data)
    except engine.NotCanonicalError:
        return
    assert engine.canonical(value) == data
