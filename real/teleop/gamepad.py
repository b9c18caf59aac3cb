"""A gamepad through Linux's joystick interface: events of eight bytes from `/dev/input/js*`, no library.

Left stick: along x and y. Right stick: up and down, about z. Cross: about y and x. Triggers: right closes, left opens.
Left shoulder: the enabling device. Right shoulder: the next part. A: enable the gate.
"""

from __future__ import annotations

import glob
import os
import struct

import numpy as np

from real.teleop.device import TimeBox, Wish
from robot.errors import InputError

PATHS = "/dev/input/js*"
EVENT = struct.Struct("=IhBB")  # time in ms, value, type, number: struct js_event of linux/joystick.h
BUTTON, AXIS, INIT = 0x01, 0x02, 0x80
FULL = 32767
MOST = 64 * EVENT.size  # the kernel keeps no more
AGAIN_S = 1.0

ENABLE_GATE, HOLD, NEXT = 0, 4, 5
# Axis of the pad -> axis of the motion, and the sign: a pad counts down and right as positive.
STICKS = {1: (0, -1), 0: (1, -1), 4: (2, -1), 3: (5, -1), 7: (4, -1), 6: (3, -1)}
CLOSE, OPEN = 5, 2  # triggers, -FULL at rest


class Gamepad:
    """A gamepad, looked for again when it was unplugged.

    What was held or pushed before the pad was opened, or before the enabling button went down, does not count until it
    was let go once: a stick that drifts does not take over.

    Args:
        hold_s: for how long the enabling button may be held at a stretch.
        path: of the device; empty takes the first.
        deadband: share of a stick's or trigger's travel that is rest.

    Raises:
        InputError: there is none, or it may not be read.
    """

    def __init__(self, hold_s: float, path: str = "", deadband: float = 0.15):
        self._path, self._deadband = path, deadband
        self._box = TimeBox(hold_s)
        self._part = 0
        self._fd: int | None = None
        self._tried_s = float("-inf")
        self._forget()
        problem = self._open()
        if problem:
            raise InputError(
                "gamepad",
                expected=f"one that can be read at {path or PATHS}",
                got=problem,
                way_out="Plug it in; `ls -l /dev/input/js*` shows who may read it (group input)",
            )

    def read(self, now_s: float) -> Wish:
        if self._fd is None and now_s - self._tried_s >= AGAIN_S:
            self._tried_s = now_s
            self._open()
        requests: list[str] = []
        for value, kind, number in self._events():
            if kind & ~INIT == BUTTON:
                self._press(number, value, bool(kind & INIT), now_s, requests)
            elif kind & ~INIT == AXIS and (not kind & INIT or number in self._axes):
                # The first value of an axis is a guess of the driver's. Later the kernel repeats all axes when it had
                # to drop events, and then they are true.
                self._axes[number] = value / FULL
        if self._fd is None:
            return Wish(connected=False, part=self._part, note="the gamepad is gone: let go")
        left_s = self._box.left_s(now_s)
        if not left_s:
            self._free.clear()
        motion, grip = self._wanted(left_s > 0)
        note = f"enable held, {left_s:.0f} s at most" if left_s else "not held: left shoulder"
        return Wish(left_s > 0, motion, grip, self._part, tuple(requests), True, note)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None
        self._forget()

    def _open(self) -> str:
        """Open the device; returns why it could not be."""
        path = self._path or next(iter(sorted(glob.glob(PATHS))), "")
        if not path:
            return "none"
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            return f"{path}: {error.strerror}"
        return ""

    def _forget(self) -> None:
        self._box.release()
        self._axes: dict[int, float] = {}
        self._free: set[int] = set()  # axes that were at rest since the enabling button went down
        self._rest = b""

    def _events(self) -> list[tuple[int, int, int]]:
        """Value, type and number of each event since the last reading. A device that is gone lets go."""
        while self._fd is not None:
            try:
                data = os.read(self._fd, MOST)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.close()
                return []
            self._rest += data
        whole = len(self._rest) // EVENT.size * EVENT.size
        events = [event[1:] for event in EVENT.iter_unpack(self._rest[:whole])]
        self._rest = self._rest[whole:]
        return events

    def _press(self, number: int, value: int, told_again: bool, now_s: float, asked: list[str]) -> None:
        if not value:
            if number == HOLD:
                self._box.release()
        elif told_again:
            return
        elif number == HOLD:
            self._box.take(now_s)
            self._free.clear()
        elif number == NEXT:
            self._part += 1
        elif number == ENABLE_GATE:
            asked.append("enable")

    def _wanted(self, held: bool) -> tuple[np.ndarray, float]:
        motion = np.zeros(6)
        for number, (axis, sign) in STICKS.items():
            motion[axis] = sign * self._pushed(number, self._axes.get(number, 0.0), held)
        close, open_ = (self._pushed(number, (self._axes.get(number, -1.0) + 1) / 2, held) for number in (CLOSE, OPEN))
        return motion, close - open_

    def _pushed(self, number: int, value: float, held: bool) -> float:
        """How far an axis is pushed beyond its deadband, -1 to 1."""
        beyond = max(abs(value) - self._deadband, 0.0) / (1 - self._deadband)
        if beyond == 0 and held:
            self._free.add(number)
        return float(np.copysign(min(beyond, 1.0), value)) if beyond and number in self._free else 0.0
