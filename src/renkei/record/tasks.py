"""The record's work outside a request: drawing the dashboard's charts, and the rows they show."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import chain
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from django_tasks import TaskResultStatus, task
from django_tasks_db.models import DBTaskResult

from renkei.record import engine
from renkei.record.models import (
    LABELS,
    MOST_BOUND,
    Drawing,
    Milestone,
    Participation,
    State,
    Tally,
    Total,
    label,
    language,
    next_version,
    reindex_commitments,
    side_label,
)

DRAW_SECONDS: Final = 120
DRAW_PAUSE = timedelta(minutes=1)
MOST_SUMS: Final = 60
MOST_MILESTONES: Final = 30
LANGUAGES: Final = ("en", "ja")
logger = logging.getLogger("renkei")

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart of the dashboard.

    Attributes:
        title: what stands above it.
        description: what it shows, in a sentence, for who does not see it.
        rows: what it shows and what the table behind it shows.
        words: the labels that its drawing needs beside those in the rows.
        columns: keys of the rows that the table and its downloads have, with their headings.
    """

    title: Any
    description: Any
    rows: Callable[[date], list[Row]]
    words: Callable[[list[Row], date], dict[str, str]]
    columns: Mapping[str, Any]


def money_rows(today: date) -> list[Row]:  # noqa: ARG001  every chart is given the day
    """Return the sums, the largest first within a nature; unlike ones are not added anywhere."""
    totals = Total.objects.filter(minor__gt=0).order_by("-minor")[:MOST_SUMS]
    rows = [
        {
            "nature": row.nature,
            "currency": row.currency,
            "domain": row.domain,
            "side": row.side,
            "stage": row.stage,
            "minor": row.minor,
            "value": float(row.value),
            "amount": str(row.value),
            "group": _("{nature} ({currency})").format(
                nature=label("nature", row.nature),
                currency=engine.currency_name(row.currency, language()),
            ),
            "line": _("{domain}: {side}").format(
                domain=label("domain", row.domain), side=side_label(row.side)
            ),
            "stage_label": label("stage", row.stage),
            "label": engine.money(row.minor, row.currency, language()),
        }
        for row in totals
    ]
    natures, stages = engine.VOCABULARY["nature"], engine.VOCABULARY["stage"]
    return sorted(
        rows,
        key=lambda row: (
            natures.index(row["nature"]),
            row["currency"],
            engine.VOCABULARY["domain"].index(row["domain"]),
            row["side"],
            stages.index(row["stage"]),
        ),
    )


def _money_words(rows: list[Row], today: date) -> dict[str, str]:  # noqa: ARG001
    ticks = {f"tick:{power}": engine.amount(10**power, language()) for power in range(19)}
    return {"value": _("Amount; each line stands for ten times the one before"), **ticks}


def status_rows(today: date) -> list[Row]:  # noqa: ARG001
    """Return how many commitments each domain has in each status."""
    counted = (
        Tally.objects.filter(record_class="commitment")
        .values_list("domain", "status")
        .annotate(sum=Sum("count"))
    )
    numbers = {(domain, status): number for domain, status, number in counted}
    return [
        {
            "domain": domain,
            "status": status,
            "count": numbers[domain, status],
            "domain_label": label("domain", domain),
            "status_label": label("status", status),
        }
        for domain in engine.VOCABULARY["domain"]
        for status in engine.VOCABULARY["status"]
        if numbers.get((domain, status))
    ]


def _status_words(rows: list[Row], today: date) -> dict[str, str]:  # noqa: ARG001
    present = {row["status"] for row in rows}
    order = [status for status in engine.VOCABULARY["status"] if status in present]
    return {"statuses": "\n".join(label("status", status) for status in order)}


