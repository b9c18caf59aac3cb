"""The chunk in the middle of several: a choice that needs no training, beside which learnt ones are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from policies.steering.choosing import Choice, Choosing, Samples
from robot.description import Decision, Query, decide


@dataclass(frozen=True, eq=False)
class Medoid(Choosing):
    """Draw K chunks and take their medoid: the one with the least sum of distances to the others,

        k* = argmin_k sum_j || (A_k - A_j) / s ||,

    with s the deviation of each component of the action over the K chunks and their rows.

    Args:
        policy: whose chunks are drawn.
        candidates: K.

    Raises:
        InputError: a K out of range, or a policy that always gives the same chunk.
    """

    candidates: Samples = 16

    name: ClassVar[str] = "medoid"

    @property
    def count(self) -> int:
        return self.candidates

    def answer(self, query: Query) -> Decision:
        """Decide."""
        drawn = decide(self.policy, self.below(query))
        return self.decision(query, drawn, Choice(medoids(self.alternatives(query, drawn))))


def medoids(candidates: np.ndarray) -> np.ndarray:
    """The number of the medoid among K chunks.

    Args:
        candidates: (..., K, horizon, dim).

    Returns:
        (...,) int64; the first of equal ones.
    """
    spread = candidates.std(axis=(-3, -2), keepdims=True)
    scaled = (candidates / np.maximum(spread, 1e-9)).astype(np.float64)
    sets = scaled.reshape(-1, scaled.shape[-3], scaled.shape[-2] * scaled.shape[-1])
    # Set by set, as all differences at once may be gigabytes.
    index = [np.linalg.norm(each[:, None] - each, axis=-1).sum(axis=-1).argmin() for each in sets]
    return np.array(index, dtype=np.int64).reshape(candidates.shape[:-3])
