"""What the pages draw: curves, a short history, the route, and what authorities say of the method."""

import json
import math
from pathlib import Path
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from renkei.link import engine
from renkei.link.door._link import cache_folder
from renkei.link.models import Link

CURVES_FILE = "link-curves.json"
DISTANCES_KM: Final = tuple(range(0, 301, 10))
BLOCKS: Final = (1_000_000, 10_000_000, 1_000_000_000)
WIDTH, HEIGHT = 640, 300
LEFT, BOTTOM = 70, 40
FARTHEST_KM = 300.0
LEAST_DECADE, MOST_DECADE = 0, 10  # of bit/s
HISTORY = 40
SPARK_WIDTH, SPARK_HEIGHT = 240, 48
MOST_QBER = 0.3
COLOURS = ("--chart-1", "--chart-2", "--chart-3")

AUTHORITIES: Final = (
    (
        _("United States: National Security Agency"),
        _(
            "Does not recommend it for National Security Systems unless its limitations are overcome: "
            "no authentication of the source, special equipment, trusted relays, the validation of "
            "implementations, denial of service."
        ),
        "https://www.nsa.gov/Cybersecurity/Quantum-Key-Distribution-QKD-and-Quantum-Cryptography-QC/",
    ),
    (
        _("United Kingdom: National Cyber Security Centre"),
        _(
            "Will not support it for government or military applications; others should not rely on "
            "it alone."
        ),
        "https://www.ncsc.gov.uk/paper/quantum-networking-technologies",
    ),
    (
        _("France: ANSSI"),
        _("A few niche uses; post-quantum cryptography is by far the preferred way."),
        "https://cyber.gouv.fr/en/publications/should-quantum-key-distribution-be-used-secure-communications",
    ),
    (
        _("Germany: BSI, with France, the Netherlands and Sweden"),
        _("A joint position: niche uses alone; post-quantum cryptography comes first."),
        "https://www.bsi.bund.de/SharedDocs/Downloads/EN/BSI/Crypto/Quantum_Positionspapier.html",
    ),
    (
        _("Japan: Ministry of Internal Affairs and Communications, and NICT"),
        _(
            "Have run the Tokyo QKD network since 2010 and plan it by satellite; diplomacy is a named "
            "use."
        ),
        "https://www.soumu.go.jp/johotsusintokei/whitepaper/ja/r07/text/nd212330.txt",
    ),
)


def write_curves() -> None:
    """Compute the curves and keep them: in a child that has loaded the engine anyway."""
    file = _curves_file()
    if file.exists():
        return
    fibre: dict[str, Any] = {"pulse_hz": 1e9}
    protocol = engine.Protocol()
    said: dict[str, Any] = {"plob": [], "rates": {}}
    for km in DISTANCES_KM:
        line = engine.Fibre(distance_km=float(km), **fibre)
        if km:
            said["plob"].append([km, engine.plob(line.loss_db) * line.pulse_hz])
        for matched in BLOCKS:
            rate = engine.secret_rate(protocol, line, matched=float(matched))
            said["rates"].setdefault(str(matched), []).append([km, rate.bits_per_second])
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(said), "ascii")
    temporary.replace(file)


def rates() -> dict[str, Any]:
    """Return secret bits a second by distance, and the bound of physics; empty before the first run."""
    try:
        return dict(json.loads(_curves_file().read_text("ascii")))
    except (OSError, ValueError):
        return {}


def _curves_file() -> Path:
    return cache_folder() / CURVES_FILE


def curves() -> dict[str, Any] | None:
    """Return the curves as lines on a drawing of 640 by 300, or ``None`` before they were computed."""
    said = rates()
    if not said:
        return None
    lines = [
        {
            "exponent": round(math.log10(int(matched))),
            "colour": f"var({COLOURS[at % len(COLOURS)]})",
            "points": _points(rows),
            "last": max((km for km, rate in rows if rate >= 1), default=0),
        }
        for at, (matched, rows) in enumerate(said["rates"].items())
    ]
    return {
        "plob": _points(said["plob"]),
        "lines": lines,
        "x": [{"at": round(_x(km), 1), "said": km} for km in range(0, int(FARTHEST_KM) + 1, 50)],
        "y": [
            {"at": round(_y(10.0**power), 1), "exponent": power}
            for power in range(LEAST_DECADE, MOST_DECADE + 1, 2)
        ],
        "rows": [
            {
                "km": km,
                "plob": dict(map(tuple, said["plob"])).get(km),
                "rates": [dict(map(tuple, rows)).get(km, 0.0) for rows in said["rates"].values()],
            }
            for km in range(0, int(FARTHEST_KM) + 1, 50)
        ],
    }


def _x(km: float) -> float:
    return LEFT + (WIDTH - LEFT - 10) * km / FARTHEST_KM


def _y(rate: float) -> float:
    decades = math.log10(rate) - LEAST_DECADE
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 10) * decades / (MOST_DECADE - LEAST_DECADE)


def _points(rows: list[list[float]]) -> str:
    return " ".join(f"{_x(km):.1f},{_y(rate):.1f}" for km, rate in rows if rate >= 1)


def history(link: Link) -> dict[str, Any]:
    """Return error rate and key length of the last blocks as lines on a drawing of 240 by 48."""
    rows = list(link.runs.newest().values_list("qber", "key_bits", "refused")[:HISTORY])[::-1]
    step = SPARK_WIDTH / max(1, len(rows) - 1)
    most = max((bits for _qber, bits, _refused in rows), default=0) or 1
    return {
        "qber": " ".join(
            f"{at * step:.1f},{SPARK_HEIGHT * (1 - min(qber, MOST_QBER) / MOST_QBER):.1f}"
            for at, (qber, _bits, _refused) in enumerate(rows)
            if qber is not None
        ),
        "bits": " ".join(
            f"{at * step:.1f},{SPARK_HEIGHT * (1 - bits / most):.1f}"
            for at, (_qber, bits, _refused) in enumerate(rows)
        ),
        "count": len(rows),
    }
