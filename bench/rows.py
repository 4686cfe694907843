"""The rows that benchmarks print and keep in ``bench/out/<room>.json``."""

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
OUT = HOME / "bench" / "out"

Row = dict[str, Any]


def machine() -> str:
    """Name the processor, its cores, memory, load and system."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {gib:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}"
    )


def row(
    task: str,
    value: float,
    unit: str,
    target: str = "",
    *,
    peer: str = "",
    peer_value: float | None = None,
    ratio: float | None = None,
    limit: str = "",
    limit_value: float | None = None,
    note: str = "",
) -> Row:
    """Return one row; ``ratio`` is ours to the peer's, or to the limit's where there is no peer."""
    return {
        "task": task,
        "value": _rounded(value),
        "unit": unit,
        "target": target,
        "peer": peer,
        "peer_value": _rounded(peer_value),
        "ratio": _rounded(ratio),
        "limit": limit,
        "limit_value": _rounded(limit_value),
        "machine": machine(),
        "note": note,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def keep(room: str, rows: Iterable[Row]) -> None:
    """Print rows as they come, and put them in the room's file instead of older ones of the task."""
    file = OUT / f"{room}.json"
    file.parent.mkdir(exist_ok=True)
    for new in rows:
        print(f"{new['task']}: {new['value']} {new['unit']}", flush=True)
        kept = json.loads(file.read_text("utf-8")) if file.exists() else []
        kept = [old for old in kept if old["task"] != new["task"]]
        text = json.dumps([*kept, new], indent=1, ensure_ascii=False)
        file.write_text(f"{text}\n", "utf-8")
