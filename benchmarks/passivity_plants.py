"""What the energy filters do on the reference plants.

    python -m benchmarks.passivity_plants                      # all of it, about ten minutes on one core
    python -m benchmarks.passivity_plants forces tracking      # these parts alone
    python -m benchmarks.passivity_plants --quick              # a tenth of the length, and nothing is written

Prints figures and writes docs/results/passivity_plants.csv; a part's rows are replaced when it was measured. All
energies are of the plants' own books, not of the filters' ledger.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.plants import ClosedLoop, LoopSettings, PointMass, Wall
from benchmarks.plants import books as columns
from benchmarks.plants.adversaries import BangBang, Shuttle, Sine
from benchmarks.plants.measures import FILTERS, STIFF_WALL, impacts, progress, standing, tracking_rms_m
from benchmarks.plants.pump import worst_pump
from benchmarks.plants.worlds import PLANTS, WORLDS, run_all
from benchmarks.plants.worst_ways import hunt
from robot.compiled import COMPILED
from robot.safety.energy import Budget, load_budget

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "passivity_plants.csv"
DELAYS_S = (0.0, 0.025, 0.05, 0.1, 0.15, 0.2)
ENCODER_BITS = (14, 17, 20)
PARTS = ("identity", "gates", "forces", "tracking", "delays", "pumps", "standstill", "worst")


@dataclass(frozen=True)
class Row:
    """A figure: in which part it was measured, what, in which case, the value, and what it is to be."""

    part: str
    what: str
    case: str
    value: str
    unit: str
    bound: str


class Table:
    """Rows, printed as they come."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.part = ""

    def add(self, what: str, case: str, value: float, unit: str, bound: str = "") -> None:
        self.rows.append(Row(self.part, what, case, f"{value:.5g}", unit, bound))
        print(f"{what:32s} {case:62s} {value:12.5g} {unit:7s} {bound}", flush=True)

    def write(self) -> None:
        """Replace the rows of the parts that were measured; others keep theirs."""
        measured = {row.part for row in self.rows}
        kept: list[Row] = []
        if RESULTS.exists():
            with RESULTS.open(newline="") as file:
                kept = [Row(**row) for row in csv.DictReader(file) if row["part"] not in measured]
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        with RESULTS.open("w", newline="") as file:
            table = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
            table.writeheader()
            table.writerows(asdict(row) for row in sorted(kept + self.rows, key=lambda row: PARTS.index(row.part)))


def identity(table: Table, seconds: float) -> None:
    """G2: what the books of the plants do not close by, at h, h/2 and h/4."""
    free = LoopSettings(load_budget("free"), torque_filter=False, leash="none", mass_kg=3.0)
    for name, plant in PLANTS.items():
        for refinement in (1, 2, 4):
            loop = ClosedLoop(
                plant.plant, replace(free, refinement=refinement), plant.wall(stiffness=STIFF_WALL), plant.start
            )
            found = loop.run(BangBang(plant.start, hz=1.0), seconds)
            table.add(
                "identity (G2)",
                f"{name}, bang-bang on 1e5 N/m, h/{refinement}",
                100 * abs(found.residual_j) / found.throughput_j,
                "%",
                "<= 1 % of throughput, falls with h",
            )


def gates(table: Table, seconds: float) -> None:
    """G3 and G4 over all adversaries and worlds, and the same without a filter."""
    budget = load_budget("table_top")
    for name, plant in PLANTS.items():
        for filters in FILTERS:
            found = [each for world in WORLDS for each in run_all(plant, world, budget, filters, seconds).values()]
            case = f"{name}, {filters}, {len(found)} runs of {seconds:g} s"
            held = filters.startswith("tank")
            table.add(
                "lowest tank (G3)",
                case,
                min(each.lowest_j for each in found),
                "J",
                ">= -1e-9" if held else "unfiltered",
            )
            table.add("below the reserve (G3)", case, sum(each.drawn for each in found), "steps", "0" if held else "")
            table.add(
                "environment excess (G4)",
                case,
                max(each.excess_j for each in found),
                "J",
                "<= 0" if held else "unfiltered",
            )
            table.add("overdrawn runs", case, sum(each.lowest_j < 0 for each in found), "runs", "0" if held else "")
            table.add("outside the set", case, sum(each.outside for each in found), "steps", "0" if held else "")
            table.add("identity, worst", case, max(abs(each.residual_j) for each in found), "J", "")


