"""Actors find the noise, or the offset, that is right; updates that go on from a checkpoint are the same ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from policies.critics.names import CANDIDATES, NOISE, PLAN
from policies.experience.learner import Learner, Subject
from policies.experience.noise_actor import NoiseActorLearner
from policies.experience.noise_sac import NoiseSacLearner
from policies.experience.residual import ResidualLearner
from policies.recipe.actors import NoiseOptions, ResidualOptions
from policies.rl.networks import squashed_entropy, squashed_log_prob
from robot.errors import InputError
from tests.policies.experience import bandits
from tests.policies.experience.bandits import BASE, BOUND, CONFIG, DELTA, SPEC, denoise, experience, head_of, learn

KINDS = ("dsrl_na", "dsrl_sac", "residual")


def learner(kind: str, own: Any, **options: Any) -> Learner:
    subject = Subject(SPEC, BASE, (), own, bandits.NOISE)
    if kind == "residual":
        edits = ResidualOptions(**{"delta": {"target": DELTA}, "after": 100, **options})
        return ResidualLearner(subject, CONFIG, options=edits)
    noises = NoiseOptions(**{"bound": BOUND, "after": 100, **options})
    more: dict[str, Any] = {"options": noises, "deviation": 0.3}
    if kind == "dsrl_sac":
        return NoiseSacLearner(subject, CONFIG, **more)
    return NoiseActorLearner(subject, CONFIG, denoise=denoise, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_is_found(kind: str) -> None:
    """From the same decisions: the noise 0.5 x, or the offset 0.2 x, which no chunk of zero noise has."""
    own = experience(edits=kind == "residual")
    made = learner(kind, own)
    made.begin(0)
    learn(made, own, 101)
    assert not head_of(made).any(), "in the first segment the critic alone learns"
    made.begin(1)
    made.updates = 0
    learn(made, own, 100)
    assert not head_of(made).any(), "the critic comes first"
    figures = learn(made, own, 450, first=100)
    right = bandits.RIGHT_OFFSET if kind == "residual" else bandits.RIGHT_NOISE
    given = head_of(made).reshape(2, -1)
    np.testing.assert_allclose(given.mean(axis=1), [-right, right], atol=0.2 * right + 0.05)
    assert 0.05 <= figures["alpha"] <= 0.3 + 1e-6 and figures["at_bound"] < 0.2


def test_it_is_found_in_another_shape_of_noise() -> None:
    own = experience()
    made = learner("dsrl_na", own, shape="full")
    made.begin(1)
    learn(made, own, 500)
    assert made.head.numbers == 4  # type: ignore[attr-defined]
    np.testing.assert_allclose(head_of(made).mean(axis=(1, 2)), [-0.5, 0.5], atol=0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_updates_go_on_from_a_checkpoint_to_the_same_bits(kind: str) -> None:
    own = experience(edits=kind == "residual", count=400)
    whole = learner(kind, own, after=10)
    whole.begin(1)
    learn(whole, own, 30)
    tensors, numbers = whole.tensors(), whole.numbers()
    again = learner(kind, own, after=10).restore(tensors, numbers)
    for each in (whole, again):
        each.begin(2)
        learn(each, own, 20, first=30)
    one, other = whole.tensors(), again.tensors()
    assert one.keys() == other.keys() and whole.numbers() == again.numbers()
    assert any(not torch.equal(tensors[name], one[name]) for name in one), "it moved"
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_what_follows_is_worth_what_the_actor_would_do_there() -> None:
    own = experience(count=64)
    made = learner("dsrl_na", own, backup_entropy=True)
    assert isinstance(made, NoiseActorLearner)
    with torch.no_grad():
        made.head.actor.body[-1].bias[0] = 5.0
    made.begin(0)
    batch = own.batch(np.arange(64))
    after = made.followed(batch).following
    assert after is not None and batch.following is not None
    drawn = after.columns[CANDIDATES]
    assert drawn.shape == (64, 1, bandits.K, 1)
    base = 0.1 * batch.following.observation["place"][:, -1]
    reached = (drawn[:, 0, 0] - base) / (0.4 * BOUND)
    assert float(reached.min()) > 0.7, "noises of the actor as it is now"
    torch.testing.assert_close(after.columns[PLAN], batch.following.columns[PLAN])
    bonus = after.columns["later.bonus"]
    assert bonus.shape == (64,) and float(bonus.std()) > 0
    made.begin(0)
    plain = learner("dsrl_na", own)
    plain.begin(0)
    followed = plain.followed(batch).following  # type: ignore[attr-defined]
    assert not followed.columns["later.bonus"].any()


def test_the_critic_of_noises_learns_within_the_bound() -> None:
    own = experience(count=64)
    made = learner("dsrl_na", own, shape="full", jitter=1.0)
    assert isinstance(made, NoiseActorLearner)
    made.begin(0)
    with torch.no_grad():
        tried = torch.cat([made.tried(made.state(own.batch(np.arange(64)))) for _ in range(40)])
    assert float(tried.abs().max()) == 1.0
    noise = made.head.noise(tried)
    assert 1.0 < float(noise.abs().max()) <= BOUND


def test_sac_learns_from_noises_alone_and_skips_what_was_drawn_from_none() -> None:
    own = experience(count=64)
    made = learner("dsrl_sac", own)
    assert isinstance(made, NoiseSacLearner)
    batch = own.batch(np.arange(64))
    steps, known = made.step(batch)
    assert known.all() and steps.action.shape == (64, 1)
    torch.testing.assert_close(BOUND * steps.action, batch.columns[NOISE][:, 0])
    batch.columns[NOISE][::2] = torch.nan
    steps, known = made.step(batch)
    assert known.sum() == 32 and steps.action.isfinite().all() and len(steps.reward) == 32
    torch.testing.assert_close(steps.discount, torch.zeros(32))
    with pytest.raises(InputError, match="decisions with their noises"):
        learner("dsrl_sac", experience(edits=True, count=64))


@pytest.mark.parametrize("entropy", [False, True])
def test_targets_of_sac_are_discounted_by_the_steps_and_end_with_the_task_alone(entropy: bool) -> None:
    own = experience(count=64)
    made = learner("dsrl_sac", own, backup_entropy=entropy)
    assert isinstance(made, NoiseSacLearner)
    batch = own.batch(np.arange(64))
    discount = torch.where(torch.arange(64) % 2 == 0, bandits.GAMMA**bandits.K, 0.0)  # the others ended
    batch.columns["later.discount"].copy_(discount)
    with torch.no_grad():
        for bias in made.core.targets.biases[-1:]:
            bias.fill_(0.4)
    made.begin(0)
    steps, _ = made.step(batch)
    goals = made.core.goals(steps.next_observation, steps)
    made.begin(0)
    with torch.no_grad():
        action, log_prob = made.core.actor.sample(steps.next_observation, made.random)
        after = made.core.targets(torch.cat([steps.next_observation, action], dim=1)).amin(0)
    soft = after - made.core.alpha * log_prob * entropy
    torch.testing.assert_close(goals[0], (batch.columns["later.reward"] + discount * soft).clamp(0, 1))
    assert float(goals.min()) >= 0 and float(goals.max()) <= 1


@pytest.mark.parametrize("deviation", [0.05, 0.3, 1.0])
def test_the_entropy_that_is_held_is_that_of_the_first_actor(deviation: float) -> None:
    generator = torch.Generator().manual_seed(0)
    before = deviation * torch.randn(200_000, 1, generator=generator)
    drawn = squashed_log_prob(before, torch.zeros(1), torch.tensor([deviation]).log())
    assert squashed_entropy(deviation) == pytest.approx(-float(drawn.mean()), abs=0.01)
