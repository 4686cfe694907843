"""Every address of the node and who may call it: one written table, walked.

A route without a row fails, and so does a row without a route.
"""

import uuid
from datetime import UTC, date, datetime

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils.translation import override
from tests.border.agreements import genome

from renkei.base.access import BY_OPERATION, rule_of
from renkei.base.models import ApiToken, Grant, Role, User
from renkei.border import door as border
from renkei.border.models import Act, Incident, Obligation
from renkei.kit.errors import RenkeiError
from renkei.materials.models import Exposure, JointRun, Material, Observation, Release, Scenario
from renkei.record.models import Claim, Disbursement, Milestone
from renkei.site.api import api

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVERYBODY = frozenset({"public"})
SIGNED_IN = frozenset({"signed-in"})
OFFICER = frozenset({"officer"})
OPERATOR = frozenset({"operator"})
OVERSEERS = frozenset({"officer", "board"})
KEEPERS = frozenset({"officer", "board", "operator"})
MEMBERS = frozenset({"officer", "board", "researcher", "analyst", "operator"})
ANALYST = frozenset({"analyst"})
NOBODY = None

PAGES = {
    "root": EVERYBODY,
    "health": EVERYBODY,
    "language": EVERYBODY,
    "front": EVERYBODY,
    "api:openapi-json": EVERYBODY,
    "api:api-root": EVERYBODY,
    # Accounts
    "account": SIGNED_IN,
    "token_issue": SIGNED_IN,
    "token_revoke": SIGNED_IN,
    "account_login": EVERYBODY,
    "account_logout": EVERYBODY,
    "account_inactive": EVERYBODY,
    "account_reauthenticate": SIGNED_IN,
    "account_change_password": SIGNED_IN,
    "account_signup": NOBODY,
    "account_email": NOBODY,
    "account_email_verification_sent": NOBODY,
    "account_set_password": NOBODY,
    "account_reset_password": NOBODY,
    "account_confirm_login_code": NOBODY,
    "account_confirm_email": NOBODY,
    "account_reset_password_from_key_done": NOBODY,
    "account_reset_password_from_key": NOBODY,
    "account_reset_password_done": NOBODY,
    "mfa_index": SIGNED_IN,
    "mfa_authenticate": EVERYBODY,
    "mfa_reauthenticate": SIGNED_IN,
    "mfa_activate_totp": SIGNED_IN,
    "mfa_deactivate_totp": SIGNED_IN,
    "mfa_view_recovery_codes": SIGNED_IN,
    "mfa_generate_recovery_codes": SIGNED_IN,
    "mfa_download_recovery_codes": SIGNED_IN,
    "mfa_list_webauthn": SIGNED_IN,
    "mfa_add_webauthn": SIGNED_IN,
    "mfa_reauthenticate_webauthn": SIGNED_IN,
    "mfa_remove_webauthn": SIGNED_IN,
    "mfa_edit_webauthn": SIGNED_IN,
    "mfa_login_webauthn": EVERYBODY,
    "socialaccount_login_cancelled": EVERYBODY,
    "socialaccount_login_error": EVERYBODY,
    "socialaccount_signup": NOBODY,
    "socialaccount_connections": NOBODY,
    "openid_connect_login": EVERYBODY,
    "openid_connect_callback": EVERYBODY,
    # Jobs
    "jobs": OFFICER | OPERATOR,
    "job_cancel": OPERATOR,
    # The link
    "link:overview": EVERYBODY,
    "link:now": EVERYBODY,
    "link:proof": EVERYBODY,
    "link:eavesdrop": EVERYBODY,
    "link_peer": EVERYBODY,  # who may speak is decided by the link's secret
    # The border: logs, witness and mirror are open; what partners ask is signed by them
    "border_authzen": EVERYBODY,
    "border_did": EVERYBODY,
    "border_node": EVERYBODY,
    "border_checkpoint": EVERYBODY,
    "border_tile": EVERYBODY,
    "border_hint": EVERYBODY,
    "border_private": EVERYBODY,
    "border_add_checkpoint": EVERYBODY,
    "border_witnessed": EVERYBODY,
    "border_mirrored": EVERYBODY,
    "border_mirror": EVERYBODY,
    # The record
    "record:index": EVERYBODY,
    "record:commitments": EVERYBODY,
    "record:commitments_csv": EVERYBODY,
    "record:commitments_json": EVERYBODY,
    "record:commitment": EVERYBODY,
    "record:chart_csv": EVERYBODY,
    "record:chart_json": EVERYBODY,
    "record:organisations": EVERYBODY,
    "record:organisation": EVERYBODY,
    "record:sources": EVERYBODY,
    "record:source": EVERYBODY,
    "record:agreements": EVERYBODY,
    "record:agreement": EVERYBODY,
    "record:findings": EVERYBODY,
    "record:finding": EVERYBODY,
    # Agreements: whom they bind may read them; decisions and ledgers name persons
    "border:overview": EVERYBODY,
    "border:acts": EVERYBODY,
    "border:act": EVERYBODY,
    "border:act_receipt": EVERYBODY,
    "border:act_answer": OFFICER,
    "border:act_propose": OFFICER,
    "border:incidents": KEEPERS,
    "border:incident": OFFICER,
    "border:evidence": KEEPERS,
    "border:verify": EVERYBODY,
    "border:agreements": MEMBERS,
    "border:agreement": MEMBERS,
    "border:agreement_ask": MEMBERS,
    "border:agreement_draft": OFFICER,
    "border:agreement_amend": OFFICER,
    "border:agreement_propose": OFFICER,
    "border:agreement_discard": OFFICER,
    "border:agreement_simulation": OVERSEERS,
    "border:decisions": OVERSEERS,
    "border:decision": OVERSEERS,
    "border:obligations": OVERSEERS,
    "border:obligation_fulfil": OFFICER,
    "border:outgoing": OVERSEERS,
    "border:outgoing_csv": OVERSEERS,
    "border:outgoing_json": OVERSEERS,
    "record:commitment_add": OFFICER,
    "record:commitment_edit": OFFICER,
    "record:claim_add": OFFICER,
    "record:claim_publish": OFFICER,
    "record:participation_add": OFFICER,
    "record:milestone_add": OFFICER,
    "record:milestone_assess": OFFICER,
    "record:disbursement_add": OFFICER,
    "record:disbursement_correct": OFFICER,
    "record:outcome_add": OFFICER,
    "record:participation_edit": OFFICER,
    "record:participation_remove": OFFICER,
    "record:outcome_edit": OFFICER,
    "record:outcome_remove": OFFICER,
    "record:organisation_edit": OFFICER,
    "record:organisation_remove": OFFICER,
    "record:organisation_add": OFFICER,
    "record:source_add": OFFICER,
    "record:source_attach": OFFICER,
    "record:finding_add": OFFICER,
    "record:finding_resolve": OFFICER,
    "record:finding_reopen": OFFICER,
    # The materials
    "materials:list": EVERYBODY,
    "materials:exposure": EVERYBODY,
    "materials:exposure_inputs": EVERYBODY,
    "materials:exposure_of": EVERYBODY,
    "materials:exposure_of_material": EVERYBODY,
    "materials:products": EVERYBODY,
    "materials:inputs_of": EVERYBODY,
    "materials:releases": EVERYBODY,
    "materials:scenarios": EVERYBODY,
    "materials:scenario": EVERYBODY,
    "materials_overlap": EVERYBODY,  # by the partner's signatures
    "materials_joint": EVERYBODY,  # by the partner's signatures
    "materials:joint_runs": ANALYST | OFFICER,
    "materials:joint_run": ANALYST | OFFICER,
    "materials:joint_file": ANALYST | OFFICER,
    "materials:joint_add": ANALYST,
    "materials:joint_verb": ANALYST,
    "materials:rules": EVERYBODY,
    "materials:leaving": ANALYST | OFFICER,
    "materials:eu": EVERYBODY,
    "materials:plans": EVERYBODY,
    "materials:plan": EVERYBODY,
    "materials:cascade": EVERYBODY,
    "materials:alarms": EVERYBODY,
    "materials:product": EVERYBODY,
    "materials:material": EVERYBODY,
    "materials:inputs": EVERYBODY,
    "materials:scenario_add": ANALYST | OFFICER,
    "materials:scenario_stop": ANALYST | OFFICER,
    "materials:scenario_propose": OFFICER,
    "materials:cases": ANALYST | OFFICER,
    "materials:case_add": ANALYST | OFFICER,
    "materials:case": ANALYST | OFFICER,
}

