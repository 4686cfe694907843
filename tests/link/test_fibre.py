"""The fibre gives each node its half and nothing else, and no stranger anything."""

import json
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client

import pytest

from renkei.link import engine
from renkei.link.commands import _fibre as process
from renkei.link.door import _fibre as client

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
    assert client.eavesdropper_on_file(fibre / "jp") == {"intercept": 1.0, "split": 0.5}


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_is_refused(fibre, share):
    with pytest.raises(client.BadEavesdropperError):
        client.set_eavesdropper(fibre / "us", intercept=share, split=0)


def test_a_fibre_that_is_not_there_is_said(tmp_path):
    with pytest.raises(client.FibreAwayError, match="renkei up"):
        client.half(tmp_path, 1, key_bits=1000)


def test_nonsense_ends_the_connection_and_not_the_fibre(fibre):
    ports = json.loads((fibre / engine.FIBRE_FILE).read_text())["ports"]
    for junk in (b"", b"{", b"[]", b'{"op": "half"}', b'{"op": "half", "number": "x"}'):
        with Client(("127.0.0.1", ports["us"]), authkey=SECRETS["us"]) as link:
            link.send_bytes(junk)
            with pytest.raises((EOFError, OSError)):
                link.recv_bytes()
    assert client.half(fibre / "us", 8, key_bits=5000)
