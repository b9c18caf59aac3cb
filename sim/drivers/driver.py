"""Base of the emulated controllers: they receive messages as arrays and give a set-point every step of the physics.

An emulation behaves like the controller that it is named after, even where that is unsafe: a twin that is more benign
than the robot would hide what the gate is for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

RUNNING = "running"
"""The state of a driver without an error."""


@dataclass(frozen=True, eq=False)
class Command:
    """One message on a command topic.

    Args:
        values: (n,), or (points, n) of a trajectory; in the controller's own order and units. A pose is position (3) m
            and quaternion (4) xyzw.
        names: of the joints, where the message has them.
        velocities: (points, n); empty where the message has none.
        efforts: (n,) of a joint state, N*m or N; empty where the message has none.
        stamp_ns: of the header; 0 where there is none.
        times_ns: (points,) `time_from_start`.
        frame: `frame_id` of the header.
        publishers: number of publishers on the topic now.
    """

    values: np.ndarray
    names: tuple[str, ...] = ()
    velocities: np.ndarray = field(default_factory=lambda: np.empty(0))
    stamp_ns: int = 0
    times_ns: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    frame: str = ""
    publishers: int = 1
    efforts: np.ndarray = field(default_factory=lambda: np.empty(0))


class Driver(ABC):
    """One controller with the part of the robot that it moves.

    Args:
        size: numbers in its set-point.

    Attributes:
        state: `running`, or the error in which it stopped; only `start` leaves it.
        refused: reason -> how many messages it ignored for it.
        follows_speed: whether the speed of the set-point is fed forward to the arm too (to a position-controlled one
            it is; an impedance controller takes each target as one at rest).
        has_slider: whether it slows its own time by the speed slider; the steps of others are limited downstream.
        state_hz: how often it measures; None for every step.
    """

    follows_speed = True
    has_slider = False
    state_hz: float | None = None

    def __init__(self, size: int) -> None:
        self.size = size
        self.state = RUNNING
        self.refused: Counter[str] = Counter()
        self._held = np.zeros(size)

    def start(self, measured: np.ndarray, now_ns: int) -> None:
        """Activate: the set-point is the measured state (size,), and messages received before no longer count."""
        self.state = RUNNING
        self._held = np.array(measured, dtype=np.float64)
        self._activate(self._held.copy(), now_ns)

    def receive(self, command: Command, now_ns: int) -> None:
        """Receive a message; a controller in error takes none.

        Args:
            command: the message.
            now_ns: time of its arrival.
        """
        if self.state == RUNNING:
            self._take(command, now_ns)

    def update(self, measured: np.ndarray, now_ns: int, step_s: float, speed_scale: float = 1.0) -> np.ndarray:
        """The set-point (size,) at the end of a step that begins now.

        A controller in error holds its last one, as the position interface below it does; a set-point that is not
        finite is such an error, because the hardware refuses it.

        Args:
            measured: (size,) state of the robot.
            now_ns: time of the step.
            step_s: its length.
            speed_scale: the speed slider of the robot; most controllers ignore it.
        """
        if self.state == RUNNING:
            set_point = self._advance(measured, now_ns, step_s, speed_scale)
            if np.isfinite(set_point).all():
                self._held = set_point
            else:
                self.state = "error: set-point not finite"
        return self._held

    @abstractmethod
    def _activate(self, measured: np.ndarray, now_ns: int) -> None:
        """Drop all state; the target is the measured one."""

    @abstractmethod
    def _take(self, command: Command, now_ns: int) -> None:
        """Take a message over, or count in `refused` why not."""

    @abstractmethod
    def _advance(self, measured: np.ndarray, now_ns: int, step_s: float, speed_scale: float) -> np.ndarray:
        """The set-point at the end of this step."""
