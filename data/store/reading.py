"""Read rows of an array so that a damaged chunk is named, and never read as zeros."""

from __future__ import annotations

import os
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
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
from data.store.images.codecs import ImageCodec, image_codec
from data.store.images.shards import CHECK_BYTES, index_bytes, read_index, require_sound
from data.store.images.stored_file import StoredFile
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


_DECODERS = 4
_WORTH_THREADS = 1 << 17  # bytes of an image; those of 96 x 96 pixels took half as long again in threads
_LARGEST_SHARD = 1 << 40  # bytes; the index says more of a row that is not there


class _CompleteStore(WrapperStore[Store]):
    """A store in which an absent chunk is an error; zarr reads it as fill values, that is, as zeros."""

    @property
    def whole(self) -> Store:
        """The store itself."""
        return self._store

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
            way_out="Install the package that brings it",
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
    codec = image_codec(array)
    if codec is not None:
        return _read_images(array, codec, where, key, start, min(stop, array.shape[0]))
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


def read_encoded(
    array: zarr.Array[Any], where: str, key: str, start: int, stop: int, largest: int = _LARGEST_SHARD
) -> list[bytes]:
    """Rows start..stop-1 of an array of encoded images as they are stored, without decoding them.

    Args:
        array, where, key, start, stop: as for `read_rows`.
        largest: bytes of an image that are read.

    Raises:
        DamagedChunkError: names the first row among them that cannot be read, or its whole shard.
    """
    assert array.shards is not None
    size, images = array.shards[0], list[bytes]()
    for shard in range(start // size, -(-stop // size)):
        first = shard * size
        images += _encoded_rows(array, where, key, shard, max(start - first, 0), min(stop - first, size), largest)
    return images


def _encoded_rows(
    array: zarr.Array[Any], where: str, key: str, shard: int, start: int, stop: int, largest: int
) -> list[bytes]:
    """Rows start..stop-1 of one shard: its index is read, then their bytes, which follow each other."""
    assert array.shards is not None
    size, store = array.shards[0], array.store_path.store
    if isinstance(store, _CompleteStore):
        store = store.whole
    name = f"{array.store_path.path}/{array.metadata.encode_chunk_key((shard,) + (0,) * (array.ndim - 1))}"
    at, images = shard * size, list[bytes]()
    row = (at, min(at + size, array.shape[0]))
    try:
        with StoredFile(store, name) as file:
            places = read_index(file.end(index_bytes(size)), size, start, stop)
            for number, (offset, length) in enumerate(places, at + start):
                row = (number, number + 1)
                if offset + length > _LARGEST_SHARD:
                    raise ValueError("it is not in its shard's index")
                if length > largest:
                    raise ValueError(f"it has {length} bytes, and up to {largest} are read")
            first, end = min(offset for offset, _ in places), max(map(sum, places))
            stored = file.part(first, end)
        for number, (offset, length) in enumerate(places, at + start):
            row = (number, number + 1)
            chunk = require_sound(stored[offset - first : offset - first + length], length)
            images.append(chunk[:-CHECK_BYTES])
    except Exception as reason:  # stores raise whatever they like
        raise DamagedChunkError(where, key, row[0], row, _reason(reason)) from reason
    return images


def _read_images(array: zarr.Array[Any], codec: ImageCodec, where: str, key: str, start: int, stop: int) -> np.ndarray:
    """Decoded rows, without the way through zarr's pipeline, which takes longer than a small image.

    Threads decode them side by side, as codecs release the interpreter's lock: each writes its own rows, so what is
    read does not depend on their number.
    """
    rows = np.empty((max(stop - start, 0), *array.shape[1:]), array.dtype)
    images = read_encoded(array, where, key, start, stop) if stop > start else []

    def decode(number: int) -> None:
        try:
            rows[number] = codec.decode_row(images[number], array.shape[1:], array.dtype)
        except Exception as reason:  # decoders raise whatever they like
            row = start + number
            raise DamagedChunkError(where, key, row, (row, row + 1), _reason(reason)) from reason

    if len(images) < 2 or rows[0].nbytes < _WORTH_THREADS:
        deque(map(decode, range(len(images))), maxlen=0)
    else:
        # Of this call alone: a pool that outlived it would have no threads in a forked process.
        with ThreadPoolExecutor(min(_DECODERS, os.cpu_count() or 1), thread_name_prefix="decode") as threads:
            deque(threads.map(decode, range(len(images))), maxlen=0)
    return rows


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
