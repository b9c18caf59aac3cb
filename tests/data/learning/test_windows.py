"""Windows look back and ahead inside their episode only, in memory and streamed alike."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from data.learning.chunk_cache import ChunkCache
from data.learning.sampling import chunk_shuffle
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.reading import DamagedChunkError
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, History, ObservationField, ObservationSpec
from robot.errors import InputError

LENGTHS = (5, 1, 40, 17, 2, 60)
SIDE = 64  # images of 12 kB, so that a chunk holds 64 of them and the store several chunks


@dataclass(frozen=True)
class Spec:
    observation: ObservationSpec
    horizon: int


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every number in a row says which row of the store it is."""
    schema = Schema(
        ObservationSpec(
            (
                ObservationField("state", (2,), "float64", "m", "state"),
                ObservationField("image", (SIDE, SIDE, 3), "uint8", "1", "image"),
            )
        ),
        ActionSpec((ActionField("target", 3, "m", "native"),), 0.1),
        0.1,
    )
    path = tmp_path_factory.mktemp("windows") / "store"
    row = 0
    with Dataset.create(path, schema) as dataset:
        for length in LENGTHS:
            rows = np.arange(row, row + length)
            dataset.append(
                Episode(
                    {
                        "state": np.stack([rows, rows * 10.0], axis=1),
                        "image": np.broadcast_to(
                            rows.astype(np.uint8)[:, None, None, None], (length, SIDE, SIDE, 3)
                        ).copy(),
                        "action": np.repeat(rows[:, None], 3, axis=1).astype(np.float32),
                    }
                )
            )
            row += length
    return path


@pytest.fixture(scope="module")
def dataset(store: Path) -> Dataset:
    return Dataset.open(store)


def spec(dataset: Dataset, horizon: int, state: History = History(2), image: History = History()) -> Spec:
    return Spec(dataset.schema.observation.with_history({"state": state, "image": image}), horizon)


