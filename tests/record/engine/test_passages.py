"""Documents and the places in them."""

import hashlib
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.record import engine


def test_offsets_count_code_points():
    text = engine.read("é日😀x".encode())
    assert (len(text), text[3]) == (4, "x")


def test_the_digest_is_sha256():
    """FIPS 180-4: the digest of "abc"."""
    assert engine.digest(b"abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


@given(st.binary(max_size=200))
def test_what_is_read_is_what_was_written(content):
    is_text = bool(content) and b"\x00" not in content
    with suppress(UnicodeDecodeError):
        if is_text and content.decode():
            assert engine.read(content).encode() == content
            assert engine.digest(content) == hashlib.sha256(content).hexdigest()
            return
    with pytest.raises(engine.BadDocumentError):
        engine.read(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"ab\xff", "byte 2"), (b"a\x00", "NUL character at 1"), (b"\xed\xa0\x80", "UTF-8")],
)  # fmt: skip
def test_what_is_no_text_is_refused(content, said):
    with pytest.raises(engine.BadDocumentError, match=said):
        engine.read(content)


def test_size_is_refused_before_reading():
    engine.check_size(engine.LARGEST_DOCUMENT_BYTES)
    with pytest.raises(engine.BadDocumentError, match="at most"):
        engine.check_size(engine.LARGEST_DOCUMENT_BYTES + 1)


@given(st.text(min_size=1, max_size=80), st.data())
def test_an_excerpt_is_a_piece_of_the_text(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    context = data.draw(st.integers(0, 20))

    shown = engine.excerpt(text, start, end, context=context)

    assert shown.passage == text[start:end]
    assert text[:start].endswith(shown.before)
    assert text[end:].startswith(shown.after)
    assert len(shown.before) <= context >= len(shown.after)
    assert shown.cut_before or start <= context
    assert shown.cut_after or len(text) - end <= context


def test_an_excerpt_is_cut_at_words():
    shown = engine.excerpt("one two three four five", 8, 13, context=6)
    assert (shown.before, shown.passage, shown.after) == ("two ", "three", " four")


@pytest.mark.parametrize(("start", "end"), [(3, 3), (4, 2), (-1, 2), (0, 6), (5, 6)])
def test_a_passage_outside_is_refused(start, end):
    with pytest.raises(engine.BadDocumentError, match="lies outside"):
        engine.excerpt("12345", start, end)


def test_a_quotation_is_located_whatever_its_white_space():
    text = "The parties\n  will (jointly) spend $40 million."
    start, end = engine.locate(text, " parties will  (jointly)\tspend ")
    assert text[start:end] == "parties\n  will (jointly) spend"


@pytest.mark.parametrize(
    ("quotation", "said"),
    [("", "empty"), (" \n", "empty"), ("c", "does not stand"), ("a", "3 places")],
)
def test_a_quotation_that_is_not_in_one_place_is_refused(quotation, said):
    with pytest.raises(engine.BadDocumentError, match=said):
        engine.locate("a b a b a", quotation)


@given(st.text("ab .*+\n", min_size=1, max_size=30), st.data())
def test_what_is_located_reads_as_it_was_quoted(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    quotation = text[start : data.draw(st.integers(start + 1, len(text)))]
    words = quotation.split()
    pattern = r"\s+".join(map(re.escape, words))
    if words and len(re.findall(pattern, text)) == 1:
        first, last = engine.locate(text, quotation)
        assert text[first:last].split() == words
    else:
        with pytest.raises(engine.BadDocumentError):
            engine.locate(text, quotation)
