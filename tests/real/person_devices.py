"""Devices of a person that a test presses: a FIFO that reports what a gamepad or a keyboard of Linux would."""

from __future__ import annotations

import os
from pathlib import Path

from real.teleop.devices import evdev_keyboard, gamepad
from real.teleop.devices.key_codes import CODES, EV_KEY
from real.teleop.devices.pad_layout import XBOX


class Fifo:
    """A device file that can be unplugged, and plugged in again."""

    def __init__(self, path: Path):
        os.mkfifo(path)
        self.path = path
        self.plug()

    def plug(self) -> None:
        self._fd = os.open(self.path, os.O_RDWR)

    def unplug(self) -> None:
        os.close(self._fd)

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)


class Pad(Fifo):
    """A gamepad, numbered as an Xbox pad."""

    def event(self, kind: int, number: int, value: float) -> None:
        scaled = int(value * gamepad.FULL) if kind & gamepad.AXIS else int(value)
        self.write(gamepad.EVENT.pack(0, scaled, kind, number))

    def button(self, name: str, pressed: bool = True, kind: int = gamepad.BUTTON) -> None:
        self.event(kind, XBOX.buttons[name], pressed)

    def press(self, *names: str) -> None:
        """Press buttons one after the other, and release them in the other order."""
        for name in names:
            self.button(name)
        for name in reversed(names):
            self.button(name, False)

    def axis(self, name: str, value: float, kind: int = gamepad.AXIS) -> None:
        self.event(kind, XBOX.axes[name], value)


class Keys(Fifo):
    """A keyboard of input events."""

    def key(self, name: str, value: int = evdev_keyboard.PRESSED) -> None:
        self.write(evdev_keyboard.EVENT.pack(0, 0, EV_KEY, CODES[name], value))
        self.write(evdev_keyboard.EVENT.pack(0, 0, evdev_keyboard.EV_SYN, 0, 0))

    def release(self, name: str) -> None:
        self.key(name, evdev_keyboard.RELEASED)

    def repeat(self, name: str) -> None:
        self.key(name, 2)

    def drop(self) -> None:
        """The kernel had to drop events."""
        self.write(evdev_keyboard.EVENT.pack(0, 0, evdev_keyboard.EV_SYN, evdev_keyboard.SYN_DROPPED, 0))
