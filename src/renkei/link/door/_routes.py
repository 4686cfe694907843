"""Key over trusted nodes: which ways there are, and how a block of key goes over them.

``routes.toml`` in the node's folder names places, hops and with whom key is shared over them. Every hop
is a link of its own between two nodes; a block goes over it under a one-time pad drawn from that link,
with a tag. It is split into shares, one a path, and the paths meet nowhere but at the ends; what arrives
is taken in like any block, after both ends have compared its fingerprint.
"""

import base64
import binascii
import json
import math
import secrets
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language

from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.kit.world import DEGREES, outlines
from renkei.link import engine
from renkei.link.door._channel import Channel, SecretChannel, alone, as_send, settle_with
from renkei.link.door._link import at_rest, link_with, raise_alarm
from renkei.link.door._seal import draw_one, node_sae
from renkei.link.door._store import (
    BadBlockError,
    Fetch,
    begin_block,
    confirm,
    destroy,
    forget_old_runs,
    serve,
    take_in,
)
from renkei.link.models import Link, RelayShare, Run

FILE = "routes.toml"
SHIPPED = Path(__file__).resolve().parent.parent / "data" / "routes.toml"
RELAYED_BYTES = 8 << 10
LONGEST_SHARE_BYTES = 16 << 10
MOST_PLACES = 200
FIBRE_LOSS_DB_A_KM = 0.2
EARTH_KM = 6371.0
RELAY_ALARM = "relay"
CHANGED = "unequal"  # what a block is called that arrived as another

Open = Callable[[Link], Channel]


class BadRoutesError(RenkeiError):
    """``routes.toml`` cannot be used."""

    code = "link.bad_routes"


class PathDownError(RenkeiError):
    """One of the paths of a route carried no share: there is no key without it."""

    code = "link.path_down"
    status = 503


class BadRelayError(RenkeiError):
    """A message of a relay does not belong where it came."""

    code = "link.bad_relay"
    status = 400


@dataclass(frozen=True)
class Place:
    """A node or station on the map: names, longitude and latitude in degrees."""

    code: str
    name_en: str
    name_ja: str
    longitude: float
    latitude: float

    @property
    def name(self) -> str:
        """The name in the reader's language."""
        return self.name_ja if (get_language() or "").startswith("ja") else self.name_en


@dataclass(frozen=True)
class Hop:
    """A link between two places: ``km`` of fibre, or a satellite; ``rate`` in secret bit/s."""

    one: str
    other: str
    kind: str
    km: float
    rate: float

    @property
    def loss_db(self) -> float | None:
        """Return the loss of the fibre, ``None`` for what is no fibre."""
        return FIBRE_LOSS_DB_A_KM * self.km if self.kind == "fibre" else None


@dataclass(frozen=True)
class Route:
    """With whom key is shared over relays, and over how many paths that meet nowhere.

    Args:
        ends: the two nodes.
        shares: how many paths are needed together.
        paths: those found, each with its rate in bit/s: that of its slowest hop.
    """

    ends: tuple[str, str]
    shares: int
    paths: tuple[tuple[tuple[str, ...], float], ...]
    why: str = ""

    @property
    def rate(self) -> float:
        """Return the rate of the route: its paths carry a share each, so the slowest one counts."""
        return min((rate for _path, rate in self.paths), default=0.0)


@dataclass(frozen=True)
class Routes:
    """What is known of routes: ``is_plan`` where nothing of it is configured here."""

    places: dict[str, Place]
    hops: tuple[Hop, ...]
    routes: tuple[Route, ...]
    is_plan: bool

    def with_partner(self, own: str, partner: str) -> Route | None:
        """Return the route between two nodes, if one is configured."""
        if self.is_plan:
            return None
        return next((one for one in self.routes if set(one.ends) == {own, partner}), None)


def routes() -> Routes:
    """Return the node's routes, or the plan that the program ships where none are configured.

    Raises:
        BadRoutesError: the file cannot be used; it says where.
    """
    file = settings.NODE.folder / FILE
    is_plan = not file.exists()
    try:
        return _read(tomllib.loads((SHIPPED if is_plan else file).read_text("utf-8")), is_plan)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRoutesError(
            gettext_noop("{file} cannot be used: {why}"),
            file=file,
            why=f"{type(error).__name__}: {error}"[:200],
        ) from error


