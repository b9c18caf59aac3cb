"""What each launcher takes; the files of `configs/launcher/` hold the defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from robot.errors import InputError


@dataclass(frozen=True)
class LocalOptions:
    """Options of `launcher=local`.

    Args:
        jobs: runs at a time.
        time_min: minutes that a run may take; null for no limit.
    """

    jobs: int = 1
    time_min: float | None = None

    def __post_init__(self) -> None:
        _check("jobs", self.jobs, least=1)
        _check("launcher.time_min", self.time_min, least=0)


@dataclass(frozen=True)
class RayOptions:
    """Options of `launcher=ray`.

    Args:
        jobs: runs at a time; null for as many as the cluster has room for.
        address: of the cluster, HOST:PORT or auto; null starts one on this machine.
        cpus, gpus: that a run takes.
        memory_gb: that a run is given room for; null leaves it to Ray.
        retries: of a run whose node was lost.
        time_min: minutes that a run may take; null for no limit.
    """

    jobs: int | None = None
    address: str | None = None
    cpus: float = 1
    gpus: float = 0
    memory_gb: float | None = None
    retries: int = 2
    time_min: float | None = None

    def __post_init__(self) -> None:
        _check("jobs", self.jobs, least=1)
        for name in ("cpus", "gpus", "memory_gb", "retries", "time_min"):
            _check(f"launcher.{name}", getattr(self, name), least=0)


@dataclass(frozen=True)
class SlurmOptions:
    """Options of `launcher=slurm`.

    Args:
        jobs: runs at a time; null leaves it to SLURM.
        partition, account, qos, constraint: as sbatch takes them; null for the cluster's default.
        time_min: minutes that a run may take.
        cpus, gpus: that a run takes.
        memory_gb: that a run takes; null for the cluster's default.
        setup: lines of shell before the run, for example launcher.setup=['module load cuda'].
        parameters: more options of sbatch, for example launcher.parameters.exclude=node7.
        cluster: slurm, or local for processes of submitit on this machine, to try things out.
    """

    jobs: int | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time_min: int = 60
    cpus: int = 1
    gpus: int = 0
    memory_gb: float | None = None
    setup: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cluster: str = "slurm"

    def __post_init__(self) -> None:
        _check("jobs", self.jobs, least=1)
        for name, least in {"time_min": 1, "cpus": 1, "gpus": 0, "memory_gb": 0}.items():
            _check(f"launcher.{name}", getattr(self, name), least=least)
        if self.cluster not in ("slurm", "local"):
            raise InputError("launcher.cluster", expected="slurm or local", got=f"'{self.cluster}'")


Options = LocalOptions | RayOptions | SlurmOptions


def _check(name: str, value: float | None, *, least: int) -> None:
    if value is not None and value < least:
        raise InputError(name, expected=f"a number of at least {least}", got=str(value))
