"""When a shock hits and how long stocks last: firms with inventories, day by day.

Every day a firm makes what its capacity, the orders at hand and its scarcest essential stock
allow; deliveries are rationed in proportion; orders replace what was used and mend a part of the
gap to the target stock. The family of models is ARIO (Hallegatte, Risk Analysis 28 (2008) 779)
and Inoue and Todo (Nature Sustainability 2 (2019) 841).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._answers import BadFigureError, Bounds
from renkei.materials.engine._cascade import CancelledError, even_cuts
from renkei.materials.engine._disruption import Disruption, remaining_capacity
from renkei.materials.engine._network import Network

# Shorter times to mend stocks make orders swing long after the event: an artefact.
ADJUST_DAYS = 6.0
STOCK_DAYS = 9.0
OUTSIDE_SHARE = 0.3  # of sales, for firms whose sales outside the network nobody knows


class BadShockError(RenkeiError):
    """A shock that cannot be, with its row."""

    code = "materials.bad_shock"


@dataclass(frozen=True, slots=True, eq=False)
class Shock:
    """Capacity that some firms lose from a day on, for some days.

    Attributes:
        first_day: 0 is the first day of the run.
        days: how long.
        firms: which ones.
        remaining: share of their capacity that is left, 0 … 1.
    """

    first_day: int
    days: int
    firms: NDArray[np.integer]
    remaining: float


@dataclass(frozen=True, slots=True, eq=False)
class InventoryRun:
    """A run of some days.

    Attributes:
        loss: lost output of all firms as a share of the usual, shape (days,).
        sector_loss: the same by sector, shape (days, sectors).
        first_hit: first day each firm makes less than usual; -1 if never.
        first_out: first day an essential stock holds each firm back; -1 if never.
        lost_days: sum of ``loss``: days of all output that were lost.
        adjust_days, stock_days: what the run assumed.
    """

    loss: NDArray[np.float64]
    sector_loss: NDArray[np.float64]
    first_hit: NDArray[np.int32]
    first_out: NDArray[np.int32]
    adjust_days: float
    stock_days: float
    is_synthetic: bool

    @property
    def lost_days(self) -> float:
        """Return how many days of all output were lost."""
        return float(self.loss.sum())


def shocks_of(
    disruptions: Sequence[Disruption],
    *,
    firms: Sequence[str],
    countries: Sequence[str],
    sectors: Sequence[str],
    since: date,
    days: int,
) -> list[Shock]:
    """Return disruptions as shocks to the firms of a network.

    Args:
        firms, countries, sectors: of each firm; see ``remaining_capacity``.
        since: the day that is day 0 of the run of ``days`` days.

    A disruption that hits no firm, or no day of the run, gives no shock.
    """
    found = []
    for one in disruptions:
        left = remaining_capacity([one], firms=firms, countries=countries, sectors=sectors)
        hit = np.flatnonzero(left < 1)
        first = max(0, (one.start - since).days)
        last = days if one.end is None else min(days, (one.end - since).days)
        if len(hit) and first < last:
            found.append(Shock(first, last - first, hit, 1 - one.severity))
    return found


def run_inventories(
    net: Network,
    shocks: Sequence[Shock],
    *,
    days: int = 365,
    adjust_days: float = ADJUST_DAYS,
    stock_days: float | NDArray[np.float64] = STOCK_DAYS,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> InventoryRun:
    """Run the network for some days.

    Args:
        adjust_days: days over which a gap in stock is mended, at least 1; below 6 the recovery
            swings.
        stock_days: days of use that every buyer holds of every input, above 0; one number, or
            one for each group of the network.

    A firm without sales outside the network is taken to sell ``OUTSIDE_SHARE`` there if no firm
    has any: somebody must want the goods.

    Raises:
        BadShockError, BadFigureError: what cannot be.
        CancelledError: ``is_cancelled`` said so.
    """
    from renkei.materials.engine import _kernels

    _check(net, shocks, days, adjust_days, stock_days)
    n = net.firms
    outside = net.outside
    if not (outside > 0).any():
        outside = OUTSIDE_SHARE * np.maximum(net.output, net.output.mean() if n else 0.0)
    base = np.bincount(net.supplier, net.weight, n) + outside
    use = net.group_total
    per_use = 1.0 / use
    cover = per_use * base[net.group_buyer]
    target = use * np.asarray(stock_days, float)
    stock, asked = target.copy(), np.ones(len(use))
    made, filled, demand = base.copy(), np.ones(n), base.copy()
    first_hit, first_out = np.full(n, -1, np.int32), np.full(n, -1, np.int32)
    loss, sector_loss = np.zeros(days), np.zeros((days, net.sectors))
    usual = np.bincount(net.sector, base, net.sectors)
    cuts = even_cuts(net, max(1, threads))
    orders = [np.zeros(n) for _ in cuts]

    def make(day: int, capacity: NDArray[np.float64], cut: tuple[int, int]) -> None:
        _kernels.produce(
            *cut,
            day,
            capacity,
            base,
            demand,
            stock,
            net.group_ptr,
            net.linear_ptr,
            cover,
            made,
            filled,
            first_hit,
            first_out,
        )

    def deliver(number: int) -> None:
        orders[number][:] = 0.0
        _kernels.restock(
            *cuts[number],
            made,
            base,
            filled,
            stock,
            target,
            asked,
            net.group_ptr,
            net.group_end,
            net.in_ptr,
            net.supplier,
            net.weight,
            use,
            per_use,
            1.0 / adjust_days,
            orders[number],
        )

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for day in range(days):
            if is_cancelled is not None and is_cancelled():
                raise CancelledError(gettext_noop("the run was cancelled"))
            list(pool.map(partial(make, day, _capacity(n, shocks, day)), cuts))
            by_sector = usual - np.bincount(net.sector, made, net.sectors)
            loss[day] = by_sector.sum() / usual.sum() if usual.sum() > 0 else 0.0
            sector_loss[day] = np.divide(
                by_sector, usual, where=usual > 0, out=np.zeros(net.sectors)
            )
            list(pool.map(deliver, range(len(cuts))))
            demand[:] = outside
            for part in orders:
                demand += part
            if progress is not None:
                progress((day + 1) / days)
    # Rounding of a few hundred thousand sums is no loss.
    return InventoryRun(
        loss=np.where(np.abs(loss) < 1e-12, 0.0, loss),
        sector_loss=np.where(np.abs(sector_loss) < 1e-12, 0.0, sector_loss),
        first_hit=first_hit,
        first_out=first_out,
        adjust_days=adjust_days,
        stock_days=float(np.mean(stock_days)),
        is_synthetic=net.is_synthetic,
    )


def inventory_interval(
    net: Network,
    shocks: Sequence[Shock],
    *,
    days: int = 365,
    adjust_days: tuple[float, float] = (ADJUST_DAYS, 30.0),
    stock_days: tuple[float, float] = (STOCK_DAYS / 2, STOCK_DAYS * 2),
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> tuple[Bounds, tuple[InventoryRun, ...]]:
    """Return lost days of output between the corners of what nobody knows, and the corner runs."""
    runs = []
    corners = [(adjust, stock) for adjust in adjust_days for stock in stock_days]
    for number, (adjust, stock) in enumerate(corners):
        runs.append(
            run_inventories(
                net,
                shocks,
                days=days,
                adjust_days=adjust,
                stock_days=stock,
                threads=threads,
                is_cancelled=is_cancelled,
            )
        )
        if progress is not None:
            progress((number + 1) / len(corners))
    lost = [run.lost_days for run in runs]
    return Bounds(min(lost), max(lost)), tuple(runs)


def _capacity(n: int, shocks: Sequence[Shock], day: int) -> NDArray[np.float64]:
    left = np.ones(n)
    for shock in shocks:
        if shock.first_day <= day < shock.first_day + shock.days:
            left[shock.firms] *= shock.remaining
    return left


def _check(
    net: Network,
    shocks: Sequence[Shock],
    days: int,
    adjust_days: float,
    stock_days: float | NDArray[np.float64],
) -> None:
    if days < 1:
        raise BadFigureError(gettext_noop("days is {days}: expected 1 or more"), days=days)
    if not 1 <= adjust_days < np.inf:
        raise BadFigureError(
            gettext_noop("days to mend a stock: {days}: expected 1 or more"), days=adjust_days
        )
    held = np.asarray(stock_days, float)
    if not (np.isfinite(held).all() and (held > 0).all()) or held.shape not in (
        (),
        (len(net.group_end),),
    ):
        raise BadFigureError(
            gettext_noop("days of stock: expected numbers above 0, one or one for each group")
        )
    for row, shock in enumerate(shocks):
        firms = np.asarray(shock.firms)
        inside = len(firms) == 0 or (int(firms.min()) >= 0 and int(firms.max()) < net.firms)
        if not inside or not 0 <= shock.remaining <= 1 or shock.days < 1 or shock.first_day < 0:
            raise BadShockError(
                gettext_noop(
                    "row {row}: a shock to firms 0 to {last}, from day 0 on, for 1 day or more,"
                    " that leaves 0 to 1 of their capacity was expected"
                ),
                row=row,
                last=net.firms - 1,
            )
