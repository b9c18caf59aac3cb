"""The account of a twin's arms, step by step against one that is kept outside: the torque that MuJoCo applied, times
the way that its joints went, whatever stood between the law and the drives.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Callable

import numpy as np
import pytest

from robot.control.rotation import matrix_from_rotvec, rotation_6d_from_matrix
from robot.description.loading import load_robot
from robot.safety.energy import Budget
from robot.safety.energy.tank import LEVEL, SUPPLIED, WORK
from sim.twin.model.scene import compile_scene, new_scene
from sim.twin.robot import TwinRobot
from tests.sim.twin.arms import PERIOD_S, tcp_pose

STEP_S = 0.002
SMALL = Budget(initial_j=0.3, reserve_j=0.02, capacity_j=0.6, power_w=5.0)
WIDE = Budget(initial_j=50.0, reserve_j=0.0, capacity_j=math.inf, power_w=math.inf)


def make(
    robot: str = "panda",
    *,
    control: str = "cartesian",
    budget: Budget | None = WIDE,
    enforce: bool = True,
    **changes: object,
) -> TwinRobot:
    """A twin with its table; `changes` are fields of every arm."""
    description = load_robot(robot)
    limbs = tuple(replace(limb, arm=replace(limb.arm, **changes)) for limb in description.limbs)  # type: ignore[arg-type]
    description = replace(description, limbs=limbs)
    scene = compile_scene(new_scene(STEP_S), description)
    return TwinRobot(scene, description.action_spec(PERIOD_S, control), budget=budget, enforce=enforce)


def arm(twin: TwinRobot, limb: int) -> tuple[slice, slice, slice]:
    """Where an arm's joints are in positions, in velocities, and in controls."""
    at_q, at_v, n = (int(each) for each in twin.plant.joints[limb])
    motor = int(twin.plant.motors[limb])
    return slice(at_q, at_q + n), slice(at_v, at_v + n), slice(motor, motor + n)


