"""What the wrist feels: nothing of the tool itself at rest, and exactly what pushes it."""

from __future__ import annotations

import numpy as np
import pytest

from robot.control.rotation import matrix_from_rotvec, rotation_6d_from_matrix
from robot.description.loading import load_robot
from sim.twin.model.scene import compile_scene, new_scene
from sim.twin.robot import TwinRobot
from sim.twin.wrench import WrenchReading, add_wrist_sensor

SECOND = 1_000_000_000


def wrist(robot: str) -> tuple[TwinRobot, WrenchReading]:
    description, spec = load_robot(robot), new_scene(0.002)
    add_wrist_sensor(spec)
    scene = compile_scene(spec, description)
    return TwinRobot(scene, description.action_spec(0.05, "cartesian")), WrenchReading(scene, description.limbs[0])


@pytest.mark.parametrize("robot", ["panda", "ur5e"])
def test_a_hand_at_rest_feels_nothing_however_it_is_turned(robot: str) -> None:
    twin, wrench = wrist(robot)
    target = twin.target
    turned = matrix_from_rotvec(np.array([0.5, -0.4, 0.3])) @ np.diag([1.0, -1.0, -1.0])
    target[3:9] = rotation_6d_from_matrix(turned)
    for _ in range(60):
        twin.hold(target)
    np.testing.assert_allclose(wrench.now(), 0, atol=0.02)


@pytest.mark.parametrize("robot", ["panda", "ur5e", "panda_inspire"])
def test_a_push_is_felt_as_its_force_and_its_moment_about_the_tcp(robot: str) -> None:
    twin, wrench = wrist(robot)
    data, limb = twin.scene.data, twin.description.limbs[0]
    body, tcp = twin.scene.id("body", limb.arm.flange), twin.scene.id("site", limb.tcp)
    force, arm = np.array([3.0, -2.0, 8.0]), np.array([0.05, 0.02, -0.03])
    for _ in range(40):
        data.xfrc_applied[body, :3] = force
        data.xfrc_applied[body, 3:] = np.cross(data.site_xpos[tcp] + arm - data.xipos[body], force)
        twin.run_for(SECOND // 20)
    np.testing.assert_allclose(wrench.now(), [*force, *np.cross(arm, force)], atol=0.02)
    row = wrench.row()
    assert list(row) == [WrenchReading.field().name] and row["tcp.wrench"].dtype == np.float32


def test_a_hand_that_brakes_feels_its_own_inertia() -> None:
    twin, wrench = wrist("panda")
    target = twin.target
    felt = []
    for row in range(12):
        target[0] += 0.008 * (row < 6)
        twin.hold(target)
        felt.append(wrench.now()[0])
    assert max(felt) > 0.3 and min(felt) < -0.3