def forces(table: Table, seconds: float) -> None:
    """G5 and G6: peak force and depth of a random policy on the stiff wall."""
    for name in ("near", "insert", "table_top"):
        budget = load_budget(name)
        peaks = {}
        for filters in FILTERS:
            found = impacts(budget, filters, seconds=seconds)
            peaks[filters] = max(each.peak_force_n for each in found)
            bound = f"<= {1.05 * budget.peak_force_n(STIFF_WALL):.0f} N" if filters == "tank and leash" else ""
            table.add("peak force (G5)", f"{name}, {filters}", peaks[filters], "N", bound)
            table.add("depth (G6)", f"{name}, {filters}", 1e3 * max(each.depth_m for each in found), "mm", "")
        for filters in ("tank", "tank and leash"):
            table.add(
                "peak force, ratio",
                f"{name}, {filters} to none",
                peaks[filters] / peaks["none"],
                "1",
                "<= 0.1" if filters == "tank and leash" else "",
            )


def tracking(table: Table) -> None:
    """G7: what the filters cost a policy in free space."""
    zero = np.zeros(1)
    for case, name, policy, most in (
        ("30 mm at 0.5 Hz", "table_top", Sine(zero), 1.0),
        ("30 mm at 0.5 Hz", "near", Sine(zero), 1.0),
        ("0.25 m/s", "far", Shuttle(zero, 0.25, 0.2), 2.0),
        ("0.05 m/s", "near", Shuttle(zero, 0.05, 0.05), 2.0),
        ("100 mm at 1 Hz", "far", Sine(zero, 0.1, 1.0), np.inf),
    ):
        budget = load_budget(name)
        none, both = (tracking_rms_m(budget, policy, each) for each in ("none", "tank and leash"))
        table.add("tracking, RMS (G7)", f"{case}, {name}, none", 1e3 * none, "mm")
        table.add(
            "tracking, worse by (G7)",
            f"{case}, {name}, tank and leash",
            100 * (both / none - 1),
            "%",
            f"<= {most:g} %" if np.isfinite(most) else "reported",
        )


def delays(table: Table, budget_name: str) -> None:
    """G10: how far tasks come with a delay, as a share of without."""
    budget = load_budget(budget_name)
    for where, come, lag_s in (("channel", "jumps", 0.0), ("channel", "lags", 0.05), ("policy", "jumps", 0.0)):
        for task, box_n, stiffness in (
            ("reach", 0.0, 200.0),
            ("push", 4.0, 200.0),
            ("reach", 0.0, 500.0),
            ("push", 4.0, 500.0),
            ("push", 8.0, 500.0),
        ):
            found = [
                progress(
                    budget, task, delay_s=each, where=where, come=come, lag_s=lag_s, stiffness=stiffness, box_n=box_n
                )
                for each in DELAYS_S
            ]
            told = f"{budget_name}, {task} {box_n:g} N at {stiffness:g} N/m, {where}" + (", lag 50 ms" if lag_s else "")
            table.add("undelayed progress", told, 1e3 * found[0].way_m, "mm")
            for delay_s, each in zip(DELAYS_S[1:], found[1:]):
                bound = ">= 50 %" if delay_s == 0.05 and stiffness == 200 else "reported"
                table.add(
                    "progress (G10)", f"{told}, {1e3 * delay_s:.0f} ms", 100 * each.way_m / found[0].way_m, "%", bound
                )
            outcomes = [each.outcome for each in found]
            table.add(
                "lowest tank (G10)", f"{told}, 0 to 200 ms", min(each.lowest_j for each in outcomes), "J", ">= -1e-9"
            )
            table.add(
                "environment excess (G10)", f"{told}, 0 to 200 ms", max(each.excess_j for each in outcomes), "J", "<= 0"
            )


