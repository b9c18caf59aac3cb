"""Statistics are tested by their laws and by values that anyone can look up."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.errors import InputError
from sim.statistics.intervals import bootstrap, interquartile_mean, mcnemar, paired_difference, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (45, 50, 0.7864, 0.9565),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 2, 0.0945, 0.9055),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson_gives_the_published_intervals(successes: int, trials: int, low: float, high: float) -> None:
    interval = wilson(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-4)
    assert interval.estimate == successes / trials


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_ends_solve_the_score_equation_and_mirror(case: tuple[int, int]) -> None:
    successes, trials = case
    interval, mirrored = wilson(successes, trials), wilson(trials - successes, trials)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)
    for rate in (interval.low, interval.high):
        if 0 < rate < 1:
            distance = abs(interval.estimate - rate) / np.sqrt(rate * (1 - rate) / trials)
            assert distance == pytest.approx(1.959964, abs=1e-4) or rate == interval.estimate


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("trials", [20, 200])
def test_wilson_covers_the_true_rate_as_often_as_it_says(rate: float, trials: int) -> None:
    chance = [comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(trials + 1)]
    covered = sum(p for k, p in enumerate(chance) if wilson(k, trials).low <= rate <= wilson(k, trials).high)
    assert 0.90 < covered < 0.99


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for trial in range(400):
        interval = bootstrap(random.exponential(2.0, size=60), resamples=400, seed=trial)
        covered += interval.low <= 2.0 <= interval.high
    assert 0.89 < covered / 400 < 0.98


def test_bootstrap_of_normal_values_agrees_with_theory() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, size=400)
    interval = bootstrap(values)
    margin = 1.96 * values.std() / np.sqrt(len(values))
    assert interval.estimate == pytest.approx(values.mean())
    assert (interval.high - interval.low) / 2 == pytest.approx(margin, rel=0.05)
    assert bootstrap(values) == interval


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.floats(-100, 100))
def test_bootstrap_holds_its_estimate_and_moves_with_the_values(values: list[float], shift: float) -> None:
    interval = bootstrap(values, resamples=200)
    assert interval.low <= interval.estimate <= interval.high
    moved = bootstrap(np.array(values) + shift, resamples=200)
    assert moved.low == pytest.approx(interval.low + shift, abs=1e-6)


def test_interquartile_mean_drops_a_quarter_at_each_end() -> None:
    assert interquartile_mean(np.array([100.0, 1, 2, 3, 4, 5, 6, -100])) == pytest.approx(3.5)
    assert interquartile_mean(np.array([1.0, 2, 9])) == pytest.approx(4.0)
    rows = np.random.default_rng(0).normal(size=(5, 12))
    np.testing.assert_allclose(interquartile_mean(rows), [np.sort(row)[3:9].mean() for row in rows])


def test_paired_difference_is_narrower_than_unpaired_noise() -> None:
    random = np.random.default_rng(0)
    difficulty = random.normal(size=100)
    first = difficulty + 0.05 * random.normal(size=100)
    second = difficulty + 0.1 + 0.05 * random.normal(size=100)
    difference = paired_difference(first, second)
    assert 0.05 < difference.low < 0.1 < difference.high < 0.15
    assert paired_difference(second, first).estimate == pytest.approx(-difference.estimate)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 0.0625), (2, 8, 0.109375), (121, 59, 4.434e-6)],
)
def test_mcnemar_is_the_exact_binomial_test(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p, rel=1e-3)
    assert mcnemar(only_second, only_first) == mcnemar(only_first, only_second)


@given(st.integers(0, 60))
def test_mcnemar_rejects_no_more_often_than_its_level(trials: int) -> None:
    rejected = sum(comb(trials, k) for k in range(trials + 1) if mcnemar(k, trials - k) <= 0.05)
    assert rejected / 2**trials <= 0.05


@pytest.mark.parametrize(
    "ask",
    [
        lambda: wilson(3, 2),
        lambda: wilson(0, 0),
        lambda: wilson(1, 2, 1.0),
        lambda: bootstrap([]),
        lambda: paired_difference([1.0], [1.0, 2.0]),
    ],
)
def test_impossible_questions_are_refused(ask) -> None:
    with pytest.raises(InputError):
        ask()
