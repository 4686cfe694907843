"""May this be done? One question to the agreements in force, answered with its reasons.

A prohibition beats every permission, what nothing permits is denied, and what is not known counts
against the asker: a permission needs every fact it names, a prohibition applies unless a fact rules
it out. Three-valued logic (Kleene) carries that through ``and`` and ``or``. Time is the caller's
argument, and so is how often a clause was used.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from renkei.border.engine._agreement import (
    ACTIONS,
    CLASSIFICATIONS,
    OPERANDS,
    PROFILE,
    Agreement,
    BadAgreementError,
    Clause,
    Conditions,
    Reason,
    Test,
)
from renkei.kit.errors import gettext_noop

STATED = ("purpose", "recipient", "recipientParty", "spatial", "classification", "outputType")
"""Operands whose facts the asker states; the node measures dateTime, count and delayPeriod itself."""

NAMES: Mapping[str, Reason] = {
    "purpose": Reason(gettext_noop("purpose")),
    "dateTime": Reason(gettext_noop("dateTime")),
    "recipient": Reason(gettext_noop("recipient")),
    "recipientParty": Reason(gettext_noop("recipientParty")),
    "spatial": Reason(gettext_noop("spatial")),
    "count": Reason(gettext_noop("count")),
    "delayPeriod": Reason(gettext_noop("delayPeriod")),
    "classification": Reason(gettext_noop("classification")),
    "outputType": Reason(gettext_noop("outputType")),
    "use": Reason(gettext_noop("use")),
    "read": Reason(gettext_noop("read")),
    "compute": Reason(gettext_noop("compute")),
    "export": Reason(gettext_noop("export")),
}
"""The words of the profile, as sentences say them: a reader of Japanese is given Japanese."""

FAILED: Mapping[str, str] = {
    "eq": gettext_noop("{operand} is {given}, not {wanted}"),
    "neq": gettext_noop("{operand} is {given}, and the clause is about all but {wanted}"),
    "isAnyOf": gettext_noop("{operand} is {given}, not one of {wanted}"),
    "isNoneOf": gettext_noop("{operand} is {given}, which is one of {wanted}"),
    "lt": gettext_noop("{operand} is {given}, not below {wanted}"),
    "lteq": gettext_noop("{operand} is {given}, above {wanted}"),
    "gt": gettext_noop("{operand} is {given}, not above {wanted}"),
    "gteq": gettext_noop("{operand} is {given}, below {wanted}"),
}
"""Why a comparison does not hold, by its operator."""

Uses = Mapping[tuple[str, str], int]
"""How often each clause (agreement's uid, clause's id) was used before."""


@dataclass(frozen=True, slots=True)
class Request:
    """May ``recipient`` of ``recipient_party`` do ``action`` with ``target``? An empty text is unknown.

    Attributes:
        action: one of ``ACTIONS``.
        target: what it is about, by the name that agreements use.
        recipient: who asks and would receive.
        recipient_party: whose they are; an agreement permits its assignees alone.
        purpose, spatial, classification, output_type: the other facts that a clause may ask for.
    """

    action: str
    target: str
    recipient: str = ""
    recipient_party: str = ""
    purpose: str = ""
    spatial: str = ""
    classification: str = ""
    output_type: str = ""

    def stated(self) -> dict[str, str]:
        """Return the facts that are known, by operand."""
        facts = {
            "purpose": self.purpose,
            "recipient": self.recipient,
            "recipientParty": self.recipient_party,
            "spatial": self.spatial,
            "classification": self.classification,
            "outputType": self.output_type,
        }
        return {name: value for name, value in facts.items() if value}


@dataclass(frozen=True, slots=True)
class Step:
    """What one clause had to say.

    Attributes:
        outcome: ``applies``, ``does_not_apply`` or ``unknown``.
    """

    agreement: str
    clause: str
    kind: str
    outcome: str
    why: Reason

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "agreement": self.agreement,
            "clause": self.clause,
            "kind": self.kind,
            "outcome": self.outcome,
            "why": self.why.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Due:
    """A duty that a decision brought about."""

    id: str
    clause: str
    action: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request.

    Attributes:
        allow: whether it may be done.
        agreement, clause: what decided; empty when nothing speaks about the request.
        agreement_hash: of the deciding agreement's document.
        policy_version: of all agreements in force together; two decisions with the same one were
            made under the same rules.
        trace: every clause that was weighed, in order.
        duties: what must be done after an allowed use.
        counted: the clauses of which this is one more use.
    """

    allow: bool
    why: Reason
    policy_version: str
    agreement: str = ""
    clause: str = ""
    agreement_hash: str = ""
    trace: tuple[Step, ...] = ()
    duties: tuple[Due, ...] = ()
    counted: tuple[tuple[str, str], ...] = ()


Rules = tuple[tuple[tuple[Agreement, Clause], ...], tuple[tuple[Agreement, Clause], ...]]


