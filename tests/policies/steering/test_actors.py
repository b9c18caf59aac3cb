"""Actors that steer: what one does that has learnt nothing, how often chunks are drawn, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from policies.actors.actor import LearntActor
from policies.experience.exploring_edits import ExploringEdits
from policies.experience.exploring_noises import ExploringNoises
from policies.model.policy import DiffusionPolicy
from policies.recipe.actors import NoiseShape
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_actor.noise_actor import NoiseActor
from policies.steering.by_actor.residual import Residual
from policies.steering.by_noise.medoid import Medoid
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.by_noise.ticket import Ticket
from policies.steering.execution import Executed, Resampled
from robot.description import Query
from robot.errors import InputError
from tests.policies.points import make_policy, observe
from tests.policies.steering.actors import BASE, made_actor
from tests.policies.steering.known_critics import KnownCritic

SEEDS = [3, 1, 4, 1, 5]


def recipe(objective: str = "flow") -> PolicyRecipe:
    network = {"name": "mlp", "width": 32, "depth": 1, "features": 16}
    return PolicyRecipe(network=network, objective={"name": objective}, horizon=6, n_action_steps=3)


def named(policy: DiffusionPolicy) -> DiffusionPolicy:
    policy.fingerprint = BASE
    return policy


@pytest.fixture(scope="module")
def policy(store: Path) -> DiffusionPolicy:
    return named(make_policy(store, recipe()))


class Counted:
    """Counts the calls of a policy's network of chunks, and the chunks of each."""

    def __init__(self, policy: DiffusionPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chunks: list[int] = []
        right = policy.model.denoise

        def denoise(noise: torch.Tensor, *more: Any, **options: Any) -> torch.Tensor:
            self.chunks.append(len(noise))
            return right(noise, *more, **options)

        monkeypatch.setattr(policy.model, "denoise", denoise)


def test_an_untrained_actor_of_noises_is_zero_noise_to_the_bit(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 5)
    zero = NoiseScaled(policy, noise_scale=0.0).decide(observation, samples=2, seeds=SEEDS)
    for shape in ("full", "repeated", "knots"):
        decision = NoiseActor(policy, made_actor(policy, "noise_actor", shape=shape)).decide(
            observation, samples=2, seeds=SEEDS[::-1]
        )
        np.testing.assert_array_equal(decision.chunk, zero.chunk)
        assert decision.fell_back is not None and not decision.fell_back.any()


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0])
def test_an_untrained_residual_is_the_policy_below_to_the_bit(policy: DiffusionPolicy, scale: float) -> None:
    observation, below = observe(policy, 5), NoiseScaled(policy, noise_scale=scale)
    expected = below.decide(observation, samples=2, seeds=SEEDS)
    for critic in (None, KnownCritic(policy.spec, lambda chunk: chunk.sum(axis=(2, 3)))):
        decision = Residual(below, made_actor(policy, "residual"), critic).decide(observation, samples=2, seeds=SEEDS)
        np.testing.assert_array_equal(decision.chunk, expected.chunk)
        np.testing.assert_array_equal(decision.noise, expected.noise)


def test_a_noise_of_the_actor_is_what_its_chunk_is_drawn_from(policy: DiffusionPolicy) -> None:
    observation, actor = observe(policy, 5), made_actor(policy, "noise_actor", moved=1.0)
    steered = NoiseActor(Executed(Resampled(policy, steps=10), n_action_steps=3), actor)
    with torch.inference_mode():
        noise = actor.model.head(actor.state(observation)).numpy()
    assert np.abs(noise).max() > 0.1
    for seeds in (SEEDS, SEEDS[::-1]):
        chunk = steered.sample(observation, samples=2, seeds=seeds)
        expected = policy.sample(observation, samples=2, noise=np.stack([noise] * 2, axis=1))
        np.testing.assert_array_equal(chunk, expected)


