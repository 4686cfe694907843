"""The page about notebooks runs as it stands."""

import re
from pathlib import Path

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
