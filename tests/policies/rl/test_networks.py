"""Mathematics of the networks: densities of actions, statistics of observations, critics in one batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.networks.ensemble import MlpEnsemble
from policies.rl.networks import Actor, Scale, squashed_log_prob, unsquash
from policies.rl.state import seeded


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (1.2, -1.0), (-2.0, 0.5), (0.3, -3.0)])
def test_a_squashed_density_sums_to_one_over_its_box(mean: float, log_std: float) -> None:
    # Equal steps of x, mapped: most of the density may lie in the last thousandth before 1.
    far = 40 * np.exp(log_std)
    edge = torch.tanh(torch.linspace(mean - far, mean + far, 400_001, dtype=torch.float64))
    middle, width = (edge[1:] + edge[:-1]) / 2, edge[1:] - edge[:-1]
    inside = (middle.abs() < 1 - 1e-14) & (width > 0)
    before = torch.atanh(middle[inside])[:, None]
    density = squashed_log_prob(before, torch.tensor([[mean]]).double(), torch.tensor([[log_std]]).double()).exp()
    assert float((density * width[inside]).sum()) == pytest.approx(1.0, abs=2e-4)


def test_actions_fall_where_their_density_says() -> None:
    with seeded(0):
        actor = Actor(2, 1, 16, 1)
    observation = torch.tensor([[0.5, -1.0]]).expand(200_000, 2)
    with torch.no_grad():
        action, log_prob = actor.sample(observation, torch.Generator().manual_seed(0))
        edges = torch.linspace(-0.95, 0.95, 20)
        grid = torch.linspace(-0.95, 0.95, 19 * 50 + 1)
        density = actor.log_prob(observation[: len(grid)], grid[:, None]).exp()
    expected = torch.stack([torch.trapezoid(density[k * 50 : (k + 1) * 50 + 1], dx=1.9 / 950) for k in range(19)])
    found = torch.histogram(action[:, 0], edges)[0] / len(action)
    torch.testing.assert_close(found, expected, atol=4e-3, rtol=0)
    # The two ways to the same number agree where float32 can tell actions apart.
    within = action[:, 0].abs() < 0.99
    again = actor.log_prob(observation[: len(action)][within], action[within])
    torch.testing.assert_close(again, log_prob[within], atol=1e-3, rtol=1e-3)


@given(st.floats(-100, 100), st.sampled_from([-4.0, -1.5, 0.0]))
@settings(deadline=None, max_examples=40)
def test_an_action_that_was_kept_is_as_likely_as_when_it_was_drawn(wanted: float, log_std: float) -> None:
    """However far beyond the box a network wants to go: else ratios of probabilities explode at its edge."""
    actor = Actor(1, 1, 4, 1, free_deviation=True, log_std=log_std)
    with torch.no_grad():
        actor.body[-1].weight.zero_()
        actor.body[-1].bias.fill_(wanted)
        observation = torch.zeros(500, 1)
        action, drawn = actor.sample(observation, torch.Generator().manual_seed(0))
        kept = actor.log_prob(observation, action)
    torch.testing.assert_close(kept, drawn, atol=0.05, rtol=0)


@given(st.floats(-1, 1))
def test_no_action_of_the_box_is_infinitely_far(action: float) -> None:
    before = unsquash(torch.tensor([[action]], dtype=torch.float32))
    assert before.isfinite().all()
    assert float(torch.tanh(before)) == pytest.approx(action, abs=2e-6)


@given(st.integers(0, 2**31), st.lists(st.integers(1, 40), min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_a_scale_sees_the_same_whatever_the_batches(seed: int, sizes: list[int]) -> None:
    values = np.random.default_rng(seed).normal(3.0, 20.0, (sum(sizes), 2)).astype(np.float32)
    scale = Scale(2)
    for part in np.split(values, np.cumsum(sizes)[:-1]):
        scale.see(torch.from_numpy(part))
    np.testing.assert_allclose(scale.mean, values.astype(float).mean(0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scale.squares / scale.count, values.astype(float).var(0), rtol=1e-6, atol=1e-9)


def test_critics_of_a_batch_are_critics_of_their_own() -> None:
    """Member k answers as it would alone, and learns from its own goals only."""
    with seeded(1):
        critics = MlpEnsemble(3, 4, 8, 2)
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    together = critics(inputs)
    assert together.shape == (3, 5)
    with torch.no_grad():
        for weight in critics.weights:
            weight[1] += 1.0
    changed = critics(inputs)
    assert torch.equal(changed[[0, 2]], together[[0, 2]]) and not torch.equal(changed[1], together[1])
