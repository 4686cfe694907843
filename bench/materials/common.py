"""The rows of ``bench/out/materials.json`` and the machine they were measured on."""

import json
import os
import platform
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[1] / "out" / "materials.json"


def machine() -> str:
    """Name the processor, its cores, memory and system."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    python = platform.python_version()
    return f"{model}, {os.cpu_count()} cores, {gib:.0f} GiB, {platform.system()}, Python {python}"


def row(
    task: str,
    value: float,
    unit: str,
    target: str,
    *,
    peer: str = "",
    peer_value: float | None = None,
    ratio: float | None = None,
    limit: str = "",
    limit_value: float | None = None,
    note: str = "",
) -> dict[str, Any]:
    """Return one row; ``ratio`` is ours to the peer's, or to the limit's where there is no peer."""
    return {
        "room": "materials",
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


def write(rows: list[dict[str, Any]]) -> None:
    """Append rows to the file, instead of older ones of the same task."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else []
    new = {item["task"] for item in rows}
    kept = [item for item in kept if item["task"] not in new] + rows
    FILE.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    for item in rows:
        print(f"{item['task']}: {item['value']} {item['unit']}")
