"""A policy that is told whether an action is a good one: what it learns of that, and what it did before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.learning.windows import WindowShape
from data.store.dataset import Dataset
from data.store.names import ADVANTAGE
from policies.critics.build import critic_spec
from policies.encoders.advantage import GAIN, NEGATIVE, NOTHING, POSITIVE, AdvantageIndicator
from policies.loading.load import load
from policies.model.batch import PROMPT
from policies.model.checkpoint import load_learnt
from policies.recipe.critic import CriticRecipe
from policies.recipe.recipe import GeneralistConfig, PolicyRecipe, TrainingConfig, ValidationConfig
from policies.steering.prompted import Prompted
from policies.training.advantage import begun, with_advantage, with_indicators
from policies.training.demonstrations import Demonstrations
from policies.training.train import train
from robot.description import TaskPrompt
from robot.errors import InputError
from tests.policies.points import episode, make_policy, observe, schema

CONFIG = TrainingConfig(steps=600, batch_size=64, warmup=10, validation=ValidationConfig(fraction=0.2, every=300))
NETWORKS: tuple[dict[str, Any], ...] = (
    {"name": "mlp", "width": 64, "depth": 1, "features": 16},
    {"name": "unet", "down_dims": [16, 32]},
    {"name": "transformer", "width": 16, "depth": 1, "heads": 2},
)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points that move by +1 along x in the good rows and by -1 in the others; nothing that is observed tells which."""
    path, random = tmp_path_factory.mktemp("mixed") / "store", np.random.default_rng(0)
    with Dataset.create(path, replace(schema(), columns=(ADVANTAGE,))) as dataset:
        for number in range(20):
            good = random.random(12) < 0.5
            action = np.stack([np.where(good, 1.0, -1.0), np.zeros(12)], axis=1).astype(np.float32)
            one = episode(number, 12)
            dataset.append(replace(one, data={**one.data, "action": action, ADVANTAGE.name: good}))
    return path


@pytest.fixture(scope="module")
def plain() -> PolicyRecipe:
    return PolicyRecipe(network=NETWORKS[0], horizon=1, n_action_steps=1)


@pytest.fixture(scope="module")
def base(mixed: Path, plain: PolicyRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that knows of no good and bad actions, and so mixes them."""
    return train(mixed, plain, replace(CONFIG, steps=200), tmp_path_factory.mktemp("base") / "run").checkpoint


@pytest.fixture(scope="module")
def conditioned(mixed: Path, plain: PolicyRecipe, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, having gone on under the advantage."""
    recipe = with_advantage(plain, 0.3)
    return train(mixed, recipe, CONFIG, tmp_path_factory.mktemp("on") / "run", initial=base).checkpoint


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: str(network["name"]))
@pytest.mark.parametrize("use", ["ignored", "refused"])
def test_before_the_first_update_it_does_what_it_did_to_the_bit(
    store: Path, recipe: PolicyRecipe, network: dict[str, Any], use: str
) -> None:
    prompt: dict[str, Any] = {"name": use, **({"instructions": ["push"]} if use == "refused" else {})}
    start = make_policy(store, replace(recipe, network=network, horizon=8, prompt=prompt))
    policy = begun(start, with_advantage(start.recipe, 0.3))
    seen = observe(start, 3)
    for task in (TaskPrompt(), TaskPrompt("push")):
        np.testing.assert_array_equal(
            policy.sample(seen, task=task, seeds=[1, 2, 3]), start.sample(seen, task=task, seeds=[1, 2, 3])
        )
    assert policy.spec.prompt.use == use and policy.spec.prompt.guidance
    if use == "refused":
        with pytest.raises(InputError, match="'fly'"):
            policy.sample(seen, task=TaskPrompt("fly"))


@pytest.mark.parametrize("drop", [0.0, 0.3, 0.9])
def test_the_share_that_was_chosen_is_without_its_indicator(drop: float) -> None:
    encoder = AdvantageIndicator(drop)
    encoder.take_size(4)
    torch.nn.init.ones_(encoder.vectors)
    rows = torch.tensor([POSITIVE, NEGATIVE]).repeat(10_000)
    torch.manual_seed(0)
    without = (encoder.train()(rows) == 0).all(1).float().mean().item()
    assert abs(without - drop) < 5 * np.sqrt(drop * (1 - drop) / len(rows)) + 1e-9
    assert (encoder.eval()(rows) == GAIN).all() and encoder.spec.guidance == (drop > 0)
    assert (encoder(torch.tensor([NOTHING])) == 0).all()


