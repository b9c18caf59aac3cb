"""Policies that mean ill, on an arm at a stiff table and in tasks: the tank pays for nothing that it has not."""

from __future__ import annotations

from collections import deque
from typing import Callable

import mujoco
import numpy as np
import pytest

import sim
from robot.safety.energy import Budget
from robot.safety.energy.tank import OVERDRAFT
from sim.tasks.twin.env import TwinEnv
from sim.twin.energy import begin
from sim.twin.robot import TwinRobot
from tests.sim.twin.test_energy_budget import guarded, table_force

TIGHT = Budget(0.12, 0.02, 0.24, 10.0, spring_j=0.25, force_n=40.0)
SOFT, STIFF = 100.0, 2000.0

Adversary = Callable[[TwinRobot, np.random.Generator, int, np.ndarray], np.ndarray]
"""The target (dim,) of the next step of the physics, from the robot, a stream of numbers, the step and the target at
rest; it may change the law's stiffness too."""


def wandering(robot: TwinRobot, random: np.random.Generator, step: int, rest: np.ndarray) -> np.ndarray:
    """Anywhere, ten times a second."""
    if step % 50 == 0:
        rest = rest.copy()
        rest[:3] += random.uniform((-0.2, -0.3, -0.4), (0.2, 0.3, 0.1))
        robot.impedance.stiffness[:, :3] = random.uniform(SOFT, STIFF)
        return rest
    return robot.target


