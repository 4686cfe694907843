"""Places and drawings."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renkei.materials import engine
from renkei.materials.engine import _drawing


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("JPN", "JPN"),
        ("Japan", "JPN"),
        ("jp", "JPN"),
        ("Congo (Kinshasa)", "COD"),
        ("Burma", "MMR"),
        ("Korea, Republic of", "KOR"),
        ("World total", "WLD"),
        ("842", "USA"),
        ("156", "CHN"),
        ("Atlantis", None),
        ("", None),
    ],
)
def test_places_by_any_name(text, code):
    assert engine.place_code(text) == code


def test_every_place_has_both_names():
    assert all(one.name_en and one.name_ja for one in engine.places().values())
    assert engine.place_name("COD", "ja") == "コンゴ民主共和国"


def drawn(text):
    assert "style=" not in text
    assert "<script" not in text
    return ET.fromstring(text)


def test_a_map_names_its_flows_and_escapes_what_it_is_told():
    svg = engine.world_map(
        "m",
        shares={"CHN": 0.7, "JPN": 0.05},
        arcs=[
            engine.Arc("CHN", "JPN", 5),
            engine.Arc("CHN", "XXX", 9),
            engine.Arc("CHN", "USA", 1, is_lost=True),
        ],
        labels={"CHN": "<b>China & co"},
        title="a < b",
        description="d",
    )
    root = drawn(svg)
    assert root.find("{http://www.w3.org/2000/svg}title").text == "a < b"
    dashed = [one for one in root.iter() if one.get("stroke-dasharray")]
    assert len(dashed) == 1


def test_lines_and_bars():
    drawn(
        engine.lines(
            "l",
            [
                engine.Line("one", [(0, 1), (1, 2)], [(0, 0.5, 1.5), (1, 1, 3)]),
                engine.Line("two", [(0, 1)]),
            ],
            title="t",
            description="d",
            unit="u",
            marks=[(0.5, "now")],
        )
    )
    drawn(
        engine.bars(
            "b", [engine.Bar("x", 1, "1", 2), engine.Bar("y", 0, "0")], title="t", description="d"
        )
    )
    drawn(engine.bars("b", [], title="t", description="d"))


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_ticks_cover_the_interval(low, width):
    found = _drawing.ticks(low, low + width)
    assert found[0] <= low + 1e-6 * max(1, abs(low))
    assert found[-1] >= (low + width) - 1e-6 * max(1, abs(low + width))
    assert len(found) <= 10
