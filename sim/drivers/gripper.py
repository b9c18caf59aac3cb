"""A gripper that takes goals, as the Franka hand does: it cannot be streamed to."""

from __future__ import annotations

import numpy as np

from sim.drivers.driver import Command, Driver

SPEED_M_S = 0.1
START_S = 0.15  # before a motion that preempts another one begins
STALL_S = 0.3  # without movement of the fingers: they hold something
REACHED_M = 0.002


class SlowGripper(Driver):
    """One goal at a time: while it is in progress every other one is refused and dropped.

    A goal ends when the fingers are there, or have been stopped by something for a while. They are measured at 15 Hz.

    Args:
        size: numbers of the set-point: 1, the width in m.
        speed: of the width, m/s, or in the wire's units per second.
        reached: how near to its goal it is there, m, or in the wire's units.
        preempts: a new goal is never refused: it stops the fingers for `START_S`, then their motion starts again.
        loses: every `loses`-th goal is lost; 0 loses none.
        shortens: the first of every `shortens` accepted goals ends half-way, unreported; 0 shortens none.
    """

    state_hz = 15.0

    def __init__(
        self,
        size: int = 1,
        *,
        speed: float = SPEED_M_S,
        reached: float = REACHED_M,
        preempts: bool = False,
        loses: int = 0,
        shortens: int = 0,
    ) -> None:
        super().__init__(size)
        self._speed, self._reached = speed, reached
        self._preempts, self._loses, self._shortens = preempts, loses, shortens
        self._came = self._taken = self._begins_ns = 0

    @property
    def busy(self) -> bool:
        """Whether a goal is in progress."""
        return self._goal is not None

    def _activate(self, measured: np.ndarray, now_ns: int) -> None:
        self._told, self._goal = measured, None
        self._still_position, self._still_since_ns = measured.copy(), now_ns

    def _take(self, command: Command, now_ns: int) -> None:
        self._came += 1
        if command.values.shape != (self.size,) or not np.isfinite(command.values).all():
            self.refused["no goal"] += 1
        elif self._loses and self._came % self._loses == 0:
            self.refused["lost"] += 1
        elif self._goal is not None and not self._preempts:
            self.refused["goal in flight"] += 1
        elif (np.abs(command.values - self._told) > 0).any():
            self._taken += 1
            self._begins_ns = now_ns + (round(START_S * 1e9) if self._preempts else 0)
            self._goal = np.array(command.values, dtype=np.float64)
            if self._shortens and self._taken % self._shortens == 1 % self._shortens:
                self._goal = (self._goal + self._told) / 2
            self._still_since_ns = now_ns

    _goal: np.ndarray | None = None

    def _advance(self, measured: np.ndarray, now_ns: int, step_s: float, speed_scale: float) -> np.ndarray:
        if self._goal is None or now_ns < self._begins_ns:
            return self._told
        most = self._speed * step_s
        self._told = self._told + np.clip(self._goal - self._told, -most, most)
        if (np.abs(measured - self._still_position) > self._reached).any():
            self._still_position, self._still_since_ns = measured.copy(), now_ns
        off = np.abs(measured - self._goal)
        arrived = (self._goal == self._told).all() and (off < self._reached).all()
        if arrived or now_ns - self._still_since_ns > STALL_S * 1e9:
            # What stopped the fingers is held: the goal stays the set-point, and with it the force.
            self._told, self._goal = self._goal, None
        return self._told
