"""Time, passed in as an object: the real one, ROS's, or a virtual one that only moves on command.

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
    """The local monotonic time of a source's stamp: the only such conversion.

    Args:
        clock: of the stamp.
        stamp_ns: a stamp taken from `clock.now_ns`.
        epoch: the clock's epoch when the stamp was received.

    Raises:
        TillerError: the clock has jumped since, so that the stamp has no relation to now.
    """
    offset = clock.monotonic_ns() - clock.now_ns()
    if epoch != clock.epoch:
        raise TillerError(f"stamp {stamp_ns}: from epoch {epoch}, the clock is in epoch {clock.epoch}. Take a new one")
    return stamp_ns + offset


class StepWatch:
    """Distinguishes a step of one clock against the monotonic one from a thread suspended between two readings.

    Args:
        step_ns: a change of their offset that is a step, no drift.
    """

    def __init__(self, step_ns: int):
        self._step_ns = step_ns
        self._offset_ns: int | None = None

    def stepped(self, before_ns: int, now_ns: int, after_ns: int) -> bool:
        """Whether the clock has stepped since the last call, given its reading between two monotonic ones."""
        if after_ns - before_ns >= self._step_ns:
            return False  # the offset is anywhere between the two: this reading shows no step
        offset = now_ns - (before_ns + after_ns) // 2
        last, self._offset_ns = self._offset_ns, offset
        return last is not None and abs(offset - last) > self._step_ns

    def forget(self) -> None:
        """Take the next reading as the first."""
        self._offset_ns = None


class RealClock:
    """The system's clocks.

    Args:
        jump_ns: a change of the wall clock against the monotonic one between two readings that is a jump, no drift.
    """

    def __init__(self, jump_ns: int = 5_000_000):
        self._watch = StepWatch(jump_ns)
        self._epoch = 0
        self.now_ns()

    @property
    def epoch(self) -> int:
        self.now_ns()
        return self._epoch

    def now_ns(self) -> int:
        before, now, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        self._epoch += self._watch.stepped(before, now, after)
        return now

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def sleep_until(self, monotonic_ns: int) -> None:
        remaining = monotonic_ns - time.monotonic_ns()
        if remaining > 0:
            time.sleep(remaining * 1e-9)


class VirtualClock:
    """A clock for simulation: only sleeping moves it.

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
        """Set the source's time back to the start: a new epoch. Monotonic time continues."""
        self.jump_to(self._start_ns)

    def jump_to(self, now_ns: int) -> None:
        """Set the source's time: a new epoch. Monotonic time continues."""
        self._now_ns = now_ns
        self._epoch += 1
