"""What programs are told: public figures with their sources; codes as they are, names as asked."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext
from ninja import Field, Schema

from renkei.base.bodies import Day, Given
from renkei.materials import door, engine
from renkei.materials.models import (
    Alarm,
    Component,
    Event,
    Exposure,
    Flow,
    JointRun,
    Material,
    Measure,
    Notice,
    Observation,
    Organisation,
    Overlap,
    Risk,
    Scenario,
    Site,
    Stage,
    language,
)

Item = dict[str, Any]
CHUNK = 2_000


class MaterialRow(Schema):
    """A material in a list."""

    slug: str
    symbol: str
    name: str
    is_watched: bool
    is_us_critical: bool


class RiskOut(Schema):
    """How concentrated a stage is: indices between 0 and 1, both bounds."""

    material: str
    stage: str
    year: int
    publisher: str
    leader: str
    leader_share: float
    low: float
    high: float
    governance_low: float | None
    governance_high: float | None
    producers: int
    is_latest: bool


class SupplyRow(Schema):
    """One country's line of a printed table."""

    place: str
    raw: str
    qualifier: str
    is_estimated: bool
    quantity: float | None
    share: float | None
    row: int | None


class SupplyTable(Schema):
    """A printed table of supply."""

    subject: str
    stage: str
    year: int
    detail: str
    unit: str
    release: str
    rows: list[SupplyRow]


class FormOut(Schema):
    """A good and its codes."""

    hs2022: str
    hs92: str
    stage: str
    name: str
    is_mixed: bool
    content_factor: float | None


class RelianceOut(Schema):
    """One year of a printed net import reliance, in percent."""

    of: str
    year: int
    raw: str
    qualifier: str
    percent: float | None
    bound: float | None
    release: str
    row: int | None


class ImportShareOut(Schema):
    """One printed share of the imports of the United States, in percent."""

    of: str
    place: str
    raw: str
    percent: float | None
    release: str
    row: int | None


class SurvivalViewOut(Schema):
    """Days that stocks last in one view, with what they were made of."""

    low: float
    high: float | None
    formula: str
    inputs: list[dict[str, Any]]


class SurvivalOut(Schema):
    """How long published US stocks last if the largest maker stops: by shipper and by origin."""

    lost: str
    year: int
    shipper: SurvivalViewOut
    origin: SurvivalViewOut


class MaterialOut(MaterialRow):
    """A material whole."""

    name_en: str
    name_ja: str
    forms: list[FormOut]
    risks: list[RiskOut]
    tables: list[SupplyTable]
    reliance: list[RelianceOut]
    sources: list[ImportShareOut]
    survival: SurvivalOut | None
    products: list[str]


class InputOut(Schema):
    """One input of an index."""

    country: str
    quantity: float
    share: float
    governance: float | None


class ObservationOut(Schema):
    """One printed cell, with the release and row."""

    material: str
    subject: str
    stage: str
    place: str
    detail: str
    valid_from: date
    valid_to: date
    known_from: date
    known_to: date | None
    raw: str
    qualifier: str
    is_estimated: bool
    quantity: float | None
    unit: str
    tonnes: float | None
    bound: float | None
    release: str
    row: int | None


class ConcentrationOut(Schema):
    """An index with everything that it was made of."""

    material: str
    stage: str
    low: float
    high: float
    governance_low: float | None
    governance_high: float | None
    leader: str
    leader_share: float
    other: float
    world: float | None
    total: float
    inputs: list[InputOut]
    cells: list[ObservationOut]


class ExposureOut(Schema):
    """What a country buys of one code; score 0 to 1."""

    importer: str
    material: str
    stage: str
    code: str
    is_mixed: bool
    year: int
    kusd: float
    tonnes: float | None
    leader: str
    leader_share: float
    concentration: float
    geopolitical: float | None
    score: float


