"""The inner loop: set-point, impedance, limits, filter stage, physics, at the rate of the physics.

One compiled function steps a whole control period without coming back to Python.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from robot.compiled import compiled
from robot.control.impedance import add_cartesian_torque, add_joint_torque, add_payload_torque
from robot.control.rotation_kernels import write_interpolated, write_matrix_from_6d, write_rotvec_between
from robot.control.torque_limits import limit_torque
from robot.safety.energy.budget import CAPACITY, FORCE, SPRING, SUPPLY
from robot.safety.energy.setpoint.kernel import leash_offset
from robot.safety.energy.tank import LATCHED, NONE, book, work_done
from robot.safety.energy.torque.kernel import filter_torque
from sim.twin.engine import full_inertia, site_jacobian, step1, step2

# A change of the set-point's velocity, a jump at a knot of its path, is fed forward to the arm over about this time.
SPEED_CHANGE_S = 0.05


class Plant(NamedTuple):
    """What the loop reads and writes in MuJoCo: addresses, views into its memory, indices of its elements."""

    model: int
    data: int
    timestep: float
    gravity: float  # m/s^2, downwards
    qpos: np.ndarray
    qvel: np.ndarray
    ctrl: np.ndarray
    site_xpos: np.ndarray
    site_xmat: np.ndarray
    inertia: np.ndarray  # MuJoCo's packed qM
    gravcomp: np.ndarray
    joints: np.ndarray  # (limbs, 3) first qpos, first dof, number of joints
    tcps: np.ndarray  # (limbs,) sites
    motors: np.ndarray  # (limbs,) first actuator


class ImpedanceParameters(NamedTuple):
    """Impedance law of each limb; rows of (limbs, 7) are padded with zeros where an arm has fewer joints."""

    cartesian: np.ndarray  # (limbs,) bool
    joint_count: np.ndarray  # (limbs,)
    arm_at: np.ndarray  # (limbs,) index at which its part of the action begins
    rotations: np.ndarray  # (r,) indices at which 6-D rotations begin in the action
    stiffness: np.ndarray  # (limbs, 6) N/m and N*m/rad
    joint_stiffness: np.ndarray  # (limbs, 7) N*m/rad
    posture_stiffness: np.ndarray  # (limbs,) N*m/rad
    damping_ratio: np.ndarray  # (limbs,)
    rest: np.ndarray  # (limbs, 7) rad
    effort: np.ndarray  # (limbs, 7) N*m
    torque_change: np.ndarray  # (limbs, 7) N*m per step
    payload: np.ndarray  # (limbs, 4) kg, and centre in m in the tcp frame
    drives: np.ndarray  # (k, 2) actuator of a tool, component of the action that it follows
    drive_lines: np.ndarray  # (k, 4) ratio, offset, lowest and highest control


class Account(NamedTuple):
    """State that the loop keeps from step to step."""

    torque: np.ndarray  # (limbs, 7) applied last, N*m
    speed: np.ndarray  # (limbs, 7) of the set-point, smoothed: m/s and rad/s of the tcp, or rad/s of the joints
    limited: np.ndarray  # (limbs,) number of joint torques, over the steps, that a limit has cut


class Guard(NamedTuple):
    """Energy that each arm's controller may inject and has injected; `robot.safety.energy` defines the columns."""

    enforce: np.ndarray  # (1,) bool; without it the tanks only count
    budget: np.ndarray  # (limbs, 8)
    tank: np.ndarray  # (limbs, COLUMNS)
    acceleration: np.ndarray  # (limbs, 7) rad/s^2, bound on the acceleration of a joint, contacts included
    reasons: np.ndarray  # (limbs, codes) steps that a filter changed, by its reason


