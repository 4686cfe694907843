"""Answering a scenario: who is short, of which products, for how long, and what to do.

The flows are those of the latest year. Everything that nobody knows exactly is an interval, kept in
the answer beside its results; what had to be assumed is told in ``flags``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.db.models import Q
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials import engine
from renkei.materials.models import (
    IN_BILLS,
    Component,
    Link,
    Material,
    Organisation,
    Recommendation,
    Scenario,
    Stock,
)
from renkei.materials.tasks._tables import OUTAGES, Trade, concerned, trade_of

PARTIES: Final = ("JPN", "USA")
LEAST_SHARE: Final = 0.001
MOST_ROWS: Final = 80
MOST_ARCS: Final = 40
MOST_MONTHS: Final = 24
MOST_ACTIONS: Final = 30
DAYS_A_MONTH: Final = 30.4375
SHORTAGE_FACTOR: Final = 10.0  # what a missing tonne costs, in prices of a tonne: assumed
NEW_SUPPLIER_PREMIUM: Final = 1.2  # assumed
SUBSTITUTE_FACTOR: Final = 3.0  # assumed
RECYCLE_FACTOR: Final = 1.5  # assumed
LEAST_EXPORTER: Final = 0.005
LEAST_USE: Final = 1e-6  # tonnes a year
LEAST_ACTION: Final = 0.001  # of a party's demand: less is not worth a line
LEAST_NEW_SUPPLIER: Final = 0.005  # of a party's demand: less is not worth qualifying
QUALIFY_USD: Final = 250_000.0  # what tests and audits of one new supplier cost: assumed
STOCK_DAYS: Final[Mapping[str, tuple[float, float]]] = {
    # JOGMEC's published targets (60 days, 180 for high risk); levels are secret.
    "JPN": (60.0, 180.0),
    # No national stock of most materials is published; what industry holds is assumed.
    "USA": (0.0, 60.0),
}
FIRMS, LINKS, SEED = 5_000, 40_000, 20_251_028
"""The synthetic network of the firm cascade: no firm of it exists."""


class NoFlowsError(RenkeiError):
    """No trade in the registry shows what a scenario is about."""

    code = "materials.no_flows"


Progress = Callable[[float], None]


def disruption(scenario: Scenario) -> engine.Disruption:
    """Return a scenario as the engines read it."""
    return engine.Disruption(
        kind=scenario.kind,  # type: ignore[arg-type]  # the model's choices are the engine's
        start=scenario.starts_on,
        days=scenario.days,
        severity=scenario.severity,
        countries=frozenset(scenario.countries.split()),
        importers=frozenset(scenario.importers.split()),
        materials=frozenset(scenario.materials.values_list("slug", flat=True)),
        codes=frozenset(scenario.codes.split()),
        straits=frozenset(scenario.straits.split()),
        firms=frozenset(scenario.firms.split()),
        sites=frozenset(scenario.sites.split()),
        name=scenario.title,
    )


def elasticities(parameters: Mapping[str, Any]) -> engine.Elasticities:
    """Return what is uncertain: the scenario's intervals where it states some."""
    default = engine.Elasticities()
    stated = {
        name: engine.Bounds(*parameters[name])
        for name in ("diversion", "new_partners", "qualification_days", "spare", "substitution")
        if name in parameters
    }
    return engine.Elasticities(**{**{name: getattr(default, name) for name in stated}, **stated})


