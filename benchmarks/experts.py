"""Tasks with a scripted expert: how often it succeeds, and how fast the task steps.

    python -m benchmarks.experts                             # every task of the twin, 500 episodes each
    python -m benchmarks.experts metaworld --episodes 100    # all 50 of Meta-World
    python -m benchmarks.experts twin/lift robosuite/Lift    # these alone

Meta-World's rows go to docs/results/metaworld.csv, all others to docs/results/experts.csv, one by one; a task that has
its row with as many episodes is left out, so the command can be stopped and run again. `--again` measures it anew.
Speed is counted in processor time, so that other work on the machine changes it little; the expert's is left out.
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

import sim
from robot.files import write_table
from sim.experts import make_expert
from sim.tasks import suite_ids, task_ids, task_info

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SUITES = ("twin", "metaworld")  # a word that means all tasks of a suite
SPEED_STEPS = 1000  # at least, where episodes end early


@dataclass(frozen=True)
class Row:
    """One task's figures.

    Args:
        task: id.
        episodes: tried, of the seeds from `first_seed` on.
        successes: of those.
        steps: mean length of those that succeeded; 0 where none did.
        steps_per_s: of processor time, of the environment alone, resets not counted.
        reset_ms: mean processor time of a reset.
        first_seed: of the episodes.
    """

    task: str
    episodes: int
    successes: int
    steps: float
    steps_per_s: int
    reset_ms: float
    first_seed: int


def measure(task_id: str, episodes: int, first_seed: int) -> Row:
    """The figures of one task; after the episodes asked for, more are run until there are enough steps to time."""
    env, expert = sim.make(task_id), make_expert(task_id)
    stepping = resetting = 0.0
    taken, lengths, seed = 0, [], first_seed
    while seed < first_seed + episodes or taken < SPEED_STEPS:
        started = time.process_time()
        observation, _ = env.reset(seed=seed)
        resetting += time.process_time() - started
        expert.reset(observation, np.random.default_rng([seed, 1]))
        length, ended = 0, False
        while not ended:
            action = expert.act(observation)
            started = time.process_time()
            observation, _, terminated, truncated, _ = env.step(action)
            stepping += time.process_time() - started
            length, ended = length + 1, terminated or truncated
        taken += length
        if terminated and seed < first_seed + episodes:
            lengths.append(length)
        seed += 1
    env.close()
    mean = float(np.mean(lengths)) if lengths else 0.0
    reset_ms = resetting / (seed - first_seed) * 1e3
    return Row(task_id, episodes, len(lengths), round(mean, 1), round(taken / stepping), round(reset_ms, 1), first_seed)


def table_of(task_id: str) -> Path:
    """Where the row of a task is kept."""
    return RESULTS / ("metaworld.csv" if task_id.startswith("metaworld/") else "experts.csv")


def read(path: Path) -> dict[str, Row]:
    """The rows measured before, by task."""
    if not path.exists():
        return {}
    kinds = {"task": str, "steps": float, "reset_ms": float}
    with path.open(newline="") as file:
        lines = [{name: kinds.get(name, int)(value) for name, value in line.items()} for line in csv.DictReader(file)]
    return {line["task"]: Row(**line) for line in lines}


def write(path: Path, rows: dict[str, Row]) -> None:
    """All rows, in the order of the tasks."""
    ordered = (asdict(rows[task_id]) for task_id in task_ids() if task_id in rows)
    write_table(path, [field.name for field in fields(Row)], ordered)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["twin"], help="tasks, or suites: twin, metaworld")
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first episode")
    parser.add_argument("--again", action="store_true", help="measure tasks that have their row too")
    asked = parser.parse_args()
    for name in asked.names:
        for task_id in suite_ids(name) if name in SUITES else [task_info(name).id]:
            path = table_of(task_id)
            known = read(path).get(task_id)
            if known and known.episodes >= asked.episodes and not asked.again:
                continue
            row = measure(task_id, asked.episodes, asked.seed)
            write(path, {**read(path), task_id: row})
            print(
                f"{row.task:<38} {row.successes:>3} of {row.episodes}  {row.steps:>5.0f} steps  "
                f"{row.steps_per_s:>5} steps/s  reset {row.reset_ms:.1f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
