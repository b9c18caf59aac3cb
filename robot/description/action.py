"""The specification of an action: ordered fields with sizes, units and kinds, and the period of each row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Mapping

import numpy as np

from robot.description.ranges import Range
from robot.description.record import require_ranges
from robot.errors import InputError, nearest

ACTION_KINDS = ("pose", "joint", "width", "stiffness", "wrench", "native")
"""Kinds of a field of an action. `pose` prescribes its size; `native` is a foreign suite's own action."""


@dataclass(frozen=True)
class ActionField:
    """One part of an action, an absolute target of a declared kind.

    Args:
        name: for example `tcp.position`, `tcp.rotation`, `gripper.width`.
        size: number of components. A `pose` field of size 3 is a position and of size 6 a rotation
            (first two columns of the matrix, column-major).
        unit: one unit for all components, or one per component separated by spaces.
        kind: one of `ACTION_KINDS`; `native` is a foreign suite's own action, passed on as it is.

    Raises:
        InputError: an unknown kind, a size out of range, a pose that is neither 3 nor 6 numbers, or units that are
            neither one nor one per component.
    """

    name: str
    size: Annotated[int, Range(1, 1_000_000)]
    unit: str
    kind: str

    def __post_init__(self) -> None:
        if self.kind not in ACTION_KINDS:
            raise InputError(
                f"action field '{self.name}': kind",
                expected=f"one of {', '.join(ACTION_KINDS)}",
                got=f"'{self.kind}'",
                way_out=nearest(self.kind, ACTION_KINDS),
            )
        require_ranges(self, f"action field '{self.name}'")
        if self.kind == "pose" and self.size not in (3, 6):
            raise InputError(
                f"action field '{self.name}'",
                expected="3 (position) or 6 (rotation) components of a pose",
                got=str(self.size),
                way_out="Split a pose in a position and a rotation field",
            )
        check_unit(f"action field '{self.name}'", self.unit, self.size)

    @property
    def is_rotation(self) -> bool:
        """Whether it is a rotation: a pose of size 6."""
        return self.kind == "pose" and self.size == 6


@dataclass(frozen=True)
class ActionSpec:
    """The order, units and period of an action vector.

    Args:
        fields: in the order of the vector.
        period_s: seconds for which one row of actions is in force.

    Raises:
        InputError: two fields of one name, or a period that is not above 0.
    """

    fields: tuple[ActionField, ...]
    period_s: float

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise InputError("action fields", expected="different names", got=", ".join(names))
        if not self.period_s > 0:
            raise InputError("action period_s", expected="a positive number of seconds", got=str(self.period_s))

    @cached_property
    def dim(self) -> int:
        """Number of components of the vector."""
        return sum(field.size for field in self.fields)

    @property
    def period_ns(self) -> int:
        """`period_s` in whole ns."""
        return round(self.period_s * 1e9)

    @cached_property
    def slices(self) -> Mapping[str, slice]:
        """The slice of each field in the vector."""
        ends = np.cumsum([field.size for field in self.fields]).tolist()
        return {field.name: slice(end - field.size, end) for field, end in zip(self.fields, ends)}

    @cached_property
    def component_names(self) -> tuple[str, ...]:
        """One name per component: `gripper.width`, or `tcp.position.0` where a field has several."""
        return tuple(
            field.name if field.size == 1 else f"{field.name}.{index}"
            for field in self.fields
            for index in range(field.size)
        )

    def pack(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """Join named parts, each (..., size), into one vector (..., dim).

        Raises:
            InputError: other names than those of the fields, or a part of another size.
        """
        if set(parts) != set(self.slices):
            raise InputError("action parts", expected=", ".join(self.slices), got=", ".join(parts))
        arrays = [np.asarray(parts[field.name]) for field in self.fields]
        for field, array in zip(self.fields, arrays):
            if array.shape[-1:] != (field.size,):
                raise InputError(f"action part '{field.name}'", expected=f"(..., {field.size})", got=str(array.shape))
        return np.concatenate(arrays, axis=-1)

    def unpack(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Split a vector (..., dim) into its named parts, each a view (..., size).

        Raises:
            InputError: a vector of another size.
        """
        vector = np.asarray(vector)
        if vector.shape[-1:] != (self.dim,):
            raise InputError(
                "action", expected=f"(..., {self.dim}): {', '.join(self.component_names)}", got=str(vector.shape)
            )
        return {name: vector[..., where] for name, where in self.slices.items()}


def check_unit(thing: str, unit: str, size: int) -> None:
    """A unit is one word for all components, or as many words as there are components."""
    words = unit.split()
    if len(words) not in (1, size):
        raise InputError(f"{thing}: unit", expected=f"one unit or {size}, separated by spaces", got=f"'{unit}'")
