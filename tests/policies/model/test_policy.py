"""A policy at its border: shapes, units, seeds, noise, samplers, committed prefixes and wrong input."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.learning.statistics import statistics_of
from data.store.dataset import Dataset
from policies.model.build import build_policy, policy_spec
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import NormalisationConfig, PolicyRecipe
from robot.description import History, Policy, SamplerSpec
from robot.errors import InputError
from tests.policies.points import make_policy, observe


def with_objective(recipe: PolicyRecipe, name: str, **options: Any) -> PolicyRecipe:
    return replace(recipe, objective={"name": name, **options})


@pytest.fixture
def policy(store: Path, recipe: PolicyRecipe) -> DiffusionPolicy:
    return make_policy(store, recipe)


def test_it_is_a_policy_and_returns_chunks_in_raw_units(policy: DiffusionPolicy) -> None:
    assert isinstance(policy, Policy)
    assert policy.noise_shape == (6, 2)
    action = policy.sample(observe(policy, 5), samples=3, seeds=range(5))
    assert action.shape == (5, 3, 6, 2)
    assert action.dtype == np.float32


@pytest.mark.parametrize(
    ("objective", "sampler"),
    [("flow", "euler"), ("edm", "ancestral"), ("ddpm", "ddpm"), ("ddpm", "ddim"), ("regression", None), ("mip", None)],
)
@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_row_depends_on_its_own_seed_whatever_its_batch_mates(
    store: Path, recipe: PolicyRecipe, objective: str, sampler: str | None, batch: int
) -> None:
    policy = make_policy(store, with_objective(recipe, objective)).with_sampler(sampler, None)
    observation = observe(policy, 64)
    seeds = np.arange(100, 164)
    alone = policy.sample({name: value[:1] for name, value in observation.items()}, seeds=seeds[:1])
    together = policy.sample({name: value[:batch] for name, value in observation.items()}, seeds=seeds[:batch])
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)
    again = policy.sample({name: value[:batch] for name, value in observation.items()}, seeds=seeds[:batch])
    np.testing.assert_array_equal(together, again)


def test_a_sample_is_the_same_however_many_are_drawn(policy: DiffusionPolicy) -> None:
    observation = observe(policy, 2)
    few, many = (policy.sample(observation, samples=count, seeds=[7, 8]) for count in (2, 6))
    np.testing.assert_allclose(many[:, :2], few, atol=1e-5)
    assert np.abs(many[:, 0] - many[:, 5]).max() > 1e-2


@pytest.mark.parametrize(
    ("objective", "sampler"),
    [("flow", "euler"), ("flow", "heun"), ("edm", "heun"), ("edm", "dpm++2m"), ("ddpm", "ddim")],
)
def test_noise_alone_decides_what_an_ode_sampler_returns(
    store: Path, recipe: PolicyRecipe, objective: str, sampler: str
) -> None:
    policy = make_policy(store, with_objective(recipe, objective)).with_sampler(sampler, 4)
    observation = observe(policy, 9)
    noise = np.random.default_rng(1).standard_normal((9, 2, *policy.noise_shape))
    together = policy.sample(observation, noise=noise, samples=2, seeds=range(9))
    for row in (0, 8):
        alone = policy.sample(
            {name: value[row : row + 1] for name, value in observation.items()}, noise=noise[row : row + 1], samples=2
        )
        np.testing.assert_allclose(together[row : row + 1], alone, atol=1e-5)
    other = policy.sample(observation, noise=noise + 0.5, samples=2)
    assert np.abs(other - together).max() > 1e-2


class Far(torch.nn.Module):
    """Believes in a clean action far outside of everything."""

    def __init__(self, action: float):
        super().__init__()
        self.action = torch.nn.Parameter(torch.tensor(action))

    def forward(self, x: torch.Tensor, level: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.action.expand_as(x)


@pytest.mark.parametrize("mode", ["limits", "gaussian", "none"])
@pytest.mark.parametrize("sampler", ["ddim", "dpmsolver++", "ddpm"])
@pytest.mark.parametrize("clip", [1.0, 0.5])
def test_ddpm_clips_to_the_demonstrated_range_whatever_the_normalisation(
    store: Path, recipe: PolicyRecipe, mode: str, sampler: str, clip: float
) -> None:
    recipe = replace(recipe, normalisation=NormalisationConfig(mode), horizon=2, n_action_steps=1)
    policy = make_policy(store, with_objective(recipe, "ddpm", prediction="sample", clip=clip)).with_sampler(sampler, 8)
    demonstrated = policy.model.normaliser["action"]
    middle, half = (demonstrated.max + demonstrated.min) / 2, (demonstrated.max - demonstrated.min) / 2
    for sign in (-1, 1):
        policy.model.network = Far(sign * 1000.0)
        action = torch.from_numpy(policy.sample(observe(policy, 3), seeds=range(3)))
        torch.testing.assert_close(action, (middle + sign * clip * half).expand_as(action), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("objective", "refused"), [("ddpm", True), ("edm", True), ("flow", False), ("regression", False), ("mip", False)]
)
def test_actions_far_larger_than_the_noise_are_refused_where_sampling_would_lose_them(
    store: Path, recipe: PolicyRecipe, objective: str, refused: bool
) -> None:
    dataset = Dataset.open(store)
    far = statistics_of(np.random.default_rng(0).uniform(-9, 9, (50, 2)))
    other = statistics_of(np.random.default_rng(0).uniform(-9, 9, (50, 4)))
    for mode, alone in (("none", refused), ("limits", False), ("gaussian", False)):
        chosen = replace(with_objective(recipe, objective), normalisation=NormalisationConfig(fields={"action": mode}))
        spec = policy_spec(chosen, dataset.schema.observation, dataset.schema.action)
        with pytest.raises(InputError, match=r"point\.target\.[01].*action=limits") if alone else nullcontext():
            build_policy(chosen, spec, {"action": far, "goal": far, "point.state": other})
        assert build_policy(chosen, spec).spec == spec, "an older checkpoint is loaded all the same"


def test_actions_have_gradients_with_respect_to_noise(policy: DiffusionPolicy) -> None:
    noise = torch.zeros(2, 1, *policy.noise_shape, requires_grad=True)
    observation = {name: torch.from_numpy(value).float() for name, value in observe(policy, 2).items()}
    policy.sample_tensors(observation, noise=noise).sum().backward()
    assert noise.grad is not None
    assert noise.grad.abs().max() > 0


def test_another_sampler_shares_the_weights_and_leaves_the_policy_as_it_was(policy: DiffusionPolicy) -> None:
    quick = policy.with_sampler("heun", 3)
    assert quick.spec.sampler == SamplerSpec("heun", 3)
    assert policy.spec.sampler == SamplerSpec("euler", 10)
    assert quick.model is policy.model
    assert policy.with_sampler(steps=4).spec.sampler == SamplerSpec("euler", 4)
    with pytest.raises(InputError, match="Did you mean 'euler'"):
        policy.with_sampler("eular")


@pytest.mark.parametrize("objective", ["regression", "mip"])
def test_regression_cannot_be_steered_by_noise(store: Path, recipe: PolicyRecipe, objective: str) -> None:
    policy = make_policy(store, with_objective(recipe, objective))
    assert policy.noise_shape is None
    observation = observe(policy, 2)
    np.testing.assert_array_equal(policy.sample(observation, seeds=[1, 2]), policy.sample(observation, seeds=[3, 4]))
    with pytest.raises(InputError, match="do not start from noise"):
        policy.sample(observation, noise=np.zeros((2, 1, 6, 2)))


@pytest.mark.parametrize(
    ("objective", "sampler"), [("flow", "euler"), ("flow", "heun"), ("ddpm", "ddim"), ("edm", "heun"), ("ddpm", "ddpm")]
)
def test_committed_actions_stand_and_free_ones_of_a_prefix_are_not_looked_at(
    store: Path, recipe: PolicyRecipe, objective: str, sampler: str
) -> None:
    policy = make_policy(store, with_objective(recipe, objective)).with_sampler(sampler, 5)
    observation = observe(policy, 3)
    prefix = np.random.default_rng(2).uniform(-0.8, 0.8, (3, 6, 2))
    prefix[:, 2:] = np.nan
    weight = np.zeros((3, 6))
    weight[:, :2] = 1
    action = policy.sample(observation, samples=2, seeds=range(3), prefix=prefix, prefix_weight=weight)
    assert np.isfinite(action).all()
    np.testing.assert_allclose(action[:, :, :2], np.repeat(prefix[:, None, :2], 2, axis=1), atol=1e-4)
    free = policy.sample(observation, samples=2, seeds=range(3))
    assert np.abs(free[:, :, 2:] - action[:, :, 2:]).max() > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda o: o.pop("goal"), "observation 'goal': expected every key that is seen, got only point.state"),
        (
            lambda o: o.update({"goal": o["goal"][:, :1]}),
            r"observation 'goal': expected .*\(4, 2, 2\), got \(4, 1, 2\)",
        ),
        (lambda o: o.update({"goal": o["goal"][:3]}), r"got \(3, 2, 2\)"),
    ],
)
def test_a_wrong_observation_is_named(policy: DiffusionPolicy, change: Any, message: str) -> None:
    observation = observe(policy, 4)
    change(observation)
    with pytest.raises(InputError, match=message):
        policy.sample(observation)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": np.zeros((4, 2, 6, 2))}, r"noise: expected \(4, 1, 6, 2\)"),
        ({"seeds": [1, 2]}, "seeds: expected 4"),
        ({"prefix": np.zeros((4, 6, 2))}, "prefix_weight"),
        ({"prefix": np.zeros((4, 5, 2)), "prefix_weight": np.zeros((4, 5))}, "prefix: expected"),
    ],
)
def test_wrong_arguments_are_named(policy: DiffusionPolicy, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        policy.sample(observe(policy, 4), **arguments)


def test_a_recipe_chooses_keys_and_histories_of_what_is_offered(store: Path, recipe: PolicyRecipe) -> None:
    offered = Dataset.open(store).schema
    spec = policy_spec(replace(recipe, history={"goal": History(1)}), offered.observation, offered.action)
    assert [(key.name, key.history.steps) for key in spec.observation] == [("point.state", 2), ("goal", 1)]
    with pytest.raises(InputError, match=r"Did you mean 'point\.state'"):
        policy_spec(replace(recipe, observation=("point.stat",)), offered.observation, offered.action)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": {"name": "mpl"}}, "Did you mean 'mlp'"),
        ({"network": {"name": "mlp", "widht": 8}}, "Did you mean 'width'"),
        ({"network": {}}, "a name and its options"),
        ({"objective": {"name": "flw"}}, "Did you mean 'flow'"),
        ({"augmentation": {"crp": 8}}, "Did you mean 'crop'"),
        ({"sampler": SamplerSpec("eulr", 3)}, "Did you mean 'euler'"),
    ],
)
def test_a_misspelt_part_names_the_nearest(store: Path, recipe: PolicyRecipe, change: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_policy(store, replace(recipe, **change))


def test_statistics_are_of_what_the_network_sees(store: Path, recipe: PolicyRecipe) -> None:
    relative = replace(
        recipe, transforms=({"name": "relative_action", "references": {"point.target": {"key": "point.state"}}},)
    )
    policy = make_policy(store, relative)
    dataset = Dataset.open(store)
    differences = [
        episode["action"][min(t + ahead, len(episode["action"]) - 1)] - episode["point.state"][t, :2]
        for episode in (dataset.episode(index).data for index in range(len(dataset)))
        for t in range(len(episode["action"]))
        for ahead in range(6)
        if t + ahead < len(episode["action"])
    ]
    np.testing.assert_allclose(policy.model.normaliser["action"].min, np.min(differences, axis=0), atol=1e-6)
    np.testing.assert_allclose(policy.model.normaliser["action"].mean, np.mean(differences, axis=0), atol=1e-6)


def test_images_go_in_as_stored(image_store: Path, recipe: PolicyRecipe) -> None:
    images = replace(
        recipe,
        encoder={"name": "cnn", "features": 8},
        observation=("camera", "goal"),
        transforms=(),
        augmentation={"crop": 20},
    )
    policy = make_policy(image_store, images)
    observation = observe(policy, 2)
    action = policy.sample(observation, seeds=[0, 1])
    darker = policy.sample({**observation, "camera": observation["camera"] // 2}, seeds=[0, 1])
    assert np.abs(action - darker).max() > 1e-4
    with pytest.raises(InputError, match="encoder=cnn"):
        make_policy(image_store, replace(images, encoder={"name": "state"}))
