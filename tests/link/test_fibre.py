"""The fibre gives each node its half and nothing else, and no stranger anything."""

import json
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from types import SimpleNamespace

import pytest

from renkei.link import door, engine
from renkei.link.commands import _fibre as process
from renkei.link.door import _fibre as client
from renkei.link.models import Link

SECRETS = {"us": b"u" * 32, "jp": b"j" * 32}


@pytest.fixture
def fibre(tmp_path):
    process.Fibre(tmp_path, SECRETS, "jp").start()
    file = tmp_path / engine.FIBRE_FILE
    for node, secret in SECRETS.items():
        said = {"node": node, "secret": secret.hex(), "file": str(file)}
        (tmp_path / node).write_text(json.dumps(said))
    return tmp_path


def test_each_node_gets_its_own_half_of_one_block(fibre):
    bob = engine.Detections.from_bytes(client.half(fibre / "us", 5, key_bits=5000))
    alice = engine.Preparations.from_bytes(client.half(fibre / "jp", 5, key_bits=5000))

    assert (alice.slots == bob.slots).all()
    assert alice.label == bob.label == "simulated"
    with pytest.raises(engine.BadBlockError):
        engine.Preparations.from_bytes(client.half(fibre / "us", 6, key_bits=5000))


@pytest.mark.parametrize("said", [None, "{", "{}", '{"alice": "jp"}'])
def test_a_folder_without_a_fibre_is_named(tmp_path, said):
    if said is not None:
        (tmp_path / engine.SECRETS_FILE).write_text(said)
    with pytest.raises(process.NoFibreError, match="is no folder of a fibre"):
        process.play(tmp_path)


def test_a_half_is_given_once(fibre):
    first = client.half(fibre / "us", 5, key_bits=5000)
    assert client.half(fibre / "us", 5, key_bits=5000) != first


def test_who_has_another_secret_is_told_nothing(fibre):
    ports = json.loads((fibre / engine.FIBRE_FILE).read_text())["ports"]
    with pytest.raises((AuthenticationError, EOFError, OSError)):
        Client(("127.0.0.1", ports["us"]), authkey=SECRETS["jp"])
    assert client.half(fibre / "us", 7, key_bits=5000)


def test_the_eavesdropper_is_one_for_both_and_survives(fibre):
    assert client.eavesdropper(fibre / "us") == {"intercept": 0.0, "split": 0.0}
    client.set_eavesdropper(fibre / "us", intercept=1.0, split=0.5)
    assert client.eavesdropper(fibre / "jp") == {"intercept": 1.0, "split": 0.5}


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(fibre, share):
    with pytest.raises(client.BadEavesdropperError):
        client.set_eavesdropper(fibre / "us", intercept=share, split=0)


def test_a_fibre_that_is_not_there_is_said(tmp_path):
    with pytest.raises(client.FibreAwayError, match="renkei up"):
        client.half(tmp_path, 1, key_bits=1000)
    with pytest.raises(client.FibreAwayError):
        client.reach(tmp_path)


def test_a_fibre_that_is_only_looked_for_goes_on(fibre):
    client.reach(fibre / "us")
    assert client.eavesdropper(fibre / "us") == {"intercept": 0.0, "split": 0.0}
    assert client.half(fibre / "us", 8, key_bits=1000)


def test_nonsense_ends_the_connection_and_not_the_fibre(fibre):
    ports = json.loads((fibre / engine.FIBRE_FILE).read_text())["ports"]
    for junk in (b"", b"{", b"[]", b'{"op": "half"}', b'{"op": "half", "number": "x"}'):
        with Client(("127.0.0.1", ports["us"]), authkey=SECRETS["us"]) as link:
            link.send_bytes(junk)
            with pytest.raises((EOFError, OSError)):
                link.recv_bytes()
    assert client.half(fibre / "us", 8, key_bits=5000)


@pytest.mark.django_db
def test_each_link_has_a_fibre_of_its_own(settings, tmp_path):
    """A node between two others distils with both; neither fibre knows the other one's secrets."""
    halves = {}
    for partner in ("au", "ca"):
        folder = tmp_path / f"fibre-{partner}"
        for own, other in (("us", partner), (partner, "us")):
            node = tmp_path / own
            (node / "keys").mkdir(parents=True, exist_ok=True)
            settings.NODE = replace(settings.NODE, name=own, folder=node)
            link = Link.objects.create(own=own, partner=other, simulated=True)
            door.join_fibre(link, folder)
            door.join_fibre(link, folder)  # again: nothing changes
        known = json.loads((folder / engine.SECRETS_FILE).read_text())
        process.Fibre(
            folder,
            {name: bytes.fromhex(one) for name, one in known["fibre"].items()},
            known["alice"],
        ).start()
        assert known["alice"] == partner

    settings.NODE = replace(settings.NODE, name="us", folder=tmp_path / "us")
    assert len(door.fibres()) == 2
    for partner in ("au", "ca"):
        halves[partner] = client.half(client.key_file(partner), 1, key_bits=5000)
    assert halves["au"] != halves["ca"]
    door.set_eavesdropper(client.key_file("ca"), intercept=1.0, split=0.0)
    assert door.eavesdropper(client.key_file("au"))["intercept"] == 0.0


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["other ends", "not simulated", "routed", "damaged"])
def test_a_fibre_between_others_is_refused(settings, tmp_path, wrong):
    (tmp_path / "keys").mkdir()
    settings.NODE = replace(settings.NODE, name="us", folder=tmp_path)
    link = Link.objects.create(
        own="us", partner="jp", simulated=wrong != "not simulated", routed=wrong == "routed"
    )
    folder = tmp_path / "fibre"
    if wrong in {"other ends", "damaged"}:
        folder.mkdir()
        ends = {} if wrong == "damaged" else {"fibre": {"us": "00", "ca": "00"}, "alice": "ca"}
        (folder / engine.SECRETS_FILE).write_text(json.dumps(ends))
    with pytest.raises(door.WrongFibreError):
        door.join_fibre(link, folder)
    assert door.fibres() == []


@pytest.mark.django_db
def test_a_link_keeps_its_source(settings, tmp_path):
    (tmp_path / "keys").mkdir()
    partner = SimpleNamespace(name="jp", address="http://jp")
    settings.NODE = replace(
        settings.NODE, name="us", folder=tmp_path, partners=(partner,), demonstration=True
    )
    made = door.found_link("jp", simulated=True)
    assert door.found_link("jp", simulated=False) == made  # as `found --signed-start` asks
    with pytest.raises(door.OtherLinkError):
        door.found_link("jp", simulated=True, routed=True)


@pytest.mark.django_db
@pytest.mark.parametrize("routed", [False, True])
def test_a_demonstration_keeps_the_link_that_somebody_founded(settings, tmp_path, routed):
    (tmp_path / "us" / "keys").mkdir(parents=True)
    partner = SimpleNamespace(name="jp", address="http://jp")
    settings.NODE = replace(
        settings.NODE, name="us", folder=tmp_path / "us", partners=(partner,), demonstration=True
    )
    made = door.found_link("jp", simulated=True, routed=routed)
    assert door.prepare_demonstration(tmp_path) == made
    assert len(door.fibres()) == (0 if routed else 1)
