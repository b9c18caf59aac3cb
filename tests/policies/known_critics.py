"""Critics that are known functions, and small learnt ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor

from data.learning.statistics import FieldStatistics
from policies.critics.build import build_critic
from policies.critics.checkpoint import save_critic
from policies.critics.critic import LearntCritic
from policies.model.policy import DiffusionPolicy
from policies.recipe.critic import CriticRecipe
from policies.transforms import Tensors
from robot.description import CriticBase, CriticSpec, Observation, PolicySpec, Task


def critic_spec(policy: PolicySpec, **changes: Any) -> CriticSpec:
    """Of a critic that sees what the policy sees and scores what it executes."""
    return CriticSpec(
        **{
            "observation": policy.observation,
            "action": policy.action,
            "steps": policy.n_action_steps,
            "gamma": 1.0,
            "reward": "known",
            **changes,
        }
    )


class KnownCritic:
    """Values by a function of the chunks (batch, samples, k, dim) alone; keeps what it was given."""

    def __init__(
        self, policy: PolicySpec, function: Callable[[np.ndarray], np.ndarray], base: CriticBase | None = None
    ) -> None:
        self.spec, self.function = critic_spec(policy, base=base), function
        self.chunks: list[np.ndarray] = []
        self.references: list[np.ndarray | None] = []

    def value(
        self, observation: Observation, chunk: np.ndarray, task: Task = None, reference: np.ndarray | None = None
    ) -> np.ndarray:
        assert chunk.shape[2:] == (self.spec.steps, self.spec.action.dim)
        assert (reference is None) == (self.spec.base is None)
        assert reference is None or reference.shape == (len(chunk), *chunk.shape[2:])
        self.chunks.append(chunk)
        self.references.append(reference)
        return self.function(chunk)


class LinearCritic:
    """Q = sum over the executed rows of slope . a, in raw units."""

    def __init__(self, policy: PolicySpec, slope: np.ndarray, base: CriticBase | None = None) -> None:
        self.spec, self.slope = critic_spec(policy, base=base), np.asarray(slope, np.float32)
        self.references: list[Tensor | None] = []

    def value(
        self, observation: Observation, chunk: np.ndarray, task: Task = None, reference: np.ndarray | None = None
    ) -> np.ndarray:
        values: np.ndarray = (chunk @ self.slope).sum(axis=-1)
        return values

    def value_tensors(
        self, observation: Tensors, chunk: Tensor, task: Task = None, reference: Tensor | None = None
    ) -> Tensor:
        self.references.append(reference)
        return (chunk @ torch.from_numpy(self.slope)).sum(dim=-1)


def learnt_critic(policy: DiffusionPolicy, seed: int = 0, **recipe: Any) -> LearntCritic:
    """A small critic of success with fresh weights that sees and scores what a policy on points does."""
    spec = critic_spec(policy.spec)
    statistics = {
        key.name: FieldStatistics(1, *(value * np.ones(key.shape) for value in (-1.0, 1.0, 0.0, 1.0)))
        for key in spec.observation
    }
    statistics["action"] = FieldStatistics(1, *(value * np.ones(spec.action.dim) for value in (-1.0, 1.0, 0.0, 1.0)))
    torch.manual_seed(seed)
    made = CriticRecipe(network={"name": "mlp", "width": 16, "depth": 1}, steps=spec.steps, gamma=spec.gamma, **recipe)
    return build_critic(made, spec, statistics)


def save_learnt(policy: DiffusionPolicy, path: Path, seed: int = 0) -> Path:
    """The checkpoint of a `learnt_critic`."""
    return save_critic(learnt_critic(policy, seed), path)
