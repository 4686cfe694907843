"""The how-to pages are followed: each of their commands is run, in order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs" / "how-to"
pytestmark = pytest.mark.system


def _commands(page):
    blocks = re.findall(r"```console\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    found = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    assert found
    return found


def _run(command, folder):
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DJANGO_SETTINGS_MODULE", "RENKEI_NODE", "DATABASE_URL"}
    }
    words = shlex.split(command)
    assert words[0] == "renkei"
    return subprocess.run(
        [sys.executable, "-m", "renkei.site.cli", *words[1:]],
        cwd=folder,
        env=environment | {"RENKEI_LANG": "en"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _follow(page, folder):
    for command in _commands(page):
        done = _run(command, folder)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_the_page_about_nodes(tmp_path):
    _follow("node.md", tmp_path)


def test_the_page_about_the_record(tmp_path):
    (tmp_path / "var").mkdir()
    founded = _run("renkei node init var/us --name us --party US", tmp_path)
    assert founded.returncode == 0, founded.stderr
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import django; django.setup(); from renkei.record import door; door.ensure_shipped()",
        ],
        cwd=tmp_path,
        env=os.environ
        | {"RENKEI_NODE": "var/us", "DJANGO_SETTINGS_MODULE": "renkei.site.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.returncode == 0, loaded.stderr
    _follow("record.md", tmp_path)
    assert (tmp_path / "my-record" / "commitments.json").is_file()


def test_the_page_about_the_border(tmp_path):
    _follow("border.md", tmp_path)


def test_the_page_about_materials(tmp_path):
    (tmp_path / "var").mkdir()
    founded = _run("renkei node init var/us --name us --party US", tmp_path)
    assert founded.returncode == 0, founded.stderr
    page = (DOCS / "materials.md").read_text("utf-8")
    for name, begins in (
        ("supply.json", "json\n"),
        ("stocks.csv", "text\n(?=owner,)"),
        ("japan.csv", "text\n(?=Exp or Imp,)"),
        ("census.json", r"json\n(?=\[\[)"),
    ):
        text = re.search(rf"```{begins}(.*?)```", page, re.DOTALL)[1]
        (tmp_path / name).write_text(text, "utf-8")
    _follow("materials.md", tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "CountryShortage" in done.stdout


def test_the_page_about_agreements(tmp_path):
    """The draft on the page is kept, adopted as a sealed act would do it, and asked."""
    (tmp_path / "var").mkdir()
    founded = _run("renkei node init var/jp --name jp --party JP", tmp_path)
    assert founded.returncode == 0, founded.stderr
    page = (DOCS / "agreements.md").read_text("utf-8")
    document = re.search(r"```json\n(.*?)```", page, re.DOTALL)[1]
    (tmp_path / "agreement.json").write_text(document, "utf-8")
    for command in _commands("agreements.md"):
        if command.startswith("renkei border decide"):
            _adopt(tmp_path)
        done = _run(command, tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    refused = _run("renkei border decide eve export urn:jp:soil-3 --party US", tmp_path)
    assert refused.returncode == 1
    said = re.search(r"```text\n(deny\n.*?)```", page, re.DOTALL)[1]
    assert refused.stdout + refused.stderr.splitlines()[0] + "\n" == said


def _adopt(folder):
    program = (
        "import django, json; django.setup(); from renkei.border import door, engine; "
        "draft = json.load(open('agreement.json', encoding='utf-8')); "
        "door.adopt_agreement(engine.complete(draft), act='act-1')"
    )
    environment = {"RENKEI_NODE": "var/jp", "DJANGO_SETTINGS_MODULE": "renkei.site.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
