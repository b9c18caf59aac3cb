"""From a foreign store and what is known of its keys to the columns and the schema of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping

import numpy as np

from data.schema import ACTION, REWARD, TIME, ColumnField, MetaField, Schema
from data.sources.images import find_layout, looks_like_images, to_uint8
from data.sources.preset import Preset
from data.sources.source import SequentialReader, Source, SourceArray
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError

_COLUMNS: Mapping[str, ColumnField] = {column.name: column for column in (REWARD, TIME)}
_STAMP = "timestamp"
_SMALLEST_SIDE = 8


@dataclass(frozen=True, eq=False)
class Column:
    """One array of the target and how its rows are made.

    Args:
        name: in the target.
        array: key of the source that it comes from.
        shape: of one row in the target.
        dtype: in the target.
        prepare: a block of the source's rows and the number of its first one -> rows of the target.
    """

    name: str
    array: SourceArray
    shape: tuple[int, ...]
    dtype: np.dtype
    prepare: Callable[[np.ndarray, int], np.ndarray]

    def reader(self) -> SequentialReader:
        return SequentialReader(self.array, self.prepare)


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be written.

    Args:
        schema: of the target.
        columns: every array under `data/`.
        notes: what was decided or changed on the way, in words.
    """

    schema: Schema
    columns: tuple[Column, ...]
    notes: tuple[str, ...]


def target_names(source: Source, meaning: Preset) -> dict[str, str]:
    """Target name -> key of the source, for every key.

    Raises:
        InputError: two keys would get one name, or none is the action.
    """
    rename = dict(meaning.rename)
    if ACTION not in source.arrays and ACTION not in rename.values() and "actions" in source.arrays:
        rename["actions"] = ACTION
    if _STAMP in source.arrays:
        rename.setdefault(_STAMP, TIME.name)
    keys: dict[str, str] = {}
    for key in source.arrays:
        name = rename.get(key, key)
        if name in keys:
            raise InputError(f"'{source.path}': keys", expected="different names in the target",
                             got=f"'{keys[name]}' and '{key}' both as '{name}'",
                             way_out="Rename one with rename.KEY=NAME, or leave it out with exclude=[KEY]")
        keys[name] = key
    if ACTION not in keys:
        raise InputError(f"'{source.path}': actions", expected="a key 'action'", got=", ".join(source.arrays),
                         way_out="Say which one it is with rename.KEY=action")
    return keys


def needs_unit(source: Source, meaning: Preset) -> dict[str, int]:
    """Target names whose unit is neither known nor implied, with the number of their components."""
    keys = target_names(source, meaning)
    open_names = {
        name: int(np.prod(source.arrays[key].shape[1:][-1:]))
        for name, key in keys.items()
        if name not in meaning.units and name not in _COLUMNS and _kind(name, source.arrays[key], meaning) != "image"
    }
    if meaning.action:
        open_names.pop(ACTION, None)
    return open_names


def make_plan(source: Source, meaning: Preset, meta: tuple[MetaField, ...]) -> Plan:
    """Decide every column; the meaning must give the period and every unit.

    Raises:
        InputError: a key cannot be what it is said to be.
    """
    assert meaning.period_s is not None
    columns, fields, extra, notes = [], [], [], []
    for name, key in target_names(source, meaning).items():
        array = source.arrays[key]
        if name in _COLUMNS:
            column = _special_column(_COLUMNS[name], array)
            extra.append(_COLUMNS[name])
        elif name == ACTION:
            column = _numbers(name, array)
            action = ActionSpec(_action_fields(column, meaning), meaning.period_s)
        else:
            kind = _kind(name, array, meaning)
            column, note = _images(name, array) if kind == "image" else (_numbers(name, array), "")
            notes += [note] * bool(note)
            unit = "1" if kind == "image" else meaning.units[name]
            fields.append(ObservationField(name, column.shape, column.dtype.name, unit, kind))
        columns.append(column)
    for name, derived in meaning.derive.items():
        column = _components(name, next(column for column in columns if column.name == derived.key), derived.components)
        columns.append(column)
        kind = meaning.kinds.get(name, "state")
        fields.append(ObservationField(name, column.shape, column.dtype.name, meaning.units[name], kind))
        notes.append(f"'{name}' is components {', '.join(map(str, derived.components))} of '{derived.key}'")
    action_dtype = next(column.dtype.name for column in columns if column.name == ACTION)
    schema = Schema(ObservationSpec(tuple(fields)), action, meaning.period_s, meta, columns=tuple(extra),
                    action_dtype=action_dtype)
    return Plan(schema, tuple(columns), tuple(notes))


