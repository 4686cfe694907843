"""The registry's work outside a request: answering scenarios, watching monthly series."""

import math
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_tasks import TaskContext, task

from renkei.base.jobs import JobCancelledError, job
from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.models import Scenario
from renkei.materials.tasks._answer import (
    FIRMS,
    NoFlowsError,
    answer,
    firm_name,
    knows_firms,
    own_firms,
)
from renkei.materials.tasks._watch import Watched, watch

STEPS = 100
TITLE = gettext_noop("Answering a scenario of critical materials")

__all__ = [
    "FIRMS",
    "NoFlowsError",
    "Watched",
    "answer",
    "answer_scenario",
    "firm_name",
    "knows_firms",
    "own_firms",
    "sweep_series",
    "watch",
]


@task(takes_context=True)
def answer_scenario(context: TaskContext, scenario_id: int) -> str:
    """Answer a scenario and keep what was found, or why there is no answer."""
    scenario = Scenario.objects.get(pk=scenario_id)
    try:
        with job(context, title=TITLE, total=STEPS) as step:
            found = answer(scenario, lambda part: step(math.floor(part * STEPS)))
    except JobCancelledError:
        _end(scenario, state=Scenario.Answer.STOPPED)
        raise
    except RenkeiError as error:  # a refusal is an answer too: it is shown, not retried
        _end(scenario, state=Scenario.Answer.FAILED, why=error)
        return scenario.state
    _end(scenario, state=Scenario.Answer.READY, result=found)
    return scenario.state


def _end(
    scenario: Scenario,
    *,
    state: Scenario.Answer,
    result: dict[str, Any] | None = None,
    why: RenkeiError | None = None,
) -> None:
    with transaction.atomic():
        scenario.state = state
        scenario.result = result
        scenario.why = "" if why is None else str(why)[:500]
        scenario.finished_at = timezone.now()
        scenario.save(update_fields=["state", "result", "why", "finished_at"])


@task()
def sweep_series() -> int:
    """Look at every monthly series; return how many alarms are new."""
    return watch().new
