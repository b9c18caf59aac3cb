"""The estimates of a nested design are unbiased, and choosing by noise gains nothing."""

from __future__ import annotations

from dataclasses import fields
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import InputError
from sim.statistics.nested import NestedVariance, Outcomes, chosen_success, mended, nested_variance

STARTS, DECISIONS, CHUNKS, REPEATS = 12, 2, 4, 4
PARTS = ("between_chunks", "within", "between_states")


def drawn(
    random: np.random.Generator, *, chunks: float, states: float = 0.2, zero: float = 0.0, starts: int = STARTS
) -> Outcomes:
    """An experiment whose probabilities of success are .5 +- `states` (of a start and its states) +- `chunks`."""
    start = np.repeat(np.arange(starts), DECISIONS)
    signs = random.choice([-1, 1], starts)[start]  # all states of a start alike: the hardest case
    mean = 0.5 + states * signs
    rates = mean[:, None] + chunks * random.choice([-1, 1], (len(start), CHUNKS))
    return Outcomes(
        start,
        random.binomial(REPEATS, rates),
        random.binomial(REPEATS, mean + zero),
        random.integers(CHUNKS, size=len(start)),
        REPEATS,
    )


def simulated(count: int, **what: float) -> dict[str, np.ndarray]:
    """Estimates of many experiments, name -> (count,)."""
    random = np.random.default_rng(0)
    results = [nested_variance(drawn(random, **what), resamples=1) for _ in range(count)]
    return {each.name: np.array([getattr(one, each.name).estimate for one in results]) for each in fields(results[0])}


@pytest.mark.parametrize("chunks", [0.0, 0.1, 0.25])
def test_every_part_of_the_variance_is_recovered_without_bias(chunks: float) -> None:
    figures = simulated(300, chunks=chunks, zero=0.1)
    mean = np.full(2, 0.5) + 0.2 * np.array([-1, 1])
    rates = mean[:, None] + chunks * np.array([-1, 1])
    truth = {"mean": 0.5, "between_chunks": chunks**2, "within": (rates * (1 - rates)).mean(), "between_states": 0.04}
    truth |= {"zero": 0.1, "medoid": 0.0}
    for name, value in truth.items():
        error = figures[name].std() / np.sqrt(len(figures[name]))
        assert abs(figures[name].mean() - value) < 4 * error, name


def test_where_chunks_do_not_matter_nothing_is_gained_and_intervals_cover_zero() -> None:
    gain = simulated(300, chunks=0.0)["gain"]
    assert abs(gain.mean()) < 4 * gain.std() / np.sqrt(len(gain))
    random = np.random.default_rng(1)
    covered = {"between_chunks": 0, "gain": 0}
    for _ in range(60):
        result = nested_variance(drawn(random, chunks=0.0, starts=24), resamples=200)
        for name in covered:
            covered[name] += getattr(result, name).low <= 0 <= getattr(result, name).high
    assert min(covered.values()) >= 51, "of 60; a percentile bootstrap of 24 starts is a little short of 95 %"


def test_where_chunks_matter_the_interval_is_above_zero_and_choosing_gains() -> None:
    result = nested_variance(drawn(np.random.default_rng(2), chunks=0.25, starts=48))
    assert 0.03 < result.between_chunks.low < 0.0625 < result.between_chunks.high < 0.1
    # Of two halves of two each: the choice is often right, and no chunk is better than .25 above the mean.
    assert 0.05 < result.gain.low < result.gain.high < 0.25
    assert result.share.estimate == pytest.approx(
        result.between_chunks.estimate / (result.between_chunks.estimate + result.within.estimate)
    )


def test_chosen_over_zero_is_the_difference_of_both() -> None:
    result = nested_variance(drawn(np.random.default_rng(3), chunks=0.2, zero=0.2), resamples=10)
    assert result.chosen_over_zero.estimate == pytest.approx(result.gain.estimate - result.zero.estimate)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.permutations(range(STARTS * DECISIONS)), st.permutations(range(CHUNKS)))
