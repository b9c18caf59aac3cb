"""A device file of events of one size, read without waiting, and looked for again when it was unplugged."""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from typing import Any, Callable

AGAIN_S = 1.0
MOST = 64  # events in one reading; the kernel keeps no more of most devices


class EventFile:
    """Events of a device file, or of a FIFO.

    Args:
        event: the layout of one event.
        find: returns the path to open, or an empty one and why there is none.
        on_open: called with the descriptor of each file that was opened; returns why it is not the right one, or empty.
    """

    def __init__(
        self, event: struct.Struct, find: Callable[[], tuple[str, str]], on_open: Callable[[int], str] = lambda fd: ""
    ) -> None:
        self._event, self._find, self._on_open = event, find, on_open
        self._fd: int | None = None
        self._tried_s = float("-inf")
        self._rest = b""

    def fileno(self) -> int | None:
        return self._fd

    def open(self) -> str:
        """Open the file; returns why it could not be."""
        path, problem = self._find()
        if not path:
            return problem
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return f"{path}: {error.strerror}"
        problem = self._on_open(fd)
        if problem:
            os.close(fd)
            return f"{path}: {problem}"
        self._fd = fd
        return ""

    def read(self, now_s: float) -> list[tuple[Any, ...]] | None:
        """The events since the last reading; None while the device is gone."""
        if self._fd is None and now_s - self._tried_s >= AGAIN_S:
            self._tried_s = now_s
            self.open()
        while self._fd is not None:
            try:
                data = os.read(self._fd, MOST * self._event.size)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.close()
            self._rest += data
        if self._fd is None:
            return None
        whole = len(self._rest) // self._event.size * self._event.size
        events = list(self._event.iter_unpack(self._rest[:whole]))
        self._rest = self._rest[whole:]
        return events

    def close(self) -> None:
        if self._fd is not None:
            with suppress(OSError):
                os.close(self._fd)
        self._fd, self._rest = None, b""


def access_way_out(pattern: str) -> str:
    """What to type where no input device may be read, or there is none."""
    return (
        "Plug it in. One that may not be read: sudo usermod -aG input $USER, then log in again "
        f"(ls -l {pattern} shows its group)"
    )
