"""Soft actor-critic on batches: the steps of critics, actor and temperature, which all learners share.

Haarnoja et al., "Soft Actor-Critic Algorithms and Applications" (2018): an ensemble of critics, a squashed Gaussian
actor and a temperature that holds the entropy. With R the discounted rewards of a decision and gamma^k the discount of
what comes after its k steps,

    y = R + gamma^k alive (reduce_i Q_i'(s', u') - alpha log pi(u' | s')),        u' ~ pi(s')
    L_Q = sum_i mean (Q_i(s, u) - y)^2
    L_pi = mean (alpha log pi(u | s) - reduce_i Q_i(s, u)),        u ~ pi(s)
    L_alpha = -log alpha (log pi + target entropy)

The reduction is the smallest (Fujimoto et al. 2018), the mean, or the smallest of a random subset (Chen et al.,
"Randomized Ensembled Double Q-Learning", 2021). A learner overrides `goals` or `objective`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Iterator, Mapping

import torch
from torch import Tensor, nn

from policies.networks.ensemble import MlpEnsemble
from policies.rl.networks import Actor, Scale, descend
from policies.rl.soft_actor import SoftActor
from policies.rl.state import seeded
from robot.description.ranges import Range
from robot.description.record import require_ranges
from robot.errors import InputError, nearest

MIN, MEAN, SUBSET = "min", "mean", "subset"
REDUCTIONS = (MIN, MEAN, SUBSET)

Members = Annotated[int, Range(1, 1000)]
Share = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class ActorCriticConfig:
    """How an actor and its critics learn.

    Args:
        width, depth: of actor and critics.
        gamma: discount of a step.
        target_rate: share by which the target critics follow.
        learning_rate: of all.
        actor_every: updates of the critics per update of the actor.
        ensemble: critics of the reward.
        reduction: of the target critics: `min`, `mean`, or `subset`, the smallest of `subset` random ones.
        subset: critics of a reduction by `subset`.
        actor_reduction: of the critics that the actor climbs.
        backup_entropy: whether the entropy of what follows counts in the targets of the critics.
        entropy: target, per component of the action.
        temperature: initial alpha.
        temperature_floor, temperature_cap: of alpha; None leaves a side open.
        temperature_fixed: whether alpha stays as it is.

    Raises:
        InputError: a reduction that does not exist, a subset larger than the ensemble, a number outside its range, or a
            temperature outside its own bounds.
    """

    width: Annotated[int, Range(1, 100_000)] = 128
    depth: Annotated[int, Range(0, 100)] = 2
    gamma: Share = 0.99
    target_rate: Share = 0.005
    learning_rate: Annotated[float, Range(0, 10, above=True)] = 3e-4
    actor_every: Annotated[int, Range(1, 1_000_000)] = 2
    ensemble: Members = 2
    reduction: str = MIN
    subset: Members = 2
    actor_reduction: str = MIN
    backup_entropy: bool = True
    entropy: float = -1.0
    temperature: Annotated[float, Range(0, 1e6, above=True)] = 0.1
    temperature_floor: Annotated[float, Range(0, 1e6, above=True)] | None = None
    temperature_cap: Annotated[float, Range(0, 1e6, above=True)] | None = None
    temperature_fixed: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, "actor-critic")
        for name in ("reduction", "actor_reduction"):
            chosen = getattr(self, name)
            if chosen not in REDUCTIONS:
                raise InputError(
                    f"actor-critic: {name}",
                    expected=f"one of {', '.join(REDUCTIONS)}",
                    got=f"'{chosen}'",
                    way_out=nearest(chosen, REDUCTIONS),
                )
        if SUBSET in (self.reduction, self.actor_reduction) and self.subset > self.ensemble:
            raise InputError("actor-critic: subset", expected=f"1 to the {self.ensemble} critics", got=str(self.subset))
        if not math.isfinite(self.entropy):
            raise InputError("actor-critic: entropy", expected="a finite number", got=str(self.entropy))
        low, high = self.temperature_floor or 0.0, self.temperature_cap or math.inf
        if not low <= self.temperature <= high:
            raise InputError(
                "actor-critic: temperature", expected=f"{low:g} to {high:g}, its bounds", got=f"{self.temperature:g}"
            )


@dataclass(frozen=True, eq=False)
class StepBatch:
    """Decisions side by side, as tensors.

    Args:
        observation, next_observation: (batch, size) raw; the next is the one that the decision led to.
        action: (batch, actions) that was executed.
        reward: (batch,) discounted sum over the steps of the decision.
        discount: (batch,) gamma^k of its k steps.
        alive: (batch,) 1 where something comes after it, also when only the time was over; 0 where the task ended.
        cost: (batch,) as the reward; None without one.
    """

    observation: Tensor
    next_observation: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    alive: Tensor
    cost: Tensor | None = None

    def split(self, size: int) -> Iterator[StepBatch]:
        """Batches of `size` decisions, one after the other: several updates from one draw."""
        parts = {name: value.split(size) for name, value in vars(self).items() if value is not None}
        return (StepBatch(**dict(zip(parts, part))) for part in zip(*parts.values()))


class ActorCritic(SoftActor):
    """An actor, critics, their slowly following targets and a temperature.

    Args:
        size, actions: of an observation and an action.
        config: how they learn.
        seed: of the weights.
        more_critics: members of the ensemble beside those of the reward, which a learner gives goals of its own.
        actor: that learns; None makes one.

    Attributes:
        scale: of observations, by all that were seen.
        random: the generator of everything that is drawn.
    """

    def __init__(
        self,
        size: int,
        actions: int,
        config: ActorCriticConfig,
        seed: int,
        *,
        more_critics: int = 0,
        actor: Actor | None = None,
    ) -> None:
        self.seed = seed
        members = config.ensemble + more_critics
        with seeded(seed):
            self.scale = Scale(size)
            super().__init__(actor or Actor(size, actions, config.width, config.depth), actions, config)
            self.critics = MlpEnsemble(members, size + actions, config.width, config.depth)
            self.targets = MlpEnsemble(members, size + actions, config.width, config.depth)
        self.targets.load_state_dict(self.critics.state_dict())
        self.targets.requires_grad_(False)
        self._critic_parameters = list(self.critics.parameters())
        self._optimisers["critics"] = torch.optim.Adam(self._critic_parameters, config.learning_rate, fused=True)
        self._updates = 0

    def update(self, batch: StepBatch) -> dict[str, float]:
        """One update of the critics, and of actor and temperature when it is their turn.

        Returns:
            `critic_loss`, `value`, `entropy` and `temperature` when the actor was updated, nothing else.
        """
        observation, after = self.scale(batch.observation), self.scale(batch.next_observation)
        critic_loss, values = self.critic_step(observation, batch.action, self.goals(after, batch))
        self._updates += 1
        if self._updates % self.config.actor_every:
            return {}
        log_prob = self.actor_step(observation)
        self.temperature_step(log_prob)
        return {
            "critic_loss": float(critic_loss),
            "value": float(values[0].mean()),
            "entropy": -float(log_prob.mean()),
            "temperature": float(self.log_alpha.detach().exp()),
        }

    def critic_step(self, observation: Tensor, action: Tensor, goals: Tensor) -> tuple[Tensor, Tensor]:
        """Move the critics towards goals (members, batch), and their targets after them; returns loss and values."""
        values = self.critics(torch.cat([observation, action], dim=1))
        loss = (values - goals).square().mean(1).sum()
        descend(self._optimisers["critics"], self._critic_parameters, loss)
        with torch.no_grad():
            for target, source in zip(self.targets.parameters(), self._critic_parameters):
                target.lerp_(source, self.config.target_rate)
        return loss.detach(), values.detach()

    def actor_step(self, observation: Tensor) -> Tensor:
        """Move the actor up the objective; returns the log probabilities (batch,) of the sampled actions."""
        loss, log_prob = self.actor_loss(observation)
        descend(self._optimisers["actor"], self._actor_parameters, loss)
        return log_prob.detach()

    @torch.no_grad()
    def goals(self, after: Tensor, batch: StepBatch) -> Tensor:
        """Targets of the critics: y of each member.

        Args:
            after: (batch, size) scaled next observations.
            batch: of which they are.

        Returns:
            (members, batch).
        """
        following, log_prob = self.following(after)
        return self.soft_goals(following, log_prob, batch).expand(self.config.ensemble, -1)

    def following(self, after: Tensor) -> tuple[Tensor, Tensor]:
        """Target values (members, batch) of actions that the actor samples, and their log probabilities (batch,)."""
        action, log_prob = self.actor.sample(after, self.random)
        return self.targets(torch.cat([after, action], dim=1)), log_prob

    def soft_goals(self, following: Tensor, log_prob: Tensor, batch: StepBatch) -> Tensor:
        """y (batch,) of the critics of the reward."""
        soft = self.reduced(following, self.config.reduction)
        if self.config.backup_entropy:
            soft = soft - self.log_alpha.exp() * log_prob
        return batch.reward + batch.discount * batch.alive * soft

    def actor_loss(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of the actor, a scalar, and the log probabilities (batch,) of the sampled actions.

        Args:
            observation: (batch, size) scaled.
        """
        action, log_prob = self.actor.sample(observation, self.random)
        values = self.critics(torch.cat([observation, action], dim=1))
        return -self.objective(values, log_prob).mean(), log_prob

    def objective(self, values: Tensor, log_prob: Tensor) -> Tensor:
        """What the actor maximises (batch,), from the values (members, batch) and log probabilities of its actions."""
        return self.reduced(values, self.config.actor_reduction) - self.log_alpha.detach().exp() * log_prob

    def reduced(self, values: Tensor, reduction: str) -> Tensor:
        """One value (batch,) of the critics of the reward, from the values (members, batch) of all critics."""
        mine = values[: self.config.ensemble]
        if reduction == MEAN:
            return mine.mean(0)
        if reduction == SUBSET:
            mine = mine[torch.randperm(len(mine), generator=self.random)[: self.config.subset]]
        return mine.amin(0)

    def numbers(self) -> dict[str, Any]:
        return {"updates": self._updates}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        super().restore(tensors, numbers)
        self._updates = int(numbers["updates"])

    def _modules(self) -> dict[str, nn.Module]:
        return {"scale": self.scale, "actor": self.actor, "critics": self.critics, "targets": self.targets}
