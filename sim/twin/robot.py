"""The twin of a robot: the same commands, rates and limits, on MuJoCo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping

import mujoco
import numpy as np

from robot.control.clock import VirtualClock
from robot.control.rotation import rotation_6d_from_matrix
from robot.control.trajectory import Trajectory
from robot.description.action import ActionSpec
from robot.description.chunk import ActionChunk
from robot.description.limb import Limb
from robot.description.protocols import Observation
from robot.errors import InputError, TillerError
from sim.twin import inner_loop
from sim.twin.inner_loop import Account, Law, Plant
from sim.twin.scene import Scene

_JOINTS = 7  # rows of the law's tables; arms with fewer joints leave the rest at zero
_BROKEN = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)


@dataclass
class Counts:
    """What was cut, since the reset.

    Args:
        clamped: targets that lay out of reach and were brought back.
        limited: joints times steps in which a drive's limit cut a torque.
    """

    clamped: int = 0
    limited: int = 0


class TwinClock(VirtualClock):
    """A virtual clock: to sleep is to let the physics run."""

    def __init__(self, run: Callable[[int], None]) -> None:
        super().__init__()
        self._run = run

    def sleep_until(self, monotonic_ns: int) -> None:
        remaining = monotonic_ns - self.monotonic_ns()
        if remaining > 0:
            self._run(remaining)


class TwinRobot:
    """A robot in a scene, held by its impedance law. Implements `robot.description.Robot`.

    Time is virtual: `clock.sleep_until`, or `hold` and `run_for`, let it pass.

    Args:
        scene: compiled, with the robot in it.
        action_spec: what a target is: fields of `RobotDescription.action_spec`.
    """

    def __init__(self, scene: Scene, action_spec: ActionSpec) -> None:
        self.scene = scene
        self.description = scene.description
        self.spec = scene.description.spec
        self.action_spec = action_spec
        self.clock = TwinClock(self.run_for)
        self._step_ns = round(scene.model.opt.timestep * 1e9)
        self._reach = [_Reach(limb, action_spec) for limb in self.description.limbs]
        self._account = Account(np.zeros((len(self._reach), _JOINTS)), np.zeros(len(self._reach)),
                                np.zeros(len(self._reach), dtype=np.int64))
        self._clamped = 0
        self._joint_places = {
            name: int(scene.model.jnt_qposadr[scene.id("joint", name)]) for name in self.spec.joint_names
        }
        self._readings = [_Readings(scene, limb) for limb in self.description.limbs]
        self.plant, self.law = _plant(scene), _law(scene, action_spec)
        self.reset()

    # -- the protocol -------------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        """What the robot feels of itself, float32: `tcp.position` (3) m, `tcp.rotation` (6), the tool's own field, such
        as `gripper.width` (1) m; with the limb's name before them where there are several.
        """
        row: dict[str, np.ndarray] = {}
        for reading in self._readings:
            reading.add_to(row)
        return row

    def execute(self, chunk: ActionChunk) -> None:
        """Follow a chunk from now on; each row acts when it is due, stale rows are dropped.

        Raises:
            InputError: the chunk's fields are others than the twin's, or a value is not finite; the twin goes on with
                what it followed.
        """
        if chunk.spec is not None and chunk.spec.fields != self.action_spec.fields:
            raise InputError("chunk", expected=", ".join(self.action_spec.component_names),
                             got=", ".join(chunk.spec.component_names))
        values = np.stack([self._checked(value, step) for step, value in enumerate(np.asarray(chunk.values))])
        reachable = ActionChunk(values, chunk.start_ns, chunk.period_s, chunk.chunk_id, chunk.spec)
        self._trajectory = self._trajectory.spliced(reachable, self.clock.now_ns())

    def stop(self) -> None:
        """Hold where the arm is, and the tools where they were told to be."""
        self._follow(self._here())

    def reset(self) -> None:
        """Put the robot in its rest posture, at rest, and hold it there; the rest of the scene is left alone."""
        data = self.scene.data
        for joint, place in self.spec.rest.items():
            data.qpos[self._joint_places[joint]] = place
        for limb in self.description.limbs:
            for follower in limb.tool.coupling:
                leader = data.qpos[self._joint_places[limb.element(follower.leader)]]
                joint = self.scene.model.joint(limb.element(follower.joint))
                data.qpos[joint.qposadr[0]] = follower.ratio * leader + follower.offset
        data.qvel[:] = 0
        self.settle()

    # -- time ---------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Work out what follows from positions that were set by hand, and hold the robot there: a new epoch."""
        data = self.scene.data
        data.qacc_warmstart[:] = 0
        data.ctrl[:] = 0
        for each in self._account:
            each[:] = 0
        self._clamped = 0
        data.warning.number[:] = 0
        mujoco.mj_forward(self.scene.model, data)
        self.clock.reset()
        self._last_tools = None
        self._follow(self._here(told=False))

    def hold(self, target: np.ndarray) -> None:
        """Move to a target (dim,) over one period of the action spec: what `execute` and sleeping do for one row.

        Raises:
            InputError: the target is of another size or not finite.
        """
        target = self._checked(target, None)
        steps = self.action_spec.period_ns // self._step_ns
        self._run(self._trajectory.targets[-1], target, 0.0, 1.0 / steps, steps)
        self.clock.advance(steps * self._step_ns)
        self._follow(target)

    def run_for(self, duration_ns: int) -> None:
        """Let time pass, following the trajectory; rounded up to whole steps of the physics."""
        steps = -(-duration_ns // self._step_ns)
        while steps > 0:
            trajectory, now = self._trajectory, self.clock.now_ns()
            after = int(np.searchsorted(trajectory.times_ns, now, side="right"))
            if after >= len(trajectory.times_ns):
                self._run(trajectory.targets[-1], trajectory.targets[-1], 0.0, 0.0, steps)
                taken = steps
            else:
                before = max(after - 1, 0)
                start, end = int(trajectory.times_ns[before]), int(trajectory.times_ns[after])
                taken = min(steps, -(-(end - now) // self._step_ns))
                length = max(end - start, 1)
                first, second = trajectory.targets[before], trajectory.targets[after]
                self._run(first, second, max(now - start, 0) / length, self._step_ns / length, taken)
            self.clock.advance(taken * self._step_ns)
            steps -= taken

    @property
    def counts(self) -> Counts:
        """What was cut since the reset."""
        return Counts(self._clamped, int(self._account.limited.sum()))

    @property
    def work_j(self) -> np.ndarray:
        """Energy (limbs,) J that the torques without gravity gave to each arm since the reset."""
        return self._account.work.copy()

    @property
    def target(self) -> np.ndarray:
        """The set-point (dim,) now."""
        return self._trajectory.at(self.clock.now_ns())

    # -- inside -------------------------------------------------------------------------------------------------------

    def _run(self, start: np.ndarray, end: np.ndarray, fraction: float, fraction_step: float, steps: int) -> None:
        inner_loop.run(self.plant, self.law, self._account, start, end, fraction, fraction_step, steps)
        warnings = self.scene.data.warning.number
        if any(warnings[each] for each in _BROKEN):
            raise TillerError(f"The physics diverged at {self.clock.now_ns() * 1e-9:.2f} s: reset the twin, and look for "
                              "bodies that overlap or stiffnesses too high for the time step")

    def _follow(self, target: np.ndarray) -> None:
        self._trajectory = Trajectory.hold(self.action_spec, target, self.clock.now_ns())

    def _here(self, *, told: bool = True) -> np.ndarray:
        """The target that leaves the robot where it is; tools keep what they were told, if they were."""
        kept = self.action_spec.unpack(self._trajectory.at(self.clock.now_ns())) if told else {}
        row: dict[str, Any] = {**self.observe()}
        for limb, reading in zip(self.description.limbs, self._readings):
            row[limb.field("arm.joints")] = reading.arm_joints()
        parts = {}
        for each in self.action_spec.fields:
            tool = not each.name.endswith(("tcp.position", "tcp.rotation", "arm.joints"))
            parts[each.name] = kept[each.name] if tool and told else np.asarray(row[each.name], dtype=np.float64)
        return self.action_spec.pack(parts)

    def _checked(self, target: np.ndarray, step: int | None) -> np.ndarray:
        where = "target" if step is None else f"target of step {step}"
        target = np.array(target, dtype=np.float64)
        if target.shape != (self.action_spec.dim,):
            raise InputError(where, expected=f"({self.action_spec.dim},): {', '.join(self.action_spec.component_names)}",
                             got=str(target.shape))
        if not np.isfinite(target).all():
            bad = self.action_spec.component_names[int(np.flatnonzero(~np.isfinite(target))[0])]
            raise InputError(f"{where}: {bad}", expected="a finite number", got=str(target))
        for reach in self._reach:
            self._clamped += reach.clamp(target)
        return target


class _Reach:
    """Brings targets of one limb back to where it can go: into the sphere of its reach, or its joint limits."""

    def __init__(self, limb: Limb, spec: ActionSpec) -> None:
        self._position = spec.slices.get(limb.field("tcp.position"))
        self._joints = spec.slices.get(limb.field("arm.joints"))
        self._low, self._high = np.array(limb.arm.position).T
        yaw = np.array([[np.cos(limb.yaw), -np.sin(limb.yaw), 0], [np.sin(limb.yaw), np.cos(limb.yaw), 0], [0, 0, 1]])
        self._centre = np.array(limb.position) + yaw @ np.array(limb.arm.shoulder)
        # The tcp is out of the flange by its offset at most.
        self._radius = limb.arm.reach_m + float(np.linalg.norm(limb.tool.tcp_position))

    def clamp(self, target: np.ndarray) -> int:
        """Change `target` (dim,) in place; 1 when it had to be, else 0."""
        if self._position is not None:
            x, y, z = target[self._position] - self._centre
            distance = (x * x + y * y + z * z) ** 0.5
            if distance > self._radius:
                target[self._position] = self._centre + np.array([x, y, z]) * (self._radius / distance)
                return 1
        if self._joints is not None:
            inside = np.clip(target[self._joints], self._low, self._high)
            if (inside != target[self._joints]).any():
                target[self._joints] = inside
                return 1
        return 0


class _Readings:
    """What one limb feels of itself."""

    def __init__(self, scene: Scene, limb: Limb) -> None:
        data = scene.data
        site = scene.id("site", limb.tcp)
        self._position, self._matrix = data.site_xpos[site], data.site_xmat[site].reshape(3, 3)
        self._qpos = data.qpos
        places = [scene.model.jnt_qposadr[scene.id("joint", limb.element(name))] for name in limb.arm.joints]
        self._arm = np.array(places)
        tool = [scene.model.jnt_qposadr[scene.id("joint", limb.element(name))] for name in limb.tool.joints]
        self._tool, self._scale = np.array(tool), limb.tool.command.scale
        self._names = [limb.field(name) for name in ("tcp.position", "tcp.rotation", limb.tool.command.name)]

    def arm_joints(self) -> np.ndarray:
        return self._qpos[self._arm].copy()

    def add_to(self, row: dict[str, np.ndarray]) -> None:
        position, rotation, tool = self._names
        row[position] = self._position.astype(np.float32)
        row[rotation] = rotation_6d_from_matrix(self._matrix).astype(np.float32)
        row[tool] = (self._qpos[self._tool] * self._scale).astype(np.float32)


def _plant(scene: Scene) -> Plant:
    model, data = scene.model, scene.data
    joints, motors = [], []
    for limb in scene.description.limbs:
        numbers = [scene.id("joint", limb.element(name)) for name in limb.arm.joints]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise InputError(f"arm '{limb.name or limb.arm.model}'", expected="joints in one chain", got=str(numbers))
        joints.append([model.jnt_qposadr[numbers[0]], model.jnt_dofadr[numbers[0]], len(numbers)])
        motors.append(scene.id("actuator", limb.element(f"drive_{limb.arm.joints[0]}")))
    return Plant(
        model._address, data._address, float(model.opt.timestep), float(-model.opt.gravity[2]), data.qpos, data.qvel,
        data.ctrl, data.site_xpos, data.site_xmat, data.qM, data.qfrc_gravcomp, np.array(joints, dtype=np.int64),
        np.array([scene.id("site", limb.tcp) for limb in scene.description.limbs], dtype=np.int64),
        np.array(motors, dtype=np.int64),
    )


def _law(scene: Scene, spec: ActionSpec) -> Law:
    limbs, timestep = scene.description.limbs, float(scene.model.opt.timestep)

    def table(rows: list[Any], width: int = _JOINTS, fill: float = 0.0) -> np.ndarray:
        filled = np.full((len(limbs), width), fill)
        for number, row in enumerate(rows):
            filled[number, : len(row)] = row
        return filled

    cartesian = [limb.field("tcp.position") in spec.slices for limb in limbs]
    first = [limb.field("tcp.position" if pose else "arm.joints") for limb, pose in zip(limbs, cartesian)]
    drives, lines = [], []
    for limb in limbs:
        for actuator, component, line in _drives(scene, limb, spec.slices[limb.field(limb.tool.command.name)].start):
            drives.append([actuator, component])
            lines.append(line)
    return Law(
        cartesian=np.array(cartesian),
        arm_at=np.array([spec.slices[name].start for name in first], dtype=np.int64),
        rotations=np.array([spec.slices[each.name].start for each in spec.fields if each.is_rotation], dtype=np.int64),
        stiffness=table([(*limb.arm.impedance.position, *limb.arm.impedance.rotation) for limb in limbs], 6),
        joint_stiffness=table([limb.arm.impedance.joint for limb in limbs]),
        posture_stiffness=np.array([limb.arm.impedance.posture for limb in limbs]),
        damping_ratio=np.array([limb.arm.impedance.damping_ratio for limb in limbs]),
        rest=table([limb.arm.rest for limb in limbs]),
        effort=table([limb.arm.effort for limb in limbs]),
        torque_change=table([np.array(limb.arm.torque_rate) * timestep for limb in limbs], fill=np.inf),
        payload=table([(limb.payload.mass_kg, *limb.payload.centre_m) for limb in limbs], 4),
        drives=np.array(drives, dtype=np.int64).reshape(-1, 2),
        drive_lines=np.array(lines, dtype=np.float64).reshape(-1, 4),
    )


def _drives(scene: Scene, limb: Limb, first: int) -> list[tuple[int, int, Mapping[str, float] | list[float]]]:
    """Drives of a tool: actuator, component of the action, and the line from one to the other with its limits."""
    model = scene.model
    by_joint = {int(model.actuator_trnid[number, 0]): number for number in range(model.nu)}

    def drive(name: str, component: int, ratio: float, offset: float) -> tuple[int, int, list[float]]:
        number = by_joint[scene.id("joint", limb.element(name))]
        low, high = model.actuator_ctrlrange[number] if model.actuator_ctrllimited[number] else (-np.inf, np.inf)
        return number, component, [ratio, offset, float(low), float(high)]

    tool = limb.tool
    found = [drive(name, first + index, 1 / tool.command.scale, 0.0) for index, name in enumerate(tool.joints)]
    for follower in tool.coupling:
        component = first + tool.joints.index(follower.leader)
        found.append(drive(follower.joint, component, follower.ratio / tool.command.scale, follower.offset))
    return found  # type: ignore[return-value]
