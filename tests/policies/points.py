"""Small demonstrations whose best policy is known, and policies on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.schema import Schema
from policies.model.build import build_policy, measure, policy_spec
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from policies.transforms import make_chain
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

PERIOD_S = 0.1


def schema(images: bool = False) -> Schema:
    """A point that moves on a plane and turns; its action is where it wants to be."""
    fields = [
        ObservationField("point.state", (3,), "float32", "m m rad", "state"),
        ObservationField("goal", (2,), "float32", "m", "state"),
    ]
    if images:
        fields.append(ObservationField("camera", (24, 24, 3), "uint8", "1", "image"))
    action = ActionSpec((ActionField("point.target", 2, "m", "native"),), PERIOD_S)
    return Schema(ObservationSpec(tuple(fields)), action, PERIOD_S)


def episode(seed: int, rows: int, images: bool = False) -> Episode:
    """The point closes a fifth of the way to its goal at every row."""
    rng = np.random.default_rng(seed)
    goal = rng.uniform(-1, 1, 2)
    position, angle = rng.uniform(-1, 1, 2), rng.uniform(-3, 3)
    states, targets = [], []
    for _ in range(rows):
        target = position + 0.2 * (goal - position)
        states.append([*position, angle])
        targets.append(target)
        position, angle = target, angle + 0.05
    arrays = {
        "point.state": np.array(states, np.float32),
        "goal": np.tile(goal.astype(np.float32), (rows, 1)),
        "action": np.array(targets, np.float32),
    }
    if images:
        arrays["camera"] = rng.integers(0, 255, (rows, 24, 24, 3), dtype=np.uint8)
    return Episode(arrays, {}, {})


def write_store(path: Path, images: bool = False, episodes: int = 10, rows: int = 20) -> Path:
    with Dataset.create(path, schema(images)) as dataset:
        dataset.extend([episode(seed, rows + seed % 3, images) for seed in range(episodes)])
    return path


def make_policy(store: Path, recipe: PolicyRecipe) -> DiffusionPolicy:
    """A policy whose network is random in all layers, so that every input has a say in its actions."""
    dataset = Dataset.open(store)
    spec = policy_spec(recipe, dataset.schema.observation, dataset.schema.action)
    low_dimensional = replace(
        spec, observation=spec.observation.select([key.name for key in spec.observation if not key.is_image])
    )
    chain = make_chain(recipe.transforms, spec.observation, spec.action)
    torch.manual_seed(0)
    policy = build_policy(recipe, spec, measure(Windows(dataset, low_dimensional), chain))
    for parameter in policy.model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return policy


def observe(policy: DiffusionPolicy, batch: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        key.name: rng.integers(0, 255, (batch, key.history.steps, *key.shape), dtype=np.uint8)
        if key.is_image
        else rng.uniform(-1, 1, (batch, key.history.steps, *key.shape))
        for key in policy.spec.observation
    }
