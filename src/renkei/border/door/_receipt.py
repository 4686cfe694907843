"""Small files that prove a joint act or a fork, offline and for decades."""

import json
from collections import defaultdict

from django.conf import settings

from renkei.border import engine
from renkei.border.door import _keys, _tiles
from renkei.border.models import Act, Checkpoint, Entry, Incident, Log
from renkei.kit.errors import ConflictError, NotFoundError, gettext_noop


class NotProvenError(ConflictError):
    """The act is not sealed, or not witnessed by every party yet."""

    code = "border.not_proven"


def receipt(act: Act) -> bytes:
    """Return the receipt of a joint act: exact texts, approvals, inclusion, cosignatures.

    Officers' names stay out of it: the statements hold salted hashes of them.

    Raises:
        NotProvenError: it is not sealed and witnessed.
    """
    if act.seal is None or act.witnessed_at is None:
        raise NotProvenError(
            gettext_noop("a receipt is written when the act is sealed and witnessed by every party")
        )
    entries = [act.proposal, *(row.entry for row in act.approvals.select_related("entry__log"))]
    by_log: defaultdict[Log, list[Entry]] = defaultdict(list)
    for entry in (*entries, act.seal):
        by_log[entry.log].append(entry)
    return engine.compose_receipt([_part(log, found) for log, found in by_log.items()])


def _part(log: Log, entries: list[Entry], *, by_all: bool = True) -> engine.ReceiptLog:
    highest = max(entry.index for entry in entries)
    signed = Checkpoint.objects.filter(log=log, size__gt=highest)
    checkpoint = (signed.filter(is_witnessed=True) if by_all else signed).order_by("size").first()
    identity = _keys.identity() if log.is_own else _keys.pinned(log.name)
    if checkpoint is None or identity is None:
        raise NotProvenError(
            gettext_noop("a receipt is written when the act is sealed and witnessed by every party")
        )
    changes = Entry.objects.about_keys(log).filter(index__lt=checkpoint.size)
    wanted = {entry.index: entry for entry in (*changes, *entries)}
    nodes = _tiles.nodes(log, checkpoint.size)
    return engine.ReceiptLog(
        identity=identity,
        checkpoint=bytes(checkpoint.note),
        entries=tuple(
            engine.ReceiptEntry(
                index=index,
                data=bytes(entry.data),
                proof=tuple(engine.inclusion_proof(index, checkpoint.size, nodes)),
            )
            for index, entry in sorted(wanted.items())
        ),
    )


def verify(data: bytes, pins: list[str] | None = None) -> engine.Report:
    """Check a receipt or evidence offline.

    Args:
        data: the file.
        pins: fingerprints that the reader knows; those of ``node.toml`` when not given.
    """
    if pins is None:
        pins = [p.fingerprint for p in _keys.partners() if p.fingerprint]
        if Log.objects.filter(is_own=True).exists():
            pins.append(_keys.identity().fingerprint)
    return engine.verify_receipt(data, pins)


def evidence_file(number: int) -> tuple[str, bytes]:
    """Return the evidence of an incident as a file, and a name for it.

    Of a rewritten log and of two seals it is a file that ``verify`` checks; else what the partner
    sent, as it came.

    Raises:
        NotFoundError: no such incident, or it has no evidence.
        NotProvenError: the keys of the log are not pinned here.
    """
    row = Incident.objects.select_related("log").filter(pk=number).first()
    if row is None or row.evidence is None:
        raise NotFoundError(
            gettext_noop("there is no incident {number} with evidence"), number=number
        )
    data = bytes(row.evidence)
    if row.kind == Incident.Kind.FORK and row.log is not None:
        return f"fork-{number}.json", fork_file(row.log, data)
    if row.kind == Incident.Kind.TWO_SEALS and row.log is not None:
        return f"two-seals-{number}.json", two_seals_file(row.log, data)
    return f"{row.kind}-{number}.evidence", data


def two_seals_file(log: Log, evidence: bytes) -> bytes:
    """Return the proof that a home sealed two successors as a file that a third party can check.

    What the log itself has signed is enough: who is accused need not cosign.
    """
    said = json.loads(evidence)
    leaves = [engine.leaf_hash(said[name].encode()) for name in ("first", "second")]
    entries = list(Entry.objects.filter(log=log, leaf__in=leaves).order_by("index"))
    if len(entries) != len(leaves):
        raise NotProvenError(
            gettext_noop("the two seals are not in the log of {name} any more"), name=log.name
        )
    part = _part(log, entries, by_all=False)
    return engine.compose_receipt([part], kind=engine.TWO_SEALS)


def fork_file(log: Log, evidence: bytes) -> bytes:
    """Return the evidence of a fork as a file that a third party can check."""
    identity = _keys.identity() if log.is_own else _keys.pinned(log.name)
    if identity is None:
        raise NotProvenError(
            gettext_noop("the keys of {name} are not pinned on {node}"),
            name=log.name,
            node=settings.NODE.name,
        )
    changes = Entry.objects.about_keys(log)
    return engine.compose_fork(
        identity,
        engine.ForkEvidence.parse(evidence),
        [(entry.index, bytes(entry.data)) for entry in changes],
    )
