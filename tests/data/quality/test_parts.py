"""The parts of the measures, each by its own laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.quality.coverage import different_pairs, trajectory_quality
from data.quality.motion import dimensionless_jerk
from data.quality.neighbours import nearest, neighbourhood_means
from data.quality.paths import path_distances, robust_distances
from data.quality.sample import resampled
from robot.errors import InputError

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 40), st.integers(1, 5), st.integers(1, 12))
@settings(deadline=None, max_examples=60)
def test_neighbours_are_the_nearest_of_other_origins(seed: int, rows: int, origins: int, k: int) -> None:
    random = np.random.default_rng(seed)
    points, values = random.normal(size=(rows, 3)), random.normal(size=(rows, 2))
    origin = random.integers(0, origins, rows)
    means = neighbourhood_means(points, origin, points, origin, values, k)
    close = nearest(points, origin, points, origin)
    for row in range(rows):
        others = np.flatnonzero(origin != origin[row])
        distance = np.linalg.norm(points[others] - points[row], axis=1)
        if not len(others):
            assert np.isnan(means[row]).all() and np.isnan(close[row])
            continue
        chosen = others[np.argsort(distance)[:k]]
        np.testing.assert_allclose(means[row], values[chosen].mean(axis=0), atol=1e-5)
        assert close[row] == pytest.approx(distance.min(), abs=1e-9)


def test_without_others_nothing_is_known() -> None:
    rows, none, origin = np.ones((3, 2)), np.zeros((0, 2)), np.arange(3)
    assert np.isnan(neighbourhood_means(rows, origin, none, origin[:0], none, 4)).all()
    assert np.isnan(nearest(rows, origin, none, origin[:0])).all()


def test_neighbours_at_one_distance_all_count() -> None:
    points = np.zeros((6, 2))
    values = np.arange(6.0)[:, None]
    means = neighbourhood_means(points, np.arange(6), points, np.arange(6), values, 2)
    np.testing.assert_allclose(means[:, 0], [(15 - number) / 5 for number in range(6)])


@given(seeds, st.floats(1e-3, 1e3), st.integers(4, 60))
@settings(deadline=None, max_examples=60)
def test_jerk_has_no_unit_and_no_direction(seed: int, gain: float, rows: int) -> None:
    random = np.random.default_rng(seed)
    path = np.cumsum(random.normal(size=(rows, 3)), axis=0)
    turned = gain * path @ np.linalg.qr(random.normal(size=(3, 3)))[0] + random.normal(size=3)
    assert dimensionless_jerk(turned) == pytest.approx(dimensionless_jerk(path), rel=1e-6)
    assert dimensionless_jerk(path[::-1]) == pytest.approx(dimensionless_jerk(path), rel=1e-6)
    line = np.linspace(0, 1, rows)[:, None] * random.normal(size=3)
    assert dimensionless_jerk(line) == pytest.approx(0, abs=1e-6)


def test_jerk_of_noise_is_the_root_of_ten_and_one_jump_is_none() -> None:
    noise = np.random.default_rng(0).normal(size=(4000, 8))
    assert dimensionless_jerk(noise) == pytest.approx(np.sqrt(10), rel=0.05)
    smooth = np.stack([np.sin(np.arange(60) / 10), np.zeros(60)], axis=1)
    jumping = smooth + np.stack([np.zeros(60), 5.0 * (np.arange(60) > 30)], axis=1)
    assert dimensionless_jerk(jumping) == pytest.approx(dimensionless_jerk(smooth), rel=0.2)
    assert np.isnan(dimensionless_jerk(noise[:3])) and dimensionless_jerk(np.ones((9, 2))) == 0


@given(seeds, st.integers(1, 30), st.integers(2, 40))
@settings(deadline=None, max_examples=60)
def test_a_resampled_path_keeps_its_ends_and_straight_lines(seed: int, rows: int, points: int) -> None:
    path = np.random.default_rng(seed).normal(size=(rows, 2))
    new = resampled(path, points)
    assert new.shape == (points, 2)
    np.testing.assert_allclose(new[[0, -1]], path[[0, -1]])
    line = np.arange(rows)[:, None] * np.array([1.0, -2.0])
    np.testing.assert_allclose(resampled(line, points), np.linspace(line[0], line[-1], points), atol=1e-9)


@given(seeds, st.floats(0.01, 100))
@settings(deadline=None, max_examples=40)
def test_robust_distances_have_no_unit_and_do_not_see_how_far_an_outlier_is(seed: int, gain: float) -> None:
    random = np.random.default_rng(seed)
    paths = random.normal(size=(15, 6, 2))
    paths[0] += 20
    origin = np.arange(15)
    distances = path_distances(paths, origin, origin)
    robust = robust_distances(distances)
    np.testing.assert_allclose(robust_distances(gain * distances), robust, rtol=1e-6, atol=1e-9)
    assert robust.argmax() == 0 and robust[0] > 10
    farther = paths.copy()
    farther[0] += 1000
    again = robust_distances(path_distances(farther, origin, origin))
    np.testing.assert_allclose(again[1:], robust[1:], atol=0.35)


@given(seeds, st.integers(2, 40))
@settings(deadline=None, max_examples=40)
def test_pairs_are_counted_as_the_different_ones_that_there_are(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    apart = 100.0 * np.arange(5)[:, None] * np.ones(2)
    which = random.integers(0, 5, rows)
    pairs = apart[which] + 1e-9 * random.normal(size=(rows, 2))
    if len(np.unique(which)) == 1:
        pairs[0] += 100  # a radius needs two different ones
        which[0] = 9
    different = different_pairs(pairs, np.ones(rows), np.arange(rows), np.arange(rows))
    assert different.sum() == pytest.approx(len(np.unique(which)), rel=1e-5)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(-1e3, 1e3), st.floats(1e-2, 1e3))
@settings(deadline=None, max_examples=60)
def test_trajectory_quality_is_a_share_of_the_way_from_the_worst_to_the_best(
    returns: list[float], least: float, span: float
) -> None:
    given_returns = np.array(returns)
    quality, (low, high) = trajectory_quality(given_returns)
    assert (quality >= 0).all() and (quality <= 1).all() and low <= high
    order = np.argsort(given_returns)
    assert (np.diff(quality[order]) >= 0).all()
    bounded, bounds = trajectory_quality(given_returns, least, least + span)
    assert bounds == (least, least + span)
    inside = (given_returns >= least) & (given_returns <= least + span)
    np.testing.assert_allclose(bounded[inside], (given_returns[inside] - least) / span, atol=1e-6)


def test_a_worst_return_above_the_best_is_refused() -> None:
    for least, got in ((2.0, "2 and 1"), (1.0, "1 and 1"), (float("nan"), "nan and 1"), (-float("inf"), "-inf and 1")):
        with pytest.raises(InputError, match=rf"return_max: expected .*the first below the second, got {got}"):
            trajectory_quality(np.array([0.0, 1.0]), least, None)
