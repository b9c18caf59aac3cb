"""The keys of a terminal.

A terminal reports when a key goes down and never when it comes up, and while a key is held it repeats after a pause of
up to half a second. So no key can be held: keys step a velocity, which ends by itself a moment after the last of them,
and the enabling key counts for a limited time. This is no dead-man switch, and cannot be made one.
"""

from __future__ import annotations

import os
import string
import sys

import numpy as np

from real.teleop.bindings import Bindings, direction, load_bindings, of_keys
from real.teleop.device import EVENTS, TimeBox, Wish
from real.teleop.devices.terminal import Terminal
from real.teleop.registry import DeviceKind
from robot.errors import InputError

LEVELS = 3  # presses of a key to the full speed
STOP_S = 0.6  # after the last key; a terminal's pause before it repeats is up to 0.5 s
PASTED = 8  # keys in one reading, more than anybody types

NAMES = {" ": "space", "\n": "enter", "\t": "tab", "\x7f": "backspace"}
VOCABULARY = of_keys([*string.ascii_letters, *string.digits, *string.punctuation, *NAMES.values()])


class Keyboard:
    """Keys of a terminal, which is set to hand each on at once and without an echo. Interrupt and suspend still work.

    Args:
        hold_s: for how long the enabling key counts.
        fd: of the terminal; None takes standard input.
        bindings: of the keys; None takes `configs/bindings/keyboard.yaml`.

    Raises:
        InputError: it is no terminal.
    """

    def __init__(self, hold_s: float, fd: int | None = None, bindings: Bindings | None = None):
        fd = sys.stdin.fileno() if fd is None else fd
        if not os.isatty(fd):
            raise InputError(
                "keyboard",
                expected="a terminal on standard input",
                got="something else",
                way_out="Start it in a terminal of its own: tiller node teleop device=keyboard",
            )
        bindings = bindings or load_bindings("keyboard", VOCABULARY)
        self._actions, self._hold = bindings.actions, bindings.control("hold")
        self._terminal = Terminal(fd)
        self._box = TimeBox(hold_s)
        self._levels = np.zeros(7, dtype=np.int64)
        self._pressed_s = float("-inf")
        self._part = 0

    def read(self, now_s: float) -> Wish:
        events: list[str] = []
        keys = self._terminal.typed()
        if not self._terminal.connected:
            self._let_go()
            return Wish(connected=False, note="the terminal is gone")
        note = ""
        if len(keys) > PASTED:
            self._let_go()
            keys, note = "", f"{len(keys)} keys at once are no typing: let go"
        for key in keys:
            self._press(self._actions.get(NAMES.get(key, key), ""), now_s, events)
        if now_s - self._pressed_s > STOP_S:
            self._levels[:] = 0
        left_s = self._box.left_s(now_s)
        note = note or (f"enable held for {left_s:.0f} s more" if left_s else f"not held: press {self._hold}")
        velocity = self._levels / LEVELS
        return Wish(left_s > 0, velocity[:6], float(velocity[6]), self._part, tuple(events), True, note)

    def fileno(self) -> int | None:
        return self._terminal.fd if self._terminal.connected else None

    def close(self) -> None:
        self._terminal.close()

    def _press(self, action: str, now_s: float, events: list[str]) -> None:
        moved = direction(action)
        if action == "hold":
            self._box.take(now_s)
        elif action == "let_go":
            self._let_go()
        elif action == "next":
            self._part += 1
            self._levels[:] = 0
        elif action in EVENTS:
            events.append(action)
        elif moved is not None and self._box.left_s(now_s):
            # What was typed before the enabling key does not count.
            axis, sign = moved
            self._levels[axis] = np.clip(self._levels[axis] + sign, -LEVELS, LEVELS)
            self._pressed_s = now_s

    def _let_go(self) -> None:
        self._box.release()
        self._levels[:] = 0


DEVICE = DeviceKind(
    "keys of a terminal: each steps a velocity; no dead-man switch",
    lambda options: Keyboard(options["hold_s"], bindings=options["bindings"]),
    needs_terminal=True,
    hold_s=120.0,
    vocabulary=VOCABULARY,
)
