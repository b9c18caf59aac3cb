"""An actor of offsets on the critic of chunks: what leaves the chunks of the policy, within fixed distances.

    c* = argmax over {c', c' + delta u'} of mean_i Q_i(s', .),        u' ~ pi(s'), c' the unedited chunk at s'
    y = clip(R + gamma^k alive min_{i in two random members} Q'_i(s', c*), 0, 1)
    L_pi = mean (alpha log pi(u | s) - mean_i Q_i(s, c + delta u)),        u ~ pi(s)

The edit of Dong et al., "EXPO: Stable Reinforcement Learning with Expressive Policies" (2025), one for all rows of a
chunk. Nothing is drawn from the policy in an update. The actor sees the state alone, and not the chunk that it edits:
where zero noise is the rung below, that one follows from the state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Self

import numpy as np
import torch
from torch import Tensor

from policies.actors.actor import LearntActor, build_actor
from policies.actors.edit import RESIDUAL, EditHead, deltas
from policies.actors.spec import ActorSpec
from policies.critics.names import CANDIDATES, PLAN
from policies.experience.batches import Experience
from policies.experience.learner import AT_ONCE, ChunkLearner, Subject, spread_of_pairs
from policies.experience.soft import core_config, figures_of, with_plan
from policies.model.batch import TensorBatch
from policies.recipe.actors import ResidualOptions
from policies.recipe.learner import LearnerConfig
from policies.rl.soft_actor import SoftActor
from policies.rl.state import nested, seeded, under


class ResidualLearner(ChunkLearner):
    """The critic of chunks, unedited and edited ones, and an actor of offsets on it.

    Args:
        subject, config: as of `ChunkLearner`; the first candidates are the unedited chunks.
        options: of the actor.
    """

    def __init__(self, subject: Subject, config: LearnerConfig, *, options: ResidualOptions) -> None:
        self.options, self.delta = options, deltas(subject.spec.action, options.delta)
        super().__init__(subject, with_plan(config, options))
        own = self.critic.spec
        settings = {
            "delta": self.delta, "deviation": options.deviation, "width": config.width, "depth": config.depth,
        }  # fmt: skip
        made = ActorSpec(RESIDUAL, own.observation, own.action, subject.base, own.steps, subject.noise, settings)
        with seeded(config.seed + 1):
            self.actor: LearntActor = build_actor(self.recipe, made, self.statistics)
        numbers = sum(each > 0 for each in self.delta)
        self.core = SoftActor(self.head.actor, numbers, core_config(config, options, numbers, options.deviation))
        self.core.random = self.random

    @property
    def head(self) -> EditHead:
        head = self.actor.model.head
        assert isinstance(head, EditHead)
        return head

    @torch.no_grad()
    def spread(self, experience: Experience, count: int) -> Tensor:
        """Of offsets of half of delta."""
        observation, drawn = experience.windows(np.arange(min(count, AT_ONCE)))
        raw = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in observation.items()}
        stages, plan = self.model.chain.forward_observation(raw), torch.from_numpy(drawn[:, 0])
        return spread_of_pairs(self.model, stages, plan, plan + torch.tensor(self.delta) / 2)

    def critic_update(self, batch: TensorBatch) -> dict[str, float]:
        return super().critic_update(self.followed(batch))

    @torch.no_grad()
    def followed(self, batch: TensorBatch) -> TensorBatch:
        """A batch with what the actor makes now of the chunks that follow."""
        after = batch.following
        assert after is not None
        numbers, _ = self.core.actor.sample(self.state(after), self.random)
        plan = after.columns[PLAN]
        edited = plan + self.head.offset(numbers)[:, None]
        chunks = torch.stack([plan, edited], dim=1) if self.options.by_value else edited[:, None]
        return replace(batch, following=replace(after, columns={PLAN: plan, CANDIDATES: chunks}))

    def improve(self, batch: TensorBatch) -> dict[str, float]:
        """One update of actor and temperature, once it is their turn."""
        if not self.moves(self.options.after):
            return {}
        with torch.no_grad():
            here = self.model.at(batch.observation, None, batch.columns[PLAN])
        numbers, log_prob = self.core.actor.sample(self.state(batch), self.random)
        plan = batch.columns[PLAN]
        edited = plan + self.head.offset(numbers)[:, None]
        both = self.model.normalised(torch.stack([plan, edited], dim=1), here)
        values = self.model.objective.value(self.model.score(here, both))
        self.core.climb(values[:, 1], log_prob)
        gain = float((values[:, 1] - values[:, 0]).detach().mean())
        return {"edit_gain": gain, **figures_of(self.core, numbers, log_prob)}

    @torch.no_grad()
    def state(self, batch: TensorBatch) -> Tensor:
        """What the actor sees, (batch, C)."""
        return self.actor.model.state(batch.observation)

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | under("actor", self.actor.model.state_dict()) | under("core", self.core.tensors())

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> Self:
        self.actor.model.load_state_dict(nested(tensors, "actor"))
        self.core.restore(nested(tensors, "core"), {})
        return super().restore(tensors, numbers)
