"""Agreements in the database: adopted once, asked, counted, fulfilled, released, replayed."""

import copy
from datetime import UTC, datetime, timedelta

import pytest
import rfc8785
from django.db import IntegrityError, transaction
from django.utils.translation import override
from tests.border.agreements import agreement, changed, genome, limit, rule

from renkei.border import door, engine
from renkei.border.models import (
    Agreement,
    AgreementVersion,
    Clause,
    ClauseUse,
    Decision,
    Obligation,
    OutgoingBytes,
)

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ASK = {
    "subject": "alice@lab.example",
    "party": "US",
    "action": "read",
    "target": "urn:jp:genome-17",
    "purpose": "disease-research",
    "spatial": "US",
    "classification": "internal",
    "now": NOW,
}
EXPORT = ASK | {"action": "export"}
DIGEST = engine.text_hash("bytes")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _party(settings):
    """Stand in Tokyo: what goes to the United States leaves the country."""
    settings.NODE = copy.copy(settings.NODE)
    object.__setattr__(settings.NODE, "party", "JP")


@pytest.fixture
def adopted():
    return door.adopt_agreement(genome(), act="act-1", now=NOW)


def second(**parts):
    return genome() | {"version": 2} | parts


def test_nothing_is_allowed_before_there_is_an_agreement():
    row = door.decide(**ASK)

    assert not row.allow
    assert str(row.reason) == "no agreement in force is about urn:jp:genome-17"
    assert Decision.objects.get() == row


def test_an_adopted_agreement_decides_and_every_decision_is_written_down(adopted, officer):
    allowed = door.decide(**ASK, asked_by=officer)
    denied = door.decide(**ASK | {"purpose": "product"})

    assert (allowed.allow, allowed.clause, allowed.version) == (True, "c1", adopted)
    assert allowed.agreement_hash == adopted.digest == engine.document_hash(genome())
    assert allowed.policy_version == denied.policy_version == door.policies().version
    assert (denied.allow, denied.clause) == (False, "p1")
    assert [step["clause"] for step in Decision.objects.get(pk=allowed.pk).steps] == ["p1", "c1"]
    assert Decision.objects.get(pk=allowed.pk).asked_by == officer
    assert Decision.objects.count() == 2


def test_to_explain_writes_and_counts_nothing(adopted):
    request = engine.Request(
        action="export", target="urn:jp:genome-17", recipient="alice", recipient_party="US",
        purpose="teaching", spatial="US", classification="public",
    )  # fmt: skip

    answers = [door.explain(request, now=NOW).allow for _ in range(5)]

    assert answers == [True] * 5
    assert not Decision.objects.exists()


def test_adopting_twice_changes_nothing(adopted):
    again = door.adopt_agreement(genome(), act="act-1", now=NOW + timedelta(days=1))

    assert again == adopted
    assert AgreementVersion.objects.count() == 1
    assert Obligation.objects.count() == 2  # the final report, of each assignee
    assert Clause.objects.filter(version=adopted).count() == 7


def test_a_new_version_replaces_the_former_and_an_older_one_is_refused(adopted):
    draft = changed(second(), ["permission", 0, "constraint", 0, "rightOperand"], ["teaching"])

    version = door.adopt_agreement(draft, act="act-2", now=NOW)

    adopted.refresh_from_db()
    assert (adopted.state, adopted.replaced_at) == ("replaced", NOW)
    assert Agreement.objects.get().current == version
    assert not door.decide(**ASK).allow
    assert door.decide(**ASK | {"purpose": "teaching"}).version == version
    assert door.adopt_agreement(genome(), act="act-1") == adopted  # told again, it stays replaced
    with pytest.raises(door.OldVersionError, match="needs a higher number than 2"):
        door.adopt_agreement(second(title={"en": "Other", "ja": "他の題"}), act="act-3")
    assert [row.version for row in Obligation.objects.filter(decision=None)] == [version] * 2


