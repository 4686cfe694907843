"""The page about notebooks runs as it stands; what analysts may get wrong is refused in words."""

import math
import re
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from renkei.kit.errors import RenkeiError
from renkei.materials import engine

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "materials-in-a-notebook.md"


def test_every_example_of_the_page_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)

    assert len(blocks) == 5
    assert names["found"].leading_of_world == 270 / 390
    assert names["short"].worst("JPN").no_diversion > 0.5
    assert names["plan"].shortage.sum() < 60
    assert names["furthest"] < 1e-6
    assert names["one"].lost > 0 < names["other"].lost
    assert "qualify USA" in capsys.readouterr().out


BAN = {"kind": "export_ban", "start": date(2027, 1, 1), "countries": {"CHN"}}
YEAR = {"since": date(2027, 1, 1), "until": date(2028, 1, 1)}


def table(*trade):
    return engine.flow_table(material="cobalt", stages=["refine"], trade=trade)


FLOW = ("refine", "CHN", "JPN", 60.0)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: engine.concentration({"CHN": "W"}), "row 0: supply of CHN is W"),
        (lambda: engine.concentration({"CHN": 1.0, "USA": None}), "row 1: supply of USA is None"),
        (lambda: engine.concentration({"CHN": 1.0}, other="E"), "other countries is E"),
        (lambda: engine.hhi(np.array([0.5, 0.5])), r"the shape \(2,\)"),
        (lambda: engine.Disruption(**BAN | {"start": "2027-01-01"}), "expected a date such as"),
        (lambda: engine.Disruption(**BAN | {"start": datetime(2027, 1, 1)}), "expected a date"),  # noqa: DTZ001
        (lambda: engine.Disruption(**BAN, days=1.5), "days is 1.5: expected a whole number"),
        (lambda: engine.Disruption(**BAN, days=10**9), "from 1 to 36525"),
        (
            lambda: engine.who_is_short(
                table(FLOW), [engine.Disruption(**BAN)], since=YEAR["until"], until=YEAR["since"]
            ),
            "from 2028-01-01 to 2027-01-01: expected a day or more",
        ),
        (
            lambda: engine.who_is_short(table(), [engine.Disruption(**BAN)], **YEAR),
            "cobalt has no flow",
        ),
        (
            lambda: engine.who_is_short(
                table(FLOW), [engine.Disruption(**BAN)], **YEAR, stocks={"Japan": 1}
            ),
            "'Japan' is no country",
        ),
        (
            lambda: engine.network(
                supplier=[], buyer=[], weight=[], sector=[], essential=np.ones((1, 1), bool)
            ),
            "there are no firms",
        ),
        (lambda: engine.gate([math.nan, 1.0, 1.0]), "no finite number"),
    ],
)
def test_what_an_analyst_may_get_wrong_is_refused_in_words(call, says):
    """Never by an error of a library, and never by an answer."""
    with pytest.raises(RenkeiError, match=says):
        call()
