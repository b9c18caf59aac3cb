"""A policy that reads instructions: what it learns of them, and what becomes of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.learning.windows import Windows
from data.store.dataset import Dataset
from data.store.names import INSTRUCTION
from policies.loading.load import load
from policies.recipe.recipe import PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.remarks import known_instructions
from policies.training.train import train
from robot.control.plan_request import PlanRequest, sample_plans
from robot.description import PromptSpec, TaskPrompt
from robot.description.prompt import INSTRUCTION as INSTRUCTION_READ
from robot.errors import InputError
from tests.policies.encoders.text_encoder import write_text_encoder
from tests.policies.points import episode, observe, schema

LEFT, RIGHT = "go left", "go right"
CONFIG = TrainingConfig(steps=800, batch_size=64, warmup=10, validation=ValidationConfig(fraction=0.1, every=100))


@pytest.fixture(scope="module")
def instructed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points that move by -1 or +1 along x, as they are told; nothing that is observed tells which."""
    path = tmp_path_factory.mktemp("instructed") / "store"
    with Dataset.create(path, replace(schema(), meta=(INSTRUCTION,))) as dataset:
        for number in range(20):
            told = (LEFT, RIGHT)[number % 2]
            one = episode(number, 12)
            action = np.tile(np.float32([1.0 if told == RIGHT else -1.0, 0.0]), (12, 1))
            dataset.append(replace(one, data={**one.data, "action": action}, meta={INSTRUCTION.name: told}))
    return path


@pytest.fixture(scope="module")
def trained(instructed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(instructed, recipe_of("instruction"), CONFIG, tmp_path_factory.mktemp("trained") / "run").checkpoint


def recipe_of(prompt: str) -> PolicyRecipe:
    return PolicyRecipe(
        network={"name": "mlp", "width": 32, "depth": 1, "features": 16},
        objective={"name": "flow"},
        horizon=4,
        n_action_steps=2,
        prompt={"name": prompt},
    )


def test_prompts_of_two_rows_swapped_swap_their_chunks(trained: Path) -> None:
    policy = load(trained)
    assert policy.spec.prompt.instructions == (LEFT, RIGHT)
    observation = {name: np.repeat(value, 2, axis=0) for name, value in observe(policy, 1).items()}
    left, right = TaskPrompt(LEFT), TaskPrompt(RIGHT)
    one = policy.sample(observation, task=[left, right], seeds=[5, 5])
    other = policy.sample(observation, task=[right, left], seeds=[5, 5])
    np.testing.assert_allclose(one, other[::-1], atol=1e-5)
    assert (one[0, ..., 0] < 0).all() and (one[1, ..., 0] > 0).all(), "it does what it is told"
    np.testing.assert_allclose(policy.sample(observation, task=right, seeds=[5, 5])[0], one[1], atol=1e-5)


def test_a_batch_of_requests_has_a_prompt_per_row(trained: Path) -> None:
    policy = load(trained)
    window = {name: value[0] for name, value in observe(policy, 1).items()}
    requests = [PlanRequest(window, 0, seed=5, prompt=TaskPrompt(word)) for word in (RIGHT, LEFT, RIGHT)]
    plans = sample_plans(policy, [*requests, None])
    assert np.sign(plans[:, 0, 0, 0]).tolist() == [1, -1, 1, 1]


def test_what_it_was_not_trained_on_is_refused(trained: Path) -> None:
    policy = load(trained)
    with pytest.raises(InputError, match="Did you mean 'go right'"):
        policy.sample(observe(policy, 1), task=TaskPrompt("go rihgt"))
    with pytest.raises(InputError, match="got none"):
        policy.sample(observe(policy, 1))


@pytest.mark.parametrize("use", ["ignored", "refused"])
def test_a_policy_without_a_slot_for_prompts_ignores_or_refuses_them(
    use: str, instructed: Path, tmp_path: Path
) -> None:
    config = replace(CONFIG, steps=20, validation=ValidationConfig(fraction=0))
    policy = load(train(instructed, recipe_of(use), config, tmp_path / "run").checkpoint)
    observation = observe(policy, 1)
    plain = policy.sample(observation, seeds=[1])
    np.testing.assert_array_equal(policy.sample(observation, task=TaskPrompt(LEFT), seeds=[1]), plain)
    if use == "ignored":
        np.testing.assert_array_equal(policy.sample(observation, task=TaskPrompt("fly"), seeds=[1]), plain)
    else:
        with pytest.raises(InputError, match=r"instruction.*got 'fly'"):
            policy.sample(observation, task=TaskPrompt("fly"), seeds=[1])


def test_a_training_that_reads_instructions_resumes_exactly(instructed: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=40)
    whole = train(instructed, recipe_of("instruction"), config, tmp_path / "whole").checkpoint
    train(instructed, recipe_of("instruction"), replace(config, stop_after=15), tmp_path / "cut")
    resumed = train(instructed, recipe_of("instruction"), config, tmp_path / "cut", resume=True).checkpoint
    assert (whole / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()


def test_demonstrations_without_instructions_are_named(instructed: Path, store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"instructions.*got none.*policy.prompt"):
        train(store, recipe_of("instruction"), CONFIG, tmp_path / "run")
    silent = tmp_path / "silent"
    with Dataset.create(silent, replace(schema(), meta=(INSTRUCTION,))) as dataset:
        for number in range(3):
            dataset.append(replace(episode(number, 8), meta={INSTRUCTION.name: "" if number == 1 else LEFT}))
    with pytest.raises(InputError, match="none of episode 1"):
        train(silent, recipe_of("instruction"), CONFIG, tmp_path / "other")


def test_a_long_instruction_is_cut_where_a_training_lists_it() -> None:
    long = "put the red cube on the blue one " * 350
    (line,) = known_instructions(PromptSpec(INSTRUCTION_READ, (long, LEFT)))
    assert line.startswith("Reads 2 instructions: 'put the red") and line.endswith(f", '{LEFT}'") and len(line) < 200


def test_a_window_tells_its_episode(instructed: Path) -> None:
    dataset = Dataset.open(instructed)
    assert dataset.schema is not None

    class Spec:
        observation, horizon = dataset.schema.observation, 4

    windows = Windows(dataset, Spec(), np.array([3, 0, 7]))
    batch = windows.gather(np.array([0, 11, 12, 35]))
    assert batch.episode.tolist() == [3, 3, 0, 7]
    told = dataset.meta(INSTRUCTION.name)[batch.episode]
    assert [word == RIGHT for word in told] == (batch.action[:, 0, 0] > 0).tolist()


@pytest.mark.parametrize("prompt", ["language", "instruction"])
def test_demonstrations_of_an_instruction_that_the_recipe_does_not_know_are_refused(
    instructed: Path, tmp_path: Path, prompt: str
) -> None:
    words = {"model": str(write_text_encoder(tmp_path / "text")), "features": 16} if prompt == "language" else {}
    recipe = replace(recipe_of(prompt), prompt={"name": prompt, "instructions": [LEFT], **words})
    with pytest.raises(InputError, match=f"instruction '{RIGHT}'.*one that the policy knows: '{LEFT}'.*Train a policy"):
        train(instructed, recipe, CONFIG, tmp_path / "run")
