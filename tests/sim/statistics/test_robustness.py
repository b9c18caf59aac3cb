"""Success against severity: laws of the area and of its interval."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.errors import InputError
from sim.statistics.intervals import wilson
from sim.statistics.robustness import robustness_curve, trapezoid_weights

EPISODES = 20
counts = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, EPISODES)), min_size=2, max_size=8, unique_by=lambda pair: pair[0]
)


@given(counts)
def test_area_lies_between_the_worst_and_the_best_rate_and_in_its_interval(pairs: list[tuple[int, int]]) -> None:
    rates = [successes / EPISODES for _, successes in pairs]
    for same_seeds in (False, True):
        area = robustness_curve([(*pair, EPISODES) for pair in pairs], same_seeds=same_seeds).area
        assert area is not None
        assert min(rates) - 1e-12 <= area.estimate <= max(rates) + 1e-12
        assert 0 <= area.low <= area.estimate <= area.high <= 1


@given(counts)
def test_area_is_the_trapezoid_rule_whatever_the_order(pairs: list[tuple[int, int]]) -> None:
    area = robustness_curve([(*pair, EPISODES) for pair in reversed(pairs)]).area
    rising = sorted(pairs)
    under = sum((there - here) * (before + after) / 2 for (here, before), (there, after) in pairwise(rising))
    assert area is not None and area.estimate == pytest.approx(under / EPISODES / (rising[-1][0] - rising[0][0]))


@given(counts)
def test_interval_for_shared_starts_holds_the_one_for_independent_ones(pairs: list[tuple[int, int]]) -> None:
    measured = [(*pair, EPISODES) for pair in pairs]
    apart, shared = robustness_curve(measured).area, robustness_curve(measured, same_seeds=True).area
    assert apart is not None and shared is not None
    assert shared.low <= apart.low + 1e-12 and apart.high <= shared.high + 1e-12


def test_always_and_never_are_one_and_zero_with_intervals_that_are_no_points() -> None:
    for successes, expected in ((10, 1.0), (0, 0.0)):
        area = robustness_curve([(severity, successes, 10) for severity in range(6)]).area
        assert area is not None and area.estimate == pytest.approx(expected)
        assert area.high - area.low > 0.05


def test_points_carry_wilsons_intervals_and_repeated_severities_are_summed() -> None:
    curve = robustness_curve([(2, 3, 10), (0, 9, 10), (2, 4, 10)])
    assert [(point.severity, point.successes, point.episodes) for point in curve.points] == [(0, 9, 10), (2, 7, 20)]
    assert curve.points[1].success == wilson(7, 20)


def test_one_severity_has_no_area() -> None:
    assert robustness_curve([(3, 5, 10)]).area is None


def test_uneven_severities_weigh_by_the_range_they_stand_for() -> None:
    np.testing.assert_allclose(trapezoid_weights(np.array([0.0, 1.0, 5.0])), [0.1, 0.5, 0.4])


def test_interval_covers_the_true_area_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    rates = np.array([0.95, 0.9, 0.7, 0.4, 0.1, 0.05])
    truth = float(trapezoid_weights(np.arange(6.0)) @ rates)
    covered = 0
    for successes in random.binomial(30, rates, size=(1000, 6)):
        area = robustness_curve([(severity, int(won), 30) for severity, won in enumerate(successes)]).area
        assert area is not None
        covered += area.low <= truth <= area.high
    assert 0.93 <= covered / 1000 <= 0.985


def test_interval_for_shared_starts_covers_rates_that_rise_and_fall_together() -> None:
    random = np.random.default_rng(1)
    rates = np.array([0.9, 0.7, 0.5, 0.3])
    truth = float(trapezoid_weights(np.arange(4.0)) @ rates)
    covered = {False: 0, True: 0}
    for luck in random.uniform(size=(500, 30, 1)):
        successes = (luck < rates).sum(axis=0)  # an easy start succeeds at every severity
        for same_seeds in covered:
            area = robustness_curve(
                [(severity, int(won), 30) for severity, won in enumerate(successes)], same_seeds=same_seeds
            ).area
            assert area is not None
            covered[same_seeds] += area.low <= truth <= area.high
    assert covered[True] / 500 >= 0.93, covered
    assert covered[False] / 500 < 0.9, "else the wider interval would not be needed"


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        ([], "at least one severity"),
        ([(-1, 1, 2)], "severity"),
        ([(float("nan"), 1, 2)], "severity"),
        ([(1, 3, 2)], "3 of 2"),
        ([(1, 0, 0)], "0 of 0"),
    ],
)
def test_impossible_counts_are_refused(measured: list[tuple[float, int, int]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        robustness_curve(measured)
