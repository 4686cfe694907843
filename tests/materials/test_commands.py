"""``renkei materials``: nothing that was said is passed over in silence."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from renkei.base.node import Nodes
from renkei.materials.commands import materials

CREDIT = "clean_vehicle_credit"


@pytest.fixture
def run(registry):
    """Call the commands on the node that the tests have entered."""
    nodes = Nodes(enter=lambda folder: None, named=Path(os.environ["RENKEI_NODE"]))

    def call(*arguments):
        return CliRunner().invoke(materials, [str(part) for part in arguments], obj=nodes)

    return call


def test_alarms_are_told_with_how_often_they_mean_nothing(run):
    """A rate, what it is of, and the codes that it was measured on; no percentage of three events."""
    done = run("alarms", "--lang", "en")
    basis = [line for line in done.stdout.splitlines() if line.startswith("# ")]
    assert basis[0] == (
        "# Level: 0 false alarms in 11.5 years of series (0 a year and series); found in 1 of 3 "
        "series with a dated event"
    )
    assert "250410, 380110, 811292: too few for a percentage" in done.stdout
    assert "%" not in done.stdout
    assert "誤警報" in run("alarms", "--lang", "ja").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("risk", "--method", "eu", "--country", "JPN"), "expected MATERIAL"),
        (("risk", "cobalt", "--recycling", "0.1"), "are for --method eu"),
        (("rules", "--on", "2024-01-01"), "need a PROGRAMME"),
        (("rules", CREDIT, "--fact", "component_share"), "expected NAME:TEXT"),
        (
            ("rules", CREDIT, "--fact", "component_share:0.5", "--fact", "component_share:0.7"),
            "component_share is said twice",
        ),
        (("disrupt", "cobalt", "--assume", "fair_gap=0.1-0.2-0.3"), "expected NAME=LOW-HIGH"),
        (("disrupt", "cobalt", "--assume", "spare=0-1", "--assume", "spare=0-0.1"), "said twice"),
        (
            ("disrupt", "cobalt", "--assume", "stock_days=3", "--assume", "stock_days:JPN=1-2"),
            "expected NAME=LOW-HIGH",
        ),
        (
            ("disrupt", "cobalt", "--assume", "stock_days:JPN=1-2", "--assume", "stock_days=3"),
            "said twice",
        ),
    ],
)
def test_words_that_do_not_go_together_are_refused(run, words, says):
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr


def test_figures_of_one_country_say_whose_they_are(run):
    """Reliance and published stocks are those of the United States, on every node."""
    said = run("show", "gallium").stdout
    assert "USA net import reliance 2025\t100 %" in said
    assert "USA stocks last without CHN, by origin\t66 days" in said


def test_an_empty_answer_says_why(run):
    none = run("risk", "gallium", "--country", "Japan")
    assert "JPN has no score for gallium" in str(none.exception)
    assert "No trade of this country" in run("risk", "--country", "PCN", "--lang", "en").stderr


def test_a_ranking_is_of_the_stage_that_was_asked_for(run):
    mined = run("risk", "--country", "Japan", "--stage", "mine", "--limit", "100").stdout
    assert "natural_graphite\t250490" in mined
    assert "720293" not in mined


def test_an_answer_and_its_plan_are_told_in_the_readers_language(run):
    ban = (
        "disrupt",
        "rare_earths",
        "--from",
        "CHN",
        "--to",
        "JPN",
        "--to",
        "USA",
        "--title",
        "Ban",
    )
    told = run(*ban, "--lang", "ja")
    assert "転換なし 0." in told.stdout
    assert "在庫が尽きるまでの日数（転換なし）: " in told.stdout
    plan = run("respond", told.stderr.strip(), "--lang", "ja").stdout.splitlines()
    assert plan[0].split("\t")[:3] == ["順位", "措置", "鉱物"]
    assert all("missing" not in line and "nobody" not in line for line in plan)
    same = run("respond", told.stderr.strip(), "--lang", "en").stdout.splitlines()
    assert len(same) == len(plan)
    assert same[0].startswith("rank\tmeasure\tmaterial")


def test_the_smallest_words_are_in_the_readers_language_too(run):
    assert "日" in run("show", "gallium", "--lang", "ja").stdout.splitlines()[-1]
    judged = run(
        "rules", CREDIT, "--on", "2026-01-01", "--hypothetical", "--lang", "ja"
    ).stdout.splitlines()
    assert "(仮定)" in judged[0]
