"""Names of a gamepad's buttons and axes, and the numbers that Linux's joystick interface gives them on this pad.

A driver numbers what its pad has, in the order of the kernel's own codes; the codes say which is which
(https://docs.kernel.org/input/gamepad.html). A pad that cannot be asked has the numbers of an Xbox pad.
"""

from __future__ import annotations

import fcntl
import struct
from dataclasses import dataclass
from typing import Mapping, Sequence

# BTN_* and ABS_* of linux/input-event-codes.h.
BUTTON_CODES = {
    "a": 0x130,
    "b": 0x131,
    "x": 0x133,
    "y": 0x134,
    "left_shoulder": 0x136,
    "right_shoulder": 0x137,
    "select": 0x13A,
    "start": 0x13B,
    "guide": 0x13C,
    "left_stick": 0x13D,
    "right_stick": 0x13E,
}
AXIS_CODES = {
    "left_stick_x": 0x00,
    "left_stick_y": 0x01,
    "left_trigger": 0x02,
    "right_stick_x": 0x03,
    "right_stick_y": 0x04,
    "right_trigger": 0x05,
    "cross_x": 0x10,
    "cross_y": 0x11,
}
TRIGGERS = ("left_trigger", "right_trigger")

# _IOR('j', number, size) of linux/joystick.h; the codes of axes are bytes, those of buttons two.
_AXES, _BUTTONS, _AXIS_MAP, _BUTTON_MAP = 0x80016A11, 0x80016A12, 0x80406A32, 0x84006A34
_MOST_AXES, _MOST_BUTTONS = 64, 512


@dataclass(frozen=True)
class PadLayout:
    """Numbers of a pad.

    Args:
        buttons, axes: name -> number of the joystick interface.
    """

    buttons: Mapping[str, int]
    axes: Mapping[str, int]

    def button(self, name: str) -> int | None:
        """The number of a button; None where the pad has none such."""
        return _number(name, self.buttons, ("button",))

    def axis(self, name: str) -> int | None:
        """The number of an axis or trigger; None where the pad has none such."""
        return _number(name, self.axes, ("axis", "trigger"))


XBOX = PadLayout(
    {name: number for number, name in enumerate(BUTTON_CODES)}, {name: number for number, name in enumerate(AXIS_CODES)}
)


def layout_of(button_codes: Sequence[int], axis_codes: Sequence[int]) -> PadLayout:
    """The layout of a pad by the kernel's codes of its buttons and axes, in the order of their numbers."""
    buttons, axes = list(button_codes), list(axis_codes)
    return PadLayout(
        {name: buttons.index(code) for name, code in BUTTON_CODES.items() if code in buttons},
        {name: axes.index(code) for name, code in AXIS_CODES.items() if code in axes},
    )


def read_layout(fd: int) -> PadLayout:
    """The layout of an open joystick device; that of an Xbox pad for what is none."""
    try:
        axes, buttons = (_request(fd, request, 1)[0] for request in (_AXES, _BUTTONS))
        axis_codes = _request(fd, _AXIS_MAP, _MOST_AXES)[:axes]
        packed = _request(fd, _BUTTON_MAP, 2 * _MOST_BUTTONS)
    except OSError:
        return XBOX
    return layout_of(struct.unpack(f"={_MOST_BUTTONS}H", packed)[:buttons], axis_codes)


def _request(fd: int, request: int, size: int) -> bytes:
    buffer = bytearray(size)
    fcntl.ioctl(fd, request, buffer)
    return bytes(buffer)


def _number(name: str, known: Mapping[str, int], words: tuple[str, ...]) -> int | None:
    kind, _, number = name.partition(" ")
    return int(number) if kind in words and number.isdecimal() else known.get(name)
