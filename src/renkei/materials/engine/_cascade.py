"""How far the failure of firms spreads: the economic systemic risk index (ESRI).

Missing inputs run down to customers, missing orders run up to suppliers, until nothing changes
by more than a tolerance. What a firm's competitors still make stands in for it in proportion to
its share of the sector.

Source: Diem, Borsos, Reisch, Kertész, Thurner, Scientific Reports 12 (2022) 7719.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._answers import BadFigureError
from renkei.materials.engine._network import Network

TOLERANCE = 1e-2  # the published stopping rule
MOST_ITERATIONS = 100
CUTOFF = 1e-7  # changes of a firm's missing share that single closures do not pass on
_BATCH = 256  # firms closed between two looks at progress

Diversion = Literal["none", "share", "free"]
"""How buyers find other sellers: not at all; by market share, as published; all at once."""


class CancelledError(RenkeiError):
    """The one who asked no longer wants the answer."""

    code = "materials.cancelled"
    status = 409


@dataclass(frozen=True, slots=True, eq=False)
class Cascade:
    """Where a cascade came to rest.

    Attributes:
        loss: lost output of all firms as a share of all output, 0 … 1: the ESRI of the scenario.
        downstream, upstream: what is left of each firm's output for want of inputs, of orders.
        remaining: the lesser of both.
        iterations: steps taken; ``has_settled`` is False if they ran out.
        is_synthetic: the firms do not exist.
    """

    loss: float
    downstream: NDArray[np.float64]
    upstream: NDArray[np.float64]
    iterations: int
    has_settled: bool
    is_synthetic: bool

    @property
    def remaining(self) -> NDArray[np.float64]:
        """Return the share of each firm's output that is left."""
        return np.minimum(self.downstream, self.upstream)


@dataclass(frozen=True, slots=True, eq=False)
class _Ready:
    """Weights divided as the loops want them."""

    in_weight: NDArray[np.float64]
    out_weight: NDArray[np.float64]
    push_weight: NDArray[np.float64]
    pull_weight: NDArray[np.float64]
    own_demand: NDArray[np.float64]


