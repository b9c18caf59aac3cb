"""What is learnt from: a frozen policy, its task, and the rung below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from policies.experience.exploring import ANY, ZERO
from robot.description import Policy


@dataclass(frozen=True, eq=False)
class Setting:
    """What is learnt from.

    Args:
        policy: that is steered, under its sampler; its spec's number of rows is executed.
        transforms: of its recipe.
        task: id.
        options: of the task.
        seed: of the first episode.
        scale: of the candidates' noise.
        zero_is_best: whether zero noise is the best rung below, else noise of that scale.
        workers: processes.
        demonstrations: datasets that are learnt from too.
    """

    policy: Policy
    transforms: tuple[Mapping[str, Any], ...]
    task: str
    options: Mapping[str, Any]
    seed: int
    scale: float
    zero_is_best: bool
    workers: int = 1
    demonstrations: tuple[str, ...] = ()

    @property
    def otherwise(self) -> str:
        """What is executed where nothing is known."""
        return ZERO if self.zero_is_best else ANY
