"""What may be told of stocks: sums that protect who holds them, the same way in every edition.

Figures are upper ends of the intervals, by material and class, and their total by material. The
contributions behind them never leave the node; they are kept to judge the next edition. Partners
that hold figures of the same names tell each other which of them they hold back (``announce``).
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from renkei.base.models import User
from renkei.border import door as border
from renkei.kit.errors import ConflictError, gettext_noop
from renkei.materials import engine
from renkei.materials.door._load import changed
from renkei.materials.models import Pattern, Released, State, Stock
from renkei.materials.statements import PATTERN

TOTAL = "total"


class NotSettledError(ConflictError):
    """A partner has not said what it holds back beside what this node does."""

    code = "materials.not_settled"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure before release.

    Attributes:
        material, kind: what; ``total`` sums the classes.
        tonnes: the sum of upper ends.
        holders: how many contribute.
        why: ``few_contributors``, ``p_percent``, ``difference``, ``partner`` (it holds it back) or
            ``protects`` (others could be worked out) where it is held back, else empty.
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


def _editions() -> dict[str, list[tuple[dict[str, float], bool]]]:
    """Return every edition of each figure, oldest first: who gave what, and whether it was told."""
    found: dict[str, list[tuple[dict[str, float], bool]]] = defaultdict(list)
    for row in Released.objects.order_by("pk"):
        found[row.key].append((row.contributions, row.is_published))
    return found


def _cell(
    key: str,
    given: Mapping[str, float],
    editions: Mapping[str, list[tuple[dict[str, float], bool]]],
) -> engine.Cell:
    """Return a figure as the gate takes it."""
    state = engine.earlier(given, editions.get(key, ()))
    return engine.Cell(key, sum(given.values()), given, state=state)


def _partners() -> list[str]:
    """Return the names of the partners that this node has met."""
    return [one.name for one in border.partners() if border.pinned(one.name)]


def preview() -> list[Figure]:
    """Return every figure and whether it may be told: by the rules, what was told, and the partners.

    What a partner holds back is held back here too and protected; what it told protects nothing.

    Raises:
        NotProtectableError: what was told before already gives a figure away.
    """
    theirs = Pattern.objects.filter(name__in=_partners())
    held = {key for row in theirs for key in row.held}
    told = {key for row in theirs for key in row.told}
    editions, figures = _editions(), []
    for material, classes in sorted(_held().items()):
        cells = [
            _cell(f"{material}/{kind}", _given(classes, kind), editions)
            for kind in [*sorted(classes), TOTAL]
        ]
        parts = [cell.key for cell in cells[:-1]]
        found = engine.release_beside(cells, [(cells[-1].key, parts)], held=held, told=told)
        for cell in cells:
            why: str = found.primary.get(cell.key, "")
            if cell.state == "held":
                why = "difference"
            elif not why and cell.key not in found.published:
                why = "partner" if cell.key in held else "protects"
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


def _digest(held: Iterable[str], open_: Iterable[str]) -> str:
    said = json.dumps([sorted(held), sorted(open_)], separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def announce() -> Pattern:
    """Say which figures this node holds back, if it said otherwise before: names, and no value.

    Raises:
        NotProtectableError: what was told before already gives a figure away.
    """
    with transaction.atomic():
        State.objects.select_for_update().get_or_create(pk=1)
        figures, before = preview(), _before()
        theirs = Pattern.objects.filter(name__in=_partners())
        body = {
            "held": sorted(one.key for one in figures if one.why),
            "open": sorted(one.key for one in figures if not one.why),
            "told": sorted(key for key, row in before.items() if row.is_published),
            "seen": sorted(_digest(row.held, row.open) for row in theirs),
        }
        own = Pattern.objects.filter(name=settings.NODE.name).first()
        if own is None or any(getattr(own, name) != said for name, said in body.items()):
            border.say(border.Said(type=PATTERN, body=body))
            own = Pattern.objects.get(name=settings.NODE.name)
            transaction.on_commit(border.wake)
    return own


def patterns() -> list[Pattern]:
    """Return what this node and its partners last said that they hold back."""
    return list(Pattern.objects.order_by("name"))


def unsettled() -> list[tuple[str, list[str]]]:
    """Return the partners that this node waits for, each with the figures that it would tell still.

    A partner has settled when its pattern was made in sight of this node's, and it would tell nothing
    that is held back here; what it told before, nobody can take back.
    """
    own = Pattern.objects.filter(name=settings.NODE.name).first()
    found = []
    for name in _partners():
        row = Pattern.objects.filter(name=name).first()
        clash = sorted(set(row.open) & set(own.held) - set(row.told)) if row and own else []
        if row is None or own is None or clash or _digest(own.held, own.open) not in row.seen:
            found.append((name, clash))
    return found


def publish_figures(*, by: User) -> list[Figure]:
    """Tell what may be told; what is held back is noted, so that it stays held back.

    With partners, what is held back is said first, and nothing is told before each of them has said
    the same in sight of it: then no figure of either comes out of both releases.

    Raises:
        NotProtectableError: what was told before already gives a figure away.
        NotSettledError: a partner has not said yet what it holds back beside this node's pattern.
    """
    if _partners():
        announce()
        if waiting := unsettled():
            raise NotSettledError(
                gettext_noop(
                    "this node has said what it holds back; nothing is told before {partners} has said "
                    "so in sight of it: have its officer tell its figures, then try again"
                ),
                partners=", ".join(name for name, _clash in waiting),
            )
    with transaction.atomic():
        State.objects.select_for_update().get_or_create(pk=1)
        figures, before, held = preview(), _before(), _held()
        own = Pattern.objects.filter(name=settings.NODE.name).first()
        if _partners() and (
            own is None or {one.key for one in figures if not one.why} - {*own.open}
        ):
            raise NotSettledError(
                gettext_noop("stocks or patterns changed meanwhile: nothing is told; try again")
            )
        for figure in figures:
            given = _given(held[figure.material], figure.kind)
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
    if _partners():
        announce()  # what is told by now protects nothing at the partners'
    return figures


def _given(classes: Mapping[str, Mapping[str, float]], kind: str) -> dict[str, float]:
    """Return what each holder gives to a figure of a material."""
    found: dict[str, float] = defaultdict(float)
    for one in classes.values() if kind == TOTAL else [classes[kind]]:
        for name, tonnes in one.items():
            found[name] += tonnes
    return {name: tonnes for name, tonnes in found.items() if tonnes > 0}


def released() -> list[Released]:
    """Return the figures that were told, the last edition of each."""
    return sorted((row for row in _before().values() if row.is_published), key=lambda row: row.key)
