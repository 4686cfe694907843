"""What a claim may say, field by field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.record import engine


@pytest.mark.parametrize(
    "field",
    ["name", "domain", "parties", "period", "amount", "amount:JP", "amount:joint", "date:signed",
     "target:semiconductor_workers"],
)  # fmt: skip
def test_known_fields(field):
    assert engine.check_field(field) == field


@pytest.mark.parametrize(
    "field",
    ["", "colour", "Name", "amount:", "amount:Japan", "amount:mars", "date:", "date:Signed",
     "date:9", "target:", "target:a b", "name ", "name\n", "date:" + "a" * 40, "\x00"],
)  # fmt: skip
def test_unknown_fields_are_refused_by_name(field):
    with pytest.raises(engine.UnknownFieldError) as refused:
        engine.check_field(field)
    assert repr(field) in str(refused.value)


def test_only_amounts_are_money():
    assert [engine.is_money(name) for name in ("amount", "amount:US", "amounts", "period")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [("US,JP", "JP,US"), (" JP , US,JP", "JP,US"), ("", ""), ("QUAD,EU", "EU,QUAD"), (",", "")],
)
def test_parties_are_sorted_and_named_once(given_text, kept):
    assert engine.parties(given_text) == kept


@pytest.mark.parametrize("text", ["USA", "us", "XX", "US;JP", "UK", "US,Mars", "\ud800"])
def test_unknown_parties_are_refused(text):
    with pytest.raises(engine.UnknownPartyError, match="is not a party"):
        engine.parties(text)


def test_more_parties_than_a_row_holds_are_refused():
    with pytest.raises(engine.BadClaimError, match="too many"):
        engine.parties(",".join(sorted(engine.COUNTRIES)))


@given(st.sets(st.sampled_from(sorted(engine.COUNTRIES)), max_size=30), st.randoms())
def test_parties_do_not_depend_on_order_and_are_stable(codes, random):
    shuffled = sorted(codes)
    random.shuffle(shuffled)
    kept = engine.parties(",".join(shuffled))
    assert kept == ",".join(sorted(codes))
    assert engine.parties(kept) == kept


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("domain", " quantum ", "quantum"),
        ("date:signed", "2025-10", "2025-10"),
        ("period", "P5Y", "P5Y"),
        ("parties", "US,JP", "JP,US"),
        ("target:fellows", "64", "64"),
        ("target:share", "0.5", "0.5"),
        ("name", "  UW–Tsukuba  ", "UW–Tsukuba"),
    ],
)
def test_values_are_kept_in_one_form(field, value, kept):
    assert engine.check_value(field, value) == kept


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("domain", "magic", engine.BadClaimError),
        ("status", "Signed", engine.BadClaimError),
        ("date:signed", "28 October", engine.BadDateError),
        ("period", "five years", engine.BadDateError),
        ("parties", "Mars", engine.UnknownPartyError),
        ("target:fellows", "-1", engine.BadClaimError),
        ("target:fellows", "1e3", engine.BadClaimError),
        ("target:fellows", "NaN", engine.BadClaimError),
        ("target:fellows", "６４", engine.BadClaimError),
        ("name", "", engine.BadClaimError),
        ("name", "a\x00b", engine.BadClaimError),
        ("name", "\ud800", engine.BadClaimError),
        ("name", "x" * 401, engine.BadClaimError),
        ("colour", "red", engine.UnknownFieldError),
    ],
)
def test_values_that_a_field_cannot_have_are_refused(field, value, error):
    with pytest.raises(error):
        engine.check_value(field, value)


def test_a_text_may_have_lines_and_any_script_but_no_controls():
    assert engine.check_text(" 日本語\n\tline 😀 ", what="note") == "日本語\n\tline 😀"
    for bad in ("\x00", "\x1b", "\x7f", "\udfff", "\x0b"):
        with pytest.raises(engine.BadClaimError, match=rf"U\+{ord(bad):04X}"):
            engine.check_text(f"a{bad}b", what="note")


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 40))
def test_passages_lie_inside_the_document(start, end, characters):
    if start < end <= characters:
        assert engine.check_passages([(start, end)], characters=characters) == [(start, end)]
    else:
        with pytest.raises(engine.BadClaimError, match=f"it has {characters} characters"):
            engine.check_passages([(start, end)], characters=characters)


def test_two_documents_of_one_lineage_are_one_line_of_evidence():
    assert engine.corroboration([]) == 0
    assert engine.corroboration(["l1", "l1"]) == 1
    assert engine.corroboration(["l1", "l1", "l3"]) == 2


@pytest.mark.parametrize(
    "text", ["10.1000/182", "https://doi.org/10.1000/182", "doi: 10.1000/182", "HTTP://DX.DOI.ORG/10.1000/182"]
)  # fmt: skip
def test_a_doi_is_kept_without_its_resolver(text):
    """10.1000/182 is the DOI Handbook's own name."""
    assert engine.check_identifier("publication", text) == "10.1000/182"


def test_dois_are_not_case_sensitive():
    """DOI Handbook, 2.4: upper and lower case are one name."""
    assert engine.check_identifier("dataset", "10.5555/AbC") == "10.5555/abc"


@pytest.mark.parametrize("text", ["my paper", "11.1000/182", "10.1/x", "10.1000/", "10.1000/a b"])
def test_a_publication_without_a_doi_is_refused(text):
    with pytest.raises(engine.BadClaimError):
        engine.check_identifier("publication", text)
    assert engine.check_identifier("model", text) == text
