"""The scale of the noise: from the policy's own spread of chunks down to the one that no noise gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from policies.steering.by_noise.noise import drawn_noise
from policies.steering.steered import Steered, chooses, is_deterministic
from robot.description import Decision, Query, decide
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class NoiseScaled(Steered):
    """Noise times a factor: w = noise_scale * e with e ~ N(0, I).

    At 1 it is the policy itself, to the bit; at 0 the chunk that the zero noise gives, whatever the seed: what an
    untrained deterministic noise actor (Wagenmaker et al., "Steering Your Diffusion Policy with Latent Space
    Reinforcement Learning", 2025) starts from, and so the control beside it.

    Args:
        policy: what is steered.
        noise_scale: the factor.

    Raises:
        InputError: a scale that is no finite number from 0 on; a policy whose chunks do not start from noise, whose
            sampler draws more of it, or that chooses among chunks.
    """

    noise_scale: Annotated[float, Range(0, 100)] = 1.0

    name: ClassVar[str] = "noise_scale"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_noise(self)

    def answer(self, query: Query) -> Decision:
        """Decide from scaled noise; the decision's noise is the unscaled one, as this policy takes it."""
        unscaled = drawn_noise(self, query)
        scaled = replace(query, noise=np.float32(self.noise_scale) * unscaled)
        return replace(decide(self.policy, scaled), noise=unscaled)


def require_noise(steered: Steered) -> None:
    """Refuse a policy that noise cannot steer.

    Raises:
        InputError: its chunks do not start from noise, its sampler draws more of it, or it chooses among chunks.
    """
    policy, thing = steered.policy, f"steering {steered.name}"
    if chooses(policy):
        raise InputError(
            f"{thing} of a policy that chooses among chunks",
            expected="noise steered inside, the choice outside: each of the chunks has noise of its own",
            got=f"{steered.name} outside",
            way_out=f"Steer the base by {steered.name} first, and choose among the chunks of that",
        )
    sampler = policy.spec.sampler
    if policy.noise_shape is None:
        raise InputError(
            f"{thing} of a policy with sampler '{sampler.name}'",
            expected="a policy whose chunks start from noise",
            got="one that always gives the same chunk",
            way_out="Take a policy of objective flow, ddpm or edm",
        )
    if not is_deterministic(policy):
        raise InputError(
            f"{thing} of a policy with sampler '{sampler.name}'",
            expected="a sampler whose first noise decides the chunk",
            got="one that draws more noise in each step",
            way_out="Choose a deterministic one, such as sampler=ddim of ddpm or sampler=heun of edm",
        )
