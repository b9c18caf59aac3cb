"""robosuite behind our interface: poses go where they are sent, seeds decide everything, physics stays robosuite's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

import sim
from robot.control.rotation import angle_between, matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix
from robot.errors import InputError
from sim.rendering.backend import find_backend
from sim.tasks.robosuite.env import RobosuiteEnv

TASKS = ("Lift", "PickPlaceCan", "NutAssemblySquare", "Door", "Stack")
OBJECTS = {"Lift": "cube", "PickPlaceCan": "Can", "NutAssemblySquare": "SquareNut", "Door": "handle", "Stack": "cubeA"}
ROOT = Path(__file__).parents[3]

needs_renderer = pytest.mark.skipif(find_backend() is None, reason="neither EGL nor OSMesa works on this machine")


@pytest.fixture(scope="module")
def lift() -> Iterator[RobosuiteEnv]:
    env: Any = sim.make("robosuite/Lift")
    yield env
    env.close()


def hold(observation: dict[str, np.ndarray], gripper: float = -1.0) -> np.ndarray:
    """The action that asks for the pose that is there."""
    return np.concatenate([observation["tcp.position"], observation["tcp.rotation"], [gripper]])


@pytest.mark.parametrize("name", TASKS)
def test_every_task_observes_in_metres_and_holds_still(name: str) -> None:
    env: Any = sim.make(f"robosuite/{name}")
    first, info = env.reset(seed=3)
    env.observation_spec.check_row(first)
    assert all(value.dtype == np.float32 for value in first.values())
    assert info == {"success": False, "is_success": False, "score": 0.0}
    thing = OBJECTS[name]
    np.testing.assert_allclose(
        first[f"{thing}.from_tcp"], first[f"{thing}.position"] - first["tcp.position"], atol=1e-6
    )
    assert 0.2 < np.linalg.norm(first[f"{thing}.position"]) < 1.0
    action = hold(first)
    for _ in range(5):
        last, reward, terminated, truncated, _ = env.step(action)
    assert (reward, terminated, truncated) == (0.0, False, False)
    np.testing.assert_allclose(last["tcp.position"], first["tcp.position"], atol=1e-4)
    again, _ = env.reset(seed=3)
    for key in first:
        np.testing.assert_array_equal(first[key], again[key])
    env.close()


def test_a_commanded_pose_is_reached(lift: RobosuiteEnv) -> None:
    first, _ = lift.reset(seed=0)
    position = first["tcp.position"] + np.array([0.05, -0.08, -0.04])
    turned = matrix_from_rotvec(np.array([0.1, 0.0, 0.6])) @ matrix_from_6d(first["tcp.rotation"])
    for _ in range(40):
        last, *_ = lift.step(np.concatenate([position, rotation_6d_from_matrix(turned), [-1.0]]))
    assert np.abs(last["tcp.position"] - position).max() < 0.002
    assert angle_between(matrix_from_6d(last["tcp.rotation"]), turned) < 0.02


def test_the_gripper_opens_and_closes(lift: RobosuiteEnv) -> None:
    first, _ = lift.reset(seed=0)
    for _ in range(15):
        opened, *_ = lift.step(hold(first, -1.0))
    for _ in range(20):
        closed, *_ = lift.step(hold(first, 1.0))
    assert opened["gripper.width"][0] > 0.07
    assert closed["gripper.width"][0] < 0.01


def test_poses_are_in_the_base_frame(lift: RobosuiteEnv) -> None:
    observation, _ = lift.reset(seed=0)
    scene = lift._env.sim
    base = scene.data.body_xpos[scene.model.body_name2id("robot0_base")]
    cube = scene.data.body_xpos[lift._env.cube_body_id]
    np.testing.assert_allclose(observation["cube.position"], cube - base, atol=1e-6)


def test_the_step_is_robosuites_own(lift: RobosuiteEnv) -> None:
    """Our loop leaves out robosuite's bookkeeping; not a bit of the physics may differ."""
    first, _ = lift.reset(seed=1)
    other: Any = sim.make("robosuite/Lift")
    other.reset(seed=1)
    random = np.random.default_rng(0)
    for row in range(12):
        action = hold(first, 1.0 if row > 5 else -1.0)
        action[:3] += random.uniform(-0.1, 0.1, 3)
        lift.step(action)
        other._env.step(other._command(action))
        np.testing.assert_array_equal(lift._env.sim.data.qpos, other._env.sim.data.qpos)
        np.testing.assert_array_equal(lift._env.sim.data.qvel, other._env.sim.data.qvel)
    other.close()


