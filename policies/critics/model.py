"""The learnt part of a critic on tensors."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn

from policies.critics.objectives import CriticObjective
from policies.model.batch import TensorBatch
from policies.model.build import ConditionParts
from policies.model.trainable import LossModule
from policies.networks.ensemble import MlpEnsemble
from policies.networks.sizes import Width
from policies.recipe.choice import choose
from policies.transforms import Tensors
from policies.transforms.normaliser import ACTION
from robot.description.ranges import Range


class CriticModel(LossModule):
    """raw -> transforms -> normaliser -> encoder, with the normalised chunk -> network -> outputs of an objective.

    Args:
        seen: what turns an observation and a prompt into a condition.
        network: (B, condition and chunk) -> (members, B).
        objective: what the outputs mean.
    """

    def __init__(self, seen: ConditionParts, network: nn.Module, objective: CriticObjective) -> None:
        super().__init__()
        self.chain, self.objective, self.network = seen.chain, objective, network
        self.normaliser, self.augmentation = seen.normaliser, seen.augmentation
        self.encoder, self.prompt_encoder = seen.encoder, seen.prompt_encoder

    def loss(self, batch: TensorBatch, generator: torch.Generator) -> Tensor:
        outputs = self.outputs(batch.observation, batch.action[:, None], batch.prompt)
        return self.objective.loss(outputs[..., 0], batch).sum()

    def value(self, observation: Tensors, chunk: Tensor, prompt: Tensor | None = None) -> Tensor:
        """The values (batch, samples) of chunks (batch, samples, k, dim) raw."""
        return self.objective.value(self.outputs(observation, chunk, prompt))

    def outputs(self, observation: Tensors, chunk: Tensor, prompt: Tensor | None = None) -> Tensor:
        """The outputs (members, batch, samples) of the network."""
        stages = self.chain.forward_observation(observation)
        condition = self.encoder(self.augmentation(self.normaliser.observation(stages[-1])))
        if prompt is not None:
            condition = torch.cat([condition, self.prompt_encoder(prompt)], dim=-1)
        batch, samples = chunk.shape[:2]
        action = self.normaliser[ACTION](self.chain.forward_action(chunk, stages)).flatten(2)
        joined = torch.cat([condition[:, None].expand(-1, samples, -1), action], dim=-1)
        outputs: Tensor = self.network(joined.flatten(0, 1)).unflatten(1, (batch, samples))
        return outputs


class ValueMlp(MlpEnsemble):
    """Perceptrons with layer norm.

    Args:
        inputs: numbers of the condition and the chunk.
        members: of the ensemble.
        width, depth: of the hidden layers.
    """

    def __init__(
        self,
        inputs: int,
        members: Annotated[int, Range(1, 1000)] = 2,
        width: Width = 256,
        depth: Annotated[int, Range(0, 100)] = 2,
    ) -> None:
        super().__init__(members, inputs, width, depth)


NETWORKS = {"mlp": ValueMlp}
"""Name in a configuration -> network."""


def make_value_network(name: str, inputs: int, **options: Any) -> nn.Module:
    """Build a network of values by its name.

    Raises:
        InputError: no such network or option, or an option outside its range.
    """
    network: nn.Module = choose("critic.network", NETWORKS, name, options)(inputs, **options)
    return network