def test_what_was_sealed_in_unknown_words_is_adopted_and_denies(adopted):
    document = changed(
        second(), ["permission", 0, "constraint", 0], limit("industry", "eq", "farms")
    )

    door.adopt_agreement(document, act="act-2", now=NOW)
    row = door.decide(**ASK)

    assert not row.allow
    assert "the operand industry is not known" in str(row.reason)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_sealed_clause_whose_text_is_not_the_hashed_one_is_refused(language):
    document = genome()
    document["prohibition"][0]["text"][language] += "!"

    with pytest.raises(engine.TextHashError):
        door.adopt_agreement(document, act="act-1")
    assert not Agreement.objects.exists()


def test_a_limited_clause_is_used_up(adopted):
    answers = [door.decide(**EXPORT) for _ in range(5)]

    assert [row.allow for row in answers] == [True, True, True, False, False]
    assert "count is 4, above 3" in str(answers[3].reason)
    assert ClauseUse.objects.get().times == 3


def test_uses_go_on_counting_through_a_new_version(adopted):
    for _ in range(2):
        door.decide(**EXPORT)
    for _ in range(3):
        door.decide(**ASK)
    document = second()
    document["permission"][0]["constraint"].append(limit("count", "lteq", 4))
    door.adopt_agreement(document, act="act-2", now=NOW)

    assert [door.decide(**EXPORT).allow for _ in range(2)] == [True, False]
    assert [door.decide(**ASK).allow for _ in range(2)] == [True, False]  # three reads before


def test_duties_of_a_decision_become_obligations(adopted, officer):
    row = door.decide(**ASK)

    due = list(door.obligations_due(party="US"))

    assert [(one.action, one.debtor, one.due_at) for one in due] == [
        ("report", "alice@lab.example", NOW + timedelta(days=30)),
        ("report", "US", datetime(2027, 4, 30, tzinfo=UTC)),
        ("delete", "alice@lab.example", datetime(2027, 6, 30, tzinfo=UTC)),
    ]
    assert list(row.obligations.order_by("due_at")) == [due[0], due[2]]
    assert not door.decide(**ASK | {"purpose": "product"}).obligations.exists()
    assert door.obligations_due(until=NOW + timedelta(days=31)).count() == 1

    done = door.fulfil_obligation(due[0].pk, author=officer, evidence=" Report 7 sent. ", now=NOW)

    assert (done.evidence, done.fulfilled_by, done.fulfilled_at) == ("Report 7 sent.", officer, NOW)
    assert due[0] not in door.obligations_due()
    with pytest.raises(door.FulfilledError, match="2026-11-01"):
        door.fulfil_obligation(due[0].pk, author=officer, evidence="Again.")
    with pytest.raises(door.NoEvidenceError):
        door.fulfil_obligation(due[2].pk, author=officer, evidence="  ")
    with pytest.raises(door.UnknownAgreementError):
        door.fulfil_obligation(10**6, author=officer, evidence="x")


def test_bytes_leave_under_the_decision_that_allowed_them_and_once(adopted):
    row = door.decide(**EXPORT)

    gone = door.release(decision=row, digest=DIGEST, size=5, channel="hub", now=NOW)

    assert (gone.clause, gone.recipient, gone.recipient_party) == ("c3", "alice@lab.example", "US")
    assert (gone.version, gone.target) == (adopted, "urn:jp:genome-17")
    with pytest.raises(door.NotAllowedError, match="let one stream go already"):
        door.release(decision=row.pk, digest=DIGEST, size=5, channel="hub", now=NOW)
    assert OutgoingBytes.objects.count() == 1


@pytest.mark.parametrize(
    ("ask", "later", "said"),
    [
        ({"purpose": "product"}, timedelta(0), "denied it"),
        ({}, timedelta(hours=1, seconds=1), "older than an hour"),
        ({}, timedelta(seconds=-1), "older than an hour"),
    ],
)
def test_bytes_do_not_leave_otherwise(adopted, ask, later, said):
    row = door.decide(**EXPORT | ask)

    with pytest.raises(door.NotAllowedError, match=said):
        door.release(decision=row, digest=DIGEST, size=5, channel="hub", now=NOW + later)
    assert not OutgoingBytes.objects.exists()


