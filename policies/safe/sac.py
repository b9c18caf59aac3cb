"""Soft actor-critic, with a cost where there is a multiplier.

Haarnoja et al., "Soft Actor-Critic Algorithms and Applications" (2018): twin critics, a squashed Gaussian actor and a
temperature that holds the entropy. With a cost, a third critic estimates it, and the actor maximises

    (min Q_r(s, u) - alpha log pi(u | s) - lambda Q_c(s, u)) / (1 + lambda)

The actions learnt from are the executed ones. A time limit does not end a return: values are bootstrapped from the
observation that the last step led to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from policies.safe.environment import Step
from policies.safe.multiplier import Gains, Multiplier
from policies.safe.networks import Actor, Critics, Scale, descend
from policies.safe.policy import SafePolicy
from policies.safe.replay import ReplayBuffer, Transitions
from policies.safe.state import nested, optimiser_tensors, restore_optimiser, seeded, stream, under


@dataclass(frozen=True)
class SacConfig:
    """How SAC learns.

    Args:
        width, depth: of actor and critics.
        gamma: of rewards and costs.
        target_rate: share by which the target critics follow.
        learning_rate: of all.
        batch_size: of an update.
        replay: steps kept.
        warmup: steps of uniform actions before the first update.
        steps_per_update: of the environments, all rows counted.
        actor_every: updates of the critics per update of the actor.
        entropy: target, per component of the action.
        temperature: initial alpha.
        gains: of the multiplier; None learns without a cost.
    """

    width: int = 128
    depth: int = 2
    gamma: float = 0.99
    target_rate: float = 0.005
    learning_rate: float = 3e-4
    batch_size: int = 256
    replay: int = 500_000
    warmup: int = 10_000
    steps_per_update: int = 8
    actor_every: int = 2
    entropy: float = -1.0
    temperature: float = 0.1
    gains: Gains | None = None


class Sac:
    """Soft actor-critic on rows of an environment (Haarnoja et al. 2018), with a cost where there is a multiplier.

    The actor maximises

        (min Q_r(s, u) - alpha log pi(u | s) - lambda Q_c(s, u)) / (1 + lambda)

    Args:
        size, actions: of an observation and an action.
        config: how it learns.
        seed: of weights, exploration and batches.

    Attributes:
        multiplier: of the cost; None without one.
        replay: the newest steps.
    """

    def __init__(self, size: int, actions: int, config: SacConfig = SacConfig(), seed: int = 0) -> None:
        self.config, self.seed, self._actions = config, seed, actions
        members = 2 if config.gains is None else 3
        with seeded(seed):
            self.scale = Scale(size)
            self.actor = Actor(size, actions, config.width, config.depth)
            self.critics = Critics(members, size + actions, config.width, config.depth)
            self.targets = Critics(members, size + actions, config.width, config.depth)
        self.targets.load_state_dict(self.critics.state_dict())
        self.targets.requires_grad_(False)
        self.log_alpha = nn.Parameter(torch.tensor(np.log(config.temperature), dtype=torch.float32))
        self._actor_parameters, self._critic_parameters = list(self.actor.parameters()), list(self.critics.parameters())
        learnt = {"actor": self._actor_parameters, "critics": self._critic_parameters, "alpha": [self.log_alpha]}
        self._optimisers = {
            name: torch.optim.Adam(parameters, config.learning_rate, fused=True) for name, parameters in learnt.items()
        }
        self.replay = ReplayBuffer(config.replay, size, actions)
        self.multiplier = None if config.gains is None else Multiplier(config.gains)
        self._random = torch.Generator()
        self._steps, self._updates = 0, 0

    def begin(self, segment: int) -> None:
        """Begin a segment of a training: new episodes in all rows, random generator seeded by (seed, segment)."""
        self._random.manual_seed(stream(self.seed, segment))
        if self.multiplier is not None:
            self.multiplier.begin()

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Actions to explore with: uniform ones during the warm-up, then samples of the actor.

        Args:
            observation: (rows, size).

        Returns:
            (rows, actions) -1 to 1.
        """
        if self._steps < self.config.warmup:
            return (2 * torch.rand(len(observation), self._actions, generator=self._random) - 1).numpy()
        scaled = self.scale(torch.from_numpy(observation.astype(np.float32)))
        action: np.ndarray = self.actor.sample(scaled, self._random)[0].numpy()
        return action

    def take(self, observation: np.ndarray, step: Step) -> dict[str, float]:
        """Learn from a step of all rows.

        Args:
            observation: (rows, size) that was acted on.
            step: what came of it.

        Returns:
            The figures of the last update, none where there was none.

        Raises:
            InputError: more rows than the replay buffer holds.
        """
        rows = len(observation)
        self.scale.see(torch.from_numpy(observation.astype(np.float32)))
        self.replay.add(observation, step)
        before, self._steps = self._steps, self._steps + rows
        if self.multiplier is not None:
            self.multiplier.count(step.cost, step.done)
        if self._steps <= self.config.warmup:
            return {}
        due = self._steps // self.config.steps_per_update - before // self.config.steps_per_update
        drawn = self.replay.draw(due * self.config.batch_size, self._random)
        figures: dict[str, float] = {}
        for batch in drawn.split(self.config.batch_size):
            figures |= self.update(self.replay.split(batch))
        return figures

    def update(self, batch: Transitions) -> dict[str, float]:
        """One update of the critics, and of the actor when it is its turn.

        Returns:
            `critic_loss`, `value`, `entropy`, `temperature` and `multiplier` when the actor was updated, nothing else.
        """
        observation, after = self.scale(batch.observation), self.scale(batch.next_observation)
        goals = self.goals(after, batch)
        values = self.critics(torch.cat([observation, batch.action], dim=1))
        critic_loss = (values - goals).square().mean(1).sum()
        descend(self._optimisers["critics"], self._critic_parameters, critic_loss)
        with torch.no_grad():
            for target, source in zip(self.targets.parameters(), self._critic_parameters):
                target.lerp_(source, self.config.target_rate)
        self._updates += 1
        weight = 0.0 if self.multiplier is None else self.multiplier.update()
        if self._updates % self.config.actor_every:
            return {}
        loss, log_prob = self.actor_loss(observation, weight)
        descend(self._optimisers["actor"], self._actor_parameters, loss)
        surplus = float(log_prob.detach().mean()) + self.config.entropy * self._actions
        descend(self._optimisers["alpha"], [self.log_alpha], -self.log_alpha * surplus)
        return {
            "critic_loss": float(critic_loss.detach()),
            "value": float(values[0].detach().mean()),
            "entropy": -float(log_prob.detach().mean()),
            "temperature": float(self.log_alpha.detach().exp()),
            "multiplier": weight,
        }

    @torch.no_grad()
    def goals(self, after: Tensor, batch: Transitions) -> Tensor:
        """Targets of the critics.

            r + gamma (min Q_r'(s', u') - alpha log pi(u' | s')),        c + gamma Q_c'(s', u')

        with nothing after the reward and the cost of a step that ends the task.

        Args:
            after: (batch, size) scaled next observations.
            batch: of which they are.

        Returns:
            (members, batch): two of the reward, and one of the cost where there is a multiplier.
        """
        action, log_prob = self.actor.sample(after, self._random)
        following = self.targets(torch.cat([after, action], dim=1))
        soft = following[:2].amin(0) - self.log_alpha.exp() * log_prob
        discount = self.config.gamma * batch.alive
        reward = batch.reward + discount * soft
        if len(following) == 2:
            return reward.expand(2, -1)
        return torch.stack([reward, reward, batch.cost + discount * following[2]])

    def actor_loss(self, observation: Tensor, weight: float) -> tuple[Tensor, Tensor]:
        """Loss of the actor under a multiplier.

        Args:
            observation: (batch, size) scaled.
            weight: lambda.

        Returns:
            The loss, a scalar, and the log probabilities (batch,) of the sampled actions.
        """
        action, log_prob = self.actor.sample(observation, self._random)
        values = self.critics(torch.cat([observation, action], dim=1))
        objective = values[:2].amin(0) - self.log_alpha.detach().exp() * log_prob
        if weight:
            objective = (objective - weight * values[2]) / (1 + weight)
        return -objective.mean(), log_prob

    def policy(self) -> SafePolicy:
        """The policy as it is now: the most likely actions."""
        return SafePolicy.of(self.scale, self.actor, self.config.width, self.config.depth, free_deviation=False)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a training, name -> tensor, for a checkpoint: the replay buffer too."""
        tensors = {"log_alpha": self.log_alpha.detach()}
        for name, module in self._modules().items():
            tensors |= under(name, module.state_dict())
        for name, optimiser in self._optimisers.items():
            tensors |= under(f"{name}_optimiser", optimiser_tensors(optimiser))
        return tensors | under("replay", self.replay.tensors())

    def numbers(self) -> dict[str, Any]:
        """All numbers of a training as plain values, for a checkpoint."""
        return {
            "steps": self._steps,
            "updates": self._updates,
            "multiplier": None if self.multiplier is None else self.multiplier.state(),
        }

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `numbers` returned.

        Raises:
            InputError: a replay buffer of other sizes.
        """
        for name, module in self._modules().items():
            module.load_state_dict(nested(tensors, name))
        for name, optimiser in self._optimisers.items():
            restore_optimiser(optimiser, nested(tensors, f"{name}_optimiser"))
        self.replay.restore(nested(tensors, "replay"))
        with torch.no_grad():
            self.log_alpha.copy_(tensors["log_alpha"])
        self._steps, self._updates = int(numbers["steps"]), int(numbers["updates"])
        if self.multiplier is not None:
            self.multiplier.restore(numbers["multiplier"])

    def _modules(self) -> dict[str, nn.Module]:
        return {"scale": self.scale, "actor": self.actor, "critics": self.critics, "targets": self.targets}
