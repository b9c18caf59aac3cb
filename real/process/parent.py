"""Whether the process that supervises this one is still there."""

from __future__ import annotations

import os
import select
from pathlib import Path
from typing import Callable

_STATE, _STARTED = 0, 19  # of the fields after the name in /proc/PID/stat


class Parent:
    """The process that supervises this one, above it by one step or by several: a prefix such as `nice`, a shell or a
    terminal may be between.

    Args:
        pid: of it.
    """

    def __init__(self, pid: int) -> None:
        self._above = os.getppid()
        self._gone = _watch(pid) if self._above != pid else lambda: False

    @property
    def gone(self) -> bool:
        """Whether it has ended, or a process in between: then a signal would no longer come through."""
        return os.getppid() != self._above or self._gone()


def _watch(pid: int) -> Callable[[], bool]:
    """A function that returns whether a process that is no parent of this one has ended."""
    try:
        # Refers to the process that has the number now, whoever has it later.
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return lambda: True
    except (AttributeError, OSError):  # another system, an old kernel, a sandbox without it
        gone = _watch_number(pid)
    else:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)

        def gone() -> bool:
            return bool(poll.poll(0))

    # Who began after this process is not the one that started it: the number was given away in between.
    own, other = _stat(os.getpid()), _stat(pid)
    if own is not None and other is not None and int(other[_STARTED]) > int(own[_STARTED]):
        return lambda: True
    return gone


def _watch_number(pid: int) -> Callable[[], bool]:
    """The same without pidfd: a process is distinguished from another one of its number by its start time."""
    first = _stat(pid)

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass  # another user's, and there
        now = _stat(pid)
        if now is None or first is None:
            return False  # its page is not to be read; that somebody has the number is all that is known
        return now[_STATE] in "ZX" or now[_STARTED] != first[_STARTED]

    return gone


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat after the name; None where they cannot be read."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