def pumps(table: Table, rounds: int, population: int) -> None:
    """The cross-entropy method against the filters, and against none."""
    budget = load_budget("table_top")
    for filters in ("none", "tank", "tank and leash"):
        torque_filter, leash = FILTERS[filters]
        for goal, score in (
            ("environment work", lambda each: each.excess_j),
            ("kinetic energy", lambda each: each.fastest_j),
        ):
            settings = LoopSettings(budget, torque_filter=torque_filter, leash=leash, acceleration=400.0)
            make = partial(ClosedLoop, PointMass(), settings, Wall(0.05, STIFF_WALL))
            found = worst_pump(make, score, centre=np.zeros(1), rounds=rounds, population=population)
            told = f"{filters}, for {goal}, {found.rollouts} rollouts"
            table.add("pump: environment excess", told, found.outcome.excess_j, "J", "<= 0" if torque_filter else "")
            table.add("pump: kinetic energy", told, found.outcome.fastest_j, "J", "<= E_0" if torque_filter else "")


def standstill(table: Table, seconds: float) -> None:
    """What ten minutes of nothing cost."""
    budget = load_budget("table_top")
    for case, options in (
        ("50 ms latency", {}),
        ("200 ms latency", {"latency_s": 0.2}),
        ("pressing 10 N", {"press_n": 10.0}),
        *(
            (
                f"{bits}-bit encoder at 0.5 m, noise of a count",
                {"encoder": 0.5 * 2 * np.pi / 2**bits, "noise": 0.5 * 2 * np.pi / 2**bits},
            )
            for bits in ENCODER_BITS
        ),
    ):
        loop = standing(budget, seconds=seconds, **options)
        spent = budget.initial_j - float(loop.ledger.level_j[0])
        table.add("standing still", f"{case}, {seconds:g} s, ledger", spent, "J", "0")
        table.add("standing still", f"{case}, {seconds:g} s, true", loop.books[columns.ACTUATED], "J")


def worst(table: Table, steps: int, budgets: tuple[Budget, ...]) -> None:
    """Joints that do their worst, inside the set and outside."""
    found = hunt(budgets, steps, seed=2)
    table.add("overdrafts inside the set", f"{steps} steps", found.events, "events", "0")
    table.add("overdrafts inside the set, 95 %", f"{steps} steps, rule of three", 3 / steps, "1")
    table.add("steps changed", f"{steps} steps", found.changed, "steps")
    for beyond in (3.0, 10.0, 30.0):
        found = hunt(budgets, steps // 10, beyond=(beyond, beyond), seed=3)
        table.add("overdrafts outside", f"{beyond:g} times the bound, {steps // 10} steps", found.events, "events")
        table.add("overdrafts outside", f"{beyond:g} times the bound, {steps // 10} steps", found.joules, "J")


def measure(part: str, table: Table, quick: bool) -> None:
    """One part."""
    if part == "identity":
        identity(table, 2.0)
    elif part == "gates":
        gates(table, 1.0 if quick else 5.0)
    elif part == "forces":
        forces(table, 2.0 if quick else 20.0)
    elif part == "tracking":
        tracking(table)
    elif part == "delays":
        for name in ("near", "table_top", "far"):
            delays(table, name)
    elif part == "pumps":
        pumps(table, 2 if quick else 8, 40)
    elif part == "standstill":
        standstill(table, 60.0 if quick else 600.0)
    else:
        worst(
            table,
            1_000_000 if quick else 10_000_000,
            tuple(load_budget(name) for name in ("near", "table_top", "wipe", "far")),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    for part in asked.parts:
        if part not in PARTS:
            parser.error(f"no part '{part}': {', '.join(PARTS)}")
    os.nice(10)
    table = Table()
    print(f"numba: {'yes' if COMPILED else 'no'}")
    for part in asked.parts or PARTS:
        started, table.part = time.monotonic(), part
        measure(part, table, asked.quick)
        print(f"    {part}: {time.monotonic() - started:.0f} s", flush=True)
        if not asked.quick:
            table.write()


if __name__ == "__main__":
    main()
