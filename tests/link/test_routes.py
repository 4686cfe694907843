"""Key over trusted nodes: two paths, no node of them knows it, and a relay that changes it is noticed."""

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.urls import reverse

from renkei.kit.world import outlines
from renkei.link import door, engine
from renkei.link.door import _routes
from renkei.link.models import Alarm, Link, RelayShare, Sae

pytestmark = pytest.mark.django_db
HOPS = [("us", "east"), ("east", "jp"), ("us", "west"), ("west", "jp")]
CONFIG = """
[places]
us = { name = "Washington", at = [-77.0, 38.9] }
jp = { name = "Tokyo", at = [139.7, 35.7] }
east = { name = "East", at = [-40.0, 50.0] }
west = { name = "West", at = [-150.0, 50.0] }
[[hops]]
between = ["us", "east"]
km = 100
bits_per_second = 900
[[hops]]
between = ["east", "jp"]
km = 50
bits_per_second = 300
[[hops]]
between = ["us", "west"]
km = 10
bits_per_second = 500
[[hops]]
between = ["west", "jp"]
kind = "satellite"
bits_per_second = 400
[[routes]]
ends = ["us", "jp"]
shares = 2
"""


class Net:
    """Four nodes in one database: whoever is asked is, for as long, the node of the settings."""

    def __init__(self, settings):
        self.settings = settings
        self.change = lambda _sender, _to, message: message
        self.seen = []
        self.away = set()
        self.lose_answers = False
        for name in ("us", "jp", "east", "west"):
            Sae.objects.create(
                name=f"{name}.node", serial="", quota_bytes_per_hour=1 << 40,
                created_at=datetime.now(UTC),
            )  # fmt: skip
        for one, other in HOPS:
            ends = [self.found(one, other), self.found(other, one)]
            block = bytes(range(256)) * 400
            for link in ends:
                mark = door.take_in(link, 1, block, simulated=False)
            assert all(door.confirm(link, 1, mark) for link in ends)
        self.us, self.jp = (self.found(*pair, routed=True) for pair in (("us", "jp"), ("jp", "us")))

    def found(self, own, partner, *, routed=False):
        return Link.objects.create(
            own=own, partner=partner, simulated=False, tags_left=9, routed=routed
        )

    def at(self, name):
        self.settings.NODE = replace(self.settings.NODE, name=name)

    def open(self, link):
        return Way(self, link)


class Way:
    def __init__(self, net, link):
        self.net, self.link = net, link

    def ready(self):
        pass

    def ask(self, kind, body):
        here, there = self.link.own, self.link.partner
        link = Link.objects.get(own=there, partner=here)
        self.net.at(there)
        try:
            said = json.loads(body)
            if kind == "relay" and there not in self.net.away:
                self.net.seen.append((there, said))
                said = self.net.change(here, there, said)
                return json.dumps(door.hear_relayed(link, said, self.net.open)).encode()
            if kind == "relay-begin":
                number = door.begin_relayed(link, said["number"])
                return json.dumps({"number": number}).encode()
            if there in self.net.away and kind in {"relay", "allocate", "relay-begin"}:
                raise door.PartnerSilentError("away")
            if kind == "settle":
                theirs = {
                    number: (engine.BlockState(state), mark)
                    for number, state, mark in said["blocks"]
                }
                mine = [[one, *said] for one, said in door.blocks_of(link).items()]
                door.settle(link, theirs)
                return json.dumps({"blocks": mine}).encode()
            if kind == "confirm":
                if self.net.lose_answers:
                    door.confirm(link, said["number"], said["fingerprint"])
                    raise door.PartnerSilentError("the answer is lost")
                equal = door.confirm(link, said["number"], said["fingerprint"])
                return json.dumps({"equal": equal}).encode()
            return json.dumps(door.hear(link, said["link"])).encode()
        finally:
            self.net.at(here)


@pytest.fixture
def net(settings, tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "routes.toml").write_text(CONFIG)
    settings.NODE = replace(settings.NODE, folder=tmp_path, name="us")
    door.ensure_kek()
    return Net(settings)


