"""How a policy acts while an actor of offsets learns: unedited in a share of the decisions, else edited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from policies.actors.actor import LearntActor
from policies.actors.edit import EditHead
from policies.critics.critic import LearntCritic
from policies.steering.by_actor.actor_source import CheckpointActor
from policies.steering.by_actor.residual import pair_values, with_edited
from policies.steering.by_noise.noise import choice_numbers
from policies.steering.steered import Steered
from robot.description import Decision, Query, decide
from robot.description.ranges import Share


@dataclass(frozen=True, eq=False)
class ExploringEdits(Steered):
    """The chunk of the policy below, or the same with the offset of an actor.

        with chance 1 - greedy:   unedited, the anchor
        else with chance tried:   edited
        else:                     the one that the critic values more; edited where there is none

    Draws follow the seed of the row. Both are the candidates of its decisions, the unedited one first.

    Args:
        policy: the rung below.
        actor: None for one that is to come: all decisions are unedited.
        critic: values both; None for none.
        greedy, tried: as above.
    """

    actor: LearntActor | None = None
    critic: LearntCritic | None = None
    greedy: Share = 0.8
    tried: Share = 0.5

    name: ClassVar[str] = "exploring_edits"

    @property
    def deterministic(self) -> bool:
        """The seed decides the offset too."""
        return False

    def answer(self, query: Query) -> Decision:
        """Decide."""
        below, offset = decide(self.policy, query), np.zeros((query.rows, self.spec.action.dim), np.float32)
        if self.actor is None:
            both = with_edited(below.chunk, offset, query)
            return replace(below, candidates=both, index=np.zeros(both.shape[:2], np.int64))
        head = self.actor.model.head
        assert isinstance(head, EditHead)
        number = self._numbers(query, 2 + head.numbers)
        both = with_edited(below.chunk, self._offsets(query, number[..., 2:]), query)
        index = np.ones(both.shape[:2], np.int64)
        if self.critic is not None:
            values = pair_values(self.critic, query, both)
            index = np.where(number[..., 1] < self.tried, index, values[..., 1] > values[..., 0])
        index = np.where(number[..., 0] < self.greedy, index, 0).astype(np.int64)
        chunk = np.take_along_axis(both, index[..., None, None, None], axis=2)[:, :, 0]
        return replace(below, chunk=chunk, candidates=both, index=index)

    def _numbers(self, query: Query, each: int) -> np.ndarray:
        """(batch, samples, each) in [0, 1), by the seeds."""
        return choice_numbers(replace(query, samples=query.samples * each)).reshape(query.rows, query.samples, each)

    def _offsets(self, query: Query, number: np.ndarray) -> np.ndarray:
        """(batch, samples, dim) of the actor's own deviation."""
        assert self.actor is not None
        head = self.actor.model.head
        with torch.inference_mode():
            mean, log_std = head.actor(CheckpointActor(self.actor).state(query.observation))
            gaussian = torch.special.ndtri(torch.from_numpy(number)).float()
            offset: np.ndarray = head.offset(torch.tanh(mean[:, None] + log_std.exp()[:, None] * gaussian)).numpy()
        return offset