def answer(scenario: Scenario, step: Progress) -> dict[str, Any]:
    """Return the whole answer, as JSON can hold it.

    Raises:
        NoFlowsError: the registry has no flows of the materials.
        ZeroEffectError: nothing is hit.
        JobCancelledError: from ``step``.
    """
    if scenario.kind == Scenario.Kind.CYBER_ATTACK:
        return {"cascade": firm_cascade(scenario, step)}
    one = disruption(scenario)
    named = list(scenario.materials.all())
    chosen = named or concerned(scenario)
    parties = [code for code in PARTIES if not one.importers or code in one.importers] or sorted(
        one.importers
    )
    known = elasticities(scenario.parameters)
    seen = _seen(scenario, chosen)
    shown = {material.slug for material, _trade in seen}
    answers, short, spared = [], [], []
    for number, (material, trade) in enumerate(seen):
        stocks = _stocks(scenario, material, trade.table)
        try:
            found = engine.who_is_short(
                trade.table,
                [one],
                since=scenario.starts_on,
                until=scenario.starts_on + timedelta(days=scenario.days),
                elasticities=known,
                stocks=stocks,
                site_shares=trade.site_shares,
            )
        except engine.ZeroEffectError:
            if named and len(seen) == 1:
                _refuse_lacking(material, trade)
                raise
            spared.append(material.slug)
            continue
        answers.append({
            **_told(found, trade, one, parties),
            "own_stock": _knows_stocks(material),
            "summary": _summary(found, parties, stocks),
            "dearer": _dearer(trade, one, parties),
        })  # fmt: skip
        if one.kind in OUTAGES:
            trade.left = _sellers_left(found)
        short.append((material, trade))
        step(0.6 * (number + 1) / len(seen))
    if not answers:
        engine.refuse_zero_effect(0.0, [one])
    problem = _problem(scenario, short, one, known, parties)
    response, unmet = None, []
    if problem is not None:
        try:
            response = _respond(scenario, short, problem, lambda part: step(0.6 + 0.4 * part))
        except engine.InfeasibleError as error:
            unmet = [
                {"material": slug, "party": party, "month": month + 1, "tonnes": tonnes}
                for slug, party, month, tonnes in error.unmet[:MOST_ACTIONS]
            ]
            Recommendation.objects.filter(scenario=scenario).delete()
    return {
        "parties": parties,
        "materials": answers,
        "spared": spared,
        "products": _products(answers, parties),
        "response": response,
        "unmet": unmet,
        "elasticities": {
            name: [value.low, value.high]
            for name, value in (
                (name, getattr(known, name))
                for name in (
                    "diversion",
                    "new_partners",
                    "qualification_days",
                    "spare",
                    "substitution",
                )
            )
        },
        "stock_days": {party: list(_stock_days(scenario, party)) for party in parties},
        "unseen": [material.slug for material in chosen if material.slug not in shown],
    }


def _seen(scenario: Scenario, chosen: Sequence[Material]) -> list[tuple[Material, Trade]]:
    """Return the materials whose flows are seen, at the stage of an outage if it is one.

    Raises:
        NoFlowsError: none is.
    """
    materials = ", ".join(material.slug for material in chosen)
    tables = ((material, trade_of(scenario, material)) for material in chosen)
    seen = [(material, found) for material, found in tables if found is not None]
    if not seen:
        raise NoFlowsError(
            gettext_noop(
                "no code of {materials} holds it alone and stands in the trade release: its flows "
                "cannot be seen"
            ),
            materials=materials,
        )
    stage = OUTAGES.get(scenario.kind)
    if stage is None:
        return seen
    at_stage = [(material, found) for material, found in seen if stage in found.table.stages]
    if not at_stage:
        raise NoFlowsError(
            gettext_noop(
                "the figures show nothing of {materials} at the stage {stage}: such an outage "
                "cannot be seen"
            ),
            materials=materials,
            stage=stage.value,
        )
    return at_stage


def _refuse_lacking(material: Material, trade: Trade) -> None:
    """Say of a material that nothing hits which goods of it nobody sees, if there are any.

    Raises:
        ZeroEffectError: which.
    """
    if trade.lacking:
        raise engine.ZeroEffectError(
            gettext_noop(
                "nothing is hit of what the trade release shows of {material}: goods of the "
                "HS 1992 codes {codes} are not in it"
            ),
            material=material.slug,
            codes=", ".join(trade.lacking),
        )


def _sellers_left(found: engine.Shortages) -> dict[str, float]:
    """Return what share of its supply each country has left in its worst period, last stage."""
    stage = found.rows[-1].stage if found.rows else ""
    left: dict[str, float] = {}
    for row in found.rows:
        if row.stage == stage:
            left[row.country] = min(left.get(row.country, 1.0), 1 - row.no_diversion)
    return left


