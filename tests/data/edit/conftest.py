"""Stores with all that an edit must keep: encoded images, streams, stamps, facts, interventions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.store.dataset import Dataset
from data.store.images.encoding import Encoding
from data.store.names import (
    ACTOR,
    BRANCHED_AT,
    GROUP,
    INSTRUCTION,
    INTERVENTION,
    OPERATOR,
    QUALITY,
    REWARD,
    STARTED,
    SUCCESS,
    TERMINATED,
    TIME,
    TRUNCATED,
)
from data.store.schema import Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec

PERIOD_NS = 100_000_000
Build = Callable[..., Path]


def rich_schema(**changes: Any) -> Schema:
    """An arm that is seen by two cameras, one raw and one of JPEGs as they came."""
    observation = ObservationSpec(
        (
            ObservationField("joints", (3,), "float32", "rad", "joint"),
            ObservationField("front", (24, 32, 3), "uint8", "1", "image"),
            ObservationField("wrist", (8, 8, 3), "uint8", "1", "image"),
        )
    )
    action = ActionSpec((ActionField("arm", 3, "rad", "joint"), ActionField("gripper", 1, "m", "width")), 0.1)
    whole = Schema(
        observation,
        action,
        0.1,
        (INSTRUCTION, SUCCESS, OPERATOR, STARTED, GROUP, BRANCHED_AT),
        (StreamField("wrench", (6,), "float64", "N N N N*m N*m N*m"),),
        (TIME, ACTOR, INTERVENTION, REWARD, TERMINATED, TRUNCATED, QUALITY),
        encodings={"front": Encoding("as_it_came")},
    )
    return replace(whole, **changes)


def jpeg(number: int) -> bytes:
    """A picture of that number, as a camera sends it."""
    import imagecodecs

    pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return bytes(imagecodecs.jpeg8_encode(pixels, level=80))


def rich_rows(number: int, rows: int = 30, still: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    """Rows of one episode, decided by its number; at both ends so many in which nothing moves."""
    draw = np.random.default_rng(number)
    moving = rows - sum(still)
    path = np.cumsum(draw.uniform(0.01, 0.05, (moving, 4)), axis=0)
    action = np.concatenate([np.repeat(path[:1], still[0], 0), path, np.repeat(path[-1:], still[1], 0)])
    last = np.arange(rows) == rows - 1
    person = (np.arange(rows) >= rows // 2) & (np.arange(rows) < rows // 2 + 3)
    return {
        "joints": draw.normal(size=(rows, 3)).astype(np.float32),
        "front": [jpeg(number * 1000 + row) for row in range(rows)],
        "wrist": draw.integers(0, 256, (rows, 8, 8, 3), dtype=np.uint8),
        "action": action.astype(np.float32),
        "time_ns": (np.arange(rows) + 1000 * (number + 1)) * PERIOD_NS,
        "actor": np.where(person, 1, 0).astype(np.uint8),
        "intervention": person,
        "reward": last.astype(np.float32),
        "terminated": last,
        "truncated": np.zeros(rows, bool),
        "quality": np.where(np.arange(rows) == 4, 32, 0).astype(np.uint16),
    }


def rich_facts(number: int, **changes: Any) -> dict[str, Any]:
    facts = {
        "instruction": f"take {number}",
        "success": number % 2 == 0,
        "operator": "ann" if number < 2 else "bo",
        "started_ns": 1_700_000_000_000_000_000 + number,
        "group": -1,
        "branched_at": -1,
    }
    return {**facts, **changes}


def make_store(
    folder: Path,
    name: str,
    numbers: Any = range(4),
    schema: Schema | None = None,
    attributes: Any = None,
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda rows: rows,
    facts: Callable[[int], dict[str, Any]] = rich_facts,
    **options: Any,
) -> Path:
    """A store of episodes by their numbers: their rows, and ten samples of the wrench a row."""
    with Dataset.create(folder / name, schema or rich_schema(), attributes) as dataset:
        for number in numbers:
            with dataset.writer() as writer:
                rows = rich_rows(number, **options)
                stamps = rows["time_ns"][0] - PERIOD_NS + np.arange(10 * (len(rows["action"]) + 2)) * PERIOD_NS // 10
                writer.add(change(rows))
                for stream in dataset.schema.stream_fields:
                    writer.add_stream(stream, np.random.default_rng(number).normal(size=(len(stamps), 6)), stamps)
                writer.commit(facts(number))
    return folder / name


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Makes such stores in a folder of the test's own."""
    return partial(make_store, tmp_path)


def digests(path: Path) -> list[str]:
    """Hash of the decoded content of each episode."""
    dataset = Dataset.open(path)
    return [dataset.episode(index).digest() for index in range(len(dataset))]


def frames(path: Path, index: int, name: str = "front") -> list[bytes]:
    """The bytes of an episode's pictures."""
    from data.edit.copying.origin import Origin

    origin = Origin(path)
    rows = origin.rows(index)
    return origin.frames(f"data/{name}", rows.start, rows.stop)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def names(folder: Path) -> list[str]:
    """What is in a folder, hidden or not."""
    return sorted(entry.name for entry in folder.iterdir())
