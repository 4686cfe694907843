"""A network of firms: who sells what to whom, held as arrays by buyer and by seller.

Real firm-to-firm networks are confidential. ``synthetic_network`` makes one with heavy tails
that is labelled as such; whatever is computed on it says so too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop


class BadNetworkError(RenkeiError):
    """Links or firms that cannot be; the first bad row is named."""

    code = "materials.bad_network"


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Firms and links, ready for the cascade and the inventory model.

    Firms are numbered 0 … n - 1 as given. Links stand twice: by buyer, essential inputs first and
    then by the seller's sector (a *group* is what one buyer buys of one sector), and by seller.

    Attributes:
        sector: product of each firm, 0 … k - 1.
        output: what each firm sells: to firms of the network and outside it.
        outside: what it sells outside.
        is_synthetic: no firm of it exists.
        in_ptr, supplier, weight: links by buyer; firm i buys links in_ptr[i] … in_ptr[i+1] - 1.
        group_ptr, group_end, group_sector, group_total, group_essential: groups by buyer; links
            of a group end at group_end; groups from linear_ptr[i] on are not essential for firm i.
        out_ptr, buyer, out_weight, out_group: links by seller, and the group each falls in.
    """

    sector: NDArray[np.int32]
    sectors: int
    output: NDArray[np.float64]
    outside: NDArray[np.float64]
    is_synthetic: bool
    in_ptr: NDArray[np.int64]
    supplier: NDArray[np.int32]
    weight: NDArray[np.float64]
    group_ptr: NDArray[np.int64]
    linear_ptr: NDArray[np.int64]
    group_end: NDArray[np.int64]
    group_sector: NDArray[np.int32]
    group_buyer: NDArray[np.int32]
    group_total: NDArray[np.float64]
    group_essential: NDArray[np.bool_]
    out_ptr: NDArray[np.int64]
    buyer: NDArray[np.int32]
    out_weight: NDArray[np.float64]
    out_group: NDArray[np.int32]
    names: tuple[str, ...] = ()

    @property
    def firms(self) -> int:
        """Return how many firms there are."""
        return len(self.sector)

    @property
    def links(self) -> int:
        """Return how many links there are."""
        return len(self.supplier)

    @property
    def sector_output(self) -> NDArray[np.float64]:
        """Return the output of each sector."""
        made: NDArray[np.float64] = np.bincount(self.sector, self.output, self.sectors).astype(
            np.float64
        )
        return made


def network(
    *,
    supplier: NDArray[np.integer] | Sequence[int],
    buyer: NDArray[np.integer] | Sequence[int],
    weight: NDArray[np.floating] | Sequence[float],
    sector: NDArray[np.integer] | Sequence[int],
    essential: NDArray[np.bool_],
    outside: NDArray[np.floating] | Sequence[float] | None = None,
    names: Sequence[str] = (),
    is_synthetic: bool = False,
) -> Network:
    """Build a network of links.

    Args:
        supplier, buyer, weight: one link each; weight is its yearly value, above 0.
        sector: product of each firm.
        essential: whether what the row's sector makes is essential for the column's, shape
            (sectors, sectors).
        outside: what each firm sells outside the network (final demand), default 0.

    Raises:
        BadNetworkError: a firm outside the range, a weight that is no positive number, a firm
            that supplies itself, a link that stands twice; the row is named.
    """
    s = np.asarray(supplier, np.int64)
    b = np.asarray(buyer, np.int64)
    w = np.asarray(weight, np.float64)
    kind = np.asarray(sector, np.int32)
    n = len(kind)
    sold = np.zeros(n) if outside is None else np.asarray(outside, np.float64)
    _check(s, b, w, kind=kind, essential=np.asarray(essential, bool), sold=sold, names=names)

    must = np.asarray(essential, bool)
    # Essential inputs first: the rest of a buyer's links is one plain sum.
    order = np.lexsort((s, kind[s], ~must[kind[s], kind[b]], b))
    by_buyer, seller, value = b[order], s[order], w[order]
    twice = (by_buyer[1:] == by_buyer[:-1]) & (seller[1:] == seller[:-1])
    if twice.any():
        row = int(order[int(twice.argmax()) + 1])
        raise BadNetworkError(
            gettext_noop("row {row}: the link {supplier} → {buyer} stands twice"),
            row=row,
            supplier=int(s[row]),
            buyer=int(b[row]),
        )
    product = kind[seller]
    starts = np.ones(len(order), bool)
    starts[1:] = (by_buyer[1:] != by_buyer[:-1]) | (product[1:] != product[:-1])
    first = np.flatnonzero(starts)
    group = np.cumsum(starts) - 1
    group_buyer = by_buyer[first]
    group_sector = product[first]
    total = np.add.reduceat(value, first) if len(first) else np.zeros(0)
    firms = np.arange(n + 1)
    group_essential = must[group_sector, kind[group_buyer]]
    group_ptr = np.searchsorted(group_buyer, firms)
    back = np.lexsort((by_buyer, seller))
    return Network(
        sector=kind,
        sectors=int(essential.shape[0]),
        output=np.bincount(s, w, n) + sold,
        outside=sold,
        is_synthetic=is_synthetic,
        in_ptr=np.searchsorted(by_buyer, firms),
        supplier=seller.astype(np.int32),
        weight=value,
        group_ptr=group_ptr,
        linear_ptr=group_ptr[:-1] + np.bincount(group_buyer[group_essential], minlength=n),
        group_end=np.append(first[1:], len(order)).astype(np.int64)[: len(first)],
        group_sector=group_sector.astype(np.int32),
        group_buyer=group_buyer.astype(np.int32),
        group_total=total,
        group_essential=group_essential,
        out_ptr=np.searchsorted(seller[back], firms),
        buyer=by_buyer[back].astype(np.int32),
        out_weight=value[back],
        out_group=group[back].astype(np.int32),
        names=tuple(names),
    )


