"""What programs ask of the registry: public figures for everybody, scenarios for analysts.

``overlap`` and ``joint`` are asked by a partner's node, under its signatures.
"""

import json
from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any, Literal, cast

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from ninja import Query, Router, Status
from ninja.decorators import decorate_view
from pydantic import BaseModel, Field

from renkei.base.access import PUBLIC, access, allow, roles_of
from renkei.base.http import public_page
from renkei.base.models import Role, User
from renkei.base.problems import problem
from renkei.border import door as border
from renkei.kit.errors import RenkeiError, TooLargeError, gettext_noop
from renkei.materials import door
from renkei.materials.models import Scenario
from renkei.materials.schemas import (
    AlarmOut,
    CaseIn,
    CaseOut,
    ConcentrationOut,
    ExposureOpenedOut,
    ExposureOut,
    JointRunIn,
    JointRunOut,
    JointRunRow,
    MaterialOut,
    MaterialRow,
    NoticeIn,
    NoticeOut,
    ObservationOut,
    OverlapIn,
    OverlapOut,
    PlanOut,
    ProposeIn,
    RiskOut,
    ScenarioIn,
    ScenarioOut,
    ScenarioRow,
    alarm_out,
    concentration_out,
    exposure_out,
    joint_run_out,
    joint_run_row,
    material_out,
    material_row,
    notice_row,
    observation_out,
    opened_out,
    overlap_out,
    plan_out,
    received_out,
    risk_out,
    scenario_out,
    scenario_row,
)

router = Router(tags=["materials"], auth=allow(PUBLIC))
MOST = 1_000
MOST_SCENARIOS = 200
Run = Callable[..., HttpResponseBase]


class Asked(BaseModel):
    """What any question may carry."""

    lang: str = Field("", max_length=2)


class AskedMaterials(Asked):
    """Which materials."""

    q: str = Field("", max_length=100)
    all: bool = False


class AskedCountry(Asked):
    """Which country."""

    country: str = Field("", max_length=60)


class AskedPage(Asked):
    """Which part of a list."""

    limit: int = Field(100, ge=1, le=MOST)
    offset: int = Field(0, ge=0, le=1_000_000)


class AskedObservations(AskedPage):
    """Which part of the printed cells, as known today or on a day."""

    known_on: date | None = None


def only(question: type[BaseModel]) -> Callable[[Run], Run]:
    """Refuse parameters that nobody asked for: a slip of the pen must not look like an answer."""

    def decorate(run: Run) -> Run:
        @wraps(run)
        def checked(request: HttpRequest, **values: Any) -> HttpResponseBase:
            for name in request.GET:
                if name not in question.model_fields:
                    raise door.BadQuestionError(
                        gettext_noop("{name!r} is no parameter: expected some of {known}"),
                        name=name,
                        known=", ".join(question.model_fields),
                    )
            return run(request, **values)

        return checked

    return decorate


def asks(question: type[BaseModel]) -> Callable[[Any], Any]:
    """Check the parameters' names alone: what changes without a new version of the facts."""
    decorate: Callable[[Any], Any] = decorate_view(only(question))
    return decorate


def kept(question: type[BaseModel]) -> Callable[[Any], Any]:
    """Check the parameters' names, then answer from the page cache while the facts stay the same."""
    decorate: Callable[[Any], Any] = decorate_view(
        public_page(lambda: str(door.state().version)), only(question)
    )
    return decorate


@router.get("/materials", response=list[MaterialRow], operation_id="materials_list")
@kept(AskedMaterials)
def materials(request: HttpRequest, asked: Query[AskedMaterials]) -> list[dict[str, Any]]:
    """List the materials that are watched, or all."""
    return [material_row(row) for row in door.materials(query=asked.q, watched=not asked.all)]


@router.get("/materials/{slug}", response=MaterialOut, operation_id="materials_material")
@kept(Asked)
def material(request: HttpRequest, slug: str, asked: Query[Asked]) -> dict[str, Any]:
    """Tell everything public about a material."""
    return material_out(door.find(slug))


@router.get("/materials/{slug}/risks", response=list[RiskOut], operation_id="materials_risks")
@kept(Asked)
def risks(request: HttpRequest, slug: str, asked: Query[Asked]) -> list[dict[str, Any]]:
    """List how concentrated each stage is, by year."""
    return [risk_out(row) for row in door.risks(door.find(slug)).select_related("material")]


@router.get(
    "/materials/{slug}/inputs/{stage}", response=ConcentrationOut, operation_id="materials_inputs"
)
@kept(Asked)
def inputs(request: HttpRequest, slug: str, stage: str, asked: Query[Asked]) -> dict[str, Any]:
    """Open an index to its inputs."""
    return concentration_out(door.find(slug), stage)


@router.get(
    "/materials/{slug}/observations",
    response=list[ObservationOut],
    operation_id="materials_observations",
)
@kept(AskedObservations)
def observations(
    request: HttpRequest, slug: str, asked: Query[AskedObservations]
) -> list[dict[str, Any]]:
    """List the printed cells of a material with release and row, as known today or on a day."""
    found = door.observations(door.find(slug), known=asked.known_on)
    rows = found.select_related("material")
    return [observation_out(row) for row in rows[asked.offset : asked.offset + asked.limit]]