class ShipperOut(Schema):
    """What one country shipped: one term of a score of exposure."""

    country: str
    kusd: float
    tonnes: float | None
    share: float
    instability: float
    term: float
    release: str
    row: int | None


class ExposureOpenedOut(ExposureOut):
    """A score of exposure with everything that it was made of."""

    formula: str
    by_mass: bool
    shippers: list[ShipperOut]
    geopolrisk_formula: str
    world_index: float | None
    weighted: float
    imported: float
    own: float
    production: dict[str, float]


class AlarmOut(Schema):
    """An alarm with its evidence."""

    id: int
    kind: str
    series: str
    code: str
    month: date
    direction: int
    z: float | None
    usual: float | None
    found: float | None
    known_in: date
    evidence: dict[str, Any]


class ActionOut(Schema):
    """One alternative of a plan."""

    rank: int
    kind: str
    material: str
    place: str
    origin: str
    tonnes: float
    usd: float | None
    delay_days: int
    actor: str
    marginal_usd: float | None


class ScenarioIn(Given):
    """A what-if: it lasts ``days``, or until and with the day ``ends_on``."""

    title: str = Field(min_length=1, max_length=160, pattern=r"^[^\x00-\x1f]*$")
    kind: str
    materials: list[str] = Field(default_factory=list)
    countries: list[str] = Field(default_factory=list)
    importers: list[str] = Field(default_factory=list)
    codes: list[str] = Field(default_factory=list)
    straits: list[str] = Field(default_factory=list)
    firms: list[str] = Field(default_factory=list)
    sites: list[str] = Field(default_factory=list)
    starts_on: Day
    ends_on: Day | None = None
    days: int = Field(365, ge=1, le=3650)
    severity: float = 1.0
    parameters: dict[str, Any] = Field(default_factory=dict)
    is_public: bool = False


class ScenarioRow(Schema):
    """A scenario in a list."""

    slug: str
    title: str
    kind: str
    countries: list[str]
    importers: list[str]
    starts_on: date
    days: int
    severity: float
    state: str
    is_public: bool


class ScenarioOut(ScenarioRow):
    """A scenario with its answer."""

    materials: list[str]
    codes: list[str]
    sites: list[str]
    straits: list[str]
    firms: list[str]
    why: str
    parameters: dict[str, Any]
    result: dict[str, Any] | None
    actions: list[ActionOut]


class CaseIn(Given):
    """A new case, of an alarm (by its ``id``) or a scenario if one is named."""

    title: str = Field(min_length=1, max_length=160)
    materials: list[str] = Field(default_factory=list)
    alarm: int | None = Field(None, ge=1, le=2**31)
    scenario: str | None = Field(None, max_length=60)


class CaseOut(Schema):
    """A case."""

    slug: str
    title: str


class NoticeIn(Given):
    """A disruption notification, with the fields of Catena-X CX-0146."""

    text: str = Field(min_length=1, max_length=1000)
    effect: str
    start_expected: Day
    end_expected: Day | None = None
    category: str = "other"
    status: str = "OPEN"
    materials_affected: str = Field("", max_length=300)
    sites_sender: str = Field("", max_length=300)
    sites_recipient: str = Field("", max_length=300)
    send: bool = False


class NoticeOut(Schema):
    """A notice of this node, or of a partner."""

    number: int
    party: str
    case: str
    at: datetime | None
    decision: int | None
    fields: dict[str, Any] | None


class OverlapIn(Given):
    """Whom to ask about shared suppliers."""

    partner: str = Field(max_length=60)


class OverlapOut(Schema):
    """One question about shared suppliers."""

    at: datetime
    partner: str
    is_asked_here: bool
    size: int
    shared: int | None
    decision: int


def notice_row(row: Notice) -> Item:
    """Return a notice of this node, and when it went."""
    return {
        "number": row.pk,
        "party": settings.NODE.party,
        "case": row.case.slug,
        "at": row.sent_at,
        "decision": row.decision,
        "fields": door.notice_out(row),
    }


