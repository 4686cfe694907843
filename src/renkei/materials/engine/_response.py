"""What to do: other suppliers, stocks, recycling, substitutes, shared fairly, month by month.

A linear programme, or a mixed-integer one where qualifying a supplier is a decision with a price
of its own. Materials that share neither a stock nor a budget are solved apart and side by side.
The answer ranks what can be done, prices one more tonne of everything that binds, and says who
must act.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._cascade import CancelledError
from renkei.materials.engine._program import Program, Solved, SolverError

ActionKind = Literal["buy", "qualify", "release_stock", "recycle", "substitute"]
_SMALL = 1e-7  # tonnes below which nothing is done


class BadProblemError(RenkeiError):
    """A response problem whose parts do not fit, with the field and row."""

    code = "materials.bad_response_problem"


class InfeasibleError(RenkeiError):
    """Some demand that must be met cannot be.

    Attributes:
        unmet: (material, consumer, month, tonnes missing), the largest first.
    """

    code = "materials.infeasible"

    def __init__(self, unmet: Sequence[tuple[str, str, int, float]]) -> None:
        self.unmet = tuple(unmet)
        material, consumer, month, tonnes = self.unmet[0]
        super().__init__(
            gettext_noop(
                "the demand of {consumer} for {material} cannot be met: {tonnes} t are missing in"
                " month {month}, and {more} more such demands"
            ),
            consumer=consumer,
            material=material,
            tonnes=f"{tonnes:.4g}",
            month=month + 1,
            more=len(self.unmet) - 1,
        )


@dataclass(frozen=True, slots=True)
class StockOffer:
    """What an owner would release: a step of its offer, not the level of its stock.

    Attributes:
        owner: who must act.
        materials, consumers: what it is of and whom it serves (places in the problem's axes);
            an offer of several materials couples them.
        tonnes: at most this much in all; ``per_month`` at most this much a month.
        first_month: when it can begin.
        cost: dollars a tonne.
    """

    owner: str
    materials: tuple[int, ...]
    consumers: tuple[int, ...]
    tonnes: float
    cost: float
    first_month: int = 0
    per_month: float = float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class ResponseProblem:
    """Demands, suppliers and measures of some months, as arrays.

    An *arc* is one supplier's sale of one material to one consumer. Axes are written M
    (materials), S (suppliers), D (consumers), T (months), A (arcs).

    Attributes:
        arc_material, arc_supplier, arc_consumer: places in the axes, shape (A,).
        arc_cost: dollars a tonne, (A,).
        arc_lead: months at sea and in customs, (A,).
        arc_ready: first month it may ship: qualification time; 0 is qualified, (A,).
        arc_fixed: dollars to qualify; above 0 the arc is a yes-or-no decision, (A,).
        arc_limit: tonnes a month, (A,).
        capacity: tonnes a month, (M, S, T).
        demand: tonnes a month, (M, D, T).
        stocks: offers of release; steps of rising cost make a curve.
        recycle_share, substitute_share: of demand, (M, D); with their costs, dollars a tonne.
        shortage_cost: dollars a tonne that is missing, (M, D).
        floor: share of each demand that must be met whatever it costs, (M, D).
        party: to whose account each consumer counts, (D,); "" counts to none.
        fair_gap: the shares that two parties miss of a material, over the horizon, may differ by
            this much; None does not compare them.
        budget: dollars for everything but shortage; None is without limit.
        on_the_way: tonnes that arrive anyway, (M, D, T).
    """

    materials: tuple[str, ...]
    suppliers: tuple[str, ...]
    consumers: tuple[str, ...]
    arc_material: NDArray[np.int64]
    arc_supplier: NDArray[np.int64]
    arc_consumer: NDArray[np.int64]
    arc_cost: NDArray[np.float64]
    arc_lead: NDArray[np.int64]
    arc_ready: NDArray[np.int64]
    arc_fixed: NDArray[np.float64]
    arc_limit: NDArray[np.float64]
    capacity: NDArray[np.float64]
    demand: NDArray[np.float64]
    shortage_cost: NDArray[np.float64]
    stocks: tuple[StockOffer, ...] = ()
    recycle_share: NDArray[np.float64] | float = 0.0
    recycle_cost: NDArray[np.float64] | float = 0.0
    substitute_share: NDArray[np.float64] | float = 0.0
    substitute_cost: NDArray[np.float64] | float = 0.0
    floor: NDArray[np.float64] | float = 0.0
    party: tuple[str, ...] = ()
    fair_gap: float | None = None
    budget: float | None = None
    on_the_way: NDArray[np.float64] | float = 0.0

    @property
    def months(self) -> int:
        """Return how many months there are."""
        return int(self.demand.shape[2])


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, or that could be done.

    Attributes:
        who: who must act: the consumer's side for purchases, substitution and recycling, the
            owner for stocks.
        supplier: from whom, for purchases; "" otherwise.
        tonnes: over the horizon; 0 if it was not chosen.
        unit_cost: dollars a tonne; ``cost`` in all, with what qualifying costs.
        delay_months: until the first tonne arrives.
        worth: dollars a tonne that it saves net of its cost: what the demand it serves would pay
            for one more tonne, less the cost. Of what was not chosen, less what the scarce
            capacity or stock saves elsewhere too: 0 or below, nearest to 0 first.
        by_month: tonnes as they arrive.
    """

    rank: int
    kind: ActionKind
    material: str
    consumer: str
    supplier: str
    who: str
    tonnes: float
    unit_cost: float
    cost: float
    delay_months: int
    worth: float
    chosen: bool
    by_month: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TonneValue:
    """What one more tonne would save, in dollars: of a demand, a supplier's capacity, a stock."""

    kind: Literal["demand", "capacity", "stock"]
    material: str
    place: str
    month: int | None
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What to do, what is missing still, and what one more tonne is worth.

    Attributes:
        shortage: tonnes, (M, D, T).
        shipped: tonnes by month of shipping, (A, T).
        actions: chosen, best first; ``alternatives``: not chosen, nearest to being so first.
        values: what binds, dearest first.
        cost: dollars for measures; ``shortage_cost`` for what is missing.
        party_shortage: share of its demand that each party misses, by material.
        is_proven: no better plan exists (for yes-or-no decisions: within the gap asked for).
    """

    shortage: NDArray[np.float64]
    shipped: NDArray[np.float64]
    actions: tuple[Action, ...]
    alternatives: tuple[Action, ...]
    values: tuple[TonneValue, ...]
    cost: float
    shortage_cost: float
    party_shortage: dict[tuple[str, str], float]
    is_proven: bool
    columns: int

    @property
    def objective(self) -> float:
        """Return what was minimised: measures and shortage together."""
        return self.cost + self.shortage_cost


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """The best plan that does without one kind of measure: what that measure is worth.

    ``without`` is "" for the plan with everything; ``missing`` is the share of all demand.
    """

    without: str
    plan: Plan
    missing: float
    delay_months: int


@dataclass(slots=True, eq=False)
class _Part:
    """The programme of some materials and where its parts stand."""

    program: Program
    materials: NDArray[np.int64]
    arcs: NDArray[np.int64]
    ship: NDArray[np.int64]  # columns (arcs, T)
    recycled: NDArray[np.int64]  # columns (materials, D, T)
    replaced: NDArray[np.int64]
    missing: NDArray[np.int64]
    excess: NDArray[np.int64]
    balance: NDArray[np.int64]  # rows (materials, D, T)
    cap: NDArray[np.int64]  # rows (materials, S, T)
    offers: list[int]
    drawn: list[NDArray[np.int64]]  # columns (materials of the offer, consumers, T)
    drawn_rows: list[int]
    chosen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    fixed_arcs: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def respond(
    problem: ResponseProblem,
    *,
    threads: int = 2,
    seconds: float = 60.0,
    gap: float = 1e-2,
    listed: int = 200,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Plan:
    """Return the cheapest plan.

    Args:
        listed: how many actions, alternatives and values to list of each.
        gap: relative gap at which yes-or-no decisions are good enough.

    Raises:
        BadProblemError: parts that do not fit.
        InfeasibleError: a floor cannot be kept; names the demands.
        CancelledError: ``is_cancelled`` said so (looked at between materials).
    """
    _check(problem)
    groups = _groups(problem)
    parts: list[_Part] = []
    answers: list[Solved] = []
    done = 0

    def work(group: NDArray[np.int64]) -> tuple[_Part, Solved]:
        nonlocal done
        if is_cancelled is not None and is_cancelled():
            raise CancelledError(gettext_noop("the run was cancelled"))
        part = _build(problem, group)
        solved = part.program.solve(seconds=seconds, gap=gap)
        if solved.status == "infeasible":
            raise InfeasibleError(_unmet(problem, group))
        if len(part.chosen):  # prices need a linear programme: keep the decisions, solve again
            open_now = part.fixed_arcs[solved.value[part.chosen] > 0.5]
            linear = _build(problem, group, decided=open_now)
            priced = linear.program.solve(seconds=seconds)
            if priced.status != "infeasible":
                fixed = float(problem.arc_fixed[open_now].sum())
                part = linear
                solved = Solved(
                    solved.status,
                    priced.objective + fixed,
                    priced.value,
                    priced.price,
                    priced.reduced,
                )
        done += 1
        if progress is not None:
            progress(done / len(groups))
        return part, solved

    with ThreadPoolExecutor(max(1, min(threads, len(groups)))) as pool:
        for part, solved in pool.map(work, groups):
            parts.append(part)
            answers.append(solved)
    return _plan(problem, parts, answers, listed)


def compare(
    problem: ResponseProblem,
    *,
    threads: int = 2,
    seconds: float = 60.0,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> tuple[Variant, ...]:
    """Return the best plan and the best ones without each kind of measure, cheapest first.

    A variant that cannot keep the floors is left out: without it, the demand cannot be met.
    """
    fresh = (problem.arc_ready > 0) | (problem.arc_fixed > 0)
    choices: dict[str, ResponseProblem] = {"": problem}
    if fresh.any():
        choices["qualify"] = replace(
            problem,
            arc_limit=np.where(fresh, 0.0, problem.arc_limit),
            arc_fixed=np.zeros(len(fresh)),
        )
    if problem.stocks:
        choices["release_stock"] = replace(problem, stocks=())
    if np.any(np.asarray(problem.recycle_share) > 0):
        choices["recycle"] = replace(problem, recycle_share=0.0)
    if np.any(np.asarray(problem.substitute_share) > 0):
        choices["substitute"] = replace(problem, substitute_share=0.0)
    found = []
    for number, (name, variant) in enumerate(choices.items()):
        try:
            plan = respond(variant, threads=threads, seconds=seconds, is_cancelled=is_cancelled)
        except InfeasibleError:
            if not name:
                raise
            continue
        whole = problem.demand.sum()
        missing = float(plan.shortage.sum() / whole) if whole > 0 else 0.0
        delay = max((one.delay_months for one in plan.actions), default=0)
        found.append(Variant(name, plan, missing, delay))
        if progress is not None:
            progress((number + 1) / len(choices))
    return tuple(sorted(found, key=lambda one: one.plan.objective))


def _groups(problem: ResponseProblem) -> list[NDArray[np.int64]]:
    """Return materials that must be solved together."""
    count = len(problem.materials)
    if problem.budget is not None:
        return [np.arange(count)]
    head = list(range(count))

    def find(one: int) -> int:
        while head[one] != one:
            one = head[one]
        return one

    for offer in problem.stocks:
        for material in offer.materials[1:]:
            head[find(material)] = find(offer.materials[0])
    roots = np.array([find(one) for one in range(count)])
    return [np.flatnonzero(roots == root) for root in np.unique(roots)]


def _build(
    problem: ResponseProblem,
    group: NDArray[np.int64],
    *,
    decided: NDArray[np.int64] | None = None,
    elastic: bool = False,
) -> _Part:
    program = Program()
    m, d, t = len(group), len(problem.consumers), problem.months
    s = len(problem.suppliers)
    place = np.full(len(problem.materials), -1)
    place[group] = np.arange(m)
    arcs = np.flatnonzero(place[problem.arc_material] >= 0)
    of, seller, buyer = (
        place[problem.arc_material[arcs]],
        problem.arc_supplier[arcs],
        problem.arc_consumer[arcs],
    )
    demand = problem.demand[group]

    def wide(given: NDArray[np.float64] | float) -> NDArray[np.float64]:
        full = np.broadcast_to(np.asarray(given, float), problem.demand.shape[:2])[group]
        return np.broadcast_to(full[:, :, None], (m, d, t))

    coming = np.broadcast_to(np.asarray(problem.on_the_way, float), problem.demand.shape)[group]
    need = np.maximum(0.0, demand - coming)
    balance = program.add_rows(m * d * t, low=need.ravel(), high=need.ravel()).reshape(m, d, t)
    capacity = problem.capacity[group]
    used = np.zeros((m, s), bool)
    used[of, seller] = True
    cap = program.add_rows(m * s * t, high=capacity.ravel()).reshape(m, s, t)

    month = np.arange(t)[None, :]
    usable = (month >= problem.arc_ready[arcs][:, None]) & (
        month + problem.arc_lead[arcs][:, None] < t
    )
    limit = np.broadcast_to(problem.arc_limit[arcs][:, None], usable.shape)
    fixed = problem.arc_fixed[arcs] > 0
    if decided is not None:
        usable = usable & (~fixed | np.isin(arcs, decided))[:, None]
    ship = program.add_columns(
        len(arcs) * t,
        cost=np.repeat(problem.arc_cost[arcs], t),
        upper=np.where(usable, limit, 0.0).ravel(),
    ).reshape(len(arcs), t)
    at, when = np.nonzero(usable)
    arrives = when + problem.arc_lead[arcs][at]
    program.add(balance[of[at], buyer[at], arrives], ship[at, when])
    program.add(cap[of[at], seller[at], when], ship[at, when])

    recycled, replaced, missing = (
        program.add_columns(m * d * t, cost=cost.ravel(), upper=upper.ravel()).reshape(m, d, t)
        for cost, upper in (
            (wide(problem.recycle_cost), wide(problem.recycle_share) * demand),
            (wide(problem.substitute_cost), wide(problem.substitute_share) * demand),
            (wide(problem.shortage_cost), np.maximum(0.0, demand * (1 - wide(problem.floor)))),
        )
    )
    for columns in (recycled, replaced, missing):
        program.add(balance, columns)
    # A shipment larger than a month's need is put by: it serves a later month.
    excess = program.add_columns(m * d * t, cost=0.0).reshape(m, d, t)
    program.add(balance, excess, -1.0)
    if t > 1:
        program.add(balance[:, :, 1:], excess[:, :, :-1])

    part = _Part(
        program, group, arcs, ship, recycled, replaced, missing, excess, balance, cap, [], [], []
    )
    for number, offer in enumerate(problem.stocks):
        if place[offer.materials[0]] < 0:
            continue
        own = place[np.array(offer.materials)]
        whom = np.array(offer.consumers, int)
        upper = np.zeros((len(own), len(whom), t))
        upper[:, :, offer.first_month :] = np.inf
        drawn = program.add_columns(upper.size, cost=offer.cost, upper=upper.ravel()).reshape(
            upper.shape
        )
        program.add(balance[np.ix_(own, whom)], drawn)
        total = program.add_rows(1, high=offer.tonnes)
        program.add(total, drawn)
        if np.isfinite(offer.per_month):
            program.add(program.add_rows(t, high=offer.per_month)[None, None, :], drawn)
        part.offers.append(number)
        part.drawn.append(drawn)
        part.drawn_rows.append(int(total[0]))

    if problem.fair_gap is not None:
        _fair(program, problem, demand, missing)
    if problem.budget is not None:
        _within_budget(program, problem, part, wide)
    if fixed.any() and decided is None and not elastic:
        chosen = np.flatnonzero(fixed)
        decide = program.add_columns(
            len(chosen), cost=problem.arc_fixed[arcs[chosen]], upper=1.0, integer=True
        )
        # Big-M by month: what the supplier can make, what is asked for, what the arc can carry.
        most = np.minimum(limit[chosen], capacity[of[chosen], seller[chosen]])
        most = np.minimum(most, demand[of[chosen], buyer[chosen]].sum(axis=1)[:, None])
        link = program.add_rows(most.size, high=0.0).reshape(most.shape)
        program.add(link, ship[chosen])
        program.add(link, np.repeat(decide, t).reshape(most.shape), -most)
        part.chosen, part.fixed_arcs = decide, arcs[chosen]
    return part


def _fair(
    program: Program,
    problem: ResponseProblem,
    demand: NDArray[np.float64],
    missing: NDArray[np.int64],
) -> None:
    """Keep the parties' shares missing of each material within the gap, over the horizon."""
    names = sorted({name for name in problem.party if name})
    party = np.array(problem.party)
    for material in range(len(demand)):
        whole = {name: demand[material, party == name].sum() for name in names}
        asking = [name for name in names if whole[name] > 0]
        for number, one in enumerate(asking):
            for other in asking[number + 1 :]:
                row = program.add_rows(
                    1, low=-(problem.fair_gap or 0.0), high=problem.fair_gap or 0.0
                )
                for name, sign in ((one, 1.0), (other, -1.0)):
                    columns = missing[material, party == name].ravel()
                    program.add(row, columns, sign / whole[name])


def _within_budget(
    program: Program,
    problem: ResponseProblem,
    part: _Part,
    wide: Callable[[NDArray[np.float64] | float], NDArray[np.float64]],
) -> None:
    row = program.add_rows(1, high=problem.budget or 0.0)
    program.add(row, part.ship, problem.arc_cost[part.arcs][:, None])
    program.add(row, part.recycled, wide(problem.recycle_cost))
    program.add(row, part.replaced, wide(problem.substitute_cost))
    for number, drawn in zip(part.offers, part.drawn, strict=True):
        program.add(row, drawn, problem.stocks[number].cost)


def _unmet(problem: ResponseProblem, group: NDArray[np.int64]) -> list[tuple[str, str, int, float]]:
    """Return the demands whose floor cannot be kept, by letting each be missed at a price."""
    part = _build(problem, group, elastic=True)
    over = part.program.add_columns(part.balance.size, cost=1e9).reshape(part.balance.shape)
    part.program.add(part.balance, over)
    solved = part.program.solve()
    if solved.status == "infeasible":
        raise SolverError(
            gettext_noop("no plan keeps the gap of {gap} between the parties"), gap=problem.fair_gap
        )
    tonnes = solved.value[over]
    found = [
        (
            problem.materials[int(group[m])],
            problem.consumers[d],
            int(month),
            float(tonnes[m, d, month]),
        )
        for m, d, month in np.argwhere(tonnes > _SMALL)
    ]
    if not found:
        raise SolverError(gettext_noop("the solver ended as {status}"), status="infeasible")
    return sorted(found, key=lambda row: -row[3])


def _plan(problem: ResponseProblem, parts: list[_Part], answers: list[Solved], listed: int) -> Plan:
    t = problem.months
    shortage = np.zeros(problem.demand.shape)
    shipped = np.zeros((len(problem.arc_cost), t))
    actions: list[Action] = []
    values: list[TonneValue] = []
    cost = lost = 0.0
    for part, solved in zip(parts, answers, strict=True):
        x = solved.value
        here = x[part.missing]
        shortage[part.materials] = here
        shipped[part.arcs] = x[part.ship]
        penalty = np.broadcast_to(problem.shortage_cost[part.materials][:, :, None], here.shape)
        missed = float((here * penalty).sum())
        lost += missed
        cost += solved.objective - missed
        price = solved.price[part.balance] if len(solved.price) else np.zeros(here.shape)
        reduced = solved.reduced if len(solved.reduced) else np.zeros(len(x))
        actions += _purchases(problem, part, x, price, reduced)
        actions += _measures(problem, part, x, price, reduced)
        if len(solved.price):
            values += _values(problem, part, solved, price)
    done = sorted(
        (one for one in actions if one.chosen), key=lambda one: (-one.worth, one.delay_months)
    )
    open_still = sorted(
        (one for one in actions if not one.chosen), key=lambda one: (-one.worth, one.delay_months)
    )
    return Plan(
        shortage=shortage,
        shipped=shipped,
        actions=_ranked(done[:listed]),
        alternatives=_ranked(open_still[:listed]),
        values=tuple(sorted(values, key=lambda one: -one.value)[:listed]),
        cost=cost,
        shortage_cost=lost,
        party_shortage=_party_shortage(problem, shortage),
        is_proven=all(solved.status == "optimal" for solved in answers),
        columns=sum(part.program.columns for part in parts),
    )


def _ranked(actions: list[Action]) -> tuple[Action, ...]:
    return tuple(
        Action(
            number + 1,
            one.kind,
            one.material,
            one.consumer,
            one.supplier,
            one.who,
            one.tonnes,
            one.unit_cost,
            one.cost,
            one.delay_months,
            one.worth,
            one.chosen,
            one.by_month,
        )
        for number, one in enumerate(actions)
    )


def _purchases(
    problem: ResponseProblem,
    part: _Part,
    x: NDArray[np.float64],
    price: NDArray[np.float64],
    reduced: NDArray[np.float64],
) -> list[Action]:
    """Return purchases: what is bought, and of the rest what could be."""
    t = problem.months
    place = {int(material): at for at, material in enumerate(part.materials)}
    found = []
    sent = x[part.ship]
    for at, arc in enumerate(part.arcs):
        lead, ready = int(problem.arc_lead[arc]), int(problem.arc_ready[arc])
        first = lead + ready
        if first >= t:
            continue
        arrived = np.zeros(t)
        arrived[lead:] = sent[at, : t - lead]
        tonnes = float(arrived.sum())
        material, consumer = int(problem.arc_material[arc]), int(problem.arc_consumer[arc])
        paid = price[place[material], consumer]
        chosen = tonnes > _SMALL
        if chosen:
            worth = float((arrived * paid).sum() / tonnes) - float(problem.arc_cost[arc])
        else:
            worth = -float(reduced[part.ship[at, ready : t - lead]].min())
        fixed = float(problem.arc_fixed[arc]) if chosen else 0.0
        unit = float(problem.arc_cost[arc])
        found.append(
            Action(
                rank=0,
                kind="qualify" if problem.arc_fixed[arc] > 0 or ready > 0 else "buy",
                material=problem.materials[material],
                consumer=problem.consumers[consumer],
                supplier=problem.suppliers[int(problem.arc_supplier[arc])],
                who=problem.party[consumer] if problem.party else problem.consumers[consumer],
                tonnes=tonnes,
                unit_cost=unit,
                cost=unit * tonnes + fixed,
                delay_months=int(np.argmax(arrived > _SMALL)) if chosen else first,
                worth=worth,
                chosen=chosen,
                by_month=tuple(arrived.tolist()) if chosen else (),
            )
        )
    return found


def _measures(
    problem: ResponseProblem,
    part: _Part,
    x: NDArray[np.float64],
    price: NDArray[np.float64],
    reduced: NDArray[np.float64],
) -> list[Action]:
    """Return releases of stock, recycling and substitution."""
    found = []

    def add(
        kind: ActionKind,
        material: int,
        consumer: int,
        who: str,
        columns: NDArray[np.int64],
        unit: float,
        first: int,
    ) -> None:
        by_month = x[columns]
        tonnes = float(by_month.sum())
        chosen = tonnes > _SMALL
        if chosen:
            paid = price[place[material], consumer]
            worth = float((by_month * paid).sum() / tonnes) - unit
        else:
            worth = -float(reduced[columns[first:]].min())
        found.append(
            Action(
                0,
                kind,
                problem.materials[material],
                problem.consumers[consumer],
                "",
                who,
                tonnes,
                unit,
                unit * tonnes,
                int(np.argmax(by_month > _SMALL)) if chosen else first,
                worth,
                chosen,
                tuple(by_month.tolist()) if chosen else (),
            )
        )

    def each(given: NDArray[np.float64] | float, material: int, consumer: int) -> float:
        return float(
            np.broadcast_to(np.asarray(given, float), problem.demand.shape[:2])[material, consumer]
        )

    place = {int(material): at for at, material in enumerate(part.materials)}
    for number, drawn in zip(part.offers, part.drawn, strict=True):
        offer = problem.stocks[number]
        for a, material in enumerate(offer.materials):
            for b, consumer in enumerate(offer.consumers):
                if offer.first_month < problem.months:
                    add(
                        "release_stock",
                        material,
                        consumer,
                        offer.owner,
                        drawn[a, b],
                        offer.cost,
                        offer.first_month,
                    )
    for at, material in enumerate(part.materials.tolist()):
        for consumer, name in enumerate(problem.consumers):
            who = problem.party[consumer] if problem.party else name
            for kind, columns, share, unit in (
                ("recycle", part.recycled, problem.recycle_share, problem.recycle_cost),
                ("substitute", part.replaced, problem.substitute_share, problem.substitute_cost),
            ):
                if each(share, material, consumer) > 0 and problem.demand[material, consumer].any():
                    add(
                        kind,
                        material,
                        consumer,
                        who,
                        columns[at, consumer],  # type: ignore[arg-type]
                        each(unit, material, consumer),
                        0,
                    )
    return found


def _values(
    problem: ResponseProblem, part: _Part, solved: Solved, price: NDArray[np.float64]
) -> list[TonneValue]:
    found = []
    for at, consumer, month in np.argwhere((price > 1e-6) & (problem.demand[part.materials] > 0)):
        found.append(
            TonneValue(
                "demand",
                problem.materials[int(part.materials[at])],
                problem.consumers[int(consumer)],
                int(month),
                float(price[at, consumer, month]),
            )
        )
    worth = -solved.price[part.cap]
    for at, supplier, month in np.argwhere(worth > 1e-6):
        found.append(
            TonneValue(
                "capacity",
                problem.materials[int(part.materials[at])],
                problem.suppliers[int(supplier)],
                int(month),
                float(worth[at, supplier, month]),
            )
        )
    for number, row in zip(part.offers, part.drawn_rows, strict=True):
        offer = problem.stocks[number]
        if -solved.price[row] > 1e-6:
            names = ", ".join(problem.materials[one] for one in offer.materials)
            found.append(TonneValue("stock", names, offer.owner, None, float(-solved.price[row])))
    return found


def _party_shortage(
    problem: ResponseProblem, shortage: NDArray[np.float64]
) -> dict[tuple[str, str], float]:
    party = np.array(problem.party)
    found = {}
    for name in sorted({one for one in problem.party if one}):
        for at, material in enumerate(problem.materials):
            whole = problem.demand[at, party == name].sum()
            if whole > 0:
                found[name, material] = float(shortage[at, party == name].sum() / whole)
    return found


def _check(problem: ResponseProblem) -> None:
    m, s, d = len(problem.materials), len(problem.suppliers), len(problem.consumers)
    if problem.demand.ndim != 3 or problem.demand.shape[:2] != (m, d) or problem.months < 1:
        raise BadProblemError(
            gettext_noop("{field} has the shape {shape}: expected {wanted}"),
            field="demand",
            shape=problem.demand.shape,
            wanted=(m, d, "months"),
        )
    shapes = (
        ("capacity", problem.capacity, (m, s, problem.months)),
        ("shortage_cost", problem.shortage_cost, (m, d)),
    )
    for name, given, wanted in shapes:
        if given.shape != wanted:
            raise BadProblemError(
                gettext_noop("{field} has the shape {shape}: expected {wanted}"),
                field=name,
                shape=given.shape,
                wanted=wanted,
            )
    count = len(problem.arc_cost)
    for name in (
        "arc_material",
        "arc_supplier",
        "arc_consumer",
        "arc_lead",
        "arc_ready",
        "arc_fixed",
        "arc_limit",
    ):
        if getattr(problem, name).shape != (count,):
            raise BadProblemError(
                gettext_noop("{field} has the shape {shape}: expected {wanted}"),
                field=name,
                shape=getattr(problem, name).shape,
                wanted=(count,),
            )
    bounded = (
        ("arc_material", problem.arc_material, 0, m - 1),
        ("arc_supplier", problem.arc_supplier, 0, s - 1),
        ("arc_consumer", problem.arc_consumer, 0, d - 1),
        ("arc_lead", problem.arc_lead, 0, np.inf),
        ("arc_ready", problem.arc_ready, 0, np.inf),
        ("arc_cost", problem.arc_cost, 0, 1e15),
        ("arc_fixed", problem.arc_fixed, 0, 1e15),
        ("arc_limit", problem.arc_limit, 0, np.inf),
        ("capacity", problem.capacity, 0, np.inf),
        ("demand", problem.demand, 0, 1e15),
        ("shortage_cost", problem.shortage_cost, 0, 1e15),
        ("recycle_share", problem.recycle_share, 0, 1),
        ("recycle_cost", problem.recycle_cost, 0, 1e15),
        ("substitute_share", problem.substitute_share, 0, 1),
        ("substitute_cost", problem.substitute_cost, 0, 1e15),
        ("floor", problem.floor, 0, 1),
        ("on_the_way", problem.on_the_way, 0, 1e15),
    )
    for name, figures, least, most in bounded:
        array = np.asarray(figures, float)
        wrong = ~((array >= least) & (array <= most))
        if wrong.any():
            where = tuple(int(at) for at in np.argwhere(wrong)[0])
            raise BadProblemError(
                gettext_noop("{field}, row {row}: {value}: expected {least} to {most}"),
                field=name,
                row=where[0] if len(where) == 1 else where,
                value=float(array[where]),
                least=least,
                most=most,
            )
    if problem.party and len(problem.party) != d:
        raise BadProblemError(
            gettext_noop("{field} has the shape {shape}: expected {wanted}"),
            field="party",
            shape=(len(problem.party),),
            wanted=(d,),
        )
    if problem.fair_gap is not None and not 0 <= problem.fair_gap <= 1:
        raise BadProblemError(
            gettext_noop("{field}, row {row}: {value}: expected {least} to {most}"),
            field="fair_gap",
            row=0,
            value=problem.fair_gap,
            least=0,
            most=1,
        )
    for row, offer in enumerate(problem.stocks):
        fits = (
            offer.materials
            and offer.consumers
            and all(0 <= one < m for one in offer.materials)
            and all(0 <= one < d for one in offer.consumers)
        )
        if not fits or not (offer.tonnes >= 0 and offer.cost >= 0 and offer.first_month >= 0):
            raise BadProblemError(
                gettext_noop(
                    "stock offer {row} of {owner}: a place, tonnes, cost or month is wrong"
                ),
                row=row,
                owner=offer.owner,
            )
