"""Speed of an evaluation on pusht/state: steps a second, and what a step costs beside the environment itself.

    python benchmarks/rollout.py [--episodes 32] [--steps 300] [--workers 1 2]

One row a number of workers, with a policy that costs nothing and with one of the size used for low-dimensional tasks
(1.75 M parameters, 10 steps). Processor time tells the overhead even on a busy machine: `worker` is what a step costs
in a worker, `parent` what it costs in the parent without the policy; both beside a plain loop over one environment.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from typing import TYPE_CHECKING, Any, Sequence

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import sim
from robot.description import History, Observation, Policy, PolicySpec, SamplerSpec
from sim.evaluation.rollout import evaluate_policy
from sim.statistics.records import Evaluation
from sim.tasks.pusht import ACTION, OBSERVATIONS

if TYPE_CHECKING:
    from policies.model.policy import DiffusionPolicy  # torch is paid for by what needs it

TASK = "pusht/state"


class Wanderer:
    """Plans a random target a chunk: a policy whose own cost is next to nothing."""

    noise_shape = None
    spec = PolicySpec(OBSERVATIONS["state"].with_history(History(2)), ACTION, 16, 8, SamplerSpec("random", 1))

    def sample(self, observation: Observation, *, seeds: Sequence[int] | None = None, **_: Any) -> np.ndarray:
        assert seeds is not None
        targets = np.stack([np.random.default_rng(seed).uniform(100, 400, 2) for seed in seeds])
        return np.broadcast_to(targets[:, None, None], (len(targets), 1, 16, 2)).copy()

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Wanderer:
        return self


def network_policy() -> DiffusionPolicy:
    """An untrained policy of the default recipe."""
    import torch

    from data.learning.statistics import RunningStatistics
    from policies.model.build import build_policy, policy_spec
    from policies.recipe.recipe import PolicyRecipe
    from policies.transforms.normaliser import ACTION as ACTION_KEY

    torch.set_num_threads(1)
    recipe = PolicyRecipe(observation=("state",), n_obs_steps=2, sampler=SamplerSpec("euler", 10))
    statistics = {}
    for name, size in (("state", 5), (ACTION_KEY, 2)):
        running = RunningStatistics((size,))
        running.update(np.random.default_rng(0).uniform(0, 512, (1000, size)))
        statistics[name] = running.result()
    return build_policy(recipe, policy_spec(recipe, OBSERVATIONS["state"], ACTION), statistics)


def plain_loop(steps: int) -> tuple[float, float]:
    """Steps a second of one environment in this process, and its processor time a step (us)."""
    env, policy, done = sim.make(TASK, max_steps=steps), Wanderer(), 0
    env.reset(seed=0)
    wall, processor = time.perf_counter(), time.process_time()
    for seed in range(8):
        env.reset(seed=seed)
        for step in range(steps):
            if step % 8 == 0:
                target = policy.sample({}, seeds=[1000 * seed + step])[0, 0, 0]
            done += 1
            if env.step(target)[2]:
                break
    return done / (time.perf_counter() - wall), (time.process_time() - processor) / done * 1e6


class Metered:
    """A policy that notes its own processor time."""

    noise_shape = None

    def __init__(self, policy: Policy) -> None:
        self.policy, self.spec, self.processor_s = policy, policy.spec, 0.0

    def sample(self, observation: Observation, **rest: Any) -> np.ndarray:
        started = time.process_time()
        values = self.policy.sample(observation, **rest)
        self.processor_s += time.process_time() - started
        return values

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Metered:
        return Metered(self.policy.with_sampler(name, steps))


def measure(policy: Policy, episodes: int, steps: int, workers: int) -> tuple[Evaluation, float, float]:
    """An evaluation with the processor seconds of its workers and of the parent without the policy."""
    metered = Metered(policy)
    children, parent = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
    options = {"max_steps": steps}
    evaluation = evaluate_policy(metered, TASK, episodes=episodes, seed=0, workers=workers, options=options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    in_workers = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    return evaluation, in_workers, time.process_time() - parent - metered.processor_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=32)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    asked = parser.parse_args()
    print(f"{'policy':<10} {'workers':>7} {'steps/s':>8} {'in policy':>9} {'call p50':>9} {'worker':>9} {'parent':>9}")
    speed, cost = plain_loop(asked.steps)
    print(f"{'none':<10} {'-':>7} {speed:>8.0f} {'-':>9} {'-':>9} {cost:>6.0f} us {'-':>9}   a plain loop")
    for name, policy in (("none", Wanderer()), ("1.75M, 10", network_policy())):
        for workers in asked.workers:
            # A run of one step takes what starting takes; the rest is what the steps cost.
            short, *started = measure(policy, asked.episodes, 1, workers)
            evaluation, *spent = measure(policy, asked.episodes, asked.steps, workers)
            summary = evaluation.summary
            assert summary is not None and short.summary is not None
            steps = summary.steps - short.summary.steps
            worker, parent = ((one - other) / steps * 1e6 for one, other in zip(spent, started))
            print(
                f"{name:<10} {workers:>7} {summary.steps_per_s:>8.0f} {summary.inference_share:>9.1%} "
                f"{evaluation.latency.p50_s * 1e3:>6.1f} ms {worker:>6.0f} us {parent:>6.0f} us"
            )


if __name__ == "__main__":
    main()