def _read(said: dict[str, Any], is_plan: bool) -> Routes:
    places = {
        code: Place(
            code,
            str(row["name"]),
            str(row.get("name_ja", row["name"])),
            float(row["at"][0]),
            float(row["at"][1]),
        )
        for code, row in said["places"].items()
    }
    hops = []
    for row in said["hops"]:
        one, other = row["between"]
        if one not in places or other not in places or one == other:
            raise ValueError(f"hop {one} - {other}: two places of the file are expected")
        kind = str(row.get("kind", "fibre"))
        if kind not in {"fibre", "satellite"}:
            raise ValueError(f"hop {one} - {other}: fibre or satellite, not {kind}")
        rate, km = float(row["bits_per_second"]), float(row.get("km", 0.0))
        if not (rate >= 0 and km >= 0 and math.isfinite(rate) and math.isfinite(km)):
            raise ValueError(f"hop {one} - {other}: rate and length are at least 0")
        hops.append(Hop(one, other, kind, km, rate))
    if len(places) > MOST_PLACES:
        raise ValueError(f"{len(places)} places: at most {MOST_PLACES}")
    found = [_route(row, hops) for row in said["routes"]]
    return Routes(places, tuple(hops), tuple(found), is_plan)


def _route(row: dict[str, Any], hops: list[Hop]) -> Route:
    one, other = (str(name) for name in row["ends"])
    shares = int(row.get("shares", 2))
    if not 1 <= shares <= 8:
        raise ValueError(f"route {one} - {other}: 1 to 8 shares")
    rates = {(hop.one, hop.other): hop.rate for hop in hops}
    try:
        found = engine.disjoint_paths(rates, one, other, count=shares)
    except engine.NoRouteError as error:
        return Route((one, other), shares, (), str(error))
    paths = tuple((tuple(path), engine.route_rate(rates, path)) for path in found)
    return Route((one, other), shares, paths)


def direct_km(one: Place, other: Place) -> float:
    """Return the great-circle distance of two places in km (haversine, a sphere of 6,371 km)."""
    a, b = math.radians(one.latitude), math.radians(other.latitude)
    wide = math.radians(other.longitude - one.longitude)
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(wide / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(half))


# Sending


def relay(link: Link, route: Route, open_channel: Open = SecretChannel) -> bool:
    """Send one block of fresh key to the partner over the route's paths; tell whether it arrived.

    What arrived changed is destroyed at both ends, and an alarm is raised. How it went is written
    down as the run of a block.

    Raises:
        NoRouteError: there are not enough paths.
        PartnerSilentError, PoolEmptyError: a hop has no key or a node does not answer; the block is
            burned.
    """
    if not route.paths:
        raise engine.NoRouteError(gettext_noop("there is no route: {why}"), why=route.why)
    begun = time.monotonic()
    with alone(link):
        end = open_channel(link)
        settle_with(link, end)  # what a crash or a lost answer left half done
        hint = Link.objects.get(pk=link.pk).next_block
        said = json.loads(end.ask("relay-begin", json.dumps({"number": hint}).encode()))
        number = begin_block(link, int(said["number"]))
        if number != int(said["number"]):
            raise BadBlockError(
                gettext_noop("the two ends cannot agree on the number of the block")
            )
        try:
            equal = _relay(link, number, route, end, open_channel)
        except RenkeiError as error:
            destroy(link, [number])
            _write_run(link, number, begun, refused=str(error))
            raise
        if not equal:
            destroy(link, [number])
            raise_alarm(link, RELAY_ALARM, f"block {number}")
        _write_run(link, number, begun, refused="" if equal else CHANGED)
    return equal


def _relay(link: Link, number: int, route: Route, end: Channel, open_channel: Open) -> bool:
    block = secrets.token_bytes(RELAYED_BYTES)
    masks = [secrets.token_bytes(RELAYED_BYTES) for _ in route.paths[1:]]
    mark = take_in(link, number, block, simulated=link.simulated)
    for place, (share, (path, _rate)) in enumerate(
        zip(engine.split(block, masks), route.paths, strict=True)
    ):
        said = {
            "number": number,
            "place": place,
            "count": len(route.paths),
            "path": list(_from(link.own, path)),
            "at": 1,
            "simulated": False,
        }
        try:
            _send_on(said, share, open_channel)
        except RenkeiError as error:
            raise PathDownError(
                gettext_noop("no share went over {path}: {why}"), path="-".join(path), why=error
            ) from error
    body = json.dumps({"number": number, "fingerprint": mark}).encode()
    return bool(json.loads(end.ask("confirm", body))["equal"]) and confirm(link, number, mark)


