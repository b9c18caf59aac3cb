"""How many-sided and how smooth the experts of the twin and of Meta-World are.

    python -m benchmarks.spread                 # every task of the twin that has an expert
    python -m benchmarks.spread metaworld       # all of Meta-World
    python -m benchmarks.spread twin/lift       # these alone

From each of 10 starts the first chunk (16 rows) is taken in 20 ways; speed and acceleration are of 20 whole episodes.
A task's row in docs/results/spread.csv is replaced as soon as it is measured; other tasks keep theirs.
"""

from __future__ import annotations

import argparse
import csv
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Mapping

import sim
from benchmarks.action_spread import action_spread, motion
from sim.experts import expert_ids
from sim.tasks import suite_ids

SUITES = ("twin", "metaworld")
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "spread.csv"


def measure(task_id: str, starts: int, ways: int, episodes: int) -> dict[str, Any]:
    """One task's row, figures of three digits."""
    env = sim.make(task_id)
    found = {**asdict(action_spread(env, range(starts), ways)), **asdict(motion(env, range(episodes)))}
    env.close()
    return {key: f"{value:.3g}" if isinstance(value, float) else value for key, value in found.items()}


def keep(row: Mapping[str, Any], results: Path) -> None:
    """Put a task's row into the table, in the order of the tasks' names."""
    rows = {row["task"]: row}
    if results.exists():
        with results.open(newline="") as file:
            rows = {**{old["task"]: old for old in csv.DictReader(file)}, **rows}
    with results.open("w", newline="") as file:
        table = csv.DictWriter(file, list(row), lineterminator="\n")
        table.writeheader()
        table.writerows(rows[task] for task in sorted(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--ways", type=int, default=20)
    parser.add_argument("--episodes", type=int, default=20)
    asked = parser.parse_args()
    os.nice(10)
    known = expert_ids()
    named = [each for word in asked.tasks or ["twin"] for each in (suite_ids(word) if word in SUITES else [word])]
    for task_id in [each for each in named if each in known]:
        row = measure(task_id, asked.starts, asked.ways, asked.episodes)
        keep(row, RESULTS)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)


if __name__ == "__main__":
    main()
