"""What the registry shows of a material's trade and output, as the engines read it.

Trade is that of the latest year, in the codes that hold the material alone. Output is read where an
outage is asked for.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db.models import F, Q

from renkei.kit.errors import gettext_noop
from renkei.materials import engine
from renkei.materials.models import (
    Flow,
    Form,
    Material,
    Observation,
    Scenario,
    Site,
    Stage,
    Subject,
)

OUTAGES: Final = {"mine_out": Stage.MINE, "refinery_out": Stage.REFINE}
LARGE_PRODUCER: Final = 0.02  # share of the world's output above which exports tell the unit
PREFERRED: Final = ("usgs", "iea", "bgs")


@dataclass(slots=True, eq=False)
class Trade:
    """A material's flows of the latest year, and what else a plan reads.

    Attributes:
        prices: dollars a tonne by exporter and importer, of the last stage.
        site_shares: of each site that is out, its country and its share of that country's output.
        flags: what had to be assumed beside what the engine says of the table.
        left: share of its supply that each seller has left, where an outage is asked for.
        lacking: codes of its goods that the trade release does not hold.
    """

    table: engine.FlowTable
    prices: dict[tuple[str, str], float]
    year: int
    site_shares: dict[str, tuple[str, float]] = field(default_factory=dict)
    flags: list[engine.Remark] = field(default_factory=list)
    left: dict[str, float] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


def concerned(scenario: Scenario) -> list[Material]:
    """Return the materials of a scenario that names none: those of its sites or codes, else all."""
    rows = Material.objects.order_by("slug")
    if scenario.sites:
        return list(rows.filter(sites__slug__in=scenario.sites.split()).distinct())
    if scenario.codes:
        return list(rows.filter(_of_codes(scenario.codes.split(), "forms__")).distinct())
    return list(rows.filter(is_watched=True))


def _of_codes(codes: Sequence[str], path: str = "") -> Q:
    return Q(**{f"{path}hs92__in": codes}) | Q(**{f"{path}hs2022__in": codes})


def trade_of(scenario: Scenario, material: Material) -> Trade | None:
    """Return a material's flows of the latest year; with its production where an outage is asked for."""
    forms = Form.objects.filter(material=material).exclude(hs92="")
    codes = scenario.codes.split()
    flags: list[engine.Remark] = []
    if codes:
        forms = forms.filter(_of_codes(codes))
        flags.append(
            engine.Remark(
                gettext_noop("only goods of the codes {codes} are counted, and their use"),
                codes=", ".join(codes),
            )
        )
        flags += [
            engine.Remark(gettext_noop("the code {code} holds other goods too"), code=form.hs2022)
            for form in forms
            if form.is_mixed
        ]
    else:
        forms = forms.filter(is_mixed=False)
    stages = {form.hs92: form.stage for form in forms}
    rows = Flow.objects.current().filter(code__in=stages, release__publisher="baci")
    day = rows.newest_whole()
    if day is None:
        return None
    trade: dict[tuple[str, str, str], float] = defaultdict(float)
    spent: dict[tuple[str, str], float] = defaultdict(float)
    mass: dict[tuple[str, str], float] = defaultdict(float)
    order = [stage for stage in Stage.values if stage in set(stages.values())]
    held = rows.filter(valid_from=day, tonnes__gt=0).exclude(exporter=F("importer"))
    for code, exporter, importer, tonnes, kusd in held.values_list(
        "code", "exporter", "importer", "tonnes", "kusd"
    ):
        seller, buyer = _country(exporter), _country(importer)
        trade[stages[code], seller, buyer] += tonnes
        if stages[code] == order[-1]:
            spent[seller, buyer] += kusd * 1e3
            mass[seller, buyer] += tonnes
    if not trade:
        return None
    held_codes = set(rows.filter(valid_from=day).values_list("code", flat=True).distinct())
    if lacking := sorted(set(stages) - held_codes):
        flags.append(
            engine.Remark(
                gettext_noop(
                    "goods of the HS 1992 codes {codes} are not in the trade release: they are not "
                    "counted"
                ),
                codes=", ".join(lacking),
            )
        )
    order = [stage for stage in order if any(where[0] == stage for where in trade)]
    table = engine.flow_table(
        material=material.slug,
        stages=order,
        trade=[(*where, tonnes) for where, tonnes in trade.items()],
    )
    prices = {where: spent[where] / mass[where] for where in mass}
    found = Trade(table, prices, day.year, flags=flags, lacking=tuple(lacking))
    if scenario.kind in OUTAGES:
        return _with_production(scenario, material, order, trade, found)
    return found


