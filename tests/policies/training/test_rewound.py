"""Actions that a person took back are no lesson: neither loss nor normaliser sees them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import QUALITY, Quality
from policies.model.build import measure
from policies.recipe.recipe import PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.batches import RowOrder, to_torch
from policies.training.train import train
from robot.errors import InputError
from tests.policies.points import episode, make_policy, schema

RECIPE = PolicyRecipe(
    network={"name": "mlp", "width": 16, "depth": 1}, objective={"name": "regression"}, horizon=8, n_action_steps=4
)


def write(path: Path, taken_back: float) -> Path:
    """Two episodes of 20 rows; actions of rows 5 to 14 are these, and were taken back."""
    quality = np.zeros(20, np.uint16)
    quality[5:15] = Quality.REWOUND
    with Dataset.create(path, replace(schema(), columns=(QUALITY,))) as dataset:
        for seed in range(2):
            data = {**episode(seed, 20).data, "quality": quality}
            data["action"] = np.where(quality[:, None] != 0, np.float32(taken_back), data["action"])
            dataset.append(Episode(data))
    return path


def test_what_was_done_in_rows_that_were_taken_back_changes_neither_loss_nor_normaliser(tmp_path: Path) -> None:
    losses, ranges = [], []
    for taken_back in (0.0, 50.0):
        store = write(tmp_path / str(taken_back), taken_back)
        policy = make_policy(store, RECIPE)
        windows = Windows(Dataset.open(store), policy.spec)
        batch = to_torch(windows, RowOrder(windows, 2 * len(windows), seed=0).rows(0))
        assert len(windows) == 2 * (20 - 3)  # of rows 5 to 7 all eight actions were taken back
        losses.append(policy.model(batch, torch.Generator()).item())
        ranges.append(measure(windows, policy.model.chain)["action"].range.tolist())
    assert losses[0] == losses[1] and ranges[0] == ranges[1]


def test_a_loss_that_counts_padding_is_refused_on_them(tmp_path: Path) -> None:
    config = TrainingConfig(steps=2, batch_size=4, warmup=1, validation=ValidationConfig(fraction=0))
    store = write(tmp_path / "store", 0.0)
    with pytest.raises(InputError, match=r"policy\.pad_loss: expected false .* took back"):
        train(store, replace(RECIPE, pad_loss=True), config, tmp_path / "run", device="cpu")
    assert train(store, RECIPE, config, tmp_path / "run", device="cpu").stopped == "done"
