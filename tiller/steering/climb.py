"""What every method is given, and the methods by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Mapping, Sequence

from tiller.steering.bench import Bench
from tiller.steering.by_learning.experience import learn, require_learning
from tiller.steering.cloning import filtered_bc, require_cloning
from tiller.steering.deadline import Deadline
from tiller.steering.free import Execution
from tiller.steering.options import SteerOptions
from tiller.steering.rung import Rung
from tiller.steering.tickets import require_noisy, ticket

if TYPE_CHECKING:
    from robot.description import Policy


@dataclass(eq=False)
class Climb:
    """What every method is given.

    Args:
        options: of the verb; `options.options` are those of the task, perturbations included.
        checkpoint: of the base.
        loaded: the base as it was loaded.
        base: the base as it is run.
        execution: by which `loaded` becomes that.
        best: the best rung so far.
        bench: runs episodes, and counts all environment steps.
        folder: of the run; a method writes below `folder / method`.
        deadline: of the run.
        scale: of the noise, the best free one above 0: to collect by.
        zero_is_best: whether zero noise was better than that.
        notes: of methods, for the record: method -> sentence.
        grouped: datasets of groups that are charged.
    """

    options: SteerOptions
    checkpoint: Path
    loaded: Policy
    base: Policy
    execution: Execution
    best: Rung
    bench: Bench
    folder: Path
    deadline: Deadline
    scale: float = 1.0
    zero_is_best: bool = False
    notes: dict[str, str] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)

    @property
    def task(self) -> str:
        return self.bench.task


Method = Callable[[Climb], Rung | Sequence[Rung] | None]
"""Makes candidates out of the base; None where there are none. A KeyboardInterrupt comes after what it has is saved."""

LEARNT = ("best_of_k", "codebook", "dsrl_na", "dsrl_sac", "residual")
METHODS: Mapping[str, Method] = {
    "ticket": ticket,
    "filtered_bc": filtered_bc,
    **{name: partial(learn, method=name) for name in LEARNT},
}
"""Beside `free`, which always comes first."""

REQUIREMENTS: Mapping[str, Callable[[Climb], None]] = {
    "ticket": require_noisy,
    "filtered_bc": require_cloning,
    **{name: partial(require_learning, method=name) for name in LEARNT},
}
"""What refuses a method before anything is run."""

ORDER = ("ticket", "filtered_bc", "best_of_k", "codebook")
"""Of the ladder, as far as they are there."""
LAST = "residual"
"""Leaves what the base does: only where it is allowed to."""


def order(options: SteerOptions) -> list[str]:
    """The methods after `free`, in their order."""
    if options.method in METHODS:
        return [options.method]
    if options.method == "free":
        return []
    return [name for name in (*ORDER, *([LAST] if options.residual else [])) if name in METHODS]
