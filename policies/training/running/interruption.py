"""Ctrl-C, SIGTERM and a closed terminal as a request to stop: work in progress is finished and saved first."""

from __future__ import annotations

import _thread
import os
import select
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_S = 0.02


class Interruption:
    """While entered, the first SIGINT, SIGTERM or SIGHUP only sets `requested`; a second one interrupts at once.

    A terminal that is closed sends SIGHUP, the shell in it perhaps another one, and a machine that shuts down SIGTERM
    besides: SIGHUP never counts as the second. Under `nohup` it stays ignored.

    Python drops what is raised in a destructor or in a callback from C, such as those of a garbage collection, and a
    signal may be received just there: an interrupt that was dropped is raised again a moment later.

    Args:
        signals: to handle.
        at_once: let the first signal interrupt too, for work that can be dropped in its middle.

    Attributes:
        requested: whether to stop when there is something whole to save.
    """

    def __init__(
        self, signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), at_once: bool = False
    ) -> None:
        self.requested, self.at_once = False, at_once
        self._signals, self._asked = signals, False
        self._before: dict[signal.Signals, Any] = {}
        self._hook = sys.unraisablehook
        self._raised, self._entered = int(signal.SIGINT), False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        hangup = number == signal.SIGHUP
        if hangup:
            forget_dead_streams()
        interrupts = self.at_once and not self.requested if hangup else self.at_once or self._asked
        self.requested, self._asked = True, self._asked or not hangup
        if interrupts:
            self._raised = number
            raise KeyboardInterrupt

    def _unraisable(self, what: UnraisableHookArgs) -> None:
        if isinstance(what.exc_value, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            # Not from here, where it would be dropped as well.
            again = threading.Timer(AGAIN_S, self._again, [self._raised])
            again.daemon = True
            again.start()
        else:
            self._hook(what)

    def _again(self, number: int) -> None:
        if self._entered:
            if number == signal.SIGHUP:
                self.requested = False
            _thread.interrupt_main(signal.Signals(number))

    def __enter__(self) -> Interruption:
        # Python lets only the main thread set handlers; elsewhere the caller owns the signals.
        if threading.current_thread() is threading.main_thread():
            self._hook, sys.unraisablehook = sys.unraisablehook, self._unraisable
            self._entered = True
            for number in self._signals:
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._entered:
            self._entered, sys.unraisablehook = False, self._hook


def forget_dead_streams() -> None:
    """Redirect output to /dev/null where its terminal or pipe is gone: writing would fail with work left to save."""
    for descriptor in (1, 2):
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
