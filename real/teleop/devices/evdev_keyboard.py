"""A keyboard through Linux's input events, `/dev/input/event*`: keys are held, and releasing one stops at once.

Unlike a terminal it reports when a key comes up, so the enabling key is a dead-man switch: it has to be down. The same
keyboard goes on typing into whatever window has the focus, unless it is grabbed, so nothing counts but what is pressed
while the enabling key is down.
"""

from __future__ import annotations

import glob
import os
import struct

import numpy as np

from real.teleop.bindings import Bindings, direction, load_bindings, of_keys
from real.teleop.device import EVENTS, RestFirst, TimeBox, Wish
from real.teleop.devices.event_file import EventFile, access_way_out
from real.teleop.devices.key_codes import CODES, EV_KEY, device_name, grab, is_device, keys_of
from real.teleop.devices.terminal import Terminal, in_foreground
from real.teleop.registry import DeviceKind, Option
from robot.errors import InputError

PATHS = "/dev/input/event*"
EVENT = struct.Struct("@llHHi")  # seconds, microseconds, type, code, value: struct input_event of linux/input.h
EV_SYN, SYN_DROPPED = 0x00, 3
RELEASED, PRESSED = 0, 1  # 2 repeats a key that is down

VOCABULARY = of_keys(CODES)


class EvdevKeyboard:
    """A keyboard whose keys are held, looked for again when it was unplugged.

    A key that was down before the enabling key does not count until it came up once.

    Args:
        hold_s: for how long the enabling key may be held at a stretch.
        path: of the device; empty takes the first that has the bound keys.
        bindings: of the keys; None takes `configs/bindings/evdev_keyboard.yaml`.
        grabbed: take the keyboard for this process alone: it types nowhere else, ctrl-C included.
        terminal_fd: of the terminal that the keyboard types into as well, where that is dropped; None for none.

    Raises:
        InputError: there is none, it lacks bound keys, or it may not be read.
    """

    def __init__(
        self,
        hold_s: float,
        path: str = "",
        bindings: Bindings | None = None,
        grabbed: bool = False,
        terminal_fd: int | None = None,
    ):
        self._bindings = bindings or load_bindings("evdev_keyboard", VOCABULARY)
        self._actions = {CODES[control]: action for action, control in self._bindings.controls.items()}
        self._path, self._grabbed = path, grabbed
        self._box, self._rested = TimeBox(hold_s), RestFirst()
        self._down: set[str] = set()  # actions whose keys are down
        self._part = 0
        self._terminal: Terminal | None = None
        self._file = EventFile(EVENT, self._find, self._opened)
        problem = self._file.open()
        if problem:
            raise InputError(
                "evdev_keyboard",
                expected=f"a keyboard that can be read at {path or PATHS}",
                got=problem,
                way_out=access_way_out(path or PATHS),
            )
        if terminal_fd is not None and in_foreground(terminal_fd):
            self._terminal = Terminal(terminal_fd)

    def read(self, now_s: float) -> Wish:
        if self._terminal is not None:
            self._terminal.typed()
        events = self._file.read(now_s)
        if events is None:
            self._let_go()
            return Wish(connected=False, part=self._part, note="the keyboard is gone: let go")
        requests: list[str] = []
        for _, _, kind, code, value in events:
            if kind == EV_SYN and code == SYN_DROPPED:
                self._let_go()  # what came up meanwhile is not known
            elif kind == EV_KEY and value in (RELEASED, PRESSED):
                self._press(self._actions.get(code, ""), value == PRESSED, now_s, requests)
        left_s = self._box.left_s(now_s)
        if not left_s:
            self._rested.forget()
        velocity = self._velocity(left_s > 0)
        note = f"enable held, {left_s:.0f} s at most" if left_s else f"not held: hold {self._bindings.control('hold')}"
        return Wish(left_s > 0, velocity[:6], float(velocity[6]), self._part, tuple(requests), True, note)

    def fileno(self) -> int | None:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        self._let_go()
        if self._terminal is not None:
            self._terminal.close()

    def _find(self) -> tuple[str, str]:
        """The path that was given, or the first device that has the keys."""
        if self._path:
            return self._path, ""
        refused = ""
        for path in sorted(glob.glob(PATHS), key=lambda path: (len(path), path)):
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                refused = refused or f"{path}: {error.strerror}"
                continue
            try:
                if not self._missing(fd):
                    return path, ""
            finally:
                os.close(fd)
        return "", refused or "none with the bound keys"

    def _opened(self, fd: int) -> str:
        if not is_device(fd):
            return ""
        missing = self._missing(fd)
        if missing:
            return f"'{device_name(fd) or 'no input device'}' lacks the keys {', '.join(missing[:5])}"
        return grab(fd) if self._grabbed else ""

    def _missing(self, fd: int) -> list[str]:
        """Bound keys that a device does not have."""
        keys = keys_of(fd)
        return [control for control in self._bindings.controls.values() if CODES[control] not in keys]

    def _press(self, action: str, pressed: bool, now_s: float, events: list[str]) -> None:
        if not pressed:
            self._down.discard(action)
            if action == "hold":
                self._box.release()
            return
        self._down.add(action)
        if action == "hold":
            self._box.take(now_s)
            self._rested.forget()
        elif action == "let_go":
            self._box.release()
        elif not self._box.left_s(now_s):
            return
        elif action == "next":
            self._part += 1
        elif action in EVENTS:
            events.append(action)

    def _velocity(self, held: bool) -> np.ndarray:
        """(7,) of the keys that count: along and about the axes, and of the tool."""
        velocity = np.zeros(7)
        for action in self._actions.values():
            moved = direction(action)
            if moved is not None and self._rested.counts(action, action not in self._down, held):
                velocity[moved[0]] += moved[1]
        return velocity

    def _let_go(self) -> None:
        self._box.release()
        self._rested.forget()
        self._down.clear()


DEVICE = DeviceKind(
    "a keyboard at /dev/input/event*: keys are held, the enabling key is a dead-man switch",
    lambda options: EvdevKeyboard(options["hold_s"], options["path"], options["bindings"], options["grab"], 0),
    options=(Option("grab", False, "take the keyboard for this alone: it types nowhere else, ctrl-C included"),),
    vocabulary=VOCABULARY,
)
