"""A joint cascade of two nodes that never pool their firms: border vectors alone are exchanged.

Trade between the nodes runs through one *border hub* for each product and direction. A node knows
its own firms, what they sell to the partner by product and what they buy from it by product.
What crosses is, by product: which share of the usual deliveries is left, and which share of the
usual orders. Values only fall, so the exchange must come to rest; it rests where the run of the
pooled network (hubs included) would.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._cascade import CascadeEngine
from renkei.materials.engine._network import Network, network

TIGHT = 1e-9  # change below which both sides call it rest
_MOST_EXCHANGES = 1000


class BadBorderError(RenkeiError):
    """A border message that cannot be: a wrong length, values outside 0 to 1, or one that rose."""

    code = "materials.bad_border"


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one node knows.

    Attributes:
        supplier, buyer, weight: links between its own firms.
        sector: product of each of its firms, 0 … products - 1, the same numbering on both sides.
        exporter, exported: firms that sell to the partner, and how much; their product is their
            sector.
        importer, import_product, imported: firms that buy from the partner, what, and how much.
        essential: which products are essential for which, shape (products, products).
    """

    supplier: NDArray[np.int64]
    buyer: NDArray[np.int64]
    weight: NDArray[np.float64]
    sector: NDArray[np.int64]
    exporter: NDArray[np.int64]
    exported: NDArray[np.float64]
    importer: NDArray[np.int64]
    import_product: NDArray[np.int64]
    imported: NDArray[np.float64]
    essential: NDArray[np.bool_]

    @property
    def products(self) -> int:
        """Return how many products there are."""
        return len(self.essential)


@dataclass(frozen=True, slots=True, eq=False)
class BorderMessage:
    """What one node tells the other: by product, shares from 0 to 1.

    ``deliveries``: what is left of its usual exports; ``orders``: of its usual orders.
    """

    deliveries: NDArray[np.float64]
    orders: NDArray[np.float64]


class BorderSide:
    """One node's part of a joint cascade.

    ``step`` takes the partner's last message and returns its own; both end when neither's
    message changes (``is_at_rest``).
    """

    def __init__(self, side: Side, capacity: NDArray[np.float64], *, threads: int = 1) -> None:
        self.side = side
        self._net = _with_hubs(side)
        self._engine = CascadeEngine(self._net, threads=threads)
        own = len(side.sector)
        self._own, self._capacity = own, np.ones(own + 2 * side.products)
        self._capacity[:own] = capacity
        whole = np.ones(side.products)
        self._sent = BorderMessage(whole.copy(), whole.copy())
        self._got = BorderMessage(whole.copy(), whole.copy())
        self._state: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self.rounds = 0
        self.is_at_rest = False

    def step(self, partner: BorderMessage | None) -> BorderMessage:
        """Take the partner's message (None at the start) and return this side's.

        Raises:
            BadBorderError: a message that cannot be.
        """
        if partner is not None:
            self._check(partner)
            self._got = partner
        p, own = self.side.products, self._own
        down, up = self._state or (self._capacity.copy(), self._capacity.copy())
        # The import hub delivers what the partner delivers; the export hub orders what it orders.
        down[own : own + p] = np.minimum(down[own : own + p], self._got.deliveries)
        up[own + p :] = np.minimum(up[own + p :], self._got.orders)
        done = self._engine.run(
            self._capacity, tolerance=TIGHT / 10, most_iterations=100_000, start=(down, up)
        )
        self._state = (done.downstream, done.upstream)
        sent = BorderMessage(done.downstream[own + p :].copy(), done.upstream[own : own + p].copy())
        moved = max(
            float(np.abs(sent.deliveries - self._sent.deliveries).max(initial=0.0)),
            float(np.abs(sent.orders - self._sent.orders).max(initial=0.0)),
        )
        self.is_at_rest = moved < TIGHT and self.rounds > 0
        self._sent = sent
        self.rounds += 1
        return sent

    @property
    def downstream(self) -> NDArray[np.float64]:
        """Return what is left of this node's firms for want of inputs."""
        return self._values()[0][: self._own]

    @property
    def upstream(self) -> NDArray[np.float64]:
        """Return what is left of this node's firms for want of orders."""
        return self._values()[1][: self._own]

    @property
    def lost(self) -> float:
        """Return the lost output of this node's firms, in the unit of the links."""
        left = np.minimum(self.downstream, self.upstream)
        return float((self._net.output[: self._own] * (1 - left)).sum())

    def _values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self._state or (self._capacity, self._capacity)

    def _check(self, message: BorderMessage) -> None:
        for name, found, before in (
            ("deliveries", message.deliveries, self._got.deliveries),
            ("orders", message.orders, self._got.orders),
        ):
            if found.shape != before.shape or not ((found >= 0) & (found <= 1)).all():
                raise BadBorderError(
                    gettext_noop("{name}: expected {count} shares from 0 to 1"),
                    name=name,
                    count=len(before),
                )
            if (found > before + TIGHT).any():
                raise BadBorderError(
                    gettext_noop("{name} of product {product} rose: in one run they only fall"),
                    name=name,
                    product=int((found > before + TIGHT).argmax()),
                )


