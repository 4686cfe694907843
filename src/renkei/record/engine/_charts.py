"""The dashboard's charts: rows in, SVG text out.

Run as a program (``python -m renkei.record.engine._charts``) it reads a list of charts as JSON on
standard input and writes their SVG as JSON: drawing needs a JavaScript engine that the node's own
processes shall not carry, so a process of its own draws and ends. For that reason the package does
not import this module by itself.

Colours and fonts come out as the page's custom properties, so that one drawing is right in light
and dark; nothing in it needs a style attribute or a script.
"""

import json
import math
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

FONT_FAMILY: Final = "Noto Sans CJK JP"
FONT_PACKAGES: Final = ("noto_cjk_sans_jp_regular", "noto_cjk_sans_jp_bold")
PAGE_FONTS: Final = f"'{FONT_FAMILY}', 'Renkei Sans JP', system-ui, sans-serif"
COLOURS: Final[Mapping[str, str]] = {
    "#2a4a87": "--chart-1",
    "#b3541e": "--chart-2",
    "#1b7f75": "--chart-3",
    "#8f6a00": "--chart-4",
    "#8a3f80": "--chart-5",
    "#5b6577": "--chart-6",
    "#2f7fb5": "--chart-7",
    "#5c7a1f": "--chart-8",
    "#1b2230": "--chart-text",
    "#dfe3ea": "--chart-grid",
    "#a1201f": "--bad",
    "#17633a": "--good",
}
"""What the drawing says, and the custom property of the page's style sheet that it becomes."""

_BY_NAME: Final = {name: colour for colour, name in COLOURS.items()}
_SERIES: Final = [colour for colour, name in COLOURS.items() if name[-1].isdigit()]
_SHAPES: Final = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"]
_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("--chart-1", "circle"),
    "overdue": ("--bad", "triangle-up"),
    "delivered": ("--good", "square"),
    "missed": ("--bad", "cross"),
}
_SVG: Final = "http://www.w3.org/2000/svg"
_LABEL_PIXELS = 320

Row = Mapping[str, Any]


def font_files() -> list[Path]:
    """Return the font files that labels are drawn with; they come with the dependencies."""
    found: list[Path] = []
    for package in FONT_PACKAGES:
        spec = find_spec(package)
        if spec is not None and spec.origin:
            found += sorted(Path(spec.origin).parent.glob("*.otf"))
    return found


def specification(name: str, rows: Sequence[Row], words: Mapping[str, str]) -> dict[str, Any]:
    """Return a chart as a Vega-Lite specification.

    Args:
        name: one of ``CHARTS``.
        rows: what it shows; each chart's function says which keys.
        words: the labels of axes and legends.
    """
    chart = CHARTS[name](rows, words)
    quiet = {"domain": False, "ticks": False, "labelColor": _BY_NAME["--chart-text"]}
    configured = chart.configure(
        font=FONT_FAMILY,
        background="transparent",
        aria=False,
        padding=4,
        view={"stroke": None},
        axis={
            **quiet,
            "gridColor": _BY_NAME["--chart-grid"],
            "titleColor": _BY_NAME["--chart-text"],
            "titleFontWeight": "normal",
            "labelFontSize": 13,
            "titleFontSize": 13,
            "labelPadding": 6,
            "labelLimit": _LABEL_PIXELS,
        },
        legend={
            "labelColor": _BY_NAME["--chart-text"],
            "titleColor": _BY_NAME["--chart-text"],
            "labelFontSize": 13,
            "orient": "top",
            "title": None,
            "symbolSize": 110,
            "offset": 24,
            "columns": 3,
        },
        header={
            "labelColor": _BY_NAME["--chart-text"],
            "labelFontSize": 13,
            "labelFontWeight": "bold",
            "titleColor": _BY_NAME["--chart-text"],
        },
    )
    described: dict[str, Any] = configured.to_dict()
    return described


