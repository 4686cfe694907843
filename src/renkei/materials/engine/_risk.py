"""Published scores of supply risk, each with the inputs it was made of.

Concentration itself is in ``_concentration``. Monotone formulas carry intervals end by end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._answers import (
    BadFigureError,
    Bounds,
    Input,
    Score,
    bounds,
    check_countries,
    check_quantities,
    figure,
)

SUPPLY_RISK_THRESHOLD = 1.0
ECONOMIC_IMPORTANCE_THRESHOLD = 2.8
COPPER_FACTOR = 0.409412948  # mean characterisation factor of copper, OECD, 2017–2021
UNKNOWN_STABILITY = 0.5  # the method's value for a country without an estimate
DAYS_A_YEAR = 365.0
_EU = "European Commission, Methodology for establishing the EU list of CRMs (2017), 10.2760/73303"
_GEOPOLRISK = "Koyamparambath et al., Journal of Open Source Software (2025), 10.21105/joss.09600"
_USGS = "USGS, Mineral Commodity Summaries, appendix B"
_OURS = "Renkei, how-to: read a time to survive"


class BadShapeError(RenkeiError):
    """Arrays that belong together are not of one shape."""

    code = "materials.bad_shape"


@dataclass(frozen=True, slots=True)
class GeoPolRisk:
    """Scores of all importers, materials and years, with their factors.

    Attributes:
        score: ``hhi * import_risk``, dimensionless; 0 where nothing is produced or imported.
        characterisation: ``score * price / 0.409412948``, kg of copper equivalents a kg.
        hhi: concentration of production, shape (materials, years).
        import_risk: imports weighted by political instability over all supply.
        supply: imports and own production, tonnes.
    """

    score: NDArray[np.float64]
    characterisation: NDArray[np.float64]
    hhi: NDArray[np.float64]
    import_risk: NDArray[np.float64]
    supply: NDArray[np.float64]


def instability(estimate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return political instability, 0 (stable) … 1, of World Bank estimates from -2.5 to 2.5.

    A country without an estimate (NaN) gets 0.5, as the method does. Estimates may lie a little
    outside their nominal range; the result is kept inside 0 … 1.
    """
    scaled: NDArray[np.float64] = np.clip((2.5 - np.asarray(estimate, float)) / 5.0, 0.0, 1.0)
    return np.where(np.isnan(estimate), UNKNOWN_STABILITY, scaled)


def geopolrisk(
    *,
    production: NDArray[np.float64],
    material: NDArray[np.integer],
    year: NDArray[np.integer],
    importer: NDArray[np.integer],
    exporter: NDArray[np.integer],
    tonnes: NDArray[np.float64],
    value: NDArray[np.float64],
    governance: NDArray[np.float64],
) -> GeoPolRisk:
    """Score every importer, material and year at once.

    Args:
        production: tonnes, shape (materials, years, countries).
        material, year, importer, exporter: places in those axes, one for each trade row.
        tonnes, value: mass and value (US dollars) of each trade row.
        governance: instability 0 … 1, shape (years, countries); see ``instability``.

    Returns:
        Arrays of shape (materials, years, countries); price is that of the importer's rows.

    Raises:
        BadShapeError: trade rows of different lengths, or places outside the axes.
        BadFigureError: a figure below 0 or not a number, with its row.

    Source: Koyamparambath et al. (2025), 10.21105/joss.09600.
    """
    shape = production.shape
    if len(shape) != 3 or governance.shape != shape[1:]:
        raise BadShapeError(
            gettext_noop("governance has the shape {found}: expected years by countries, {wanted}"),
            found=governance.shape,
            wanted=shape[1:],
        )
    columns = {
        "material": (material, shape[0]),
        "year": (year, shape[1]),
        "importer": (importer, shape[2]),
        "exporter": (exporter, shape[2]),
    }
    for name, (places, size) in columns.items():
        if len(places) != len(tonnes) or len(value) != len(tonnes):
            raise BadShapeError(
                gettext_noop("{name}: {found} rows where there are {wanted} of trade"),
                name=name,
                found=len(places),
                wanted=len(tonnes),
            )
        if len(places) and not (int(places.min()) >= 0 and int(places.max()) < size):
            raise BadShapeError(
                gettext_noop("{name}: a place outside 0 to {last}"), name=name, last=size - 1
            )
    for name, figures in (
        ("production", production),
        ("trade", tonnes),
        ("value", value),
        ("governance", governance),
    ):
        _refuse_bad(name, figures)
    world = production.sum(axis=2)
    index = np.divide(
        np.square(production).sum(axis=2),
        np.square(world),
        where=world > 0,
        out=np.zeros(shape[:2]),
    )
    place = np.ravel_multi_index((material, year, importer), shape)
    size = production.size
    weighted = np.bincount(place, tonnes * governance[year, exporter], size).reshape(shape)
    imports = np.bincount(place, tonnes, size).reshape(shape)
    spent = np.bincount(place, value, size).reshape(shape)
    supply = imports + production
    risk = np.divide(weighted, supply, where=supply > 0, out=np.zeros(shape))
    price = np.divide(spent, imports, where=imports > 0, out=np.zeros(shape))
    score = index[:, :, None] * risk
    return GeoPolRisk(score, score * price / COPPER_FACTOR, index, risk, supply)


