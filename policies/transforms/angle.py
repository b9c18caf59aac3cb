"""Angles as sine and cosine, which do not jump where an angle wraps round."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Mapping

import torch
from torch import Tensor

from policies.transforms.transform import Tensors, Transform, require_fields
from robot.description import ActionField, ActionSpec, ObservationSpec
from robot.description.ranges import NonNegative
from robot.errors import InputError


@dataclass(frozen=True)
class SineCosine(Transform):
    """Replace chosen components, in rad, by their sines and then cosines, behind the components that stay.

        (..., n) with c of them chosen -> (..., n + c)

    Args:
        observation: key -> components of its last axis.
        action: field -> components; the inverse returns angles in (-pi, pi].
    """

    observation: Mapping[str, tuple[NonNegative, ...]] = field(default_factory=dict)
    action: Mapping[str, tuple[NonNegative, ...]] = field(default_factory=dict)

    def outgoing(self, observation: ObservationSpec, action: ActionSpec) -> tuple[ObservationSpec, ActionSpec]:
        """The specs with more components and their units; a changed action field is of kind `native`.

        Raises:
            InputError: no such key or field, a component that is not there or is chosen twice, or one in another unit
                than rad or 1.
        """
        keys = {}
        for name, chosen in self.observation.items():
            key = observation[name]
            size = key.shape[-1] if key.shape else 0
            unit = _check_and_replace_units(f"observation '{name}'", key.unit, size, chosen)
            keys[name] = replace(key, shape=(*key.shape[:-1], size + len(chosen)), unit=unit)
        require_fields("sine_cosine", action, tuple(self.action))
        return (
            ObservationSpec(tuple(keys.get(key.name, key) for key in observation)),
            ActionSpec(tuple(self._outgoing_field(one) for one in action.fields), action.period_s),
        )

    def _outgoing_field(self, one: ActionField) -> ActionField:
        chosen = self.action.get(one.name)
        if chosen is None:
            return one
        unit = _check_and_replace_units(f"action field '{one.name}'", one.unit, one.size, chosen)
        return ActionField(one.name, one.size + len(chosen), unit, kind="native")

    def forward_observation(self, observation: Tensors) -> Tensors:
        encoded = {name: _encode(observation[name], chosen) for name, chosen in self.observation.items()}
        return {**observation, **encoded}

    def forward_action(self, action: Tensors, observation: Tensors) -> Tensors:
        return {**action, **{name: _encode(action[name], chosen) for name, chosen in self.action.items()}}

    def inverse_action(self, action: Tensors, observation: Tensors) -> Tensors:
        return {**action, **{name: _decode(action[name], chosen) for name, chosen in self.action.items()}}


def _encode(value: Tensor, chosen: tuple[int, ...]) -> Tensor:
    """(..., n) to (..., n + len(chosen)): the others, sines, cosines."""
    others = [index for index in range(value.shape[-1]) if index not in chosen]
    angle = value[..., list(chosen)]
    return torch.cat((value[..., others], angle.sin(), angle.cos()), dim=-1)


def _decode(value: Tensor, chosen: tuple[int, ...]) -> Tensor:
    """The inverse of `_encode`, for sines and cosines of any common length."""
    count = len(chosen)
    size = value.shape[-1] - count
    others = [index for index in range(size) if index not in chosen]
    decoded = value.new_empty((*value.shape[:-1], size))
    decoded[..., others] = value[..., : size - count]
    decoded[..., list(chosen)] = torch.atan2(value[..., size - count : size], value[..., size:])
    return decoded


def _check_and_replace_units(thing: str, unit: str, size: int, chosen: tuple[int, ...]) -> str:
    """Units of the encoded components, after a check that the chosen ones are different angles."""
    if not chosen or len(set(chosen)) != len(chosen) or not all(0 <= index < size for index in chosen):
        raise InputError(
            f"sine_cosine: components of {thing}", expected=f"different ones of 0 to {size - 1}", got=str(list(chosen))
        )
    units = unit.split() * (size if len(unit.split()) == 1 else 1)
    for index in chosen:
        if units[index] not in ("rad", "1"):
            raise InputError(
                f"sine_cosine: component {index} of {thing}", expected="an angle in rad", got=f"unit '{units[index]}'"
            )
    return " ".join([units[index] for index in range(size) if index not in chosen] + ["1"] * (2 * len(chosen)))
