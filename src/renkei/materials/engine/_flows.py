"""Who is short: material by country and stage, between two bounds.

*No diversion*: every exporter shares what it has left in the old proportions, nobody finds
another seller. *Free diversion*: whoever may sell to somebody does so at once; third countries
hand over what they do not need. Direct dependence of 48–98 % shows no shortage at all under
free diversion, so neither bound is the answer: the truth lies between, and *capped diversion*
with qualification times and uncertain elasticities says where it may.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._answers import (
    BadFigureError,
    Bounds,
    Remark,
    check_countries,
    figure,
)
from renkei.materials.engine._cascade import CancelledError
from renkei.materials.engine._disruption import (
    Disruption,
    refuse_zero_effect,
    remaining_demand,
    remaining_production,
    remaining_trade,
    timeline,
    without_ports,
)
from renkei.materials.engine._program import Program, SolverError
from renkei.materials.engine._risk import origins

# Cost of the first … last tenth short: who stands alike is short alike, to less than a tenth.
_SEGMENTS = tuple(8.0 ** (step / 9) for step in range(10))
_ROUNDING = 1e-9  # of a share: what solving leaves of nothing
_SOLVER_RANGE = 1e4  # largest figure that the solver sees
_LEAST_EXPORTER = 0.002  # share of world supply below which nobody becomes a new supplier
DAYS_A_YEAR = 365.0


class BadTableError(RenkeiError):
    """Flows that cannot be; the bad row is named."""

    code = "materials.bad_flow_table"


@dataclass(frozen=True, slots=True, eq=False)
class FlowTable:
    """One material's stages: what is made, traded and used in a year.

    Attributes:
        stages: upstream first.
        production: tonnes a year, shape (stages, countries).
        trade: tonnes a year, from row to column, shape (stages, countries, countries).
        needed: tonnes of a stage for one tonne of the next, shape (stages - 1,); 0 is uncoupled.
        flags: what had to be assumed, as ``Remark``.
    """

    material: str
    countries: tuple[str, ...]
    stages: tuple[str, ...]
    production: NDArray[np.float64]
    trade: NDArray[np.float64]
    needed: NDArray[np.float64]
    flags: tuple[Remark, ...] = ()

    @property
    def supply(self) -> NDArray[np.float64]:
        """Return what each country has: made and bought, tonnes a year, (stages, countries)."""
        made: NDArray[np.float64] = self.production + self.trade.sum(axis=1)
        return made

    @property
    def use(self) -> NDArray[np.float64]:
        """Return what each country uses: supply less exports, tonnes a year."""
        used: NDArray[np.float64] = np.maximum(0.0, self.supply - self.trade.sum(axis=2))
        return used

    @property
    def feed(self) -> NDArray[np.float64]:
        """Return what each stage's use feeds the next one with, at most its use."""
        fed = np.zeros_like(self.production)
        if len(self.stages) > 1:
            fed[:-1] = self.needed[:, None] * self.production[1:]
        return np.minimum(fed, self.use)


@dataclass(frozen=True, slots=True)
class Elasticities:
    """What nobody knows exactly, each as an interval.

    Attributes:
        diversion: by how much an existing flow can grow, as a share of itself.
        new_partners: what an exporter can send to countries it did not supply before, as a share
            of its supply, once qualified.
        qualification_days: until a new partner's material is accepted.
        spare: by how much producers can raise output, as a share.
        substitution: share of use that something else can serve.
        demand: price elasticity of demand (0 or below), read by price shocks.
        source: where the ranges come from.
    """

    diversion: Bounds = field(default_factory=lambda: Bounds(0.0, 0.3))
    new_partners: Bounds = field(default_factory=lambda: Bounds(0.0, 0.1))
    qualification_days: Bounds = field(default_factory=lambda: Bounds(180.0, 540.0))
    spare: Bounds = field(default_factory=lambda: Bounds(0.0, 0.1))
    substitution: Bounds = field(default_factory=lambda: Bounds(0.0, 0.1))
    demand: Bounds = field(default_factory=lambda: Bounds(-0.5, -0.1))
    source: str = "assumed range, no published figure"

    def __post_init__(self) -> None:
        """Refuse ranges that cannot be."""
        for name, least, most in (
            ("diversion", 0.0, np.inf),
            ("new_partners", 0.0, np.inf),
            ("qualification_days", 0.0, np.inf),
            ("spare", 0.0, np.inf),
            ("substitution", 0.0, 1.0),
            ("demand", -np.inf, 0.0),
        ):
            figure(getattr(self, name), what=name, least=least, most=most)