def received_out(one: door.Received) -> Item:
    """Return a partner's notice."""
    return {
        "number": one.row.pk,
        "party": one.row.party,
        "case": one.row.case.slug if one.row.case else "",
        "at": one.row.said_at,
        "decision": None,
        "fields": one.fields,
    }


def overlap_out(row: Overlap) -> Item:
    """Return a question about shared suppliers."""
    return {name: getattr(row, name) for name in OverlapOut.model_fields}


class JointRunIn(Given):
    """What a joint run asks; firms and share stay on this node."""

    partner: str = Field(max_length=60)
    title: str = Field("", max_length=160)
    firms: list[str] = Field(min_length=1, max_length=20)
    severity: float = Field(1.0, gt=0, le=1)


class JointRunRow(Schema):
    """A joint run in a list."""

    uid: str
    partner: str
    is_opened_here: bool
    title: str
    state: str
    turns: int
    opened_at: datetime
    why: str


class JointRunOut(JointRunRow):
    """A joint run: what both nodes know alike, what stays here, and what crossed, byte by byte."""

    firms: list[str]
    severity: float
    agreed: dict[str, Any] | None
    own: dict[str, Any] | None
    messages: list[dict[str, Any]]


def joint_run_row(row: JointRun) -> Item:
    """Return a joint run in a list."""
    return {name: getattr(row, name) for name in JointRunRow.model_fields}


def joint_run_out(row: JointRun) -> Item:
    """Return a joint run with its messages."""
    return {
        **joint_run_row(row),
        "firms": row.firms.split(),
        "severity": row.severity,
        "agreed": row.agreed,
        "own": row.own,
        "messages": door.joint_messages(row),
    }


class PlanOut(Schema):
    """A joint plan and how far it has come."""

    uid: str
    stage: str
    headline: str
    approvals: dict[str, bool | None]
    is_kept: bool
    content_hash: str
    content: dict[str, Any]


class ProposeIn(Given):
    """Why a plan is proposed."""

    reason: str = Field(min_length=1, max_length=1000)
    note: str = Field("", max_length=2000)


def plan_out(row: door.JointPlan) -> Item:
    """Return a joint plan."""
    return {
        "uid": row.act.uid,
        "stage": row.stage,
        "headline": row.headline,
        "approvals": dict(row.approvals),
        "is_kept": row.is_kept,
        "content_hash": row.act.content_hash,
        "content": row.content,
    }


def _score(score: engine.Score | None) -> Item | None:
    if score is None:
        return None
    return {
        "name": score.name,
        "low": score.value.low,
        "high": score.value.high,
        "is_notable": score.is_notable,
        "formula": score.formula,
        "source": score.source,
        "inputs": [
            {"name": one.name, "low": one.value.low, "high": one.value.high} for one in score.inputs
        ],
    }


def eu_out(found: door.EuScore) -> Item:
    """Return the EU's scores with their inputs."""
    return {
        "material": found.material.slug,
        "country": found.country,
        "stage": found.stage,
        "year": found.year,
        "supply_risk": _score(found.supply),
        "economic_importance": _score(found.importance),
        "origins": dict(found.origins),
    }


def rule_out(rule: engine.Rule) -> Item:
    """Return a rule of eligibility."""
    return {
        "programme": rule.programme,
        "name": rule.name,
        "kind": rule.kind,
        "clause": rule.clause,
        "since": rule.since,
        "until": rule.until,
        "ended": rule.ended,
        "ended_by": rule.ended_by,
        "fact": rule.fact,
        "least": rule.least,
        "countries": sorted(rule.countries),
        "source": rule.source,
        "confirmed": rule.confirmed,
    }


def judgement_out(found: engine.Judgement) -> Item:
    """Return what the rules say, clause by clause."""
    return asdict(found)


