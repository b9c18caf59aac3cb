"""Rows and samples of an episode of a source, block by block, as the new store holds them."""

from __future__ import annotations

from math import prod
from typing import Any, Iterator

import numpy as np

from data.edit.copying.mapping import FieldMap
from data.edit.copying.origin import Origin
from data.edit.copying.plan import Block, Edit, Take
from data.store import layout
from data.store.finite import first_not_finite
from data.store.images.encoding import AS_IT_CAME, JPEG, PNG, Encoding
from data.store.schema import ColumnField, Schema
from robot.errors import InputError

_BLOCK_BYTES = 16 << 20  # of all arrays together
_MOST_ROWS = 1 << 12
_SHRUNK = 4  # times, that an encoded image is smaller at least, but for noise


def row_blocks(edit: Edit, take: Take) -> Iterator[Block]:
    """Rows of an episode as they are in the source, mapped.

    Raises:
        InputError: numbers that are not finite; the store, the episode, the array and the row are named.
        DamagedChunkError: a chunk of the source is missing or broken.
    """
    origin, fields = edit.origins[take.source], edit.maps[take.source].rows
    base = origin.rows(take.episode).start
    step = block_rows(edit.schema)
    for first in range(take.first, take.stop, step):
        stop = min(first + step, take.stop)
        yield {name: entries(edit, take, name, mapped, base + first, base + stop) for name, mapped in fields.items()}


def sample_blocks(edit: Edit, take: Take, stream: str, mapped: FieldMap) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(value, time_ns) of the samples of a stream that an episode keeps, mapped.

    Raises:
        DamagedChunkError: a chunk of the source is missing or broken.
    """
    if mapped.source is None:
        return
    origin, field = edit.origins[take.source], edit.schema.stream_fields[stream]
    value_path, time_path, _ = layout.stream_paths(mapped.source)
    all_samples = origin.samples(mapped.source, take.episode)
    step = max(1, _BLOCK_BYTES // max(8, prod(field.shape) * np.dtype(field.dtype).itemsize) // 4)
    for start in range(all_samples.start, all_samples.stop, step):
        stop = min(start + step, all_samples.stop)
        time_ns = origin.read(time_path, start, stop)
        kept = take.has(time_ns)
        if kept.any():
            yield mapped.apply(origin.read(value_path, start, stop)[kept]), time_ns[kept]


def entries(edit: Edit, take: Take, name: str, mapped: FieldMap, start: int, stop: int) -> Any:
    """Rows start..stop-1 of a source as one array of the target has them: numbers, or encoded images.

    Raises:
        InputError, DamagedChunkError: as `row_blocks`.
    """
    origin, field = edit.origins[take.source], edit.schema.row_fields[name]
    if mapped.source is None:
        return np.full((stop - start, *field.shape), mapped.constant, field.dtype)
    path = layout.row_path(mapped.source)
    if stays_encoded(origin.schema.encoding(mapped.source), edit.schema.encoding(name)):
        return origin.frames(path, start, stop)
    values = origin.read(path, start, stop)
    require_finite(origin, take.episode, mapped.source, values, start - origin.rows(take.episode).start)
    return mapped.apply(values)


def stays_encoded(source: Encoding, target: Encoding) -> bool:
    """Whether the bytes of an image can be taken as they are."""
    if not source.of_images:
        return False
    if source.kind == target.kind == PNG or source == target:
        return True
    return target.kind == AS_IT_CAME and source.kind in (JPEG, AS_IT_CAME)


def require_finite(origin: Origin, episode: int, name: str, values: np.ndarray, first: int) -> None:
    """Refuse rows with numbers that are not finite.

    Args:
        origin: the store.
        episode: of the rows.
        name: of their array.
        values: (k, ...).
        first: number of the first of them within the episode.
    """
    bad = first_not_finite(values, first)
    if bad:
        raise InputError(
            f"{origin.episode(episode)}: '{name}', {bad[0]}",
            expected="a finite number",
            got=bad[1],
            way_out=f"Leave the episode out: tiller data delete {origin.name} TARGET episodes=[{episode}], "
            f"or tiller data repair {origin.name} TARGET",
        )


def block_rows(schema: Schema) -> int:
    """Rows of a schema that are taken at once."""
    return max(1, min(_MOST_ROWS, _BLOCK_BYTES // max(sum(map(_row_bytes, *_fields(schema))), 1)))


def _fields(schema: Schema) -> tuple[list[ColumnField], list[Encoding]]:
    fields = list(schema.row_fields.values())
    return fields, [schema.encoding(field.name) for field in fields]


def _row_bytes(field: ColumnField, encoding: Encoding) -> int:
    size = prod(field.shape) * np.dtype(field.dtype).itemsize
    return size // _SHRUNK if encoding.of_images else size