OPERATIONS = {
    ("GET", "/border/status"): EVERYBODY,
    ("GET", "/border/acts"): EVERYBODY,
    ("GET", "/border/acts/{uid}"): EVERYBODY,
    ("POST", "/border/acts"): OFFICER,
    ("POST", "/border/acts/{uid}/answer"): OFFICER,
    ("GET", "/border/incidents"): KEEPERS,
    ("GET", "/border/incidents/{number}/evidence"): KEEPERS,
    ("POST", "/border/incidents/{number}/settlement"): OFFICER,
    ("GET", "/border/agreements"): MEMBERS,
    ("GET", "/border/agreements/{slug}"): MEMBERS,
    ("GET", "/border/agreement-schema"): EVERYBODY,
    ("POST", "/border/agreements"): OFFICER,
    ("POST", "/border/agreement-simulation"): OVERSEERS,
    ("GET", "/border/decisions"): OVERSEERS,
    ("GET", "/border/obligations"): OVERSEERS,
    ("POST", "/border/obligations/{number}/fulfilment"): OFFICER,
    ("GET", "/border/outgoing"): OVERSEERS,
    ("GET", "/link/links"): EVERYBODY,
    ("GET", "/link/rates"): EVERYBODY,
    ("GET", "/record/commitments"): EVERYBODY,
    ("GET", "/record/commitments/{slug}"): EVERYBODY,
    ("GET", "/record/findings"): EVERYBODY,
    ("GET", "/record/findings/{slug}"): EVERYBODY,
    ("GET", "/record/sources"): EVERYBODY,
    ("GET", "/record/sources/{slug}"): EVERYBODY,
    ("GET", "/record/organisations"): EVERYBODY,
    ("GET", "/record/organisations/{slug}"): EVERYBODY,
    ("GET", "/record/agreements"): EVERYBODY,
    ("GET", "/record/agreements/{slug}"): EVERYBODY,
    ("GET", "/record/changes"): EVERYBODY,
    ("GET", "/record/summary"): EVERYBODY,
    ("GET", "/record/export/{kind}"): EVERYBODY,
    ("POST", "/record/commitments"): OFFICER,
    ("PATCH", "/record/commitments/{slug}"): OFFICER,
    ("POST", "/record/commitments/{slug}/claims"): OFFICER,
    ("POST", "/record/commitments/{slug}/claims/{claim}/publish"): OFFICER,
    ("POST", "/record/commitments/{slug}/milestones"): OFFICER,
    ("POST", "/record/milestones/{slug}/assessment"): OFFICER,
    ("POST", "/record/commitments/{slug}/disbursements"): OFFICER,
    ("POST", "/record/commitments/{slug}/outcomes"): OFFICER,
    ("POST", "/record/commitments/{slug}/participations"): OFFICER,
    ("PUT", "/record/commitments/{slug}/outcomes/{outcome}"): OFFICER,
    ("DELETE", "/record/commitments/{slug}/outcomes/{outcome}"): OFFICER,
    ("PUT", "/record/commitments/{slug}/participations/{participation}"): OFFICER,
    ("DELETE", "/record/commitments/{slug}/participations/{participation}"): OFFICER,
    ("PUT", "/record/organisations/{slug}"): OFFICER,
    ("DELETE", "/record/organisations/{slug}"): OFFICER,
    ("POST", "/record/organisations"): OFFICER,
    ("POST", "/record/sources"): OFFICER,
    ("POST", "/record/sources/attachments"): OFFICER,
    ("POST", "/record/findings"): OFFICER,
    ("POST", "/record/findings/{slug}/decision"): OFFICER,
    ("DELETE", "/record/findings/{slug}/decision"): OFFICER,
    ("GET", "/materials/materials"): EVERYBODY,
    ("GET", "/materials/materials/{slug}"): EVERYBODY,
    ("GET", "/materials/materials/{slug}/risks"): EVERYBODY,
    ("GET", "/materials/materials/{slug}/inputs/{stage}"): EVERYBODY,
    ("GET", "/materials/materials/{slug}/observations"): EVERYBODY,
    ("GET", "/materials/exposure"): EVERYBODY,
    ("GET", "/materials/exposure/{slug}/{code}"): EVERYBODY,
    ("GET", "/materials/alarms"): EVERYBODY,
    ("GET", "/materials/scenarios"): EVERYBODY,
    ("GET", "/materials/scenarios/{slug}"): EVERYBODY,
    ("POST", "/materials/scenarios"): ANALYST | OFFICER,
    ("GET", "/materials/scenarios/{slug}/recommendation"): ANALYST | OFFICER,
    ("POST", "/materials/scenarios/{slug}/proposal"): OFFICER,
    ("GET", "/materials/notices"): ANALYST | OFFICER,
    ("POST", "/materials/cases"): ANALYST | OFFICER,
    ("POST", "/materials/cases/{slug}/notices"): ANALYST | OFFICER,
    ("GET", "/materials/overlaps"): ANALYST | OFFICER,
    ("POST", "/materials/overlaps"): ANALYST | OFFICER,
    ("GET", "/materials/joint-runs"): ANALYST | OFFICER,
    ("POST", "/materials/joint-runs"): ANALYST,
    ("GET", "/materials/joint-runs/{run}"): ANALYST | OFFICER,
    ("POST", "/materials/joint-runs/{run}/{verb}"): ANALYST,
    ("GET", "/materials/plans"): EVERYBODY,
}