def banging(robot: TwinRobot, random: np.random.Generator, step: int, rest: np.ndarray) -> np.ndarray:
    """From side to side and onto the table, 5 times a second, as stiff as it goes."""
    robot.impedance.stiffness[:, :3] = STIFF
    target = rest.copy()
    target[:3] += (0.0, 0.2 if step // 50 % 2 else -0.2, -0.3)
    return target


def toggling(robot: TwinRobot, random: np.random.Generator, step: int, rest: np.ndarray) -> np.ndarray:
    """Stiff while the tool goes towards the target and soft while it goes away: a pump."""
    target = rest.copy()
    target[2] -= 0.25
    site = robot.plant.tcps[0]
    error = target[:3] - robot.plant.site_xpos[site]
    velocity = np.zeros(6)
    mujoco.mj_objectVelocity(robot.scene.model, robot.scene.data, mujoco.mjtObj.mjOBJ_SITE, site, velocity, 0)
    robot.impedance.stiffness[:, :3] = STIFF if error @ velocity[3:] > 0 else SOFT
    return target


def replaying(robot: TwinRobot, random: np.random.Generator, step: int, rest: np.ndarray) -> np.ndarray:
    """A path into the table that starts anew, with a jump of 0.3 m, every second."""
    target = rest.copy()
    target[2] -= 0.3 * (step % 500) / 500
    return target


class Delayed:
    """What another one wanted a while ago."""

    def __init__(self, of: Adversary, steps: int) -> None:
        self._of, self._steps = of, steps
        self._wanted: deque[np.ndarray] = deque()

    def __call__(self, robot: TwinRobot, random: np.random.Generator, step: int, rest: np.ndarray) -> np.ndarray:
        self._wanted.append(self._of(robot, random, step, rest))
        return self._wanted.popleft() if len(self._wanted) > self._steps else rest


def chasing(robot: TwinRobot, random: np.random.Generator, step: int, rest: np.ndarray) -> np.ndarray:
    """A target ahead of the tool in whatever way it goes: with a delay it drives it on."""
    site, velocity = robot.plant.tcps[0], np.zeros(6)
    mujoco.mj_objectVelocity(robot.scene.model, robot.scene.data, mujoco.mjtObj.mjOBJ_SITE, site, velocity, 0)
    target = rest.copy()
    target[:3] = robot.plant.site_xpos[site] + 0.3 * velocity[3:] + (0, 0, -0.02)
    return target


ADVERSARIES: dict[str, Callable[[], Adversary]] = {
    "wandering": lambda: wandering,
    "banging": lambda: banging,
    "toggling": lambda: toggling,
    "replaying": lambda: replaying,
    "delayed": lambda: Delayed(chasing, 50),
}


def attack(robot: TwinRobot, adversary: Adversary, seed: int, steps: int) -> tuple[int, float]:
    """Let it act, and hold each step to what was promised: a tank is overdrawn in a step only where a joint went
    another way than the bound on its acceleration allows, and then by no more than its torques could give on that way.

    Returns:
        Steps in which a joint did so, and the share of steps in contact with what does not move.
    """
    random, rest, tank = np.random.default_rng(seed), robot.target, robot._guard.tank[0]
    bounds, torque = robot._guard.acceleration[0, :7], robot._account.torque[0, :7]
    at_q, at_v, n = robot.plant.joints[0]
    q, qd, period_s = robot.plant.qpos[at_q : at_q + n], robot.plant.qvel[at_v : at_v + n], robot.plant.timestep
    outside, contacts = 0, 0
    for step in range(steps):
        target = adversary(robot, random, step, rest)
        where, speed, overdrawn = q.copy(), qd.copy(), float(tank[OVERDRAFT])
        robot.track(target, target)
        way = q - where
        strayed = (np.abs(way - period_s * speed) > 0.5 * period_s**2 * bounds * (1 + 1e-9)).any()
        outside += strayed
        if tank[OVERDRAFT] > overdrawn:
            assert strayed, f"step {step}: {tank[OVERDRAFT] - overdrawn} J"
            assert tank[OVERDRAFT] - overdrawn <= np.abs(torque) @ np.abs(way) + 1e-12
        contacts += step % 10 == 0 and table_force(robot) > 1.0
    return outside, contacts / (steps / 10)


@pytest.mark.parametrize("name", ADVERSARIES)
def test_no_adversary_gets_more_out_of_an_arm_on_a_stiff_table_than_its_tank_has(name):
    robot = guarded(TIGHT)
    target = robot.target
    target[2] -= 0.17
    for _ in range(3):
        robot._follow(target)
        robot.run_for(1_000_000_000)  # near the table, so that all of them meet it
    begin(robot._guard, TIGHT)
    outside, contact = attack(robot, ADVERSARIES[name](), 1, 4000)
    energy = robot.energy
    assert contact > 0.005 and sum(energy.changed.values()) > 100, "it must be held back, or nothing was shown"
    assert outside <= 0.003 * 4000 and energy.overdrafts[0] <= outside
    assert energy.peak_j[0] <= TIGHT.initial_j + energy.overdraft_j[0] + 1e-9


@pytest.mark.parametrize("name", ["toggling", "banging"])
def test_without_the_filter_the_same_adversary_overdraws_it(name):
    robot = guarded(TIGHT, enforce=False)
    with pytest.raises(AssertionError, match=r"step \d+: "):
        attack(robot, ADVERSARIES[name](), 1, 4000)


def heavy(task_id: str, budget_file: str) -> TwinEnv:
    env = sim.make(task_id, budget=budget_file)
    assert isinstance(env, TwinEnv)
    if task_id == "twin/place":
        model, body = env.scene.model, env.scene.model.body("object").id
        factor = 0.5 / model.body_mass[body]
        model.body_mass[body] *= factor
        model.body_inertia[body] *= factor
        mujoco.mj_setConst(model, env.scene.data)
    return env


@pytest.mark.slow
@pytest.mark.parametrize("task_id", ["twin/peg", "twin/wipe", "twin/place"])
def test_no_adversary_gets_more_out_of_an_arm_in_a_task_than_its_tank_has(task_id, tmp_path):
    file = tmp_path / "tight.yaml"
    file.write_text(
        "{initial_j: 0.12, reserve_j: 0.02, capacity_j: 0.24, power_w: 10.0, spring_j: 0.25, force_n: 40.0}"
    )
    env = heavy(task_id, str(file))
    for name, make in ADVERSARIES.items():
        for seed in range(2):
            env.reset(seed=seed)
            env.robot.impedance.stiffness[:, :3] = 1000.0
            outside, _ = attack(env.robot, make(), seed, 5000)
            energy = env.robot.energy
            assert outside <= 0.003 * 5000 and energy.overdrafts[0] <= outside, (name, seed, energy)
            assert energy.peak_j[0] <= TIGHT.initial_j + energy.overdraft_j[0] + 1e-9
    env.close()


@pytest.mark.slow
def test_a_pump_that_was_searched_for_gets_no_more_out_of_the_arm_than_its_budget():
    """The cross-entropy method over a rhythm of set-points and stiffnesses, for the most work on the arm."""
    robot, random = guarded(TIGHT), np.random.default_rng(0)
    beats = 8

    def worked(plan: np.ndarray) -> float:
        def rhythm(robot: TwinRobot, random: np.random.Generator, step: int, rest: np.ndarray) -> np.ndarray:
            row, target = plan[step // 25 % beats], rest.copy()
            target[:3] += np.clip(row[:3], -1, 1) * (0.15, 0.25, 0.25) - (0, 0, 0.1)
            robot.impedance.stiffness[:, :3] = SOFT * (STIFF / SOFT) ** np.clip(0.5 + 0.5 * row[3], 0, 1)
            return target

        robot.reset()
        outside, _ = attack(robot, rhythm, 0, 1000)
        energy = robot.energy
        # What a joint that is hit beyond its bound has cost is counted: nothing else goes beyond the budget.
        assert energy.overdrafts[0] <= outside
        assert energy.peak_j[0] <= TIGHT.initial_j + energy.overdraft_j[0] + 1e-9
        return float(energy.peak_j[0])

    mean, spread, best = np.zeros((beats, 4)), np.ones((beats, 4)), 0.0
    for _ in range(8):
        plans = mean + spread * random.normal(size=(25, beats, 4))
        scores = np.array([worked(plan) for plan in plans])
        elite = plans[np.argsort(-scores)[:5]]
        mean, spread, best = elite.mean(axis=0), elite.std(axis=0) + 0.05, max(best, float(scores.max()))
    assert best > 0.3 * TIGHT.initial_j, "it must have found a way to do work, or nothing was shown"
