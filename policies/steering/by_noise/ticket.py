"""One noise for every decision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, ClassVar

import numpy as np

from policies.model.noise import RowStreams
from policies.steering.by_noise.noise_scale import require_noise
from policies.steering.steered import Steered
from robot.description import Decision, Query, decide
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class Ticket(Steered):
    """The same noise for every decision: w = scale * e, with e ~ N(0, I) drawn once from `seed`.

    Two numbers that are searched for by rollouts alone (`policies.steering.by_noise.tickets`): no gradient, no critic.
    At scale 0 it is the chunk of zero noise.

    Args:
        policy: what is steered.
        seed: of the noise.
        scale: of it.

    Raises:
        InputError: a number out of range; a policy whose chunks do not start from noise, whose sampler draws more of
            it, or that chooses among chunks.
    """

    seed: Annotated[int, Range(0, 2**63 - 1)] = 0
    scale: Annotated[float, Range(0, 100)] = 1.0

    name: ClassVar[str] = "ticket"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_noise(self)

    @property
    def noise_shape(self) -> None:
        """None: other noise does not change its chunk."""
        return None

    @cached_property
    def noise(self) -> np.ndarray:
        """The noise, of the policy's shape, float32."""
        assert self.policy.noise_shape is not None
        drawn: np.ndarray = RowStreams([self.seed], 1, 1).normal(self.policy.noise_shape)[0].numpy()
        return np.float32(self.scale) * drawn

    def answer(self, query: Query) -> Decision:
        """Decide.

        Raises:
            InputError: noise is given.
        """
        if query.noise is not None:
            raise InputError("noise for a ticket", expected="none: its own noise makes every decision", got="some")
        noise = np.tile(self.noise, (query.rows, query.samples, 1, 1))
        return replace(decide(self.policy, replace(query, noise=noise)), noise=None)
