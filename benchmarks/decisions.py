"""What it costs to hand out decisions: rollouts with and without, in turns; and to save and put back states.

    python -m benchmarks.decisions [--rounds 20]

A policy that costs nothing plans for pusht/state and twin/lift; the ratio of the times a step is the median over pairs
of neighbours, its interval a bootstrap over them. States are saved and restored in the middle of an episode.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any, Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import sim
from robot.control.runner import ChunkRunner
from robot.description import Observation, PolicySpec, SamplerSpec
from sim.evaluation.decisions import DecisionRecord
from sim.evaluation.env_runner import EnvConfig
from sim.evaluation.order import orders
from sim.evaluation.rounds import Rollout
from sim.evaluation.session import EnvSession
from sim.tasks import suite_ids

STEPS, EPISODES, BATCH = 200, 8, 4
STATES = (*suite_ids("twin"), "robosuite/Lift", "metaworld/pick-place", "maze/03")


class Still:
    """Holds the robot where it starts."""

    noise_shape = None

    def __init__(self, task_id: str) -> None:
        env = sim.make(task_id)
        observation, _ = env.reset(seed=0)
        self.action = env.holding(observation).astype(np.float32)
        self.spec = PolicySpec(env.observation_spec, env.action_spec, 16, 8, SamplerSpec("none", 1))
        env.close()

    def sample(self, observation: Observation, *, seeds: Sequence[int] | None = None, **_: Any) -> np.ndarray:
        assert seeds is not None
        return np.broadcast_to(self.action, (len(seeds), 1, 16, len(self.action))).copy()

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Still:
        return self


def seconds_a_step(policy: Still, task_id: str, *, decisions: bool) -> float:
    """Wall-clock seconds of a step of a rollout in one worker."""
    records: list[DecisionRecord] = []
    config = EnvConfig(task_id, {"max_steps": STEPS}, policy.spec.observation.names, 1, traced=decisions)
    sessions = [EnvSession(env, ChunkRunner(policy.spec), orders(0, env, BATCH, EPISODES)) for env in range(BATCH)]
    rollout = Rollout(
        policy, config, sessions, batch=BATCH, needs_success=False, on_decision=records.append if decisions else None
    )
    rollout.run(1)
    assert bool(records) == decisions
    return rollout.seconds / sum(record.length for record in rollout.records)


def compare(task_id: str, rounds: int) -> str:
    policy = Still(task_id)
    pairs = np.array(
        [
            [seconds_a_step(policy, task_id, decisions=on) for on in ((False, True) if number % 2 else (True, False))]
            for number in range(rounds)
        ]
    )
    pairs[::2] = pairs[::2, ::-1]
    ratios = pairs[:, 1] / pairs[:, 0]
    drawn = np.random.default_rng(0).choice(ratios, (2000, rounds))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    off, on = np.median(pairs, axis=0) * 1e6
    return f"{task_id:14} {off:7.0f} us {on:7.0f} us a step   ratio {np.median(ratios):.3f} [{low:.3f}, {high:.3f}]"


def states(task_id: str, times: int = 50) -> str:
    env = sim.make(task_id)
    observation, _ = env.reset(seed=0)
    action = env.holding(observation) if task_id.startswith("twin/") else env.action_space.sample() * 0
    if task_id.startswith("robosuite/"):
        action = np.concatenate([observation["tcp.position"], observation["tcp.rotation"], [0.0]])
    for _ in range(5):
        env.step(action)
    state = env.save()
    spent = []
    for work in (env.save, lambda: env.restore(state)):
        taken = []
        for _ in range(times):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
        spent.append(np.median(taken) * 1e3)
    env.close()
    return f"{task_id:22} save {spent[0]:6.2f} ms   restore {spent[1]:6.2f} ms   {len(state):7} bytes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    for task_id in ("pusht/state", "twin/lift"):
        print(compare(task_id, asked.rounds), flush=True)
    for task_id in STATES:
        print(states(task_id), flush=True)


if __name__ == "__main__":
    main()