SLUGS = {
    "commitment": "s1-c01",
    "commitment_edit": "s1-c01",
    "organisation": "uw",
    "source": "s1",
    "source_attach": "s1",
    "agreement": "st-1988",
    "border": "genome",
    "finding": "x01",
    "finding_resolve": "x01",
    "finding_reopen": "x01",
}


def patterns():
    """Yield every page: its full name and its pattern; the API's operations are walked apart."""

    def walk(level, space):
        for pattern in level:
            if isinstance(pattern, URLPattern):
                yield space + (pattern.name or ""), pattern
            else:
                inner = f"{pattern.namespace}:" if pattern.namespace else ""
                yield from walk(pattern.url_patterns, space + inner)

    yield from walk(get_resolver().url_patterns, "")


def pages():
    """Return the pages by name; allauth's aliases without a name are checked to be closed."""
    return {
        name: pattern
        for name, pattern in patterns()
        if name and rule_of(pattern.callback) != BY_OPERATION
    }


def operations():
    """Return what the API offers: method and path, and the operation."""
    return {
        (method, f"{router.prefix.rstrip('/')}/{path.lstrip('/')}".replace("//", "/")): operation
        for router in api._get_bound_routers()
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    }


def test_every_page_has_its_row():
    assert pages().keys() == PAGES.keys()


