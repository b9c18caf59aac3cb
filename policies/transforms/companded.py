"""Numbers that matter most near zero, spread there and pressed together far away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Mapping

from torch import Tensor

from policies.transforms.transform import Tensors, Transform, require_fields
from robot.description import ActionSpec, ObservationSpec
from robot.description.ranges import Range
from robot.description.record import require_ranges
from robot.errors import InputError

Scale = Annotated[float, Range(0, 1e9, above=True)]


@dataclass(frozen=True)
class Companded(Transform):
    """Chosen fields through arcsinh(x / scale): about linear within +-scale, logarithmic beyond.

    A network errs by about the same share of a field's whole range everywhere. After a difference from the present
    (`relative_action`) that range is what the fastest motion covers in a chunk, while a contact is decided by
    millimetres: companding gives those as much room as the decimetres. It is the idea of mu-law coding in telephony
    (ITU-T G.711), with a function that is smooth at zero.

    Args:
        action: field -> scale, in the field's unit, above 0.
        observation: key -> scale, the same.

    Raises:
        InputError: a scale outside of 0 to 1e9, or 0.
    """

    action: Mapping[str, Scale] = field(default_factory=dict)
    observation: Mapping[str, Scale] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_ranges(self, "companded")

    def outgoing(self, observation: ObservationSpec, action: ActionSpec) -> tuple[ObservationSpec, ActionSpec]:
        """The specs with the chosen keys and fields in unit 1.

        Raises:
            InputError: no such key or field, or a field that is a rotation.
        """
        require_fields("companded", action, tuple(self.action))
        for one in action.fields:
            if one.name in self.action and one.is_rotation:
                raise InputError(
                    f"companded: action field '{one.name}'",
                    expected="a field that is no rotation",
                    got="a rotation, whose columns would no longer be of length one",
                )
        keys = {name: replace(observation[name], unit="1") for name in self.observation}
        fields = tuple(replace(one, unit="1") if one.name in self.action else one for one in action.fields)
        return ObservationSpec(tuple(keys.get(key.name, key) for key in observation)), replace(action, fields=fields)

    def forward_observation(self, observation: Tensors) -> Tensors:
        return {**observation, **{name: compress(observation[name], scale) for name, scale in self.observation.items()}}

    def forward_action(self, action: Tensors, observation: Tensors) -> Tensors:
        return {**action, **{name: compress(action[name], scale) for name, scale in self.action.items()}}

    def inverse_action(self, action: Tensors, observation: Tensors) -> Tensors:
        return {**action, **{name: expand(action[name], scale) for name, scale in self.action.items()}}


def compress(value: Tensor, scale: float) -> Tensor:
    return (value / scale).arcsinh()


def expand(value: Tensor, scale: float) -> Tensor:
    """The inverse of `compress`."""
    return value.sinh() * scale
