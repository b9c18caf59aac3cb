"""What every task of the twin keeps to: its specs, its seed, its records, its words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

import sim
from robot.description import History, PolicySpec, SamplerSpec
from robot.errors import InputError
from sim.evaluation.collect import divergence, record
from sim.evaluation.rollout import evaluate_policy
from sim.experts import expert_ids, make_expert
from sim.rendering.backend import find_backend
from sim.tasks import suite_ids
from sim.tasks.registry import suite_of

TASKS = suite_ids("twin")
ROOT = Path(__file__).parents[4]

needs_renderer = pytest.mark.skipif(find_backend() is None, reason="neither EGL nor OSMesa works on this machine")


@pytest.fixture(scope="module", params=TASKS)
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = sim.make(request.param)
    yield made
    made.close()


@pytest.fixture(scope="module")
def lift() -> Iterator[Any]:
    made = sim.make("twin/lift")
    yield made
    made.close()


def staying(env: Any, observation: dict[str, np.ndarray]) -> np.ndarray:
    """The action that asks for the robot as it is."""
    return np.concatenate([observation[field.name] for field in env.action_spec.fields])


def test_observations_and_actions_are_what_the_specs_say(env: Any) -> None:
    first, info = env.reset(seed=3)
    env.observation_spec.check_row(first)
    for field in env.observation_spec:
        assert first[field.name].dtype == field.dtype, field.name
        assert np.isfinite(first[field.name]).all(), field.name
    assert info["success"] is False and info["clamped"] == 0
    last, reward, terminated, truncated, info = env.step(staying(env, first))
    env.observation_spec.check_row(last)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert env.action_space.shape == (env.action_spec.dim,)


def test_the_robot_stays_where_it_is_told_to_stay(env: Any) -> None:
    first, _ = env.reset(seed=5)
    for _ in range(10):
        last, *_ = env.step(staying(env, first))
    np.testing.assert_allclose(last["tcp.position"], first["tcp.position"], atol=1.5e-3)


def test_a_seed_decides_the_whole_start_whatever_came_before(env: Any) -> None:
    first, _ = env.reset(seed=11)
    action = staying(env, first)
    path = [env.step(action + 0.001 * step)[0] for step in range(5)]
    other, _ = env.reset(seed=12)
    assert any(not np.array_equal(first[name], other[name]) for name in first), "another seed, another start"
    for step in range(7):
        env.step(action - 0.002 * step)
    again, _ = env.reset(seed=11)
    for name in first:
        np.testing.assert_array_equal(first[name], again[name], err_msg=name)
    for step, seen in enumerate(path):
        repeated = env.step(action + 0.001 * step)[0]
        for name in seen:
            np.testing.assert_array_equal(seen[name], repeated[name], err_msg=f"{name}, step {step}")


def test_every_task_has_an_expert_that_succeeds_in_its_own_way_and_words(env: Any) -> None:
    assert env.task.id in expert_ids()
    episodes = [record(env, seed) for seed in (20, 21, 22)]
    assert sum(bool(each.meta["success"]) for each in episodes) >= 2
    assert len({each.meta["strategy"] for each in episodes}) == 3, "drawn anew for each"
    assert all(len(str(each.meta["instruction"]).split()) >= 3 for each in episodes)


def test_what_is_recorded_replays_to_the_bit(env: Any) -> None:
    episode = record(env, 30)
    observation, _ = env.reset(seed=30)
    for row, action in enumerate(episode.data["action"]):
        for name in observation:
            np.testing.assert_array_equal(observation[name], episode.data[name][row], err_msg=f"{name}, row {row}")
        observation, *_ = env.step(action)


def test_wrong_actions_name_field_and_shape_and_leave_the_twin_usable(env: Any) -> None:
    first, _ = env.reset(seed=1)
    good = staying(env, first)
    with pytest.raises(InputError, match=f"expected \\({len(good)},\\)"):
        env.step(good[:-1])
    bad = good.copy()
    bad[1] = np.nan
    with pytest.raises(InputError, match="finite"):
        env.step(bad)
    after, *_ = env.step(good)
    assert all(np.isfinite(value).all() for value in after.values())


def test_targets_out_of_reach_are_brought_back_and_counted(lift: Any) -> None:
    first, _ = lift.reset(seed=1)
    far = staying(lift, first)
    far[:3] = [5.0, 5.0, 5.0]
    for _ in range(30):
        seen, *_, info = lift.step(far)
        assert np.isfinite(seen["tcp.position"]).all()
    assert info["clamped"] == 30
    assert np.linalg.norm(seen["tcp.position"]) < 1.5


class Grabber:
    """Goes to the cube with a tremble of its seed, closes when it is there, lifts when the fingers have stopped."""

    noise_shape = None

    def __init__(self, env: Any) -> None:
        keys = ("tcp.position", "gripper.width", "cube.from_tcp")
        self.spec = PolicySpec(
            env.observation_spec.select(keys).with_history(History(1)), env.action_spec, 4, 2, SamplerSpec("grab", 1)
        )

    def sample(self, observation: dict[str, np.ndarray], *, seeds: list[int], **_: Any) -> np.ndarray:
        tcp, width, way = (observation[name][:, -1] for name in ("tcp.position", "gripper.width", "cube.from_tcp"))
        tremble = np.stack([np.random.default_rng(seed).normal(0, 0.003, 3) for seed in seeds])
        there = np.linalg.norm(way, axis=1, keepdims=True) < 0.015
        gripped = there & (width < 0.045)
        goal = np.where(gripped, tcp + [0, 0, 0.03], tcp + np.clip(way, -0.03, 0.03) + tremble)
        down = np.tile([1.0, 0, 0, 0, -1.0, 0], (len(tcp), 1))
        plan = np.concatenate([goal, down, np.where(there, 0.0, 0.08)], axis=1)
        return np.repeat(plan[:, None, None], 4, axis=2)

    def with_sampler(self, name: str | None = None, steps: int | None = None) -> Grabber:
        return self


def test_one_worker_and_two_and_twice_give_the_same_records(lift: Any) -> None:
    runs = [
        evaluate_policy(Grabber(lift), "twin/lift", episodes=8, seed=7, workers=workers, batch=2)
        for workers in (1, 2, 2)
    ]
    results = [[(each.seed, each.success, each.length, each.episode_return) for each in run.records] for run in runs]
    assert results[0] == results[1] == results[2]
    assert len({length for _, _, length, _ in results[0]}) > 3, "episodes differ"


@pytest.mark.parametrize("robot", ["ur5e", "panda"])
def test_other_robots_do_the_same_task(robot: str) -> None:
    env = sim.make("twin/lift", robot=robot)
    assert sum(bool(record(env, seed).meta["success"]) for seed in range(4)) >= 3


def test_joint_control_follows_joint_targets(lift: Any) -> None:
    env: Any = sim.make("twin/lift", control="joint")
    env.reset(seed=0)
    names = env.action_spec.component_names
    assert names[0] == "arm.joints.0" and names[-1] == "gripper.width"
    goal = np.array([*env.scene.description.limbs[0].arm.rest, 0.08])
    goal[0] += 0.2
    for _ in range(40):
        env.step(goal)
    reached = [env.scene.data.joint(name).qpos[0] for name in env.scene.description.limbs[0].arm.joints]
    np.testing.assert_allclose(reached, goal[:7], atol=2e-3)


@needs_renderer
def test_cameras_give_images_and_depth_in_millimetres() -> None:
    env = sim.make("twin/lift", cameras=["front", "wrist"], depth=True, image_size=64)
    seen, _ = env.reset(seed=0)
    env.observation_spec.check_row(seen)
    assert seen["front.image"].shape == (64, 64, 3) and seen["front.image"].std() > 10
    depth = seen["wrist.depth"]
    assert depth.dtype == np.uint16 and 50 < np.median(depth[depth > 0]) < 600, "mm to hand and table"
    env.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"robot": "pnda"}, "Did you mean 'panda'"),
        ({"robot": "panda_inspire"}, "one arm with a gripper"),
        ({"robot": "two_panda"}, "one arm"),
        ({"control": "joints"}, "Did you mean 'joint'"),
        ({"cameras": ["frnt"]}, "Did you mean 'front'"),
        ({"inner_hz": 100}, "at least 500 and at most 1000"),
        ({"depth": True}, "cameras"),
        ({"speed": 3}, "option 'speed'"),
    ],
)
def test_wrong_options_say_what_was_expected(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        sim.make("twin/lift", **options)


def test_an_unknown_task_offers_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'twin/lift'"):
        sim.make("twin/lfit")
    with pytest.raises(InputError, match="Did you mean 'twin/lift'"):
        suite_of("lfit")
    with pytest.raises(InputError, match="scripted expert"):
        make_expert("twin/nothing")


def test_the_twin_needs_neither_robosuite_nor_torch_at_run_time() -> None:
    code = (
        "import sys, sim; sim.make('twin/lift').reset(seed=0); "
        "print([name for name in ('robosuite', 'torch', 'matplotlib') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_camera_without_a_renderer_says_what_is_missing() -> None:
    code = "import sim; env = sim.make('twin/lift', cameras=['front']); env.reset(seed=0)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PATH": "", "TILLER_GL": "none", "OMP_NUM_THREADS": "1", "HOME": str(Path.home())},
    )
    assert done.returncode == 1 and "Nothing to draw with" in done.stderr


def test_a_physics_that_diverges_ends_its_own_episode_only(lift: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, _ = lift.reset(seed=3)
    action = lift.holding(fresh)
    before, *_ = lift.step(action)
    lift.scene.data.qvel[:7] = 1e9
    seen, reward, terminated, truncated, info = lift.step(action)
    assert (reward, terminated, truncated, info["success"]) == (0.0, True, False, False)
    assert "The physics diverged" in info["diverged"]
    assert all(np.array_equal(seen[name], before[name]) for name in seen)
    again, _ = lift.reset(seed=3)
    assert all(np.array_equal(again[name], fresh[name]) for name in fresh)

    hold, steps = lift.robot.hold, iter(range(1000))

    def hold_until_it_breaks(target: np.ndarray) -> None:
        if next(steps) == 5:
            lift.scene.data.qvel[:7] = 1e9
        hold(target)

    monkeypatch.setattr(lift.robot, "hold", hold_until_it_breaks)
    episode = record(lift, 3)
    assert len(episode) == 6 and not episode.meta["success"] and "The physics diverged" in divergence(episode)
    monkeypatch.undo()
    assert divergence(record(lift, 3)) == ""
