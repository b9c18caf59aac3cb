"""A disturber gives what it has and no more, and what it gave is what the pushed thing got."""

from __future__ import annotations

from typing import Callable

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.errors import InputError
from robot.safety.energy.budget import load_budget
from robot.safety.energy.tank import LEVEL, OVERDRAFTS, WORK
from sim.disturbances.disturbance import PushedMazes, Pushes, PushLimits
from sim.disturbances.twin import PushedTwin
from sim.maze import MazeBatch, MazeOptions, decode
from sim.tasks.twin.lift import Lift

TICK_S, PERIOD_S = 0.001, 0.05
LIMITS = PushLimits(force_n=12.0, energy_j=0.2, hold_s=0.1)


def mazes(count: int = 8, *, limits: PushLimits = LIMITS, enforce: bool = True, **changes: object) -> PushedMazes:
    return PushedMazes(
        count,
        limits=limits,
        layouts=(1, 4, 5),
        seed=3,
        budget=load_budget("maze"),
        enforce=enforce,
        options=MazeOptions(**changes),
    )  # type: ignore[arg-type]


def along(batch: MazeBatch, random: np.random.Generator) -> np.ndarray:
    """With the motion: what gives most."""
    return 1e9 * (batch.velocity + 1e-6 * random.standard_normal((batch.count, 2)))


def against(batch: MazeBatch, random: np.random.Generator) -> np.ndarray:
    return -1e9 * batch.velocity


def wild(batch: MazeBatch, random: np.random.Generator) -> np.ndarray:
    found = 30.0 * random.standard_cauchy((batch.count, 2))
    found[random.uniform(size=batch.count) < 0.05] = np.nan
    return found


def shaken(batch: MazeBatch, random: np.random.Generator) -> np.ndarray:
    return np.tile(random.choice([-1e3, 1e3], (1, 2)), (batch.count, 1))


@pytest.mark.parametrize("asked", [along, against, wild, shaken])
@pytest.mark.parametrize("enforce", [True, False])
def test_whatever_is_asked_for_the_joules_are_never_overdrawn(
    asked: Callable[[MazeBatch, np.random.Generator], np.ndarray], enforce: bool
) -> None:
    batch, random = mazes(enforce=enforce), np.random.default_rng(0)
    batch.reset()
    net, most = np.zeros(batch.count), 0.0
    for _ in range(120):
        action = decode(random.choice([-1.0, 1.0], (batch.count, 4)), batch.position)
        step = batch.step(action, asked(batch, random))
        net += step.disturbance_j
        most = max(most, float(net.max()))
        assert (batch.left >= 0).all() and (net <= LIMITS.energy_j + 1e-12).all()
        assert (np.linalg.norm(batch.pushes.applied, axis=1) <= LIMITS.force_n + 1e-9).all()
        net[step.terminated | step.truncated] = 0.0
    assert not batch.pushes.tank[:, OVERDRAFTS].any()
    if asked in (along, wild):
        assert most > 0.5 * LIMITS.energy_j  # it was a bound that was felt


@given(seed=st.integers(0, 2**31), force=st.floats(0.1, 200.0), energy=st.floats(1e-4, 2.0))
@settings(derandomize=True, max_examples=60, deadline=None)
def test_no_motion_within_the_acceleration_bound_overdraws(seed: int, force: float, energy: float) -> None:
    """A point that goes where an opponent wills, as long as it is no harder accelerated than was said."""
    random = np.random.default_rng(seed)
    limits = PushLimits(force_n=force, torque_nm=0.1 * force, energy_j=energy, acceleration=300.0)
    pushes, velocity, given_j = Pushes(limits, 1, 6, period_s=PERIOD_S, tick_s=TICK_S), np.zeros(6), 0.0
    for tick in range(600):
        if tick % 50 == 0:
            pushes.request(10 * force * random.standard_normal((1, 6)))
        pushed = pushes.bounded(0, velocity)
        # The opponent goes with the push as hard as it may, or at random.
        hard = np.sign(pushed) if random.uniform() < 0.7 else random.uniform(-1, 1, 6)
        velocity = velocity + TICK_S * 300.0 * hard
        given_j += pushes.book(0, pushed, TICK_S * velocity)
        assert pushes.tank[0, LEVEL] >= 0.0 and given_j <= energy * (1 + 1e-9)
        assert np.linalg.norm(pushed[:3]) <= force * (1 + 1e-9)
        assert np.linalg.norm(pushed[3:]) <= 0.1 * force * (1 + 1e-9)
    assert given_j == pytest.approx(pushes.tank[0, WORK], abs=1e-12)


