"""Milliseconds of a decision that chooses among K chunks, with a critic and without, and of a guided one.

    OMP_NUM_THREADS=1 python -m benchmarks.value_latency [--processes 5] [--rounds 40] [--table]

One row of observation, ten Euler steps of the demo's policy of `twin/lift` (1.86 M parameters, fresh weights), a critic
of two perceptrons with layer norm (256 x 2), one thread. `random` draws K chunks and takes any, `value` lets the critic
choose; `guidance` pulls one chunk, with eight more to measure the spread. With a CUDA device the same is measured
there, without one it is skipped. Figures differ between processes by where their memory falls: the median process
stands in the table, and the quickest beside it. `--table` writes docs/results/value_latency.csv.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import warnings
from datetime import date
from typing import Any, Callable, Iterator

import numpy as np
import torch

import sim
from benchmarks.artifacts import RESULTS, write_csv
from benchmarks.inference import observe, unit_statistics
from benchmarks.networks import Timing
from policies.critics.build import build_critic
from policies.critics.critic import LearntCritic
from policies.model.build import build_policy, policy_spec
from policies.model.policy import DiffusionPolicy
from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_critic.guidance import ValueGuided
from policies.steering.by_critic.value import SteeringWarning, ValueSteered
from policies.steering.choosing import RandomChoice
from robot.description import CriticSpec, Policy

SAMPLES = (1, 10, 16, 30, 50)
SEEN = ("tcp.position", "tcp.rotation", "gripper.width", "cube.position", "cube.rotation", "cube.from_tcp")
GOALS_MS = {16: 25.0, 50: 45.0}
WARM = 5  # decisions that do not count
COLUMNS = (
    "device", "steering", "samples", "steps", "p50_ms", "p95_ms", "quickest_p50_ms", "goal_p50_ms", "parameters",
    "critic_parameters", "rounds", "processes", "date",
)  # fmt: skip


def fresh(device: str) -> tuple[DiffusionPolicy, LearntCritic]:
    """A policy of `twin/lift` and a critic that fits it, with fresh weights."""
    env = sim.make("twin/lift")
    recipe = PolicyRecipe(observation=SEEN, n_obs_steps=2, n_action_steps=12)
    spec = policy_spec(recipe, env.observation_spec, env.action_spec)
    env.close()
    statistics = {key.name: unit_statistics(key.shape[0]) for key in spec.observation}
    statistics["action"] = unit_statistics(spec.action.dim)
    torch.manual_seed(0)
    policy = build_policy(recipe, spec, statistics)
    sees = CriticSpec(spec.observation, spec.action, spec.n_action_steps, 0.99, "success")
    critic = build_critic(CriticRecipe(steps=sees.steps, n_obs_steps=2), sees, statistics)
    policy.model.to(device)
    critic.model.to(device)
    return policy, critic


def settings(policy: DiffusionPolicy, critic: LearntCritic) -> dict[tuple[str, int], Policy]:
    """(steering, K) -> policy."""
    choices: dict[tuple[str, int], Policy] = {}
    for samples in SAMPLES:
        choices["random", samples] = RandomChoice(policy, samples=samples)
        choices["value", samples] = ValueSteered(policy, critic, samples=samples)
    choices["guidance", 1] = ValueGuided(policy, critic)
    return choices


def measured(device: str, rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of the table of one device."""
    policy, critic = fresh(device)
    observation, seeds = observe(policy), iter(range(10**9))

    def decision(steered: Policy) -> Callable[[], Any]:
        return lambda: steered.sample(observation, seeds=[next(seeds)])

    parameters = [sum(each.numel() for each in one.model.parameters()) for one in (policy, critic)]
    for (name, samples), steered in settings(policy, critic).items():
        timing, work = Timing(), decision(steered)
        for _ in range(WARM):
            work()
        for _ in range(rounds):
            timing.run(work)
        yield {
            "device": device, "steering": name, "samples": samples, "steps": policy.spec.sampler.steps,
            "p50_ms": timing.ms(50)[0], "p95_ms": timing.ms(95)[0], "parameters": parameters[0],
            "critic_parameters": parameters[1], "rounds": rounds,
        }  # fmt: skip


def together(processes: list[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The rows of the table: of each setting the median process, and the quickest."""
    for rows in zip(*processes):
        one = rows[0]
        p50, p95 = ([row[key] for row in rows] for key in ("p50_ms", "p95_ms"))
        yield {
            **one, "p50_ms": round(float(np.median(p50)), 1), "p95_ms": round(float(np.median(p95)), 1),
            "quickest_p50_ms": round(min(p50), 1), "processes": len(rows), "date": date.today().isoformat(),
            "goal_p50_ms": GOALS_MS.get(one["samples"], "") if one["steering"] == "value" else "",
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="repetitions of each measurement in a process")
    parser.add_argument("--processes", type=int, default=5, help="one after the other")
    parser.add_argument("--table", action="store_true", help="write docs/results/value_latency.csv")
    parser.add_argument("--here", action="store_true", help="measure in this process alone, and print JSON")
    options = parser.parse_args()
    if options.here:
        torch.set_num_threads(1)
        warnings.simplefilter("ignore", SteeringWarning)
        devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        print(json.dumps([row for device in devices for row in measured(device, options.rounds)]))
        return
    command = [sys.executable, "-m", "benchmarks.value_latency", "--here", "--rounds", str(options.rounds)]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True) for _ in range(options.processes)]
    table = list(together([json.loads(run.stdout) for run in runs]))
    if not torch.cuda.is_available():
        print("No CUDA device here: skipped")
    print(f"{'ms a decision, one row':28} {'p50':>8} {'p95':>8} {'quickest':>9}   to reach")
    for row in table:
        what = f"{row['device']}, {row['steering']}, K = {row['samples']}"
        goal = f"p50 under {row['goal_p50_ms']:g}" if row["goal_p50_ms"] else ""
        print(f"{what:28} {row['p50_ms']:8.1f} {row['p95_ms']:8.1f} {row['quickest_p50_ms']:9.1f}   {goal}".rstrip())
    if options.table:
        write_csv(RESULTS / "value_latency.csv", COLUMNS, table)


if __name__ == "__main__":
    main()
