"""From a foreign store and what its keys mean to the columns and the schema of ours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Sequence

import numpy as np

from data.formats.images import find_layout, to_uint8
from data.formats.meaning import Meaning
from data.formats.preset import Derived
from data.formats.source import COLUMN, Source, SourceField
from data.formats.stamps import MOST_OFF, MOST_OFF_RATE, NS_PER_UNIT, Stamps
from data.store.images.encoding import JPEG, Encoding
from data.store.images.pixels import decoded
from data.store.names import INTERVENTION, REWARD, TERMINATED, TIME, TRUNCATED
from data.store.schema import ACTION, ColumnField, MetaField, Schema, StreamField
from robot.description import ActionField, ActionSpec, ObservationField, ObservationSpec
from robot.errors import InputError

_SPECIAL: Mapping[str, ColumnField] = {column.name: column for column in (REWARD, TIME)}
_FLAGS = (INTERVENTION.name, TERMINATED.name, TRUNCATED.name)
_SMALLEST_MAP = 8

Prepare = Callable[[Any, int, int], Any]
"""Rows as stored, their episode, and the number of the first one in it -> rows of the target."""


@dataclass(frozen=True, eq=False)
class Column:
    """One array of the target and how its rows are made.

    Args:
        name: in the target.
        field: key of the source that it comes from.
        shape: of one row in the target.
        dtype: in the target.
        prepare: makes rows of the target of those of the source.
        note: what the conversion changes, in words; empty when nothing does.
        is_image: its rows are (height, width, 3) RGB.
        encoding: how its rows are stored.
    """

    name: str
    field: SourceField
    shape: tuple[int, ...]
    dtype: np.dtype
    prepare: Prepare
    note: str = ""
    is_image: bool = False
    encoding: Encoding = Encoding()


@dataclass(frozen=True, eq=False)
class ConversionPlan:
    """What will be written: the schema of the target, and every array under `data/`."""

    schema: Schema
    columns: tuple[Column, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(column.note for column in self.columns if column.note)


def make_plan(source: Source, meaning: Meaning, meta: tuple[MetaField, ...], episodes: Sequence[int]) -> ConversionPlan:
    """Plan every column of the target.

    Args:
        source: what is read.
        meaning: with the period and every unit.
        meta: per-episode facts that will be written.
        episodes: numbers of those that are converted; the rows of others may hold anything.

    Raises:
        InputError: a key cannot be what it is declared to be.
    """
    assert meaning.period_s is not None
    columns = {name: _column(source, meaning, name, episodes) for name in meaning.keys}
    for name, encoding in meaning.encodings.items():
        if name in columns:
            columns[name] = replace(columns[name], encoding=encoding)
    for name, derived in meaning.derive.items():
        columns[name] = _derived(name, next(c for c in columns.values() if c.field.name == derived.key), derived)
    others = [column for name, column in columns.items() if name not in _SPECIAL and column.field.role == COLUMN]
    fields = [
        ObservationField(
            name,
            column.shape,
            column.dtype.name,
            meaning.units.get(name, "1"),
            meaning.kinds.get(name) or _kind_of_shape(column),
        )
        for name, column in columns.items()
        if name != ACTION and name not in _SPECIAL and column not in others
    ]
    further = (
        ColumnField(column.name, column.shape, column.dtype.name, meaning.units.get(column.name, "1"))
        for column in others
    )
    schema = Schema(
        ObservationSpec(tuple(fields)),
        ActionSpec(_action_fields(columns[ACTION], meaning), meaning.period_s),
        meaning.period_s,
        meta,
        tuple(StreamField(each.name, each.shape, each.dtype.name, each.unit) for each in source.streams.values()),
        columns=(*(field for name, field in _SPECIAL.items() if name in columns), *further),
        action_dtype=columns[ACTION].dtype.name,
        encodings={name: column.encoding for name, column in columns.items() if column.encoding.of_images},
    )
    return ConversionPlan(schema, tuple(columns.values()))


def _column(source: Source, meaning: Meaning, name: str, episodes: Sequence[int]) -> Column:
    field = source.fields[meaning.keys[name]]
    if field.dtype.kind not in "biuf":
        raise InputError(
            field.label, expected="numbers", got=str(field.dtype), way_out=f"Leave it out with exclude=[{field.name}]"
        )
    if name == ACTION and field.dtype.kind == "b":
        raise InputError(
            field.label,
            expected="actions of integers or floating numbers",
            got="bool",
            way_out=f"Store them as numbers, for example {field.name}.astype(np.float32)",
        )
    if 0 in field.shape:
        raise InputError(
            field.label,
            expected="at least one number per row",
            got=f"rows of shape {field.shape}",
            way_out=f"Leave it out with exclude=[{field.name}]",
        )
    if name in _SPECIAL:
        _require_one_number(name, field)
        return _stamps(source, meaning, field, episodes) if name == TIME.name else _reward(field)
    if name in _FLAGS and field.role == COLUMN:
        _require_one_number(name, field)
        return _flags(name, field)
    if field.encoding.of_images:
        return _encoded_images(name, field, meaning.encodings.get(name, field.stored))
    if not meaning.is_image(source, name):
        return _numbers(name, field)
    return _images(source, name, field, episodes, meaning.encodings.get(name, field.stored))


def _kind_of_shape(column: Column) -> str:
    if column.is_image:
        return "image"
    if len(column.shape) == 2:
        return "depth" if column.dtype == np.uint16 and min(column.shape) >= _SMALLEST_MAP else "points"
    return "state"


def _action_fields(column: Column, meaning: Meaning) -> tuple[ActionField, ...]:
    if len(column.shape) != 1:
        raise InputError(column.field.label, expected="actions (rows, components)", got=f"rows of shape {column.shape}")
    fields = meaning.action or (ActionField(ACTION, column.shape[0], meaning.units[ACTION], "native"),)
    size = sum(field.size for field in fields)
    if size != column.shape[0]:
        raise InputError(
            column.field.label,
            expected=f"{size} components: {', '.join(field.name for field in fields)}",
            got=str(column.shape[0]),
        )
    return fields


def _numbers(name: str, field: SourceField) -> Column:
    """Numbers as they are; a single number per row becomes a vector of one, but for columns."""
    shape, dtype = field.shape or (1,), field.dtype.newbyteorder("=")
    if field.role == COLUMN and shape == (1,):
        shape = ()
    is_long = dtype.kind == "f" and dtype.itemsize > 8  # a long double is another type on another machine
    dtype = np.dtype(np.float64) if is_long else dtype

    def prepare(block: np.ndarray, episode: int, first: int) -> np.ndarray:
        return _narrowed(field, block, episode, first, dtype).reshape(-1, *shape)

    return Column(name, field, shape, dtype, prepare, f"'{field.name}': {field.dtype} to float64" if is_long else "")


def _images(source: Source, name: str, field: SourceField, episodes: Sequence[int], encoding: Encoding) -> Column:
    layout = find_layout(source, field, episodes)
    changes = [f"{field.dtype} to uint8"] * (field.dtype != np.uint8) + list(layout.changes)

    def prepare(block: np.ndarray, episode: int, first: int) -> np.ndarray:
        return to_uint8(field, layout, block, episode, first)

    note = f"images '{field.name}': {', '.join(changes)}" if changes else ""
    if encoding.kind == JPEG:
        note = f"{note or f'images {field.name!r}:'} stored as jpeg of quality {encoding.quality}, which loses a little"
    shape = layout.row_shape(field.shape)
    return Column(name, field, shape, np.dtype(np.uint8), prepare, note, is_image=True, encoding=encoding)


def _encoded_images(name: str, field: SourceField, encoding: Encoding) -> Column:
    """Images that are encoded in the source: as they are where they are to be stored so, else decoded."""
    if encoding == field.encoding:
        return Column(name, field, field.shape, field.dtype, lambda block, *_: block, "", True, encoding)

    def prepare(block: list[bytes], episode: int, first: int) -> np.ndarray:
        images = np.empty((len(block), *field.shape), np.uint8)
        for row, stored in enumerate(block):
            try:
                image = decoded(stored)
            except InputError as error:
                raise InputError(
                    field.at(episode, first + row), expected=error.expected, got=error.got, way_out=_without(episode)
                ) from error
            if image.shape[:2] != field.shape[:2] or image.dtype != np.uint8:
                raise InputError(
                    field.at(episode, first + row),
                    expected=f"images of {field.shape[1]} x {field.shape[0]} pixels, as the first one",
                    got=f"{image.shape[1]} x {image.shape[0]} of {image.dtype}",
                    way_out=_without(episode),
                )
            images[row] = image if image.ndim == 3 else image[..., None]
        return images

    note = f"images '{field.name}': {field.encoding.kind}, decoded"
    return Column(name, field, field.shape, field.dtype, prepare, note, True, encoding)


def _without(episode: int) -> str:
    return f"Leave the episode out with skip_episodes=[{episode}]"


def _require_one_number(name: str, field: SourceField) -> None:
    if int(np.prod(field.shape)) != 1:
        raise InputError(
            field.label,
            expected=f"one number a row for '{name}'",
            got=f"rows of shape {field.shape}",
            way_out=f"Leave it out with exclude=[{field.name}]",
        )


def _reward(field: SourceField) -> Column:
    dtype = np.dtype(REWARD.dtype)

    def prepare(block: np.ndarray, episode: int, first: int) -> np.ndarray:
        return _narrowed(field, block, episode, first, dtype).reshape(-1)

    return Column(REWARD.name, field, (), dtype, prepare)


def _flags(name: str, field: SourceField) -> Column:
    def prepare(block: np.ndarray, episode: int, first: int) -> np.ndarray:
        flat = block.reshape(-1)
        bad = np.flatnonzero((flat != 0) & (flat != 1))
        if len(bad):
            raise InputError(
                field.at(episode, first + int(bad[0])),
                expected=f"0 or 1, as '{name}' is a flag",
                got=str(flat[bad[0]]),
                way_out=f"Keep it as numbers of another name with rename.{field.name}=NAME",
            )
        return flat.astype(bool)

    note = f"'{field.name}': {field.dtype} to flags" if field.dtype.kind != "b" else ""
    return Column(name, field, (), np.dtype(bool), prepare, note)


def _narrowed(field: SourceField, block: np.ndarray, episode: int, first: int, dtype: np.dtype) -> np.ndarray:
    """Rows from `first` on in the target's type; a finite number that is too large for it is refused, not infinite."""
    with np.errstate(over="ignore"):
        values = block.astype(dtype, copy=False)
    if dtype.kind != "f" or block.dtype.kind != "f" or dtype.itemsize >= block.dtype.itemsize:
        return values
    lost = np.isinf(values) & np.isfinite(block)
    if lost.any():
        row = int(np.argwhere(lost)[0][0])
        raise InputError(
            field.at(episode, first + row),
            expected=f"at most {np.finfo(dtype).max:.3g}, which is what {dtype.name} holds",
            got=f"{block[lost][0]:.3g}",
            way_out=f"Leave the episode out with skip_episodes=[{episode}], or the key with exclude=[{field.name}]",
        )
    return values