@compiled
def run(
    plant: Plant,
    law: ImpedanceParameters,
    account: Account,
    guard: Guard,
    start: np.ndarray,
    end: np.ndarray,
    fraction: float,
    fraction_step: float,
    steps: int,
) -> None:
    """Take steps while the set-point moves from one target towards the next.

    Expects the quantities of MuJoCo's data that depend on positions and velocities to be up to date (`mj_step1`,
    `mj_forward`), and leaves them so.

    Args:
        plant, law, account, guard: of the twin.
        start, end: (dim,) targets.
        fraction: of the path between them, at the first step's set-point.
        fraction_step: its change per step.
        steps: how many.
    """
    limbs, dofs = len(law.arm_at), len(plant.qvel)
    inertia = np.empty((dofs, dofs))
    linear, angular = np.empty((3, dofs)), np.empty((3, dofs))
    target, orientation = np.empty(len(start)), np.empty((3, 3))
    speed, acceleration = np.zeros(law.rest.shape), np.empty(law.rest.shape[1])
    for limb in range(limbs):
        _write_set_point_velocity(law, limb, start, end, fraction_step / plant.timestep, speed[limb])
    for step in range(steps):
        write_interpolated(start, end, fraction + step * fraction_step, law.rotations, target)
        full_inertia(plant.model, inertia.ctypes.data, plant.inertia.ctypes.data)
        for limb in range(limbs):
            at_q, at_v, n = plant.joints[limb, 0], plant.joints[limb, 1], plant.joints[limb, 2]
            q, qd = plant.qpos[at_q : at_q + n], plant.qvel[at_v : at_v + n]
            own = np.empty((n, n))
            for i in range(n):
                for j in range(n):
                    own[i, j] = inertia[at_v + i, at_v + j]
            set_point = target[law.arm_at[limb] :]
            torque, payload, braking = np.zeros(n), np.zeros(n), np.zeros(n)
            enforced, reason = guard.enforce[0], NONE
            for i in range(len(acceleration)):
                acceleration[i] = (speed[limb, i] - account.speed[limb, i]) / SPEED_CHANGE_S
                account.speed[limb, i] += acceleration[i] * plant.timestep
            if law.cartesian[limb] or law.payload[limb, 0] > 0:
                site = plant.tcps[limb]
                site_jacobian(plant.model, plant.data, linear.ctypes.data, angular.ctypes.data, site)
                jacobian = np.empty((6, n))
                for i in range(3):
                    for j in range(n):
                        jacobian[i, j] = linear[i, at_v + j]
                        jacobian[3 + i, j] = angular[i, at_v + j]
                    for j in range(3):
                        orientation[i, j] = plant.site_xmat[site, 3 * i + j]
            if law.cartesian[limb]:
                reason = _add_cartesian(
                    law,
                    guard,
                    limb,
                    q,
                    qd,
                    plant.site_xpos[site],
                    orientation,
                    jacobian,
                    own,
                    set_point,
                    speed[limb],
                    acceleration[:6],
                    torque,
                    braking,
                )
            else:
                error = set_point[:n] - q
                if enforced:
                    reason = leash_offset(
                        error, law.joint_stiffness[limb], 0, guard.budget[limb, SPRING], guard.budget[limb, FORCE]
                    )
                add_joint_torque(
                    own,
                    error,
                    speed[limb, :n] - qd,
                    qd,
                    acceleration[:n],
                    law.joint_stiffness[limb],
                    law.damping_ratio[limb],
                    torque,
                    braking,
                )
            if enforced:
                for i in range(n):
                    # The effort limits below would turn a torque that is not a number into none.
                    if not np.isfinite(torque[i]):
                        guard.tank[limb, LATCHED] = 1.0
            if law.payload[limb, 0] > 0:
                add_payload_torque(
                    jacobian, orientation, law.payload[limb, 0], law.payload[limb, 1:], plant.gravity, payload
                )
            # Compensation of the payload is added outside the impedance law, like the arm's own: no filter may let it
            # fall, and the ledger does not count it.
            gravity = plant.gravcomp[at_v : at_v + n] + payload
            account.limited[limb] += limit_torque(
                torque, gravity, law.effort[limb], account.torque[limb], law.torque_change[limb]
            )
            if enforced:
                low, high = -law.effort[limb, :n] - gravity, law.effort[limb, :n] - gravity
                cut = filter_torque(
                    torque,
                    braking,
                    qd,
                    plant.timestep,
                    guard.acceleration[limb, :n],
                    low,
                    high,
                    guard.budget[limb],
                    guard.tank[limb],
                )
                if cut != NONE:
                    reason = cut
            if reason != NONE:
                guard.reasons[limb, reason] += 1
            for i in range(n):
                plant.ctrl[plant.motors[limb] + i] = torque[i] + payload[i]
                account.torque[limb, i] = torque[i]
        for k in range(len(law.drives)):
            position = law.drive_lines[k, 0] * target[law.drives[k, 1]] + law.drive_lines[k, 1]
            plant.ctrl[law.drives[k, 0]] = min(max(position, law.drive_lines[k, 2]), law.drive_lines[k, 3])
        before = plant.qpos.copy()
        step2(plant.model, plant.data)
        for limb in range(limbs):
            at_q, n = plant.joints[limb, 0], plant.joints[limb, 2]
            work = work_done(account.torque[limb, :n], before[at_q : at_q + n], plant.qpos[at_q : at_q + n])
            book(guard.tank[limb], guard.budget[limb, CAPACITY], work, guard.budget[limb, SUPPLY] * plant.timestep)
        step1(plant.model, plant.data)


