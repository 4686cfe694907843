"""How concentrated the supply of a material is: quantities in, an index with bounds out.

"Other countries" may be a hundred small producers or one large one, so an index is an interval:
the lower end spreads them thin, the upper end takes them for a single country.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.engine._answers import (
    Bounds,
    check_countries,
    check_quantities,
    figure,
)

SUM_TOLERANCE = 1e-9  # rounding left by adding a few hundred float64 shares
WORST_GOVERNANCE = 1.0  # what the upper bound gives a country without a figure


class BadSharesError(RenkeiError):
    """Shares of one row are no distribution."""

    code = "materials.bad_shares"


class NoSupplyError(RenkeiError):
    """Nobody produces anything: there is nothing to be concentrated."""

    code = "materials.no_supply"


@dataclass(frozen=True, slots=True)
class Holder:
    """One country's part of the supply."""

    country: str
    quantity: float
    share: float
    governance: float | None


@dataclass(frozen=True, slots=True)
class Concentration:
    """An index of concentration and what it was made of.

    Attributes:
        index: Herfindahl-Hirschman index, in (0, 1]; x 10 000 in the usual print.
        governed: the sum of squared shares times governance risk, or None without governance.
        leading: the largest named country.
        leading_share: its share of all that was counted (named, other and unlisted).
        leading_of_world: its share of the printed world total, or None without one.
        rows: named countries, largest first.
        other: what "other countries" and the unlisted rest of the world total come to.
        total: what the shares are shares of.
        without_governance: countries that have no governance figure; they count as 0 in the
            lower bound of ``governed`` and as 1, the worst, in the upper.
    """

    index: Bounds
    governed: Bounds | None
    leading: str
    leading_share: float
    leading_of_world: float | None
    rows: tuple[Holder, ...]
    other: float
    total: float
    world: float | None
    without_governance: tuple[str, ...]


def hhi(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Herfindahl-Hirschman index of each row of shares.

    Args:
        shares: fraction of supply, shape (materials, countries), each at least 0; every row
            sums to 1.

    Returns:
        Shape (materials,), dimensionless, in (0, 1]; 1 is a single supplier.

    Raises:
        BadSharesError: another shape, or at the first row that is no distribution.

    Source: US DoJ and FTC, Horizontal Merger Guidelines (2010), 5.3 (there x 10 000).
    """
    if shares.ndim != 2:
        raise BadSharesError(
            gettext_noop("shares have the shape {shape}: expected materials by countries"),
            shape=shares.shape,
        )
    totals = shares.sum(axis=1)
    fine = np.isfinite(shares).all(axis=1) & (shares >= 0).all(axis=1)
    wrong = ~(fine & (np.abs(totals - 1) <= SUM_TOLERANCE))
    if wrong.any():
        row = int(wrong.argmax())
        raise BadSharesError(
            gettext_noop("row {row}: shares sum to {total}, expected 1 and none below 0"),
            row=row,
            total=f"{totals[row]:.6g}",
        )
    index: NDArray[np.float64] = np.square(shares).sum(axis=1)
    return index


def concentration(
    quantities: Mapping[str, float],
    *,
    other: float = 0.0,
    world: float | None = None,
    governance: Mapping[str, float] | None = None,
) -> Concentration:
    """Return how concentrated a supply is, between two bounds.

    Args:
        quantities: what each country supplies, one unit for all, by ISO 3166-1 alpha-3 code.
        other: what countries without a name supply together.
        world: the printed world total; what it has above the rows is counted as unlisted. A
            total below the rows is the publisher's rounding and only serves the shares "of the
            world".
        governance: risk of each country, 0 (good) … 1 (bad).

    Raises:
        UnknownCountryError, BadFigureError: at the first bad row.
        NoSupplyError: everything is zero.
    """
    check_countries(quantities)
    check_quantities(quantities, what="supply")
    figure(other, what="supply of other countries")
    if world is not None:
        figure(world, what="world supply")
    for name, risk in (governance or {}).items():
        figure(risk, what=f"governance of {name}", most=1.0)
    listed = sum(quantities.values())
    unlisted = max(0.0, (world or 0.0) - listed - other)
    rest = other + unlisted
    total = listed + rest
    if total <= 0:
        raise NoSupplyError(gettext_noop("nobody supplies anything: an index needs one supplier"))
    rows = tuple(
        Holder(
            name, quantity, quantity / total, None if governance is None else governance.get(name)
        )
        for name, quantity in sorted(quantities.items(), key=lambda item: (-item[1], item[0]))
        if quantity > 0
    )
    named = sum(row.share**2 for row in rows)
    rest_share = rest / total
    missing = (
        () if governance is None else tuple(row.country for row in rows if row.governance is None)
    )
    governed = None
    if governance is not None:
        known = sum(row.share**2 * row.governance for row in rows if row.governance is not None)
        unknown = sum(row.share**2 for row in rows if row.governance is None) + rest_share**2
        governed = Bounds(known, known + unknown * WORST_GOVERNANCE)
    first = rows[0] if rows else None
    return Concentration(
        index=Bounds(named, named + rest_share**2),
        governed=governed,
        leading=first.country if first else "",
        leading_share=first.share if first else 0.0,
        leading_of_world=first.quantity / world if first and world else None,
        rows=rows,
        other=rest,
        total=total,
        world=world,
        without_governance=missing,
    )
