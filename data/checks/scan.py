"""Read an array from end to end, once, and note its damaged chunks, its range and its numbers that are not finite.

Images that are stored encoded are read as bytes and not decoded: checksums and headers say whether they are whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import zarr

from data.store.contents import Contents
from data.store.images.codecs import ImageCodec, PngCodec, image_codec
from data.store.images.encoding import AS_IT_CAME, PNG, Encoding, require_encoded
from data.store.reading import DamagedChunkError, read_encoded
from robot.errors import InputError

_BYTES_AT_ONCE = 1 << 24


class Watch(Protocol):
    """Looks at the entries of an array as they are read, in order; what is damaged is passed over."""

    def add(self, first: int, entries: np.ndarray | list[bytes]) -> None:
        """Look at the entries from `first` on: numbers, or each one's encoded image."""


@dataclass
class Scan:
    """The result of one pass over an array.

    Attributes:
        rows: rows that could be read.
        damaged: the chunks that could not.
        not_finite: NaN and infinite numbers.
        first_not_finite: row and component of the first one.
        not_finite_rows: (n,) int64, the rows that hold any.
        fill_rows: whether a row that is there holds nothing but the fill value; looked at where chunks are absent.
        low, high: range per component of one row, flattened, or of all pixels together; None before the first row.
        misfits: (first row, the row after the last, what is there) of encoded images of another size or kind than the
            array's.
        same_bytes: whether all rows are one encoded image; None where rows are not encoded.
    """

    rows: int = 0
    damaged: list[DamagedChunkError] = field(default_factory=list)
    not_finite: int = 0
    first_not_finite: tuple[int, int] = (0, 0)
    not_finite_rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    fill_rows: bool = False
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    misfits: list[tuple[int, int, str]] = field(default_factory=list)
    same_bytes: bool | None = None

    @property
    def constant(self) -> np.ndarray:
        """Indices of the components that never change."""
        if self.same_bytes is not None:
            return np.arange(int(self.same_bytes and self.rows > 1))
        return np.empty(0, np.int64) if self.low is None else np.flatnonzero(self.low == self.high)

    def add(self, start: int, values: np.ndarray, *, together: bool = False) -> None:
        """Add the rows from `start` on, (rows, components) of real numbers; pixels have one range together."""
        self.rows += len(values)
        if values.dtype.kind == "f":
            good = np.isfinite(values)
            bad = np.argwhere(~good)
            if len(bad) and not self.not_finite:
                self.first_not_finite = (start + int(bad[0, 0]), int(bad[0, 1]))
            self.not_finite += len(bad)
            self.not_finite_rows = np.concatenate([self.not_finite_rows, start + np.unique(bad[:, 0])])
            low, high = (np.where(good, values, limit) for limit in (np.inf, -np.inf))
        else:
            low = high = values
        if together:
            low, high = low.reshape(-1, 1), high.reshape(-1, 1)
        low, high = low.min(axis=0), high.max(axis=0)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)


def scan(
    contents: Contents,
    path: str,
    absent: Sequence[tuple[int, int]] = (),
    watches: Sequence[Watch] = (),
    *,
    decode: bool = False,
) -> Scan:
    """Read every chunk of an array.

    Args:
        contents: of the store.
        path: of the array.
        absent: (first, end) rows of chunks that are not there and read as the fill value.
        watches: what looks at the entries meanwhile.
        decode: decode encoded images too, which finds those that an encoder broke.

    Raises:
        InputError: there is no such array, or it needs a codec that is not installed.
    """
    array = contents.array(path)
    result = Scan()
    codec = image_codec(array)
    if codec is not None:
        _scan_encoded(contents, path, array, codec, result, watches, decode)
        return result
    numbers = array.dtype.kind in "fiub"
    pixels = path.startswith("data/") and contents.is_image(path)
    for start, values in _blocks(contents, path, array, result.damaged):
        for watch in watches:
            watch.add(start, values)
        if not numbers:
            continue
        rows = values.reshape(len(values), -1)
        if absent and not result.fill_rows and not any(first <= start < end for first, end in absent):
            result.fill_rows = bool((rows == array.fill_value).all(axis=1).any())
        result.add(start, rows, together=pixels)
    return result


