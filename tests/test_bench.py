"""The table of the benchmarks marks what misses its target."""

import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location(
    "bench_run", Path(__file__).parent.parent / "bench" / "run.py"
)
assert _spec is not None
assert _spec.loader is not None
run = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(run)


@pytest.mark.parametrize(
    ("value", "target", "is_missed"),
    [
        (150, "<= 150", False), (151, "<= 150", True), (151, 150, True), (1, None, False),
        (1, "", False), (0.5, ">= 0.5", False), (0.4, ">= 0.5", True), (5, "< 5", True),
        (5, "> 5", True), (None, "<= 1", True), (2, "≤ 1 ms", True), (0.1, "≥ 1e-1", False),
    ],
)  # fmt: skip
def test_a_missed_target_is_marked(value: object, target: object, is_missed: bool) -> None:
    row = {"task": "page", "value": value, "unit": "ms", "target": target}

    assert run.missed(row) is is_missed
    assert ("MISSED" in run.table([row])) is is_missed


def test_a_target_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="neither a least nor a most"):
        run.missed({"task": "sums that differ", "value": 1, "target": "= 0"})