def material_row(row: Material) -> Item:
    """Return a material in a list."""
    return {
        "slug": row.slug,
        "symbol": row.symbol,
        "name": row.name,
        "is_watched": row.is_watched,
        "is_us_critical": row.is_us_critical,
    }


def risk_out(row: Risk) -> Item:
    """Return a risk."""
    names = [name for name in RiskOut.model_fields if name != "material"]
    return {"material": row.material.slug, **{name: getattr(row, name) for name in names}}


def material_out(row: Material) -> Item:
    """Return a material whole."""
    return {
        **material_row(row),
        "name_en": row.name_en,
        "name_ja": row.name_ja,
        "forms": [
            {name: getattr(form, name) for name in FormOut.model_fields} for form in door.forms(row)
        ],
        "risks": [risk_out(one) for one in door.risks(row).select_related("material")],
        "tables": [
            {
                "subject": table.subject,
                "stage": table.stage,
                "year": table.year,
                "detail": table.detail,
                "unit": table.unit,
                "release": table.release.slug,
                "rows": [
                    {name: getattr(line, name) for name in SupplyRow.model_fields}
                    for line in (*table.rows, table.other, table.world)
                    if line is not None
                ],
            }
            for table in door.tables(row, subjects=("production", "capacity", "reserves"))
        ],
        "reliance": [
            {
                "of": one.detail,
                "year": one.year,
                "raw": one.raw,
                "qualifier": one.qualifier,
                "percent": one.quantity,
                "bound": one.bound,
                "release": one.release.slug,
                "row": one.row,
            }
            for one in door.reliance(row)
        ],
        "sources": [
            {
                "of": one.detail,
                "place": one.place,
                "raw": one.raw,
                "percent": one.quantity,
                "release": one.release.slug,
                "row": one.row,
            }
            for one in door.sources(row)
        ],
        "survival": _survival(door.survival(row)),
        "products": [one.slug for one in door.products_of(row)],
    }


def _survival(found: door.Survival | None) -> Item | None:
    if found is None:
        return None
    return {
        "lost": found.lost,
        "year": found.year,
        "shipper": _view(found.shipper),
        "origin": _view(found.origin),
    }


def _view(score: engine.Score) -> Item:
    ends = {"low": score.value.low, "high": score.value.high}
    return {
        **{name: end if math.isfinite(end) else None for name, end in ends.items()},
        "formula": score.formula,
        "inputs": [
            {"name": one.name, "low": one.value.low, "high": one.value.high, "unit": one.unit}
            for one in score.inputs
        ],
    }


def concentration_out(row: Material, stage: str) -> Item:
    """Return an index and its inputs."""
    one = door.concentration(row, stage)
    return {
        "material": row.slug,
        "stage": stage,
        "low": one.index.low,
        "high": one.index.high,
        "governance_low": one.governed.low if one.governed else None,
        "governance_high": one.governed.high if one.governed else None,
        "leader": one.leading,
        "leader_share": one.leading_share,
        "other": one.other,
        "world": one.world,
        "total": one.total,
        "inputs": [
            {name: getattr(line, name) for name in InputOut.model_fields} for line in one.rows
        ],
        "cells": [
            observation_out(cell) for cell in door.cells(row, stage).select_related("material")
        ],
    }


def exposure_out(row: Exposure) -> Item:
    """Return what a country buys of one code."""
    names = [name for name in ExposureOut.model_fields if name != "material"]
    return {**{name: getattr(row, name) for name in names}, "material": row.material.slug}


def opened_out(one: door.Opened) -> Item:
    """Return a score of exposure and its inputs."""
    return {
        **exposure_out(one.score),
        "formula": "sum of share² × instability",
        "by_mass": one.by_mass,
        "shippers": [
            {name: getattr(line, name) for name in ShipperOut.model_fields} for line in one.shippers
        ],
        "geopolrisk_formula": "world_index × weighted / (imported + own)",
        "world_index": one.world_index,
        "weighted": one.weighted,
        "imported": one.imported,
        "own": one.own,
        "production": dict(one.made),
    }


