"""Processes on this machine."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Iterator, Sequence

from tiller.sweep.cell import POLL_S, CellProcess
from tiller.sweep.launchers.launcher import Ended, Job, Launcher
from tiller.sweep.launchers.options import LocalOptions


class LocalLauncher(Launcher):
    """Runs `options.jobs` processes at a time. They stop when this process ends, however it ends."""

    def __init__(self, options: LocalOptions) -> None:
        self._options = options
        self._running: dict[Job, CellProcess] = {}

    def run(self, jobs: Sequence[Job]) -> Iterator[Ended]:
        waiting = deque(jobs)
        while waiting or self._running:
            while waiting and len(self._running) < self._options.jobs:
                job = waiting.popleft()
                self._running[job] = CellProcess(
                    job.verb, job.overrides, Path(job.folder), cwd=job.cwd, time_min=job.time_min
                )
            over = [job for job, cell in self._running.items() if cell.poll()]
            for job in over:
                del self._running[job]
                yield Ended(job)
            if not over:
                time.sleep(POLL_S)

    def stop(self) -> None:
        for cell in self._running.values():
            cell.ask_to_stop()
        try:
            for cell in self._running.values():
                cell.stop()
        finally:  # also at a second Ctrl-C
            for cell in self._running.values():
                cell.kill()
        self._running.clear()