def test_a_decision_draws_one_chunk_and_calls_the_network_once(
    policy: DiffusionPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, observation = Counted(policy, monkeypatch), observe(policy, 5)
    noises, edits = made_actor(policy, "noise_actor", moved=1.0), made_actor(policy, "residual", moved=1.0)
    NoiseActor(policy, noises).decide(observation, seeds=SEEDS)
    Residual(policy, edits, KnownCritic(policy.spec, lambda chunk: chunk.sum(axis=(2, 3)))).decide(
        observation, seeds=SEEDS
    )
    assert counted.chunks == [5, 5]
    ExploringNoises(policy, actor=noises).decide(observation, seeds=SEEDS)
    ExploringEdits(policy, edits).decide(observation, seeds=SEEDS)
    assert counted.chunks[2:] == [10, 5], "the zero-noise plan beside it, in the same call"


def test_edits_are_one_offset_of_the_whole_chunk_within_delta(policy: DiffusionPolicy) -> None:
    observation, actor = observe(policy, 5), made_actor(policy, "residual", delta=(0.01, 0.0), moved=5.0)
    base, edited = policy.sample(observation, seeds=SEEDS), Residual(policy, actor).decide(observation, seeds=SEEDS)
    moved = edited.chunk - base
    np.testing.assert_allclose(moved, moved[:, :, :1].repeat(6, axis=2), atol=1e-6)
    assert 0.001 < np.abs(moved[..., 0]).max() <= 0.01 + 1e-6 and not moved[..., 1].any()
    assert edited.candidates is not None and edited.index is not None and edited.index.all()
    np.testing.assert_array_equal(edited.candidates[:, :, 0], base)
    np.testing.assert_array_equal(edited.candidates[:, :, 1], edited.chunk)


def test_a_critic_takes_the_better_of_edited_and_unedited(policy: DiffusionPolicy) -> None:
    observation, actor = observe(policy, 5), made_actor(policy, "residual", delta=(0.01, 0.0), moved=5.0)
    for sign in (1, -1):
        steered = Residual(policy, actor, KnownCritic(policy.spec, partial(_first_component, sign=sign)))
        decision = steered.decide(observation, samples=3, seeds=SEEDS)
        assert decision.index is not None and decision.index.shape == (5, 3)
        gains = sign * steered.offsets(Query(observation))[:, 0] > 0
        np.testing.assert_array_equal(decision.index == 1, np.repeat(gains[:, None], 3, axis=1))


def test_rows_that_are_committed_are_not_edited(policy: DiffusionPolicy) -> None:
    observation, actor = observe(policy, 2), made_actor(policy, "residual", moved=5.0)
    prefix, weight = np.full((2, 6, 2), 0.3, np.float32), np.repeat([[1.0, 1, 0.5, 0, 0, 0]], 2, axis=0)
    below = policy.sample(observation, seeds=[1, 2], prefix=prefix, prefix_weight=weight)
    chunk = Residual(policy, actor).sample(observation, seeds=[1, 2], prefix=prefix, prefix_weight=weight)
    moved = (chunk - below)[:, 0]
    np.testing.assert_array_equal(moved[:, :2], 0)
    np.testing.assert_allclose(2 * moved[:, 2], moved[:, 3], atol=1e-6)
    assert np.abs(moved[:, 3:]).max() > 0.001


def test_what_is_no_number_falls_back_to_the_rung_below(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 3)
    expected = NoiseScaled(policy, noise_scale=0.0).sample(observation)
    for kind, steer in (("noise_actor", NoiseActor), ("residual", Residual)):
        actor = made_actor(policy, kind, moved=1.0)
        with torch.no_grad():
            actor.model.head.actor.body[-1].bias.fill_(torch.nan)
        below = policy if kind == "noise_actor" else NoiseScaled(policy, noise_scale=0.0)
        decision = steer(below, actor).decide(observation)
        np.testing.assert_array_equal(decision.chunk, expected)
        assert decision.fell_back is not None and decision.fell_back.all()
    critic = KnownCritic(policy.spec, lambda chunk: np.full(chunk.shape[:2], np.nan))
    decision = Residual(policy, made_actor(policy, "residual", moved=1.0), critic).decide(observation, seeds=[1, 2, 3])
    np.testing.assert_array_equal(decision.chunk, policy.sample(observation, seeds=[1, 2, 3]))
    assert decision.fell_back is not None and decision.fell_back.all()


def test_noises_are_given_to_the_base_itself(policy: DiffusionPolicy, store: Path) -> None:
    actor = made_actor(policy, "noise_actor")
    for between in (NoiseScaled(policy, noise_scale=0.5), Executed(NoiseScaled(policy), n_action_steps=3)):
        for make in (lambda below: NoiseActor(below, actor), ExploringNoises):
            with pytest.raises(InputError, match=r"noise_scale between the two.*Steer the base without noise_scale"):
                make(between)
    with pytest.raises(InputError, match="noise steered inside, the choice outside"):
        NoiseActor(Medoid(policy), actor)
    with pytest.raises(InputError, match="one that always gives the same chunk"):
        NoiseActor(Ticket(policy), actor)
    with pytest.raises(InputError, match="expected none"):
        NoiseActor(policy, actor).sample(observe(policy, 2), noise=np.zeros((2, 1, 6, 2)))
    regression = named(make_policy(store, recipe("regression")))
    with pytest.raises(InputError, match="objective flow, ddpm or edm"):
        NoiseActor(regression, made_actor(policy, "noise_actor"))
    edited = Residual(regression, made_actor(regression, "residual", moved=5.0))
    moved = edited.sample(observe(regression, 2)) - regression.sample(observe(regression, 2))
    assert np.abs(moved).max() > 1e-3, "an offset needs no noise"


def test_an_actor_of_another_policy_kind_or_execution_is_refused(policy: DiffusionPolicy) -> None:
    noises, edits = made_actor(policy, "noise_actor"), made_actor(policy, "residual")
    with pytest.raises(InputError, match="expected one of kind noise_actor, got one of kind residual"):
        NoiseActor(policy, edits)
    with pytest.raises(InputError, match="expected one of kind residual, got one of kind noise_actor"):
        Residual(policy, noises)
    for kind, actor in ((NoiseActor, noises), (Residual, edits)):
        with pytest.raises(InputError, match=r"the checkpoint of an actor.*got none"):
            kind(policy)
        with pytest.raises(InputError, match="sampler of its base"):
            kind(policy.with_sampler("euler", 3), actor)
        with pytest.raises(InputError, match="3, which the actor was made for, got 2"):
            kind(policy, actor).require_execution(2)
        with pytest.raises(InputError, match="base"):
            kind(policy, _of_another(actor))


@pytest.mark.parametrize("otherwise", ["zero", "any"])
def test_without_an_actor_exploring_is_the_rung_below(policy: DiffusionPolicy, otherwise: str) -> None:
    observation = observe(policy, 5)
    exploring = ExploringNoises(policy, scale=0.5, otherwise=otherwise)
    below = NoiseScaled(policy, noise_scale=0.0 if otherwise == "zero" else 0.5)
    decision = exploring.decide(observation, seeds=SEEDS)
    np.testing.assert_allclose(decision.chunk, below.sample(observation, seeds=SEEDS), atol=1e-5)
    assert decision.noise is not None and decision.candidates is not None and decision.index is not None
    assert decision.candidates.shape == (5, 1, 1, 6, 2)
    assert (decision.index == (0 if otherwise == "zero" else -1)).all()
    np.testing.assert_allclose(decision.candidates[:, :, 0], policy.sample(observation, noise=np.zeros((5, 1, 6, 2))))
    edits = ExploringEdits(below).decide(observation, seeds=SEEDS)
    np.testing.assert_array_equal(edits.chunk, below.sample(observation, seeds=SEEDS))
    assert edits.candidates is not None and edits.candidates.shape == (5, 1, 2, 6, 2)


def test_shares_of_decisions_are_the_actors(policy: DiffusionPolicy) -> None:
    observation, seeds = observe(policy, 400), list(range(400))
    actor = made_actor(policy, "noise_actor", shape="repeated")
    exploring = ExploringNoises(policy, actor=actor, greedy=0.75)
    decision = exploring.decide(observation, seeds=seeds)
    assert decision.noise is not None and decision.index is not None
    assert abs(float((decision.index == -1).mean()) - 0.75) < 0.06
    np.testing.assert_array_equal((decision.index == 0), ~decision.noise.any(axis=(2, 3)))
    acted = decision.noise[decision.index == -1]
    np.testing.assert_array_equal(acted, acted[:, :1].repeat(6, axis=1))
    again = policy.sample(observation, noise=decision.noise)
    np.testing.assert_allclose(again, decision.chunk, atol=1e-5, err_msg="the noise that is kept made the chunk")
    edits = ExploringEdits(policy, made_actor(policy, "residual"), None, 0.75).decide(observation, seeds=seeds)
    assert edits.index is not None and abs(float(edits.index.mean()) - 0.75) < 0.06
    never = KnownCritic(policy.spec, lambda chunk: -np.arange(2.0)[None].repeat(len(chunk), axis=0))
    anchored = ExploringEdits(policy, made_actor(policy, "residual"), never, 0.75, 0.5)  # type: ignore[arg-type]
    chosen = anchored.decide(observation, seeds=seeds).index
    assert chosen is not None and abs(float(chosen.mean()) - 0.375) < 0.06


def test_noises_of_the_rung_below_can_be_made_as_the_actors_are(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 50)
    exploring = ExploringNoises(policy, scale=1.0, otherwise="any", within=NoiseShape(1.5, "repeated"))
    noise = exploring.decide(observation, seeds=list(range(50))).noise
    assert noise is not None and 1.0 < np.abs(noise).max() <= 1.5
    np.testing.assert_array_equal(noise, noise[:, :, :1].repeat(6, axis=2))


def _first_component(chunk: np.ndarray, sign: int) -> np.ndarray:
    values: np.ndarray = sign * chunk[..., 0].sum(axis=2)
    return values


def _of_another(actor: LearntActor) -> LearntActor:
    base = replace(actor.spec.base, hash="another")
    return LearntActor(actor.model, replace(actor.spec, base=base), actor.recipe)