def synthetic_network(
    firms: int,
    links: int,
    *,
    seed: int,
    sectors: int = 86,
    essential_share: float = 0.35,
    tail: float = 1.3,
    outside_share: float = 0.0,
) -> Network:
    """Make a network with heavy tails of customers, suppliers and sizes; no firm of it exists.

    Sellers and buyers are drawn by fitness with a Pareto tail of exponent ``tail``; double links
    and self-supply are dropped and drawn anew until there are exactly ``links``.

    Raises:
        BadNetworkError: more links than half of all pairs, or fewer than two firms.
    """
    if firms < 2 or not 0 < links <= firms * (firms - 1) // 2:
        raise BadNetworkError(
            gettext_noop("{links} links of {firms} firms: expected 1 to {most}"),
            links=links,
            firms=firms,
            most=max(0, firms * (firms - 1) // 2),
        )
    rng = np.random.default_rng(seed)
    # Fitness is cut where one firm would link with a tenth of all others.
    selling = np.minimum(rng.pareto(tail, firms) + 1, max(2.0, firms / 50))
    buying = np.minimum(rng.pareto(tail, firms) + 1, max(2.0, firms / 50))
    sells = np.cumsum(selling) / selling.sum()
    buys = np.cumsum(buying) / buying.sum()
    keys = np.zeros(0, np.int64)
    draws = 0
    while len(keys) < links:
        draws += 1
        count = int((links - len(keys)) * 1.2) + 16
        if draws <= 50:
            seller = np.searchsorted(sells, rng.random(count))
            customer = np.searchsorted(buys, rng.random(count))
        else:  # a dense net: the tails are full, the rest is drawn evenly
            seller, customer = rng.integers(0, firms, (2, count))
        drawn = (seller * firms + customer)[seller != customer]
        keys = np.unique(np.concatenate([keys, drawn]))
    keys = np.sort(rng.permutation(keys)[:links])
    seller, customer = np.divmod(keys, firms)
    size = np.sqrt(selling[seller] * buying[customer])
    weight = np.exp(rng.normal(0, 1.5, links)) * size
    sector = rng.integers(0, sectors, firms)
    essential = rng.random((sectors, sectors)) < essential_share
    sold = np.bincount(seller, weight, firms)
    outside = outside_share / (1 - outside_share) * np.maximum(sold, sold.mean())
    return network(
        supplier=seller,
        buyer=customer,
        weight=weight,
        sector=sector,
        essential=essential,
        outside=outside,
        is_synthetic=True,
    )


def _check(
    s: NDArray[np.int64],
    b: NDArray[np.int64],
    w: NDArray[np.float64],
    *,
    kind: NDArray[np.int32],
    essential: NDArray[np.bool_],
    sold: NDArray[np.float64],
    names: Sequence[str],
) -> None:
    n = len(kind)
    if n == 0:
        raise BadNetworkError(gettext_noop("there are no firms: expected the sector of each"))
    if not len(s) == len(b) == len(w):
        raise BadNetworkError(
            gettext_noop("{suppliers} suppliers, {buyers} buyers and {weights} weights of links"),
            suppliers=len(s),
            buyers=len(b),
            weights=len(w),
        )
    if essential.ndim != 2 or essential.shape[0] != essential.shape[1]:
        raise BadNetworkError(gettext_noop("essential inputs: expected sectors by sectors"))
    if names and len(names) != n:
        raise BadNetworkError(
            gettext_noop("{names} names of {firms} firms"), names=len(names), firms=n
        )
    if len(sold) != n:
        raise BadNetworkError(
            gettext_noop("{names} sales outside of {firms} firms"), names=len(sold), firms=n
        )
    tests = (
        (
            (kind < 0) | (kind >= len(essential)),
            gettext_noop("row {row}: a sector outside 0 to {last}"),
            len(essential) - 1,
        ),
        (~(np.isfinite(sold) & (sold >= 0)), gettext_noop("row {row}: sales outside below 0"), 0),
        (
            (s < 0) | (s >= n) | (b < 0) | (b >= n),
            gettext_noop("row {row}: a firm outside 0 to {last}"),
            n - 1,
        ),
        (~(np.isfinite(w) & (w > 0)), gettext_noop("row {row}: a weight that is not above 0"), 0),
        (s == b, gettext_noop("row {row}: a firm that supplies itself"), 0),
    )
    for wrong, sentence, last in tests:
        if wrong.any():
            raise BadNetworkError(sentence, row=int(wrong.argmax()), last=last)
