"""A store with everything that a format may lose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.store.dataset import Dataset
from data.store.images.encoding import Encoding
from data.store.names import INTERVENTION
from data.store.schema import MetaField, Schema
from robot.description import ObservationField, ObservationSpec


@pytest.fixture
def rich_schema(schema: Schema) -> Schema:
    """State, a camera in each encoding, depth, an intervention, facts and a stream."""
    fields = (
        schema.observation["state"],
        *(ObservationField(f"{name}.image", (16, 16, 3), "uint8", "1", "image") for name in ("raw", "png", "jpeg")),
        ObservationField("points", (4, 3), "float64", "m", "points"),
        ObservationField("depth", (16, 16), "uint16", "mm", "depth"),
    )
    return replace(
        schema,
        observation=ObservationSpec(fields),
        columns=(*schema.columns, INTERVENTION),
        encodings={"png.image": Encoding("png"), "jpeg.image": Encoding("jpeg", 80)},
        meta=(*schema.meta, MetaField("operator", "string")),
    )


@pytest.fixture
def rich(tmp_path: Path, rich_schema: Schema, make_episode: Any) -> Path:
    draw = np.random.default_rng(0)
    with Dataset.create(tmp_path / "store", rich_schema) as dataset:
        for number in range(4):
            rows = 8 + number
            made = make_episode(
                number, rows, meta={"instruction": f"task {number % 2}", "operator": f"person {number}"}
            )
            data = {name: values for name, values in made.data.items() if name != "image"}
            for name in ("raw", "png", "jpeg"):
                data[f"{name}.image"] = (
                    np.repeat(draw.integers(0, 256, (rows, 1, 1, 3)), 256, 1).astype("u1").reshape(rows, 16, 16, 3)
                )
            data["points"] = draw.normal(size=(rows, 4, 3))
            data["depth"] = draw.integers(0, 5000, (rows, 16, 16)).astype(np.uint16)
            data["intervention"] = np.arange(rows) > 5
            dataset.append(replace(made, data=data))
    return tmp_path / "store"