def test_bytes_do_not_leave_under_a_replaced_agreement_or_at_home(adopted, settings):
    row = door.decide(**EXPORT)
    at_home = door.decide(**EXPORT)
    object.__setattr__(settings.NODE, "party", "US")
    with pytest.raises(door.NotAllowedError, match="in this country"):
        door.release(decision=at_home, digest=DIGEST, size=5, channel="hub", now=NOW)
    object.__setattr__(settings.NODE, "party", "JP")
    door.adopt_agreement(second(), act="act-2", now=NOW)
    with pytest.raises(door.NotAllowedError, match="was replaced"):
        door.release(decision=row, digest=DIGEST, size=5, channel="hub", now=NOW)


@pytest.mark.parametrize(
    "wrong", [{"digest": "abc"}, {"digest": "A" * 64}, {"size": -1}, {"channel": ""}]
)
def test_a_release_names_its_bytes(adopted, wrong):
    row = door.decide(**EXPORT)
    with pytest.raises(door.NotAllowedError, match="expected a SHA-256"):
        door.release(**{"decision": row, "digest": DIGEST, "size": 5, "channel": "hub"} | wrong)
    with pytest.raises(door.UnknownAgreementError):
        door.release(decision=10**6, digest=DIGEST, size=5, channel="hub")


