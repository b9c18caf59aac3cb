"""Standard normal noise for a policy, the same that the policy draws itself from these seeds."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from policies.model.noise import RowStreams
from robot.description import Observation, Policy
from robot.errors import InputError


def drawn_noise(
    policy: Policy, observation: Observation, noise: np.ndarray | None, samples: int, seeds: Sequence[int] | None
) -> np.ndarray:
    """The noise given, or drawn from the seeds: (batch, samples, *noise_shape) float32.

    Raises:
        InputError: noise of another shape, or another number of seeds than rows.
    """
    batch = len(next(iter(observation.values())))
    assert policy.noise_shape is not None
    shape = (batch, samples, *policy.noise_shape)
    if noise is not None:
        if np.shape(noise) != shape:
            raise InputError("noise", expected=str(shape), got=str(np.shape(noise)))
        return np.asarray(noise, dtype=np.float32)
    if seeds is not None and len(seeds) != batch:
        raise InputError("seeds", expected=f"{batch}, one a row", got=str(len(seeds)))
    return RowStreams(seeds, batch, samples).normal(policy.noise_shape).numpy().reshape(shape)
