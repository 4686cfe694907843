"""What goes to the partner: notices and the size of a shared set, under an agreement or not at all."""

import base64
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as node_settings
from django.test import Client
from django.utils import timezone
from stdnum.iso7064 import mod_97_10
from tests.border.room import found, pull

from renkei.border import door as border
from renkei.border import engine as border_engine
from renkei.border.models import Decision, Entry, OutgoingBytes, Private
from renkei.materials import door, engine
from renkei.materials.models import Link, Material, Organisation, Overlap, PartnerNotice

pytestmark = pytest.mark.django_db
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "materials.md"
DAY = date(2026, 1, 1)


@pytest.fixture
def pair(settings, monkeypatch, tmp_path, db):
    return found(settings, monkeypatch, tmp_path)


@pytest.fixture
def agreed(pair):
    """The agreement of the how-to, in force."""
    text = re.search(r"```json\n(.*?)```", HOW_TO.read_text("utf-8"), re.DOTALL)[1]
    whole = border_engine.complete(json.loads(text))
    return border.adopt_agreement(whole, act="act-1")


@pytest.fixture
def analyst(person):
    return person("analyst", name="analyst")


@pytest.fixture
def notice(analyst):
    Material.objects.get_or_create(
        slug="rare_earths", defaults={"name_en": "Rare earths", "name_ja": "レアアース"}
    )
    case = door.open_case(title="secret title", owner=analyst)
    door.add_note(case, text="secret note", author=analyst)
    return door.add_notice(
        case,
        author=analyst,
        text="exports fall",
        effect="capacity-reduction",
        start_expected=date(2027, 1, 1),
        materials_affected="rare_earths",
    )


def lei(number):
    """A made-up LEI whose check digits fit."""
    stem = f"5299{number:014d}"
    return stem + mod_97_10.calc_check_digits(stem)


def supply(numbers):
    """Give the node suppliers."""
    material = Material.objects.create(slug="x", name_en="X", name_ja="X")
    buyer = Organisation.objects.create(name="Buyer", is_public=False)
    for number in numbers:
        seller = Organisation.objects.create(name=f"S{number}", lei=lei(number), is_public=False)
        Link.objects.create(
            supplier=seller,
            buyer=buyer,
            material=material,
            evidence="contract",
            confidence="high",
            valid_from=DAY,
            known_from=DAY,
        )


# Notices


def test_without_an_agreement_nothing_goes_and_the_refusal_is_kept(pair, notice, analyst):
    with pytest.raises(door.NotAgreedError, match="no agreement in force"):
        door.send_notice(notice.pk, by=analyst)
    notice.refresh_from_db()
    assert notice.sent_at is None
    assert Decision.objects.get().allow is False
    assert Decision.objects.get().asked_by == analyst
    assert not Private.objects.exists()
    assert not Entry.objects.filter(data__contains=b"materials.notice").exists()


def test_a_notice_goes_sealed_and_nothing_of_the_case_with_it(agreed, notice, analyst):
    sent = door.send_notice(notice.pk, by=analyst)
    said = bytes(Entry.objects.order_by("-pk").first().data)
    assert sent.commitment.encode() in said
    assert b"exports fall" not in said  # the log is public
    private = Private.objects.get(commitment=sent.commitment)
    assert private.recipients == ["jp"]
    content = bytes(private.content)
    for secret in (b"secret", b"analyst"):
        assert secret not in content
    fields = json.loads(content)
    assert fields["text"] == "exports fall"
    assert fields["materialsAffected"] == ["rare_earths"]
    gone = OutgoingBytes.objects.get()
    assert (gone.size, gone.recipient, gone.channel) == (len(content), "jp", "border")
    with pytest.raises(door.SentError):
        door.send_notice(notice.pk, by=analyst)


def arrived(pair, content):
    """Let the partner say a notice, and its content be fetched."""
    jp, wire = pair
    salt = b"s" * 32
    commitment = border_engine.commitment_of(content, salt)
    jp.say("materials.notice", {"notice": commitment}, issued=datetime.now(UTC))
    pull(wire)
    return commitment, salt


def test_the_partners_notice_is_listed_and_taken_into_a_case(agreed, pair, notice, analyst):
    content = json.dumps(door.notice_out(notice)).encode()
    commitment, salt = arrived(pair, content)
    [received] = door.partner_notices()
    assert (received.row.party, received.fields) == ("JP", None)
    browser = Client()
    browser.force_login(analyst)
    assert "has not been fetched" in browser.get("/en/materials/cases/").content.decode()
    Private.objects.filter(commitment=commitment).update(state="held", content=content, salt=salt)
    [received] = door.partner_notices()
    assert received.fields["text"] == "exports fall"
    page = browser.get("/en/materials/cases/").content.decode()
    where = f"/en/materials/cases/add/?notice={received.row.pk}"
    assert where in page
    Material.objects.update_or_create(slug="rare_earths", defaults={"is_watched": True})
    asked = browser.get(where).content.decode()
    assert '<option value="rare_earths" selected>' in asked  # what the notice says is affected
    made = browser.post(where, {"title": "Theirs"})
    assert made.status_code == 302
    assert "exports fall" in browser.get(made["Location"]).content.decode()
    assert PartnerNotice.objects.get().case.title == "Theirs"
    assert Client().get("/node/v1/materials/notices").status_code == 401