@router.get("/exposure", response=list[ExposureOut], operation_id="materials_exposure")
@kept(AskedCountry)
def exposure(request: HttpRequest, asked: Query[AskedCountry]) -> list[dict[str, Any]]:
    """Rank what a country depends on; this node's own where none is named."""
    importer = door.place(asked.country) if asked.country else door.home()
    return [exposure_out(row) for row in door.exposure(importer)]


@router.get(
    "/exposure/{slug}/{code}", response=ExposureOpenedOut, operation_id="materials_exposure_inputs"
)
@kept(AskedCountry)
def exposure_inputs(
    request: HttpRequest, slug: str, code: str, asked: Query[AskedCountry]
) -> dict[str, Any]:
    """Open a country's score for one material and code to its inputs."""
    importer = door.place(asked.country) if asked.country else door.home()
    return opened_out(door.open_exposure(importer, slug, code))


@router.get("/alarms", response=list[AlarmOut], operation_id="materials_alarms")
@asks(AskedPage)
def alarms(request: HttpRequest, asked: Query[AskedPage]) -> list[dict[str, Any]]:
    """List alarms, the newest month first."""
    rows = door.alarms()[asked.offset : asked.offset + asked.limit]
    return [alarm_out(row) for row in rows]


def _is_analyst(request: HttpRequest) -> bool:
    return Role.ANALYST in roles_of(request)


def _is_insider(request: HttpRequest) -> bool:
    return bool({Role.ANALYST, Role.OFFICER} & roles_of(request))


@router.get("/scenarios", response=list[ScenarioRow], operation_id="materials_scenarios")
@asks(Asked)
def scenarios(request: HttpRequest, asked: Query[Asked]) -> list[dict[str, Any]]:
    """List scenarios: strangers see those that are public."""
    rows = Scenario.objects.order_by("-created_at")
    if not _is_insider(request):
        rows = rows.filter(is_public=True)
    return [scenario_row(row) for row in rows[:MOST_SCENARIOS]]


@router.get("/scenarios/{slug}", response=ScenarioOut, operation_id="materials_scenario")
@asks(Asked)
def scenario(request: HttpRequest, slug: str, asked: Query[Asked]) -> dict[str, Any]:
    """Tell a scenario and its answer."""
    found = door.find_scenario(slug, public=not _is_insider(request))
    return scenario_out(found, with_stocks=_is_analyst(request))


@router.post(
    "/scenarios",
    response={202: ScenarioOut},
    auth=allow(Role.ANALYST, Role.OFFICER),
    operation_id="materials_disrupt",
)
def scenario_open(request: HttpRequest, body: ScenarioIn) -> Status[dict[str, Any]]:
    """Open a scenario and queue its answer."""
    author = request.user if isinstance(request.user, User) else None
    made = door.disrupt(**body.dict(), author=author)
    return Status(202, scenario_out(made, with_stocks=_is_analyst(request)))


@router.get(
    "/scenarios/{slug}/recommendation",
    response=dict[str, Any],
    auth=allow(Role.ANALYST, Role.OFFICER),
    operation_id="materials_recommendation",
)
@asks(Asked)
def recommendation(request: HttpRequest, slug: str, asked: Query[Asked]) -> dict[str, Any]:
    """Tell what both parties would approve."""
    return door.recommend(door.find_scenario(slug))


@router.post(
    "/scenarios/{slug}/proposal",
    response={201: PlanOut},
    auth=allow(Role.OFFICER),
    operation_id="materials_propose",
)
def propose(request: HttpRequest, slug: str, body: ProposeIn) -> Status[dict[str, Any]]:
    """Propose a scenario's plan to the other parties; the proposer's party approves by that."""
    made = door.propose(
        door.find_scenario(slug), by=cast(User, request.user), reason=body.reason, note=body.note
    )
    return Status(201, plan_out(made))


@router.get("/plans", response=list[PlanOut], operation_id="materials_plans")
@asks(Asked)
def plans(request: HttpRequest, asked: Query[Asked]) -> list[dict[str, Any]]:
    """List joint plans with how far each has come, the newest first."""
    return [plan_out(row) for row in door.plans()[:MOST_SCENARIOS]]


INSIDERS = allow(Role.ANALYST, Role.OFFICER)


@router.get("/notices", response=list[NoticeOut], auth=INSIDERS, operation_id="materials_notices")
@asks(Asked)
def notices(request: HttpRequest, asked: Query[Asked]) -> list[dict[str, Any]]:
    """List the notices that this node wrote and those that partners sent."""
    own = [notice_row(row) for row in door.notices()[:MOST_SCENARIOS]]
    return own + [received_out(row) for row in door.partner_notices()[:MOST_SCENARIOS]]


@router.post("/cases", response={201: CaseOut}, auth=INSIDERS, operation_id="materials_open_case")
def case_open(request: HttpRequest, body: CaseIn) -> Status[dict[str, Any]]:
    """Open a case."""
    made = door.open_case(
        title=body.title,
        materials=body.materials,
        alarm=None if body.alarm is None else door.find_alarm(body.alarm),
        scenario=None if body.scenario is None else door.find_scenario(body.scenario),
        owner=cast(User, request.user),
    )
    return Status(201, {"slug": made.slug, "title": made.title})


