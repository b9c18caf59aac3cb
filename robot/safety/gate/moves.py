"""Moves from rest to rest: along the straight line of each field, as smooth as a person's, within limits."""

from __future__ import annotations

import math
from typing import Mapping

import numpy as np

from robot.control.rotation import matrix_from_6d, rotvec_from_matrix
from robot.control.trajectory import Trajectory
from robot.description.action import ActionSpec
from robot.errors import InputError
from robot.safety.gate.settings import GateSettings, PartSettings

# Of the path 10 s^3 - 15 s^4 + 6 s^5, whose jerk is least: its largest slope and curvature.
PEAK_SPEED = 1.875
PEAK_ACCELERATION = 10 / math.sqrt(3)
SHARE = 0.9  # of a limit that a move takes: what is left is the gate's
SHORTEST_S = 0.2
_STEPS = 1_000_000_000  # of the way, as the interpolation counts them

# How fast a move is that was given no duration, by kind of field: m/s, rad/s, m/s.
PACE = {"pose": 0.25, "joint": 0.6, "width": 0.1}
TURN_PACE = 1.0


class Move:
    """From one target to another.

    Args:
        settings: of the gate that the move has to pass.
        start, goal: (dim,) targets of the action.
        duration_s: None takes a calm pace.

    Raises:
        InputError: it cannot be done in that time within the limits.
    """

    def __init__(self, settings: GateSettings, start: np.ndarray, goal: np.ndarray, duration_s: float | None = None):
        self.spec: ActionSpec = settings.spec
        self.start, self.goal = np.array(start, dtype=np.float64), np.array(goal, dtype=np.float64)
        self._line = Trajectory(self.spec, np.array([0, _STEPS], dtype=np.int64), np.stack([self.start, self.goal]))
        parts = {part.field: part for group in settings.groups for part in group.parts}
        self.shortest_s, self.calm_s = self._times(parts)
        if duration_s is None:
            duration_s = max(self.shortest_s, self.calm_s, SHORTEST_S)
        elif not math.isfinite(duration_s) or duration_s < max(self.shortest_s, settings.spec.period_s):
            raise InputError(
                "duration",
                got=f"{duration_s:g} s",
                way_out="Leave it out for a calm pace",
                expected=f"{max(self.shortest_s, settings.spec.period_s):.2f} s or more, within the "
                "limits of the contract",
            )
        self.duration_ns = round(duration_s * 1e9)

    def at(self, elapsed_ns: np.ndarray) -> np.ndarray:
        """Targets (k, dim) at times (k,) since the start; the goal from the end on."""
        share = np.clip(np.asarray(elapsed_ns, dtype=np.float64) / self.duration_ns, 0.0, 1.0)
        way = share**3 * (10 - 15 * share + 6 * share**2)
        targets = self._line.at(np.rint(way * _STEPS).astype(np.int64))
        targets[share >= 1.0] = self.goal  # to the bit: a gripper's goal is told once
        return targets

    def _times(self, parts: Mapping[str, PartSettings]) -> tuple[float, float]:
        """The shortest time within the limits, and that of a calm pace, s."""
        shortest = calm = 0.0
        for name, way in ways(self.spec, self.start, self.goal).items():
            field = next(each for each in self.spec.fields if each.name == name)
            part = parts[name]
            speed, acceleration = (np.array(limits) for limits in (part.speed, part.acceleration))
            if field.kind == "pose":
                way = np.array([np.linalg.norm(way)])
            way = np.abs(way)
            quick = np.maximum(
                PEAK_SPEED * way / (SHARE * speed), np.sqrt(PEAK_ACCELERATION * way / (SHARE * acceleration))
            )
            pace = TURN_PACE if field.is_rotation else PACE.get(field.kind, PACE["joint"])
            shortest = max(shortest, float(np.max(quick)))
            calm = max(calm, float(np.max(PEAK_SPEED * way / pace)))
        return shortest, calm


def ways(spec: ActionSpec, start: np.ndarray, goal: np.ndarray) -> dict[str, np.ndarray]:
    """From one target (dim,) to another, a field: differences, and rotation vectors (3,) rad of rotations."""
    found = {}
    for field in spec.fields:
        first, second = start[spec.slices[field.name]], goal[spec.slices[field.name]]
        found[field.name] = (
            rotvec_from_matrix(matrix_from_6d(second) @ matrix_from_6d(first).T)
            if field.is_rotation
            else second - first
        )
    return found
