"""How a frozen policy acts while an actor of its noises learns: by the actor's noises, or as the rung below does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import torch

from policies.actors.actor import LearntActor
from policies.actors.noise import NoiseHead
from policies.experience.exploring import ZERO
from policies.recipe.actors import NoiseShape
from policies.steering.by_actor.actor_source import CheckpointActor
from policies.steering.by_actor.noise_actor import require_own_noise
from policies.steering.by_noise.noise import choice_numbers, drawn_noise
from policies.steering.by_noise.noise_scale import require_noise
from policies.steering.steered import Steered
from robot.description import Decision, Query, decide
from robot.description.ranges import Range, Share
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class ExploringNoises(Steered):
    """Draws the zero-noise plan and one more chunk in the same call, and executes one of the two:

        with chance greedy:  the chunk of w ~ the actor
        else:                the zero-noise plan (`zero`), or the chunk of scale * N(0, I) (`any`): the rung below

    Draws follow the seed of the row. The plan is the only candidate of its decisions, chosen or (-1) not; their noise
    is the one that the executed chunk was drawn from.

    Args:
        policy: that is learnt from.
        scale: of the noises of the rung below.
        otherwise: `zero` or `any`.
        actor: None for one that is to come: all decisions are those of the rung below.
        greedy: share of the decisions that the actor makes.
        within: what the noises of the rung below are made of too; None leaves them as they are.

    Raises:
        InputError: a policy that noise cannot steer, or one between which and its noise something stands.
    """

    scale: Annotated[float, Range(0, 100)] = 1.0
    otherwise: str = ZERO
    actor: LearntActor | None = None
    greedy: Share = 0.8
    within: NoiseShape | None = None

    name: ClassVar[str] = "exploring_noises"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_noise(self)
        require_own_noise(self.policy, f"steering {self.name}")

    @property
    def noise_shape(self) -> None:
        """None: other noise does not change its chunk."""
        return None

    @property
    def deterministic(self) -> bool:
        """The seed decides."""
        return False

    def answer(self, query: Query) -> Decision:
        """Decide.

        Raises:
            InputError: noise is given.
        """
        if query.noise is not None:
            raise InputError(f"noise for {self.name}", expected="none: the seeds draw it", got="some")
        drawn = drawn_noise(self.policy, query)  # (batch, samples, *noise)
        noise = self._as_below(drawn)
        if self.actor is not None:
            acts = choice_numbers(query) < self.greedy
            noise = np.where(acts[..., None, None], self._by_actor(query, drawn), noise)
        both = np.stack([np.zeros_like(noise), noise], axis=2).reshape(query.rows, -1, *noise.shape[2:])
        below = decide(self.policy, replace(query, noise=both, samples=2 * query.samples))
        chunks = below.chunk.reshape(query.rows, query.samples, 2, *below.chunk.shape[2:])
        is_zero = ~noise.any(axis=(2, 3))
        chunk = np.where(is_zero[..., None, None], chunks[:, :, 0], chunks[:, :, 1])
        index = np.where(is_zero, 0, -1).astype(np.int64)
        return Decision(chunk, noise, candidates=chunks[:, :, :1], index=index, fell_back=below.fell_back)

    def _as_below(self, drawn: np.ndarray) -> np.ndarray:
        if self.otherwise == ZERO:
            return np.zeros_like(drawn)
        scaled = np.float32(self.scale) * drawn
        if self.within is None:
            return scaled
        basis = self.within.basis(drawn.shape[2])
        # Numbers of their own, not the nearest of full noises: a mean over the horizon has a smaller spread.
        made: np.ndarray = basis @ scaled[:, :, : basis.shape[1]].clip(-self.within.bound, self.within.bound)
        return made

    def _by_actor(self, query: Query, drawn: np.ndarray) -> np.ndarray:
        """w (batch, samples, *noise) of the actor's own deviation."""
        assert self.actor is not None
        opened, head = CheckpointActor(self.actor), self.actor.model.head
        assert isinstance(head, NoiseHead)
        with torch.inference_mode():
            mean, log_std = head.actor(opened.state(query.observation))
            number = torch.from_numpy(drawn[:, :, : head.basis.shape[1]]).flatten(2)
            noise: np.ndarray = head.noise(torch.tanh(mean[:, None] + log_std.exp()[:, None] * number)).numpy()
        return noise