def test_it_acts_as_the_good_rows_did_and_without_the_condition_as_all(base: Path, conditioned: Path) -> None:
    policy, seeds = load(conditioned), list(range(64))
    seen = observe(policy, 64)

    def good(weight: float | None) -> float:
        acting = policy if weight is None else Prompted(policy, guidance=weight)
        return float((acting.sample(seen, seeds=seeds)[:, 0, 0, 0] > 0).mean())

    assert good(None) > 0.9 and good(2.0) > 0.9
    assert 0.2 < good(0.0) < 0.8
    assert 0.2 < (load(base).sample(seen, seeds=seeds)[:, 0, 0, 0] > 0).mean() < 0.8
    assert (load(conditioned).spec, load_learnt(conditioned).recipe.prompt["name"]) == (policy.spec, "advantage")


def test_the_bad_rows_are_told_apart_too(conditioned: Path) -> None:
    policy, seen = load_learnt(conditioned), observe(load(conditioned), 64)
    vectors = policy.model.prompt_encoder.vectors
    with torch.no_grad():
        vectors.copy_(vectors.flip(0).clone())
    assert (policy.sample(seen, seeds=list(range(64)))[:, 0, 0, 0] < 0).mean() > 0.9


def test_weight_1_is_the_condition_itself(conditioned: Path) -> None:
    policy = load(conditioned)
    seen = observe(policy, 2)
    one = policy.sample(seen, seeds=[1, 2])
    np.testing.assert_array_equal(Prompted(policy, guidance=1.0).sample(seen, seeds=[1, 2]), one)
    # A neighbour under another weight changes nothing either.
    both = policy.sample(seen, task=[TaskPrompt(), TaskPrompt(guidance=3.0)], seeds=[1, 2])
    np.testing.assert_allclose(both[0], one[0], atol=1e-5)
    with pytest.raises(InputError, match="guidance"):
        policy.sample(seen, task=TaskPrompt(guidance=float("nan")))


def test_each_window_brings_the_indicator_of_its_row_and_what_has_none_is_positive(mixed: Path, store: Path) -> None:
    encoder, config = AdvantageIndicator(), replace(CONFIG, weights=(0.5, 0.5))
    data, spec = Demonstrations.open([mixed, store], config), WindowShape(schema().observation, 3)
    for episodes, source in (
        (data.training, data.source(data.windows(spec), spec)),
        (data.held_out, data.validation(spec)),
    ):
        assert source is not None
        told = with_indicators(encoder, source, data.datasets, episodes, spec)
        batch = told.gather(told.order(np.random.default_rng(0)))
        own = batch.episode < len(data.datasets[0])
        assert 0 < own.sum() < len(own)
        assert (batch.columns[PROMPT][~own] == POSITIVE).all()
        expected = np.where(batch.action[own, 0, 0] > 0, POSITIVE, NEGATIVE)
        np.testing.assert_array_equal(batch.columns[PROMPT][own], expected)


def test_a_training_that_goes_on_under_the_advantage_resumes_exactly(
    mixed: Path, plain: PolicyRecipe, base: Path, tmp_path: Path
) -> None:
    recipe, config = with_advantage(plain, 0.3), replace(CONFIG, steps=20)
    whole = train(mixed, recipe, config, tmp_path / "whole", initial=base).checkpoint
    train(mixed, recipe, replace(config, stop_after=7), tmp_path / "cut", initial=base)
    resumed = train(mixed, recipe, config, tmp_path / "cut", resume=True, initial=base).checkpoint
    assert (whole / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()
    again = train(mixed, with_advantage(recipe, 0.5), config, tmp_path / "again", initial=whole).checkpoint
    assert load_learnt(again).recipe == load_learnt(whole).recipe


@pytest.mark.parametrize("recipe", [{"prompt": {"name": "instruction"}}, {"generalist": GeneralistConfig()}])
def test_a_policy_whose_prompt_decides_and_one_of_several_embodiments_are_refused(recipe: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"one embodiment.*leave cloning.condition out"):
        with_advantage(PolicyRecipe(**recipe), 0.3)


def test_critics_have_no_such_prompt() -> None:
    with pytest.raises(InputError, match=r"critic.prompt.*advantage"):
        critic_spec(CriticRecipe(prompt={"name": "advantage"}), schema().observation, schema().action)
