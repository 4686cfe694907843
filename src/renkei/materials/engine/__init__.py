"""The pure part of the room: mathematics, formats, protocol steps; no Django, no sockets.

Countries are ISO 3166-1 alpha-3 codes, quantities tonnes a year unless a name says otherwise,
shares fractions of 1, money US dollars. Arrays are float64. Every answer is a frozen dataclass
that carries its inputs, so that a page can open it; every refusal is a ``RenkeiError``.

How concentrated, how risky::

    concentration({"CHN": 270_000.0, ...}, other=1_200.0, world=390_000.0, governance={"CHN": 0.55})
        -> Concentration(index=Bounds(low, high), governed=Bounds | None, leading, leading_share,
                         leading_of_world, rows=(Holder(country, quantity, share, governance), ...),
                         other, total, world, without_governance)
    supply_risk(...), economic_importance(...), net_import_reliance(...), time_to_survive(...)
        -> Score(name, value=Bounds, unit, inputs=(Input(name, value, unit), ...), formula, source)
    geopolrisk(production=..., imports=..., governance=..., price=...) -> GeoPolRisk (arrays)
    origins(production=..., trade=...) -> share of each country's supply by country of origin

What if: one description, three engines::

    Disruption(kind="export_ban", start=date(2027, 1, 1), days=365, severity=1.0,
               countries={"CHN"}, importers={"JPN", "USA"}, materials={"rare_earths"},
               stages=..., codes=..., sites=..., firms=..., straits=...)
    flow_table(...) -> FlowTable;  who_is_short(table, [disruption], ...) -> Shortages
    network(...) | synthetic_network(...) -> Network
    cascade(network, capacity) -> Cascade;  systemic(network, firms) -> losses of single closures
    run_inventories(network, shocks, ...) -> InventoryRun
    InputOutput(coefficients).output(demand), .ghosh(...)

What to do::

    respond(ResponseProblem(...)) -> Plan(actions, alternatives, shortages, values_of_one_more_tonne)

Early warning::

    sweep(values, ...) -> Sweep;  alarms(...) -> list[Alarm];  backtest(...) -> Backtest

Confidentiality::

    release(cells, relations, ...) -> Release;  PsiServer, PsiClient;  compare bits;  BorderSide

Rules and bills::

    judge(rules, facts, as_of=..., hypothetical=...) -> Judgement
    Bills(...).explode(product), .exposure(product, shortage)
"""

from renkei.materials.engine._alarms import (
    BREADTH,
    LEAST_KNOWN,
    LEAST_PARTNERS,
    PARTNERS_THRESHOLD,
    PUBLICATION_LAG,
    SPREAD_FLOOR,
    THRESHOLD,
    WINDOW,
    Alarm,
    AlarmKind,
    Backtest,
    BadSeriesError,
    Measure,
    Month,
    Scores,
    Sweep,
    alarms,
    backtest,
    breadth,
    leave_one_out,
    sweep,
)
from renkei.materials.engine._answers import (
    COUNTRY_CODES,
    BadFigureError,
    Bounds,
    Input,
    Score,
    UnknownCountryError,
)
from renkei.materials.engine._bill import (
    BadLineError,
    BillLine,
    Bills,
    CycleError,
    Exposed,
    UnknownProductError,
)
from renkei.materials.engine._border import (
    TIGHT,
    BadBorderError,
    BorderMessage,
    BorderSide,
    Side,
    pooled,
    run_jointly,
)
from renkei.materials.engine._cascade import (
    MOST_ITERATIONS,
    TOLERANCE,
    CancelledError,
    Cascade,
    CascadeEngine,
    cascade,
    systemic,
)
from renkei.materials.engine._concentration import (
    WORST_GOVERNANCE,
    BadSharesError,
    Concentration,
    Holder,
    NoSupplyError,
    concentration,
    hhi,
)
from renkei.materials.engine._confidentiality import (
    LEAST_CONTRIBUTORS,
    LEAST_SET,
    MOST_BITS,
    MOST_QUERIES_A_DAY,
    MOST_SET,
    PERCENT,
    BadCellError,
    Cell,
    NotProtectableError,
    PsiAnswerer,
    PsiAsker,
    QueryLimitError,
    Release,
    Why,
    check_query,
    difference_gate,
    gate,
    greater_set,
    lesser_set,
    release,
    threshold_bit,
)
from renkei.materials.engine._disruption import (
    KINDS,
    STRAITS,
    BadDisruptionError,
    Disruption,
    DisruptionKind,
    SeaRoute,
    ZeroEffectError,
    described,
    detour,
    refuse_zero_effect,
    remaining_capacity,
    remaining_demand,
    remaining_production,
    remaining_trade,
    sea_route,
    timeline,
)
from renkei.materials.engine._flows import (
    BadTableError,
    CountryShortage,
    Elasticities,
    FlowTable,
    Shortages,
    flow_table,
    who_is_short,
)
from renkei.materials.engine._inventory import (
    ADJUST_DAYS,
    OUTSIDE_SHARE,
    STOCK_DAYS,
    BadShockError,
    InventoryRun,
    Shock,
    inventory_interval,
    run_inventories,
)
from renkei.materials.engine._leontief import (
    InputOutput,
    NotViableError,
    allocation_coefficients,
    ghosh,
    technical_coefficients,
)
from renkei.materials.engine._network import (
    BadNetworkError,
    Network,
    network,
    synthetic_network,
)
from renkei.materials.engine._program import SolverError
from renkei.materials.engine._response import (
    Action,
    ActionKind,
    BadProblemError,
    InfeasibleError,
    Plan,
    ResponseProblem,
    StockOffer,
    TonneValue,
    Variant,
    compare,
    respond,
)
from renkei.materials.engine._risk import (
    COPPER_FACTOR,
    ECONOMIC_IMPORTANCE_THRESHOLD,
    SUPPLY_RISK_THRESHOLD,
    UNKNOWN_STABILITY,
    BadShapeError,
    GeoPolRisk,
    economic_importance,
    geopolrisk,
    instability,
    net_import_reliance,
    origins,
    supply_risk,
    time_to_survive,
)
from renkei.materials.engine._rules import (
    AGREEMENT_MINERALS,
    BATTERY_PASSPORT_FIELDS,
    CLEAN_VEHICLE_ENDED,
    SHIPPED_RULES,
    BadFactError,
    BadRuleError,
    Finding,
    Judgement,
    Rule,
    judge,
)

