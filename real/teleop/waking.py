"""A thread that waits for a device's descriptor, and has the node look at it at once.

An executor of rclpy waits for messages and timers and for no descriptor. Waiting is all that this thread does; the
device is read, and everything published, on the executor's own thread.
"""

from __future__ import annotations

import os
import select
import time
from threading import Event, Thread
from typing import Callable

from real.teleop.device import Device

APART_S = 0.008  # between two looks: a stick in motion sends hundreds of events a second
LOOK_S = 1.0  # for a device that came back meanwhile


class Waker:
    """Calls `wake` when a device has input.

    Args:
        device: whose descriptor is waited for.
        wake: called on the thread of the waker; has to lead to a `done`.
    """

    def __init__(self, device: Device, wake: Callable[[], None]) -> None:
        self._device, self._wake = device, wake
        self._read, self._ended = Event(), False
        self._poke = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = Thread(target=self._watch, name="device", daemon=True)
        self._thread.start()

    def done(self) -> None:
        """The device was read."""
        self._read.set()

    def close(self) -> None:
        """End the thread, before the device is closed."""
        self._ended = True
        os.eventfd_write(self._poke, 1)
        self._read.set()
        self._thread.join(timeout=LOOK_S)

    def _watch(self) -> None:
        while not self._ended:
            poller, fd = select.poll(), self._device.fileno()
            poller.register(self._poke, select.POLLIN)
            if fd is not None:
                poller.register(fd, select.POLLIN)
            if any(ready != self._poke for ready, _ in poller.poll(LOOK_S * 1e3)) and not self._ended:
                # Until it was read the descriptor stays ready.
                self._read.clear()
                self._wake()
                self._read.wait(LOOK_S)
                time.sleep(APART_S)
        os.close(self._poke)
