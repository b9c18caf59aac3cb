"""What the values of a critic mean, and how they are learnt."""

from __future__ import annotations

from typing import Any, ClassVar, Mapping, Protocol

import torch.nn.functional as F
from torch import Tensor

from data.store.names import SUCCESS
from policies.model.batch import TensorBatch
from policies.recipe.choice import choose
from robot.errors import InputError


class CriticObjective(Protocol):
    """A loss on the outputs of a critic's network.

    Attributes:
        facts: of the episode that a batch must bring along.
        columns: of the row that a batch must bring along.
        reward: what the values are of, in words.
    """

    facts: ClassVar[tuple[str, ...]]
    columns: ClassVar[tuple[str, ...]]
    reward: ClassVar[str]

    def loss(self, outputs: Tensor, batch: TensorBatch) -> Tensor:
        """The loss of each window, (batch,), from the outputs (members, batch)."""
        ...

    def value(self, outputs: Tensor) -> Tensor:
        """The values (...) that outputs (members, ...) stand for."""
        ...


class Success:
    """The chance that the episode succeeds, by cross-entropy: what a verifier tells (Cobbe et al. 2021).

    The value is the mean over the members of the network.
    """

    facts = (SUCCESS.name,)
    columns = ()
    reward = "1 at success, else 0; undiscounted"

    def loss(self, outputs: Tensor, batch: TensorBatch) -> Tensor:
        target = batch.facts[SUCCESS.name].expand_as(outputs)
        return F.binary_cross_entropy_with_logits(outputs, target, reduction="none").mean(0)

    def value(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid().mean(0)


OBJECTIVES: dict[str, type[Any]] = {"success": Success}
"""Name in a configuration -> objective."""


def register_objective(name: str, objective: type[Any]) -> None:
    """Make an objective of one's own known by a name, in recipes and for checkpoints that were trained with it.

    Args:
        name: in `critic.objective.name`.
        objective: a class as `CriticObjective` describes.

    Raises:
        InputError: the name is taken by another class.
    """
    known = OBJECTIVES.setdefault(name, objective)
    if known is not objective:
        raise InputError(f"critic objective '{name}'", expected="a name that is free", got=known.__name__)


def make_objective(name: str, **options: Any) -> CriticObjective:
    """Build an objective by its name.

    Raises:
        InputError: no such objective or option.
    """
    known: Mapping[str, type[Any]] = OBJECTIVES
    objective: CriticObjective = choose("critic.objective", known, name, options)(**options)
    return objective
