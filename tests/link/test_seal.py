"""A file sealed at one node opens at the other, once; what goes without QKD is said aloud."""

import hashlib
import io
import json
from dataclasses import replace

import pytest
from django.utils import translation
from tests.link.ends import CutError, Ends

from renkei.border import door as border
from renkei.link import door, engine
from renkei.link.door import _carry
from renkei.link.engine import Policy
from renkei.link.models import Alarm, Event, Link

pytestmark = pytest.mark.django_db


class Way:
    """A channel of one end: straight into the other's verbs, as its endpoint calls them."""

    def __init__(self, ends, link, settings, folders):
        self.ends, self.link, self.settings, self.folders = ends, link, settings, folders

    def ready(self):
        if self.ends.cut:
            raise CutError("cut")

    def ask(self, kind, body):
        if kind == "allocate":
            return json.dumps(self.ends.send_from(self.link)(json.loads(body))).encode()
        assert kind == "public"
        here = self.settings.NODE
        self.settings.NODE = replace(here, folder=self.folders[self.link.partner])
        try:
            return json.dumps({"public": door.recipient().public.hex()}).encode()
        finally:
            self.settings.NODE = here


@pytest.fixture
def ends(settings, tmp_path):
    folders = {name: tmp_path / name for name in ("us", "jp")}
    for folder in folders.values():
        (folder / "keys").mkdir(parents=True)
    settings.NODE = replace(settings.NODE, folder=folders["us"], demonstration=True)
    door.ensure_kek()
    made = Ends(simulated=True)
    made.sae("us.node", serial="")
    made.sae("jp.node", serial="")
    made.way = {
        name: Way(made, link, settings, folders)
        for name, link in (("us", made.us), ("jp", made.jp))
    }

    def at(name):
        kek = settings.NODE.folder / "keys" / "link-kek"
        (folders[name] / "keys" / "link-kek").write_text(kek.read_text())
        settings.NODE = replace(settings.NODE, folder=folders[name], name=name)

    made.at = at
    return made


def seal(ends, text=b"a note", **more):
    ends.at("us")
    out = io.BytesIO()
    door.seal(ends.us, ends.way["us"], io.BytesIO(text), out, name="note", **more)
    return out.getvalue()


def unseal(ends, text):
    ends.at("jp")
    out = io.BytesIO()
    opened = door.unseal(ends.jp, ends.way["jp"], io.BytesIO(text), out)
    return out.getvalue(), opened


def test_a_file_goes_over_and_opens_once(ends):
    text = seal(ends)
    plain, opened = unseal(ends, text)

    assert plain == b"a note"
    assert opened.header.source == "simulated"
    with pytest.raises(door.KeyNotFoundError):
        unseal(ends, text)


def test_a_damaged_file_uses_its_key_up(ends):
    text = bytearray(seal(ends))
    text[-1] ^= 1
    with pytest.raises(engine.NotSealedError):
        unseal(ends, bytes(text))
    text[-1] ^= 1
    with pytest.raises(door.KeyNotFoundError):
        unseal(ends, bytes(text))


def test_a_file_for_another_is_refused_and_uses_no_key(ends):
    text = seal(ends)
    ends.at("us")
    with pytest.raises(door.NotForUsError, match="from us for jp"):
        door.unseal(ends.us, ends.way["us"], io.BytesIO(text), io.BytesIO())
    assert unseal(ends, text)[0] == b"a note"


def test_without_key_the_policy_decides_and_a_downgrade_raises_an_alarm_at_both(ends):
    Link.objects.filter(pk=ends.us.pk).update(tags_left=0)
    with pytest.raises(door.DeliveryStoppedError):
        seal(ends)
    assert not Alarm.objects.exists()

    with pytest.raises(border.NoLogError):  # never silent: what cannot be signed is not done
        seal(ends, policy=Policy.HYBRID_OR_PQC)

    ends.at("us")
    border.found()
    text = seal(ends, policy=Policy.HYBRID_OR_PQC)
    (event,) = door.events(ends.us, most=9)
    _header, head = engine.read_header(io.BytesIO(text))
    assert (event.said_by, event.what, event.kind) == ("us", "downgrade", "hybrid-or-pqc")
    assert event.about == hashlib.sha256(head).hexdigest()
    plain, opened = unseal(ends, text)

    assert plain == b"a note"
    assert opened.header.is_downgrade
    assert opened.downgrade_index is None  # the partner's log has not arrived
    Event.objects.filter(pk=event.pk).update(link=ends.jp)
    assert unseal(ends, text)[1].downgrade_index == event.index
    assert set(Alarm.objects.values_list("link__own", "kind")) == {
        ("us", "downgrade"),
        ("jp", "downgrade"),
    }


def test_an_alarm_says_why_in_the_language_of_its_reader(ends):
    """It is raised by a service, or by a command in another language than the page's."""
    ends.at("us")
    border.found()
    Link.objects.filter(pk=ends.us.pk).update(tags_left=0)
    seal(ends, policy=Policy.HYBRID_OR_PQC)
    told = []
    for language in ("en", "ja"):
        with translation.override(language):
            told.append(door.summary(ends.us)["alarms"][0]["detail"])

    assert told[0] == "note: the reserve for authentication is low: delivery waits"
    assert told[1].startswith("note: ")
    assert "認証" in told[1]


