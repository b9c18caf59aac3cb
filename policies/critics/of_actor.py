"""Values of the chunks of an actor: what follows is worth what the chunk that the actor gives there is worth.

    y = clip(R + gamma^k alive (min_{i in two random members} Q'_i(s', c(s', w')) - alpha log pi(w' | s')), 0, 1)

with w' ~ pi(s'), and c the chunk that a frozen policy draws from the noise w': soft actor-critic for chunks (Wagenmaker
et al., "Steering Your Diffusion Policy with Latent Space Reinforcement Learning", 2025). Chunks and bonuses are those
that batches bring along, of the actor as it is now: values of `best_of` with the one candidate there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from policies.critics.best_of import BestOf, BestOfLearning
from policies.critics.bootstrapped import Lesson
from policies.critics.names import BONUS

if TYPE_CHECKING:
    from policies.critics.model import CriticModel


@dataclass(frozen=True)
class OfActor(BestOf):
    """Settings; the columns `CANDIDATES` and `BONUS` of what follows are the actor's.

    Args:
        candidates, target_rate, initial: as of `BestOf`.
    """

    def learning(self, model: CriticModel) -> OfActorLearning:
        return OfActorLearning(model, self, self.target_rate)


class OfActorLearning(BestOfLearning):
    """The target network."""

    def following(self, model: CriticModel, lesson: Lesson) -> Tensor:
        assert lesson.batch.following is not None
        return super().following(model, lesson) + lesson.batch.following.columns[BONUS]
