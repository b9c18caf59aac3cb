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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from policies.critics.bootstrapped import Bootstrapped, Learning, Lesson
from policies.critics.names import CANDIDATES
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
    """

    candidates: Annotated[int, Range(1, 256)] = 16
    target_rate: Share = 0.005

    def value(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid().mean(0)

    def learning(self, model: CriticModel) -> BestOfLearning:
        return BestOfLearning(model, self, self.target_rate)


class BestOfLearning(Learning[BestOf]):
    """The target network."""

    def following(self, model: CriticModel, lesson: Lesson) -> Tensor:
        assert lesson.batch.following is not None
        candidates = model.normalised(lesson.batch.following.columns[CANDIDATES], lesson.there)
        best = self.settings.value(model.score(lesson.there, candidates)).argmax(-1)
        rows = candidates[torch.arange(len(best), device=best.device), best][:, None]
        outputs = model.score(lesson.there, rows, lambda *inputs: self.target.of(model.network, *inputs))[..., 0]
        return outputs[judges(len(outputs), lesson.generator)].sigmoid().amin(0)


def judges(members: int, generator: torch.Generator) -> Tensor:
    """The numbers of `JUDGES` random members, of fewer all of them."""
    return torch.randperm(members, generator=generator, device=generator.device)[:JUDGES]
