"""Maps and small charts as SVG text for a page: figures in, drawing out.

They are drawn in the request, in a few milliseconds, from the rows of the table that stands behind
them. Colours are the page's custom properties, so one drawing is right in light and dark; nothing
needs a style attribute or a script. Charts that people compose (many series, legends, scales) are
not drawn here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from renkei.kit.world import outlines
from renkei.materials.engine._places import places

SHADES: Final = ((0.5, 0.85), (0.25, 0.6), (0.1, 0.4), (0.01, 0.22))
"""From which share of the whole a country is filled how darkly."""

COLOURS: Final = tuple(f"var(--chart-{number})" for number in range(1, 9))
DASHES: Final = ("", "6 4", "2 3", "8 3 2 3", "1 4", "10 4")
WIDEST: Final = 9.0  # pixels of the largest flow
_TEXT: Final = 'fill="var(--chart-text)" font-size="13"'


@dataclass(frozen=True, slots=True)
class Arc:
    """One flow on a map; ``share`` of the largest sets its width, ``is_lost`` how it is drawn."""

    source: str
    target: str
    amount: float
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One series: points in the order of x; with ``low`` and ``high`` a band around it."""

    name: str
    points: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float, float]] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar from 0 to ``value``; ``high`` adds an open end up to it."""

    name: str
    value: float
    said: str
    high: float | None = None


def _open(name: str, width: float, height: float, *, title: str, description: str) -> list[str]:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-desc">'
    )
    return [
        head,
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-desc">{escape(description)}</desc>',
    ]


def on_map(code: str) -> tuple[float, float] | None:
    """Return where a place lies on the map's canvas."""
    place = places().get(code)
    if place is None or place.longitude is None or place.latitude is None:
        return None
    width, top = float(outlines()["width"]), float(outlines()["top"])
    return (place.longitude + 180) / 360 * width, (top - place.latitude) / 360 * width


def world_map(
    name: str,
    *,
    shares: Mapping[str, float],
    arcs: Iterable[Arc] = (),
    labels: Mapping[str, str] | None = None,
    title: str,
    description: str,
) -> str:
    """Draw a map: countries shaded by their share, flows as arcs.

    Args:
        name: of the drawing, for its ids.
        shares: fraction of the whole by country code, 0 … 1.
        arcs: flows; those of places without a place on the map are left out.
        labels: words beside countries.
        title: what a screen reader calls it.
        description: what it shows, in a sentence.
    """
    world = outlines()
    width, height = float(world["width"]), float(world["height"])
    said = _open(name, width, height, title=title, description=description)
    plain = [path for code, path in world["paths"].items() if shares.get(code, 0) < SHADES[-1][0]]
    said.append(
        f'<path d="{"".join(plain)}" fill="var(--chart-grid)" stroke="var(--chart-background)" '
        'stroke-width=".5"/>'
    )
    for code, path in world["paths"].items():
        share = shares.get(code, 0)
        for least, opacity in SHADES:
            if share >= least:
                said.append(
                    f'<path d="{path}" fill="var(--chart-1)" fill-opacity="{opacity}" '
                    f'stroke="var(--chart-1)" stroke-width=".8"/>'
                )
                break
    drawn = [arc for arc in arcs if on_map(arc.source) and on_map(arc.target) and arc.amount > 0]
    most = max((arc.amount for arc in drawn), default=1.0)
    for arc in sorted(drawn, key=lambda arc: -arc.amount):
        said.append(_arc(arc, math.sqrt(arc.amount / most) * WIDEST))
    for code in {end for arc in drawn for end in (arc.source, arc.target)}:
        place = on_map(code)
        if place:
            said.append(
                f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="2.5" '
                'fill="var(--chart-text)"/>'
            )
    for code, text in (labels or {}).items():
        place = on_map(code)
        if place:
            said.append(
                f'<text x="{place[0]:.1f}" y="{place[1] - 6:.1f}" text-anchor="middle" {_TEXT} '
                'paint-order="stroke" stroke="var(--chart-background)" stroke-width="3">'
                f"{escape(text)}</text>"
            )
    return "".join([*said, "</svg>"])