def test_every_operation_has_its_row():
    assert operations().keys() == OPERATIONS.keys()


def test_what_each_page_states_is_what_the_table_says():
    stated = {name: rule_of(pattern.callback) for name, pattern in pages().items()}
    assert {name: rule and {str(role) for role in rule} for name, rule in stated.items()} == PAGES


def test_what_each_operation_states_is_what_the_table_says():
    stated = {
        key: {str(role) for role in operation.auth_callbacks[0].roles}
        for key, operation in operations().items()
    }
    assert stated == OPERATIONS


def test_addresses_without_a_name_are_closed():
    nameless = [pattern for name, pattern in patterns() if not name]
    assert nameless
    assert [rule_of(pattern.callback) for pattern in nameless] == [None] * len(nameless)


def address(name):  # noqa: C901  a table of what each page needs
    """Return an address of the page, on things that exist."""
    short = name.removeprefix("record:")
    if name.startswith("border:"):
        short = "border"
    pattern = pages()[name]
    kinds = {
        "slug": SLUGS.get(short, "s1-c01"),
        "pk": 1,
        "task": uuid.uuid4(),
        "code": "811291" if name == "materials:exposure_inputs" else "en",
        "country": "JPN",
        "name": "money",
        "key": "abc",
        "uidb36": "1",
        "provider_id": "institution",
        "log": "0" * 64,
        "wanted": "tile/0/000.p/1",
        "stage": "refine",
        "uid": getattr(Act.objects.first(), "uid", "none"),
    }
    if name == "border:act_propose":
        kinds["kind"] = "record.decision"
    if name in {"border:incident", "border:evidence"}:
        kinds["pk"] = Incident.objects.first().pk
    if name == "link_peer":
        kinds["kind"] = "ping"
    if name.startswith("materials:"):
        kinds["slug"] = "what-if" if "scenario" in name else "gallium"
    if name in {"materials:joint_run", "materials:joint_verb"}:
        kinds["uid"] = "0" * 32
    if short == "milestone_assess":
        kinds["slug"] = Milestone.objects.first().slug
    if "claim" in pattern.pattern.converters:
        kinds["claim"] = Claim.objects.filter(commitment__slug="s1-c01").first().pk
    if "number" in pattern.pattern.converters and short == "border":
        kinds["number"] = Obligation.objects.first().pk
    elif "number" in pattern.pattern.converters:
        kinds["number"] = getattr(Disbursement.objects.first(), "pk", 1)
    with override("en"):
        names = {*pattern.pattern.regex.groupindex, *pattern.pattern.converters}
        if name.startswith("openid_connect"):
            names = {"provider_id"}
        if name in {"mfa_edit_webauthn", "mfa_remove_webauthn"}:
            names = {"pk"}
        return reverse(name, kwargs={one: kinds[one] for one in names if one in kinds})


