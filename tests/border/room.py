"""The test node's border, and a partner in memory that it reaches as if by a network."""

import dataclasses
import json
import shutil
from datetime import UTC, datetime, timedelta

from tests.border.engine.pair import SALT, Node, stream

from renkei.border import door, engine
from renkei.border.door import _client, _exchange, _keys
from renkei.border.models import Log

COMMITMENT = {
    "slug": "joint-bed",
    "title_en": "Quantum test bed",
    "title_ja": "量子テストベッド",
    "domain": "quantum",
    "kind": "infrastructure",
    "status": "planned",
    "parties": "US, JP",
}
LONG_AGO = datetime(2026, 1, 5, tzinfo=UTC)
OFFICER = engine.commitment_of(b"{}", SALT)


class Partner(Node):
    """A node of the programme: its log is a list, its answers are functions."""

    def __init__(self, name, party, origin, seed=""):
        self.origin_name = origin
        super().__init__(name, party, seed)

    def __post_init__(self):
        self.keys = engine.NodeKeys.generate(stream(self.seed or self.name))
        self.founded = engine.Identity.of(
            self.keys, origin=self.origin_name, party=self.party, name=self.name
        )
        self.history = engine.KeyHistory.founded(self.founded)
        self.say(engine.FOUNDED, engine.founding_body(self.founded))

    def say(self, type_, body=None, **fields):
        """Append a statement; it is of the past unless its time is given."""
        return super().say(type_, body, **({"issued": LONG_AGO} | fields))

    def note(self, size=None, now=None):
        """A signed checkpoint of the first entries."""
        entries = self.entries[:size]
        return engine.sign_checkpoint(
            engine.Checkpoint(
                self.origin, len(entries), engine.root_of(map(engine.leaf_hash, entries))
            ),
            ed25519=engine.Ed25519NoteSigner(self.origin, self.keys.log_ed25519),
            mldsa44=engine.MlDsa44Cosigner(self.origin, self.keys.log_mldsa44),
            timestamp=int((now or datetime.now(UTC)).timestamp()),
        )

    def tile(self, wanted):
        """A tile of its log."""
        if wanted.level == engine.ENTRIES:
            first = wanted.index * engine.TILE_WIDTH
            return engine.bundle(self.entries[first : first + wanted.width])
        return engine.tile_hashes(wanted, self.read)

    def propose(self, *, record, content=None, parent="", now=None, expires=None, **more):
        """Propose a commitment; return the reference and the proposal."""
        at = now or datetime.now(UTC).replace(microsecond=0)
        body = (
            engine.proposal_body(
                content=content or COMMITMENT,
                parties=["JP", "US"],
                expires=engine.write_time(expires or at + timedelta(days=7)),
                reason="a test",
                officer=OFFICER,
            )
            | more
        )
        ref = self.say(engine.PROPOSED, body, record=record, parent=parent or None, issued=at)
        envelope = engine.read_envelope(self.entries[ref.index])
        return ref, engine.read_proposal(
            act=envelope.id,
            issuer=envelope.issuer,
            issued=engine.write_time(at),
            record=record,
            parent=parent,
            body=body,
        )

    def answer(self, proposal, refs, *, approves=True, now=None, record=None, **more):
        """Answer a proposal."""
        body = engine.answer_body(proposal, approves=approves, officer=OFFICER) | more
        return self.say(
            engine.ANSWERED,
            body,
            record=record or str(proposal.record),
            parent=proposal.parent or None,
            refs=refs,
            issued=now or datetime.now(UTC).replace(microsecond=0),
        )

    def seal(self, proposal, refs, *, now=None):
        """Seal a proposal."""
        return self.say(
            engine.SEALED,
            engine.seal_body(proposal),
            record=str(proposal.record),
            parent=proposal.parent or None,
            refs=refs,
            issued=now or datetime.now(UTC).replace(microsecond=0),
        )


class Wire:
    """Stands in for the client of the exchange: asks the partner in memory."""

    def __init__(self, partner):
        self.partner = partner
        self.now = datetime.now(UTC)
        self.shown = None  # a note instead of the newest one
        self.changed = {}  # path: bytes
        self.asked = []

    def __call__(self, method, url, *, most, body=b"", headers=None):
        path = url.split("8802", 1)[1]
        self.asked.append(path)
        if path in self.changed:
            content = self.changed[path]
        elif path == "/log/checkpoint":
            content = self.shown or self.partner.note(now=self.now)
        elif path.startswith("/log/tile/"):
            content = self.partner.tile(engine.parse_tile(path.removeprefix("/log/")))
        elif path == "/.well-known/renkei-node":
            content = engine.renkei_node_document(self.partner.history, "http://127.0.0.1:8802", {})
            content = json.dumps(content).encode()
        elif path == "/border/v1/witness/add-checkpoint":
            content = self._cosigned(engine.parse_add_checkpoint(body).note)
        else:
            return _client.Answer(status=404, content=b"", kind="", date="")
        date = self.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return _client.Answer(status=200, content=content, kind="", date=date)

    def _cosigned(self, note):
        keys, name = self.partner.keys, self.partner.history.newest("witness").name
        both = [
            engine.Ed25519Cosigner(name, keys.witness_ed25519),
            engine.MlDsa44Cosigner(name, keys.witness_mldsa44),
        ]
        return "".join(engine.cosign(note, both, int(self.now.timestamp()))).encode()


def found(settings, monkeypatch, tmp_path):
    """Found the test node's border in a folder of its own; return its partner and the wire."""
    partner = Partner("jp", "JP", settings.NODE.origin_of("jp"))
    row = dataclasses.replace(settings.NODE.partners[0], fingerprint=partner.founded.fingerprint)
    settings.NODE = dataclasses.replace(settings.NODE, folder=tmp_path, partners=(row,))
    shutil.rmtree(tmp_path / "keys", ignore_errors=True)
    (tmp_path / "keys").mkdir()
    (tmp_path / "blobs").mkdir()
    _keys._read.cache_clear()
    door.found()
    wire = Wire(partner)
    monkeypatch.setattr(_client, "ask", wire)
    _exchange.meet(door.partner("jp"))
    return partner, wire


def pull(wire, now=None):
    """Bring the mirror of the partner up to date."""
    partner = door.partner("jp")
    at = now or wire.now
    return _exchange.pull(partner, _keys.pinned("jp"), now=lambda: at)


def mirror():
    """The mirror of the partner's log."""
    return Log.objects.get(name="jp")