def test_estimates_do_not_depend_on_any_order(seed: int, states: list[int], chunks: list[int]) -> None:
    one = drawn(np.random.default_rng(seed), chunks=0.2)
    medoid = np.argsort(chunks)[one.medoid[states]]
    other = Outcomes(one.start[states], one.successes[states][:, chunks], one.zero[states], medoid, REPEATS)
    for name in NestedVariance.__dataclass_fields__:
        left, right = (getattr(nested_variance(each, resamples=1), name).estimate for each in (one, other))
        assert left == pytest.approx(right, abs=1e-12), name


def test_states_of_one_start_are_no_independent_draws() -> None:
    """Two starts, each with states all alike: the variance is that of two draws, not of 2 x 50."""
    start = np.repeat([0, 1], 50)
    successes = np.repeat(np.where(start == 0, 0, REPEATS)[:, None], CHUNKS, axis=1)
    result = nested_variance(Outcomes(start, successes, successes[:, 0], start * 0, REPEATS), resamples=1)
    assert result.between_states.estimate == pytest.approx(0.5)
    assert result.between_chunks.estimate == result.within.estimate == result.share.estimate == 0


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 5), st.data())
def test_the_mean_over_all_halves_is_that_of_counting_them(repeats: int, data: st.DataObject) -> None:
    successes = np.array(data.draw(st.lists(st.integers(0, repeats), min_size=2, max_size=3)))
    outcomes = [[1] * count + [0] * (repeats - count) for count in successes]
    halves = list(combinations(range(repeats), repeats // 2))
    total = []
    for choice in product(halves, repeat=len(successes)):
        seen = np.array([sum(each[i] for i in half) for each, half in zip(outcomes, choice)])
        rest = (successes - seen) / (repeats - repeats // 2)
        total.append(rest[seen == seen.max()].mean())
    assert chosen_success(successes, repeats) == pytest.approx(np.mean(total), abs=1e-12)


def test_what_cannot_be_estimated_is_refused() -> None:
    two, counts = np.array([0, 1]), np.zeros((2, 3), dtype=int)
    with pytest.raises(InputError, match="starts"):
        Outcomes(two * 0, counts, two * 0, two * 0, 4)
    with pytest.raises(InputError, match="chunks"):
        Outcomes(two, counts[:, :1], two * 0, two * 0, 4)
    with pytest.raises(InputError, match="continuations"):
        Outcomes(two, counts, two * 0, two * 0, 1)
    with pytest.raises(InputError, match="0 to 5"):
        Outcomes(two, counts + [[0, 5, 0]], two * 0, two * 0, 4)


@pytest.mark.parametrize("rate", [0.2, 0.6])
def test_another_try_mends_what_luck_decides_and_nothing_that_the_state_does(rate: float) -> None:
    random, start = np.random.default_rng(5), np.arange(60)
    tries = random.binomial(REPEATS, rate, (60, CHUNKS))
    lucky = mended(Outcomes(start, tries, tries[:, 0], start * 0, REPEATS))
    assert lucky.low < rate < lucky.high and lucky.high - lucky.low < 0.2
    decided = np.repeat(np.where(start % 2, REPEATS, 0)[:, None], CHUNKS, axis=1)
    assert mended(Outcomes(start, decided, decided[:, 0], start * 0, REPEATS)).high == 0


def test_a_chunk_that_decides_counts_as_another_try() -> None:
    """Half of the chunks always succeed: another chunk mends (K/2) / (K-1) of the failures of those that never do."""
    start, counts = np.arange(10), np.tile([0, REPEATS] * (CHUNKS // 2), (10, 1))
    result = mended(Outcomes(start, counts, counts[:, 0], start * 0, REPEATS))
    assert result.estimate == pytest.approx((CHUNKS / 2) / (CHUNKS - 1))
