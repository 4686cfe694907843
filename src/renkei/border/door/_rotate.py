"""Changing the node's keys: said in the log by the old, the new and the recovery key together."""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from renkei.border import engine
from renkei.border.door import _keys, _log
from renkei.border.models import Entry
from renkei.kit.errors import ConflictError, gettext_noop

NEXT = ".next.pem"
OLD = ".old.pem"
FILES = {
    "log": ("log-ed25519.pem", "log-mldsa44.pem"),
    "witness": ("witness-ed25519.pem", "witness-mldsa44.pem"),
    "mirror": ("mirror-ed25519.pem", "mirror-mldsa44.pem"),
    "sealing": ("sealing-mlkem768.pem", "sealing-x25519.pem"),
}
OVERLAP = 1000


class NoRecoveryKeyError(ConflictError):
    """The recovery key is away, as it should be; a change of keys needs it for a moment."""

    code = "border.no_recovery_key"


def rotate(
    role: str,
    *,
    reason: str,
    overlap: int = OVERLAP,
    revoke_old: bool = False,
    now: datetime | None = None,
) -> Entry:
    """Give a role new keys.

    Args:
        role: ``log``, ``witness``, ``mirror`` or ``sealing``.
        reason: for people, in the log.
        overlap: entries for which the old keys hold beside the new ones.
        revoke_old: the old keys hold for no later entry: they may be in wrong hands.
        now: for the statement.

    Raises:
        NoRecoveryKeyError: its private half is not in ``keys/border``.
    """
    if role not in FILES:
        raise ConflictError(
            gettext_noop("{role} is no role of a key: expected {roles}"),
            role=role,
            roles=", ".join(FILES),
        )
    at = now or timezone.now()
    finish()
    keys = _keys.load()
    if keys.recovery.private is None:
        raise NoRecoveryKeyError(
            gettext_noop(
                "put {files} into {folder} for the time of the rotation, then take them away"
            ),
            files=", ".join(engine.NodeKeys.OFFLINE),
            folder=_keys.folder(),
        )
    fresh = replace(engine.NodeKeys.generate(), recovery=keys.recovery)
    texts = fresh.to_files()
    for name in FILES[role]:
        _write(_keys.folder() / name.replace(".pem", NEXT), texts[name])
    also: list[engine.SigningKey] = list(keys.recovery.private.both)
    if role == "sealing":
        new: engine.PublicPair | engine.SealingPublicKey = fresh.sealing.public
    else:
        pair: engine.SigningPair = getattr(fresh, role)
        new = pair.public
        also += [*pair.both, *getattr(keys, role).both] if role != "log" else [*pair.both]
    with transaction.atomic():
        history = _keys.own_history()
        old = history.newest(role)
        entry = _log.say(
            _log.Said(
                type=engine.ROTATED,
                body=engine.rotation_body(
                    history, role, new, overlap=1 if revoke_old else overlap, reason=reason
                ),
            ),
            now=at,
            also=also,
        )
        if revoke_old:
            _log.say(
                _log.Said(
                    type=engine.REVOKED,
                    body=engine.revocation_body(role, old.keys, reason=reason),
                ),
                now=at,
                also=[
                    *keys.recovery.private.both,
                    *(fresh.log.both if role == "log" else ()),  # those that remain
                ],
            )
    finish()
    return entry


def finish() -> bool:
    """Put new key files into their place if the log says that they hold; tell whether it did.

    A crash between the statement and the files leaves both sets there: the log decides.
    """
    folder = _keys.folder()
    if not any(folder.glob(f"*{NEXT}")):
        return False
    held = {kid for span in _keys.own_history().spans if span.end is None for kid in span.kids}
    changed = False
    for role, names in FILES.items():
        waiting = [folder / name.replace(".pem", NEXT) for name in names]
        if not all(file.exists() for file in waiting):
            continue
        texts = {file.name: file.read_bytes() for file in folder.glob("*.pem")}
        texts |= {name: file.read_bytes() for name, file in zip(names, waiting, strict=True)}
        keys = engine.NodeKeys.from_files(texts)
        kids = (
            {keys.sealing.public.kid} if role == "sealing" else set(getattr(keys, role).public.kids)
        )
        for name, file in zip(names, waiting, strict=True):
            if kids <= held:
                (folder / name).replace(folder / name.replace(".pem", OLD))
                file.replace(folder / name)
                changed = True
            else:
                file.unlink()  # nothing was said: they never held
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return changed


def previous_keys() -> engine.NodeKeys | None:
    """Return the node's keys with the log's from before their last rotation, while they are kept."""
    folder = _keys.folder()
    names = FILES["log"]
    files = [folder / name.replace(".pem", OLD) for name in names]
    if not all(file.exists() for file in files):
        return None
    texts = {file.name: file.read_bytes() for file in folder.glob("*.pem")}
    texts |= {name: file.read_bytes() for name, file in zip(names, files, strict=True)}
    return engine.NodeKeys.from_files(texts)


def _write(file: Path, text: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
