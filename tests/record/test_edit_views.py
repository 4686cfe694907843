"""What officers do on pages: who may, what a save changes, and that a refusal loses nothing."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Count
from django.test import Client
from django.urls import reverse
from django.utils.translation import override

from renkei.record import door, engine, tasks
from renkei.record.models import (
    Change,
    Claim,
    Commitment,
    Disbursement,
    Finding,
    Milestone,
    Organisation,
    Outcome,
    Participation,
    Source,
    State,
)

REASON = {"reason": "因 because the minutes say so"}


@pytest.fixture
def desk(shipped, officer, client):
    """Return the browser of a signed-in officer."""
    client.force_login(officer)
    return client


def at(name, *args):
    with override("en"):
        return reverse(f"record:{name}", args=args)


def form_of(response):
    return response.context["form"]


def send(desk, address, **typed):
    """Load the form, type into it and send everything that a browser would."""
    form = form_of(desk.get(address))
    data = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in data.items() if value not in (None, False)}
    return desk.post(address, {**data, **REASON, **typed})


@pytest.fixture
def row(shipped):
    return Commitment.objects.filter(cluster=None, amount_minor=None).order_by("pk").first()


def addresses():
    """Return every editing page on a row of the shipped record."""
    claim = Claim.objects.filter(commitment__slug="s1-c02").first()
    milestone = Milestone.objects.first()
    paid = door.add_disbursement(
        author=None,
        reason="paid",
        commitment="s1-c02",
        value="5",
        currency="USD",
        side="US",
        nature="public",
        paid_on=date(2025, 1, 2),
    )
    finding = Finding.objects.first()
    source = Source.objects.first()
    part = Participation.objects.filter(commitment__slug="s1-c02").first()
    outcome = Outcome.objects.first() or door.add_outcome(
        author=None,
        reason="published",
        commitment="s1-c02",
        kind="dataset",
        title_en="Data",
        title_ja="データ",
        identifier="set 1",
    )
    return [
        at("commitment_add"),
        at("organisation_add"),
        at("source_add"),
        at("finding_add"),
        at("commitment_edit", "s1-c02"),
        at("claim_add", "s1-c02"),
        at("claim_publish", "s1-c02", claim.pk),
        at("participation_add", "s1-c02"),
        at("milestone_add", "s1-c02"),
        at("milestone_assess", milestone.slug),
        at("disbursement_add", "s1-c02"),
        at("disbursement_correct", "s1-c02", paid.pk),
        at("outcome_add", "s1-c02"),
        at("participation_edit", "s1-c02", part.pk),
        at("participation_remove", "s1-c02", part.pk),
        at("outcome_edit", "s1-c02", outcome.pk),
        at("outcome_remove", "s1-c02", outcome.pk),
        at("organisation_edit", "uw"),
        at("organisation_remove", "uw"),
        at("source_attach", source.slug),
        at("finding_resolve", finding.slug),
        at("finding_reopen", finding.slug),
    ]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_form_is_drawn_in_both_languages_and_asks_for_a_reason(desk, language):
    for address in addresses():
        there = desk.get(address.replace("/en/", f"/{language}/"))
        assert there.status_code == 200, address
        text = there.content.decode()
        assert 'name="reason"' in text
        assert f'<html lang="{language}"' in text
        assert ("Reason" in text) == (language == "en"), address
        assert ("理由" in text) == (language == "ja"), address


def test_an_empty_form_is_refused_field_by_field_and_changes_nothing(desk):
    pages = addresses()
    version = door.state().version
    for address in pages:
        answer = desk.post(address, {})
        assert answer.status_code == 422, address
        assert "reason" in form_of(answer).errors
    assert door.state().version == version


def test_strangers_and_people_without_the_role_get_nothing(shipped, person):
    stranger, researcher = Client(), Client()
    researcher.force_login(person("researcher"))
    for address in addresses():
        for method in ("get", "post"):
            sent = getattr(stranger, method)(address)
            assert (sent.status_code, "login" in sent.get("Location", "")) == (302, True)
            assert getattr(researcher, method)(address).status_code == 403


def test_a_form_from_elsewhere_is_refused(shipped, officer):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(officer)

    assert browser.post(at("commitment_edit", "s1-c02"), REASON).status_code == 403


def test_adding_a_commitment_writes_facts_and_history(desk, officer):
    answer = send(
        desk,
        at("commitment_add"),
        title_en="Joint cryogenics",
        title_ja="共同極低温研究",
        source="s1",
        domain="quantum",
        kind="research_partnership",
        status="signed",
        parties="US,JP",
        passages="10-20",
    )

    row = Commitment.objects.latest("pk")
    assert answer.status_code == 302
    assert answer["Location"] == at("commitment_edit", row.slug)
    assert (row.title_ja, row.parties, row.domain) == ("共同極低温研究", "JP,US", "quantum")
    line = Change.objects.filter(slug=row.slug).get()
    assert (line.author, line.reason) == (officer, REASON["reason"])
    assert row.claims.first().passages == [[10, 20]]
    assert door.check() == []


def test_a_missing_translation_is_said_at_its_field(desk):
    answer = send(
        desk,
        at("commitment_edit", "s1-c02"),
        title_ja="",
    )

    assert answer.status_code == 422
    assert "title_ja" in form_of(answer).errors


def test_a_second_officers_edit_is_refused_and_nothing_typed_is_lost(desk, person):
    address = at("commitment_edit", "s1-c02")
    other = Client()
    other.force_login(person("officer"))
    mine = form_of(desk.get(address))
    data = {name: mine[name].value() or "" for name in mine.fields}
    assert send(other, address, title_en="The other one's title").status_code == 302

    answer = desk.post(address, {**data, **REASON, "title_en": "My title", "note_en": ""})

    assert answer.status_code == 409
    text = answer.content.decode()
    assert 'value="My title"' in text
    assert "The other one&#x27;s title" in text  # what the record says now
    assert REASON["reason"] in text
    assert Commitment.objects.get(slug="s1-c02").title_en == "The other one's title"

    # Having seen it, the officer may send the same form again.
    again = {name: form_of(answer)[name].value() or "" for name in form_of(answer).fields}
    assert desk.post(address, again).status_code == 302
    assert Commitment.objects.get(slug="s1-c02").title_en == "My title"


@pytest.mark.parametrize(
    "name",
    [
        "claim_add",
        "milestone_add",
        "disbursement_add",
        "outcome_add",
        "participation_add",
    ],
)
def test_every_addition_to_a_commitment_notices_another_edit(desk, name):
    address = at(name, "s1-c02")
    old = form_of(desk.get(address))["version"].value()
    door.edit_commitment(
        author=None, reason="first", commitment="s1-c02", version=None, title_en="Changed"
    )
    good = {
        "claim_add": {"about": "name", "value": "X", "qualifier": "exact", "source": "s1"},
        "milestone_add": {"title_en": "M", "title_ja": "節", "due": "2027"},
        "disbursement_add": {
            "value": "7",
            "currency": "USD",
            "side": "US",
            "nature": "public",
            "paid_on": "2025-02-03",
        },
        "outcome_add": {
            "kind": "publication",
            "title_en": "P",
            "title_ja": "論文",
            "identifier": "10.1000/182",
        },
        "participation_add": {"organisation": Organisation.objects.first().slug, "role": "backer"},
    }[name]

    answer = desk.post(address, {**good, **REASON, "version": old})
    assert answer.status_code == 409
    assert form_of(answer)["version"].value() != str(old)

    now = form_of(answer)["version"].value()
    assert desk.post(address, {**good, **REASON, "version": now}).status_code == 302
    assert door.check() == []


def test_a_rival_amount_stays_beside_the_published_one(desk, row):
    money = {"currency": "USD", "side": "US", "nature": "public", "stage": "announced"}
    first = {"about": "amount", "value": "100", "relation": "total", "source": "s1", **money}
    assert send(desk, at("claim_add", row.slug), **first).status_code == 302
    assert send(desk, at("claim_add", row.slug), **first | {"value": "130"}).status_code == 302
    row.refresh_from_db()
    assert row.amount == 100

    rival = row.claims.get(field="amount", is_published=False)
    assert send(desk, at("claim_publish", row.slug, rival.pk)).status_code == 302

    row.refresh_from_db()
    assert row.amount == 130
    assert row.claims.filter(field="amount").count() == 2
    assert door.check() == []


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"value": "-5"}, None),
        ({"value": "NaN"}, None),
        ({"value": "1e9"}, None),
        ({"value": "9" * 30}, None),
        ({"currency": "XXX"}, None),
        ({"currency": ""}, "currency"),
        ({"side": "Mars"}, None),
        ({"nature": "magic"}, "nature"),
        ({"source": "nowhere"}, "source"),
        ({"passages": "5"}, "passages"),
        ({"passages": "20-10"}, None),
        ({"passages": "0-999999999"}, None),
        ({"seen_on": "2025-02-30"}, "seen_on"),
        ({"seen_on": "2999-01-01"}, None),
        ({"value": "12\x0034"}, "value"),
        ({"reason": "  "}, "reason"),
    ],
)
def test_bad_claims_are_refused_and_change_nothing(desk, row, typed, field):
    good = {
        "about": "amount",
        "value": "100",
        "currency": "USD",
        "side": "US",
        "nature": "public",
        "stage": "announced",
        "relation": "total",
        "source": "s1",
    }
    before = (State.objects.get().version, Claim.objects.count())

    answer = send(desk, at("claim_add", row.slug), **good | typed)

    assert answer.status_code == 422
    assert (field or "__all__") in form_of(answer).errors
    assert (State.objects.get().version, Claim.objects.count()) == before
    name, value = next(iter(typed.items()))
    assert form_of(answer)[name].value() == value  # what was typed is still there


def new_source(desk, text, **typed):
    return send(
        desk,
        at("source_add"),
        content=SimpleUploadedFile("d.txt", text.encode()),
        title_en="Minutes",
        title_ja="議事録",
        reliability="primary",
        reliability_reason_en="Signed by both sides.",
        reliability_reason_ja="双方署名済み。",
        **typed,
    )


def test_a_quotation_becomes_offsets_and_is_not_kept(desk):
    text = "Preamble.\nThe parties  will spend\n40 million dollars. End."
    assert new_source(desk, text).status_code == 302
    source = Source.objects.latest("pk")

    answer = send(
        desk,
        at("claim_add", "s1-c02"),
        about="target",
        detail="fellows",
        value="40",
        source=source.slug,
        quotation="parties will spend 40 million",
    )

    assert answer.status_code == 302
    claim = Claim.objects.latest("pk")
    ((start, end),) = claim.passages
    assert text[start:end] == "parties  will spend\n40 million"
    everything = str(list(Change.objects.values())) + str(list(Claim.objects.values()))
    assert "parties will spend" not in everything


@pytest.mark.parametrize(
    ("quotation", "said"), [("not in there", "does not stand"), ("twice", "2 places")]
)
def test_a_quotation_that_is_not_one_place_is_refused(desk, quotation, said):
    new_source(desk, "once twice and twice")
    source = Source.objects.latest("pk")

    answer = send(
        desk,
        at("claim_add", "s1-c02"),
        about="name",
        value="X",
        source=source.slug,
        quotation=quotation,
    )

    assert answer.status_code == 422
    assert said in " ".join(form_of(answer).errors["quotation"])


def test_a_quotation_needs_the_document_on_this_node(desk):
    answer = send(
        desk, at("claim_add", "s1-c02"), about="name", value="X", source="s1", quotation="any words"
    )
    assert "attach it first" in " ".join(form_of(answer).errors["quotation"])


def test_attaching_asks_for_the_very_document(desk):
    wrong = send(
        desk, at("source_attach", "s1"), content=SimpleUploadedFile("d.txt", b"another text")
    )
    assert wrong.status_code == 422
    assert Source.objects.get(slug="s1").sha256 in wrong.content.decode()

    text = "the text of a known document"
    Source.objects.filter(slug="s1").update(sha256=engine.digest(text.encode()))
    right = send(
        desk, at("source_attach", "s1"), content=SimpleUploadedFile("d.txt", text.encode())
    )
    assert right.status_code == 302
    assert door.text_of(Source.objects.get(slug="s1")) == text


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty"), (b"\xff\xfe", "not UTF-8"), (b"a\x00b", "NUL")]
)
def test_what_is_no_text_is_no_source(desk, content, said):
    before = Source.objects.count()
    answer = send(
        desk,
        at("source_add"),
        content=SimpleUploadedFile("d.txt", content),
        title_en="T",
        title_ja="題",
        reliability="low",
        reliability_reason_en="x",
        reliability_reason_ja="理",
    )
    assert answer.status_code == 422
    assert said in str(form_of(answer).errors)
    assert Source.objects.count() == before


def test_a_document_that_is_too_large_is_refused_unread(desk, monkeypatch):
    monkeypatch.setattr("renkei.record.engine._passages.LARGEST_DOCUMENT_BYTES", 10)
    answer = new_source(desk, "eleven bytes")
    assert answer.status_code == 422
    assert "at most 10" in str(form_of(answer).errors["content"])


def test_a_milestone_is_delivered_only_with_evidence(desk):
    assert (
        send(
            desk,
            at("milestone_add", "s1-c02"),
            title_en="First light",
            title_ja="初観測",
            due="2026-03",
        ).status_code
        == 302
    )
    milestone = Milestone.objects.latest("pk")
    address = at("milestone_assess", milestone.slug)

    bare = send(desk, address, state="delivered")
    assert bare.status_code == 422
    assert "evidence" in bare.content.decode()

    whole = {"evidence": "Report 7", "assessor": "Board", "assessed_on": "2026-01-05"}
    assert send(desk, address, state="delivered", **whole).status_code == 302
    milestone.refresh_from_db()
    assert (milestone.state, milestone.assessor) == ("delivered", "Board")
    assert milestone.due_last == date(2026, 3, 31)


def test_a_corrected_disbursement_stays_and_counts_no_more(desk):
    paid = {"value": "500", "currency": "JPY", "side": "JP", "nature": "public"}
    day = {"paid_on": "2025-05-06"}
    assert send(desk, at("disbursement_add", "s1-c02"), **paid, **day).status_code == 302
    wrong = Disbursement.objects.latest("pk")

    fixed = send(desk, at("disbursement_correct", "s1-c02", wrong.pk), value="450")
    assert fixed.status_code == 302
    new = Disbursement.objects.latest("pk")
    wrong.refresh_from_db()
    assert (wrong.is_current, wrong.minor, new.minor, new.corrects) == (False, 500, 450, wrong)
    assert door.check() == []

    assert desk.get(at("disbursement_correct", "s1-c02", wrong.pk)).status_code == 404


def test_a_finding_is_added_decided_and_reopened(desk, officer):
    answer = send(
        desk,
        at("finding_add"),
        kind="amount_conflict",
        severity="high",
        detectable="internal",
        title_en="Two sums for one fund",
        title_ja="同一基金に二つの金額",
        commitments="s1-c02, s1-c03",
        first_source="s1",
        first_passage="5-9",
        first_says_en="Ten",
        first_says_ja="十",
    )
    assert answer.status_code == 302
    finding = Finding.objects.latest("pk")
    assert sorted(item.slug for item in finding.commitments.all()) == ["s1-c02", "s1-c03"]
    assert [(side.start, side.end) for side in finding.sides.all()] == [(5, 9)]

    decide = at("finding_resolve", finding.slug)
    assert (
        send(desk, decide, decision_en="Ten holds.", decision_ja="十が正しい。").status_code == 302
    )
    finding.refresh_from_db()
    assert (finding.state, finding.decided_by) == ("resolved", officer)

    assert send(desk, at("finding_reopen", finding.slug)).status_code == 302
    finding.refresh_from_db()
    assert (finding.state, finding.decision_en) == ("open", "")
    assert send(desk, at("finding_reopen", finding.slug)).status_code == 409
    assert Change.objects.filter(slug=finding.slug).count() == 3


def test_half_a_side_of_a_finding_is_refused(desk):
    answer = send(
        desk,
        at("finding_add"),
        kind="temporal",
        severity="low",
        detectable="cross",
        title_en="T",
        title_ja="題",
        first_source="s1",
    )
    assert answer.status_code == 422
    assert {"first_passage", "first_says_en", "first_says_ja"} <= set(form_of(answer).errors)


def test_an_organisation_and_its_role(desk):
    answer = send(
        desk,
        at("organisation_add"),
        title_en="Institute of Examples",
        title_ja="例示研究所",
        kind="research-institute",
        country="JP",
        aliases="IoE\n例研",
    )
    assert answer.status_code == 302
    body = Organisation.objects.latest("pk")
    assert body.aliases == ["IoE", "例研"]

    address = at("participation_add", "s1-c02")
    assert send(desk, address, organisation=body.slug, role="lead").status_code == 302
    twice = send(desk, address, organisation=body.slug, role="lead")
    assert twice.status_code == 409
    assert "already" in twice.content.decode()


def test_a_role_is_corrected_and_taken_out(desk):
    part = Participation.objects.filter(commitment__slug="s1-c02").first()
    hub = desk.get(at("commitment_edit", "s1-c02")).content.decode()
    for name in ("participation_edit", "participation_remove"):
        assert at(name, "s1-c02", part.pk) in hub

    edit = at("participation_edit", "s1-c02", part.pk)
    assert send(desk, edit, organisation="uw", role="backer").status_code == 302
    line = Change.objects.latest("pk")
    assert (line.verb, line.after) == ("edit role", {"organisation": "uw", "role": "backer"})
    assert "s1-c02" in {row.slug for row in found("University of Washington")}

    send(desk, at("participation_add", "s1-c02"), organisation="uw", role="lead")
    twice = send(desk, edit, organisation="uw", role="lead")
    assert (twice.status_code, "already" in twice.content.decode()) == (409, True)

    remove = at("participation_remove", "s1-c02", part.pk)
    assert send(desk, remove).status_code == 302
    assert not Participation.objects.filter(pk=part.pk).exists()
    assert Change.objects.latest("pk").before == {"organisation": "uw", "role": "backer"}
    assert desk.get(remove).status_code == 404
    assert desk.get(edit.replace("s1-c02", "s1-c01")).status_code == 404


def found(words):
    return door.listed(door.Selection(q=words), offset=0, limit=100)


def test_an_outcome_is_corrected_and_taken_out(desk):
    given = {"kind": "dataset", "title_en": "Data", "title_ja": "データ", "identifier": "set 1"}
    send(desk, at("outcome_add", "s1-c02"), **given)
    outcome = Outcome.objects.latest("pk")
    edit = at("outcome_edit", "s1-c02", outcome.pk)
    assert edit in desk.get(at("commitment_edit", "s1-c02")).content.decode()

    assert form_of(desk.get(edit))["title_ja"].value() == "データ"
    assert send(desk, edit, kind="publication").status_code == 422  # "set 1" is no DOI
    assert send(desk, edit, identifier="set 2", published_on="2026-05").status_code == 302
    outcome.refresh_from_db()
    assert (outcome.identifier, outcome.published_on) == ("set 2", "2026-05")
    assert Change.objects.latest("pk").before["identifier"] == "set 1"

    send(desk, at("outcome_add", "s1-c02"), **given)
    assert send(desk, edit, identifier="set 1").status_code == 409

    assert send(desk, at("outcome_remove", "s1-c02", outcome.pk)).status_code == 302
    assert [row.identifier for row in Outcome.objects.all()] == ["set 1"]
    page = desk.get(at("commitment", "s1-c02")).content.decode()
    assert "Outcome removed" in page
    assert "set 2" in page


@pytest.mark.parametrize("name", ["participation", "outcome"])
@pytest.mark.parametrize("what", ["edit", "remove"])
def test_a_second_officer_is_noticed_before_anything_is_changed(desk, name, what):
    place = {"participation": "roles", "outcome": "outcomes"}[name]
    (address,) = [one for one in addresses() if f"/{place}/" in one and one.endswith(f"/{what}/")]
    form = form_of(desk.get(address))
    typed = {key: form[key].value() or "" for key in form.fields}
    door.edit_commitment(
        author=None, reason="first", commitment="s1-c02", version=None, title_en="Changed"
    )
    lines = Change.objects.count()

    answer = desk.post(address, {**typed, **REASON})
    assert answer.status_code == 409
    assert Change.objects.count() == lines
    again = {**typed, **REASON, "version": form_of(answer)["version"].value()}
    assert desk.post(address, again).status_code == 302
    assert door.check() == []


def test_an_organisation_is_renamed_and_found_by_its_new_name(desk):
    body = Organisation.objects.get(slug="uw")
    named = {row.slug for row in found(body.title_en)}
    address = at("organisation_edit", "uw")
    assert address in desk.get(at("organisation", "uw")).content.decode()

    answer = send(desk, address, title_en="Evergreen Polytechnic", aliases="EP", country="US/JP")
    assert answer.status_code == 302
    body.refresh_from_db()
    assert (body.aliases, body.country, body.version) == (["EP"], "JP/US", 2)
    roles = set(body.participations.values_list("commitment__slug", flat=True))
    assert {row.slug for row in found("Evergreen Polytechnic")} == roles <= named
    assert "Evergreen" in desk.get(at("organisations"), {"q": "evergreen"}).content.decode()

    stale = send(desk, address, version=1, title_en="Mine")
    assert stale.status_code == 409
    assert "Evergreen Polytechnic" in stale.content.decode()
    assert send(desk, address, title_ja=" ").status_code == 422
    assert send(desk, address, country="XX").status_code == 422


def test_many_roles_are_found_anew_by_a_job(desk, monkeypatch):
    for module in ("door._write", "tasks"):
        monkeypatch.setattr(f"renkei.record.{module}.MOST_BOUND", 1)
    body = Organisation.objects.annotate(roles=Count("participations")).order_by("-roles").first()
    assert body.roles > 1
    before = door.state().version
    answer = send(desk, at("organisation_edit", body.slug), title_en="Evergreen Polytechnic")
    assert answer.status_code == 302

    tasks.find_anew.func(body.pk)
    roles = set(body.participations.values_list("commitment__slug", flat=True))
    assert {row.slug for row in found("Evergreen Polytechnic")} == roles
    assert door.state().version > before + 1  # pages that were kept are stale now


def test_an_organisation_goes_only_when_nothing_names_it(desk):
    used = send(desk, at("organisation_remove", "uw"))
    assert used.status_code == 409
    assert "only an organisation with none can be removed" in used.content.decode()
    assert (
        at("organisation_remove", "uw") not in desk.get(at("organisation", "uw")).content.decode()
    )

    def add():
        given = {"title_en": "IoE", "title_ja": "例示研", "kind": "company"}
        send(desk, at("organisation_add"), **given)
        return Organisation.objects.latest("pk")

    body = add()
    page = at("organisation", body.slug)
    assert at("organisation_remove", body.slug) in desk.get(page).content.decode()
    assert send(desk, at("organisation_remove", body.slug)).status_code == 302
    assert desk.get(page).status_code == 404
    assert (
        "IoE"
        not in desk.get(at("organisations"), {"q": "IoE"}).content.decode().split("</form>")[-1]
    )
    line = Change.objects.latest("pk")
    assert (line.verb, line.slug, line.before["title_en"]) == ("remove", body.slug, "IoE")
    assert add().slug != body.slug  # its name stays its own


def test_an_outcome_needs_a_doi_when_it_is_a_publication(desk):
    given = {"kind": "publication", "title_en": "P", "title_ja": "論文"}
    address = at("outcome_add", "s1-c02")
    assert send(desk, address, **given, identifier="my paper").status_code == 422
    right = send(desk, address, **given, identifier="https://doi.org/10.1000/ABC")
    assert right.status_code == 302
    assert Commitment.objects.get(slug="s1-c02").outcomes.get().identifier == "10.1000/abc"


def test_a_damaged_version_is_said_and_a_ring_is_refused(desk):
    damaged = send(desk, at("commitment_edit", "s1-c02"), version="many")
    assert damaged.status_code == 422
    assert "damaged" in damaged.content.decode()
    part = Commitment.objects.exclude(part_of=None).first()
    ring = send(desk, at("commitment_edit", part.part_of.slug), part_of=part.slug)
    assert ring.status_code == 409


@pytest.mark.parametrize("name", ["commitment_edit", "claim_add", "finding_resolve"])
def test_what_is_not_there_is_not_found(desk, name):
    assert desk.get(at(name, "nothing")).status_code == 404
