"""Laws of the PID multiplier."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.safe.multiplier import PPO_GAINS, SAC_GAINS, Gains, Multiplier, Pid
from robot.errors import InputError

gains = st.builds(
    Gains,
    st.floats(0, 2),
    st.floats(1e-3, 1),
    st.floats(0, 2),
    st.floats(0, 0.99),
    st.integers(1, 20),
    st.floats(0.5, 50),
)


@given(gains, st.lists(st.floats(0, 100), min_size=1, max_size=60))
@settings(deadline=None)
def test_the_multiplier_stays_between_nothing_and_its_largest(gains: Gains, costs: list[float]) -> None:
    pid = Pid(gains)
    for cost in costs:
        assert 0 <= pid.update(cost) <= gains.most


@given(gains, st.floats(0.05, 5))
@settings(deadline=None)
def test_it_grows_while_the_cost_is_above_the_limit_and_falls_to_nothing_below_it(gains: Gains, excess: float) -> None:
    pid = Pid(gains)
    grown = [pid.update(1 + excess) for _ in range(300)]
    assert all(after >= before - 1e-12 for before, after in pairwise(grown))
    assert grown[-1] > 0 and (grown[-1] > grown[0] or grown[-1] == pytest.approx(gains.most))
    # Once the smoothed excess has followed, it only falls.
    settling = [pid.update(0.0) for _ in range(600 + int(gains.most / gains.integral))]
    late = settling[600:]
    assert all(after <= before + 1e-12 for before, after in pairwise(late))
    assert settling[-1] == 0


@pytest.mark.parametrize("given_gains", [PPO_GAINS, SAC_GAINS, Gains(0.0, 0.5, 0.0, smoothing=0.0, most=3.0)])
def test_a_long_excess_winds_nothing_up(given_gains: Gains) -> None:
    def steps_to_come_down(excess_steps: int) -> int:
        pid = Pid(given_gains)
        for _ in range(excess_steps):
            pid.update(1000.0)
        assert pid.value == given_gains.most
        for _ in range(100 * given_gains.delay):
            pid.update(1.0)  # at the limit: what is left is the integral alone
        assert pid.value <= given_gains.most
        steps = 0
        while pid.value > 0.9 * given_gains.most:
            pid.update(1 - 0.002 * given_gains.most / given_gains.integral)
            steps += 1
        return steps

    full = int(given_gains.most / given_gains.integral / 999) + 200
    assert steps_to_come_down(full) == steps_to_come_down(5 * full)


def test_a_rising_cost_is_met_before_it_passes_the_limit_only_by_the_derivative() -> None:
    rising = [0.5 + 0.04 * number for number in range(10)]
    without, with_one = Pid(Gains(0.1, 0.01, 0.0, smoothing=0.0)), Pid(Gains(0.1, 0.01, 5.0, smoothing=0.0))
    assert max(without.update(cost) for cost in rising) == 0
    assert max(with_one.update(cost) for cost in rising) > 0


def test_a_falling_cost_is_no_reason_to_be_more_lenient() -> None:
    """The derivative counts upwards only."""
    falling = [3.0 - 0.05 * number for number in range(20)]
    without, with_one = Pid(Gains(0.1, 0.01, 0.0, smoothing=0.0)), Pid(Gains(0.1, 0.01, 5.0, smoothing=0.0))
    assert [without.update(cost) for cost in falling] == [with_one.update(cost) for cost in falling]


def test_costs_are_summed_over_an_episode_and_not_over_its_end() -> None:
    multiplier = Multiplier(Gains(1.0, 0.1, 0.0, smoothing=0.0))
    multiplier.begin()
    multiplier.count(np.array([0.7, 0.1]), np.array([False, False]))
    assert multiplier.update() == 0  # nothing has ended
    multiplier.count(np.array([0.8, 0.1]), np.array([True, False]))
    assert multiplier.update() == pytest.approx(1.0 * 0.5 + 0.1 * 0.5)
    multiplier.count(np.array([0.2, 0.1]), np.array([True, True]))
    assert multiplier.update() == 0  # 0.2 and 0.3


def test_what_was_saved_as_json_goes_on_alike() -> None:
    costs = np.random.default_rng(0).uniform(0, 3, 100).tolist()
    whole, parts = Pid(PPO_GAINS), Pid(PPO_GAINS)
    expected = [whole.update(cost) for cost in costs]
    found = [parts.update(cost) for cost in costs[:37]]
    again = Pid(PPO_GAINS)
    again.restore(json.loads(json.dumps(parts.state())))
    assert found + [again.update(cost) for cost in costs[37:]] == expected


def test_gains_below_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="integral"):
        Gains(0.1, -0.1, 0.0)
    with pytest.raises(InputError, match="smoothing"):
        Gains(0.1, 0.1, 0.0, smoothing=1.0)
