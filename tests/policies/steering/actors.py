"""Small actors with random weights, for policies on points."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np
import torch

from data.learning.statistics import FieldStatistics
from policies.actors.actor import LearntActor, build_actor
from policies.actors.spec import ActorSpec
from policies.model.policy import DiffusionPolicy
from policies.recipe.critic import CriticRecipe
from robot.description import CriticBase

BASE = "0123456789abcdef"
SETTINGS: dict[str, dict[str, Any]] = {
    "codebook": {"entries": 4, "scale": 0.5, "seed": 1, "width": 16, "depth": 1},
    "noise_actor": {"bound": 1.5, "shape": "full", "width": 16, "depth": 1},
    "residual": {"delta": (0.01, 0.02), "width": 16, "depth": 1},
}
"""Kind -> its settings."""


def made_actor(policy: DiffusionPolicy, kind: str, *, moved: float = 0.0, seed: int = 0, **changes: Any) -> LearntActor:
    """An actor of that kind for a policy, which has learnt nothing; `moved` is the spread of what is added to its last
    layer.
    """
    spec = policy.spec
    ones: Mapping[str, FieldStatistics] = {
        key.name: FieldStatistics(1, *(value * np.ones(key.shape) for value in (-1.0, 1.0, 0.0, 1.0)))
        for key in spec.observation
    } | {"action": FieldStatistics(1, *(value * np.ones(spec.action.dim) for value in (-1.0, 1.0, 0.0, 1.0)))}
    made = ActorSpec(
        kind, spec.observation, spec.action, CriticBase(str(policy.fingerprint), spec.sampler), spec.n_action_steps,
        tuple(policy.noise_shape or ()), {**SETTINGS[kind], **changes},
    )  # fmt: skip
    torch.manual_seed(seed)
    actor = build_actor(CriticRecipe(steps=spec.n_action_steps), made, ones)
    if moved:
        torch.nn.init.normal_(actor.model.head.actor.body[-1].weight, std=moved)
        torch.nn.init.normal_(actor.model.head.actor.body[-1].bias, std=moved)
    return actor
