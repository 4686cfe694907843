"""What if, and what to do: scenarios are opened here and answered by a job."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache, partial
from importlib import resources
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from renkei.base import jobs
from renkei.base.models import Job, User
from renkei.kit.errors import ConflictError, NotFoundError, RenkeiError, gettext_noop
from renkei.materials import engine
from renkei.materials.door import _read
from renkei.materials.models import Form, Material, Scenario, Site, State, free_slug
from renkei.materials.tasks import (
    OUTAGES,
    answer,
    answer_scenario,
    elasticities,
    knows_firms,
    refuse_unknown_firms,
)

RANGES: Final = ("diversion", "new_partners", "qualification_days", "spare", "substitution")
SHARES: Final = ("recycle_share", "fair_gap", "floor")
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)
MOST_PLACES: Final = 50
MOST_NAMED: Final = 20
MOST_PRODUCTS: Final = 60
MOST_RISE: Final = 100.0  # of a price: a hundredfold more was never seen
MOST_RANGE: Final = 100_000.0
GOODS: Final = frozenset({"materials", "codes", "importers"})
NAMED_FOR: Final[Mapping[str, frozenset[str]]] = {
    # What each kind of disruption reads; an attack on firms knows neither goods nor buyers.
    Scenario.Kind.EXPORT_BAN: GOODS | {"countries"},
    Scenario.Kind.EXPORT_QUOTA: GOODS | {"countries"},
    Scenario.Kind.MINE_OUT: GOODS | {"countries", "sites"},
    Scenario.Kind.REFINERY_OUT: GOODS | {"countries", "sites"},
    Scenario.Kind.STRAIT_CLOSED: GOODS | {"countries", "straits"},
    Scenario.Kind.CYBER_ATTACK: frozenset({"firms"}),
    Scenario.Kind.PRICE_SHOCK: GOODS,
}


class UnknownScenarioError(NotFoundError):
    """There is no such scenario, or it is not public."""

    code = "materials.unknown_scenario"


class NotAnsweredError(ConflictError):
    """A scenario has no answer yet."""

    code = "materials.not_answered"


class UnknownCodeError(NotFoundError):
    """No goods of the registry have this code."""

    code = "materials.unknown_code"


class UnknownSiteError(NotFoundError):
    """The registry has no such site."""

    code = "materials.unknown_site"


class BadScenarioError(RenkeiError):
    """A scenario that cannot be; the field is named."""

    code = "materials.bad_scenario"


def disrupt(
    *,
    title: str,
    kind: str,
    materials: Iterable[str] = (),
    countries: Iterable[str] = (),
    importers: Iterable[str] = (),
    codes: Iterable[str] = (),
    straits: Iterable[str] = (),
    firms: Iterable[str] = (),
    sites: Iterable[str] = (),
    starts_on: date,
    ends_on: date | None = None,
    days: int = 365,
    severity: float = 1.0,
    parameters: Mapping[str, Any] | None = None,
    author: User | None = None,
    is_public: bool = False,
    now: bool = False,
) -> Scenario:
    """Open a scenario and queue its answer.

    Args:
        title: what people call it.
        kind: one of the engine's kinds of disruption.
        materials: names in the registry; none: all that are watched.
        countries: where it happens; ``importers``: whom it hits, none: everybody.
        codes: HS codes it is limited to; ``straits`` that are closed; ``firms`` that are attacked;
            ``sites`` (by their names in the registry) that are out.
        starts_on: first day; ``days`` how long, unless the last day ``ends_on`` is given.
        severity: share that is lost, or the rise of a price.
        parameters: intervals ``[low, high]`` of what is uncertain (``diversion``,
            ``new_partners``, ``qualification_days``, ``spare``, ``substitution``), ``stock_days`` by
            party, ``recycle_share``, ``fair_gap``, and ``floor``: the share of each demand that a
            plan must meet.
        author: who asks.
        is_public: whether strangers may read it.
        now: answer at once, here, instead of queueing.

    Raises:
        UnknownMaterialError, UnknownPlaceError, UnknownCodeError, UnknownSiteError,
        BadScenarioError, BadDisruptionError: what is wrong.
        NoFlowsError, ZeroEffectError: with ``now``, why there is no answer.
    """
    named = [_read.find(slug) for slug in dict.fromkeys(materials)]
    if not FIRST_DAY <= starts_on <= LAST_DAY:
        raise BadScenarioError(
            gettext_noop("the first day is {day}: expected one from {first} to {last}"),
            day=starts_on.isoformat(),
            first=FIRST_DAY.isoformat(),
            last=LAST_DAY.isoformat(),
        )
    if ends_on is not None:
        days = (ends_on - starts_on).days + 1
        if days < 1:
            raise BadScenarioError(
                gettext_noop("the last day {last} is before the first day {first}"),
                last=ends_on.isoformat(),
                first=starts_on.isoformat(),
            )
    scenario = Scenario(
        slug="x",
        title=title.strip(),
        kind=kind,
        countries=_places(countries),
        importers=_places(importers),
        codes=_codes(codes, [row.pk for row in named]),
        straits=" ".join(dict.fromkeys(straits)),
        firms=" ".join(dict.fromkeys(firms)),
        sites=_sites(sites, kind=kind, materials=named, is_public=is_public),
        starts_on=starts_on,
        days=days,
        severity=severity,
        parameters=_parameters(parameters or {}),
        author=author,
        is_public=is_public,
    )
    scenario.full_clean(exclude=["task", "slug"])
    if is_public and kind == Scenario.Kind.CYBER_ATTACK and knows_firms():
        raise BadScenarioError(
            gettext_noop("a run on this node's own firms is never public: leave the mark away")
        )
    # Refused here, where the person still looks, rather than in the job.
    _refuse_unread(scenario, is_named=bool(named))
    if kind == Scenario.Kind.PRICE_SHOCK and severity > MOST_RISE:
        raise BadScenarioError(
            gettext_noop("the price rises by {severity}: expected at most {most}"),
            severity=f"{severity:g}",
            most=f"{MOST_RISE:g}",
        )
    elasticities(scenario.parameters)
    if kind == Scenario.Kind.CYBER_ATTACK:
        refuse_unknown_firms(scenario.firms.split())
    engine.Disruption(
        kind=kind,  # type: ignore[arg-type]  # full_clean has compared it with the choices
        start=starts_on,
        days=days,
        severity=severity,
        countries=frozenset(scenario.countries.split()),
        importers=frozenset(scenario.importers.split()),
        materials=frozenset(row.slug for row in named),
        straits=frozenset(scenario.straits.split()),
        firms=frozenset(scenario.firms.split()),
        sites=frozenset(scenario.sites.split()),
    )
    with transaction.atomic():
        State.objects.select_for_update().get_or_create(pk=1)  # one name at a time
        scenario.slug = free_slug(Scenario, title, otherwise="scenario")
        scenario.save()
        scenario.materials.set(named)
        if not now:
            transaction.on_commit(partial(_enqueue, scenario))
    if now:
        try:
            found = answer(scenario, lambda _part: None)
        except BaseException:
            scenario.delete()  # nobody would ever answer it
            raise
        scenario.result, scenario.state = found, Scenario.Answer.READY
        scenario.finished_at = timezone.now()
        scenario.save(update_fields=["result", "state", "finished_at"])
    return scenario


def _refuse_unread(scenario: Scenario, *, is_named: bool) -> None:
    """Refuse what this kind of disruption does not read: it would pass for being in the answer.

    Raises:
        BadScenarioError: the field.
    """
    read = NAMED_FOR[scenario.kind]
    for name in ("countries", "sites", "straits", "firms", "materials", "codes", "importers"):
        found = is_named if name == "materials" else getattr(scenario, name)
        if name not in read and found:
            field = scenario._meta.get_field(name)  # noqa: SLF001  Django's name
            said = (
                gettext("Materials")
                if name == "materials"
                else getattr(field, "verbose_name", name)
            )
            raise BadScenarioError(
                gettext_noop("“{field}” has no meaning for the kind “{kind}”: leave it empty"),
                field=str(said),
                kind=scenario.get_kind_display(),
            )


def _enqueue(scenario: Scenario) -> None:
    # A worker must never be given an id that is not committed yet.
    queued = answer_scenario.enqueue(scenario_id=scenario.pk)
    Scenario.objects.filter(pk=scenario.pk).update(task=queued.id)


def _places(given: Iterable[str]) -> str:
    codes = list(dict.fromkeys(_read.place(text) for text in given))
    if len(codes) > MOST_PLACES:
        raise BadScenarioError(
            gettext_noop("{count} countries: at most {most} are taken"),
            count=len(codes),
            most=MOST_PLACES,
        )
    return " ".join(codes)


def _codes(given: Iterable[str], materials: list[int]) -> str:
    """Return HS codes, each of goods that the registry knows, and of the materials if any are named.

    Raises:
        UnknownCodeError: which one is not.
    """
    codes = list(dict.fromkeys(given))
    for code in codes:
        forms = Form.objects.filter(Q(hs2022=code) | Q(hs92=code))
        if materials:
            forms = forms.filter(material__in=materials)
        if not forms.exists():
            raise UnknownCodeError(
                gettext_noop(
                    "{code!r} is no code of these materials: expected six digits of the Harmonized "
                    "System as on a material's page"
                ),
                code=code,
            )
    return " ".join(codes)


def _sites(
    given: Iterable[str], *, kind: str, materials: Sequence[Material], is_public: bool
) -> str:
    """Return names of sites, each known here.

    Raises:
        UnknownSiteError: which one is not.
        BadScenarioError: one that is not public in a scenario that is; one of another stage than the
            outage, or of none of the materials.
    """
    slugs = list(dict.fromkeys(given))
    for slug in slugs:
        site = Site.objects.filter(slug=slug).select_related("material").first()
        if site is None:
            raise UnknownSiteError(
                gettext_noop("the registry has no site {slug!r}: expected one of {known}"),
                slug=slug,
                known=", ".join(
                    Site.objects.filter(is_public=True)
                    .order_by("slug")
                    .values_list("slug", flat=True)[:MOST_NAMED]
                ),
            )
        if is_public and not site.is_public:
            raise BadScenarioError(
                gettext_noop("the site {slug!r} is this node's own: leave the mark away"), slug=slug
            )
        wanted = OUTAGES.get(kind, site.stage)
        if site.stage != wanted or (materials and site.material not in materials):
            raise BadScenarioError(
                gettext_noop(
                    "the site {slug!r} is of {material}, stage {stage}: the scenario is about "
                    "{materials}, stage {wanted}"
                ),
                slug=slug,
                material=site.material.slug,
                stage=site.stage,
                materials=", ".join(row.slug for row in materials) or site.material.slug,
                wanted=str(wanted),
            )
    return " ".join(slugs)


def sites() -> QuerySet[Site]:
    """Return the sites of the registry, the node's own among them."""
    return Site.objects.select_related("material").order_by("country", "slug")