def milestone_rows(today: date) -> list[Row]:
    """Return what is late, what is due next and what was judged last, in the order of time."""
    late = Milestone.objects.filter(state="open", due_last__lt=today).order_by("-due_last")
    due = Milestone.objects.filter(state="open", due_last__gte=today).order_by("due_last")
    # State by state, each along its index: the newest of both are among the newest of each.
    newest = F("assessed_on").desc(nulls_last=True)
    judged = [
        Milestone.objects.filter(state=state).order_by(newest) for state in ("delivered", "missed")
    ]
    share = MOST_MILESTONES // 3
    late_rows, due_rows, *judged_rows = [
        list(rows.select_related("commitment")[:share]) for rows in (late, due, *judged)
    ]
    last = sorted(chain(*judged_rows), key=lambda row: row.assessed_on or date.min, reverse=True)
    chosen = [*late_rows, *due_rows, *last[:share]]
    return [
        {
            "milestone": row.slug,
            "commitment": row.commitment.slug,
            "title": row.title,
            "due": row.due,
            "day": row.due_last.isoformat(),
            "label": engine.date_words(row.due, language()),
            "state": row.state_on(today),
            "state_label": label("milestone_on", row.state_on(today)),
        }
        for row in sorted(chosen, key=lambda row: (row.due_last, row.pk))
    ]


def _milestone_words(rows: list[Row], today: date) -> dict[str, str]:  # noqa: ARG001
    day = engine.date_words(today.isoformat(), language())
    return {
        **{state: label("milestone_on", state) for state in LABELS["milestone_on"]},
        "today": today.isoformat(),
        "today_label": _("Drawn on {day}").format(day=day),
    }


CHARTS: Final[Mapping[str, Chart]] = {
    "money": Chart(
        title=gettext_lazy("Money by domain and side, each nature and stage on its own"),
        description=gettext_lazy(
            "Points on a logarithmic scale, one for each sum within one domain, side, nature, "
            "currency and stage. The table below holds the same figures."
        ),
        rows=money_rows,
        words=_money_words,
        columns={
            "nature": gettext_lazy("Nature"),
            "currency": gettext_lazy("Currency"),
            "domain": gettext_lazy("Domain"),
            "side": gettext_lazy("Side"),
            "stage": gettext_lazy("Stage"),
            "amount": gettext_lazy("Amount"),
        },
    ),
    "status": Chart(
        title=gettext_lazy("Commitments by domain and status"),
        description=gettext_lazy(
            "A field of numbers: domains as rows, statuses as columns. The table below holds the "
            "same figures."
        ),
        rows=status_rows,
        words=_status_words,
        columns={
            "domain": gettext_lazy("Domain"),
            "status": gettext_lazy("Status"),
            "count": gettext_lazy("Commitments"),
        },
    ),
    "milestones": Chart(
        title=gettext_lazy("Milestones: what is due, and what is late"),
        description=gettext_lazy(
            "A time line with one point for each milestone at the last day on which it is not late. "
            "The table below holds the same dates."
        ),
        rows=milestone_rows,
        words=_milestone_words,
        columns={
            "milestone": gettext_lazy("Milestone"),
            "commitment": gettext_lazy("Commitment"),
            "due": gettext_lazy("Due"),
            "state": gettext_lazy("State"),
        },
    ),
}
"""The charts of the dashboard by name, which is also their name in ``engine._charts``."""

_DRAWN_AS: Final = {"stage": "stage_label", "domain": "domain_label", "status": "status_label"}


@task()
def draw() -> int:
    """Draw the charts unless they show the present facts as of today; return their version."""
    version = _version()
    return version if _is_drawn(version) else draw_now()


