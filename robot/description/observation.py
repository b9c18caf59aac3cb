"""The specification of an observation: named arrays with shape, type, unit, kind, and history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Annotated, Iterator, Mapping

import numpy as np

from robot.description.action import check_unit
from robot.description.ranges import Range
from robot.description.record import require_ranges
from robot.errors import InputError, nearest

OBSERVATION_KINDS = ("pose", "joint", "width", "wrench", "state", "points", "image", "depth")
"""Kinds of an array of an observation. `image` and `depth` prescribe its type and number of axes."""


@dataclass(frozen=True)
class History:
    """The past of one key: rows t - (steps-1)*stride, ..., t - stride, t, oldest first.

    Args:
        steps: rows that the policy sees.
        stride: rows between them.

    Raises:
        InputError: `steps` or `stride` is not between 1 and 10,000.
    """

    steps: Annotated[int, Range(1, 10_000)] = 1
    stride: Annotated[int, Range(1, 10_000)] = 1

    def __post_init__(self) -> None:
        require_ranges(self, "history")

    @property
    def offsets(self) -> np.ndarray:
        """Row offsets from now, oldest first, (steps,) int64, the last one 0."""
        return np.arange(1 - self.steps, 1, dtype=np.int64) * self.stride

    @property
    def span(self) -> int:
        """Rows that must be kept to answer, now included."""
        return (self.steps - 1) * self.stride + 1


@dataclass(frozen=True)
class ObservationField:
    """One named array of an observation.

    Args:
        name: for example `state`, `tcp.position`, `wrist.image`.
        shape: of one row, without history: images (height, width, 3) RGB, depth (height, width).
        dtype: numpy name; images `uint8`, depth `uint16` in mm.
        unit: one unit, or one per component of the last axis separated by spaces.
        kind: one of `OBSERVATION_KINDS`.
        history: rows of the past that the policy sees.

    Raises:
        InputError: an unknown kind, an image or depth of another type or shape, or units that are neither one nor one
            per component.
        TypeError: numpy has no such dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    kind: str
    history: History = History()

    def __post_init__(self) -> None:
        if self.kind not in OBSERVATION_KINDS:
            raise InputError(
                f"observation '{self.name}': kind",
                expected=f"one of {', '.join(OBSERVATION_KINDS)}",
                got=f"'{self.kind}'",
                way_out=nearest(self.kind, OBSERVATION_KINDS),
            )
        if self.kind == "image" and (self.dtype != "uint8" or len(self.shape) != 3 or self.shape[-1] != 3):
            raise InputError(
                f"image '{self.name}'", expected="(height, width, 3) RGB of uint8", got=f"{self.shape} of {self.dtype}"
            )
        if self.kind == "depth" and (self.dtype != "uint16" or len(self.shape) != 2):
            raise InputError(
                f"depth '{self.name}'", expected="(height, width) of uint16, in mm", got=f"{self.shape} of {self.dtype}"
            )
        np.dtype(self.dtype)
        check_unit(f"observation '{self.name}'", self.unit, self.shape[-1] if self.shape else 1)

    @property
    def size(self) -> int:
        """Number of components of one row."""
        return prod(self.shape)

    @property
    def is_image(self) -> bool:
        """Whether it is an image, of colour or depth."""
        return self.kind in ("image", "depth")


@dataclass(frozen=True)
class ObservationSpec:
    """The ordered fields of an observation: iterable, and by name like a mapping.

    Raises:
        InputError: two fields of one name, or a name that it does not have.
    """

    fields: tuple[ObservationField, ...]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise InputError("observation fields", expected="different names", got=", ".join(names))

    @cached_property
    def by_name(self) -> Mapping[str, ObservationField]:
        """Name -> field, in order."""
        return {field.name: field for field in self.fields}

    def __iter__(self) -> Iterator[ObservationField]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def __getitem__(self, name: str) -> ObservationField:
        if name not in self.by_name:
            raise InputError(
                f"observation '{name}'",
                expected="a key of this observation",
                got=f"'{name}'",
                way_out=nearest(name, self.by_name),
            )
        return self.by_name[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the fields, in order."""
        return tuple(self.by_name)

    def select(self, names: tuple[str, ...] | list[str]) -> ObservationSpec:
        """The observation with only these fields, in this order.

        Raises:
            InputError: there is no such field.
        """
        return ObservationSpec(tuple(self[name] for name in names))

    def with_history(self, histories: Mapping[str, History] | History) -> ObservationSpec:
        """The same fields with other histories: one for all, or one per name (the rest unchanged).

        Raises:
            InputError: a history for a field that is not there.
        """
        if isinstance(histories, History):
            return ObservationSpec(tuple(replace(field, history=histories) for field in self))
        for name in histories:
            self[name]
        return ObservationSpec(
            tuple(replace(field, history=histories.get(field.name, field.history)) for field in self)
        )

    def check_row(self, observation: Mapping[str, np.ndarray]) -> None:
        """Refuse an observation that lacks a key or has one of another shape.

        Raises:
            InputError: names the key, the shape expected and the one that came.
        """
        for field in self:
            if field.name not in observation:
                raise InputError(
                    f"observation '{field.name}'",
                    expected=f"{field.shape} of {field.dtype}",
                    got=f"only {', '.join(observation) or 'nothing'}",
                )
            shape = np.shape(observation[field.name])
            if shape != field.shape:
                raise InputError(f"observation '{field.name}'", expected=str(field.shape), got=str(shape))
