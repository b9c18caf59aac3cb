"""The steps of critics, actor and temperature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from policies.rl import ActorCritic, ActorCriticConfig, Sac, SacConfig, Step, StepBatch
from robot.errors import InputError


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
    agent.remember(np.full((2, 1), 0.3), one_step(2.0, terminated=False, truncated=truncated))
    batch = agent.batch(np.arange(400) % 2)
    goals = agent.goals(batch.next_observation, batch)
    with torch.no_grad():
        action, _ = agent.actor.sample(torch.full((20_000, 1), 0.7), torch.Generator().manual_seed(1))
        after = agent.targets(torch.cat([torch.full((20_000, 1), 0.7), action], dim=1)).amin(0).mean()
    assert float(goals.mean()) == pytest.approx(2.0 + 0.99 * float(after), abs=0.03)
    assert abs(float(after)) > 0.05  # or this would say nothing


def test_nothing_comes_after_a_terminated_task() -> None:
    agent = Sac(1, 1, SacConfig(width=8, replay=100))
    agent.remember(np.full((2, 1), 0.3), one_step(2.0, terminated=True, truncated=False))
    batch = agent.batch(np.zeros(10, int))
    assert torch.equal(agent.goals(batch.next_observation, batch), torch.full((2, 10), 2.0))


def test_an_agent_keeps_the_newest_steps_and_what_was_executed() -> None:
    agent = Sac(1, 1, SacConfig(width=8, replay=5))
    for number in range(4):
        agent.remember(np.full((2, 1), float(number)), one_step(float(number), terminated=False, truncated=False))
    batch = agent.batch(np.arange(len(agent.replay)))
    assert sorted(batch.reward.tolist()) == [1.0, 2.0, 2.0, 3.0, 3.0]
    assert torch.equal(batch.action, torch.full((5, 1), 0.1))
    assert torch.equal(batch.observation[:, 0], batch.reward)


def learner(**changes: Any) -> ActorCritic:
    return ActorCritic(2, 1, ActorCriticConfig(width=8, depth=1, **changes), seed=0)


def decisions(count: int = 64, **changes: Any) -> StepBatch:
    random = torch.Generator().manual_seed(0)
    given = {
        "observation": torch.randn(count, 2, generator=random),
        "next_observation": torch.randn(count, 2, generator=random),
        "action": torch.rand(count, 1, generator=random) * 2 - 1,
        "reward": torch.randn(count, generator=random),
        "discount": torch.full((count,), 0.9),
        "alive": torch.ones(count),
    }
    return StepBatch(**given | changes)


def test_what_comes_after_several_steps_is_discounted_by_all_of_them() -> None:
    agent = learner(gamma=0.9, temperature=1e-9)
    batch = decisions(discount=0.9 ** torch.arange(64).float())
    agent.random.manual_seed(1)
    goals = agent.goals(batch.next_observation, batch)
    agent.random.manual_seed(1)
    following, _ = agent.following(batch.next_observation)
    expected = batch.reward + 0.9 ** torch.arange(64) * following.amin(0)
    torch.testing.assert_close(goals[0], expected)
    torch.testing.assert_close(agent.goals(batch.next_observation, decisions(alive=torch.zeros(64)))[1], batch.reward)


@pytest.mark.parametrize("reduction", ["min", "mean", "subset"])
def test_an_ensemble_is_reduced_as_it_says(reduction: str) -> None:
    agent = learner(ensemble=6, reduction=reduction, subset=2)
    values = torch.randn(7, 5, generator=torch.Generator().manual_seed(3))  # the last member learns something else
    found = torch.stack([agent.reduced(values, reduction) for _ in range(200)])
    mine = values[:6]
    if reduction == "min":
        assert (found == mine.amin(0)).all()
    elif reduction == "mean":
        torch.testing.assert_close(found, mine.mean(0).expand_as(found))
    else:
        pairs = torch.stack([torch.minimum(mine[i], mine[j]) for i in range(6) for j in range(i)])
        assert len(found.unique(dim=0)) > 5
        assert all((pairs == row).all(1).any() for row in found)


def test_a_temperature_keeps_its_bounds_and_a_fixed_one_stays() -> None:
    for entropy, changes, expected in (
        (-100.0, {"temperature_floor": 0.05}, 0.05),
        (100.0, {"temperature_cap": 0.3}, 0.3),
        (100.0, {"temperature_fixed": True}, 0.1),
    ):
        agent = learner(entropy=entropy, learning_rate=0.1, actor_every=1, **changes)
        for _ in range(60):
            figures = agent.update(decisions())
        assert figures["temperature"] == pytest.approx(expected, rel=1e-5)


def test_a_temperature_rises_where_actions_vary_too_little() -> None:
    for entropy, rises in ((5.0, True), (-50.0, False)):
        agent = learner(entropy=entropy, learning_rate=0.01, actor_every=1)
        for _ in range(10):
            figures = agent.update(decisions())
        assert (figures["temperature"] > 0.1) == rises and math.isfinite(figures["critic_loss"])


def test_entropy_of_what_follows_counts_only_where_it_is_backed_up() -> None:
    batch = decisions()
    goals = {}
    for backup in (True, False):
        for temperature in (0.1, 1.0):
            agent = learner(backup_entropy=backup, temperature=temperature)
            agent.random.manual_seed(0)
            goals[backup, temperature] = agent.goals(batch.next_observation, batch)
    assert torch.equal(goals[False, 0.1], goals[False, 1.0]) and not torch.equal(goals[True, 0.1], goals[True, 1.0])


def test_one_large_draw_is_cut_into_updates() -> None:
    parts = list(decisions(60).split(20))
    assert [len(part.reward) for part in parts] == [20, 20, 20] and parts[0].cost is None
    assert torch.equal(torch.cat([part.action for part in parts]), decisions(60).action)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"reduction": "max"}, "reduction"),
        ({"reduction": "subset", "subset": 3}, "subset"),
        ({"temperature": 0.5, "temperature_cap": 0.3}, "temperature"),
        ({"gamma": 1.5}, "gamma"),
        ({"ensemble": 0}, "ensemble"),
        ({"temperature": float("nan")}, "temperature"),
        ({"entropy": float("inf")}, "entropy"),
    ],
)
def test_choices_that_make_no_sense_are_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        ActorCriticConfig(**changes)


def test_rewards_that_are_not_finite_are_refused_where_they_come_in() -> None:
    agent = Sac(1, 1, SacConfig(width=8, replay=100))
    with pytest.raises(InputError, match=r"reward.*finite"):
        agent.remember(np.zeros((2, 1)), one_step(float("nan"), terminated=False, truncated=False))
    assert len(agent.replay) == 0


def test_what_is_unlikely_is_worth_more_by_the_temperature() -> None:
    """y = R + gamma (Q - alpha log pi), and the actor climbs Q - alpha log pi."""
    agent = learner(temperature=0.5)
    batch = decisions()
    agent.random.manual_seed(1)
    goals = agent.goals(batch.next_observation, batch)
    agent.random.manual_seed(1)
    following, log_prob = agent.following(batch.next_observation)
    torch.testing.assert_close(goals[0], batch.reward + 0.9 * (following.amin(0) - 0.5 * log_prob))
    values, log_prob = torch.tensor([[1.0], [2.0]]), torch.tensor([-3.0])
    torch.testing.assert_close(agent.objective(values, log_prob), torch.tensor([1.0 + 0.5 * 3.0]))