def registry():
    """Make a material that two countries refine, and a scenario."""
    release = Release.objects.create(
        slug="r", publisher="usgs", title="r", known_on=date(2026, 1, 1)
    )
    material = Material.objects.create(slug="gallium", name_en="Gallium", name_ja="ガリウム")
    for number, place in enumerate(("CHN", "JPN")):
        Observation.objects.create(
            key=str(number),
            material=material,
            subject="production",
            stage="refine",
            place=place,
            raw="1",
            quantity=1.0,
            unit="kilograms",
            valid_from=date(2025, 1, 1),
            valid_to=date(2025, 12, 31),
            known_from=date(2026, 1, 1),
            release=release,
        )
    Scenario.objects.create(
        slug="what-if", title="t", kind="export_ban", starts_on=date(2027, 1, 1), is_public=True
    )
    Exposure.objects.create(
        importer="JPN",
        material=material,
        stage="refine",
        code="811291",
        is_mixed=True,
        year=2024,
        kusd=1.0,
        leader="CHN",
        leader_share=1.0,
        concentration=1.0,
        score=0.5,
    )
    JointRun.objects.create(
        uid="0" * 32, partner="jp", is_opened_here=False, state="running", opened_at=NOON
    )


@pytest.fixture(scope="module")
def _callers_for_module(_shipped_for_module, django_db_blocker):
    """Make once, in the module's transaction, what every test asks for."""
    with django_db_blocker.unblock():
        registry()
        return everybody()


