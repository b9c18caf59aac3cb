"""The replay in memory beside a plain table of floats, and on disk at the pace of a robot fleet.

    python -m benchmarks.replay [--seconds 20]

In memory: a step of 64 rows is added and 8 batches of 256 are drawn as tensors, in turns with the table that the safe
learners had, on one core. On disk: 1,000 decisions a second of a policy with 16 candidates are appended and committed
in blocks of 10, while 100 batches of 256 a second are drawn; what it takes of one core, and whether it keeps the pace.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch

from data.learning.replay.draws import uniform
from data.learning.replay.replay import Replay
from data.learning.replay.schema import Key, ReplaySchema
from data.learning.replay.transitions import transitions
from policies.rl import Step
from policies.safe import ConstrainedSac, ConstrainedSacConfig

ROWS, SIZE, ACTIONS, BATCH, DUE, CAPACITY = 64, 24, 4, 256, 8, 200_000
PER_SECOND, BLOCK, DRAWS = 1000, 10, 100
POLICY = ReplaySchema({"state": Key((2, 20))}, dim=10, rows=8, horizon=16, noise=(16, 10), candidates=16)


class Table:
    """The floor: all numbers of a step side by side in one tensor, without checks, episodes or names."""

    def __init__(self) -> None:
        self._sizes = [SIZE, SIZE, ACTIONS, 1, 1, 1]
        self._rows = torch.zeros(CAPACITY, sum(self._sizes))
        self.count = 0

    def add(self, observation: np.ndarray, step: Step) -> None:
        columns = (
            observation, step.last_observation, step.executed, step.reward[:, None], step.cost[:, None],
            ~step.terminated[:, None],
        )  # fmt: skip
        new = torch.from_numpy(np.concatenate(columns, axis=1, dtype=np.float32))
        at = self.count % CAPACITY
        first = min(len(new), CAPACITY - at)
        self._rows[at : at + first], self._rows[: len(new) - first] = new[:first], new[first:]
        self.count += len(new)

    def draw(self, random: torch.Generator) -> list[Any]:
        rows = self._rows[torch.randint(min(self.count, CAPACITY), (DUE * BATCH,), generator=random)]
        return [batch.split(self._sizes, dim=1) for batch in rows.split(BATCH)]


def seconds(action: Callable[[], Any]) -> float:
    started = time.process_time()
    action()
    return time.process_time() - started


def memory(rounds: int = 400) -> None:
    random = np.random.default_rng(0)
    observation, none = random.normal(size=(ROWS, SIZE)), np.zeros(ROWS, bool)
    step = Step(
        observation, observation, random.normal(size=ROWS), random.random(ROWS), none, random.random(ROWS) < 0.02,
        random.uniform(-1, 1, (ROWS, ACTIONS)), none, none,
    )  # fmt: skip
    table, agent = Table(), ConstrainedSac(SIZE, ACTIONS, ConstrainedSacConfig(replay=CAPACITY))
    for _ in range(2 * CAPACITY // ROWS):
        table.add(observation, step)
        agent.remember(observation, step)

    def draw() -> list[Any]:
        rows = torch.randint(len(agent.replay), (DUE * BATCH,), generator=agent.random)
        return list(agent.batch(rows.numpy()).split(BATCH))

    pairs = np.array(
        [
            [
                seconds(lambda: table.add(observation, step)),
                seconds(lambda: table.draw(agent.random)),
                seconds(lambda: agent.remember(observation, step)),
                seconds(draw),
            ]
            for _ in range(rounds)
        ]
    )
    ratio = (pairs[:, 2] + pairs[:, 3]) / (pairs[:, 0] + pairs[:, 1])
    drawn = np.random.default_rng(0).choice(ratio, (2000, rounds))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    before, after = np.median(pairs, axis=0)[:2] * 1e6, np.median(pairs, axis=0)[2:] * 1e6
    print(f"table   add {before[0]:6.0f} us  draw {before[1]:6.0f} us")
    print(f"replay  add {after[0]:6.0f} us  draw {after[1]:6.0f} us")
    print(f"replay over table, add and draw together: {np.median(ratio):.3f} [{low:.3f}, {high:.3f}]")


def disk(length_s: float, folder: Path) -> None:
    replay = Replay.open(folder, POLICY)
    random = np.random.default_rng(0)
    block: dict[str, Any] = {
        "window": {"state": random.normal(size=(BLOCK, 2, 20))},
        "next_window": {"state": random.normal(size=(BLOCK, 2, 20))},
        "executed": random.normal(size=(BLOCK, 8, 10)),
        "reward": random.normal(size=(BLOCK, 8)),
        "terminated": np.zeros(BLOCK, bool),
        "truncated": np.zeros(BLOCK, bool),
        "episode": replay.begin(BLOCK),
        "noise": random.normal(size=(BLOCK, 16, 10)),
        "planned": random.normal(size=(BLOCK, 16, 10)),
        "candidates": random.normal(size=(BLOCK, 16, 16, 10)),
        "chosen": np.zeros(BLOCK, np.int32),
    }
    replay.add(**block)
    replay.commit()
    added, drawn, commits = 0, 0, []
    started, busy = time.perf_counter(), time.process_time()
    while (now := time.perf_counter() - started) < length_s:
        if added < now * PER_SECOND:
            began = time.perf_counter()
            replay.add(**block)
            replay.commit()
            commits.append(time.perf_counter() - began)
            added += BLOCK
        elif drawn < now * DRAWS:
            transitions(replay, uniform(replay, random, BATCH), gamma=0.99)
            drawn += 1
        else:
            time.sleep(1e-4)
    now, busy = time.perf_counter() - started, time.process_time() - busy
    replay.close()
    print(
        f"on disk, {POLICY.dtype.itemsize} bytes a decision: {added / now:.0f} decisions/s committed, "
        f"{drawn / now:.1f} batches of {BATCH}/s, {busy / now:.0%} of a core; "
        f"add and commit {np.median(commits) * 1e3:.1f} ms, p99 {np.quantile(commits, 0.99) * 1e3:.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the run on disk")
    parser.add_argument("--folder", type=Path, help="where to write; a temporary folder")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    memory()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        disk(asked.seconds, Path(folder) / "replay")


if __name__ == "__main__":
    main()