def supply_risk(
    *,
    global_concentration: float | Bounds,
    own_concentration: float | Bounds,
    import_reliance: float | Bounds,
    recycling_rate: float | Bounds = 0.0,
    substitution: float | Bounds = 1.0,
) -> Score:
    """Return the EU's supply risk; critical from 1.

    Args:
        global_concentration, own_concentration: sum of squared shares times governance (0 … 10)
            times the trade parameter, of world supply and of the region's own sourcing, 0 … 10
            (``Concentration.governed`` x 10 with trade parameters of 1; the parameter may reach
            1.25 or so, hence 15).
        import_reliance: net import reliance, 0 … 1.
        recycling_rate: end-of-life recycling input rate, 0 … 1.
        substitution: substitution index of supply risk, 0 (can be replaced) … 1.
    """
    world = figure(global_concentration, what="global concentration", most=15)
    own = figure(own_concentration, what="own concentration", most=15)
    reliance = figure(import_reliance, what="import reliance", most=1)
    recycled = figure(recycling_rate, what="recycling rate", most=1)
    index = figure(substitution, what="substitution index", most=1)

    def at(g: float, o: float, r: float, e: float, s: float) -> float:
        return (g * r / 2 + o * (1 - r / 2)) * (1 - e) * s

    # Reliance raises or lowers the score as world or own sourcing is the more concentrated.
    low = min(
        at(world.low, own.low, r, recycled.high, index.low) for r in (reliance.low, reliance.high)
    )
    high = max(
        at(world.high, own.high, r, recycled.low, index.high) for r in (reliance.low, reliance.high)
    )
    return Score(
        name="supply_risk",
        value=Bounds(low, high),
        unit="",
        inputs=(
            Input("global_concentration", world, ""),
            Input("own_concentration", own, ""),
            Input("import_reliance", reliance, ""),
            Input("recycling_rate", recycled, ""),
            Input("substitution", index, ""),
        ),
        formula="(global_concentration * import_reliance / 2 + own_concentration"
        " * (1 - import_reliance / 2)) * (1 - recycling_rate) * substitution",
        source=_EU,
        is_notable=high >= SUPPLY_RISK_THRESHOLD,
    )


