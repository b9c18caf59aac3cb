"""SAC with a cost: what the last critic learns, which way the multiplier pushes, and checkpoints of before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from policies.rl.actor_critic import StepBatch
from policies.rl.environment import Step
from policies.rl.sac import Sac, SacConfig
from policies.safe import ConstrainedSac, ConstrainedSacConfig, Gains

CONFIG = ConstrainedSacConfig(width=8, depth=1, replay=5, temperature=0.5, gains=Gains(0.1, 0.1, 0.1))


def batch(agent: ConstrainedSac, count: int = 6) -> StepBatch:
    random = torch.Generator().manual_seed(0)
    return StepBatch(
        torch.randn(count, 2, generator=random), torch.randn(count, 2, generator=random),
        torch.rand(count, 1, generator=random), torch.randn(count, generator=random), torch.full((count,), 0.9),
        torch.tensor([1.0, 1, 1, 0, 1, 1]), torch.rand(count, generator=random),
    )  # fmt: skip


def test_the_last_critic_learns_the_cost_without_entropy() -> None:
    agent = ConstrainedSac(2, 1, CONFIG, seed=1)
    made = batch(agent)
    agent.random.manual_seed(3)
    goals = agent.goals(made.next_observation, made)
    agent.random.manual_seed(3)
    following, log_prob = agent.following(made.next_observation)
    assert goals.shape == (3, 6) and made.cost is not None
    torch.testing.assert_close(goals[2], made.cost + 0.9 * made.alive * following[2])
    soft = following[:2].amin(0) - 0.5 * log_prob
    torch.testing.assert_close(goals[0], made.reward + 0.9 * made.alive * soft)
    assert torch.equal(goals[0], goals[1]) and goals[2][3] == made.cost[3]


def test_a_multiplier_weighs_costs_against_values() -> None:
    agent = ConstrainedSac(2, 1, CONFIG, seed=1)
    values, log_prob = torch.tensor([[2.0], [3.0], [4.0]]), torch.tensor([0.2])
    torch.testing.assert_close(agent.objective(values, log_prob), torch.tensor([2.0 - 0.5 * 0.2]))
    agent.weight = 0.5
    torch.testing.assert_close(agent.objective(values, log_prob), torch.tensor([(2.0 - 0.5 * 0.2 - 0.5 * 4.0) / 1.5]))


def test_the_loss_of_critics_is_a_sum_over_members() -> None:
    agent = ConstrainedSac(2, 1, CONFIG, seed=1)
    made = batch(agent)
    before = agent.critics(torch.cat([made.observation, made.action], dim=1)).detach()
    loss, values = agent.critic_step(made.observation, made.action, before + 2.0)
    assert torch.equal(values, before) and float(loss) == pytest.approx(3 * 4.0, rel=1e-5)


@pytest.mark.parametrize("steps", [2, 5, 8])
@pytest.mark.parametrize("cost", [True, False])
def test_a_replay_of_an_earlier_checkpoint_comes_back(steps: int, cost: bool) -> None:
    """Rows [s, s', u, reward, cost, alive] of a ring of five, and the slot that is written next."""
    random = np.random.default_rng(0)
    ring = np.zeros((5, 2 + 2 + 1 + 3), np.float32)
    made = random.normal(size=(steps, 8)).astype(np.float32)
    made[:, 7] = np.arange(steps) % 3 != 0
    for number in range(steps):
        ring[number % 5] = made[number]
    kind = ConstrainedSac if cost else Sac
    agent = kind(2, 1, CONFIG if cost else SacConfig(width=8, depth=1, replay=5), seed=1)  # type: ignore[arg-type]
    state, numbers = agent.tensors(), agent.numbers()
    state = {name: value for name, value in state.items() if not name.startswith("replay.")}
    state |= {"replay.rows": torch.from_numpy(ring[: min(steps, 5)].copy()), "replay.next": torch.tensor(steps % 5)}
    agent.restore(state, numbers)
    found = agent.batch(np.arange(len(agent.replay)))
    kept = ring[: min(steps, 5)]
    assert len(agent.replay) == len(kept)
    np.testing.assert_array_equal(found.observation.numpy(), kept[:, :2])
    np.testing.assert_array_equal(found.next_observation.numpy(), kept[:, 2:4])
    np.testing.assert_array_equal(found.action.numpy(), kept[:, 4:5])
    np.testing.assert_array_equal(found.reward.numpy(), kept[:, 5])
    np.testing.assert_array_equal(found.alive.numpy(), kept[:, 7])
    if cost:
        assert found.cost is not None
        np.testing.assert_array_equal(found.cost.numpy(), kept[:, 6])
    none = np.zeros(1, bool)
    new = Step(*(np.full((1, 2), 9.0),) * 2, np.ones(1), np.ones(1), none, none, np.zeros((1, 1)), np.ones(1), none)
    agent.remember(np.full((1, 2), 9.0), new)
    slot = steps % 5 if steps >= 5 else steps
    assert (agent.batch(np.array([slot])).observation == 9).all(), "the oldest one is overwritten"
