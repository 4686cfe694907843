"""What people must look at: written down once, counted when it happens again."""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from renkei.base.models import User
from renkei.border.models import Incident, Log
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop

MOST_EVIDENCE_BYTES = 1 << 20
LONGEST_VALUE = 500
FREEZING = (Incident.Kind.FORK, Incident.Kind.TWO_SEALS)


class FrozenError(RenkeiError):
    """Joint acts wait until people have looked at proven misconduct."""

    code = "border.frozen"
    status = 409


def note(
    kind: Incident.Kind,
    error: RenkeiError,
    *,
    key: str,
    now: datetime,
    log: Log | None = None,
    evidence: bytes | None = None,
) -> None:
    """Write down an incident; the same thing again counts up the one that is there.

    Args:
        kind: what happened.
        error: the sentence that says it, with its values.
        key: what makes it the same thing; its kind is added.
        now: when.
        log: which log it is about.
        evidence: bytes that prove it, as the partner signed them.
    """
    name = f"{kind} {key}"[:300]
    said = {
        "sentence": error.sentence,
        "values": {key: str(value)[:LONGEST_VALUE] for key, value in error.values.items()},
    }
    with transaction.atomic():
        again = Incident.objects.filter(key=name).update(seen=F("seen") + 1, last_at=now)
        if not again:
            Incident.objects.create(
                kind=kind,
                log=log,
                said=said,
                evidence=evidence[:MOST_EVIDENCE_BYTES] if evidence else None,
                key=name,
                at=now,
                last_at=now,
            )


def close_incident(pk: int, *, by: User, why: str, now: datetime | None = None) -> None:
    """Note that a person looked at an incident and what was decided.

    Raises:
        NotFoundError: no such incident.
        ConflictError: it is closed already, or no reason is given.
    """
    incident = Incident.objects.filter(pk=pk).first()
    if incident is None:
        raise NotFoundError(gettext_noop("there is no incident {number}"), number=pk)
    if incident.closed_at is not None or not why.strip():
        raise ConflictError(
            gettext_noop("an incident is closed once, with a reason of one line at least")
        )
    end(incident, by=by.get_username(), why=why.strip(), now=now or timezone.now())


def end(incident: Incident, *, by: str, why: str, now: datetime) -> None:
    """Close an incident; the same thing again is a new one."""
    incident.closed_at, incident.closed_by, incident.closed_why = now, by, why
    incident.key = f"{incident.key[:250]} closed {incident.pk}"
    incident.save(update_fields=["closed_at", "closed_by", "closed_why", "key"])


def refuse_frozen() -> None:
    """Refuse a joint act while misconduct stands unexamined; reading and single acts go on.

    Raises:
        FrozenError: naming what stands in the way.
    """
    found = Incident.objects.filter(kind__in=FREEZING, closed_at=None).select_related("log").first()
    if found is not None:
        raise FrozenError(
            gettext_noop(
                "joint acts are frozen: {kind} in {origin} stands unexamined; an officer closes the "
                "incident when it is settled"
            ),
            kind=found.get_kind_display(),
            origin=found.log.origin if found.log else "",
        )
