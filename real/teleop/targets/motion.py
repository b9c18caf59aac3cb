"""One step of one part's target: at a person's velocity or towards a goal, ramped, within limits, never far ahead."""

from __future__ import annotations

import numpy as np

from real.teleop.targets.parts import JoggedPart
from robot.control.rotation import matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix, rotvec_from_matrix

AHEAD_S = 0.3  # of the full velocity: how far a target may be from what the gate sends
BRAKE = 0.5  # share of the ramp's acceleration that slows down before a goal: a discrete step overshoots with all of it


class PartMotion:
    """The velocity of one part, and what a step of it makes of a target (dim,), which is changed in place.

    The velocity v is in shares of the full one and changes by dt / ramp_s per step at most. Towards a goal at a
    distance d it is at most sqrt(2 BRAKE a d) with a = full / ramp_s, from which it comes to rest there.

    Args:
        part: of the robot.
    """

    def __init__(self, part: JoggedPart) -> None:
        self.part = part
        slowest = float(np.abs(part.grip).max(initial=0.0))
        self._pace = np.where(part.grip != 0, np.abs(part.grip), slowest)  # (m,) of the tool, units per second
        self.stop()

    @property
    def resting(self) -> bool:
        return not self._velocity.any() and not self._tool.any()

    def stop(self) -> None:
        """Come to rest at once."""
        self._velocity = np.zeros(len(self.part.full))
        self._tool = np.zeros(len(self.part.tool))  # in shares of the pace

    def jog(self, target: np.ndarray, sent: np.ndarray, motion: np.ndarray, dt: float, in_tool: bool = False) -> None:
        """Move at a velocity.

        Args:
            target: (dim,).
            sent: (dim,) the last command of the gate.
            motion: (6,) in shares of the full velocity; joints of a part take as many as it has.
            dt: s.
            in_tool: along and about the axes of the tcp.
        """
        self._velocity = self._ramped(self._velocity, motion[: len(self._velocity)], dt)
        self._advance(target, sent, dt, in_tool)

    def approach(self, target: np.ndarray, sent: np.ndarray, goal: np.ndarray, dt: float) -> bool:
        """Move towards a goal (n,) of the part's columns; returns whether the target is there."""
        part, columns = self.part, self.part.columns
        if part.is_tcp:
            position = np.clip(goal[:3], part.low, part.high)
            rotation, goal_rotation = matrix_from_6d(target[columns[3:]]), matrix_from_6d(goal[3:])
            errors = position - target[columns[:3]], rotvec_from_matrix(goal_rotation @ rotation.T)
            requested = np.concatenate(
                [
                    _direction(error) * self._share(np.array(np.linalg.norm(error)), full, dt)
                    for error, full in zip(errors, (part.full[0], part.full[3]))
                ]
            )
            distance = max(float(np.linalg.norm(error)) for error in errors)
        else:
            error = np.clip(goal, part.low, part.high) - target[columns]
            requested = np.sign(error) * self._share(np.abs(error), part.full, dt)
            distance = float(np.abs(error).max())
        self._velocity = self._ramped(self._velocity, requested, dt)
        self._advance(target, sent, dt, in_tool=False)
        return distance < 1e-6 and not self._velocity.any()

    def grip(self, target: np.ndarray, sent: np.ndarray, rate: float, dt: float) -> None:
        """Close (above 0) or open the tool at a rate in [-1, 1]."""
        self._tool = self._ramped(self._tool, rate * np.sign(self.part.grip), dt)
        self._advance_tool(target, sent, dt)

    def approach_tool(self, target: np.ndarray, sent: np.ndarray, goal: np.ndarray, dt: float) -> bool:
        """Move the tool towards a goal (m,); returns whether the target is there."""
        error = np.clip(goal, self.part.tool_low, self.part.tool_high) - target[self.part.tool]
        error = np.where(self._pace > 0, error, 0.0)
        requested = np.sign(error) * self._share(np.abs(error), np.where(self._pace > 0, self._pace, 1.0), dt)
        self._tool = self._ramped(self._tool, requested, dt)
        self._advance_tool(target, sent, dt)
        return float(np.abs(error).max(initial=0.0)) < 1e-6 and not self._tool.any()

    def _share(self, distance: np.ndarray, full: np.ndarray, dt: float) -> np.ndarray:
        """Largest velocity towards a goal at a distance, in shares of the full one."""
        braking = np.sqrt(2 * BRAKE * distance / (full * self.part.ramp_s))
        return np.minimum(np.minimum(braking, distance / (full * dt)), 1.0)

    def _ramped(self, velocity: np.ndarray, requested: np.ndarray, dt: float) -> np.ndarray:
        change = dt / self.part.ramp_s
        return velocity + np.clip(requested - velocity, -change, change)

    def _advance(self, target: np.ndarray, sent: np.ndarray, dt: float, in_tool: bool) -> None:
        part, columns = self.part, self.part.columns
        if part.is_tcp:
            self._advance_tcp(target, sent, dt, in_tool)
            return
        target[columns] = _within(target[columns], part.full * self._velocity * dt, part.low, part.high)
        ahead = part.full * AHEAD_S
        target[columns] = np.clip(target[columns], sent[columns] - ahead, sent[columns] + ahead)

    def _advance_tcp(self, target: np.ndarray, sent: np.ndarray, dt: float, in_tool: bool) -> None:
        part = self.part
        position, turn = part.columns[:3], part.columns[3:]
        rotation, before = matrix_from_6d(target[turn]), matrix_from_6d(sent[turn])
        # A diagonal is no faster than an axis: limits are those of the length.
        along, about = (each / max(1.0, float(np.linalg.norm(each))) for each in np.split(self._velocity, 2))
        if in_tool:
            along, about = rotation @ along, rotation @ about
        moved = _within(target[position], along * part.full[:3] * dt, part.low, part.high)
        target[position] = sent[position] + _shortened(moved - sent[position], part.full[0] * AHEAD_S)
        rotation = matrix_from_rotvec(about * part.full[3:] * dt) @ rotation
        ahead = _shortened(rotvec_from_matrix(rotation @ before.T), part.full[3] * AHEAD_S)
        target[turn] = rotation_6d_from_matrix(matrix_from_rotvec(ahead) @ before)

    def _advance_tool(self, target: np.ndarray, sent: np.ndarray, dt: float) -> None:
        part, tool = self.part, self.part.tool
        target[tool] = _within(target[tool], self._pace * self._tool * dt, part.tool_low, part.tool_high)
        ahead = self._pace * AHEAD_S
        target[tool] = np.clip(target[tool], sent[tool] - ahead, sent[tool] + ahead)


def _direction(error: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(error))
    return error / length if length else error


def _within(value: np.ndarray, step: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A step that does not leave the limits; from outside of them it leads only inwards."""
    return np.clip(value + step, np.minimum(low, value), np.maximum(high, value))


def _shortened(displacement: np.ndarray, longest: float) -> np.ndarray:
    length = float(np.linalg.norm(displacement))
    return displacement if length <= longest else displacement * (longest / length)
