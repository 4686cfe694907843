"""What may be told of stocks: sums that protect who holds them, the same way in every edition.

Figures are upper ends of the intervals, by material and class, and their total by material. The
contributions behind them never leave the node; they are kept to judge the next edition.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from renkei.base.models import User
from renkei.materials import engine
from renkei.materials.door._load import changed
from renkei.materials.models import Released, State, Stock

TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure before release.

    Attributes:
        material, kind: what; ``total`` sums the classes.
        tonnes: the sum of upper ends.
        holders: how many contribute.
        why: ``few_contributors``, ``p_percent``, ``difference`` or ``protects`` (others could be
            worked out) where it is held back, else empty.
        between: what a reader can work out of a figure that is held back for itself.
    """

    material: str
    kind: str
    tonnes: float
    holders: int
    why: str
    between: tuple[float, float] | None

    @property
    def key(self) -> str:
        """Return its name, the same in every edition."""
        return f"{self.material}/{self.kind}"


def _held() -> dict[str, dict[str, dict[str, float]]]:
    """Return upper ends by material, class and holder."""
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    rows = Stock.objects.current().order_by("material__slug", "kind", "owner")
    for material, kind, owner, tonnes in rows.values_list(
        "material__slug", "kind", "owner", "high_tonnes"
    ):
        found[material][kind][owner] = found[material][kind].get(owner, 0.0) + tonnes
    return found


def _before() -> dict[str, Released]:
    """Return what was decided last about each figure."""
    return {row.key: row for row in Released.objects.order_by("pk")}


def _cell(
    key: str, given: Mapping[str, float], before: Released | None
) -> tuple[engine.Cell, bool]:
    """Return a figure as the gate takes it, and whether its change would give a holder away."""
    given = {name: tonnes for name, tonnes in given.items() if tonnes > 0}
    state, moves = "new", False
    if before is not None:
        same = before.contributions == given
        if before.is_published:
            moves = engine.difference_gate(before.contributions, given) is not None
            state = "published" if same else "suppressed" if moves else "new"
        elif same:
            state = "suppressed"
    cell = engine.Cell(key, sum(given.values()), given, state=state)  # type: ignore[arg-type]  # one of three
    return cell, moves


def preview() -> list[Figure]:
    """Return every figure and whether it may be told, by the rules and by what was told before.

    Raises:
        NotProtectableError: what was told before already gives a figure away.
    """
    before, figures = _before(), []
    for material, classes in sorted(_held().items()):
        cells, moving = [], set()
        whole: dict[str, float] = defaultdict(float)
        for kind, given in sorted(classes.items()):
            cell, moves = _cell(f"{material}/{kind}", given, before.get(f"{material}/{kind}"))
            cells.append(cell)
            moving |= {cell.key} if moves else set()
            for name, tonnes in given.items():
                whole[name] += tonnes
        total, moves = _cell(f"{material}/{TOTAL}", whole, before.get(f"{material}/{TOTAL}"))
        moving |= {total.key} if moves else set()
        found = engine.release([*cells, total], [(total.key, [cell.key for cell in cells])])
        for cell in (*cells, total):
            why: str = found.primary.get(cell.key, "")
            if cell.key in moving:
                why = "difference"
            elif not why and cell.key not in found.published:
                why = "protects"
            figures.append(
                Figure(
                    material,
                    cell.key.partition("/")[2],
                    cell.value,
                    len(cell.contributions),
                    why,
                    found.intervals.get(cell.key),
                )
            )
    return figures


def publish_figures(*, by: User) -> list[Figure]:
    """Tell what may be told; what is held back is noted, so that it stays held back.

    Raises:
        NotProtectableError: what was told before already gives a figure away.
    """
    with transaction.atomic():
        State.objects.select_for_update().get_or_create(pk=1)
        figures, before, held = preview(), _before(), _held()
        for figure in figures:
            given: Mapping[str, float] = defaultdict(float)
            if figure.kind == TOTAL:
                sums: dict[str, float] = defaultdict(float)
                for one in held[figure.material].values():
                    for name, tonnes in one.items():
                        sums[name] += tonnes
                given = sums
            else:
                given = held[figure.material][figure.kind]
            given = {name: tonnes for name, tonnes in given.items() if tonnes > 0}
            last = before.get(figure.key)
            is_published = not figure.why
            if last and (last.is_published, last.contributions) == (is_published, given):
                continue
            if last and last.is_published and not is_published:
                continue  # the edition before stays what is told, and what the next is judged by
            Released.objects.create(
                key=figure.key,
                tonnes=figure.tonnes,
                contributions=given,
                is_published=is_published,
                why=figure.why,
                author=by,
            )
        changed()
    return figures


def released() -> list[Released]:
    """Return the figures that were told, the last edition of each."""
    return sorted((row for row in _before().values() if row.is_published), key=lambda row: row.key)