def test_the_database_keeps_the_rules_too(adopted):
    row = door.decide(**ASK)
    wrong = [
        lambda: Decision.objects.create(
            at=NOW, action="read", target="x", recipient="a", allow=True,
            policy_version="", why={}, trace=[],
        ),
        lambda: AgreementVersion.objects.filter(pk=adopted.pk).update(act=""),
        lambda: Clause.objects.filter(version=adopted).update(text_ja=""),
        lambda: Obligation.objects.filter(decision=row).update(fulfilled_at=NOW),
        lambda: OutgoingBytes.objects.create(
            at=NOW, decision=row, version=adopted, clause="c1", digest="x", size=1, target="t",
            recipient="r", recipient_party="US", channel="hub",
        ),
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_a_fact_that_no_database_keeps_is_refused():
    for wrong in ({"purpose": "x" * 201}, {"subject": "a\x00b"}):
        with pytest.raises(engine.BadQuestionError):
            door.decide(**ASK | wrong)
    assert not Decision.objects.exists()


def test_a_draft_is_kept_here_and_decides_nothing(officer):
    document = genome()
    for kind in ("permission", "prohibition", "obligation"):
        for one in document[kind]:
            del one["textHash"]

    draft = door.draft_agreement(document, author=officer, now=NOW)

    assert (draft.state, draft.digest) == ("draft", engine.document_hash(genome()))
    assert not door.decide(**ASK).allow
    again = door.draft_agreement(genome() | {"version": 3}, author=officer, now=NOW)
    assert list(AgreementVersion.objects.all()) == [again]
    door.discard_draft(again)
    assert not Agreement.objects.exists()


def test_a_draft_must_be_readable_and_newer(adopted, officer):
    with pytest.raises(engine.UnknownTermError):
        door.draft_agreement(
            agreement("urn:x", permission=[rule("c", "sell")]), author=officer, now=NOW
        )
    with pytest.raises(door.OldVersionError):
        door.draft_agreement(genome(), author=officer, now=NOW)
    assert not Agreement.objects.filter(uid="urn:x").exists()
    with pytest.raises(door.NotADraftError):
        door.discard_draft(adopted)


def test_an_adopted_draft_is_the_same_row(officer):
    draft = door.draft_agreement(genome(), author=officer, now=NOW)

    adopted = door.adopt_agreement(genome(), act="act-1", now=NOW)

    assert adopted.pk == draft.pk
    assert adopted.drafted_by == officer


def test_an_amendment_is_replayed_over_the_past(adopted):
    for _ in range(3):
        door.decide(**ASK)
    door.decide(**ASK | {"subject": "carol@uni.example"})
    draft = changed(
        second(), ["permission", 0, "constraint", 1, "rightOperand"], ["carol@uni.example"]
    )

    done = door.simulate_amendment(draft)

    assert (done.replayed, done.allowed_before, done.allowed_after) == (4, 3, 1)
    assert [(one.request.recipient, one.times) for one in done.loses] == [("alice@lab.example", 3)]
    assert [(one.request.recipient, one.times) for one in done.gains] == [("carol@uni.example", 1)]
    assert door.simulate_amendment(draft, limit=2).replayed == 2
    assert door.simulate_amendment(draft, since=NOW + timedelta(1)).replayed == 0
    assert door.simulate_amendment(draft, until=NOW).replayed == 0
    assert door.simulate_amendment(adopted).gains == []
    assert Decision.objects.count() == 4


def test_names_in_addresses_are_the_same_on_every_node_and_never_meet(officer):
    uids = ["urn:renkei:agreement:genome", "urn:other:genome", "urn:renkei:agreement:日本".encode("ascii", "ignore").decode(), "https://a.example/b c".replace(" ", "%20")]  # fmt: skip
    slugs = [
        door.draft_agreement(genome() | {"@id": uid}, author=officer, now=NOW).agreement.slug
        for uid in uids
    ]

    assert slugs[0] == "genome"
    assert len(set(slugs)) == len(uids)
    assert all(engine.parse_record(f"border.agreement/us/{slug}") for slug in slugs)


def test_an_agreement_is_a_kind_of_joint_record():
    kind = door.AGREEMENT
    kind.check(genome())
    with override("en"):
        assert dict(kind.lines(genome()))["c1"].startswith("c1: Named researchers")
    with pytest.raises(engine.UnknownTermError):
        kind.check(agreement(permission=[rule("c", "sell")]))

    kind.apply(genome(), "act-9", "as agreed")

    assert AgreementVersion.objects.get().act == "act-9"
    assert kind.url(agreement("urn:nobody", permission=[rule("c", "read")])) == ""


@pytest.fixture
def founded(settings, tmp_path):
    """Give the node keys and a log, in a folder of its own."""
    object.__setattr__(settings.NODE, "folder", tmp_path)
    object.__setattr__(settings.NODE, "party", "US")
    (tmp_path / "keys").mkdir()
    door.found()


def test_a_draft_is_proposed_as_a_joint_act_and_then_stands(founded, officer):
    draft = door.draft_agreement(genome(), author=officer, now=NOW)

    act = door.propose_agreement(draft, by=officer, reason="as the committee decided")

    draft.refresh_from_db()
    assert draft.state == "proposed"
    assert (act.kind, act.record) == ("border.agreement", "border.agreement/us/genome")
    assert engine.document_hash(act.content) == draft.digest
    with pytest.raises(door.NotADraftError):
        door.propose_agreement(draft, by=officer, reason="again")
    with pytest.raises(door.NotADraftError):
        door.discard_draft(draft)


def test_the_largest_agreement_fits_a_statement_of_the_log(founded, officer):
    """And one byte more is refused before anybody proposes it."""

    def sized(more):
        clauses = [rule(f"c{at}", "read", ja="長" * 2_660) for at in range(6)]  # 7,800 bytes each
        last = rule("c6", "read", en="x" * more)
        return agreement("urn:renkei:agreement:long", permission=[*clauses, last])

    room = engine.LARGEST_BYTES - len(rfc8785.dumps(sized(0)))
    with pytest.raises(engine.BadAgreementError, match=f"at most {engine.LARGEST_BYTES}"):
        door.draft_agreement(sized(room + 1), author=officer, now=NOW)
    draft = door.draft_agreement(sized(room), author=officer, now=NOW)

    act = door.propose_agreement(draft, by=officer, reason="理" * 500)

    assert engine.document_hash(act.content) == draft.digest
