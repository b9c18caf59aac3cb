"""The band of successes: its share of false alarms, exactly, and what must not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import InputError, TillerError
from robot.monitoring.band import Band, calibrate, needed

TINY = 1e-6
"""Chance that a test of coverage fails although the law holds."""


def curves(random: np.random.Generator, number: int, scores: int = 1) -> list[np.ndarray]:
    """Exchangeable curves of different lengths: noise around a drift, larger in some episodes, which last longer."""
    made = []
    for _ in range(number):
        size = random.gamma(2.0)
        length = 1 + int(random.poisson(4 + 2 * size))
        time = np.arange(length)[:, None]
        made.append(0.1 * time + size * random.standard_normal((length, scores)).cumsum(axis=0) * np.sqrt(1 + time))
    return made


def at_most(trials: int, chance: float) -> int:
    """The number that a binomial count exceeds with a chance of `TINY` at most."""
    below, count = 0.0, -1
    while below < 1 - TINY:
        count += 1
        below += math.exp(
            math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
            + count * math.log(chance) + (trials - count) * math.log1p(-chance)
        )  # fmt: skip
    return count


def has_alarm(band: Band, curve: np.ndarray) -> bool:
    return any(bool((band.excess(number, scores) > band.quantile).any()) for number, scores in enumerate(curve))


@pytest.mark.parametrize(("alpha", "number", "scores"), [(0.05, 28, 1), (0.1, 60, 2), (0.3, 10, 1), (0.5, 7, 3)])
def test_a_further_success_leaves_the_band_as_often_as_alpha_says(alpha: float, number: int, scores: int) -> None:
    random, trials, alarms, episodes = np.random.default_rng(0), 600, 0, 0
    for trial in range(trials):
        *known, further = curves(random, number + 1, scores)
        band = calibrate(known, alpha, seed=trial)
        alarms, episodes = alarms + has_alarm(band, further), band.episodes
    assert alarms <= at_most(trials, alpha)
    least = alpha - 1 / (episodes + 1)  # no two of these curves are equal
    assert least <= TINY or trials - alarms <= at_most(trials, 1 - least)


some = st.integers(0, 2**32 - 1)


@given(some, st.integers(10, 60), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_no_more_of_the_episodes_of_the_quantile_leave_the_band_than_alpha_allows(
    seed: int, number: int, scores: int
) -> None:
    known = curves(np.random.default_rng(seed), number, scores)
    for alpha in (0.3, 0.5):
        band = calibrate(known, alpha, seed=1)
        outside = sum(has_alarm(band, curve) for curve in known)
        shape = number - band.episodes
        assert outside <= alpha * (band.episodes + 1) + shape


@given(some, st.integers(28, 60), st.lists(st.floats(0.05, 0.95), min_size=2, max_size=5, unique=True))
@settings(deadline=None, max_examples=40)
def test_a_larger_alpha_never_widens_the_band(seed: int, number: int, alphas: list[float]) -> None:
    known = curves(np.random.default_rng(seed), number, 2)
    edges = [np.stack([calibrate(known, alpha).threshold(t) for t in range(12)]) for alpha in sorted(alphas)]
    for narrow, wide in zip(edges[1:], edges):
        assert (narrow <= wide).all()


@given(some, st.integers(-12, 12), st.floats(-3, 3), st.floats(0.01, 100))
@settings(deadline=None, max_examples=40)
def test_alarms_do_not_depend_on_the_unit_of_a_score(seed: int, power: int, shift: float, factor: float) -> None:
    random = np.random.default_rng(seed)
    known, further = curves(random, 30, 2), curves(random, 20, 2)
    band = calibrate(known, 0.2)
    unit = np.array([2.0**power, 1.0])  # of one of two scores: exact in floating point
    other = calibrate([curve * unit for curve in known], 0.2)
    assert [has_alarm(other, curve * unit) for curve in further] == [has_alarm(band, curve) for curve in further]
    moved = calibrate([factor * curve + shift for curve in known], 0.2)
    for number in range(10):
        np.testing.assert_allclose(
            moved.threshold(number), factor * band.threshold(number) + shift, rtol=1e-6, atol=1e-6 * (1 + factor)
        )


def test_a_score_that_never_changes_gives_no_alarm_and_a_jump_of_it_does() -> None:
    band = calibrate([np.full((length, 1), 0.5) for length in range(3, 33)], 0.1)
    assert not has_alarm(band, np.full((50, 1), 0.5))
    assert has_alarm(band, np.r_[np.full((3, 1), 0.5), [[0.6]]])


def test_past_the_longest_success_the_last_edge_holds() -> None:
    band = calibrate(curves(np.random.default_rng(3), 40), 0.1)
    last = len(band.centre) - 1
    np.testing.assert_array_equal(band.threshold(last + 1000), band.threshold(last))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.25, 0.5, 0.9])
def test_too_few_successes_are_refused_with_the_number_that_would_do(alpha: float) -> None:
    enough = needed(alpha)
    known = curves(np.random.default_rng(0), enough)
    assert np.isfinite(calibrate(known, alpha).quantile)
    with pytest.raises(InputError, match=rf"at least {enough} successful ones for alpha={alpha:g}, got {enough - 1}"):
        calibrate(known[:-1], alpha)


def test_the_alpha_that_a_refusal_offers_is_allowed() -> None:
    known = curves(np.random.default_rng(0), 20)
    with pytest.raises(InputError) as refusal:
        calibrate(known, 0.01)
    offered = float(str(refusal.value).rpartition("alpha=")[2].strip(")."))
    calibrate(known, offered)
    for few in range(3):
        with pytest.raises(InputError, match=rf"got {few}\. Collect more.*fewer than 3 allow no monitor\.alpha"):
            calibrate(known[:few], 0.01)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 1.5, float("nan"), True])
def test_an_alpha_that_is_no_share_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match="above 0 and below 1"):
        calibrate(curves(np.random.default_rng(0), 50), alpha)


def test_scores_that_are_no_numbers_are_refused() -> None:
    known = curves(np.random.default_rng(0), 50)
    known[7][0] = np.nan
    with pytest.raises(TillerError, match="not finite"):
        calibrate(known, 0.1)
