"""An actor of noises on the critic of chunks: the critic scores what is executed, a second one what noises come to.

    Q^W(s, v) <- mean_i Q_i(s, c(s, w(v))),        half of v from N(0, I) / bound cut off, half about the actor's own
    L_pi = mean (alpha log pi(v | s) - min_i Q^W_i(s, v)),        v ~ pi(s)

DSRL-NA (Wagenmaker et al., "Steering Your Diffusion Policy with Latent Space Reinforcement Learning", 2025), where c
draws the chunk of a frozen policy, and w(v) is a noise within the bound. An update draws two batches of chunks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Self

import numpy as np
import torch
from torch import Tensor

from policies.actors.actor import LearntActor, build_actor
from policies.actors.noise import NoiseHead, noise_of
from policies.actors.spec import ActorSpec
from policies.critics.names import BONUS, CANDIDATES, PLAN
from policies.experience.batches import Experience
from policies.experience.denoising import Denoise
from policies.experience.learner import AT_ONCE, ChunkLearner, Subject, spread_of_pairs
from policies.experience.soft import core_config, figures_of, with_plan
from policies.model.batch import TensorBatch
from policies.recipe.actors import NOISE_ACTOR, NoiseOptions
from policies.recipe.learner import LearnerConfig
from policies.rl.actor_critic import ActorCritic
from policies.rl.state import nested, seeded, under


class NoiseActorLearner(ChunkLearner):
    """The critic of chunks, and an actor of noises on it.

    Args:
        subject, config: as of `ChunkLearner`; the experience has all that the policy sees.
        denoise: draws chunks of the policy.
        options: of the actor.
        deviation: of the actor's noise that it begins with, as a share of the bound.
    """

    objective = "of_actor"

    def __init__(
        self, subject: Subject, config: LearnerConfig, *, denoise: Denoise, options: NoiseOptions, deviation: float
    ) -> None:
        self.denoise, self.options = denoise, options
        self._noise = subject.noise
        super().__init__(subject, with_plan(config, options))
        own = self.critic.spec
        settings = noise_settings(options, config, deviation)
        made = ActorSpec(NOISE_ACTOR, own.observation, own.action, subject.base, own.steps, subject.noise, settings)
        with seeded(config.seed + 1):
            self.actor: LearntActor = build_actor(self.recipe, made, self.statistics)
        self.core = noise_core(self.actor, config, options, deviation)
        self.core.random = self.random

    @property
    def head(self) -> NoiseHead:
        head = self.actor.model.head
        assert isinstance(head, NoiseHead)
        return head

    @torch.no_grad()
    def spread(self, experience: Experience, count: int) -> Tensor:
        """Of chunks that the policy draws within the bound: the candidates are plans alone."""
        generator = torch.Generator().manual_seed(self.config.seed)
        observation, plan = experience.windows(np.arange(min(count, AT_ONCE)))
        raw = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in observation.items()}
        k = plan.shape[2]
        basis = torch.from_numpy(self.options.noises.basis(self._noise[0]))
        prior = self._prior(len(plan), basis.shape[1] * self._noise[-1], generator)
        chunk = self.denoise(raw, noise_of(prior, basis, self.options.bound))[:, :k]
        stages = self.model.chain.forward_observation(self._seen(raw))
        return spread_of_pairs(self.model, stages, torch.from_numpy(plan[:, 0]), chunk)

    def critic_update(self, batch: TensorBatch) -> dict[str, float]:
        return super().critic_update(self.followed(batch))

    @torch.no_grad()
    def followed(self, batch: TensorBatch) -> TensorBatch:
        """A batch with the chunks of the actor in what follows."""
        after = batch.following
        assert after is not None
        numbers, log_prob = self.core.actor.sample(self.state(after), self.random)
        chunk = self.denoise(after.observation, self.head.noise(numbers))[:, : self.critic.spec.steps]
        bonus = -self.core.alpha * log_prob if self.core.config.backup_entropy else torch.zeros_like(log_prob)
        drawn = {PLAN: after.columns[PLAN], CANDIDATES: chunk[:, None], BONUS: bonus}
        following = replace(after, observation=self._seen(after.observation), columns=drawn)
        return replace(batch, observation=self._seen(batch.observation), following=following)

    def improve(self, batch: TensorBatch) -> dict[str, float]:
        """One update of the critic of noises, and of actor and temperature once it is their turn."""
        state = self.state(batch)
        with torch.no_grad():
            numbers = self.tried(state)
            chunk = self.denoise(batch.observation, self.head.noise(numbers))[:, : self.critic.spec.steps]
            here = self.model.at(self._seen(batch.observation), None, batch.columns[PLAN])
            worth = self.model.objective.value(self.model.score(here, self.model.normalised(chunk[:, None], here)))
        loss, values = self.core.critic_step(state, numbers, worth[:, 0].expand(self.config.members, -1))
        figures = {"noise_loss": float(loss), "noise_q": float(values.mean())}
        if self.moves(self.options.after):
            log_prob = self.core.actor_step(state)
            self.core.temperature_step(log_prob)
            figures |= figures_of(self.core, numbers[len(numbers) // 2 :], log_prob)
        return figures

    def tried(self, state: Tensor) -> Tensor:
        """v (batch, n) that the critic of noises learns from."""
        own, _ = self.core.actor.sample(state, self.random)
        half = len(own) // 2
        jitter = self.options.jitter * torch.randn(own[half:].shape, generator=self.random)
        return torch.cat([self._prior(half, self.head.numbers, self.random), (own[half:] + jitter).clamp(-1, 1)])

    @torch.no_grad()
    def state(self, batch: TensorBatch) -> Tensor:
        """What the actor sees, (batch, C)."""
        return self.actor.model.state(self._seen(batch.observation))

    def _seen(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: observation[name] for name in self.critic.spec.observation.names}

    def _prior(self, count: int, numbers: int, generator: torch.Generator) -> Tensor:
        """v (count, n) of N(0, I), cut off at the bound."""
        return (torch.randn((count, numbers), generator=generator) / self.options.bound).clamp(-1, 1)

    def tensors(self) -> dict[str, Tensor]:
        return super().tensors() | under("actor", self.actor.model.state_dict()) | under("core", self.core.tensors())

    def numbers(self) -> dict[str, Any]:
        return super().numbers() | {"core": self.core.numbers()}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> Self:
        self.actor.model.load_state_dict(nested(tensors, "actor"))
        self.core.restore(nested(tensors, "core"), numbers["core"])
        return super().restore(tensors, numbers)


def noise_settings(options: NoiseOptions, config: LearnerConfig, deviation: float) -> dict[str, Any]:
    """Those of an actor of noises (`policies.actors.noise.NoiseGaussian`)."""
    return {
        "bound": options.bound, "shape": options.shape, "knots": options.knots, "deviation": deviation,
        "width": config.width, "depth": config.depth,
    }  # fmt: skip


def noise_core(actor: LearntActor, config: LearnerConfig, options: NoiseOptions, deviation: float) -> ActorCritic:
    """Critics of noises, and the actor of a head."""
    head = actor.model.head
    assert isinstance(head, NoiseHead)
    more = core_config(config, options, head.numbers, deviation, backup_entropy=options.backup_entropy)
    return BoundedCore(int(actor.model.encoder.condition_dim), head.numbers, more, config.seed + 2, actor=head.actor)


class BoundedCore(ActorCritic):
    """The core with targets in [0, 1], as a success is worth 1 and comes once. States are scaled already."""

    @torch.no_grad()
    def goals(self, after: Tensor, batch: Any) -> Tensor:
        return super().goals(after, batch).clamp(0, 1)