@dataclass(frozen=True, slots=True)
class CountryShortage:
    """How short one country is of one stage in one period, as shares of its use.

    Attributes:
        use: tonnes in the period.
        direct: share of the imports that the disruptions stop directly.
        no_diversion, free_diversion: the two bounds. The second re-routes everything at once, with
            spare capacity, substitution and demand at their hopeful ends.
        capped: between the careful and the hopeful corner of the elasticities; nobody hands over
            so much that it has less than with no diversion.
        tonnes: what is missing in the period: from the better to the worse of the two bounds.
        days_of_stock: how long the stock lasts, from the worse to the better bound; None without
            a stock.
    """

    country: str
    stage: str
    since: date
    until: date
    use: float
    direct: float
    no_diversion: float
    free_diversion: float
    capped: Bounds
    tonnes: Bounds
    days_of_stock: Bounds | None


@dataclass(frozen=True, slots=True)
class Shortages:
    """The answer: rows by country, stage and period, and what it was made of.

    ``hit_tonnes`` is what the disruptions take away directly, a year; ``flags`` are assumptions
    in words; ``elasticities`` are those used.
    """

    material: str
    rows: tuple[CountryShortage, ...]
    hit_tonnes: float
    elasticities: Elasticities
    flags: tuple[Remark, ...]

    def stock_ends(self, country: str, stock: Bounds) -> dict[str, Bounds]:
        """Return on which day a country's stock of the last stage ends, from the first day on.

        Day by day the stock serves what is missing, until nothing is left: with ``no_diversion``,
        between the corners (``capped``) and with ``free_diversion``; each from a small stock to a
        large one, infinite where it outlasts the horizon.
        """
        rows = [row for row in self.rows if row.country == country]
        stage = rows[-1].stage if rows else ""
        rows = sorted((row for row in rows if row.stage == stage), key=lambda row: row.since)
        ends = {
            "no_diversion": [[row.no_diversion] * 2 for row in rows],
            "capped": [[row.capped.high, row.capped.low] for row in rows],
            "free_diversion": [[row.free_diversion] * 2 for row in rows],
        }
        return {
            name: Bounds(*(
                _day_of_end(rows, [pair[at] for pair in shares], tonnes)
                for at, tonnes in enumerate((stock.low, stock.high))
            ))
            for name, shares in ends.items()
        }  # fmt: skip

    def worst(self, country: str, stage: str = "") -> CountryShortage | None:
        """Return the period in which a country misses the largest share without diversion."""
        found = [row for row in self.rows if row.country == country and stage in ("", row.stage)]
        return max(found, key=lambda row: row.no_diversion, default=None)


