"""The learnt part of a critic on tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import torch
from torch import Tensor, nn

from policies.critics.bootstrapped import Bootstrapped
from policies.critics.names import PLAN
from policies.critics.objectives import CriticObjective
from policies.critics.sight import Sight
from policies.model.batch import TensorBatch
from policies.model.build import ConditionParts
from policies.model.trainable import LossModule
from policies.transforms import Tensors
from policies.transforms.normaliser import ACTION
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Situation:
    """What chunks are scored at.

    Args:
        state: (batch, C) what is seen, and the plan where it is shown beside.
        stages: of the observation, for the transforms of actions.
        plan: (batch, k, D) normalised zero-noise plan of the base; None where the critic sees none.
    """

    state: Tensor
    stages: list[Tensors]
    plan: Tensor | None


class CriticModel(LossModule):
    """raw -> transforms -> normaliser -> encoder, with the normalised chunk -> network -> outputs of an objective.

    Args:
        seen: what turns an observation and a prompt into a condition.
        network: (state (B, C), action (B, k D)) -> (members, B).
        objective: what the outputs mean.
        sight: what the network sees of the rows.
        learns: whether it is to learn, with what its objective needs for that.
    """

    def __init__(
        self,
        seen: ConditionParts,
        network: nn.Module,
        objective: CriticObjective | Bootstrapped,
        sight: Sight,
        learns: bool = False,
    ) -> None:
        super().__init__()
        self.chain, self.objective, self.network = seen.chain, objective, network
        self.normaliser, self.augmentation = seen.normaliser, seen.augmentation
        self.encoder, self.prompt_encoder = seen.encoder, seen.prompt_encoder
        self.sight, self.state_dim = sight, seen.dim + sight.state_dim
        self.learning = objective.learning(self) if learns and isinstance(objective, Bootstrapped) else None

    def loss(self, batch: TensorBatch, generator: torch.Generator) -> Tensor:
        if self.learning is not None:
            return self.learning.loss(self, batch, generator).sum()
        assert not isinstance(self.objective, Bootstrapped), "a critic that was loaded to score does not learn"
        situation, rows = self.executed(batch)
        return self.objective.loss(self.score(situation, rows)[..., 0], batch).sum()

    def after_update(self) -> None:
        if self.learning is not None:
            self.learning.after_update(self)

    def value(
        self, observation: Tensors, chunk: Tensor, prompt: Tensor | None = None, reference: Tensor | None = None
    ) -> Tensor:
        """The values (batch, samples) of chunks (batch, samples, k, dim) raw, with gradients to the chunks.

        Args:
            observation: name -> (batch, steps, ...) raw.
            chunk: of which the first k rows are given.
            prompt: as `prompt_encoder.read` gives it.
            reference: (batch, k, dim) raw, the zero-noise plan of the base; where there is a base.
        """
        return self.objective.value(self._outputs(observation, chunk, prompt, reference))

    def member_values(
        self, observation: Tensors, chunk: Tensor, prompt: Tensor | None = None, reference: Tensor | None = None
    ) -> Tensor:
        """As `value`, of each member of the network alone: (members, batch, samples)."""
        outputs = self._outputs(observation, chunk, prompt, reference)
        return torch.stack([self.objective.value(member[None]) for member in outputs])

    def _outputs(self, observation: Tensors, chunk: Tensor, prompt: Tensor | None, reference: Tensor | None) -> Tensor:
        situation = self.at(observation, prompt, reference)
        return self.score(situation, self.normalised(chunk, situation))

    def at(self, observation: Tensors, prompt: Tensor | None = None, reference: Tensor | None = None) -> Situation:
        """What is seen, encoded once for all chunks."""
        stages = self.chain.forward_observation(observation)
        state = self.encoder(self.augmentation(self.normaliser.observation(stages[-1])))
        if prompt is not None:
            state = torch.cat([state, self.prompt_encoder(prompt)], dim=-1)
        if (reference is None) != (self.sight.plan is None):
            raise InputError(
                "reference of chunks to score",
                expected="none: the critic sees chunks alone"
                if self.sight.plan is None
                else "the base's zero-noise plan",
                got="none" if reference is None else "one",
            )
        plan = None if reference is None else self.normaliser[ACTION](self.chain.forward_action(reference, stages))
        return Situation(torch.cat([state, *self.sight.state(plan)], dim=-1), stages, plan)

    def normalised(self, chunk: Tensor, situation: Situation) -> Tensor:
        """Chunks (batch, samples, k, dim) raw as (batch, samples, k, D) normalised ones."""
        return self.normaliser[ACTION](self.chain.forward_action(chunk, situation.stages))

    def score(
        self, situation: Situation, rows: Tensor, network: Callable[[Tensor, Tensor], Tensor] | None = None
    ) -> Tensor:
        """The outputs (members, batch, samples) for normalised chunks (batch, samples, k, D); `network` in place of its
        own, such as one that follows it.
        """
        batch, samples = rows.shape[:2]
        state, action = situation.state[:, None].expand(-1, samples, -1), self.sight.action(rows, situation.plan)
        outputs: Tensor = (network or self.network)(state.flatten(0, 1), action.flatten(0, 1))
        return outputs.unflatten(1, (batch, samples))

    def executed(self, batch: TensorBatch) -> tuple[Situation, Tensor]:
        """Where the windows of a batch are, and their rows (batch, 1, k, D) normalised. Beside a plan, rows that do not
        count, as they are past the end of the episode, are the plan's: nothing is learnt from a difference there.
        """
        situation = self.at(batch.observation, batch.prompt, batch.columns.get(PLAN))
        rows = self.normalised(batch.action[:, None], situation)
        if situation.plan is not None:
            rows = torch.where(batch.is_pad[:, None, :, None], situation.plan[:, None], rows)
        return situation, rows
