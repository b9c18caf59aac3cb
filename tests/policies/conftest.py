"""Demonstrations and a recipe that train in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from policies.recipe.recipe import PolicyRecipe
from tests.policies.points import write_store


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