class CascadeEngine:
    """A network made ready once, for any number of scenarios.

    Args:
        threads: how many share a scenario or a list of closures.
    """

    def __init__(self, net: Network, *, threads: int = 2) -> None:
        self.network = net
        self.threads = max(1, threads)
        self._ready = _prepare(net)
        self._cuts = even_cuts(net, self.threads)

    def run(
        self,
        capacity: NDArray[np.float64],
        *,
        tolerance: float = TOLERANCE,
        most_iterations: int = MOST_ITERATIONS,
        start: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
        diversion: Diversion = "share",
        spare: float = 0.0,
    ) -> Cascade:
        """Let a scenario run to rest.

        Args:
            capacity: share of each firm's capacity that is left, 0 … 1, shape (firms,).
            diversion: "share" is the published index, in which a firm is missed as far as its
                share of its sector; "none" and "free" are the bounds around it. With "none" nobody
                finds another seller. With "free" a sector's other makers, which can raise their
                output by the share ``spare``, serve whoever misses its goods.
            start: downstream and upstream values of an earlier run with more capacity, to go on
                from.

        Raises:
            BadFigureError: a capacity outside 0 … 1, with its row.
        """
        net = self.network
        left = _checked_capacity(net, capacity)
        down = left.copy() if start is None else np.minimum(start[0], left)
        up = left.copy() if start is None else np.minimum(start[1], left)
        new_down, new_up = np.empty_like(down), np.empty_like(up)
        total = net.output.sum()
        iterations, worst = 0, np.inf
        with ThreadPoolExecutor(self.threads) as pool:
            while iterations < most_iterations and worst >= tolerance:
                scarce = self._missed(down, diversion, spare) * (1.0 - down)

                step = partial(self._step, left, scarce, (down, up), (new_down, new_up))
                worst = max(
                    pool.map(step, self._cuts) if self.threads > 1 else map(step, self._cuts)
                )
                down, new_down, up, new_up = new_down, down, new_up, up
                iterations += 1
        lost = float((net.output * (1 - np.minimum(down, up))).sum())
        return Cascade(
            loss=lost / total if total > 0 else 0.0,
            downstream=down,
            upstream=up,
            iterations=iterations,
            has_settled=worst < tolerance,
            is_synthetic=net.is_synthetic,
        )

    def _missed(
        self, down: NDArray[np.float64], diversion: Diversion, spare: float
    ) -> NDArray[np.float64]:
        """Return in which share of what it no longer makes each firm is missed, 0 … 1."""
        net = self.network
        if diversion == "none":
            return np.ones(net.firms)
        made = np.bincount(net.sector, net.output * down, net.sectors)
        # min(1, output / available): a firm that is not missed is replaced in that share.
        most = np.maximum(made[net.sector], net.output)
        share = np.divide(net.output, most, where=most > 0, out=np.ones(net.firms))
        if diversion == "share":
            return share
        lost = np.maximum(0.0, net.sector_output - made)
        still = np.maximum(0.0, lost - spare * made)
        part = np.divide(still, lost, where=lost > 0, out=np.ones(net.sectors))
        missed: NDArray[np.float64] = np.minimum(share, part[net.sector])
        return missed

    def _step(
        self,
        capacity: NDArray[np.float64],
        scarce: NDArray[np.float64],
        old: tuple[NDArray[np.float64], NDArray[np.float64]],
        new: tuple[NDArray[np.float64], NDArray[np.float64]],
        cut: tuple[int, int],
    ) -> float:
        """Move a range of firms one step on; return the largest change."""
        from renkei.materials.engine import _kernels

        net, ready = self.network, self._ready
        return float(
            _kernels.sweep(
                *cut,
                *old,
                capacity,
                scarce,
                net.in_ptr,
                net.supplier,
                ready.in_weight,
                net.group_end,
                net.linear_ptr,
                net.group_ptr,
                net.out_ptr,
                net.buyer,
                ready.out_weight,
                ready.own_demand,
                *new,
            )
        )

    def close_each(
        self,
        firms: NDArray[np.integer] | None = None,
        *,
        tolerance: float = TOLERANCE,
        most_iterations: int = MOST_ITERATIONS,
        cutoff: float = CUTOFF,
        progress: Callable[[float], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> NDArray[np.float64]:
        """Return the ESRI of each firm's closure by itself, shape (firms asked for,).

        Changes of less than ``cutoff`` are not passed on: results agree with a full run to about
        that size; 0 passes on everything.

        Raises:
            BadFigureError: a firm outside the network.
            CancelledError: ``is_cancelled`` said so.
        """
        from renkei.materials.engine import _kernels

        net, ready = self.network, self._ready
        asked = np.arange(net.firms) if firms is None else np.asarray(firms)
        if len(asked) and not (int(asked.min()) >= 0 and int(asked.max()) < net.firms):
            raise BadFigureError(
                gettext_noop("firm {firm} is outside 0 to {last}"),
                firm=int(asked[(asked < 0) | (asked >= net.firms)][0]),
                last=net.firms - 1,
            )
        asked = asked.astype(np.int32)
        lost = np.zeros(len(asked))
        steps = np.zeros(len(asked), np.int32)
        sector_output = net.sector_output

        def part(begin: int) -> None:
            here = slice(begin, begin + _BATCH)
            _kernels.close_each(
                asked[here],
                net.out_ptr,
                net.buyer,
                ready.push_weight,
                net.out_group,
                net.group_essential,
                net.in_ptr,
                net.supplier,
                ready.pull_weight,
                net.output,
                net.sector,
                sector_output,
                tolerance,
                most_iterations,
                cutoff,
                lost[here],
                steps[here],
            )

        begins = list(range(0, len(asked), _BATCH))
        with ThreadPoolExecutor(self.threads) as pool:
            for wave in range(0, len(begins), self.threads):
                if is_cancelled is not None and is_cancelled():
                    raise CancelledError(gettext_noop("the run was cancelled"))
                list(pool.map(part, begins[wave : wave + self.threads]))
                if progress is not None:
                    progress(min(1.0, (wave + self.threads) / len(begins)))
        total = net.output.sum()
        return lost / total if total > 0 else lost


def cascade(
    net: Network,
    capacity: NDArray[np.float64],
    *,
    tolerance: float = TOLERANCE,
    most_iterations: int = MOST_ITERATIONS,
    threads: int = 2,
    diversion: Diversion = "share",
    spare: float = 0.0,
) -> Cascade:
    """Run one scenario: the share of each firm's capacity that is left in, the losses out."""
    engine = CascadeEngine(net, threads=threads)
    return engine.run(
        capacity,
        tolerance=tolerance,
        most_iterations=most_iterations,
        diversion=diversion,
        spare=spare,
    )


def cascade_between(
    net: Network, capacity: NDArray[np.float64], *, spare: float = 0.0, threads: int = 2
) -> tuple[Cascade, Cascade, Cascade]:
    """Run one scenario as published, and its bounds: without diversion, and with free diversion.

    Each run stops within ``TOLERANCE`` of its rest, so that two runs apart could pass each other by as
    much; here no bound does.
    """
    engine = CascadeEngine(net, threads=threads)
    rest = engine.run(capacity)
    # Values only fall: what goes on from the published rest ends below it.
    alone = engine.run(capacity, diversion="none", start=(rest.downstream, rest.upstream))
    free = engine.run(capacity, diversion="free", spare=spare)
    down, up = (
        np.maximum(*ends)
        for ends in ((free.downstream, rest.downstream), (free.upstream, rest.upstream))
    )
    total = net.output.sum()
    lost = float((net.output * (1 - np.minimum(down, up))).sum())
    loss = lost / total if total > 0 else 0.0
    return rest, alone, replace(free, loss=loss, downstream=down, upstream=up)


def systemic(
    net: Network,
    firms: NDArray[np.integer] | None = None,
    *,
    threads: int = 2,
    progress: Callable[[float], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> NDArray[np.float64]:
    """Return how systemic firms are: the ESRI of each one's closure."""
    engine = CascadeEngine(net, threads=threads)
    return engine.close_each(firms, progress=progress, is_cancelled=is_cancelled)


def _prepare(net: Network) -> _Ready:
    of_group = np.repeat(np.arange(len(net.group_end)), np.diff(net.group_end, prepend=0))
    bought = np.bincount(net.group_buyer, net.group_total, net.firms)
    whole = np.where(net.group_essential, net.group_total, bought[net.group_buyer])
    per_sale = np.divide(1.0, net.output, where=net.output > 0, out=np.zeros(net.firms))
    seller = np.repeat(np.arange(net.firms), np.diff(net.out_ptr))
    return _Ready(
        in_weight=net.weight / whole[of_group],
        out_weight=net.out_weight * per_sale[seller],
        push_weight=net.out_weight / whole[net.out_group],
        pull_weight=net.weight * per_sale[net.supplier],
        own_demand=net.outside * per_sale,
    )


def even_cuts(net: Network, parts: int) -> list[tuple[int, int]]:
    """Return ranges of firms with about as many links each."""
    work = net.in_ptr[1:] + net.out_ptr[1:] + 4 * np.arange(1, net.firms + 1)
    ends = np.searchsorted(work, np.linspace(0, work[-1], parts + 1)[1:-1]).tolist()
    edges = [0, *ends, net.firms]
    return list(pairwise(edges))


def _checked_capacity(net: Network, capacity: NDArray[np.float64]) -> NDArray[np.float64]:
    left = np.ascontiguousarray(capacity, dtype=np.float64)
    if left.shape != (net.firms,):
        raise BadFigureError(
            gettext_noop("{found} capacities of {firms} firms"), found=left.shape, firms=net.firms
        )
    wrong = ~((left >= 0) & (left <= 1))
    if wrong.any():
        row = int(wrong.argmax())
        raise BadFigureError(
            gettext_noop("row {row}: a capacity of {value}: expected 0 to 1"),
            row=row,
            value=float(left[row]),
        )
    return left
