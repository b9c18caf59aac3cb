"""What the grid of `benchmarks.passivity_grid` found: a table, figures of energy over time, and the falsifiers.

The falsifiers are written down before anything is trained; afterwards each is said to hold or not, with its numbers.
"""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np

from robot.files import write_table
from sim.statistics.intervals import Interval, bootstrap, interquartile_mean, paired_difference, wilson

POLICIES, FILTERS = ("agnostic", "aware"), ("none", "filter")
CAUSES = ("tank", "power", "leash", "force")
EPISODE = (
    "layout",
    "seed",
    "success",
    "steps",
    "energy_j",
    "peak_j",
    "overdraft_j",
    "peak_force_n",
    "changed",
    *CAUSES,
)
"""Columns of an episode; the last are the share of ticks that the filters changed, in all and by what they named."""
FALSIFIERS = (
    "aware with the filter is not faster than agnostic with it (steps of an episode, failures counting as the horizon; "
    "paired by episode; the interval of the difference has to lie below 0)",
    "the filter costs the aware policy more than 5 points of success on the training layouts",
    "one overdraft with the filter, of any policy, on any layout",
)
NOT_YET = "(not run yet)"


@dataclass(frozen=True, eq=False)
class Cell:
    """Episodes of one policy with or without the filter on some layouts.

    Args:
        policy, filter, layouts, seed: which; the seed is that of the training.
        episodes: column -> (n,) values.
        levels: (n, horizon + 1) J in the tank at each step, NaN after an episode's end.
    """

    policy: str
    filter: str
    layouts: str
    seed: int
    episodes: dict[str, np.ndarray]
    levels: np.ndarray


