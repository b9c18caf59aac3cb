"""From a foreign store and what its keys mean to the columns and the schema of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Collection, Mapping, Sequence

import numpy as np

from data.formats.images import find_layout, to_uint8
from data.formats.meaning import Meaning
from data.formats.preset import Derived
from data.formats.source import SequentialReader, Source, SourceArray
from data.formats.stamps import NS_PER_UNIT, Stamps
from data.store.names import REWARD, TIME
from data.store.schema import ACTION, ColumnField, MetaField, Schema
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError

_SPECIAL: Mapping[str, ColumnField] = {column.name: column for column in (REWARD, TIME)}
_SMALLEST_MAP = 8


@dataclass(frozen=True, eq=False)
class Column:
    """One array of the target and how its rows are made.

    Args:
        name: in the target.
        array: key of the source that it comes from.
        shape: of one row in the target.
        dtype: in the target.
        prepare: a block of the source's rows and the number of its first one -> rows of the target.
        note: what the conversion changes, in words; empty when nothing does.
        is_image: its rows are (height, width, 3) RGB.
    """

    name: str
    array: SourceArray
    shape: tuple[int, ...]
    dtype: np.dtype
    prepare: Callable[[np.ndarray, int], np.ndarray]
    note: str = ""
    is_image: bool = False

    def reader(self) -> SequentialReader:
        return SequentialReader(self.array, self.prepare)


@dataclass(frozen=True, eq=False)
class ConversionPlan:
    """What will be written: the schema of the target, and every array under `data/`."""

    schema: Schema
    columns: tuple[Column, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(column.note for column in self.columns if column.note)


def make_plan(
    source: Source, meaning: Meaning, meta: tuple[MetaField, ...], skip: Collection[int] = ()
) -> ConversionPlan:
    """Plan every column of the target.

    Args:
        source: what is read.
        meaning: with the period and every unit.
        meta: per-episode facts that will be written.
        skip: episodes that are not converted; their rows may hold anything.

    Raises:
        InputError: a key cannot be what it is declared to be.
    """
    assert meaning.period_s is not None
    columns = {name: _column(source, meaning, name, skip) for name in meaning.keys}
    for name, derived in meaning.derive.items():
        columns[name] = _derived(name, next(c for c in columns.values() if c.array.name == derived.key), derived)
    fields = [
        ObservationField(
            name,
            column.shape,
            column.dtype.name,
            meaning.units.get(name, "1"),
            meaning.kinds.get(name) or _kind_of_shape(column),
        )
        for name, column in columns.items()
        if name != ACTION and name not in _SPECIAL
    ]
    schema = Schema(
        ObservationSpec(tuple(fields)),
        ActionSpec(_action_fields(columns[ACTION], meaning), meaning.period_s),
        meaning.period_s,
        meta,
        columns=tuple(field for name, field in _SPECIAL.items() if name in columns),
        action_dtype=columns[ACTION].dtype.name,
    )
    return ConversionPlan(schema, tuple(columns.values()))


def _column(source: Source, meaning: Meaning, name: str, skip: Collection[int]) -> Column:
    array = source.arrays[meaning.keys[name]]
    if array.dtype.kind not in "biuf":
        raise InputError(
            array.label, expected="numbers", got=str(array.dtype), way_out=f"Leave it out with exclude=[{array.name}]"
        )
    if name == ACTION and array.dtype.kind == "b":
        raise InputError(
            array.label,
            expected="actions of integers or floating numbers",
            got="bool",
            way_out=f"Store them as numbers, for example {array.name}.astype(np.float32)",
        )
    if 0 in array.shape[1:]:
        raise InputError(
            array.label,
            expected="at least one number per row",
            got=f"rows of shape {array.shape[1:]}",
            way_out=f"Leave it out with exclude=[{array.name}]",
        )
    if name in _SPECIAL:
        _require_one_number(name, array)
        return _stamps(source, meaning, array, skip) if name == TIME.name else _reward(array)
    if not meaning.is_image(source, name):
        return _numbers(name, array)
    starts, ends, _ = source.kept(skip)
    return _images(name, array, list(zip(starts.tolist(), ends.tolist())))


def _kind_of_shape(column: Column) -> str:
    if column.is_image:
        return "image"
    if len(column.shape) == 2:
        return "depth" if column.dtype == np.uint16 and min(column.shape) >= _SMALLEST_MAP else "points"
    return "state"


def _action_fields(column: Column, meaning: Meaning) -> tuple[ActionField, ...]:
    if len(column.shape) != 1:
        raise InputError(column.array.label, expected="actions (rows, components)", got=f"rows of shape {column.shape}")
    fields = meaning.action or (ActionField(ACTION, column.shape[0], meaning.units[ACTION], "native"),)
    size = sum(field.size for field in fields)
    if size != column.shape[0]:
        raise InputError(
            column.array.label,
            expected=f"{size} components: {', '.join(field.name for field in fields)}",
            got=str(column.shape[0]),
        )
    return fields


def _numbers(name: str, array: SourceArray) -> Column:
    """Numbers as they are; a single number per row becomes a vector of one."""
    shape, dtype = array.shape[1:] or (1,), array.dtype.newbyteorder("=")
    is_long = dtype.kind == "f" and dtype.itemsize > 8  # a long double is another type on another machine
    dtype = np.dtype(np.float64) if is_long else dtype
    return Column(
        name,
        array,
        shape,
        dtype,
        lambda block, first: _narrowed(array, block, first, dtype).reshape(-1, *shape),
        f"'{array.name}': {array.dtype} to float64" if is_long else "",
    )


def _images(name: str, array: SourceArray, ranges: Sequence[tuple[int, int]]) -> Column:
    layout = find_layout(array, ranges)
    changes = [f"{array.dtype} to uint8"] * (array.dtype != np.uint8) + list(layout.changes)
    return Column(
        name,
        array,
        layout.row_shape(array.shape[1:]),
        np.dtype(np.uint8),
        lambda block, first: to_uint8(array, layout, block, first),
        f"images '{array.name}': {', '.join(changes)}" if changes else "",
        is_image=True,
    )


def _require_one_number(name: str, array: SourceArray) -> None:
    if int(np.prod(array.shape[1:])) != 1:
        raise InputError(
            array.label,
            expected=f"one number a row for '{name}'",
            got=f"rows of shape {array.shape[1:]}",
            way_out=f"Leave it out with exclude=[{array.name}]",
        )


def _reward(array: SourceArray) -> Column:
    dtype = np.dtype(REWARD.dtype)
    return Column(REWARD.name, array, (), dtype, lambda block, first: _narrowed(array, block, first, dtype).reshape(-1))


def _narrowed(array: SourceArray, block: np.ndarray, first: int, dtype: np.dtype) -> np.ndarray:
    """Rows from `first` on in the target's type; a finite number that is too large for it is refused, not infinite."""
    with np.errstate(over="ignore"):
        values = block.astype(dtype, copy=False)
    if dtype.kind != "f" or block.dtype.kind != "f" or dtype.itemsize >= block.dtype.itemsize:
        return values
    lost = np.isinf(values) & np.isfinite(block)
    if lost.any():
        row = int(np.argwhere(lost)[0][0])
        raise InputError(
            f"{array.label}, row {first + row} of the source",
            expected=f"at most {np.finfo(dtype).max:.3g}, which is what {dtype.name} holds",
            got=f"{block[lost][0]:.3g}",
            way_out=f"Leave its episode out with skip_episodes=[...], or the key with exclude=[{array.name}]",
        )
    return values


