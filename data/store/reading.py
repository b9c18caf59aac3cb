"""Read rows of an array so that a damaged chunk is named, and never read as zeros."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any, NamedTuple

import numpy as np
import zarr
from numcodecs.errors import UnknownCodecError
from zarr.abc.store import ByteRequest, Store
from zarr.core.array import AsyncArray
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.core.sync import sync
from zarr.storage import StorePath, WrapperStore

from data.store.foreign.chunks import checked_location
from robot.errors import InputError, TillerError


class DamagedChunkError(TillerError):
    """A chunk that a store should have cannot be read.

    Args:
        store: path of the store.
        key: path of the array in it.
        chunk: index of the chunk along the first axis.
        rows: (first, end) rows that it holds.
        reason: the reader's error.
    """

    def __init__(self, store: str, key: str, chunk: int, rows: tuple[int, int], reason: str):
        self.store, self.key, self.chunk, self.rows, self.reason = store, key, chunk, rows, reason
        super().__init__(
            f"'{store}': chunk {chunk} of '{key}' (rows {rows[0]} to {rows[1] - 1}) is damaged: {reason}. "
            f"'tiller data validate {store}' lists all damage, "
            f"'tiller data repair {store} TARGET' writes a new store of the sound episodes"
        )


class _CompleteStore(WrapperStore[Store]):
    """A store in which an absent chunk is an error; zarr reads it as fill values, that is, as zeros."""

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        chunk = await self._store.get(key, prototype, byte_range)
        if chunk is None and "/c." in key:
            raise FileNotFoundError("its file is missing")
        return chunk


def open_array(group: zarr.Group, path: str, length: int | None, where: str, *, complete: bool) -> zarr.Array[Any]:
    """Open an array for reading.

    Args:
        group: root of the store.
        path: of the array, from the root.
        length: rows that exist, whatever the array's own metadata declares; None to believe the metadata.
        where: the store's name, for messages.
        complete: every chunk must be there.

    Raises:
        InputError: there is no such array, its metadata cannot be read, or a codec it needs is not installed.
    """
    try:
        try:
            array = group[path]
        except UnknownCodecError:
            _register_image_codecs()
            array = group[path]
    except KeyError as error:
        got = "none there" if path in error.args else f"metadata without {error}"
        raise InputError(f"'{where}': array '{path}'", expected="an array", got=got) from None
    except UnknownCodecError as error:
        codec = str(error.codec_id).strip("'")  # zarr has quoted it already
        raise InputError(
            f"'{where}': array '{path}'",
            expected="a codec that is installed",
            got=f"the codec '{codec}'",
            way_out="Image codecs come with: pip install imagecodecs",
        ) from None
    except (ValueError, TypeError, OSError) as error:
        raise InputError(
            f"'{where}': array '{path}'", expected="an array that zarr can read", got=str(error)
        ) from error
    if not isinstance(array, zarr.Array):
        raise InputError(f"'{where}': '{path}'", expected="an array", got="a group")
    metadata = array.metadata
    if length is not None:
        metadata = metadata.update_shape((length, *array.shape[1:]))
    location = checked_location(array, where)
    if complete:
        location = StorePath(_CompleteStore(location.store), location.path)
    return zarr.Array(AsyncArray(metadata, location))


def read_rows(array: zarr.Array[Any], where: str, key: str, start: int, stop: int) -> np.ndarray:
    """Read rows start..stop-1 of an array.

    Raises:
        DamagedChunkError: names the first chunk among them that cannot be read.
    """
    try:
        return np.asarray(array[start:stop])
    except Exception as error:  # decoders raise whatever they like
        size = array.chunks[0]
        for chunk in range(start // size, -(-stop // size)):
            first, end = chunk * size, min((chunk + 1) * size, array.shape[0])
            try:
                array[first:end]
            except Exception as reason:
                raise DamagedChunkError(where, key, chunk, (first, end), _reason(reason)) from error
        raise


class AbsentRows(NamedTuple):
    """Rows of a chunk, or shard of chunks, that is not there and so reads as the fill value.

    Args:
        first, end: the first row, and the one after the last.
        whole: whether no chunk of these rows is there, where chunks also split the components.
    """

    first: int
    end: int
    whole: bool


def absent_rows(array: zarr.Array[Any]) -> list[AbsentRows]:
    """The rows of absent chunks, in order."""
    size = array.shards or array.chunks
    grid = [-(-length // step) for length, step in zip(array.shape, size)]
    location = array.store_path

    async def collect() -> Counter[int]:
        present = {key async for key in location.store.list_prefix(f"{location.path}/")}
        absent: Counter[int] = Counter()
        for index in np.ndindex(*grid):
            key = f"{location.path}/{array.metadata.encode_chunk_key(index)}"
            # A listing that a server gives may lack what it has.
            if key not in present and not await location.store.exists(key):
                absent[index[0]] += 1
        return absent

    return [
        AbsentRows(block * size[0], min((block + 1) * size[0], array.shape[0]), count == prod(grid[1:]))
        for block, count in sorted(sync(collect()).items())
    ]


def _register_image_codecs() -> None:
    """Make JPEG 2000, JPEG XL and others known to zarr, where the package that has them is installed."""
    try:
        from imagecodecs.numcodecs import register_codecs
    except ImportError:
        return
    register_codecs(verbose=False)


def _reason(error: Exception) -> str:
    text = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    return "its checksum does not match" if "checksum" in text else text
