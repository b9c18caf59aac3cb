"""The best of several chunks by a critic's value."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from policies.steering.by_critic.critic_source import (
    CheckpointCritic,
    EnsembleCritic,
    critic_name,
    open_critic,
    require_fit,
    require_prompts,
)
from policies.steering.by_critic.guidance import ValueGuided
from policies.steering.by_critic.judged import doubts
from policies.steering.by_noise.noise import choice_numbers, drawn_noise
from policies.steering.choosing import Choice, Choosing, Samples
from policies.steering.steered import innermost, is_deterministic, layers
from robot.description import Critic, Decision, Query, decide
from robot.description.ranges import Range
from robot.errors import InputError


@dataclass(frozen=True, eq=False)
class ValueSteered(Choosing):
    """Draw K chunks, score the rows of each that are executed, and take the best one, or a better one more often
    (Nakamoto et al., "Steering Your Generalists: Improving Robotic Foundation Models via Value Guidance", 2024):

        k* = argmax_k Q(o, A_k)    or    k* ~ softmax_k (z_k / temperature),    z = (Q - mean_k Q) / std_k Q

    so that a temperature means the same for every critic; where all values are equal each chunk is as likely. The
    choice follows the seed of the row. A critic with a base sees each chunk beside the base's zero-noise plan, which is
    drawn in the same call. A value that is no number is the lowest; a row without any falls back to its first chunk.

    With a margin a chunk stands in for the first one only where every member of the critic agrees that it is better:

        min_i (Q_i(o, A_k*) - Q_i(o, A_0)) > margin,        else k* = 0, and the row has fallen back.

    The first chunk is the policy below itself, or with `zero` its zero-noise plan.

    Args:
        policy: whose chunks are drawn.
        critic: scores them: a critic, or the path of one's checkpoint.
        samples: K. At 1 it is the policy itself, to the bit, with a value in its decisions.
        selection_temperature: 0 takes the best.
        zero: whether the base's zero-noise plan is the first of the K, in place of a chunk that is drawn.
        margin: by which each member must value the taken chunk more than the first; None takes the best anyway.

    Raises:
        InputError: a K, temperature or margin out of range, a policy that always gives the same chunk, or a critic that
            does not fit it: other observations, actions, rows, instructions, base or sampler; `zero` with a critic
            that sees no such plan; a margin with a critic whose members have no values of their own.
    """

    critic: Critic | str | Path | None = None
    samples: Samples = 16
    selection_temperature: Annotated[float, Range(0, 1000)] = 0.0
    zero: bool = False
    margin: Annotated[float, Range(0, 1e6)] | None = None

    name: ClassVar[str] = "value"
    scores_rows: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        critic = open_critic(self.critic, self.policy, self.name)
        object.__setattr__(self, "critic", critic)
        require_fit(critic.spec, self.policy)
        if critic.spec.base is not None and not is_deterministic(self.policy):
            raise InputError(
                f"steering {self.name} of a policy with sampler '{self.spec.sampler.name}'",
                expected="a sampler whose first noise decides the chunk: the critic sees the zero-noise plan",
                got="one that draws more noise in each step",
            )
        if self.zero and critic.spec.base is None:
            raise InputError(
                f"steering {self.name}: zero",
                expected="a critic that was trained with a base, beside whose zero-noise plan it sees chunks",
                got="one without",
                way_out="Leave zero= out, or train the critic with base=",
            )
        if self.margin is not None and not isinstance(critic, EnsembleCritic):
            raise InputError(
                f"steering {self.name}: margin",
                expected="a critic of several members, such as one of tiller train critic=...",
                got=f"a {type(critic).__name__} without `member_values`",
                way_out="Leave margin= out",
            )
        if not self.pinned:
            for doubt in self.doubts:
                warnings.warn(doubt, SteeringWarning, stacklevel=3)

    @property
    def scorer(self) -> Critic:
        """The critic, loaded."""
        assert isinstance(self.critic, Critic)
        return self.critic

    @property
    def count(self) -> int:
        return self.samples

    @property
    def deterministic(self) -> bool:
        """A temperature draws the choice too."""
        return super().deterministic and (self.samples == 1 or self.selection_temperature == 0)

    @property
    def settings(self) -> dict[str, Any]:
        own = super().settings
        if not self.zero:  # as it was before there was a choice
            del own["zero"]
        if self.margin is None:
            del own["margin"]
        return {**own, "critic": critic_name(self.scorer)}

    @property
    def doubts(self) -> tuple[str, ...]:
        critic = self.scorer
        return doubts(critic.held_out, self.samples) if isinstance(critic, CheckpointCritic) and critic.hash else ()

    def require_execution(self, rows: int) -> None:
        self.scorer.spec.require_policy(replace(self.spec, n_action_steps=rows))
        super().require_execution(rows)

    def answer(self, query: Query) -> Decision:
        """Decide."""
        below = self.below(query)
        drawn, plan = (decide(self.policy, below), None) if self.scorer.spec.base is None else self._beside_plan(below)
        k = self.scorer.spec.steps
        if self.zero:
            assert plan is not None
            drawn = with_first(drawn, plan, self.samples)
        rows, reference = drawn.chunk[:, :, :k], None if plan is None else plan[:, :k]
        values = score(self.scorer, query, rows, reference)
        values = values.reshape(query.rows, query.samples, self.samples)
        index, fell_back = chosen(values, self.selection_temperature, query)
        if self.margin is not None:
            lead = self._lead(query, rows, reference, index)
            doubted = (index > 0) & ~(lead > self.margin)  # a lead that is no number is none
            index, fell_back = np.where(doubted, 0, index), fell_back | doubted
        value = np.take_along_axis(values, index[..., None], axis=-1)[..., 0]
        return self.decision(query, drawn, Choice(index, value, fell_back.any(axis=1)))

    def _lead(self, query: Query, rows: np.ndarray, plan: np.ndarray | None, index: np.ndarray) -> np.ndarray:
        """The least over the members by which the chosen chunk is better than the first: (batch, samples)."""
        assert isinstance(self.scorer, EnsembleCritic)
        seen = {name: query.observation[name] for name in self.scorer.spec.observation.names}
        values = self.scorer.member_values(seen, rows, query.task, plan)
        values = values.reshape(len(values), query.rows, query.samples, self.samples)
        best = np.take_along_axis(values, index[None, ..., None], axis=-1)[..., 0]
        lead: np.ndarray = (best - values[..., 0]).min(axis=0)
        return lead

    def _beside_plan(self, query: Query) -> tuple[Decision, np.ndarray]:
        """All candidates, and the base's zero-noise plan (batch, horizon, dim): in one call, where the policy below
        gives that plan for zero noise too.
        """
        base = innermost(self.policy)
        apart = any(isinstance(layer, ValueGuided) and not layer.off for layer in layers(self.policy))
        if self.samples == 1 or apart:  # one more chunk in the batch, and the others have other bits
            zero = np.zeros((query.rows, 1, *(base.noise_shape or ())), np.float32)
            plan = decide(base, replace(query, noise=zero, samples=1)).chunk[:, 0]
            return decide(self.policy, query), plan
        noise = drawn_noise(self.policy, query)
        noise = np.concatenate([noise, np.zeros_like(noise[:, :1])], axis=1)
        drawn = decide(self.policy, replace(query, noise=noise, samples=noise.shape[1]))
        value = None if drawn.value is None else drawn.value[:, :-1]
        features = None if drawn.features is None else drawn.features[:, :-1]
        parts = Decision(drawn.chunk[:, :-1], noise[:, :-1], value, fell_back=drawn.fell_back, features=features)
        return parts, drawn.chunk[:, -1]


def with_first(drawn: Decision, plan: np.ndarray, each: int) -> Decision:
    """A decision of (batch, n * each) chunks with the first of every `each` replaced by a zero-noise plan.

    Args:
        drawn: what was decided.
        plan: (batch, horizon, dim).
        each: chunks that are chosen among.
    """
    chunk, noise = drawn.chunk.copy(), None if drawn.noise is None else np.array(drawn.noise)
    chunk[:, ::each] = plan[:, None]
    if noise is not None:
        noise[:, ::each] = 0
    return replace(drawn, chunk=chunk, noise=noise)


class SteeringWarning(UserWarning):
    """What steers is not supported by what is known of it."""


def score(critic: Critic, query: Query, chunk: np.ndarray, plan: np.ndarray | None) -> np.ndarray:
    """The values (batch, n) of chunks (batch, n, k, dim), in one call.

    Raises:
        InputError: a prompt that the critic cannot follow.
    """
    require_prompts(critic.spec, query)
    seen = {name: query.observation[name] for name in critic.spec.observation.names}
    return np.asarray(critic.value(seen, chunk, query.task, plan))


def chosen(values: np.ndarray, temperature: float, query: Query) -> tuple[np.ndarray, np.ndarray]:
    """Which candidate each sample takes.

    Args:
        values: (batch, samples, K).
        temperature: of the softmax over values standardised over K; 0 takes the first of the best.
        query: whose seeds draw the choice.

    Returns:
        Their numbers (batch, samples) int64, and whether none of the K values is a number, (batch, samples) bool.
    """
    known = np.isfinite(values)
    lost = ~known.any(axis=-1)
    if temperature == 0:
        index = np.where(known, values, -np.inf).argmax(axis=-1)
    else:
        shares = softmax(values, temperature).cumsum(axis=-1)
        drawn = choice_numbers(query)[..., None] * shares[..., -1:]
        index = (shares <= drawn).sum(axis=-1).clip(max=values.shape[-1] - 1)
    return np.where(lost, 0, index).astype(np.int64), lost


def softmax(values: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(z / temperature) of the values (..., K), float64, where z are those standardised over K: uniform where
    they are all equal, and 0 where one is no number.
    """
    known = np.isfinite(values)
    number = np.where(known, values, 0.0).astype(np.float64)
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    centred = np.where(known, number - number.sum(axis=-1, keepdims=True) / count, 0.0)
    spread = np.sqrt((centred**2).sum(axis=-1, keepdims=True) / count)
    # A spread that is rounding alone tells nothing apart.
    tells = spread > 1e-7 * np.abs(number).max(axis=-1, keepdims=True)
    z = np.where(tells, centred / np.maximum(spread, 1e-300), 0.0) / temperature
    weight = np.where(known, np.exp(z - z.max(axis=-1, keepdims=True)), 0.0)
    return weight / np.maximum(weight.sum(axis=-1, keepdims=True), 1e-300)