def flow_table(
    *,
    material: str,
    stages: Sequence[str],
    trade: Iterable[tuple[str, str, str, float]],
    production: Iterable[tuple[str, str, float]] = (),
    needed: Mapping[str, float] | None = None,
) -> FlowTable:
    """Build a table of rows.

    Args:
        stages: upstream first.
        trade: (stage, exporter, importer, tonnes a year).
        production: (stage, country, tonnes a year); of a stage without any row, a country is
            taken to make what it exports above its imports.
        needed: tonnes of a stage for one tonne of the next; stages that are not named feed
            nothing.

    Raises:
        UnknownCountryError, BadTableError: at the first bad row.
    """
    flows, made = list(trade), list(production)
    _check_rows(stages, (("trade", flows), ("production", made)))
    countries = tuple(
        sorted({name for _s, e, i, _t in flows for name in (e, i)} | {c for _s, c, _t in made})
    )
    place = {name: at for at, name in enumerate(countries)}
    level = {name: at for at, name in enumerate(stages)}
    n, k = len(countries), len(stages)
    moved, output = np.zeros((k, n, n)), np.zeros((k, n))
    for stage, exporter, importer, tonnes in flows:
        if exporter != importer:
            moved[level[stage], place[exporter], place[importer]] += tonnes
    for stage, country, tonnes in made:
        output[level[stage], place[country]] += tonnes
    flags = []
    known = {stage for stage, _c, _t in made}
    for at, stage in enumerate(stages):
        gap = moved[at].sum(axis=1) - moved[at].sum(axis=0) - output[at]
        if stage not in known:
            output[at] = np.maximum(0.0, gap)
            flags.append(
                Remark(
                    gettext_noop("{stage}: production is not known; net exports are taken for it"),
                    stage=stage,
                )
            )
        elif (gap > _ROUNDING * max(1.0, float(output[at].sum()))).any():
            output[at] += np.maximum(0.0, gap)
            flags.append(
                Remark(
                    gettext_noop(
                        "{stage}: {countries} export more than they have; {tonnes} t of production "
                        "are added"
                    ),
                    stage=stage,
                    countries=" ".join(np.array(countries)[gap > 0]),
                    tonnes=f"{np.maximum(0.0, gap).sum():.4g}",
                )
            )
    coupling = np.array([(needed or {}).get(stage, 0.0) for stage in stages[:-1]])
    if (coupling < 0).any() or not np.isfinite(coupling).all():
        raise BadFigureError(gettext_noop("tonnes needed for one tonne: expected 0 or more"))
    return FlowTable(material, countries, tuple(stages), output, moved, coupling, tuple(flags))


def _check_rows(
    stages: Sequence[str], tables: Iterable[tuple[str, Sequence[tuple[Any, ...]]]]
) -> None:
    """Refuse the first row with an unknown stage, a bad quantity or an unknown country."""
    for table, rows in tables:
        for row, (stage, *places, tonnes) in enumerate(rows):
            if stage not in stages:
                raise BadTableError(
                    gettext_noop("{table}, row {row}: the stage {stage} is none of {stages}"),
                    table=table,
                    row=row,
                    stage=stage,
                    stages=", ".join(stages),
                )
            if not (np.isfinite(tonnes) and tonnes >= 0):
                raise BadTableError(
                    gettext_noop("{table}, row {row}: {tonnes} tonnes: expected 0 or more"),
                    table=table,
                    row=row,
                    tonnes=tonnes,
                )
            check_countries(places)