def observation_out(row: Observation) -> Item:
    """Return a printed cell."""
    names = [name for name in ObservationOut.model_fields if name not in {"material", "release"}]
    said = {name: getattr(row, name) for name in names}
    return {"material": row.material.slug, **said, "release": row.release.slug}


def alarm_out(row: Alarm) -> Item:
    """Return an alarm."""
    return {name: getattr(row, name) for name in AlarmOut.model_fields}


def actions_out(row: Scenario) -> list[Item]:
    """Return the alternatives of a scenario's plan, best first."""
    names = [name for name in ActionOut.model_fields if name != "material"]
    found = row.recommendations.select_related("material").order_by("rank")
    return [
        {**{name: getattr(one, name) for name in names}, "material": one.material.slug}
        for one in found
    ]


def scenario_row(row: Scenario) -> Item:
    """Return a scenario in a list."""
    return {
        "slug": row.slug,
        "title": row.title,
        "kind": row.kind,
        "countries": row.countries.split(),
        "importers": row.importers.split(),
        "starts_on": row.starts_on,
        "days": row.days,
        "severity": row.severity,
        "state": row.state,
        "is_public": row.is_public,
    }


def remark(flag: Mapping[str, Any]) -> str:
    """Return what an answer assumed, in the reader's words."""
    values = dict(flag["values"])
    if "stage" in values:
        values["stage"] = str(dict(Stage.choices).get(values["stage"], values["stage"]))
    if "countries" in values:
        named = (engine.place_name(code, language()) for code in values["countries"].split())
        values["countries"] = ("・" if language() == "ja" else ", ").join(named)
    return gettext(flag["text"]).format(**values)


def why_out(row: Scenario) -> str:
    """Return why a scenario has no answer, in the reader's words."""
    said = (row.result or {}).get("why")
    return remark(said) if said else row.why


def result_out(row: Scenario, *, with_stocks: bool) -> Item | None:
    """Return a scenario's answer; what follows from the node's own stocks to analysts alone."""
    result: Item | None = row.result
    if result is not None and "why" in result:
        return None
    own = [one for one in (result or {}).get("materials", ()) if one.get("own_stock")]
    if result is None or with_stocks or not own:
        return result
    told = [
        {
            **one,
            "rows": [{**line, "days_of_stock": None} for line in one["rows"]],
            "summary": [{**line, "stock_ends": {}} for line in one.get("summary", ())],
        }
        if one.get("own_stock")
        else one
        for one in result["materials"]
    ]
    # What a plan still misses would tell how much is in store.
    return {**result, "materials": told, "response": None, "unmet": [], "stock_days": {}}


def scenario_out(row: Scenario, *, with_stocks: bool) -> Item:
    """Return a scenario with its answer; what stocks would release is told to analysts alone."""
    actions = actions_out(row)
    return {
        **scenario_row(row),
        "materials": [one.slug for one in row.materials.all()],
        **{name: getattr(row, name).split() for name in ("codes", "sites", "straits", "firms")},
        "why": why_out(row),
        "parameters": row.parameters,
        "result": result_out(row, with_stocks=with_stocks),
        "actions": actions if with_stocks else [one for one in actions if one["kind"] != "stock"],
    }


def exported(kind: str, *, known_on: date | None = None) -> Iterator[Item]:
    """Return all public rows of one kind; observations and flows as known on a day, if one is given."""
    if kind == "stocks":
        return _told()
    return _PUBLIC[kind]() if kind in _PUBLIC else _facts(kind, known_on)


def _told() -> Iterator[Item]:
    """Yield what the gate let go of stocks; nothing else of them is exported."""
    for row in door.released():
        material, _slash, kind = row.key.partition("/")
        yield {"material": material, "kind": kind, "at_most_tonnes": row.tonnes}


