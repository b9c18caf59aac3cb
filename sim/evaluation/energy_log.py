"""Episodes on a twin at the rate of its physics: applied torque, joints, contacts, and the spring of the law.

The inner loop runs a whole control period before it comes back to Python. While an episode is recorded it runs
one step at a time, with the same set-points, so that the episode stays the same bit for bit.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterator, Mapping, Protocol

import mujoco
import numpy as np

from robot.control.rotation_kernels import write_interpolated, write_matrix_from_6d, write_rotvec_between
from robot.description.loading import RobotDescription
from robot.errors import InputError, TillerError
from robot.safety.energy.streams import EnergyStream
from sim.tasks.environment import TaskEnv
from sim.tasks.twin.env import TwinEnv
from sim.twin.checks.rest import stand_up
from sim.twin.robot import TwinRobot

_SPARE = 20  # failures that are always allowed before the actor counts as unfit


class TaskAgent(Protocol):
    """Acts in the task: a scripted expert, or a policy with its runner."""

    def reset(self, observation: Mapping[str, np.ndarray], random: np.random.Generator) -> None: ...

    def act(self, observation: Mapping[str, np.ndarray]) -> np.ndarray: ...


class EnergyRecorder:
    """Records a twin of one arm, step by step.

    Args:
        robot: the twin.
    """

    def __init__(self, robot: TwinRobot) -> None:
        self._robot = robot
        (limb,) = robot.description.limbs
        first, dof, n = (int(each) for each in robot.plant.joints[0])
        self._joints, self._velocity = robot.plant.qpos[first : first + n], robot.plant.qvel[dof : dof + n]
        self._n = n
        self._own = _bodies_of(robot, limb.element(limb.arm.joints[0]))
        self._start_ns = robot.clock.now_ns()
        self._rows: dict[str, list[np.ndarray | bool | float]] = {
            name: [] for name in ("torque", "joints", "velocity", "contact", "spring_j", "force_n")
        }

    def before(self, start: np.ndarray, end: np.ndarray, fraction: float) -> None:
        """Record the state at the beginning of a step of the physics.

        Its set-point is at `fraction` of the path between two targets (dim,).
        """
        self._rows["joints"].append(self._joints.copy())
        self._rows["velocity"].append(self._velocity.copy())
        self._rows["contact"].append(self._touches())
        spring, force = self._spring(start, end, fraction)
        self._rows["spring_j"].append(spring)
        self._rows["force_n"].append(force)

    def after(self) -> None:
        """Record the torque that was applied in that step."""
        self._rows["torque"].append(self._robot._account.torque[0, : self._n].copy())

    def stream(self, name: str, success: bool) -> EnergyStream:
        """The episode, its last sample the state after the last step."""
        rows = dict(self._rows)
        steps = len(rows["torque"])
        if not steps:
            raise InputError(f"episode {name}", expected="steps of the physics", got="none")
        for each, last in (("joints", self._joints.copy()), ("velocity", self._velocity.copy())):
            rows[each] = [*rows[each], last]
        for each in ("torque", "contact", "spring_j", "force_n"):
            rows[each] = [*rows[each], rows[each][-1]]
        cartesian = bool(self._robot.impedance.cartesian[0])
        arrays = {each: np.array(values) for each, values in rows.items() if cartesian or each != "force_n"}
        step_ns = round(self._robot.scene.model.opt.timestep * 1e9)
        time_ns = self._start_ns + np.arange(steps + 1, dtype=np.int64) * step_ns
        return EnergyStream(name=name, time_ns=time_ns, success=success, **arrays)

    def _touches(self) -> bool:
        contacts = self._robot.scene.data.contact
        if not len(contacts):
            return False
        pairs = self._own[contacts.geom]
        return bool((pairs[:, 0] != pairs[:, 1]).any())

    def _spring(self, start: np.ndarray, end: np.ndarray, fraction: float) -> tuple[float, float]:
        """Energy (J) and force (N) of the impedance law's spring; no force in joint space."""
        impedance, plant = self._robot.impedance, self._robot.plant
        target = np.empty(len(start))
        write_interpolated(start, end, fraction, impedance.rotations, target)
        set_point = target[impedance.arm_at[0] :]
        if not impedance.cartesian[0]:
            error = set_point[: self._n] - self._joints
            return float(0.5 * impedance.joint_stiffness[0, : self._n] @ error**2), 0.0
        site, desired, error = plant.tcps[0], np.empty((3, 3)), np.empty(6)
        error[:3] = set_point[:3] - plant.site_xpos[site]
        write_matrix_from_6d(set_point[3:9], desired)
        write_rotvec_between(plant.site_xmat[site].reshape(3, 3), desired, error[3:])
        stiffness = impedance.stiffness[0]
        return float(0.5 * stiffness @ error**2), float(np.linalg.norm(stiffness[:3] * error[:3]))