def draw(
    name: str, rows: Sequence[Row], words: Mapping[str, str], *, title: str, description: str
) -> str:
    """Return a chart as SVG text for the page.

    Args:
        name: one of ``CHARTS``.
        rows: what it shows, at least one row.
        words: the labels of axes and legends.
        title: what a screen reader calls it.
        description: what it shows, in a sentence.
    """
    import vl_convert

    for folder in {str(file.parent) for file in font_files()}:
        vl_convert.register_font_directory(folder)
    drawn = vl_convert.vegalite_to_svg(specification(name, rows, words))
    return _for_page(drawn, name=name, title=title, description=description)


def _for_page(svg: str, *, name: str, title: str, description: str) -> str:
    """Give a drawing the page's colours and fonts, a name and a description; drop the rest."""
    ET.register_namespace("", _SVG)
    root = ET.fromstring(svg)  # noqa: S314  our own drawing
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in {"style", "script", "title", "desc"}:
                parent.remove(child)
    for element in root.iter():
        kept = {key: _attribute(key, value, name) for key, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update({key: value for key, value in kept.items() if value is not None})
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        said = ET.Element(f"{{{_SVG}}}{tag}", {"id": f"{name}-{tag}"})
        said.text = text
        root.insert(place, said)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    root.set("aria-describedby", f"{name}-desc")
    return ET.tostring(root, encoding="unicode")


def _attribute(key: str, value: str, name: str) -> str | None:
    """Return what an attribute becomes on the page; ``None`` where it has no place there."""
    if key == "style" or key.startswith(("aria-", "role", "class", "on")):
        return None
    if value in COLOURS:
        return f"var({COLOURS[value]}, {value})"
    if key == "font-family":
        return PAGE_FONTS
    # Several drawings stand on one page.
    return f"{name}-{value}" if key == "id" else value.replace("url(#", f"url(#{name}-")


# Altair types its channels so richly that naming them here would say nothing.
def _data(rows: Sequence[Row]) -> Any:
    import altair as alt

    inline: Any = alt.Data  # Altair does not type its constructor
    return inline(values=list(rows))


def _money(rows: Sequence[Row], words: Mapping[str, str]) -> Any:
    """Show sums as points on a logarithmic line, never stacked: sums of unlike money do not add up.

    Rows: ``group`` (nature and currency), ``line`` (domain and side), ``stage``, ``value`` (above
    0) and ``label`` (the amount in words). ``words``: ``value`` and ``tick:<exponent>``.
    """
    import altair as alt

    stages = list(dict.fromkeys(row["stage"] for row in rows))
    groups = list(dict.fromkeys(row["group"] for row in rows))
    low = math.floor(math.log10(min(row["value"] for row in rows)))
    high = math.ceil(math.log10(max(row["value"] for row in rows)) + 1e-9)
    span = max(1, high - low)
    base = alt.Chart(_data(rows)).encode(
        y=alt.Y("line:N", title=None, sort=None, axis=alt.Axis(grid=True)),
        x=alt.X(
            "value:Q",
            title=words["value"],
            # Room for the words beside the right-most point.
            scale=alt.Scale(type="log", domain=[10**low, 10 ** (high + span * 0.3)], nice=False),
            axis=alt.Axis(
                values=[10**power for power in range(low, high + 1)],
                labelExpr="{"
                + ",".join(
                    f"'{power}': {json.dumps(words[f'tick:{power}'], ensure_ascii=False)}"
                    for power in range(low, high + 1)
                )
                + "}[format(round(log(datum.value) / log(10)), 'd')]",
                labelOverlap="greedy",
            ),
        ),
    )
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        color=alt.Color("stage:N", scale=alt.Scale(domain=stages, range=_SERIES[: len(stages)])),
        shape=alt.Shape("stage:N", scale=alt.Scale(domain=stages, range=_SHAPES[: len(stages)])),
    )
    texts = base.mark_text(align="left", dx=10, fontSize=13, color=_BY_NAME["--chart-text"]).encode(
        text="label:N"
    )
    return (
        (points + texts)
        .properties(width=400, height=alt.Step(26))
        .facet(
            row=alt.Row(
                "group:N",
                title=None,
                sort=groups,
                header=alt.Header(
                    labelAngle=0, labelOrient="top", labelAnchor="start", labelPadding=2
                ),
            ),
            spacing=10,
        )
        .resolve_scale(y="independent")
    )


