"""An offset of the policy's chunk, within fixed distances; edited or unedited by what a critic makes of the two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from policies.actors.edit import RESIDUAL
from policies.steering.by_actor.actor_source import ByActor
from policies.steering.by_critic.critic_source import critic_name, open_critic, require_fit
from policies.steering.by_critic.value import score
from robot.description import Critic, Decision, Query, decide


@dataclass(frozen=True, eq=False)
class Residual(ByActor):
    """The chunk of the policy below plus the offset of an actor's mean, the same for all rows of the chunk, as actions
    are absolute:

        a_t = a_base_t + delta * tanh(mu(o)),        |a_t - a_base_t| <= delta per component

    With a critic whichever of the two it values more, the unedited one where they are alike (Dong et al., "EXPO: Stable
    Reinforcement Learning with Expressive Policies", 2025); both are the candidates of its decisions, the unedited one
    first. The critic sees the difference from the unedited chunk, in place of a zero-noise plan. An actor that has
    learnt nothing gives the policy below, to the bit. An offset or a value that is no number falls back to it. Rows
    that are committed already are not moved.

    It leaves what the policy below would ever do: limits stay where they are, outside.

    Args:
        policy: what is steered.
        actor: gives the offset: of kind `residual`, or the path of one's checkpoint.
        critic: says which of the two; None takes the edited one.

    Raises:
        InputError: no actor, or an actor or critic that does not fit the policy.
    """

    critic: Critic | str | Path | None = None

    name: ClassVar[str] = RESIDUAL

    def __post_init__(self) -> None:
        super().__post_init__()
        self.open()
        if self.critic is not None:
            critic = open_critic(self.critic, self.policy, self.name)
            object.__setattr__(self, "critic", critic)
            require_fit(critic.spec, self.policy)

    @property
    def settings(self) -> dict[str, Any]:
        own = super().settings
        if self.critic is None:
            del own["critic"]
            return own
        assert isinstance(self.critic, Critic)
        return {**own, "critic": critic_name(self.critic)}

    def offsets(self, query: Query) -> np.ndarray:
        """(batch, dim) float32, each component within its delta."""
        with torch.inference_mode():
            offset: np.ndarray = self.opened.actor.model.head(self.opened.state(query.observation)).cpu().numpy()
        return offset

    def answer(self, query: Query) -> Decision:
        """Decide."""
        below = decide(self.policy, query)
        offset = self.offsets(query)
        lost = ~np.isfinite(offset).all(axis=1)
        both = with_edited(below.chunk, np.where(lost[:, None], np.float32(0), offset), query)
        index, value = np.ones(both.shape[:2], np.int64), below.value
        if self.critic is not None:
            assert isinstance(self.critic, Critic)
            values = pair_values(self.critic, query, both)
            known = np.isfinite(values).all(axis=-1)
            index, lost = np.where(known, values[..., 1] > values[..., 0], 0).astype(np.int64), lost | ~known.all(1)
            value = np.take_along_axis(values, index[..., None], axis=-1)[..., 0]
        index = np.where(lost[:, None], 0, index)
        chunk = np.take_along_axis(both, index[..., None, None, None], axis=2)[:, :, 0]
        fell_back = lost if below.fell_back is None else lost | below.fell_back
        return replace(below, chunk=chunk, value=value, candidates=both, index=index, fell_back=fell_back)


def with_edited(chunk: np.ndarray, offset: np.ndarray, query: Query) -> np.ndarray:
    """Chunks beside the same with an offset on all rows but those that the query says are committed.

    Args:
        chunk: (batch, samples, horizon, dim).
        offset: (batch, dim), or (batch, samples, dim).
        query: that they answer.

    Returns:
        (batch, samples, 2, horizon, dim), of the type of the chunk.
    """
    offset = np.broadcast_to(offset[:, None] if offset.ndim == 2 else offset, (*chunk.shape[:2], chunk.shape[-1]))
    moved = np.repeat(offset[:, :, None], chunk.shape[2], axis=2)
    if query.prefix_weight is not None:
        free = 1 - np.clip(np.asarray(query.prefix_weight, np.float32), 0, 1)
        moved = moved * free[:, None, :, None]
    return np.stack([chunk, (chunk + moved).astype(chunk.dtype)], axis=2)


def pair_values(critic: Critic, query: Query, both: np.ndarray) -> np.ndarray:
    """The values (batch, samples, 2) of chunks (batch, samples, 2, horizon, dim), each pair beside its first."""
    k = critic.spec.steps
    rows = both[:, :, :, :k]
    each = [
        score(critic, query, rows[:, sample], None if critic.spec.base is None else rows[:, sample, 0])
        for sample in range(both.shape[1])
    ]
    return np.stack(each, axis=1)
