"""Mathematics of the algorithms: densities, advantages, statistics of observations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.safe.environment import Step
from policies.safe.networks import Actor, Critics, Scale, squashed_log_prob, unsquash
from policies.safe.replay import ReplayBuffer
from policies.safe.returns import advantages
from policies.safe.sac import Sac, SacConfig
from policies.safe.state import seeded


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
        critics = Critics(3, 4, 8, 2)
    inputs = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    together = critics(inputs)
    assert together.shape == (3, 5)
    with torch.no_grad():
        for weight in critics.weights:
            weight[1] += 1.0
    changed = critics(inputs)
    assert torch.equal(changed[[0, 2]], together[[0, 2]]) and not torch.equal(changed[1], together[1])


def one_step(reward: float, *, terminated: bool, truncated: bool) -> Step:
    """A step of two rows that goes on from 0.3 to 0.7, with the row begun anew at -5 where it ended."""
    ended = terminated or truncated
    first, led_to = np.full((2, 1), -5.0 if ended else 0.7), np.full((2, 1), 0.7)
    return Step(
        first,
        led_to,
        np.full(2, reward),
        np.full(2, 0.25),
        np.full(2, terminated),
        np.full(2, truncated),
        np.full((2, 1), 0.1),
        np.ones(2),
        np.zeros(2, dtype=bool),
    )


@pytest.mark.parametrize("truncated", [False, True])
def test_values_go_on_through_a_time_limit_from_where_the_step_led(truncated: bool) -> None:
    agent = Sac(1, 1, SacConfig(width=8, replay=100, temperature=1e-9))
    agent.replay.add(np.full((2, 1), 0.3), one_step(2.0, terminated=False, truncated=truncated))
    batch = agent.replay.split(agent.replay.draw(400, torch.Generator().manual_seed(0)))
    goals = agent.goals(batch.next_observation, batch)
    with torch.no_grad():
        action, _ = agent.actor.sample(torch.full((20_000, 1), 0.7), torch.Generator().manual_seed(1))
        after = agent.targets(torch.cat([torch.full((20_000, 1), 0.7), action], dim=1)).amin(0).mean()
    assert float(goals.mean()) == pytest.approx(2.0 + 0.99 * float(after), abs=0.03)
    assert abs(float(after)) > 0.05  # or this would say nothing


def test_nothing_comes_after_a_terminated_task() -> None:
    agent = Sac(1, 1, SacConfig(width=8, replay=100))
    agent.replay.add(np.full((2, 1), 0.3), one_step(2.0, terminated=True, truncated=False))
    batch = agent.replay.split(agent.replay.draw(10, torch.Generator().manual_seed(0)))
    assert torch.equal(agent.goals(batch.next_observation, batch), torch.full((2, 10), 2.0))


def test_a_replay_keeps_the_newest_and_what_was_executed() -> None:
    replay = ReplayBuffer(5, 1, 1)
    for number in range(4):
        replay.add(np.full((2, 1), float(number)), one_step(float(number), terminated=False, truncated=False))
    batch = replay.split(replay.draw(500, torch.Generator().manual_seed(0)))
    assert set(batch.reward.tolist()) == {1.0, 2.0, 3.0} and replay.count == 5
    assert torch.equal(batch.action, torch.full((500, 1), 0.1))
    assert torch.equal(batch.observation[:, 0], batch.reward)