@pytest.fixture
def callers(_callers_for_module, shipped):
    """Return everybody: a stranger, an account without a role, one of each role, a foreign officer."""
    return _callers_for_module


def everybody():
    def account(*roles, party="US"):
        user = User.objects.create(username=f"{party}{''.join(roles)}")  # no password: none is used
        Grant.objects.bulk_create(Grant(user=user, party=party, role=role) for role in roles)
        return user

    border.adopt_agreement(genome(), act="act-1")
    border.found()
    border.propose(
        "record.decision",
        "x01",
        {"finding": "x01", "decision_en": "Both stand.", "decision_ja": "両論併記とする。"},
        by=User.objects.create(username="proposer"),
        reason="a trial",
    )
    border.note(
        Incident.Kind.CLOCK, RenkeiError("clocks differ"), key="jp", now=NOON, evidence=b"x"
    )
    return {
        "stranger": (None, set()),
        "account": (account(), {"signed-in"}),
        "foreign officer": (account("officer", party="JP"), {"signed-in"}),
        **{role: (account(role), {"signed-in", role}) for role in Role.values},
    }


def may(rule, held):
    return rule is not None and bool(rule & {"public", *held})


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_take_whom_the_table_names_and_nobody_else(callers, name, method):
    rule = PAGES[name]
    where = address(name)
    for who, (user, held) in callers.items():
        browser = Client(raise_request_exception=False)
        if user is not None:
            browser.force_login(user)
        answer = getattr(browser, method)(where)
        location = answer.get("Location", "")
        sent_to_sign_in = answer.status_code == 302 and "/accounts/login/?next=" in location
        if may(rule, held):
            assert answer.status_code < 500, (who, where)
            # allauth's own page about a failed sign-in has the status 401, and is no refusal of ours.
            is_refused = answer.status_code in {401, 403} and b"data-problem" in answer.content
            assert not is_refused, (who, where)
            assert not sent_to_sign_in, (who, where)
        elif rule is not None and user is None:
            assert sent_to_sign_in, (who, where, answer.status_code)
        else:
            assert answer.status_code == 403, (who, where, answer.status_code)


@pytest.mark.parametrize("key", sorted(OPERATIONS), ids=" ".join)
def test_operations_take_whom_the_table_names_and_nobody_else(callers, key):
    method, path = key
    rule = OPERATIONS[key]
    kind = path.split("/")[2]
    slug = {
        "materials": "gallium",
        "exposure": "gallium",
        "scenarios": "what-if",
        "findings": "x01",
        "sources": "s1",
        "organisations": "uw",
        "agreements": "st-1988",
    }
    if path.startswith("/border/"):
        slug["agreements"] = "genome"
    numbered = Incident if kind == "incidents" else Obligation
    where = (
        f"/node/v1{path}".replace("{slug}", slug.get(kind, "s1-c01"))
        .replace("{number}", str(getattr(numbered.objects.first(), "pk", 1)))
        .replace("{kind}", "findings")
        .replace("{uid}", Act.objects.first().uid)
        .replace("{claim}", "1")
        .replace("{stage}", "refine")
        .replace("{code}", "811291?country=JPN")
        .replace("{run}", "0" * 32)
        .replace("{verb}", "stop")
    )
    for who, (user, held) in callers.items():
        for by_token in (False, True):
            browser = Client(raise_request_exception=False)
            headers = {}
            if user is not None and by_token:
                headers["Authorization"] = f"Bearer {ApiToken.issue(user=user, name='t')}"
            elif user is not None:
                browser.force_login(user)
            answer = browser.generic(method, where, b"{}", "application/json", headers=headers)
            if may(rule, held):
                assert answer.status_code < 500, (who, where)
                assert answer.status_code not in {401, 403, 404, 405}, (who, answer.status_code)
            else:
                expected = 401 if user is None else 403
                assert answer.status_code == expected, (who, where, answer.status_code)
                assert answer["Content-Type"] == "application/problem+json"
