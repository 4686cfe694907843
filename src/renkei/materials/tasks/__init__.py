"""The registry's work outside a request: answering scenarios, watching monthly series."""

import math
from typing import Any

from django.db import transaction
from django.utils import timezone
from django_tasks import TaskContext, task

from renkei.base.jobs import JobCancelledError, job
from renkei.kit.errors import RenkeiError, gettext_noop
from renkei.materials.models import JointRun, Scenario
from renkei.materials.tasks._agreed import (
    JOINT_RUNS,
    NOTICES,
    SUPPLIERS,
    NotAgreedError,
    allowed,
    target,
)
from renkei.materials.tasks._answer import (
    FIRMS,
    NoFlowsError,
    answer,
    elasticities,
    firm_name,
    knows_firms,
    own_firms,
    refuse_unknown_firms,
)
from renkei.materials.tasks._joint import (
    JOINT_PATH,
    MOST_JOINT_BYTES,
    MOST_JOINT_RUNS_A_DAY,
    JointRunOverError,
    LinksChangedError,
    NoTradeError,
    UnknownJointRunError,
    answer_joint,
    border_products,
    note_end,
    own_side,
    say_stop,
    take_to_end,
)
from renkei.materials.tasks._tables import OUTAGES
from renkei.materials.tasks._watch import Watched, told, watch

STEPS = 100
JOINT_TITLE = gettext_noop("Joint run with a partner")
TITLE = gettext_noop("Answering a scenario of critical materials")

__all__ = [
    "FIRMS",
    "JOINT_PATH",
    "JOINT_RUNS",
    "MOST_JOINT_BYTES",
    "MOST_JOINT_RUNS_A_DAY",
    "NOTICES",
    "OUTAGES",
    "SUPPLIERS",
    "JointRunOverError",
    "LinksChangedError",
    "NoFlowsError",
    "NoTradeError",
    "NotAgreedError",
    "UnknownJointRunError",
    "Watched",
    "allowed",
    "answer",
    "answer_joint",
    "answer_scenario",
    "border_products",
    "carry_joint_run",
    "elasticities",
    "firm_name",
    "knows_firms",
    "note_end",
    "own_firms",
    "own_side",
    "refuse_unknown_firms",
    "say_stop",
    "sweep_series",
    "take_to_end",
    "target",
    "told",
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


@task(takes_context=True)
def carry_joint_run(context: TaskContext, run_id: int) -> str:
    """Take a joint run to its end; it goes on where its messages stand."""
    run = JointRun.objects.get(pk=run_id)
    if run.is_over:
        return run.state
    try:
        with job(context, title=JOINT_TITLE, total=STEPS) as step:
            take_to_end(run, lambda part: step(math.floor(part * STEPS)))
    except JobCancelledError:
        raise
    except RenkeiError:
        return run.state  # why is kept with the run
    return run.state


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
        if why is not None:  # as a sentence and its values: each reader has a language
            values = {name: str(value) for name, value in why.values.items()}
            scenario.result = {"why": {"text": why.sentence, "values": values}}
        scenario.finished_at = timezone.now()
        scenario.save(update_fields=["state", "result", "why", "finished_at"])


@task()
def sweep_series() -> int:
    """Look at every monthly series; return how many alarms are new."""
    return watch().new
