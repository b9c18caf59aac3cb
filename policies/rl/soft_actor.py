"""An actor that climbs values and keeps its entropy, whoever gives the values: the part of SAC that all learners share.

    L_pi = -mean (Q(s, u) - alpha log pi(u | s)),        u ~ pi(s)
    L_alpha = -log alpha (log pi + target entropy)

Haarnoja et al., "Soft Actor-Critic Algorithms and Applications" (2018).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from policies.rl.networks import Actor, descend
from policies.rl.state import nested, optimiser_tensors, restore_optimiser, under

if TYPE_CHECKING:
    from policies.rl.actor_critic import ActorCriticConfig


class SoftActor:
    """An actor and a temperature.

    Args:
        actor: that learns.
        actions: components of an action.
        config: how it learns; of it learning rate, entropy and temperature.

    Attributes:
        random: the generator of everything that is drawn.
    """

    config: ActorCriticConfig

    def __init__(self, actor: Actor, actions: int, config: ActorCriticConfig) -> None:
        self.actor, self.actions, self.config = actor, actions, config
        self.log_alpha = nn.Parameter(torch.tensor(np.log(config.temperature), dtype=torch.float32))
        self._actor_parameters = list(actor.parameters())
        self._optimisers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(parameters, config.learning_rate, fused=True)
            for name, parameters in (("actor", self._actor_parameters), ("alpha", [self.log_alpha]))
        }
        self.random = torch.Generator()

    @property
    def alpha(self) -> Tensor:
        """The temperature, without a gradient."""
        return self.log_alpha.detach().exp()

    def climb(self, values: Tensor, log_prob: Tensor) -> None:
        """Move the actor up the values (batch,) of its actions, and the temperature after it.

        Args:
            values: with gradients to the actor.
            log_prob: (batch,) of these actions, so too.
        """
        descend(self._optimisers["actor"], self._actor_parameters, -(values - self.alpha * log_prob).mean())
        self.temperature_step(log_prob.detach())

    def temperature_step(self, log_prob: Tensor) -> None:
        """Move the temperature towards the one that holds the target entropy, within its bounds."""
        if self.config.temperature_fixed:
            return
        surplus = float(log_prob.mean()) + self.config.entropy * self.actions
        descend(self._optimisers["alpha"], [self.log_alpha], -self.log_alpha * surplus)
        low, high = self.config.temperature_floor, self.config.temperature_cap
        if low is not None or high is not None:
            bounds = (None if side is None else math.log(side) for side in (low, high))
            with torch.no_grad():
                self.log_alpha.clamp_(*bounds)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a training, name -> tensor, for a checkpoint."""
        tensors = {"log_alpha": self.log_alpha.detach().clone()}
        for name, module in self._modules().items():
            tensors |= under(name, module.state_dict())
        for name, optimiser in self._optimisers.items():
            tensors |= under(f"{name}_optimiser", optimiser_tensors(optimiser))
        return tensors

    def numbers(self) -> dict[str, Any]:
        """All numbers of a training as plain values, for a checkpoint."""
        return {}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `numbers` returned."""
        for name, module in self._modules().items():
            module.load_state_dict(nested(tensors, name))
        for name, optimiser in self._optimisers.items():
            restore_optimiser(optimiser, nested(tensors, f"{name}_optimiser"))
        with torch.no_grad():
            self.log_alpha.copy_(tensors["log_alpha"])

    def _modules(self) -> dict[str, nn.Module]:
        return {"actor": self.actor}
