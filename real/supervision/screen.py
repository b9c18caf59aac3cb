"""Writing to a terminal or a pipe without waiting for it.

A terminal that was stopped with ctrl-S, or a pipe that nobody empties, blocks whoever writes. A thread does the
writing, so that signs of life go on meanwhile.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from threading import Condition, Thread
from typing import IO, Hashable, Sequence

KEPT = 200  # lines that wait, at most
SOON_S = 0.5
APART_S = 1.0  # between two lines of a status that changes, where it cannot be written over

RELAYED = "TILLER_STATUS_RELAYED"
"""Set, to the columns that it has, by a process that shows the status line of another, which writes into a pipe."""
_STATUS = "\x1e"  # begins such a line

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
        self._steer = self._page = self._bottom = self._relayed = ""
        self._entered = self._ended = False
        self._state: Hashable = None
        self._waiting, self._written_s = "", float("-inf")
        self._errors: _Errors | None = None
        self._thread = Thread(target=self._write, name="screen", daemon=True)
        self._thread.start()

    @property
    def is_terminal(self) -> bool:
        return self._stream.isatty()

    @property
    def writes_over(self) -> bool:
        """Whether a line can be written over: on a terminal that knows how to clear one."""
        return self.is_terminal and os.environ.get("TERM") != "dumb"

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except OSError:
            columns = os.environ.get(RELAYED, "")
            return (int(columns) if columns.isdecimal() and 0 < len(columns) < 5 else 80) or 80, 24
        return size.columns or 80, size.lines or 24  # a new pseudo terminal has none

    def line(self, text: str) -> None:
        """A line for good."""
        with self._fresh:
            self._lines.append(printable(text) + "\n")
            self._fresh.notify()

    def over(self, text: str, state: Hashable = None) -> None:
        """Write over the last line. Where that cannot be done, in a pipe, a file or a dumb terminal, the text becomes a
        line of its own when something of it has changed that matters, at most once in `APART_S`; the newest such text
        is not lost.

        Args:
            text: of the line.
            state: what of it matters; None takes the text.
        """
        if self.writes_over:
            columns, _ = self.size
            self._show(f"\r{printable(text)[: columns - 1]}{_END_OF_LINE}", bottom=True)
            return
        if RELAYED in os.environ:
            with self._fresh:
                self._relayed = f"{_STATUS}{printable(text)}\n"
                self._fresh.notify()
            return
        state = text if state is None else state
        if state != self._state:
            self._state, self._waiting = state, text
        elif self._waiting:
            self._waiting = text  # the same state, with newer numbers
        if self._waiting and time.monotonic() - self._written_s >= APART_S:
            self._write_waiting()

    def catch_errors(self) -> None:
        """Where standard error is the same terminal, take what this process writes there (logs of ROS, which come from
        below Python) as lines above the last line, until `close`.
        """
        if self._errors is None and self.is_terminal and os.isatty(sys.stderr.fileno()):
            self._errors = _Errors(self)

    def page(self, rows: Sequence[str]) -> None:
        """Fill the terminal, line over line: nothing is erased before it is written, so nothing flickers."""
        columns, lines = self.size
        body = "\r\n".join(f"{printable(row)[:columns]}{_END_OF_LINE}" for row in rows[:lines])
        self._show(f"{_BEGIN}{_HOME}{body}{_END_OF_PAGE}{_END}", "" if self._entered else _ENTER)
        self._entered = True

    def close(self, last: str = "") -> None:
        """Leave the terminal as it was, with a last line; what waits is written, if that is possible soon."""
        if self._errors is not None:
            self._errors.close()
        if self._waiting:
            self._write_waiting()
        with self._fresh:
            if self._entered:
                self._steer, self._page, self._entered = self._steer + _LEAVE, "", False
            if self._bottom:
                self._page, self._bottom = f"{self._bottom}\n", ""
            if last:
                self._lines.append(printable(last) + "\n")
            self._ended = True
            self._fresh.notify()
        self._thread.join(timeout=SOON_S)

    def _write_waiting(self) -> None:
        self.line(self._waiting)
        self._waiting, self._written_s = "", time.monotonic()

    def _show(self, text: str, steer: str = "", bottom: bool = False) -> None:
        with self._fresh:
            self._steer, self._page = self._steer + steer, text
            self._bottom = text if bottom else ""
            self._fresh.notify()

    def _write(self) -> None:
        while True:
            with self._fresh:
                self._fresh.wait_for(lambda: self._lines or self._page or self._relayed or self._ended)
                lines = "".join(self._lines)
                if self._bottom and lines:
                    # Above the last line: it is taken away, and written anew below them.
                    lines, self._page = f"\r{_END_OF_LINE}{lines}", self._page or self._bottom
                text = self._steer + lines + self._page + self._relayed
                self._steer = self._page = self._relayed = ""
                self._lines.clear()
                ended = self._ended
            # Past the stream's buffer, whose lock would keep the process from ending while this waits.
            left = text.encode(getattr(self._stream, "encoding", None) or "utf-8", "replace")
            try:
                while left:
                    left = left[os.write(self._stream.fileno(), left) :]
            except (OSError, ValueError):
                return  # nobody reads any more
            if ended:
                return


class _Errors:
    """Standard error of this process as lines of a screen."""

    def __init__(self, screen: Screen) -> None:
        sys.stderr.flush()
        self._stderr = os.dup(2)
        self._out, into = os.pipe()
        os.dup2(into, 2)
        os.close(into)
        self._thread = Thread(target=self._read, args=(screen,), name="errors", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Restore standard error; what was written so far has become lines."""
        sys.stderr.flush()
        os.dup2(self._stderr, 2)  # the last writer of the pipe is gone: its reader comes to the end
        os.close(self._stderr)
        self._thread.join(timeout=SOON_S)

    def _read(self, screen: Screen) -> None:
        with os.fdopen(self._out, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                screen.line(line.rstrip("\n"))


def relayed(line: str) -> str | None:
    """The status in a line of another process; None where the line is none."""
    return line[len(_STATUS) :] if line.startswith(_STATUS) else None


def printable(text: str) -> str:
    """A text without the characters that steer a terminal: status texts come from anybody."""
    return "".join(each if each.isprintable() else " " for each in text)
