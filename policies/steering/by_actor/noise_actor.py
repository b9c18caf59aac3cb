"""The noise that an actor gives for what is seen: one chunk is drawn, and no critic is asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from policies.recipe.actors import NOISE_ACTOR
from policies.steering.by_actor.actor_source import ByActor
from policies.steering.by_noise.noise_scale import require_noise
from policies.steering.execution import Executed, Resampled
from policies.steering.prompted import Prompted
from policies.steering.steered import layers
from robot.description import Decision, Policy, Query, decide
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class NoiseActor(ByActor):
    """The noise of the mean of an actor: w = bound * B tanh(mu(o)), within the bound by how it is made.

    Wagenmaker et al., "Steering Your Diffusion Policy with Latent Space Reinforcement Learning" (2025). An actor that
    has learnt nothing gives zero noise, to the bit. A noise that is no number falls back to zero noise.

    Args:
        policy: what is steered.
        actor: gives the noise: of kind `noise_actor`, or the path of one's checkpoint.

    Raises:
        InputError: no actor, or one that does not fit the policy; a policy that noise cannot steer, or one between
            which and its noise something else stands.
    """

    name: ClassVar[str] = NOISE_ACTOR

    def __post_init__(self) -> None:
        super().__post_init__()
        require_noise(self)
        require_own_noise(self.policy, f"steering {self.name}")
        self.open()

    @property
    def noise_shape(self) -> None:
        """None: other noise does not change its chunk."""
        return None

    def noises(self, query: Query) -> np.ndarray:
        """w (batch, *noise) float32, each component within the bound."""
        with torch.inference_mode():
            noise: np.ndarray = self.opened.actor.model.head(self.opened.state(query.observation)).cpu().numpy()
        return noise

    def answer(self, query: Query) -> Decision:
        """Decide.

        Raises:
            InputError: noise is given.
        """
        if query.noise is not None:
            raise InputError("noise for a noise actor", expected="none: its own makes every decision", got="some")
        noise = self.noises(query)
        lost = ~np.isfinite(noise).all(axis=tuple(range(1, noise.ndim)))
        noise = np.where(lost.reshape(-1, *[1] * (noise.ndim - 1)), np.float32(0), noise)
        below = decide(self.policy, replace(query, noise=np.repeat(noise[:, None], query.samples, axis=1)))
        fell_back = lost if below.fell_back is None else lost | below.fell_back
        return replace(below, noise=None, fell_back=fell_back)


def require_own_noise(policy: Policy, thing: str) -> None:
    """Refuse a policy in which something stands between the noise that it is given and the chunk of the base.

    Args:
        policy: to be given noises.
        thing: that gives them, as an error names it.

    Raises:
        InputError: names the layer.
    """
    for layer in layers(policy):
        if not isinstance(layer, (Executed, Resampled, Prompted)):
            raise InputError(
                f"{thing} of a policy that is steered by {layer.name}",
                expected="the base itself, under its sampler: the actor's noise is what its chunk is drawn from",
                got=f"{layer.name} between the two",
                way_out=f"Steer the base without {layer.name}",
            )
