"""Values of fixed noises: learnt on the critic, kept in a checkpoint, obeyed at run time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from policies.actors.actor import LearntActor, build_actor
from policies.actors.checkpoint import actor_fingerprint, load_actor, save_actor
from policies.actors.spec import ActorSpec
from policies.experience.codebook import CodebookLearner
from policies.experience.learner import Subject, base_of, recipe_of
from policies.loading.folder import steering_parts
from policies.loading.load import load, save_steered
from policies.model.checkpoint import save
from policies.model.policy import DiffusionPolicy
from policies.recipe.learner import LearnerConfig
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_actor.codebook import Codebook
from policies.steering.by_noise.noise import fixed_noises
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.registry import steer
from robot.errors import InputError
from tests.policies.experience.replays import BASE, CONFIG, GAMMA, SPEC, add_episode, empty, learn, learner
from tests.policies.points import make_policy, observe, write_store

SEEDS = [3, 1, 4, 1, 5]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codebook")
    store = write_store(folder / "store")
    network = {"name": "mlp", "width": 16, "depth": 1}
    policy = make_policy(store, PolicyRecipe(network=network, horizon=6, n_action_steps=3))
    return save(policy, folder / "base")


@pytest.fixture(scope="module")
def policy(base: Path) -> DiffusionPolicy:
    loaded = load(base)
    assert isinstance(loaded, DiffusionPolicy)
    return loaded


def actor(policy: DiffusionPolicy) -> LearntActor:
    """Fresh, with a normaliser that leaves everything as it is."""
    spec = ActorSpec(
        "codebook", policy.spec.observation, policy.spec.action, base_of(policy), 3, policy.noise_shape or (),
        {"entries": 4, "scale": 0.5, "seed": 7, "width": 8, "depth": 1},
    )  # fmt: skip
    made = build_actor(recipe_of(policy.spec, (), LearnerConfig()), spec)
    for name, buffer in made.model.normaliser.named_buffers():
        buffer.fill_(1.0 if "scale" in name or "factor" in name else 0.0)
    return made


def test_an_untrained_one_is_zero_noise(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 5)
    chunk = Codebook(policy, actor=actor(policy)).sample(observation, seeds=SEEDS)
    np.testing.assert_array_equal(chunk, NoiseScaled(policy, noise_scale=0.0).sample(observation, seeds=SEEDS))


def test_the_entry_of_the_largest_value_is_executed_and_one_chunk_drawn(
    policy: DiffusionPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = actor(policy)
    with torch.no_grad():
        made.model.head.biases[-1][2] = 3.0
    drawn: list[int] = []
    sample = DiffusionPolicy.decide

    def counted(self: DiffusionPolicy, observation: object, **more: object) -> object:
        drawn.append(int(more["samples"]))  # type: ignore[call-overload]
        return sample(self, observation, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(DiffusionPolicy, "decide", counted)
    decision = Codebook(policy, actor=made).decide(observe(policy, 5), seeds=SEEDS)
    assert drawn == [1], "denoised exactly once"
    noises = fixed_noises(policy.noise_shape or (), entries=4, scale=0.5, seed=7)
    expected = policy.sample(observe(policy, 5), noise=np.tile(noises[2], (5, 1, 1, 1)))
    np.testing.assert_array_equal(decision.chunk, expected)
    np.testing.assert_allclose(decision.value, 1 / (1 + np.exp(-3)), rtol=1e-5)


def test_it_is_kept_with_the_policy_that_it_steers(policy: DiffusionPolicy, base: Path, tmp_path: Path) -> None:
    path = save_actor(actor(policy), tmp_path / "actor")
    steered = steer(load(base), {"name": "codebook", "actor": str(path)})
    saved = save_steered(steered, tmp_path / "steered", base)
    assert steering_parts(saved) == {actor_fingerprint(path): path}
    again = load(saved)
    observation = observe(policy, 5)
    np.testing.assert_array_equal(again.sample(observation), steered.sample(observation))
    with torch.no_grad():
        other = load_actor(path)
        other.model.head.biases[-1][1] = 1.0
    save_actor(other, path)
    with pytest.raises(InputError, match="actor of the steered checkpoint"):
        load(saved)


def test_another_policy_sampler_or_number_of_rows_is_refused(policy: DiffusionPolicy) -> None:
    made = actor(policy)
    with pytest.raises(InputError, match="sampler of its base"):
        Codebook(policy.with_sampler(None, 3), actor=made)
    other = LearntActor(made.model, replace(made.spec, base=replace(made.spec.base, hash="0" * 16)), made.recipe)
    with pytest.raises(InputError, match="actor: base"):
        Codebook(policy, actor=other)
    with pytest.raises(InputError, match="n_action_steps"):
        Codebook(policy, actor=made).require_execution(2)
    with pytest.raises(InputError, match="none: its own"):
        Codebook(policy, actor=made).sample(observe(policy, 5), noise=np.zeros((5, 1, 6, 2), np.float32))
    with pytest.raises(InputError, match="checkpoint of an actor"):
        Codebook(policy)


def test_its_values_follow_those_of_the_critic() -> None:
    replay = empty()
    for seed in range(60):
        chosen = seed % 3
        add_episode(replay, [0.0], rewards=[[0, float(chosen == 2)]], terminated=True, chosen=[chosen], seed=seed)
    _, experience = learner(replay)
    subject = Subject(SPEC, BASE, (), experience, (3, 2))
    settings = {"entries": 3, "scale": 1.0, "seed": 0}
    made = CodebookLearner(subject, CONFIG, settings=settings)
    made.begin(0)
    figures = learn(made, experience, 500)
    assert figures["agreement"] > 0.95
    seen = {"place": torch.tensor([[[0.0, 1.0]]])}
    values = made.actor.model.head(made.actor.model.state(seen)).sigmoid()[:, 0].detach()
    assert int(values.argmax()) == 2 and float(values[2]) == pytest.approx(GAMMA, abs=0.08)
    again = CodebookLearner(subject, CONFIG, settings=settings).restore(made.tensors(), made.numbers())
    for each in (made, again):
        each.begin(1)
        learn(each, experience, 10)
    for name, tensor in made.tensors().items():
        torch.testing.assert_close(tensor, again.tensors()[name], rtol=0, atol=0)
