"""A terminal that hands each key on at once and without an echo, until it is closed."""

from __future__ import annotations

import os
import select
import termios
import tty
from contextlib import suppress
from typing import Any

MOST = 4096


class Terminal:
    """Keys of a terminal. Interrupt and suspend still work.

    Args:
        fd: of a terminal.

    Attributes:
        connected: it is still there.
    """

    def __init__(self, fd: int) -> None:
        self.fd, self.connected = fd, True
        self._escape = ""
        self._before: list[Any] | None = termios.tcgetattr(fd)
        tty.setcbreak(fd, termios.TCSAFLUSH)  # what was typed before is dropped

    def typed(self) -> str:
        """Keys since the last reading, without the sequences that arrows and function keys send."""
        keys = ""
        while self.connected and select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, MOST)
            except OSError:
                data = b""
            if not data:
                self.connected = False
            for key in data.decode("ascii", "replace"):
                if self._escape or key == "\x1b":
                    self._escape = _continued(self._escape, key)
                else:
                    keys += key
        return keys

    def close(self) -> None:
        """Leave it as it was; keys that nobody has read are dropped."""
        if self._before is not None:
            before, self._before = self._before, None
            with suppress(termios.error):  # a terminal that is gone has nothing to be set back
                termios.tcsetattr(self.fd, termios.TCSAFLUSH, before)


def in_foreground(fd: int) -> bool:
    """Whether a descriptor is a terminal that this process may change: one in the background would be stopped."""
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def _continued(escape: str, key: str) -> str:
    """The part of an escape sequence read so far, with one more key; empty when it has ended.

    `ESC [ ... final` and `ESC O final`; `ESC key` is that key with Alt, which means nothing here.
    """
    sequence = escape + key
    if len(sequence) == 1 or sequence in ("\x1b[", "\x1bO", "\x1b\x1b"):
        return "\x1b" if sequence == "\x1b\x1b" else sequence
    if sequence.startswith("\x1b[") and not "@" <= key <= "~":
        return sequence
    return ""
