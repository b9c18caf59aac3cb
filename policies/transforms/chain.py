"""Transforms one after the other, undone in mirrored order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Mapping, Sequence

import torch
from torch import Tensor

from policies.transforms.angle import SineCosine
from policies.transforms.companded import Companded
from policies.transforms.image import ResizeImages
from policies.transforms.relative import RelativeAction, RelativePose
from policies.transforms.transform import Tensors, Transform
from robot.description import ActionSpec, ObservationSpec, from_json
from robot.errors import InputError, nearest

TRANSFORMS: Mapping[str, type[Transform]] = {
    "companded": Companded,
    "sine_cosine": SineCosine,
    "relative_action": RelativeAction,
    "relative_pose": RelativePose,
    "resize_images": ResizeImages,
}
"""Name in a configuration -> transform."""


@dataclass(frozen=True)
class TransformChain:
    """A sequence of transforms between raw data and what is learnt.

    Args:
        transforms: in the order in which raw data passes them.
        observation, action: specs of the raw data.
    """

    transforms: tuple[Transform, ...]
    observation: ObservationSpec
    action: ActionSpec

    @cached_property
    def outgoing(self) -> tuple[ObservationSpec, ActionSpec]:
        """The specs of what leaves the last transform.

        Raises:
            InputError: a transform does not fit what enters it.
        """
        observation, action = self.observation, self.action
        for transform in self.transforms:
            observation, action = transform.outgoing(observation, action)
        return observation, action

    def forward_observation(self, observation: Tensors) -> list[Tensors]:
        """Pass an observation through the transforms.

        Args:
            observation: name -> (batch, steps, ...) raw.

        Returns:
            The observation that enters each transform, and last the one that leaves the chain: the `stages` of the
            other methods.
        """
        stages = [observation]
        for transform in self.transforms:
            stages.append(transform.forward_observation(stages[-1]))
        return stages

    def forward_action(self, action: Tensor, stages: Sequence[Tensors]) -> Tensor:
        """Actions as they are learnt.

        Args:
            action: (batch, ..., horizon, dim) raw, in the order of `action`.
            stages: of the observation beside it.

        Returns:
            (batch, ..., horizon, D), D the dim of the outgoing action.
        """
        if not self.transforms:
            return action
        parts = _unpack(action, self.action)
        for transform, stage in zip(self.transforms, stages):
            parts = transform.forward_action(parts, stage)
        return _pack(parts, self.outgoing[1])

    def inverse_action(self, action: Tensor, stages: Sequence[Tensors]) -> Tensor:
        """The inverse of `forward_action`: (batch, ..., horizon, D) to raw (batch, ..., horizon, dim)."""
        if not self.transforms:
            return action
        parts = _unpack(action, self.outgoing[1])
        for transform, stage in zip(reversed(self.transforms), reversed(stages[:-1])):
            parts = transform.inverse_action(parts, stage)
        return _pack(parts, self.action)


def make_chain(
    transforms: Sequence[Mapping[str, Any]], observation: ObservationSpec, action: ActionSpec
) -> TransformChain:
    """Build a chain from plain values.

    Args:
        transforms: each with a `name` of `TRANSFORMS` and the settings of that transform.
        observation, action: specs of the raw data.

    Raises:
        InputError: no such transform or setting, or one does not fit the data.
    """
    built: list[Transform] = []
    entering = (observation, action)
    for index, settings in enumerate(transforms):
        options = dict(settings)
        name = str(options.pop("name", ""))
        if name not in TRANSFORMS:
            raise InputError(
                f"transforms[{index}].name",
                expected=f"one of {', '.join(TRANSFORMS)}",
                got=f"'{name}'",
                way_out=nearest(name, TRANSFORMS),
            )
        transform = from_json(TRANSFORMS[name], options, where=f"transforms[{index}]").bound(entering[0])
        entering = transform.outgoing(*entering)  # refuses one that does not fit as soon as it is configured
        built.append(transform)
    return TransformChain(tuple(built), observation, action)


def _unpack(action: Tensor, spec: ActionSpec) -> Tensors:
    return {name: action[..., components] for name, components in spec.slices.items()}


def _pack(parts: Tensors, spec: ActionSpec) -> Tensor:
    return torch.cat([parts[name] for name in spec.slices], dim=-1)
