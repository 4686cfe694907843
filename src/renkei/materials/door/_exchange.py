"""What goes to the partner besides joint plans: notices, and the size of a shared set of suppliers.

Both go only under an agreement in force that allows it; every decision is written down, and what
leaves the node stands in the border's ledger of outgoing bytes.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import jsonschema
from django.db import transaction
from django.utils import timezone

from renkei.base.models import User
from renkei.border import door as border
from renkei.kit.errors import (
    ConflictError,
    NotFoundError,
    RenkeiError,
    gettext_noop,
)
from renkei.materials import engine
from renkei.materials.door._cases import notice_out
from renkei.materials.models import Case, Link, Notice, Organisation, Overlap, PartnerNotice, State
from renkei.materials.statements import NOTICE
from renkei.materials.tasks import NOTICES, SUPPLIERS, NotAgreedError, allowed

OVERLAP_PATH: Final = "/materials/v1/overlap"
MOST_OVERLAP_BYTES: Final = 4 << 20
_TEXTS = {"type": "array", "maxItems": 100, "items": {"type": "string", "maxLength": 100}}
_URN = {"type": "string", "pattern": "^urn:uuid:[0-9a-f-]{36}$"}
_DAY = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
NOTICE_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["notificationId", "sourceDisruptionId", "text", "status", "effect"],
    "properties": {
        "notificationId": _URN,
        "relatedNotificationIds": {"type": "array", "maxItems": 10, "items": _URN},
        "sourceDisruptionId": _URN,
        "text": {"type": "string", "minLength": 1, "maxLength": 1000},
        "status": {"enum": ["open", "closed"]},
        "leadingRootCause": {"enum": list(Notice.Category.values)},
        "effect": {"enum": [code for code, _label in Notice._meta.get_field("effect").flatchoices]},  # noqa: SLF001  Django's name
        "startDateOfEffect": _DAY,
        "expectedEndDateOfEffect": {"anyOf": [_DAY, {"type": "null"}]},
        "affectedSitesSender": _TEXTS,
        "affectedSitesRecipient": _TEXTS,
        "materialsAffected": _TEXTS,
        "contentChangedAt": {"type": "string", "maxLength": 40},
    },
}


class SentError(ConflictError):
    """The notice went to the partner before."""

    code = "materials.sent"


class UnknownNoticeError(NotFoundError):
    """There is no such notice."""

    code = "materials.unknown_notice"


class BadOverlapError(RenkeiError):
    """A partner's question or answer about shared suppliers that cannot be read."""

    code = "materials.bad_overlap"


@dataclass(frozen=True, slots=True)
class Received:
    """A partner's notice as it is read here.

    Attributes:
        row: when it came, from whom, and the case that it was taken into.
        fields: by CX-0146's names; ``None`` while its text was not fetched.
        is_readable: whether what came is a notice at all.
    """

    row: PartnerNotice
    fields: dict[str, Any] | None
    is_readable: bool


def send_notice(number: int, *, by: User) -> Notice:
    """Send a notice to the partners that an agreement allows it for; its text goes sealed to them.

    Of the case nothing goes: no note, no owner, no title.

    Raises:
        UnknownNoticeError, SentError.
        NotAgreedError: no agreement in force allows it for any partner.
    """
    notice = Notice.objects.filter(pk=number).first()
    if notice is None:
        raise UnknownNoticeError(gettext_noop("there is no notice {number}"), number=number)
    if notice.sent_at is not None:
        raise SentError(gettext_noop("this notice was sent before; write another one"))
    decisions, refused = {}, None
    for partner in border.partners():
        try:
            decisions[partner.name] = allowed(NOTICES, action="read", partner=partner, by=by)
        except NotAgreedError as error:
            refused = error
    if not decisions:
        raise refused or NotAgreedError(gettext_noop("this node has no partner"))
    content = json.dumps(notice_out(notice), ensure_ascii=False, sort_keys=True).encode()
    with transaction.atomic():
        held = Notice.objects.select_for_update().get(pk=number)
        if held.sent_at is not None:
            raise SentError(gettext_noop("this notice was sent before; write another one"))
        held.commitment = border.keep_private(content, recipients=list(decisions))
        for decision in decisions.values():
            border.release(
                decision=decision,
                digest=hashlib.sha256(content).hexdigest(),
                size=len(content),
                channel="border",
            )
        border.say(border.Said(type=NOTICE, body={"notice": held.commitment}))
        held.sent_at, held.decision = timezone.now(), next(iter(decisions.values())).pk
        held.save(update_fields=["commitment", "sent_at", "decision"])
    border.wake()
    return held


def partner_notices(*, case: Case | None = None) -> list[Received]:
    """Return what partners sent, the newest first; of one case, what was taken into it."""
    rows = PartnerNotice.objects.select_related("case").order_by("-said_at", "-pk")
    return [_received(row) for row in (rows.filter(case=case) if case else rows)]


