"""Statistics over tasks: known answers, and how often their intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from robot.errors import InputError
from sim.statistics.aggregates import over_tasks, performance_profile, pooled_mean
from sim.statistics.intervals import bootstrap, mean


def test_interquartile_mean_over_tasks_drops_the_best_and_the_worst_quarter() -> None:
    found = over_tasks([[1.0] * 10, [0.6] * 10, [0.4] * 10, [0.0] * 10])
    assert found.estimate == pytest.approx(0.5) and found.low == pytest.approx(0.5) == found.high


def test_difference_between_tasks_is_no_uncertainty() -> None:
    """Tasks are kept, not drawn: with certain episodes nothing is uncertain however much the tasks differ."""
    kept = over_tasks([[1.0] * 5, [0.0] * 5], mean)
    assert kept.low == kept.high == 0.5


def test_one_task_has_the_bootstrap_of_its_mean() -> None:
    values = np.random.default_rng(0).uniform(size=40)
    ours, plain = over_tasks([values]), bootstrap(values)
    assert ours.estimate == pytest.approx(plain.estimate)
    assert (ours.low, ours.high) == pytest.approx((plain.low, plain.high), abs=0.01)


def test_tasks_weigh_the_same_and_pooled_values_weigh_the_same() -> None:
    strata = [[1.0] * 30, [0.0] * 10]
    assert over_tasks(strata, mean).estimate == 0.5
    assert pooled_mean(strata).estimate == 0.75


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    rates = np.array([0.9, 0.7, 0.6, 0.5, 0.2])
    truth = np.sort(rates)[1:-1].mean()
    covered = sum(
        found.low <= truth <= found.high
        for found in (
            over_tasks(list((random.uniform(size=(5, 40)) < rates[:, None]).astype(float)), resamples=500)
            for _ in range(300)
        )
    )
    assert 0.9 <= covered / 300 <= 0.985


def test_task_more_leaves_the_draws_of_the_others() -> None:
    """A report that grows by a task does not wobble elsewhere."""
    tasks = [np.random.default_rng(number).uniform(size=20) for number in range(3)]

    def first(means: np.ndarray) -> np.ndarray:
        return means[..., 0]

    assert over_tasks(tasks[:2], first) == over_tasks(tasks, first)


def test_profile_falls_from_all_to_the_share_of_successes() -> None:
    profile = performance_profile([[0.0, 0.5, 1.0, 1.0], [0.25] * 3], [0.0, 0.25, 0.5, 1.0])
    np.testing.assert_allclose(profile.shares, [1.0, (0.75 + 1) / 2, 0.375, 0.25])
    assert all(low <= share <= high for low, share, high in zip(profile.low, profile.shares, profile.high))


def test_band_of_the_profile_is_that_of_a_rate() -> None:
    scores = np.random.default_rng(0).uniform(size=50)
    profile, rate = performance_profile([scores], [0.5], resamples=20_000), bootstrap(scores >= 0.5)
    assert (profile.low[0], profile.high[0]) == pytest.approx((rate.low, rate.high), abs=0.021)


@pytest.mark.parametrize("tasks", [[], [[]], [[1.0], []]])
def test_tasks_without_episodes_are_refused(tasks: list[list[float]]) -> None:
    with pytest.raises(InputError, match="at least one"):
        over_tasks(tasks)
