"""What a launcher is: it takes runs as plain values and reports which of them have ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Iterator, Sequence


@dataclass(frozen=True)
class Job:
    """One run. Only its strings and numbers travel; the result is what the run leaves in its folder.

    Args:
        verb: what runs.
        overrides: all but the output.
        folder: of its output, an absolute path.
        cwd: that relative paths in the overrides start from.
        time_min: it is stopped when it has run for longer; None for no limit.
    """

    verb: str
    overrides: tuple[str, ...]
    folder: str
    cwd: str
    time_min: float | None = None


@dataclass(frozen=True)
class Ended:
    """A run that is over.

    Args:
        job: which one.
        lost: why nothing is on disk, where whoever watched the run could not write it down; else empty.
    """

    job: Job
    lost: str = ""


class Launcher(ABC):
    """Runs jobs, some at a time."""

    @abstractmethod
    def run(self, jobs: Sequence[Job]) -> Iterator[Ended]:
        """Run all jobs, and name each one when it is over. A run that fails never ends the others.

        Returns:
            The jobs that are over, each once, as they end.
        """

    @abstractmethod
    def stop(self) -> None:
        """End what runs, as by Ctrl-C, and return when it is gone; then nothing else is started."""
