"""Agreements in a browser and in the node's own API."""

import copy
import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from tests.border.agreements import changed, genome

from renkei.base.models import ApiToken
from renkei.border import door, engine
from renkei.border.models import AgreementVersion, Decision, Obligation

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ASK = {
    "subject": "alice@lab.example",
    "party": "US",
    "action": "export",
    "target": "urn:jp:genome-17",
    "purpose": "teaching",
    "spatial": "US",
    "classification": "internal",
}
DIGEST = engine.text_hash("bytes")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _party(settings):
    settings.NODE = copy.copy(settings.NODE)
    object.__setattr__(settings.NODE, "party", "JP")


@pytest.fixture
def adopted():
    return door.adopt_agreement(genome(), act="act-1", now=NOW)


@pytest.fixture
def browser(person):
    """Return a browser signed in with the roles asked for."""

    def open_(*roles):
        client = Client()
        client.force_login(person(*roles, party="JP"))
        return client

    return open_


def text(answer, status=200):
    assert answer.status_code == status, answer.content.decode()[:3_000]
    return answer.content.decode()


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["Agreements", "In force", "Genome data for disease research", "United States"]),
        ("ja", ["協定", "発効中", "疾患研究のためのゲノムデータ", "米国"]),
    ],
)
def test_the_list(adopted, browser, language, said):
    page = text(browser("researcher").get(f"/{language}/border/agreements/"))

    assert [one for one in said if one not in page] == []
    assert "Draft an agreement" not in page


@pytest.mark.parametrize("language", ["en", "ja"])
def test_an_agreement_shows_both_texts_with_their_hashes_and_what_it_allows(
    adopted, browser, language
):
    page = text(browser("board").get(f"/{language}/border/agreements/genome/"))

    for clause in adopted.clauses.all():
        for part in (clause.text_en, clause.text_ja, clause.hash_en, clause.hash_ja):
            assert part in page
    assert adopted.digest in page
    limits = {
        "en": ["Purpose: one of disease-research, teaching", "Time since conclusion: at least 30 days",
               "Date and time: until March 31, 2027 00:00 UTC", "Number of uses: at most 3", "within 30 days"],
        "ja": ["目的", "30日以内", "2027年3月31日 00:00 UTCまで", "30日以上"],
    }[language]  # fmt: skip
    assert [one for one in limits if one not in page] == []


def test_what_this_node_does_not_know_is_said_on_the_page(browser):
    odd = changed(genome(), ["permission", 0, "constraint", 0, "leftOperand"], "industry")
    door.adopt_agreement(odd, act="act-1", now=NOW)

    page = text(browser("officer").get("/ja/border/agreements/genome/"))

    assert "このノード" in page
    assert "industry" in page


@pytest.mark.parametrize("version", ["2", "0", "x", "9999999999", "１"])
def test_a_version_that_is_not_there(adopted, browser, version):
    text(browser("board").get(f"/en/border/agreements/genome/?version={version}"), 404)


def test_a_draft_is_written_amended_simulated_and_thrown_away(adopted, browser):
    officer = browser("officer")
    door.decide(**ASK)
    start = officer.get("/en/border/agreements/genome/draft/").context["form"].initial["document"]
    document = json.loads(start)
    assert document["version"] == 2
    assert "textHash" not in document["permission"][0]
    document["permission"][2]["constraint"][0]["rightOperand"] = 0

    answer = officer.post(
        "/en/border/agreements/genome/draft/", {"document": json.dumps(document)}, follow=True
    )

    assert "This is a draft" in text(answer)
    draft = AgreementVersion.objects.get(state="draft")
    assert draft.number == 2
    page = text(officer.get("/en/border/agreements/genome/simulation/?version=2"))
    assert "Who loses" in page
    assert "alice@lab.example" in page
    assert "count is 1, above 0" in page
    assert "alice@lab.example" in text(
        officer.get("/ja/border/agreements/genome/simulation/?version=2")
    )
    assert browser("researcher").get("/en/border/agreements/genome/?version=2").status_code == 404
    officer.post("/en/border/agreements/genome/discard/")
    assert not AgreementVersion.objects.filter(state="draft").exists()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "this is not JSON"),
        ('{"a": 1, "a": 2}', "twice"),
        (json.dumps(genome()), "needs a higher number"),
        (json.dumps(changed(genome(), ["permission", 0, "action"], "sell")), "sell"),
        (
            json.dumps(changed(genome(), ["permission", 0, "text", "ja"], "")),
            "permission[0].text",
        ),
        (json.dumps(changed(genome(), ["permission", 0, "text", "en"], "Other.")), "hash"),
    ],
)
def test_a_draft_that_cannot_be_read_stays_on_the_form(adopted, browser, document, said):
    answer = browser("officer").post("/en/border/agreements/draft/", {"document": document})

    assert answer.status_code in {409, 422}
    assert said in answer.content.decode()
    assert answer.context["form"].data["document"] == document
    assert not AgreementVersion.objects.filter(state="draft").exists()


