"""Writes the gate's flight records in a thread beside it: a tick never waits for a disk."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Callable

from robot.errors import TillerError
from robot.safety.gate.flight_record import Tick, write_record
from robot.safety.gate.settings import GateSettings

OnRecord = Callable[[Path | None, str], None]
TURN_S = 0.01
# After each tick that is written, times as long as that took: it holds the interpreter, for which the gate's own ticks
# would wait.
PAUSE, LONGEST_PAUSE_S = 5, 0.003
SLICE = 20  # ticks that are freed between two pauses
NOTES = 8  # of a record, at most


@dataclass
class _Request:
    ticks: tuple[Tick, ...]
    notes: list[str] = field(default_factory=list)
    callbacks: list[OnRecord] = field(default_factory=list)


class RecordWriter:
    """Writes records one after another. Requests that come meanwhile become one record, of the newest ticks: they hold
    those of the other requests too.

    Args:
        folder: of the records.
        settings: of the gate.

    Attributes:
        last: where the newest record is, or why it was not written; empty before the first.
    """

    def __init__(self, folder: Path, settings: GateSettings) -> None:
        self._folder, self._settings = folder.absolute(), settings
        self._lock, self._writing = Lock(), False
        self._waiting: _Request | None = None
        self._done: SimpleQueue[tuple[_Request, Path | None, str]] = SimpleQueue()
        self._hurried, self._paced_s = False, 0.0
        self._open = 0  # requests whose outcome was not reported
        self.last = ""

    def request(self, ticks: tuple[Tick, ...], note: str, on_record: OnRecord) -> None:
        """Have a record written.

        Args:
            ticks: one at least.
            note: what happened, for people.
            on_record: called in `turn` or `finish` with the file, or with None and why there is none.
        """
        with self._lock:
            if self._waiting is None:
                self._waiting = _Request(ticks)
                self._open += 1
            request = self._waiting
            request.ticks = ticks
            request.callbacks.append(on_record)
            if note not in request.notes and len(request.notes) < NOTES:
                request.notes.append(note)
            if self._writing:
                return
            self._writing = True
        # Not a daemon: a process that ends waits for its records. At this thread's priority: at a lower one it might
        # hold the interpreter while it waits for others.
        try:
            Thread(target=self._write_all, name="flight record").start()
        except RuntimeError as error:
            with self._lock:
                self._waiting, self._writing = None, False
            self._done.put((request, None, f"flight record: not written: {error}"))

    def turn(self) -> None:
        """Report the records that were written, or failed, since the last call to those who requested them."""
        while not self._done.empty():
            request, path, problem = self._done.get()
            self._open -= 1
            self.last = problem or str(path)
            for callback in request.callbacks:
                callback(path, problem)

    def finish(self, within_s: float) -> None:
        """Wait for at most `within_s` until everything is written and reported; the rest is still written after it."""
        self._hurried = True
        end = time.monotonic() + within_s
        self.turn()
        while self._open and time.monotonic() < end:
            time.sleep(TURN_S)
            self.turn()

    def _write_all(self) -> None:
        while True:
            with self._lock:
                request, self._waiting = self._waiting, None
                self._writing = request is not None
            if request is None:
                return
            path, problem = self._write(request)
            ticks, request.ticks = list(request.ticks), ()
            self._done.put((request, path, problem))
            self._let_go(ticks)

    def _let_go(self, ticks: list[Tick]) -> None:
        """Free ticks that the recorder has dropped meanwhile: all at once would take tens of milliseconds."""
        while ticks:
            del ticks[-SLICE:]
            self._pace()

    def _pace(self) -> None:
        if not self._hurried:
            time.sleep(min(PAUSE * (time.monotonic() - self._paced_s), LONGEST_PAUSE_S))
        self._paced_s = time.monotonic()

    def _write(self, request: _Request) -> tuple[Path | None, str]:
        path = self._folder / f"flight-{time.strftime('%Y%m%d-%H%M%S')}.tfr"
        try:
            return write_record(path, self._settings, request.ticks, "; ".join(request.notes), self._pace), ""
        except TillerError as error:
            return None, str(error)
        except Exception as error:  # whatever it is, who waits needs an answer
            return None, f"flight record {path}: not written: {type(error).__name__}: {error}"
