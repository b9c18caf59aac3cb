"""Standard normal noise for a policy, the same that the policy draws itself from these seeds; and the random numbers of
a choice among its chunks.
"""

from __future__ import annotations

import numpy as np

from policies.model.noise import WORD, RowStreams
from robot.description import Policy, Query
from robot.errors import InputError

CHOICES = 2**63
"""Number of the first stream that choices draw from: far above those of any chunk's noise."""


def require_noise_shape(query: Query, shape: tuple[int, ...]) -> None:
    """Refuse given noise of another shape than (batch, samples, *shape)."""
    expected = (query.rows, query.samples, *shape)
    if query.noise is not None and np.shape(query.noise) != expected:
        raise InputError("noise", expected=str(expected), got=str(np.shape(query.noise)))


def drawn_noise(policy: Policy, query: Query) -> np.ndarray:
    """The noise given, or drawn from the seeds: (batch, samples, *noise_shape) float32.

    Raises:
        InputError: noise of another shape, or another number of seeds than rows.
    """
    assert policy.noise_shape is not None
    require_noise_shape(query, policy.noise_shape)
    if query.noise is not None:
        return np.asarray(query.noise, dtype=np.float32)
    if query.seeds is not None and len(query.seeds) != query.rows:
        raise InputError("seeds", expected=f"{query.rows}, one a row", got=str(len(query.seeds)))
    drawn = RowStreams(query.seeds, query.rows, query.samples).normal(policy.noise_shape)
    return drawn.numpy().reshape(query.rows, query.samples, *policy.noise_shape)


def choice_numbers(query: Query) -> np.ndarray:
    """One number in [0, 1) for each choice, (batch, samples) float64, from the seed of its row: from streams that no
    noise is drawn from. Without seeds they are fresh.
    """
    seeds = np.random.SeedSequence().generate_state(query.rows, np.uint64) if query.seeds is None else query.seeds
    keys = [[int(seed) % WORD + (CHOICES + sample) * WORD for sample in range(query.samples)] for seed in seeds]
    return np.array([[np.random.Generator(np.random.Philox(key=key)).random() for key in row] for row in keys])


def fixed_noises(shape: tuple[int, ...], entries: int, scale: float, seed: int) -> np.ndarray:
    """The noises (entries, *shape) of a codebook, float32, the first of them zero: `policies.actors.heads.Entries`."""
    drawn = RowStreams([seed], 1, entries - 1).normal(shape).numpy()
    noises: np.ndarray = np.concatenate([np.zeros((1, *shape), np.float32), np.float32(scale) * drawn])
    return noises