class Policies:
    """Agreements in force together, made ready once to decide many requests."""

    def __init__(self, agreements: Iterable[Agreement]) -> None:
        self.agreements = tuple(sorted(agreements, key=lambda one: one.uid))
        names = [one.uid for one in self.agreements]
        for name, times in Counter(names).items():
            if times > 1:
                raise BadAgreementError(
                    gettext_noop("{name} is in force in {times} versions: expected one"),
                    name=name,
                    times=times,
                )
        said = "\n".join([PROFILE, *(one.hash for one in self.agreements)])
        self.version = hashlib.sha256(said.encode()).hexdigest()
        self._of_target: dict[str, list[Agreement]] = defaultdict(list)
        for one in self.agreements:
            for target in one.targets:
                self._of_target[target].append(one)
        self._rules: dict[tuple[str, str], Rules] = {}
        for target in self._of_target:
            for action in ACTIONS:
                self._rules[target, action] = (
                    self._find(target, action, "prohibition"),
                    self._find(target, action, "permission"),
                )

    def _find(self, target: str, action: str, kind: str) -> tuple[tuple[Agreement, Clause], ...]:
        return tuple(
            (one, clause)
            for one in self._of_target[target]
            for clause in one.of(kind)
            if clause.covers(action)
        )

    def rules(self, target: str, action: str) -> Rules | None:
        """Return the prohibitions and permissions for an action on a target, if any agreement knows it."""
        return self._rules.get((target, action))

    def with_draft(self, draft: Agreement) -> "Policies":
        """Return what would be in force after a draft took the place of its former version."""
        return Policies([*(one for one in self.agreements if one.uid != draft.uid), draft])


def decide(
    policies: Policies, request: Request, *, now: datetime, uses: Uses | None = None
) -> Decision:
    """Decide one request.

    Args:
        policies: the agreements in force.
        now: when the action would be done; must have an offset.
        uses: how often clauses with ``count`` were used before; a clause compares the use that is
            asked for, so ``count lteq 5`` permits five.
    """
    uses = uses or {}
    facts: dict[str, Any] = dict(request.stated())
    refusal = _misstated(request, facts)
    if refusal is not None:
        return Decision(allow=False, why=refusal, policy_version=policies.version)
    facts["dateTime"] = now
    rules = policies.rules(request.target, request.action)
    if rules is None:
        why = Reason(
            gettext_noop("no agreement in force is about {target}"), {"target": request.target}
        )
        return Decision(allow=False, why=why, policy_version=policies.version)
    prohibitions, permissions = rules
    trace: list[Step] = []
    counted: list[tuple[str, str]] = []
    for agreement, clause in prohibitions:
        applies, why = _weigh(agreement, clause, facts, now, uses)
        trace.append(_step(agreement, clause, applies, why))
        if applies is not False:
            return Decision(
                allow=False,
                why=_prohibited(request, trace[-1]),
                policy_version=policies.version,
                agreement=agreement.uid,
                clause=clause.id,
                agreement_hash=agreement.hash,
                trace=tuple(trace),
            )
        if "count" in clause.operands:
            counted.append((agreement.uid, clause.id))
    for agreement, clause in permissions:
        applies, why = _weigh(agreement, clause, facts, now, uses)
        trace.append(_step(agreement, clause, applies, why))
        if applies:
            if "count" in clause.operands:
                counted.append((agreement.uid, clause.id))
            return Decision(
                allow=True,
                why=Reason(
                    gettext_noop("clause {clause} of {agreement} permits {action}"),
                    {
                        "clause": clause.id,
                        "agreement": agreement.uid,
                        "action": NAMES[request.action],
                    },
                ),
                policy_version=policies.version,
                agreement=agreement.uid,
                clause=clause.id,
                agreement_hash=agreement.hash,
                trace=tuple(trace),
                duties=tuple(
                    Due(duty.id, clause.id, duty.action, duty.due(now)) for duty in clause.duties
                ),
                counted=tuple(counted),
            )
    return Decision(
        allow=False,
        why=_unpermitted(request, permissions, trace),
        policy_version=policies.version,
        trace=tuple(trace),
    )


def _misstated(request: Request, facts: dict[str, Any]) -> Reason | None:
    """Put facts into the form that clauses compare; return why one cannot be."""
    if request.action not in ACTIONS:
        return Reason(
            gettext_noop("the action {name} is not known: expected one of {known}"),
            {"name": request.action, "known": ", ".join(ACTIONS)},
        )
    for name in ("classification", "spatial"):
        if name in facts:
            try:
                facts[name] = OPERANDS[name].read(facts[name])
            except ValueError as error:
                return Reason(
                    gettext_noop("{operand} is {given}: expected {expected}"),
                    {"operand": NAMES[name], "given": facts[name], "expected": Reason(str(error))},
                )
    return None


_APPLIES = Reason(gettext_noop("it applies"))


