"""Pages of the registry."""

from renkei.materials.views._joint import joint_add, joint_file, joint_run, joint_runs, joint_verb
from renkei.materials.views._leaving import leaving
from renkei.materials.views._plans import plan, plans, scenario_propose
from renkei.materials.views._registry import (
    exposure,
    exposure_inputs,
    exposure_of,
    inputs,
    inputs_of,
    listing,
    material,
    product,
    products,
    releases,
)
from renkei.materials.views._scores import eu, rules
from renkei.materials.views._work import (
    alarms,
    cascade,
    case,
    case_add,
    cases,
    scenario,
    scenario_add,
    scenario_stop,
    scenarios,
)

__all__ = [
    "alarms",
    "cascade",
    "case",
    "case_add",
    "cases",
    "eu",
    "exposure",
    "exposure_inputs",
    "exposure_of",
    "inputs",
    "inputs_of",
    "joint_add",
    "joint_file",
    "joint_run",
    "joint_runs",
    "joint_verb",
    "leaving",
    "listing",
    "material",
    "plan",
    "plans",
    "product",
    "products",
    "releases",
    "rules",
    "scenario",
    "scenario_add",
    "scenario_propose",
    "scenario_stop",
    "scenarios",
]
