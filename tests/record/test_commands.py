"""``renkei record``: data on stdout, words on stderr, 0, 1 or 2 at the end."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from renkei.base.node import Nodes
from renkei.record import door, engine
from renkei.record.commands import EXPORTED, record
from renkei.record.models import Source, Total
from renkei.site import words


@pytest.fixture
def run(shipped, monkeypatch):
    """Call the commands on the node that the tests have entered."""
    entered = Path(os.environ["RENKEI_NODE"])
    nodes = Nodes(enter=lambda folder: None, named=entered)

    def call(*arguments):
        return CliRunner().invoke(record, [str(part) for part in arguments], obj=nodes)

    return call


def test_the_engine_knows_the_kinds_that_help_names():
    assert EXPORTED == engine.KINDS


def test_the_module_needs_no_django():
    program = "import sys; sys.modules['django'] = None; import renkei.record.commands"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "count"),
    [("commitments", 80), ("findings", 46), ("sources", 5), ("organisations", 93)],
)
def test_lists_count_everything(run, kind, count):
    told = json.loads(run("list", kind, "--limit", 3, "--json").stdout)
    assert (told["count"], len(told["items"])) == (count, 3)
    plain = run("list", kind, "--limit", 200)
    assert len(plain.stdout.splitlines()) == count
    assert plain.exit_code == 0


def test_lists_are_searched_chosen_and_said_in_a_language(run):
    told = json.loads(run("list", "--domain", "quantum", "--json", "--lang", "ja").stdout)
    assert {item["domain"] for item in told["items"]} == {"quantum"}
    assert told["items"][0]["labels"]["domain"]
    one = run("list", "organisations", "-q", "筑波", "--lang", "ja")
    assert one.stdout.split("\t") == ["tsukuba", "university", "JP", "筑波大学\n"]


def test_a_cut_list_says_so_beside_the_data(run):
    done = run("list", "--limit", 2)
    assert len(done.stdout.splitlines()) == 2
    assert "2 of 80" in done.stderr


@pytest.mark.parametrize("slug", ["s1-c01", "x01", "s1", "uw"])
def test_anything_is_shown_by_its_name(run, slug):
    assert json.loads(run("show", slug, "--json").stdout)["slug"] == slug
    plain = run("show", slug)
    assert plain.exit_code == 0, plain.exception
    assert plain.stdout.splitlines()[0] == f"slug\t{slug}"


def test_rival_claims_are_shown_with_their_places(run):
    door.add_claim(
        author=None, reason="rival", commitment="s1-c01", field="name", value="X", source="s2"
    )
    door.add_claim(
        author=None, reason="rival", commitment="s1-c01", field="name", value="Y", source="s3"
    )
    lines = run("show", "s1-c01").stdout.splitlines()
    assert "* name\tX\ts2:-" in lines
    assert "  name\tY\ts3:-" in lines
    assert any(line.startswith("* amount\t110000000 USD\ts1:881-893") for line in lines)


def test_what_is_not_there_is_refused(run):
    done = run("show", "nothing")
    assert isinstance(done.exception, door.UnknownSubjectError)
    assert "nothing" in words.say(done.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "secrets"],
        ["list", "--limit", "0"],
        ["list", "--lang", "fr"],
        ["list", "findings", "--domain", "ai"],
        ["export"],
        ["export", "folder", "--csv"],
        ["export", "--kind", "secrets"],
        ["attach"],
        ["show"],
    ],
)
def test_a_wrong_call_ends_with_two(run, arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""


def test_an_export_is_the_whole_record_again(run, tmp_path):
    folder = tmp_path / "mine"
    done = run("export", folder)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == len(engine.KINDS)
    package = engine.read_package(folder)
    assert {kind: list(door.export(kind)) for kind in engine.KINDS} == package
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

    again = run("export", folder)
    assert "is there already" in str(again.exception)


def test_one_kind_goes_to_standard_output(run):
    content = run("export", "--kind", "findings").stdout.encode()
    assert len(engine.parse("findings", content, name="stdout")) == 46


def test_commitments_as_a_table_hold_no_formulas(run):
    door.edit_commitment(
        author=None, reason="r", commitment="s1-c01", version=None, title_en="=1+1"
    )
    rows = list(csv.DictReader(io.StringIO(run("export", "--csv").stdout)))
    assert len(rows) == 80
    mine = next(row for row in rows if row["slug"] == "s1-c01")
    assert mine["title_en"] == "'=1+1"
    assert (mine["amount_value"], mine["amount_currency"]) == ("110000000", "USD")


def test_the_check_ends_with_one_when_a_sum_is_wrong(run):
    assert run("check").exit_code == 0
    Total.objects.filter(pk=Total.objects.first().pk).update(minor=1)
    wrong = run("check")
    assert wrong.exit_code == 1
    assert "kept 1, facts give" in wrong.stdout
    assert json.loads(run("check", "--json").stdout) == wrong.stdout.splitlines()


def test_documents_are_attached_by_their_hash(run, tmp_path):
    right, wrong, binary = (tmp_path / name for name in ("right.txt", "wrong.txt", "binary.txt"))
    right.write_text("the text of a source", "utf-8")
    wrong.write_text("another", "utf-8")
    binary.write_bytes(b"a\x00b")
    Source.objects.filter(slug="s4").update(sha256=engine.digest(right.read_bytes()))

    done = run("attach", "--json", right, wrong, binary, tmp_path / "missing.txt", tmp_path)

    rows = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [row["status"] for row in rows] == ["attached", *["refused"] * 4]
    assert rows[0] | {"file": ""} == {
        "node": "us",
        "file": "",
        "source": "s4",
        "status": "attached",
        "sha256": engine.digest(right.read_bytes()),
    }
    assert [row["code"] for row in rows[1:]] == [
        "record.unknown_document",
        "record.bad_document",
        "os.error",
        "os.error",
    ]
    assert door.text_of(Source.objects.get(slug="s4")) == "the text of a source"


def test_a_huge_file_is_refused_unread(run, tmp_path):
    """A sparse file of a gigabyte: reading it would take a gigabyte of memory."""
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as file:
        file.truncate(1 << 30)
    (row,) = json.loads(run("attach", "--json", huge).stdout)
    assert row["code"] == "record.bad_document"
    assert str(1 << 30) in row["detail"]
