"""Checkpoints that nobody trained: a real policy's process where skill does not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from data.learning.statistics import RunningStatistics
from policies.model.build import build_policy, policy_spec
from policies.model.checkpoint import save
from policies.model.provenance import Provenance
from policies.recipe.recipe import PolicyRecipe
from policies.transforms.normaliser import ACTION
from robot.contract.loading import action_spec, load_contract
from robot.description.observation import ObservationField, ObservationSpec

PLACE = ObservationField("tcp.position", (3,), "float32", "m", "state")


def untrained(name: str, path: Path, cameras: tuple[str, ...] = (), made_for: str | None = None) -> Path:
    """A checkpoint with fresh weights whose actions stay near where the twin of a Panda begins.

    Args:
        name: of the contract whose actions it gives.
        path: of the checkpoint.
        cameras: that it sees.
        made_for: semantic hash of the contract that it claims.
    """
    torch.manual_seed(0)
    torch.set_num_threads(1)
    contract = load_contract(name)
    images = tuple(ObservationField(f"{camera}.image", (84, 84, 3), "uint8", "1", "image") for camera in cameras)
    encoder = {"name": "cnn", "features": 8} if cameras else {"name": "state"}
    recipe = PolicyRecipe(network={"name": "mlp", "width": 16, "depth": 1}, encoder=encoder, n_action_steps=4)
    spec = policy_spec(recipe, ObservationSpec((PLACE, *images)), action_spec(contract))
    near = np.array([0.45, 0.0, 0.22, 1, 0, 0, 0, -1, 0, 0.04])
    statistics = {}
    for key, middle in (("tcp.position", near[:3]), (ACTION, near)):
        running = RunningStatistics((len(middle),))
        running.update(middle + np.random.default_rng(0).uniform(-0.01, 0.01, (100, len(middle))))
        statistics[key] = running.result()
    return save(build_policy(recipe, spec, statistics), path, Provenance(semantic_hash=made_for))
