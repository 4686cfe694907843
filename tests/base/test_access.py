"""Deny by default: who states nothing is refused, who holds nothing is refused."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse

from renkei.base.access import AccessMiddleware, UnknownRoleError, access, allow, check
from renkei.base.models import ApiToken
from renkei.kit.errors import ForbiddenError, SignInError

pytestmark = pytest.mark.django_db


def _request(rf, user=None, **headers):
    request = rf.get("/node/v1/x", headers=headers)
    request.user = user or AnonymousUser()
    return request


def test_a_view_without_a_rule_is_refused(rf):
    middleware = AccessMiddleware(lambda _request: HttpResponse())

    answer = middleware.process_view(_request(rf), lambda _request: HttpResponse(), (), {})

    assert answer.status_code == 403
    assert b"states no rule" in answer.content


def test_a_stranger_must_sign_in_and_a_wrong_role_is_named(rf, person):
    with pytest.raises(SignInError):
        check(_request(rf), {"officer"})
    with pytest.raises(ForbiddenError, match="officer"):
        check(_request(rf, person("researcher")), {"officer"})


def test_a_role_for_another_party_is_none_here(rf, person):
    check(_request(rf, person("officer")), {"officer"})
    with pytest.raises(ForbiddenError):
        check(_request(rf, person("officer", party="JP")), {"officer"})


def test_a_person_who_was_switched_off_holds_nothing(rf, person):
    user = person("officer")
    user.is_active = False
    with pytest.raises(ForbiddenError):
        check(_request(rf, user), {"officer"})


@pytest.mark.parametrize("roles", [(), ("oficer",), ("public", "king")])
def test_a_rule_with_an_unknown_role_is_a_mistake_of_ours(roles):
    with pytest.raises(UnknownRoleError):
        access(*roles)
    with pytest.raises(UnknownRoleError):
        allow(*roles)


def test_a_token_acts_for_its_owner_until_it_is_revoked(client, officer):
    text = ApiToken.issue(user=officer, name="test")
    token = ApiToken.objects.get()

    assert text not in {token.digest, token.name}
    assert ApiToken.find(text) == token
    assert ApiToken.find(text + "x") is None
    bad = client.get("/healthz", headers={"Authorization": "Bearer rk_wrong"})
    assert bad.status_code == 401
    assert bad["Content-Type"] == "application/problem+json"
    assert bad["WWW-Authenticate"].startswith("Bearer")
    officer.is_active = False
    officer.save()
    assert ApiToken.find(text) is None


def test_a_write_with_a_session_needs_its_csrf_token(rf, officer):
    request = rf.post("/node/v1/x")
    request.user = officer
    request._dont_enforce_csrf_checks = False
    with pytest.raises(ForbiddenError, match="CSRF"):
        allow("officer")(request)

    request.token = object()
    assert allow("officer")(request) == "officer"
