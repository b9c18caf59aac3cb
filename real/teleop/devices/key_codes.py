"""Keys by the codes of Linux's input events (linux/input-event-codes.h), and what an input device can be asked."""

from __future__ import annotations

import fcntl
import os
import stat

_ROWS = (
    (1, "esc 1 2 3 4 5 6 7 8 9 0 minus equal backspace tab q w e r t y u i o p leftbrace rightbrace enter leftctrl"),
    (30, "a s d f g h j k l semicolon apostrophe grave leftshift backslash z x c v b n m comma dot slash rightshift"),
    (55, "kpasterisk leftalt space capslock f1 f2 f3 f4 f5 f6 f7 f8 f9 f10 numlock scrolllock"),
    (71, "kp7 kp8 kp9 kpminus kp4 kp5 kp6 kpplus kp1 kp2 kp3 kp0 kpdot"),
    (86, "102nd f11 f12"),
    (96, "kpenter rightctrl kpslash sysrq rightalt"),
    (102, "home up pageup left right end down pagedown insert delete"),
    (125, "leftmeta rightmeta compose"),
)
CODES = {name: first + at for first, names in _ROWS for at, name in enumerate(names.split())}
NAMES = {code: name for name, code in CODES.items()}

EV_KEY = 0x01
# _IOC(_IOC_READ, 'E', number, size) and _IOW('E', 0x90, int) of linux/input.h.
_NAME, _NAME_SIZE = 0x81004506, 256
_KEYS, _KEYS_SIZE = 0x80604521, 96
_GRAB = 0x40044590


def is_device(fd: int) -> bool:
    """Whether a descriptor is that of a device, which can be asked; a FIFO cannot."""
    return stat.S_ISCHR(os.fstat(fd).st_mode)


def device_name(fd: int) -> str:
    """What the device calls itself; empty for what is no input device."""
    buffer = bytearray(_NAME_SIZE)
    try:
        fcntl.ioctl(fd, _NAME, buffer)
    except OSError:
        return ""
    return buffer.split(b"\0", 1)[0].decode("utf-8", "replace")


def keys_of(fd: int) -> frozenset[int]:
    """Codes of the keys that the device has; empty for what is no input device."""
    buffer = bytearray(_KEYS_SIZE)
    try:
        fcntl.ioctl(fd, _KEYS, buffer)
    except OSError:
        return frozenset()
    return frozenset(code for code in range(8 * _KEYS_SIZE) if buffer[code // 8] >> code % 8 & 1)


def grab(fd: int) -> str:
    """Take a device for this process alone; returns why it cannot be."""
    try:
        fcntl.ioctl(fd, _GRAB, 1)
    except OSError as error:
        return error.strerror or str(error)
    return ""
