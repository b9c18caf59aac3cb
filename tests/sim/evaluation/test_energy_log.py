"""A recording sees every step of the physics of an episode, and the episode does not notice."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

import sim
from robot.description.loading import load_robot
from robot.errors import InputError, TillerError
from robot.safety.energy.benign import gravity_share, require_no_gravity
from sim.evaluation.energy_log import collect, gravity_of, record, recorded, twin_of
from sim.experts import make_expert
from sim.tasks.twin.env import TwinEnv


@pytest.fixture(scope="module")
def env() -> TwinEnv:
    made = sim.make("twin/lift")
    assert isinstance(made, TwinEnv)
    return made


def plain_episode(env: TwinEnv, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """State, applied torque and work at the end of the expert's episode, nothing recorded."""
    expert = make_expert(env.task.id)
    observation, _ = env.reset(seed=seed)
    expert.reset(observation, np.random.default_rng([seed, 1]))
    ended = False
    while not ended:
        observation, _, terminated, truncated, _ = env.step(expert.act(observation).astype(np.float32))
        ended = terminated or truncated
    data = env.scene.data
    return np.concatenate([data.qpos, data.qvel]), data.ctrl.copy(), env.robot.work_j


def test_a_recorded_episode_is_the_same_bit_for_bit(env: TwinEnv) -> None:
    for seed in (0, 3):
        state, control, work = plain_episode(env, seed)
        record(env, make_expert(env.task.id), seed)
        data = env.scene.data
        assert np.array_equal(np.concatenate([data.qpos, data.qvel]), state)
        assert np.array_equal(data.ctrl, control) and np.array_equal(env.robot.work_j, work)


def test_a_recording_leaves_the_twin_as_it_was(env: TwinEnv) -> None:
    stream = record(env, make_expert(env.task.id), 1)
    steps = len(stream.time_ns)
    env.reset(seed=2)
    env.step(env.robot.target)
    assert len(stream.time_ns) == steps and "_run" not in vars(env.robot)


def test_the_recorded_work_is_what_the_twin_booked(env: TwinEnv) -> None:
    stream = record(env, make_expert(env.task.id), 1)
    assert stream.success
    assert stream.work_j.sum() == pytest.approx(env.robot.work_j[0], abs=1e-12)
    assert stream.drawn_j == pytest.approx(env.robot.energy.peak_j[0], abs=1e-12)
    assert stream.period_s == pytest.approx(0.002) and (len(stream.time_ns) - 1) % 25 == 0
    first = int(env.robot.plant.joints[0, 0])
    assert np.array_equal(stream.joints[-1], env.robot.plant.qpos[first : first + 7])


def test_the_velocity_belongs_to_the_same_moment_as_the_joints(env: TwinEnv) -> None:
    stream = record(env, make_expert(env.task.id), 1)
    assert stream.velocity is not None
    # The physics goes each way with the velocity at its end.
    assert np.allclose(np.diff(stream.joints, axis=0), 0.002 * stream.velocity[1:], atol=1e-9)


def test_contact_begins_with_the_grasp(env: TwinEnv) -> None:
    stream = record(env, make_expert(env.task.id), 1)
    assert stream.contact is not None
    assert not stream.contact[:200].any() and stream.contact[-100:].all()


def test_the_spring_holds_what_its_force_says(env: TwinEnv) -> None:
    stream = record(env, make_expert(env.task.id), 1)
    assert stream.spring_j is not None and stream.force_n is not None
    stiffness = env.robot.impedance.stiffness[0, 0]
    # Turning holds energy too, but pushes nothing.
    assert (stream.spring_j >= stream.force_n**2 / (2 * stiffness) - 1e-12).all()
    env.reset(seed=0)
    target = env.robot.target.copy()
    target[2] += 0.02
    with recorded(env.robot) as recording:
        for _ in range(12):
            env.robot.track(target, target)
    held = recording.stream("held", True)
    assert held.force_n is not None and held.spring_j is not None
    assert held.force_n[0] == pytest.approx(0.02 * stiffness, rel=0.01)
    assert held.spring_j[0] == pytest.approx(0.5 * stiffness * 0.02**2, rel=0.02)
    assert held.force_n[-1] < held.force_n[0], "the arm has begun to follow"


def test_the_joints_own_law_has_a_spring_without_a_force() -> None:
    stream = record(sim.make("twin/lift", control="joint", max_steps=2), Still(), 0)
    assert stream.force_n is None and stream.spring_j is not None and len(stream.time_ns) == 51


class Still:
    """Asks for what is."""

    def reset(self, observation, random) -> None:  # type: ignore[no-untyped-def]
        self.action: np.ndarray | None = None

    def act(self, observation):  # type: ignore[no-untyped-def]
        if "tcp.position" in observation and self.action is None:
            self.action = np.array([*load_robot("panda").limbs[0].arm.rest, 0.08])
        return self.action


def test_gravity_is_the_slope_of_the_potential_energy() -> None:
    held = gravity_of(load_robot("fr3"))
    from sim.twin.checks.rest import stand_up

    robot = stand_up(load_robot("fr3"))
    model, data = robot.scene.model, robot.scene.data
    model.opt.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    random = np.random.default_rng(0)
    first = int(robot.plant.joints[0, 0])

    def potential(joints: np.ndarray) -> float:
        data.qpos[first : first + 7] = joints
        mujoco.mj_fwdPosition(model, data)
        mujoco.mj_energyPos(model, data)
        return float(data.energy[0])

    for _ in range(3):
        place = np.array(load_robot("fr3").limbs[0].arm.rest) + random.uniform(-0.4, 0.4, 7)
        slope = [(potential(place + 1e-5 * axis) - potential(place - 1e-5 * axis)) / 2e-5 for axis in np.eye(7)]
        assert held(place[None])[0] == pytest.approx(slope, abs=1e-3)


def test_the_torque_of_a_twin_has_no_gravity_in_it(env: TwinEnv) -> None:
    stream = record(env, make_expert(env.task.id), 1)
    held = gravity_of(env.robot.description)
    share = gravity_share([stream], held)
    assert share is not None and abs(share) < 0.2
    require_no_gravity([stream], held)
    with pytest.raises(InputError, match="none of the arm's weight"):
        require_no_gravity([replace(stream, torque=stream.torque + held(stream.joints))], held)


def test_filters_that_act_are_refused() -> None:
    filtered = sim.make("twin/lift", budget="table_top")
    with pytest.raises(InputError, match="unfiltered ones"):
        record(filtered, make_expert("twin/lift"), 0)
    shadow = sim.make("twin/lift", budget="table_top", enforce=False, max_steps=2)
    assert len(record(shadow, make_expert("twin/lift"), 0).time_ns) == 51


def test_other_suites_are_refused() -> None:
    with pytest.raises(InputError, match="one on a twin"):
        twin_of(sim.make("gym/Pendulum-v1"))


def test_who_fails_always_is_given_up_on() -> None:
    brief = sim.make("twin/lift", max_steps=1)
    with pytest.raises(TillerError, match="Only 0 of 21 episodes"):
        list(collect(brief, make_expert("twin/lift"), 1))