__all__ = [
    "ADJUST_DAYS",
    "AGREEMENT_MINERALS",
    "BATTERY_PASSPORT_FIELDS",
    "BREADTH",
    "CLEAN_VEHICLE_ENDED",
    "COPPER_FACTOR",
    "COUNTRY_CODES",
    "ECONOMIC_IMPORTANCE_THRESHOLD",
    "KINDS",
    "LEAST_CONTRIBUTORS",
    "LEAST_KNOWN",
    "LEAST_PARTNERS",
    "LEAST_SET",
    "MOST_BITS",
    "MOST_ITERATIONS",
    "MOST_QUERIES_A_DAY",
    "MOST_SET",
    "OUTSIDE_SHARE",
    "PARTNERS_THRESHOLD",
    "PERCENT",
    "PUBLICATION_LAG",
    "SHIPPED_RULES",
    "SPREAD_FLOOR",
    "STOCK_DAYS",
    "STRAITS",
    "SUPPLY_RISK_THRESHOLD",
    "THRESHOLD",
    "TIGHT",
    "TOLERANCE",
    "UNKNOWN_STABILITY",
    "WINDOW",
    "WORST_GOVERNANCE",
    "Action",
    "ActionKind",
    "Alarm",
    "AlarmKind",
    "Backtest",
    "BadBorderError",
    "BadCellError",
    "BadDisruptionError",
    "BadFactError",
    "BadFigureError",
    "BadLineError",
    "BadNetworkError",
    "BadProblemError",
    "BadRuleError",
    "BadSeriesError",
    "BadShapeError",
    "BadSharesError",
    "BadShockError",
    "BadTableError",
    "BillLine",
    "Bills",
    "BorderMessage",
    "BorderSide",
    "Bounds",
    "CancelledError",
    "Cascade",
    "CascadeEngine",
    "Cell",
    "Concentration",
    "CountryShortage",
    "CycleError",
    "Disruption",
    "DisruptionKind",
    "Elasticities",
    "Exposed",
    "Finding",
    "FlowTable",
    "GeoPolRisk",
    "Holder",
    "InfeasibleError",
    "Input",
    "InputOutput",
    "InventoryRun",
    "Judgement",
    "Measure",
    "Month",
    "Network",
    "NoSupplyError",
    "NotProtectableError",
    "NotViableError",
    "Plan",
    "PsiAnswerer",
    "PsiAsker",
    "QueryLimitError",
    "Release",
    "ResponseProblem",
    "Rule",
    "Score",
    "Scores",
    "SeaRoute",
    "Shock",
    "Shortages",
    "Side",
    "SolverError",
    "StockOffer",
    "Sweep",
    "TonneValue",
    "UnknownCountryError",
    "UnknownProductError",
    "Variant",
    "Why",
    "ZeroEffectError",
    "alarms",
    "allocation_coefficients",
    "backtest",
    "breadth",
    "cascade",
    "check_query",
    "compare",
    "concentration",
    "described",
    "detour",
    "difference_gate",
    "economic_importance",
    "flow_table",
    "gate",
    "geopolrisk",
    "ghosh",
    "greater_set",
    "hhi",
    "instability",
    "inventory_interval",
    "judge",
    "leave_one_out",
    "lesser_set",
    "net_import_reliance",
    "network",
    "origins",
    "pooled",
    "refuse_zero_effect",
    "release",
    "remaining_capacity",
    "remaining_demand",
    "remaining_production",
    "remaining_trade",
    "respond",
    "run_inventories",
    "run_jointly",
    "sea_route",
    "supply_risk",
    "sweep",
    "synthetic_network",
    "systemic",
    "technical_coefficients",
    "threshold_bit",
    "time_to_survive",
    "timeline",
    "who_is_short",
]
