"""Rows of arrays on disk, read a chunk at a time and kept up to a bound of bytes."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Protocol

import numpy as np


class RowArray(Protocol):
    """What is read: a zarr array, or anything sliced like one along axis 0."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    @property
    def chunks(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice) -> np.ndarray: ...


class ChunkCache:
    """Decoded chunks, the least recently used dropped first.

    One cache serves several arrays, so that the bound holds for all of them together. Chunks are decoded in the
    caller's thread: threads of its own were slower, as they contend with zarr's. Threads may share a cache; they wait
    for each other.

    Args:
        max_bytes: decoded bytes kept between calls; a gather holds one chunk besides.

    Attributes:
        bytes: held now.
        reads: chunks decoded so far.
    """

    def __init__(self, max_bytes: int):
        self.max_bytes = max_bytes
        self.bytes = 0
        self.reads = 0
        self._chunks: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._lock = Lock()

    def gather(self, array: RowArray, rows: np.ndarray) -> np.ndarray:
        """Gather rows of an array.

        Args:
            array: known by its identity, so it must live as long as the cache.
            rows: integer indices of any shape, repeats allowed.

        Returns:
            `array[rows]`, (*rows.shape, *array.shape[1:]).
        """
        gathered = np.empty((rows.size, *array.shape[1:]), array.dtype)
        flat_rows = rows.reshape(-1)
        chunk_of = flat_rows // array.chunks[0]
        order = np.argsort(chunk_of, kind="stable")
        indices, starts = np.unique(chunk_of[order], return_index=True)
        with self._lock:
            for index, positions in zip(indices.tolist(), np.split(order, starts[1:])):
                gathered[positions] = self._chunk(array, index)[flat_rows[positions] - index * array.chunks[0]]
        return gathered.reshape(*rows.shape, *array.shape[1:])

    def _chunk(self, array: RowArray, index: int) -> np.ndarray:
        key = (id(array), index)
        if key in self._chunks:
            self._chunks.move_to_end(key)
            return self._chunks[key]
        length = array.chunks[0]
        chunk = np.asarray(array[index * length : (index + 1) * length])
        self.reads += 1
        self._chunks[key] = chunk
        self.bytes += chunk.nbytes
        while self.bytes > self.max_bytes:
            _, dropped = self._chunks.popitem(last=False)
            self.bytes -= dropped.nbytes
        return chunk
