"""What each launcher takes; the files of `configs/launcher/` hold the defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping

from robot.description.ranges import Count, Duration, NonNegative, Range
from robot.description.record import require_ranges
from robot.errors import InputError

Cores = Annotated[int, Range(1, 100_000)]
Devices = Annotated[int, Range(0, 10_000)]
Memory = Annotated[float, Range(0, 1e6, above=True)]


@dataclass(frozen=True)
class LocalOptions:
    """Options of `launcher=local`.

    Args:
        jobs: runs at a time.
        time_min: minutes that a run may take; null for no limit.
    """

    jobs: Count = 1
    time_min: Duration | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "launcher")


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

    jobs: Count | None = None
    address: str | None = None
    cpus: Annotated[float, Range(0, 100_000)] = 1
    gpus: Annotated[float, Range(0, 10_000)] = 0
    memory_gb: Memory | None = None
    retries: NonNegative = 2
    time_min: Duration | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "launcher")


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

    jobs: Count | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time_min: Annotated[int, Range(1, 1_000_000)] = 60
    cpus: Cores = 1
    gpus: Devices = 0
    memory_gb: Memory | None = None
    setup: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cluster: str = "slurm"

    def __post_init__(self) -> None:
        require_ranges(self, "launcher")
        if self.cluster not in ("slurm", "local"):
            raise InputError("launcher.cluster", expected="slurm or local", got=f"'{self.cluster}'")


Options = LocalOptions | RayOptions | SlurmOptions
