"""The readings of a person's device: whether the robot may move, and where to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

MOTION = ("x", "y", "z", "about x", "about y", "about z")


@dataclass(frozen=True, eq=False)
class Wish:
    """A person's input at one moment.

    Args:
        held: the enabling device is held.
        motion: (6,) in [-1, 1]: along x, y, z and about them, or of up to six joints; 0 is rest.
        grip: in [-1, 1], above 0 closes.
        part: which part of the robot the motion is for; counted on without end.
        asked: `enable` or `reset` of the gate, asked for since the last reading.
        connected: the device is there. One that is not there holds and moves nothing.
        note: for a person, on the device itself.
    """

    held: bool = False
    motion: np.ndarray = field(default_factory=lambda: np.zeros(6))
    grip: float = 0.0
    part: int = 0
    asked: tuple[str, ...] = ()
    connected: bool = True
    note: str = ""

    @property
    def moves(self) -> bool:
        """Whether the person takes over: holds the device and wants to move."""
        return self.held and (bool(self.motion.any()) or self.grip != 0)


class Device(Protocol):
    """A device, read without waiting."""

    def read(self, now_s: float) -> Wish:
        """The person's input at a monotonic time."""

    def close(self) -> None:
        """Let go of it, and leave it as it was."""


class TimeBox:
    """Permission for a limited time: what is held for longer is taken to be forgotten, or jammed.

    Args:
        limit_s: for how long one grip counts.
    """

    def __init__(self, limit_s: float):
        self._limit_s = limit_s
        self._until_s: float | None = None

    def take(self, now_s: float) -> None:
        self._until_s = now_s + self._limit_s

    def release(self) -> None:
        self._until_s = None

    def left_s(self, now_s: float) -> float:
        """Seconds for which it still counts; 0 when it is not held."""
        if self._until_s is not None and now_s >= self._until_s:
            self._until_s = None
        return 0.0 if self._until_s is None else self._until_s - now_s