@router.post(
    "/cases/{slug}/notices",
    response={201: NoticeOut},
    auth=INSIDERS,
    operation_id="materials_notice",
)
def notice_write(request: HttpRequest, slug: str, body: NoticeIn) -> Status[dict[str, Any]]:
    """Write a notice into a case, and send it where ``send`` says so: both, or neither."""
    author, said = cast(User, request.user), body.dict()
    is_sent = said.pop("send")
    case = door.find_case(slug)
    made = door.add_notice(case, author=author, **said)
    if is_sent:
        try:
            made = door.send_notice(made.pk, by=author)
        except RenkeiError:  # both were asked for: neither is done, and asking again writes one
            case.notices.filter(pk=made.pk, sent_at=None).delete()
            raise
    return Status(201, notice_row(made))


@router.get(
    "/overlaps", response=list[OverlapOut], auth=INSIDERS, operation_id="materials_overlaps"
)
@asks(Asked)
def overlaps(request: HttpRequest, asked: Query[Asked]) -> list[dict[str, Any]]:
    """List the questions about shared suppliers that this node asked and answered."""
    return [overlap_out(row) for row in door.overlaps()[:MOST_SCENARIOS]]


@router.post(
    "/overlaps", response={201: OverlapOut}, auth=INSIDERS, operation_id="materials_ask_overlap"
)
def overlap_ask(request: HttpRequest, body: OverlapIn) -> Status[dict[str, Any]]:
    """Ask a partner how many suppliers both have."""
    return Status(201, overlap_out(door.ask_overlap(body.partner, by=cast(User, request.user))))


@router.get(
    "/joint-runs", response=list[JointRunRow], auth=INSIDERS, operation_id="materials_joint_runs"
)
@asks(Asked)
def joint_runs(request: HttpRequest, asked: Query[Asked]) -> list[dict[str, Any]]:
    """List the joint runs that this node opened and answered."""
    return [joint_run_row(row) for row in door.joint_runs()[:MOST_SCENARIOS]]


@router.post(
    "/joint-runs",
    response={202: JointRunOut},
    auth=allow(Role.ANALYST),
    operation_id="materials_open_joint",
)
def joint_open(request: HttpRequest, body: JointRunIn) -> Status[dict[str, Any]]:
    """Open a joint run with a partner, and queue it."""
    made = door.open_joint(**body.dict(), author=cast(User, request.user))
    return Status(202, joint_run_out(made))


@router.get(
    "/joint-runs/{run}", response=JointRunOut, auth=INSIDERS, operation_id="materials_joint_run"
)
@asks(Asked)
def joint_run(request: HttpRequest, run: str, asked: Query[Asked]) -> dict[str, Any]:
    """Tell a joint run, its answer, and every message byte by byte."""
    return joint_run_out(door.find_joint_run(run))


@router.post(
    "/joint-runs/{run}/{verb}",
    response={202: JointRunOut},
    auth=allow(Role.ANALYST),
    operation_id="materials_joint_verb",
)
def joint_verb(
    request: HttpRequest, run: str, verb: Literal["stop", "resume"]
) -> Status[dict[str, Any]]:
    """Stop a joint run, or go on with one whose partner was away."""
    found = door.find_joint_run(run)
    (door.stop_joint if verb == "stop" else door.resume_joint)(found)
    return Status(202, joint_run_out(door.find_joint_run(run)))


@csrf_exempt
@access(PUBLIC)  # who may ask is decided by the partner's signatures, and by an agreement
@require_POST
def overlap(request: HttpRequest) -> HttpResponse:
    """Answer a partner's question about shared suppliers."""
    return _answered(
        request,
        door.MOST_OVERLAP_BYTES,
        lambda partner, document, now: json.dumps(
            door.answer_overlap(partner, document, now=now)
        ).encode(),
    )


@csrf_exempt
@access(PUBLIC)  # as above
@require_POST
def joint(request: HttpRequest) -> HttpResponse:
    """Answer one message of a partner's joint run."""
    return _answered(
        request,
        door.MOST_JOINT_BYTES,
        lambda partner, document, now: door.answer_joint(partner, document, now=now),
    )


def _answered(
    request: HttpRequest, most: int, answer: Callable[[Any, dict[str, Any], Any], bytes]
) -> HttpResponse:
    """Answer what a partner signed, if it is a JSON object of a bounded size."""
    try:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > most:
            raise TooLargeError(gettext_noop("a question has at most {most} bytes"), most=most)
        now = timezone.now()
        partner = border.asking(
            request.method or "",
            request.build_absolute_uri(),
            dict(request.headers),
            request.body,
            now=now,
        )
        try:
            document = json.loads(request.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise door.BadOverlapError(gettext_noop("the question is no JSON object"))
        return HttpResponse(answer(partner, document, now), content_type="application/json")
    except RenkeiError as error:
        return problem(error)
