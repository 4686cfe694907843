"""The two ends meet under the signatures of their nodes: one secret at both, and nobody between them."""

import json
import secrets
from datetime import UTC, datetime

import pytest
from tests.border import room
from tests.link.ends import Ends

from renkei.border.door import _vouch
from renkei.border.engine import sign_request
from renkei.link import door, engine
from renkei.link.door import _meet

pytestmark = pytest.mark.django_db
URL = "http://testserver/link/v1/meet"


@pytest.fixture
def far(settings, monkeypatch, tmp_path):
    """The partner, whose log was pulled."""
    partner, wire = room.found(settings, monkeypatch, tmp_path)
    room.pull(wire)
    door.ensure_kek()
    return partner


@pytest.fixture
def link(far):
    return Ends(blocks=0).us


def secret_of(link):
    return (_meet.secret_file(link.partner)).read_text().strip()


def vouch(partner, purpose, data):
    pair = partner.keys.log
    return b"".join(key.private.sign(_vouch._message(purpose, data)) for key in pair.both)


class Asker:
    """The partner's end, which detects and asks."""

    def __init__(self, partner, client):
        self.partner, self.client = partner, client
        self.fresh = engine.Recipient(secrets.token_bytes(engine.SECRET_SEED_BYTES))

    def question(self, **more):
        said = {
            "from": "jp",
            "public": self.fresh.public.hex(),
            "signed_start": False,
            "nonce": "1",
        }
        return said | more

    def ask(self, question, *, keys=None, body=None):
        text = json.dumps(question).encode()
        headers = sign_request(
            "POST", URL, {"Content-Type": "application/json"}, text,
            keys=keys or self.partner.keys.log, now=datetime.now(UTC),
            nonce=secrets.token_urlsafe(18),
        )  # fmt: skip
        return self.client.generic(
            "POST", "/link/v1/meet", body or text, "application/json", headers=headers
        )

    def secret(self, question, answer):
        said = answer.json()
        encapsulated = bytes.fromhex(said["encapsulated"])
        bound = _meet._bound(question, encapsulated, signed_start=said["signed_start"])
        mlkem, x25519 = self.fresh.decapsulate(encapsulated)
        context = _meet._context("us", "jp", self.fresh.public, encapsulated, bound)
        key = engine.combine(mlkem=mlkem, x25519=x25519, qkd=b"", context=context)
        return engine.expand(key, "link channel", 32).hex()


@pytest.fixture
def prepares(monkeypatch):
    """Let this end be the one that prepares, whatever its name."""
    monkeypatch.setattr(_meet, "is_asker", lambda _link: False)


@pytest.mark.usefixtures("prepares")
def test_both_ends_hold_the_same_secret_and_the_first_block_is_signed(client, far, link):
    asker = Asker(far, client)
    question = asker.question()
    answer = asker.ask(question)

    assert answer.status_code == 200
    assert answer.json()["signed_start"]  # this end has no key that authenticates
    assert asker.secret(question, answer) == secret_of(link)
    assert [(one.said_by, one.what) for one in door.events(link, most=9)] == [
        ("us", "signed-start")
    ]

    door.keep_seed(link, bytes(range(256)))
    again = asker.ask(asker.question())
    assert not again.json()["signed_start"]  # each has the carried seed
    assert asker.ask(asker.question(signed_start=True)).json()["signed_start"]


def test_the_end_that_asks_answers_no_question(client, far, link):
    asker = Asker(far, client)
    assert asker.ask(asker.question()).status_code == 403


@pytest.mark.usefixtures("prepares")
@pytest.mark.parametrize("what", ["unsigned", "stranger", "changed", "other end", "no keys"])
def test_nobody_else_meets_this_end(client, far, link, what):
    asker = Asker(far, client)
    question = asker.question()
    if what == "unsigned":
        answer = client.post("/link/v1/meet", question, content_type="application/json")
    elif what == "stranger":
        stranger = room.Partner("jp", "JP", far.origin, seed="another")
        answer = asker.ask(question, keys=stranger.keys.log)
    elif what == "changed":
        answer = asker.ask(question, body=json.dumps(question | {"nonce": "2"}).encode())
    elif what == "other end":
        answer = asker.ask(question | {"from": "us"})
    else:
        answer = asker.ask(question | {"public": "00"})

    assert answer.status_code in {400, 401, 403, 422}
    assert not _meet.secret_file("jp").exists()


def answering(partner, *, change=lambda said: said):
    """Play the partner's end, which prepares, and answers."""
    made = {}

    def ask(asked_partner, path, asked, **_limits):
        assert (asked_partner.name, path) == ("jp", "/link/v1/meet")
        public = bytes.fromhex(asked["public"])
        mlkem, x25519, encapsulated = engine.encapsulate(public)
        bound = _meet._bound(asked, encapsulated, signed_start=True)
        context = _meet._context("jp", "us", public, encapsulated, bound)
        key = engine.combine(mlkem=mlkem, x25519=x25519, qkd=b"", context=context)
        made["secret"] = engine.expand(key, "link channel", 32).hex()
        signature = vouch(partner, _meet.PURPOSE, bound)
        said = {"encapsulated": encapsulated.hex(), "signed_start": True}
        return change(said | {"signature": signature.hex()})

    return ask, made


def test_the_end_that_asks_believes_the_partners_node_alone(far, link, monkeypatch):
    ask, made = answering(far)
    monkeypatch.setattr(_meet.border, "ask_partner", ask)
    door.meet(link)
    assert secret_of(link) == made["secret"]

    for change in (
        lambda said: said | {"signed_start": False},
        lambda said: said | {"signature": "00" * 2484},
        lambda said: said | {"signature": said["signature"][:128]},
        lambda said: {"signature": said["signature"]},
    ):
        ask, made = answering(far, change=change)
        monkeypatch.setattr(_meet.border, "ask_partner", ask)
        with pytest.raises(door.BadMessageError):
            door.meet(link)
        assert secret_of(link) != made["secret"]


@pytest.mark.parametrize("partner", ["ca", "kek", "seal", "fibre-jp"])
def test_a_partner_may_have_any_name(far, partner):
    """What is kept for it meets none of the node's other files: Canada's node is called ca."""
    where = door.ensure_authority().parent
    door.recipient()
    before = {file.name for file in where.iterdir()}
    door.keep_secret(partner, "ab" * 32)
    (new,) = {file.name for file in where.iterdir()} - before
    assert (where / new).read_text().strip() == "ab" * 32
