"""``renkei border``: agreements on the command line."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.border.agreements import changed, genome
from tests.site.command import renkei

from renkei.base.node import Nodes
from renkei.border import door, engine
from renkei.border.commands import border
from renkei.border.commands._agreements import ACTIONS
from renkei.border.models import AgreementVersion, Decision

ASK = ["alice@lab.example", "read", "urn:jp:genome-17", "--party", "US", "--purpose", "teaching"]


@pytest.fixture
def run(db):
    """Call the commands on the node that the tests have entered."""
    nodes = Nodes(enter=lambda folder: None, named=Path(os.environ["RENKEI_NODE"]))

    def call(*arguments, given=None):
        asked = [str(part) for part in arguments]
        return CliRunner().invoke(border, asked, obj=nodes, input=given)

    return call


@pytest.fixture
def adopted(db):
    return door.adopt_agreement(genome(), act="act-1")


def test_the_engine_knows_the_actions_that_help_names():
    assert ACTIONS == engine.ACTIONS


def test_the_module_needs_no_django():
    program = "import sys; sys.modules['django'] = None; import renkei.border.commands"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_list_and_show(run, adopted):
    listed = run("agreements").stdout.split("\t")
    assert listed[:4] == ["genome", "1", "in_force", "JP > US,KR"]
    assert json.loads(run("agreements", "--json").stdout)[0]["hash"] == adopted.digest
    shown = run("agreements", "genome", "--lang", "ja")
    assert "疾患研究のためのゲノムデータ" in shown.stdout
    assert adopted.clauses.first().hash_ja in shown.stdout
    one = json.loads(run("agreements", "genome", "--json").stdout)
    assert engine.document_hash(one["document"]) == adopted.digest


def test_decide(run, adopted):
    allowed = run("decide", *ASK)
    assert (allowed.exit_code, allowed.stdout) == (0, "allow\n")
    assert "clause c1 of urn:renkei:agreement:genome permits read" in allowed.stderr
    denied = run("decide", *ASK[:-1], "product", "--json")
    told = json.loads(denied.stdout)
    assert (denied.exit_code, told["allow"], told["clause"]) == (1, False, "p1")
    assert [step["clause"] for step in told["trace"]] == ["p1"]
    assert Decision.objects.count() == 2
    dry = run("decide", *ASK, "--dry-run", "--json")
    assert (dry.exit_code, json.loads(dry.stdout)["allow"]) == (0, True)
    assert Decision.objects.count() == 2
    assert run("decide", "alice", "sell", "x").exit_code == 2


def test_draft_and_simulate(run, adopted, tmp_path):
    run("decide", *ASK)
    draft = changed(genome(), ["permission", 0, "constraint", 0, "rightOperand"], ["screening"])
    file = tmp_path / "draft.json"
    file.write_text(json.dumps(draft | {"version": 2}), "utf-8")

    told = run("simulate", file).stdout.splitlines()
    assert told[:4] == ["replayed\t1", "unchanged\t0", "allowed_before\t1", "allowed_after\t0"]
    assert told[4].startswith("loses\talice@lab.example\tUS\tread\turn:jp:genome-17\t1\t")
    piped = run("simulate", "-", "--json", given=file.read_bytes())
    assert json.loads(piped.stdout)["loses"][0]["times"] == 1
    made = run("draft", file)
    assert made.stdout.split("\t")[:2] == ["genome", "2"]
    assert AgreementVersion.objects.get(state="draft").number == 2


def test_refusals_of_the_whole_program(tmp_path):
    """The words, the code and the end of the process, on a node of its own."""
    folder = tmp_path / "jp"
    founded = renkei("node", "init", folder, "--name", "jp", "--party", "JP")
    assert founded.returncode == 0, founded.stderr
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(changed(genome(), ["permission", 0, "action"], "sell")), "utf-8")

    refused = renkei("border", "draft", bad, "--node", folder, "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stderr)["code"] == "border.unknown_term"
    said = renkei("border", "draft", bad, "--node", folder, RENKEI_LANG="ja")
    assert "操作" in said.stderr
    denied = renkei("border", "decide", *ASK, "--node", folder)
    assert (denied.returncode, denied.stdout) == (1, "deny\n")
    assert "no agreement in force is about urn:jp:genome-17" in denied.stderr

    adopt = (
        "import json,sys; from pathlib import Path; from renkei.site import node; "
        f"node.enter(Path({str(folder)!r})); from renkei.border import door; "
        "door.adopt_agreement(json.load(sys.stdin), act='act-1')"
    )
    subprocess.run(
        [sys.executable, "-c", adopt], input=json.dumps(genome()), text=True, check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith(("RENKEI", "DJANGO", "DATABASE"))},
    )  # fmt: skip
    export = [
        "border", "decide", "alice@lab.example", "export", "urn:jp:genome-17", "--party", "US",
        "--purpose", "teaching", "--spatial", "US", "--classification", "public", "--node", folder,
    ]  # fmt: skip
    # Two askers at once never take the last use both: three of five are allowed.
    with ThreadPoolExecutor(5) as pool:
        codes = list(pool.map(lambda _: renkei(*export).returncode, range(5)))
    assert sorted(codes) == [0, 0, 0, 1, 1]
