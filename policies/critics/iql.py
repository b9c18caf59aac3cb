"""Implicit Q-learning without an actor: it only ranks chunks, so that none outside the data is ever asked for.

Kostrikov, Nair & Levine, "Offline Reinforcement Learning with Implicit Q-Learning" (2022):

    L_V = |tau - 1(u < 0)| u^2,   u = min_i Q'_i(s, a) - V(s)
    L_Q = BCE(Q_i(s, a), clip(R + gamma^k alive V(s'), 0, 1))

with Q' the target network. Here a is the executed part of a chunk; the paper's squared error is a cross-entropy, which
has the same minimum (see `bootstrapped`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from torch import Tensor

from policies.critics.bootstrapped import Bootstrapped, Learning, Lesson
from policies.networks.ensemble import MlpEnsemble
from policies.networks.sizes import Width
from robot.description.ranges import Range, Share

if TYPE_CHECKING:
    from policies.critics.model import CriticModel


@dataclass(frozen=True)
class Iql(Bootstrapped):
    """Settings.

    Args:
        expectile: tau; 0.5 gives the mean over the data's chunks, 1 the best of them.
        target_rate: of an update of the target network.
        width, depth: of V.
    """

    expectile: Annotated[float, Range(0, 1, above=True, below=True)] = 0.7
    target_rate: Share = 0.005
    width: Width = 256
    depth: Annotated[int, Range(0, 100)] = 2

    def learning(self, model: CriticModel) -> IqlLearning:
        return IqlLearning(model, self, self.target_rate)


class IqlLearning(Learning[Iql]):
    """The target network and V."""

    def __init__(self, model: CriticModel, settings: Iql, rate: float) -> None:
        super().__init__(model, settings, rate)
        self.value = MlpEnsemble(1, model.state_dim, settings.width, settings.depth)

    def following(self, model: CriticModel, lesson: Lesson) -> Tensor:
        return self.value(lesson.there.state)[0].sigmoid()

    def more(self, model: CriticModel, lesson: Lesson) -> Tensor:
        """L_V. What encodes the state learns from Q alone."""
        value = self.value(lesson.here.state.detach())[0].sigmoid()
        model.note(v=value)
        goal = self.target_values(model, lesson.here, lesson.rows)[:, 0]
        return expectile_loss(goal - value, self.settings.expectile)


def expectile_loss(difference: Tensor, expectile: float) -> Tensor:
    """|tau - 1(u < 0)| u^2 of each difference u, whose mean is least where V is the expectile."""
    weight = (difference < 0).to(difference).sub(expectile).abs()
    return weight * difference.square()
