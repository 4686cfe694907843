"""Key over trusted nodes: one hop after another under one-time pads, over paths that share nothing.

Every node of a path sees the key that goes over it. With shares over two or more paths that meet
nowhere but at the ends, all paths together are needed: one node that betrays learns nothing.
Which links there are and what they hold is the caller's; here are choice of paths and bytes.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.link.engine._rest import ONE_TIME_KEY_BYTES, one_time_tag

TAG_BYTES = 16


class NoRouteError(RenkeiError):
    """There are not so many paths between two nodes that share no node."""

    code = "link.no_route"
    status = 503


class TamperedError(RenkeiError):
    """What came over a hop was changed."""

    code = "link.tampered"


@dataclass(frozen=True)
class Hop:
    """What is sent from one node to the next: the share under that hop's pad, and its tag."""

    text: bytes
    tag: bytes


def hop_key_bytes(length: int) -> int:
    """Return how much key of a hop a share of ``length`` bytes uses up."""
    return length + ONE_TIME_KEY_BYTES


def send_hop(share: bytes, key: bytes, *, about: bytes) -> Hop:
    """Wrap a share for the next node; ``key`` is that hop's and is never used again.

    Args:
        share: what goes over the hop.
        key: ``hop_key_bytes(len(share))`` bytes.
        about: what both ends of the hop know alike (route, number); bound by the tag.
    """
    if len(key) != hop_key_bytes(len(share)):
        raise ValueError("a hop's key has the share's length and 32 bytes")
    text = xor(share, key[: len(share)])
    return Hop(text, one_time_tag(about + text, key[len(share) :]))


def receive_hop(hop: Hop, key: bytes, *, about: bytes) -> bytes:
    """Return the share that came over a hop.

    Raises:
        TamperedError: it was changed, or is another.
    """
    length = len(hop.text)
    if len(key) != hop_key_bytes(length) or not hmac.compare_digest(
        one_time_tag(about + hop.text, key[length:]), hop.tag
    ):
        raise TamperedError(gettext_noop("what came over a hop was changed: it is thrown away"))
    return xor(hop.text, key[:length])


def split(key: bytes, masks: Sequence[bytes]) -> list[bytes]:
    """Return shares, one more than the masks, whose XOR is the key; all are needed.

    Args:
        key: what is shared.
        masks: fresh random bytes of the key's length, one fewer than there are paths.
    """
    last = key
    for mask in masks:
        last = xor(last, mask)
    return [*masks, last]


def join(shares: Sequence[bytes]) -> bytes:
    """Return the key that the shares make."""
    key = bytes(len(shares[0]))
    for share in shares:
        key = xor(key, share)
    return key


def xor(one: bytes, other: bytes) -> bytes:
    """Return the XOR of two byte strings of one length."""
    if len(one) != len(other):
        raise ValueError("lengths differ")
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(len(one), "big")


def disjoint_paths(
    links: Iterable[tuple[str, str]], start: str, end: str, *, count: int
) -> list[list[str]]:
    """Return ``count`` paths between two nodes that meet nowhere between them.

    Fewest hops first where there is a choice (shortest augmenting paths on nodes split in two:
    Suurballe's problem without weights; Ford and Fulkerson 1956 for the existence).

    Raises:
        NoRouteError: there are fewer.
    """
    flow = _flow(links, start, end, count)
    following: dict[str, list[str]] = {}
    for (one, side), (other, _other_side) in sorted(flow):
        if one != other and side == "out":
            following.setdefault(one, []).append(other)
    paths = []
    for first in list(following.get(start, [])):
        path = [start, first]
        while path[-1] != end:
            path.append(following[path[-1]][0])
        paths.append(path)
    return sorted(paths, key=lambda path: (len(path), path))


_Port = tuple[str, str]


def _flow(
    links: Iterable[tuple[str, str]], start: str, end: str, count: int
) -> set[tuple[_Port, _Port]]:
    edges: dict[_Port, set[_Port]] = {}

    def add(one: _Port, other: _Port) -> None:
        edges.setdefault(one, set()).add(other)
        edges.setdefault(other, set())

    for one, other in links:
        for here, there in ((one, other), (other, one)):
            add((here, "in"), (here, "out"))
            add((there, "in"), (there, "out"))
            add((here, "out"), (there, "in"))
    flow: set[tuple[_Port, _Port]] = set()
    for found in range(count):
        came = _search(edges, flow, (start, "out"))
        port: _Port = (end, "in")
        if port not in came:
            raise NoRouteError(
                gettext_noop(
                    "{start} and {end}: {found} paths share no node, {count} are asked for"
                ),
                start=start,
                end=end,
                found=found,
                count=count,
            )
        while (before := came[port]) is not None:
            if (port, before) in flow:
                flow.remove((port, before))
            else:
                flow.add((before, port))
            port = before
    return flow


def _search(
    edges: Mapping[_Port, set[_Port]], flow: set[tuple[_Port, _Port]], source: _Port
) -> dict[_Port, _Port | None]:
    """Return from where each port that can still be reached was reached first."""
    came: dict[_Port, _Port | None] = {source: None}
    queue = [source]
    for port in queue:
        forward = [other for other in edges.get(port, ()) if (port, other) not in flow]
        backward = [other for other, here in flow if here == port]
        for other in sorted(forward) + sorted(backward):
            if other not in came:
                came[other] = port
                queue.append(other)
    return came


def route_rate(rates: Mapping[tuple[str, str], float], path: Sequence[str]) -> float:
    """Return the key rate of a path: that of its slowest hop, in the unit of ``rates``."""
    return min(rates.get((a, b), rates.get((b, a), 0.0)) for a, b in pairwise(path))