def relay(net):
    route = door.routes().with_partner("us", "jp")
    return door.relay(net.us, route, net.open)


def test_paths_meet_nowhere_and_the_slowest_hop_is_the_rate(net):
    route = door.routes().with_partner("jp", "us")
    assert {path for path, _rate in route.paths} == {("us", "east", "jp"), ("us", "west", "jp")}
    assert sorted(rate for _path, rate in route.paths) == [300, 400]
    assert route.rate == 300


def test_a_block_arrives_the_same_and_each_relay_saw_one_share(net):
    assert relay(net)
    assert door.blocks_of(net.us) == door.blocks_of(net.jp)
    assert {state for state, _mark in door.blocks_of(net.us).values()} == {"ready"}
    assert [to for to, _said in net.seen] == ["east", "jp", "west", "jp"]
    for link in (net.us, net.jp):
        assert door.stored(Link.objects.get(pk=link.pk), size=32) > 100
    pads = {said["key_id"] for _to, said in net.seen}
    assert len(pads) == 4  # each hop's pad was drawn for it alone


def test_a_relay_that_passes_on_another_share_is_noticed_and_nothing_is_kept(net, monkeypatch):
    """It holds its hop's key, so its tag is good: the fingerprint of the whole tells."""
    send = engine.send_hop

    def betray(share, key, *, about):
        if json.loads(about)["at"] == 2 and json.loads(about)["path"][1] == "west":
            share = bytes([share[0], share[1] ^ 1]) + share[2:]
        return send(share, key, about=about)

    monkeypatch.setattr(engine, "send_hop", betray)

    assert not relay(net)
    assert door.blocks_of(net.us) == door.blocks_of(net.jp) == {}
    kinds = set(Alarm.objects.values_list("link__own", "kind"))
    assert kinds == {("us", "relay"), ("jp", "unequal")}


@pytest.mark.parametrize("what", ["text", "said", "key_id"])
def test_what_is_changed_between_two_nodes_is_thrown_away(net, what):
    def change(_here, there, message):
        if there != "jp":
            return message
        if what == "text":
            text = bytearray(base64.b64decode(message["text"]))
            text[7] ^= 1
            return message | {"text": base64.b64encode(text).decode()}
        if what == "said":
            return message | {"said": message["said"] | {"place": 1 - message["said"]["place"]}}
        return message | {"key_id": "0" * 8 + "-0000-8000-8000-" + "0" * 12}

    net.change = change
    with pytest.raises(door.PathDownError, match="no share went over"):
        relay(net)
    assert door.blocks_of(net.us) == door.blocks_of(net.jp) == {}
    net.change = lambda _here, _there, message: message
    assert relay(net)


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": ["us", "jp"]},
        {"path": ["us", "east"], "at": 0},
        {"count": 9},
        {"place": 2},
        {"path": ["us", "east", "us"]},
        {"at": "x"},
    ],
)
def test_a_message_that_does_not_belong_here_is_refused(net, wrong):
    net.change = lambda _here, _there, message: message | {"said": message["said"] | wrong}
    with pytest.raises(door.PathDownError, match="no share went over us-"):
        relay(net)
    assert door.blocks_of(net.us) == {}


def test_key_of_a_simulated_hop_is_not_taken_for_other_key(net, settings):
    settings.NODE = replace(settings.NODE, demonstration=True)
    Link.objects.filter(own="us", partner="east").update(simulated=True)
    with pytest.raises(door.PathDownError, match="takes no such key"):
        relay(net)


def test_the_end_that_receives_has_demands_of_its_own(net, settings):
    """A sender that goes over one path alone gives no key to an end that demands two."""
    one = door.Route(("us", "jp"), 1, ((("us", "east", "jp"), 300.0),))
    with pytest.raises(door.PathDownError, match="routes of this end do not have"):
        door.relay(net.us, one, net.open)
    assert door.blocks_of(net.us) == door.blocks_of(net.jp) == {}
    assert not RelayShare.objects.exists()