def economic_importance(
    *,
    uses: Sequence[tuple[str, float, float]],
    largest_value_added: float,
    substitution: float | Bounds = 1.0,
) -> Score:
    """Return the EU's economic importance, 0 … 10; critical from 2.8.

    Args:
        uses: (sector, share of the material's use, value added of the sector); shares sum to
            at most 1.
        largest_value_added: of the largest sector, in the unit of ``uses``: it scales to 10.
        substitution: substitution index of economic importance, 0 … 1.
    """
    index = figure(substitution, what="substitution index", most=1)
    largest = figure(largest_value_added, what="largest value added", least=1e-300).low
    total = 0.0
    weighted = 0.0
    inputs = []
    for sector, share, added in uses:
        figure(share, what=f"share of {sector}", most=1)
        figure(added, what=f"value added of {sector}", most=largest)
        total += share
        weighted += share * added
        inputs += [
            Input(f"share of {sector}", bounds(share), ""),
            Input(f"value added of {sector}", bounds(added), "money"),
        ]
    if total > 1 + 1e-9:
        raise BadFigureError(
            gettext_noop("the shares of use sum to {total}: expected at most 1"), total=total
        )
    scale = 10 * weighted / largest
    return Score(
        name="economic_importance",
        value=Bounds(scale * index.low, scale * index.high),
        unit="",
        inputs=(
            *inputs,
            Input("largest_value_added", bounds(largest), "money"),
            Input("substitution", index, ""),
        ),
        formula="10 * sum(share * value added) / largest_value_added * substitution",
        source=_EU,
        is_notable=scale * index.high >= ECONOMIC_IMPORTANCE_THRESHOLD,
    )


def net_import_reliance(
    *,
    primary: float | Bounds,
    secondary: float | Bounds,
    imports: float | Bounds,
    exports: float | Bounds,
    stock_change: float | Bounds = 0.0,
) -> Score:
    """Return net imports as a share of apparent consumption.

    Below 0 the country is a net exporter. ``stock_change`` is what stocks gained (released:
    below 0); ``secondary`` counts old scrap alone.
    """
    own = figure(primary, what="primary production")
    scrap = figure(secondary, what="secondary production")
    bought = figure(imports, what="imports")
    sold = figure(exports, what="exports")
    stocked = figure(stock_change, what="stock change", least=-np.inf)

    def at(p: float, s: float, i: float, e: float, c: float) -> float:
        net = i - e - c
        consumption = p + s + net
        if consumption <= 0:
            raise BadFigureError(
                gettext_noop("apparent consumption is {value}: expected more than 0"),
                value=consumption,
            )
        return net / consumption

    # net / (own + net) falls with own production and rises with net imports above -own.
    low = at(own.high, scrap.high, bought.low, sold.high, stocked.high)
    high = at(own.low, scrap.low, bought.high, sold.low, stocked.low)
    return Score(
        name="net_import_reliance",
        value=Bounds(low, high),
        unit="",
        inputs=(
            Input("primary", own, "t"),
            Input("secondary", scrap, "t"),
            Input("imports", bought, "t"),
            Input("exports", sold, "t"),
            Input("stock_change", stocked, "t"),
        ),
        formula="(imports - exports - stock_change)"
        " / (primary + secondary + imports - exports - stock_change)",
        source=_USGS,
    )


def time_to_survive(
    *,
    stock: float | Bounds,
    demand: float | Bounds,
    lost: Iterable[str],
    by_shipper: Mapping[str, float],
    by_origin: Mapping[str, float],
    reliance: float | Bounds = 1.0,
) -> tuple[Score, Score]:
    """Return how many days a stock lasts: from the shipper's view and from the origin's.

    Args:
        stock: tonnes at hand.
        demand: tonnes a year.
        lost: countries whose supply stops.
        by_shipper: share of supply by the country that ships it; sums to at most 1.
        by_origin: share of supply by the country where it was made; sums to at most 1.
        reliance: share of the demand that these supplies serve, 0 … 1.

    Returns:
        Two scores in days; infinite where nothing of the supply is lost. What has no named
        country counts as safe in the upper end and as lost in the lower.
    """
    stopped = tuple(lost)
    check_countries(stopped)
    at_hand = figure(stock, what="stock")
    used = figure(demand, what="demand", least=1e-300)
    relied = figure(reliance, what="reliance", most=1)
    return (
        _survival(
            "time_to_survive_shipper",
            at_hand,
            used,
            reliance=relied,
            stopped=stopped,
            shares=by_shipper,
        ),
        _survival(
            "time_to_survive_origin",
            at_hand,
            used,
            reliance=relied,
            stopped=stopped,
            shares=by_origin,
        ),
    )