def test_a_forged_file_without_a_key_that_does_not_open_raises_no_alarm(ends):
    """Anybody can write such a header; an alarm says that something was opened."""
    ends.at("us")
    border.found()
    Link.objects.filter(pk=ends.us.pk).update(tags_left=0)
    text = seal(ends, policy=Policy.HYBRID_OR_PQC)
    Alarm.objects.all().delete()

    with pytest.raises(engine.NotSealedError):
        unseal(ends, text[:-1] + bytes([text[-1] ^ 1]))
    assert not Alarm.objects.exists()


def test_a_partner_that_is_away_costs_no_key(ends):
    before = ends.fresh(ends.us).counters
    ends.cut = "ask"
    with pytest.raises(CutError):
        seal(ends)
    assert ends.fresh(ends.us).counters == before


def test_simulated_key_opens_nothing_where_there_is_no_demonstration(ends, settings):
    text = seal(ends)
    ends.at("jp")
    settings.NODE = replace(settings.NODE, demonstration=False)
    with pytest.raises(door.SimulatedRefusedError):
        door.unseal(ends.jp, ends.way["jp"], io.BytesIO(text), io.BytesIO())


def test_a_short_message_goes_over_under_a_one_time_pad(ends):
    ends.at("us")
    text = door.seal_pad(ends.us, ends.way["us"], b"we agree")
    plain, opened = unseal(ends, text)
    assert plain == b"we agree"
    assert opened.header.suite == engine.PAD_SUITE
    ends.at("us")
    with pytest.raises(engine.PolicyError):
        door.seal_pad(ends.us, ends.way["us"], bytes(20_000))


def test_a_gateways_key_is_the_same_at_both_nodes_and_is_taken_once(ends):
    ends.at("us")
    made = door.draw_ppk(ends.us, ends.way["us"])
    ends.at("jp")
    taken = door.fetch_ppk(ends.jp, ends.way["jp"], made.id)

    assert taken == made
    assert len(made.secret) == 32
    assert made.swanctl() == (
        "# simulated: this key protects nothing\n"
        f"secrets {{\n    ppk-{made.id} {{\n"
        f'        id = "{made.id}"\n        secret = 0x{made.secret.hex()}\n    }}\n}}\n'
    )
    for name in (made.id, "nothing"):
        with pytest.raises(door.KeyNotFoundError):
            door.fetch_ppk(ends.jp, ends.way["jp"], name)


@pytest.fixture
def carriers(ends, monkeypatch):
    """The carrier as each node has it."""
    monkeypatch.setattr(_carry, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(_carry, "SecretChannel", lambda link, timeout_seconds: ends.way[link.own])
    for way in ends.way.values():
        way.close = lambda: None
    made = door.Carrier()

    def at(name):
        ends.at(name)
        partner = {"us": "jp", "jp": "us"}[name]
        door.keep_secret(partner, "0" * 64)
        return made

    return at


def test_the_border_s_bodies_go_under_a_fresh_key_each(ends, carriers):
    before = ends.fresh(ends.us).counters
    sealed = [carriers("us").seal("jp", b"a name") for _ in range(2)]

    assert sealed[0] != sealed[1]
    assert b"a name" not in sealed[0]
    assert engine.read_header(io.BytesIO(sealed[0]))[0].source == "simulated"
    assert ends.fresh(ends.us).counters != before
    assert [carriers("jp").unseal("us", each) for each in sealed] == [b"a name"] * 2
    with pytest.raises(door.KeyNotFoundError):
        carriers("jp").unseal("us", sealed[0])


def test_bodies_without_a_key_are_said_until_there_is_one(ends, carriers):
    carriers("us")
    border.found()
    Link.objects.filter(pk=ends.us.pk).update(tags_left=0)

    assert [carriers("us").seal("jp", b"a name") for _ in range(3)] == [None] * 3

    (event,) = door.events(ends.us, most=9)
    assert (event.what, event.kind) == ("alarm-raised", "bodies")
    Link.objects.filter(pk=ends.us.pk).update(tags_left=99)
    assert carriers("us").seal("jp", b"a name")
    assert [event.what for event in door.events(ends.us, most=9)] == [
        "alarm-cleared",
        "alarm-raised",
    ]


def test_a_link_without_keys_is_not_asked_for_each_body(ends, carriers, monkeypatch):
    carriers("us")
    border.found()
    monkeypatch.setattr(_carry, "AGAIN_SECONDS", 60.0)
    monkeypatch.setattr(_carry, "_failed", {})
    Link.objects.filter(pk=ends.us.pk).update(tags_left=0)
    assert carriers("us").seal("jp", b"a name") is None
    Link.objects.filter(pk=ends.us.pk).update(tags_left=99)

    assert carriers("us").seal("jp", b"a name") is None

    monkeypatch.setattr(_carry, "_failed", {})
    assert carriers("us").seal("jp", b"a name")


def test_there_is_no_carrier_to_a_partner_without_a_link(ends):
    ends.at("us")
    assert not door.Carrier().reaches("jp")  # the ends have not met
    assert door.Carrier().seal("jp", b"a name") is None
    assert not door.Carrier().reaches("kr")
    assert not Alarm.objects.exists()
