"""Tables and programmes: Leontief, GeoPolRisk, the alarm sweep, the response programme.

Peers in the same run: pymrio; geopolrisk-py where ``RENKEI_GEOPOLRISK`` names a Python that has
it (it needs pandas below 3 and cannot stand beside pymrio), a plain loop otherwise; a plain loop
for the alarms. CPU time of this process, the best of a few runs, save where a limit is of wall
time.
"""

import math
import os
import statistics
import subprocess
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from bench.rows import keep, row

from renkei.materials import engine

SMALL = os.environ.get("RENKEI_BENCH_SIZE") == "small"
SECTORS, SCENARIOS = (300, 20) if SMALL else (2_464, 100)
YEARS, MATERIALS, IMPORTERS = 7, 29, 211  # 42,833 scores: the 42,832 of the study and one
SERIES = 1_000 if SMALL else 10_000
MONTHS = 96


def best(work: Callable[[], Any], times: int = 3) -> tuple[float, float, Any]:
    """Return the least wall and CPU seconds of some runs, and the answer."""
    wall = cpu = math.inf
    answer = None
    for _ in range(times):
        started, spent = time.perf_counter(), time.process_time()
        answer = work()
        wall = min(wall, time.perf_counter() - started)
        cpu = min(cpu, time.process_time() - spent)
    return wall, cpu, answer


def leontief() -> list[dict[str, Any]]:
    """A hundred scenarios of one table, the factors included."""
    import pandas as pd
    import pymrio

    rng = np.random.default_rng(0)
    a = rng.random((SECTORS, SECTORS)) * (rng.random((SECTORS, SECTORS)) < 0.3)
    a *= 0.9 * rng.random(SECTORS) / np.maximum(a.sum(axis=0), 1e-9)
    demand = rng.random((SECTORS, SCENARIOS))
    wall, cpu, ours = best(lambda: engine.InputOutput(a).output(demand))
    names = pd.MultiIndex.from_product([["r"], [f"s{n}" for n in range(SECTORS)]])
    consumption = pd.MultiIndex.from_product([["r"], ["y"]])
    frame = pd.DataFrame(a, index=names, columns=names)

    def recompute(number: int) -> Any:
        y = pd.DataFrame(demand[:, [number]], index=names, columns=consumption)
        table = pymrio.IOSystem(A=frame, Y=y)
        return table.calc_system().x

    tried = 3
    peer_wall, peer_cpu, theirs = best(lambda: [recompute(n) for n in range(tried)], 2)
    peer_wall, peer_cpu = (spent / tried * SCENARIOS for spent in (peer_wall, peer_cpu))
    apart = max(
        float(np.abs(np.asarray(x).ravel() / ours[:, n] - 1).max()) for n, x in enumerate(theirs)
    )
    if apart > 1e-9:
        raise SystemExit(f"the outputs differ by {apart}")

    def with_inverse() -> None:
        inverse = pymrio.calc_L(frame)
        for number in range(SCENARIOS):
            y = pd.DataFrame(demand[:, [number]], index=names, columns=["y"])
            pymrio.calc_x_from_L(inverse, y.sum(axis=1))

    _, kept, _ = best(with_inverse, 1)
    table = engine.InputOutput(a)
    _, next_one, _ = best(lambda: table.output(demand[:, 0]), 5)
    _, next_theirs, _ = best(lambda: recompute(0), 1)
    test = pymrio.load_test()
    test.calc_all()
    again = engine.InputOutput(
        engine.technical_coefficients(test.Z.to_numpy(), test.x.to_numpy().ravel())
    ).output(test.Y.sum(axis=1).to_numpy())
    itself = float(np.abs(again / test.x.to_numpy().ravel() - 1).max())
    return [
        row(
            f"{SCENARIOS} Leontief scenarios, n = {SECTORS:,}", cpu, "s CPU", "", peer="pymrio",
            peer_value=peer_cpu, ratio=peer_cpu / cpu, limit="pymrio, L kept", limit_value=kept,
            note=f"factors included; pymrio's calc_system for each scenario ({tried} measured, times"
            f" {SCENARIOS / tried:.3g}); wall {wall:.3f} s, pymrio {peer_wall:.1f} s; largest"
            f" relative difference {apart:.1e}",
        ),
        row(
            "Leontief scenarios: times pymrio", peer_cpu / cpu, "times", "" if SMALL else ">= 500",
            note=f"all {SCENARIOS} with the factors; a further scenario alone"
            f" {next_theirs / next_one:.0f} times",
        ),
        row(
            "pymrio's test system: largest relative difference of x", itself, "", "<= 1e-10",
        ),
    ]  # fmt: skip


