"""Goals: what was observed later, as what a policy is told to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data.learning.sources.hindsight import Hindsight
from data.learning.sources.mixture import Mixture
from data.learning.windows import Windows, WindowShape
from data.store.dataset import Dataset
from data.store.episode import Episode
from policies.encoders.goal import GoalPrompt
from policies.loading.load import load
from policies.recipe.recipe import PolicyRecipe, TrainingConfig, ValidationConfig
from policies.training.train import train
from robot.description import TaskPrompt
from robot.errors import InputError
from tests.policies.points import observe, schema

CONFIG = TrainingConfig(steps=1500, batch_size=64, warmup=10, validation=ValidationConfig(fraction=0.1, every=500))


def recipe_of(*keys: str, drop: float = 0.1) -> PolicyRecipe:
    return PolicyRecipe(
        network={"name": "mlp", "width": 64, "depth": 1, "features": 32},
        objective={"name": "edm"},
        observation=("point.state",),
        horizon=4,
        n_action_steps=2,
        prompt={"name": "goal", "keys": list(keys), "drop": drop},
    )


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points from the middle to one of four corners, which nothing but where they end tells."""
    path = tmp_path_factory.mktemp("walks") / "store"
    with Dataset.create(path, schema()) as dataset:
        for number in range(40):
            corner = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)][number % 4], np.float32)
            share = np.linspace(0, 1, 20, dtype=np.float32)[:, None]
            state = np.concatenate([share * corner, 0 * share], axis=1)

            arrays = {"point.state": state, "goal": np.zeros((20, 2), np.float32), "action": np.tile(corner, (20, 1))}
            dataset.append(Episode(arrays, {}, {}))
    return path


@pytest.fixture(scope="module")
def trained(walks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(walks, recipe_of("point.state"), CONFIG, tmp_path_factory.mktemp("goal") / "run").checkpoint


def goal(*corner: float) -> TaskPrompt:
    return TaskPrompt(goal={"point.state": np.array([*corner, 0.0], np.float32)})


def test_a_policy_goes_where_its_goal_is(trained: Path) -> None:
    policy = load(trained)
    start = {"point.state": np.zeros((4, 1, 3), np.float32)}
    corners = [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)]
    chunk = policy.with_sampler(steps=3).sample(start, task=[goal(*each) for each in corners], seeds=range(4))
    np.testing.assert_allclose(chunk[:, 0].mean(1), corners, atol=0.35)
    swapped = policy.with_sampler(steps=3).sample(start, task=[goal(*each) for each in corners[::-1]], seeds=range(4))
    np.testing.assert_allclose(swapped[:, 0].mean(1), corners[::-1], atol=0.35)


def test_without_a_goal_it_goes_anywhere_and_guidance_says_how_much_it_counts(trained: Path) -> None:
    policy = load(trained)
    start = {"point.state": np.zeros((64, 1, 3), np.float32)}
    free = policy.sample(start, seeds=range(64))[:, 0].mean(1)
    assert all((np.sign(free) == corner).all(1).sum() >= 4 for corner in ([-1, -1], [-1, 1], [1, -1], [1, 1]))
    told = policy.sample(start, task=goal(1, 1), seeds=range(64))[:, 0].mean(1)
    half = policy.sample(start, task=replace(goal(1, 1), guidance=0.5), seeds=range(64))[:, 0].mean(1)
    none = policy.sample(start, task=replace(goal(1, 1), guidance=0.0), seeds=range(64))[:, 0].mean(1)
    np.testing.assert_allclose(none, free, atol=1e-4)
    hits = [(np.abs(each - 1).max(1) < 0.5).mean() for each in (none, half, told)]
    assert hits[0] <= hits[1] <= hits[2] and hits[2] > 0.9