def _scan_encoded(
    contents: Contents,
    path: str,
    array: zarr.Array[Any],
    codec: ImageCodec,
    result: Scan,
    watches: Sequence[Watch],
    decode: bool,
) -> None:
    """Read every image of an array as it is stored."""
    encoding = Encoding(PNG if isinstance(codec, PngCodec) else AS_IT_CAME)
    shape, dtype = array.shape[1:], array.dtype
    first_image = b""
    for start, images in _encoded_blocks(contents, path, array, result.damaged):
        for row, image in enumerate(images, start):
            first_image = first_image or image
            result.same_bytes = image == first_image and result.same_bytes is not False
            try:
                require_encoded("", encoding, image, shape, dtype.name)
                if decode:
                    codec.decode_row(image, shape, dtype)
            except InputError as error:
                _note_misfit(result.misfits, row, f"{error.got} where {error.expected} is declared")
            except Exception as reason:  # decoders raise whatever they like
                _note(result.damaged, DamagedChunkError(contents.name, path, row, (row, row + 1), str(reason)))
        result.rows += len(images)
        for watch in watches:
            watch.add(start, images)


def _note_misfit(misfits: list[tuple[int, int, str]], row: int, what: str) -> None:
    """Note an image of another kind; those side by side that differ alike are one."""
    if misfits and misfits[-1][1:] == (row, what):
        misfits[-1] = (misfits[-1][0], row + 1, what)
    else:
        misfits.append((row, row + 1, what))


def _encoded_blocks(
    contents: Contents, path: str, array: zarr.Array[Any], damaged: list[DamagedChunkError]
) -> Iterator[tuple[int, list[bytes]]]:
    """(first row, images) of all that can be read, some images of a shard at a time; damage is noted."""
    assert array.shards is not None
    rows, shard = array.shape[0], array.shards[0]
    row_bytes = max(array.nbytes // max(rows, 1), 1)  # decoded, which is more than encoded
    block = max(1, min(shard, 4 * _BYTES_AT_ONCE // row_bytes))
    for at in range(0, rows, shard):
        for first in range(at, min(at + shard, rows), block):
            end = min(first + block, at + shard, rows)
            try:
                yield first, read_encoded(array, contents.name, path, first, end)
            except DamagedChunkError:
                for row in range(first, end):
                    try:
                        image = read_encoded(array, contents.name, path, row, row + 1)
                    except DamagedChunkError as error:
                        _note(damaged, error)
                    else:
                        yield row, image


def _blocks(
    contents: Contents, path: str, array: zarr.Array[Any], damaged: list[DamagedChunkError]
) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows) of all that can be read, a chunk or several of a shard at a time; damage is noted."""
    chunk, rows = array.chunks[0], array.shape[0]
    shard = chunk if array.shards is None else array.shards[0]
    block = chunk * max(1, min(shard, _BYTES_AT_ONCE * rows // max(array.nbytes, 1)) // chunk)
    for start in range(0, rows, shard):
        for first in range(start, min(start + shard, rows), block):
            end = min(first + block, start + shard, rows)
            try:
                yield first, contents.read(path, first, end)
            except DamagedChunkError as error:
                if end - first <= chunk:
                    damaged.append(error)
                else:
                    yield from _chunks(contents, path, range(first, end, chunk), end, damaged)


def _chunks(
    contents: Contents, path: str, starts: range, end: int, damaged: list[DamagedChunkError]
) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows) of the chunks of a block of which some are damaged."""
    for first in starts:
        try:
            yield first, contents.read(path, first, min(first + starts.step, end))
        except DamagedChunkError as error:
            _note(damaged, error)


def _note(damaged: list[DamagedChunkError], error: DamagedChunkError) -> None:
    """Note a damage; chunks side by side that are damaged alike, as those of one shard, are one."""
    last = damaged[-1] if damaged else None
    if last is not None and (last.rows[1], last.reason) == (error.rows[0], error.reason):
        rows = (last.rows[0], error.rows[1])
        damaged[-1] = DamagedChunkError(error.store, error.key, last.chunk, rows, error.reason)
    else:
        damaged.append(error)


def readable_integers(contents: Contents, path: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first entries of an array of integers, and which of them are in chunks that can be read."""
    values, known = np.zeros(count, np.int64), np.zeros(count, bool)
    try:
        step = contents.array(path).chunks[0]
    except InputError:
        return values, known  # reported with the array
    for start in range(0, count, step):
        rows = slice(start, min(start + step, count))
        try:
            read = contents.read(path, rows.start, rows.stop)
        except DamagedChunkError:
            continue
        if read.shape == values[rows].shape and read.dtype.kind in "iu":
            values[rows], known[rows] = read, True
    return values, known
