"""Critics that learn from their own values some rows later: what all of them share.

Of a window whose k rows are executed, with R the rewards of these rows, each discounted, and gamma^k of what follows,

    y = clip(R + gamma^k alive B(s'), 0, 1)
    L = BCE(Q_i(s, rows), y) + what an objective adds

Values are chances, discounted per row: outputs are logits, whose cross-entropy with y has the same minimum as the
squared error, the mean of y. B is what an objective bootstraps from. Nothing is learnt where what followed is unknown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.store.names import SUCCESS
from policies.critics.names import DISCOUNT, KNOWN, PLAN, RETURN, REWARD
from policies.model.batch import TensorBatch
from policies.networks.follower import Follower

if TYPE_CHECKING:
    from policies.critics.model import CriticModel, Situation

Settings = TypeVar("Settings", bound="Bootstrapped")


@dataclass(frozen=True)
class Bootstrapped(ABC):
    """Settings of an objective that bootstraps. Subclasses are frozen dataclasses of theirs, and fill in `learning`.

    The value is that of the least member of the network.

    Attributes:
        facts, columns, reward: as of `CriticObjective`.
        candidates: chunks of the base that it needs of each window.
    """

    facts: ClassVar[tuple[str, ...]] = (SUCCESS.name,)
    columns: ClassVar[tuple[str, ...]] = ()
    reward: ClassVar[str] = "1 at success, else 0; discounted by gamma per row"
    candidates = 0

    def value(self, outputs: Tensor) -> Tensor:
        """The values (...) that outputs (members, ...) stand for."""
        return outputs.sigmoid().amin(0)

    @abstractmethod
    def learning(self, model: CriticModel) -> Learning:
        """What it learns with, for a model with fresh weights."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one loss is made of.

    Args:
        batch: of windows.
        here, there: where they are, and where the windows are that follow.
        rows: (batch, 1, k, D) normalised, that were executed.
        outputs: (members, batch) their logits.
        generator: of everything that is drawn.
    """

    batch: TensorBatch
    here: Situation
    there: Situation
    rows: Tensor
    outputs: Tensor
    generator: torch.Generator


class Learning(nn.Module, Generic[Settings]):
    """What a critic learns with and does without once it has learnt; subclasses override what they bootstrap from, and
    what they add to the loss.

    Args:
        model: the critic.
        settings: of the objective.
        rate: by which the target network follows.
    """

    def __init__(self, model: CriticModel, settings: Settings, rate: float) -> None:
        super().__init__()
        self.settings, self.target = settings, Follower(model.network, rate)

    @abstractmethod
    def following(self, model: CriticModel, lesson: Lesson) -> Tensor:
        """B(s'), (batch,); no gradient is taken of it."""

    def more(self, model: CriticModel, lesson: Lesson) -> Tensor | float:
        """What is added to the loss of each window, (batch,)."""
        return 0.0

    def loss(self, model: CriticModel, batch: TensorBatch, generator: torch.Generator) -> Tensor:
        """The loss of each window, (batch,)."""
        assert batch.following is not None
        here, rows = model.executed(batch)
        with torch.no_grad():
            after = batch.following
            there = model.at(after.observation, after.prompt, after.columns.get(PLAN))
        lesson = Lesson(batch, here, there, rows, model.score(here, rows)[..., 0], generator)
        with torch.no_grad():
            following = self.following(model, lesson)
            goal = (batch.columns[REWARD] + batch.columns[DISCOUNT] * following).clamp(0, 1)
        error = F.binary_cross_entropy_with_logits(lesson.outputs, goal.expand_as(lesson.outputs), reduction="none")
        known = batch.columns[KNOWN]
        self._note(model, lesson, goal, known > 0)
        return known * (error.mean(0) + self.more(model, lesson))

    def after_update(self, model: CriticModel) -> None:
        self.target.follow(model.network)

    def target_values(self, model: CriticModel, situation: Situation, rows: Tensor) -> Tensor:
        """The least values (batch, samples) under the target network for normalised chunks (batch, samples, k, D)."""
        with torch.no_grad():
            outputs = model.score(situation, rows, lambda *inputs: self.target.of(model.network, *inputs))
        return outputs.sigmoid().amin(0)

    def _note(self, model: CriticModel, lesson: Lesson, goal: Tensor, known: Tensor) -> None:
        values = lesson.outputs.detach().sigmoid().mean(0)
        model.note(
            q=values[known],
            td_error=(values - goal).abs()[known],
            value_less_return=(values - lesson.batch.columns[RETURN])[known],
        )
