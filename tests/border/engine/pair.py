"""Two or more nodes in memory: keys from a fixed stream, logs as lists, no clock."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from renkei.border import engine

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
SALT = bytes(range(32))


def stream(seed):
    """A fixed source of bytes: SHA-256 in counter mode. For tests alone."""
    state = {"at": 0, "left": b""}

    def take(count):
        while len(state["left"]) < count:
            block = hashlib.sha256(f"{seed}/{state['at']}".encode()).digest()
            state["at"] += 1
            state["left"] += block
        taken, state["left"] = state["left"][:count], state["left"][count:]
        return taken

    return take


@dataclass
class Node:
    """A node with its log."""

    name: str
    party: str
    seed: str = ""
    entries: list = field(default_factory=list)

    def __post_init__(self):
        self.keys = engine.NodeKeys.generate(stream(self.seed or self.name))
        self.founded = engine.Identity.of(
            self.keys, origin=f"{self.name}.example/log", party=self.party, name=self.name
        )
        self.history = engine.KeyHistory.founded(self.founded)
        self.say(engine.FOUNDED, engine.founding_body(self.founded))

    @property
    def origin(self):
        return self.founded.origin

    def say(self, type_, body=None, *, signers=None, **fields):
        """Append a statement and return its reference."""
        index = len(self.entries)
        data = engine.compose(
            type=type_,
            id=f"{self.name}-{index}",
            issuer=self.origin,
            issued=fields.pop("issued", NOON),
            body=body,
            signers=self.keys.log.both if signers is None else signers,
            **fields,
        )
        envelope = engine.read_envelope(data)
        self.history = self.history.after(index, envelope)
        self.entries.append(data)
        return engine.Ref(self.origin, index, envelope.leaf)

    def fill(self, count):
        """Append statements about nothing."""
        for number in range(count):
            self.say("record.note.made", {"number": number}, signers=(self.keys.log.ed25519,))

    def rotate_log(self, seed, overlap=0):
        """Change the log's keys in the log."""
        new = engine.NodeKeys.generate(stream(seed))
        body = engine.rotation_body(
            self.history, "log", new.log.public, overlap=overlap, reason="yearly"
        )
        signers = [*self.keys.log.both, *new.log.both, *self.keys.recovery.private.both]
        ref = self.say(engine.ROTATED, body, signers=signers)
        self.keys = engine.NodeKeys(
            new.log_ed25519,
            new.log_mldsa44,
            self.keys.witness_ed25519,
            self.keys.witness_mldsa44,
            self.keys.mirror_ed25519,
            self.keys.mirror_mldsa44,
            self.keys.sealing,
            self.keys.recovery,
        )
        return ref

    def read(self, height, index):
        """A subtree's hash (``NodeReader``)."""
        first = index << height
        leaves = map(engine.leaf_hash, self.entries[first : first + (1 << height)])
        return engine.root_of(leaves)

    def checkpoint(self, *cosigners, seconds=1_795_000_000):
        """A checkpoint of everything, cosigned by the partners' witnesses."""
        root = engine.root_of(map(engine.leaf_hash, self.entries))
        note = engine.sign_checkpoint(
            engine.Checkpoint(self.origin, len(self.entries), root),
            ed25519=engine.Ed25519NoteSigner(self.origin, self.keys.log_ed25519),
            mldsa44=engine.MlDsa44Cosigner(self.origin, self.keys.log_mldsa44),
            timestamp=seconds,
        )
        for node in cosigners:
            name = node.history.newest("witness").name
            lines = engine.cosign(
                note,
                [
                    engine.Ed25519Cosigner(name, node.keys.witness_ed25519),
                    engine.MlDsa44Cosigner(name, node.keys.witness_mldsa44),
                    engine.Ed25519Cosigner(f"{node.origin}/mirror", node.keys.mirror_ed25519),
                    engine.MlDsa44Cosigner(f"{node.origin}/mirror", node.keys.mirror_mldsa44),
                ],
                seconds + 1,
            )
            note = engine.with_cosignatures(note, lines)
        return note

    def receipt_log(self, refs, *cosigners):
        """What a receipt says of this log."""
        indexes = {ref.index for ref in refs if ref.origin == self.origin}
        indexes |= {
            index
            for index, data in enumerate(self.entries)
            if engine.read_envelope(data).type in {engine.ROTATED, engine.REVOKED}
        }
        size = len(self.entries)
        return engine.ReceiptLog(
            self.founded,
            self.checkpoint(*cosigners),
            tuple(
                engine.ReceiptEntry(
                    index,
                    self.entries[index],
                    tuple(engine.inclusion_proof(index, size, self.read)),
                )
                for index in sorted(indexes)
            ),
        )


OFFICERS = {"US": "Dana Whitfield, Department of Energy", "JP": "佐藤 恵, 内閣府"}
CONTENT = {
    "title": "Joint materials facility",
    "title_ja": "共同材料研究施設",
    "amount": "12500000.00",
    "currency": "USD",
}


def act(home, *others, content=None, parties=None, changes=None):
    """Propose at home, approve everywhere, seal at home; return all references.

    ``changes`` maps ``proposed``, ``answered``, ``sealed`` to functions that spoil the fields of a
    statement before it is said.
    """
    changes = changes or {}

    def say(step, node, type_, body, **fields):
        spoil = changes.get(step)
        if spoil is not None:
            body, fields = spoil(node, body, fields)
        return node.say(type_, body, **fields)

    everybody = (home, *others)
    parties = parties or [node.party for node in everybody]
    record = f"record.commitment/{home.name}/c-17"
    officer = {party: engine.commitment_of(name.encode(), SALT) for party, name in OFFICERS.items()}
    body = engine.proposal_body(
        content=content or CONTENT,
        parties=parties,
        expires=engine.write_time(NOON + timedelta(days=7)),
        reason="As agreed in Tsukuba",
        officer=officer[home.party],
    )
    proposed = say("proposed", home, engine.PROPOSED, body, record=record)
    envelope = engine.read_envelope(home.entries[proposed.index])
    proposal = engine.read_proposal(
        act=envelope.id,
        issuer=envelope.issuer,
        issued=engine.write_time(envelope.issued),
        record=envelope.record,
        parent="",
        body=envelope.body,
    )
    answered = [
        say(
            "answered",
            node,
            engine.ANSWERED,
            engine.answer_body(proposal, approves=True, officer=officer[node.party]),
            record=record,
            refs=[proposed],
        )
        for node in everybody
    ]
    sealed = say(
        "sealed",
        home,
        engine.SEALED,
        engine.seal_body(proposal),
        record=record,
        refs=[proposed, *answered],
    )
    return [proposed, *answered, sealed]


def receipt(home, *others, refs, **arguments):
    """The receipt of an act between these nodes."""
    everybody = (home, *others)
    logs = [
        node.receipt_log(refs, *(other for other in everybody if other is not node))
        for node in everybody
    ]
    disclosed = [engine.Disclosed(name, SALT) for name in OFFICERS.values()]
    return engine.compose_receipt(logs, arguments.pop("disclosed", disclosed), **arguments)
