"""The replay buffer that the diffusion-policy family shares: `data/<key>` over time and `meta/episode_ends`."""

from __future__ import annotations

from pathlib import Path
from typing import Collection

import numpy as np
import zarr

from data.dataset import Dataset
from data.sources.source import Source, SourceArray, require_known
from robot.errors import InputError


def open_replay_zarr(path: str | Path, exclude: Collection[str] = ()) -> Source:
    """Open a replay buffer of zarr format 2 or 3, wherever `Dataset.open` can read one.

    Raises:
        InputError: the path holds no replay buffer, a key has a codec that is not installed, the content is
            inconsistent, or the store is ours already.
    """
    dataset = Dataset.open(path)
    if dataset.schema is not None:
        raise InputError(f"'{path}'", expected="a foreign store", got="one that tiller wrote already")
    require_known("exclude", exclude, dataset.keys)
    opened = {name: _open_array(dataset, name) for name in dataset.keys if name not in exclude}
    formats = sorted({array.metadata.zarr_format for array in opened.values()})
    return Source(
        dataset.path,
        f"replay buffer, zarr format {' and '.join(map(str, formats))}",
        {name: _source_array(dataset, name, array) for name, array in opened.items()},
        dataset.episode_ends,
        tuple(note for name, array in opened.items() if (note := _absent_chunks(name, array))),
        dataset.attributes,
    )


def _absent_chunks(name: str, array: zarr.Array) -> str:
    """Zarr leaves out chunks that hold its fill value only; a torn copy may lack others."""
    absent = array.nchunks - array.nchunks_initialized
    if not absent:
        return ""
    return (f"'{name}': {absent} of {array.nchunks} chunks are absent in the source and read as its fill value "
            f"{array.fill_value}")


def _open_array(dataset: Dataset, name: str) -> zarr.Array:
    try:
        return dataset.array(name)
    except InputError as error:
        raise InputError(error.thing, expected=error.expected, got=error.got,
                         way_out=f"Leave it out with exclude=[{name}], or store it with another codec, such as blosc, "
                                 "where it was made") from error


def _source_array(dataset: Dataset, name: str, array: zarr.Array) -> SourceArray:
    def read(start: int, stop: int) -> np.ndarray:
        return dataset.read(name, start, stop)

    return SourceArray(dataset.path, name, array.shape, array.dtype, read, array.chunks[0])
