"""Chunks of a frozen policy for noises that learners choose, on tensors and without a gradient."""

from __future__ import annotations

from typing import Any, Mapping, Protocol

import torch
from torch import Tensor

from policies.steering.by_actor.noise_actor import require_own_noise
from policies.steering.steered import innermost, is_deterministic
from robot.description import Policy
from robot.errors import InputError


class Denoise(Protocol):
    """Draws chunks of noises."""

    def __call__(self, observation: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        """The chunks (batch, horizon, dim) raw of noises (batch, *noise_shape) where name -> (batch, steps, ...) raw is
        seen.
        """
        ...


def denoiser(policy: Policy) -> Denoise:
    """How a policy, under its sampler, draws chunks of noises.

    Raises:
        InputError: one whose chunks cannot be drawn here, that noise alone does not decide, or in which something
            stands between the noise and the chunk.
    """
    require_own_noise(policy, "learning a noise actor")
    own = innermost(policy)
    if not hasattr(own, "sample_tensors"):
        raise InputError(
            "learning dsrl_na",
            expected="a learnt policy that draws its chunks in this process",
            got=f"a {type(own).__name__}",
            way_out="Take method=dsrl_sac, which draws none, or load the policy from its checkpoint",
        )
    sampler = policy.spec.sampler
    if own.noise_shape is None or not is_deterministic(policy):
        raise InputError(
            f"learning dsrl_na of a policy with sampler '{sampler.name}'",
            expected="a policy whose noise alone decides a chunk",
            got="one that always gives the same" if own.noise_shape is None else "one that draws more noise",
            way_out="Take method=residual, or another sampler such as sampler=ddim of ddpm",
        )
    base: Any = own.with_sampler(sampler.name, sampler.steps)

    def denoise(observation: Mapping[str, Tensor], noise: Tensor) -> Tensor:
        with torch.no_grad():
            chunk: Tensor = base.sample_tensors(dict(observation), noise=noise[:, None])
        return chunk[:, 0]

    return denoise
