"""Proximal policy optimisation, with a cost where there is a multiplier.

Schulman et al., "Proximal Policy Optimization Algorithms" (2017): the clipped objective on generalised advantages,
several passes over each rollout, stopped early when the policy has moved by the target divergence. With a cost, its
advantages are weighed in, A = (A_r - lambda A_c) / (1 + lambda), both of unit deviation.

The actions learnt from are the executed ones. A time limit does not end a return: values are bootstrapped from the
observation that the last step led to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from policies.rl.environment import Step
from policies.rl.networks import Actor, Scale, descend, mlp
from policies.rl.policy import ActorPolicy
from policies.rl.state import nested, optimiser_tensors, restore_optimiser, seeded, stream, under
from policies.safe.multiplier import Gains, Multiplier
from policies.safe.returns import advantages

_LEAST = 1e-6


@dataclass(frozen=True)
class PpoConfig:
    """How PPO learns.

    Args:
        width, depth: of actor and values.
        gamma, decay: of rewards and costs, and the lambda of the advantages.
        learning_rate: of all.
        steps: per row in a rollout.
        passes, batch_size: over a rollout.
        clip: of the ratio of probabilities, epsilon of Schulman et al. (2017), equation 7.
        target_divergence: KL of the old and the new policy beyond which no further pass is begun.
        entropy: weight of the Gaussian's entropy.
        log_std: of it, initially.
        gradient: largest norm.
        gains: of the multiplier; None learns without a cost.
    """

    width: int = 64
    depth: int = 2
    gamma: float = 0.99
    decay: float = 0.95
    learning_rate: float = 3e-4
    steps: int = 128
    passes: int = 10
    batch_size: int = 1024
    clip: float = 0.2
    target_divergence: float = 0.02
    entropy: float = 1e-3
    log_std: float = -0.5
    gradient: float = 0.5
    gains: Gains | None = None


class Ppo:
    """Proximal policy optimisation on rows of an environment (Schulman et al. 2017), with a cost where there is a
    multiplier.

        A = (A_r - lambda A_c) / (1 + lambda)

    The advantages of reward and cost are generalised ones (Schulman et al. 2016), each of unit deviation.

    Args:
        size, actions: of an observation and an action.
        config: how it learns.
        seed: of weights, exploration and batches.

    Attributes:
        multiplier: of the cost; None without one.
    """

    def __init__(self, size: int, actions: int, config: PpoConfig = PpoConfig(), seed: int = 0) -> None:
        self.config, self.seed = config, seed
        with seeded(seed):
            self.scale = Scale(size)
            self.actor = Actor(size, actions, config.width, config.depth, free_deviation=True, log_std=config.log_std)
            # One output for the reward, one for the cost, each in deviations of its returns.
            self.values = mlp(size, config.width, config.depth, 2)
        self.return_scale = Scale(2)
        self._parameters = [*self.actor.parameters(), *self.values.parameters()]
        self._optimiser = torch.optim.Adam(self._parameters, config.learning_rate, fused=True)
        self.multiplier = None if config.gains is None else Multiplier(config.gains)
        self._random = torch.Generator()
        self._rollout: list[tuple[np.ndarray, Step]] = []

    def begin(self, segment: int) -> None:
        """Begin a segment of a training: new episodes in all rows, random generator seeded by (seed, segment)."""
        self._random.manual_seed(stream(self.seed, segment))
        self._rollout = []
        if self.multiplier is not None:
            self.multiplier.begin()

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Actions to explore with.

        Args:
            observation: (rows, size).

        Returns:
            (rows, actions) -1 to 1.
        """
        scaled = self.scale(torch.from_numpy(observation.astype(np.float32)))
        action: np.ndarray = self.actor.sample(scaled, self._random)[0].numpy()
        return action

    def take(self, observation: np.ndarray, step: Step) -> dict[str, float]:
        """Learn from a step of all rows.

        Args:
            observation: (rows, size) that was acted on.
            step: what came of it.

        Returns:
            The figures of `update` when a rollout was full, nothing before.
        """
        self._rollout.append((observation, step))
        if self.multiplier is not None:
            self.multiplier.count(step.cost, step.done)
        if len(self._rollout) < self.config.steps:
            return {}
        figures = self.update(self._rollout)
        self._rollout = []
        return figures

    def update(self, rollout: list[tuple[np.ndarray, Step]]) -> dict[str, float]:
        """Learn from a rollout.

        Args:
            rollout: (observation (rows, size), step) of each step, in order, which this policy made.

        Returns:
            `multiplier`, `passes`, and of the last batch `actor_loss`, `value_loss`, `divergence` and `log_std`.
        """
        config = self.config
        steps = [step for _, step in rollout]
        raw = _stack([observation for observation, _ in rollout])
        observation, after = self.scale(raw), self.scale(_stack([step.last_observation for step in steps]))
        action = _stack([step.executed for step in steps])
        terminated = torch.from_numpy(np.stack([step.terminated for step in steps]))
        done = torch.from_numpy(np.stack([step.done for step in steps]))
        with torch.no_grad():
            before = self.actor.log_prob(observation, action)
            value, following = self._values(observation), self._values(after)
            gain = torch.stack(
                [
                    advantages(
                        _stack([getattr(step, name) for step in steps]),
                        value[..., k],
                        following[..., k],
                        terminated,
                        done,
                        config.gamma,
                        config.decay,
                    )
                    for k, name in enumerate(("reward", "cost"))
                ],
                dim=-1,
            )
            goals = (gain + value).flatten(0, 1)
            self.return_scale.see(goals)
            goals = (goals - self.return_scale.shift) * self.return_scale.factor
            weight = 0.0 if self.multiplier is None else self.multiplier.update()
            benefit = self._benefit(gain.flatten(0, 1), weight)
        whole = (observation.flatten(0, 1), action.flatten(0, 1), before.flatten(), benefit, goals)
        figures: dict[str, float] = {"multiplier": weight}
        for number in range(config.passes):
            order = torch.randperm(len(benefit), generator=self._random)
            divergence = 0.0
            batches = order.split(config.batch_size)
            for rows in batches:
                figures |= self._learn(*(part[rows] for part in whole))
                divergence += figures["divergence"] / len(batches)
            figures["passes"] = number + 1.0
            if divergence > config.target_divergence:
                break
        # Updated last, so that the probabilities of a rollout are those of the policy that made it.
        self.scale.see(raw.flatten(0, 1))
        return figures

    def _learn(
        self, observation: Tensor, action: Tensor, before: Tensor, benefit: Tensor, goals: Tensor
    ) -> dict[str, float]:
        log_ratio = self.actor.log_prob(observation, action) - before
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - self.config.clip, 1 + self.config.clip)
        actor_loss = -torch.minimum(ratio * benefit, clipped * benefit).mean()
        value_loss = (self.values(observation) - goals).square().mean()
        assert self.actor.log_std is not None
        entropy = self.actor.log_std.sum()
        descend(
            self._optimiser,
            self._parameters,
            actor_loss + 0.5 * value_loss - self.config.entropy * entropy,
            self.config.gradient,
        )
        with torch.no_grad():
            # Schulman's estimator of KL(old | new): never negative, little variance.
            divergence = float((ratio - 1 - log_ratio).mean())
        return {
            "actor_loss": float(actor_loss.detach()),
            "value_loss": float(value_loss.detach()),
            "divergence": divergence,
            "log_std": float(self.actor.log_std.detach().mean()),
        }

    def _values(self, observation: Tensor) -> Tensor:
        """(..., 2) values of reward and cost, in their own units."""
        values: Tensor = self.values(observation) / self.return_scale.factor + self.return_scale.shift
        return values

    def _benefit(self, gain: Tensor, weight: float) -> Tensor:
        """(batch,) advantage of an action under a multiplier, from the advantages (batch, 2) of reward and cost."""
        reward, cost = ((gain - gain.mean(0)) / gain.std(0).clamp_min(_LEAST)).unbind(1)
        return (reward - weight * cost) / (1 + weight)

    def policy(self) -> ActorPolicy:
        """The policy as it is now: the most likely actions."""
        return ActorPolicy.of(self.scale, self.actor, self.config.width, self.config.depth, free_deviation=True)

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a training, name -> tensor, for a checkpoint."""
        tensors = under("optimiser", optimiser_tensors(self._optimiser))
        for name, module in self._modules().items():
            tensors |= under(name, module.state_dict())
        return tensors

    def numbers(self) -> dict[str, Any]:
        """All numbers of a training as plain values, for a checkpoint."""
        return {"multiplier": None if self.multiplier is None else self.multiplier.state()}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Restore what `tensors` and `numbers` returned."""
        for name, module in self._modules().items():
            module.load_state_dict(nested(tensors, name))
        restore_optimiser(self._optimiser, nested(tensors, "optimiser"))
        if self.multiplier is not None:
            self.multiplier.restore(numbers["multiplier"])

    def _modules(self) -> dict[str, nn.Module]:
        return {"scale": self.scale, "return_scale": self.return_scale, "actor": self.actor, "values": self.values}


def _stack(parts: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(parts).astype(np.float32))
