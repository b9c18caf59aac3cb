"""What all tasks share: ids, options, rewards, the end of an episode, and the page that lists them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import pytest

import sim
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError
from sim.pages.tasks import page
from sim.tasks import TaskInfo, task_ids, task_info
from sim.tasks.environment import Outcome, TaskEnv
from sim.tasks.options import TaskOptions

ROOT = Path(__file__).parents[3]


class Counter(TaskEnv):
    """Counts its steps and succeeds at a given one; its own reward is the count."""

    def __init__(self, success_at: int, *, reward: str = "sparse", options: TaskOptions | None = None) -> None:
        super().__init__(
            TaskInfo("toy/counter", 10.0, 5, 1, "the count", "the count / 10", "count"),
            ObservationSpec((ObservationField("count", (1,), "float32", "1", "state"),)),
            ActionSpec((ActionField("press", 2, "1", "native"),), 0.1),
            bounds=None,
            reward=reward,
            options=options or TaskOptions(),
        )
        self.success_at, self.count = success_at, 0

    def start(self, seed: int | None, options: Mapping[str, Any]) -> Outcome:
        self.count = 0
        return self.outcome()

    def advance(self, action: np.ndarray) -> Outcome:
        self.count += 1
        return self.outcome()

    def outcome(self) -> Outcome:
        seen = {"count": np.array([self.count], dtype=np.float32)}
        return Outcome(seen, float(self.count), self.count == self.success_at, self.count / 10)


@dataclass
class Steps:
    """Everything that the steps of one episode gave."""

    rewards: list[float]
    terminated: bool
    truncated: bool
    info: dict[str, Any]


def run(env: TaskEnv) -> Steps:
    env.reset(seed=0)
    rewards = []
    while True:
        _, reward, terminated, truncated, info = env.step(np.zeros(env.action_spec.dim))
        rewards.append(reward)
        if terminated or truncated:
            return Steps(rewards, terminated, truncated, info)


def test_success_terminates_and_pays_one() -> None:
    steps = run(Counter(success_at=3))
    assert steps.rewards == [0.0, 0.0, 1.0]
    assert (steps.terminated, steps.truncated) == (True, False)
    assert steps.info == {"success": True, "is_success": True, "score": 0.3}


def test_the_time_limit_truncates_and_success_at_the_limit_terminates() -> None:
    late = run(Counter(success_at=99))
    assert (len(late.rewards), late.terminated, late.truncated) == (5, False, True)
    assert sum(late.rewards) == 0
    last = run(Counter(success_at=5))
    assert (last.terminated, last.truncated) == (True, False)


def test_the_native_reward_is_the_suites_own() -> None:
    assert run(Counter(success_at=3, reward="native")).rewards == [1.0, 2.0, 3.0]


def test_the_limit_can_be_chosen_and_is_reported() -> None:
    env = Counter(success_at=99, options=TaskOptions(max_steps=2))
    assert env.task.max_steps == 2
    assert len(run(env).rewards) == 2


@pytest.mark.parametrize("action, word", [(np.zeros(3), "(2,)"), (np.array([0, np.nan]), "finite")])
def test_an_action_that_cannot_be_held_is_refused(action: np.ndarray, word: str) -> None:
    env = Counter(success_at=9)
    env.reset()
    with pytest.raises(InputError, match="action of toy/counter") as error:
        env.step(action)
    assert word in str(error.value)


def test_a_step_needs_a_reset_and_a_picture_needs_render() -> None:
    env = Counter(success_at=9)
    with pytest.raises(InputError, match="reset before the first step"):
        env.step(np.zeros(2))
    env.reset()
    with pytest.raises(InputError, match="render=True"):
        env.render()


@pytest.mark.parametrize(
    "wrong, offer",
    [
        ("pusht/stat", "pusht/state"),
        ("pusht", "pusht/state"),
        ("pushed/state", "pusht/state"),
        ("robosuite/Lfit", "robosuite/Lift"),
        ("gym/Pendulm-v1", "gym/Pendulum-v1"),
    ],
)
def test_an_unknown_task_offers_the_nearest(wrong: str, offer: str) -> None:
    with pytest.raises(InputError) as error:
        sim.make(wrong)
    assert f"Did you mean '{offer}'?" in str(error.value)


def test_a_suite_that_does_not_exist_lists_the_tasks() -> None:
    with pytest.raises(InputError, match=r"suites twin, pusht, robosuite, metaworld, maze, gym.*Choose from: .*more"):
        sim.make("xyz/1234567890")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"initial_state": "paper"}, "Did you mean 'initial_states'?"),
        ({"rewards": "native"}, "Did you mean 'reward'?"),
        ({"initial_states": "papr"}, "Did you mean 'paper'?"),
        ({"reward": "dense"}, "one of sparse, native"),
        ({"max_steps": 0}, "at least 1"),
        ({"max_steps": "ten"}, "int"),
        ({"render_size": 4}, "at least 16"),
    ],
)
def test_an_option_that_is_wrong_says_what_is_right(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        sim.make("pusht/state", **options)
    assert words in str(error.value)


def test_every_listed_task_knows_its_facts() -> None:
    ids = task_ids()
    assert {
        "pusht/state",
        "pusht/keypoints",
        "pusht/image",
        "robosuite/Lift",
        "robosuite/PickPlaceCan",
        "robosuite/NutAssemblySquare",
        "robosuite/Door",
        "robosuite/Stack",
    } <= set(ids)
    for task_id in ids:
        task = task_info(task_id)
        assert task.id == task_id
        assert task.period_s * task.control_hz == 1
        assert task.max_steps > task.n_action_steps > 0


def test_the_page_of_tasks_is_current() -> None:
    assert (ROOT / "docs" / "tasks.md").read_text() == page(), "run: make docs"


def test_importing_sim_is_light_and_making_pusht_brings_no_torch() -> None:
    code = (
        "import sys, sim; print('gymnasium' in sys.modules, 'mujoco' in sys.modules)\n"
        "sim.make('pusht/state'); print(sorted({'torch', 'mujoco', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "False False\n[]\n"
    assert done.stderr == ""
