"""Two robots of different keys and fields, told by words: what a policy of several embodiments learns from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import INSTRUCTION
from data.store.schema import Schema
from policies.recipe.recipe import GeneralistConfig, PolicyRecipe
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

ARM, HAND = "arm", "hand"
WORDS = {ARM: "reach for the ball", HAND: "close the fingers"}


def schema(name: str, unit: str = "m", period_s: float = 0.1) -> Schema:
    """The arm sees a ball, the hand its touch; both see and move the tool, in another order."""
    tool = ObservationField("tool", (2,), "float32", unit, "state")
    move = ActionField("tool", 2, unit, "native")
    if name == ARM:
        keys = (tool, ObservationField("ball", (3,), "float32", "m", "state"))
        fields = (move, ActionField("grip", 1, "m", "width"))
    else:
        keys = (ObservationField("touch", (4,), "float32", "1", "state"), tool)
        fields = (ActionField("fingers", 2, "rad", "joint"), move)
    return Schema(ObservationSpec(keys), ActionSpec(fields, period_s), period_s, meta=(INSTRUCTION,))


def episode(name: str, seed: int, rows: int = 12) -> Episode:
    """The tool follows what is seen; the hand's fingers do what its touch says."""
    rng = np.random.default_rng([seed, name == ARM])
    tool = np.cumsum(rng.normal(0, 0.1, (rows, 2)), axis=0).astype(np.float32)
    if name == ARM:
        ball = np.tile(rng.uniform(-1, 1, 3).astype(np.float32), (rows, 1))
        data = {"tool": tool, "ball": ball, "action": np.concatenate([ball[:, :2], 0.1 + 0 * ball[:, :1]], axis=1)}
    else:
        touch = rng.uniform(0, 1, (rows, 4)).astype(np.float32)
        data = {"tool": tool, "touch": touch, "action": np.concatenate([touch[:, :2], tool], axis=1)}
    return Episode(data, {INSTRUCTION.name: WORDS[name]}, {})


def write(folder: Path, name: str, episodes: int = 6, **options: object) -> Path:
    """A dataset of one of the robots, in a folder of its name."""
    with Dataset.create(folder / name, schema(name, **options)) as dataset:  # type: ignore[arg-type]
        dataset.extend([episode(name, seed) for seed in range(episodes)])
    return folder / name


def recipe(network: str = "mlp", prompt: str = "instruction", **options: object) -> PolicyRecipe:
    """A small policy of both."""
    tokens = network == "tokens"
    return PolicyRecipe(
        network={"name": "tokens", "depth": 1, "heads": 2} if tokens else {
            "name": "mlp", "width": 32, "depth": 1, "features": 16},
        encoder={"name": "tokens", "width": 16} if tokens else {"name": "state"},
        prompt={"name": prompt},
        n_obs_steps=2,
        horizon=4,
        n_action_steps=2,
        generalist=GeneralistConfig(),
        **options,  # type: ignore[arg-type]
    )  # fmt: skip


def renamed(given: PolicyRecipe, **options: object) -> PolicyRecipe:
    """A recipe with other options of its embodiments."""
    assert given.generalist is not None
    return replace(given, generalist=replace(given.generalist, **options))  # type: ignore[arg-type]