def site_names(slugs: Iterable[str]) -> list[str]:
    """Return what people call sites; one that is not public here, or not known, by its short name."""
    known = {site.slug: site.name for site in sites() if site.is_public}
    return [known.get(slug, slug) for slug in slugs]


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters, each checked.

    Raises:
        BadScenarioError: a name that is not known, or no interval.
    """
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if name in RANGES:
            kept[name] = _interval(name, value)
        elif name == "stock_days":
            if not isinstance(value, Mapping):
                raise BadScenarioError(
                    gettext_noop("{name} is {value!r}: expected low and high by country"),
                    name=name,
                    value=value,
                )
            kept[name] = {
                _read.place(party): _interval(name, pair) for party, pair in value.items()
            }
        elif name in SHARES:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= 1:
                raise BadScenarioError(
                    gettext_noop("{name} is {value}: expected 0 to 1"), name=name, value=value
                )
            kept[name] = float(value)
        else:
            raise BadScenarioError(
                gettext_noop("{name!r} is no parameter: expected some of {known}"),
                name=name,
                known=", ".join((*RANGES, "stock_days", *SHARES)),
            )
    return kept


def _interval(name: str, value: Any) -> list[float]:
    try:
        low, high = (float(end) for end in value)
    except (TypeError, ValueError) as error:
        raise BadScenarioError(
            gettext_noop("{name} is {value!r}: expected two numbers, low and high"),
            name=name,
            value=value,
        ) from error
    if not 0 <= low <= high <= MOST_RANGE:
        raise BadScenarioError(
            gettext_noop("{name} runs from {low} to {high}: expected 0 to {most}, low first"),
            name=name,
            low=low,
            high=high,
            most=f"{MOST_RANGE:.0f}",
        )
    return [low, high]


def find_scenario(slug: str, *, public: bool = False) -> Scenario:
    """Return a scenario; with ``public``, one that strangers may read.

    Raises:
        UnknownScenarioError: there is none, or not for them.
    """
    rows = Scenario.objects.filter(slug=slug).prefetch_related("materials")
    found = (rows.filter(is_public=True) if public else rows).first()
    if found is None:
        raise UnknownScenarioError(gettext_noop("there is no scenario {slug!r}"), slug=slug)
    return found


def stop(scenario: Scenario) -> None:
    """Ask the job of a scenario to stop.

    Raises:
        ConflictError: it is over.
    """
    if scenario.task is None:
        raise ConflictError(gettext_noop("the job is over already"))
    jobs.cancel(scenario.task)
    if Job.objects.filter(task=scenario.task, cancelled_at__isnull=False).exists():
        scenario.state = Scenario.Answer.STOPPED
        scenario.save(update_fields=["state"])


@cache
def recommendation_schema() -> dict[str, Any]:
    """Return the JSON Schema of what ``recommend`` returns."""
    text = (resources.files("renkei.materials") / "data" / "recommendation.schema.json").read_text(
        "utf-8"
    )
    schema: dict[str, Any] = json.loads(text)
    return schema


def recommend(scenario: Scenario, *, note: str = "") -> dict[str, Any]:
    """Return the joint recommendation of an answered scenario: what both parties would approve.

    It holds public figures and the plan alone: no stock level, no company, no supplier link; days of
    stock only where they follow from published targets. What the border seals is this content, by
    the schema ``recommendation_schema``; fractions are texts, for signed JSON has no floats.

    Raises:
        NotAnsweredError: the scenario has no plan.
    """
    result = scenario.result or {}
    response = result.get("response")
    if scenario.state != Scenario.Answer.READY or not response:
        raise NotAnsweredError(
            gettext_noop("the scenario {slug!r} has no plan to recommend"), slug=scenario.slug
        )
    return {
        "format": "renkei-materials-recommendation/1",
        "scenario": {
            "title": scenario.title,
            "kind": scenario.kind,
            "materials": [row.slug for row in scenario.materials.all()],
            "countries": scenario.countries.split(),
            "importers": scenario.importers.split(),
            **_what_else(scenario),
            "starts_on": scenario.starts_on.isoformat(),
            "days": scenario.days,
            "severity": _decimal(scenario.severity, 4),
        },
        "by": settings.NODE.party,
        "note": note,
        "bounds": list(_worst(result)),
        "products": [
            {
                "product": row["product"],
                "party": row["party"],
                "no_diversion": _share(row["no_diversion"]),
                "free_diversion": _share(row["free_diversion"]),
                "because": row["because"] or "",
            }
            for row in result["products"][:MOST_PRODUCTS]
        ],
        "actions": [
            {
                "rank": row.rank,
                "kind": row.kind,
                "material": row.material.slug,
                "party": row.place,
                "from": row.origin,
                "tonnes": _decimal(row.tonnes, 3),
                "usd": None if row.usd is None else max(0, round(row.usd)),
                "delay_days": row.delay_days,
                "who": row.actor,
            }
            for row in scenario.recommendations.select_related("material").order_by("rank")
            if row.kind != "stock"  # whose stock, and how much, is told to nobody
        ],
        "releases_stock": sorted(
            {row.place for row in scenario.recommendations.filter(kind="stock")}
        ),
        "missing_share": _share(response["missing"]),
        "cost_usd": max(0, round(response["cost"])),
        "assumptions": {
            "elasticities": {
                name: [_decimal(end, 4) for end in pair]
                for name, pair in result["elasticities"].items()
            },
            "fair_gap": _share(scenario.parameters.get("fair_gap", 0.1)),
        },
    }


def _what_else(scenario: Scenario) -> dict[str, list[str]]:
    """Return what else stops: straits, sites that are public, codes; each only if any is named."""
    public = Site.objects.filter(is_public=True, slug__in=scenario.sites.split())
    named = {
        "straits": scenario.straits.split(),
        "sites": list(public.order_by("slug").values_list("slug", flat=True)),
        "codes": scenario.codes.split(),
    }
    return {name: found for name, found in named.items() if found}


def _decimal(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _share(value: float) -> str:
    return _decimal(min(1.0, max(0.0, value)), 4)


def _worst(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each material and party in its worst period: an act must stay small enough to sign."""
    for one in result["materials"]:
        for party in result["parties"]:
            rows = [
                row
                for row in one["rows"]
                if row["country"] == party and row["stage"] == one["stages"][-1]
            ]
            if not rows:
                continue
            row = max(rows, key=lambda row: row["no_diversion"])
            days = None if one.get("own_stock") else row["days_of_stock"]
            yield {
                "material": one["material"],
                "party": party,
                "since": row["since"],
                "until": row["until"],
                "no_diversion": _share(row["no_diversion"]),
                "free_diversion": _share(row["free_diversion"]),
                **({"with_caps": list(map(_share, row["capped"]))} if row["capped"] else {}),
                "days_of_stock": [None if end is None else round(end) for end in days or []],
            }
