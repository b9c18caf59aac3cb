"""The interface of a transform: forward for observations and actions, inverse for actions."""

from __future__ import annotations

from typing import Mapping

from torch import Tensor

from robot.description import ActionSpec, ObservationSpec
from robot.errors import InputError, nearest

Tensors = Mapping[str, Tensor]
"""Name -> tensor: of an observation (batch, steps, ...), of an action (batch, ..., horizon, size)."""


class Transform:
    """A change of representation; subclasses are frozen dataclasses that hold its settings.

    An observation is name -> (batch, steps, ...), the newest row last. An action is in its parts, field name ->
    (batch, ..., horizon, size): between the batch and the horizon there may be samples. The observation given beside
    an action is the one that *enters* this transform, forward and inverse alike.
    """

    def outgoing(self, observation: ObservationSpec, action: ActionSpec) -> tuple[ObservationSpec, ActionSpec]:
        """The specs of what leaves this transform.

        Args:
            observation, action: specs of what enters it.

        Raises:
            InputError: this transform does not fit the specs that enter it.
        """
        return observation, action

    def bound(self, observation: ObservationSpec) -> Transform:
        """This transform for the spec of the observation that enters it: tensors do not show the kinds of keys."""
        return self

    def forward_observation(self, observation: Tensors) -> Tensors:
        """The observation, name -> (batch, steps, ...), that leaves this transform; the newest row is last."""
        return observation

    def forward_action(self, action: Tensors, observation: Tensors) -> Tensors:
        """The action that leaves this transform.

        Args:
            action: field -> (batch, ..., horizon, size).
            observation: name -> (batch, steps, ...) that enters this transform beside it.
        """
        return action

    def inverse_action(self, action: Tensors, observation: Tensors) -> Tensors:
        """The action that entered `forward_action`, given the one that left it and the same observation."""
        return action


def newest(value: Tensor, action: Tensor) -> Tensor:
    """The newest row of an observed key (batch, steps, size), broadcastable against an action (batch, ..., size)."""
    row = value[:, -1]
    return row.reshape(len(row), *(1 for _ in action.shape[1:-1]), *row.shape[1:])


def require_fields(transform: str, action: ActionSpec, names: Mapping[str, object] | tuple[str, ...]) -> None:
    """Refuse a transform of action fields that are not there."""
    for name in names:
        if name not in action.slices:
            raise InputError(
                f"{transform}: action field '{name}'",
                expected=f"one of {', '.join(action.slices)}",
                way_out=nearest(name, action.slices),
            )
