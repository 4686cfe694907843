"""Bills of materials: what a product is made of, down to the materials, and what a shortage does.

A part may itself have a bill (a vehicle has motors, a motor has magnets). Amounts multiply down
the tree; a shortage goes up it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop
from renkei.materials.engine._answers import figure


class CycleError(RenkeiError):
    """A product would be a part of itself."""

    code = "materials.bill_cycle"


class BadLineError(RenkeiError):
    """A line of a bill cannot be."""

    code = "materials.bad_bill_line"


class UnknownProductError(NotFoundError):
    """No bill has this product."""

    code = "materials.unknown_product"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One part of a product.

    Attributes:
        product: what is made.
        part: what goes into it: a material or another product.
        amount: how much of the part one unit of the product takes, in the part's unit.
        essential: without it the product is not made; otherwise a shortage costs in proportion
            to ``weight``.
        substitutable: share of the amount that something else can replace, 0 … 1.
        weight: how much output is lost when a part that is not essential is gone, 0 … 1.
    """

    product: str
    part: str
    amount: float
    essential: bool = True
    substitutable: float = 0.0
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Exposed:
    """What shortages do to one product.

    Attributes:
        lost: share of the output that cannot be made, 0 … 1.
        because: the material that binds (it alone would cost as much), or "" without a loss.
        path: from the product down to that material.
        materials: loss of output that each missing material would cause alone.
    """

    product: str
    lost: float
    because: str
    path: tuple[str, ...]
    materials: Mapping[str, float]


class Bills:
    """The bills of many products, checked for rings.

    Raises:
        BadLineError: an amount not above 0, a share outside 0 … 1 or a line that stands twice,
            with its row.
        CycleError: a product would be a part of itself; the message names the ring.
    """

    def __init__(self, lines: Iterable[BillLine]) -> None:
        self.parts: dict[str, dict[str, BillLine]] = {}
        for row, line in enumerate(lines):
            shares = (line.substitutable, line.weight)
            if not (0 < line.amount < float("inf")) or not all(0 <= one <= 1 for one in shares):
                raise BadLineError(
                    gettext_noop(
                        "row {row}: {part} in {product}: expected an amount above 0 and shares"
                        " from 0 to 1"
                    ),
                    row=row,
                    part=line.part,
                    product=line.product,
                )
            parts = self.parts.setdefault(line.product, {})
            if line.part in parts:
                raise BadLineError(
                    gettext_noop("row {row}: {part} stands twice in {product}"),
                    row=row,
                    part=line.part,
                    product=line.product,
                )
            parts[line.part] = line
        self._order = self._sorted()

    def explode(self, product: str) -> dict[str, float]:
        """Return how much of each material one unit of a product takes, all levels together."""
        self._known(product)
        needed = {product: 1.0}
        materials: dict[str, float] = {}
        for name in reversed(self._order):  # wholes before their parts
            if (amount := needed.pop(name, 0.0)) == 0:
                continue
            if name not in self.parts:
                materials[name] = amount
                continue
            for line in self.parts[name].values():
                needed[line.part] = needed.get(line.part, 0.0) + amount * line.amount
        return materials

    def exposure(self, product: str, shortage: Mapping[str, float]) -> Exposed:
        """Return what shortages of materials (share missing, 0 … 1) do to one product.

        The scarcest essential part sets what can be made; parts that are not essential take
        their weight each. Substitution is used first. One material that is missing in several
        parts is missing once.
        """
        self._known(product)
        for name, share in shortage.items():
            figure(share, what=f"shortage of {name}", most=1.0)
        lost, path = self._lost(shortage)[product]
        alone = {
            name: self._lost({name: share})[product][0]
            for name, share in shortage.items()
            if share > 0 and name in self.explode(product)
        }
        return Exposed(product, lost, path[-1] if lost > 0 else "", path if lost > 0 else (), alone)

    def products_of(self, material: str) -> list[str]:
        """Return every product that holds a material, at whatever depth."""
        holding = {material}
        for name in self._order:
            if any(part in holding for part in self.parts.get(name, ())):
                holding.add(name)
        return sorted(holding - {material})

    def _known(self, product: str) -> None:
        if product not in self.parts:
            raise UnknownProductError(
                gettext_noop("no bill of materials has the product {product}"), product=product
            )

    def _lost(self, shortage: Mapping[str, float]) -> dict[str, tuple[float, tuple[str, ...]]]:
        found: dict[str, tuple[float, tuple[str, ...]]] = {}
        path: tuple[str, ...]
        for name in self._order:  # parts before their wholes
            if name not in self.parts:
                found[name] = (shortage.get(name, 0.0), (name,))
                continue
            worst, path = shortage.get(name, 0.0), (name,)
            besides: dict[str, float] = {}
            for line in self.parts[name].values():
                missing, below = found[line.part]
                missing = max(0.0, missing - line.substitutable)
                if line.essential:
                    if missing > worst:
                        worst, path = missing, (name, *below)
                elif missing > 0:
                    root = below[-1]
                    besides[root] = max(besides.get(root, 0.0), line.weight * missing)
                    if len(path) == 1 and worst == 0:
                        path = (name, *below)
            # What one material costs by several parts, it costs once.
            kept = math.prod(1 - lost for root, lost in besides.items() if root != path[-1])
            lost = max(worst, besides.get(path[-1], 0.0))
            found[name] = (1 - (1 - lost) * kept, path)
        return found

    def _sorted(self) -> list[str]:
        """Return all names, parts before wholes; refuse a ring by its name."""
        done: dict[str, None] = {}
        for start in self.parts:
            if start in done:
                continue
            path = [start]  # an explicit stack: a bill may be deeper than Python's
            on_path = {start}
            waiting = [iter(self.parts[start])]
            while path:
                part = next(waiting[-1], None)
                if part is None:
                    on_path.discard(path[-1])
                    done[path.pop()] = None
                    waiting.pop()
                elif part in on_path:
                    ring = [*path[path.index(part) :], part]
                    raise CycleError(
                        gettext_noop("a product cannot be a part of itself: {ring}"),
                        ring=" → ".join(ring),
                    )
                elif part not in done:
                    path.append(part)
                    on_path.add(part)
                    waiting.append(iter(self.parts.get(part, ())))
        return list(done)
