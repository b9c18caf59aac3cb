"""A policy through the graph, each node its own process, beside the evaluation in one process, on the same seeds.

    python -m benchmarks.graph CHECKPOINT [--task twin/lift] [--episodes 200] [--seed 100000] [--real-time] [--speed 1]

In lock-step the records have to be identical. With `--real-time` the twin's time passes while the policy thinks: the
difference of the success rates is given with the interval of the paired bootstrap.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

from real.graph.graph import Deployment, processes
from real.graph.processes import run_processes
from real.process.profile import write_profile
from sim.statistics.intervals import paired_difference


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("--task", default="twin/lift")
    parser.add_argument("--contract", default="panda_twin")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=100_000)
    parser.add_argument("--real-time", action="store_true")
    parser.add_argument("--delay-steps", type=int, default=0)
    parser.add_argument("--speed", type=float, default=1.0)
    asked = parser.parse_args()
    os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
    folder = Path(tempfile.mkdtemp(prefix="graph"))
    deployment = Deployment(
        contract=asked.contract,
        twin=True,
        task=asked.task,
        checkpoint=asked.checkpoint,
        lock_step=not asked.real_time,
        clock=True,
        speed=asked.speed,
        seed=asked.seed,
        delay_steps=asked.delay_steps,
    )
    wanted = processes(deployment)
    profile = write_profile(folder, participants=len(wanted) + 4)
    os.environ.update(profile.environment)
    stop = threading.Event()
    graph = threading.Thread(target=run_processes, args=(wanted, profile.environment, folder, stop))
    graph.start()
    try:
        found = through_the_graph(asked.seed, asked.episodes)
    finally:
        stop.set()
        graph.join()
    import tiller

    inside = tiller.evaluate(asked.checkpoint, asked.task, episodes=asked.episodes, seed=asked.seed, batch=1)
    ours = [(record.seed, record.success, record.length) for record in inside.records]
    theirs = [(each.seed, each.success, each.steps) for each in found]
    same = sum(a == b for a, b in zip(ours, theirs))
    print(
        f"the graph {sum(each.success for each in found)} of {len(found)}, in one process "
        f"{sum(record.success for record in inside.records)}; identical records: {same} of {len(ours)}"
    )
    for a, b in [(a, b) for a, b in zip(ours, theirs) if a != b][:5]:
        print(f"  in one process {a}, the graph {b}")
    if asked.real_time:
        difference = paired_difference([float(b[1]) for b in theirs], [float(a[1]) for a in ours])
        print(f"success by the graph less that in one process: {difference}, 95 % of a paired bootstrap")
    return 0


def through_the_graph(first: int, episodes: int) -> list:
    """The episodes of the seeds from `first` on."""
    from real.connection.episodes import EpisodeClient

    started = time.monotonic()
    client = EpisodeClient()
    try:
        client.wait_until_there()
        found = []
        for seed in range(first, first + episodes):
            found.append(client.episode(seed))
            print(
                f"\r{len(found)} of {episodes}, {sum(each.success for each in found)} succeeded, "
                f"{time.monotonic() - started:.0f} s",
                end="",
                flush=True,
            )
        print()
        return found
    finally:
        client.close()


if __name__ == "__main__":
    raise SystemExit(main())
