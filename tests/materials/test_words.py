"""Figures as people read them, on pages and on the command line."""

import csv
from datetime import date
from importlib import resources

import pytest
from django.test import Client
from django.utils import translation

from renkei.materials import door, engine
from renkei.materials.commands import _lines
from renkei.materials.templatetags import materials as said


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (4.6e-06, "0.0000046"),
        (-0.00001234, "-0.000012"),
        (0.00236, "0.00236"),
        (57.91, "57.9"),
        (1234.5, "1,230"),
        (1.70478e9, "1,700,000,000"),
    ],
)
def test_no_figure_is_a_power_of_ten(value, text):
    assert said.figure(value) == text
    assert "e" not in _lines.figure(value)


@pytest.mark.parametrize(("rise", "text"), [(0.5, "+50 %"), (2.0, "+200 %"), (100.0, "+10,000 %")])
def test_a_rise_of_a_price_is_written_out(rise, text):
    assert said.rise(rise) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [("196.1433565869552", "196.1"), ("270,000", "270,000"), ("W", "W"), (">95", ">95")],
)
def test_what_a_file_made_of_floating_point_is_told_short(raw, text):
    assert said.printed(raw) == text


def test_every_note_and_unit_of_a_shipped_bill_is_in_japanese():
    file = resources.files("renkei.materials") / "data" / "components.csv"
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    notes = {row["note"] for row in rows} - {""}
    assert len(notes) > 20
    assert not [note for note in notes if engine.note_text(note, "ja") == note]
    with translation.override("ja"):
        for name in {row["unit"] for row in rows} - {"", "kg", "kg per kg"}:
            assert said.unit(name) != name


@pytest.mark.usefixtures("registry")
def test_a_products_page_has_no_english_notes():
    page = Client().get("/ja/materials/products/electric-car/").content.decode()
    assert "誘導モーターは磁石を使わない" in page
    assert "kg per car" not in page


@pytest.mark.usefixtures("registry")
def test_the_cascades_page_writes_out_counts_and_what_never_runs_out():
    row = door.disrupt(
        title="attack",
        kind="cyber_attack",
        firms=["F00001"],
        severity=0.5,
        days=20,
        starts_on=date(2027, 1, 1),
        is_public=True,
        now=True,
    )
    row.result["cascade"]["first_out_between"] = [10, None]
    row.save()
    page = Client().get(f"/en/materials/scenarios/{row.slug}/").content.decode()
    assert "5,000 firms and 40,000 links" in page
    assert "10 – not in this time" in page
