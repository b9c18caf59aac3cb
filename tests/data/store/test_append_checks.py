"""An episode that does not fit is refused before a byte is written, and the message says what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.checks.validate import validate
from data.store.dataset import Dataset
from data.store.episode import Episode
from robot.errors import InputError

Change = Callable[[Episode], Mapping[str, Any]]


def _with(array: np.ndarray, index: Any, value: Any) -> np.ndarray:
    changed = array.copy()
    changed[index] = value
    return changed


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


BAD: dict[str, tuple[Change, str]] = {
    "NaN in an action": (
        lambda e: {"data": {"action": _with(e.data["action"], (3, 1), np.nan)}},
        r"episode 4: action, row 3, component 'agent.target.1': expected a finite number, got nan",
    ),
    "infinity in actions": (
        lambda e: {"data": {"action": _with(e.data["action"], slice(5, 7), -np.inf)}},
        r"row 5, component 'agent.target.0'.*-inf \(4 such numbers\)",
    ),
    "a key of another length": (
        lambda e: {"data": {"reward": e.data["reward"][:-1]}},
        r"'reward': expected shape \(12,\), got \(11,\)",
    ),
    "rows of another shape": (
        lambda e: {"data": {"state": e.data["state"][:, :4]}},
        r"'state': expected shape \(12, 5\), got \(12, 4\)",
    ),
    "another type": (
        lambda e: {"data": {"state": e.data["state"].astype(np.float64)}},
        r"'state': expected float32, got float64.*astype",
    ),
    "no array at all": (lambda e: {"data": {"reward": [0.0] * 12}}, r"'reward': expected an array.*got list"),
    "an unknown key": (
        lambda e: {"data": {"stat": e.data["state"]}},
        r"data: expected only .*got 'stat'.*Did you mean 'state'",
    ),
    "stamps that stand still": (
        lambda e: {"data": {"time_ns": _with(e.data["time_ns"], 4, 300_000_000)}},
        r"'time_ns', row 4: expected a later stamp.*300000000 after 300000000",
    ),
    "a stream whose parts differ in length": (
        lambda e: {"streams": {"wrench": (e.streams["wrench"][0][:-1], e.streams["wrench"][1])}},
        r"stream 'wrench' value: expected shape \(120, 6\), got \(119, 6\)",
    ),
    "a stream that goes back in time": (
        lambda e: {"streams": {"wrench": (e.streams["wrench"][0], e.streams["wrench"][1][::-1].copy())}},
        r"stream 'wrench' time_ns, row 1: expected no earlier stamp",
    ),
    "an unknown fact": (lambda e: {"meta": {"operater": "ann"}}, r"meta: expected only .*got 'operater'"),
    "a fact of another type": (lambda e: {"meta": {"success": 1}}, r"meta 'success': expected a bool, got 1"),
    "a truth where a number belongs": (lambda e: {"meta": {"seed": True}}, r"meta 'seed': expected a int64, got True"),
    "a number too large": (lambda e: {"meta": {"seed": 2**63}}, r"meta 'seed': expected a int64 that can be stored"),
    "text that is no text": (lambda e: {"meta": {"instruction": "\ud800"}}, r"meta 'instruction': expected a string"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_episode_is_refused_and_nothing_is_written(what: str, store: Path, make_episode: Any) -> None:
    change, message = BAD[what]
    with Dataset.open(store, mode="a") as dataset:
        before = _bytes(store)
        with pytest.raises(InputError, match=message):
            dataset.append(make_episode(4, **change(make_episode(4))))
        assert _bytes(store) == before
        dataset.append(make_episode(4))
    assert len(Dataset.open(store)) == 5


@pytest.mark.parametrize("part", ["data", "meta", "streams"])
def test_an_episode_that_lacks_something_is_refused(part: str, store: Path, make_episode: Any) -> None:
    whole = make_episode(4)
    parts = {"data": dict(whole.data), "meta": dict(whole.meta), "streams": dict(whole.streams)}
    missing = sorted(parts[part])[0]
    del parts[part][missing]
    with Dataset.open(store, mode="a") as dataset, pytest.raises(InputError, match=f"nothing for {missing}"):
        dataset.append(Episode(**parts))


def test_an_episode_without_rows_is_refused(store: Path, make_episode: Any) -> None:
    with Dataset.open(store, mode="a") as dataset, pytest.raises(InputError, match="at least one row"):
        dataset.append(make_episode(4, rows=0))


def test_one_bad_episode_in_a_batch_keeps_all_of_them_out(store: Path, make_episode: Any) -> None:
    good, bad = make_episode(4), make_episode(5, meta={"seed": "five"})
    with Dataset.open(store, mode="a") as dataset:
        with pytest.raises(InputError, match="episode 5: meta 'seed'"):
            dataset.extend([good, bad])
        assert len(dataset) == 4
    assert len(Dataset.open(store)) == 4


def test_stamps_whose_difference_does_not_fit_into_64_bits_are_in_order(store: Path, make_episode: Any) -> None:
    episode = make_episode(4)
    values, stamps = episode.streams["wrench"]
    far = np.array([-(2**63) + 1, *range(80, 79 + len(stamps))])
    with Dataset.open(store, mode="a") as dataset:
        dataset.append(Episode(episode.data, episode.meta, {"wrench": (values, far)}))
    assert np.array_equal(Dataset.open(store).episode(4).streams["wrench"][1], far)
    assert validate(store).ok, "and what was appended is sound"
