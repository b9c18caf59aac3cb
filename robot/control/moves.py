"""Targets with some fields changed, and moves from rest to rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Mapping, Protocol

import numpy as np

from robot.control.reach import Reach
from robot.control.rotation import matrix_from_6d, rotation_6d_from_matrix, rotvec_from_matrix, span_rotations
from robot.control.trajectory import Trajectory
from robot.description.action import ActionSpec
from robot.description.loading import RobotDescription
from robot.errors import InputError, nearest

# Of the path 10 s^3 - 15 s^4 + 6 s^5, whose jerk is least (Flash and Hogan, 1985): its largest slope and curvature.
PEAK_SPEED = 1.875
PEAK_ACCELERATION = 10 / math.sqrt(3)
SHARE = 0.9  # of a limit that a move uses: the rest is the gate's
SHORTEST_S = 0.2
TOLERANCE, TURN_TOLERANCE = 0.005, 0.05  # m and rad, how near to its goal a robot is there
STILL = 5e-4  # m or rad: without a change of so much an arm or a tool is at rest
SLACK = 1e-6  # beyond a limit that a rounded number may be
_STEPS = 1_000_000_000  # of the path, as the interpolation counts them

# Speed of a move without a given duration, by kind of field: m/s, rad/s, m/s.
PACE = {"pose": 0.25, "joint": 0.6, "width": 0.1}
TURN_PACE = 1.0


class FieldLimits(Protocol):
    """Limits of one field of a target: `low` and `high` of its values, (size,) or empty for none; `speed` and
    `acceleration`, per second and second squared, one number for the length of a step (m, rad), or one per component.
    """

    @property
    def low(self) -> tuple[float, ...]: ...

    @property
    def high(self) -> tuple[float, ...]: ...

    @property
    def speed(self) -> tuple[float, ...]: ...

    @property
    def acceleration(self) -> tuple[float, ...]: ...


Limits = Mapping[str, FieldLimits]


class Move:
    """A move from one target to another: along the straight line of each field, with minimum jerk, within limits.

    Args:
        spec: of the targets.
        start, goal: (dim,).
        duration_s: None takes a calm pace.
        limits: field -> limits that the move keeps; a field without any has none.

    Raises:
        InputError: it cannot be done in that time within the limits.
    """

    def __init__(
        self,
        spec: ActionSpec,
        start: np.ndarray,
        goal: np.ndarray,
        duration_s: float | None = None,
        limits: Limits | None = None,
    ):
        self.spec = spec
        self.start, self.goal = np.array(start, dtype=np.float64), np.array(goal, dtype=np.float64)
        self._line = Trajectory(spec, np.array([0, _STEPS], dtype=np.int64), np.stack([self.start, self.goal]))
        self.shortest_s, self.calm_s = self._times(limits or {})
        if duration_s is None:
            duration_s = max(self.shortest_s, self.calm_s, SHORTEST_S)
        elif not math.isfinite(duration_s) or duration_s < max(self.shortest_s, spec.period_s):
            raise InputError(
                "duration",
                got=f"{duration_s:g} s",
                way_out="Leave it out for a calm pace",
                expected=f"{max(self.shortest_s, spec.period_s):.2f} s or more, within the limits of the contract",
            )
        self.duration_ns = round(duration_s * 1e9)

    def at(self, elapsed_ns: np.ndarray) -> np.ndarray:
        """Targets (k, dim) at times (k,) since the start; the goal from the end on."""
        share = np.clip(np.asarray(elapsed_ns, dtype=np.float64) / self.duration_ns, 0.0, 1.0)
        path = share**3 * (10 - 15 * share + 6 * share**2)
        targets = self._line.at(np.rint(path * _STEPS).astype(np.int64))
        targets[share >= 1.0] = self.goal  # to the bit: a gripper's goal is sent once
        return targets

    def _times(self, limits: Limits) -> tuple[float, float]:
        """The shortest time within the limits, and that of a calm pace, s."""
        shortest = calm = 0.0
        for name, displacement in displacements(self.spec, self.start, self.goal).items():
            field = next(each for each in self.spec.fields if each.name == name)
            if field.kind == "pose":
                displacement = np.array([np.linalg.norm(displacement)])
            length = np.abs(displacement)
            if name in limits:
                speed, acceleration = (np.array(each) for each in (limits[name].speed, limits[name].acceleration))
                quick = np.maximum(
                    PEAK_SPEED * length / (SHARE * speed), np.sqrt(PEAK_ACCELERATION * length / (SHARE * acceleration))
                )
                shortest = max(shortest, float(np.max(quick)))
            pace = TURN_PACE if field.is_rotation else PACE.get(field.kind, PACE["joint"])
            calm = max(calm, float(np.max(PEAK_SPEED * length / pace)))
        return shortest, calm


def displacements(spec: ActionSpec, start: np.ndarray, goal: np.ndarray) -> dict[str, np.ndarray]:
    """The displacement from one target (dim,) to another by field: differences, and rotation vectors (3,) rad."""
    result = {}
    for field in spec.fields:
        first, second = start[spec.slices[field.name]], goal[spec.slices[field.name]]
        result[field.name] = (
            rotvec_from_matrix(matrix_from_6d(second) @ matrix_from_6d(first).T)
            if field.is_rotation
            else second - first
        )
    return result


def named_fields(
    position: np.ndarray | None,
    rotation: np.ndarray | None,
    width: float | None,
    fields: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """The fields of a target that `move_to` was given: name -> values. What is None is left out."""
    named = {"tcp.position": position, "tcp.rotation": rotation, "gripper.width": width}
    return {**(fields or {}), **{name: value for name, value in named.items() if value is not None}}


def changed_target(
    spec: ActionSpec,
    description: RobotDescription,
    target: np.ndarray,
    values: Mapping[str, np.ndarray],
    limits: Limits | None = None,
) -> np.ndarray:
    """A target (dim,) with some fields changed.

    Args:
        spec: of the targets.
        description: of the robot.
        target: (dim,) the fields that are not named.
        values: field -> values; rotations also as (3, 3).
        limits: field -> limits that the values keep.

    Raises:
        InputError: no such field, a wrong size, no number, no rotation, outside of limits or out of reach.
    """
    goal = np.array(target, dtype=np.float64)
    fields = {field.name: field for field in spec.fields}
    for name, value in values.items():
        if name not in fields:
            raise InputError(f"field '{name}'", expected=f"one of {', '.join(fields)}", way_out=nearest(name, fields))
        field, numbers = fields[name], np.atleast_1d(np.asarray(value, dtype=np.float64))
        if field.is_rotation and numbers.shape == (3, 3):
            numbers = rotation_6d_from_matrix(numbers)
        if numbers.shape != (field.size,):
            raise InputError(name, expected=f"{field.size} numbers in {field.unit}", got=str(numbers.shape))
        if not np.isfinite(numbers).all() or (field.is_rotation and not span_rotations(numbers)):
            what = "two columns of a rotation, neither zero nor parallel" if field.is_rotation else "finite numbers"
            raise InputError(name, expected=what, got=_text(numbers))
        own = (limits or {}).get(name)
        if (
            own is not None
            and own.low
            and ((numbers < np.array(own.low) - SLACK) | (numbers > np.array(own.high) + SLACK)).any()
        ):
            raise InputError(
                name,
                expected=f"within {_text(own.low)} .. {_text(own.high)} {field.unit}, the limits of the contract",
                got=_text(numbers),
            )
        goal[spec.slices[name]] = numbers
    within = goal.copy()
    if sum(Reach(limb, spec).clamp(within) for limb in description.limbs):
        away = float(np.linalg.norm(within - goal))
        raise InputError("where to go", expected="a place in reach of the arm", got=f"one {away:.3f} beyond it")
    return goal


@dataclass(frozen=True, eq=False)
class Remaining:
    """The remaining displacement from a measured robot to a target.

    Args:
        position: largest distance of a tcp, m.
        angle: largest angle of a tcp's rotation or of an arm's joint, rad.
        all: (n,) differences of all fields, tools too, in their units.
    """

    position: float
    angle: float
    all: np.ndarray


def remaining(
    spec: ActionSpec, description: RobotDescription, goal: np.ndarray, measured: Mapping[str, np.ndarray]
) -> Remaining:
    """The remaining displacement of a measured robot to a target (dim,). A field that nothing measures counts as
    there.
    """
    here = goal.copy()
    for name, part in spec.slices.items():
        if name in measured and measured[name].shape == here[part].shape:
            here[part] = measured[name]
    left, position, angle = displacements(spec, here, goal), 0.0, 0.0
    tools = [limb.field(limb.tool.command.name) for limb in description.limbs]
    for field in spec.fields:
        if field.name in tools:
            continue
        displacement = left[field.name]
        if field.is_rotation:
            angle = max(angle, float(np.linalg.norm(displacement)))
        elif field.kind == "pose":
            position = max(position, float(np.linalg.norm(displacement)))
        else:
            angle = max(angle, float(np.abs(displacement).max()))
    return Remaining(position, angle, np.concatenate([left[field.name] for field in spec.fields]))


def _text(numbers: object) -> str:
    return "(" + ", ".join(f"{number:.4g}" for number in np.asarray(numbers)) + ")"
