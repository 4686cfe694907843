"""Joint acts as the fold of what both sides say: exactly one seal, whatever comes in what order."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.border.room import COMMITMENT, found, mirror, pull

from renkei.border import door, engine
from renkei.border.door import _joint
from renkei.border.models import Act, Approval, Entry, Incident
from renkei.record.models import Commitment

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC).replace(microsecond=0)
OURS = "record.commitment/us/joint-bed"
THEIRS = "record.commitment/jp/joint-bed"


@pytest.fixture
def pair(settings, monkeypatch, tmp_path, shipped):
    return found(settings, monkeypatch, tmp_path)


def fate(index):
    row = Entry.objects.get(log=mirror(), index=index)
    return row.fate


def propose(officer, **more):
    given = {"by": officer, "reason": "a test", "now": NOW} | more
    return door.propose("record.commitment", "joint-bed", COMMITMENT, **given)


def read(act):
    """An act's proposal, as a partner reads it."""
    return _joint.proposal_of(act)


def ref(act):
    return door.ref_to(act.proposal)


def approvals(act):
    return [door.ref_to(row.entry) for row in act.approvals.select_related("entry__log")]


def test_ours_is_sealed_here_once_the_partner_has_approved(pair, officer):
    jp, wire = pair
    act = propose(officer)
    assert door.shown_stage(act) == "approved_by_one"
    jp.answer(read(act), [ref(act)])

    pull(wire)
    assert door.seal_due(now=NOW) == 1

    act.refresh_from_db()
    assert act.stage == "sealed"
    assert Commitment.objects.filter(slug="joint-bed").exists()
    assert door.seal_due(now=NOW) == 0


def test_two_that_find_an_act_due_at_once_seal_it_once(pair, officer, monkeypatch):
    """A partner's thread in the worker, another partner's, and an officer's request all look."""
    jp, wire = pair
    act = propose(officer)
    pull(wire)
    jp.answer(read(act), [ref(act)])
    pull(wire)
    found = []

    def overtaken():
        if not found:
            found.append("due")  # by one who is about to seal when the other one begins and ends
            assert door.seal_due(now=NOW) == 1

    monkeypatch.setattr(_joint, "refuse_frozen", overtaken)
    assert door.seal_due(now=NOW) == 0
    assert Entry.objects.filter(type=engine.SEALED).count() == 1
    assert not Incident.objects.exists()


def test_of_two_approved_acts_of_one_version_one_is_sealed(pair, officer):
    jp, wire = pair
    acts = [propose(officer), propose(officer)]
    for act in acts:
        jp.answer(read(act), [ref(act)])
    pull(wire)

    assert door.seal_due(now=NOW) == 1
    assert sorted(Act.objects.values_list("stage", flat=True)) == ["sealed", "superseded"]
    assert not Incident.objects.exists()


def test_theirs_is_sealed_there(pair, officer):
    jp, wire = pair
    proposed, proposal = jp.propose(record=THEIRS)
    mine = jp.answer(proposal, [proposed])
    pull(wire)
    act = door.answer(
        proposal.act, approves=True, content_hash=proposal.content_hash, by=officer, now=NOW
    )
    assert act.stage == "approved"
    assert door.seal_due(now=NOW) == 0  # its home is elsewhere
    assert not Commitment.objects.filter(slug="joint-bed").exists()
    own = Approval.objects.get(act=act, party="US").entry
    jp.seal(proposal, [proposed, mine, door.ref_to(own)])

    pull(wire)

    act.refresh_from_db()
    assert act.stage == "sealed"
    assert Commitment.objects.filter(slug="joint-bed").exists()


def test_a_second_approval_of_one_party_does_not_count(pair, officer):
    jp, wire = pair
    act = propose(officer)
    jp.answer(read(act), [ref(act)])
    jp.answer(read(act), [ref(act)])

    pull(wire)

    assert (fate(1), fate(2)) == ("applied", "refused")
    assert Approval.objects.filter(act=act).count() == 2
    with pytest.raises(door.ActOverError):
        door.answer(act.uid, approves=True, content_hash=act.content_hash, by=officer, now=NOW)


def test_an_approval_after_the_expiry_is_refused(pair, officer):
    jp, wire = pair
    act = propose(officer, open_for=timedelta(minutes=1), now=NOW - timedelta(hours=1))
    jp.answer(read(act), [ref(act)])

    pull(wire)

    assert fate(1) == "refused"
    assert door.seal_due(now=NOW) == 0
    assert door.expire(now=NOW) == 1
    act.refresh_from_db()
    assert act.stage == "expired"


def test_an_own_approval_after_the_expiry_is_refused(pair, officer):
    jp, wire = pair
    _ref, proposal = jp.propose(record=THEIRS, expires=NOW + timedelta(minutes=5), now=NOW)
    pull(wire)

    with pytest.raises(door.ActOverError):
        door.answer(
            proposal.act, approves=True, content_hash=proposal.content_hash, by=officer,
            now=NOW + timedelta(minutes=6),
        )  # fmt: skip


