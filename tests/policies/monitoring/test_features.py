"""What a policy tells of its network: the right numbers, at no price to its chunks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import PolicyRecipe
from policies.steering.by_noise.medoid import Medoid
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.steering.execution import Executed
from robot.description import FeaturePolicy, decide, with_features
from robot.description.decision import FEATURES, Query
from robot.errors import InputError
from tests.policies.points import make_policy, observe

SEEDS = [3, 1, 4]
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"name": "mlp", "width": 32, "depth": 1, "features": 16},
    "transformer": {"name": "transformer", "width": 16, "depth": 1, "heads": 2},
    "unet": {"name": "unet", "down_dims": [16, 32], "step_embedding": 16},
}
PENULTIMATE = {"mlp": 32, "transformer": 16, "unet": 16}


def policy_of(store: Path, network: str = "mlp", objective: str = "flow") -> DiffusionPolicy:
    return make_policy(
        store,
        PolicyRecipe(
            network=NETWORKS[network], objective={"name": objective}, observation=("point.state", "goal"), horizon=6,
            n_action_steps=3,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("objective", ["flow", "ddpm", "mip"])
def test_features_change_no_bit_of_a_chunk(store: Path, network: str, objective: str) -> None:
    policy = policy_of(store, network, objective)
    observation = observe(policy, 3)
    plain = policy.decide(observation, samples=2, seeds=SEEDS)
    assert plain.features is None
    sizes = {}
    for kind in FEATURES:
        decision = policy.with_features(kind).decide(observation, samples=2, seeds=SEEDS)
        np.testing.assert_array_equal(decision.chunk, plain.chunk)
        assert decision.features is not None and decision.features.dtype == np.float32
        assert decision.features.shape[:2] == (3, 2) and np.isfinite(decision.features).all()
        sizes[kind] = decision.features.shape[2]
    assert sizes["network"] == PENULTIMATE[network] and sizes["both"] == sizes["condition"] + sizes["network"]
    assert policy.decide(observation, seeds=SEEDS).features is None, "the policy itself is as it was"
    assert not policy.model.network.readout._forward_pre_hooks


def test_the_condition_is_the_encoded_observation_and_knows_no_noise(store: Path) -> None:
    policy = policy_of(store)
    observation = observe(policy, 3)
    with torch.inference_mode():
        condition, _ = policy.model.encode(policy._tensors(observation))
    for seeds in (SEEDS, [9, 9, 9]):
        np.testing.assert_array_equal(policy.features(observation, kind="condition", seeds=seeds), condition.numpy())


def test_the_last_layer_makes_the_chunk_of_the_features(store: Path) -> None:
    """After one Euler step the action is the noise and what the last layer makes of the features."""
    policy = policy_of(store).with_sampler("euler", 1)
    observation = observe(policy, 3)
    decision = policy.with_features("network").decide(observation, seeds=SEEDS)
    with torch.inference_mode():
        _, stages = policy.model.encode(policy._tensors(observation))
        velocity = policy.model.network.readout(torch.from_numpy(decision.features[:, 0])).view(3, 6, 2)
        chunk = policy.model.decode(torch.from_numpy(decision.noise[:, 0]) + velocity, stages)
    np.testing.assert_allclose(chunk.numpy(), decision.chunk[:, 0], atol=1e-6)


def test_the_last_step_of_the_sampler_is_the_one_that_is_told(store: Path) -> None:
    policy = policy_of(store)
    observation = observe(policy, 3)
    one, many = (
        policy.with_sampler("euler", steps).features(observation, kind="network", seeds=SEEDS) for steps in (1, 5)
    )
    assert np.abs(one - many).max() > 1e-3


def test_a_row_tells_the_same_alone_and_among_others(store: Path) -> None:
    policy = policy_of(store)
    observation = observe(policy, 3)
    together = policy.features(observation, seeds=SEEDS)
    alone = policy.features({name: value[1:2] for name, value in observation.items()}, seeds=SEEDS[1:2])
    np.testing.assert_allclose(alone[0], together[1], atol=1e-5)


@pytest.mark.parametrize("kind", [NoiseScaled, Medoid, Executed])
def test_what_steers_hands_the_features_on(store: Path, kind: Any) -> None:
    policy = policy_of(store)
    options = (
        {"noise_scale": 0.5} if kind is NoiseScaled else {"candidates": 4} if kind is Medoid else {"n_action_steps": 2}
    )
    steered = kind(policy, **options)
    observation = observe(policy, 3)
    plain = decide(steered, Query(observation, samples=2, seeds=SEEDS))
    decision = decide(with_features(steered, "network"), Query(observation, samples=2, seeds=SEEDS))
    np.testing.assert_array_equal(decision.chunk, plain.chunk)
    assert decision.features is not None and decision.features.shape == (3, 2, 32)
    if kind is Medoid:  # those of the chunk that was chosen
        row, column = 1, 1
        noise = decision.noise[row, column, decision.index[row, column]]
        seen = {name: value[row : row + 1] for name, value in observation.items()}
        own = policy.features(seen, kind="network", noise=noise[None, None])
        np.testing.assert_allclose(decision.features[row, column], own[0], atol=1e-5)


def test_a_policy_without_features_is_refused(store: Path) -> None:
    policy = policy_of(store)
    assert isinstance(policy, FeaturePolicy)
    with pytest.raises(InputError, match="Did you mean 'condition'"):
        policy.with_features("conditon")

    class Plain:
        spec, noise_shape = policy.spec, None

        def sample(self, observation: Any, **options: Any) -> np.ndarray:
            return policy.sample(observation, **options)

        def with_sampler(self, name: str | None = None, steps: int | None = None) -> Plain:
            return self

    for one in (Plain(), Executed(Plain(), n_action_steps=2)):
        with pytest.raises(InputError, match="tells what its network computes, got a Plain"):
            with_features(one, "both")
