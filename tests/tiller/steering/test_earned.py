"""The share of the decisions that what is learnt has earned: by its laws."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiller.steering.by_learning.options import LearningOptions
from tiller.steering.by_learning.state import LEAST_SHARE, earned

shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)
tolerances = st.floats(0, 1)


def course(successes: list[float], options: LearningOptions) -> list[float]:
    """The share after each segment."""
    return list(
        accumulate(range(1, len(successes) + 1), lambda now, end: earned(now, successes[:end], options), initial=0.0)
    )[1:]


@given(shares, st.floats(0, 1), tolerances)
def test_it_stays_between_a_least_share_and_all_of_it(successes: list[float], greedy: float, most: float) -> None:
    for share in course(successes, LearningOptions(greedy=greedy, tolerance=most)):
        assert LEAST_SHARE * greedy <= share <= greedy


@given(shares, tolerances)
def test_worse_successes_never_earn_more(successes: list[float], tolerance: float) -> None:
    options = LearningOptions(tolerance=tolerance)
    worse = [successes[0], *(0.5 * share for share in successes[1:])]
    assert all(one <= other for one, other in zip(course(worse, options), course(successes, options)))


def test_a_dip_halves_it_and_what_follows_earns_it_back() -> None:
    options = LearningOptions(greedy=0.8, tolerance=0.05)
    dips = [0.6, 0.61, 0.56, 0.4, 0.5, 0.6, 0.7, 0.9]
    assert course(dips, options) == pytest.approx([0.2, 0.4, 0.8, 0.4, 0.2, 0.4, 0.8, 0.8])
    assert course([0.6, 0.0], LearningOptions(greedy=0.8, tolerance=None)) == [0.8, 0.8]
