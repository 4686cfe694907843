"""What is known of the link, for pages, programs and the terminal."""

import time
from collections.abc import Callable
from typing import Any

from renkei.link.door._channel import Channel, as_send
from renkei.link.door._link import alarm_detail
from renkei.link.door._seal import node_sae
from renkei.link.door._store import Draw, levels, serve, stored
from renkei.link.models import Link, Sae

RUNS_SHOWN = 20
BENCH_KEYS = 128
BENCH_KEY_BYTES = 32


def summary(link: Link, *, runs: int = RUNS_SHOWN) -> dict[str, Any]:
    """Return how the link is: pools, counters, standing alarms, the last blocks."""
    link = Link.objects.get(pk=link.pk)
    level = levels(link)
    return {
        "node": link.own,
        "partner": link.partner,
        "source": "simulated" if link.simulated else "quantum",
        "keys_ready": stored(link, size=BENCH_KEY_BYTES),
        "own_bytes": level["own"],
        "peer_bytes": level["peer"],
        "held_bytes": level["held"],
        "tags_left": link.tags_left,
        "blocks": link.blocks.count(),
        "delivered": link.delivered,
        "counters": str(link.counters),
        "remembered": str(link.remembered),
        "heard_at": link.heard_at,
        "alarms": [
            alarm | {"detail": alarm_detail(alarm["detail"])}
            for alarm in link.alarms.filter(cleared_at=None)
            .order_by("-raised_at")
            .values("kind", "detail", "raised_at")
        ],
        "runs": list(
            link.runs.newest().values(
                "number",
                "finished_at",
                "simulated",
                "sifted_bits",
                "qber",
                "gain",
                "leak_bits",
                "key_bits",
                "seconds",
                "figures",
                "refused",
            )[:runs]
        ),
    }


def links() -> list[Link]:
    """Return this node's links."""
    from django.conf import settings

    return list(Link.objects.filter(own=settings.NODE.name).order_by("pk"))


def saes() -> list[dict[str, Any]]:
    """Return the applications of this node, by name."""
    return [
        {
            "name": row.name,
            "drawn": row.drawn,
            "quota_bytes_per_hour": row.quota_bytes_per_hour,
            "loopback": row.loopback,
            "state": "revoked" if row.revoked_at else "",
            "created_at": row.created_at,
        }
        for row in Sae.objects.exclude(serial="").order_by("name")
    ]


def measure_delivery(
    link: Link, channel: Channel, *, seconds: float, clock: Callable[[], float]
) -> dict[str, Any]:
    """Draw keys as fast as one caller can, each draw durable at both nodes; say how it went.

    The keys are drawn for the partner's node itself and are lost: this uses key up.
    """
    channel.ready()
    send = as_send(channel)
    times: list[float] = []
    begun, busy = clock(), time.process_time()
    while clock() - begun < seconds:
        draw = Draw(node_sae(link.own), (f"{link.partner}.node",), BENCH_KEY_BYTES, BENCH_KEYS)
        at = clock()
        serve(link, [draw], send)
        if not isinstance(draw.result, list):
            break
        times.append(clock() - at)
    spent, busy = clock() - begun, time.process_time() - busy
    if not times:
        return {"draws": 0, "why": str(draw.result)}
    times.sort()
    return {
        "draws": len(times),
        "keys_a_draw": BENCH_KEYS,
        "keys_per_second": round(len(times) * BENCH_KEYS / spent),
        "keys_per_cpu_second_here": round(len(times) * BENCH_KEYS / busy),
        "median_ms": round(times[len(times) // 2] * 1e3, 2),
        "p99_ms": round(times[min(len(times) - 1, len(times) * 99 // 100)] * 1e3, 2),
    }
