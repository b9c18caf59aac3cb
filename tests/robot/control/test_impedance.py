"""Laws of the impedance, on random arms: what it pushes with, what it leaves alone, what it never gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from robot.control.impedance import (
    add_cartesian_torque,
    add_joint_torque,
    add_payload_torque,
    factorise,
    solve_factorised,
)
from robot.control.torque_limits import limit_torque
from robot.safety.energy.tank import work_done

SEED = st.integers(0, 2**31)
JOINTS = st.sampled_from([6, 7])
NOTHING = np.zeros(6)


class Arm:
    """A random arm: Jacobian, inertia and stiffness."""

    def __init__(self, seed, joints):
        self.random = np.random.default_rng(seed)
        self.jacobian = self.random.normal(size=(6, joints))
        root = self.random.normal(size=(joints, joints))
        self.inertia = root @ root.T + 0.3 * np.eye(joints)
        self.stiffness = self.random.uniform(10, 2000, 6)

    @classmethod
    def regular(cls, seed, joints):
        arm = cls(seed, joints)
        assume(np.linalg.cond(arm.jacobian @ np.linalg.solve(arm.inertia, arm.jacobian.T)) < 1e4)
        return arm

    def torque(self, error=NOTHING, velocity=NOTHING, acceleration=NOTHING, damping=1.0, posture=None):
        found, self.braking = np.zeros((2, self.jacobian.shape[1]))
        posture = np.zeros(len(found)) if posture is None else posture
        add_cartesian_torque(
            self.jacobian,
            self.inertia,
            error,
            velocity,
            -velocity,
            acceleration,
            self.stiffness,
            damping,
            posture,
            found,
            self.braking,
        )
        return found


@given(SEED, JOINTS)
def test_the_triangular_factor_solves_what_numpy_solves(seed, joints):
    arm = Arm.regular(seed, joints)
    lower, vector = np.zeros((joints, joints)), arm.random.normal(size=joints)
    wanted = np.linalg.solve(arm.inertia, vector)
    factorise(arm.inertia, lower)
    np.testing.assert_allclose(lower @ lower.T, arm.inertia, atol=1e-9)
    solve_factorised(lower, vector)
    np.testing.assert_allclose(vector, wanted, rtol=1e-6, atol=1e-9)


@given(SEED, JOINTS)
def test_at_rest_the_torque_is_the_springs_force_through_the_transposed_jacobian(seed, joints):
    arm = Arm.regular(seed, joints)
    error = arm.random.normal(size=6)
    np.testing.assert_allclose(arm.torque(error), arm.jacobian.T @ (arm.stiffness * error), rtol=1e-9)


@given(SEED, JOINTS)
def test_a_posture_torque_accelerates_the_tcp_nowhere(seed, joints):
    arm = Arm.regular(seed, joints)
    posture = arm.random.normal(size=joints)
    felt = arm.jacobian @ np.linalg.solve(arm.inertia, arm.torque(posture=posture))
    alone = arm.jacobian @ np.linalg.solve(arm.inertia, posture)
    assert np.abs(felt).max() < 1e-2 * np.abs(alone).max() + 1e-9


@given(SEED, JOINTS)
def test_damping_never_gives_energy(seed, joints):
    arm = Arm.regular(seed, joints)
    speed = arm.random.normal(size=joints)
    torque = arm.torque(velocity=-arm.jacobian @ speed)
    assert torque @ speed <= 1e-9
    np.testing.assert_allclose(arm.braking, torque, rtol=1e-9, atol=1e-9)  # nothing else is at work here


@given(SEED, JOINTS)
def test_an_undamped_spring_knows_no_speed(seed, joints):
    arm = Arm.regular(seed, joints)
    assert not arm.torque(velocity=arm.random.normal(size=6), damping=0.0).any()


@given(SEED)
def test_the_inertia_fed_forward_accelerates_the_tcp_as_the_target_does(seed):
    arm = Arm.regular(seed, 7)
    arm.inertia *= (
        0.5 / np.linalg.eigvalsh(np.linalg.inv(arm.jacobian @ np.linalg.solve(arm.inertia, arm.jacobian.T))).max()
    )  # far from where it fades out
    wanted = arm.random.normal(size=6)
    found = arm.jacobian @ np.linalg.solve(arm.inertia, arm.torque(acceleration=wanted))
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_at_a_singularity_every_torque_is_a_number_of_moderate_size():
    arm = Arm(1, 7)
    arm.jacobian[2] = 0.0  # it cannot move along z
    ones = np.ones(6)
    torque = arm.torque(ones, ones, ones, posture=np.ones(7))
    assert np.isfinite(torque).all() and np.abs(torque).max() < 1e5


@given(SEED, JOINTS)
def test_the_joint_law_is_a_spring_a_damper_and_the_inertia_of_the_target(seed, joints):
    arm = Arm.regular(seed, joints)
    error, speed, acceleration = arm.random.normal(size=(3, joints))
    stiffness, torque, braking = arm.random.uniform(1, 600, joints), np.ones(joints), np.zeros(joints)
    own_speed = arm.random.normal(size=joints)
    add_joint_torque(arm.inertia, error, speed, own_speed, acceleration, stiffness, 0.7, torque, braking)
    damping = 2 * 0.7 * np.sqrt(stiffness * np.diag(arm.inertia))
    wanted = 1 + stiffness * error + damping * speed + arm.inertia @ acceleration
    np.testing.assert_allclose(torque, wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(braking, -damping * own_speed, rtol=1e-9, atol=1e-9)


@given(SEED, JOINTS)
def test_a_payload_is_held_with_its_weight_and_its_lever(seed, joints):
    arm = Arm.regular(seed, joints)
    orientation = np.linalg.qr(arm.random.normal(size=(3, 3)))[0]
    centre, torque = arm.random.normal(size=3), np.zeros(joints)
    add_payload_torque(arm.jacobian, orientation, 0.8, centre, 9.81, torque)
    force = np.array([0.0, 0.0, 0.8 * 9.81])
    wanted = arm.jacobian.T @ np.concatenate([force, np.cross(orientation @ centre, force)])
    np.testing.assert_allclose(torque, wanted, atol=1e-9)


@given(SEED, JOINTS)
def test_limits_hold_with_gravitys_share_and_count_what_they_cut(seed, joints):
    random = np.random.default_rng(seed)
    effort, change = random.uniform(1, 80, joints), random.uniform(0.1, 10, joints)
    gravity = random.uniform(-1, 1, joints) * effort
    previous = random.uniform(-effort - gravity, effort - gravity)
    wanted = random.normal(scale=60, size=joints)
    wanted[random.random(joints) < 0.1] = np.nan
    torque = wanted.copy()
    count = limit_torque(torque, gravity, effort, previous, change)
    assert (np.abs(torque + gravity) <= effort + 1e-12).all()
    assert (np.abs(torque - previous) <= change + 1e-12).all()
    assert count == np.sum(~(torque == wanted))


@given(SEED, JOINTS)
def test_a_torque_within_its_limits_is_left_alone(seed, joints):
    torque = np.random.default_rng(seed).uniform(-5, 5, joints)
    before = torque.copy()
    assert limit_torque(torque, np.zeros(joints), np.full(joints, 6.0), torque.copy(), np.full(joints, 1.0)) == 0
    np.testing.assert_array_equal(torque, before)


@given(SEED, JOINTS)
def test_the_work_of_a_held_torque_adds_up_whatever_the_steps(seed, joints):
    random = np.random.default_rng(seed)
    torque, places = random.normal(size=joints), random.normal(size=(5, joints))
    parts = sum(work_done(torque, before, after) for before, after in pairwise(places))
    assert np.isclose(parts, work_done(torque, places[0], places[-1]))
    assert np.isclose(parts, torque @ (places[-1] - places[0]))
