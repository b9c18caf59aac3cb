"""A training that starts from the weights of another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from policies.loading.load import load
from policies.model.files import read_tensors
from policies.recipe.recipe import EmaConfig, PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.train import train
from robot.errors import InputError
from tests.policies.points import write_store

CONFIG = TrainingConfig(steps=60, batch_size=32, warmup=2, validation=ValidationConfig(fraction=0))


@pytest.fixture
def first(store: Path, recipe: PolicyRecipe, tmp_path: Path) -> Path:
    return train(store, recipe, CONFIG, tmp_path / "first").checkpoint


def test_it_starts_from_those_weights_and_that_normaliser(
    store: Path, first: Path, recipe: PolicyRecipe, tmp_path: Path
) -> None:
    other = write_store(tmp_path / "other", episodes=4)
    still = replace(CONFIG, steps=1, learning_rate=1e-30, warmup=0, ema=EmaConfig(decay=0))
    run = train([store, other], recipe, still, tmp_path / "still", initial=first).checkpoint
    before, after = (read_tensors(each / "model.safetensors") for each in (first, run))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, atol=1e-6, rtol=0)
    learnt = train([store, other], recipe, replace(CONFIG, steps=20), tmp_path / "learnt", initial=first).checkpoint
    moved = read_tensors(learnt / "model.safetensors")
    assert any(not torch.equal(moved[name], tensor) for name, tensor in before.items())
    for name, tensor in before.items():
        if name.startswith("normaliser"):
            assert torch.equal(moved[name], tensor)


def test_it_resumes_exactly(store: Path, first: Path, recipe: PolicyRecipe, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=6)
    whole = train(store, recipe, config, tmp_path / "whole", initial=first).checkpoint
    train(store, recipe, replace(config, stop_after=3), tmp_path / "parts", initial=first)
    parts = train(store, recipe, config, tmp_path / "parts", resume=True, initial=first).checkpoint
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()


def test_another_recipe_is_refused_with_what_differs(
    store: Path, first: Path, recipe: PolicyRecipe, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"initial policy: recipe.*horizon 6.*horizon 8"):
        train(store, replace(recipe, horizon=8), CONFIG, tmp_path / "run", initial=first)
    with pytest.raises(InputError, match=r"checkpoint"):
        train(store, recipe, CONFIG, tmp_path / "run", initial=tmp_path / "nowhere")
    assert load(first).spec.horizon == 6
