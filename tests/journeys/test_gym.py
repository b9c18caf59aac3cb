"""A Gymnasium task that nobody prepared, with demonstrations that somebody saved as npz."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from tests.journeys.commands import TINY, Command


@pytest.fixture(scope="module")
def pendulum_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four swings of Pendulum-v1 under a spring, under names of its author's own."""
    path = tmp_path_factory.mktemp("pendulum") / "swings.npz"
    env = gymnasium.make("Pendulum-v1")
    observations, actions, ends = [], [], []
    for seed in range(4):
        observation, _ = env.reset(seed=seed)
        for _ in range(40):
            action = np.clip([-4 * observation[1] - observation[2]], -2, 2).astype(np.float32)
            observations.append(observation)
            actions.append(action)
            observation, *_ = env.step(action)
        ends.append(len(actions))
    env.close()
    np.savez(path, obs=np.array(observations), u=np.array(actions), episode_ends=np.array(ends))
    return path


def test_npz_to_measured_policy(tiller: Command, pendulum_npz: Path, tmp_path: Path) -> None:
    dataset, run, out = tmp_path / "dataset", tmp_path / "run", tmp_path / "out"
    tiller.succeeds(
        "data",
        "convert",
        pendulum_npz,
        dataset,
        "period_s=0.05",
        "units=1",
        "rename.obs=observation",
        "rename.u=action",
    )
    tiller.succeeds(
        "train",
        "task=gym/Pendulum-v1",
        f"data={dataset}",
        f"output={run}",
        *TINY,
        "policy.horizon=6",
        "policy.n_action_steps=5",
    )
    assert json.loads((run / "checkpoints" / "final" / "policy.json").read_text())["spec"]["n_action_steps"] == 5, (
        "what is given goes before the 8 of the task"
    )
    tiller.succeeds(
        "evaluate",
        f"checkpoint={run}",
        "episodes=2",
        "videos=0",
        f"output={out}",
        "options.max_steps=12",
        "options.success_return=-1000",
        "n_action_steps=2",
    )
    found = json.loads((out / "evaluation.json").read_text())
    assert found["task"] == "gym/Pendulum-v1" and found["n_action_steps"] == 2
    assert [record["success"] for record in found["records"]] == [True, True], "any 12 steps return more than -1000"
    assert all(record["episode_return"] == 1 for record in found["records"]), "sparse reward"


def test_names_that_differ_are_shown_with_the_way_to_rename_them(
    tiller: Command, pendulum_npz: Path, tmp_path: Path
) -> None:
    tiller.succeeds(
        "data", "convert", pendulum_npz, tmp_path / "dataset", "period_s=0.05", "units=1", "rename.u=action"
    )
    outcome = tiller("train", "task=gym/Pendulum-v1", f"data={tmp_path / 'dataset'}", f"output={tmp_path / 'run'}")
    assert outcome.code == 2
    assert all(text in outcome.message for text in ("observation (3,)", "obs (3,)", "rename."))
    assert not (tmp_path / "run").exists()


def test_options_of_the_task_stay_with_the_policy(tiller: Command, pendulum_npz: Path, tmp_path: Path) -> None:
    dataset, run, out = tmp_path / "dataset", tmp_path / "run", tmp_path / "out"
    tiller.succeeds(
        "data", "convert", pendulum_npz, dataset, "period_s=0.1", "units=1", "rename.obs=observation", "rename.u=action"
    )
    words = ("train", "task=gym/Pendulum-v1", f"data={dataset}", f"output={run}", *TINY)
    refused = tiller(*words)
    assert refused.code == 2 and "options.period_s" in refused.message
    tiller.succeeds(*words, "options.period_s=0.1", "options.max_steps=8")
    silent = tiller("evaluate", f"checkpoint={run}", "episodes=1", "videos=0", f"output={tmp_path / 'silent'}")
    assert silent.code == 2 and "options.success_return=" in silent.message
    tiller.succeeds(
        "evaluate", f"checkpoint={run}", "episodes=1", "videos=0", f"output={out}", "options.success_return=-100"
    )
    assert json.loads((out / "evaluation.json").read_text())["options"] == {
        "max_steps": 8,
        "period_s": 0.1,
        "success_return": -100.0,
    }
