"""A gamepad through Linux's joystick interface: events of eight bytes from `/dev/input/js*`, no library."""

from __future__ import annotations

import glob
import re
import struct

import numpy as np

from real.teleop.bindings import AXES, GRIPS, Bindings, Vocabulary, load_bindings
from real.teleop.device import EVENTS, RestFirst, TimeBox, Wish
from real.teleop.devices.event_file import EventFile, access_way_out
from real.teleop.devices.pad_layout import AXIS_CODES, BUTTON_CODES, TRIGGERS, XBOX, PadLayout, read_layout
from real.teleop.registry import DeviceKind
from robot.errors import InputError

PATHS = "/dev/input/js*"
EVENT = struct.Struct("=IhBB")  # time in ms, value, type, number: struct js_event of linux/joystick.h
BUTTON, AXIS, INIT = 0x01, 0x02, 0x80
FULL = 32767

SHIFT = "shift + "
STICKS = tuple(name for name in AXIS_CODES if name not in TRIGGERS)


def _read_control(action: str, text: str) -> str:
    if action in AXES:
        sign, name = ("-", text[1:].strip()) if text.startswith("-") else ("", text)
        if name not in STICKS and not re.fullmatch(r"axis \d{1,2}", name):
            raise ValueError("a stick or the cross, with `-` before it where it is turned round")
        return sign + name
    if action in GRIPS:
        if text not in TRIGGERS and not re.fullmatch(r"trigger \d{1,2}", text):
            raise ValueError("a trigger")
        return text
    shifted, name = re.fullmatch(r"(shift *\+ *)?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    if name not in BUTTON_CODES and not re.fullmatch(r"button \d{1,3}", name):
        raise ValueError("a button")
    if shifted and action not in EVENTS:
        raise ValueError("a button without shift")
    return SHIFT + name if shifted else name


VOCABULARY = Vocabulary(
    ("hold", "next", "shift", *AXES, *GRIPS, *EVENTS), ("hold",), (*BUTTON_CODES, *AXIS_CODES), _read_control
)


class Gamepad:
    """A gamepad, looked for again when it was unplugged.

    What was held or pushed before the pad was opened, or before the enabling button went down, does not count until it
    was let go once: a stick that drifts does not take over.

    Args:
        hold_s: for how long the enabling button may be held at a stretch.
        path: of the device; empty takes the first.
        deadband: share of a stick's or trigger's travel that is rest.
        bindings: of buttons and axes; None takes `configs/bindings/gamepad.yaml`.

    Raises:
        InputError: there is none, or it may not be read.
    """

    def __init__(self, hold_s: float, path: str = "", deadband: float = 0.15, bindings: Bindings | None = None):
        self._path, self._deadband = path, deadband
        self._bindings = bindings or load_bindings("gamepad", VOCABULARY)
        self._box, self._rested = TimeBox(hold_s), RestFirst()
        self._part = 0
        self._bind(XBOX)
        self._forget()
        self._file = EventFile(EVENT, self._find, self._opened)
        problem = self._file.open()
        if problem:
            raise InputError(
                "gamepad",
                expected=f"one that can be read at {path or PATHS}",
                got=problem,
                way_out=access_way_out(path or PATHS),
            )

    def read(self, now_s: float) -> Wish:
        events = self._file.read(now_s)
        if events is None:
            self._forget()
            return Wish(connected=False, part=self._part, note="the gamepad is gone: let go")
        requests: list[str] = []
        for _, value, kind, number in events:
            if kind & ~INIT == BUTTON:
                self._press(number, value, bool(kind & INIT), now_s, requests)
            elif kind & ~INIT == AXIS and (not kind & INIT or number in self._axes):
                # The first value of an axis is a guess of the driver's. Later the kernel repeats all axes when it had
                # to drop events, and then they are true.
                self._axes[number] = value / FULL
        left_s = self._box.left_s(now_s)
        if not left_s:
            self._rested.forget()
        motion, grip = self._velocity(left_s > 0)
        hold = self._bindings.control("hold").replace("_", " ")
        note = f"enable held, {left_s:.0f} s at most" if left_s else f"not held: {hold}"
        return Wish(left_s > 0, motion, grip, self._part, tuple(requests), True, note)

    def fileno(self) -> int | None:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        self._forget()

    def _find(self) -> tuple[str, str]:
        return self._path or next(iter(sorted(glob.glob(PATHS))), ""), "none"

    def _opened(self, fd: int) -> str:
        layout = read_layout(fd)
        self._bind(layout)
        hold = self._bindings.control("hold")
        return "" if layout.button(hold) is not None else f"it has no button '{hold}', which is bound to hold"

    def _bind(self, layout: PadLayout) -> None:
        """Look up the numbers of what is bound; what the pad does not have does nothing."""
        self._actions: dict[tuple[int | None, bool], str] = {}
        self._sticks: dict[int, tuple[int, int]] = {}  # axis of the pad -> axis of the motion, and its sign
        self._triggers: dict[str, int] = {}
        for action, control in self._bindings.controls.items():
            if action in AXES:
                number = layout.axis(control.lstrip("-"))
                if number is not None:
                    self._sticks[number] = AXES.index(action), -1 if control.startswith("-") else 1
            elif action in GRIPS:
                number = layout.axis(control)
                if number is not None:
                    self._triggers[action] = number
            else:
                self._actions[layout.button(control.removeprefix(SHIFT)), control.startswith(SHIFT)] = action

    def _forget(self) -> None:
        self._box.release()
        self._rested.forget()
        self._axes: dict[int, float] = {}
        self._shifted = False

    def _press(self, number: int, value: int, repeated: bool, now_s: float, events: list[str]) -> None:
        plain = self._actions.get((number, False), "")
        if plain == "shift":
            self._shifted = bool(value) and not repeated
        elif not value:
            if plain == "hold":
                self._box.release()
        elif repeated:
            return
        elif plain == "hold":
            self._box.take(now_s)
            self._rested.forget()
        elif plain == "next" and not self._shifted:
            self._part += 1
        else:
            action = self._actions.get((number, self._shifted), "")
            if action in EVENTS:
                events.append(action)

    def _velocity(self, held: bool) -> tuple[np.ndarray, float]:
        motion = np.zeros(6)
        for number, (axis, sign) in self._sticks.items():
            motion[axis] = sign * self._pushed(number, self._axes.get(number, 0.0), held)
        grips = {
            action: self._pushed(number, (self._axes.get(number, -1.0) + 1) / 2, held)
            for action, number in self._triggers.items()
        }
        return motion, grips.get("close", 0.0) - grips.get("open", 0.0)

    def _pushed(self, number: int, value: float, held: bool) -> float:
        """How far an axis is pushed beyond its deadband, -1 to 1."""
        beyond = max(abs(value) - self._deadband, 0.0) / (1 - self._deadband)
        counts = self._rested.counts(number, beyond == 0, held)
        return float(np.copysign(min(beyond, 1.0), value)) if counts else 0.0


DEVICE = DeviceKind(
    "a gamepad at /dev/input/js*: sticks move while the shoulder is held",
    lambda options: Gamepad(options["hold_s"], options["path"], options["deadband"], options["bindings"]),
    vocabulary=VOCABULARY,
)
