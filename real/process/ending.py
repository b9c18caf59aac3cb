"""When a node's process ends: after a signal, or when the process that supervises it is gone."""

from __future__ import annotations

import math
import os
import signal
import time
from typing import Any, Callable

from real.process.parent import Parent
from robot.errors import InputError

# A driver stays this long after the signal, so that the gate in front of it ends first.
LINGER = "TILLER_LINGER_S"
# The same where the supervising process is gone; without it as after a signal.
ORPHAN_LINGER = "TILLER_ORPHAN_LINGER_S"
# Process that supervises this one: without it nobody would stop the node.
PARENT = "TILLER_PARENT"
SECOND_SIGNAL_S = 1.0
WIND_DOWN_S = 1.0


class Ending:
    """When to end: a moment after SIGINT or SIGTERM, or when the process that started this one is gone.

    A terminal's ctrl-C comes twice where a launcher passes it on, so a second signal counts only when it is late; then
    it ends the process at once.

    Raises:
        InputError: a variable of the environment is not what it should be.
    """

    def __init__(self) -> None:
        self._linger_s = _seconds(LINGER, 0.0)
        self._orphan_linger_s = _seconds(ORPHAN_LINGER, self._linger_s)
        pid = _pid()
        self._parent = Parent(pid) if pid else None
        self._first_s: float | None = None
        self._orphaned_s: float | None = None
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    @property
    def orphaned(self) -> bool:
        """Whether the process that supervises this one is gone."""
        return self._parent is not None and self._parent.gone

    @property
    def stopped(self) -> bool:
        now = time.monotonic()
        if self._orphaned_s is None and self.orphaned:
            self._orphaned_s = now
        signalled = self._first_s is not None and now - self._first_s >= self._linger_s
        return signalled or (self._orphaned_s is not None and now - self._orphaned_s >= self._orphan_linger_s)

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if self._first_s is None:
            self._first_s = now
        elif now - self._first_s > self._linger_s + SECOND_SIGNAL_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


class WindingDown:
    """Whether a node that has to end has finished its last work, or has had `WIND_DOWN_S` for it.

    Args:
        wind_down: what the node offers: called between callbacks until it returns True; None when it offers nothing.
    """

    def __init__(self, wind_down: Callable[[], bool] | None) -> None:
        self._wind_down, self._end_s = wind_down, math.inf

    def done(self) -> bool:
        """Ask the node; to be called only once it has to end."""
        if self._wind_down is None:
            return True
        now = time.monotonic()
        self._end_s = min(self._end_s, now + WIND_DOWN_S)
        return self._wind_down() or now >= self._end_s


def _seconds(name: str, otherwise: float) -> float:
    text = os.environ.get(name) or str(otherwise)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.0 <= seconds < math.inf:
        raise InputError(f"{name} in the environment", expected="seconds, at least 0", got=f"'{text}'")
    return seconds


def _pid() -> int:
    text = os.environ.get(PARENT) or "0"
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 31):
        raise InputError(
            f"{PARENT} in the environment",
            expected="the number of a process",
            got=f"'{text}'",
            way_out=f"unset {PARENT}",
        )
    return int(text)