def _kind(name: str, array: SourceArray, meaning: Preset) -> str:
    """What is said, else what the shape suggests."""
    if name in meaning.kinds:
        return meaning.kinds[name]
    if looks_like_images(array):
        return "image"
    if len(array.shape) == 3:
        is_map = array.dtype == np.uint16 and min(array.shape[1:]) >= _SMALLEST_SIDE
        return "depth" if is_map else "points"
    return "state"


def _action_fields(column: Column, meaning: Preset) -> tuple[ActionField, ...]:
    if len(column.shape) != 1:
        raise InputError(column.array.label, expected="actions (rows, components)", got=f"rows of shape {column.shape}")
    fields = meaning.action or (ActionField(ACTION, column.shape[0], meaning.units[ACTION], "native"),)
    size = sum(field.size for field in fields)
    if size != column.shape[0]:
        raise InputError(column.array.label, expected=f"{size} components: {', '.join(field.name for field in fields)}",
                         got=str(column.shape[0]))
    return fields


def _numbers(name: str, array: SourceArray) -> Column:
    """Numbers as they are; a single number a row becomes a vector of one."""
    if array.dtype.kind not in "biuf":
        raise InputError(array.label, expected="numbers", got=str(array.dtype),
                         way_out=f"Leave it out with exclude=[{array.name}]")
    shape, dtype = array.shape[1:] or (1,), array.dtype.newbyteorder("=")
    return Column(name, array, shape, dtype, lambda block, first: block.astype(dtype, copy=False).reshape(-1, *shape))


def _images(name: str, array: SourceArray) -> tuple[Column, str]:
    layout = find_layout(array)
    column = Column(name, array, layout.row_shape(array.shape[1:]), np.dtype(np.uint8),
                    lambda block, first: to_uint8(array, layout, block, first))
    changes = ", ".join(filter(None, [f"{array.dtype} to uint8" * (array.dtype != np.uint8), layout.describe()]))
    return column, f"images '{array.name}': {changes}" if changes else ""


def _special_column(target: ColumnField, array: SourceArray) -> Column:
    """A reward or a time stamp, one number a row; floating stamps are seconds."""
    if array.dtype.kind not in "biuf" or int(np.prod(array.shape[1:])) != 1:
        raise InputError(array.label, expected=f"one number a row for '{target.name}'",
                         got=f"{array.dtype}, rows of shape {array.shape[1:]}",
                         way_out=f"Leave it out with exclude=[{array.name}]")
    dtype = np.dtype(target.dtype)
    seconds = target is TIME and array.dtype.kind == "f"

    def prepare(block: np.ndarray, first: int) -> np.ndarray:
        flat = block.reshape(-1)
        return np.rint(flat.astype(np.float64) * 1e9).astype(dtype) if seconds else flat.astype(dtype)

    return Column(target.name, array, (), dtype, prepare)


def _components(name: str, base: Column, components: tuple[int, ...]) -> Column:
    if max(components) >= base.shape[-1]:
        raise InputError(f"derived key '{name}'", expected=f"components 0 to {base.shape[-1] - 1} of '{base.name}'",
                         got=", ".join(map(str, components)))
    chosen = list(components)
    return Column(name, base.array, (*base.shape[:-1], len(chosen)), base.dtype,
                  lambda block, first: np.ascontiguousarray(base.prepare(block, first)[..., chosen]))
