"""Milliseconds of a decision that chooses among K chunks, with a critic and without, and of a guided one.

    OMP_NUM_THREADS=1 python -m benchmarks.value_latency [--rounds 100] [--table]

One row of observation, ten Euler steps of the demo's policy of `twin/lift` (1.86 M parameters, fresh weights), a critic
of two perceptrons with layer norm (256 x 2), one thread. All settings take turns. `random` draws K chunks and takes
any, `value` lets the critic choose; `guidance` pulls one chunk, with eight more to measure the spread. With a CUDA
device the same is measured there, without one it is skipped. Each figure stands by the wall and by the process's own
time, which other work on the machine burdens less. `--table` writes docs/results/value_latency.csv.
"""

from __future__ import annotations

import argparse
import warnings
from datetime import date
from typing import Any, Callable, Iterator

import numpy as np
import torch

import sim
from benchmarks.artifacts import RESULTS, write_csv
from benchmarks.inference import observe, unit_statistics
from benchmarks.networks import Timing, turn_by_turn
from policies.critics.build import build_critic
from policies.critics.critic import LearntCritic
from policies.model.build import build_policy, policy_spec
from policies.model.policy import DiffusionPolicy
from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import PolicyRecipe
from policies.steering.choosing import RandomChoice
from policies.steering.guidance import ValueGuided
from policies.steering.value import SteeringWarning, ValueSteered
from robot.description import CriticSpec, Policy

SAMPLES = (1, 10, 16, 30, 50)
SEEN = ("tcp.position", "tcp.rotation", "gripper.width", "cube.position", "cube.rotation", "cube.from_tcp")
GOALS_MS = {16: 25.0, 50: 45.0}
COLUMNS = (
    "device", "steering", "samples", "steps", "p50_ms", "p95_ms", "process_p50_ms", "process_p95_ms", "goal_p50_ms",
    "parameters", "critic_parameters", "rounds", "date",
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

    works = {f"{name} {samples}": decision(each) for (name, samples), each in settings(policy, critic).items()}
    timings: dict[str, Timing] = turn_by_turn(works, rounds)
    count = [sum(parameter.numel() for parameter in each.model.parameters()) for each in (policy, critic)]
    for setting, timing in timings.items():
        name, samples = setting.split()
        (p50, process_p50), (p95, process_p95) = timing.ms(50), timing.ms(95)
        goal = GOALS_MS.get(int(samples)) if name == "value" else None
        yield {
            "device": device, "steering": name, "samples": samples, "steps": policy.spec.sampler.steps,
            **{key: round(value, 2) for key, value in (
                ("p50_ms", p50), ("p95_ms", p95), ("process_p50_ms", process_p50), ("process_p95_ms", process_p95))},
            "goal_p50_ms": goal or "", "parameters": count[0], "critic_parameters": count[1], "rounds": rounds,
            "date": date.today().isoformat(),
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100, help="repetitions of each measurement")
    parser.add_argument("--table", action="store_true", help="write docs/results/value_latency.csv")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", SteeringWarning)
    table = list(measured("cpu", options.rounds))
    if torch.cuda.is_available():
        table += measured("cuda", options.rounds)
    else:
        print("No CUDA device here: skipped")
    print(f"{'ms a decision, one row':28} {'wall p50':>9} {'p95':>9} {'cpu p50':>9} {'p95':>9}   to reach")
    for row in table:
        figures = [np.float64(row[key]) for key in ("p50_ms", "p95_ms", "process_p50_ms", "process_p95_ms")]
        goal = f"p50 under {row['goal_p50_ms']:g}" if row["goal_p50_ms"] else ""
        what = f"{row['device']}, {row['steering']}, K = {row['samples']}"
        print("{:28} {:9.2f} {:9.2f} {:9.2f} {:9.2f}   {}".format(what, *figures, goal).rstrip())
    if options.table:
        write_csv(RESULTS / "value_latency.csv", COLUMNS, table)


if __name__ == "__main__":
    main()