@pytest.mark.parametrize("content", [b"\xff", b"[]", b'{"text": "x"}', b"[" * 5000])
def test_what_is_no_notice_is_said_to_be_none(pair, content):
    commitment, salt = arrived(pair, content)
    Private.objects.filter(commitment=commitment).update(state="held", content=content, salt=salt)
    [received] = door.partner_notices()
    assert (received.fields, received.is_readable) == (None, False)


def test_a_statement_with_more_than_a_hash_is_refused(pair):
    jp, wire = pair
    jp.say("materials.notice", {"notice": "0" * 64, "text": "x"}, issued=datetime.now(UTC))
    pull(wire)
    assert not PartnerNotice.objects.exists()


def test_an_analyst_sends_on_the_page(agreed, notice, analyst):
    browser = Client()
    browser.force_login(analyst)
    where = f"/en/materials/cases/{notice.case.slug}/"
    assert browser.post(where, {"do": "send", "notice": "999"}).status_code == 404
    assert browser.post(where, {"do": "send", "notice": str(notice.pk)}).status_code == 302
    assert "decision" in browser.get(where).content.decode()
    assert browser.post(where, {"do": "send", "notice": str(notice.pk)}).status_code == 409


# Shared suppliers


@pytest.fixture
def partner(pair):
    return border.partner("jp")


def question(numbers):
    asker = engine.PsiAsker([lei(number) for number in numbers])
    return asker, {"request": base64.b64encode(asker.request()).decode()}


def test_the_partner_learns_how_many_and_the_node_how_many_were_asked(agreed, partner):
    supply(range(30))
    asker, asked = question(range(20, 45))
    told = door.answer_overlap(partner, asked)
    size = asker.size(*(base64.b64decode(told[name]) for name in ("setup", "response")))
    assert size == 10
    row = Overlap.objects.get()
    assert (row.is_asked_here, row.size, row.shared) == (False, 25, None)
    assert OutgoingBytes.objects.get().size > 0
    for one in Organisation.objects.exclude(lei=""):
        assert one.lei not in json.dumps(told)


def test_no_agreement_no_answer(pair, partner):
    supply(range(30))
    with pytest.raises(door.NotAgreedError):
        door.answer_overlap(partner, question(range(30))[1])
    assert not Overlap.objects.exists()
    assert Decision.objects.filter(allow=False).count() == 1


def test_questions_are_few_a_day(agreed, partner):
    supply(range(30))
    for number in range(engine.MOST_QUERIES_A_DAY):
        door.answer_overlap(partner, question(range(number, number + 20))[1])
    with pytest.raises(engine.QueryLimitError):
        door.answer_overlap(partner, question(range(20))[1])
    tomorrow = timezone.now() + timedelta(days=1, seconds=1)
    assert door._exchange._asked_today("jp", here=False, now=tomorrow) == 0


def test_few_suppliers_are_asked_about_by_nobody(agreed, partner, analyst):
    supply(range(5))
    with pytest.raises(engine.QueryLimitError):
        door.ask_overlap("jp", by=analyst)
    with pytest.raises(engine.QueryLimitError):
        door.answer_overlap(partner, question(range(20))[1])


@pytest.mark.parametrize("asked", [{}, {"request": 3}, {"request": "%%"}, {"request": "AAAA"}])
def test_a_question_that_cannot_be_read(agreed, partner, asked):
    supply(range(30))
    with pytest.raises(door.BadOverlapError):
        door.answer_overlap(partner, asked)


def test_asking_is_counted_and_decided_here_too(agreed, partner, analyst, monkeypatch):
    supply(range(30))
    theirs = engine.PsiAnswerer([lei(number) for number in range(25, 60)])

    def answer(to, path, document, *, now, most):
        assert (to.name, path) == ("jp", "/materials/v1/overlap")
        setup, response = theirs.answer(base64.b64decode(document["request"]))
        return {
            "setup": base64.b64encode(setup).decode(),
            "response": base64.b64encode(response).decode(),
        }

    monkeypatch.setattr(border, "ask_partner", answer)
    row = door.ask_overlap("jp", by=analyst)
    assert (row.size, row.shared) == (30, 5)
    assert Decision.objects.get().target == "urn:us:materials:suppliers"
    monkeypatch.setattr(border, "ask_partner", lambda *_a, **_k: {"setup": "AAAA"})
    with pytest.raises(door.BadOverlapError):
        door.ask_overlap("jp", by=analyst)
    assert Overlap.objects.count() == 2  # the one that broke off counts


def test_an_unsigned_question_is_refused(agreed):
    supply(range(30))
    refused = Client().post(
        "/materials/v1/overlap", json.dumps(question(range(20))[1]), "application/json"
    )
    assert refused.status_code in {400, 401, 403}
    assert node_settings.NODE.name == "us"