def test_the_example_of_the_form_is_an_agreement(browser):
    officer = browser("officer")
    start = officer.get("/en/border/agreements/draft/").context["form"].initial["document"]

    assert "This is a draft" in text(
        officer.post("/en/border/agreements/draft/", {"document": start}, follow=True)
    )


@pytest.mark.parametrize(
    ("language", "yes", "no"), [("en", "Allowed", "Denied"), ("ja", "許可", "不許可")]
)
def test_asking_beforehand(adopted, browser, language, yes, no):
    page, address = browser("researcher"), f"/{language}/border/agreements/ask/"
    asked = {
        "recipient": "alice@lab.example", "recipient_party": "US", "action": "export",
        "target": "urn:jp:genome-17", "purpose": "teaching", "spatial": "US",
        "classification": "public",
    }  # fmt: skip

    assert f'badge-good">{yes}<' in text(page.get(address, asked))
    assert f'badge-bad">{no}<' in text(page.get(address, asked | {"purpose": "product"}))
    assert text(page.get(address))
    text(page.get(address, {"action": "export"}), 422)
    text(page.get(address, asked | {"target": "a\x7f"}), 422)
    assert not Decision.objects.exists()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_decisions_obligations_and_the_ledger(adopted, browser, language):
    row = door.decide(**ASK)
    denied = door.decide(**ASK | {"purpose": "product"})
    read = door.decide(**ASK | {"action": "read"})
    door.release(decision=row, digest=DIGEST, size=5_000, channel="hub")
    overseer = browser("board")

    listed = text(overseer.get(f"/{language}/border/decisions/"))
    assert listed.count("alice@lab.example") == 3
    only_denied = text(overseer.get(f"/{language}/border/decisions/?decided=denied"))
    assert only_denied.count("alice@lab.example") == 1
    one = text(overseer.get(f"/{language}/border/decisions/{row.pk}/"))
    assert row.agreement_hash in one
    assert DIGEST in one
    assert text(overseer.get(f"/{language}/border/decisions/{denied.pk}/"))
    assert text(overseer.get(f"/{language}/border/decisions/{read.pk}/"))
    assert "4.9 KiB" in text(overseer.get(f"/{language}/border/outgoing/"))
    duties = text(overseer.get(f"/{language}/border/obligations/"))
    assert duties.count("urn:jp:genome-17") == 2
    overseer.get("/en/border/decisions/99/")
    text(overseer.get("/en/border/decisions/99999999999999999999/"), 404)


def test_the_ledger_as_a_file(adopted, browser):
    door.release(decision=door.decide(**ASK), digest=DIGEST, size=5, channel="hub")
    overseer = browser("board")

    table = b"".join(overseer.get("/en/border/outgoing.csv").streaming_content).decode()
    document = json.loads(b"".join(overseer.get("/en/border/outgoing.json").streaming_content))

    (row,) = csv.DictReader(io.StringIO(table.removeprefix("\ufeff")))
    (item,) = document["items"]
    for found in (row, item):
        assert (found["digest"], found["recipient"], found["clause"]) == (
            DIGEST, "alice@lab.example", "c3",
        )  # fmt: skip
        assert found["agreement_hash"] == adopted.digest


