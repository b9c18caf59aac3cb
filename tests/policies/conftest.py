"""Small demonstrations whose best policy is known, and recipes that train on them in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.dataset import Dataset
from data.episode import Episode
from data.schema import Schema
from policies.recipe import PolicyRecipe
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


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("points") / "store")


@pytest.fixture(scope="session")
def image_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("points") / "images", images=True)


@pytest.fixture
def recipe() -> PolicyRecipe:
    return PolicyRecipe(
        network={"name": "mlp", "width": 32, "depth": 1, "features": 16},
        observation=("point.state", "goal"),
        n_obs_steps=2,
        horizon=6,
        n_action_steps=3,
        transforms=({"name": "sine_cosine", "observation": {"point.state": [2]}},),
    )
