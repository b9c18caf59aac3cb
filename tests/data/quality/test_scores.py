"""Scores in a file: training takes them as they are, and only for the dataset that they are of."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.learning.episode_scores import read_scores
from data.learning.episode_weights import make_order, weights_of
from data.quality.measure import measure
from data.quality.record import CSV_NAME, JSON_NAME, write_quality
from data.store.dataset import Dataset
from data.store.episode import Episode
from robot.errors import InputError
from tests.data.quality.conftest import WriteStore, drive, noisy


@pytest.fixture
def scored(write_store: WriteStore, tmp_path: Path) -> tuple[Dataset, Path]:
    """A store and the file of its scores."""
    dataset = write_store([noisy(drive(number), number, 0.3 * (number % 2)) for number in range(6)])
    write_quality(measure(dataset), tmp_path / "quality")
    return dataset, tmp_path / "quality" / JSON_NAME


def test_weights_are_the_scores_as_they_were_written(scored: tuple[Dataset, Path]) -> None:
    dataset, file = scored
    expected = measure(dataset).episodes.score
    np.testing.assert_array_equal(read_scores(str(file)).values, expected)
    for named in (str(file), str(file.parent)):
        order = make_order({"name": "score", "file": named})
        np.testing.assert_array_equal(weights_of(dataset, order), expected)
    some = weights_of(dataset, order, np.array([1, 4]))
    assert some is not None and some[[1, 4]].tolist() == expected[[1, 4]].tolist() and not some[[0, 2, 3, 5]].any()


def test_several_datasets_find_their_own_file(
    scored: tuple[Dataset, Path], write_store: WriteStore, tmp_path: Path
) -> None:
    dataset, file = scored
    other = write_store([drive(number) for number in range(4)])
    write_quality(measure(other), tmp_path / "other")
    order = make_order({"name": "score", "file": [str(file), str(tmp_path / "other")]})
    np.testing.assert_array_equal(weights_of(other, order), measure(other).episodes.score)
    np.testing.assert_array_equal(weights_of(dataset, order), measure(dataset).episodes.score)


def test_scores_of_another_dataset_or_of_an_earlier_state_are_refused(
    scored: tuple[Dataset, Path], write_store: WriteStore
) -> None:
    dataset, file = scored
    order = make_order({"name": "score", "file": str(file)})
    other = write_store([drive(number) for number in range(6)])
    with pytest.raises(InputError, match=rf"scores of .*{dataset.fingerprint} \(6 episodes\).*tiller data quality"):
        weights_of(other, order)
    state, action = drive(9)
    with Dataset.open(dataset.path, mode="a") as more:
        more.append(Episode({"state": state, "action": action}))
    with pytest.raises(InputError, match=r"as it is now.*\(7 episodes\).*added since"):
        weights_of(Dataset.open(dataset.path), order)


def changed(**changes: Any) -> Any:
    return lambda given: json.dumps({**given, **changes})


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (lambda given: "{", "no JSON"),
        (lambda given: "[" * 100_000, "no JSON"),
        (lambda given: "[1, 2]", "another JSON file"),
        (lambda given: json.dumps({"scores": given["scores"]}), "another JSON file"),
        (changed(version=2), "version 2"),
        (changed(fingerprint=None), "without scores or fingerprint"),
        (changed(scores={}), "without scores or fingerprint"),
        (changed(scores=[]), "no finite numbers"),
        (changed(scores=[0.5] * 5 + ["a"]), "no finite numbers"),
        (changed(scores=[0.5] * 5 + [True]), "no finite numbers"),
        (changed(scores=[0.5] * 5 + [-0.5]), "no finite numbers"),
        (changed(scores=[0.5] * 5 + [float("nan")]), "no finite numbers"),
        (changed(scores=[0.5] * 5 + [10**400]), "no finite numbers"),
        (changed(scores=[0.0] * 6), "no finite numbers"),
        (changed(scores=[0.5] * 5), "5 scores of 6 episodes"),
    ],
)
def test_a_file_that_is_none_is_one_message(scored: tuple[Dataset, Path], content: Any, got: str) -> None:
    dataset, file = scored
    file.write_text(content(json.loads(file.read_text())))
    with pytest.raises(InputError, match=f"scores '.*{got}.*tiller data quality"):
        weights_of(dataset, make_order({"name": "score", "file": str(file)}))


def test_a_file_that_is_not_there_is_one_message(scored: tuple[Dataset, Path]) -> None:
    with pytest.raises(InputError, match=r"scores 'nowhere\.json'.*No such file"):
        weights_of(scored[0], make_order({"name": "score", "file": "nowhere.json"}))
    with pytest.raises(InputError, match=r"training\.order"):
        make_order({"name": "score"})


def test_the_files_hold_what_was_measured(scored: tuple[Dataset, Path]) -> None:
    dataset, file = scored
    quality, given = measure(dataset), json.loads(file.read_text())
    assert given["fingerprint"] == dataset.fingerprint and given["figures"]["tq"] is None
    np.testing.assert_allclose(given["episodes"]["jerk"], quality.episodes.jerk, rtol=1e-5)
    with (file.parent / CSV_NAME).open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [int(row["episode"]) for row in rows] == list(range(6)) and not rows[0]["quality"]
    np.testing.assert_allclose([float(row["score"]) for row in rows], quality.episodes.score, rtol=1e-5)
    assert [float(row["penalty.jerk"]) for row in rows] == pytest.approx(quality.episodes.penalty["jerk"], rel=1e-5)
