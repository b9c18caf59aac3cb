"""How a frozen policy acts while it is learnt from: it draws several chunks, executes one, and tells them all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Protocol

import numpy as np

from policies.steering.by_critic.value import softmax
from policies.steering.by_noise.noise import choice_numbers, drawn_noise
from policies.steering.by_noise.noise_scale import require_noise
from policies.steering.choosing import Choice, Choosing, Samples
from robot.description import Decision, Query, decide
from robot.description.ranges import Range, Share
from robot.errors import InputError

ZERO, ANY = "zero", "any"
"""What is executed where nothing is known: the zero-noise plan, or any of the chunks."""


class Scorer(Protocol):
    """Says what chunks are worth."""

    def __call__(self, query: Query, chunks: np.ndarray) -> np.ndarray:
        """The values (batch, K) of the chunks (batch, K, horizon, dim) of a query, the first of which are the
        zero-noise plans; one that is no number counts as the lowest.
        """
        ...


@dataclass(frozen=True, eq=False)
class Exploring(Choosing):
    """Draws K chunks, the first from zero noise, the others from scaled or from fixed noises, and executes one: with a
    scorer, in a share of the decisions, one of larger value more often; else as the rung below does.

        with chance greedy:  k ~ softmax_k (z_k / temperature), z standardised over K      (temperature 0: the largest)
        else:                k = 0 (`zero`), or any k > 0 alike (`any`: the policy at its own scale)

    Draws follow the seed of the row. The candidates and the number of the executed one are in its decisions.

    Args:
        policy: that is learnt from.
        samples: K.
        scale: of the noises that are drawn.
        noises: (K, *noise_shape), fixed ones in place of drawn ones, the first of them zero.
        otherwise: `zero` or `any`.
        scorer: None for nothing known yet.
        greedy: share of the decisions that the scorer decides.
        temperature: of its softmax.
    """

    samples: Samples = 16
    scale: Annotated[float, Range(0, 100)] = 1.0
    noises: np.ndarray | None = None
    otherwise: str = ZERO
    scorer: Scorer | None = None
    greedy: Share = 0.8
    temperature: Annotated[float, Range(0, 1000)] = 0.5

    name: ClassVar[str] = "exploring"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_noise(self)
        if self.otherwise not in (ZERO, ANY):
            raise InputError("exploring: otherwise", expected=f"{ZERO} or {ANY}", got=self.otherwise)
        if self.otherwise == ANY and self.samples < 2:
            raise InputError("exploring: samples", expected="2 or more: one of them is the zero-noise plan", got="1")
        if self.noises is not None and self.noises.shape != (self.samples, *(self.policy.noise_shape or ())):
            raise InputError(
                "exploring: noises",
                expected=f"{(self.samples, *(self.policy.noise_shape or ()))}",
                got=str(self.noises.shape),
            )

    @property
    def count(self) -> int:
        return self.samples

    @property
    def deterministic(self) -> bool:
        """The seed decides the choice too."""
        return False

    def answer(self, query: Query) -> Decision:
        """Decide."""
        drawn = decide(self.policy, self.below(query))
        number = choice_numbers(replace(query, samples=query.samples * 2))
        chance, place = number[:, : query.samples], number[:, query.samples :]
        index = self._as_below(place)
        value = None
        if self.scorer is not None:
            values = np.asarray(self.scorer(query, drawn.chunk)).reshape(query.rows, query.samples, self.samples)
            values = np.where(np.isfinite(values), values, -np.inf)
            index = np.where(chance < self.greedy, self._by_value(values, place), index)
            value = np.take_along_axis(values, index[..., None], axis=-1)[..., 0]
        return replace(self.decision(query, drawn, Choice(index, value)), noise=None)

    def below(self, query: Query) -> Query:
        """The query of all candidates, with their noises."""
        own = super().below(query)
        assert self.policy.noise_shape is not None
        if self.noises is not None:
            noise = np.tile(self.noises, (query.rows, query.samples, *[1] * len(self.policy.noise_shape)))
        else:
            noise = np.float32(self.scale) * drawn_noise(self.policy, own)
            noise[:, :: self.samples] = 0
        return replace(own, noise=noise)

    def _as_below(self, place: np.ndarray) -> np.ndarray:
        """The choice (batch, samples) of the rung below."""
        if self.otherwise == ZERO:
            return np.zeros(place.shape, np.int64)
        return 1 + (place * (self.samples - 1)).astype(np.int64)

    def _by_value(self, values: np.ndarray, place: np.ndarray) -> np.ndarray:
        """The choice (batch, samples) by values (batch, samples, K)."""
        if self.temperature == 0:
            return values.argmax(axis=-1)
        shares = softmax(values, self.temperature).cumsum(axis=-1)
        chosen: np.ndarray = (shares <= place[..., None] * shares[..., -1:]).sum(axis=-1)
        return chosen.clip(max=values.shape[-1] - 1)
