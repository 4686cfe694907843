"""What is an agreement, and what is refused and why."""

import json
import random

import jsonschema
import pytest
from tests.border.agreements import agreement, changed, genome, limit, random_agreement, rule

from renkei.border import engine

SCHEMA = jsonschema.Draft202012Validator(engine.agreement_schema())


def test_the_hash_is_of_the_canonical_document():
    """Order of members and white space are not part of what was agreed."""
    document = genome()
    shuffled = dict(sorted(document.items(), reverse=True))

    assert engine.parse_agreement(document).hash == engine.parse_agreement(shuffled).hash
    assert engine.parse_agreement(changed(document, ["version"], 2)).hash != engine.document_hash(
        document
    )


def test_a_known_hash_of_a_text():
    """SHA-256 of "abc": FIPS 180-4, example B.1; a Japanese text is hashed as UTF-8."""
    assert engine.text_hash("abc").startswith("ba7816bf8f01cfea414140de5dae2223")
    assert engine.text_hash("規則") == engine.text_hash(b"\xe8\xa6\x8f\xe5\x89\x87".decode())


def test_an_agreement_says_what_was_written():
    one = engine.parse_agreement(genome())

    assert one.assignees == ("US", "KR")
    assert one.targets == ("urn:jp:genome-17", "urn:jp:soil-3")
    assert [clause.id for clause in one.clauses] == ["c1", "c2", "c3", "p1", "p2", "p3", "o1"]
    assert [duty.id for duty in one.clauses[0].duties] == ["c1.1", "r1"]
    assert one.clauses[0].text["ja"].endswith("閲覧できる。")
    assert all(clause.unknown is None for clause in one.clauses)


def test_typed_literals_say_the_same_as_plain_ones():
    """ODRL in JSON-LD writes values with their type."""
    typed = {"@value": "2027-03-31T00:00:00Z", "@type": "xsd:dateTime"}
    plain = agreement(permission=[rule("c", "read", limit("dateTime", "lteq", typed["@value"]))])
    wrapped = agreement(permission=[rule("c", "read", limit("dateTime", "lteq", typed))])
    listed = agreement(
        permission=[rule("c", "read", {"and": {"@list": [limit("dateTime", "lteq", typed)]}})]
    )

    wanted = [
        next(engine.parse_agreement(one).clauses[0].condition.tests()).wanted
        for one in (plain, wrapped, listed)
    ]

    assert wanted[0] == wanted[1] == wanted[2]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["permission", 0, "action"], "sell"),
        (["permission", 0, "constraint", 0, "leftOperand"], "industry"),
        (["permission", 0, "constraint", 0, "operator"], "isPartOf"),
        (["permission", 0, "constraint", 0, "operator"], "lt"),
        (["permission", 0, "constraint", 0, "unit"], "dollar"),
        (["permission", 0, "constraint", 0, "dataType"], "xsd:date"),
        (["permission", 0, "constraint", 0, "@type"], "Refinement"),
        (["permission", 0, "constraint", 2, "rightOperand"], "2027-03-31"),
        (["permission", 0, "constraint", 2, "rightOperand"], "2027-03-31T00:00:00"),
        (["permission", 0, "constraint", 2, "rightOperand"], 1_800_000_000),
        (
            ["permission", 0, "constraint", 2, "rightOperand"],
            {"@value": "2027-03-31T00:00:00Z", "@type": "xsd:date"},
        ),
        (["permission", 1, "constraint", 1, "rightOperand"], "P1M"),
        (["permission", 1, "constraint", 1, "rightOperand"], "P1Y"),
        (["permission", 1, "constraint", 1, "rightOperand"], "PT"),
        (["permission", 2, "constraint", 0, "rightOperand"], -1),
        (["permission", 2, "constraint", 0, "rightOperand"], 2.5),
        (["permission", 2, "constraint", 0, "rightOperand"], "3"),
        (["permission", 2, "constraint", 0, "rightOperand"], True),
        (["permission", 2, "constraint", 1, "rightOperand"], "Japan"),
        (["permission", 2, "constraint", 2, "rightOperand"], "ours"),
        (["permission", 1, "constraint", 2], {"xone": [limit("purpose", "eq", "x")]}),
        (["permission", 0, "duty", 0, "action"], "compensate"),
        (["permission", 0, "duty", 0, "constraint"], [limit("purpose", "eq", "x")]),
        (["permission", 0, "duty", 0, "consequence"], []),
        (["permission", 0, "remedy"], []),
        (["prohibition", 0, "duty"], []),
        (["permission", 0, "@type"], "Set"),
        (["profile"], "http://example.com/odrl:profile:99"),
        (["inheritFrom"], "urn:renkei:agreement:0"),
    ],
)  # fmt: skip
def test_what_the_profile_does_not_have_is_refused_with_its_place(path, value):
    document = changed(genome(), path, value)

    with pytest.raises(engine.UnknownTermError) as refused:
        engine.parse_agreement(document)

    place = path[0] if isinstance(path[-1], str) and len(path) == 1 else f"{path[0]}[{path[1]}]"
    assert place in str(refused.value) or "agreement" in str(refused.value)
    assert not SCHEMA.is_valid(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["@type"], "Offer"), (["version"], 0), (["version"], True), (["timestamp"], "today"),
        (["assigner"], ""), (["assignee"], []), (["assignee"], ["US", "US"]), (["target"], 7),
        (["permission"], {}), (["permission", 0], "read"), (["permission", 0, "@id"], "a b"),
        (["permission", 0, "constraint"], {}), (["permission", 0, "constraint", 0], []),
        (["permission", 1, "constraint", 2], {"or": []}),
        (["permission", 0, "duty", 0, "constraint"], []),
        (["permission", 0, "constraint", 0, "rightOperand"], []),
    ],
)  # fmt: skip
def test_a_document_of_another_shape_is_refused(path, value):
    document = changed(genome(), path, value)

    with pytest.raises(engine.BadAgreementError):
        engine.parse_agreement(document)
    assert not SCHEMA.is_valid(document)


