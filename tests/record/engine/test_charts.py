"""Charts: every row is drawn, labels have glyphs, and nothing in the drawing needs a style."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import polib
import pytest
from fontTools.ttLib import TTFont

from renkei.record.engine import _charts as charts

SVG = "{http://www.w3.org/2000/svg}"
MONEY = [
    {
        "group": "公的資金（米ドル）",
        "line": "5G・デジタル：日本",
        "stage": "発表額",
        "value": 2e9,
        "label": "20億米ドル",
    },
    {
        "group": "民間寄附金（米ドル）",
        "line": "人工知能：共同",
        "stage": "予算措置額",
        "value": 1.1e8,
        "label": "1億1,000万米ドル",
    },
]
STATUS = [
    {"domain": "量子技術", "status": "署名済み", "count": 4},
    {"domain": "人工知能", "status": "発表済み", "count": 14},
]
MILESTONES = [
    {"title": "試作機", "day": "2027-12-31", "label": "2027年", "state": "open"},
    {"title": "全面稼働", "day": "2025-12-31", "label": "2025年", "state": "overdue"},
]
ORDERS = {
    "money": (
        MONEY,
        {"value": "金額", **{f"tick:{power}": f"10の{power}乗" for power in range(19)}},
    ),
    "status": (STATUS, {"statuses": "発表済み\n署名済み"}),
    "milestones": (
        MILESTONES,
        {
            "open": "期限前",
            "overdue": "期限超過",
            "delivered": "達成",
            "missed": "未達",
            "today": "2026-11-22",
            "today_label": "2026年11月22日作成",
        },
    ),
}


@pytest.fixture(scope="module")
def drawn():
    """All charts, drawn as the node draws them: in a process of its own."""
    asked = [
        {"name": name, "rows": rows, "words": words, "title": f"{name}の題", "description": "説明"}
        for name, (rows, words) in ORDERS.items()
    ]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "renkei.record.engine._charts"],
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=True,
    )
    return dict(zip(ORDERS, json.loads(done.stdout), strict=True))


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_every_row_is_drawn_with_its_words(drawn):
    for row in MONEY:
        assert {row["group"], row["line"], row["label"], row["stage"]} <= set(texts(drawn["money"]))
    for row in STATUS:
        assert {row["domain"], row["status"], str(row["count"])} <= set(texts(drawn["status"]))
    for row in MILESTONES:
        assert {row["title"], row["label"]} <= set(texts(drawn["milestones"]))
    assert "2026年11月22日作成" in texts(drawn["milestones"])


def test_sums_are_never_stacked():
    """Every mark of money stands on its own: no stack, no aggregate, no shared bar."""
    described = json.dumps(charts.specification("money", *ORDERS["money"]))
    assert '"bar"' not in described
    assert '"aggregate"' not in described
    assert '"stack"' not in described


@pytest.mark.parametrize("name", list(ORDERS))
def test_a_drawing_takes_colours_from_the_page_and_needs_no_style(drawn, name):
    svg = drawn[name]
    root = ET.fromstring(svg)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) not in {"style", "script", "foreignObject", "image"}
        for key, value in element.attrib.items():
            assert key != "style"
            assert not key.startswith("on")
            assert "http" not in value
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg)) - {"none", "transparent"}
    assert colours
    assert all(colour.startswith("var(--") for colour in colours), colours
    families = set(re.findall(r'font-family="([^"]+)"', svg))
    assert families == {charts.PAGE_FONTS}


@pytest.mark.parametrize("name", list(ORDERS))
def test_a_drawing_has_a_name_for_who_does_not_see_it(drawn, name):
    root = ET.fromstring(drawn[name])
    assert root.get("role") == "img"
    by_id = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    assert by_id[root.get("aria-labelledby")] == f"{name}の題"
    assert by_id[root.get("aria-describedby")] == "説明"


def test_drawings_can_stand_on_one_page(drawn):
    ids = [
        element.get("id")
        for svg in drawn.values()
        for element in ET.fromstring(svg).iter()
        if element.get("id")
    ]
    assert len(ids) == len(set(ids))


def _japanese_labels():
    """Everything Japanese that can stand in a chart: the room's whole catalogue."""
    from importlib import resources

    file = resources.files("renkei.record") / "locale/ja/LC_MESSAGES/django.po"
    return "".join(
        text
        for entry in polib.pofile(str(file))
        for text in (entry.msgstr, *entry.msgstr_plural.values())
    )


def test_the_fonts_have_a_glyph_for_every_character():
    files = charts.font_files()
    assert len(files) == 2  # regular and bold
    wanted = {ord(char) for char in _japanese_labels() + json.dumps(ORDERS, ensure_ascii=False)}
    wanted -= {0x0A, 0x09}
    assert len(wanted) > 300
    for file in files:
        with TTFont(file, lazy=True) as font:
            assert wanted <= set(font.getBestCmap()), file


def test_a_japanese_label_is_not_drawn_as_empty_boxes():
    """A character that no font has gives the box; ours must give something else."""
    import vl_convert

    for file in charts.font_files():
        vl_convert.register_font_directory(str(file.parent))

    def picture(text):
        return vl_convert.svg_to_png(
            '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="40">'
            f'<text x="5" y="30" font-size="24" font-family="{charts.FONT_FAMILY}">{text}</text></svg>'
        )

    unassigned = "\U000e0fff\U000e0ffe"  # plane 14, assigned to nothing
    assert picture("量子") not in {picture(unassigned), picture("")}
    assert picture("量子") != picture("資金")


def test_the_package_does_not_load_the_drawing_engine():
    """An idle node must not carry a JavaScript engine."""
    program = (
        "import sys, renkei.record.engine; "
        "assert not {'altair', 'vl_convert'} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
