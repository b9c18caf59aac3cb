"""Experts that move from waypoint to waypoint, to the next once the hand is observed to be at one.

What to do next follows from what is observed, not from a hidden clock: a policy that sees the same can learn it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np

from robot.control.rotation import angle_between, matrix_from_6d, matrix_from_rotvec, rotation_6d_from_matrix
from sim.experts.motion import Glide

OPEN, CLOSED = -1.0, 1.0
DOWN = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])  # tcp pointing down, fingers opening along y
UP = np.array([0.0, 0.0, 1.0])

ALIGNED = 0.12  # rad
GRIPPED_RATE = 0.001  # m per control step (of 50 ms in all tasks): slower fingers have met something

Observation = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Phase:
    """One leg of a plan.

    Args:
        position: (3,) m, target of the tcp, in the base frame or, with `near`, relative to that object.
        rotation: (3, 3), its target orientation.
        gripper: the tool's part of the action: `OPEN` or `CLOSED`, a width in m, or the joints of a hand.
        speed: m/s, at most.
        until: `there` (tcp within `tolerance` and aligned), `gripped` (fingers stopped by something), `released`.
        tolerance: m.
        pause: rows to wait once there.
        holding: an empty hand in this phase means that the object was lost.
        near: observation key of the object's position, followed while it moves.
    """

    position: np.ndarray
    rotation: np.ndarray
    gripper: float | np.ndarray
    speed: float
    until: str = "there"
    tolerance: float = 0.02
    pause: int = 0
    holding: bool = False
    near: str | None = None

    def goal(self, observation: Observation) -> np.ndarray:
        """The current target position (3,) m of the tcp in the base frame."""
        return self.position if self.near is None else observation[self.near] + self.position

    def orientation(self, observation: Observation) -> np.ndarray:
        """The current target orientation (3, 3) of the tcp."""
        return self.rotation


class WaypointExpert(ABC):
    """A scripted expert. It draws a strategy per episode; the plan follows from that and the observation.

    Attributes:
        strategy: as drawn, as plain values, for the record.
        gripped_width: m, fingers that stop closing below it hold something.
        empty_width: m, narrower fingers hold nothing.
        released_width: m, wider fingers have let go.
        patience: rows in one phase before the plan is made again.
    """

    gripped_width = 0.06
    empty_width = 0.02
    released_width = 0.062
    patience = 60

    def __init__(self, period_s: float = 0.05) -> None:
        self.strategy: dict[str, Any] = {}
        self._period_s = period_s

    @abstractmethod
    def draw(self, observation: Observation, random: np.random.Generator) -> dict[str, Any]:
        """Draw a strategy for the task, as plain values."""

    @abstractmethod
    def plan(self, observation: Observation) -> Sequence[Phase]:
        """The legs from here to success, by `self.strategy`."""

    def reset(self, observation: Observation, random: np.random.Generator) -> None:
        """Begin an episode."""
        self.strategy = self.draw(observation, random)
        self._glide = Glide(observation["tcp.position"], matrix_from_6d(observation["tcp.rotation"]), self._period_s)
        self._width = self.opening(observation)
        self._begin(observation)

    def act(self, observation: Observation) -> np.ndarray:
        """The absolute target for the next period: position (3), rotation (6), gripper (as many as it takes)."""
        width = self.opening(observation)
        closing, self._width = self._width - width, width
        self._rows_here += 1
        phase = self._phases[self._current]
        if self._rows_here > self.patience or (phase.holding and self.lost(observation)):
            self._begin(observation)
        elif self._finished(phase, observation, closing):
            self._advance(observation)
        phase = self._phases[self._current]
        goal, rotation = phase.goal(observation), phase.orientation(observation)
        self._glide.towards(goal, rotation, phase.speed, observation["tcp.position"])
        tool = np.atleast_1d(phase.gripper)
        return np.concatenate([self._glide.position, rotation_6d_from_matrix(self._glide.rotation), tool])

    def opening(self, observation: Observation) -> float:
        """The opening of the tool, m."""
        return float(observation["gripper.width"][0])

    def gripped(self, observation: Observation, closing: float) -> bool:
        """Whether the fingers were stopped by something; `closing` is how far they closed in the last row, m."""
        return self._width < self.gripped_width and closing < GRIPPED_RATE

    def released(self, observation: Observation) -> bool:
        """Whether the fingers have let go."""
        return self._width > self.released_width

    def lost(self, observation: Observation) -> bool:
        """Whether the fingers hold nothing any more."""
        return self._width < self.empty_width

    def _begin(self, observation: Observation) -> None:
        self._phases = tuple(self.plan(observation))
        self._current, self._rows_here, self._paused = 0, 0, 0

    def _advance(self, observation: Observation) -> None:
        if self._current + 1 < len(self._phases):
            self._current, self._rows_here, self._paused = self._current + 1, 0, 0
        else:
            self._begin(observation)

    def _finished(self, phase: Phase, observation: Observation, closing: float) -> bool:
        if phase.until == "gripped":
            return self.gripped(observation, closing)
        if phase.until == "released":
            return self.released(observation)
        turned = angle_between(matrix_from_6d(observation["tcp.rotation"]), phase.orientation(observation))
        far = np.linalg.norm(observation["tcp.position"] - phase.goal(observation)) > phase.tolerance
        if far or turned > ALIGNED:
            return False
        self._paused += 1
        return self._paused > phase.pause


def hand_down(yaw: float) -> np.ndarray:
    """The orientation (3, 3) of a tcp that points down, turned by yaw (rad) about the vertical."""
    return matrix_from_rotvec(yaw * UP) @ DOWN


def across(yaw: float) -> np.ndarray:
    """The horizontal direction (3,) along which a hand of this yaw can slide over an object between its fingers."""
    return np.array([np.cos(yaw), np.sin(yaw), 0.0])


def yaw_of(rotation_6d: np.ndarray) -> float:
    """Turn about the vertical (rad) of an upright object."""
    return float(np.arctan2(rotation_6d[1], rotation_6d[0]))
