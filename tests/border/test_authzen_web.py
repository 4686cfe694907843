"""The decision API for gateways: AuthZEN 1.0 over HTTP."""

import json

import pytest
from django.test import Client
from tests.border.agreements import genome

from renkei.base.models import ApiToken, Role
from renkei.border import door
from renkei.border.models import Decision

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
BODY = {
    "subject": {"type": "user", "id": "alice@lab.example", "properties": {"party": "US"}},
    "action": {"name": "read"},
    "resource": {"type": "dataset", "id": "urn:jp:genome-17"},
    "context": {"purpose": "teaching"},
}
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _adopted():
    door.adopt_agreement(genome(), act="act-1")


@pytest.fixture
def gateway(person):
    user = person("operator")
    return Client(headers={"Authorization": f"Bearer {ApiToken.issue(user=user, name='gateway')}"})


def ask(client, body, address=EVALUATION, **headers):
    return client.post(address, json.dumps(body), "application/json", headers=headers)


def test_an_evaluation_is_answered_and_written_down(gateway):
    answer = ask(gateway, BODY, **{"X-Request-ID": "bfe9eb29"})

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["X-Request-ID"] == "bfe9eb29"
    said = answer.json()
    row = Decision.objects.get()
    assert said["decision"] is row.allow is True
    context = said["context"]
    assert context["id"] == str(row.pk)
    assert (context["clause"], context["agreement"]) == ("c1", "urn:renkei:agreement:genome")
    assert context["agreement_hash"] == row.agreement_hash
    assert context["policy_version"] == row.policy_version
    assert [due["action"] for due in context["obligations"]] == ["delete", "report"]
    assert [step["clause"] for step in context["trace"]] == ["p1", "c1"]
    assert "permits read" in context["reason"]["en"]
    assert "許可" in context["reason"]["ja"]


def test_a_denial_says_why_in_both_languages(gateway):
    said = ask(gateway, BODY | {"context": {"purpose": "product"}}).json()

    assert said["decision"] is False
    assert "prohibits read" in said["context"]["reason"]["en"]
    assert "禁止" in said["context"]["reason"]["ja"]


def test_what_no_agreement_knows_is_denied(gateway):
    for body in (
        BODY | {"resource": {"type": "todo", "id": "1"}},
        BODY | {"action": {"name": "can_read"}},
        BODY | {"context": {}},
    ):
        answer = ask(gateway, body)
        assert (answer.status_code, answer.json()["decision"]) == (200, False)


def test_several_questions_in_one(gateway):
    body = {name: BODY[name] for name in ("subject", "action", "context")} | {
        "evaluations": [
            {"resource": BODY["resource"]},
            {"resource": {"type": "dataset", "id": "urn:none"}},
            {"resource": {"type": "dataset"}},
            {"resource": BODY["resource"], "context": {"purpose": "disease-research"}},
        ]
    }

    answers = ask(gateway, body, EVALUATIONS).json()["evaluations"]

    assert [one["decision"] for one in answers] == [True, False, False, True]
    assert answers[2]["context"]["error"]["status"] == 400
    assert Decision.objects.count() == 3
    for semantic, expected in (
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ):
        options = {"options": {"evaluations_semantic": semantic}}
        found = ask(gateway, body | options, EVALUATIONS).json()["evaluations"]
        assert [one["decision"] for one in found] == expected


def test_without_a_list_it_is_one_question(gateway):
    assert ask(gateway, BODY, EVALUATIONS).json()["decision"] is True
    assert ask(gateway, BODY | {"evaluations": []}, EVALUATIONS).json()["decision"] is True


@pytest.mark.parametrize("address", [EVALUATION, EVALUATIONS])
@pytest.mark.parametrize(
    ("content", "kind", "problem"),
    [
        (b"{", "application/json", (400, "border.bad_question")),
        (b"\xff", "application/json", (400, "border.bad_question")),
        (b"[" * 60_000, "application/json", (400, "border.bad_question")),
        (b"[]", "application/json", (400, "border.bad_question")),
        (b"{}", "application/json", (400, "border.bad_question")),
        (b"{}", "text/plain", (415, "renkei.unsupported")),
        (b" " * 1_100_000, "application/json", (413, "renkei.too_large")),
    ],
)
def test_what_cannot_be_read_is_a_problem(gateway, address, content, kind, problem):
    answer = gateway.post(address, content, kind)

    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == problem
    assert not Decision.objects.exists()


@pytest.mark.parametrize("address", [EVALUATION, EVALUATIONS])
def test_gateways_alone_may_ask(person, address):
    allowed = {"operator", "officer"}
    stranger = ask(Client(), BODY, address)
    assert (stranger.status_code, stranger["WWW-Authenticate"]) == (401, 'Bearer realm="renkei"')
    bad = ask(Client(), BODY, address, Authorization="Bearer rk_wrong")
    assert (bad.status_code, bad["Content-Type"]) == (401, "application/problem+json")
    for role in Role.values:
        token = ApiToken.issue(user=person(role), name="t")
        answer = ask(Client(), BODY, address, Authorization=f"Bearer {token}")
        assert answer.status_code == (200 if role in allowed else 403), role
    foreign = ApiToken.issue(user=person("operator", party="JP"), name="t")
    assert ask(Client(), BODY, address, Authorization=f"Bearer {foreign}").status_code == 403


def test_a_session_needs_its_csrf_token(person):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("operator"))

    answer = ask(browser, BODY)

    assert answer.status_code == 403
    assert not Decision.objects.exists()


def test_only_post(gateway):
    assert gateway.get(EVALUATION).status_code == 405


def test_gateways_find_their_way():
    answer = Client().get("/.well-known/authzen-configuration")

    assert answer.json() == {
        "policy_decision_point": "http://testserver",
        "access_evaluation_endpoint": "http://testserver/access/v1/evaluation",
        "access_evaluations_endpoint": "http://testserver/access/v1/evaluations",
    }
