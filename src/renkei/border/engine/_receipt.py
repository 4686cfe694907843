"""One file that proves, to anybody and offline, what the parties said: a receipt, or misconduct.

A file holds the parties' identities, one signed checkpoint of each log, and the entries that
matter, byte for byte, each with its way up to the checkpoint's root: with the checkpoint below it,
that is a C2SP tlog-proof (``tlog_proofs``). Three kinds of file:

* a receipt: every party approved this content, its home sealed it, and both the logs and the
  partners' witnesses stand by it;
* a fork: a log signed two checkpoints that cannot both be true;
* two seals: a home sealed two successors of one version of a record.

``static/border/verify.js`` checks the same in a browser; the list of checks is one.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from renkei.border.engine._canonical import NotCanonicalError, canonical, read_canonical
from renkei.border.engine._checkpoint import Checkpoint, open_checkpoint
from renkei.border.engine._envelope import (
    SALT_BYTES,
    Envelope,
    Ref,
    open_commitment,
    read_envelope,
    verify_envelope,
    write_time,
)
from renkei.border.engine._fork import ForkEvidence
from renkei.border.engine._identity import (
    FOUNDED,
    KEY_TYPES,
    Identity,
    KeyHistory,
    WrongFingerprintError,
    format_fingerprint,
    parse_fingerprint,
)
from renkei.border.engine._joint import (
    ANSWERED,
    PROPOSED,
    SEALED,
    Answer,
    Proposal,
    check_seal,
    read_answer,
    read_proposal,
)
from renkei.border.engine._keys import BOTH, BadKeyError, read_base64
from renkei.border.engine._merkle import HASH_BYTES, leaf_hash, verify_inclusion
from renkei.border.engine._note import SignedNote as _SignedNote
from renkei.border.engine._note import (
    UnsignedNoteError,
    VerifierKey,
    encode_base64,
    parse_note,
)
from renkei.border.engine._proof import MAX_PROOF_HASHES, TlogProof
from renkei.kit.errors import RenkeiError, gettext_noop

RECEIPT = "renkei-receipt/1"
FORK = "renkei-fork/1"
TWO_SEALS = "renkei-two-seals/1"
MAX_RECEIPT_BYTES = 1024 * 1024
MOST_LOGS = 32
MOST_ENTRIES = 64
MOST_DISCLOSED = 64

CHECKS = {
    "file": gettext_noop("The file is written as a receipt or as evidence."),
    "fingerprint": gettext_noop("The party is the one whose fingerprint you know."),
    "keys": gettext_noop("The party's keys follow from its identity."),
    "checkpoint": gettext_noop("The log signed its checkpoint with both algorithms."),
    "cosigned": gettext_noop("The partner's witness cosigned the checkpoint with both algorithms."),
    "statement": gettext_noop("The statement is signed by its party with both algorithms."),
    "included": gettext_noop("The statement stands in the log at its place."),
    "proposal": gettext_noop("The proposal says exactly this content."),
    "approval": gettext_noop("The party approved exactly this content in time."),
    "seal": gettext_noop("The record's home sealed what every party approved."),
    "disclosed": gettext_noop("The disclosed text is what a statement committed to."),
    "fork": gettext_noop("The log signed two checkpoints that cannot both be true."),
    "two_seals": gettext_noop("The home sealed two successors of one version."),
}

_Result = TypeVar("_Result")


class BadReceiptError(RenkeiError):
    """The file is no receipt and no evidence, or proves nothing."""

    code = "border.bad_receipt"


@dataclass(frozen=True)
class ReceiptEntry:
    """An entry of a log with its way to the root.

    Args:
        index: in the log.
        data: the entry, byte for byte.
        proof: the hashes of ``inclusion_proof``.
    """

    index: int
    data: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True)
class ReceiptLog:
    """What a file says of one log.

    Args:
        identity: that the log's node was founded with.
        checkpoint: signed and cosigned; it covers every entry.
        entries: statements of the act, and every change of the log's keys before them.
    """

    identity: Identity
    checkpoint: bytes
    entries: tuple[ReceiptEntry, ...]


@dataclass(frozen=True)
class Disclosed:
    """A text that a statement committed to, such as an officer's name, shown to the reader."""

    content: str
    salt: bytes


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Args:
        code: of ``CHECKS``.
        subject: the origin, party, entry or commitment it is about.
        passed: whether it holds; nothing, if only the reader can tell.
        found: what was found instead, or what the reader must compare.
        error: the refusal behind it, to be said in the reader's language.
    """

    code: str
    subject: str
    passed: bool | None
    found: str = ""
    error: RenkeiError | None = field(default=None, compare=False, repr=False)

    @property
    def expected(self) -> str:
        """What was expected, in English; the key of its translation."""
        return CHECKS[self.code]


@dataclass(frozen=True)
class Report:
    """What a file proves.

    Args:
        kind: ``RECEIPT``, ``FORK``, ``TWO_SEALS``, or empty if it is none.
        checks: in the order they were made.
        said: what is proven if everything passed, for a page to show: plain JSON.
    """

    kind: str
    checks: tuple[Check, ...]
    said: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Tell whether nothing failed; fingerprints may be left for the reader to compare."""
        return bool(self.checks) and all(check.passed is not False for check in self.checks)

    @property
    def pinned(self) -> bool:
        """Tell whether every fingerprint was compared with one that the reader knows."""
        return self.passed and all(check.passed for check in self.checks)

    @property
    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "kind": self.kind,
            "passed": self.passed,
            "pinned": self.pinned,
            "checks": [
                {
                    "code": check.code,
                    "subject": check.subject,
                    "passed": check.passed,
                    "expected": check.expected,
                    "found": check.found,
                }
                for check in self.checks
            ],
            "said": dict(self.said),
        }


