"""A scripted person who lifts the cube of `twin/lift` with keys or sticks, and reacts after a fifth of a second.

It sees what a person sees, with a person's delay, and has only what a person has: keys of a terminal or a gamepad. What
is measured or tested with it is therefore the whole way from a hand to the robot.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from dataclasses import dataclass
from typing import Mapping, Protocol

import numpy as np

from sim.experts.twin.poses import nearest_turn, yaw_of

REACTION_S = 0.2
OPEN_M, GRIPPED_M = 0.07, 0.05  # of the gripper's width: the cube has 4 cm
HOVER_M, RAISED_M = 0.08, 0.16
NEAR_M, LOW_M, TURN = 0.006, 0.008, 0.06
GAIN = 2.2  # 1/s: more than that swings with such a delay
SLOW_S = 1.2  # to close the fingers


@dataclass(frozen=True, eq=False)
class Push:
    """What a hand does: motion (6,) and grip, in [-1, 1] of the device's full speed."""

    motion: np.ndarray
    grip: float = 0.0


class Hand(Protocol):
    """A hand on a device."""

    def hold(self) -> None:
        """Press the enabling device."""

    def push(self, wanted: Push, now_s: float) -> None:
        """Move keys or sticks to what is wanted."""

    def press(self, event: str) -> None:
        """Press the key or button of an event."""

    def close(self) -> None:
        """Let go."""


class LiftPilot:
    """Decides what to push, from what was to be seen a reaction time ago.

    Args:
        speed: of the tcp at full stick, m/s.
        turn_speed: rad/s.
        reaction_s: between an event and the hand's answer.
    """

    def __init__(self, speed: float, turn_speed: float, reaction_s: float = REACTION_S) -> None:
        self._speed, self._turn_speed, self._reaction_s = speed, turn_speed, reaction_s
        self.begin()

    def begin(self) -> None:
        """Start an episode."""
        self._seen: deque[tuple[float, Mapping[str, np.ndarray]]] = deque()
        self._phase, self._gripping_s = "approach", 0.0

    def see(self, now_s: float, observation: Mapping[str, np.ndarray]) -> None:
        """Something is to be seen."""
        self._seen.append((now_s, observation))

    @property
    def phase(self) -> str:
        """`approach`, `descend`, `grip`, `raise`."""
        return self._phase

    def push(self, now_s: float) -> Push:
        """What the hand does now."""
        while len(self._seen) > 1 and self._seen[1][0] <= now_s - self._reaction_s:
            self._seen.popleft()
        if not self._seen or self._seen[0][0] > now_s - self._reaction_s:
            return Push(np.zeros(6))
        seen = self._seen[0][1]
        tcp, cube, width = seen["tcp.position"], seen["cube.position"], float(seen["gripper.width"][0])
        rotation = seen["tcp.rotation"]
        turn = nearest_turn(yaw_of(seen["cube.rotation"]) - float(np.arctan2(rotation[1], rotation[0])), np.pi / 2)
        error = cube - tcp
        beside = float(np.linalg.norm(error[:2]))
        if self._phase == "approach" and beside < 2 * NEAR_M and abs(turn) < 2 * TURN:
            self._phase = "descend"
        if self._phase == "descend" and abs(error[2]) < LOW_M and beside < NEAR_M:
            self._phase, self._gripping_s = "grip", now_s
        if self._phase == "grip" and width < GRIPPED_M and now_s - self._gripping_s > SLOW_S:
            self._phase = "raise"
        if self._phase == "approach":
            return self._towards(error + [0, 0, HOVER_M], turn, 0.0 if width > OPEN_M else -1.0)
        if self._phase == "descend":
            return self._towards(error, turn, 0.0)
        if self._phase == "grip":
            return Push(np.zeros(6), 1.0)
        return Push(np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0]) if cube[2] < RAISED_M else np.zeros(6))

    def _towards(self, error: np.ndarray, turn: float, grip: float) -> Push:
        motion = np.zeros(6)
        motion[:3] = np.where(np.abs(error) > NEAR_M / 2, GAIN * error / self._speed, 0.0)
        motion[5] = GAIN * turn / self._turn_speed if abs(turn) > TURN / 2 else 0.0
        return Push(np.clip(motion, -1, 1), grip)
