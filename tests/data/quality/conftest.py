"""Stores of a point that a smooth policy drives home, and what may be wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import pytest

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import INSTRUCTION, SUCCESS
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

ROWS = 24
Path2D = tuple[np.ndarray, np.ndarray]
"""States (T, 2) and actions (T, 2) of an episode."""
WriteStore = Callable[..., Dataset]


def schema(*meta: Any) -> Schema:
    observation = ObservationSpec((ObservationField("state", (2,), "float64", "1", "state"),))
    action = ActionSpec((ActionField("push", 2, "1", "native"),), period_s=0.1)
    return Schema(observation, action, 0.1, meta, action_dtype="float64")


def drive(seed: int, *, start: Sequence[float] | None = None, system_noise: float = 0.0, rows: int = ROWS) -> Path2D:
    """One episode: a_t = -tanh(3 s_t) + 0.3 sin(2 s_t) of the other component, s_t+1 = s_t + 0.15 a_t."""
    random = np.random.default_rng(seed)
    state = random.uniform(-1, 1, 2) if start is None else np.array(start, float)
    states, actions = [], []
    for _ in range(rows):
        action = -np.tanh(3 * state) + 0.3 * np.sin(2 * state[::-1])
        states.append(state)
        actions.append(action)
        state = state + 0.15 * action + system_noise * random.normal(size=2)
    return np.array(states), np.array(actions)


def noisy(path: Path2D, seed: int, deviation: float) -> Path2D:
    """The same states under actions with noise."""
    return path[0], path[1] + deviation * np.random.default_rng(seed).normal(size=path[1].shape)


@pytest.fixture
def write_store(tmp_path: Path) -> WriteStore:
    """Writes a store of paths, with facts where they are given."""

    def write(paths: Sequence[Path2D], name: str = "store", **facts: Sequence[Any]) -> Dataset:
        known = {"success": SUCCESS, "instruction": INSTRUCTION}
        folder, number = tmp_path / name, 0
        while folder.exists():
            number += 1
            folder = tmp_path / f"{name}-{number}"
        with Dataset.create(folder, schema(*(known[fact] for fact in facts))) as dataset:
            dataset.extend(
                [
                    Episode({"state": state, "action": action}, {fact: values[index] for fact, values in facts.items()})
                    for index, (state, action) in enumerate(paths)
                ]
            )
        return Dataset.open(folder)

    return write
