"""The replay buffer that the diffusion-policy family shares: `data/<key>` over time and `meta/episode_ends`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Collection, Mapping

import numpy as np
import zarr

from data.formats.arrays.concatenated import ArraySource, ConcatenatedArray
from data.formats.arrays.streams import exported_streams, units_of
from data.formats.bounds import NEVER_TOO_LARGE, require_likely
from data.formats.source import require_known
from data.store.consistency import consistent_ends
from data.store.contents import Contents, read_contents
from data.store.layout import meta_path, row_path
from data.store.location import is_url, locate
from data.store.reading import absent_rows
from robot.errors import InputError


def open_replay_zarr(path: str | Path, exclude: Collection[str] = (), skip: Collection[int] = ()) -> ArraySource:
    """Open a replay buffer of zarr format 2 or 3, wherever `Dataset.open` can read one.

    Args:
        path: of the store.
        exclude: keys to leave out.
        skip: episodes that nobody wants, whose ends may be anything.

    Raises:
        InputError: the path holds no replay buffer, a key has a codec that is not installed, the content is
            inconsistent, or the store is ours already.
    """
    contents = read_contents(locate(path))
    if contents.schema is not None:
        raise InputError(f"'{path}'", expected="a foreign store", got="one that tiller wrote already")
    ends = consistent_ends(contents, skip)
    streams = exported_streams(contents, len(ends))
    require_known("exclude", exclude, (*contents.keys, *contents.meta_keys, *streams))
    opened = {name: _open_array(contents, name) for name in contents.keys if name not in exclude}
    _require_likely(contents, opened)
    formats = sorted({array.metadata.zarr_format for array in opened.values()})
    return ArraySource(
        contents.name,
        f"replay buffer, zarr format {' and '.join(map(str, formats))}",
        {name: _concatenated(contents, name, array) for name, array in opened.items()},
        ends,
        (
            *(note for name, array in opened.items() if (note := _absent_chunks(name, array))),
            *_left_alone(contents, streams),
        ),
        contents.attributes,
        {name: contents.read(meta_path(name)) for name in contents.meta_keys if name not in exclude},
        period_s=_period(contents.attributes),
        units=units_of(contents.attributes, "units"),
        columns=_columns(contents.attributes),
        streams={name: stream for name, stream in streams.items() if name not in exclude},
    )


def _require_likely(contents: Contents, arrays: Mapping[str, zarr.Array]) -> None:
    """Refuse arrays that are declared far larger than what is there; of a URL that is not known."""
    path = Path(contents.name)
    if is_url(contents.name):
        return
    declared = {name: array.nbytes for name, array in arrays.items()}
    if sum(declared.values()) <= NEVER_TOO_LARGE:
        return
    files = [path] if path.is_file() else (file for file in path.rglob("*") if file.is_file())
    require_likely(contents.name, declared, sum(file.stat().st_size for file in files))


def _period(attributes: Mapping[str, Any]) -> float | None:
    """The control period of a buffer that tiller exported."""
    period_s = attributes.get("control_period_s")
    return float(period_s) if isinstance(period_s, (int, float)) and 0 < period_s < 3600 else None


def _columns(attributes: Mapping[str, Any]) -> list[str]:
    """Further columns of a buffer that tiller exported."""
    columns = attributes.get("columns")
    return [each for each in columns if isinstance(each, str)] if isinstance(columns, list) else []


def _absent_chunks(name: str, array: zarr.Array) -> str:
    """Zarr leaves out chunks that hold its fill value only; a torn copy may lack others."""
    absent = absent_rows(array)
    if not absent:
        return ""
    kind, size = ("shards", array.shards[0]) if array.shards else ("chunks", array.chunks[0])
    return (
        f"'{name}': {len(absent)} of {-(-array.shape[0] // size)} {kind} are absent in the source and read as its "
        f"fill value {array.fill_value}, the first of rows {absent[0].first} to {absent[0].end - 1}"
    )


def _left_alone(contents: Contents, streams: Collection[str]) -> tuple[str, ...]:
    others = [
        path
        for path in (*contents.odd_meta, *contents.others)
        if not (streams and (path == "streams" or path.startswith("meta/stream_ends")))
    ]
    return (f"not read, as they have not one entry for each row: {', '.join(others)}",) if others else ()


def _open_array(contents: Contents, name: str) -> zarr.Array:
    try:
        return contents.array(row_path(name))
    except InputError as error:
        raise InputError(
            error.thing,
            expected=error.expected,
            got=error.got,
            way_out=f"Leave it out with exclude=[{name}], or store it with another codec, such as blosc, "
            "where it was made",
        ) from error


def _concatenated(contents: Contents, name: str, array: zarr.Array) -> ConcatenatedArray:
    def read(start: int, stop: int) -> np.ndarray:
        return contents.read(row_path(name), start, stop)

    return ConcatenatedArray(array.shape, array.dtype, read, array.chunks[0])
