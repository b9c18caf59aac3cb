"""One policy of several embodiments: what one lacks decides nothing, costs nothing and learns nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.learning.windows import Windows, WindowShape
from data.store.dataset import Dataset
from policies.loading.load import describe, identity, load, save_steered
from policies.model.build import build_policy, measure, policy_spec
from policies.model.embodiments import EMBODIMENT
from policies.model.policy import DiffusionPolicy
from policies.recipe.recipe import TrainingConfig, ValidationConfig
from policies.steering.by_noise.noise_scale import NoiseScaled
from policies.training.batches import to_torch
from policies.training.demonstrations import Demonstrations
from policies.training.embodiments import members_of
from policies.training.prompts import episode_prompts, with_instructions
from policies.training.train import train
from policies.transforms import make_chain
from robot.description import ObservationSpec, TaskPrompt
from robot.errors import InputError
from tests.policies import embodied
from tests.policies.embodied import ARM, HAND, WORDS, recipe, renamed

CONFIG = TrainingConfig(steps=4, batch_size=16, warmup=1, validation=ValidationConfig(fraction=0.0))
NETWORKS = ("mlp", "tokens")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("robots")
    return [embodied.write(folder, ARM), embodied.write(folder, HAND)]


def open_all(stores: list[Path], chosen: Any) -> Demonstrations:
    return Demonstrations.open(stores, CONFIG, chosen.observation, members_of(chosen))


def built(stores: list[Path], network: str = "mlp") -> tuple[DiffusionPolicy, Demonstrations]:
    """A policy of both, random in all layers, and what it is to learn from."""
    data = open_all(stores, recipe(network))
    chosen = replace(with_instructions(recipe(network), data.datasets), observation=data.observation.names)
    spec = policy_spec(chosen, data.observation, data.action, data.embodiments)
    chain = make_chain((), spec.observation, spec.action)
    torch.manual_seed(0)
    policy = build_policy(chosen, spec, measure(data.measured(spec), chain, data.embodiments, data.embodiment_of))
    for parameter in policy.model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return policy, data


def seen(policy: DiffusionPolicy, batch: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        key.name: rng.normal(size=(batch, key.history.steps, *key.shape)).astype(np.float32)
        for key in policy.spec.observation
    }


def prompt(name: str) -> TaskPrompt:
    return TaskPrompt(WORDS[name])


@pytest.mark.parametrize("network", NETWORKS)
def test_each_embodiment_sees_and_returns_its_own_in_its_own_order(stores: list[Path], network: str) -> None:
    policy, data = built(stores, network)
    assert data.observation.names == ("tool", "ball", "touch")
    assert [field.name for field in data.action.fields] == ["tool", "grip", "fingers"]
    for name, store in zip((ARM, HAND), stores):
        own, schema = policy.for_embodiment(name), Dataset.open(store).schema
        assert own.spec.observation.names == schema.observation.names and own.spec.action == schema.action
        chunk = own.sample(seen(own, 3), task=prompt(name), seeds=[1, 2, 3], samples=2)
        assert chunk.shape == (3, 2, 4, schema.action.dim) and own.noise_shape == (4, schema.action.dim)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_an_embodiment_lacks_decides_nothing(stores: list[Path], network: str) -> None:
    """Whatever stands in the union for keys and components that it lacks, condition and loss are the same."""
    policy, data = built(stores, network)
    spec = policy.spec
    source = data.source(data.windows(spec), spec)
    facts = {EMBODIMENT: torch.from_numpy(data.embodiment_of),
             **episode_prompts(policy.model.prompt_encoder, data.datasets)}  # fmt: skip
    batch = to_torch(source, np.arange(len(source)), facts)
    garbage = {name: value.clone() for name, value in batch.observation.items()}
    for name, number in (("ball", 1), ("touch", 0)):
        garbage[name][batch.facts[EMBODIMENT] == number] = 1e6
    action = batch.action.clone()
    action[batch.facts[EMBODIMENT] == 0, :, 3:] = -1e6  # the arm has no fingers
    action[batch.facts[EMBODIMENT] == 1, :, 2:3] = 1e6  # the hand has no grip
    losses = [
        policy.model.loss(each, torch.Generator().manual_seed(0)).item()
        for each in (batch, replace(batch, observation=garbage, action=action))
    ]
    assert losses[0] == losses[1] > 0
    rows = (~batch.is_pad).sum(1)
    own = torch.where(batch.facts[EMBODIMENT] == 0, 3, 4)
    assert policy.model.elements(batch) == int((rows * own).sum())


@pytest.mark.parametrize("network", NETWORKS)
def test_no_gradient_comes_from_what_a_member_lacks(stores: list[Path], network: str) -> None:
    policy, data = built(stores, network)
    spec = policy.spec
    source = data.source(data.windows(spec), spec)
    facts = {EMBODIMENT: torch.from_numpy(data.embodiment_of),
             **episode_prompts(policy.model.prompt_encoder, data.datasets)}  # fmt: skip
    arm = np.flatnonzero(data.embodiment_of[source.episode_of] == 0)
    batch = to_torch(source, arm, facts)
    batch.observation["touch"].requires_grad_()
    batch.action.requires_grad_()
    policy.model.loss(batch, torch.Generator().manual_seed(0)).backward()
    assert not batch.observation["touch"].grad.any()
    assert not batch.action.grad[..., 3:].any() and batch.action.grad[..., :3].any()
    if network == "tokens":
        touch = policy.model.encoder.layers[policy.model.encoder.keys.index("touch")]
        fingers = policy.model.network.first[2]
        for layer in (touch, fingers):
            assert not layer.weight.grad.any() and not layer.bias.grad.any()
        assert policy.model.network.first[0].weight.grad.any()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_mask_that_is_dropped_is_noticed(stores: list[Path], network: str) -> None:
    """The same check with the masks taken out fails: it does look."""
    policy, data = built(stores, network)
    source = data.source(data.windows(policy.spec), policy.spec)
    batch = to_torch(source, np.arange(len(source)), episode_prompts(policy.model.prompt_encoder, data.datasets))
    number = torch.from_numpy(data.embodiment_of)[torch.from_numpy(source.gather(np.arange(len(source))).episode)]
    garbage = {**batch.observation, "touch": batch.observation["touch"].clone()}
    garbage["touch"][number == 0] = 10.0
    with torch.no_grad():
        policy.model.embodiments.keys[:] = True
        policy.model.embodiments.flags[:, :3] = 1
        one, other = (
            policy.model.loss(replace(batch, observation=each, facts={**batch.facts, EMBODIMENT: number}),
                              torch.Generator().manual_seed(0)).item()
            for each in (batch.observation, garbage)
        )  # fmt: skip
    assert one != other


def test_statistics_are_of_the_rows_that_have_the_key(stores: list[Path]) -> None:
    policy, _ = built(stores)
    for name in ("tool", "touch", "ball"):
        rows = np.concatenate([np.asarray(Dataset.open(each).array(name)) for each in stores
                               if name in Dataset.open(each).keys])  # fmt: skip
        field = policy.model.normaliser[name]
        np.testing.assert_allclose(field.min.numpy(), rows.min(axis=0), atol=1e-6)
        np.testing.assert_allclose(field.max.numpy(), rows.max(axis=0), atol=1e-6)
    action = policy.model.normaliser["action"]
    fingers = np.asarray(Dataset.open(stores[1]).array("action"))[:, :2]
    np.testing.assert_allclose(action.min.numpy()[3:], fingers.min(axis=0), atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
def test_windows_and_rollout_give_the_network_the_same_input(stores: list[Path], network: str) -> None:
    policy, data = built(stores, network)
    source = data.source(data.windows(policy.spec), policy.spec)
    facts = episode_prompts(policy.model.prompt_encoder, data.datasets)
    for number, (name, store) in enumerate(zip((ARM, HAND), stores)):
        rows = np.flatnonzero(data.embodiment_of[source.episode_of] == number)[:5]
        batch = to_torch(source, rows, facts)
        trained_on, _ = policy.model.encode(batch.observation, batch.prompt, torch.full((5,), number))
        own = policy.for_embodiment(name)
        windows = Windows(Dataset.open(store), WindowShape(own.spec.observation, 4))
        observation = windows.gather(np.arange(5)).observation
        sight, _ = own._acting.see({key: torch.from_numpy(value) for key, value in observation.items()})
        acted_on = own._acting.condition(sight, own._prompt([prompt(name)] * 5))
        torch.testing.assert_close(trained_on, acted_on, atol=1e-6, rtol=0)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_policy_of_several_resumes_and_loads_exactly(stores: list[Path], network: str, tmp_path: Path) -> None:
    whole = train(stores, recipe(network), CONFIG, tmp_path / "whole").checkpoint
    train(stores, recipe(network), replace(CONFIG, stop_after=2), tmp_path / "parts")
    parts = train(stores, recipe(network), CONFIG, tmp_path / "parts", resume=True).checkpoint
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()
    policy = load(whole, embodiment=HAND)
    assert policy.spec.action == Dataset.open(stores[1]).schema.action
    assert describe(whole, policy)["embodiment"] == HAND
    assert identity(whole, policy) != identity(whole, load(whole, embodiment=ARM))
    steered = save_steered(NoiseScaled(policy, noise_scale=0.5), tmp_path / "steered", whole)
    again = load(steered)
    observation = seen(policy, 2)
    np.testing.assert_array_equal(
        again.sample(observation, task=prompt(HAND), seeds=[1, 2]),
        NoiseScaled(policy, noise_scale=0.5).sample(observation, task=prompt(HAND), seeds=[1, 2]),
    )
    with pytest.raises(InputError, match="steered as"):
        load(steered, embodiment=ARM)
    for wrong in (3, None):
        for path in (whole, steered):
            with pytest.raises(InputError, match=f"embodiment: expected the name of one.*got {wrong}"):
                load(path, embodiment=wrong)  # type: ignore[arg-type]


def test_an_embodiment_must_be_chosen_and_exist(stores: list[Path]) -> None:
    policy, _ = built(stores)
    arm = policy.for_embodiment(ARM)
    with pytest.raises(InputError, match=r"policy of several embodiments.*one of them: arm, hand"):
        policy.sample(seen(policy, 1), task=prompt(ARM))
    with pytest.raises(InputError, match=r"embodiment 'hnad'.*one of arm, hand.*'hand'"):
        policy.for_embodiment("hnad")
    with pytest.raises(InputError, match=r"embodiment .3.*one of arm, hand"):
        policy.for_embodiment(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a policy of one robot and task"):
        arm.for_embodiment(HAND)


def test_members_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    arm = embodied.write(tmp_path / "one", ARM)
    for options, message in (
        ({"unit": "mm"}, r"'tool' of 'hand'.*in m, as of 'arm'.*in mm.*rename=\{hand: \{tool: NAME\}\}"),
        ({"period_s": 0.05}, r"control period of 'hand'.*0.1 s.*0.05 s"),
    ):
        hand = embodied.write(tmp_path / str(len(message)), HAND, **options)
        with pytest.raises(InputError, match=message):
            open_all([arm, hand], recipe())


def test_a_key_may_have_a_name_of_its_own_or_be_left_out(stores: list[Path]) -> None:
    own = renamed(recipe(), rename={HAND: {"tool": "wrist"}}, without=("ball",), n_action_steps={ARM: 3})
    data = open_all(stores, own)
    assert data.observation.names == ("tool", "touch", "wrist")
    assert [each.n_action_steps for each in data.embodiments] == [3, 2]
    assert data.members[1].observation(data.observation).names == ("touch", "tool")
    for options, message in (
        ({"rename": {"hnad": {"tool": "wrist"}}}, "rename.hnad.*one of arm, hand"),
        ({"rename": {HAND: {"tol": "wrist"}}}, "'tol'"),
        ({"rename": {HAND: {"tool": "touch"}}}, "a name of its own"),
        ({"without": ("tool", "ball")}, "arm.*keys to see"),
        ({"names": ("one",)}, "2, one per dataset"),
        ({"names": ("same", "same")}, "keys and fields as of the other datasets of 'same'"),
    ):
        with pytest.raises(InputError, match=message):
            open_all(stores, renamed(recipe(), **options))


def test_a_dataset_without_instructions_is_refused_in_a_mixture(stores: list[Path], tmp_path: Path) -> None:
    silent = replace(embodied.schema(HAND), meta=())
    with Dataset.create(tmp_path / "silent", silent) as dataset:
        dataset.append(replace(embodied.episode(HAND, 0), meta={}))
    with pytest.raises(InputError, match=r"silent': instructions.*one of every episode"):
        train([stores[0], tmp_path / "silent"], recipe(), CONFIG, tmp_path / "run")


def test_a_camera_that_a_member_lacks_learns_nothing_from_it() -> None:
    """An image of zeros still has features; they are masked, so that its network has no gradient."""
    from policies.encoders.camera import CameraEncoder
    from policies.encoders.cnn import SmallCNN
    from policies.encoders.tokens import TokenEncoder

    shapes = {"camera": (1, 3, 24, 24), "state": (1, 2)}
    for encoder in (CameraEncoder(shapes, SmallCNN), TokenEncoder(shapes, width=8)):
        there = {"camera": torch.tensor([False, False]), "state": torch.tensor([True, True])}
        observation = {"camera": torch.zeros(2, 1, 3, 24, 24), "state": torch.ones(2, 1, 2)}
        encoder(observation, there).square().sum().backward()
        gradients = [one.grad for network in encoder.networks.children() for one in network.parameters()]
        assert gradients and not any(each is not None and each.any() for each in gradients)


def test_the_union_of_one_is_itself(stores: list[Path]) -> None:
    data = open_all(stores[:1], recipe())
    assert data.union == (Dataset.open(stores[0]).schema.observation, Dataset.open(stores[0]).schema.action)
    assert isinstance(data.observation, ObservationSpec)