def _stock_days(scenario: Scenario, party: str) -> tuple[float, float]:
    given = scenario.parameters.get("stock_days", {}).get(party)
    low, high = given or STOCK_DAYS.get(party, (0.0, 0.0))
    return float(low), float(high)


def _knows_stocks(material: Material) -> bool:
    """Tell whether the node's own stocks of a material stand behind an answer."""
    return bool(Stock.objects.current().filter(material=material).exists())


def _stocks(
    scenario: Scenario, material: Material, table: engine.FlowTable
) -> dict[str, engine.Bounds]:
    """Return tonnes at hand by party: what the node knows, else days of use that are assumed."""
    found: dict[str, engine.Bounds] = {}
    for party in PARTIES:
        if party in table.countries:
            used = float(table.use[-1][table.countries.index(party)])
            low, high = _stock_days(scenario, party)
            found[party] = engine.Bounds(used * low / 365, used * high / 365)
    known: dict[str, list[float]] = {}
    for row in Stock.objects.current().filter(material=material):
        # Whoever is no country is a company of this node's own.
        party = row.owner if row.owner in engine.places() else _home()
        ends = known.setdefault(party, [0.0, 0.0])
        ends[0] += row.low_tonnes
        ends[1] += row.high_tonnes
    for party, (low, high) in known.items():
        if party in found:
            found[party] = engine.Bounds(low, high)
    return found


def _home() -> str:
    return engine.place_code(settings.NODE.party) or ""