@compiled
def _write_set_point_velocity(
    law: ImpedanceParameters, limb: int, start: np.ndarray, end: np.ndarray, rate: float, speed: np.ndarray
) -> None:
    """Write the velocity of one limb's set-point, which takes the fraction `rate` of the path between two targets per
    second: m/s and rad/s of its tcp, or rad/s of its joints.
    """
    at = law.arm_at[limb]
    if law.cartesian[limb]:
        first, last = np.empty((3, 3)), np.empty((3, 3))
        write_matrix_from_6d(start[at + 3 : at + 9], first)
        write_matrix_from_6d(end[at + 3 : at + 9], last)
        write_rotvec_between(first, last, speed[3:6])
        for i in range(3):
            speed[i] = (end[at + i] - start[at + i]) * rate
            speed[3 + i] *= rate
    else:
        for i in range(law.joint_count[limb]):
            speed[i] = (end[at + i] - start[at + i]) * rate


@compiled
def _add_cartesian(
    law: ImpedanceParameters,
    guard: Guard,
    limb: int,
    q: np.ndarray,
    qd: np.ndarray,
    position: np.ndarray,
    orientation: np.ndarray,
    jacobian: np.ndarray,
    inertia: np.ndarray,
    wanted: np.ndarray,
    speed: np.ndarray,
    acceleration: np.ndarray,
    torque: np.ndarray,
    braking: np.ndarray,
) -> int:
    """Add the torque (n,) of one limb's Cartesian impedance law, and its braking part.

    The tcp is at `position` (3,) and `orientation` (3, 3); its target is the pose that `wanted` begins with, with
    velocity `speed` (6,) and `acceleration` (6,).

    Returns:
        Why the spring was shortened, a code of `robot.safety.energy.tank`.
    """
    n = len(q)
    desired, error, velocity_error, velocity = np.empty((3, 3)), np.empty(6), np.empty(6), np.zeros(6)
    write_matrix_from_6d(wanted[3:9], desired)
    write_rotvec_between(orientation, desired, error[3:])
    for i in range(3):
        error[i] = wanted[i] - position[i]
    reason = NONE
    if guard.enforce[0]:
        spring, force = guard.budget[limb, SPRING], guard.budget[limb, FORCE]
        reason = leash_offset(error, law.stiffness[limb], 3, spring, force)
    for i in range(6):
        velocity_error[i] = speed[i]
        for j in range(n):
            velocity_error[i] -= jacobian[i, j] * qd[j]
            velocity[i] += jacobian[i, j] * qd[j]
    posture = np.empty(n)
    for i in range(n):
        damping = 2 * law.damping_ratio[limb] * np.sqrt(law.posture_stiffness[limb] * inertia[i, i])
        posture[i] = law.posture_stiffness[limb] * (law.rest[limb, i] - q[i]) - damping * qd[i]
    add_cartesian_torque(
        jacobian,
        inertia,
        error,
        velocity_error,
        velocity,
        acceleration,
        law.stiffness[limb],
        law.damping_ratio[limb],
        posture,
        torque,
        braking,
    )
    return reason