@settings(max_examples=40)
@given(
    episodes=st.lists(st.integers(0, len(LENGTHS) - 1), min_size=1, max_size=6, unique=True),
    horizon=st.integers(1, 20),
    steps=st.integers(1, 5),
    stride=st.integers(1, 4),
    streamed=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_every_window_is_what_the_definition_says(dataset, episodes, horizon, steps, stride, streamed, seed):
    ends = np.cumsum(LENGTHS)
    starts = ends - LENGTHS
    past = History(steps, stride)
    windows = Windows(
        dataset, spec(dataset, horizon, past, past), np.array(episodes), memory_bytes=10**6 if streamed else None
    )
    assert windows.is_streamed == (streamed and len(windows) * SIDE * SIDE * 3 > 10**6)
    expected = [(start, stop, t) for start, stop in zip(starts[episodes], ends[episodes]) for t in range(start, stop)]
    assert len(windows) == len(expected)
    rows = np.random.default_rng(seed).integers(0, len(windows), 30)
    batch = windows.gather(rows)
    for i, row in enumerate(rows):
        start, stop, t = expected[row]
        past = [max(t - (steps - 1 - k) * stride, start) for k in range(steps)]
        ahead = [min(t + k, stop - 1) for k in range(horizon)]
        assert batch.observation["state"][i, :, 0].tolist() == past
        assert batch.observation["image"][i, :, 0, 0, 0].tolist() == past
        assert batch.action[i, :, 2].tolist() == ahead
        assert batch.is_pad[i].tolist() == [t + k >= stop for k in range(horizon)]


def test_shapes_and_types_are_those_of_the_border(dataset):
    batch = Windows(dataset, spec(dataset, 8, History(3, 2))).gather(np.array([0, 4, 4]))
    assert batch.observation["state"].shape == (3, 3, 2) and batch.observation["state"].dtype == np.float32
    assert batch.observation["image"].shape == (3, 1, SIDE, SIDE, 3) and batch.observation["image"].dtype == np.uint8
    assert batch.action.shape == (3, 8, 3) and batch.action.dtype == np.float32
    assert batch.is_pad.shape == (3, 8) and batch.is_pad.dtype == bool


def test_rows_for_statistics_are_those_of_the_chosen_episodes(dataset):
    windows = Windows(dataset, spec(dataset, 4), np.array([1, 3]))
    assert windows.action_rows()[:, 0].tolist() == [5, *range(46, 63)]
    assert windows.observation_rows("state")[:, 1].tolist() == [50, *range(460, 630, 10)]


def test_only_keys_of_the_spec_are_read(dataset):
    windows = Windows(dataset, Spec(dataset.schema.observation.select(["state"]), 4), memory_bytes=0)
    assert set(windows.gather(np.array([0])).observation) == {"state"}
    assert not windows.is_streamed


def test_what_cannot_be_cut_is_refused(dataset):
    fields = ObservationSpec((ObservationField("stat", (2,), "float32", "m", "state"),))
    with pytest.raises(InputError, match="Did you mean 'state'"):
        Windows(dataset, Spec(fields, 4))
    fields = ObservationSpec((ObservationField("state", (3,), "float32", "m", "state"),))
    with pytest.raises(InputError, match=r"rows of shape \(3,\), got \(2,\)"):
        Windows(dataset, Spec(fields, 4))
    with pytest.raises(InputError, match="at least one, got none"):
        Windows(dataset, spec(dataset, 4), np.array([], dtype=int))
    with pytest.raises(InputError, match="indices 0 to 5"):
        Windows(dataset, spec(dataset, 4), np.array([6]))
    windows = Windows(dataset, spec(dataset, 4), np.array([0]))
    with pytest.raises(InputError, match="0 to 4, got -1 to 2"):
        windows.gather(np.array([-1, 2]))
    with pytest.raises(InputError, match="a key in memory"):
        Windows(dataset, spec(dataset, 4), memory_bytes=0).observation_rows("image")


def test_a_damaged_chunk_is_named_while_streaming(store, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    key = zarr.open_array(copy / "data" / "image", mode="r").metadata.encode_chunk_key((1, 0, 0, 0))
    (copy / "data" / "image" / key).write_bytes(b"torn")
    dataset = Dataset.open(copy)
    windows = Windows(dataset, spec(dataset, 4), memory_bytes=10**6)
    with pytest.raises(DamagedChunkError, match="chunk 1 of 'data/image'"):
        windows.gather(np.arange(len(windows)))


def test_the_cache_keeps_its_bound_and_decodes_a_chunk_once_while_it_fits():
    array = zarr.create_array(zarr.storage.MemoryStore(), shape=(95, 10), chunks=(10, 10), dtype="float64")
    array[:] = np.arange(950.0).reshape(95, 10)
    rows = np.random.default_rng(0).integers(0, 95, (20, 3))
    small, large = ChunkCache(2 * 800), ChunkCache(10 * 800)
    for _ in range(3):
        assert np.array_equal(small.gather(array, rows), array[:][rows])
        assert np.array_equal(large.gather(array, rows), array[:][rows])
        assert small.bytes <= small.max_bytes
    assert large.reads == 10
    assert small.reads > 10


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=20), together=st.integers(1, 25), seed=st.integers(0, 9)
)
def test_chunk_shuffle_visits_every_row_once_and_few_chunks_at_a_time(lengths, together, seed):
    chunk = np.repeat(np.arange(len(lengths)), lengths)
    order = chunk_shuffle(chunk, np.random.default_rng(seed), together=together)
    assert sorted(order) == list(range(len(chunk)))
    visits = [np.flatnonzero(chunk[order] == index) for index in range(len(lengths))]
    in_use = sum((visited[0] <= np.arange(len(chunk))) & (np.arange(len(chunk)) <= visited[-1]) for visited in visits)
    assert in_use.max() <= together + 1


def test_streaming_an_epoch_in_order_decodes_each_chunk_about_once(dataset):
    windows = Windows(dataset, spec(dataset, 4, image=History(2)), memory_bytes=1_300_000)
    order = windows.order(np.random.default_rng(0))
    assert windows.is_streamed and sorted(order) == list(range(len(windows)))
    for start in range(0, len(order), 8):
        windows.gather(order[start : start + 8])
    chunks = -(-sum(LENGTHS) // dataset.array("image").chunks[0])
    assert windows._cache.reads <= 2 * chunks


def test_order_in_memory_is_a_permutation_decided_by_the_generator(dataset):
    windows = Windows(dataset, spec(dataset, 4))
    first, same, other = (windows.order(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, same) and not np.array_equal(first, other)
    assert sorted(first) == list(range(len(windows)))


def test_human_demonstrations_windows_never_leave_their_episode(pusht_store):
    dataset = Dataset.open(pusht_store)
    observation = dataset.schema.observation.select(["state"]).with_history(History(2))
    windows = Windows(dataset, Spec(observation, 16))
    batch = windows.gather(np.arange(len(windows)))
    assert batch.action.shape == (25650, 16, 2)
    ends = dataset.episode_ends
    assert np.array_equal(np.flatnonzero(batch.is_pad[:, 1]), ends - 1)
    starts = np.concatenate([[0], ends[:-1]])
    state = batch.observation["state"]
    assert np.array_equal(state[starts, 0], state[starts, 1])
    inner = np.setdiff1d(np.arange(len(windows)), starts)
    assert np.array_equal(state[inner, 0], state[inner - 1, 1])