def _told(
    found: engine.Shortages, trade: Trade, one: engine.Disruption, parties: Sequence[str]
) -> dict[str, Any]:
    """Return a material's answer: rows worth telling, the flows that stop, and what was assumed."""
    table = trade.table
    unseen = [
        party
        for party in parties
        if party in table.countries
        and table.supply[-1][table.countries.index(party)] > 0
        and table.use[-1][table.countries.index(party)] <= LEAST_USE
    ]
    if unseen:
        trade.flags.append(
            engine.Remark(
                gettext_noop(
                    "{countries} export all that they have by these figures: their own use is not "
                    "seen, and shares are of what they trade"
                ),
                countries=" ".join(unseen),
            )
        )
    rows = [row for row in found.rows if row.no_diversion > LEAST_SHARE or row.country in parties]
    rows.sort(
        key=lambda row: (
            (0, list(parties).index(row.country), row.since.toordinal(), row.country)
            if row.country in parties
            else (1, -row.tonnes.high, row.since.toordinal(), row.country)
        )
    )
    left = engine.remaining_trade(
        [one],
        material=table.material,
        stage=table.stages[-1],
        countries=table.countries,
        since=one.start,
        until=one.start + timedelta(days=one.days or 365),
    )
    lost = table.trade[-1] * (1 - left)
    order = np.argsort(-lost, axis=None)[:MOST_ARCS]
    arcs = [
        {
            "exporter": table.countries[int(at) // len(table.countries)],
            "importer": table.countries[int(at) % len(table.countries)],
            "tonnes": float(lost.flat[int(at)]),
        }
        for at in order
        if lost.flat[int(at)] > 0
    ]
    return {
        "material": found.material,
        "year": trade.year,
        "stages": list(table.stages),
        "hit_tonnes": found.hit_tonnes,
        "flags": [
            {"text": one.template, "values": one.values} for one in (*trade.flags, *found.flags)
        ],
        "rows": [_row(row) for row in rows[:MOST_ROWS]],
        "lost": arcs,
    }


def _summary(
    found: engine.Shortages, parties: Sequence[str], stocks: Mapping[str, engine.Bounds]
) -> list[dict[str, Any]]:
    """Return of each party the worst period, all that it misses, and when its stock ends."""
    told = []
    for party in parties:
        rows = [row for row in found.rows if row.country == party]
        rows = [row for row in rows if row.stage == rows[-1].stage]
        if not rows:
            continue
        worst = max(rows, key=lambda row: row.no_diversion)
        stock = stocks.get(party)
        ends = {} if stock is None else found.stock_ends(party, stock)
        told.append(
            {
                "party": party,
                "stage": worst.stage,
                "direct": max(row.direct for row in rows),
                "no_diversion": worst.no_diversion,
                "free_diversion": max(row.free_diversion for row in rows),
                "capped": [
                    max(getattr(row.capped, end) for row in rows) for end in ("low", "high")
                ],
                "tonnes": [
                    sum(getattr(row.tonnes, end) for row in rows) for end in ("low", "high")
                ],
                "stock_ends": {
                    name: [_finite(day.low), _finite(day.high)] for name, day in ends.items()
                },
            }
        )
    return told


def _dearer(trade: Trade, one: engine.Disruption, parties: Sequence[str]) -> list[dict[str, Any]]:
    """Return what a price shock adds to a year's bill of each party for the imports of that year."""
    if one.kind != "price_shock":
        return []
    bill: dict[str, float] = dict.fromkeys(parties, 0.0)
    names = trade.table.countries
    for (seller, buyer), price in trade.prices.items():
        if buyer in bill:
            tonnes = trade.table.trade[-1][names.index(seller), names.index(buyer)]
            bill[buyer] += float(tonnes) * price
    return [
        {"party": party, "usd_a_year": usd, "more_usd_a_year": usd * one.severity}
        for party, usd in bill.items()
        if usd > 0
    ]


def _row(row: engine.CountryShortage) -> dict[str, Any]:
    told = asdict(row)
    for name in ("capped", "tonnes", "days_of_stock"):
        value = getattr(row, name)
        told[name] = None if value is None else [_finite(value.low), _finite(value.high)]
    told["since"], told["until"] = row.since.isoformat(), row.until.isoformat()
    return told


def _finite(value: float) -> float | None:
    """Return a number that JSON has; ``None`` stands for without end."""
    return float(value) if np.isfinite(value) else None


def _products(answers: Sequence[Mapping[str, Any]], parties: Sequence[str]) -> list[dict[str, Any]]:
    """Return what each product loses in each party, at the two bounds and between the corners."""
    rows = Component.objects.select_related("product", "material", "part").order_by("pk")
    bills = engine.Bills(
        engine.BillLine(
            row.product.slug,
            row.part_name,
            row.quantity or 1.0,
            essential=row.is_essential,
            substitutable=row.substitutable,
            weight=row.weight,
        )
        for row in rows
    )
    hit = set()
    for one in answers:
        hit |= set(bills.products_of(_in_bills(one["material"])))
    told = []
    for party in parties:
        shares = {
            bound: _shortage(answers, party, bound) for bound in ("no_diversion", "free_diversion")
        }
        shares["low"], shares["high"] = (_shortage(answers, party, "capped", end) for end in (0, 1))
        for slug in sorted(hit & set(bills.parts)):
            at = {bound: bills.exposure(slug, share) for bound, share in shares.items()}
            if at["no_diversion"].lost > LEAST_SHARE:
                told.append(
                    {
                        "product": slug,
                        "party": party,
                        "no_diversion": at["no_diversion"].lost,
                        "free_diversion": at["free_diversion"].lost,
                        "capped": sorted([at["low"].lost, at["high"].lost]),
                        "because": at["no_diversion"].because,
                    }
                )
    return sorted(told, key=lambda row: (-row["no_diversion"], row["product"], row["party"]))


def _in_bills(slug: str) -> str:
    """Return the material by which bills name a shortage: magnets are made of rare earths."""
    return IN_BILLS.get(slug, slug)


def _shortage(
    answers: Sequence[Mapping[str, Any]], party: str, bound: str, end: int | None = None
) -> dict[str, float]:
    """Return the share of each material that a party misses in its worst period."""
    found: dict[str, float] = {}
    for one in answers:
        shares = [
            row[bound] if end is None else row[bound][end]
            for row in one["rows"]
            if row["country"] == party and row["stage"] == one["stages"][-1]
        ]
        if shares:
            found[_in_bills(one["material"])] = min(1.0, max(0.0, *shares))
    return found


def _respond(
    scenario: Scenario,
    short: Sequence[tuple[Material, Trade]],
    problem: engine.ResponseProblem,
    step: Progress,
) -> dict[str, Any]:
    """Return the cheapest plan and what each kind of measure is worth; keep its actions as rows."""
    variants = engine.compare(problem, progress=step)
    best = next(one for one in variants if one.without == "")
    by_slug = {material.slug: material for material, _trade in short}
    Recommendation.objects.filter(scenario=scenario).delete()
    Recommendation.objects.bulk_create(
        Recommendation(
            scenario=scenario,
            rank=rank,
            kind=_KINDS[action.kind],
            material=by_slug[action.material],
            place=action.consumer,
            origin=action.supplier,
            tonnes=action.tonnes,
            usd=action.cost,
            delay_days=round(action.delay_months * DAYS_A_MONTH),
            actor=action.who,
            marginal_usd=max(0.0, action.worth),  # rounding of the solver aside
        )
        for rank, action in enumerate(_worth_telling(problem, best.plan)[:MOST_ACTIONS], 1)
    )
    whole = problem.demand.sum(axis=2)
    missing = best.plan.shortage.sum(axis=2)
    return {
        "months": problem.months,
        "cost": best.plan.cost,
        "missing": best.missing,
        "is_proven": best.plan.is_proven,
        "by_party": [
            {
                "material": name,
                "party": party,
                "demand": float(whole[m, d]),
                "missing": float(missing[m, d]),
            }
            for m, name in enumerate(problem.materials)
            for d, party in enumerate(problem.consumers)
        ],
        "variants": [
            {
                "without": variant.without,
                "missing": variant.missing,
                "cost": variant.plan.cost,
                "delay_months": variant.delay_months,
                "who": sorted({action.who for action in variant.plan.actions}),
            }
            for variant in variants
        ],
        "values": [
            {"kind": kind, "material": material, "place": place, "usd": usd}
            for (kind, material, place), usd in _dearest(best.plan.values)
        ],
        "alternatives": [
            {
                "kind": action.kind,
                "material": action.material,
                "place": action.consumer,
                "origin": action.supplier,
                "usd_a_tonne": action.unit_cost,
                "worth": action.worth,
                "delay_months": action.delay_months,
                "delay_days": round(action.delay_months * DAYS_A_MONTH),
                "who": action.who,
            }
            for action in best.plan.alternatives[:MOST_ACTIONS]
        ],
    }


def _worth_telling(problem: engine.ResponseProblem, plan: engine.Plan) -> list[engine.Action]:
    """Return a plan's measures, best first, without those of next to nothing."""
    whole = problem.demand.sum(axis=2)
    return [
        one
        for one in plan.actions
        if one.tonnes
        >= LEAST_ACTION
        * whole[problem.materials.index(one.material), problem.consumers.index(one.consumer)]
    ]


def _dearest(
    values: Sequence[engine.TonneValue],
) -> list[tuple[tuple[str, str, str], float]]:
    """Return what one more tonne saves in the month in which it saves most, dearest first."""
    best: dict[tuple[str, str, str], float] = {}
    for row in values:
        where = (row.kind, row.material, row.place)
        best[where] = max(best.get(where, 0.0), row.value)
    return sorted(best.items(), key=lambda pair: -pair[1])[:MOST_ACTIONS]


_KINDS: Final = {
    "buy": "supplier",
    "qualify": "supplier",
    "release_stock": "stock",
    "recycle": "recycle",
    "substitute": "substitute",
}


def _problem(
    scenario: Scenario,
    short: Sequence[tuple[Material, Trade]],
    one: engine.Disruption,
    known: engine.Elasticities,
    parties: Sequence[str],
) -> engine.ResponseProblem | None:
    """Return the demands of the parties and what could serve them, month by month."""
    months = max(1, min(MOST_MONTHS, round(scenario.days / DAYS_A_MONTH)))
    consumers = [
        party
        for party in parties
        if any(
            party in trade.table.countries
            and trade.table.trade[-1][:, trade.table.countries.index(party)].sum() > 0
            for _material, trade in short
        )
    ]
    if not consumers or not short:
        return None
    suppliers = sorted(
        {
            name
            for table in (trade.table for _material, trade in short)
            for name, sold in zip(table.countries, table.trade[-1].sum(axis=1), strict=True)
            if sold >= LEAST_EXPORTER * table.trade[-1].sum() and name not in consumers
        }
    )
    at = {name: place for place, name in enumerate(suppliers)}
    shape = (len(short), len(consumers), months)
    demand = np.zeros(shape)
    capacity = np.zeros((len(short), len(suppliers), months))
    prices = np.zeros(shape[:2])
    arcs: list[tuple[int, int, int, float, int, int, float, float]] = []
    offers: list[engine.StockOffer] = []
    middle = {
        name: (getattr(known, name).low + getattr(known, name).high) / 2
        for name in ("diversion", "new_partners", "substitution")
    }
    # From the earliest day on which a new supplier can be qualified: the page says so.
    ready = min(months, round(known.qualification_days.low / DAYS_A_MONTH))
    for m, (material, moved) in enumerate(short):
        table, paid = moved.table, moved.prices
        left = engine.remaining_trade(
            [one],
            material=material.slug,
            stage=table.stages[-1],
            countries=table.countries,
            since=one.start,
            until=one.start + timedelta(days=scenario.days),
        )
        is_cut = left < 1
        for name, share in moved.left.items():
            left[table.countries.index(name)] *= share
        trade = table.trade[-1]
        usual = float(np.median(list(paid.values()))) if paid else 0.0
        stocks = _stocks(scenario, material, table)
        for d, party in enumerate(consumers):
            if party not in table.countries:
                continue
            j = table.countries.index(party)
            demand[m, d] = trade[:, j].sum() / 12
            bought = {name: paid[name, party] for name in suppliers if (name, party) in paid}
            weights = [trade[table.countries.index(name), j] for name in bought]
            prices[m, d] = (
                float(np.average(list(bought.values()), weights=weights))
                if bought and sum(weights) > 0
                else usual
            )
            for name, price, ready_in, limit in _sellers(
                table, (left, is_cut), paid, party, suppliers, float(prices[m, d]), middle, ready
            ):
                fixed = QUALIFY_USD if ready_in else 0.0
                arcs.append((m, at[name], d, price, 1, ready_in, limit, fixed))
                capacity[m, at[name]] += limit
            held = stocks.get(party)
            if held is not None and held.low > 0:
                offers.append(engine.StockOffer(party, (m,), (d,), held.low, 0.05 * prices[m, d]))
    if demand.sum() <= 0:
        return None
    columns = np.array(arcs, float).reshape(len(arcs), 8).T
    recycled = float(scenario.parameters.get("recycle_share", 0.0))
    return engine.ResponseProblem(
        materials=tuple(material.slug for material, _trade in short),
        suppliers=tuple(suppliers),
        consumers=tuple(consumers),
        arc_material=columns[0].astype(np.int64),
        arc_supplier=columns[1].astype(np.int64),
        arc_consumer=columns[2].astype(np.int64),
        arc_cost=columns[3],
        arc_lead=columns[4].astype(np.int64),
        arc_ready=columns[5].astype(np.int64),
        arc_fixed=columns[7],
        arc_limit=columns[6],
        capacity=capacity,
        demand=demand,
        shortage_cost=np.maximum(prices, 1.0) * SHORTAGE_FACTOR,
        stocks=tuple(offers),
        recycle_share=recycled,
        recycle_cost=np.maximum(prices, 1.0) * RECYCLE_FACTOR,
        substitute_share=middle["substitution"],
        substitute_cost=np.maximum(prices, 1.0) * SUBSTITUTE_FACTOR,
        floor=float(scenario.parameters.get("floor", 0.0)),
        party=tuple(consumers),
        fair_gap=float(scenario.parameters.get("fair_gap", 0.1)),
        # What is at sea when it begins arrives still.
        on_the_way=_first_month(demand),
    )


def _sellers(  # noqa: PLR0917  one place calls it, with what it has at hand
    table: engine.FlowTable,
    state: tuple[NDArray[np.float64], NDArray[np.bool_]],
    paid: Mapping[tuple[str, str], float],
    party: str,
    suppliers: Sequence[str],
    usual: float,
    middle: Mapping[str, float],
    ready: int,
) -> Iterator[tuple[str, float, int, float]]:
    """Yield who may sell to a party: name, dollars a tonne, first month, tonnes a month."""
    trade, j = table.trade[-1], table.countries.index(party)
    left, is_cut = state
    least = LEAST_NEW_SUPPLIER * trade[:, j].sum() / 12
    for name in suppliers:
        if name not in table.countries:
            continue
        i = table.countries.index(name)
        old, sold = trade[i, j] / 12 * left[i, j], trade[i].sum() / 12 * left[i, j]
        price = paid.get((name, party), usual)
        if old > 0:
            # A flow that is cut cannot grow: a quota is not bought around.
            growth = middle["diversion"] if not is_cut[i, j] else 0.0
            yield name, price, 0, float(old * (1 + growth))
        elif not is_cut[i, j] and sold * middle["new_partners"] >= least:
            limit = float(sold * middle["new_partners"])
            yield name, price * NEW_SUPPLIER_PREMIUM, ready, limit


def _first_month(demand: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    arriving = np.zeros_like(demand)
    arriving[:, :, 0] = demand[:, :, 0]
    return arriving


def firm_name(number: int) -> str:
    """Return what a firm of the synthetic network is called."""
    return f"F{number:05d}"


def knows_firms() -> bool:
    """Tell whether the node has a network of its own."""
    return bool(Link.objects.current().filter(kusd__gt=0).exists())


def own_firms() -> list[tuple[str, str]]:
    """Return the firms of the node's own network: what scenarios call each, and its name."""
    held = Link.objects.current().filter(kusd__gt=0)
    rows = Organisation.objects.filter(
        Q(pk__in=held.values("supplier")) | Q(pk__in=held.values("buyer"))
    )
    return [(row.lei or f"N{row.pk}", row.name) for row in rows.order_by("name", "pk")]


def refuse_unknown_firms(asked: Sequence[str]) -> None:
    """Refuse a firm that the network does not have: the node's own, else the synthetic one.

    Raises:
        BadDisruptionError: which one, and what the names are like.
    """
    names = {code for code, _name in own_firms()} or {firm_name(at) for at in range(FIRMS)}
    for name in asked:
        if name not in names:
            raise engine.BadDisruptionError(
                gettext_noop("{firm!r} is no firm of the network: expected {first} to {last}"),
                firm=name,
                first=min(names),
                last=max(names),
            )


def own_network() -> engine.Network:
    """Return the network of the node's own links; firms are named by LEI, else ``N`` and a number.

    A firm's product is the material that it sells most of, by value; firms that sell none are of one
    sector more. Every material is taken as essential. What a firm is not seen to sell inside the
    network, it sells outside: its output is at least what it buys.
    """
    links = list(
        Link.objects.current()
        .filter(kusd__gt=0)
        .order_by("pk")
        .values_list("supplier", "buyer", "material", "kusd", "supplier__lei", "buyer__lei")
    )
    names: dict[int, str] = {}
    for seller, buyer, _material, _kusd, seller_lei, buyer_lei in links:
        names.setdefault(seller, seller_lei or f"N{seller}")
        names.setdefault(buyer, buyer_lei or f"N{buyer}")
    at = {pk: number for number, pk in enumerate(names)}
    worth: dict[tuple[int, int], float] = defaultdict(float)
    sold: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for seller, buyer, material, kusd, *_leis in links:
        worth[at[seller], at[buyer]] += kusd
        sold[at[seller]][material] += kusd
    sectors = {
        material: number for number, material in enumerate(sorted({row[2] for row in links}))
    }
    sector = np.full(len(at), len(sectors), np.int64)
    for firm, by_material in sold.items():
        sector[firm] = sectors[max(by_material, key=lambda one: (by_material[one], -one))]
    supplier, buyers = (np.array(ends, np.int64) for ends in zip(*worth, strict=True))
    weight = np.array(list(worth.values()))
    bought = np.bincount(buyers, weight, len(at))
    return engine.network(
        supplier=supplier,
        buyer=buyers,
        weight=weight,
        sector=sector,
        essential=np.ones((len(sectors) + 1, len(sectors) + 1), bool),
        outside=np.maximum(0.0, bought - np.bincount(supplier, weight, len(at))),
        names=tuple(names.values()),
    )


def firm_cascade(scenario: Scenario, step: Progress) -> dict[str, Any]:
    """Return what an attack on firms does, by firm and by day: on the node's own network if it has one.

    Raises:
        BadDisruptionError: a firm that the network does not have.
    """
    asked = scenario.firms.split()
    refuse_unknown_firms(asked)
    if knows_firms():
        net = own_network()
        labels = net.names
    else:
        net = engine.synthetic_network(FIRMS, LINKS, seed=SEED, outside_share=0.3)
        labels = tuple(firm_name(number) for number in range(net.firms))
    names = {name: number for number, name in enumerate(labels)}
    firms = np.array([names[name] for name in asked], np.int64)
    step(0.05)
    capacity = np.ones(net.firms)
    capacity[firms] = 1 - scenario.severity
    spare = elasticities(scenario.parameters).spare
    rest, alone, freely = engine.cascade_between(net, capacity, spare=spare.high)
    lost = net.output * (1 - rest.remaining)
    step(0.2)
    horizon = min(365, scenario.days + 90)
    shocks = [engine.Shock(0, scenario.days, firms, 1 - scenario.severity)]
    run = engine.run_inventories(
        net, shocks, days=horizon, progress=lambda part: step(0.2 + 0.15 * part)
    )
    between, corners = engine.inventory_interval(
        net, shocks, days=horizon, progress=lambda part: step(0.35 + 0.55 * part)
    )
    largest = np.argsort(-net.output)[:200]
    single = engine.systemic(net, largest)
    order = np.argsort(-single)[:20]
    worst = np.argsort(-lost)[:20]
    return {
        "firms": net.firms,
        "links": net.links,
        "seed": SEED if net.is_synthetic else None,
        "is_synthetic": net.is_synthetic,
        "loss": rest.loss,
        "no_diversion": alone.loss,
        "free_diversion": freely.loss,
        "spare": [spare.low, spare.high],
        "hit_firms": int((rest.remaining < 0.99).sum()),
        "days": [float(one) for one in run.loss],
        "days_low": [float(one) for one in np.min([corner.loss for corner in corners], axis=0)],
        "days_high": [float(one) for one in np.max([corner.loss for corner in corners], axis=0)],
        "lost_days": run.lost_days,
        "lost_days_between": [between.low, between.high],
        "stock_days": run.stock_days,
        "stock_days_between": sorted({corner.stock_days for corner in corners}),
        "adjust_days_between": sorted({corner.adjust_days for corner in corners}),
        "first_out_day": _first(run.first_out),
        "first_out_between": [_first(corner.first_out) for corner in _by_stock(corners)],
        "hit": [
            {
                "firm": labels[int(at)],
                "sector": int(net.sector[at]),
                "lost": float(1 - rest.remaining[at]),
                "no_diversion": float(1 - alone.remaining[at]),
                "free_diversion": float(1 - freely.remaining[at]),
                "share": float(lost[at] / net.output.sum()),
            }
            for at in worst
        ],
        "systemic": [
            {
                "firm": labels[int(largest[at])],
                "sector": int(net.sector[largest[at]]),
                "share": float(net.output[largest[at]] / net.output.sum()),
                "loss": float(single[at]),
            }
            for at in order
        ],
    }


def _by_stock(corners: Sequence[engine.InventoryRun]) -> list[engine.InventoryRun]:
    """Return the runs with the smallest and the largest stocks."""
    held = sorted(corners, key=lambda corner: corner.stock_days)
    return [held[0], held[-1]]


def _first(days: Any) -> int | None:
    held = days[days >= 0]
    return int(held.min()) if len(held) else None