def test_an_approval_is_not_worth_anything_for_another_record(pair, officer):
    jp, wire = pair
    first = propose(officer)
    second = door.propose(
        "record.commitment", "other", COMMITMENT | {"slug": "other"},
        by=officer, reason="r", now=NOW,
    )  # fmt: skip
    replayed = engine.answer_body(read(first), approves=True, officer="0" * 64)
    jp.answer(read(second), [ref(second)], **replayed)  # says first's act under second's name
    jp.answer(read(first), [ref(first)], record=second.record)
    body = engine.answer_body(read(second), approves=True, officer="0" * 64)
    jp.answer(read(second), [ref(second)], **(body | {"content_hash": first.content_hash}))

    pull(wire)

    assert [fate(index) for index in (1, 2, 3)] == ["refused"] * 3
    assert {act.stage for act in Act.objects.all()} == {"proposed"}


def test_a_rejection_ends_it(pair, officer):
    jp, wire = pair
    act = propose(officer)
    jp.answer(read(act), [ref(act)], approves=False)

    pull(wire)

    act.refresh_from_db()
    assert act.stage == "rejected"
    assert door.seal_due(now=NOW) == 0


def test_a_seal_without_an_approval_of_ours_is_refused(pair):
    jp, wire = pair
    proposed, proposal = jp.propose(record=THEIRS)
    mine = jp.answer(proposal, [proposed])
    jp.seal(proposal, [proposed, mine])

    pull(wire)

    assert fate(3) == "refused"
    assert Act.objects.get().stage == "proposed"
    assert not Commitment.objects.filter(slug="joint-bed").exists()


def test_a_seal_of_our_record_by_them_is_refused(pair, officer):
    jp, wire = pair
    act = propose(officer)
    theirs = jp.answer(read(act), [ref(act)])
    jp.seal(read(act), [ref(act), *approvals(act), theirs])

    pull(wire)

    assert fate(2) == "refused"
    act.refresh_from_db()
    assert act.stage == "approved"


def test_two_seals_on_one_version_are_proven_and_freeze_joint_acts(pair, officer):
    jp, wire = pair
    sealed = []
    for name in ("a", "b"):
        proposed, proposal = jp.propose(record=THEIRS, content=COMMITMENT | {"slug": name})
        mine = jp.answer(proposal, [proposed])
        pull(wire)
        door.answer(
            proposal.act, approves=True, content_hash=proposal.content_hash, by=officer, now=NOW
        )
        act = Act.objects.get(uid=proposal.act)
        own = Approval.objects.get(act=act, party="US").entry
        sealed.append((proposal, [proposed, mine, door.ref_to(own)]))
    for proposal, refs in sealed:
        jp.seal(proposal, refs)

    pull(wire)

    assert sorted(act.stage for act in Act.objects.all()) == ["sealed", "superseded"]
    incident = Incident.objects.get(kind="two_seals")
    name, file = door.evidence_file(incident.pk)
    assert name == f"two-seals-{incident.pk}.json"
    report = door.verify(file)
    assert report.pinned
    assert report.kind == engine.TWO_SEALS
    assert report.said["record"] == THEIRS
    with pytest.raises(door.FrozenError):
        propose(officer)
    door.close_incident(incident.pk, by=officer, why="settled by telephone")
    assert propose(officer, home="us").stage == "proposed"


def test_an_answer_that_comes_before_its_proposal_waits(pair, officer):
    jp, wire = pair
    act = propose(officer)
    entry = act.proposal
    proposal, reference = read(act), ref(act)
    Approval.objects.all().delete()
    act.delete()
    jp.answer(proposal, [reference])

    pull(wire)

    assert fate(1) == "waiting"
    from renkei.border.door import _log

    _log.apply(entry, entry.log, now=NOW)
    assert door.retry(now=NOW) == 1
    assert fate(1) == "applied"


def test_a_proposal_for_other_parties_or_an_unknown_home_is_refused(pair):
    jp, wire = pair
    jp.propose(record="record.commitment/kr/a")
    jp.propose(record=THEIRS, parties=["JP", "KR"])
    jp.propose(record="record.nothing/jp/a")

    pull(wire)

    assert [fate(index) for index in (1, 2, 3)] == ["refused"] * 3
    assert not Act.objects.exists()


def test_a_content_that_the_kind_refuses_is_refused(pair, officer):
    jp, wire = pair
    jp.propose(record=THEIRS, content=COMMITMENT | {"kind": "nothing"})
    pull(wire)

    assert fate(1) == "refused"
    with pytest.raises(door.BadStatementError):
        door.propose("record.commitment", "x", {"slug": "x"}, by=officer, reason="r", now=NOW)
    act = propose(officer)
    with pytest.raises(engine.OtherContentError):
        door.answer(act.uid, approves=True, content_hash="0" * 64, by=officer, now=NOW)


def test_nobodys_name_is_in_the_log(pair, officer):
    act = propose(officer)

    for entry in Entry.objects.filter(log__is_own=True):
        assert officer.username.encode() not in bytes(entry.data).replace(b'officer":', b"")
    assert door.officers(act)[0].name
    commitment = act.approvals.get().officer
    door.erase_private(commitment, now=NOW)
    assert door.officers(act)[0].name == ""
    assert door.audit(act.proposal.log).wrong == []
