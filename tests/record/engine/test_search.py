"""Terms of full-text search, alike for English and Japanese."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.record import engine


def found(text, query):
    """Search as the indexes do: every term of the query stands in the text, or begins a term."""
    index = engine.index_terms(text)
    terms = engine.query_terms(query)
    return bool(terms) and all(
        any(entry.startswith(term) if longer else entry == term for entry in index)
        for term, longer in terms
    )


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("University of Tsukuba", "tsuku"),
        ("University of Tsukuba", "TSUKUBA university"),
        ("筑波大学", "筑波"),
        ("筑波大学", "大"),
        ("日米人工知能研究", "人工知能"),
        ("Zürich", "zurich"),
        ("ＡＩ研究", "ai"),
        ("ガス", "ガス"),
        ("ｶﾞｽ", "ガス"),
        ("5G-digital", "5g"),
        ("量子quantum計算", "quantum"),
    ],
)
def test_what_is_found(text, query):
    assert found(text, query)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Tsukuba", "kuba"),
        ("ガス", "カス"),
        ("筑波大学", "京大"),
        ("quantum", "quantums"),
        ("a", ""),
    ],
)
def test_what_is_not_found(text, query):
    assert not found(text, query)


@pytest.mark.parametrize("query", ["", " ", "%", "*", "' \" -- ;", "😀", "()", "_"])
def test_signs_alone_are_no_terms(query):
    assert engine.query_terms(query) == []


@given(st.text(max_size=60))
def test_terms_hold_no_operators(text):
    for term in [*engine.index_terms(text), *(term for term, _ in engine.query_terms(text))]:
        assert term
        assert not set(term) & set(" \"'*:&|!()<>-_%\\\x00")


@given(st.text(min_size=1, max_size=30))
def test_a_text_is_found_by_itself(text):
    if engine.query_terms(text):
        assert found(text, text)


def test_a_query_has_few_terms():
    assert len(engine.query_terms(" ".join(f"w{number}" for number in range(100)))) == 12