def _sites() -> Iterator[Item]:
    names = [
        "slug",
        "stage",
        "country",
        "locode",
        "latitude",
        "longitude",
        "capacity_tonnes",
        "name_en",
        "name_ja",
        "source",
    ]
    rows = Site.objects.filter(is_public=True).select_related("material", "organisation")
    for row in rows.order_by("slug"):
        yield {
            "material": row.material.slug,
            **{name: getattr(row, name) for name in names},
            "lei": row.organisation.lei if row.organisation else "",
        }


def _organisations() -> Iterator[Item]:
    rows = Organisation.objects.filter(is_public=True).select_related("release").order_by("lei")
    for row in rows.iterator(chunk_size=CHUNK):
        yield {
            "lei": row.lei,
            "name": row.name,
            "country": row.country,
            "category": row.category,
            "release": row.release.slug if row.release else "",
        }


def _bills() -> Iterator[Item]:
    rows = Component.objects.select_related("product", "material", "part")
    for row in rows.order_by("product__slug", "pk"):
        yield {
            "product": row.product.slug,
            "part": row.part_name,
            "quantity": row.quantity,
            "unit": row.unit,
            "is_essential": row.is_essential,
            "substitutable": row.substitutable,
            "weight": row.weight,
            "source": row.source,
            "confirmed": row.confirmed,
        }


def _events() -> Iterator[Item]:
    for row in Event.objects.prefetch_related("materials").order_by("day", "slug"):
        yield {
            "slug": row.slug,
            "day": row.day,
            "is_exact_day": row.is_exact_day,
            "actors": row.actors,
            "materials": " ".join(sorted(one.slug for one in row.materials.all())),
            "codes": row.codes,
            "name_en": row.name_en,
            "name_ja": row.name_ja,
            "source": row.source,
        }


def _measures() -> Iterator[Item]:
    names = (
        "slug kind actors targets announced_on effective_from effective_to name_en name_ja source"
    )
    for row in Measure.objects.prefetch_related("materials").order_by("effective_from", "slug"):
        yield {
            **{name: getattr(row, name) for name in names.split()},
            "materials": " ".join(sorted(one.slug for one in row.materials.all())),
        }


_PUBLIC: Mapping[str, Callable[[], Iterator[Item]]] = {
    "sites": _sites,
    "organisations": _organisations,
    "bills": _bills,
    "events": _events,
    "measures": _measures,
    "rules": lambda: (rule_out(rule) for rule in door.rules()),
}


def _facts(kind: str, known_on: date | None) -> Iterator[Item]:
    if kind == "materials":
        for material in Material.objects.order_by("slug"):
            yield {
                **material_row(material),
                "name_en": material.name_en,
                "name_ja": material.name_ja,
            }
    elif kind == "observations":
        every = Observation.objects.all()
        told = every if known_on is None else every.as_known(known_on)
        cells = told.select_related("material", "release").order_by("pk")
        for cell in cells.iterator(chunk_size=CHUNK):
            yield observation_out(cell)
    elif kind == "flows":
        now = Flow.objects.current() if known_on is None else Flow.objects.as_known(known_on)
        flows = now.select_related("release").order_by("pk")
        for flow in flows.iterator(chunk_size=CHUNK):
            yield {
                "code": flow.code,
                "exporter": flow.exporter,
                "importer": flow.importer,
                "basis": flow.basis,
                "reporter": flow.reporter,
                "valid_from": flow.valid_from,
                "valid_to": flow.valid_to,
                "kusd": flow.kusd,
                "tonnes": flow.tonnes,
                "release": flow.release.slug,
                "row": flow.row,
            }
    elif kind == "risks":
        for risk in Risk.objects.select_related("material").order_by(
            "material__slug", "stage", "year"
        ):
            yield risk_out(risk)
    else:
        for row in Exposure.objects.select_related("material").order_by("importer", "-score"):
            yield exposure_out(row)
