"""The paired sequential test: its error at every look, its power, and the laws of its evidence."""

from __future__ import annotations

from functools import cache
from math import exp, isclose, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot.errors import InputError
from sim.statistics.intervals import wilson
from sim.statistics.sequential import (
    BETTER,
    NOT_BETTER,
    OPEN,
    UNDECIDED,
    PairedTest,
    Pairs,
    exact_evidence,
    log_evidence,
    log_shortfall,
)

RUNS, PAIRS = 2000, 400
few = st.integers(0, 60)
counts = st.builds(Pairs, few, few, few, few)
cached_evidence = cache(log_evidence)


def evidences(better: float, worse: float, seed: int) -> np.ndarray:
    """log E after every pair, (runs, pairs), where a pair is won and lost with these chances."""
    random = np.random.default_rng(seed)
    drawn = random.random((RUNS, PAIRS))
    wins = (drawn < better).cumsum(1)
    losses = ((drawn >= better) & (drawn < better + worse)).cumsum(1)
    codes, inverse = np.unique(wins * (PAIRS + 1) + losses, return_inverse=True)
    values = np.array([cached_evidence(int(code) // (PAIRS + 1), int(code) % (PAIRS + 1)) for code in codes])
    return values[inverse].reshape(wins.shape)


@pytest.mark.parametrize(("better", "worse"), [(0.05, 0.05), (0.15, 0.15), (0.3, 0.3), (0.5, 0.5), (0.1, 0.2)])
def test_a_policy_that_is_not_better_is_preferred_at_most_at_the_stated_rate_however_often_one_looks(
    better: float, worse: float
) -> None:
    preferred = int((evidences(better, worse, 0).max(axis=1) >= -log(0.05)).sum())
    assert wilson(preferred, RUNS).low <= 0.05
    if better == worse == 0.5:  # where most pairs count the rate is used, not merely kept
        assert preferred > 0.005 * RUNS


def test_ten_points_are_seen_in_most_runs() -> None:
    preferred = (evidences(0.2, 0.1, 1).max(axis=1) >= -log(0.05)).mean()
    assert preferred > 0.8


def test_one_that_is_worth_it_is_given_up_at_most_at_the_stated_rate_however_often_one_looks() -> None:
    random, worth = np.random.default_rng(2), 0.05
    drawn = random.random((RUNS, PAIRS))
    gain = np.where(drawn < 0.2, 1, np.where(drawn < 0.35, -1, 0))  # better by exactly what it is worth
    bets = np.arange(1, 17) / 17 / (1 - worth)
    paths = np.stack([np.log1p(-bet * (gain - worth)).cumsum(1) for bet in bets])
    evidence = np.log(np.exp(paths).mean(axis=0))
    last = Pairs(0, int((gain[0] < 0).sum()), int((gain[0] > 0).sum()), int((gain[0] == 0).sum()))
    assert isclose(evidence[0, -1], log_shortfall(last, worth), abs_tol=1e-9)
    assert wilson(int((evidence.max(axis=1) >= -log(0.05)).sum()), RUNS).low <= 0.05


@given(few, few)
def test_evidence_is_the_formula_in_whole_numbers(wins: int, losses: int) -> None:
    assert isclose(exp(log_evidence(wins, losses)), exact_evidence(wins, losses), rel_tol=1e-9)


@given(few, few)
def test_the_mean_of_the_next_evidence_under_a_fair_coin_is_the_present_one(wins: int, losses: int) -> None:
    following = (exact_evidence(wins + 1, losses) + exact_evidence(wins, losses + 1)) / 2
    assert isclose(following, exact_evidence(wins, losses), rel_tol=1e-9)


@given(few, few)
def test_evidence_grows_with_wins_and_falls_with_losses(wins: int, losses: int) -> None:
    assert log_evidence(wins + 1, losses) > log_evidence(wins, losses) > log_evidence(wins, losses + 1)


@given(counts)
def test_pairs_that_do_not_differ_say_nothing_for_the_new_one(pairs: Pairs) -> None:
    test = PairedTest(most=10_000)
    more = pairs + Pairs(both=7, neither=3)
    assert test.state(more).evidence == test.state(pairs).evidence


@given(counts)
def test_a_bet_against_a_worth_that_is_met_exactly_does_not_grow_in_the_mean(pairs: Pairs) -> None:
    worth, win, loss = 0.1, 0.25, 0.15
    following = sum(
        chance * exp(log_shortfall(pairs + more, worth) - log_shortfall(pairs, worth))
        for chance, more in (
            (win, Pairs(only_new=1)), (loss, Pairs(only_old=1)), (1 - win - loss, Pairs(neither=1)),
        )
    )  # fmt: skip
    assert isclose(following, 1, rel_tol=1e-9)


@given(counts)
def test_what_it_needs_decides_it_at_the_present_rates(pairs: Pairs) -> None:
    test = PairedTest(most=10_000)
    state = test.state(pairs)
    if pairs.only_new <= pairs.only_old:
        assert state.needs is None
    elif state.needs:
        grown = 1 + state.needs / pairs.count
        assert log_evidence(int(grown * pairs.only_new), round(grown * pairs.only_old)) >= -log(test.error)
    assert (state.needs == 0) == (state.verdict == BETTER)


def test_verdicts() -> None:
    test = PairedTest(most=100)
    assert test.state(Pairs()).verdict == OPEN
    assert test.state(Pairs(only_new=12, both=20)).verdict == BETTER
    assert test.state(Pairs(only_new=3, only_old=25)).verdict == NOT_BETTER
    assert test.state(Pairs(both=40, neither=30, only_new=18, only_old=12)).verdict == UNDECIDED
    # Policies that never differ are given up long before all pairs are used.
    assert PairedTest(most=400).state(Pairs(both=150)).verdict == NOT_BETTER


@pytest.mark.parametrize("wrong", [{"error": 0}, {"worth": 1}, {"most": 0}, {"error": float("nan")}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="paired test"):
        PairedTest(**wrong)  # type: ignore[arg-type]
