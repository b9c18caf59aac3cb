"""From arrays of an observation to arrays of actions: the time of `policy.sample` on one thread.

    OMP_NUM_THREADS=1 python -m benchmarks.inference [--rounds 300] [--checkpoint DIR]

Without a checkpoint: the default policy of low-dimensional tasks (1.75 M parameters, flow matching) with fresh
weights. `denoise` is the sampler alone; the rest of a row is the border: checks, seeds, transforms, encoder and back.
Each figure stands twice: by the clock on the wall, and by the process's own CPU time, so that other work on the machine
weighs less.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

import numpy as np
import torch

from benchmarks.networks import Timing
from data.learning.statistics import FieldStatistics
from policies.loading.load import load
from policies.model.build import build_policy, policy_spec
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError, TillerError

STEPS = (1, 3, 10)
SAMPLES = (1, 10, 50)


def fresh_policy() -> DiffusionPolicy:
    """The default policy on PushT's states."""
    recipe = PolicyRecipe(n_obs_steps=2, transforms=({"name": "sine_cosine", "observation": {"state": [4]}},))
    state = ObservationField("state", (5,), "float32", "px px px px rad", "state")
    action = ActionSpec((ActionField("agent.target", 2, "px", "native"),), 0.1)
    spec = policy_spec(recipe, ObservationSpec((state,)), action)
    return build_policy(recipe, spec, {"state": unit_statistics(6), "action": unit_statistics(2)})


def unit_statistics(size: int) -> FieldStatistics:
    one = np.ones(size)
    return FieldStatistics(count=2, min=-one, max=one, mean=0 * one, std=one)


def observe(policy: DiffusionPolicy) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {
        key.name: draw.uniform(0, 255, (1, key.history.steps, *key.shape)).astype(key.dtype)
        for key in policy.spec.observation
    }


def report(what: str, timing: Timing, gate: str = "") -> None:
    figures = " ".join(f"{value:9.2f}" for pair in zip(timing.ms(50), timing.ms(99)) for value in pair)
    print(f"{what:44} {figures}   {gate}".rstrip())


def measure_chunk(policy: DiffusionPolicy, samples: int, rounds: int) -> Timing:
    observation, timing = observe(policy), Timing()
    for number in range(rounds + 5):
        (timing if number >= 5 else Timing()).run(partial(policy.sample, observation, samples=samples, seeds=[number]))
    return timing


def measure_denoise(policy: DiffusionPolicy, rounds: int) -> Timing:
    timing, sampler = Timing(), policy.spec.sampler
    observation = {name: torch.from_numpy(value) for name, value in observe(policy).items()}
    with torch.inference_mode():
        condition, _ = policy.model.encode(observation)
        noise = torch.randn(1, policy.spec.horizon, policy.model.chain.outgoing[1].dim)
        for _ in range(rounds):
            timing.run(lambda: policy.model.denoise(noise, condition, sampler.name, sampler.steps))
    return timing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300, help="repetitions of each measurement")
    parser.add_argument("--checkpoint", help="a trained policy to measure instead")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    policy = load(options.checkpoint) if options.checkpoint else fresh_policy()
    if not isinstance(policy, DiffusionPolicy):
        raise InputError(
            options.checkpoint,
            expected="a learnt policy",
            got=f"a {type(policy).__name__}",
            way_out="Give the checkpoint of its base",
        )
    sampler = policy.spec.sampler
    million = sum(parameter.numel() for parameter in policy.model.parameters()) / 1e6
    print(f"{million:.2f} M parameters, {policy.recipe.objective['name']}, {sampler.name}")
    print(f"{'ms, batch 1, one thread':44} {'wall p50':>9} {'p99':>9} {'cpu p50':>9} {'p99':>9}   to reach")
    for steps in STEPS:
        gate = "p50 under 5, p99 under 10" if steps == 10 else ""
        timing = measure_chunk(policy.with_sampler(steps=steps), 1, options.rounds)
        report(f"one chunk, {steps} steps", timing, gate)
    report(f"denoise alone, {sampler.steps} steps", measure_denoise(policy, options.rounds))
    for samples in SAMPLES[1:]:
        report(
            f"{samples} chunks of one observation, {sampler.steps} steps",
            measure_chunk(policy, samples, options.rounds // 3),
        )


if __name__ == "__main__":
    try:
        main()
    except TillerError as error:
        sys.exit(f"{error}")