def _stamps(source: Source, meaning: Meaning, field: SourceField, episodes: Sequence[int]) -> Column:
    """Time stamps, by default in seconds where they are floating numbers and in ns where they are integers."""
    assert meaning.period_s is not None
    given = meaning.units.get(TIME.name, "")
    unit = given if given in NS_PER_UNIT else "s" if field.dtype.kind == "f" else "ns"
    stamps = Stamps(source, field, unit, episodes)
    stamps.require_fit(meaning.period_s, MOST_OFF if source.period_s is None else MOST_OFF_RATE)
    note = f"'{field.name}': {unit} to ns" if unit != "ns" else ""
    return Column(TIME.name, field, (), np.dtype(TIME.dtype), stamps.to_ns, note)


def _derived(name: str, base: Column, derived: Derived) -> Column:
    if max(derived.components) >= base.shape[-1]:
        raise InputError(
            f"derived key '{name}'",
            expected=f"components 0 to {base.shape[-1] - 1} of '{base.name}'",
            got=", ".join(map(str, derived.components)),
        )
    chosen = list(derived.components)

    def prepare(block: np.ndarray, episode: int, first: int) -> np.ndarray:
        return np.ascontiguousarray(base.prepare(block, episode, first)[..., chosen])

    note = f"'{name}' is components {', '.join(map(str, chosen))} of '{base.name}'"
    return Column(name, base.field, (*base.shape[:-1], len(chosen)), base.dtype, prepare, note)
