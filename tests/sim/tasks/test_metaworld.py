"""Meta-World's tasks: starts that a seed decides, a goal in sight, scripted policies that solve them."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sim
from robot.control.rotation import matrix_from_6d
from robot.errors import InputError
from sim.evaluation.collect import record
from sim.experts import expert_ids, make_expert
from sim.rendering.backend import find_backend
from sim.tasks import suite_ids, task_info
from sim.tasks.environment import Observation, TaskEnv
from sim.tasks.metaworld.facts import OBSERVATION, TASKS

ROOT = Path(__file__).parents[3]
IDS = suite_ids("metaworld")

try:
    import metaworld
    import metaworld.env_dict
    import metaworld.policies
except ImportError:
    metaworld = None

needs_metaworld = pytest.mark.skipif(metaworld is None, reason="Meta-World is not installed: tiller[metaworld]")
needs_renderer = pytest.mark.skipif(find_backend() is None, reason="neither EGL nor OSMesa works on this machine")


def start(env: TaskEnv, seed: int) -> Observation:
    return env.reset(seed=seed)[0]


def flat(observation: Observation) -> np.ndarray:
    return np.concatenate([observation[name] for name in OBSERVATION.by_name])


def test_fifty_tasks_have_their_words_and_an_expert() -> None:
    assert len(IDS) == 50
    assert set(IDS) <= set(expert_ids())
    instructions = [task_info(task_id).instruction for task_id in IDS]
    assert len(set(instructions)) == 50
    for task_id in IDS:
        task = task_info(task_id)
        assert (task.control_hz, task.max_steps) == (80, 500)
        assert task.instruction[0].islower() and len(task.instruction.split()) >= 4
        assert task.success


def test_an_unknown_name_offers_the_nearest_and_the_long_form_is_the_same_task() -> None:
    with pytest.raises(InputError, match="Did you mean 'metaworld/drawer-open'"):
        sim.make("metaworld/drawer-opne")
    with pytest.raises(InputError, match="Did you mean 'metaworld/pick-place'"):
        make_expert("metaworld/pick-place-v2")
    assert task_info("metaworld/reach-v3") == task_info("metaworld/reach")


def test_without_meta_world_everything_but_making_works() -> None:
    code = (
        "import sys; sys.modules['metaworld'] = None\n"
        "import sim; from sim.tasks import task_ids, task_info; from sim.pages.tasks import page\n"
        "from sim.experts import make_expert; from robot.errors import MissingExtraError\n"
        "assert 'metaworld/reach' in task_ids() and 'metaworld/reach' in page()\n"
        "assert task_info('metaworld/reach').instruction\n"
        "for make in (sim.make, make_expert):\n"
        "    try: make('metaworld/reach')\n"
        "    except MissingExtraError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == ["Meta-World is not installed. Get it with: pip install 'tiller[metaworld]'"] * 2


@needs_metaworld
def test_the_names_are_those_of_the_installed_meta_world() -> None:
    assert {f"{name}-v3" for name in TASKS} == set(metaworld.env_dict.ALL_V3_ENVIRONMENTS)
    assert {f"{name}-v3" for name in TASKS} == set(metaworld.policies.ENV_POLICY_MAP)


@needs_metaworld
@pytest.mark.parametrize("task_id", IDS)
def test_a_seed_decides_the_whole_start_whatever_came_before(task_id: str) -> None:
    env = sim.make(task_id)
    first = start(env, 1)
    steps = [env.step(action)[0] for action in np.random.default_rng(0).uniform(-1, 1, (5, 4))]
    other = start(env, 2)
    again = start(env, 1)
    np.testing.assert_array_equal(flat(first), flat(again))
    assert np.abs(flat(first) - flat(other)).max() > 1e-3
    for action, step in zip(np.random.default_rng(0).uniform(-1, 1, (5, 4)), steps):
        np.testing.assert_array_equal(flat(step), flat(env.step(action)[0]))
    assert np.linalg.norm(first["goal.position"]) > 0.1
    for name, field in OBSERVATION.by_name.items():
        assert (first[name].shape, first[name].dtype) == (field.shape, field.dtype)
    env.close()


@needs_metaworld
def test_starts_are_drawn_from_a_range_and_not_from_a_list() -> None:
    env = sim.make("metaworld/reach")
    goals = np.array([start(env, seed)["goal.position"] for seed in range(60)])
    assert len(np.unique(goals, axis=0)) == 60  # Meta-World's own lists have 50
    assert (np.ptp(goals, axis=0) > [0.15, 0.08, 0.15]).all()
    env.close()


@needs_metaworld
def test_what_is_seen_at_a_start_is_where_it_is() -> None:
    """An action of nothing moves nothing far: no part of the first observation is left from another start."""
    for name in ("window-close", "dial-turn", "door-lock", "drawer-open", "lever-pull"):
        env = sim.make(f"metaworld/{name}")
        start(env, 5)
        before = flat(start(env, 6))
        after = flat(env.step(np.zeros(4))[0])
        assert np.abs(before - after).max() < 0.02, name
        env.close()


@needs_metaworld
@pytest.mark.parametrize("name", sorted(TASKS))
def test_rotations_are_those_of_the_scene(name: str) -> None:
    """Meta-World mixes two orders of quaternions; read wrongly, none of these is a body or geom of the scene."""
    env = sim.make(f"metaworld/{name}")
    seen = start(env, 3)["object.rotation"]
    source = inspect.getsource(type(env._env)._get_quat_objects)
    if "np.zeros(4)" in source:
        assert not seen.any()
    else:
        data = env._env.data
        scene = np.concatenate([data.xmat[1:], data.geom_xmat]).reshape(-1, 3, 3)
        apart = np.abs(scene - matrix_from_6d(seen)).max(axis=(1, 2))
        assert apart.min() < 1e-5
        assert ("as_quat" in source) == (env._quat_order[0] == 3)
    env.close()


@needs_metaworld
@pytest.mark.parametrize("name", ["reach", "drawer-open", "pick-place", "hammer", "window-close", "stick-push"])
def test_the_expert_solves_it_and_success_ends_the_episode(name: str) -> None:
    env = sim.make(f"metaworld/{name}")
    episodes = [record(env, seed) for seed in (0, 1, 2)]
    for episode in episodes:
        assert episode.meta["success"]
        assert 20 < len(episode) < 200
        assert episode.data["reward"][-1] == 1 and not episode.data["reward"][:-1].any()
        assert np.abs(episode.data["action"]).max() <= 1
        assert episode.meta["instruction"] == TASKS[name].instruction
    assert record(env, 1).digest() == episodes[1].digest()
    env.close()


@needs_metaworld
def test_the_time_limit_is_the_tasks_own_and_the_native_reward_is_shaped() -> None:
    env = sim.make("metaworld/push", reward="native", max_steps=12)
    start(env, 0)
    steps = [env.step(np.zeros(4)) for _ in range(12)]
    assert [step[3] for step in steps] == [False] * 11 + [True]
    assert not any(step[2] for step in steps)
    assert all(0 < step[1] < 10 for step in steps)
    env.close()


@needs_metaworld
def test_a_step_of_one_moves_the_hand_by_a_centimetre() -> None:
    env = sim.make("metaworld/reach")
    before = start(env, 0)["hand.position"]
    for _ in range(10):
        after = env.step(np.array([1.0, 0.0, 0.0, 0.0]))[0]["hand.position"]
    for _ in range(20):
        after = env.step(np.zeros(4))[0]["hand.position"]
    np.testing.assert_allclose(after - before, [0.1, 0, 0], atol=0.01)
    env.close()


@needs_metaworld
@needs_renderer
def test_cameras_see_the_scene_upright() -> None:
    cameras = ("corner", "gripperPOV")
    env = sim.make("metaworld/drawer-open", render=True, render_size=96, cameras=cameras, image_size=64)
    observation = start(env, 0)
    assert env.observation_space["corner.image"].shape == (64, 64, 3)
    for camera in cameras:
        assert observation[f"{camera}.image"].std() > 20
    image = env.render().astype(int)
    assert image.shape == (96, 96, 3)
    # Behind table and arm there is only grey; in front of them stands the table's wooden leg.
    assert np.ptp(image[:10], axis=2).max() < 20 < 40 < np.ptp(image[-10:], axis=2).max()
    env.close()


@needs_metaworld
def test_a_camera_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="Did you mean 'corner'"):
        sim.make("metaworld/reach", cameras=("cornr",))


@needs_metaworld
def test_the_expert_of_another_task_does_what_it_is_told_in_this_one() -> None:
    """The drawer is shut already: the expert that shuts it pushes on, and does not open it."""
    from sim.evaluation.collect import collect

    common = {"episodes": 1, "seed": 3, "options": {"max_steps": 250}}
    own = next(iter(collect("metaworld/drawer-open", keep_failures=True, **common)))
    other = next(iter(collect("metaworld/drawer-open", keep_failures=True, expert="metaworld/drawer-close", **common)))
    assert other.meta["instruction"] == sim.make("metaworld/drawer-close").instruction != own.meta["instruction"]
    assert own.meta["success"]
    assert other.meta["source"] == "scripted expert of metaworld/drawer-close" and not other.meta["success"]
    for name in ("object.position", "goal.position"):
        np.testing.assert_array_equal(own.data[name][0], other.data[name][0])
    moved = [np.abs(each.data["object.position"] - each.data["object.position"][0]).max() for each in (own, other)]
    assert moved[1] < 0.03 < moved[0]
