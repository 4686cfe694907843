"""AuthZEN 1.0 in and out: what a gateway asks, in the terms of agreements, and the answer.

Standard: OpenID Authorization API 1.0 (information model; Access Evaluation; Access Evaluations).
"""

from collections.abc import Callable, Mapping
from typing import Any

from renkei.border.engine._agreement import LONGEST_NAME, Reason
from renkei.border.engine._decision import STATED, Decision, Request
from renkei.kit.errors import RenkeiError, gettext_noop

SEMANTICS = ("execute_all", "deny_on_first_deny", "permit_on_first_permit")
MOST_EVALUATIONS = 100
MEASURED = ("dateTime", "count", "delayPeriod")


class BadQuestionError(RenkeiError):
    """A request for a decision that cannot be read."""

    code = "border.bad_question"
    status = 400


def _object(body: Mapping[str, Any], name: str, *, is_needed: bool = True) -> Mapping[str, Any]:
    if name not in body and not is_needed:
        return {}
    value = body.get(name)
    if not isinstance(value, Mapping):
        raise BadQuestionError(gettext_noop("{name} must be an object"), name=name)
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME or not value.isprintable():
        raise BadQuestionError(
            gettext_noop("{name} must be a text of 1 to 200 characters"), name=name
        )
    return value


def from_authzen(body: object) -> Request:
    """Return the request that an AuthZEN evaluation asks about.

    ``subject.id`` is the recipient, ``action.name`` the action, ``resource.id`` the target. The other
    facts are taken under the operand's name from the context or from the properties of subject,
    action or resource; ``subject.properties.party`` also names the recipient's party. Properties of
    other names are no operands and change nothing.

    Raises:
        BadQuestionError: a part is missing, is no text, is said twice differently, or is something
            that the node measures itself.
    """
    if not isinstance(body, Mapping):
        raise BadQuestionError(gettext_noop("{name} must be an object"), name="body")
    subject, action, resource = (_object(body, name) for name in ("subject", "action", "resource"))
    for part, name in ((subject, "subject"), (resource, "resource")):
        _text(part.get("type"), f"{name}.type")
    facts = {"recipient": _text(subject.get("id"), "subject.id")}
    places = {
        "context": _object(body, "context", is_needed=False),
        **{
            f"{name}.properties": _object(part, "properties", is_needed=False)
            for name, part in (("subject", subject), ("action", action), ("resource", resource))
        },
    }
    for place, given in places.items():
        for name, value in given.items():
            key = "recipientParty" if (place, name) == ("subject.properties", "party") else name
            if key in MEASURED:
                raise BadQuestionError(
                    gettext_noop("{place}.{name} cannot be stated: the node measures it itself"),
                    place=place,
                    name=name,
                )
            if key not in STATED:
                continue
            text = _text(value, f"{place}.{name}")
            if facts.setdefault(key, text) != text:
                raise BadQuestionError(
                    gettext_noop("{name} is said twice, and differently"), name=key
                )
    return Request(
        action=_text(action.get("name"), "action.name"),
        target=_text(resource.get("id"), "resource.id"),
        recipient=facts["recipient"],
        recipient_party=facts.get("recipientParty", ""),
        purpose=facts.get("purpose", ""),
        spatial=facts.get("spatial", ""),
        classification=facts.get("classification", ""),
        output_type=facts.get("outputType", ""),
    )


def to_authzen(request: Request) -> dict[str, Any]:
    """Return the AuthZEN evaluation that asks the same; ``from_authzen`` reads it back."""
    facts = request.stated()
    subject: dict[str, Any] = {"type": "user", "id": facts.pop("recipient", "")}
    if "recipientParty" in facts:
        subject["properties"] = {"party": facts.pop("recipientParty")}
    resource: dict[str, Any] = {"type": "asset", "id": request.target}
    if "classification" in facts:
        resource["properties"] = {"classification": facts.pop("classification")}
    body: dict[str, Any] = {
        "subject": subject,
        "action": {"name": request.action},
        "resource": resource,
    }
    return body | {"context": facts} if facts else body


def split_evaluations(body: object) -> tuple[list[dict[str, Any]], str]:
    """Return the single questions of an Access Evaluations request, and how they are carried out.

    What stands at the top is the default of every question that does not say it itself. No list,
    or an empty one, is one question.

    Raises:
        BadQuestionError: not an object, too many, or an unknown semantic.
    """
    if not isinstance(body, Mapping):
        raise BadQuestionError(gettext_noop("{name} must be an object"), name="body")
    options = _object(body, "options", is_needed=False)
    semantic = options.get("evaluations_semantic", SEMANTICS[0])
    if semantic not in SEMANTICS:
        raise BadQuestionError(
            gettext_noop("{name} must be one of {known}"),
            name="options.evaluations_semantic",
            known=", ".join(SEMANTICS),
        )
    items = body.get("evaluations", [])
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise BadQuestionError(gettext_noop("{name} must be a list of objects"), name="evaluations")
    if len(items) > MOST_EVALUATIONS:
        raise BadQuestionError(
            gettext_noop("evaluations has {count} questions: at most {most}"),
            count=len(items),
            most=MOST_EVALUATIONS,
        )
    defaults = {
        name: body[name] for name in ("subject", "action", "resource", "context") if name in body
    }
    return [defaults | dict(item) for item in items] or [defaults], str(semantic)


def is_last(decision: bool, semantic: str) -> bool:
    """Tell whether no further question is asked after this answer."""
    return (semantic == "deny_on_first_deny" and not decision) or (
        semantic == "permit_on_first_permit" and decision
    )


def authzen_answer(
    decision: Decision, *, say: Callable[[Reason], Mapping[str, str]]
) -> dict[str, Any]:
    """Return the AuthZEN answer to a decision.

    Args:
        say: gives a reason in each language, by its code.
    """
    context: dict[str, Any] = {
        "reason": dict(say(decision.why)),
        "agreement": decision.agreement,
        "clause": decision.clause,
        "agreement_hash": decision.agreement_hash,
        "policy_version": decision.policy_version,
        "trace": [
            {
                "agreement": step.agreement,
                "clause": step.clause,
                "kind": step.kind,
                "outcome": step.outcome,
                "reason": dict(say(step.why)),
            }
            for step in decision.trace
        ],
        "obligations": [
            {"id": due.id, "action": due.action, "due_at": due.due_at.isoformat()}
            for due in decision.duties
        ],
    }
    return {"decision": decision.allow, "context": context}
