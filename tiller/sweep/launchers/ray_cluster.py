"""Tasks on a Ray cluster."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Any, Iterator, Sequence

from robot.errors import InputError
from tiller.sweep.cell import run_cell, wait_until_gone
from tiller.sweep.launchers.launcher import Ended, Job, Launcher
from tiller.sweep.launchers.options import RayOptions

LOOK_S = 1.0


class RayLauncher(Launcher):
    """Gives each run to a task of its own, which watches the run's process on the node that Ray chose.

    Ray ends the tasks of a program that is gone, and with each task the process that it watches.

    Raises:
        InputError: no cluster answers at the address.
    """

    def __init__(self, options: RayOptions) -> None:
        # Read when Ray is imported: nothing about a sweep is sent to anyone.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        self._ray: Any = ray
        self._options = options
        self._running: dict[Any, Job] = {}
        own = {} if options.address else {"include_dashboard": False}
        try:
            self._ray.init(address=options.address or "local", log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(
                f"launcher.address={options.address}",
                expected="a Ray cluster that answers",
                got=str(error).strip().splitlines()[0],
                way_out="Start one with `ray start --head`, or leave the address out",
            ) from None
        self._task = self._ray.remote(run_cell).options(
            num_cpus=options.cpus,
            num_gpus=options.gpus,
            max_retries=options.retries,
            memory=None if options.memory_gb is None else int(options.memory_gb * 1e9),
        )

    def run(self, jobs: Sequence[Job]) -> Iterator[Ended]:
        waiting = deque(jobs)
        at_once = self._options.jobs or len(jobs)
        while waiting or self._running:
            while waiting and len(self._running) < at_once:
                job = waiting.popleft()
                task = self._task.remote(job.verb, list(job.overrides), job.folder, job.cwd, job.time_min)
                self._running[task] = job
            over, _ = self._ray.wait(list(self._running), num_returns=1, timeout=LOOK_S)
            for task in over:
                yield Ended(self._running.pop(task), self._what_went_wrong(task))
        self._ray.shutdown()

    def stop(self) -> None:
        tasks = list(self._running)
        for task in tasks:
            self._ray.cancel(task)  # a KeyboardInterrupt in the task, which stops what it watches
        wait_until_gone([Path(job.folder) for job in self._running.values()])
        self._running.clear()
        self._ray.shutdown()

    def _what_went_wrong(self, task: Any) -> str:
        try:
            self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            return str(error.cause).strip() or type(error.cause).__name__
        except self._ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines()
            return f"Ray lost the run: {lines[0] if lines else type(error).__name__}"
        return ""