def test_a_point_that_is_struck_beyond_its_bound_is_told_of() -> None:
    """The control of the test above: the bound on the acceleration is what the guarantee rests on."""
    pushes = Pushes(PushLimits(force_n=50.0, energy_j=0.05, acceleration=10.0), 1, 2, period_s=PERIOD_S, tick_s=TICK_S)
    pushes.request(np.array([[50.0, 0.0]]))
    pushed = pushes.bounded(0, np.zeros(2))
    pushes.book(0, pushed, np.array([0.01, 0.0]))
    assert pushes.tank[0, OVERDRAFTS] == 1 and pushes.left[0] < 0
    assert not pushes.bounded(0, np.array([1.0, 0.0])).any()


def thrown(tick_s: float, seconds: float = 0.4) -> tuple[float, float, float]:
    """A free body in MuJoCo that is pushed: joules booked, joules it got, and what a step of Euler makes of a force."""
    model = mujoco.MjModel.from_xml_string(f"""<mujoco><option timestep="{tick_s}" gravity="0 0 0"/><worldbody>
        <body><freejoint/><geom type="sphere" size="0.05" mass="2"/></body></worldbody></mujoco>""")
    data = mujoco.MjData(model)
    pushes = Pushes(PushLimits(force_n=3.0, energy_j=50.0), 1, 3, period_s=PERIOD_S, tick_s=tick_s)
    random, more = np.random.default_rng(1), 0.0
    data.qvel[:3] = 0.3, -0.2, 0.1
    start_j = 0.5 * 2 * float(data.qvel[:3] @ data.qvel[:3])
    for tick in range(round(seconds / tick_s)):
        if tick % round(PERIOD_S / tick_s) == 0:
            pushes.request(random.uniform(-3, 3, (1, 3)))
        mujoco.mj_kinematics(model, data)
        before = data.qpos[:3].copy()
        data.xfrc_applied[1, :3] = pushes.bounded(0, data.qvel[:3].copy())
        mujoco.mj_step(model, data)
        pushed = data.xfrc_applied[1, :3]
        pushes.book(0, pushed.copy(), data.qpos[:3] - before)
        more += float(pushed @ pushed) * tick_s**2 / (2 * 2)
    return pushes.tank[0, WORK], 0.5 * 2 * float(data.qvel[:3] @ data.qvel[:3]) - start_j, more


def test_what_is_booked_is_what_a_free_mass_gets() -> None:
    """To the last digit, but for what a semi-implicit step adds to it, F^2 T^2 / 2 m: half of it in half the step."""
    apart = []
    for tick_s in (0.002, 0.001):
        booked, got, more = thrown(tick_s)
        assert abs(got) > 0.05
        assert booked - got == pytest.approx(more, abs=1e-12)
        apart.append(booked - got)
    assert apart[1] == pytest.approx(0.5 * apart[0], rel=0.15)


def test_a_push_is_held_as_long_as_was_said() -> None:
    batch, random = mazes(2, limits=PushLimits(force_n=5.0, energy_j=5.0, hold_s=0.2)), np.random.default_rng(0)
    batch.reset()
    held = []
    for _ in range(12):
        batch.step(decode(np.zeros((2, 4)), batch.position), random.uniform(-3, 3, (2, 2)))
        held.append(batch.pushes.held.copy())
    changes = [number for number in range(1, 12) if (held[number] != held[number - 1]).all()]
    assert changes == [4, 8]
    with pytest.raises(InputError, match="hold_s"):
        PushLimits(force_n=5.0, energy_j=1.0, hold_s=0.02)


def test_mazes_without_a_push_go_as_mazes_that_know_none() -> None:
    random = np.random.default_rng(2)
    plain = MazeBatch(4, layouts=(1, 4), seed=5, budget=load_budget("maze"), enforce=True, trace=True)
    pushed = PushedMazes(4, limits=LIMITS, layouts=(1, 4), seed=5, budget=load_budget("maze"), enforce=True, trace=True)
    assert np.array_equal(plain.reset(), pushed.reset())
    for _ in range(40):
        action = decode(random.uniform(-1, 1, (4, 4)), plain.position)
        first, second = plain.step(action), pushed.step(action)
        assert np.array_equal(first.observation, second.observation)
        assert first.executed == pytest.approx(second.executed, abs=1e-9)
        assert first.changed == pytest.approx(second.changed, abs=1e-12)
        assert np.array_equal(plain.ticks, pushed.ticks)