def write_cell(folder: Path, episodes: Sequence[dict[str, Any]], levels: np.ndarray) -> None:
    """Keep the episodes of a cell; the table comes last, and says that the cell is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "levels.npz", levels=levels.astype(np.float32))
    write_table(folder / "episodes.csv", EPISODE, episodes)


def read_cells(out: Path) -> list[Cell]:
    """All cells that are whole below a folder: `<policy>-seed<k>/<layouts>-<filter>/episodes.csv`."""
    found = []
    for file in sorted(out.glob("*-seed*/*-*/episodes.csv")):
        policy, _, seed = file.parent.parent.name.partition("-seed")
        layouts, _, how = file.parent.name.rpartition("-")
        with file.open() as lines:
            rows = list(csv.DictReader(lines))
        episodes = {name: np.array([float(row[name]) for row in rows]) for name in EPISODE}
        with np.load(file.parent / "levels.npz", allow_pickle=False) as kept:
            found.append(Cell(policy, how, layouts, int(seed), episodes, kept["levels"]))
    return found


def begin_report(out: Path, says: str) -> None:
    """Write the falsifiers down before the run; what was written once stays."""
    file = out / "report.md"
    if file.exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"# Passivity grid, begun {stamp}", "", says, "", "Falsifiers, written before the run:", ""]
    file.write_text("\n".join(lines + [f"{n}. {text}" for n, text in enumerate(FALSIFIERS, 1)] + ["", NOT_YET, ""]))


def write_report(out: Path, table: Path, common: dict[str, Any]) -> str:
    """The table under docs/results, the figures, and the verdicts at the end of the report; returns the verdicts."""
    cells = read_cells(out)
    rows = [{**row, **common, "date": date.today().isoformat()} for row in table_rows(cells)]
    write_table(table, list(rows[0]) if rows else ["policy"], rows)
    draw(out, cells)
    verdicts = "\n".join(judge(cells))
    begun = (out / "report.md").read_text().partition("\nVerdicts")[0].replace(NOT_YET, "").rstrip()
    (out / "report.md").write_text(f"{begun}\n\nVerdicts\n\n{verdicts}\n")
    return verdicts


def table_rows(cells: Sequence[Cell]) -> Iterator[dict[str, Any]]:
    """A row for each seed of a cell, and one of all seeds together."""
    for policy, how, layouts in itertools.product(POLICIES, FILTERS, ("training", "held_out")):
        chosen = [cell for cell in cells if (cell.policy, cell.filter, cell.layouts) == (policy, how, layouts)]
        groups: list[tuple[str, list[Cell]]] = [(str(cell.seed), [cell]) for cell in chosen]
        for seed, group in [*groups, *([("all", chosen)] if len(chosen) > 1 else [])]:
            yield {"policy": policy, "filter": how, "layouts": layouts, "training_seed": seed, **figures(group)}


def figures(cells: Sequence[Cell]) -> dict[str, Any]:
    """Numbers of the episodes of some cells together."""
    columns = {name: np.concatenate([cell.episodes[name] for cell in cells]) for name in EPISODE}
    count, overdrawn = len(columns["success"]), int((columns["overdraft_j"] > 0).sum())
    steps = columns["steps"]
    said = {
        "success": wilson(int(columns["success"].sum()), count),
        "overdraft": wilson(overdrawn, count),
        "energy_j": bootstrap(columns["energy_j"], interquartile_mean),
        "peak_j": bootstrap(columns["peak_j"], interquartile_mean),
        "steps": bootstrap(steps, interquartile_mean),
        "peak_force_n": bootstrap(columns["peak_force_n"], interquartile_mean),
    }
    found: dict[str, Any] = {"episodes": count}
    for name, interval in said.items():
        found |= {
            name: round(interval.estimate, 4),
            f"{name}_low": round(interval.low, 4),
            f"{name}_high": round(interval.high, 4),
        }
    done = columns["success"] > 0
    found["energy_j_of_successes"] = round(float(columns["energy_j"][done].mean()), 4) if done.any() else ""
    for name, column in (("intervention", "changed"), *((f"by_{cause}", cause) for cause in CAUSES)):
        found[name] = round(float((columns[column] * steps).sum() / steps.sum()), 4)
    found["overdraft_j_most"] = round(float(columns["overdraft_j"].max()), 4)
    return found


def judge(cells: Sequence[Cell]) -> list[str]:
    """A line for each falsifier, and one for each figure that the design asked for."""
    found = []
    for number, text in enumerate(FALSIFIERS, 1):
        holds, numbers = (_slower, _costs, _overdrawn)[number - 1](cells)
        word = "cannot be said" if holds is None else "FALSIFIED" if holds else "not falsified"
        found.append(f"{number}. {word}: {numbers}. ({text})")
    return found


def _of(cells: Sequence[Cell], policy: str, how: str, layouts: str, column: str) -> np.ndarray:
    parts = [
        cell.episodes[column] for cell in cells if (cell.policy, cell.filter, cell.layouts) == (policy, how, layouts)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _difference(first: np.ndarray, second: np.ndarray) -> Interval | None:
    return paired_difference(first, second) if len(first) and len(first) == len(second) else None


def _slower(cells: Sequence[Cell]) -> tuple[bool | None, str]:
    """Whether aware with the filter is not surely faster than agnostic with it."""
    both = (_of(cells, policy, "filter", "training", "steps") for policy in POLICIES)
    difference = _difference(*both)
    if difference is None:
        return None, "a cell is missing"
    return difference.high >= 0, f"{difference} steps more"


def _costs(cells: Sequence[Cell]) -> tuple[bool | None, str]:
    """Whether the filter costs the aware policy more than five points."""
    found = {
        policy: _difference(*(_of(cells, policy, how, "training", "success") for how in FILTERS)) for policy in POLICIES
    }
    aware = found["aware"]
    if aware is None:
        return None, "a cell is missing"
    return aware.estimate < -0.05, "; ".join(
        f"{policy} {gain} of success by the filter" for policy, gain in found.items() if gain is not None
    )


def _overdrawn(cells: Sequence[Cell]) -> tuple[bool | None, str]:
    """Whether a filtered episode overdrew its tank."""
    chosen = [cell.episodes["overdraft_j"] for cell in cells if cell.filter == "filter"]
    if not chosen:
        return None, "a cell is missing"
    joules = np.concatenate(chosen)
    events, count = int((joules > 0).sum()), len(joules)
    bound = f", at most {3 / count:.4f} of episodes with 95 % confidence (3/n)" if not events else ""
    return events > 0, f"{events} of {count} filtered episodes, {joules.max():.2e} J at most{bound}"


def draw(out: Path, cells: Sequence[Cell]) -> None:
    """`energy_<layouts>.png`: the level of the tank over time, the four cells side by side, all seeds together."""
    from matplotlib.figure import Figure

    for layouts in ("training", "held_out"):
        chosen = [cell for cell in cells if cell.layouts == layouts]
        if not chosen:
            continue
        figure = Figure(figsize=(9, 6), layout="constrained")
        axes = figure.subplots(2, 2, sharex=True, sharey=True)
        for (row, policy), (column, how) in itertools.product(enumerate(POLICIES), enumerate(FILTERS)):
            levels = [cell.levels for cell in chosen if (cell.policy, cell.filter) == (policy, how)]
            panel = axes[row, column]
            panel.set_title(f"{policy}, {'with the filter' if how == 'filter' else 'no filter'}")
            panel.axhline(0.0, color="black", linewidth=0.8)
            if levels:
                # An episode that has ended keeps its last level, or the mean would be that of the slow ones alone.
                joined = _held(np.concatenate(levels))
                time = np.arange(joined.shape[1]) * 0.05
                panel.plot(time, joined[:: max(1, len(joined) // 30)].T, color="tab:blue", alpha=0.15, linewidth=0.7)
                panel.fill_between(time, *np.percentile(joined, [25, 75], axis=0), color="tab:orange", alpha=0.3)
                panel.plot(time, np.median(joined, axis=0), color="tab:orange")
            if row == 1:
                panel.set_xlabel("s")
            if column == 0:
                panel.set_ylabel("J in the tank")
        figure.savefig(out / f"energy_{layouts}.png", dpi=130)


def _held(levels: np.ndarray) -> np.ndarray:
    found = levels.copy()
    for step in range(1, found.shape[1]):
        ended = np.isnan(found[:, step])
        found[ended, step] = found[ended, step - 1]
    return found
