"""Jobs of SLURM, submitted through submitit."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any, Iterator, Sequence

from robot.errors import InputError
from tiller.runs.output import finished_figures
from tiller.sweep.cell import run_cell, wait_until_gone
from tiller.sweep.launchers.launcher import Ended, Job, Launcher
from tiller.sweep.launchers.options import SlurmOptions
from tiller.sweep.record import read_error

FOLDER = ".submitit"
LOOK_S = 1.0


class SlurmLauncher(Launcher):
    """Submits all runs as one job array; each job watches the run's process on its node.

    Jobs outlive a sweep that was killed. When it is resumed, a run that is still in its old job is waited for.

    Raises:
        InputError: this machine does not submit to SLURM.
    """

    def __init__(self, options: SlurmOptions, folder: str) -> None:
        import submitit

        self._options = options
        self._running: dict[Any, Job] = {}
        try:
            self._executor = submitit.AutoExecutor(Path(folder) / FOLDER / "%j", cluster=options.cluster)
            self._executor.update_parameters(**_parameters(options))
        except (RuntimeError, NameError) as error:
            raise InputError(
                "launcher=slurm",
                expected="a machine that submits to SLURM",
                got=str(error),
                way_out="Run it on a login node, or with launcher.cluster=local",
            ) from None

    def run(self, jobs: Sequence[Job]) -> Iterator[Ended]:
        waiting = deque(jobs)
        at_once = len(jobs) if self._options.cluster == "slurm" else self._options.jobs or 1
        while waiting or self._running:
            room = [waiting.popleft() for _ in range(min(len(waiting), at_once - len(self._running)))]
            if room:
                self._submit(room)
            over = [task for task in self._running if task.done()]
            for task in over:
                job = self._running.pop(task)
                yield Ended(job, _what_went_wrong(job, task))
            if not over:
                time.sleep(LOOK_S)

    def stop(self) -> None:
        for task in self._running:
            task.cancel(check=False)
        wait_until_gone([Path(job.folder) for job in self._running.values()])
        self._running.clear()

    def _submit(self, jobs: Sequence[Job]) -> None:
        with self._executor.batch():
            tasks = [
                self._executor.submit(run_cell, job.verb, list(job.overrides), job.folder, job.cwd, job.time_min)
                for job in jobs
            ]
        self._running.update(zip(tasks, jobs))


def _parameters(options: SlurmOptions) -> dict[str, Any]:
    """What submitit calls the options; those that are null are left to the cluster."""
    parameters = {
        "name": "tiller",
        "timeout_min": options.time_min,
        "cpus_per_task": options.cpus,
        "gpus_per_node": options.gpus or None,
        "mem_gb": options.memory_gb,
        "slurm_partition": options.partition,
        "slurm_account": options.account,
        "slurm_qos": options.qos,
        "slurm_constraint": options.constraint,
        "slurm_array_parallelism": options.jobs,
        "slurm_setup": list(options.setup) or None,
        "slurm_additional_parameters": dict(options.parameters) or None,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def _what_went_wrong(job: Job, task: Any) -> str:
    """Read from the run's folder, and from SLURM's state where nothing is there; submitit's pickled result is left."""
    folder = Path(job.folder)
    if finished_figures(folder) is not None or read_error(folder) is not None:
        return ""
    lines = (task.stderr() or "").strip().splitlines()
    return f"job {task.job_id} ended as {task.state}" + (f": {lines[-1]}" if lines else "")
