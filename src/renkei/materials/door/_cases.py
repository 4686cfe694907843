"""Alarms and what people do about them: cases with an owner, notes, notices, and an end."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from renkei.base.models import User
from renkei.kit.errors import ConflictError, NotFoundError, gettext_noop
from renkei.materials import tasks
from renkei.materials.door import _read
from renkei.materials.door._load import changed
from renkei.materials.models import (
    Alarm,
    Case,
    Flow,
    Form,
    Note,
    Notice,
    Scenario,
    State,
    free_slug,
)


class UnknownCaseError(NotFoundError):
    """There is no such case."""

    code = "materials.unknown_case"


class UnknownAlarmError(NotFoundError):
    """There is no such alarm."""

    code = "materials.unknown_alarm"


class ClosedCaseError(ConflictError):
    """A case is over: nothing is added to it."""

    code = "materials.closed_case"


def open_case(
    *,
    title: str,
    owner: User,
    materials: Iterable[str] = (),
    alarm: Alarm | None = None,
    scenario: Scenario | None = None,
) -> Case:
    """Open a case; its materials are those given, or those of the alarm's code or the scenario."""
    named = [_read.find(slug) for slug in dict.fromkeys(materials)]
    if not named and alarm is not None:
        forms = Form.objects.filter(hs2022=alarm.code) | Form.objects.filter(hs92=alarm.code)
        named = [form.material for form in forms.select_related("material")]
    if not named and scenario is not None:
        named = list(scenario.materials.all())
    case = Case(title=title.strip(), owner=owner, alarm=alarm, scenario=scenario)
    with transaction.atomic():
        State.objects.select_for_update().get_or_create(pk=1)  # one name at a time
        case.slug = free_slug(Case, title, otherwise="case")
        case.full_clean()
        case.save()
        case.materials.set(named)
        changed()
    return case


def find_case(slug: str) -> Case:
    """Return a case.

    Raises:
        UnknownCaseError: there is none.
    """
    found = Case.objects.filter(slug=slug).select_related("owner", "alarm", "scenario").first()
    if found is None:
        raise UnknownCaseError(gettext_noop("there is no case {slug!r}"), slug=slug)
    return found


def _still_open(case: Case) -> Case:
    held = Case.objects.select_for_update().get(pk=case.pk)
    if held.closed_at is not None:
        raise ClosedCaseError(gettext_noop("the case {slug!r} is closed"), slug=case.slug)
    return held


def add_note(case: Case, *, text: str, author: User) -> Note:
    """Write into a case.

    Raises:
        ClosedCaseError: it is over.
    """
    with transaction.atomic():
        held = _still_open(case)
        note = Note(case=held, text=text.strip(), author=author)
        note.full_clean()
        note.save()
    return note


def hand_over(case: Case, *, owner: User) -> Case:
    """Give a case to somebody else.

    Raises:
        ClosedCaseError: it is over.
    """
    with transaction.atomic():
        held = _still_open(case)
        held.owner = owner
        held.save(update_fields=["owner"])
    return held


def add_notice(
    case: Case,
    *,
    author: User,
    text: str,
    effect: str,
    start_expected: date,
    end_expected: date | None = None,
    category: str = Notice.Category.OTHER,
    status: str = Notice.Status.OPEN,
    materials_affected: str = "",
    sites_sender: str = "",
    sites_recipient: str = "",
) -> Notice:
    """Write a disruption notification for the partner, with the fields of Catena-X CX-0146.

    Notices of one case share a source disruption; a later one names the one before.

    Raises:
        ClosedCaseError: the case is over.
        UnknownMaterialError: an affected material is none of the registry.
    """
    for slug in materials_affected.split():
        _read.find(slug)
    with transaction.atomic():
        held = _still_open(case)
        before = held.notices.order_by("-pk").first()
        notice = Notice(
            case=held,
            notification_id=uuid.uuid4(),
            related_id=before.notification_id if before else None,
            source_disruption_id=before.source_disruption_id if before else uuid.uuid4(),
            text=text.strip(),
            effect=effect,
            category=category,
            status=status,
            start_expected=start_expected,
            end_expected=end_expected,
            materials_affected=materials_affected,
            sites_sender=sites_sender,
            sites_recipient=sites_recipient,
            author=author,
        )
        notice.full_clean()
        notice.save()
    return notice


def notice_out(notice: Notice) -> dict[str, Any]:
    """Return a notice as CX-0146 names its fields: what the border may carry to the partner."""
    return {
        "notificationId": f"urn:uuid:{notice.notification_id}",
        "relatedNotificationIds": [f"urn:uuid:{notice.related_id}"] if notice.related_id else [],
        "sourceDisruptionId": f"urn:uuid:{notice.source_disruption_id}",
        "text": notice.text,
        "status": notice.status.lower(),
        "leadingRootCause": notice.category,
        "effect": notice.effect,
        "startDateOfEffect": notice.start_expected.isoformat(),
        "expectedEndDateOfEffect": (
            notice.end_expected.isoformat() if notice.end_expected else None
        ),
        "affectedSitesSender": notice.sites_sender.split(),
        "affectedSitesRecipient": notice.sites_recipient.split(),
        "materialsAffected": notice.materials_affected.split(),
        "contentChangedAt": notice.changed_at.isoformat(),
    }


def notices() -> QuerySet[Notice]:
    """Return the notices that this node wrote, the newest first."""
    return Notice.objects.select_related("case").order_by("-pk")


def close_case(case: Case, *, reason: str) -> Case:
    """Close a case with a reason.

    Raises:
        ClosedCaseError: it is over already.
    """
    with transaction.atomic():
        held = _still_open(case)
        held.closed_at = timezone.now()
        held.closing_reason = reason.strip()
        held.full_clean()
        held.save()
        changed()
    return held


def find_alarm(number: int) -> Alarm:
    """Return an alarm by its number.

    Raises:
        UnknownAlarmError: there is none.
    """
    found = Alarm.objects.filter(pk=number).first()
    if found is None:
        raise UnknownAlarmError(gettext_noop("there is no alarm {number}"), number=number)
    return found


def back_test() -> dict[str, Any]:
    """Return what the last sweep counted: series, events found, false alarms a series and year."""
    counted: dict[str, Any] = _read.state().watched
    return counted


def alarm_figures(rows: Sequence[Alarm]) -> dict[int, list[Flow]]:
    """Return by alarm the figures that it is about, each with its release and row.

    None for what is about no single series: many partners at once, an announced measure.
    """
    return tasks.told(rows)


def alarms() -> QuerySet[Alarm]:
    """Return the alarms, the newest month first."""
    return Alarm.objects.order_by("-month", "series", "kind")
