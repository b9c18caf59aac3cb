"""The twin of a robot: the same commands, rates and limits, on MuJoCo.

Its class has more than three hundred lines: it is the whole protocol of a robot, its time and its step. What has an
idea of its own stands beside it: `inner_loop`, `wiring`, `targets`, `readings`, `energy`, `payload`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable, Iterator

import mujoco
import numpy as np

from robot.control.trajectory import Trajectory
from robot.description.action import ActionSpec
from robot.description.chunk import ActionChunk
from robot.description.clock import VirtualClock
from robot.description.protocols import Observation
from robot.description.robot import Payload
from robot.errors import DivergedError, InputError, TillerError
from robot.safety.energy.budget import Budget
from robot.safety.energy.payload import combined
from robot.safety.energy.tank import LATCHED, WORK
from sim.state.packed import SavedState
from sim.twin import inner_loop
from sim.twin.energy import EnergyState, begin, state_of, wire_guard
from sim.twin.inner_loop import Account
from sim.twin.model.scene import Scene
from sim.twin.observer import StepObserver
from sim.twin.payload import Carried, felt_payload
from sim.twin.readings import Readings
from sim.twin.targets import Targets
from sim.twin.wiring import JOINTS, impedance_parameters, wire_plant

_BROKEN = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)


@dataclass
class Counts:
    """Limits that acted since the reset.

    Args:
        clamped: targets out of reach that were brought back.
        limited: number of joint torques, over the steps, that a drive's limit has cut.
    """

    clamped: int = 0
    limited: int = 0


class TwinClock(VirtualClock):
    """A virtual clock: sleeping runs the physics."""

    def __init__(self, run: Callable[[int], None]) -> None:
        super().__init__()
        self._run = run

    def sleep_until(self, monotonic_ns: int) -> None:
        remaining = monotonic_ns - self.monotonic_ns()
        if remaining > 0:
            self._run(remaining)


class TwinRobot:
    """A robot in a scene under its impedance law. Implements `robot.description.Robot`.

    Time is virtual: `clock.sleep_until`, or `hold` and `run_for`, let it pass.

    Args:
        scene: compiled, with the robot in it.
        action_spec: what a target is: fields of `RobotDescription.action_spec`.
        budget: of energy, of each arm; None counts it and limits nothing.
        enforce: whether the budget's filters act; else work and overdrafts are counted.

    Raises:
        InputError: the period of an action is not a whole number of the scene's time steps, or the budget is another
            robot's.
    """

    def __init__(
        self, scene: Scene, action_spec: ActionSpec, *, budget: Budget | None = None, enforce: bool = True
    ) -> None:
        self.scene = scene
        self.description = scene.description
        self.spec = scene.description.spec
        self.action_spec = action_spec
        self.clock = TwinClock(self.run_for)
        self._step_ns = round(scene.model.opt.timestep * 1e9)
        if action_spec.period_ns % self._step_ns:
            raise InputError(
                "inner loop",
                expected=f"a whole number of steps in {action_spec.period_s} s",
                got=f"steps of {scene.model.opt.timestep} s",
                way_out="Use 500, 800 or 1000 Hz",
            )
        self._trajectory: Trajectory
        self._targets = Targets(self.description.limbs, action_spec)
        limbs = len(self.description.limbs)
        self._account = Account(
            torque=np.zeros((limbs, JOINTS)), speed=np.zeros((limbs, JOINTS)), limited=np.zeros(limbs, dtype=np.int64)
        )
        if budget is not None and budget.robot not in ("", self.spec.name):
            raise InputError(
                "budget",
                expected=f"one for the robot '{self.spec.name}'",
                got=f"one for '{budget.robot}'",
                way_out="Pick one for this robot: tiller calibrate budget",
            )
        self.budget = budget
        self._guard = wire_guard(self.description, JOINTS, budget, enforce=enforce)
        self._observers: list[StepObserver] = []
        self._joint_addresses = {
            name: int(scene.model.jnt_qposadr[scene.id("joint", name)]) for name in self.spec.joint_names
        }
        self._readings = [Readings(scene, limb, action_spec) for limb in self.description.limbs]
        self.plant, self.impedance = wire_plant(scene), impedance_parameters(scene, action_spec)
        self.reset()

    # -- the protocol -------------------------------------------------------------------------------------------------

    def observe(self) -> Observation:
        """The robot's proprioception, float32: `tcp.position` (3) m, `tcp.rotation` (6), the tool's own field, such
        as `gripper.width` (1) m; prefixed by the limb's name where there are several limbs; under a budget
        `energy.tank` (limbs,), the share of each tank's initial energy that is left, and `energy.changed` (limbs,), the
        share of steps so far that a filter has changed.
        """
        row: dict[str, np.ndarray] = {}
        for reading in self._readings:
            reading.add_to(row)
        if self.budget is not None:
            energy = self.energy
            row["energy.tank"] = energy.share.astype(np.float32)
            row["energy.changed"] = energy.changed_share.astype(np.float32)
        return row

    def execute(self, chunk: ActionChunk) -> None:
        """Follow a chunk from now on; each row acts when it is due, stale rows are dropped.

        Raises:
            InputError: the chunk's fields are others than the twin's, a value is not finite, a rotation is none, or the
                chunk comes from a time before the last reset; the twin keeps its trajectory.
        """
        if chunk.spec.fields != self.action_spec.fields:
            raise InputError(
                "chunk", expected=", ".join(self.action_spec.component_names), got=", ".join(chunk.spec.component_names)
            )
        now_ns = self.clock.now_ns()
        # A chunk starts at a past observation: a later start is the stamp of another epoch.
        if chunk.start_ns > now_ns:
            raise InputError(
                "chunk: start",
                expected=f"a stamp of this epoch, up to {now_ns} ns",
                got=f"{chunk.start_ns} ns",
                way_out="Plan again from an observation after the reset",
            )
        values = np.array(chunk.values, dtype=np.float64)
        for step, value in enumerate(values):
            self._targets.require(value, f"target of step {step}")
        self._targets.bring_into_reach(values)
        reachable = ActionChunk(values, chunk.start_ns, chunk.period_s, chunk.chunk_id, chunk.spec)
        self._trajectory = self._trajectory.spliced(reachable, now_ns)

    def stop(self) -> None:
        """Hold the arm at its present position, and the tools at their targets."""
        self._follow(self._hold_target(tools=self.target))

    def reset(self) -> None:
        """Put the robot in its rest posture, at rest, and hold it there; the rest of the scene is left alone."""
        data = self.scene.data
        for joint, position in self.spec.rest.items():
            data.qpos[self._joint_addresses[joint]] = position
        for limb in self.description.limbs:
            for follower in limb.tool.coupling:
                leader = data.qpos[self._joint_addresses[limb.element(follower.leader)]]
                joint = self.scene.model.joint(limb.element(follower.joint))
                data.qpos[joint.qposadr[0]] = follower.ratio * leader + follower.offset
        data.qvel[:] = 0
        self.settle()

    # -- time ---------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Update the derived state after positions were set by hand, and hold the robot there: a new epoch."""
        data = self.scene.data
        data.qacc_warmstart[:] = 0
        data.ctrl[:] = 0
        for each in self._account:
            each[:] = 0
        begin(self._guard, self.budget)
        self._acting = False  # whether a filter changed a step in the last run of the loop
        for row, limb in zip(self.impedance.payload, self.description.limbs):
            row[:] = (limb.payload.mass_kg, *limb.payload.centre_m)
        self.payloads: list[Carried] = []
        self._targets.clamped = 0
        data.warning.number[:] = 0
        mujoco.mj_forward(self.scene.model, data)
        self.clock.reset()
        self._follow(self._hold_target())

    def hold(self, target: np.ndarray) -> None:
        """Move to a target (dim,) over one period of the action spec: what `execute` and sleeping do for one row.

        Raises:
            InputError: the target is of another size, not finite, or its rotation is none.
        """
        target = np.array(target, dtype=np.float64)
        self._targets.require(target, "target")
        self._targets.bring_into_reach(target[None])
        steps = self.action_spec.period_ns // self._step_ns
        self._run(self.target, target, 0.0, 1.0 / steps, steps)
        self.clock.advance(steps * self._step_ns)
        self._follow(target)

    def track(self, start: np.ndarray, end: np.ndarray) -> None:
        """Let one step of the physics pass while the set-point moves between two targets (dim,): for controllers that
        give a set-point every step. Nothing is checked, and nothing brought back into reach.
        """
        self._run(start, end, 0.0, 1.0, 1)
        self.clock.advance(self._step_ns)
        self._follow(end)

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

    @contextmanager
    def observed(self, observer: StepObserver) -> Iterator[None]:
        """Call an observer in every step of the physics while the block runs. The physics is the same, to the bit."""
        self._observers.append(observer)
        try:
            yield
        finally:
            self._observers.remove(observer)

    @property
    def counts(self) -> Counts:
        """The limits that acted since the reset."""
        return Counts(self._targets.clamped, int(self._account.limited.sum()))

    @property
    def work_j(self) -> np.ndarray:
        """Work (limbs,) J of the torques without gravity on each arm since the reset."""
        return self._guard.tank[:, WORK].copy()

    @property
    def energy(self) -> EnergyState:
        """The tanks of the arms since the reset."""
        return state_of(self._guard)

    def unlatch(self) -> None:
        """Release arms that are without torque since an input was not finite."""
        self._guard.tank[:, LATCHED] = 0.0

    @property
    def hold_target(self) -> np.ndarray:
        """The target (dim,) that would keep the robot where it is, tools included."""
        return self._hold_target()

    @property
    def target(self) -> np.ndarray:
        """The set-point (dim,) now."""
        return self._trajectory.at(self.clock.now_ns())

    # -- saving -------------------------------------------------------------------------------------------------------

    def save(self) -> SavedState:
        """What decides the robot's next steps beside the scene: its path, controller, ledger, payloads and time."""
        arrays = {"times_ns": self._trajectory.times_ns, "targets": self._trajectory.targets}
        arrays |= {f"account/{name}": value.copy() for name, value in self._account._asdict().items()}
        arrays |= {"tank": self._guard.tank.copy(), "reasons": self._guard.reasons.copy()}
        arrays["payload"] = self.impedance.payload.copy()
        carried = [(each.time_ns, each.limb, each.payload.mass_kg, each.payload.centre_m) for each in self.payloads]
        plain = {
            "now_ns": self.clock.now_ns(),
            "clamped": self._targets.clamped,
            "acting": self._acting,
            "carried": carried,
        }
        return SavedState(arrays, plain)

    def restore(self, state: SavedState) -> None:
        """Continue where `save` was called; the scene was put back before. A new epoch, as time jumps."""
        arrays, plain = state.arrays, state.plain
        for own, saved in (
            *((value, arrays[f"account/{name}"]) for name, value in self._account._asdict().items()),
            (self._guard.tank, arrays["tank"]),
            (self._guard.reasons, arrays["reasons"]),
            (self.impedance.payload, arrays["payload"]),
        ):
            own[...] = saved
        self.payloads = [
            Carried(int(time_ns), int(limb), Payload(mass, tuple(centre)))
            for time_ns, limb, mass, centre in plain["carried"]
        ]
        self._targets.clamped, self._acting = int(plain["clamped"]), bool(plain["acting"])
        self.clock.jump_to(int(plain["now_ns"]))
        self._trajectory = Trajectory(self.action_spec, arrays["times_ns"], arrays["targets"])

    # -- what it carries ----------------------------------------------------------------------------------------------

    def carry(self, payload: Payload, limb: int = 0) -> None:
        """Declare the payload of a limb, in place of the previous one: it is compensated outside the impedance law, and
        no tank pays for it. A reset returns to the robot's description.
        """
        self.impedance.payload[limb] = (payload.mass_kg, *payload.centre_m)
        self.payloads.append(Carried(self.clock.now_ns(), limb, payload))

    def identify_payload(self, limb: int = 0) -> Payload:
        """Identify from the torques at rest what a limb carries beyond the declared payload, and declare all of it.

        Returns:
            All that it carries now.

        Raises:
            TillerError: the tool moves, touches something sideways, is held by more than it could carry, or carries
                nothing more; or a filter has changed the torques.
        """
        if self.budget is not None and self._acting:
            raise TillerError(
                "the budget's filters shorten what holds the tool: its load cannot be told. Bring the "
                "arm to rest within its budget, then ask again"
            )
        extra = felt_payload(self.scene, self.plant, self._account.torque[limb], limb)
        mass, *centre = self.impedance.payload[limb].tolist()
        self.carry(combined(Payload(mass, tuple(centre)), extra), limb)
        return self.payloads[-1].payload

    # -- inside -------------------------------------------------------------------------------------------------------

    def _run(self, start: np.ndarray, end: np.ndarray, fraction: float, fraction_step: float, steps: int) -> None:
        if not self._observers:
            self._run_unseen(start, end, fraction, fraction_step, steps)
            return
        for step in range(steps):
            reached = fraction + step * fraction_step  # exactly the loop's own value at this step
            for observer in self._observers:
                observer.before(start, end, reached)
            self._run_unseen(start, end, reached, fraction_step, 1)
            for observer in self._observers:
                observer.after()

    def _run_unseen(
        self, start: np.ndarray, end: np.ndarray, fraction: float, fraction_step: float, steps: int
    ) -> None:
        changed = int(self._guard.reasons.sum())
        parts = self.plant, self.impedance, self._account, self._guard
        inner_loop.run(*parts, start, end, fraction, fraction_step, steps)
        self._acting = int(self._guard.reasons.sum()) > changed
        warnings = self.scene.data.warning.number
        if any(warnings[each] for each in _BROKEN):
            raise DivergedError(
                f"The physics diverged at {self.clock.now_ns() * 1e-9:.2f} s: reset the twin, and look "
                "for bodies that overlap or stiffnesses too high for the time step"
            )

    def _follow(self, target: np.ndarray) -> None:
        self._trajectory = Trajectory.hold(self.action_spec, target, self.clock.now_ns())

    def _hold_target(self, tools: np.ndarray | None = None) -> np.ndarray:
        """The target (dim,) that keeps the robot where it is; its tools as in the target `tools`, if given."""
        target = np.empty(self.action_spec.dim)
        for reading in self._readings:
            reading.write_arm(target)
            if tools is None:
                reading.write_tool(target)
            else:
                target[reading.tool_part] = tools[reading.tool_part]
        return target
