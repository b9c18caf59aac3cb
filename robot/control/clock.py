"""Time, passed in as an object: the real one, ROS's, or a virtual one that only moves when it is told to.

Two readings, never mixed. `now_ns` is the source's time, the one that stamps data. `monotonic_ns` is local and never
jumps: ages, due times and watchdogs use it. `epoch` counts the jumps of the first against the second (a clock that was
set, a simulation that was reset): a stamp from another epoch has no age.
"""

from __future__ import annotations

import time
from typing import Protocol, runtime_checkable

from robot.errors import TillerError


@runtime_checkable
class Clock(Protocol):
    @property
    def epoch(self) -> int:
        """How often the source's time has jumped."""
        ...

    def now_ns(self) -> int:
        """The source's time, for stamps."""
        ...

    def monotonic_ns(self) -> int:
        """Local time that never jumps, for ages and due times."""
        ...

    def sleep_until(self, monotonic_ns: int) -> None:
        """Return when `monotonic_ns` is reached; at once when it has passed."""
        ...


def to_monotonic_ns(clock: Clock, stamp_ns: int, epoch: int) -> int:
    """The one conversion from a source's stamp to local monotonic time.

    Args:
        clock: whose stamp it is.
        stamp_ns: a stamp taken from `clock.now_ns`.
        epoch: the clock's epoch when the stamp was received.

    Raises:
        TillerError: the clock has jumped since, so that the stamp says nothing about now.
    """
    offset = clock.monotonic_ns() - clock.now_ns()
    if epoch != clock.epoch:
        raise TillerError(f"stamp {stamp_ns}: from epoch {epoch}, the clock is in epoch {clock.epoch}. Take a new one")
    return stamp_ns + offset


class RealClock:
    """The system's clocks.

    Args:
        jump_ns: a change of the wall clock against the monotonic one between two readings that is a jump, no drift.
    """

    def __init__(self, jump_ns: int = 5_000_000):
        self._jump_ns = jump_ns
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._epoch = 0

    @property
    def epoch(self) -> int:
        self.now_ns()
        return self._epoch

    def now_ns(self) -> int:
        now = time.time_ns()
        offset = now - time.monotonic_ns()
        if abs(offset - self._offset_ns) > self._jump_ns:
            self._epoch += 1
        self._offset_ns = offset
        return now

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, monotonic_ns: int) -> None:
        remaining = monotonic_ns - time.monotonic_ns()
        if remaining > 0:
            time.sleep(remaining * 1e-9)


class VirtualClock:
    """A clock for simulation: sleeping is what moves it.

    Args:
        start_ns: the source's time at the start and after each reset.
    """

    def __init__(self, start_ns: int = 0):
        self._start_ns = start_ns
        self._now_ns = start_ns
        self._monotonic_ns = 0
        self._epoch = 0

    @property
    def epoch(self) -> int:
        return self._epoch

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def advance(self, duration_ns: int) -> None:
        """Move both readings forward."""
        if duration_ns < 0:
            raise ValueError(f"a clock moves forward, not by {duration_ns} ns")
        self._now_ns += duration_ns
        self._monotonic_ns += duration_ns

    def sleep_until(self, monotonic_ns: int) -> None:
        self.advance(max(0, monotonic_ns - self._monotonic_ns))

    def reset(self) -> None:
        """Set the source's time back to the start: a new epoch. Monotonic time goes on."""
        self._now_ns = self._start_ns
        self._epoch += 1
