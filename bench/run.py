"""``make bench [ROOM=x]``: run every ``bench/<room>/bench_*.py`` and print what they measured.

A benchmark appends rows to ``bench/out/<room>.json``; a row with a target that was missed is
marked. Whether more or less is better is written in the target: ``<= 150`` or ``>= 0.5``; a bare
number is a most.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
OUT = HOME / "out"
COLUMNS = ("task", "value", "unit", "target", "peer", "peer_value", "ratio", "limit", "limit_value")
TARGET = re.compile(r"\s*(<=|>=|<|>|≤|≥)?\s*([0-9.eE+-]+)")


def missed(row: dict[str, object]) -> bool:
    """Tell whether a row has a target and does not meet it."""
    target, value = row.get("target"), row.get("value")
    if target in (None, ""):
        return False
    found = TARGET.match(str(target))
    if found is None:
        raise ValueError(f"the target {target!r} says neither a least nor a most")
    if not isinstance(value, int | float):
        return True  # nothing was measured
    wanted = float(found[2])
    match found[1]:
        case ">=" | "≥":
            return value < wanted
        case ">":
            return value <= wanted
        case "<":
            return value >= wanted
        case _:
            return value > wanted


def shown(value: object) -> str:
    """Return a cell."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(rows: list[dict[str, object]]) -> str:
    """Return the rows in columns, marked where a target was missed."""
    lines: list[tuple[str, ...]] = [("", *COLUMNS)]
    lines += [
        ("MISSED" if missed(row) else "", *(shown(row.get(name)) for name in COLUMNS))
        for row in rows
    ]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(wanted: list[str]) -> int:
    """Run the rooms asked for, or all."""
    rooms = sorted({file.parent.name for file in HOME.glob("*/bench_*.py")})
    if unknown := set(wanted) - set(rooms):
        print(
            f"no benchmarks for {', '.join(unknown)}; there are: {', '.join(rooms)}",
            file=sys.stderr,
        )
        return 2
    OUT.mkdir(exist_ok=True)
    status = 0
    for room in wanted or rooms:
        result = OUT / f"{room}.json"
        result.unlink(missing_ok=True)  # the table shows this run alone
        for file in sorted((HOME / room).glob("bench_*.py")):
            print(f"== {file.relative_to(HOME.parent)}", file=sys.stderr, flush=True)
            module = f"bench.{room}.{file.stem}"
            if subprocess.run(
                [sys.executable, "-m", module], cwd=HOME.parent, check=False
            ).returncode:
                print(f"{file.name} failed", file=sys.stderr)
                status = 1
        rows = json.loads(result.read_text("utf-8")) if result.exists() else []
        print(f"\n{room}\n{table(rows)}")
        status |= any(map(missed, rows))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