def _stamps(source: Source, meaning: Meaning, array: SourceArray, skip: Collection[int]) -> Column:
    """Time stamps, by default in seconds where they are floating numbers and in ns where they are integers."""
    assert meaning.period_s is not None
    given = meaning.units.get(TIME.name, "")
    unit = given if given in NS_PER_UNIT else "s" if array.dtype.kind == "f" else "ns"
    stamps = Stamps(array, unit, *source.kept(skip))
    stamps.require_fit(meaning.period_s)
    note = f"'{array.name}': {unit} to ns" if unit != "ns" else ""
    return Column(TIME.name, array, (), np.dtype(TIME.dtype), stamps.to_ns, note)


def _derived(name: str, base: Column, derived: Derived) -> Column:
    if max(derived.components) >= base.shape[-1]:
        raise InputError(
            f"derived key '{name}'",
            expected=f"components 0 to {base.shape[-1] - 1} of '{base.name}'",
            got=", ".join(map(str, derived.components)),
        )
    chosen = list(derived.components)
    return Column(
        name,
        base.array,
        (*base.shape[:-1], len(chosen)),
        base.dtype,
        lambda block, first: np.ascontiguousarray(base.prepare(block, first)[..., chosen]),
        f"'{name}' is components {', '.join(map(str, chosen))} of '{base.name}'",
    )