def trade(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return made-up production, trade rows and governance of the size of BACI's extract."""
    rows = 500_000
    material, year = rng.integers(0, MATERIALS, rows), rng.integers(0, YEARS, rows)
    importer, exporter = (rng.integers(0, IMPORTERS, rows) for _ in range(2))
    made = rng.pareto(0.8, (MATERIALS, YEARS, IMPORTERS))
    made *= rng.random(made.shape) < 0.2
    return {
        "production": made,
        "material": material,
        "year": year,
        "importer": importer,
        "exporter": exporter,
        "tonnes": rng.lognormal(3, 2, rows),
        "value": rng.lognormal(4, 2, rows),
        "governance": rng.random((YEARS, IMPORTERS)),
    }


def one_by_one(given: dict[str, np.ndarray], wanted: list[tuple[int, int, int]]) -> list[float]:
    """Score one importer, material and year at a time, from the rows."""
    rows = list(zip(*(given[name].tolist() for name in ("material", "year", "importer", "exporter",
                                                       "tonnes")), strict=True))  # fmt: skip
    found = []
    for material, year, importer in wanted:
        made = given["production"][material, year].tolist()
        index = sum(one * one for one in made) / sum(made) ** 2 if sum(made) else 0.0
        mine = [row for row in rows if row[:3] == (material, year, importer)]
        bought = sum(row[4] for row in mine)
        risk = sum(row[4] * given["governance"][year, row[3]] for row in mine)
        supply = bought + made[importer]
        found.append(index * risk / supply if supply else 0.0)
    return found


PEER = """
import logging, time, warnings
warnings.filterwarnings("ignore"); logging.disable(logging.CRITICAL)
began = time.process_time()
from geopolrisk.assessment.core import HHI, GeoPolRisk, importrisk
from geopolrisk.assessment.utils import mapped_baci
rows = mapped_baci()
ready = time.process_time()
for metal in ("Nickel", "Cobalt"):
    for year in (2021, 2022):
        made, index = HHI(metal, year, "USA")
        print(metal, year, GeoPolRisk(*importrisk(metal, year, "USA", rows), made, index)[0])
print("ready", ready - began, "each", (time.process_time() - ready) / 4)
"""


def geopolrisk() -> list[dict[str, Any]]:
    """All scores at once."""
    given = trade(np.random.default_rng(0))
    _, cpu, found = best(lambda: engine.geopolrisk(**given), 5)
    count = found.score.size
    rng = np.random.default_rng(1)
    wanted = [tuple(int(rng.integers(0, size)) for size in found.score.shape) for _ in range(5)]
    spent = time.process_time()
    plain = one_by_one(given, wanted)
    loop = (time.process_time() - spent) / len(wanted) * count
    worst = max(abs(one - found.score[place]) for one, place in zip(plain, wanted, strict=True))
    if worst > 1e-9:
        raise SystemExit(f"the scores differ by {worst}")
    python = os.environ.get("RENKEI_GEOPOLRISK")
    peer, peer_name, note = loop, "plain loop", "RENKEI_GEOPOLRISK names no Python"
    if python:
        said = subprocess.run([python, "-c", PEER], capture_output=True, text=True, check=True)
        words = said.stdout.split()
        ready, each = float(words[words.index("ready") + 1]), float(words[words.index("each") + 1])
        peer, peer_name = ready + each * count, "geopolrisk-py"
        note = f"geopolrisk-py: {ready:.1f} s to start, {each:.3f} s a score (four measured)"
    return [
        row(
            f"GeoPolRisk, {count:,} scores", cpu, "s CPU", "", peer=peer_name, peer_value=peer,
            ratio=peer / cpu, limit="plain loop", limit_value=loop,
            note=f"500,000 made-up trade rows; {note}; the peer's whole time is worked out from"
            " what was measured",
        ),
        row(
            f"GeoPolRisk scores: times {peer_name}", peer / cpu, "times", ">= 100",
        ),
    ]  # fmt: skip


def alarms() -> list[dict[str, Any]]:
    """All series, and the same a value at a time."""
    rng = np.random.default_rng(0)
    amounts = np.exp(rng.normal(5, 0.4, (SERIES, MONTHS)))
    amounts[rng.random(amounts.shape) < 0.05] = np.nan
    first = engine.Month(2017, 1)
    engine.sweep(amounts[:2], first=first)
    wall, cpu, found = best(lambda: engine.sweep(amounts, first=first, value=amounts * 2))
    few = 30
    spent = time.process_time()
    apart = 0.0
    for number in range(few):
        logs = [math.log(one) for one in amounts[number].tolist()]
        changes = [math.nan] * 12 + [b - a for a, b in zip(logs, logs[12:], strict=False)]
        for line, z in ((logs, found.level.z[number]), (changes, found.year_on_year.z[number])):
            for at in range(engine.WINDOW, MONTHS):
                known = [one for one in line[at - engine.WINDOW : at] if not math.isnan(one)]
                if len(known) < engine.LEAST_KNOWN or math.isnan(line[at]):
                    if not math.isnan(z[at]):
                        raise SystemExit("the sweep scores what the loop does not")
                    continue
                middle = statistics.median(known)
                wide = 1.4826 * statistics.median(abs(one - middle) for one in known)
                score = (line[at] - middle) / (wide + engine.SPREAD_FLOOR)
                apart = max(apart, abs(score - z[at]))
    loop = (time.process_time() - spent) / few * SERIES
    if apart > 1e-9:
        raise SystemExit(f"the sweep and the loop differ by {apart}")
    return [
        row(
            f"alarm sweep, {SERIES:,} series of {MONTHS} months", wall, "s", "<= 10",
            peer="plain loop", peer_value=loop, ratio=loop / cpu,
            note=f"level, year on year and unit value; {cpu:.2f} s CPU; the loop does two of three"
            f" ({few} series measured); largest difference {apart:.1e}",
        )
    ]  # fmt: skip


def programme(materials: int = 12, places: int = 60, months: int = 12) -> engine.ResponseProblem:
    """Return the study's programme: arcs to twelve consumers each, the largest supplier out."""
    rng = np.random.default_rng(0)
    share = rng.pareto(0.8, (materials, places)) + 0.01
    share /= share.sum(axis=1, keepdims=True)
    demand = rng.pareto(1.0, (materials, places)) + 0.05
    demand *= 1e6 / months / demand.sum(axis=1, keepdims=True)
    capacity = np.repeat((share * 1.25e6 / months)[:, :, None], months, 2)
    capacity[np.arange(materials), share.argmax(axis=1)] = 0.0
    arcs = materials * places * 12
    consumer = np.concatenate(
        [rng.choice(places, 12, replace=False) for _ in range(materials * places)]
    )
    stocks = tuple(
        engine.StockOffer(f"owner {d}", (m,), (d,), float(demand[m, d] * months * 0.12), 0.5)
        for m in range(materials)
        for d in range(places)
    )
    return engine.ResponseProblem(
        materials=tuple(f"m{n}" for n in range(materials)),
        suppliers=tuple(f"s{n}" for n in range(places)),
        consumers=tuple(f"d{n}" for n in range(places)),
        arc_material=np.repeat(np.arange(materials), places * 12),
        arc_supplier=np.tile(np.repeat(np.arange(places), 12), materials),
        arc_consumer=consumer,
        arc_cost=rng.uniform(1, 3, arcs),
        arc_lead=rng.integers(0, 3, arcs),
        arc_ready=np.zeros(arcs, np.int64),
        arc_fixed=np.zeros(arcs),
        arc_limit=np.full(arcs, np.inf),
        capacity=capacity,
        demand=np.repeat(demand[:, :, None], months, 2),
        shortage_cost=np.full((materials, places), 100.0),
        stocks=stocks,
        recycle_share=0.10,
        recycle_cost=4.0,
        substitute_share=0.15,
        substitute_cost=8.0,
        party=tuple("US" if d % 2 else "JP" for d in range(places)),
    )


def responses() -> list[dict[str, Any]]:
    """The programme by materials apart, and as one."""
    problem = programme(2 if SMALL else 12)
    wall, cpu, plan = best(lambda: engine.respond(problem, threads=2))
    # A budget nobody reaches joins all materials into one programme.
    joined = engine.ResponseProblem(
        **{name: getattr(problem, name) for name in problem.__slots__} | {"budget": 1e12}
    )
    _, whole, together = best(lambda: engine.respond(joined), 1)
    apart = abs(plan.objective / together.objective - 1)
    if apart > 1e-6:
        raise SystemExit(f"the programmes differ by {apart}")
    return [
        row(
            f"response programme, {plan.columns:,} columns", wall, "s", "<= 2",
            peer="HiGHS on one programme", peer_value=whole, ratio=whole / cpu,
            note=f"two threads, wall; {cpu:.2f} s CPU; prices, actions and alternatives included;"
            f" relative difference of cost {apart:.1e}",
        )
    ]  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for measured in (leontief, geopolrisk, alarms, responses):
        keep("materials", measured())
