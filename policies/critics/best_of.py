"""Values of the best of the chunks that a frozen policy drew: no actor, and nothing is drawn anew to learn from.

The policy stays as it is, so the chunks c_1 ... c_M that it drew where a decision ended are what it would draw there at
any time, and are kept with the decision. Choosing among K chunks is a policy of its own, whose value follows from

    c* = argmax_m mean_i Q_i(s', c_m)          the critic itself chooses,
    y = clip(R + gamma^k alive min_{i in two random members} Q'_i(s', c*), 0, 1)         the target network judges:

double Q-learning (van Hasselt, Guez & Silver, "Deep Reinforcement Learning with Double Q-learning", 2016), judged by
the least of two members (Chen et al., "Randomized Ensembled Double Q-Learning", 2021), for chunks (Li, Zhou & Levine,
"Reinforcement Learning with Action Chunking", 2025). A mean over the members would overestimate: the largest of M
values is sooner too large than too small, and the candidates are always the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor, nn

from policies.critics.bootstrapped import Bootstrapped, Learning, Lesson
from policies.critics.names import CANDIDATES
from policies.networks.ensemble import MlpEnsemble
from robot.description.ranges import Range, Share

if TYPE_CHECKING:
    from policies.critics.model import CriticModel

JUDGES = 2
"""Members of the target network that judge a chunk."""


@dataclass(frozen=True)
class BestOf(Bootstrapped):
    """Settings. The value of a chunk is the mean over the members.

    Args:
        candidates: M, chunks that are drawn of each window, of recorded episodes that have none.
        target_rate: of an update of the target network.
        initial: value that all chunks begin with. Nobody knows what follows an episode that was cut off, so that
            nothing but the discount brings the values of failures down: they must not begin high.
    """

    candidates: Annotated[int, Range(1, 256)] = 16
    target_rate: Share = 0.005
    initial: Annotated[float, Range(0, 1, above=True, below=True)] = 0.05

    def value(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid().mean(0)

    def learning(self, model: CriticModel) -> BestOfLearning:
        return BestOfLearning(model, self, self.target_rate)


class BestOfLearning(Learning[BestOf]):
    """The target network."""

    def __init__(self, model: CriticModel, settings: BestOf, rate: float) -> None:
        begin_at(model.network, settings.initial)  # before the target begins as its copy
        super().__init__(model, settings, rate)

    def following(self, model: CriticModel, lesson: Lesson) -> Tensor:
        assert lesson.batch.following is not None
        candidates = model.normalised(lesson.batch.following.columns[CANDIDATES], lesson.there)
        best = self.settings.value(model.score(lesson.there, candidates)).argmax(-1)
        rows = candidates[torch.arange(len(best), device=best.device), best][:, None]
        outputs = model.score(lesson.there, rows, lambda *inputs: self.target.of(model.network, *inputs))[..., 0]
        return outputs[judges(len(outputs), lesson.generator)].sigmoid().amin(0)


@torch.no_grad()
def begin_at(network: nn.Module, value: float) -> None:
    """Set the last layers of a network of values so that all values are that one: a choice by them takes the first."""
    state = getattr(network, "value", network)  # of a dueling network, whose advantages are small beside it
    for module in state.modules():
        if isinstance(module, MlpEnsemble):
            module.weights[-1].zero_()
            module.biases[-1].fill_(math.log(value / (1 - value)))


def judges(members: int, generator: torch.Generator) -> Tensor:
    """The numbers of `JUDGES` random members, of fewer all of them."""
    return torch.randperm(members, generator=generator, device=generator.device)[:JUDGES]