def find_partner_notice(number: int) -> Received:
    """Return a partner's notice.

    Raises:
        UnknownNoticeError: there is none.
    """
    row = PartnerNotice.objects.select_related("case").filter(pk=number).first()
    if row is None:
        raise UnknownNoticeError(gettext_noop("there is no notice {number}"), number=number)
    return _received(row)


def take_notice(number: int, case: Case) -> None:
    """Take a partner's notice into a case."""
    PartnerNotice.objects.filter(pk=number).update(case=case)


def _received(row: PartnerNotice) -> Received:
    content = border.private(row.commitment)
    if content is None:
        return Received(row, None, True)
    try:
        fields = json.loads(content)
        jsonschema.validate(fields, NOTICE_SCHEMA)
    except (ValueError, RecursionError, jsonschema.ValidationError):
        return Received(row, None, False)
    return Received(row, fields, True)


# Shared suppliers: each side learns the size of its own set and of the question, the asker the
# size of the intersection; no identifier goes across.


def own_suppliers() -> list[str]:
    """Return the LEIs of the suppliers in this node's own links."""
    known = Organisation.objects.filter(
        pk__in=Link.objects.current().values("supplier"), lei__gt=""
    )
    return sorted(known.values_list("lei", flat=True))


def _asked_today(partner: str, *, here: bool, now: datetime) -> int:
    return Overlap.objects.filter(
        partner=partner, is_asked_here=here, at__gt=now - timedelta(days=1)
    ).count()


def ask_overlap(name: str, *, by: User, now: datetime | None = None) -> Overlap:
    """Ask a partner's node how many suppliers both have; the partner's own rules decide too.

    Raises:
        QueryLimitError: too few or too many suppliers, or too many questions in a day.
        NotAgreedError: no agreement of this side allows it.
        UnreachableError, BadAnswerError: the partner does not answer, or refuses.
        BadOverlapError: its answer cannot be read.
    """
    at = now or timezone.now()
    partner = border.partner(name)
    items = own_suppliers()
    engine.check_query(size=len(items), asked_today=_asked_today(name, here=True, now=at))
    decision = allowed(SUPPLIERS, action="compute", partner=partner, by=by)
    asker = engine.PsiAsker(items)
    request = asker.request()
    border.release(
        decision=decision,
        digest=hashlib.sha256(request).hexdigest(),
        size=len(request),
        channel="border",
    )
    # Counted before it is asked: a question that broke off may have been answered.
    row = Overlap.objects.create(
        at=at, partner=name, is_asked_here=True, size=asker.count, decision=decision.pk
    )
    answer = border.ask_partner(
        partner,
        OVERLAP_PATH,
        {"request": base64.b64encode(request).decode()},
        now=at,
        most=2 * MOST_OVERLAP_BYTES,
    )
    setup, response = _octets(answer, "setup"), _octets(answer, "response")
    try:
        row.shared = asker.size(setup, response)
    except Exception as error:  # protobuf and the library have errors of their own
        raise _unreadable("response") from error
    row.save(update_fields=["shared"])
    return row


def answer_overlap(
    partner: Any, document: Mapping[str, Any], *, now: datetime | None = None
) -> dict[str, str]:
    """Answer a partner's question about shared suppliers, if an agreement of this side allows it.

    Raises:
        BadOverlapError: the question cannot be read.
        QueryLimitError: a set too small or too large, on either side, or a question too many.
        NotAgreedError: no agreement in force allows it.
    """
    at = now or timezone.now()
    request = _octets(document, "request")
    decision = allowed(SUPPLIERS, action="compute", partner=partner, by=None)
    with transaction.atomic():
        # One question at a time: two of them together must not slip under the limit.
        State.objects.select_for_update().get_or_create(pk=1)
        items = own_suppliers()
        asked = _asked_today(partner.name, here=False, now=at)
        engine.check_query(size=len(items), asked_today=asked)
        answerer = engine.PsiAnswerer(items, asked_today=asked)
        try:
            setup, response = answerer.answer(request)
        except RenkeiError:
            raise
        except Exception as error:  # protobuf and the library have errors of their own
            raise _unreadable("request") from error
        border.release(
            decision=decision,
            digest=hashlib.sha256(setup + response).hexdigest(),
            size=len(setup) + len(response),
            channel="border",
        )
        Overlap.objects.create(
            at=at,
            partner=partner.name,
            is_asked_here=False,
            size=answerer.asked,
            decision=decision.pk,
        )
    return {
        "setup": base64.b64encode(setup).decode(),
        "response": base64.b64encode(response).decode(),
    }


def overlaps() -> Any:
    """Return the questions about shared suppliers, the newest first."""
    return Overlap.objects.order_by("-at", "-pk")


def _unreadable(name: str) -> BadOverlapError:
    return BadOverlapError(
        gettext_noop("{name}: expected a message of private set intersection, in base64"), name=name
    )


def _octets(document: Mapping[str, Any], name: str) -> bytes:
    text = document.get(name)
    if not isinstance(text, str):
        raise _unreadable(name)
    try:
        found = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _unreadable(name) from error
    if not found or len(found) > MOST_OVERLAP_BYTES:
        raise _unreadable(name)
    return found
