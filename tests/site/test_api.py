"""What every operation of the API does with a body that is none."""

import json

import pytest
from django.test import Client

from renkei.base.models import ApiToken

pytestmark = pytest.mark.django_db
ROOT = "/node/v1"


@pytest.fixture
def send(person):
    token = ApiToken.issue(user=person("officer"), name="t")

    def send(method, path, body):
        return Client().generic(
            method.upper(), f"{ROOT}{path.replace('{', '').replace('}', '')}", body,
            content_type="application/json", headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip

    return send


@pytest.mark.parametrize("body", ['"AAA"', "7", "null", "true", '["AAA"]', "[]", '{"wrong": 1}'])
def test_no_operation_takes_a_text_a_list_or_what_it_does_not_know(send, body):
    """A text was once taken for a case: by attribute, "AAA" has a title, which is "Aaa"."""
    described = Client().get(f"{ROOT}/openapi.json").json()["paths"]
    writing = [
        (method, path.removeprefix(ROOT))
        for path, operations in described.items()
        for method, operation in operations.items()
        if "requestBody" in operation
    ]
    assert ("post", "/materials/cases") in writing
    for method, path in writing:
        answer = send(method, path, body)
        assert answer.status_code in {403, 422}, (method, path, answer.content)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"title": ', "line 1, column 11"),
        ('{"title": "a",\n "title": "b"}', "'title' twice"),
        ('{"title": "a", "materials": [NaN]}', "NaN, which is no number"),
        ('{"title": -Infinity}', "-Infinity, which is no number"),
        ("[" * 100_000, "cannot be read"),
        (b'{"title": "\xff"}', "cannot be read"),
    ],
)
def test_a_body_that_is_no_json_is_refused_with_its_place(send, body, says):
    answer = send("post", "/materials/cases", body)

    assert answer.status_code == 400
    assert says in json.loads(answer.content)["detail"]
