"""Encoded images are read from disk in blocks, each of which is one read, and are the same however they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from data.learning.stored_rows import StoredRows
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.images.encoding import Encoding
from data.store.reading import DamagedChunkError
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, History, ObservationField, ObservationSpec

SIDE, LENGTHS = 32, (90, 40, 170)


@dataclass(frozen=True)
class Spec:
    observation: ObservationSpec
    horizon: int


def schema(side: int, kind: str) -> Schema:
    return Schema(
        ObservationSpec((ObservationField("image", (side, side, 3), "uint8", "1", "image"),)),
        ActionSpec((ActionField("target", 1, "m", "native"),), 0.1),
        0.1,
        encodings={"image": Encoding(kind)},
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streamed") / "store"
    draw = np.random.default_rng(0)
    with Dataset.create(path, schema(SIDE, "png")) as dataset:
        for length in LENGTHS:
            images = draw.integers(0, 256, (length, SIDE, SIDE, 3), dtype=np.uint8)
            dataset.append(Episode({"image": images, "action": np.zeros((length, 1), np.float32)}))
    return path


def windows_of(dataset: Dataset, memory_bytes: int) -> Windows:
    assert dataset.schema is not None
    return Windows(
        dataset, Spec(dataset.schema.observation.with_history({"image": History(2)}), 4), memory_bytes=memory_bytes
    )


def test_an_epoch_reads_blocks_of_frames_and_each_about_once(store: Path) -> None:
    dataset = Dataset.open(store)
    streamed, held = windows_of(dataset, 800_000), windows_of(dataset, 2**30)
    assert streamed.is_streamed and not held.is_streamed
    assert dataset.array("image").chunks[0] == 1
    order = streamed.order(np.random.default_rng(0))
    for start in range(0, len(order), 16):
        rows = order[start : start + 16]
        assert np.array_equal(streamed.gather(rows).observation["image"], held.gather(rows).observation["image"])
    block = streamed._streamed["image"].chunks[0]
    assert block == 8  # of 3 kB: a 32nd of the memory
    assert streamed._cache.reads <= 2 * -(-sum(LENGTHS) // block)
    assert streamed._cache.bytes <= 800_000


@pytest.mark.parametrize(("block_bytes", "frames"), [(0, 1), (3 * SIDE * SIDE * 3, 2), (10**6, 64), (None, 64)])
def test_a_block_is_frames_of_one_shard_within_its_bound(store: Path, block_bytes: int | None, frames: int) -> None:
    dataset = Dataset.open(store)
    rows = StoredRows(dataset, "image", block_bytes)
    assert rows.chunks == (frames, SIDE, SIDE, 3)
    assert dataset.array("image").shards[0] % frames == 0
    assert StoredRows(dataset, "action").chunks == dataset.array("action").chunks


def test_a_damaged_frame_of_a_block_is_named(store: Path, tmp_path: Path) -> None:
    with Dataset.create(tmp_path / "store", schema(SIDE, "png")) as dataset:
        images = np.random.default_rng(1).integers(0, 256, (400, SIDE, SIDE, 3), dtype=np.uint8)
        dataset.append(Episode({"image": images, "action": np.zeros((400, 1), np.float32)}))
    shard = next((tmp_path / "store" / "data" / "image").glob("c.*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(bytes(content))
    windows = windows_of(Dataset.open(tmp_path / "store"), 800_000)
    with pytest.raises(DamagedChunkError, match=r"chunk (19|20|21)\d of 'data/image'.*checksum"):
        windows.gather(np.arange(len(windows)))


def test_large_images_decoded_side_by_side_are_those_decoded_one_by_one(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 240, 240, 3), dtype=np.uint8)
    with Dataset.create(tmp_path / "store", schema(240, "jpeg")) as dataset:
        dataset.append(Episode({"image": images, "action": np.zeros((9, 1), np.float32)}))
        together = dataset.read("image")
        assert np.array_equal(together, np.concatenate([dataset.read("image", row, row + 1) for row in range(9)]))
        assert np.array_equal(together, dataset.read("image"))
