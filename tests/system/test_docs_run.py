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