def _weigh(
    agreement: Agreement, clause: Clause, facts: dict[str, Any], now: datetime, uses: Uses
) -> tuple[bool | None, Reason]:
    """Tell whether a clause applies, ``None`` where that cannot be known, and why."""
    if now < agreement.concluded_at:
        return False, Reason(
            gettext_noop("the agreement holds from {at} on"),
            {"at": agreement.concluded_at.isoformat()},
        )
    party = facts.get("recipientParty")
    if party is None:
        return None, _unstated("recipientParty")
    if party not in agreement.assignees:
        return False, Reason(
            gettext_noop("the agreement binds {assignees}, and the recipient belongs to {party}"),
            {"assignees": ", ".join(agreement.assignees), "party": party},
        )
    if clause.unknown is not None:
        return None, clause.unknown
    if "count" in clause.operands:
        facts["count"] = uses.get((agreement.uid, clause.id), 0) + 1
    if "delayPeriod" in clause.operands:
        facts["delayPeriod"] = now - agreement.concluded_at
    held = clause.condition.holds(facts)
    return held, _APPLIES if held else _failing(clause.condition, facts)


def _unstated(operand: str) -> Reason:
    return Reason(gettext_noop("{operand} is not stated"), {"operand": NAMES[operand]})


def _failing(part: Test | Conditions, facts: Mapping[str, Any]) -> Reason:
    """Say which comparison keeps a condition from holding: the first one."""
    while isinstance(part, Conditions):
        at_fault = part.holds(facts)  # False or None: the first part of that kind is why
        part = next(inner for inner in part.parts if inner.holds(facts) is at_fault)
    if part.operand not in facts:
        return _unstated(part.operand)
    wanted = part.said if isinstance(part.said, list) else [part.said]
    return Reason(
        FAILED[part.operator],
        {
            "operand": NAMES[part.operand],
            "given": _shown(part.operand, facts[part.operand]),
            "wanted": ", ".join(map(str, wanted)),
        },
    )


def _shown(operand: str, given: Any) -> str:
    if operand == "classification":
        return CLASSIFICATIONS[given]
    return given.isoformat() if isinstance(given, datetime) else str(given)


def _step(agreement: Agreement, clause: Clause, applies: bool | None, why: Reason) -> Step:
    outcome = "unknown" if applies is None else "applies" if applies else "does_not_apply"
    return Step(agreement.uid, clause.id, clause.kind, outcome, why)


def _prohibited(request: Request, step: Step) -> Reason:
    values: dict[str, object] = {
        "clause": step.clause,
        "agreement": step.agreement,
        "action": NAMES[request.action],
    }
    if step.outcome == "applies":
        return Reason(gettext_noop("clause {clause} of {agreement} prohibits {action}"), values)
    return Reason(
        gettext_noop(
            "clause {clause} of {agreement} may prohibit {action}, and nothing rules it out: {why}"
        ),
        values | {"why": step.why},
    )


def _unpermitted(
    request: Request, permissions: tuple[tuple[Agreement, Clause], ...], trace: list[Step]
) -> Reason:
    values: dict[str, object] = {"action": NAMES[request.action], "target": request.target}
    if not permissions:
        return Reason(gettext_noop("no clause permits {action} on {target}"), values)
    nearest = trace[-len(permissions)]
    return Reason(
        gettext_noop(
            "no clause permits {action} on {target}; clause {clause} does not, because {why}"
        ),
        values | {"clause": nearest.clause, "why": nearest.why},
    )


@dataclass(frozen=True, slots=True)
class Past:
    """A request that was decided once."""

    request: Request
    at: datetime


@dataclass(slots=True)
class Change:
    """Requests of one kind that a draft decides otherwise.

    Attributes:
        times: how many.
        first_at, last_at: when the first and the last was made.
        before, after: why, for the first of them.
    """

    request: Request
    first_at: datetime
    last_at: datetime
    before: Decision
    after: Decision
    times: int = 1


@dataclass(slots=True)
class Simulation:
    """What a draft would have changed: who gains access and who loses it, most affected first."""

    replayed: int = 0
    allowed_before: int = 0
    allowed_after: int = 0
    gains: list[Change] = field(default_factory=list)
    loses: list[Change] = field(default_factory=list)

    @property
    def unchanged(self) -> int:
        """Return how many requests are decided as before."""
        return self.replayed - sum(one.times for one in (*self.gains, *self.loses))


def simulate(past: Iterable[Past], current: Policies, draft: Policies) -> Simulation:
    """Replay past requests, in order, against what is in force and against a draft.

    Both start with no use of any clause and count their own, so that a changed ``count`` shows.
    """
    done = Simulation()
    changes: dict[tuple[Request, bool], Change] = {}
    uses: tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]] = (Counter(), Counter())
    for item in past:
        before = decide(current, item.request, now=item.at, uses=uses[0])
        after = decide(draft, item.request, now=item.at, uses=uses[1])
        uses[0].update(before.counted)
        uses[1].update(after.counted)
        done.replayed += 1
        done.allowed_before += before.allow
        done.allowed_after += after.allow
        if before.allow is after.allow:
            continue
        key = (item.request, after.allow)
        change = changes.get(key)
        if change is None:
            changes[key] = Change(item.request, item.at, item.at, before, after)
        else:
            change.times += 1
            change.last_at = item.at
    for change in sorted(changes.values(), key=lambda one: -one.times):
        (done.gains if change.after.allow else done.loses).append(change)
    return done
