"""What an actor sees, what it steers, and its settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Mapping

from robot.description import ActionSpec, CriticBase, ObservationSpec
from robot.description.ranges import Range


@dataclass(frozen=True)
class ActorSpec:
    """Everything that must be known to use an actor.

    Args:
        kind: what it gives, a name of `policies.actors.heads.HEADS`.
        observation: keys with their histories.
        action: of the policy that it steers.
        base: that policy, and the sampler that turns its noise into chunks.
        steps: k, the rows of a chunk that are executed.
        noise: shape of that policy's noise.
        settings: of the kind.
    """

    kind: str
    observation: ObservationSpec
    action: ActionSpec
    base: CriticBase
    steps: Annotated[int, Range(1, 10_000)]
    noise: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
