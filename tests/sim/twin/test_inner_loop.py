"""The inner loop against what mechanics says: known wrenches, known motions, known energies."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache

import mujoco
import numpy as np
import pytest

from robot.control.rotation import matrix_from_rotvec, rotation_6d_from_matrix, rotvec_from_matrix
from robot.description import ActionChunk
from robot.description.loading import load_robot
from robot.description.robot import Payload
from sim.twin.model.assembly import attach_robot, tcp_offset
from sim.twin.model.scene import Scene, new_scene
from sim.twin.robot import TwinRobot
from tests.sim.twin.arms import (
    PERIOD_S,
    arm_only,
    deflection,
    impedance,
    make_twin,
    move,
    push,
    push_for,
    tcp_pose,
)

GRAVITY = 9.81
POSTURES = {"rest": (0.0, 0.0, 0.0), "left": (0.1, 0.25, 0.1), "right and high": (-0.1, -0.25, 0.25)}


@cache
def shared(robot: str, control: str = "cartesian", inner_hz: int = 500) -> TwinRobot:
    return make_twin(robot, control=control, inner_hz=inner_hz)


def fresh(robot: str, control: str = "cartesian", inner_hz: int = 500) -> TwinRobot:
    """At rest, as after construction."""
    twin = shared(robot, control, inner_hz)
    twin.scene.data.xfrc_applied[:] = 0
    twin.reset()
    return twin


@pytest.mark.parametrize("posture", POSTURES)
@pytest.mark.parametrize("robot, inner_hz", [("panda", 500), ("panda", 1000), ("ur5e", 500)])
def test_a_wrench_deflects_the_tcp_by_the_inverse_of_the_stiffness(robot, inner_hz, posture):
    twin = fresh(robot, inner_hz=inner_hz)
    target = twin.target
    target[:3] += POSTURES[posture]
    tilt = matrix_from_rotvec(np.array([0.2, -0.1, 0.3]) * (posture != "rest"))
    target[3:9] = rotation_6d_from_matrix(tilt @ tcp_pose(twin)[1])
    move(twin, target, 1.5)
    sizes = np.array([8.0, -8.0, 8.0, 2.0, -2.0, 2.0])
    for axis, size in enumerate(sizes):
        wrench = size * np.eye(6)[axis]
        push_for(twin, wrench, 2.0)
        errors = deflection(twin) - wrench / twin.impedance.stiffness[0]
        assert (np.abs(errors) < 0.02 * np.abs(sizes) / twin.impedance.stiffness[0]).all()


def test_stiffness_may_differ_from_axis_to_axis():
    twin = make_twin("panda", **impedance(position=(300.0, 1000.0, 2000.0), rotation=(20.0, 60.0, 40.0)))
    wrench = np.array([3.0, -5.0, 10.0, 0.5, -1.0, 0.8])
    push_for(twin, wrench, 4.0)
    wanted = wrench / np.array([300.0, 1000.0, 2000.0, 20.0, 60.0, 40.0])
    np.testing.assert_allclose(deflection(twin), wanted, rtol=0.02)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("robot, inner_hz", [("panda", 500), ("panda", 1000), ("ur5e", 500)])
def test_the_tcp_follows_a_slow_sine_in_free_space(robot, inner_hz, axis):
    twin = fresh(robot, inner_hz=inner_hz)
    start, errors = twin.target, []

    def sine(time_s):
        return 0.03 * np.sin(2 * np.pi * 0.5 * time_s)

    for tick in range(80):  # a chunk of 8 rows every fourth of 20 ticks a second
        if tick % 4 == 0:
            values = np.tile(start, (8, 1))
            values[:, axis] += sine((tick + np.arange(1, 9)) * PERIOD_S)
            twin.execute(ActionChunk(values, twin.clock.now_ns(), PERIOD_S, tick, twin.action_spec))
        for _ in range(25):
            twin.clock.sleep_until(twin.clock.monotonic_ns() + 2_000_000)
            wanted = start[:3] + sine(twin.clock.now_ns() * 1e-9) * np.eye(3)[axis]
            errors.append(tcp_pose(twin)[0] - wanted)
    assert np.sqrt(np.mean(np.sum(np.square(errors), axis=1))) < 1.5e-3


@pytest.mark.parametrize("joint", [0, 2, 4])
def test_motion_in_the_null_space_leaves_the_tcp_still(joint):
    twin = make_twin("panda")
    elbow = twin.scene.id("body", "link4")
    position, orientation = tcp_pose(twin)
    before, farthest = twin.scene.data.xpos[elbow].copy(), 0.0
    joints = twin.plant.qpos[:7].copy()
    twin.impedance.rest[0, joint] += 0.8
    for _ in range(300):
        twin.run_for(10_000_000)
        farthest = max(farthest, float(np.linalg.norm(tcp_pose(twin)[0] - position)))
    assert np.abs(twin.plant.qpos[:7] - joints).max() > 0.05
    assert np.linalg.norm(twin.scene.data.xpos[elbow] - before) > 0.002
    assert farthest < 2e-4
    assert np.linalg.norm(rotvec_from_matrix(tcp_pose(twin)[1] @ orientation.T)) < 1e-3


def unfelt(twin, torque):
    """The part of a torque (7,) that accelerates the tcp nowhere."""
    model, data = twin.scene.model, twin.scene.data
    jacobian, inertia = np.zeros((6, model.nv)), np.zeros((model.nv, model.nv))
    mujoco.mj_jacSite(model, data, jacobian[:3], jacobian[3:], twin.plant.tcps[0])
    mujoco.mj_fullM(model, inertia, data.qM)
    jacobian, inverse = jacobian[:, :7], np.linalg.inv(inertia[:7, :7])
    felt = np.linalg.inv(jacobian @ inverse @ jacobian.T) @ jacobian @ inverse @ torque
    return torque - jacobian.T @ felt


def test_an_elbow_that_is_pushed_gives_way_while_the_tcp_stays():
    twin = fresh("panda")
    position, _ = tcp_pose(twin)
    elbow = twin.scene.id("body", "link4")
    before = twin.scene.data.xpos[elbow].copy()
    for _ in range(500):
        twin.scene.data.qfrc_applied[:7] = unfelt(twin, np.array([0, 0, 12.0, 0, 0, 0, 0]))
        twin.run_for(2_000_000)
        assert np.linalg.norm(tcp_pose(twin)[0] - position) < 2e-4
    twin.scene.data.qfrc_applied[:] = 0
    assert np.linalg.norm(twin.scene.data.xpos[elbow] - before) > 0.01


def energy_errors(robot, control, inner_hz):
    """Of one second of an undamped arm let loose: how far its energy strays from the first, how far the account of work
    strays from the kinetic energy, and the energy itself (J).
    """
    count = len(load_robot(robot).limbs[0].arm.joints)
    twin = make_twin(
        robot,
        control=control,
        inner_hz=inner_hz,
        torque_rate=(),
        effort=(1e4,) * count,
        **impedance(robot, damping_ratio=0.0, posture=0.0),
    )
    arm_only(twin, count)
    model, data = twin.scene.model, twin.scene.data
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    target, offset = twin.target, np.array([0.05, 0.04, -0.03, 0.06, 0.05, -0.04, 0.05])[:count]

    def energies():
        mujoco.mj_energyVel(model, data)
        if control == "cartesian":
            return data.energy[1], 0.5 * twin.impedance.stiffness[0] @ deflection(twin) ** 2
        return data.energy[1], 0.5 * twin.impedance.joint_stiffness[0, :count] @ (
            data.qpos[:count] - target[:count]
        ) ** 2

    data.qpos[:count] += offset
    mujoco.mj_forward(model, data)
    first, strays, unaccounted = sum(energies()), 0.0, 0.0
    for _ in range(inner_hz):
        twin.run_for(round(1e9 / inner_hz))
        kinetic, spring = energies()
        strays = max(strays, abs(kinetic + spring - first))
        unaccounted = max(unaccounted, abs(twin.work_j[0] - kinetic))
    return strays, unaccounted, first


@pytest.mark.parametrize("control", ["cartesian", "joint"])
@pytest.mark.parametrize("robot", ["panda", "ur5e"])
def test_an_undamped_arm_keeps_its_energy_to_the_order_of_the_integrator(robot, control):
    coarse, fine = energy_errors(robot, control, 500), energy_errors(robot, control, 1000)
    assert fine[0] < 0.02 * fine[2]
    # Semi-implicit Euler is of first order: half the step, half the error; in the account of work too.
    assert 1.8 < coarse[0] / fine[0] < 2.2
    assert 1.8 < coarse[1] / fine[1] < 2.2


def test_damping_only_takes_energy():
    twin = make_twin("panda", **impedance(posture=0.0))
    arm_only(twin, 7)
    model, data = twin.scene.model, twin.scene.data
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    data.qpos[:7] += 0.05
    mujoco.mj_forward(model, data)
    energies = []
    for _ in range(1000):
        mujoco.mj_energyVel(model, data)
        energies.append(data.energy[1] + 0.5 * twin.impedance.stiffness[0] @ deflection(twin) ** 2)
        twin.run_for(2_000_000)
    assert np.diff(energies).max() < 1e-4 * energies[0]
    assert energies[-1] < 0.05 * energies[0]


def loaded_twin(declared: bool, mass_kg: float, centre_m: tuple[float, float, float]) -> TwinRobot:
    """A Panda with a real weight at its hand, which its description tells or keeps quiet."""
    description = load_robot("panda")
    limb = description.limbs[0]
    if declared:
        limb = replace(limb, payload=Payload(mass_kg, centre_m))
    description = replace(description, limbs=(limb,))
    spec = new_scene(0.002)
    attach_robot(spec, description)
    offset, turn = tcp_offset(limb)
    spec.body(limb.arm.flange).add_body(
        name="weight",
        pos=offset + turn @ centre_m,
        mass=mass_kg,
        ipos=[0, 0, 0],
        inertia=[1e-3] * 3,
        explicitinertial=True,
    )
    model = spec.compile()
    scene = Scene(model, mujoco.MjData(model), description)
    return TwinRobot(scene, description.action_spec(PERIOD_S))


def test_a_declared_payload_does_not_sag_and_an_undeclared_one_sags_as_its_weight_says():
    mass, centre = 0.7, (0.03, -0.02, 0.05)
    declared, undeclared = loaded_twin(True, mass, centre), loaded_twin(False, mass, centre)
    for twin in (declared, undeclared):
        twin.run_for(4_000_000_000)
    assert np.abs(deflection(declared)).max() < 1e-5
    assert np.isclose(declared.work_j[0], 0.0, atol=1e-4)
    _, orientation = tcp_pose(undeclared)
    weight = np.array([0.0, 0.0, -mass * GRAVITY])
    wrench = np.concatenate([weight, np.cross(orientation @ centre, weight)])
    wanted = wrench / undeclared.impedance.stiffness[0]
    assert np.abs(deflection(undeclared) - wanted).max() < 0.02 * np.abs(wanted).max()
    assert wanted[2] < -6e-3


@pytest.mark.parametrize("robot", ["panda", "ur5e"])
def test_drives_never_give_more_than_their_torque_nor_change_it_faster_than_they_may(robot):
    twin = make_twin(robot, period_s=0.002)
    count = len(twin.description.limbs[0].arm.joints)
    random, rest = np.random.default_rng(0), twin.target
    effort = twin.impedance.effort[0, :count]
    total, before = np.zeros(count), np.zeros(count)
    fullest = 0.0
    for step in range(1500):
        if step % 50 == 0:
            target = rest.copy()
            target[:3] += random.uniform(-0.5, 0.5, 3)
            target[3:9] = random.normal(size=6)
        gravity = twin.plant.gravcomp[:count].copy()
        twin.hold(target)
        torque = twin.plant.ctrl[twin.plant.motors[0] :][:count]
        total = torque + gravity
        assert (np.abs(total) <= effort + 1e-9).all()
        assert (np.abs(torque - before) <= twin.impedance.torque_change[0, :count] + 1e-9).all()
        before, fullest = torque.copy(), max(fullest, float((np.abs(total) / effort).max()))
    assert fullest > 0.999  # the limit was met, so it was a limit that held
    assert twin.counts.limited > 100


def test_gravity_has_its_share_of_the_drive():
    """A shoulder that can barely hold its arm up has nothing left to carry a load with."""
    twin = fresh("panda")
    held = np.abs(twin.plant.gravcomp[:7]).copy()
    weak = make_twin("panda", effort=tuple(np.maximum(1.05 * held, 3.0)))
    push_for(weak, np.array([0, 0, -40.0, 0, 0, 0]), 0.5)
    strong = fresh("panda")
    push_for(strong, np.array([0, 0, -40.0, 0, 0, 0]), 0.5)
    assert deflection(weak)[2] < 2 * deflection(strong)[2] < 0
    assert weak.counts.limited > 0


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, -1, 1), (0.3, 0.2, -0.9)])
def test_a_target_half_a_turn_away_is_moved_towards_and_nothing_breaks(axis):
    twin = fresh("panda")
    _, start = tcp_pose(twin)
    turn = np.pi * np.array(axis) / np.linalg.norm(axis)
    target = twin.target
    target[3:9] = rotation_6d_from_matrix(matrix_from_rotvec(turn) @ start)
    turned = 0.0
    for _ in range(40):
        twin.hold(target)
        assert np.isfinite(twin.plant.qpos).all() and np.isfinite(twin.plant.ctrl).all()
        turned = max(turned, float(np.linalg.norm(rotvec_from_matrix(tcp_pose(twin)[1] @ start.T))))
    assert turned > 0.5


def test_joint_control_deflects_each_joint_by_the_inverse_of_its_stiffness():
    twin = fresh("panda", control="joint")
    target = twin.target
    target[:7] += [0.2, 0.1, -0.2, 0.3, 0.1, -0.2, 0.3]
    move(twin, target, 1.5)
    np.testing.assert_allclose(twin.plant.qpos[:7], target[:7], atol=1e-5)
    torque = np.array([6.0, -5.0, 4.0, 5.0, -2.0, 1.0, 0.4])
    twin.scene.data.qfrc_applied[:7] = torque
    twin.run_for(3_000_000_000)
    twin.scene.data.qfrc_applied[:7] = 0
    np.testing.assert_allclose(twin.plant.qpos[:7] - target[:7], torque / twin.impedance.joint_stiffness[0], rtol=0.01)


def test_joint_control_feels_a_wrench_through_the_transposed_jacobian():
    twin = fresh("ur5e", control="joint")
    wrench = np.array([4.0, -6.0, 5.0, 0.5, 0.3, -0.2])
    push_for(twin, wrench, 3.0)
    push(twin, wrench)
    jacobian = np.zeros((6, twin.scene.model.nv))
    mujoco.mj_jacSite(twin.scene.model, twin.scene.data, jacobian[:3], jacobian[3:], twin.plant.tcps[0])
    wanted = jacobian[:, :6].T @ wrench / twin.impedance.joint_stiffness[0, :6]
    # 0.01 N*m of dry friction in each joint of this model
    slack = 0.01 / twin.impedance.joint_stiffness[0, :6] + 0.02 * np.abs(wanted)
    assert (np.abs(twin.plant.qpos[:6] - twin.target[:6] - wanted) < slack).all()


def test_two_arms_are_held_each_on_its_own():
    twin = fresh("two_panda")
    wrench = np.array([5.0, -4.0, 6.0, 0.5, 1.0, -0.5])
    push_for(twin, wrench, 3.0, limb=1)
    np.testing.assert_allclose(deflection(twin, 1), wrench / twin.impedance.stiffness[1], rtol=0.02)
    assert np.abs(deflection(twin, 0)).max() < 1e-5
    assert twin.work_j[1] < 0 < 1e-3 - abs(twin.work_j[0])


_SCRIPT = """
import sys
import numpy as np
from robot.compiled import COMPILED
from tests.sim.twin.arms import make_twin
assert COMPILED == (sys.argv[1] == "compiled")
rows = []
for robot, control in (("panda", "cartesian"), ("ur5e", "joint"), ("panda_inspire", "cartesian")):
    twin = make_twin(robot, control=control)
    random, start = np.random.default_rng(1), twin.target
    for _ in range(6):
        target = start + random.uniform(-0.05, 0.05, len(start))
        twin.hold(target)
    rows.append(np.concatenate([twin.plant.qpos, twin.plant.qvel, twin.plant.ctrl, twin.work_j, [twin.counts.limited]]))
np.save(sys.argv[2], np.concatenate(rows))
"""


def test_the_compiled_loop_and_plain_python_do_the_same(tmp_path):
    found = {}
    for path, disabled in (("compiled", "0"), ("plain", "1")):
        environment = {
            **os.environ,
            "NUMBA_DISABLE_JIT": disabled,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        file = tmp_path / f"{path}.npy"
        subprocess.run([sys.executable, "-c", _SCRIPT, path, str(file)], check=True, env=environment)
        found[path] = np.load(file)
    np.testing.assert_allclose(found["compiled"], found["plain"], rtol=1e-9, atol=1e-9)