def _with_production(
    scenario: Scenario,
    material: Material,
    order: list[str],
    trade: dict[tuple[str, str, str], float],
    found: Trade,
) -> Trade:
    """Return the flows with who makes what: an outage stops what is made, and what is made of that.

    Where trade in ores is not seen, what miners do not refine themselves goes to refiners in
    proportion to what they lack.
    """
    printed = _production(material)
    refiners, miners = printed.get(Stage.REFINE, {}), printed.get(Stage.MINE, {})
    ores = [
        where
        for where in trade
        if where[0] == Stage.REFINE and where[1] in miners and where[1] not in refiners
        if where[2] in refiners
    ]
    if ores:
        found.flags.append(
            engine.Remark(
                gettext_noop(
                    "what {countries} send to refiners is taken for what is refined there: they are "
                    "printed as miners alone"
                ),
                countries=" ".join(sorted({where[1] for where in ores})),
            )
        )
        trade = {where: tonnes for where, tonnes in trade.items() if where not in ores}
    made = {stage: output for stage in order if (output := _made(stage, trade, printed, found))}
    stages = list(order)
    if Stage.MINE not in stages and Stage.MINE in printed and Stage.REFINE in made:
        stages.insert(0, Stage.MINE)
        made[Stage.MINE] = dict(printed[Stage.MINE])
        trade = trade | _pooled(made)
        found.flags.append(
            engine.Remark(
                gettext_noop(
                    "trade in ores is not seen; what miners do not refine is shared out to refiners "
                    "in proportion to what they lack"
                )
            )
        )
    needed = {}
    if Stage.MINE in made and Stage.REFINE in made:
        ore, metal = (sum(made[stage].values()) for stage in (Stage.MINE, Stage.REFINE))
        needed[Stage.MINE.value] = ore / metal
    found.table = engine.flow_table(
        material=material.slug,
        stages=stages,
        trade=[(*where, tonnes) for where, tonnes in trade.items() if tonnes > 0],
        production=[
            (stage, name, tonnes)
            for stage, output in made.items()
            for name, tonnes in output.items()
        ],
        needed=needed,
    )
    found.site_shares = _site_shares(scenario, material, printed, found.flags)
    return found


def _made(
    stage: str,
    trade: Mapping[tuple[str, str, str], float],
    printed: Mapping[str, Mapping[str, float]],
    found: Trade,
) -> dict[str, float]:
    """Return what each country makes at a stage, in tonnes of the goods that are traded.

    Printed production is of the element, and the goods of ores weigh more: figures are scaled by
    what large producers export, at the least.
    """
    output = printed.get(stage)
    if output is None and stage == Stage.REFINE and Stage.MINE in printed:
        output = printed[Stage.MINE]
        found.flags.append(
            engine.Remark(
                gettext_noop("who refines is not printed: each country refines what it mines")
            )
        )
    if output is None:
        return {}
    net: dict[str, float] = defaultdict(float)
    for (at, seller, buyer), tonnes in trade.items():
        if at == stage:
            net[seller] += tonnes
            net[buyer] -= tonnes
    large = [name for name, t in output.items() if t >= LARGE_PRODUCER * sum(output.values())]
    factor = max([1.0, *(net.get(name, 0.0) / output[name] for name in large)])
    if factor > 1:
        found.flags.append(
            engine.Remark(
                gettext_noop(
                    "{stage}: printed production is multiplied by {factor}: so much more do the "
                    "goods of large exporters weigh"
                ),
                stage=stage,
                factor=f"{factor:.3g}",
            )
        )
    return {
        name: max(output.get(name, 0.0) * factor, net.get(name, 0.0))
        for name in {*output, *(name for name, surplus in net.items() if surplus > 0)}
    }


def _site_shares(
    scenario: Scenario,
    material: Material,
    printed: Mapping[str, Mapping[str, float]],
    flags: list[engine.Remark],
) -> dict[str, tuple[str, float]]:
    """Return of each site that is out its country, and its share of that country's output."""
    stage = OUTAGES[scenario.kind]
    rows = Site.objects.filter(slug__in=scenario.sites.split(), material=material, stage=stage)
    shares: dict[str, tuple[str, float]] = {}
    for site in rows.order_by("slug"):
        whole = printed.get(stage, {}).get(site.country)
        if site.capacity_tonnes is None or not whole:
            shares[site.slug] = (site.country, 1.0)
            flags.append(
                engine.Remark(
                    gettext_noop(
                        "{site}: its share of its country's output is not known; all of it is "
                        "taken, an upper bound"
                    ),
                    site=site.slug,
                )
            )
        else:
            shares[site.slug] = (site.country, min(1.0, site.capacity_tonnes / whole))
    return shares


def _production(material: Material) -> dict[str, dict[str, float]]:
    """Return tonnes made by stage and country: the preferred publisher's latest and fullest table."""
    rows = Observation.objects.current().filter(
        material=material, subject=Subject.PRODUCTION, unit__in=engine.TONNES, quantity__gt=0
    )
    tables: dict[tuple[str, int, int, str], dict[str, float]] = defaultdict(dict)
    for stage, publisher, day, detail, place, quantity, qualifier, unit in rows.values_list(
        "stage",
        "release__publisher",
        "valid_from",
        "detail",
        "place",
        "quantity",
        "qualifier",
        "unit",
    ):
        if stage and place in engine.COUNTRY_CODES and qualifier != "<" and publisher in PREFERRED:
            table = tables[stage, -PREFERRED.index(publisher), day.year, detail]
            table[place] = quantity * engine.TONNES[unit]
    best: dict[str, tuple[tuple[int, int, int], dict[str, float]]] = {}
    for (stage, rank, year, _detail), table in tables.items():
        key = (rank, year, len(table))
        if len(table) > 1 and (stage not in best or key > best[stage][0]):
            best[stage] = (key, table)
    return {stage: table for stage, (_key, table) in best.items()}


def _pooled(made: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str, str], float]:
    """Return ores that nobody sees traded: miners' surpluses, by what refiners lack."""
    ore, metal = made[Stage.MINE], made[Stage.REFINE]
    a_tonne = sum(ore.values()) / sum(metal.values())
    gap = {name: ore.get(name, 0.0) - a_tonne * metal.get(name, 0.0) for name in {*ore, *metal}}
    lacking = -sum(value for value in gap.values() if value < 0)
    return {
        (Stage.MINE, seller, buyer): surplus * -lack / lacking
        for seller, surplus in gap.items()
        for buyer, lack in gap.items()
        if surplus > 0 > lack
    }


def _country(code: str) -> str:
    """Return a code that the engine knows: "other Asia" of the trade release is mostly Taiwan."""
    return "TWN" if code == "S19" else code
