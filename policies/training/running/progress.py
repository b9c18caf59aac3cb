"""How far a training run is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 30.0


class TrainingProgress:
    """Shows updates done, the time left and the newest numbers.

    Args:
        total: updates of the whole run.
        show: false is silent, as all processes but the first are.
        stream: where to write; None is the standard error.
    """

    def __init__(self, total: int, show: bool = True, stream: TextIO | None = None):
        self.total, self.done, self.show, self.stream = total, 0, show, stream or sys.stderr
        self._first, self._started, self._line_at = 0, time.monotonic(), -SECONDS_BETWEEN_LINES
        self._bar = (
            Progress(
                TextColumn("train"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("eta"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[numbers]}"),
                console=Console(file=self.stream),
            )
            if show and self.stream.isatty()
            else None
        )
        self._task = self._bar.add_task("train", total=total, numbers="") if self._bar else None

    def resume(self, done: int) -> None:
        """Go on after so many updates that were made before, which do not count in this run's rate."""
        self._first, self._started = done, time.monotonic()
        self.advance(done)
        if self._bar is not None and self._task is not None:
            self._bar.reset(self._task, completed=done, numbers="")

    def advance(self, update: int) -> None:
        """Note an update; cheap."""
        self.done = update
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=update)

    def numbers(self, **values: float) -> None:
        """Show numbers: at once on the bar, at most every half minute as a line."""
        text = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, numbers=text)
        elif now - self._line_at >= SECONDS_BETWEEN_LINES:
            self._line_at = now
            rate = (self.done - self._first) / (now - self._started)
            left = f"{(self.total - self.done) / rate / 60:.1f} min left" if rate else "no update yet"
            self.say(f"update {self.done}/{self.total}  {text}  {left}")

    def say(self, line: str) -> None:
        """Print a line that stays; a closed terminal must not end the training."""
        with suppress(OSError):
            if self._bar is not None:
                self._bar.console.print(line, highlight=False)
            elif self.show:
                print(line, file=self.stream, flush=True)

    def __enter__(self) -> TrainingProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()