def who_is_short(
    table: FlowTable,
    disruptions: Sequence[Disruption],
    *,
    since: date,
    until: date,
    elasticities: Elasticities | None = None,
    stocks: Mapping[str, float | Bounds] | None = None,
    site_shares: Mapping[str, tuple[str, float]] | None = None,
    codes: Mapping[str, str] | None = None,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Shortages:
    """Return who is short of what and when, between no diversion and free diversion.

    Args:
        since, until: the horizon; periods are cut where a disruption starts or ends and where a
            new partner's qualification ends.
        stocks: tonnes of the last stage by country, as intervals where the level is secret.
        site_shares: country of each site and its share of that country's production.
        codes: the tariff code that each stage's flows were counted by, if they are of one.

    Raises:
        BadTableError: nothing in the table, or a horizon without a day.
        ZeroEffectError: the disruptions hit nothing of the table in the horizon.
        CancelledError: ``is_cancelled`` said so.
    """
    known = elasticities or Elasticities()
    code = codes or {}
    if not since < until:
        raise BadTableError(
            gettext_noop("the horizon runs from {since} to {until}: expected a day or more"),
            since=since.isoformat(),
            until=until.isoformat(),
        )
    if not table.supply.any():
        raise BadTableError(
            gettext_noop("the table of {material} has no flow and no production"),
            material=table.material,
        )
    check_countries(stocks or {})
    ends = [day for one in disruptions if (day := one.start) is not None]
    cuts = {since, until}
    for first, last in timeline(disruptions, since=since, until=until):
        cuts |= {first, last}
    begin = max(since, min(ends, default=since))
    for days in (known.qualification_days.low, known.qualification_days.high):
        day = begin + timedelta(days=round(min(days, 36500)))
        if since < day < until:
            cuts.add(day)
    periods = list(pairwise(sorted(cuts)))
    hit = 0.0
    rows: list[CountryShortage] = []
    used: dict[str, list[float]] = {}
    flags = [*table.flags, *_assumptions(table, disruptions)]
    for number, (first, last) in enumerate(periods):
        if is_cancelled is not None and is_cancelled():
            raise CancelledError(gettext_noop("the run was cancelled"))
        state = _state(table, disruptions, (first, last), site_shares, code)
        share = (last - first).days / DAYS_A_YEAR
        hit += state.hit * share
        shrunk = [
            remaining_demand(
                disruptions, material=table.material, since=first, until=last, elasticity=value
            )
            for value in (known.demand.high, known.demand.low)
        ]
        hit += (1 - shrunk[0]) * table.use[-1].sum() * share
        # What is given up at a higher price is missing: least where demand is stiff.
        still = np.minimum(_no_diversion(table, state), shrunk[1])
        elapsed = max(0, (first - begin).days)
        hopeful = known.spare.high, known.substitution.high, shrunk[1]
        free = _diverted(table, state, _Freedom(np.inf, np.inf, *hopeful, floor=still))
        worst = _diverted(
            table,
            state,
            _Freedom(
                known.diversion.low,
                known.new_partners.low if elapsed >= known.qualification_days.high else 0.0,
                known.spare.low,
                known.substitution.low,
                shrunk[0],
                kept=still,
                floor=still,
            ),
        )
        best = _diverted(
            table,
            state,
            _Freedom(
                known.diversion.high,
                known.new_partners.high if elapsed >= known.qualification_days.low else 0.0,
                *hopeful,
                floor=still,
            ),
        )
        if not state.barred.any():
            # Nobody falls below no diversion: the solver's tolerance is all that says otherwise.
            free, worst, best = (np.maximum(found, still) for found in (free, worst, best))
        # What limited diversion reaches, free diversion could as well.
        free = np.minimum(np.maximum(np.maximum(free, best), worst), shrunk[0])
        worst, best = np.minimum(worst, shrunk[1]), np.minimum(best, shrunk[0])
        bought = table.trade.sum(axis=1)
        stopped = np.divide(
            (table.trade * (1 - state.trade)).sum(axis=1),
            bought,
            where=bought > 0,
            out=np.zeros(bought.shape),
        )
        rows += _rows(
            table,
            (first, last),
            stopped=stopped,
            still=still,
            free=free,
            worst=worst,
            best=best,
            stocks=stocks or {},
            used=used,
        )
        if progress is not None:
            progress((number + 1) / len(periods))
    refuse_zero_effect(hit, disruptions)
    years = (until - since).days / DAYS_A_YEAR
    return Shortages(table.material, tuple(rows), hit / years, known, tuple(flags))


def _assumptions(table: FlowTable, disruptions: Sequence[Disruption]) -> list[Remark]:
    """Return what the answer takes for granted about these disruptions."""
    flags: list[Remark] = []
    unknown = without_ports(table.countries)
    if unknown and any(one.kind == "strait_closed" for one in disruptions):
        flags.append(
            Remark(
                gettext_noop("ports are not known, flows are kept whole: {countries}"),
                countries=" ".join(unknown),
            )
        )
    for one in disruptions:
        if not one.origin_rule:
            continue
        named = [name in one.countries for name in table.countries]
        for at, stage in enumerate(table.stages):
            if one.concerns(table.material, stage) and not table.production[at][named].any():
                flags.append(
                    Remark(
                        gettext_noop(
                            "{stage}: {countries} make nothing by these figures: the origin rule "
                            "stops no re-export"
                        ),
                        stage=stage,
                        countries=" ".join(sorted(one.countries)),
                    )
                )
    return flags


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """What is left of flows and producers in a period, and who is barred by origin."""

    trade: NDArray[np.float64]  # share left, (stages, exporters, importers)
    production: NDArray[np.float64]  # share left, (stages, countries)
    barred: NDArray[np.bool_]  # origin barred by a ban with origin rule, (stages, countries)
    targets: NDArray[np.bool_]  # importers it is barred from, (stages, countries)
    hit: float  # tonnes a year that are lost directly


@dataclass(frozen=True, slots=True, eq=False)
class _Freedom:
    """How far flows may be re-arranged."""

    diversion: float
    new_partners: float
    spare: float
    substitution: float
    demand: float
    kept: NDArray[np.float64] | None = None  # share of old flows that sellers go on sending
    floor: NDArray[np.float64] | None = None  # share of its own use that nobody falls below


def _state(
    table: FlowTable,
    disruptions: Sequence[Disruption],
    period: tuple[date, date],
    site_shares: Mapping[str, tuple[str, float]] | None,
    codes: Mapping[str, str],
) -> _State:
    first, last = period
    k, n = table.production.shape
    trade, production = np.ones((k, n, n)), np.ones((k, n))
    barred, targets = np.zeros((k, n), bool), np.zeros((k, n), bool)
    for at, stage in enumerate(table.stages):
        what: dict[str, Any] = {
            "material": table.material,
            "stage": stage,
            "countries": table.countries,
        }
        trade[at] = remaining_trade(
            disruptions, **what, since=first, until=last, code=codes.get(stage, "")
        )
        production[at] = remaining_production(
            disruptions, **what, since=first, until=last, site_shares=site_shares
        )
        for one in disruptions:
            if one.origin_rule and one.concerns(table.material, stage, codes.get(stage, "")):
                if one.overlap(first, last) == 0 or one.kind not in ("export_ban", "export_quota"):
                    continue
                barred[at] |= [name in one.countries for name in table.countries]
                targets[at] |= [
                    not one.importers or name in one.importers for name in table.countries
                ]
                # What third countries re-export is barred in the share of the barred origin.
                made = origins(production=table.production[at], trade=table.trade[at])
                part = made[:, barred[at]].sum(axis=1) * one.severity * one.overlap(first, last)
                reach = np.where(~barred[at][:, None] & targets[at][None, :], part[:, None], 0.0)
                np.fill_diagonal(reach, 0.0)
                trade[at] *= 1 - reach
    lost = (table.trade * (1 - trade)).sum() + (table.production * (1 - production)).sum()
    return _State(trade, production, barred, targets, float(lost))


def _no_diversion(table: FlowTable, state: _State) -> NDArray[np.float64]:
    """Return the share of its use that each country has left, (stages, countries)."""
    k, n = table.production.shape
    left = np.ones((k, n))
    for at in range(k):
        made = table.production[at] * state.production[at]
        if at and table.needed[at - 1] > 0:
            made = made * left[at - 1]
        supply = table.supply[at]
        live = supply > 0
        flows = table.trade[at] * state.trade[at]
        # h = (made + flows' h) / supply: what is left is shared in the old proportions.
        matrix = np.eye(n)
        matrix[live] -= flows.T[live] / supply[live, None]
        right = np.ones(n)
        right[live] = made[live] / supply[live]
        left[at] = np.clip(np.linalg.solve(matrix + 1e-12 * np.eye(n), right), 0.0, 1.0)
        left[at][~live | (left[at] > 1 - _ROUNDING)] = 1.0
    return left


def _diverted(table: FlowTable, state: _State, freedom: _Freedom) -> NDArray[np.float64]:
    """Return the share of its use each country has left when flows are re-arranged.

    Countries may serve themselves before their customers, unless ``freedom.kept`` says what they
    go on sending.
    """
    k, n = table.production.shape
    program = Program()
    supply, use, feed = table.supply, table.use, table.feed
    # Tonnes of some materials are thousands of those of others; the solver's tolerance is fixed.
    scale = max(float(supply.max()), 1e-300) / _SOLVER_RANGE
    before = np.zeros((k, n)) if freedom.floor is None else freedom.floor
    apart = [bool(state.barred[at].any()) for at in range(k)]
    made = [
        program.add_columns(
            n,
            cost=-1e-5,  # what can be made is made
            # Nobody hands over what its own next stage would have had with no diversion.
            lower=table.production[at]
            * state.production[at]
            * (before[at - 1] if at and table.needed[at - 1] > 0 else 0.0)
            * (1 - 1e-6)
            / scale,
            upper=table.production[at] * state.production[at] * (1 + freedom.spare) / scale,
        )
        for at in range(k)
    ]
    asked = np.maximum(0.0, use - feed) / scale
    own = asked * (1 - freedom.substitution) * freedom.demand
    short = []
    for at in range(k):
        kinds = 2 if apart[at] else 1
        balance = [program.add_rows(n, low=0.0, high=0.0) for _ in range(kinds)]
        served = [program.add_columns(n) for _ in range(kinds)]
        for rows, columns in zip(balance, served, strict=True):
            program.add(rows, columns, -1.0)
        origin = state.barred[at] if apart[at] else np.zeros(n, bool)
        for kind, rows in enumerate(balance):
            mask = origin if kind == 1 else ~origin
            program.add(rows[mask], made[at][mask])
        _arcs(program, table, state, freedom, at=at, balance=balance, scale=scale)
        # The last part is open, so that rounding never leaves a need unmet.
        missing = [
            program.add_columns(
                n, cost=cost, upper=np.inf if cost == _SEGMENTS[-1] else own[at] / len(_SEGMENTS)
            )
            for cost in _SEGMENTS
        ]
        short.append(missing)
        # What is served and what is missing are the use; feed follows the next stage's output.
        need = program.add_rows(n, low=own[at])
        for columns in (*served, *missing):
            program.add(need, columns)
        most = program.add_rows(n, high=asked[at] * (1 - before[at] + 1e-6))
        for columns in missing:
            program.add(most, columns)
        if at + 1 < k and table.needed[at] > 0:
            base = np.where(table.production[at + 1] > 0, table.production[at + 1], 1.0)
            program.add(need, made[at + 1], -feed[at] / base)
    solved = program.solve(threads=1)
    if solved.status == "infeasible":
        # By origin, what is left of a mixed flow may be less than its old share: let it be so.
        if freedom.kept is not None or freedom.floor is not None:
            looser = freedom.floor if freedom.kept is not None else None
            return _diverted(table, state, replace(freedom, kept=None, floor=looser))
        raise SolverError(gettext_noop("the solver ended as {status}"), status=solved.status)
    lost = np.array([sum(solved.value[columns] for columns in missing) for missing in short])
    output = np.array([solved.value[columns] for columns in made])
    return _left(table, state, asked, lost=lost, output=output, scale=scale)


def _left(
    table: FlowTable,
    state: _State,
    asked: NDArray[np.float64],
    *,
    lost: NDArray[np.float64],
    output: NDArray[np.float64],
    scale: float,
) -> NDArray[np.float64]:
    """Return the share of its use, feed included, that each country has left."""
    whole, gone = asked.copy(), lost.copy()
    for at in range(len(table.stages) - 1):
        if table.needed[at] > 0:
            # What the next stage could run on: an outage of its own asks for less.
            could = state.production[at + 1]
            base = table.production[at + 1] / scale
            ran = np.divide(output[at + 1], base, where=base > 0, out=could.copy())
            whole[at] += table.feed[at] / scale * could
            gone[at] += table.feed[at] / scale * np.maximum(0.0, could - ran)
    share = np.divide(gone, whole, where=whole > _ROUNDING, out=np.zeros(whole.shape))
    kept: NDArray[np.float64] = np.clip(1 - share, 0.0, 1.0)
    return kept


def _arcs(
    program: Program,
    table: FlowTable,
    state: _State,
    freedom: _Freedom,
    *,
    at: int,
    balance: list[NDArray[np.int64]],
    scale: float,
) -> None:
    """Add the flows of one stage: as they are, larger, and to new partners."""
    n = len(table.countries)
    base, left = table.trade[at] / scale, state.trade[at]
    # Re-exports by origin are barred commodity by commodity here, not by their usual share.
    if len(balance) == 2:
        left = np.where(state.targets[at][None, :] & ~state.barred[at][:, None], 1.0, left)
    seller, buyer = np.nonzero(base)
    usual = base[seller, buyer]
    share = left[seller, buyer]
    shipped = np.zeros((len(balance), len(seller)), np.int64)
    for kind, rows in enumerate(balance):
        allowed = np.ones(len(seller))
        if kind == 1:
            allowed[state.targets[at][buyer]] = (
                share[state.targets[at][buyer]]
                * (state.barred[at][seller[state.targets[at][buyer]]])
            )
        shipped[kind] = program.add_columns(
            len(seller), cost=1e-4, upper=np.where(allowed > 0, np.inf, 0.0)
        )
        program.add(rows[seller], shipped[kind], -1.0)
        program.add(rows[buyer], shipped[kind], 1.0)
    # A flow that is cut cannot grow; one that is whole can.
    room = np.where(share < 1, share, 1 + freedom.diversion)
    kept = 0.0 if freedom.kept is None else usual * share * freedom.kept[at][seller] * (1 - 1e-6)
    limit = program.add_rows(
        len(seller), low=kept, high=np.where(np.isinf(room), np.inf, usual * room)
    )
    for kind in range(len(balance)):
        program.add(limit, shipped[kind])
    if freedom.new_partners <= 0:
        return
    supply = table.supply[at] / scale
    sellers = np.flatnonzero(supply >= _LEAST_EXPORTER * supply.sum())
    buyers = np.flatnonzero(table.use[at] > 0)
    one, other = (axis.ravel() for axis in np.meshgrid(sellers, buyers, indexing="ij"))
    fresh = (one != other) & (base[one, other] == 0) & (left[one, other] >= 1)
    one, other = one[fresh], other[fresh]
    per_seller = program.add_rows(
        n,
        high=np.full(n, np.inf)
        if np.isinf(freedom.new_partners)
        else freedom.new_partners * supply,
    )
    for kind, rows in enumerate(balance):
        blocked = (kind == 1) & state.targets[at][other]
        added = program.add_columns(len(one), cost=1e-3, upper=np.where(blocked, 0.0, np.inf))
        program.add(rows[one], added, -1.0)
        program.add(rows[other], added, 1.0)
        program.add(per_seller[one], added)


def _rows(
    table: FlowTable,
    period: tuple[date, date],
    *,
    stopped: NDArray[np.float64],
    still: NDArray[np.float64],
    free: NDArray[np.float64],
    worst: NDArray[np.float64],
    best: NDArray[np.float64],
    stocks: Mapping[str, float | Bounds],
    used: dict[str, list[float]],
) -> list[CountryShortage]:
    first, last = period
    days = (last - first).days
    found = []
    for at, stage in enumerate(table.stages):
        for place, country in enumerate(table.countries):
            use = float(table.use[at, place]) * days / DAYS_A_YEAR
            if table.supply[at, place] <= 0:
                continue
            ends = sorted((1 - still[at, place], 1 - free[at, place]))
            capped = sorted((1 - worst[at, place], 1 - best[at, place]))
            lasting = None
            if at == len(table.stages) - 1 and country in stocks:
                lasting = _lasting(
                    figure(stocks[country], what=f"stock of {country}"),
                    used.setdefault(country, [0.0, 0.0]),
                    [use / days * float(share) for share in ends],
                    days,
                )
            found.append(
                CountryShortage(
                    country,
                    stage,
                    first,
                    last,
                    use,
                    float(stopped[at, place]),
                    float(1 - still[at, place]),
                    float(1 - free[at, place]),
                    Bounds(float(capped[0]), float(capped[1])),
                    Bounds(float(use * ends[0]), float(use * ends[1])),
                    lasting,
                )
            )
    return found


def _day_of_end(rows: Sequence[CountryShortage], shares: Sequence[float], stock: float) -> float:
    """Return after how many days a stock is used up by a share of each period's use."""
    passed = 0
    for row, share in zip(rows, shares, strict=True):
        days = (row.until - row.since).days
        missing = row.use * share if share > _ROUNDING else 0.0
        if missing > 0 and stock <= missing:
            return passed + days * stock / missing
        stock -= missing
        passed += days
    return np.inf


def _lasting(stock: Bounds, used: list[float], a_day: list[float], days: int) -> Bounds:
    """Return how many days of this period on a stock lasts, and note what the period uses."""

    def last(tonnes: float, gone: float, rate: float) -> float:
        return np.inf if rate <= 1e-12 else max(0.0, tonnes - gone) / rate

    answer = Bounds(last(stock.low, used[1], a_day[1]), last(stock.high, used[0], a_day[0]))
    used[0] += a_day[0] * days
    used[1] += a_day[1] * days
    return answer