_TRACE = """
import hashlib, sys, numpy as np, sim
env = sim.make("robosuite/PickPlaceCan")
for seed in map(int, sys.argv[1:]):
    observation, _ = env.reset(seed=seed)
    for row in range(6):
        action = np.concatenate([observation["tcp.position"] + 0.02, observation["tcp.rotation"], [1.0]])
        observation, *_ = env.step(action)
    print(hashlib.sha256(b"".join(observation[key].tobytes() for key in sorted(observation))).hexdigest())
"""


def test_a_seed_gives_the_same_episode_in_any_process_after_any_other() -> None:
    def trace(*seeds: str) -> list[str]:
        command = [sys.executable, "-c", _TRACE, *seeds]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
        assert done.stderr == "", "robosuite's advice at import must stay out of the way"
        return done.stdout.split()

    (alone,), (fourth, fifth, after_others) = trace("11"), trace("4", "5", "11")
    assert alone == after_others
    assert len({alone, fourth, fifth}) == 3


def test_lifting_the_cube_is_success(lift: RobosuiteEnv) -> None:
    first, _ = lift.reset(seed=0)
    scene = lift._env.sim
    place = scene.data.get_joint_qpos(lift._env.cube.joints[0])
    place[2] += 0.15
    scene.data.set_joint_qpos(lift._env.cube.joints[0], place)
    _, reward, terminated, _, info = lift.step(hold(first))
    assert (reward, terminated) == (1.0, True)
    assert info == {"success": True, "is_success": True, "score": 1.0}


def test_the_native_reward_is_shaped() -> None:
    env = sim.make("robosuite/Stack", reward="native")
    first, _ = env.reset(seed=0)
    far = env.step(hold(first))[1]
    goal = first["cubeA.position"] + np.array([0.0, 0.0, 0.08])
    for _ in range(20):
        near = env.step(np.concatenate([goal, first["tcp.rotation"], [-1.0]]))[1]
    assert 0 < far < near < 1
    env.close()


@needs_renderer
def test_cameras_join_the_observation() -> None:
    env = sim.make("robosuite/Lift", cameras=["agentview", "robot0_eye_in_hand"], image_size=64, render=True)
    first, _ = env.reset(seed=0)
    assert env.observation_spec["agentview.image"].shape == (64, 64, 3)
    env.observation_spec.check_row(first)
    assert first["agentview.image"].std() > 10
    assert (first["agentview.image"] != first["robot0_eye_in_hand.image"]).any()
    again, _ = env.reset(seed=0)
    np.testing.assert_array_equal(first["agentview.image"], again["agentview.image"])
    assert env.render().shape == (256, 256, 3)
    env.close()


@pytest.mark.parametrize(
    "options, words",
    [
        ({"cameras": ["agentviev"]}, "Did you mean 'agentview'?"),
        ({"render_camera": "frontviev"}, "Did you mean 'frontview'?"),
        ({"camera": "agentview"}, "Did you mean 'cameras'?"),
        ({"image_size": 3}, "at least 16"),
    ],
)
def test_wrong_options_name_the_right_ones(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        sim.make("robosuite/Lift", **options)
    assert words in str(error.value)


def test_tasks_for_two_arms_are_refused() -> None:
    with pytest.raises(InputError, match="needs two arms"):
        sim.make("robosuite/TwoArmLift")