@pytest.mark.parametrize("missing", [name for name in agreement() if name != "@context"])
def test_every_member_of_the_head_is_needed(missing):
    document = genome()
    del document[missing]

    with pytest.raises(engine.BadAgreementError, match=missing):
        engine.parse_agreement(document)
    assert not SCHEMA.is_valid(document)


def test_an_agreement_without_clauses_and_one_with_a_name_twice_are_refused():
    with pytest.raises(engine.BadAgreementError, match="no clause"):
        engine.parse_agreement(agreement(permission=[]))
    twice = agreement(permission=[rule("c", "read")], prohibition=[rule("c", "read")])
    with pytest.raises(engine.BadAgreementError, match="two clauses have the @id c"):
        engine.parse_agreement(twice)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("language", "text"), [("en", None), ("ja", None), ("ja", ""), ("en", "  "), ("ja", "Only English")]
)  # fmt: skip
def test_a_clause_without_both_texts_is_refused_even_when_sealed(language, text, strict):
    document = genome()
    document["permission"][1]["text"][language] = text

    with pytest.raises(engine.MissingTextError, match=r"permission\[1\]\.text.*" + language):
        engine.parse_agreement(document, strict=strict)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_text_that_is_not_the_hashed_one_is_refused_even_when_sealed(language, strict):
    document = genome()
    document["permission"][1]["text"][language] += " "

    with pytest.raises(engine.TextHashError, match=r"permission\[1\].*" + language):
        engine.parse_agreement(document, strict=strict)


def test_a_draft_is_given_its_hashes_and_a_wrong_one_is_left_to_be_found():
    document = genome()
    wanted = document["permission"][0].pop("textHash")
    document["permission"][1]["textHash"] = {"en": "0" * 64, "ja": "0" * 64}

    done = engine.complete(document)

    assert done["permission"][0]["textHash"] == wanted
    with pytest.raises(engine.TextHashError):
        engine.parse_agreement(done)


@pytest.mark.parametrize("seed", range(40))
def test_the_schema_accepts_what_the_parser_accepts(seed):
    document = random_agreement(random.Random(seed), f"urn:renkei:agreement:{seed}")

    engine.parse_agreement(document)

    SCHEMA.validate(document)


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(engine.agreement_schema())


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[" * 100_000,
        b" " * 300_000 + b"{}",
    ],
    ids=["empty", "cut", "not utf-8", "twice", "nan", "deep", "long"],
)  # fmt: skip
def test_bytes_that_are_no_strict_json_are_refused(content):
    with pytest.raises(engine.BadAgreementError):
        engine.read_document(content)


def test_deep_and_huge_documents_are_refused():
    deep = limit("purpose", "eq", "x")
    for _ in range(9):
        deep = {"and": [deep]}
    with pytest.raises(engine.BadAgreementError, match="levels deep"):
        engine.parse_agreement(agreement(permission=[rule("c", "read", deep)]))
    long = [rule(f"c{at}", "read", ja="長" * 3_000) for at in range(10)]
    with pytest.raises(engine.BadAgreementError, match="at most 57344"):
        engine.parse_agreement(agreement(permission=long))
    # What both sealed is read in its unknown words too, but must have one spelling.
    for value, said in ((2**60, "canonical"), ("\x00", "no text has"), ("\ud800", "canonical")):
        sealed = agreement(permission=[rule("c", "read", limit("industry", "eq", value))])
        with pytest.raises(engine.BadAgreementError, match=said):
            engine.parse_agreement(sealed, strict=False)


def test_a_reason_survives_json():
    why = engine.Reason("{a}: {b}", {"a": 1, "b": engine.Reason("inner {c}", {"c": "x"})})

    again = engine.Reason.from_json(json.loads(json.dumps(why.to_json())))

    assert again == why
    assert str(again) == "1: inner x"
