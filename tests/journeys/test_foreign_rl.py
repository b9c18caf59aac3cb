"""From an id of Gymnasium's to a policy that a foreign library trained, and to data of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import FlattenObservation

import tiller  # registers the tasks
from data.store.dataset import Dataset
from data.store.episode import Episode
from sim.evaluation.collect import schema


def test_what_a_registered_task_did_under_changes_is_recorded_as_targets(tmp_path: Path) -> None:
    env: Any = gymnasium.make("tiller/twin-lift-v0", action="delta", reward="native", max_steps=40)
    env.action_space.seed(0)
    rows: dict[str, list[Any]] = {name: [] for name in (*env.observation_space, "action", "reward")}
    observation, info = env.reset(seed=8)
    over = False
    while not over:
        for name in observation:
            rows[name].append(observation[name])
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        rows["action"].append(info["action"])
        rows["reward"].append(np.float32(reward))
        over = terminated or truncated
    data = {name: np.stack(values) for name, values in rows.items()}
    data["time_ns"] = np.arange(len(data["action"]), dtype=np.int64) * env.unwrapped.action_spec.period_ns
    meta = {
        "success": info["success"],
        "seed": 8,
        "strategy": "",
        "source": "random",
        "instruction": "lift the red cube",
    }
    dataset = Dataset.create(tmp_path / "changes", schema(env.unwrapped))
    dataset.append(Episode(data, meta))

    ours: Any = tiller.make("twin/lift")
    recorded = Dataset.open(tmp_path / "changes").episode(0).data
    assert ours.action_spec.dim == 10 == recorded["action"].shape[1]
    again, _ = ours.reset(seed=8)
    for row, action in enumerate(recorded["action"]):
        for name in again:
            np.testing.assert_array_equal(again[name], recorded[name][row])
        assert ours.action_space.contains(action)
        ours.robot.stop()  # a change moves the hand from where it is, and not from its last target
        again, *_ = ours.step(action)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["SAC", "PPO"])
@pytest.mark.parametrize(
    "name, options",
    [
        ("twin-lift", {"action": "delta", "reward": "native"}),
        ("twin-press", {"action": "delta"}),
        ("pusht-state", {"reward": "native"}),
        ("maze-01", {"reward": "native"}),
    ],
)
def test_stable_baselines_trains_on_our_tasks(algorithm: str, name: str, options: dict[str, Any]) -> None:
    library = pytest.importorskip("stable_baselines3", reason="stable_baselines3 is not installed (extra dev)")
    env = FlattenObservation(gymnasium.make(f"tiller/{name}-v0", **options))
    settings = {"learning_starts": 100} if algorithm == "SAC" else {"n_steps": 100, "batch_size": 50}
    model = getattr(library, algorithm)("MlpPolicy", env, seed=0, device="cpu", **settings)
    before = [np.array(value) for value in model.policy.state_dict().values()]
    model.learn(300)
    after = [np.array(value) for value in model.policy.state_dict().values()]
    assert any(not np.array_equal(*pair) for pair in zip(before, after))
    assert all(np.isfinite(value).all() for value in after)
    observation, _ = env.reset(seed=0)
    action, _ = model.predict(observation, deterministic=True)
    assert env.action_space.contains(action)
    env.step(action)
