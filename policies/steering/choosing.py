"""What draws several chunks and takes one of them; and the choice at random, the control beside every other choice."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np

from policies.steering.by_noise.noise import choice_numbers, require_noise_shape
from policies.steering.steered import Steered
from robot.description import Decision, Query, decide
from robot.description.ranges import Range
from robot.errors import InputError

Samples = Annotated[int, Range(1, 256)]
"""K, the chunks that one is chosen from."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Which of its candidates each sample is.

    Args:
        index: (batch, samples) int64.
        value: (batch, samples) that a critic gave the chosen one; None without a critic.
        fell_back: (batch,) bool whether there was nothing to choose by; None where that cannot be.
    """

    index: np.ndarray
    value: np.ndarray | None = None
    fell_back: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Choosing(Steered):
    """Draws K chunks for each that it returns, and takes one. Sample s of a row chooses among the chunks s * K to
    (s + 1) * K - 1 that its seed gives. Subclasses say how many, and fill in `answer` by `drawn` and `decision`.

    Raises:
        InputError: a policy that always gives the same chunk.
    """

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
    @abstractmethod
    def count(self) -> int:
        """K."""

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """(K, *noise_shape of the policy): of all chunks that it chooses from."""
        assert self.policy.noise_shape is not None
        return self.count, *self.policy.noise_shape

    @property
    def chooses(self) -> bool:
        return True

    def below(self, query: Query) -> Query:
        """The query of all candidates: (batch, samples * K) chunks of the policy below.

        Raises:
            InputError: noise of another shape.
        """
        require_noise_shape(query, self.noise_shape)
        noise = query.noise
        if noise is not None:
            noise = np.reshape(noise, (query.rows, query.samples * self.count, *self.noise_shape[1:]))
        return replace(query, noise=noise, samples=query.samples * self.count)

    def alternatives(self, query: Query, drawn: Decision) -> np.ndarray:
        """The chunks (batch, samples, K, horizon, dim) that the answer to `below(query)` holds."""
        return drawn.chunk.reshape(query.rows, query.samples, self.count, *drawn.chunk.shape[2:])

    def decision(self, query: Query, drawn: Decision, choice: Choice) -> Decision:
        """The decision that a choice makes of the answer to `below(query)`."""
        candidates, shape = self.alternatives(query, drawn), (query.rows, query.samples, self.count)
        rows, columns = np.indices(choice.index.shape)
        value = choice.value
        if value is None and drawn.value is not None:
            value = drawn.value.reshape(shape)[rows, columns, choice.index]
        noise = None if drawn.noise is None else drawn.noise.reshape(*shape, *drawn.noise.shape[2:])
        features = None
        if drawn.features is not None:
            features = drawn.features.reshape(*shape, -1)[rows, columns, choice.index]
        given_up = [each for each in (drawn.fell_back, choice.fell_back) if each is not None]
        return Decision(
            candidates[rows, columns, choice.index],
            noise,
            value,
            candidates,
            choice.index,
            np.logical_or.reduce(given_up) if given_up else None,
            features,
        )


@dataclass(frozen=True, eq=False)
class RandomChoice(Choosing):
    """Draw K chunks and take any of them, by the seed of the row: what a choice costs and does without a reason for it.

    Args:
        policy: whose chunks are drawn.
        samples: K.

    Raises:
        InputError: a K out of range, or a policy that always gives the same chunk.
    """

    samples: Samples = 16

    name: ClassVar[str] = "random_choice"

    @property
    def count(self) -> int:
        return self.samples

    @property
    def deterministic(self) -> bool:
        """Only one chunk is decided by its noise."""
        return super().deterministic and self.samples == 1

    def answer(self, query: Query) -> Decision:
        """Decide."""
        drawn = decide(self.policy, self.below(query))
        return self.decision(query, drawn, Choice((choice_numbers(query) * self.samples).astype(np.int64)))
