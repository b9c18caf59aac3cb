"""The twin as a robot: what it takes, what it refuses, and that it goes on afterwards."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from robot.description import ActionChunk, Robot
from robot.description.loading import load_robot
from robot.errors import InputError, TillerError
from sim.twin.model.scene import compile_scene, new_scene
from sim.twin.robot import TwinRobot
from tests.sim.twin.arms import PERIOD_S, make_twin, tcp_pose

PERIOD_NS = round(PERIOD_S * 1e9)


@cache
def shared(robot: str, control: str) -> TwinRobot:
    return make_twin(robot, control=control)


@pytest.fixture
def twin() -> TwinRobot:
    found = shared("panda", "cartesian")
    found.reset()
    return found


def chunk(twin, values, start_ns=None, chunk_id=0):
    start_ns = twin.clock.now_ns() if start_ns is None else start_ns
    return ActionChunk(np.asarray(values, dtype=float), start_ns, PERIOD_S, chunk_id, twin.action_spec)


def line(twin, rows, step=(0.0, 0.004, 0.002)):
    """Targets (rows, dim) that leave the set-point at an even pace."""
    values = np.tile(twin.target, (rows, 1))
    values[:, :3] += np.arange(1, rows + 1)[:, None] * step
    return values


def state(twin):
    data = twin.scene.data
    return np.concatenate([data.qpos, data.qvel, data.ctrl, twin.work_j, twin.target])


def set_points(twin, seconds):
    """The set-point every 2 ms while time passes."""
    found = [twin.target]
    for _ in range(round(seconds / 0.002)):
        twin.run_for(2_000_000)
        found.append(twin.target)
    return np.array(found)


def test_it_is_a_robot(twin):
    assert isinstance(twin, Robot)
    assert {name: row.dtype for name, row in twin.observe().items()} == {
        "tcp.position": np.float32,
        "tcp.rotation": np.float32,
        "gripper.width": np.float32,
    }


@pytest.mark.parametrize("robot, control", [("panda", "cartesian"), ("ur5e", "joint"), ("two_panda", "cartesian")])
def test_a_row_of_a_chunk_and_the_same_target_held_are_the_same_motion(robot, control):
    twin = shared(robot, control)
    twin.reset()
    values = np.tile(twin.target, (6, 1))
    values[:, :3] += np.arange(1, 7)[:, None] * 0.005
    for value in values:
        twin.hold(value)
    held = state(twin)
    twin.reset()
    twin.execute(chunk(twin, values))
    twin.run_for(6 * PERIOD_NS)
    np.testing.assert_allclose(state(twin), held, atol=1e-9)


def test_the_same_commands_give_the_same_states_bit_for_bit(twin):
    def go(robot):
        robot.reset()
        random = np.random.default_rng(3)
        for _ in range(20):
            robot.hold(robot.target + random.uniform(-0.01, 0.01, robot.action_spec.dim))
        return state(robot)

    first = go(twin)
    assert (go(twin) == first).all()
    assert (go(make_twin("panda")) == first).all()


def test_stale_rows_are_dropped_and_the_rest_keep_their_due_times(twin):
    values = line(twin, 4)
    twin.run_for(2 * PERIOD_NS)
    twin.execute(chunk(twin, values, start_ns=0))
    twin.run_for(PERIOD_NS)
    np.testing.assert_allclose(twin.target, values[2], atol=1e-12)
    twin.run_for(PERIOD_NS)
    np.testing.assert_allclose(twin.target, values[3], atol=1e-12)


def test_a_chunk_that_came_too_late_changes_nothing(twin):
    twin.run_for(5 * PERIOD_NS)
    before = twin.target
    twin.execute(chunk(twin, line(twin, 4), start_ns=0))
    twin.run_for(PERIOD_NS)
    np.testing.assert_array_equal(twin.target, before)


def test_overlapping_chunks_are_joined_without_a_jump_of_the_set_point(twin):
    twin.execute(chunk(twin, line(twin, 8)))
    first = set_points(twin, 0.11)
    twin.execute(chunk(twin, line(twin, 8, (0.004, -0.004, 0.0)), start_ns=2 * PERIOD_NS))
    second = set_points(twin, 0.4)
    path = np.concatenate([first, second[1:]])[:, :3]
    assert (second[0] == first[-1]).all()
    # The new target lies 3 rows ahead of its path, and is reached within what is left of an interval: no faster.
    assert np.abs(np.diff(path, axis=0)).max() < 0.004 * 6 / 20


def test_a_target_is_held_from_where_a_chunk_had_led_the_set_point(twin):
    values = line(twin, 16)
    twin.execute(chunk(twin, values))
    twin.run_for(2 * PERIOD_NS)
    here = twin.target
    twin.hold(here)
    np.testing.assert_allclose(twin.target, here)
    assert np.linalg.norm(tcp_pose(twin)[0] - here[:3]) < 5e-3
    twin.run_for(PERIOD_NS)
    np.testing.assert_allclose(twin.target, here)


def test_stop_holds_the_arm_where_it_is_and_leaves_the_tool_to_its_command(twin):
    values = line(twin, 20, (0.0, 0.01, 0.0))
    values[:, -1] = 0.03
    twin.execute(chunk(twin, values))
    twin.run_for(6 * PERIOD_NS)
    position, _ = tcp_pose(twin)
    twin.stop()
    np.testing.assert_allclose(twin.target[:3], position, atol=1e-12)
    twin.run_for(20 * PERIOD_NS)
    np.testing.assert_allclose(tcp_pose(twin)[0], position, atol=1e-3)
    assert np.isclose(twin.observe()["gripper.width"][0], 0.03, atol=3e-3)


def test_a_reset_is_a_new_epoch_that_forgets_the_past(twin):
    epoch, monotonic_ns, fresh = twin.clock.epoch, twin.clock.monotonic_ns(), state(twin)
    target = twin.target
    target[0] = 9.0
    twin.execute(chunk(twin, np.tile(target, (4, 1))))
    twin.run_for(6 * PERIOD_NS)
    assert twin.counts.clamped == 4 and twin.work_j[0] != 0
    twin.reset()
    assert twin.clock.epoch > epoch and twin.clock.now_ns() == 0
    assert twin.clock.monotonic_ns() >= monotonic_ns + 6 * PERIOD_NS
    assert twin.counts.clamped == twin.counts.limited == 0
    np.testing.assert_array_equal(state(twin), fresh)


def test_a_chunk_from_before_a_reset_is_refused(twin):
    twin.run_for(10 * PERIOD_NS)
    late = chunk(twin, line(twin, 4))
    twin.reset()
    with pytest.raises(InputError, match="epoch"):
        twin.execute(late)


@pytest.mark.parametrize(
    "robot, control, field",
    [
        ("panda", "cartesian", "tcp.position"),
        ("panda", "joint", "arm.joints"),
        ("two_panda", "cartesian", "left.tcp.position"),
    ],
)
def test_an_unreachable_target_is_brought_back_counted_and_approached(robot, control, field):
    twin = shared(robot, control)
    twin.reset()
    target = twin.target
    where = twin.action_spec.slices[field]
    before = twin.observe()["tcp.position" if robot == "panda" else "left.tcp.position"]
    target[where] += 5.0
    for count in range(1, 31):
        twin.hold(target)
        assert twin.counts.clamped == count
        assert np.isfinite(twin.plant.qpos).all()
    assert np.abs(twin.target[where]).max() < 4.0
    assert np.linalg.norm(twin.observe()["tcp.position" if robot == "panda" else "left.tcp.position"] - before) > 0.1


def broken(twin, how):
    values = line(twin, 4)
    if how == "nan":
        values[2, 1] = np.nan
    elif how == "infinite":
        values[3, 9] = np.inf
    elif how == "no rotation":
        values[1, 3:9] = 0.0
    elif how == "parallel":
        values[1, 6:9] = 2 * values[1, 3:6]
    return values


@pytest.mark.parametrize(
    "how, words",
    [
        ("nan", r"step 2: tcp\.position\.1"),
        ("infinite", r"step 3: gripper\.width"),
        ("no rotation", r"step 1: tcp\.rotation"),
        ("parallel", r"step 1: tcp\.rotation"),
    ],
)
def test_a_chunk_that_is_no_motion_is_refused_by_field_and_step_and_the_twin_goes_on(twin, how, words):
    good = line(twin, 8)
    twin.execute(chunk(twin, good))
    twin.run_for(PERIOD_NS)
    before, counts = state(twin), twin.counts
    with pytest.raises(InputError, match=words):
        twin.execute(chunk(twin, broken(twin, how)))
    np.testing.assert_array_equal(state(twin), before)
    assert twin.counts == counts
    twin.run_for(7 * PERIOD_NS)
    np.testing.assert_allclose(twin.target, good[-1], atol=1e-12)


def test_a_target_that_is_none_is_refused_and_the_twin_goes_on(twin):
    target, before = twin.target, state(twin)
    for wrong, words in (
        (np.zeros(9), r"\(10,\): tcp\.position\.0"),
        (np.full(10, np.nan), r"tcp\.position\.0: expected a finite number"),
        (np.zeros(10), r"tcp\.rotation: expected two columns"),
    ):
        with pytest.raises(InputError, match=words):
            twin.hold(wrong)
        np.testing.assert_array_equal(state(twin), before)
    twin.hold(target)


def test_a_chunk_of_another_robot_is_refused(twin):
    other = load_robot("panda").action_spec(PERIOD_S, "joint")
    with pytest.raises(InputError, match=r"tcp\.position"):
        twin.execute(ActionChunk(np.zeros((2, other.dim)), 0, PERIOD_S, 0, other))


def test_a_period_that_is_no_whole_number_of_steps_is_refused():
    description = load_robot("panda")
    scene = compile_scene(new_scene(1 / 625), description)
    with pytest.raises(InputError, match="whole number of steps"):
        TwinRobot(scene, description.action_spec(PERIOD_S))


def test_physics_that_diverges_says_so_and_a_reset_repairs_it(twin):
    fresh = state(twin)
    twin.scene.data.qvel[:7] = 1e9
    with pytest.raises(TillerError, match="diverged"):
        twin.hold(twin.target)
    twin.reset()
    np.testing.assert_array_equal(state(twin), fresh)
    twin.hold(twin.target)
