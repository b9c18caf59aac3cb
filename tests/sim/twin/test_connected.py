"""A twin in this process is told where to go as a robot over its gate is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tiller
from robot.control.rotation import matrix_from_rotvec
from robot.description import ActionChunk, ConnectedRobot
from robot.errors import InputError, TillerError


def test_a_twin_goes_where_it_is_told_and_home() -> None:
    turned = matrix_from_rotvec(np.array([0.0, 0.0, 0.4])) @ np.diag([1.0, -1.0, -1.0])
    with tiller.connect("panda") as robot:
        assert isinstance(robot, ConnectedRobot) and robot.wait_until_ready(1.0) is robot
        start = robot.observe()
        robot.move_to([0.5, -0.15, 0.3], turned, 0.03)
        seen = robot.observe()
        np.testing.assert_allclose(seen["tcp.position"], [0.5, -0.15, 0.3], atol=0.005)
        np.testing.assert_allclose(seen["tcp.rotation"], turned[:, :2].T.ravel(), atol=0.05)
        np.testing.assert_allclose(seen["gripper.width"], [0.03], atol=0.002)
        robot.move_to(width=0.06)
        np.testing.assert_allclose(robot.observe()["tcp.position"], [0.5, -0.15, 0.3], atol=0.005)
        robot.home()
        for name, value in start.items():
            np.testing.assert_allclose(robot.observe()[name], value, atol=0.01, err_msg=name)


@pytest.mark.parametrize("name", ["xarm7", "ur5e"])
def test_joints_are_fields_like_any_other(name: str) -> None:
    robot: Any = tiller.connect(name, control="joint")
    before = robot.hold_target.copy()
    joints = before[robot.action_spec.slices["arm.joints"]]
    robot.move_to(fields={"arm.joints": joints + 0.2})
    assert np.abs(robot.hold_target[robot.action_spec.slices["arm.joints"]] - joints - 0.2).max() < 0.05
    robot.home(duration=1.0)
    assert np.abs(robot.hold_target - before).max() < 0.05


def test_a_move_takes_the_time_that_it_is_given() -> None:
    robot: Any = tiller.connect("panda")
    start_s = robot.clock.now_ns() * 1e-9
    robot.move_to([0.5, 0.0, 0.3], duration=3.0)
    assert 3.0 < robot.clock.now_ns() * 1e-9 - start_s < 4.0


@pytest.mark.parametrize(
    "values, words",
    [
        ({"position": [0.5, 0.0]}, "tcp.position: expected 3 numbers in m"),
        ({"position": [0.5, np.nan, 0.2]}, "tcp.position: expected finite"),
        ({"position": [5.0, 0.0, 0.2]}, "in reach of the arm"),
        ({"rotation": np.zeros(6)}, "tcp.rotation: expected two columns of a rotation"),
        ({"rotation": np.full(6, 1e200)}, "tcp.rotation"),
        ({"position": [0.5, 0.0, 0.3], "duration": 0.0}, "duration"),
        ({"position": [0.5, 0.0, 0.3], "duration": np.nan}, "duration"),
        ({"fields": {"tcp.positon": [0, 0, 0]}}, "Did you mean 'tcp.position'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_moves(values: dict[str, Any], words: str) -> None:
    robot: Any = tiller.connect("panda")
    before, time_ns = robot.target, robot.clock.now_ns()
    with pytest.raises(InputError, match=words):
        robot.move_to(**values)
    np.testing.assert_array_equal(robot.target, before)
    assert robot.clock.now_ns() == time_ns


def test_a_table_in_the_way_is_said() -> None:
    robot: Any = tiller.connect("panda")
    with pytest.raises(TillerError, match=r"mm and .* from where it was told"):
        robot.move_to([0.45, 0.0, -0.1])


def test_a_move_ends_what_a_chunk_began() -> None:
    robot: Any = tiller.connect("panda")
    far = np.repeat(robot.target[None], 16, axis=0)
    far[:, 1] += 0.2
    robot.execute(ActionChunk(far, robot.clock.now_ns(), 0.05, 0, robot.action_spec))
    robot.run_for(200_000_000)
    robot.home()
    assert abs(robot.observe()["tcp.position"][1]) < 0.005
