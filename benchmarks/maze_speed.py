"""Policy steps a second of the batched contact maze on one core, in processor time, with the filters on and off.

    python -m benchmarks.maze_speed [--rows 32] [--steps 400]

A policy step is fifty ticks of the inner loop: law, leash, force filter, ledger, contacts. Random set-points near the
pin, so that it rubs along walls all the time.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from robot.safety.energy import load_budget
from sim.maze import TRAINING, MazeBatch, decode


def steps_per_s(rows: int, steps: int, enforce: bool) -> float:
    batch = MazeBatch(rows, layouts=TRAINING, seed=0, budget=load_budget("maze"), enforce=enforce)
    random = np.random.default_rng(0)
    batch.reset()
    batch.step(decode(random.uniform(-1, 1, (rows, 4)), batch.position))
    started = time.process_time()
    for _ in range(steps):
        batch.step(decode(random.uniform(-1, 1, (rows, 4)), batch.position))
    return rows * steps / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--steps", type=int, default=400)
    asked = parser.parse_args()
    for enforce in (False, True):
        found = [steps_per_s(asked.rows, asked.steps, enforce) for _ in range(5)]
        print(
            f"filters {'on ' if enforce else 'off'}: {np.median(found):.0f} policy steps/s "
            f"[{min(found):.0f}, {max(found):.0f}]"
        )


if __name__ == "__main__":
    main()
