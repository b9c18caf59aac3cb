"""From the gate's vector to the command of each controller, and back: arrays and names, no messages.

A twin behind a sink reads a command back (`fields`); the same map serves both ways.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robot.contract.contract import Contract, Sink
from robot.contract.loading import component_names
from robot.control.joint_map import JointMap
from robot.control.rotation_kernels import write_6d_from_quat_xyzw, write_quat_xyzw_from_6d
from robot.description.loading import RobotDescription

POSE_NAMES = ("x", "y", "z", "qx", "qy", "qz", "qw")


@dataclass(frozen=True, eq=False)
class SinkCommand:
    """The command of one controller.

    Args:
        sink, via, topic: of the contract.
        names: (n,) on the wire, in its order; of a pose `POSE_NAMES`: m and a unit quaternion xyzw.
        values: (k, n) float64, one row, or for `jtc` two: the target and the end of its stop.
        velocities: (k, n) in the wire's units per second for `jtc`, else None.
        times_s: (k,) after the moment for which the target is due.
        frame: of a pose; empty for joints.
    """

    sink: str
    via: str
    topic: str
    names: tuple[str, ...]
    values: np.ndarray
    velocities: np.ndarray | None
    times_s: np.ndarray
    frame: str = ""


class SinkEncoder:
    """Encodes a target of the whole robot as the command of one sink.

    Args:
        contract: checked against its description (`load_contract` does).
        description: of the robot.
        name: of the sink.
    """

    def __init__(self, contract: Contract, description: RobotDescription, name: str) -> None:
        self.name, self.sink = name, contract.sinks[name]
        self._tail_s, self._frame = contract.limits.tail_s, contract.frames.base
        spec = description.action_spec(contract.period_s, contract.control)
        self._columns = {field: np.arange(spec.dim)[spec.slices[field]] for field in self.sink.fields}
        self._map: JointMap | None = None
        if self.sink.map:
            self._map = JointMap(contract.maps[self.sink.map])
            names = component_names(description, spec)
            columns = {names[column]: column for part in self._columns.values() for column in part}
            self._mapped = np.array([columns[name] for name in self._map.ours], dtype=np.intp)
            low, high = _position_limits(description)
            self._low = np.array([low.get(name, -np.inf) for name in self._map.ours])
            self._high = np.array([high.get(name, np.inf) for name in self._map.ours])
        elif self.sink.via == "twin":
            self._names = spec.component_names
        self._stiffness = np.array([self.sink.energy.stiffness], dtype=np.float64)

    def encode(self, target: np.ndarray, velocity: np.ndarray | None = None) -> SinkCommand:
        """The command for one target.

        Args:
            target: (dim,) of the contract's action.
            velocity: (dim,) per second, for `jtc`; None is rest.
        """
        sink, via = self.sink, self.sink.via
        if via == "twin":
            return self._command(self._names, np.array(target, dtype=np.float64)[None])
        if via == "crisp_pose":
            position, rotation = (target[columns] for columns in self._columns.values())
            return self._command(POSE_NAMES, pose_from_parts(position, rotation)[None], frame=self._frame)
        if via == "crisp_stiffness":
            values = target[None, next(iter(self._columns.values()))] if sink.fields else self._stiffness
            return self._command(("x", "y", "z", "rx", "ry", "rz"), values)
        assert self._map is not None
        ours = np.asarray(target, dtype=np.float64)[self._mapped]
        if via == "jtc":
            rates = np.zeros_like(ours) if velocity is None else np.asarray(velocity)[self._mapped]
            # A trajectory that ends at rest: without further messages the arm stops by itself.
            stop = np.clip(ours + rates * (self._tail_s / 2), np.minimum(self._low, ours), np.maximum(self._high, ours))
            wire = self._map.to_wire(np.stack([ours, stop]))
            rates = self._map.rates_to_wire(np.stack([rates, np.zeros_like(ours)]))
            return self._command(self._map.wire, wire, rates, np.array([0.0, self._tail_s]))
        return self._command(self._map.wire, self._map.to_wire(ours)[None])

    def part(self, vector: np.ndarray) -> np.ndarray:
        """The sink's own components (n,) of a vector (dim,) of the action, in the map's order; for sinks with a map."""
        return vector[self._mapped]

    @property
    def change(self) -> np.ndarray:
        """The sink's `change` (n,) in the action's units; for sinks with a map."""
        assert self._map is not None
        return np.abs(self._map.rates_from_wire(np.full(len(self._map.wire), self.sink.change)))

    def differs(self, command: SinkCommand, told: SinkCommand | None) -> bool:
        """Whether a command differs from the last one sent: a goal-based tool starts a new motion with each.

        A sink whose `change` is 0 gets every command. Where goals take time, `robot.control.goals` decides.
        """
        if told is None or self.sink.change == 0:
            return True
        return bool((np.abs(command.values - told.values) >= self.sink.change).any())

    def fields(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """The fields of the action, each (size,), in one row of numbers on the wire (n,)."""
        values = np.asarray(values, dtype=np.float64)
        if self.sink.via == "crisp_pose":
            position, rotation = self._columns
            return {position: values[:3].copy(), rotation: rotation_from_quat_xyzw(values[3:])}
        if self._map is None:
            ends = np.cumsum([len(columns) for columns in self._columns.values()])
            return dict(zip(self._columns, np.split(values, ends[:-1])))
        ours = dict(zip(self._mapped, self._map.from_wire(values)))
        return {field: np.array([ours[column] for column in columns]) for field, columns in self._columns.items()}

    def _command(
        self,
        names: tuple[str, ...],
        values: np.ndarray,
        velocities: np.ndarray | None = None,
        times_s: np.ndarray | None = None,
        frame: str = "",
    ) -> SinkCommand:
        return SinkCommand(
            self.name,
            self.sink.via,
            self.sink.topic,
            names,
            values,
            velocities,
            np.zeros(1) if times_s is None else times_s,
            frame,
        )


def publishes_in(sink: Sink, mode: str) -> bool:
    """Whether the gate publishes to a sink in a mode.

    Args:
        sink: of a contract.
        mode: `run`, `hold`, `fault` or `inactive`.
    """
    stop = {"run": "hold", "hold": sink.on_hold, "fault": sink.on_stop, "inactive": "silent"}[mode]
    return stop == "hold"


def pose_from_parts(position: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Position (3,) m and 6-D rotation (6,) to (7,): position and unit quaternion xyzw."""
    pose = np.empty(7)
    pose[:3] = position
    write_quat_xyzw_from_6d(np.asarray(rotation, dtype=np.float64), pose[3:])
    return pose


def rotation_from_quat_xyzw(quat_xyzw: np.ndarray) -> np.ndarray:
    """(4,) of any length to the 6-D rotation; an invalid one, all zero or not finite, gives numbers not finite."""
    rotation = np.empty(6)
    write_6d_from_quat_xyzw(np.asarray(quat_xyzw, dtype=np.float64), rotation)
    return rotation


def _position_limits(description: RobotDescription) -> tuple[dict[str, float], dict[str, float]]:
    pairs = [(name, limits) for group in description.spec.groups for name, limits in zip(group.names, group.position)]
    return {name: low for name, (low, _) in pairs}, {name: high for name, (_, high) in pairs}
