"""Soft actor-critic on noises themselves: no chunk is drawn in an update, and the critic sees none.

    y = clip(R + gamma^k alive (min_{i in two random members} Q'_i(s', v') - alpha log pi(v' | s')), 0, 1),  v' ~ pi(s')

with the noise w(v) of a decision as its action: DSRL-SAC (Wagenmaker et al., "Steering Your Diffusion Policy with
Latent Space Reinforcement Learning", 2025), on decisions of k steps, whose time limits do not end a return. It holds
where nothing stands between the noise and what is executed.
"""

from __future__ import annotations

from typing import Any, Mapping, Self

import torch
from torch import Tensor

from policies.actors.actor import LearntActor, build_actor
from policies.actors.noise import NoiseHead
from policies.actors.spec import ActorSpec
from policies.critics.names import DISCOUNT, KNOWN, NOISE, RETURN, REWARD
from policies.experience.learner import Learner, Subject, low_dimensional, measured, recipe_of
from policies.experience.noise_actor import noise_core, noise_settings
from policies.experience.soft import figures_of
from policies.model.batch import TensorBatch
from policies.recipe.actors import NOISE_ACTOR, NoiseOptions
from policies.recipe.learner import LearnerConfig
from policies.rl.actor_critic import StepBatch
from policies.rl.state import nested, seeded, under
from robot.errors import InputError, TillerError


class NoiseSacLearner(Learner):
    """Critics of noises and an actor.

    Args:
        subject, config: as of `ChunkLearner`; the experience keeps noises.
        options: of the actor.
        deviation: of the actor's noise that it begins with, as a share of the bound.

    Raises:
        InputError: experience that is empty, or without noises.
    """

    def __init__(self, subject: Subject, config: LearnerConfig, *, options: NoiseOptions, deviation: float) -> None:
        super().__init__(subject, config)
        self.options, spec, experience = options, subject.spec, subject.experience
        if experience.replay.schema.noise is None:
            raise InputError("experience to learn from", expected="decisions with their noises", got="none")
        recipe, seen = recipe_of(spec, subject.transforms, config), low_dimensional(spec.observation)
        settings = noise_settings(options, config, deviation)
        made = ActorSpec(NOISE_ACTOR, seen, spec.action, subject.base, spec.n_action_steps, subject.noise, settings)
        statistics = measured(recipe, seen, spec, experience, subject.count)
        with seeded(config.seed + 1):
            self.actor: LearntActor = build_actor(recipe, made, statistics)
        self.core = noise_core(self.actor, config, options, deviation)
        self.core.random = self.random

    @property
    def head(self) -> NoiseHead:
        head = self.actor.model.head
        assert isinstance(head, NoiseHead)
        return head

    def update(self, batch: TensorBatch) -> dict[str, float]:
        steps, known = self.step(batch)
        with torch.no_grad():
            goals = self.core.goals(steps.next_observation, steps)
        loss, values = self.core.critic_step(steps.observation, steps.action, goals)
        if not torch.isfinite(loss):
            raise TillerError(f"the critic diverged after {self.updates} updates: its loss is {float(loss)}")
        self.updates += 1
        mean = values.mean(0)
        figures = {
            "critic_loss": float(loss),
            "q": float(mean.mean()),
            "value_less_return": float((mean - batch.columns[RETURN][known]).mean()),
        }
        if self.moves(self.options.after):
            log_prob = self.core.actor_step(steps.observation)
            self.core.temperature_step(log_prob)
            figures |= figures_of(self.core, steps.action, log_prob)
        return figures

    @torch.no_grad()
    def step(self, batch: TensorBatch) -> tuple[StepBatch, Tensor]:
        """The decisions that were drawn from a noise and whose end is known, as the core takes them, and which (batch,)
        these are.
        """
        assert batch.following is not None
        noise, after = batch.columns[NOISE], self.state(batch.following)
        known = torch.isfinite(noise).flatten(1).all(1) & (batch.columns[KNOWN] > 0)
        earned, discount = batch.columns[REWARD], batch.columns[DISCOUNT]  # 0 where the task ended
        action, ones = self.head.within(noise[known]), torch.ones(int(known.sum()))
        return StepBatch(self.state(batch)[known], after[known], action, earned[known], discount[known], ones), known

    @torch.no_grad()
    def state(self, batch: TensorBatch) -> Tensor:
        """What the actor sees, (batch, C)."""
        names = self.actor.spec.observation.names
        return self.actor.model.state({name: batch.observation[name] for name in names})

    def tensors(self) -> dict[str, Tensor]:
        return under("actor", self.actor.model.state_dict()) | under("core", self.core.tensors())

    def numbers(self) -> dict[str, Any]:
        return super().numbers() | {"core": self.core.numbers()}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> Self:
        self.actor.model.load_state_dict(nested(tensors, "actor"))
        self.core.restore(nested(tensors, "core"), numbers["core"])
        return super().restore(tensors, numbers)