def test_a_filtered_maze_gives_its_walls_no_more_than_the_tank_and_the_disturber_gave() -> None:
    """Passive at the port to the walls, with the disturber's joules on the side of what comes in."""
    random, shares = np.random.default_rng(4), []
    batch = mazes(16, limits=PushLimits(force_n=15.0, energy_j=1.0))
    batch.reset()
    out, came = np.zeros(batch.count), np.zeros(batch.count)
    for number in range(160):
        if number % 2 == 0:
            push = 15.0 * random.standard_normal((batch.count, 2))
        action = decode(random.choice([-1.0, 1.0], (batch.count, 4)), batch.position)
        step = batch.step(action, push)
        out, came = out + batch.contact_work_j, came + step.disturbance_j
        assert not (step.terminated | step.truncated).any()
        shares.append(out / (batch.budget.initial_j + np.maximum(came, 0.0)))
        assert (out <= batch.budget.initial_j + came + 1e-3).all()
    assert 0.05 < np.max(shares) <= 1.0


def test_a_row_that_begins_anew_has_all_of_its_joules() -> None:
    batch, random = mazes(3, max_steps=20), np.random.default_rng(0)
    batch.reset()
    for _ in range(20):
        batch.step(decode(np.ones((3, 4)), batch.position), along(batch, random))
    assert (batch.left < 1).all() and (batch.pushes.left == 1).all() and not batch.pushes.held.any()


def twin(on: str, **limits: float) -> PushedTwin:
    return PushedTwin(Lift(), limits=PushLimits(**{"force_n": 40.0, "energy_j": 0.4, **limits}), on=on)


def test_a_twin_without_a_push_moves_as_one_that_knows_none() -> None:
    import sim

    plain, pushed, random = sim.make("twin/lift"), twin("tool"), np.random.default_rng(0)
    first, second = plain.reset(seed=4)[0], pushed.reset(seed=4)[0]
    for _ in range(15):
        action = pushed.holding(second)
        action[:3] += random.uniform(-0.03, 0.03, 3)
        first, second = plain.step(action)[0], pushed.step(action)[0]
    for name in first:
        assert second[name] == pytest.approx(first[name], abs=1e-6)


def test_a_push_on_the_tool_does_the_work_that_its_spring_takes() -> None:
    """A push that has settled: F of its own, as far as the stiffness lets it; half of the work went into the spring."""
    env = twin("tool", energy_j=10.0, hold_s=0.2)
    observation, _ = env.reset(seed=0)
    action, start, given_j = env.holding(observation), env.point.pose[0], 0.0
    wrench = np.array([0.0, 20.0, 0.0, 0.0, 0.0, 0.0])
    for _ in range(40):
        env.push(wrench)
        env.step(action)
        given_j += env.gave_j
    way = env.point.pose[0] - start
    stiffness = env.robot.impedance.stiffness[0, 1]
    assert way[1] == pytest.approx(20.0 / stiffness, rel=0.1)
    assert given_j == pytest.approx(20.0 * way[1], rel=1e-3)
    assert env.pushes.left[0] == pytest.approx(1 - given_j / 10.0, rel=1e-6)


@pytest.mark.parametrize("on", ["tool", "cube"])
def test_a_push_on_a_twin_never_overdraws_its_joules(on: str) -> None:
    env, random = (
        twin(on, force_n=40.0 if on == "tool" else 2.0, torque_nm=1.0 if on == "tool" else 0.0, energy_j=0.05),
        np.random.default_rng(0),
    )
    observation, _ = env.reset(seed=1)
    action = env.holding(observation)
    given_j, left = 0.0, []
    for _ in range(30):
        velocity = env.point.velocity
        env.push(1e4 * (velocity + 1e-3 * random.standard_normal(6)))
        env.step(action)
        given_j += env.gave_j
        left.append(float(env.pushes.left[0]))
        assert given_j <= 0.05 + 1e-12 and left[-1] >= 0
    assert not env.pushes.tank[0, OVERDRAFTS] and min(left) < 0.6
    assert not env.scene.data.xfrc_applied.any()


@pytest.mark.parametrize("changes", [{"force_n": -1.0}, {"energy_j": 0.0}, {"force_n": np.nan}, {"torque_nm": np.inf}])
def test_limits_that_are_none_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(InputError, match="push"):
        PushLimits(**{"force_n": 1.0, "energy_j": 1.0, **changes})
    with pytest.raises(InputError, match="torque"):
        mazes(limits=PushLimits(force_n=1.0, torque_nm=1.0, energy_j=1.0))
    with pytest.raises(InputError, match="push"):
        mazes(3).step(np.zeros((3, 4)), np.zeros((2, 2)))