def test_goals_are_later_rows_of_the_same_episode(store: Path) -> None:
    data = Dataset.open(store)
    shape = WindowShape(data.schema.observation.with_history({}), 4)
    parts = [Windows(data, shape, np.arange(*span)) for span in ((0, 6), (6, 10))]
    source = Hindsight(Mixture(parts, None, [0, 0]), ("point.state",), "prompt")
    order = source.order(np.random.default_rng(0))
    assert sorted((order % len(source)).tolist()) == list(range(len(source)))
    batch = source.gather(order)
    ends = np.asarray(data.episode_ends)
    rows = np.asarray(data.array("point.state"))
    later = []
    for number, (episode, present) in enumerate(zip(batch.episode, batch.observation["point.state"][:, -1])):
        start = ends[episode - 1] if episode else 0
        own = rows[start : ends[episode]]
        now = int(np.abs(own - present).sum(1).argmin())
        at = np.flatnonzero((own == batch.columns["prompt"][number]).all(1))
        assert len(at) and at[0] >= now
        later.append((at[0] - now) / max(len(own) - 1 - now, 1))
    assert 0.4 < np.mean(later) < 0.6 and np.max(later) > 0.9 and np.min(later) < 0.1


def test_goals_are_resumed_exactly(walks: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=6)
    whole = train(walks, recipe_of("point.state"), config, tmp_path / "whole").checkpoint
    train(walks, recipe_of("point.state"), replace(config, stop_after=3), tmp_path / "parts")
    parts = train(walks, recipe_of("point.state"), config, tmp_path / "parts", resume=True).checkpoint
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()


def test_an_image_is_a_goal_too(image_store: Path, tmp_path: Path) -> None:
    config = TrainingConfig(steps=2, batch_size=8, warmup=0, validation=ValidationConfig(fraction=0))
    chosen = replace(recipe_of("camera"), observation=("point.state", "camera"), encoder={"name": "cnn"})
    policy = load(train(image_store, chosen, config, tmp_path / "run").checkpoint)
    assert policy.spec.prompt.goal == {"camera": (24, 24, 3)}
    observation = observe(policy, 2)
    images = np.random.default_rng(0).integers(0, 255, (2, 24, 24, 3), dtype=np.uint8)
    one, other = (policy.sample(observation, task=TaskPrompt(goal={"camera": image}), seeds=[1, 2]) for image in images)
    assert np.isfinite(one).all() and np.isfinite(other).all()


def test_goals_that_do_not_fit_are_refused(trained: Path, walks: Path, tmp_path: Path) -> None:
    policy = load(trained)
    start = {"point.state": np.zeros((1, 1, 3), np.float32)}
    for given, message in (
        (TaskPrompt(goal={"other": np.zeros(3)}), r"goal 'point.state'.*\(3,\).*only other"),
        (TaskPrompt(goal={"point.state": np.zeros(2)}), r"goal 'point.state'.*\(3,\).*\(2,\)"),
        (TaskPrompt(goal={"point.state": np.full(3, np.nan)}), "finite"),
    ):
        with pytest.raises(InputError, match=message):
            policy.sample(start, task=given)
    with pytest.raises(InputError, match=r"policy.prompt.keys.*point.state"):
        train(walks, recipe_of(), CONFIG, tmp_path / "none")
    with pytest.raises(InputError, match=r"'goal'.*a key that the policy sees"):
        train(walks, recipe_of("goal"), CONFIG, tmp_path / "unseen")
    always = train(walks, recipe_of("point.state", drop=0.0), replace(CONFIG, steps=1), tmp_path / "always").checkpoint
    with pytest.raises(InputError, match=r"goal.*point.state \(3,\).*none"):
        load(always).sample(start)


def test_numbers_of_goals_are_normalised_and_constant_ones_kept() -> None:
    encoder = GoalPrompt(("a",), {"a": [3]}, size=8)
    goals = np.random.default_rng(0).normal(5, 2, (200, 3)).astype(np.float32)
    goals[:, 2] = 4.0
    encoder.fit(goals)
    scaled = (torch.from_numpy(goals) - encoder.offset) / encoder.scale
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(0, unbiased=False), [1, 1, 0], atol=1e-4)
