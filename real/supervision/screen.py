"""Writing to a terminal or a pipe without waiting for it.

A terminal that was stopped with ctrl-S, or a pipe that nobody empties, blocks whoever writes. A thread does the
writing, so that signs of life go on meanwhile.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from threading import Condition, Thread
from typing import IO, Sequence

KEPT = 200  # lines that wait, at most
SOON_S = 0.5

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"  # terminals that know it show the page at once; others ignore it
_HOME, _END_OF_LINE, _END_OF_PAGE = "\x1b[H", "\x1b[K", "\x1b[J"


class Screen:
    """Lines, a last line that is written over, or a whole page; the newest page counts.

    Args:
        stream: a terminal or a pipe; None takes standard output.
    """

    def __init__(self, stream: IO[str] | None = None):
        self._stream = sys.stdout if stream is None else stream
        self._fresh = Condition()
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._steer = self._page = ""
        self._entered = self._ended = False
        self._thread = Thread(target=self._write, name="screen", daemon=True)
        self._thread.start()

    @property
    def is_terminal(self) -> bool:
        return self._stream.isatty()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except OSError:
            return 80, 24
        return found.columns or 80, found.lines or 24  # a new pseudo terminal has none

    def line(self, text: str) -> None:
        """A line for good."""
        with self._fresh:
            self._lines.append(printable(text) + "\n")
            self._fresh.notify()

    def over(self, text: str) -> None:
        """Write over the line that the cursor is in."""
        columns, _ = self.size
        self._show(f"\r{printable(text)[: columns - 1]}{_END_OF_LINE}")

    def page(self, rows: Sequence[str]) -> None:
        """Fill the terminal, line over line: nothing is erased before it is written, so nothing flickers."""
        columns, lines = self.size
        body = "\r\n".join(f"{printable(row)[:columns]}{_END_OF_LINE}" for row in rows[:lines])
        self._show(f"{_BEGIN}{_HOME}{body}{_END_OF_PAGE}{_END}", "" if self._entered else _ENTER)
        self._entered = True

    def close(self, last: str = "") -> None:
        """Leave the terminal as it was, with a last line; what waits is written, if that is possible soon."""
        with self._fresh:
            if self._entered:
                self._steer, self._page, self._entered = self._steer + _LEAVE, "", False
            if last:
                self._lines.append(printable(last) + "\n")
            self._ended = True
            self._fresh.notify()
        self._thread.join(timeout=SOON_S)

    def _show(self, text: str, steer: str = "") -> None:
        with self._fresh:
            self._steer, self._page = self._steer + steer, text
            self._fresh.notify()

    def _write(self) -> None:
        while True:
            with self._fresh:
                self._fresh.wait_for(lambda: self._lines or self._page or self._ended)
                text = self._steer + "".join(self._lines) + self._page
                self._steer = self._page = ""
                self._lines.clear()
                ended = self._ended
            # Past the stream's buffer, whose lock would keep the process from ending while this waits.
            left = text.encode(getattr(self._stream, "encoding", None) or "utf-8", "replace")
            try:
                while left:
                    left = left[os.write(self._stream.fileno(), left):]
            except (OSError, ValueError):
                return  # nobody reads any more
            if ended:
                return


def printable(text: str) -> str:
    """A text without the characters that steer a terminal: status texts come from anybody."""
    return "".join(each if each.isprintable() else " " for each in text)
