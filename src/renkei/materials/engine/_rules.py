"""Rules of eligibility as dated data: what held on a day, what would hold, and by which clause.

A rule set is a list of ``Rule``; the shipped ones below are facts of law, typed from the sources
named in them. ``judge`` never guesses: a fact that a rule needs and nobody gave is named.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

from renkei.kit.errors import RenkeiError, gettext_noop

Kind = Literal["share_from_partners", "none_from", "in_force", "fields_present", "at_least"]
Value = float | str | bool | date | Sequence[str] | Mapping[str, float] | None

AGREEMENT_MINERALS: Final = ("cobalt", "graphite", "lithium", "manganese", "nickel")
CLEAN_VEHICLE_ENDED: Final = date(2025, 9, 30)  # the last day a vehicle could be acquired


class BadRuleError(RenkeiError):
    """A rule that cannot be: its dates the wrong way round, a share outside 0 to 1."""

    code = "materials.bad_rule"


class BadFactError(RenkeiError):
    """A fact that a rule cannot read."""

    code = "materials.bad_fact"


@dataclass(frozen=True, slots=True)
class Rule:
    """One dated clause.

    Attributes:
        kind: how it is read:
            ``share_from_partners``: of ``fact`` (value by country) at least ``least`` comes from
            ``countries`` or from the members of agreements in force on the day;
            ``none_from``: nothing of ``fact`` (value or mass by country, or a list of countries)
            comes from ``countries``;
            ``in_force``: holds by itself between its dates; ``countries`` become partners for
            ``minerals``;
            ``fields_present``: every name in ``fields`` has a value in ``fact`` (a mapping or a
            list of names);
            ``at_least``: the number ``fact`` is at least ``least``; where that is a share, so is
            the number.
        since, until: first and last day it holds as it was enacted (None: no end).
        ended, ended_by: the last day by a later law, and that law. A rule that a later law
            ended before it began never holds, save hypothetically.
        clause: where it stands, as one would cite it.
        source, confirmed: the law, and where somebody read what it says; empty: nobody looked.
    """

    name: str
    programme: str
    kind: Kind
    clause: str
    since: date
    until: date | None = None
    ended: date | None = None
    ended_by: str = ""
    fact: str = ""
    least: float = 0.0
    countries: frozenset[str] = frozenset()
    minerals: frozenset[str] = frozenset()
    fields: tuple[str, ...] = ()
    source: str = ""
    confirmed: str = ""

    def holds_on(self, day: date, *, as_enacted: bool = False) -> bool:
        """Tell whether the rule is in force on a day, or would be had no later law ended it."""
        enacted = self.since <= day and (self.until is None or day <= self.until)
        return enacted and (as_enacted or self.ended is None or day <= self.ended)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one clause says about the facts.

    ``passed`` is None when a fact is missing; ``measured`` and ``required`` are the figures that
    were compared (a share, a count) where there are any.
    """

    rule: str
    clause: str
    passed: bool | None
    measured: float | None = None
    required: float | None = None
    missing: tuple[str, ...] = ()
    detail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer of a programme's rules on one day.

    Attributes:
        verdict: ``yes``, ``no``, ``unknown`` (a fact is missing) or ``not_in_force`` (no clause
            of the programme holds on the day).
        is_hypothetical: the programme was taken to hold although on that day it does not.
        ended_on, ended_by: the last day of the programme and the law that ended it, where that
            is why it is not in force.
        begins_on: the first day of the programme, where that is why it is not in force.
        findings: clause by clause.
    """

    programme: str
    as_of: date
    verdict: Literal["yes", "no", "unknown", "not_in_force"]
    is_hypothetical: bool
    ended_on: date | None
    ended_by: str
    findings: tuple[Finding, ...]
    begins_on: date | None = None


def judge(
    rules: Iterable[Rule],
    facts: Mapping[str, Value],
    *,
    programme: str,
    as_of: date,
    hypothetical: bool = False,
    mineral: str = "",
) -> Judgement:
    """Apply the rules of one programme as they stood on a day.

    Args:
        rules: all rules; those of other programmes serve for their agreements alone.
        facts: what is known, by the names that the rules ask for.
        as_of: the day; the law of that day is used, whatever came later.
        hypothetical: if no clause of the programme holds on the day, answer as if no later law
            had ended it; before its first day, as if its first clauses held. The answer says so.
        mineral: of agreements, count those for this mineral alone; "" counts all.

    Raises:
        BadRuleError: a rule that cannot be.
        BadFactError: a fact of a wrong kind, a negative or unending amount.
    """
    known = [_checked(row, rule) for row, rule in enumerate(rules)]
    own = [rule for rule in known if rule.programme == programme]
    if not own:
        raise BadRuleError(
            gettext_noop("there are no rules of the programme {programme}"), programme=programme
        )
    applied = [rule for rule in own if rule.holds_on(as_of)]
    ended, ended_by, imagined = None, "", False
    first = min(rule.since for rule in own)
    begins = first if as_of < first else None
    if not applied:
        over = [rule for rule in own if rule.ended is not None and rule.ended < as_of]
        if over:
            ended, ended_by = max((rule.ended or date.min, rule.ended_by) for rule in over)
        if hypothetical:
            day = max(as_of, first)
            applied = [rule for rule in own if rule.holds_on(day, as_enacted=True)]
        if not applied:
            return Judgement(programme, as_of, "not_in_force", False, ended, ended_by, (), begins)
        imagined = True
    partners = frozenset().union(
        *(
            rule.countries
            for rule in known
            if rule.kind == "in_force"
            and rule.holds_on(as_of)
            and (not mineral or not rule.minerals or mineral in rule.minerals)
        )
    )
    findings = tuple(_read(rule, facts, partners) for rule in applied)
    passed = [finding.passed for finding in findings]
    verdict: Literal["yes", "no", "unknown"] = (
        "no" if False in passed else "unknown" if None in passed else "yes"
    )
    return Judgement(programme, as_of, verdict, imagined, ended, ended_by, findings, begins)


def _checked(row: int, rule: Rule) -> Rule:
    if rule.until is not None and rule.until < rule.since:
        raise BadRuleError(
            gettext_noop("row {row}: {rule} ends {until}, before it begins on {since}"),
            row=row,
            rule=rule.name,
            until=rule.until.isoformat(),
            since=rule.since.isoformat(),
        )
    if rule.kind == "share_from_partners" and not 0 <= rule.least <= 1:
        raise BadRuleError(
            gettext_noop("row {row}: {rule} asks for a share of {least}: expected 0 to 1"),
            row=row,
            rule=rule.name,
            least=rule.least,
        )
    return rule


def _read(rule: Rule, facts: Mapping[str, Value], partners: frozenset[str]) -> Finding:
    given = facts.get(rule.fact)
    finding = Finding(rule.name, rule.clause, None, required=rule.least or None)
    if rule.kind == "in_force":
        return replace(finding, passed=True)
    if given is None:
        return replace(finding, missing=(rule.fact,))
    match rule.kind:
        case "share_from_partners":
            amounts = _amounts(rule, given)
            total = sum(amounts.values())
            if total <= 0:
                return replace(finding, missing=(rule.fact,))
            accepted = rule.countries | partners
            share = sum(amount for name, amount in amounts.items() if name in accepted) / total
            outside = tuple(sorted(name for name in amounts if name not in accepted))
            return replace(
                finding,
                passed=share >= rule.least - 1e-12,
                measured=share,
                required=rule.least,
                detail=outside,
            )
        case "none_from":
            names = _amounts(rule, given) if isinstance(given, Mapping) else _names(rule, given)
            barred = tuple(
                sorted(
                    name
                    for name in names
                    if name in rule.countries and (not isinstance(names, dict) or names[name] > 0)
                )
            )
            return replace(
                finding, passed=not barred, measured=float(len(barred)), required=0.0, detail=barred
            )
        case "fields_present":
            have = (
                {name for name, value in given.items() if value is not None}
                if isinstance(given, Mapping)
                else set(_names(rule, given))
            )
            absent = tuple(name for name in rule.fields if name not in have)
            return replace(
                finding,
                passed=not absent,
                measured=float(len(rule.fields) - len(absent)),
                required=float(len(rule.fields)),
                detail=absent,
            )
        case _:
            if isinstance(given, bool) or not isinstance(given, int | float) or math.isnan(given):
                raise BadFactError(
                    gettext_noop("{fact} is {value!r}: expected a number"),
                    fact=rule.fact,
                    value=given,
                )
            if rule.least <= 1 and not 0 <= given <= 1:
                raise BadFactError(
                    gettext_noop("{fact} is {value!r}: expected a share from 0 to 1"),
                    fact=rule.fact,
                    value=given,
                )
            return replace(
                finding, passed=given >= rule.least, measured=float(given), required=rule.least
            )


def _amounts(rule: Rule, given: Value) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise BadFactError(
            gettext_noop("{fact}: expected an amount by country, as {{'AUS': 0.6}}"), fact=rule.fact
        )
    for name, amount in given.items():
        if not 0 <= amount < float("inf"):
            raise BadFactError(
                gettext_noop("{fact}: {country} has {amount}: expected 0 or more"),
                fact=rule.fact,
                country=name,
                amount=amount,
            )
    return dict(given)


def _names(rule: Rule, given: Value) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BadFactError(gettext_noop("{fact}: expected a list of names"), fact=rule.fact)
    return tuple(given)


_IRA = "26 U.S.C. 30D"
_VEHICLE = "clean_vehicle_credit"
# United States free trade agreements in force (20 partners and the United States itself).
_FREE_TRADE: Final = frozenset(
    [
        "USA",
        "AUS",
        "BHR",
        "CAN",
        "CHL",
        "COL",
        "CRI",
        "DOM",
        "SLV",
        "GTM",
        "HND",
        "ISR",
        "JOR",
        "KOR",
        "MEX",
        "MAR",
        "NIC",
        "OMN",
        "PAN",
        "PER",
        "SGP",
    ]
)
_ENACTED = "Public Law 117-169, 13401"
_REPEAL = "Public Law 119-21, 70502"
_CONCERN: Final = frozenset(["CHN", "IRN", "PRK", "RUS"])


def _mineral_shares() -> list[Rule]:
    """Return one rule a year: 40 % in 2023, 50 % in 2024, ten points a year to 80 %."""
    return [
        Rule(
            name=f"critical minerals {year}",
            programme=_VEHICLE,
            kind="share_from_partners",
            clause=f"{_IRA}(e)(1)(B)({number})",
            # Vehicles placed in service before the proposed rule of 18 April 2023 had no share.
            since=date(year, 4, 18) if year == 2023 else date(year, 1, 1),
            until=date(year, 12, 31) if year < 2027 else None,
            ended=CLEAN_VEHICLE_ENDED,
            ended_by=_REPEAL,
            fact="critical_mineral_value",
            least=least,
            countries=_FREE_TRADE,
            source=_ENACTED,
        )
        for year, least, number in (
            (2023, 0.4, "i"),
            (2024, 0.5, "ii"),
            (2025, 0.6, "iii"),
            (2026, 0.7, "iv"),
            (2027, 0.8, "v"),
        )
    ]


def _component_shares() -> list[Rule]:
    """Return the shares of battery components made in North America."""
    steps = (
        (date(2023, 4, 18), date(2023, 12, 31), 0.5, "i"),
        (date(2024, 1, 1), date(2025, 12, 31), 0.6, "ii"),
        (date(2026, 1, 1), date(2026, 12, 31), 0.7, "iii"),
        (date(2027, 1, 1), date(2027, 12, 31), 0.8, "iv"),
        (date(2028, 1, 1), date(2028, 12, 31), 0.9, "v"),
        (date(2029, 1, 1), None, 1.0, "vi"),
    )
    return [
        Rule(
            name=f"battery components from {since.year}",
            programme=_VEHICLE,
            kind="at_least",
            clause=f"{_IRA}(e)(2)(B)({number})",
            since=since,
            until=until,
            ended=CLEAN_VEHICLE_ENDED,
            ended_by=_REPEAL,
            fact="component_share",
            least=least,
            source=_ENACTED,
        )
        for since, until, least, number in steps
    ]


BATTERY_PASSPORT_FIELDS: Final = (
    "manufacturer",
    "battery_category",
    "place_of_manufacture",
    "date_of_manufacture",
    "weight",
    "capacity",
    "chemistry",
    "hazardous_substances",
    "critical_raw_materials",
    "carbon_footprint",
    "recycled_content",
    "responsible_sourcing_report",
)

SHIPPED_RULES: Final[Sequence[Rule]] = (
    *_mineral_shares(),
    *_component_shares(),
    Rule(
        name="no battery component of a foreign entity of concern",
        programme=_VEHICLE,
        kind="none_from",
        clause=f"{_IRA}(d)(7)(B)",
        since=date(2024, 1, 1),
        ended=CLEAN_VEHICLE_ENDED,
        ended_by=_REPEAL,
        fact="component_entities",
        countries=_CONCERN,
        source=_ENACTED,
    ),
    Rule(
        name="no critical mineral of a foreign entity of concern",
        programme=_VEHICLE,
        kind="none_from",
        clause=f"{_IRA}(d)(7)(A)",
        since=date(2025, 1, 1),
        ended=CLEAN_VEHICLE_ENDED,
        ended_by=_REPEAL,
        fact="mineral_entities",
        countries=_CONCERN,
        source=_ENACTED,
    ),
    Rule(
        name="US–Japan critical minerals agreement",
        programme="us_japan_minerals_agreement",
        kind="in_force",
        clause="Agreement on Strengthening Critical Minerals Supply Chains, 28 March 2023",
        since=date(2023, 3, 28),
        countries=frozenset(["JPN", "USA"]),
        minerals=frozenset(AGREEMENT_MINERALS),
        source="CRS In Focus IF12517",
    ),
    Rule(
        name="battery passport",
        programme="battery_passport",
        kind="fields_present",
        clause="Regulation (EU) 2023/1542, Article 77 and Annex XIII(1)",
        since=date(2027, 2, 18),
        fact="passport",
        fields=BATTERY_PASSPORT_FIELDS,
        source="Regulation (EU) 2023/1542",
    ),
)
