"""Speed of an evaluation on pusht/state: steps a second, and where the time goes.

    python benchmarks/rollout.py [--episodes 32] [--steps 300] [--workers 1 2]

A row a number of workers, with a policy of the size used for low-dimensional tasks (1.75 M parameters, 10 steps) and
with none (actions cost nothing), beside one environment stepped in a plain loop. What is neither the policy's nor the
environments' share is transport, waiting for the slowest worker, and the runner.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import sim
from robot.description import History, PolicySpec, SamplerSpec
from sim.rollout import evaluate_policy
from sim.tasks.pusht import ACTION, OBSERVATIONS

TASK = "pusht/state"


class Wanderer:
    """Plans a random target a chunk: a policy whose own cost is next to nothing."""

    noise_shape = None
    spec = PolicySpec(OBSERVATIONS["state"].with_history(History(2)), ACTION, 16, 8, SamplerSpec("random", 1))

    def sample(self, observation, *, seeds=None, **_):
        targets = np.stack([np.random.default_rng(seed).uniform(100, 400, 2) for seed in seeds])
        return np.broadcast_to(targets[:, None, None], (len(targets), 1, 16, 2)).copy()

    def with_sampler(self, name=None, steps=None):
        return self


def network_policy():
    """An untrained policy of the default recipe."""
    import torch

    from data.statistics import RunningStatistics
    from policies.build import build_policy, policy_spec
    from policies.normaliser import ACTION as ACTION_KEY
    from policies.recipe import PolicyRecipe

    torch.set_num_threads(1)
    recipe = PolicyRecipe(observation=("state",), n_obs_steps=2, sampler=SamplerSpec("euler", 10))
    statistics = {}
    for name, size in (("state", 5), (ACTION_KEY, 2)):
        running = RunningStatistics((size,))
        running.update(np.random.default_rng(0).uniform(0, 512, (1000, size)))
        statistics[name] = running.result()
    return build_policy(recipe, policy_spec(recipe, OBSERVATIONS["state"], ACTION), statistics)


def plain_loop(steps: int) -> float:
    """Steps a second of one environment in this process."""
    env, policy, done = sim.make(TASK, max_steps=steps), Wanderer(), 0
    started = time.perf_counter()
    for seed in range(4):
        env.reset(seed=seed)
        for step in range(steps):
            if step % 8 == 0:
                target = policy.sample({}, seeds=[1000 * seed + step])[0, 0, 0]
            done += 1
            if env.step(target)[2]:
                break
    return done / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=32)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    asked = parser.parse_args()
    alone = plain_loop(asked.steps)
    print(f"{'policy':<10} {'workers':>7} {'steps/s':>8} {'policy':>8} {'env':>8} {'rest':>8} {'call p50':>9}")
    print(f"{'none':<10} {'-':>7} {alone:>8.0f}   (a plain loop)")
    for name, policy in (("none", Wanderer()), ("1.75M, 10", network_policy())):
        for workers in asked.workers:
            evaluation = evaluate_policy(policy, TASK, episodes=asked.episodes, seed=0, workers=workers,
                                         options={"max_steps": asked.steps})
            summary = evaluation.summary
            assert summary is not None
            env = summary.steps / alone / workers / evaluation.seconds
            print(f"{name:<10} {workers:>7} {summary.steps_per_s:>8.0f} {summary.inference_share:>8.1%} {env:>8.1%} "
                  f"{1 - summary.inference_share - env:>8.1%} {evaluation.latency.p50_s * 1e3:>6.1f} ms")


if __name__ == "__main__":
    main()