def _status(rows: Sequence[Row], words: Mapping[str, str]) -> Any:
    """Show how many commitments have which status: a field of numbers, darker where more.

    Rows: ``domain``, ``status``, ``count``; both in the order in which they shall stand.
    ``words``: ``status`` and ``statuses`` (all of them in order, separated by line breaks).
    """
    import altair as alt

    order = words["statuses"].split("\n")
    most = max(row["count"] for row in rows)
    base = alt.Chart(_data(rows)).encode(
        x=alt.X(
            "status:N",
            title=None,
            sort=order,
            axis=alt.Axis(orient="top", labelAngle=-40, labelAlign="left", labelLimit=150),
        ),
        y=alt.Y("domain:N", title=None, sort=None),
    )
    fields = base.mark_rect(color=_BY_NAME["--chart-1"], cornerRadius=3).encode(
        opacity=alt.Opacity(
            "count:Q", legend=None, scale=alt.Scale(domain=[0, most], range=[0.08, 0.42])
        )
    )
    numbers = base.mark_text(fontSize=13, color=_BY_NAME["--chart-text"]).encode(text="count:Q")
    return (fields + numbers).properties(width=alt.Step(46), height=alt.Step(28))


def _milestones(rows: Sequence[Row], words: Mapping[str, str]) -> Any:
    """Show what is due when, and the day on which this was drawn.

    Rows: ``title``, ``day`` (ISO, the last day on which it is not late), ``label`` (the date in
    words), ``state`` (open, overdue, delivered, missed). ``words``: the four states, ``today`` and
    ``today_label``.
    """
    import altair as alt

    states = [state for state in _STATES if any(row["state"] == state for row in rows)]
    said = [{**row, "said": words[row["state"]]} for row in rows]
    days = [*(row["day"] for row in rows), words["today"]]
    first, last = (int(pick(days)[:4]) for pick in (min, max))
    legend = [words[state] for state in states]
    years = {"year": max(1, math.ceil((last - first + 3) / 8))}
    base = alt.Chart(_data(said)).encode(
        y=alt.Y("title:N", title=None, sort=None, axis=alt.Axis(grid=True)),
        x=alt.X(
            "day:T",
            title=None,
            scale=alt.Scale(
                domain=[
                    {"year": first, "month": 1, "date": 1},
                    {"year": last + max(2, (last - first) // 3), "month": 1, "date": 1},
                ]
            ),
            axis=alt.Axis(format="%Y", tickCount={"interval": "year", "step": years["year"]}),
        ),
    )
    points = base.mark_point(filled=True, size=120, opacity=1).encode(
        color=alt.Color(
            "said:N",
            scale=alt.Scale(domain=legend, range=[_BY_NAME[_STATES[state][0]] for state in states]),
        ),
        shape=alt.Shape(
            "said:N", scale=alt.Scale(domain=legend, range=[_STATES[state][1] for state in states])
        ),
    )
    texts = base.mark_text(align="left", dx=10, fontSize=13, color=_BY_NAME["--chart-text"]).encode(
        text="label:N"
    )
    now = alt.Chart(_data([{"day": words["today"], "label": words["today_label"]}])).encode(
        x="day:T"
    )
    rule = now.mark_rule(strokeDash=[4, 3], color=_BY_NAME["--chart-text"])
    flag = now.mark_text(
        align="left", dx=4, dy=-8, baseline="bottom", fontSize=12, color=_BY_NAME["--chart-text"]
    ).encode(text="label:N", y=alt.value(0))
    return (rule + flag + points + texts).properties(width=400, height=alt.Step(30))


CHARTS: Final[Mapping[str, Callable[[Sequence[Row], Mapping[str, str]], Any]]] = {
    "money": _money,
    "status": _status,
    "milestones": _milestones,
}


def main() -> None:
    """Draw what standard input asks for: ``[{"name", "rows", "words", "title", "description"}]``."""
    asked = json.load(sys.stdin)
    drawn = [
        draw(
            item["name"],
            item["rows"],
            item["words"],
            title=item["title"],
            description=item["description"],
        )
        for item in asked
    ]
    json.dump(drawn, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
