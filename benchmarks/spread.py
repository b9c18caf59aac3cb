"""How many-sided and how smooth the twin's experts are.

    python -m benchmarks.spread                 # every task of the twin: docs/results/spread.csv
    python -m benchmarks.spread twin/lift       # these alone, shown only

From each of 10 starts the first chunk (16 rows) is taken in 20 ways; speed and acceleration are of 20 whole episodes.
"""

from __future__ import annotations

import argparse
import csv
import os
from dataclasses import asdict
from pathlib import Path

import sim
from sim.experts.spread import action_spread, motion
from sim.tasks import suite_ids

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "spread.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*")
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--ways", type=int, default=20)
    asked = parser.parse_args()
    os.nice(10)
    rows = []
    for task_id in asked.tasks or suite_ids("twin"):
        env = sim.make(task_id)
        found = {**asdict(action_spread(env, range(asked.starts), asked.ways)), **asdict(motion(env, range(20)))}
        env.close()
        rows.append({key: f"{value:.3g}" if isinstance(value, float) else value for key, value in found.items()})
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    if not asked.tasks:
        with RESULTS.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main()
