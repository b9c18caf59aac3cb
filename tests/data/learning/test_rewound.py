"""No loss sees an action that a person took back; what was seen there may be history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.learning.rewound import rows_with_actions
from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import ACTOR, QUALITY, Actor, Quality
from data.store.schema import ColumnField, Schema
from robot.description import ActionField, ActionSpec, History, ObservationField, ObservationSpec
from robot.errors import InputError

LENGTHS = (5, 1, 30, 12)
SCHEMA = Schema(
    ObservationSpec(
        (
            ObservationField("state", (1,), "float32", "m", "state"),
            ObservationField("image", (32, 32, 3), "uint8", "1", "image"),
        )
    ),
    ActionSpec((ActionField("target", 1, "m", "native"),), 0.1),
    0.1,
)
REWOUND = int(Quality.REWOUND | Quality.GAP)


@dataclass(frozen=True)
class Spec:
    observation: ObservationSpec
    horizon: int


def make_store(path: Path, quality: np.ndarray | None, column: ColumnField = QUALITY) -> Dataset:
    """Every number in a row says which row of the store it is."""
    columns = (ACTOR,) if quality is None else (ACTOR, column)
    with Dataset.create(path, replace(SCHEMA, columns=columns)) as dataset:
        for end, length in zip(np.cumsum(LENGTHS), LENGTHS):
            rows = np.arange(end - length, end)
            numbers = rows[:, None].astype(np.float32)
            images = np.broadcast_to(rows.astype(np.uint8)[:, None, None, None], (length, 32, 32, 3)).copy()
            data = {"state": numbers, "image": images, "action": numbers, "actor": (rows % 3).astype(np.uint8)}
            dataset.append(Episode(data if quality is None else {**data, column.name: quality[rows]}))
    return Dataset.open(path)


def windows_of(dataset: Dataset, horizon: int = 4, episodes: np.ndarray | None = None, **options) -> Windows:
    observation = SCHEMA.observation.with_history({"state": History(3), "image": History()})
    return Windows(dataset, Spec(observation, horizon), episodes, **options)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Taken back: the end of episode 0, all of episode 1, rows 10 to 18 and row 25 of the store."""
    quality = np.zeros(sum(LENGTHS), np.uint16)
    quality[[3, 4, 5, *range(10, 19), 25]] = REWOUND
    quality[[0, 30]] = Quality.STALE
    return make_store(tmp_path_factory.mktemp("marked") / "store", quality)


@pytest.mark.parametrize("memory_bytes", [None, 10**5])
def test_a_window_row_whose_action_was_taken_back_counts_no_more_than_padding(marked, memory_bytes) -> None:
    windows = windows_of(marked, memory_bytes=memory_bytes)
    assert windows.has_rewound and windows.is_streamed == (memory_bytes is not None)
    rewound, ends = (marked.read("quality") & Quality.REWOUND) != 0, np.cumsum(LENGTHS)
    last = np.repeat(ends - 1, LENGTHS)
    order = windows.order(np.random.default_rng(0))
    batch = windows.gather(order)
    rows = batch.observation["state"][:, -1, 0].astype(int)
    ahead = rows[:, None] + np.arange(4)
    within = np.minimum(ahead, last[rows][:, None])
    assert np.array_equal(batch.is_pad, (ahead > within) | rewound[within])
    assert np.array_equal(batch.action[..., 0], within)
    assert np.array_equal(batch.observation["image"][:, 0, 0, 0, 0], rows)


def test_a_row_whose_every_action_was_taken_back_has_no_window_and_every_other_has_one(marked) -> None:
    windows = windows_of(marked)
    order = windows.order(np.random.default_rng(0))
    assert sorted(order) == list(range(len(windows)))
    batch = windows.gather(np.arange(len(windows)))
    assert not batch.is_pad.all(axis=1).any()
    rows = batch.observation["state"][:, -1, 0].astype(int).tolist()
    # Of rows 16 to 18 the horizon reaches row 19, which counts; after row 2 episode 0 has none left.
    assert rows == [row for row in range(sum(LENGTHS)) if row not in (3, 4, 5, *range(10, 16))]


def test_rows_that_were_taken_back_may_be_history(marked) -> None:
    windows = windows_of(marked)
    history = windows.gather(np.arange(len(windows))).observation["state"][..., 0]
    assert [17, 18, 19] in history.tolist()


@given(rewound=st.lists(st.booleans(), min_size=3, max_size=25), horizon=st.integers(1, 6), cut=st.floats(0.01, 0.99))
def test_rows_with_actions_are_those_of_which_one_action_was_not_taken_back(rewound, horizon, cut) -> None:
    first = max(1, int(cut * len(rewound)))
    last = np.repeat([first - 1, len(rewound) - 1], [first, len(rewound) - first])
    expected = [row for row in range(len(rewound)) if not all(rewound[row : min(row + horizon, last[row] + 1)])]
    if expected:
        assert rows_with_actions("store", np.array(rewound), last, horizon).tolist() == expected
    else:
        with pytest.raises(InputError, match=r"rows to learn from.*some that were not taken back"):
            rows_with_actions("store", np.array(rewound), last, horizon)


def test_without_the_column_or_without_such_rows_every_batch_is_the_same(tmp_path) -> None:
    bits = np.random.default_rng(0).integers(0, int(Quality.REWOUND), sum(LENGTHS)).astype(np.uint16)
    own = ColumnField("quality", (), "uint8", "1")  # of that name, and a user's own
    stores = {
        "none": make_store(tmp_path / "none", None),
        "good": make_store(tmp_path / "good", bits),
        "own": make_store(tmp_path / "own", np.full(sum(LENGTHS), 255, np.uint8), own),
    }
    for memory_bytes in (None, 10**5):
        made = {name: windows_of(store, memory_bytes=memory_bytes) for name, store in stores.items()}
        orders = {name: windows.order(np.random.default_rng(1)) for name, windows in made.items()}
        assert len(orders["none"]) == sum(LENGTHS)
        expected = made["none"].gather(orders["none"])
        for name, windows in made.items():
            assert np.array_equal(orders[name], orders["none"])
            batch = windows.gather(orders[name])
            assert batch.action.tobytes() == expected.action.tobytes()
            assert batch.is_pad.tobytes() == expected.is_pad.tobytes()
            for key, values in batch.observation.items():
                assert values.tobytes() == expected.observation[key].tobytes()


def test_columns_are_those_of_the_newest_row_as_they_are_stored(marked) -> None:
    windows = windows_of(marked, episodes=np.array([2, 0]), columns=("actor", "quality"))
    batch = windows.gather(np.arange(len(windows)))
    rows = batch.observation["state"][:, -1, 0].astype(int)
    assert batch.columns["actor"].dtype == np.uint8 and batch.columns["actor"].tolist() == (rows % 3).tolist()
    assert batch.columns["quality"].tolist() == marked.read("quality")[rows].tolist()
    assert (batch.columns["actor"] == Actor.PERSON).any()
    assert windows_of(marked).gather(np.array([0])).columns == {}


def test_a_column_that_is_not_there_is_refused(marked) -> None:
    with pytest.raises(InputError, match=r"one of actor, quality.*Did you mean 'actor'"):
        windows_of(marked, columns=("actr",))
    with pytest.raises(InputError, match="column 'image'"):
        windows_of(marked, columns=("image",))


def test_episodes_that_were_taken_back_whole_are_refused(marked) -> None:
    with pytest.raises(InputError, match=r"rows to learn from.*some that were not taken back, got none"):
        windows_of(marked, episodes=np.array([1]))
