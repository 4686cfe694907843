"""Joint runs: opened, stopped, gone on with and read here; what they say is in ``tasks._joint``."""

import secrets
from collections.abc import Iterable
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from renkei.base import jobs
from renkei.base.models import Grant, Job, Role, User
from renkei.border import door as border
from renkei.kit.errors import ConflictError, ForbiddenError, RenkeiError, gettext_noop
from renkei.materials import engine, tasks
from renkei.materials.models import JointRun
from renkei.materials.tasks import JointRunOverError, UnknownJointRunError


class NotAnalystError(ForbiddenError):
    """No analyst of this node's party has this name."""

    code = "materials.not_analyst"


class BadJointRunError(RenkeiError):
    """A joint run that cannot be; the field is named."""

    code = "materials.bad_joint_run"


def analyst(username: str) -> User:
    """Return an analyst of this node's party by the account's name.

    Raises:
        NotAnalystError: there is none of that name.
    """
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None or Role.ANALYST not in Grant.objects.of(user, party=settings.NODE.party):
        raise NotAnalystError(
            gettext_noop("{name!r} is no analyst of {party}"),
            name=username,
            party=settings.NODE.party,
        )
    return user


def open_joint(
    partner: str,
    *,
    title: str,
    firms: Iterable[str],
    severity: float = 1.0,
    author: User,
    now: bool = False,
) -> JointRun:
    """Open a joint run: what an attack on own firms does to both nodes' firms.

    Neither the firms, nor the share they lose, nor the title leaves this node.

    Args:
        partner: name of the partner's node.
        title: what people here call it.
        firms: own firms that are hit, as ``own_firms`` names them.
        severity: share of their capacity that is lost, above 0 and at most 1.
        now: run at once, here, instead of queueing.

    Raises:
        NotPinnedError, NoTradeError, BadJointRunError, BadDisruptionError: what is wrong.
        NotAgreedError, UnreachableError and others: with ``now``, why there is no answer.
    """
    to = border.partner(partner)
    products = tasks.border_products(to.party)
    named = list(dict.fromkeys(firms))
    known = set(tasks.own_side(to.party, products).names)
    for name in named:
        if name not in known:
            raise engine.BadDisruptionError(
                gettext_noop("{firm!r} is no firm of this node's own network"), firm=name
            )
    if not named or not 0 < severity <= 1 or len(" ".join(named)) > 300:
        raise BadJointRunError(
            gettext_noop(
                "expected one firm or more, and a share above 0 and at most 1 that is lost"
            )
        )
    run = JointRun(
        uid=secrets.token_hex(16),
        partner=to.name,
        is_opened_here=True,
        title=title.strip()[:160],
        firms=" ".join(named),
        severity=severity,
        author=author,
        opened_at=timezone.now(),
    )
    with transaction.atomic():
        run.save()
        if not now:
            transaction.on_commit(partial(_enqueue, run))
    if now:
        tasks.take_to_end(run, lambda _part: None)
    return run


def _enqueue(run: JointRun) -> None:
    queued = tasks.carry_joint_run.enqueue(run_id=run.pk)
    JointRun.objects.filter(pk=run.pk).update(task=queued.id)


def stop_joint(run: JointRun) -> None:
    """Stop a run: one that was opened here at its next step, the partner's at once.

    Raises:
        JointRunOverError: it is over.
    """
    if run.is_over:
        raise JointRunOverError(gettext_noop("the joint run {run} is over"), run=run.uid)
    if run.is_opened_here and run.task and run.state != JointRun.State.PAUSED:
        try:
            jobs.cancel(run.task)
        except ConflictError:
            pass  # its job has ended since
        else:
            if not Job.objects.filter(task=run.task, cancelled_at__isnull=False).exists():
                return
    tasks.note_end(run, JointRun.State.STOPPED)
    if run.is_opened_here:
        tasks.say_stop(run)


def resume_joint(run: JointRun) -> None:
    """Go on with a run whose partner was away, from its last message.

    Raises:
        JointRunOverError: it does not wait for its partner.
    """
    with transaction.atomic():
        held = JointRun.objects.select_for_update().get(pk=run.pk)
        if held.state != JointRun.State.PAUSED or not held.is_opened_here:
            raise JointRunOverError(
                gettext_noop("the joint run {run} does not wait for its partner"), run=run.uid
            )
        JointRun.objects.filter(pk=run.pk).update(state=JointRun.State.WAITING, why="")
        transaction.on_commit(partial(_enqueue, held))


def joint_runs() -> Any:
    """Return the joint runs that were opened and answered here, the newest first."""
    return JointRun.objects.order_by("-opened_at", "-pk")


def find_joint_run(uid: str) -> JointRun:
    """Return a joint run.

    Raises:
        UnknownJointRunError: there is none.
    """
    found = JointRun.objects.filter(uid=uid).first()
    if found is None:
        raise UnknownJointRunError(gettext_noop("there is no joint run {run}"), run=uid)
    return found


def joint_messages(run: JointRun) -> list[dict[str, Any]]:
    """Return every message of a run byte by byte: the digests stand in the ledger of outgoing bytes."""
    rows = run.messages.order_by("step", "-is_sent" if run.is_opened_here else "is_sent")
    return [
        {
            "step": row.step,
            "is_sent": row.is_sent,
            "at": row.at.isoformat(),
            "size": len(row.content.encode()),
            "sha256": row.digest,
            "decision": row.decision,
            "content": row.content,
        }
        for row in rows
    ]