def test_one_share_alone_gives_no_key_and_the_next_block_arrives(net):
    net.away = {"west"}
    with pytest.raises(door.PathDownError, match="us-west-jp: away"):
        relay(net)

    assert door.blocks_of(net.us) == door.blocks_of(net.jp) == {}
    assert RelayShare.objects.filter(link=net.jp).count() == 1  # it waits, and is no key
    assert door.stored(net.jp, size=32) == door.stored(net.us, size=32) == 0
    last = door.summary(net.us)["runs"][0]
    assert (last["key_bits"], "us-west-jp" in last["refused"]) == (0, True)

    net.away = set()
    assert relay(net)
    assert not RelayShare.objects.exists()
    last = door.summary(net.us)["runs"][0]
    assert (last["key_bits"], last["refused"]) == (8 * (8192 - 32), "")


def test_a_block_whose_confirmation_was_lost_is_destroyed_at_both_ends(net):
    net.lose_answers = True
    with pytest.raises(door.PartnerSilentError):
        relay(net)
    assert len(door.blocks_of(net.jp)) == 1  # it thinks that both hold it

    net.lose_answers = False
    assert relay(net)
    assert door.blocks_of(net.us) == door.blocks_of(net.jp)
    assert len(door.blocks_of(net.jp)) == 1


def test_a_share_that_comes_again_makes_no_second_block(net):
    assert relay(net)
    before = door.blocks_of(net.jp)
    for to, message in net.seen:
        if to == "jp":
            net.at("jp")
            hop = Link.objects.get(own="jp", partner=message["said"]["path"][1])
            with pytest.raises(door.KeyNotFoundError):  # its pad was used
                door.hear_relayed(hop, message, net.open)
    assert door.blocks_of(net.jp) == before
    assert not RelayShare.objects.exists()


@pytest.mark.parametrize(
    "text",
    ["", "places = 3", CONFIG.replace('"fibre"', '"rope"').replace("satellite", "rope"),
     CONFIG.replace("900", "-1"), CONFIG.replace('"us", "east"', '"us", "moon"'),
     CONFIG.replace("shares = 2", "shares = 0")],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(net, settings, text):
    (settings.NODE.folder / "routes.toml").write_text(text)
    with pytest.raises(door.BadRoutesError, match=r"routes\.toml"):
        door.routes()


def test_too_few_paths_are_said(net, settings):
    text = CONFIG.replace("shares = 2", "shares = 3")
    (settings.NODE.folder / "routes.toml").write_text(text)
    with pytest.raises(engine.NoRouteError, match="2 paths share no node, 3 are asked for"):
        relay(net)


def test_tokyo_to_washington_is_drawn_and_its_loss_is_said(client):
    text = client.get(reverse("link:overview")).content.decode()
    assert "A plan: no such route is configured here" in text
    direct = _routes.direct_km(*(door.routes().places[name] for name in ("tokyo", "washington")))
    assert direct == pytest.approx(10_910, rel=0.01)
    drawn = door.drawing(door.routes())
    assert drawn["routes"][0]["direct_db"] > 1000
    assert len(drawn["routes"][0]["paths"]) == 2
    assert all(0 <= place["x"] <= 720 and 0 <= place["y"] <= 330 for place in drawn["places"])
    assert text.count('r="4"') == len(drawn["places"])
    assert "アンカレッジ" in client.get("/ja/link/").content.decode()


@pytest.mark.parametrize(("view", "code", "place"), [(0, "JPN", "Tokyo"), (1, "USA", "Washington")])
def test_places_lie_in_their_country_on_the_map(view, code, place):
    drawn = door.drawing(door.routes())
    across, _b, _c, down, left, top = map(float, drawn["views"][view][7:-1].split())
    corners = [
        (float(x) * across + left, float(y) * down + top)
        for x, y in re.findall(r"([0-9.]+) ([0-9.]+)", outlines()["paths"][code])
    ]
    assert outlines()["paths"][code] in drawn["land"]

    (there,) = [one for one in drawn["places"] if one["name"].startswith(place)]

    for at, axis in enumerate("xy"):
        values = [corner[at] for corner in corners]
        assert min(values) < there[axis] < max(values)
