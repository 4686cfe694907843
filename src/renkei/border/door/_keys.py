"""The node's keys and identity, and the partners' as they were pinned."""

import functools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from renkei.border import engine
from renkei.border.models import Entry, Log, Peer
from renkei.kit.errors import NotFoundError, RenkeiError, gettext_noop


class NoLogError(NotFoundError):
    """The node has no keys and no log: it was founded before there was a border."""

    code = "border.no_log"


class NotPinnedError(RenkeiError):
    """A partner whose keys no two officers have compared."""

    code = "border.not_pinned"
    status = 403


class OtherIdentityError(RenkeiError):
    """The partner's keys are not those that were pinned."""

    code = "border.other_identity"
    status = 403


@dataclass(frozen=True, kw_only=True)
class Partner:
    """A partner of ``node.toml`` with its log's name."""

    name: str
    party: str
    address: str
    fingerprint: str
    origin: str


def folder() -> Path:
    """Return where the private keys are."""
    path: Path = settings.NODE.folder / "keys" / "border"
    return path


def ensure() -> None:
    """Make keys where there are none; never touch those that are there.

    Raises:
        MissingKeyFileError: a log exists, but its keys do not: they belong back from a backup.
    """
    if folder().exists():
        load()
        return
    if Log.objects.filter(is_own=True).exists():
        raise engine.MissingKeyFileError(
            gettext_noop("{folder} is missing: put the node's keys back from your backup"),
            folder=folder(),
        )
    building = folder().with_name(".border.new")
    building.mkdir(mode=0o700, exist_ok=True)
    for name, text in engine.NodeKeys.generate().to_files().items():
        handle = os.open(building / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
    building.rename(folder())
    handle = os.open(folder().parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load() -> engine.NodeKeys:
    """Read the keys from their files.

    Raises:
        MissingKeyFileError: naming the file.
        DamagedKeyFileError: naming the file.
    """
    if not folder().is_dir():
        raise engine.MissingKeyFileError(
            gettext_noop("{folder} is missing: put the node's keys back from your backup"),
            folder=folder(),
        )
    return engine.NodeKeys.from_files(
        {
            file.name: file.read_bytes()
            for file in sorted(folder().glob("*.pem"))
            # Keys that wait for a rotation, or are left of one, come and go.
            if not file.name.endswith((".next.pem", ".old.pem"))
        }
    )


def keys() -> engine.NodeKeys:
    """Return the node's keys; read again when a rotation has changed them."""
    return _read(folder().stat().st_mtime_ns if folder().is_dir() else 0)


@functools.lru_cache(maxsize=1)
def _read(_changed: int) -> engine.NodeKeys:
    return load()


def signers(*, solemn: bool) -> Sequence[engine.SigningKey]:
    """Return what signs a statement: Ed25519, and ML-DSA-44 beside it where it is solemn."""
    pair = keys().log
    return pair.both if solemn else (pair.ed25519,)


def identity() -> engine.Identity:
    """Return this node's identity as its log's first entry fixed it, or will."""
    log = Log.objects.filter(is_own=True).first()
    first = Entry.objects.filter(log=log, index=0).first() if log else None
    if first is not None:
        return _founded(bytes(first.data))
    node = settings.NODE
    return engine.Identity.of(keys(), origin=node.origin, party=node.party, name=node.name)


def fingerprint() -> str:
    """Return the fingerprint that two officers read to each other, in groups."""
    return engine.format_fingerprint(identity().fingerprint)


def partners() -> list[Partner]:
    """Return the partners of ``node.toml``."""
    node = settings.NODE
    return [
        Partner(
            name=item.name,
            party=item.party,
            address=item.address.rstrip("/"),
            fingerprint=item.fingerprint,
            origin=node.origin_of(item.name),
        )
        for item in node.partners
    ]


def partner(name: str) -> Partner:
    """Return a partner by name.

    Raises:
        NotFoundError: ``node.toml`` names no such partner.
    """
    for found in partners():
        if found.name == name:
            return found
    raise NotFoundError(
        gettext_noop("there is no partner {name}; node.toml names {known}"),
        name=name,
        known=", ".join(item.name for item in partners()) or "-",
    )


def pin(found: Partner, document: Mapping[str, Any]) -> engine.Identity:
    """Take a partner's identity for its own if it has the pinned fingerprint.

    Raises:
        NotPinnedError: ``node.toml`` has no fingerprint for it.
        OtherIdentityError: another fingerprint, name or party.
    """
    if not found.fingerprint:
        raise NotPinnedError(
            gettext_noop(
                "{name} is not pinned: compare fingerprints with its officer and write the partner's "
                "into node.toml"
            ),
            name=found.name,
        )
    identity = engine.Identity.read(document)
    pinned = engine.parse_fingerprint(found.fingerprint)
    if identity.fingerprint != pinned:
        raise OtherIdentityError(
            gettext_noop("{name} shows the fingerprint {shown}, but {pinned} is pinned"),
            name=found.name,
            shown=engine.format_fingerprint(identity.fingerprint),
            pinned=engine.format_fingerprint(pinned),
        )
    if (identity.origin, identity.party, identity.name) != (found.origin, found.party, found.name):
        raise OtherIdentityError(
            gettext_noop(
                "{name} calls itself {origin} of {party}, but node.toml says {expected} of "
                "{expected_party}"
            ),
            name=found.name,
            origin=identity.origin,
            party=identity.party,
            expected=found.origin,
            expected_party=found.party,
        )
    Peer.objects.update_or_create(name=found.name, defaults={"identity": dict(identity.document)})
    return identity


def pinned(name: str) -> engine.Identity | None:
    """Return a partner's identity if it was met and still has the pinned fingerprint."""
    peer = Peer.objects.filter(name=name).first()
    if peer is None:
        return None
    found = _identity(engine.canonical(peer.identity))
    wanted = next((one.fingerprint for one in partners() if one.name == name), "")
    if not wanted or engine.parse_fingerprint(wanted) != found.fingerprint:
        return None
    return found


def history(log: Log, identity: engine.Identity) -> engine.KeyHistory:
    """Return the history of a log's keys, folded from the entries that are held here."""
    changes = Entry.objects.about_keys(log).values_list("index", "data")
    return _folded(identity, tuple((index, bytes(data)) for index, data in changes))


# What is read from bytes stays what it is: the same few identities are asked for many times a
# second.
@functools.lru_cache(maxsize=64)
def _identity(data: bytes) -> engine.Identity:
    return engine.Identity.read(json.loads(data))


@functools.lru_cache(maxsize=8)
def _founded(data: bytes) -> engine.Identity:
    return engine.Identity.read((engine.read_envelope(data).body or {}).get("identity"))


@functools.lru_cache(maxsize=64)
def _folded(identity: engine.Identity, changes: tuple[tuple[int, bytes], ...]) -> engine.KeyHistory:
    return engine.KeyHistory.fold(
        identity, ((index, engine.read_envelope(data)) for index, data in changes)
    )


def own_history() -> engine.KeyHistory:
    """Return the history of this node's keys."""
    changes = tuple(
        (index, bytes(data))
        for index, data in Entry.objects.filter(log__is_own=True, is_about_keys=True)
        .order_by("index")
        .values_list("index", "data")
    )
    if changes:
        return _folded(_founded(changes[0][1]), changes)
    if not Log.objects.filter(is_own=True).exists():
        raise NoLogError(
            gettext_noop("this node has no log yet: `renkei node migrate` gives it keys and a log")
        )
    return engine.KeyHistory.founded(identity())


def verifier_keys(found: engine.KeyHistory, role: str, size: int) -> list[engine.VerifierKey]:
    """Return a role's C2SP verifier keys that hold for a checkpoint of that size."""
    texts = found.vkeys_at(role, size)
    return [engine.VerifierKey.parse(text) for text in texts]