def _arc(arc: Arc, width: float) -> str:
    start, end = on_map(arc.source), on_map(arc.target)
    if start is None or end is None:
        return ""
    span = math.hypot(end[0] - start[0], end[1] - start[1])
    lift = min(90.0, span * 0.25)
    middle = ((start[0] + end[0]) / 2, max(4.0, (start[1] + end[1]) / 2 - lift))
    colour = "var(--bad)" if arc.is_lost else "var(--chart-2)"
    dash = ' stroke-dasharray="5 4"' if arc.is_lost else ""
    return (
        f'<path d="M{start[0]:.1f} {start[1]:.1f}Q{middle[0]:.1f} {middle[1]:.1f} '
        f'{end[0]:.1f} {end[1]:.1f}" fill="none" stroke="{colour}" stroke-opacity=".65" '
        f'stroke-width="{max(0.8, width):.1f}"{dash}/>'
    )


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return round numbers that cover an interval."""
    if not high > low:
        high = low + 1
    rough = (high - low) / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(unit * power for unit in (1, 2, 2.5, 5, 10) if unit * power >= rough)
    first = math.floor(low / step)
    last = math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def lines(
    name: str,
    series: Sequence[Line],
    *,
    title: str,
    description: str,
    unit: str,
    words: Mapping[float, str] | None = None,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Draw series over one axis; each has its colour, its dashes and its name at the end.

    Args:
        name: of the drawing, for its ids.
        series: at least one with at least one point.
        title: what a screen reader calls it.
        description: what it shows, in a sentence.
        unit: what the vertical axis counts, in the reader's words.
        words: what stands at places of the horizontal axis; numbers otherwise.
        marks: places on the horizontal axis with words, such as a first day.
    """
    width, height = 760.0, 320.0
    left, right, top, bottom = 70.0, 170.0, 34.0, 40.0
    xs = [x for line in series for x, _y in line.points]
    ys = [y for line in series for _x, y in line.points]
    ys += [edge for line in series for _x, low, high in line.band for edge in (low, high)]
    grid = ticks(min(0.0, *ys), max(ys))
    x0, x1 = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            left + (x - x0) / (x1 - x0) * (width - left - right),
            height - bottom - (y - grid[0]) / (grid[-1] - grid[0]) * (height - top - bottom),
        )

    said = _open(name, width, height, title=title, description=description)
    said.append(f'<text x="{left - 60:g}" y="18" {_TEXT}>{escape(unit)}</text>')
    for value in grid:
        _x, y = at(x0, value)
        said.append(
            f'<path d="M{left:g} {y:.1f}H{width - right:g}" stroke="var(--chart-grid)"/>'
            f'<text x="{left - 8:g}" y="{y + 4:.1f}" text-anchor="end" {_TEXT}>{compact(value)}</text>'
        )
    places_x = list(words) if words else [x for x in ticks(x0, x1) if x0 <= x <= x1]
    for value in places_x:
        x, _y = at(value, grid[0])
        text = words[value] if words else f"{value:g}"
        said.append(
            f'<text x="{x:.1f}" y="{height - bottom + 22:g}" text-anchor="middle" {_TEXT}>'
            f"{escape(text)}</text>"
        )
    for value, text in marks:
        if x0 <= value <= x1:
            x, _y = at(value, grid[0])
            said.append(
                f'<path d="M{x:.1f} {top:g}V{height - bottom:g}" stroke="var(--chart-text)" '
                f'stroke-dasharray="4 3"/><text x="{x + 4:.1f}" y="{top - 4:g}" {_TEXT}>'
                f"{escape(text)}</text>"
            )
    taken: list[float] = []
    for index, line in enumerate(series):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
        if line.band:
            upper = [at(x, high) for x, _low, high in line.band]
            lower = [at(x, low) for x, low, _high in line.band][::-1]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in [*upper, *lower])
            said.append(f'<path d="M{path}Z" fill="{colour}" fill-opacity=".18"/>')
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in (at(*point) for point in line.points))
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        said.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2.5"{dashes}/>')
        if len(line.points) <= 2:
            said += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
                for x, y in (at(*point) for point in line.points)
            ]
        x, y = at(*line.points[-1])
        while any(abs(y - other) < 15 for other in taken):
            y += 15
        taken.append(y)
        said.append(
            f'<text x="{width - right + 10:g}" y="{y + 4:.1f}" fill="{colour}" font-size="13" '
            f'font-weight="600">{escape(line.name)}</text>'
        )
    return "".join([*said, "</svg>"])


def bars(
    name: str, rows: Sequence[Bar], *, title: str, description: str, whole: float | None = None
) -> str:
    """Draw bars beside their names; what is between a value and its ``high`` is hatched by a line.

    Args:
        name: of the drawing, for its ids.
        rows: in the order in which they stand.
        title: what a screen reader calls it.
        description: what it shows, in a sentence.
        whole: what fills the width; the largest bar when not given.
    """
    width, line, left, right = 760.0, 26.0, 210.0, 150.0
    height = line * len(rows) + 8
    most = whole or max((row.high or row.value for row in rows), default=1.0) or 1.0
    said = _open(name, width, height, title=title, description=description)
    for index, row in enumerate(rows):
        y = 4 + index * line
        length = min(1.0, row.value / most) * (width - left - right)
        said.append(
            f'<text x="{left - 8:g}" y="{y + 17:g}" text-anchor="end" {_TEXT}>{escape(row.name)}</text>'
            f'<rect x="{left:g}" y="{y + 4:g}" width="{length:.1f}" height="{line - 8:g}" rx="2" '
            'fill="var(--chart-1)"/>'
        )
        end = left + length
        if row.high is not None and row.high > row.value:
            end = left + min(1.0, row.high / most) * (width - left - right)
            said.append(
                f'<rect x="{left + length:.1f}" y="{y + 4:g}" width="{end - left - length:.1f}" '
                f'height="{line - 8:g}" rx="2" fill="var(--chart-1)" fill-opacity=".18" '
                'stroke="var(--chart-1)" stroke-dasharray="3 3"/>'
            )
        said.append(f'<text x="{end + 8:.1f}" y="{y + 17:g}" {_TEXT}>{escape(row.said)}</text>')
    return "".join([*said, "</svg>"])


def compact(value: float) -> str:
    """Return a number for an axis, short."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"
