"""Keys between this key manager and one of another vendor (ETSI GS QKD 020), at this node's site.

Only a key manager that was admitted is heard, and only for the applications named then. What it hands
over waits here, encrypted, for applications of this node; each draws it once. What this node hands over
goes to its own application when the other one has said that the target has it, and else to nobody.
Rows stay when their keys are gone: an old message that comes again finds them. Nothing is sent here.
"""

import secrets
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.link import engine
from renkei.link.door._link import at_rest, ensure_kek, refuse_simulated
from renkei.link.door._store import (
    Draw,
    Fetch,
    Key,
    KeyNotFoundError,
    NotYoursError,
    UnknownSaeError,
    UnmetError,
    node_of,
    spend,
)
from renkei.link.engine import Ack, InteropRefusedError, KeyContainer, VoidRequest
from renkei.link.models import Handed, Kme, Sae

LIMITS = engine.Limits(max_sae_id_count=1)  # one target a key: the draft asks for no more
MOST_CERTIFICATES = 8
MOST_SAID = 128  # keys an acknowledgement
VOID = "void"  # to be said: discard what we gave you


class BadKmeError(RenkeiError):
    """A key manager cannot be admitted so."""

    code = "link.bad_kme"


class NoKmeError(NotFoundError):
    """No key manager of this name is admitted here."""

    code = "link.no_kme"


@dataclass(frozen=True)
class Said:
    """A request to another key manager that is due, and which rows it is about."""

    kme: Kme
    path: str
    body: bytes = field(repr=False)
    rows: tuple[int, ...]
    words: tuple[str, ...] = ()  # what is said of each row


# Who is admitted


def admit_kme(
    name: str, address: str, pem: bytes, saes: Sequence[str], *, simulated: bool = False
) -> Kme:
    """Admit a key manager, or change what is known of it.

    Args:
        name: what it is called here.
        address: ``https://host`` with a port if it is not 443; nothing after it.
        pem: the certificates that it proves itself with, as a server and as a client.
        saes: the applications that it serves, and this node does not.
        simulated: its keys protect nothing; on a demonstration alone.

    Raises:
        BadKmeError: something of this cannot be.
        ConflictError: another one has one of the certificates or applications.
    """
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or f"https://{parts.netloc}" != address:
        raise BadKmeError(
            gettext_noop("{address!r}: expected https://, a host, and a port if it is not 443"),
            address=address,
        )
    if simulated:
        refuse_simulated()
    own = {settings.NODE.name, *(one.name for one in settings.NODE.partners)}
    wrong = [one for one in saes if not engine.is_sae_id(one) or node_of(one) in own]
    if not saes or wrong or not engine.is_sae_id(name) or name in own:
        raise BadKmeError(
            gettext_noop(
                "{wrong!r}: expected names of at most 64 letters of a URI, which are not of this node "
                "or a partner's"
            ),
            wrong=(wrong or [name])[0],
        )
    found = _certificates(pem)
    fingerprints = [fingerprint_of(one.public_bytes(_DER)) for one in found]
    ensure_kek()
    with transaction.atomic():
        for other in Kme.objects.filter(removed_at=None).exclude(name=name):
            shared = {*other.saes, *other.fingerprints} & {*saes, *fingerprints}
            if shared:
                raise ConflictError(
                    gettext_noop("{shared} is of the key manager {other} already"),
                    shared=min(shared),
                    other=other.name,
                )
        kme, _made = Kme.objects.update_or_create(
            name=name,
            defaults={
                "address": address,
                "certificates": b"".join(one.public_bytes(_PEM) for one in found).decode(),
                "fingerprints": fingerprints,
                "saes": list(dict.fromkeys(saes)),
                "simulated": simulated,
                "admitted_at": timezone.now(),
                "removed_at": None,
            },
        )
    return kme


_DER, _PEM = serialization.Encoding.DER, serialization.Encoding.PEM


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadKmeError(gettext_noop("the file holds no certificate in PEM")) from error
    for one in found:
        try:
            constraints = one.extensions.get_extension_for_class(x509.BasicConstraints).value
        except (x509.ExtensionNotFound, ValueError):
            raise BadKmeError(
                gettext_noop("the certificate does not say that it is none of an authority")
            ) from None
        if constraints.ca:
            raise BadKmeError(
                gettext_noop(
                    "the certificate of an authority is not admitted: it could make others"
                )
            )
    if len(found) > MOST_CERTIFICATES:
        raise BadKmeError(
            gettext_noop("{count} certificates: at most {most}"),
            count=len(found),
            most=MOST_CERTIFICATES,
        )
    return found


