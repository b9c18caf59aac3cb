"""A twin behind its drivers: every step of the physics each controller gives the set-point of its part of the robot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Callable, Mapping

import numpy as np

from robot.control.rotation_kernels import write_interpolated
from robot.errors import InputError, nearest
from sim.drivers.driver import RUNNING, Command, Driver
from sim.drivers.faults import Faults
from sim.twin.robot import TwinRobot

BRAKE_DAMPING = 1e7  # N*m*s/rad: under the largest torque of an arm a joint creeps by less than 1e-4 rad in 5 s
# Largest speeds of an arm that its speed slider scales; a slider at 1 limits nothing.
RATED_M_S, RATED_RAD_S = 0.5, 1.5

_ARM = ("tcp.position", "tcp.rotation", "arm.joints")


def _same(values: np.ndarray) -> np.ndarray:
    return values


@dataclass(frozen=True, eq=False)
class Port:
    """A driver and the part of the action that it moves.

    Args:
        driver: whose set-point has the order and units of its own messages.
        fields: of the action, in this order.
        to_driver, from_driver: convert (n,) from the order and units of those fields to the driver's, and back.
    """

    driver: Driver
    fields: tuple[str, ...]
    to_driver: Callable[[np.ndarray], np.ndarray] = _same
    from_driver: Callable[[np.ndarray], np.ndarray] = _same


class DrivenTwin:
    """A robot whose set-points come from emulated controllers.

    Args:
        robot: nothing else may step it.
        ports: name -> port; each field of the action belongs to at most one; a field of none stays as it is.

    Attributes:
        faults: of messages and robot; replace it to set others.

    Raises:
        InputError: a field that the action does not have, or that two ports have.
    """

    def __init__(self, robot: TwinRobot, ports: Mapping[str, Port]) -> None:
        self.robot, self.ports = robot, dict(ports)
        self.faults = Faults()
        slices, taken = robot.action_spec.slices, Counter[str]()
        self._parts: dict[str, np.ndarray] = {}
        for name, port in self.ports.items():
            for field in port.fields:
                taken[field] += 1
                if field not in slices or taken[field] > 1:
                    raise InputError(
                        f"driver '{name}': field '{field}'",
                        got="a field of another driver" if field in slices else None,
                        way_out=nearest(field, slices),
                        expected=f"one of {', '.join(slices)}, each once",
                    )
            self._parts[name] = np.concatenate([np.arange(slices[f].start, slices[f].stop) for f in port.fields])
        self._arms = {name: any(field.endswith(_ARM) for field in port.fields) for name, port in self.ports.items()}
        model = robot.scene.model
        names = [limb.element(joint) for limb in robot.description.limbs for joint in limb.arm.joints]
        self._dofs = np.array([model.joint(name).dofadr[0] for name in names])
        self._damping = model.dof_damping[self._dofs].copy()
        self._braked = False
        self.start()

    @property
    def state(self) -> str:
        """The state that the robot's driver reports: `running`, or the worst that holds now."""
        kinds = self.faults.sizes(self.now_ns)
        if "brakes" in kinds:
            return "user stop"
        states = [f"{name}: {port.driver.state}" for name, port in self.ports.items() if port.driver.state != RUNNING]
        return states[0] if states else RUNNING

    @property
    def now_ns(self) -> int:
        """Time of the faults: the twin's monotonic time, which no reset sets back."""
        return self.robot.clock.monotonic_ns()

    def start(self) -> None:
        """Activate every driver at the robot's present state; call it after a reset too."""
        self._target = self.robot.hold_target
        for name, port in self.ports.items():
            measured = port.to_driver(self._target[self._parts[name]])
            port.driver.start(measured, self.robot.clock.now_ns())

    def receive(self, name: str, command: Command) -> None:
        """Deliver a message to a driver, after the faults of the stream `command/NAME`."""
        for message in self.faults.passed(f"command/{name}", command, self.now_ns):
            self.ports[name].driver.receive(message, self.robot.clock.now_ns())

    def stiffen(self, command: Command) -> None:
        """Set the arms' stiffnesses, as crisp's `target_stiffness` does.

        Args:
            command: (6,) N/m and N*m/rad, 0 or more; another one, or one beside other publishers, is ignored.
        """
        sound = command.values.shape == (6,) and bool(((command.values >= 0) & (command.values < np.inf)).all())
        if command.publishers == 1 and sound:
            self.robot.impedance.stiffness[:, :6] = command.values

    def advance(self, steps: int) -> None:
        """Let steps of the physics pass, each with the drivers' set-points.

        Args:
            steps: how many.

        Raises:
            DivergedError: the physics diverged; the twin is unusable until it is reset.
        """
        step_s = float(self.robot.scene.model.opt.timestep)
        for _ in range(steps):
            kinds = self.faults.sizes(self.now_ns)
            self.brake("brakes" in kinds or "silent_brakes" in kinds)
            start, end = self._target, self._next(step_s, kinds.get("speed", 1.0))
            self.robot.track(start if self._speeds is None else np.where(self._speeds, start, end), end)
            self._target = end

    def brake(self, on: bool) -> None:
        """Brake the arms, or release them; their controllers go on regardless."""
        if on != self._braked:
            self._braked = on
            self.robot.scene.model.dof_damping[self._dofs] = BRAKE_DAMPING if on else self._damping

    @property
    def _speeds(self) -> np.ndarray | None:
        """(dim,) bool, which components of the target have their speed fed forward to the arm; None for all."""
        if all(port.driver.follows_speed for port in self.ports.values()):
            return None
        speeds = np.ones(len(self._target), dtype=bool)
        for name, port in self.ports.items():
            speeds[self._parts[name]] = port.driver.follows_speed
        return speeds

    def _next(self, step_s: float, scale: float) -> np.ndarray:
        now_ns, target, hold_target = self.robot.clock.now_ns(), self._target.copy(), self.robot.hold_target
        for name, port in self.ports.items():
            for message in self.faults.due(f"command/{name}", self.now_ns):
                port.driver.receive(message, now_ns)
            part = self._parts[name]
            set_point = port.driver.update(port.to_driver(hold_target[part]), now_ns, step_s, scale)
            target[part] = port.from_driver(set_point)
        if scale < 1:
            for name, port in self.ports.items():
                if self._arms[name] and not port.driver.has_slider:
                    self._slow(self._parts[name], target, scale * step_s)
        return target

    def _slow(self, part: np.ndarray, target: np.ndarray, most: float) -> None:
        """Limit the step of an arm's set-point, in place, to what the speed slider allows; its path stays straight."""
        first, last = self._target[part], target[part]
        if any(field.is_rotation for field in self.robot.action_spec.fields) and len(part) == 9:
            distance = float(np.linalg.norm(last[:3] - first[:3]))
            turn = float(np.linalg.norm(last[3:] - first[3:]))  # the chord of both columns: no less than the angle
            fraction = min(1.0, RATED_M_S * most / max(distance, 1e-12), RATED_RAD_S * most / max(turn, 1e-12))
            near = np.empty(9)
            write_interpolated(first, last, fraction, np.array([3], dtype=np.int64), near)
            target[part] = near
        else:
            change = last - first
            target[part] = first + change * min(1.0, RATED_RAD_S * most / max(float(np.abs(change).max()), 1e-12))
