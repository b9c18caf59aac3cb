"""Values of a few fixed noises, learnt on the critic of chunks: at run time one chunk is drawn, and no critic is asked.

L = sum_i mean (V_i(s) - mean_j Q_j(s, c_i))^2 (as a cross-entropy),        c_i the chunk of w_i, kept with the decision
"""

from __future__ import annotations

from typing import Any, Mapping, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from policies.actors.actor import LearntActor, build_actor
from policies.actors.heads import CODEBOOK
from policies.actors.spec import ActorSpec
from policies.critics.names import CANDIDATES, PLAN
from policies.experience.learner import ChunkLearner, Subject
from policies.model.batch import TensorBatch
from policies.recipe.learner import LearnerConfig
from policies.rl.networks import descend
from policies.rl.state import nested, seeded, under
from policies.steering.by_actor.actor_source import CheckpointActor
from policies.steering.by_actor.codebook import entry_values
from robot.description import Query


class CodebookLearner(ChunkLearner):
    """The critic, and a value of each entry.

    Args:
        subject, config: as of `ChunkLearner`.
        settings: of the entries: how many, their scale and seed.
    """

    def __init__(self, subject: Subject, config: LearnerConfig, *, settings: Mapping[str, Any]) -> None:
        super().__init__(subject, config)
        own = self.critic.spec
        assert own.base is not None
        values = {"width": self.config.width, "depth": self.config.depth, **settings}
        spec = ActorSpec(CODEBOOK, own.observation, own.action, own.base, own.steps, subject.noise, values)
        with seeded(self.config.seed + 1):
            self.actor: LearntActor = build_actor(self.recipe, spec, self.statistics)
        self._heads = list(self.actor.model.head.parameters())
        self._optimisers["actor"] = torch.optim.Adam(self._heads, self.config.learning_rate, fused=True)

    def improve(self, batch: TensorBatch) -> dict[str, float]:
        """One update of the values of the entries."""
        with torch.no_grad():
            here = self.model.at(batch.observation, None, batch.columns[PLAN])
            worth = self.model.objective.value(
                self.model.score(here, self.model.normalised(batch.columns[CANDIDATES], here))
            )
            state = self.actor.model.state(batch.observation)
        outputs = self.actor.model.head(state).T
        loss = F.binary_cross_entropy_with_logits(outputs, worth)
        descend(self._optimisers["actor"], self._heads, loss)
        agree = (outputs.argmax(1) == worth.argmax(1)).float().mean()
        return {"actor_loss": float(loss.detach()), "agreement": float(agree)}

    def score(self, query: Query, chunks: np.ndarray) -> np.ndarray:
        """By the values of the entries, as at run time."""
        return entry_values(CheckpointActor(self.actor), query)

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | under("actor", self.actor.model.state_dict())

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> Self:
        self.actor.model.load_state_dict(nested(tensors, "actor"))
        return super().restore(tensors, numbers)
