"""Train the head that tells the odds of failure: the decisions become a dataset, and the one trainer learns from it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

import numpy as np
import torch

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import GROUP, SUCCESS
from data.store.schema import ACTION, Schema
from policies.monitoring.scores import KEY, FailureHead
from policies.recipe.monitor import MonitorRecipe
from policies.recipe.recipe import TrainingConfig
from policies.training.module import fit_module, load_module
from policies.training.trainer import TrainingResult
from robot.description import ActionSpec, ObservationField, ObservationSpec

DECISIONS = "decisions"
"""Folder, in that of the run, of the dataset."""

_STILL = 1e-6  # of a feature's largest value: a deviation below it is none


@dataclass(frozen=True, eq=False)
class DecidedEpisode:
    """What of an episode the head learns from.

    Args:
        features: (decisions, F) float32.
        actions: (decisions, dim) float32, the first row of each chunk.
        success: whether the episode succeeded.
        start: number of its start; those of one start are held out together.
    """

    features: np.ndarray
    actions: np.ndarray
    success: bool
    start: int


def train_head(
    episodes: Sequence[DecidedEpisode],
    action: ActionSpec,
    recipe: MonitorRecipe,
    config: TrainingConfig,
    output: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
) -> tuple[TrainingResult, FailureHead | None]:
    """Train the head of the score `features`.

    Args:
        episodes: to learn from, successes and failures.
        action: of the policy.
        recipe: sizes of the head.
        config: how to train it.
        output: folder of the run.
        resume: go on from its last checkpoint.
        device: as in `choose_device`.

    Returns:
        How the run ended, and the head with averaged weights; None where it was stopped before its end.

    Raises:
        InputError: the run cannot be resumed with these choices.
        TillerError: training diverged.
    """
    path = _write(output / DECISIONS, episodes, action)
    torch.manual_seed(config.seed)
    features = torch.from_numpy(np.concatenate([each.features for each in episodes]))
    failed = np.concatenate([np.full(len(each.features), not each.success) for each in episodes])
    deviation, mean = torch.std_mean(features, dim=0, correction=0)
    still = deviation <= _STILL * features.abs().amax(dim=0)
    of_failures, of_successes = (len(failed) / (2.0 * max(int((failed == kind).sum()), 1)) for kind in (True, False))
    head = FailureHead(
        mean,
        torch.where(still, torch.ones_like(deviation), deviation),
        (of_failures, of_successes),
        recipe.width,
        recipe.dropout,
    )
    settings = {"features": recipe.features, "width": recipe.width, "dropout": recipe.dropout}
    result = fit_module(
        head, path, output, config, keys=[KEY], facts=[SUCCESS.name], settings=settings, resume=resume, device=device
    )
    if result.stopped in ("interrupted", "stop_after"):
        return result, None
    return result, load_module(FailureHead.blank(features.shape[1], recipe.width), result.checkpoint)


def _write(path: Path, episodes: Sequence[DecidedEpisode], action: ActionSpec) -> Path:
    """A dataset with a row per decision, whose observation are the features."""
    shutil.rmtree(path, ignore_errors=True)
    size = episodes[0].features.shape[1]
    seen = ObservationSpec((ObservationField(KEY, (size,), "float32", "1", "state"),))
    with Dataset.create(path, Schema(seen, action, action.period_s, (SUCCESS, GROUP))) as dataset:
        dataset.extend(
            [
                Episode(
                    data={KEY: each.features, ACTION: each.actions},
                    meta={SUCCESS.name: each.success, GROUP.name: each.start},
                )
                for each in episodes
            ]
        )
    return path