def jumping(twin: TwinRobot, seed: int = 0) -> Callable[[int], np.ndarray]:
    """Set-points that jump all about every 40 ms."""
    rest, random = twin.target, np.random.default_rng(seed)
    targets = [rest.copy() for _ in range(20)]
    for target in targets:
        for first in (int(each) for each in twin.impedance.arm_at):
            if twin.impedance.cartesian[0]:
                target[first : first + 3] += random.uniform(-0.12, 0.12, 3)
                turn = matrix_from_rotvec(random.uniform(-0.5, 0.5, 3))
                target[first + 3 : first + 9] = rotation_6d_from_matrix(turn @ tcp_pose(twin)[1])
            else:
                target[first : first + 6] += random.uniform(-0.3, 0.3, 6)
    return lambda step: targets[step // 20 % 20]


def check_account(twin: TwinRobot, targets: Callable[[int], np.ndarray], steps: int = 240) -> np.ndarray:
    """Hold the tanks against own sums after every step of the physics.

    Returns:
        (limbs,) J that were given and taken in all, so that a test can say that there was something to account for.
    """
    data, limbs = twin.scene.data, len(twin.description.limbs)
    own, moved = np.zeros(limbs), np.zeros(limbs)
    for step in range(steps):
        before = data.qpos.copy()
        twin._follow(targets(step))
        twin.run_for(round(STEP_S * 1e9))
        for limb in range(limbs):
            joints, _, motors = arm(twin, limb)
            applied = data.actuator_force[motors]
            assert (applied == data.ctrl[motors]).all()  # nothing of it was cut behind the account
            work = float(applied @ (data.qpos[joints] - before[joints]))
            own[limb] += work
            moved[limb] += abs(work)
        assert np.abs(twin.work_j - own).max() < 1e-9, f"step {step}: {twin.work_j} J told, {own} J given"
    return moved


def test_what_the_arms_got_is_what_the_tank_gave():
    twin = make()
    assert check_account(twin, jumping(twin))[0] > 1.0


def test_a_torque_that_its_drive_cannot_give_is_not_booked():
    """Weak, slow drives and a law that wants much more: what counts is what they gave."""
    twin = make(effort=(35.0, 45.0, 35.0, 40.0, 6.0, 5.0, 3.0))
    assert check_account(twin, jumping(twin))[0] > 0.3
    assert twin.counts.limited > 500


def test_a_motion_that_the_tool_does_not_feel_is_paid_for_too():
    """The elbow is pushed about by the posture's torque; the tool stays where it is, and the tank pays all of it."""
    twin = make()
    target, place = twin.target, tcp_pose(twin)[0]
    twin.impedance.rest[0, (0, 2)] += (0.9, -0.6)
    moved = check_account(twin, lambda step: target, 400)
    assert np.linalg.norm(tcp_pose(twin)[0] - place) < 1e-3
    assert moved[0] > 5e-3


@pytest.mark.parametrize("robot", ["ur5e", "panda"])
def test_joints_that_are_driven_one_by_one_are_accounted_for(robot: str):
    twin = make(robot, control="joint")
    assert check_account(twin, jumping(twin, 3))[0] > 1.0


def test_each_of_two_arms_has_an_account_of_its_own():
    twin = make("two_panda")
    rest = twin.target
    second = int(twin.impedance.arm_at[1])

    def targets(step: int) -> np.ndarray:
        target = rest.copy()
        target[second + 1] += 0.1 * np.sign(np.sin(step / 20))
        return target

    moved = check_account(twin, targets, 150)
    assert moved[1] > 0.3 > 10 * moved[0]


def test_what_a_filter_let_through_is_booked_and_not_what_it_was_asked_for():
    twin = make(budget=SMALL)
    assert check_account(twin, jumping(twin))[0] > 0.1
    assert sum(twin.energy.changed.values()) > 20


def test_every_step_keeps_to_what_its_own_tank_and_velocity_allow():
    """The worst that the torque could have done in the step, by the tank and the velocity at its beginning."""
    twin = make(budget=SMALL)
    targets, data = jumping(twin, 5), twin.scene.data
    _, dofs, motors = arm(twin, 0)
    acceleration, near = twin._guard.acceleration[0, :7], 0
    for step in range(300):
        level, velocity = float(twin.energy.level_j[0]), data.qvel[dofs].copy()
        twin._follow(targets(step))
        twin.run_for(round(STEP_S * 1e9))
        torque = data.actuator_force[motors]
        worst = STEP_S * float(torque @ velocity) + 0.5 * STEP_S**2 * float(np.abs(torque) @ acceleration)
        push = min(SMALL.gamma * max(level - SMALL.reserve_j, 0.0), SMALL.power_w * STEP_S)
        allowed = push if float(torque @ velocity) >= 0 else 0.5 * max(level, 0.0)
        assert worst <= allowed + 1e-12, f"step {step}: {worst} J of {allowed} J"
        near += worst > 0.9 * allowed
    assert near > 20


def test_a_supply_is_the_budgets_and_flows_whatever_the_arm_does():
    twin = make(budget=replace(SMALL, supply_w=0.5))
    check_account(twin, jumping(twin), 150)
    tank = twin._guard.tank[0]
    assert tank[SUPPLIED] == pytest.approx(0.5 * 150 * STEP_S)
    assert tank[LEVEL] <= SMALL.initial_j - tank[WORK] + tank[SUPPLIED] + 1e-9


def test_a_shadow_keeps_the_same_account():
    twin = make(budget=SMALL, enforce=False)
    check_account(twin, jumping(twin), 150)
    assert twin.energy.overdrafts[0] > 0
    left = SMALL.initial_j - twin.work_j[0] - twin.energy.spilled_j[0]
    assert twin.energy.level_j[0] == pytest.approx(left, abs=1e-9)


def test_steps_that_are_taken_together_are_the_steps_taken_one_by_one():
    """Nothing that a filter goes by is kept over a period and used late."""
    together, single = make(budget=SMALL), make(budget=SMALL)
    targets = jumping(together)
    for each in range(15):
        for twin, parts in ((together, 1), (single, 20)):
            twin._follow(targets(20 * each))
            for _ in range(parts):
                twin.run_for(round(20 / parts * STEP_S * 1e9))
        assert (together.scene.data.qpos == single.scene.data.qpos).all(), f"after {20 * (each + 1)} steps"
        assert (together._guard.tank == single._guard.tank).all()
    assert together.energy.changed == single.energy.changed and sum(together.energy.changed.values()) > 20
