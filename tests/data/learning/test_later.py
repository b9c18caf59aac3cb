"""What follows a window: rows later, rewards in between, ends; within one episode, and never over rows taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.learning.later import Outcomes, later_rows, success_outcomes
from data.learning.sources.annotated import Annotated
from data.learning.sources.mixture import Mixture
from data.learning.sources.weighted import Weighted
from data.learning.windows import Windows, WindowShape
from data.store.dataset import Dataset
from data.store.episode import Episode
from data.store.names import QUALITY, SUCCESS, TERMINATED, Quality
from data.store.schema import Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError

SEEN = ObservationSpec((ObservationField("row", (1,), "float32", "1", "state"),))
ACTION = ActionSpec((ActionField("target", 1, "m", "native"),), 0.1)


def write(path: Path, ends: list[tuple[int, bool, bool]], rewound: tuple[int, ...] = ()) -> Dataset:
    """Episodes of (rows, success, terminated); some rows of each were taken back."""
    schema = Schema(SEEN, ACTION, 0.1, (SUCCESS,), (), (TERMINATED, QUALITY))
    dataset = Dataset.create(path, schema)
    for rows, success, terminated in ends:
        quality = np.zeros(rows, np.uint16)
        quality[[row for row in rewound if row < rows]] = Quality.REWOUND
        data = {
            "row": np.arange(rows, dtype=np.float32)[:, None],
            "action": np.zeros((rows, 1), np.float32),
            "terminated": (np.arange(rows) == rows - 1) & terminated,
            "quality": quality,
        }
        dataset.append(Episode(data=data, meta={"success": success}))
    return dataset


def windows_of(dataset: Dataset, horizon: int = 2) -> Windows:
    return Windows(dataset, WindowShape(SEEN, horizon), outcomes=success_outcomes(dataset))


@given(
    st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.booleans()), min_size=1, max_size=4),
    st.integers(1, 5),
    st.lists(st.booleans(), min_size=24, max_size=24),
    st.floats(0.1, 1.0),
)
@settings(deadline=None)
def test_it_is_what_walking_row_by_row_finds(
    episodes: list[tuple[int, bool, bool]], rows: int, back: list[bool], gamma: float
) -> None:
    """A walk takes up to k steps; it stops where the task ends, or before a last row whose result is unknown."""
    last, reward, terminated = [], [], []
    for length, success, ends in episodes:
        last += [len(last) + length - 1] * length
        reward += [0.0] * (length - 1) + [float(success)]
        terminated += [False] * (length - 1) + [success or ends]
    count = len(last)
    taken_back = np.array(back[:count])
    chosen = np.flatnonzero(~taken_back)
    if not len(chosen):
        return
    outcomes = Outcomes(np.array(reward, np.float32), np.array(terminated))
    later = later_rows(outcomes, np.array(last), taken_back, chosen, rows, gamma)
    for number, start in enumerate(chosen.tolist()):
        row, total, steps, alive = start, 0.0, 0, True
        while steps < rows and alive and (terminated[row] or row < last[start]):
            total += gamma**steps * reward[row]
            steps, alive = steps + 1, not terminated[row]
            row += 1
        passed = range(start, row) if not alive else range(start, row + 1)
        known = steps > 0 and not any(taken_back[each] for each in passed)
        assert (later.rows[number], later.alive[number], later.known[number]) == (steps, alive, known)
        assert later.reward[number] == pytest.approx(total, abs=1e-6)
        assert later.window[number] == (np.searchsorted(chosen, row) if known and alive else number)
        rest = [gamma ** (each - start) * reward[each] for each in range(start, last[start] + 1)]
        assert later.returned[number] == pytest.approx(sum(rest), abs=1e-6)


def test_the_window_that_follows_is_of_the_same_episode(tmp_path: Path) -> None:
    windows = windows_of(write(tmp_path / "store", [(5, True, True), (7, False, False), (3, False, True)]))
    later = windows.later(3, 0.9)
    assert (windows.episode_of[later.window] == windows.episode_of).all()
    alive = later.known & later.alive
    assert (windows.row_of[later.window][alive] == windows.row_of[alive] + later.rows[alive]).all()
    assert (
        alive.sum() == 2 + 6 + 0
    )  # all but the last row of the one cut off; of the others those with three rows ahead
    assert later.returned[:5] == pytest.approx([0.9**4, 0.9**3, 0.9**2, 0.9, 1])
    assert (later.reward[2:5] == later.returned[2:5]).all() and (later.reward[:2] == 0).all()


def test_rows_that_were_taken_back_are_not_bootstrapped_across(tmp_path: Path) -> None:
    windows = windows_of(write(tmp_path / "store", [(10, True, True)], rewound=(4, 5)), horizon=1)
    assert windows.row_of.tolist() == [0, 1, 2, 3, 6, 7, 8, 9]
    later = windows.later(2, 1.0)
    assert later.known.tolist() == [True, True, False, False, True, True, True, True]
    assert windows.row_of[later.window[[0, 1, 4, 5]]].tolist() == [2, 3, 8, 9]


def test_mixtures_and_weights_keep_the_numbers_of_their_windows(tmp_path: Path) -> None:
    first = windows_of(write(tmp_path / "a", [(4, True, True)]))
    second = windows_of(write(tmp_path / "b", [(5, False, False)]))
    mixture = Mixture([Weighted(first, np.ones(1)), second], None, [0, 1])
    later = mixture.later(2, 0.5)
    assert later.window.tolist() == [2, 3, 2, 3, 6, 7, 8, 8, 8]
    assert later.known.tolist() == [True] * 8 + [False]
    assert later.reward.tolist() == [0, 0, 0.5, 1, 0, 0, 0, 0, 0]


def test_annotations_and_following_windows_come_by_number(tmp_path: Path) -> None:
    windows = windows_of(write(tmp_path / "store", [(4, True, True), (3, False, False)]))
    later = windows.later(2, 1.0)
    source = Annotated(Weighted(windows, np.ones(2)), {"number": np.arange(7)}, later.window)
    batch = source.gather(np.array([4, 0, 4]))
    assert batch.columns["number"].tolist() == [4, 0, 4]
    assert batch.following is not None and batch.following.columns["number"].tolist() == [6, 2, 6]
    assert batch.following.observation["row"].ravel().tolist() == [2, 2, 2]
    with pytest.raises(InputError, match=r"annotation 'number': expected 7 windows, got 6"):
        Annotated(windows, {"number": np.arange(6)})


def test_episodes_must_say_what_came_of_them(tmp_path: Path) -> None:
    Dataset.create(tmp_path / "store", Schema(SEEN, ACTION, 0.1)).close()
    with pytest.raises(InputError, match=r"fact 'success'.*one of every episode"):
        success_outcomes(Dataset.open(tmp_path / "store"))
