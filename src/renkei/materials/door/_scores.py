"""The EU's two scores, and eligibility by dated rules: each answer with everything it was made of."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.db.models import F, Sum

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials import engine
from renkei.materials.door import _read
from renkei.materials.door._summaries import governance
from renkei.materials.models import Flow, Form, Material

EU_SCALE: Final = 10.0  # the EU's governance runs from 0 to 10, ours from 0 to 1
MOST_USES: Final = 50
_AMOUNT: Final = re.compile(r"\s*([^=:]+?)\s*[=:]\s*([0-9]+(?:\.[0-9]+)?)\s*")


class BadFactTextError(RenkeiError):
    """A fact that cannot be read as its rule needs it."""

    code = "materials.bad_fact_text"


@dataclass(frozen=True, slots=True)
class EuScore:
    """The EU's supply risk of one material for one country, and economic importance where stated.

    Attributes:
        stage: stage of the chain that is scored.
        supply: the score; ``importance``: the other, or ``None`` where no uses were stated.
        world, own: concentration of the world's supply and of the country's sourcing, with rows;
            ``own`` is ``None`` where no code of the trade release shows what it buys.
        year: of the flows.
        origins: by input, where it comes from: ``production``, ``trade``, ``no-trade``, ``printed``,
            ``no-production``, ``open``, ``stated`` or ``left-out``.
    """

    material: Material
    country: str
    stage: str
    supply: engine.Score
    importance: engine.Score | None
    world: engine.Concentration
    own: engine.Concentration | None
    year: int | None
    origins: Mapping[str, str]


def eu_score(
    material: Material,
    country: str,
    *,
    stage: str = "",
    recycling: engine.Bounds | None = None,
    substitution: engine.Bounds | None = None,
    uses: Sequence[tuple[str, float, float]] = (),
    largest_value_added: float | None = None,
) -> EuScore:
    """Return the EU's supply risk (and economic importance) as this registry's figures give them.

    The registry holds no recycling rates, substitution indices or value added: without ``recycling``
    and ``substitution`` the score stands before both, which only lower it.

    Args:
        material: what.
        country: for whom, ISO 3166-1 alpha-3.
        stage: ``mine`` or ``refine``; the one with the higher score where none is named.
        recycling: end-of-life recycling input rate; ``substitution``: the index, both 0 … 1.
        uses: (sector, share of use, value added of the sector).
        largest_value_added: of the largest sector of the economy, in the unit of ``uses``.

    Raises:
        BadQuestionError: no table says who holds the stage, or uses without the largest sector.
        BadFigureError: a share outside 0 … 1.
    """
    stages = [stage] if stage else sorted({row.stage for row in _read.risks(material)})
    if not stages:
        raise _read.BadQuestionError(
            gettext_noop("no table says who holds the stage {stage!r} of {material}"),
            stage=stage or "-",
            material=material.slug,
        )
    if len(uses) > MOST_USES or bool(uses) != (largest_value_added is not None):
        raise _read.BadQuestionError(
            gettext_noop(
                "economic importance needs uses (at most {most}) and the largest value added"
            ),
            most=MOST_USES,
        )
    found = [
        _eu_at(material, country, at, recycling=recycling, substitution=substitution)
        for at in stages
    ]
    supply, world, own, year, origins, at = max(found, key=lambda one: one[0].value.high)
    importance = None
    if uses and largest_value_added is not None:
        importance = engine.economic_importance(
            uses=uses,
            largest_value_added=largest_value_added,
            substitution=substitution or engine.Bounds(1.0, 1.0),
        )
    return EuScore(material, country, at, supply, importance, world, own, year, origins)


def _eu_at(
    material: Material,
    country: str,
    stage: str,
    *,
    recycling: engine.Bounds | None,
    substitution: engine.Bounds | None,
) -> tuple[
    engine.Score,
    engine.Concentration,
    engine.Concentration | None,
    int | None,
    dict[str, str],
    str,
]:
    risks = governance()
    world = _read.concentration(material, stage)
    year, sources = _sources(material, country, stage)
    own = engine.concentration(sources, governance=risks) if sources else None
    reliance, whence = _reliance(material, country, world)
    supply = engine.supply_risk(
        global_concentration=_scaled(world),
        own_concentration=_scaled(own) if own else engine.Bounds(0.0, EU_SCALE),
        import_reliance=reliance,
        recycling_rate=recycling or engine.Bounds(0.0, 0.0),
        substitution=substitution or engine.Bounds(1.0, 1.0),
    )
    origins = {
        "global_concentration": "production",
        "own_concentration": "trade" if own else "no-trade",
        "import_reliance": whence,
        "recycling_rate": "stated" if recycling else "left-out",
        "substitution": "stated" if substitution else "left-out",
    }
    return supply, world, own, year, origins, stage


def _scaled(one: engine.Concentration) -> engine.Bounds:
    held = one.governed or engine.Bounds(0.0, 1.0)
    return engine.Bounds(min(EU_SCALE, held.low * EU_SCALE), min(EU_SCALE, held.high * EU_SCALE))


def _sources(material: Material, country: str, stage: str) -> tuple[int | None, dict[str, float]]:
    """Return tonnes that a country bought in the latest year, by shipper.

    Of the goods of the stage; where no code shows those alone, of the material's other goods.
    """
    pairs = list(
        Form.objects.filter(material=material, is_mixed=False)
        .exclude(hs92="")
        .values_list("stage", "hs92")
    )
    codes = [code for at, code in pairs if at == stage] or [code for _at, code in pairs]
    rows = Flow.objects.current().filter(code__in=codes, release__publisher="baci")
    day = rows.newest_whole()
    if day is None:
        return None, {}
    bought = (
        rows.filter(valid_from=day, importer=country, tonnes__gt=0)
        .exclude(exporter=F("importer"))
        .values_list("exporter")
        .annotate(Sum("tonnes"))
    )
    known = engine.places()
    merged: dict[str, float] = defaultdict(float)
    for exporter, tonnes in bought:
        merged["TWN" if exporter == "S19" else exporter] += tonnes
    return day.year, {name: tonnes for name, tonnes in merged.items() if name in known}


def _reliance(
    material: Material, country: str, world: engine.Concentration
) -> tuple[engine.Bounds, str]:
    """Return net import reliance: printed for the United States, else whether anything is made."""
    if country == "USA":
        printed = [
            (row.valid_from, figure, row.qualifier)
            for row in _read.reliance(material)
            if (figure := row.quantity if row.bound is None else row.bound) is not None
        ]
        if printed:
            last = max(day for day, _quantity, _sign in printed)
            shares = [
                (max(0.0, quantity) / 100, sign) for day, quantity, sign in printed if day == last
            ]
            low = min(0.0 if sign == "<" else share for share, sign in shares)
            high = max(1.0 if sign == ">" else share for share, sign in shares)
            return engine.Bounds(min(1.0, low), min(1.0, high)), "printed"
    made = {row.country: row.quantity for row in world.rows}
    if made.get(country, 0.0) <= 0:
        return engine.Bounds(1.0, 1.0), "no-production"
    return engine.Bounds(0.0, 1.0), "open"


def interval(text: str) -> engine.Bounds | None:
    """Return the interval of "0.1" or "0-0.3"; ``None`` of an empty text.

    Raises:
        BadQuestionError: it is none, or not within 0 … 1.
    """
    if not text.strip():
        return None
    parts = re.split(r"\s*[–〜～-]\s*", text.strip())
    try:
        ends = [float(part) for part in parts]
    except ValueError:
        ends = []
    if len(ends) not in {1, 2} or not 0 <= ends[0] <= ends[-1] <= 1:
        raise _read.BadQuestionError(
            gettext_noop("{text!r} is no interval: expected such as 0–0.3, within 0 and 1"),
            text=text[:40],
        )
    return engine.Bounds(ends[0], ends[-1])


def parse_uses(text: str) -> list[tuple[str, float, float]]:
    """Return the uses of lines such as "magnets; 0.4; 1200" (sector, share, value added).

    Raises:
        BadQuestionError: a line is none.
    """
    found = []
    for number, line in enumerate(filter(str.strip, text.splitlines()), 1):
        parts = [part.strip() for part in line.split(";")]
        try:
            sector, share, added = parts[0], float(parts[1]), float(parts[2])
        except (IndexError, ValueError) as error:
            raise _read.BadQuestionError(
                gettext_noop("line {number}: expected sector; share; value added"), number=number
            ) from error
        found.append((sector[:60], share, added))
    return found


# Rules


def programmes() -> dict[str, list[engine.Rule]]:
    """Return the rules by programme."""
    found: dict[str, list[engine.Rule]] = defaultdict(list)
    for rule in _read.rules():
        found[rule.programme].append(rule)
    return dict(found)


def facts_of(programme: str) -> dict[str, str]:
    """Return by name the facts that a programme's rules ask for, and of which kind each is.

    Raises:
        BadRuleError: there is no such programme.
    """
    known = programmes()
    if programme not in known:
        raise engine.BadRuleError(
            gettext_noop("there are no rules of the programme {programme}"), programme=programme
        )
    return {rule.fact: rule.kind for rule in known[programme] if rule.fact}


def judge(
    programme: str,
    *,
    as_of: date,
    facts: Mapping[str, str] | None = None,
    hypothetical: bool = False,
    mineral: str = "",
) -> engine.Judgement:
    """Apply a programme's rules as they stood on a day to facts that people typed.

    Args:
        programme: family of rules.
        as_of: the day.
        facts: by name: "AUS=60, CHN=40" for amounts by country, names with commas for a list, or a
            number; what is left out is unknown.
        hypothetical: answer as if the programme held although on that day it does not.
        mineral: of agreements, count those for it alone.

    Raises:
        BadRuleError: there is no such programme.
        BadFactTextError, BadFactError: a fact that cannot be.
    """
    kinds = facts_of(programme)
    read: dict[str, Any] = {}
    for name, text in (facts or {}).items():
        if name not in kinds:
            raise BadFactTextError(
                gettext_noop("{name!r} is no fact of {programme}: expected some of {known}"),
                name=name,
                programme=programme,
                known=", ".join(sorted(kinds)) or "-",
            )
        if text.strip():
            read[name] = _fact(name, kinds[name], text)
    rules = _read.rules()
    minerals = {name for rule in rules for name in rule.minerals}
    if mineral and mineral.casefold() not in minerals:
        raise BadFactTextError(
            gettext_noop("no agreement is about {mineral!r}: expected one of {known}"),
            mineral=mineral[:40],
            known=", ".join(sorted(minerals)),
        )
    return engine.judge(
        rules,
        read,
        programme=programme,
        as_of=as_of,
        hypothetical=hypothetical,
        mineral=mineral.casefold(),
    )


def _fact(name: str, kind: str, text: str) -> Any:
    parts = [part for part in re.split(r"[,、;\n]", text) if part.strip()]
    if kind == "at_least":
        try:
            return float(text)
        except ValueError as error:
            raise BadFactTextError(
                gettext_noop("{name}: expected a number, not {text!r}"), name=name, text=text[:60]
            ) from error
    amounts = [_AMOUNT.fullmatch(part) for part in parts]
    if kind == "share_from_partners" or (kind == "none_from" and any(amounts)):
        if not all(amounts):
            raise BadFactTextError(
                gettext_noop("{name}: expected amounts by country, such as AUS=60, CHN=40"),
                name=name,
            )
        told: dict[str, float] = {}
        for found in filter(None, amounts):
            code = _country(name, found[1])
            if code in told:
                raise BadFactTextError(
                    gettext_noop("{name}: {country} is said twice"),
                    name=name,
                    country=found[1][:40],
                )
            told[code] = float(found[2])
        return told
    said = [part.strip() for part in parts]
    return [_country(name, part) for part in said] if kind == "none_from" else said


def _country(fact: str, text: str) -> str:
    """Return the code of a country by its code or name; "China" must not pass for no country."""
    code = engine.place_code(text)
    if code is None or code == engine.WORLD:
        raise BadFactTextError(
            gettext_noop("{name}: unknown country {country!r}"), name=fact, country=text[:40]
        )
    return code
