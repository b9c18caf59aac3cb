"""The keys of a terminal.

A terminal reports when a key goes down and never when it comes up, and while a key is held it repeats after a pause of
up to half a second. So no key can be held: keys step a velocity, which ends by itself a moment after the last of them,
and the enabling key counts for a limited time. This is no dead-man switch, and cannot be made one.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from contextlib import suppress
from typing import Any

import numpy as np

from real.teleop.device import TimeBox, Wish
from robot.errors import InputError

LEVELS = 3  # presses of a key to the full speed
STOP_S = 0.6  # after the last key; a terminal's pause before it repeats is up to 0.5 s
PASTED = 8  # keys in one reading, more than anybody types
MOST = 4096

MOVES = {
    "w": (0, 1),
    "s": (0, -1),
    "a": (1, 1),
    "d": (1, -1),
    "r": (2, 1),
    "f": (2, -1),
    "u": (3, 1),
    "o": (3, -1),
    "i": (4, 1),
    "k": (4, -1),
    "j": (5, 1),
    "l": (5, -1),
}
GRIPS = {"c": 1, "v": -1}
HOLD, LET_GO, NEXT, ENABLE, RESET = "e", " ", "n", "g", "x"
HELP = (
    "e hold enable | space let go | w s a d r f move | u o i k j l turn | c v close, open | n next part | "
    "g enable the gate | x reset its fault"
)


class Keyboard:
    """Keys of a terminal, which is set to hand each on at once and without an echo. Interrupt and suspend still work.

    Args:
        hold_s: for how long the enabling key counts.
        fd: of the terminal; None takes standard input.

    Raises:
        InputError: it is no terminal.
    """

    def __init__(self, hold_s: float, fd: int | None = None):
        self._fd = sys.stdin.fileno() if fd is None else fd
        if not os.isatty(self._fd):
            raise InputError(
                "keyboard",
                expected="a terminal on standard input",
                got="something else",
                way_out="Start it in a terminal of its own: tiller node teleop device=keyboard",
            )
        self._before: list[Any] | None = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd, termios.TCSAFLUSH)  # what was typed before is dropped
        self._box = TimeBox(hold_s)
        self._levels = np.zeros(7, dtype=np.int64)
        self._pressed_s = float("-inf")
        self._part = 0
        self._escape = ""
        self._connected = True

    def read(self, now_s: float) -> Wish:
        requests: list[str] = []
        keys = self._typed()
        if not self._connected:
            self._let_go()
            return Wish(connected=False, note="the terminal is gone")
        note = ""
        if len(keys) > PASTED:
            self._let_go()
            keys, note = "", f"{len(keys)} keys at once are no typing: let go"
        for key in keys:
            self._press(key, now_s, requests)
        if now_s - self._pressed_s > STOP_S:
            self._levels[:] = 0
        left_s = self._box.left_s(now_s)
        note = note or (f"enable held for {left_s:.0f} s more" if left_s else "not held: press e")
        velocity = self._levels / LEVELS
        return Wish(left_s > 0, velocity[:6], float(velocity[6]), self._part, tuple(requests), True, note)

    def close(self) -> None:
        if self._before is not None:
            before, self._before = self._before, None
            with suppress(termios.error):  # a terminal that is gone has nothing to be set back
                termios.tcsetattr(self._fd, termios.TCSADRAIN, before)

    def _press(self, key: str, now_s: float, asked: list[str]) -> None:
        if key == HOLD:
            self._box.take(now_s)
        elif key == LET_GO:
            self._let_go()
        elif key == NEXT:
            self._part += 1
            self._levels[:] = 0
        elif key in (ENABLE, RESET):
            asked.append("enable" if key == ENABLE else "reset")
        elif (key in MOVES or key in GRIPS) and self._box.left_s(now_s):
            # What was typed before the enabling key does not count.
            axis, sign = MOVES[key] if key in MOVES else (6, GRIPS[key])
            self._levels[axis] = np.clip(self._levels[axis] + sign, -LEVELS, LEVELS)
            self._pressed_s = now_s

    def _let_go(self) -> None:
        self._box.release()
        self._levels[:] = 0

    def _typed(self) -> str:
        """Keys since the last reading, without the sequences that arrows and function keys send."""
        keys = ""
        while self._connected and select.select([self._fd], [], [], 0)[0]:
            try:
                data = os.read(self._fd, MOST)
            except OSError:
                data = b""
            if not data:
                self._connected = False
            for key in data.decode("ascii", "replace"):
                if self._escape or key == "\x1b":
                    self._escape = self._continued(key)
                else:
                    keys += key
        return keys

    def _continued(self, key: str) -> str:
        """The part of an escape sequence read so far, with one more key; empty when it has ended.

        `ESC [ ... final` and `ESC O final`; `ESC key` is that key with Alt, which means nothing here.
        """
        sequence = self._escape + key
        if len(sequence) == 1 or sequence in ("\x1b[", "\x1bO", "\x1b\x1b"):
            return "\x1b" if sequence == "\x1b\x1b" else sequence
        if sequence.startswith("\x1b[") and not "@" <= key <= "~":
            return sequence
        return ""
