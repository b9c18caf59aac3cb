"""`maze/01` to `maze/12` as tasks: their facts, observations, rewards, options and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot.errors import InputError
from robot.safety.energy import load_budget
from sim.maze.follower import Follower
from sim.maze.layout import SIZE_M, layout
from sim.maze.picture import BLOCK, GOAL, PIN, WALL
from sim.tasks import maze


def make(name: str = "04", *, reward: str = "sparse", **options: Any) -> maze.Maze:
    return maze.make(name, reward=reward, options=options)


def follow(env: maze.Maze, seed: int = 0) -> tuple[list[float], dict[str, Any], bool, bool]:
    env.reset(seed=seed)
    follower, rewards = Follower(env.batch), []
    while True:
        _, reward, terminated, truncated, info = env.step(follower.act()[0])
        rewards.append(reward)
        if terminated or truncated:
            return rewards, info, terminated, truncated


def test_there_are_twelve_tasks_at_20_hz() -> None:
    assert maze.names() == tuple(f"{n:02d}" for n in range(1, 13))
    for name in maze.names():
        task = maze.task_info(name)
        assert (task.id, task.control_hz, task.max_steps) == (f"maze/{name}", 20, 400)
    with pytest.raises(InputError, match="one of 01, 02"):
        maze.task_info("1")


@pytest.mark.parametrize("physics", ["numpy", "mujoco"])
def test_observations_are_as_declared_and_the_seed_decides_them(physics: str) -> None:
    env = make(physics=physics, jitter_s=0.05)
    first, info = env.reset(seed=7)
    env.observation_spec.check_row(first)
    assert {key: value.dtype.name for key, value in first.items()} == {
        each.name: each.dtype for each in env.observation_spec
    }
    action = np.array([0.04, 0.1, 500.0, 500.0])
    seen = [env.step(action)[0] for _ in range(5)]
    again, _ = env.reset(seed=7)
    replayed = [env.step(action)[0] for _ in range(5)]
    other, _ = env.reset(seed=8)
    for key in env.observation_spec.names:
        np.testing.assert_array_equal(first[key], again[key])
        for one, two in zip(seen, replayed):
            np.testing.assert_array_equal(one[key], two[key])
    assert not np.array_equal(first["position"], other["position"])
    assert not info["success"]


def test_a_setpoint_in_the_plane_is_no_pose_of_a_tool() -> None:
    kinds = {each.name: (each.kind, each.unit, each.size) for each in maze.ACTION.fields}
    assert kinds == {"pin.setpoint": ("native", "m", 2), "stiffness": ("stiffness", "N/m", 2)}


def test_holding_holds() -> None:
    env = make()
    observation, _ = env.reset(seed=1)
    hold = env.holding(observation)
    assert env.action_space.contains(hold.astype(np.float32))
    for _ in range(10):
        seen, *_ = env.step(hold)
    np.testing.assert_allclose(seen["position"], observation["position"], atol=1e-6)
    np.testing.assert_allclose(seen["energy.tank"], 1.0)


@pytest.mark.parametrize("enforce", [True, False])
def test_the_way_leads_to_success_which_pays_one_and_the_score_grows_to_one(enforce: bool) -> None:
    rewards, info, terminated, truncated = follow(make(enforce=enforce))
    assert rewards == [0.0] * (len(rewards) - 1) + [1.0]
    assert (terminated, truncated, info["success"], info["score"]) == (True, False, True, 1.0)
    assert info["energy_overdrafts"] == 0 and 0 < info["energy_spent_j"] < 1
    assert info["energy_level_j"] == pytest.approx(0.5 * info["energy_tank"])


def test_the_native_reward_is_the_way_that_is_left() -> None:
    env = make(reward="native")
    env.reset(seed=0)
    _, reward, _, _, info = env.step(env.holding({}))
    way = env.batch.distance_m[0]
    assert reward == pytest.approx(-10 * way - 0.1)
    assert info["score"] == pytest.approx(0.0, abs=0.01)


def test_the_limit_truncates_at_400_steps_or_as_told() -> None:
    env = make(max_steps=7)
    env.reset(seed=0)
    ends = [env.step(env.holding({}))[2:4] for _ in range(7)]
    assert ends == [(False, False)] * 6 + [(False, True)]


def test_a_shadow_counts_what_an_enforced_budget_prevents() -> None:
    told = {}
    for enforce in (True, False):
        env = make("07", enforce=enforce)
        env.reset(seed=0)
        random = np.random.default_rng(0)
        for _ in range(80):
            *_, info = env.step(np.concatenate([env.batch.position[0] + random.uniform(-0.15, 0.15, 2), [1500.0] * 2]))
        told[enforce] = info
    assert told[True]["energy_overdrafts"] == 0 and told[False]["energy_overdrafts"] > 0
    assert told[True]["energy_changed"] > 0.2 and told[False]["energy_changed"] == 0
    assert told[True]["energy_reason"] in ("tank", "power", "leash", "force")
    assert "energy_reason" not in told[False]


def test_another_budget_can_be_asked_for() -> None:
    env = make(budget="free")
    assert env.batch.budget == load_budget("free")
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observation["energy.tank"], [1.0])


def test_the_picture_shows_walls_goal_pin_and_block_where_they_are() -> None:
    env = make("04", render=True, render_size=240, start_m=0.0)
    env.reset(seed=0)
    picture, plan = env.render(), layout(4)

    def at(x: float, y: float) -> tuple[int, ...]:
        column, row = int(x / SIZE_M[0] * 240), int(120 - (y - SIZE_M[1] / 2) / SIZE_M[0] * 240)
        return tuple(int(value) for value in picture[row, column])

    assert picture.shape == (240, 240, 3) and picture.dtype == np.uint8
    assert at(*(plan.start + [0.005, 0.0])) == PIN
    assert at(*plan.goal) == GOAL
    assert at(*plan.blocks[0]) == BLOCK
    for box in plan.boxes[4:][plan.kinds[4:] == 0]:
        assert at(*box.reshape(2, 2).mean(axis=0)) == WALL
    for _ in range(10):
        env.step(np.append(env.batch.position[0] + [0.0, 0.01], [500.0] * 2))
    assert (env.render() != picture).any()


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(physics="bullet"), "numpy, mujoco"),
        (dict(wal=1e4), "Did you mean 'wall'"),
        (dict(wall=1.0), "wall"),
        (dict(budget="mase"), "maze"),
        (dict(delay_s=9.0), "delay_s"),
    ],
)
def test_an_option_that_is_wrong_says_what_is_right(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        make(**options)
