"""Episodes along a chain of states whose values are known, and critics that learn them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Sequence

import numpy as np

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import BRANCHED_AT, GROUP, SEED, SUCCESS, TERMINATED
from data.store.schema import Schema
from policies.critics.base import Base
from policies.critics.critic import LearntCritic
from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import EmaConfig, PolicyRecipe, TrainingConfig, ValidationConfig
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from tests.policies.points import make_policy

LENGTH, GAMMA, STEPS = 6, 0.8, 2
SEEN = ObservationSpec((ObservationField("place", (LENGTH,), "float32", "1", "state"),))
ACTION = ActionSpec((ActionField("point.target", 2, "m", "native"),), 0.1)
SCHEMA = Schema(SEEN, ACTION, 0.1, (SUCCESS, GROUP, BRANCHED_AT, SEED), (), (TERMINATED,))
CONFIG = TrainingConfig(
    steps=500, batch_size=32, learning_rate=1e-2, schedule="constant_with_warmup", warmup=5, weight_decay=0.0,
    log_every=100, checkpoint_every=10_000, ema=EmaConfig(0.98), validation=ValidationConfig(fraction=0.0),
)  # fmt: skip


def recipe(objective: Mapping[str, Any], **more: Any) -> CriticRecipe:
    network = {"name": "mlp", "width": 32, "depth": 1, "members": 2}
    return CriticRecipe(**{"network": network, "objective": objective, "steps": STEPS, "gamma": GAMMA, **more})


def episode(
    rows: Sequence[int], action: Any, *, success: bool, terminated: bool, group: int = -1, seed: int
) -> Episode:
    """An episode that is at these places, one after the other."""
    data = {
        "place": np.eye(LENGTH, dtype=np.float32)[list(rows)],
        "action": np.asarray(action, np.float32),
        "terminated": (np.arange(len(rows)) == len(rows) - 1) & terminated,
    }
    return Episode(data=data, meta={"success": success, "group": group, "branched_at": 0, "seed": seed})


def write_chain(path: Path, ends: Sequence[tuple[int, int, bool, bool]], copies: int = 4) -> Path:
    """Episodes from a place to a place of the chain: (first, last, success, terminated)."""
    made = [
        episode(range(first, last + 1), np.zeros((last + 1 - first, 2)), success=success, terminated=ended, seed=seed)
        for seed in range(copies)
        for first, last, success, ended in ends
    ]
    with Dataset.create(path, SCHEMA) as dataset:
        dataset.extend(made)
    return path


def values_along(critic: LearntCritic) -> np.ndarray:
    """The value (places,) of standing still at each place."""
    still = np.zeros((LENGTH, 1, critic.spec.steps, 2))
    return critic.value({"place": np.eye(LENGTH)[:, None]}, still)[:, 0]


def metric(run: Path, name: str) -> float:
    """The last number of that name in a run's metrics."""
    import csv

    with (run / "metrics.csv").open(newline="") as file:
        return float([row[name] for row in csv.DictReader(file) if row.get(name)][-1])


def write_groups(
    path: Path, groups: int, *, members: int = 4, first: int = 0, seed: int = 0, task: str = "chain", rows: int = 4
) -> Path:
    """Groups from one place each, whose members succeed where their rows point to the right."""
    random, made = np.random.default_rng(seed), []
    for group in range(groups):
        at = random.integers(LENGTH)
        for _ in range(members):
            direction = random.uniform(-1, 1, 2)
            action = np.tile(direction, (rows, 1)) + random.normal(0, 0.05, (rows, 2))
            there, to_the_right = [at] * rows, bool(direction[0] > 0)
            made.append(episode(there, action, success=to_the_right, terminated=True, group=group, seed=first + group))
    with Dataset.create(path, SCHEMA, attributes={"task": task}) as dataset:
        dataset.extend(made)
    return path


def make_base(store: Path, **changes: Any) -> Base:
    """A policy with random weights that sees what these critics see."""
    made = PolicyRecipe(
        **{"network": {"name": "mlp", "width": 16, "depth": 1}, "horizon": 4, "n_action_steps": STEPS, **changes}
    )
    policy = make_policy(store, made)
    return Base(policy if changes else policy.with_sampler("euler", 2), "0123456789abcdef")
