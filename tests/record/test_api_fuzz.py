"""Schemathesis against the whole API, in process: as a stranger, and as an officer with a token.

What it sends is drawn from the node's own description (OpenAPI), inside it and outside it. One check is
left out: that everything the description allows is accepted. A description cannot say that a name must
exist, that a day must lie in the past, or that an amount has two decimals.
"""

import json

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import positive_data_acceptance

from renkei.base.models import ApiToken
from renkei.record import door
from renkei.site.wsgi import application

load_all_checks()
LEFT_OUT = [positive_data_acceptance]
NAMES = {
    "commitments": ["s1-c02", "s3-c01"],
    "findings": ["x01"],
    "sources": ["s1"],
    "organisations": ["uw"],
    "agreements": ["st-1988"],
}
KNOWN = {"source": ["s1"], "organisation": ["uw"], "recipient": ["", "uw"], "part_of": [""]}


def described(environ, start_response):
    """Answer as the node does, and name things that exist in its description: fuzz goes deeper."""
    if environ["PATH_INFO"] != "/node/v1/openapi.json":
        return application(environ, start_response)
    description = json.loads(b"".join(application(environ, start_response)))
    for path, operations in description["paths"].items():
        names = NAMES.get(path.split("/")[4], [])
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["name"] == "slug" and names:
                    parameter["schema"]["enum"] = names
    for name, body in description["components"]["schemas"].items():
        for field, values in KNOWN.items():
            if name.endswith("In") and body["properties"].get(field, {}).get("type") == "string":
                body["properties"][field]["enum"] = values
    return [json.dumps(description).encode()]


schema = schemathesis.openapi.from_wsgi("/node/v1/openapi.json", described)
few = settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _one_connection():
    """Keep the test's transaction: a real request begins by dropping connections that are in one."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def token(shipped, officer):
    """Return an officer's token."""
    return ApiToken.issue(user=officer, name="fuzz")


@schema.parametrize()
@settings(few, phases=[Phase.generate])  # what a stranger may write is refused before it is read
def test_strangers_get_answers_or_refusals(case, shipped):
    version = door.state().version
    case.call_and_validate(excluded_checks=LEFT_OUT)
    assert door.state().version == version


@schema.parametrize()
@few
def test_officers_get_answers_or_refusals(case, token):
    answer = case.call_and_validate(
        headers={"Authorization": f"Bearer {token}"}, excluded_checks=LEFT_OUT
    )
    if answer.status_code in {200, 201} and case.method != "GET":
        assert door.check() == []
