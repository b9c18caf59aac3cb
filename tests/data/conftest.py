"""Schemas, episodes and stores that the tests of this room share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import REWARD, TIME
from data.store.schema import MetaField, Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

MakeEpisode = Callable[..., Episode]


@pytest.fixture(scope="session")
def schema() -> Schema:
    """State, a small camera, time stamps, rewards, facts of every type and a wrench at ten times the control rate."""
    observation = ObservationSpec(
        (
            ObservationField("state", (5,), "float32", "px px px px rad", "state"),
            ObservationField("image", (16, 16, 3), "uint8", "1", "image"),
        )
    )
    action = ActionSpec((ActionField("agent.target", 2, "px", "native"),), period_s=0.1)
    meta = (
        MetaField("instruction", "string"),
        MetaField("success", "bool"),
        MetaField("seed", "int64"),
        MetaField("score", "float64"),
    )
    return Schema(
        observation, action, 0.1, meta, (StreamField("wrench", (6,), "float64", "N N N N*m N*m N*m"),), (TIME, REWARD)
    )


@pytest.fixture(scope="session")
def make_episode() -> MakeEpisode:
    """An episode of the schema above, decided by its number."""

    def make(number: int = 0, rows: int = 12, **changes: Any) -> Episode:
        draw = np.random.default_rng(number)
        data = {
            "state": draw.normal(size=(rows, 5)).astype(np.float32),
            "image": draw.integers(0, 256, (rows, 16, 16, 3), dtype=np.uint8),
            "action": draw.normal(size=(rows, 2)).astype(np.float32),
            "time_ns": np.arange(rows, dtype=np.int64) * 100_000_000,
            "reward": draw.normal(size=rows).astype(np.float32),
        }
        meta = {
            "instruction": f"push the T, take {number}",
            "success": number % 2 == 0,
            "seed": number,
            "score": number / 7,
        }
        samples = rows * 10
        streams = {"wrench": (draw.normal(size=(samples, 6)), np.arange(samples, dtype=np.int64) * 10_000_000)}
        return Episode(
            {**data, **changes.get("data", {})},
            {**meta, **changes.get("meta", {})},
            {**streams, **changes.get("streams", {})},
        )

    return make


@pytest.fixture
def store(tmp_path: Path, schema: Schema, make_episode: MakeEpisode) -> Path:
    """A closed store of four episodes."""
    path = tmp_path / "store"
    with Dataset.create(path, schema, {"cameras": {"image": {"model": "none"}}}) as dataset:
        dataset.extend([make_episode(number, rows=8 + number) for number in range(4)])
    return path
