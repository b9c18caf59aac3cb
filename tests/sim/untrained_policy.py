"""A DiffusionPolicy for PushT with fresh weights: real inference where skill does not matter."""

from __future__ import annotations

import numpy as np

from data.learning.statistics import RunningStatistics
from policies.model.build import build_policy, policy_spec
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from policies.transforms import make_chain
from policies.transforms.normaliser import ACTION as ACTION_KEY
from sim.tasks.pusht import ACTION, OBSERVATIONS


def untrained_policy(**changes) -> DiffusionPolicy:
    """A small residual MLP with flow matching over PushT's state; the ranges are those of the table."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = PolicyRecipe(
        **{
            "network": {"name": "mlp", "width": 128, "depth": 2},
            "observation": ("state",),
            "n_obs_steps": 2,
            "transforms": ({"name": "sine_cosine", "observation": {"state": [4]}},),
            **changes,
        }
    )
    spec = policy_spec(recipe, OBSERVATIONS["state"], ACTION)
    observation, _ = make_chain(recipe.transforms, spec.observation, spec.action).outgoing
    statistics = {}
    for name, size in (*((key.name, key.shape[0]) for key in observation), (ACTION_KEY, ACTION.dim)):
        running = RunningStatistics((size,))
        running.update(np.random.default_rng(0).uniform(0, 512, (1000, size)))
        statistics[name] = running.result()
    policy = build_policy(recipe, spec, statistics)
    with torch.no_grad():  # fresh output layers are zero, which would hide every dependence on the input
        for parameter in policy.model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return policy


def untrained_near_rest() -> DiffusionPolicy:
    """A small policy with fresh weights for the twin of a Panda, whose actions stay near where the arm rests."""
    import torch

    import sim

    torch.set_num_threads(1)
    torch.manual_seed(0)
    env = sim.make("twin/lift")
    recipe = PolicyRecipe(network={"name": "mlp", "width": 16, "depth": 1}, observation=("tcp.position",), horizon=8)
    rest, statistics = np.array([0.45, 0.0, 0.25, 1, 0, 0, 0, -1, 0, 0.04]), {}
    for name, middle in (("tcp.position", rest[:3]), (ACTION_KEY, rest)):
        running = RunningStatistics((len(middle),))
        running.update(middle + np.random.default_rng(0).uniform(-0.02, 0.02, (50, len(middle))))
        statistics[name] = running.result()
    return build_policy(recipe, policy_spec(recipe, env.observation_spec, env.action_spec), statistics)
