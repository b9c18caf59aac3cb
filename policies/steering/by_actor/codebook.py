"""One of several fixed noises at each decision, by what it is worth there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch

from policies.actors.heads import CODEBOOK
from policies.steering.by_actor.actor_source import ByActor, CheckpointActor
from policies.steering.by_noise.noise import fixed_noises
from policies.steering.by_noise.noise_scale import require_noise
from robot.description import Decision, Query, decide
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Codebook(ByActor):
    """The noise w_i of the largest value V_i(o) among a few: one chunk is drawn, and nothing else than V is computed.

        w_0 = 0,   w_i = scale * e_i with e_i ~ N(0, I) drawn once,   i* = argmax_i V_i(o)

    A latent action of finitely many values, in the manner of Wagenmaker et al., "Steering Your Diffusion Policy with
    Latent Space Reinforcement Learning" (2025). Values that are no numbers fall back to zero noise.

    Args:
        policy: what is steered.
        actor: gives the values: of kind `codebook`, or the path of one's checkpoint.

    Raises:
        InputError: no actor, or one that does not fit the policy; a policy that noise cannot steer.
    """

    name: ClassVar[str] = CODEBOOK

    def __post_init__(self) -> None:
        super().__post_init__()
        require_noise(self)
        self.open()

    @property
    def noise_shape(self) -> None:
        """None: other noise does not change its chunk."""
        return None

    @cached_property
    def noises(self) -> np.ndarray:
        """(entries, *noise_shape) float32, the first of them zero."""
        spec = self.opened.spec
        settings = {name: spec.settings[name] for name in ("entries", "scale", "seed")}
        return fixed_noises(tuple(spec.noise), **settings)

    def values(self, query: Query) -> np.ndarray:
        """V (batch, entries) float32, in [0, 1]."""
        return entry_values(self.opened, query)

    def answer(self, query: Query) -> Decision:
        """Decide.

        Raises:
            InputError: noise is given.
        """
        if query.noise is not None:
            raise InputError("noise for a codebook", expected="none: its own make every decision", got="some")
        values = self.values(query)
        known = np.isfinite(values)
        index, lost = np.where(known, values, -np.inf).argmax(axis=1), ~known.any(axis=1)
        index = np.where(lost, 0, index)
        noise = np.repeat(self.noises[index][:, None], query.samples, axis=1)
        value = np.repeat(values[np.arange(len(index)), index][:, None], query.samples, axis=1)
        below = decide(self.policy, replace(query, noise=noise))
        fell_back = lost if below.fell_back is None else lost | below.fell_back
        return replace(below, noise=None, value=value, fell_back=fell_back)


def entry_values(actor: CheckpointActor, query: Query) -> np.ndarray:
    """The values (batch, entries) of an actor of kind `codebook`, float32."""
    with torch.inference_mode():
        values: np.ndarray = actor.actor.model.head(actor.state(query.observation)).sigmoid().T.cpu().numpy()
    return values
