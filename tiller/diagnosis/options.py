"""What `tiller diagnose` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping

from robot.description.ranges import Duration, Range, Seed, Workers
from sim.perturbations.sizes import Severity


@dataclass(frozen=True)
class DiagnoseOptions:
    """What `tiller diagnose` takes.

    Args:
        checkpoint: folder of a training run, or a checkpoint within it.
        task: that it fails on; null takes the one that the policy was trained for.
        minutes: that all measures together may take, about. Each has its share, says how sure it is, and takes the
            smallest sample that says anything, 2 to 5 minutes of a core in all, however few these are.
        demonstrations: dataset that it was trained on; null takes the one that its record names, if it is there.
        output: folder to write to; null makes outputs/diagnose/<date>.
        seed: of the first start; the rows up to seed + 99,999 are used. Keep those that you report on apart.
        sampler: how actions are drawn, null for the policy's default.
        steps: of the sampler, null for its default.
        embodiment: that a policy of several acts as; null for the one of the task's name.
        n_action_steps: rows of a chunk that are executed before the next plan; null for the policy's default.
        workers: processes that step environments.
        options: of the task, for example options.max_steps=150; those of training hold where none are given.
        perturbation: of the task, such as object_pose; docs/perturbations.md lists them.
        severity: of the perturbation, 0 (the task as it is) to 5.
        perturbations: several at once, such as perturbations.friction=3 perturbations.lighting=2.
        randomise: draw each severity anew every episode, from 0 up to the one given.
        device: auto, cpu, cuda or cuda:N.
        threads: a process; null for one, or what OMP_NUM_THREADS says.
        resume: go on with a diagnosis that did not finish: measures that have ended are kept.
        overwrite: replace what an earlier run left in the output folder.
    """

    checkpoint: str
    task: str | None = None
    minutes: Duration = 10.0
    demonstrations: str | None = None
    output: str | None = None
    seed: Seed = 500_000
    sampler: str | None = None
    steps: Annotated[int, Range(1, 100_000)] | None = None
    embodiment: str | None = None
    n_action_steps: Annotated[int, Range(1, 10_000)] | None = None
    workers: Workers = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    perturbation: str | None = None
    severity: Severity | None = None
    perturbations: Mapping[str, Severity] = field(default_factory=dict)
    randomise: bool = False
    device: str = "auto"
    threads: Workers | None = None
    resume: bool = False
    overwrite: bool = False
