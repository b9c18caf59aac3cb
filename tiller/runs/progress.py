"""How far something long is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from types import TracebackType

SECONDS_BETWEEN_LINES = 30.0


class Counter:
    """Counts up to a total on stderr; used as a context.

    Args:
        label: what is done, for example `evaluating pusht/state`.
        total: how many there will be; None where that is not known yet.
    """

    def __init__(self, label: str, total: int | None = None):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.label, self.total, self.done = label, total, 0
        self._line_at = time.monotonic()
        self._bar: Progress | None = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn(label),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[standing]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(label, total=total, standing="")

    def show(self, done: int, standing: str = "", total: int | None = None) -> None:
        """Note how many are done, and the results so far in a few words."""
        self.done, self.total = done, total or self.total
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self.total, standing=standing)
        elif time.monotonic() - self._line_at >= SECONDS_BETWEEN_LINES:
            self._line_at = time.monotonic()
            with suppress(OSError):  # nobody reads it any more: the work goes on, or is stopped by a signal
                print(f"{self.label}: {done}/{self.total}  {standing}".rstrip(), file=sys.stderr, flush=True)

    def pause(self) -> None:
        """Leave the terminal to a question."""
        if self._bar is not None:
            self._bar.stop()

    def __enter__(self) -> Counter:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()