def _from(start: str, path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a path as it goes from one of its ends."""
    return path if path[0] == start else path[::-1]


def _write_run(link: Link, number: int, begun: float, *, refused: str) -> None:
    """Write down how the relaying of a block went, as that of a distilled one is."""
    Run.objects.create(
        link=link,
        number=number,
        finished_at=timezone.now(),
        simulated=link.simulated,
        key_bits=0 if refused else 8 * (RELAYED_BYTES - engine.ONE_TIME_KEY_BYTES),
        seconds=time.monotonic() - begun,
        refused=refused,
    )
    forget_old_runs(link)


def _about(said: dict[str, Any]) -> bytes:
    """Return what both ends of a hop bind its tag to."""
    return json.dumps(said, sort_keys=True).encode()


def _send_on(said: dict[str, Any], share: bytes, open_channel: Open) -> None:
    """Send a share to the next node of its path, under a pad drawn from the link with it."""
    link = link_with(said["path"][said["at"]])
    channel = open_channel(link)
    key_id, key, source = draw_one(link, channel, engine.hop_key_bytes(len(share)))
    said = said | {"simulated": said["simulated"] or source is engine.Source.SIMULATED}
    hop = engine.send_hop(share, key, about=_about(said))
    message = {
        "said": said,
        "key_id": key_id,
        "text": base64.b64encode(hop.text).decode(),
        "tag": hop.tag.hex(),
    }
    channel.ask("relay", json.dumps(message).encode())


# Receiving


def begin_relayed(link: Link, number: int) -> int:
    """Return the number of the block that the partner is about to send over relays."""
    with transaction.atomic():
        RelayShare.objects.filter(link=link).delete()  # of a block that never came whole
    return begin_block(link, number)


def hear_relayed(
    link: Link, message: dict[str, Any], open_channel: Open = SecretChannel
) -> dict[str, object]:
    """Take in what came over a hop: send it on, or keep it where the path ends.

    Raises:
        TamperedError: it was changed on the way from the node before.
        BadRelayError: it does not belong here.
    """
    try:
        said = dict(message["said"])
        path = [str(name) for name in said["path"]]
        at, place, count = (int(said[name]) for name in ("at", "place", "count"))
        hop = engine.Hop(
            base64.b64decode(message["text"], validate=True), bytes.fromhex(message["tag"])
        )
        key_id = str(message["key_id"])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BadRelayError(gettext_noop("the relay's message cannot be read")) from error
    if (
        not 1 <= at < len(path) <= MOST_PLACES
        or path[at] != link.own
        or path[at - 1] != link.partner
        or len(set(path)) != len(path)
        or not 0 <= place < count <= 8
        or not 0 < len(hop.text) <= LONGEST_SHARE_BYTES
    ):
        raise BadRelayError(gettext_noop("the relay's message does not belong on this hop"))
    fetch = Fetch(node_sae(link.own), node_sae(link.partner), (key_id,))
    channel = open_channel(link)
    serve(link, [fetch], as_send(channel))
    if isinstance(fetch.result, RenkeiError) or not fetch.result:
        raise (
            fetch.result
            if isinstance(fetch.result, RenkeiError)
            else BadRelayError(gettext_noop("the hop's key is not here"))
        )
    (key,) = fetch.result
    try:
        share = engine.receive_hop(hop, key.key, about=_about(said))
    except engine.TamperedError:
        raise_alarm(link, RELAY_ALARM, f"{path[0]}-{path[-1]} {said['number']}")
        raise
    said["simulated"] = bool(said["simulated"]) or key.simulated
    if at + 1 < len(path):
        _send_on(said | {"at": at + 1}, share, open_channel)
    else:
        _arrive(link_with(path[0]), said, share)
    return {"heard": True}


def _arrive(link: Link, said: dict[str, Any], share: bytes) -> None:
    """Keep a share at the end of its path; take the block in when all are there."""
    number, place, count = (int(said[name]) for name in ("number", "place", "count"))
    if not link.routed or bool(said["simulated"]) != link.simulated:
        raise BadRelayError(gettext_noop("this link takes no such key from relays"))
    # How many paths are needed, and which, is this end's own demand, whatever a message says.
    route = routes().with_partner(link.own, link.partner)
    paths = [_from(link.partner, path) for path, _rate in route.paths] if route else []
    if count != len(paths) or tuple(said["path"]) != paths[place]:
        raise BadRelayError(
            gettext_noop("the share came over a path that the routes of this end do not have")
        )
    rest = at_rest()
    with transaction.atomic():
        Link.objects.select_for_update().get(pk=link.pk)
        what = f"{link.own}/{link.partner} block {number} relayed"
        RelayShare.objects.update_or_create(
            link=link,
            number=number,
            place=place,
            defaults={"sealed": rest.seal(share, what=what)},
        )
        rows = list(RelayShare.objects.filter(link=link, number=number).order_by("place"))
        if len(rows) < count:
            return
        shares = [rest.open(bytes(row.sealed), what=what) for row in rows]
        RelayShare.objects.filter(link=link, number=number).delete()
    if len({len(one) for one in shares}) != 1:
        raise BadRelayError(gettext_noop("the shares of a block are of several lengths"))
    take_in(link, number, engine.join(shares), simulated=link.simulated)


# The map

WIDTH, HEIGHT = 720, 330
WEST, EAST, NORTH, SOUTH = 110.0, 300.0, 68.0, -5.0


def drawing(found: Routes) -> dict[str, Any]:
    """Return places, hops and the grid on a map of 720 by 330 with the Pacific in its middle."""

    def x(longitude: float) -> float:
        return round(WIDTH * ((longitude % 360) - WEST) / (EAST - WEST), 1)

    def y(latitude: float) -> float:
        return round(HEIGHT * (NORTH - latitude) / (NORTH - SOUTH), 1)

    used = {
        frozenset(pair): at
        for route in found.routes
        for at, (path, _rate) in enumerate(route.paths)
        for pair in pairwise(path)
    }
    world = outlines()
    degree = DEGREES / world["width"]
    across, down = WIDTH * degree / (EAST - WEST), HEIGHT * degree / (NORTH - SOUTH)
    return {
        "land": "".join(world["paths"].values()),
        # The canvas of the outlines, and once more to the east of itself.
        "views": [
            f"matrix({across:.4f} 0 0 {down:.4f} "
            f"{WIDTH * (turn - 180 - WEST) / (EAST - WEST):.2f} {y(world['top'])})"
            for turn in (0, 360)
        ],
        "meridians": [{"at": x(at), "said": _degrees(at, "E", "W")} for at in range(120, 300, 30)],
        "parallels": [{"at": y(at), "said": _degrees(at, "N", "S")} for at in range(0, 61, 20)],
        "places": [
            {"name": one.name, "x": x(one.longitude), "y": y(one.latitude)}
            for one in found.places.values()
        ],
        "hops": [
            {
                "x1": x(found.places[hop.one].longitude),
                "y1": y(found.places[hop.one].latitude),
                "x2": x(found.places[hop.other].longitude),
                "y2": y(found.places[hop.other].latitude),
                "satellite": hop.kind == "satellite",
                "path": used.get(frozenset((hop.one, hop.other))),
            }
            for hop in found.hops
        ],
        "rows": [
            {
                "one": found.places[hop.one].name,
                "other": found.places[hop.other].name,
                "kind": hop.kind,
                "km": hop.km,
                "loss_db": hop.loss_db,
                "rate": hop.rate,
                "path": used.get(frozenset((hop.one, hop.other)), -1) + 1,
            }
            for hop in found.hops
        ],
        "routes": [
            {
                "ends": " – ".join(found.places[name].name for name in route.ends),
                "paths": [
                    {"names": " – ".join(found.places[name].name for name in path), "rate": rate}
                    for path, rate in route.paths
                ],
                "shares": route.shares,
                "rate": route.rate,
                "why": route.why,
                "direct_km": direct_km(*(found.places[name] for name in route.ends)),
                "direct_db": FIBRE_LOSS_DB_A_KM
                * direct_km(*(found.places[name] for name in route.ends)),
            }
            for route in found.routes
        ],
        "is_plan": found.is_plan,
    }


def _degrees(at: int, positive: str, negative: str) -> str:
    at = at - 360 if at > 180 else at
    return f"{abs(at)}°{positive if at > 0 else negative if at < 0 else ''}"
