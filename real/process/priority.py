"""Real-time priority for a process whose ticks others wait for."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FIFO = 50  # above all that asks for nothing, below the threads of the kernel that serve interrupts


def raise_priority(level: int = FIFO) -> bool:
    """Let every thread of this process run before all processes without such a priority (SCHED_FIFO).

    Args:
        level: 1 to 99.

    Returns:
        Whether the system allows it; where not, all is as it was.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(level))
    except (OSError, AttributeError):  # not allowed here, or another system
        return False
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            os.sched_setscheduler(int(thread.name), os.SCHED_FIFO, os.sched_param(level))
    return True
