"""Decisions for gateways: OpenID AuthZEN Authorization API 1.0.

Who asks here counts uses and opens obligations, so it takes the token of an operator's or officer's
account: the program that stands before the data and will act on the answer.
"""

import json
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import get_language, override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from renkei.base import problems
from renkei.base.access import BY_OPERATION, PUBLIC, access, allow
from renkei.base.http import require_safe
from renkei.base.models import Role, User
from renkei.border import door, engine
from renkei.border.models import Decision
from renkei.kit.errors import RenkeiError, TooLargeError, gettext_noop

MOST_BYTES = 1 << 20
MOST_ID = 200
GATEWAY = allow(Role.OPERATOR, Role.OFFICER)
Ask = Callable[[HttpRequest], HttpResponse]


def for_gateways(view: Ask) -> Ask:
    """Let gateways alone ask, bounded, and answer refusals as problems; ``X-Request-ID`` comes back."""

    @csrf_exempt  # GATEWAY checks it where no token is given
    @require_POST
    @wraps(view)
    def asked(request: HttpRequest) -> HttpResponse:
        try:
            GATEWAY(request)
            response = view(request)
        except RenkeiError as error:
            response = problems.problem(error)
        given = request.headers.get("X-Request-ID", "")
        if given and len(given) <= MOST_ID and given.isascii() and given.isprintable():
            response["X-Request-ID"] = given
        response["Cache-Control"] = "no-store"
        return response

    asked.access = BY_OPERATION  # type: ignore[attr-defined]  # GATEWAY decides
    return asked


def _body(request: HttpRequest) -> object:
    if request.content_type != "application/json":
        raise problems.UnsupportedError(
            gettext_noop("this address reads application/json, not {given!r}"),
            given=request.content_type,
        )
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > MOST_BYTES:
        raise TooLargeError(
            gettext_noop("this address reads at most {most} bytes"), most=MOST_BYTES
        )
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise engine.BadQuestionError(gettext_noop("the body is not JSON")) from error


def in_both(reason: engine.Reason) -> dict[str, str]:
    """Say a reason in both languages."""
    said = {}
    for code in ("en", "ja"):
        with override(code):
            said[code] = problems.say(reason)
    return said


def _answer(request: HttpRequest, question: engine.Request) -> dict[str, object]:
    user = request.user if isinstance(request.user, User) else None
    row = door.decide_request(question, asked_by=user)
    return answer_of(row)


def answer_of(row: Decision) -> dict[str, object]:
    """Return the AuthZEN answer that a written decision is."""
    decision = engine.Decision(
        allow=row.allow,
        why=row.reason,
        policy_version=row.policy_version,
        agreement=row.version.agreement.uid if row.version else "",
        clause=row.clause,
        agreement_hash=row.agreement_hash,
        trace=tuple(
            engine.Step(
                agreement=step["agreement"],
                clause=step["clause"],
                kind=step["kind"],
                outcome=step["outcome"],
                why=step["why"],
            )
            for step in row.steps
        ),
        duties=tuple(
            engine.Due(one.name, one.clause, one.action, one.due_at)
            for one in row.obligations.order_by("pk")
        ),
    )
    answer = engine.authzen_answer(decision, say=in_both)
    answer["context"]["id"] = str(row.pk)
    return answer


@for_gateways
def evaluation(request: HttpRequest) -> HttpResponse:
    """Decide one request (AuthZEN 1.0, Access Evaluation API)."""
    return JsonResponse(_answer(request, engine.from_authzen(_body(request))))


@for_gateways
def evaluations(request: HttpRequest) -> HttpResponse:
    """Decide several requests in order (AuthZEN 1.0, Access Evaluations API)."""
    body = _body(request)
    items, semantic = engine.split_evaluations(body)
    if not isinstance(body, dict) or not body.get("evaluations"):
        return JsonResponse(_answer(request, engine.from_authzen(items[0])))
    answers: list[dict[str, object]] = []
    for item in items:
        try:
            answer = _answer(request, engine.from_authzen(item))
        except engine.BadQuestionError as error:  # one question's fault is that question's answer
            said = {"status": error.status, "message": problems.say(error)}
            answer = {"decision": False, "context": {"error": said}}
        answers.append(answer)
        if engine.is_last(bool(answer["decision"]), semantic):
            break
    return JsonResponse({"evaluations": answers})


@access(PUBLIC)
@require_safe
def authzen_configuration(request: HttpRequest) -> HttpResponse:
    """Tell gateways where to ask (AuthZEN 1.0, Policy Decision Point Metadata)."""
    base = request.build_absolute_uri("/").rstrip("/")
    return JsonResponse(
        {
            "policy_decision_point": base,
            "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
            "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
        },
        status=HTTPStatus.OK,
        headers={
            "Content-Language": get_language() or "en",
            "Cache-Control": "public, max-age=300",
        },
    )