def fingerprint_of(der: bytes) -> str:
    """Return the SHA-256 of a certificate, hexadecimal."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def remove_kme(name: str) -> int:
    """Hear a key manager no more, and destroy the keys from it that nobody has drawn; return how many.

    Raises:
        NoKmeError: it is not admitted.
    """
    with transaction.atomic():
        kme = Kme.objects.filter(name=name, removed_at=None).first()
        if kme is None:
            raise NoKmeError(gettext_noop("no key manager {name} is admitted here"), name=name)
        Kme.objects.filter(pk=kme.pk).update(removed_at=timezone.now())
        return kme.handed.filter(state__in=_KEPT).update(
            state=Handed.State.VOID, sealed=b"", to_say=""
        )


def kmes() -> list[Kme]:
    """Return the key managers that are admitted, by name."""
    return list(Kme.objects.filter(removed_at=None).order_by("name"))


def kme_summary(kme: Kme) -> dict[str, Any]:
    """Return what is known of a key manager, without its certificates."""
    states = list(kme.handed.values_list("is_ours", "state"))
    return {
        "name": kme.name,
        "address": kme.address,
        "saes": kme.saes,
        "fingerprints": kme.fingerprints,
        "simulated": kme.simulated,
        "received": sum(not ours for ours, _state in states),
        "given": sum(ours for ours, _state in states),
        "waiting": sum(state == Handed.State.HELD for _ours, state in states),
        "void": sum(state == Handed.State.VOID for _ours, state in states),
    }


_KEPT = (Handed.State.SENT, Handed.State.HELD)


# What another one asks of us


def take_keys(kme: Kme, container: KeyContainer) -> None:
    """Keep keys for applications of this node, durably: all of them or none.

    The same keys again change nothing, and are acknowledged again.

    Raises:
        InteropRefusedError: 400 or 401, nothing is kept; 503, an identifier or a key was there before
            with another meaning.
    """
    _refuse_callback(kme, container.callback)
    if container.initiator not in kme.saes:
        raise InteropRefusedError(
            401, "unauthorized", "unauthorized", "the initiator is not served by this key manager"
        )
    simulated = container.simulated or kme.simulated
    if simulated and not settings.NODE.demonstration:
        raise InteropRefusedError(
            400,
            "invalid-parameter",
            "simulated",
            "simulated keys are taken on a demonstration alone",
        )
    (target,) = container.targets
    if not Sae.objects.filter(name=target, revoked_at=None).exclude(serial="").exists():
        raise InteropRefusedError(
            400,
            "key-routing-error",
            "target_sae_id_not_recognized",
            "a target is no SAE of this node; keys are not relayed further",
        )
    rest = at_rest()
    with transaction.atomic():
        rows = _rows(kme, [one.key_id for one in container.keys])
        for key in container.keys:
            mark = rest.mark(key.value)
            row = rows.get(key.key_id)
            if row is not None:
                _take_again(row, container, mark)
                continue
            if Handed.objects.filter(mark=mark).exists():
                raise _conflict("the same key was handed over under another key_id")
            row = Handed(
                kme=kme,
                key_id=key.key_id,
                is_ours=False,
                initiator=container.initiator,
                target=target,
                state=Handed.State.HELD,
                mark=mark,
                simulated=simulated,
                extension={**container.extension, **key.extension},
                to_say=engine.RELAYED,
                created_at=timezone.now(),
            )
            row.sealed = rest.seal(key.value, what=_what(row))
            row.save(force_insert=True)


def _refuse_callback(kme: Kme, callback: str) -> None:
    """Refuse to call anywhere but where a person said that the key manager is."""
    if callback != kme.callback:
        raise InteropRefusedError(
            400, "invalid-parameter", "ack_callback_url", f"expected {kme.callback}"
        )


def _rows(kme: Kme, key_ids: Iterable[str]) -> dict[str, Handed]:
    """Return rows by identifier, so that nobody else changes them meanwhile."""
    found = Handed.objects.select_for_update().filter(kme=kme, key_id__in=list(key_ids))
    return {row.key_id: row for row in found}


def _take_again(row: Handed, container: KeyContainer, mark: str) -> None:
    if row.is_ours or not _is_between(row, container) or row.mark not in {mark, ""}:
        raise _conflict("the key_id was used before, for another key or other SAEs")
    row.to_say = engine.FAILED if row.state == Handed.State.VOID else engine.RELAYED
    row.save(update_fields=["to_say"])


def _is_between(row: Handed, said: KeyContainer | VoidRequest | Ack) -> bool:
    return row.initiator == said.initiator and said.targets == (row.target,)


def _conflict(why: str) -> InteropRefusedError:
    return InteropRefusedError(503, "server-side-general-error", "key_conflict", why)


def _what(row: Handed) -> str:
    return f"{settings.NODE.name}/{row.kme_id} handed {row.key_id} {row.initiator} {row.target}"


def void_keys(kme: Kme, request: VoidRequest) -> None:
    """Destroy keys that were handed over, here and now; what was drawn already cannot be taken back.

    An identifier that is not known here never will be: a key that comes late under it is not taken.

    Raises:
        InteropRefusedError: 400, nothing is destroyed.
    """
    _refuse_callback(kme, request.callback)
    with transaction.atomic():
        if request.key_ids:
            rows = _rows(kme, request.key_ids)
        else:
            every = Handed.objects.select_for_update().filter(
                kme=kme, initiator=request.initiator, state__in=_KEPT
            )
            rows = {row.key_id: row for row in every if _is_between(row, request)}
        if not all(_is_between(row, request) for row in rows.values()):
            raise InteropRefusedError(
                400, "void-request-not-understood", "key_voiding_error", "a key is of other SAEs"
            )
        for row in rows.values():
            _void(row, engine.VOIDED)
        for key_id in request.key_ids:
            if key_id not in rows:
                Handed.objects.create(
                    kme=kme,
                    key_id=key_id,
                    is_ours=False,
                    initiator=request.initiator,
                    target=request.targets[0],
                    state=Handed.State.VOID,
                    to_say=engine.NOT_PRESENT,
                    created_at=timezone.now(),
                )


def _void(row: Handed, to_say: str) -> None:
    """Destroy a key, and say so; or that an application had it already."""
    if row.state == Handed.State.USED:
        row.to_say = engine.FAILED_TO_VOID if to_say == engine.VOIDED else to_say
    else:
        row.state, row.sealed, row.to_say = Handed.State.VOID, b"", to_say
    row.save(update_fields=["state", "sealed", "to_say"])


def hear_acks(kme: Kme, acks: Sequence[Ack]) -> None:
    """Learn what became of keys that this node handed over, or asked to be discarded.

    Raises:
        InteropRefusedError: 400, one of them is not known; nothing is changed.
    """
    with transaction.atomic():
        rows = _rows(kme, (name for one in acks for name in one.key_ids))
        for one in acks:
            for name in one.key_ids:
                row = rows.get(name)
                if row is None or not row.is_ours or not _is_between(row, one):
                    raise InteropRefusedError(
                        400, "key-not-present", "key_not_present", "a key is not known here"
                    )
        for one in acks:
            for row in (rows[name] for name in one.key_ids):
                if one.status == engine.RELAYED:
                    if row.state == Handed.State.SENT:
                        row.state = Handed.State.HELD
                        row.save(update_fields=["state"])
                elif row.state in _KEPT:
                    _void(row, "")


# Applications of this node


def fetch_handed(kme: Kme, fetch: Fetch) -> list[Key]:
    """Give an application the keys that were handed over for it: each once, all that it names or none.

    Raises:
        NotYoursError: it is not known here, or one is for another application.
        KeyNotFoundError: one is not known here, or was drawn or discarded already.
        SimulatedRefusedError: one is simulated, and this node is no demonstration any more.
    """
    rest = at_rest()
    with transaction.atomic():
        _refuse_stranger(fetch.slave, fetch.serial)
        rows = _rows(kme, (name.lower() for name in fetch.key_ids))
        found = []
        for name in fetch.key_ids:
            row = rows.get(name.lower())
            if row is not None and (
                row.is_ours or row.initiator != fetch.master or row.target != fetch.slave
            ):
                raise NotYoursError(gettext_noop("a key is for another application"))
            if row is None or row.state != Handed.State.HELD:
                raise KeyNotFoundError(
                    gettext_noop("a key is not known here, or was drawn already")
                )
            if row.simulated:
                refuse_simulated()
            key = rest.open(bytes(row.sealed), what=_what(row))
            row.state, row.sealed = Handed.State.USED, b""
            row.save(update_fields=["state", "sealed"])
            found.append(Key(row.key_id, key, row.simulated, _extension(row)))
    return found


def _extension(row: Handed) -> dict[str, Any]:
    """Return where a key comes from, as its applications are told."""
    said = {"source": "generated" if row.is_ours else "external", "kme": row.kme.name}
    return said | ({"extension": row.extension} if row.extension else {})


def _refuse_stranger(name: str, serial: str | None) -> Sae:
    known = Sae.objects.filter(name=name, revoked_at=None).first()
    if known is None or serial not in {None, known.serial}:
        raise NotYoursError(gettext_noop("{sae} is not known here"), sae=name)
    return known


def refuse_unknown(name: str, serial: str) -> None:
    """Refuse who is no application of this node.

    Raises:
        NotYoursError: it is not known here.
    """
    _refuse_stranger(name, serial)


def begin_giving(kme: Kme, draw: Draw, callback: str, now: datetime) -> Said:
    """Make new keys for an application of this node and one of the other network, and keep them.

    Nobody has them before the other key manager says that the target has.

    Raises:
        NotYoursError, QuotaError: the application may not have them.
        UnmetError: only key from a line of photons would do: these are made here.
    """
    if draw.source and (draw.source == "quantum" or not settings.NODE.demonstration):
        raise UnmetError(gettext_noop("there is no {source} key here"), source=draw.source)
    if len(draw.slaves) != 1:
        raise UnknownSaeError(
            gettext_noop("a key for an application of another network has one slave")
        )
    rest = at_rest()
    keys = []
    with transaction.atomic():
        master = _refuse_stranger(draw.master, draw.serial)
        spend(master, draw, now)
        master.save(update_fields=["window_started_at", "window_bytes", "drawn"])
        for _ in range(draw.number):
            value = secrets.token_bytes(draw.size)
            row = Handed(
                kme=kme,
                key_id=str(uuid.uuid4()),
                is_ours=True,
                initiator=draw.master,
                target=draw.slaves[0],
                state=Handed.State.SENT,
                mark=rest.mark(value),
                simulated=settings.NODE.demonstration,
                created_at=now,
            )
            row.sealed = rest.seal(value, what=_what(row))
            row.save(force_insert=True)
            keys.append((row.pk, engine.HandedKey(row.key_id, value)))
    container = KeyContainer(
        keys=tuple(key for _pk, key in keys),
        initiator=draw.master,
        targets=draw.slaves,
        callback=callback,
        simulated=settings.NODE.demonstration,
    )
    body = engine.write_keys(container)
    return Said(kme, engine.KEYS_PATH, body, tuple(pk for pk, _key in keys))


def are_given(said: Said) -> bool | None:
    """Tell whether the other key manager has said that the targets have the keys; ``None``: not yet."""
    states = set(Handed.objects.filter(pk__in=said.rows).values_list("state", flat=True))
    if states == {Handed.State.HELD}:
        return True
    return False if Handed.State.VOID in states else None


def end_giving(said: Said) -> list[Key]:
    """Take the keys out for the application that asked: this succeeds once.

    Raises:
        KeyNotFoundError: not every target has them.
    """
    rest = at_rest()
    with transaction.atomic():
        rows = list(
            Handed.objects.select_for_update()
            .filter(pk__in=said.rows, state=Handed.State.HELD)
            .order_by("pk")
        )
        if len(rows) != len(said.rows):
            raise KeyNotFoundError(gettext_noop("a key is not known here, or was drawn already"))
        keys = []
        for row in rows:
            key = rest.open(bytes(row.sealed), what=_what(row))
            row.state, row.sealed = Handed.State.USED, b""
            row.save(update_fields=["state", "sealed"])
            keys.append(Key(row.key_id, key, row.simulated, _extension(row)))
    return keys


def give_up(rows: Sequence[int], *, is_refused: bool = False) -> None:
    """Destroy keys that were to be given away; unless they were refused, the other one shall too."""
    with transaction.atomic():
        for row in Handed.objects.select_for_update().filter(pk__in=rows, state__in=_KEPT):
            _void(row, "" if is_refused else VOID)


def give_up_unfinished() -> None:
    """Destroy what was being given away when this process began: nobody waits for it any more."""
    give_up(list(Handed.objects.filter(is_ours=True, state__in=_KEPT).values_list("pk", flat=True)))


# What is to be said to them


def due(callback: str) -> list[Said]:
    """Return what other key managers are to hear: acknowledgements, and what to discard."""
    found = []
    for kme in kmes():
        rows = list(kme.handed.exclude(to_say="").order_by("pk")[:MOST_SAID])
        groups: dict[tuple[str, str, str], list[Handed]] = {}
        for row in rows:
            groups.setdefault((row.to_say, row.initiator, row.target), []).append(row)
        acks = []
        for (to_say, initiator, target), some in groups.items():
            names = tuple(row.key_id for row in some)
            if to_say == VOID:
                request = VoidRequest(
                    key_ids=names, initiator=initiator, targets=(target,), callback=callback
                )
                found.append(_said(kme, engine.VOID_PATH, engine.write_void(request), some))
            else:
                acks.append(
                    Ack(key_ids=names, status=to_say, initiator=initiator, targets=(target,))
                )
        if acks:
            some = [row for row in rows if row.to_say != VOID]
            found.append(_said(kme, engine.ACK_PATH, engine.write_acks(acks), some))
    return found


def _said(kme: Kme, path: str, body: bytes, rows: Sequence[Handed]) -> Said:
    return Said(kme, path, body, tuple(row.pk for row in rows), tuple(row.to_say for row in rows))


def told(said: Said) -> None:
    """Remember that a key manager has heard what was due."""
    for word in set(said.words):  # what has become due since stays due
        rows = [pk for pk, was in zip(said.rows, said.words, strict=True) if was == word]
        Handed.objects.filter(pk__in=rows, to_say=word).update(to_say="")