@contextmanager
def recorded(robot: TwinRobot) -> Iterator[EnergyRecorder]:
    """Record every step of the physics of a twin while the block runs.

    Raises:
        InputError: the robot has several arms, or filters that act.
    """
    if len(robot.description.limbs) != 1:
        raise InputError(
            f"robot '{robot.spec.name}'",
            expected="one arm",
            got=f"{len(robot.description.limbs)}",
            way_out="Calibrate each arm by itself: a budget is one arm's",
        )
    if robot.energy.enforced:
        raise InputError(
            "episodes",
            expected="unfiltered ones: a budget is picked from what the task needs by itself",
            got="a budget whose filters act",
            way_out="Leave budget= out, or add enforce=false",
        )
    recording = EnergyRecorder(robot)
    with robot.observed(recording):
        yield recording


def record(env: TaskEnv, actor: TaskAgent, seed: int) -> EnergyStream:
    """One episode, with the start and the strategy of `sim.evaluation.collect` for the same seed.

    Raises:
        InputError: the environment is not a twin, has several arms, or filters that act.
    """
    robot = twin_of(env)
    observation, _ = env.reset(seed=seed)
    actor.reset(observation, np.random.default_rng([seed, 1]))
    success = ended = False
    with recorded(robot) as recording:
        while not ended:
            action = np.asarray(actor.act(observation)).astype(np.float32)
            observation, _, terminated, truncated, info = env.step(action)
            success |= bool(info["success"])
            ended = terminated or truncated
    return recording.stream(f"seed_{seed}", success)


def collect(
    env: TaskEnv,
    actor: TaskAgent,
    episodes: int,
    *,
    seed: int = 0,
    on_episode: Callable[[EnergyStream], None] | None = None,
) -> Iterator[EnergyStream]:
    """Successful episodes, on the seeds from `seed` on; `on_episode` is called with every one that was tried.

    Raises:
        TillerError: the actor fails more often than it succeeds.
    """
    kept = tried = 0
    while kept < episodes:
        stream = record(env, actor, seed + tried)
        tried += 1
        if on_episode is not None:
            on_episode(stream)
        if stream.success:
            kept += 1
            yield stream
        elif tried - kept > kept + _SPARE:
            raise TillerError(
                f"Only {kept} of {tried} episodes of {env.task.id} succeeded: what fails so often is not "
                "what a budget is picked from"
            )


def twin_of(env: TaskEnv) -> TwinRobot:
    """The twin below an environment.

    Raises:
        InputError: there is none.
    """
    twin = env.unwrapped
    if not isinstance(twin, TwinEnv):
        raise InputError(
            f"task '{env.task.id}'",
            expected="one on a twin, where the inner loop is ours",
            got="another suite's",
            way_out="Take a task twin/..., or log= of a robot",
        )
    return twin.robot


def gravity_of(description: RobotDescription) -> Callable[[np.ndarray], np.ndarray]:
    """Gravity compensation of the arm with its tool by MuJoCo's model: joints (k, n) rad -> torques (k, n) N*m.

    Raises:
        InputError: the robot has several arms, or cannot be built from its description and models.
    """
    robot = stand_up(description)
    if len(description.limbs) != 1:
        raise InputError(
            f"robot '{description.spec.name}'",
            expected="one arm",
            got=f"{len(description.limbs)}",
            way_out="Calibrate each arm by itself: a budget is one arm's",
        )
    model, data = robot.scene.model, robot.scene.data
    first, dof, n = (int(each) for each in robot.plant.joints[0])

    def held(joints: np.ndarray) -> np.ndarray:
        torques, bias = np.empty((len(joints), n)), np.empty(model.nv)
        data.qvel[:] = 0
        for row, position in enumerate(joints):
            data.qpos[first : first + n] = position
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_comVel(model, data)
            mujoco.mj_rne(model, data, 0, bias)
            torques[row] = bias[dof : dof + n]
        return torques

    return held


def _bodies_of(robot: TwinRobot, first_joint: str) -> np.ndarray:
    """(geoms,) bool: geoms of the arm and of all that is fixed to it."""
    model = robot.scene.model
    own = np.zeros(model.nbody, dtype=bool)
    own[model.jnt_bodyid[robot.scene.id("joint", first_joint)]] = True
    for body in range(1, model.nbody):  # parents come before their children
        own[body] |= own[model.body_parentid[body]]
    return own[model.geom_bodyid]
