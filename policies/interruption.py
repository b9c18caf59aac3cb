"""Ctrl-C and SIGTERM as a wish to stop: work in progress is finished and saved first."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interruption:
    """While entered, the first SIGINT or SIGTERM only sets `requested`; a second one interrupts at once.

    Attributes:
        requested: whether to stop when there is something whole to save.
        at_once: let the first signal interrupt too, for work that can be dropped in its middle.
    """

    def __init__(self) -> None:
        self.requested = self.at_once = False
        self._before: dict[signal.Signals, Any] = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        again, self.requested = self.requested, True
        if again or self.at_once:
            raise KeyboardInterrupt

    def __enter__(self) -> Interruption:
        # Python lets only the main thread set handlers; elsewhere the caller owns the signals.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
