"""What `tiller steer` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping

from robot.description.ranges import Count, Duration, Range, Seed, Workers
from robot.description.record import require_ranges
from robot.errors import InputError, nearest
from sim.perturbations.sizes import Severity
from tiller.steering.by_learning.options import LearningOptions

LADDER = "ladder"
Proportion = Annotated[float, Range(0, 1, above=True, below=True)]
TICKETS, LEARNING, FRESH, ROWS = 50_000, 100_000, 200_000, 500_000
"""Seeds of the search for tickets, of learning and of promotion, from `seed` on, and how many there are in all."""


@dataclass(frozen=True)
class FreeOptions:
    """Settings that cost no training.

    Args:
        medoid: chunks of which the one in the middle is taken.
        steps: numbers of the sampler's steps that are tried.
        rows: numbers of executed rows that are tried; on seven bases fewer rows never helped.
    """

    medoid: Annotated[int, Range(2, 1024)] = 16
    steps: tuple[Annotated[int, Range(1, 100_000)], ...] = (3, 5, 10)
    rows: tuple[Annotated[int, Range(1, 10_000)], ...] = ()


@dataclass(frozen=True)
class TicketOptions:
    """The search for a ticket.

    Args:
        candidates: noises, zero among them.
        starts: of the first round.
        seed: of the first noise.
    """

    candidates: Annotated[int, Range(2, 4096)] = 32
    starts: Annotated[int, Range(1, 10_000)] = 8
    seed: Annotated[int, Range(0, 2**31 - 5000)] = 0


@dataclass(frozen=True)
class CloningOptions:
    """Filtered behaviour cloning, continued from the base.

    Args:
        episodes: of its own that are run; those that succeed are learnt from.
        scale: of the noise that they are run with; null takes the best free one above 0. More noise fails more often,
            and what succeeds differs more.
        updates: of the clone, and of its control on demonstrations alone.
        learning_rate: the peak; null for the base's.
        share: of the demonstrations in every batch, above 0 and below 1; null weighs every window alike.
        condition: `advantage` learns from all own episodes, failures too, each action under whether it did better than
            was to be expected, and acts as the better ones; null learns from those that succeed.
        positive: share of the own actions that count as better, beside a condition; null for 0.4.
        guidance: weight of the condition where the clone acts; null for 1, the condition as it was learnt.
        seed: of the training.
    """

    episodes: Count = 2000
    scale: Annotated[float, Range(0, 100, above=True)] | None = 0.75
    updates: Count = 6000
    learning_rate: Annotated[float, Range(0, 10, above=True)] | None = None
    share: Proportion | None = None
    condition: str | None = None
    positive: Proportion | None = None
    guidance: Annotated[float, Range(0, 100)] | None = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        require_ranges(self, "cloning")
        if self.condition not in (None, "advantage"):
            raise InputError("cloning.condition", expected="null or advantage", got=str(self.condition))

    def require_condition(self) -> None:
        """Refuse what says something of a condition that there is not."""
        for name in ("positive", "guidance"):
            if self.condition is None and getattr(self, name) is not None:
                raise InputError(
                    f"cloning.{name}", expected="a condition beside it", got="none",
                    way_out="Add cloning.condition=advantage",
                )  # fmt: skip


@dataclass(frozen=True)
class SteerOptions:
    """What `tiller steer` takes.

    Args:
        checkpoint: folder of a training run, or a checkpoint within it; its weights stay as they are.
        task: to get better at; null takes the one that the policy was trained for.
        method: free, ticket, filtered_bc, best_of_k, codebook, dsrl_na, dsrl_sac, residual, or ladder: one after the
            other.
        embodiment: that a policy of several acts as; null for the one of the task's name.
        sampler: how actions are drawn, null for the policy's default.
        steps: of the sampler, null for its default.
        n_action_steps: rows of a chunk that are executed before the next plan; null for the policy's default.
        demonstrations: for filtered_bc, a dataset or several as [A,B]; null takes what the policy was trained on.
        episodes: of a setting when settings are chosen among.
        minutes: after which nothing new begins; null for no end.
        seed: of the first start. Settings are chosen on those from here on, a policy learns on those from seed +
            100,000 on, and rungs meet on those from seed + 200,000 on.
        error: largest chance that the test prefers a rung that is not better.
        worth: gain in success below which a rung is not worth a change.
        most: starts that a promotion takes at most; both rungs run from each.
        residual: let the ladder leave the base's support at its end.
        free, tickets, cloning, learning: of the methods.
        options: of the task, for example options.max_steps=150; those of training hold where none are given.
        perturbation: of the task, such as friction; docs/perturbations.md lists them.
        severity: of the perturbation, 0 (the task as it is) to 5.
        perturbations: several at once, such as perturbations.friction=3 perturbations.lighting=2.
        randomise: draw each severity anew every episode, from 0 up to the one given.
        workers: processes that step environments; the result does not depend on it.
        device: auto, cpu, cuda or cuda:N.
        threads: a process; null for one, or what OMP_NUM_THREADS says.
        output: folder to write to; null makes outputs/steer/<date>.
        resume: go on in the output folder, exactly.
        overwrite: replace what an earlier run left in the output folder.
    """

    checkpoint: str
    task: str | None = None
    method: str = LADDER
    embodiment: str | None = None
    sampler: str | None = None
    steps: Annotated[int, Range(1, 100_000)] | None = None
    n_action_steps: Annotated[int, Range(1, 10_000)] | None = None
    demonstrations: str | tuple[str, ...] | None = None
    episodes: Annotated[int, Range(1, TICKETS)] = 200
    minutes: Duration | None = None
    seed: Annotated[int, Range(200_000, 2**31 - 1 - ROWS)] = 500_000
    error: Proportion = 0.05
    worth: Proportion = 0.05
    most: Annotated[int, Range(1, 20_000)] = 400
    residual: bool = False
    free: FreeOptions = FreeOptions()
    tickets: TicketOptions = TicketOptions()
    cloning: CloningOptions = CloningOptions()
    learning: LearningOptions = LearningOptions()
    options: Mapping[str, Any] = field(default_factory=dict)
    perturbation: str | None = None
    severity: Severity | None = None
    perturbations: Mapping[str, Severity] = field(default_factory=dict)
    randomise: bool = False
    workers: Workers = 1
    device: str = "auto"
    threads: Workers | None = None
    output: str | None = None
    resume: bool = False
    overwrite: bool = False


MAY_CHANGE = ("minutes", "workers", "device", "threads", "output", "resume", "overwrite")
"""Options that a run which goes on may be given otherwise."""


def require_method(method: str, known: Mapping[str, object]) -> None:
    """Refuse a method that there is not."""
    names = (LADDER, "free", *known)
    if method not in names:
        raise InputError(
            f"method={method}", expected=f"one of {', '.join(names)}", got=f"'{method}'",
            way_out=nearest(method, names),
        )  # fmt: skip
