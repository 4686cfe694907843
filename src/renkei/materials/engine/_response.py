"""What to do: other suppliers, stocks, recycling, substitutes, shared fairly, month by month.

A linear programme, or a mixed-integer one where qualifying a supplier is a decision with a price
of its own. Materials that share neither a stock nor a budget are solved apart and side by side.
The answer ranks what can be done, prices one more tonne of everything that binds, and says who
must act.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._cascade import CancelledError
from renkei.materials.engine._program import Program, Solved, SolverError

ActionKind = Literal["buy", "qualify", "release_stock", "recycle", "substitute"]
_PLACES = ("arc_material", "arc_supplier", "arc_consumer")
_MOST: Mapping[str, float] = {
    **dict.fromkeys(_PLACES, 0.0),  # by the sizes of their axes
    **dict.fromkeys(("arc_lead", "arc_ready", "arc_limit", "capacity", "budget"), np.inf),
    **dict.fromkeys(("arc_cost", "arc_fixed", "demand", "shortage_cost", "on_the_way"), 1e15),
    **dict.fromkeys(("recycle_cost", "substitute_cost"), 1e15),
    **dict.fromkeys(("recycle_share", "substitute_share", "floor", "fair_gap"), 1.0),
}
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
    unmet: list[tuple[str, str, int, float]] = []
    done = 0

    def work(group: NDArray[np.int64]) -> tuple[_Part, Solved]:
        nonlocal done
        if is_cancelled is not None and is_cancelled():
            raise CancelledError(gettext_noop("the run was cancelled"))
        part = _build(problem, group)
        solved = part.program.solve(seconds=seconds, gap=gap, presolve=len(part.chosen) > 0)
        if solved.status == "infeasible":
            unmet.extend(_unmet(problem, group))
            return part, solved
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
    if unmet:
        raise InfeasibleError(sorted(unmet, key=lambda row: -row[3]))
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
    m, s, d, t = len(group), len(problem.suppliers), len(problem.consumers), problem.months
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
    _draw(problem, part, place)
    if problem.fair_gap is not None:
        _fair(program, problem, demand, missing)
    if fixed.any() and decided is None and not elastic:
        # What a supplier can make, what is asked for, what the arc can carry: no more can flow.
        most = np.minimum(limit, capacity[of, seller])
        most = np.minimum(most, demand[of, buyer].sum(axis=1)[:, None])
        _decide(problem, part, np.flatnonzero(fixed), most)
    if problem.budget is not None:
        spent = 0.0 if decided is None else float(problem.arc_fixed[decided].sum())
        _within_budget(problem, part, wide, spent)
    return part


def _draw(problem: ResponseProblem, part: _Part, place: NDArray[np.int64]) -> None:
    """Add what owners of stocks offer."""
    for number, offer in enumerate(problem.stocks):
        if place[offer.materials[0]] < 0:
            continue
        own = place[np.array(offer.materials)]
        whom = np.array(offer.consumers, int)
        upper = np.zeros((len(own), len(whom), problem.months))
        upper[:, :, offer.first_month :] = np.inf
        drawn = part.program.add_columns(upper.size, cost=offer.cost, upper=upper.ravel()).reshape(
            upper.shape
        )
        part.program.add(part.balance[np.ix_(own, whom)], drawn)
        total = part.program.add_rows(1, high=offer.tonnes)
        part.program.add(total, drawn)
        if np.isfinite(offer.per_month):
            part.program.add(
                part.program.add_rows(problem.months, high=offer.per_month)[None, None, :], drawn
            )
        part.offers.append(number)
        part.drawn.append(drawn)
        part.drawn_rows.append(int(total[0]))


def _decide(
    problem: ResponseProblem,
    part: _Part,
    chosen: NDArray[np.int64],
    most: NDArray[np.float64],
) -> None:
    """Make qualifying a yes-or-no decision: nothing flows on an arc that is not qualified."""
    program, arcs = part.program, part.arcs[chosen]
    decide = program.add_columns(len(chosen), cost=problem.arc_fixed[arcs], upper=1.0, integer=True)
    link = program.add_rows(most[chosen].size, high=0.0).reshape(len(chosen), -1)
    program.add(link, part.ship[chosen])
    program.add(link, np.broadcast_to(decide[:, None], link.shape), -most[chosen])
    part.chosen, part.fixed_arcs = decide, arcs


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
    problem: ResponseProblem,
    part: _Part,
    wide: Callable[[NDArray[np.float64] | float], NDArray[np.float64]],
    spent: float,
) -> None:
    """Keep all measures within what the budget leaves beside what is ``spent`` on qualifying."""
    program = part.program
    row = program.add_rows(1, high=max(0.0, (problem.budget or 0.0) - spent))
    program.add(row, part.ship, problem.arc_cost[part.arcs][:, None])
    program.add(row, part.recycled, wide(problem.recycle_cost))
    program.add(row, part.replaced, wide(problem.substitute_cost))
    program.add(row, part.chosen, problem.arc_fixed[part.fixed_arcs])
    for number, drawn in zip(part.offers, part.drawn, strict=True):
        program.add(row, drawn, problem.stocks[number].cost)


def _unmet(problem: ResponseProblem, group: NDArray[np.int64]) -> list[tuple[str, str, int, float]]:
    """Return the demands whose floor cannot be kept, by letting each be missed at a price."""
    part = _build(problem, group, elastic=True)
    # Later is a little cheaper: what could be put by is missing in the month that asks for it.
    later = np.broadcast_to(
        1 - 1e-3 * np.arange(problem.months) / problem.months, part.balance.shape
    )
    over = part.program.add_columns(part.balance.size, cost=1e9 * later.ravel())
    over = over.reshape(part.balance.shape)
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
    place = {int(material): at for at, material in enumerate(part.materials)}
    found = []
    for kind, (material, consumer), who, columns, unit, first in _offered(problem, part, place):
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
                rank=0,
                kind=kind,
                material=problem.materials[material],
                consumer=problem.consumers[consumer],
                supplier="",
                who=who,
                tonnes=tonnes,
                unit_cost=unit,
                cost=unit * tonnes,
                delay_months=int(np.argmax(by_month > _SMALL)) if chosen else first,
                worth=worth,
                chosen=chosen,
                by_month=tuple(by_month.tolist()) if chosen else (),
            )
        )
    return found


def _offered(
    problem: ResponseProblem, part: _Part, place: dict[int, int]
) -> Iterator[tuple[ActionKind, tuple[int, int], str, NDArray[np.int64], float, int]]:
    """Yield each measure: kind, material and consumer, who acts, columns, cost, first month."""
    for number, drawn in zip(part.offers, part.drawn, strict=True):
        offer = problem.stocks[number]
        if offer.first_month >= problem.months:
            continue
        for a, b in np.ndindex(drawn.shape[:2]):
            where = offer.materials[a], offer.consumers[b]
            yield "release_stock", where, offer.owner, drawn[a, b], offer.cost, offer.first_month
    shape = problem.demand.shape[:2]
    kinds: tuple[tuple[ActionKind, NDArray[np.int64], Any, Any], ...] = (
        ("recycle", part.recycled, problem.recycle_share, problem.recycle_cost),
        ("substitute", part.replaced, problem.substitute_share, problem.substitute_cost),
    )
    asked = problem.demand.any(axis=2)
    for kind, columns, share, unit in kinds:
        shares, units = (np.broadcast_to(np.asarray(one, float), shape) for one in (share, unit))
        for material, consumer in np.argwhere((shares > 0) & asked).tolist():
            if material in place:
                who = problem.party[consumer] if problem.party else problem.consumers[consumer]
                where = material, consumer
                row = columns[place[material], consumer]
                yield kind, where, who, row, float(units[material, consumer]), 0


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
    months = problem.demand.shape[2] if problem.demand.ndim == 3 else 0
    arcs = (len(problem.arc_cost),)
    wanted: dict[str, tuple[int, ...]] = {
        "demand": (m, d, max(1, months)),
        "capacity": (m, s, months),
        "shortage_cost": (m, d),
        **dict.fromkeys(_PLACES, arcs),
        **dict.fromkeys(("arc_lead", "arc_ready", "arc_fixed", "arc_limit"), arcs),
    }
    for name, shape in wanted.items():
        _refuse_shape(name, getattr(problem, name).shape, shape)
    if problem.party:
        _refuse_shape("party", (len(problem.party),), (d,))
    sizes = dict(zip(_PLACES, (m, s, d), strict=True))
    for name, most in _MOST.items():
        given = getattr(problem, name)
        if given is None:
            continue
        array = np.asarray(given, float)
        limit = sizes[name] - 1 if name in sizes else most
        wrong = ~((array >= 0) & (array <= limit))
        if wrong.any():
            where = tuple(int(at) for at in np.argwhere(wrong)[0])
            raise BadProblemError(
                gettext_noop("{field}, row {row}: {value}: expected {least} to {most}"),
                field=name,
                row=where[0] if len(where) == 1 else where,
                value=float(array[where]),
                least=0,
                most=limit,
            )
    for row, offer in enumerate(problem.stocks):
        places = (*((one, m) for one in offer.materials), *((one, d) for one in offer.consumers))
        fits = offer.materials and offer.consumers and all(0 <= one < size for one, size in places)
        if not fits or not (offer.tonnes >= 0 and offer.cost >= 0 and offer.first_month >= 0):
            raise BadProblemError(
                gettext_noop(
                    "stock offer {row} of {owner}: a place, tonnes, cost or month is wrong"
                ),
                row=row,
                owner=offer.owner,
            )


def _refuse_shape(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise BadProblemError(
            gettext_noop("{field} has the shape {shape}: expected {wanted}"),
            field=name,
            shape=found,
            wanted=wanted,
        )
