"""An actor on arrays and on tensors: what is seen in raw units in, what its kind gives out."""

from __future__ import annotations

from typing import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from data.learning.statistics import FieldStatistics
from policies.actors.heads import make_head
from policies.actors.spec import ActorSpec
from policies.model.arrays import observation_tensors
from policies.model.build import ConditionParts, build_condition
from policies.recipe.critic import CriticRecipe
from policies.transforms import Tensors


class ActorModel(nn.Module):
    """raw -> transforms -> normaliser -> encoder -> head.

    Args:
        seen: what turns an observation into a state.
        head: of its kind.
    """

    def __init__(self, seen: ConditionParts, head: nn.Module) -> None:
        super().__init__()
        self.chain, self.normaliser = seen.chain, seen.normaliser
        self.augmentation, self.encoder, self.head = seen.augmentation, seen.encoder, head

    def state(self, observation: Tensors) -> Tensor:
        """(batch, C) of name -> (batch, steps, ...) raw."""
        seen = self.chain.forward_observation(observation)[-1]
        state: Tensor = self.encoder(self.augmentation(self.normaliser.observation(seen)))
        return state


class LearntActor:
    """Steers a frozen policy.

    Args:
        model: the learnt part.
        spec: what it sees and steers.
        recipe: how it sees: the parts of a critic's recipe that say so.
    """

    def __init__(self, model: ActorModel, spec: ActorSpec, recipe: CriticRecipe) -> None:
        self.model, self.spec, self.recipe = model, spec, recipe

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @torch.inference_mode()
    def state(self, observation: Mapping[str, np.ndarray]) -> Tensor:
        """The state (batch, C) of an observation: name -> (batch, steps, ...) raw units.

        Raises:
            InputError: a key is missing, or an array has another shape.
        """
        return self.model.state(observation_tensors(self.spec.observation, observation, self.device))


def build_actor(
    recipe: CriticRecipe, spec: ActorSpec, statistics: Mapping[str, FieldStatistics] | None = None
) -> LearntActor:
    """Build an actor with fresh weights, in evaluation mode.

    Args:
        recipe: how it sees.
        spec: what it sees and steers.
        statistics: of what leaves the transforms; None leaves the normaliser to be filled from a checkpoint.

    Raises:
        InputError: a part, or an option of one, is unknown or does not fit.
    """
    seen = build_condition(recipe, spec.observation, spec.action, statistics)
    head = make_head(spec.kind, spec.settings).build(int(seen.encoder.condition_dim), spec)
    return LearntActor(ActorModel(seen, head).eval(), spec, recipe)
