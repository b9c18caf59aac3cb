"""The replay buffer of the diffusion-policy family, zarr format 2: `data/<key>` and `meta/episode_ends`."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Callable

import numcodecs
import numpy as np
import zarr

from data.formats.arrays.streams import STREAM_UNITS
from data.store.dataset import Dataset
from data.store.schema import Schema
from robot.files import sync

_CHUNK_BYTES = 2_000_000
_BLOCK_BYTES = 2**25


def write_zarr2(
    dataset: Dataset, schema: Schema, folder: Path, on_rows: Callable[[int], None]
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Write a dataset as a replay buffer.

    Args:
        dataset: what is written.
        schema: of it.
        folder: that is made.
        on_rows: called with the rows that are done.

    Returns:
        (name in the dataset, name in the buffer) of the row arrays, and notes.
    """
    root = zarr.open_group(folder, mode="w", zarr_format=2)
    root.attrs.update(
        {
            "control_period_s": schema.period_s,
            "units": {name: column.unit for name, column in schema.row_fields.items()},
            "columns": [column.name for column in schema.columns],
            STREAM_UNITS: {name: stream.unit for name, stream in schema.stream_fields.items()},
            "schema": schema.to_json(),
            "attributes": json.loads(json.dumps(dict(dataset.attributes), default=str)),
        }
    )
    squeeze = numcodecs.Blosc("zstd", clevel=5, shuffle=numcodecs.Blosc.BITSHUFFLE)
    arrays = {}
    for name, column in schema.row_fields.items():
        row = max(1, int(np.prod(column.shape)) * np.dtype(column.dtype).itemsize)
        arrays[name] = root.create_array(
            f"data/{name}",
            shape=(dataset.rows, *column.shape),
            dtype=column.dtype,
            chunks=(max(1, min(dataset.rows, _CHUNK_BYTES // row)), *(max(1, size) for size in column.shape)),
            compressors=squeeze,
        )
    total, done = sum(array.nbytes for array in arrays.values()), 0
    for name, array in arrays.items():
        row = max(1, array.nbytes // dataset.rows)
        step = array.chunks[0] * max(1, _BLOCK_BYTES // (row * array.chunks[0]))
        for start in range(0, dataset.rows, step):
            stop = min(start + step, dataset.rows)
            array[start:stop] = dataset.read(name, start, stop)
            done += (stop - start) * row
            on_rows(done * dataset.rows // total)
    root.create_array("meta/episode_ends", data=dataset.episode_ends.astype(np.int64), compressors=None)
    for name in dataset.meta_keys:
        values = dataset.meta(name)
        words = schema.meta_fields[name].dtype == "string"
        made = root.create_array(f"meta/{name}", shape=values.shape, dtype=str if words else values.dtype)
        made[:] = values
    return tuple((name, name) for name in arrays), _write_streams(dataset, schema, root)


def _write_streams(dataset: Dataset, schema: Schema, root: zarr.Group) -> tuple[str, ...]:
    """Streams as they are in a store of ours; other programs do not know them."""
    for name, stream in schema.stream_fields.items():
        ends, total = [], 0
        for number in range(len(dataset)):
            total += len(dataset.episode(number, []).streams[name][1])
            ends.append(total)
        shape = (total, *stream.shape)
        value = root.create_array(f"streams/{name}/value", shape=shape, dtype=stream.dtype)
        time_ns = root.create_array(f"streams/{name}/time_ns", shape=(total,), dtype="int64")
        for number, end in enumerate(ends):
            samples, stamps = dataset.episode(number, []).streams[name]
            value[end - len(stamps) : end], time_ns[end - len(stamps) : end] = samples, stamps
        root.create_array(f"meta/stream_ends/{name}", data=np.array(ends, np.int64), compressors=None)
    if not schema.stream_fields:
        return ()
    return (f"streams are in 'streams/', which other programs do not read: {', '.join(schema.stream_fields)}",)


def pack(folder: Path) -> None:
    """Put a zip of a folder in its place; what is in it is compressed already."""
    packed = folder.with_name(f"{folder.name}.packed")
    try:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for file in sorted(folder.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(folder).as_posix())
        sync(packed)
        shutil.rmtree(folder)
        os.replace(packed, folder)
    finally:
        packed.unlink(missing_ok=True)