def origins(*, production: NDArray[np.float64], trade: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where each country's supply was made, through any number of re-exports.

    Args:
        production: tonnes, shape (countries,).
        trade: tonnes from the row's country to the column's, shape (countries, countries).

    Returns:
        Share of the row's country's supply that the column's country made, shape (countries,
        countries); a row without supply is all zero, the others sum to 1.

    Everything that a country has, made or bought, is taken for well mixed: its exports have the
    origins of its supply.

    Raises:
        BadShapeError, BadFigureError: arrays that do not fit, or a bad figure with its row.
    """
    n = len(production)
    if trade.shape != (n, n):
        raise BadShapeError(
            gettext_noop("trade has the shape {found}: expected {wanted}"),
            found=trade.shape,
            wanted=(n, n),
        )
    _refuse_bad("production", production)
    _refuse_bad("trade", trade)
    bought = trade - np.diag(np.diag(trade))  # what a country sends itself is no trade
    supply = production + bought.sum(axis=0)
    live = supply > 0
    mixing = np.eye(n)
    mixing[live] -= bought.T[live] / supply[live, None]
    made = np.zeros((n, n))
    made[live, live] = production[live] / supply[live]
    # A ring that trades only with itself has no origin; a tiny leak keeps the system solvable.
    shares = np.linalg.solve(mixing + 1e-12 * np.eye(n), made)
    shares[~live] = 0.0
    cleaned: NDArray[np.float64] = np.clip(shares, 0.0, 1.0)
    return cleaned


def _survival(
    name: str,
    stock: Bounds,
    demand: Bounds,
    *,
    reliance: Bounds,
    stopped: tuple[str, ...],
    shares: Mapping[str, float],
) -> Score:
    check_countries(shares)
    check_quantities(shares, what="share")
    total = sum(shares.values())
    if total > 1 + 1e-6:
        raise BadFigureError(
            gettext_noop("the shares of supply sum to {total}: expected at most 1"), total=total
        )
    gone = sum(shares.get(country, 0.0) for country in set(stopped))
    loss = Bounds(gone * reliance.low, min(1.0, gone + max(0.0, 1 - total)) * reliance.high)

    def days(tonnes: float, used: float, share: float) -> float:
        return np.inf if share <= 0 else DAYS_A_YEAR * tonnes / (used * share)

    return Score(
        name=name,
        value=Bounds(
            days(stock.low, demand.high, loss.high), days(stock.high, demand.low, loss.low)
        ),
        unit="days",
        inputs=(
            Input("stock", stock, "t"),
            Input("demand", demand, "t/a"),
            Input("lost_share", loss, ""),
            Input("reliance", reliance, ""),
            *(
                Input(f"share of {country}", Bounds.exactly(shares.get(country, 0.0)), "")
                for country in sorted(set(stopped))
            ),
        ),
        formula="365 * stock / (demand * lost_share)",
        source=_OURS,
    )


def _refuse_bad(name: str, figures: NDArray[np.float64]) -> None:
    fine = np.isfinite(figures) & (figures >= 0)
    if not fine.all():
        place = tuple(int(at) for at in np.argwhere(~fine)[0])
        raise BadFigureError(
            gettext_noop("{what} at row {row} is {value}: expected 0 or more"),
            what=name,
            row=place[0] if len(place) == 1 else place,
            value=float(figures[place]),
        )
