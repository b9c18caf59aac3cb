"""The chunk in the middle of several: a choice that needs no training, beside which learnt ones are judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from policies.steering.noise import require_noise_shape
from policies.steering.steered import Steered
from robot.description import Decision, Query, decide
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Medoid(Steered):
    """Draw K chunks and take their medoid: the one with the least sum of distances to the others,

        k* = argmin_k sum_j || (A_k - A_j) / s ||,

    with s the deviation of each component of the action over the K chunks and their rows.

    Args:
        policy: whose chunks are drawn.
        candidates: K.

    Raises:
        InputError: a K out of range, or a policy that always gives the same chunk.
    """

    candidates: Annotated[int, Range(1, 256)] = 16

    name: ClassVar[str] = "medoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.policy.noise_shape is None:
            raise InputError(
                f"steering {self.name} of a policy with sampler '{self.policy.spec.sampler.name}'",
                expected="a policy whose chunks start from noise",
                got="one that always gives the same chunk",
                way_out="Take a policy of objective flow, ddpm or edm",
            )

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """(K, *noise_shape of the policy): of all chunks that it chooses from."""
        assert self.policy.noise_shape is not None
        return self.candidates, *self.policy.noise_shape

    @property
    def chooses(self) -> bool:
        return True

    def answer(self, query: Query) -> Decision:
        """Decide; sample s of a row chooses among the chunks s * K to (s + 1) * K - 1 that its seed gives."""
        require_noise_shape(query, self.noise_shape)
        batch, samples, count = query.rows, query.samples, self.candidates
        inner = self.noise_shape[1:]
        noise = None if query.noise is None else np.reshape(query.noise, (batch, samples * count, *inner))
        drawn = decide(self.policy, replace(query, noise=noise, samples=samples * count))
        candidates = drawn.chunk.reshape(batch, samples, count, *drawn.chunk.shape[2:])
        index = medoids(candidates)
        rows, columns = np.indices(index.shape)
        value = None if drawn.value is None else drawn.value.reshape(batch, samples, count)[rows, columns, index]
        given = None if drawn.noise is None else drawn.noise.reshape(batch, samples, count, *inner)
        features = drawn.features
        if features is not None:
            features = features.reshape(batch, samples, count, -1)[rows, columns, index]
        return Decision(candidates[rows, columns, index], given, value, candidates, index, drawn.fell_back, features)


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