def compose_receipt(
    logs: Sequence[ReceiptLog], disclosed: Iterable[Disclosed] = (), *, kind: str = RECEIPT
) -> bytes:
    """Write a receipt, or the evidence of two seals.

    Args:
        logs: one for each party of the act; for two seals, the home's.
        disclosed: texts to show, such as the officers' names.
        kind: ``RECEIPT`` or ``TWO_SEALS``.

    Returns:
        Canonical JSON. Of the checkpoints' signatures those remain that the file's own identities
        can check: the logs' and the other parties' witnesses'.

    Raises:
        BadReceiptError: it would not prove what it is for; the first check that failed.
    """
    histories = {log.identity.origin: _history(log) for log in logs}
    document = {
        "kind": kind,
        "logs": [_log_document(log, histories) for log in logs],
        "disclosed": [
            {
                "commitment": hashlib.sha256(each.salt + each.content.encode()).hexdigest(),
                "salt": encode_base64(each.salt),
                "content": each.content,
            }
            for each in disclosed
        ],
    }
    return _checked(canonical(document))


def compose_fork(
    identity: Identity, evidence: ForkEvidence, changes: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    """Write the evidence of a fork.

    Args:
        identity: of the node whose log forked, as it was founded.
        evidence: of ``fork_evidence``.
        changes: index and bytes of the entries that changed its keys before.

    Raises:
        BadReceiptError: it proves nothing.
    """
    document = {
        "kind": FORK,
        "identity": identity.document,
        "changes": [{"index": index, "statement": data.decode()} for index, data in changes],
        "first": evidence.first.decode(),
        "second": evidence.second.decode(),
        "path": [encode_base64(each) for each in evidence.path],
    }
    return _checked(canonical(document))


def verify_receipt(data: bytes, pins: Collection[str] | None = None) -> Report:
    """Check a file, offline; nothing it holds can raise.

    Args:
        data: anything; at most 1 MiB is read.
        pins: fingerprints that the reader knows, one of each party that may speak. Nothing: the
            reader is shown the fingerprints to compare.

    Returns:
        Every check that was made, in order. A check that needs one that failed is not made, and
        what it would have shown is missing from the seal's.

    Raises:
        BadFingerprintError: one of ``pins`` is none.
    """
    checks = _Checks(None if pins is None else frozenset(map(parse_fingerprint, pins)))
    document = checks.run("file", "", lambda: _read_file(data))
    if document is None:
        return Report("", tuple(checks.made), {})
    kind = document["kind"]
    verify = {RECEIPT: _verify_act, FORK: _verify_fork, TWO_SEALS: _verify_two_seals}[kind]
    said = verify(checks, document)
    return Report(kind, tuple(checks.made), said)


def tlog_proofs(data: bytes) -> dict[str, bytes]:
    """Take the C2SP tlog-proof of each entry out of a receipt, for other people's verifiers.

    Returns:
        ``<origin>/<index>`` to the bytes of a ``.tlog-proof`` file.

    Raises:
        BadReceiptError: the file is no receipt.
    """
    document = _read_file(data)
    if document["kind"] == FORK:
        raise BadReceiptError(gettext_noop("evidence of a fork holds no entries"))
    return {
        f"{log['identity']['origin']}/{entry['index']}": TlogProof(
            entry["index"], _hashes(entry["path"]), log["checkpoint"].encode()
        ).dump()
        for log in document["logs"]
        for entry in log["entries"]
    }


class _Checks:
    """The checks made so far, and what the reader knows."""

    def __init__(self, pins: frozenset[str] | None) -> None:
        self.pins = pins
        self.made: list[Check] = []

    def run(self, code: str, subject: str, check: Callable[[], _Result]) -> _Result | None:
        """Make one check and return what it found, or nothing if it failed."""
        try:
            found = check()
        except RenkeiError as error:
            self.made.append(Check(code, subject, passed=False, found=str(error), error=error))
            return None
        self.made.append(Check(code, subject, passed=True))
        return found

    def identity(self, document: Any) -> Identity | None:
        """Read an identity and compare its fingerprint with those the reader knows."""
        try:
            identity = Identity.read(document)
        except RenkeiError as error:
            self.made.append(Check("fingerprint", "", passed=False, found=str(error), error=error))
            return None
        shown = format_fingerprint(identity.fingerprint).replace("\n", " ")
        if self.pins is None:
            self.made.append(Check("fingerprint", identity.origin, passed=None, found=shown))
            return identity
        if identity.fingerprint in self.pins:
            self.made.append(Check("fingerprint", identity.origin, passed=True, found=shown))
            return identity
        other = WrongFingerprintError(
            gettext_noop("{origin} shows the fingerprint {shown}: that is none you know"),
            origin=identity.origin,
            shown=shown,
        )
        self.made.append(
            Check("fingerprint", identity.origin, passed=False, found=str(other), error=other)
        )
        return None


@dataclass(frozen=True)
class _Log:
    """A log of a file, with what is known of it."""

    identity: Identity
    history: KeyHistory
    document: Mapping[str, Any]


@dataclass(frozen=True)
class _Said:
    """A statement that is proven to stand in a log."""

    ref: Ref
    envelope: Envelope
    identity: Identity


def _verify_act(checks: _Checks, document: Mapping[str, Any]) -> dict[str, Any]:
    logs, statements = _verify_logs(checks, document)
    said: dict[str, Any] = {"logs": [log.identity.origin for log in logs]}
    proposals = [each for each in statements if each.envelope.type == PROPOSED]
    proposal = checks.run("proposal", "", lambda: _one_proposal(proposals))
    if proposal is None:
        return said
    proposed, act = proposal
    answers: list[tuple[_Said, Answer]] = []
    for party in act.parties:
        found = checks.run(
            "approval",
            party,
            lambda party=party: _approval(party, proposed, act, statements),  # type: ignore[misc]
        )
        if found is not None:
            answers.append(found)
    seal = checks.run("seal", act.act, lambda: _seal(proposed, act, answers, statements))
    shown = _verify_disclosed(checks, document, statements)
    return said | {
        "act": act.act,
        "record": str(act.record),
        "parent": act.parent,
        "content": dict(act.content),
        "content_hash": act.content_hash,
        "reason": act.reason,
        "expires": act.expires,
        "proposed": {"origin": proposed.ref.origin, "index": proposed.ref.index},
        "approvals": [
            {
                "party": answer.party,
                "origin": where.ref.origin,
                "index": where.ref.index,
                "issued": answer.issued,
                "officer": shown.get(answer.officer, ""),
            }
            for where, answer in answers
        ],
        "version": seal.ref.leaf if seal else "",
    }


def _verify_two_seals(checks: _Checks, document: Mapping[str, Any]) -> dict[str, Any]:
    logs, statements = _verify_logs(checks, document)
    seals = [each for each in statements if each.envelope.type == SEALED]
    pair = checks.run("two_seals", "", lambda: _two_seals(seals))
    said: dict[str, Any] = {"logs": [log.identity.origin for log in logs]}
    if pair is not None:
        said |= {
            "record": pair[0].envelope.record,
            "parent": pair[0].envelope.parent or "",
            "seals": [{"origin": each.ref.origin, "index": each.ref.index} for each in pair],
        }
    return said


def _verify_fork(checks: _Checks, document: Mapping[str, Any]) -> dict[str, Any]:
    identity = checks.identity(document["identity"])
    if identity is None:
        return {}
    history = checks.run("keys", identity.origin, lambda: _fold(identity, document["changes"]))
    if history is None:
        return {}

    def check() -> tuple[Checkpoint, Checkpoint]:
        evidence = ForkEvidence(
            document["first"].encode(), document["second"].encode(), _hashes(document["path"])
        )
        keys = {
            text
            for note in (evidence.first, evidence.second)
            for text in history.vkeys_at("log", _size(note))
        }
        return evidence.verify(identity.origin, map(VerifierKey.parse, sorted(keys)))

    pair = checks.run("fork", identity.origin, check)
    if pair is None:
        return {}
    return {
        "logs": [identity.origin],
        "checkpoints": [{"size": each.size, "root": encode_base64(each.root)} for each in pair],
    }


def _verify_logs(checks: _Checks, document: Mapping[str, Any]) -> tuple[list[_Log], list[_Said]]:
    logs: list[_Log] = []
    for item in document["logs"]:
        identity = checks.identity(item["identity"])
        if identity is None:
            continue
        history = checks.run(
            "keys",
            identity.origin,
            lambda identity=identity, item=item: _fold(identity, item["entries"]),  # type: ignore[misc]
        )
        if history is not None:
            logs.append(_Log(identity, history, item))
    statements: list[_Said] = []
    for log in logs:
        statements += _verify_log(checks, log, logs)
    return logs, statements


def _verify_log(checks: _Checks, log: _Log, logs: Sequence[_Log]) -> list[_Said]:
    origin = log.identity.origin
    note = log.document["checkpoint"].encode()
    size = _size(note)
    own = [VerifierKey.parse(text) for text in log.history.vkeys_at("log", size)]
    opened = checks.run("checkpoint", origin, lambda: open_checkpoint(note, origin, own))
    if opened is None:
        return []
    checkpoint = opened[0]
    for other in logs:
        if other is not log:
            checks.run(
                "cosigned",
                f"{origin} < {other.identity.origin}",
                lambda other=other: _cosigned(note, origin, own, other),  # type: ignore[misc]
            )
    found = []
    for entry in log.document["entries"]:
        place = f"{origin}/{entry['index']}"
        said = checks.run(
            "statement",
            place,
            lambda entry=entry: _statement(log, entry["index"], entry["statement"]),  # type: ignore[misc]
        )
        included = checks.run(
            "included",
            place,
            lambda entry=entry: _included(checkpoint, entry),  # type: ignore[misc]
        )
        if said is not None and included is not None:
            found.append(said)
    return found


def _cosigned(note: bytes, origin: str, own: Sequence[VerifierKey], other: _Log) -> bool:
    size = _size(other.document["checkpoint"].encode())
    texts = other.history.vkeys_at("witness", size)
    witness = [VerifierKey.parse(text) for text in texts]
    _checkpoint, signed = open_checkpoint(note, origin, [*own, *witness])
    for at in range(0, len(witness), 2):  # pairs: Ed25519 and ML-DSA-44 of one name
        if set(witness[at : at + 2]) <= set(signed):
            return True
    raise UnsignedNoteError(
        gettext_noop("{witness} has not cosigned the checkpoint with both algorithms"),
        witness=witness[0].name if witness else other.identity.origin,
    )


def _statement(log: _Log, index: int, text: str) -> _Said:
    data = text.encode()
    envelope = read_envelope(data)
    if envelope.issuer != log.identity.origin:
        raise BadReceiptError(
            gettext_noop("{issuer} speaks in the log of {origin}: expected its own"),
            issuer=envelope.issuer,
            origin=log.identity.origin,
        )
    verify_envelope(envelope, log.history.keys_for("log", index), require=BOTH)
    return _Said(Ref(envelope.issuer, index, envelope.leaf), envelope, log.identity)


def _included(checkpoint: Checkpoint, entry: Mapping[str, Any]) -> bool:
    verify_inclusion(
        index=entry["index"],
        size=checkpoint.size,
        leaf=leaf_hash(entry["statement"].encode()),
        proof=_hashes(entry["path"]),
        root=checkpoint.root,
    )
    return True


def _one_proposal(proposals: Sequence[_Said]) -> tuple[_Said, Proposal]:
    if len(proposals) != 1:
        raise BadReceiptError(
            gettext_noop("a receipt has one proposal that is proven, not {count}"),
            count=len(proposals),
        )
    envelope = proposals[0].envelope
    return proposals[0], read_proposal(
        act=envelope.id,
        issuer=envelope.issuer,
        issued=write_time(envelope.issued),
        record=envelope.record or "",
        parent=envelope.parent or "",
        body=envelope.body or {},
    )


def _approval(
    party: str, proposed: _Said, act: Proposal, statements: Sequence[_Said]
) -> tuple[_Said, Answer]:
    given = [
        each
        for each in statements
        if each.envelope.type == ANSWERED and each.identity.party == party
    ]
    if len(given) != 1:
        raise BadReceiptError(
            gettext_noop("{party} has {count} answers that are proven: expected one"),
            party=party,
            count=len(given),
        )
    envelope = given[0].envelope
    _check_refs(envelope, [proposed.ref])
    answer = read_answer(
        act,
        party=party,
        issued=write_time(envelope.issued),
        record=envelope.record or "",
        parent=envelope.parent or "",
        body=envelope.body or {},
    )
    if not answer.approves:
        raise BadReceiptError(gettext_noop("{party} rejected the proposal"), party=party)
    return given[0], answer


def _seal(
    proposed: _Said,
    act: Proposal,
    answers: Sequence[tuple[_Said, Answer]],
    statements: Sequence[_Said],
) -> _Said:
    seals = [each for each in statements if each.envelope.type == SEALED]
    if len(seals) != 1:
        raise BadReceiptError(
            gettext_noop("a receipt has one seal that is proven, not {count}"), count=len(seals)
        )
    envelope = seals[0].envelope
    check_seal(
        act,
        [answer for _where, answer in answers],
        by=seals[0].identity.name,
        issued=write_time(envelope.issued),
        record=envelope.record or "",
        parent=envelope.parent or "",
        body=envelope.body or {},
    )
    _check_refs(envelope, [proposed.ref, *(where.ref for where, _answer in answers)])
    return seals[0]


def _two_seals(seals: Sequence[_Said]) -> Sequence[_Said]:
    if len(seals) == 2:
        one, two = seals
        same = (one.envelope.record, one.envelope.parent, one.ref.origin)
        if (
            same == (two.envelope.record, two.envelope.parent, two.ref.origin)
            and one.envelope.record
            and one.ref.leaf != two.ref.leaf
        ):
            return seals
    raise BadReceiptError(
        gettext_noop("these are not two different seals on one version of a record by one home")
    )


def _check_refs(envelope: Envelope, expected: Iterable[Ref]) -> None:
    for ref in expected:
        if ref not in envelope.refs:
            raise BadReceiptError(
                gettext_noop("{id} does not refer to entry {index} of {origin} as it is proven"),
                id=envelope.id,
                index=ref.index,
                origin=ref.origin,
            )


def _verify_disclosed(
    checks: _Checks, document: Mapping[str, Any], statements: Sequence[_Said]
) -> dict[str, str]:
    committed = [each.envelope.commitment for each in statements]
    committed += [(each.envelope.body or {}).get("officer") for each in statements]
    shown: dict[str, str] = {}
    for item in document["disclosed"]:

        def check(item: Mapping[str, str] = item) -> str:
            salt = read_base64(item["salt"], what="salt", length=SALT_BYTES)
            open_commitment(item["commitment"], item["content"].encode(), salt)
            if item["commitment"] not in committed:
                raise BadReceiptError(gettext_noop("no statement of the receipt commits to it"))
            return item["content"]

        text = checks.run("disclosed", item["commitment"], check)
        if text is not None:
            shown[item["commitment"]] = text
    return shown


def _fold(identity: Identity, entries: Iterable[Mapping[str, Any]]) -> KeyHistory:
    read = ((each["index"], read_envelope(each["statement"].encode())) for each in entries)
    return KeyHistory.fold(
        identity, sorted((pair for pair in read if pair[1].type in KEY_TYPES), key=lambda p: p[0])
    )


def _size(note: bytes) -> int:
    """Return what a checkpoint says its size is, 0 if it says nothing; it is verified after."""
    line = note.split(b"\n", 2)[1:2]
    return int(line[0]) if line and len(line[0]) < 20 and line[0].isdigit() else 0


def _hashes(texts: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(read_base64(text, what="path", length=HASH_BYTES) for text in texts)


def _history(log: ReceiptLog) -> KeyHistory:
    return KeyHistory.fold(
        log.identity, ((entry.index, read_envelope(entry.data)) for entry in log.entries)
    )


def _log_document(log: ReceiptLog, histories: Mapping[str, KeyHistory]) -> dict[str, Any]:
    origin = log.identity.origin
    kept = {
        VerifierKey.parse(text).key_id
        for other, history in histories.items()
        for span in history.spans
        if span.role == ("log" if other == origin else "witness")
        for text in span.vkeys
    }
    note = parse_note(log.checkpoint)
    lines = tuple(each for each in note.signatures if each.key_id in kept)
    return {
        "identity": log.identity.document,
        "checkpoint": _SignedNote(note.text, lines or note.signatures).dump().decode(),
        "entries": [
            {
                "index": entry.index,
                "path": [encode_base64(each) for each in entry.proof],
                "statement": entry.data.decode(),
            }
            for entry in log.entries
            if read_envelope(entry.data).type != FOUNDED  # it repeats the identity
        ],
    }


def _checked(data: bytes) -> bytes:
    report = verify_receipt(data)
    for check in report.checks:
        if check.passed is False:
            raise BadReceiptError(
                gettext_noop("the file would prove nothing: {expected} {subject}: {found}"),
                expected=check.expected,
                subject=check.subject,
                found=check.found,
            )
    return data


_ENTRY = {"index": int, "path": list, "statement": str}
_SHAPES: dict[str, dict[str, type]] = {
    RECEIPT: {"kind": str, "logs": list, "disclosed": list},
    TWO_SEALS: {"kind": str, "logs": list, "disclosed": list},
    FORK: {
        "kind": str,
        "identity": dict,
        "changes": list,
        "first": str,
        "second": str,
        "path": list,
    },
}


def _read_file(data: bytes) -> dict[str, Any]:
    try:
        document = read_canonical(data, longest=MAX_RECEIPT_BYTES)
    except NotCanonicalError as error:
        raise BadReceiptError(error.sentence, **error.values) from None
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _SHAPES:
        raise BadReceiptError(
            gettext_noop("the file is of no kind that is known: expected {kinds}"),
            kinds=", ".join(_SHAPES),
        )
    _shape(document, _SHAPES[kind], kind)
    if kind == FORK:
        _each(document["changes"], {"index": int, "statement": str}, "changes", MOST_ENTRIES)
        _path(document["path"])
        return dict(document)
    _each(
        document["logs"], {"identity": dict, "checkpoint": str, "entries": list}, "logs", MOST_LOGS
    )
    for log in document["logs"]:
        _each(log["entries"], _ENTRY, "entries", MOST_ENTRIES)
        for entry in log["entries"]:
            _path(entry["path"])
    origins = [log["identity"].get("origin") for log in document["logs"]]
    named = {origin for origin in origins if isinstance(origin, str)}
    if not origins or len(named) != len(origins):
        raise BadReceiptError(gettext_noop("expected one or more logs, each once"))
    shown = {"commitment": str, "salt": str, "content": str}
    _each(document["disclosed"], shown, "disclosed", MOST_DISCLOSED)
    return dict(document)


def _each(items: Sequence[Any], shape: Mapping[str, type], what: str, most: int) -> None:
    if len(items) > most:
        raise BadReceiptError(
            gettext_noop("{what} has {count} members: at most {most}"),
            what=what,
            count=len(items),
            most=most,
        )
    for item in items:
        _shape(item, shape, what)


def _shape(item: Any, shape: Mapping[str, type], what: str) -> None:
    if (
        not isinstance(item, dict)
        or item.keys() != shape.keys()
        or any(type(item[name]) is not kind for name, kind in shape.items())
        or item.get("index", 0) < 0
    ):
        raise BadReceiptError(
            gettext_noop("{what} is not in its form: expected exactly {fields}"),
            what=what,
            fields=", ".join(sorted(shape)),
        )


def _path(path: Sequence[Any]) -> None:
    if len(path) > MAX_PROOF_HASHES + 2 or not all(isinstance(each, str) for each in path):
        raise BadReceiptError(
            gettext_noop("a path has at most {most} hashes in base64"), most=MAX_PROOF_HASHES
        )
    try:
        _hashes(path)
    except BadKeyError as error:
        raise BadReceiptError(error.sentence, **error.values) from None