def draw_now() -> int:
    """Draw the charts here and wait for them; return the version of the facts they show."""
    today = timezone.localdate()
    # The version first: rows that change meanwhile are then drawn again, never called newer.
    version = _version()
    asked: list[tuple[str, str, dict[str, Any] | None]] = []
    for code in LANGUAGES:
        with override(code):
            asked += [(name, code, _order(name, chart, today)) for name, chart in CHARTS.items()]
    drawn = iter(_drawn([order for *_name, order in asked if order is not None]))
    with transaction.atomic():
        for name, code, order in asked:
            newer = Drawing.objects.filter(name=name, language=code, version__gt=version)
            svg = "" if order is None else next(drawn)
            if newer.exists():  # another process was asked later and drew faster
                continue
            Drawing.objects.update_or_create(
                name=name,
                language=code,
                defaults={"version": version, "drawn_on": today, "svg": svg},
            )
    return version


def ensure_drawn() -> bool:
    """Draw the charts unless they show the present facts as of today; tell whether they do now.

    Charts that cannot be drawn keep no node from starting: the log says why, and pages show the
    tables instead.
    """
    if not _is_drawn(_version()):
        try:
            draw_now()
        except subprocess.SubprocessError:
            logger.exception("the charts could not be drawn")
            return False
    return True


def _version() -> int:
    return State.objects.filter(pk=1).values_list("version", flat=True).first() or 0


def _is_drawn(version: int) -> bool:
    """Tell whether the charts show this version of the facts as of today."""
    fresh = Drawing.objects.filter(version=version, drawn_on=timezone.localdate())
    return fresh.count() == len(CHARTS) * len(LANGUAGES)


def _order(name: str, chart: Chart, today: date) -> dict[str, Any] | None:
    """Return what the drawing process is told; ``None`` where there is nothing to draw."""
    rows = chart.rows(today)
    if not rows:
        return None
    return {
        "name": name,
        "rows": [
            {**row, **{key: row[said] for key, said in _DRAWN_AS.items() if said in row}}
            for row in rows
        ],
        "words": chart.words(rows, today),
        "title": str(chart.title),
        "description": str(chart.description),
    }


def _drawn(orders: list[dict[str, Any]]) -> list[str]:
    """Draw in a process of its own, which takes the memory of its JavaScript engine with it."""
    if not orders:
        return []
    done = subprocess.run(
        [sys.executable, "-m", "renkei.record.engine._charts"],
        input=json.dumps(orders).encode(),
        capture_output=True,
        timeout=DRAW_SECONDS,
        check=False,
    )
    if done.returncode:
        logger.error("drawing failed: %s", done.stderr.decode(errors="replace")[-2000:])
        done.check_returncode()
    drawn: list[str] = json.loads(done.stdout)
    return drawn


def taken_part_in(organisation: int) -> list[int]:
    """Return the commitments in which an organisation has a role."""
    parts = Participation.objects.filter(organisation=organisation)
    return sorted(set(parts.values_list("commitment", flat=True)))


@task()
def find_anew(organisation: int) -> int:
    """Put the commitments of a renamed organisation in the search index; return how many.

    By pieces, so that officers' changes come between; each makes the pages stale that are kept.
    """
    keys = taken_part_in(organisation)
    for at in range(0, len(keys), MOST_BOUND):
        with transaction.atomic():
            next_version()
            reindex_commitments(keys[at : at + MOST_BOUND])
    return len(keys)


def find_anew_later(organisation: int) -> None:
    """Queue that after the transaction: one organisation may have a role in very many."""
    transaction.on_commit(partial(find_anew.enqueue, organisation))


def draw_later() -> None:
    """Queue a drawing after the transaction, unless one is waiting already.

    Drawing takes seconds of a core: while changes arrive, it is done once a minute.
    """
    transaction.on_commit(partial(_enqueue_once))


def _enqueue_once() -> None:
    waiting = DBTaskResult.objects.filter(task_path=draw.module_path, status=TaskResultStatus.READY)
    if waiting.exists():
        return
    last = DBTaskResult.objects.filter(task_path=draw.module_path).order_by("-enqueued_at").first()
    soonest = last.enqueued_at + DRAW_PAUSE if last else timezone.now()
    if soonest > timezone.now():
        draw.using(run_after=soonest).enqueue()
    else:
        draw.enqueue()