def run_jointly(one: BorderSide, other: BorderSide) -> int:
    """Let two sides in one process exchange messages until both rest; return the rounds."""
    message: BorderMessage | None = None
    for round_number in range(1, _MOST_EXCHANGES + 1):
        message = other.step(one.step(message))
        if one.is_at_rest and other.is_at_rest:
            return round_number
    raise BadBorderError(gettext_noop("no rest after {rounds} rounds"), rounds=_MOST_EXCHANGES)


def pooled(one: Side, other: Side) -> Network:
    """Return the network that nobody has: both sides' firms and the hubs between them.

    For tests on made-up data: firms of ``one``, firms of ``other``, hubs to ``other`` by product,
    hubs to ``one`` by product.
    """
    p, first, second = one.products, len(one.sector), len(other.sector)
    to_other = first + second + np.arange(p)
    to_one = to_other + p
    supplier = np.concatenate(
        [
            one.supplier, other.supplier + first, one.exporter, to_other[other.import_product],
            other.exporter + first, to_one[one.import_product],
        ]
    )  # fmt: skip
    buyer = np.concatenate(
        [
            one.buyer, other.buyer + first, to_other[one.sector[one.exporter]],
            other.importer + first, to_one[other.sector[other.exporter]], one.importer,
        ]
    )  # fmt: skip
    weight = np.concatenate(
        [one.weight, other.weight, one.exported, other.imported, other.exported, one.imported]
    )
    sector = np.concatenate(
        [one.sector, other.sector + p, 2 * p + np.arange(p), 3 * p + np.arange(p)]
    )
    essential = np.zeros((4 * p, 4 * p), bool)
    essential[:p, :p], essential[p : 2 * p, p : 2 * p] = one.essential, other.essential
    essential[2 * p : 3 * p, p : 2 * p] = other.essential
    essential[3 * p :, :p] = one.essential
    essential[:p, 2 * p : 3 * p] = np.eye(p, dtype=bool)
    essential[p : 2 * p, 3 * p :] = np.eye(p, dtype=bool)
    return network(
        supplier=supplier, buyer=buyer, weight=weight, sector=sector, essential=essential,
        is_synthetic=True,
    )  # fmt: skip


def _with_hubs(side: Side) -> Network:
    """Return one node's firms, its import hubs and its export hubs."""
    p, own = side.products, len(side.sector)
    hub_in, hub_out = own + np.arange(p), own + p + np.arange(p)
    supplier = np.concatenate([side.supplier, hub_in[side.import_product], side.exporter])
    buyer = np.concatenate([side.buyer, side.importer, hub_out[side.sector[side.exporter]]])
    weight = np.concatenate([side.weight, side.imported, side.exported])
    sector = np.concatenate([side.sector, p + np.arange(p), 2 * p + np.arange(p)])
    essential = np.zeros((3 * p, 3 * p), bool)
    essential[:p, :p] = side.essential
    essential[p : 2 * p, :p] = side.essential
    essential[:p, 2 * p :] = np.eye(p, dtype=bool)
    return network(
        supplier=supplier, buyer=buyer, weight=weight, sector=sector, essential=essential
    )
