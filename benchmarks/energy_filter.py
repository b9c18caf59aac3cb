"""What a call of the torque filter costs: one robot of seven joints, both paths, beside a floor in the same run.

    python -m benchmarks.energy_filter [--calls 20000]

Calls that let a torque pass and calls that cut it, and the floor: copying the same arrays. Microseconds, wall clock.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from typing import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from robot.safety.energy import EnergyLedger, TorqueFilter, load_budget

JOINTS = 7


def times_us(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """p50 and p99 of single calls."""
    for _ in range(200):
        call()
    taken = np.empty(calls)
    for number in range(calls):
        started = time.perf_counter_ns()
        call()
        taken[number] = time.perf_counter_ns() - started
    return float(np.percentile(taken, 50)) * 1e-3, float(np.percentile(taken, 99)) * 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    asked = parser.parse_args()
    torque, ledger = np.full((1, JOINTS), 20.0), EnergyLedger(load_budget("near"), 0.001)
    speeds = {"passes": np.full((1, JOINTS), 1e-4), "cut": np.full((1, JOINTS), 0.5)}
    floor = times_us(lambda: (torque.copy(), speeds["cut"].copy(), np.zeros_like(torque)), asked.calls)
    print(f"floor (three arrays): p50 {floor[0]:.1f}, p99 {floor[1]:.1f} us")
    for path in ("compiled", "numpy"):
        found = TorqueFilter(ledger, np.full(JOINTS, 50.0), effort=np.full(JOINTS, 87.0), path=path)
        for name, velocity in speeds.items():
            result = found.filter(torque, velocity)
            assert bool(result.changed[0]) == (name == "cut")
            p50, p99 = times_us(partial(found.filter, torque, velocity), asked.calls)
            print(f"{path:>8}, {name:>6}: p50 {p50:.1f}, p99 {p99:.1f} us")


if __name__ == "__main__":
    main()