def test_an_obligation_is_fulfilled_on_its_page(adopted, browser):
    number = Obligation.objects.first().pk
    officer, address = browser("officer"), f"/en/border/obligations/{number}/fulfil/"

    text(officer.post(address, {"evidence": " "}), 422)
    answer = officer.post(address, {"evidence": "Report 7"}, follow=True)

    assert "Noted: the obligation is fulfilled." in text(answer)
    text(officer.get(address), 404)
    assert "Report 7" in text(officer.get("/ja/border/obligations/?state=fulfilled"))


def test_the_api_lists_and_drafts(adopted, person):
    officer = person("officer", party="JP")
    client = Client(headers={"Authorization": f"Bearer {ApiToken.issue(user=officer, name='t')}"})
    row = door.decide(**ASK)
    door.decide(**ASK | {"purpose": "product"})
    door.release(decision=row, digest=DIGEST, size=5, channel="hub")

    def get(path, status=200):
        answer = client.get(f"/node/v1/border/{path}")
        assert answer.status_code == status, answer.content
        return answer.json()

    assert get("agreements")["items"][0]["hash"] == adopted.digest
    assert get("agreements?state=draft") == {"count": 0, "items": []}
    one = get("agreements/genome?lang=ja")
    assert one["title"] == "疾患研究のためのゲノムデータ"
    assert [clause["clause"] for clause in one["clauses"]][:3] == ["c1", "c2", "c3"]
    assert engine.document_hash(one["document"]) == adopted.digest
    assert get("agreement-schema") == engine.agreement_schema()
    allowed = get("decisions?allow=true&lang=ja")["items"]
    assert [item["id"] for item in allowed] == [row.pk]
    assert "許可" in allowed[0]["reason"]
    assert get("decisions?allow=false&recipient=alice@lab.example")["count"] == 1
    assert get("decisions?target=urn:none")["count"] == 0
    assert get("obligations?state=open")["count"] == 2
    assert get("obligations?state=overdue&party=US")["count"] == 0
    assert get("outgoing?recipient_party=US")["items"][0]["digest"] == DIGEST
    assert get("outgoing?digest=" + "0" * 64)["count"] == 0
    assert get("outgoing?digest=xyz", 422)["code"] == "renkei.invalid"
    assert get("outgoing?colour=red", 400)["code"] == "renkei.bad_request"
    assert get("agreements/none", 404)["code"] == "border.unknown_agreement"
    assert get("agreements/genome?version=7", 404)["code"] == "border.unknown_agreement"

    def post(path, body):
        return client.post(f"/node/v1/border/{path}", body, "application/json")

    draft = changed(genome(), ["version"], 2)
    done = post("agreement-simulation", {"document": draft})
    assert done.json()["replayed"] == 2
    made = post("agreements", {"document": draft})
    assert (made.status_code, made.json()["state"]) == (201, "draft")
    bad = post("agreements", {"document": changed(draft, ["permission", 0, "action"], "sell")})
    assert (bad.status_code, bad.json()["code"]) == (422, "border.unknown_term")
    number = get("obligations")["items"][0]["id"]
    kept = post(f"obligations/{number}/fulfilment", {"evidence": "Report 7"})
    assert kept.json()["evidence"] == "Report 7"
    again = post(f"obligations/{number}/fulfilment", {"evidence": "Report 7"})
    assert (again.status_code, again.json()["code"]) == (409, "border.fulfilled")


def test_a_refusal_is_said_in_japanese_to_the_last_word(person):
    officer = person("officer", party="JP")
    client = Client(headers={"Authorization": f"Bearer {ApiToken.issue(user=officer, name='t')}"})
    bad = changed(genome(), ["permission", 0, "constraint", 2, "rightOperand"], "tomorrow")

    said = client.post(
        "/node/v1/border/agreements?lang=ja", {"document": bad}, "application/json"
    ).json()["detail"]

    assert "permission[0].constraint[2].rightOperand" in said
    assert "時差" in said


def test_overdue_is_said(browser):
    adopted = door.adopt_agreement(genome(), act="act-1", now=NOW)
    Obligation.objects.filter(version=adopted).update(due_at=timezone.now() - timedelta(days=1))

    assert "Overdue" in text(browser("board").get("/en/border/obligations/"))
    assert "期限超過" in text(browser("board").get("/ja/border/obligations/"))
