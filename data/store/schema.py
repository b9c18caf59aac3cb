"""What the episodes of a store hold: observations, actions, further columns, per-episode facts, faster streams."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field as declare
from functools import cached_property
from typing import Any, Iterable, Mapping

import numpy as np

from data.store.images.encoding import Encoding
from robot.description import ActionSpec, ObservationSpec, from_json, to_json
from robot.description.action import check_unit
from robot.errors import InputError, nearest

SCHEMA_VERSION = 2
READ_VERSIONS = (1, 2)  # a store of version 1 has no encodings
META_TYPES = ("string", "bool", "int64", "float64")
ACTION = "action"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_RESERVED_META = ("episode_ends", "stream_ends")


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{what} '{name}'", expected="letters, digits, '_', '.', '-', and a letter or digit first", got=f"'{name}'"
        )


def _check_distinct(what: str, names: Iterable[str]) -> None:
    listed = list(names)
    if len(set(listed)) != len(listed):
        raise InputError(what, expected="different names", got=", ".join(listed))


@dataclass(frozen=True)
class MetaField:
    """One fact per episode; `data.store.names` has those that every store calls alike.

    Args:
        name: the array's name under `meta/`.
        dtype: one of `META_TYPES`.
        unit: of a number; `1` where there is none.

    Raises:
        InputError: a name with other characters than letters, digits, `_`, `.` and `-`, or that the store itself uses,
            or an unknown dtype.
    """

    name: str
    dtype: str
    unit: str = "1"

    def __post_init__(self) -> None:
        _check_name("meta field", self.name)
        if self.name in _RESERVED_META:
            raise InputError(f"meta field '{self.name}'", expected="another name", got="one the store itself uses")
        if self.dtype not in META_TYPES:
            raise InputError(
                f"meta field '{self.name}': dtype",
                expected=f"one of {', '.join(META_TYPES)}",
                got=f"'{self.dtype}'",
                way_out=nearest(self.dtype, META_TYPES),
            )


@dataclass(frozen=True)
class ColumnField:
    """A per-row array that is neither observation nor action: a reward, a time stamp, a flag.

    Args:
        name: the array's name under `data/`.
        shape: of one row.
        dtype: numpy name.
        unit: one unit, or one per component of the last axis separated by spaces.

    Raises:
        InputError: a name with characters that `MetaField` refuses, or units that are neither one nor one per
            component.
        TypeError: numpy has no such dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str

    def __post_init__(self) -> None:
        _check_name("column", self.name)
        np.dtype(self.dtype)
        check_unit(f"column '{self.name}'", self.unit, self.shape[-1] if self.shape else 1)


@dataclass(frozen=True)
class StreamField:
    """Something sampled faster than rows, each sample with its own stamp in ns.

    Args:
        name: the group's name under `streams/`.
        shape: of one sample.
        dtype: numpy name.
        unit: one unit, or one per component of the last axis separated by spaces.

    Raises:
        InputError: a name with characters that `MetaField` refuses, or units that are neither one nor one per
            component.
        TypeError: numpy has no such dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str

    def __post_init__(self) -> None:
        _check_name("stream", self.name)
        np.dtype(self.dtype)
        check_unit(f"stream '{self.name}'", self.unit, self.shape[-1] if self.shape else 1)


@dataclass(frozen=True)
class Schema:
    """The names, shapes, types and units of everything an episode holds.

    Args:
        observation: one row of what was seen; histories play no part here.
        action: fields and period of the target accepted for each row's interval.
        period_s: control period; the same as the action's.
        meta: per-episode facts, all of which every episode has.
        streams: what runs faster than rows.
        columns: further per-row arrays, for example those of `data.store.names`.
        action_dtype: numpy name of the stored actions.
        encodings: name of a row array -> how its rows are stored; those without an entry as numbers.

    Raises:
        InputError: another control period than the action's, actions that are no real numbers, names that are not
            allowed or not different, or an encoding that does not fit its field.
        TypeError: numpy has no such dtype.
    """

    observation: ObservationSpec
    action: ActionSpec
    period_s: float
    meta: tuple[MetaField, ...] = ()
    streams: tuple[StreamField, ...] = ()
    columns: tuple[ColumnField, ...] = ()
    action_dtype: str = "float32"
    encodings: Mapping[str, Encoding] = declare(default_factory=dict)

    def __post_init__(self) -> None:
        if abs(self.period_s - self.action.period_s) > 1e-6 * self.action.period_s:
            raise InputError(
                "schema period_s", expected=f"the action's, {self.action.period_s:g} s", got=f"{self.period_s:g} s"
            )
        if np.dtype(self.action_dtype).kind not in "fiu":
            raise InputError("schema action_dtype", expected="a real number type", got=f"'{self.action_dtype}'")
        for seen in self.observation:
            _check_name("observation", seen.name)
        _check_distinct("row arrays", [*self.observation.names, ACTION, *(column.name for column in self.columns)])
        _check_distinct("meta fields", [field.name for field in self.meta])
        _check_distinct("streams", [field.name for field in self.streams])
        for name, encoding in self.encodings.items():
            if name not in self.row_fields:
                raise InputError(
                    f"encoding of '{name}'",
                    expected="a row array",
                    got=f"'{name}'",
                    way_out=nearest(name, self.row_fields),
                )
            encoding.require_fit(name, self.row_fields[name].shape, self.row_fields[name].dtype)

    def encoding(self, name: str) -> Encoding:
        """How the rows of an array are stored."""
        return self.encodings.get(name, Encoding())

    @cached_property
    def row_fields(self) -> Mapping[str, ColumnField]:
        """Every array under `data/`, by name: observations, the action, then further columns."""
        seen = [ColumnField(field.name, field.shape, field.dtype, field.unit) for field in self.observation]
        unit = " ".join(
            field.unit if len(field.unit.split()) == field.size else " ".join([field.unit] * field.size)
            for field in self.action.fields
        )
        action = ColumnField(ACTION, (self.action.dim,), self.action_dtype, unit)
        return {field.name: field for field in (*seen, action, *self.columns)}

    @cached_property
    def meta_fields(self) -> Mapping[str, MetaField]:
        """Name -> per-episode fact."""
        return {field.name: field for field in self.meta}

    @cached_property
    def stream_fields(self) -> Mapping[str, StreamField]:
        """Name -> stream."""
        return {field.name: field for field in self.streams}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, as they are in the root attributes."""
        values: dict[str, Any] = to_json(self)
        if not self.encodings:
            del values["encodings"]  # as version 1 has it, so that stores keep their fingerprints
        return values

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Schema:
        """The schema that `to_json` wrote.

        Raises:
            InputError: a key is unknown or missing, or a value is wrong.
        """
        return from_json(cls, value, where="schema")
