"""What the values of a critic mean, and how they are learnt."""

from __future__ import annotations

from typing import Any, ClassVar, Mapping, Protocol

import torch.nn.functional as F
from torch import Tensor

from data.store.names import SUCCESS
from policies.critics.best_of import BestOf
from policies.critics.bootstrapped import Bootstrapped
from policies.critics.cal_ql import CalQl
from policies.critics.iql import Iql
from policies.critics.of_actor import OfActor
from policies.model.batch import TensorBatch
from policies.recipe.choice import choose
from robot.errors import InputError

UNDISCOUNTED = "1 at success, else 0; undiscounted"
"""The reward of values that are chances of success, however late."""


class CriticObjective(Protocol):
    """A loss on the outputs of a critic's network; one that learns from later windows is a `Bootstrapped` instead.

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
    reward = UNDISCOUNTED

    def loss(self, outputs: Tensor, batch: TensorBatch) -> Tensor:
        target = batch.facts[SUCCESS.name].expand_as(outputs)
        return F.binary_cross_entropy_with_logits(outputs, target, reduction="none").mean(0)

    def value(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid().mean(0)


OBJECTIVES: dict[str, type[Any]] = {
    "success": Success,
    "iql": Iql,
    "cal_ql": CalQl,
    "best_of": BestOf,
    "of_actor": OfActor,
}
"""Name in a configuration -> objective."""


def register_objective(name: str, objective: type[Any]) -> None:
    """Make an objective of one's own known by a name, in recipes and for checkpoints that were trained with it.

    Args:
        name: in `critic.objective.name`.
        objective: a class as `CriticObjective` describes, or a subclass of `Bootstrapped`.

    Raises:
        InputError: the name is taken by another class.
    """
    known = OBJECTIVES.setdefault(name, objective)
    if known is not objective:
        raise InputError(f"critic objective '{name}'", expected="a name that is free", got=known.__name__)


def make_objective(name: str, **options: Any) -> CriticObjective | Bootstrapped:
    """Build an objective by its name.

    Raises:
        InputError: no such objective or option.
    """
    known: Mapping[str, type[Any]] = OBJECTIVES
    objective: CriticObjective | Bootstrapped = choose("critic.objective", known, name, options)(**options)
    return objective
