"""Generalised advantages: the sums that define them."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.safe.returns import advantages


@given(st.integers(0, 2**31), st.floats(0.5, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_advantages_are_the_sums_that_define_them(seed: int, gamma: float, decay: float) -> None:
    """Against the double sum of eq. 16, each episode by itself."""
    random = np.random.default_rng(seed)
    steps, rows = 12, 3
    reward, value, following = random.normal(size=(3, steps, rows))
    terminated = random.random((steps, rows)) < 0.15
    truncated = ~terminated & (random.random((steps, rows)) < 0.15)
    done = terminated | truncated
    expected = np.zeros((steps, rows))
    for row in range(rows):
        for t in range(steps):
            total, weight = 0.0, 1.0
            for later in range(t, steps):
                after = 0.0 if terminated[later, row] else following[later, row]
                total += weight * (reward[later, row] + gamma * after - value[later, row])
                if done[later, row]:
                    break
                weight *= gamma * decay
            expected[t, row] = total
    found = advantages(*(torch.from_numpy(each) for each in (reward, value, following, terminated, done)), gamma, decay)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_with_lambda_one_an_advantage_and_its_value_are_the_return() -> None:
    random = np.random.default_rng(0)
    reward, value = torch.from_numpy(random.normal(size=(2, 6, 1)))
    ends = torch.zeros(6, 1, dtype=torch.bool)
    ends[-1] = True
    following = torch.cat([value[1:], torch.zeros(1, 1)])
    found = advantages(reward, value, following, ends, ends, 0.9, 1.0) + value
    expected = [sum(0.9 ** (k - t) * reward[k, 0] for k in range(t, 6)) for t in range(6)]
    np.testing.assert_allclose(found[:, 0], expected)
