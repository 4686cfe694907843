"""What agreements decide: worked cases, precedence, what is not known, duties, counts, mutations."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.border import cedar
from tests.border.agreements import agreement, changed, genome, limit, random_case, rule

from renkei.border import engine

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ASK = engine.Request(
    action="read",
    target="urn:jp:genome-17",
    recipient="alice@lab.example",
    recipient_party="US",
    purpose="disease-research",
    spatial="US",
    classification="internal",
    output_type="aggregate",
)


def ask(**changes):
    fields = {name: getattr(ASK, name) for name in engine.Request.__slots__}
    return engine.Request(**fields | changes)


def policies(*documents, strict=True):
    return engine.Policies(engine.parse_agreement(one, strict=strict) for one in documents)


GENOME = policies(genome())


def decide(request, at=NOW, uses=None, under=GENOME):
    return engine.decide(under, request, now=at, uses=uses)


@pytest.mark.parametrize(
    ("request_", "allow", "clause", "why"),
    [
        (ask(), True, "c1", "clause c1 of urn:renkei:agreement:genome permits read"),
        (ask(purpose="screening"), False, "", "purpose is screening, not one of disease-research, teaching"),
        (ask(purpose=""), False, "p1", "purpose is not stated"),
        (ask(recipient="mallory"), False, "", "recipient is mallory"),
        (ask(recipient_party="JP"), False, "", "the recipient belongs to JP"),
        (ask(recipient_party=""), False, "p1", "recipientParty is not stated"),
        (ask(target="urn:jp:other"), False, "", "no agreement in force is about urn:jp:other"),
        (ask(purpose="product"), False, "p1", "clause p1 of urn:renkei:agreement:genome prohibits read"),
        (ask(action="compute"), True, "c2", "permits compute"),
        (ask(action="compute", output_type="raw"), False, "", "outputType is raw"),
        (ask(action="compute", output_type="model"), True, "c2", "permits"),
        (ask(action="compute", output_type="model", classification="restricted"), False, "", "c2"),
        (ask(action="compute", output_type="model", classification=""), False, "", "c2"),
        (ask(action="compute", recipient_party="KR"), False, "", "recipientParty is KR"),
        (ask(action="export"), True, "c3", "permits export"),
        (ask(action="export", spatial="FR"), False, "", "spatial is FR"),
        (ask(action="export", spatial="DE"), False, "p2", "prohibits export"),
        (ask(action="export", spatial=""), False, "p2", "spatial is not stated"),
        (ask(action="export", spatial="Japan"), False, "", "spatial is Japan: expected a country"),
        (ask(classification="ours"), False, "", "classification is ours: expected one of public"),
        (ask(action="use"), False, "", "no clause permits use"),
        (ask(action="sell"), False, "", "the action sell is not known"),
    ],
)  # fmt: skip
def test_worked_cases(request_, allow, clause, why):
    decision = decide(request_)

    assert (decision.allow, decision.clause) == (allow, clause), str(decision.why)
    assert why in str(decision.why)
    assert decision.agreement_hash == (engine.document_hash(genome()) if clause else "")
    assert decision.policy_version == GENOME.version


def test_time_decides():
    assert decide(ask(), at=datetime(2027, 3, 31, tzinfo=UTC)).allow  # lteq: the instant itself
    late = decide(ask(), at=datetime(2027, 3, 31, 0, 0, 1, tzinfo=UTC))
    assert not late.allow
    assert "dateTime is 2027-03-31T00:00:01+00:00" in str(late.why)
    early = decide(ask(), at=datetime(2026, 3, 31, tzinfo=UTC))
    assert not early.allow
    assert "holds from 2026-04-01" in str(early.why)
    compute = ask(action="compute")
    assert not decide(compute, at=datetime(2026, 4, 30, tzinfo=UTC)).allow
    assert decide(compute, at=datetime(2026, 5, 1, tzinfo=UTC)).allow  # thirty days later
    tokyo = datetime(2027, 3, 31, 9, tzinfo=UTC).astimezone()
    assert not decide(ask(), at=tokyo).allow


def test_a_use_is_counted_by_the_caller_and_compared_with_this_one_in_it():
    third = {("urn:renkei:agreement:genome", "c3"): 2}
    fourth = {("urn:renkei:agreement:genome", "c3"): 3}

    assert decide(ask(action="export"), uses=third).allow
    denied = decide(ask(action="export"), uses=fourth)
    assert not denied.allow
    assert "count is 4, above 3" in str(denied.why)
    assert decide(ask(action="export")).counted == (("urn:renkei:agreement:genome", "c3"),)
    assert decide(ask()).counted == ()
    assert denied.counted == ()


def test_use_permits_reading_and_computing_but_never_export():
    under = policies(agreement(permission=[rule("c", "use")]))

    got = {action: decide(ask(action=action), under=under).allow for action in engine.ACTIONS}

    assert got == {"use": True, "read": True, "compute": True, "export": False}


def test_a_prohibition_of_use_forbids_all_and_any_other_itself():
    everything = [rule(f"c-{action}", action) for action in engine.ACTIONS]
    for forbidden in engine.ACTIONS:
        under = policies(agreement(permission=everything, prohibition=[rule("p", forbidden)]))
        for action in engine.ACTIONS:
            expected = forbidden not in {"use", action}
            assert decide(ask(action=action), under=under).allow is expected


def test_a_prohibition_beats_every_permission_of_every_agreement():
    permit = agreement("urn:a", permission=[rule("c", "use")])
    forbid = agreement("urn:z", prohibition=[rule("p", "read", limit("purpose", "eq", "product"))])
    under = policies(permit, forbid)

    assert decide(ask(purpose="teaching"), under=under).allow
    denied = decide(ask(purpose="product"), under=under)
    assert (denied.allow, denied.agreement, denied.clause) == (False, "urn:z", "p")
    unknown = decide(ask(purpose=""), under=under)
    assert not unknown.allow
    assert "may prohibit read, and nothing rules it out: purpose is not stated" in str(unknown.why)


def test_nothing_in_force_permits_nothing():
    denied = decide(ask(), under=policies())

    assert not denied.allow
    assert denied.trace == ()


UNKNOWN = {
    "operand": limit("industry", "eq", "x"),
    "operator": limit("purpose", "isPartOf", "x"),
    "unit": limit("count", "lteq", 5, unit="dollar"),
    "type": limit("dateTime", "lteq", {"@value": "2030-01-01T00:00:00Z", "@type": "xsd:date"}),
    "value": limit("delayPeriod", "lteq", "P1M"),
    "logic": {"xone": [limit("purpose", "eq", "x")]},
    "shape": 7,
}


@pytest.mark.parametrize("constraint", UNKNOWN.values(), ids=UNKNOWN)
def test_what_a_sealed_agreement_says_in_unknown_words_denies_and_says_why(constraint):
    """Even beside an alternative that would be true: nobody knows what was agreed."""
    either = {"or": [limit("purpose", "eq", "disease-research"), constraint]}
    permit = agreement(permission=[rule("c", "read", either)])
    forbid = agreement(permission=[rule("c", "read")], prohibition=[rule("p", "read", constraint)])

    for document, clause in ((permit, "c"), (forbid, "p")):
        decision = decide(ask(), under=policies(document, strict=False))
        assert not decision.allow
        assert (decision.trace[-1].clause, decision.trace[-1].outcome) == (clause, "unknown")
        assert "constraint[0]" in str(decision.why)


def test_an_unknown_action_permits_nothing_and_forbids_everything():
    permit = policies(agreement(permission=[rule("c", "sell")]), strict=False)
    forbid = policies(
        agreement(permission=[rule("c", "use")], prohibition=[rule("p", "sell")]), strict=False
    )

    for under in (permit, forbid):
        decision = decide(ask(), under=under)
        assert not decision.allow
        assert "the action sell is not known" in str(decision.why)


def test_two_versions_of_one_agreement_are_never_in_force_together():
    with pytest.raises(engine.BadAgreementError, match="2 versions"):
        policies(genome(), changed(genome(), ["version"], 2))


def test_duties_have_their_deadlines():
    decision = decide(ask())

    assert [(due.id, due.clause, due.action, due.due_at) for due in decision.duties] == [
        ("c1.1", "c1", "delete", datetime(2027, 6, 30, tzinfo=UTC)),
        ("r1", "c1", "report", NOW + timedelta(days=30)),
    ]
    assert decide(ask(purpose="screening")).duties == ()


def test_the_trace_names_every_clause_that_was_weighed():
    trace = decide(ask(action="compute", output_type="raw")).trace

    assert [(step.clause, step.outcome) for step in trace] == [
        ("p1", "does_not_apply"),
        ("p3", "does_not_apply"),
        ("c2", "does_not_apply"),
    ]
    assert all(str(step.why) for step in trace)


def test_the_policy_version_changes_with_every_agreement():
    versions = {
        policies().version,
        GENOME.version,
        policies(changed(genome(), ["version"], 2)).version,
        policies(genome(), agreement("urn:b", permission=[rule("c", "read")])).version,
    }
    assert len(versions) == 4
    two = [agreement("urn:a", permission=[rule("c", "read")]), genome()]
    assert policies(*two).version == policies(*reversed(two)).version


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_cedar_decides_the_same(seed):
    """An engine by other people, on random agreements; the long run is bench/border."""
    agreements, question = random_case(seed)
    under, oracle = engine.Policies(agreements), cedar.translate(agreements)
    asked = [question() for _ in range(50)]

    ours = [engine.decide(under, request, now=now, uses=uses).allow for request, now, uses in asked]
    theirs = cedar.ask([cedar.question(agreements, *one) for one in asked], oracle)

    assert ours == theirs


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_more_prohibitions_never_allow_more(seed):
    agreements, question = random_case(seed)
    request, now, uses = question()
    stricter = copy.deepcopy(agreements[0].document)
    stricter["prohibition"] = [*stricter["prohibition"], rule("extra", "use")]
    before = engine.decide(engine.Policies(agreements), request, now=now, uses=uses)
    after = engine.decide(
        engine.Policies([engine.parse_agreement(stricter), *agreements[1:]]),
        request,
        now=now,
        uses=uses,
    )

    assert before.allow or not after.allow


def mutations():
    """Yield each way to change one clause of the hand-written agreement."""
    base = genome()
    for kind in ("permission", "prohibition"):
        for at, clause in enumerate(base[kind]):
            yield (
                f"{clause['@id']} removed",
                changed(base, [kind], [one for one in base[kind] if one is not clause]),
            )
            for action in engine.ACTIONS:
                if action != clause["action"]:
                    yield f"{clause['@id']} {action}", changed(base, [kind, at, "action"], action)
            yield from constraint_changes(base, [kind, at, "constraint"], clause["constraint"])
            for duty in range(len(clause.get("duty", []))):
                place = [kind, at, "duty", duty, "constraint", 0, "rightOperand"]
                value = clause["duty"][duty]["constraint"][0]["rightOperand"]
                yield f"{clause['@id']} duty {duty}", changed(base, place, OTHER[value])


OTHER = {
    "2027-03-31T00:00:00Z": "2027-03-30T00:00:00Z",
    "2027-06-30T00:00:00Z": "2027-07-30T00:00:00Z",
    "P30D": "P31D",
    "US": "KR",
    "FR": "DE",
    "public": "internal",
    "internal": "public",
    "restricted": "internal",
    "aggregate": "raw",
    "model": "raw",
    "product": "teaching",
    3: 2,
}
OPPOSITE = {
    "eq": "neq", "neq": "eq", "isAnyOf": "isNoneOf", "isNoneOf": "isAnyOf",
    "lt": "gteq", "gteq": "lt", "lteq": "gt", "gt": "lteq",
}  # fmt: skip


def constraint_changes(base, place, parts):
    for at, part in enumerate(parts):
        here = [*place, at]
        yield f"{here} removed", changed(base, place, [one for one in parts if one is not part])
        for name in ("and", "or"):
            if name in part:
                other = {"and": "or", "or": "and"}[name]
                yield f"{here} {other}", changed(base, here, {other: part[name]})
                yield from constraint_changes(base, [*here, name], part[name])
        if "operator" in part:
            yield f"{here} operator", changed(base, [*here, "operator"], OPPOSITE[part["operator"]])
            right = part["rightOperand"]
            for index in range(len(right) if isinstance(right, list) else 0):
                less = right[:index] + right[index + 1 :]
                yield f"{here} without {right[index]}", changed(base, [*here, "rightOperand"], less)
            if not isinstance(right, list):
                yield f"{here} value", changed(base, [*here, "rightOperand"], OTHER[right])


def grid():
    """Yield requests around every boundary that the agreement draws."""
    instants = [
        datetime(2026, 4, 30, tzinfo=UTC),
        datetime(2026, 5, 1, 12, tzinfo=UTC),
        datetime(2027, 3, 30, 12, tzinfo=UTC),
        datetime(2027, 3, 31, 12, tzinfo=UTC),
        datetime(2027, 5, 2, tzinfo=UTC),
    ]
    for action in engine.ACTIONS:
        for at in instants:
            for purpose in ("disease-research", "teaching", "product", "screening"):
                for recipient in ("alice@lab.example", "bob@lab.example", "carol@uni.example"):
                    for party in ("US", "KR"):
                        if action == "export":
                            varied = [
                                {"spatial": where, "classification": level}
                                for where in ("US", "JP", "KR", "FR", "DE")
                                for level in ("public", "internal", "restricted")
                            ]
                        elif action == "read":
                            varied = [{"spatial": where} for where in ("US", "FR", "DE")]
                        else:
                            varied = [
                                {"output_type": out, "classification": level}
                                for out in ("aggregate", "model", "raw")
                                for level in ("public", "internal", "restricted", "")
                            ]
                        for more in varied:
                            yield (
                                ask(
                                    action=action,
                                    purpose=purpose,
                                    recipient=recipient,
                                    recipient_party=party,
                                    **more,
                                ),
                                at,
                            )


GRID = list(grid())
USES = [{}, {("urn:renkei:agreement:genome", "c3"): 2}, {("urn:renkei:agreement:genome", "c3"): 3}]
MUTATIONS = dict(mutations())


def outcome(decision):
    return decision.allow, decision.clause, decision.duties


@pytest.fixture(scope="module")
def before():
    return {
        (at, index): outcome(decide(request, at=when, uses=USES[index]))
        for at, (request, when) in enumerate(GRID)
        for index in (range(3) if request.action == "export" else (0,))
    }


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_change_of_any_clause_changes_a_decision(name, before):
    """No part of a clause is decoration: each one decides something."""
    under = policies(MUTATIONS[name])

    assert any(
        outcome(decide(GRID[at][0], at=GRID[at][1], uses=USES[index], under=under)) != expected
        for (at, index), expected in before.items()
    )


def test_there_are_mutations_of_every_clause():
    assert len(MUTATIONS) > 60


def past(*requests):
    return [
        engine.Past(request, NOW + timedelta(hours=hour)) for hour, request in enumerate(requests)
    ]


def test_a_draft_is_replayed_and_names_who_gains_and_who_loses():
    draft = changed(
        genome(), ["permission", 0, "constraint", 1, "rightOperand"], ["carol@uni.example"]
    )
    draft["version"] = 2
    carol = ask(recipient="carol@uni.example")

    done = engine.simulate(
        past(ASK, carol, ASK, ask(purpose="product"), carol, carol),
        GENOME,
        GENOME.with_draft(engine.parse_agreement(draft)),
    )

    assert (done.replayed, done.unchanged, done.allowed_before, done.allowed_after) == (6, 1, 2, 3)
    assert [(one.request.recipient, one.times) for one in done.gains] == [("carol@uni.example", 3)]
    assert [(one.request.recipient, one.times) for one in done.loses] == [("alice@lab.example", 2)]
    assert (done.gains[0].first_at, done.gains[0].last_at) == (
        NOW + timedelta(hours=1),
        NOW + timedelta(hours=5),
    )
    assert "recipient is alice@lab.example" in str(done.loses[0].after.why)


def test_a_smaller_count_shows_in_the_replay():
    draft = changed(genome(), ["permission", 2, "constraint", 0, "rightOperand"], 1)
    export = ask(action="export")

    done = engine.simulate(past(export, export, export, export), GENOME, policies(draft))

    assert [one.times for one in done.loses] == [2]  # the fourth was denied before as well
    assert done.gains == []


def test_the_same_agreement_changes_nothing():
    done = engine.simulate(past(ASK, ask(purpose="product")), GENOME, GENOME)

    assert (done.gains, done.loses, done.unchanged) == ([], [], 2)
