"""The same agreements in Cedar: an engine written by others, as the oracle of ours.

Our three-valued logic becomes two-valued here in the way Cedar's own guide advises: ``has`` before
each attribute. A permission needs what is *certain*; a prohibition applies where it is *possible*.
"""

import json

import cedarpy

from renkei.border import engine

LEVELS = {name: at for at, name in enumerate(engine.CLASSIFICATIONS)}
ACTION_SETS = {
    "permission": {"use": ("use", "read", "compute")},
    "prohibition": {"use": ("use", "read", "compute", "export")},
}
SIGNS = {"eq": "==", "neq": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
ENTITIES = cedarpy.Entities.from_json_str("[]")


def literal(operand, value):
    match operand:
        case "dateTime":
            return f'datetime("{value}")'
        case "delayPeriod":
            return f'duration("{value.removeprefix("P").lower()}")'
        case "count":
            return str(value)
        case "classification":
            return str(LEVELS[value])
        case _:
            return json.dumps(value)


def attribute(operand, name):
    return f"context.count_{name}" if operand == "count" else f"context.{operand}"


def atom(raw, name, certain):
    operand, operator, right = raw["leftOperand"], raw["operator"], raw["rightOperand"]
    place = attribute(operand, name)
    if operator in SIGNS:
        said = f"{place} {SIGNS[operator]} {literal(operand, right)}"
    else:
        items = ", ".join(literal(operand, item) for item in right)
        said = f"[{items}].contains({place})"
        if operator == "isNoneOf":
            said = f"!({said})"
    has = f"context has {place.removeprefix('context.')}"
    return f"({has} && ({said}))" if certain else f"(!({has}) || ({said}))"


def condition(raw, name, certain):
    for key, sign in (("and", " && "), ("or", " || ")):
        if key in raw:
            return "(" + sign.join(condition(part, name, certain) for part in raw[key]) + ")"
    return atom(raw, name, certain)


def policy(document, kind, raw, name, delay):
    """Return one clause as a Cedar policy."""
    certain = kind == "permission"
    actions = ACTION_SETS[kind].get(raw["action"], (raw["action"],))
    targets = document["target"] if isinstance(document["target"], list) else [document["target"]]
    parties = (
        document["assignee"] if isinstance(document["assignee"], list) else [document["assignee"]]
    )
    resources = " || ".join(f"resource == Asset::{json.dumps(target)}" for target in targets)
    among = f"[{', '.join(map(json.dumps, parties))}].contains(context.recipientParty)"
    party = (
        f"(context has recipientParty && {among})"
        if certain
        else f"(!(context has recipientParty) || {among})"
    )
    parts = [f"({resources})", f'context.dateTime >= datetime("{document["timestamp"]}")', party]
    parts += [condition(part, name, certain) for part in raw.get("constraint", [])]
    body = " && ".join(parts).replace("context has delayPeriod", "true")
    body = body.replace("context.delayPeriod", delay)
    effect = "permit" if certain else "forbid"
    among_actions = ", ".join(f'Action::"{action}"' for action in actions)
    return f"{effect}(principal, action in [{among_actions}], resource) when {{ {body} }};"


def counter(at, id_):
    return f"{at}_{id_}"


def translate(agreements):
    """Return a parsed Cedar policy set that says what the agreements say."""
    lines = []
    for at, one in enumerate(agreements):
        delay = f'(context.dateTime.durationSince(datetime("{one.document["timestamp"]}")))'
        for kind in ("permission", "prohibition"):
            lines += [
                policy(one.document, kind, raw, counter(at, raw["@id"]), delay)
                for raw in one.document.get(kind, [])
            ]
    return cedarpy.PolicySet.from_str("\n".join(lines))


def question(agreements, request, now, uses):
    """Return a request in Cedar's form."""
    context = dict(request.stated())
    if "classification" in context:
        context["classification"] = LEVELS[context["classification"]]
    context["dateTime"] = {"__extn": {"fn": "datetime", "arg": now.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    for at, one in enumerate(agreements):
        for clause in one.clauses:
            context["count_" + counter(at, clause.id)] = uses.get((one.uid, clause.id), 0) + 1
    return {
        "principal": {"type": "Person", "id": request.recipient or "unknown"},
        "action": {"type": "Action", "id": request.action},
        "resource": {"type": "Asset", "id": request.target},
        "context": context,
    }


def allowed(results):
    """Return Cedar's answers; an error inside a policy would make the comparison worthless."""
    for result in results:
        assert not result.diagnostics.errors, result.diagnostics.errors
    return [result.allowed for result in results]


def ask(requests, policies):
    return allowed(cedarpy.is_authorized_batch(requests, policies, ENTITIES))
