"""The readings of a person's device: whether the robot may move, where to, and what the person asks for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Hashable, Protocol

import numpy as np

MOTION = ("x", "y", "z", "about x", "about y", "about z")
EVENTS = (
    "take",
    "give",
    "start",
    "save",
    "discard",
    "redo",
    "success",
    "failure",
    "pause",
    "home",
    "enable",
    "reset",
)
"""The robot taken from the policy and given back; the recorder's; home; enable and reset of the gate."""

# A hand that only holds a tracker still shows less than this.
MOVED_M, MOVED_RAD = 0.002, 0.02


@dataclass(frozen=True, eq=False)
class HandPose:
    """The pose of a person's hand relative to the one in which the clutch closed.

    Args:
        position: (3,) m, displacement in the base frame, or the tcp's where motions are along its axes.
        rotation: (3,) rad, rotation vector in the same frame.
    """

    position: np.ndarray
    rotation: np.ndarray

    @property
    def moved(self) -> bool:
        """Whether it is more than the unrest of a hand that holds still."""
        return bool(np.linalg.norm(self.position) > MOVED_M or np.linalg.norm(self.rotation) > MOVED_RAD)


@dataclass(frozen=True, eq=False)
class Wish:
    """A person's input at one moment: a velocity, or the pose of a hand, or the joints of a leader arm.

    Args:
        held: the enabling device is held.
        motion: (6,) in [-1, 1]: velocity along x, y, z and about them, or of up to six joints; 0 is rest.
        grip: velocity in [-1, 1], above 0 closes.
        part: which part of the robot the input is for; counted on without end.
        events: of `EVENTS`, since the last reading, in order.
        connected: the device is there. One that is not there holds and moves nothing.
        note: for a person, on the device itself.
        pose: of the hand, in place of `motion`.
        joints: (n,) rad, absolute, of all joints of an arm, in place of `motion`; `part` then counts arms.
    """

    held: bool = False
    motion: np.ndarray = field(default_factory=lambda: np.zeros(6))
    grip: float = 0.0
    part: int = 0
    events: tuple[str, ...] = ()
    connected: bool = True
    note: str = ""
    pose: HandPose | None = None
    joints: np.ndarray | None = None

    @property
    def moves(self) -> bool:
        """Whether the person moves the robot: holds the device, and wants it elsewhere than it is."""
        if not self.held:
            return False
        displaced = self.joints is not None or (self.pose is not None and self.pose.moved)
        return displaced or bool(self.motion.any()) or self.grip != 0


class Device(Protocol):
    """A device, read without waiting."""

    def read(self, now_s: float) -> Wish:
        """The person's input at a monotonic time."""

    def fileno(self) -> int | None:
        """A descriptor that can be read from when there is input; None where there is none, now or at all."""

    def close(self) -> None:
        """Release it, and leave it as it was."""


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


class RestFirst:
    """Axes and keys each count once they were at rest since the clutch closed: what drifts or hangs moves nothing."""

    def __init__(self) -> None:
        self._rested: set[Hashable] = set()

    def forget(self) -> None:
        """Begin anew: the clutch is open, or has just closed."""
        self._rested.clear()

    def counts(self, name: Hashable, at_rest: bool, held: bool) -> bool:
        """Whether an axis or key counts now; one at rest has nothing to count."""
        if at_rest and held:
            self._rested.add(name)
        return not at_rest and name in self._rested


def at_rest(wish: Wish) -> Wish:
    """The same input without its motion."""
    return replace(wish, motion=np.zeros(6), grip=0.0, pose=None, joints=None)
