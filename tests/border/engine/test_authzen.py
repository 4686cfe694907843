"""AuthZEN 1.0 in the terms of agreements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.border import engine

BODY = {
    "subject": {"type": "user", "id": "alice@lab.example", "properties": {"party": "US"}},
    "action": {"name": "read"},
    "resource": {
        "type": "dataset",
        "id": "urn:jp:genome-17",
        "properties": {"classification": "internal"},
    },
    "context": {"purpose": "teaching", "spatial": "US", "time": "2026-11-01T00:00Z"},
}


def test_an_evaluation_is_a_request():
    assert engine.from_authzen(BODY) == engine.Request(
        action="read",
        target="urn:jp:genome-17",
        recipient="alice@lab.example",
        recipient_party="US",
        purpose="teaching",
        spatial="US",
        classification="internal",
    )


words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)
maybe = st.one_of(st.just(""), words)


@given(
    st.builds(
        engine.Request,
        action=words,
        target=words,
        recipient=words,
        recipient_party=maybe,
        purpose=maybe,
        spatial=maybe,
        classification=maybe,
        output_type=maybe,
    )
)
def test_out_and_in_again_is_the_same(request_):
    assert engine.from_authzen(engine.to_authzen(request_)) == request_


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subject": None}, "subject must be an object"),
        ({"subject": {"type": "user"}}, "subject.id must be a text"),
        ({"subject": {"id": "alice"}}, "subject.type must be a text"),
        ({"action": {"name": 7}}, "action.name"),
        ({"resource": {"type": "x", "id": ""}}, "resource.id"),
        ({"resource": {"type": "x", "id": "a\u0000"}}, "resource.id"),
        ({"context": []}, "context must be an object"),
        ({"context": {"purpose": ["a", "b"]}}, "context.purpose must be a text"),
        ({"context": {"count": 1}}, "context.count cannot be stated"),
        ({"context": {"dateTime": "2020-01-01T00:00:00Z"}}, "the node measures it itself"),
        ({"context": {"classification": "public"}}, "classification is said twice, and differently"),
        ({"context": {"recipient": "bob"}}, "recipient is said twice"),
        ({"context": {"recipientParty": "JP"}}, "recipientParty is said twice"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(change, said):
    with pytest.raises(engine.BadQuestionError, match=said.replace(".", r"\.")):
        engine.from_authzen(BODY | change)


def test_a_body_that_is_no_object_is_refused():
    for read in (engine.from_authzen, engine.split_evaluations):
        with pytest.raises(engine.BadQuestionError, match="body must be an object"):
            read([BODY])


def test_evaluations_take_what_they_lack_from_the_top():
    top = {name: BODY[name] for name in ("subject", "action", "context")}
    other = {"type": "dataset", "id": "urn:jp:soil-3"}
    body = top | {
        "evaluations": [
            {"resource": BODY["resource"]},
            {"resource": other, "action": {"name": "use"}},
        ]
    }

    items, semantic = engine.split_evaluations(body)

    assert semantic == "execute_all"
    assert engine.from_authzen(items[0]) == engine.from_authzen(BODY)
    assert (items[1]["action"], items[1]["resource"]) == ({"name": "use"}, other)


@pytest.mark.parametrize("evaluations", [{}, {"evaluations": []}])
def test_no_list_is_one_question(evaluations):
    items, _ = engine.split_evaluations(BODY | evaluations)

    assert [engine.from_authzen(item) for item in items] == [engine.from_authzen(BODY)]


@pytest.mark.parametrize(
    "more",
    [
        {"evaluations": {}}, {"evaluations": [1]}, {"evaluations": [{}] * 101}, {"options": []},
        {"options": {"evaluations_semantic": "any"}},
        {"options": {"evaluations_semantic": ["execute_all"]}},
    ],
)  # fmt: skip
def test_a_batch_that_cannot_be_read_is_refused(more):
    with pytest.raises(engine.BadQuestionError):
        engine.split_evaluations(BODY | more)


def test_when_a_batch_stops():
    assert not engine.is_last(False, "execute_all")
    assert engine.is_last(False, "deny_on_first_deny")
    assert not engine.is_last(True, "deny_on_first_deny")
    assert engine.is_last(True, "permit_on_first_permit")
