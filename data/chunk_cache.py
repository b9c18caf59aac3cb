"""Rows of arrays on disk, read a chunk at a time and kept up to a bound of bytes."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Iterator, Protocol

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

    One cache serves several arrays, so that the bound holds for all of them together. Safe to use from threads.

    Args:
        max_bytes: decoded bytes kept between calls. A gather holds besides it only the chunks in flight, at most
            two a worker.
        workers: threads that read and decode; 0 reads in the caller's thread.
    """

    def __init__(self, max_bytes: int, workers: int = 2):
        self.max_bytes = max_bytes
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._chunks: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._lock = Lock()
        self._in_flight = 2 * max(workers, 1)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="chunk") if workers else None

    def gather(self, array: RowArray, rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Rows of an array.

        Args:
            array: as long as the cache lives; it is known by its identity.
            rows: any integer indices, of any shape, repeats allowed.
            out: (*rows.shape, *array.shape[1:]), C-contiguous, filled when given.

        Returns:
            `array[rows]`, (*rows.shape, *array.shape[1:]).
        """
        if out is None:
            out = np.empty((*rows.shape, *array.shape[1:]), array.dtype)
        flat_out, flat_rows = out.reshape(-1, *array.shape[1:]), rows.reshape(-1)
        length = array.chunks[0]
        chunk_of = flat_rows // length
        order = np.argsort(chunk_of, kind="stable")
        wanted, starts = np.unique(chunk_of[order], return_index=True)
        places = dict(zip(wanted.tolist(), np.split(order, starts[1:])))
        for index, chunk in self._chunks_of(array, wanted.tolist()):
            where = places[index]
            flat_out[where] = chunk[flat_rows[where] - index * length]
        return out

    def _chunks_of(self, array: RowArray, indices: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        """The chunks in any order: those in memory first, then those read, a few ahead of the one in use."""
        missing = []
        for index in indices:
            chunk = self._lookup((id(array), index))
            if chunk is None:
                missing.append(index)
            else:
                yield index, chunk
        if self._pool is None:
            for index in missing:
                yield index, self._read(array, index)
            return
        ahead: list[tuple[int, Future[np.ndarray]]] = []
        for index in missing:
            ahead.append((index, self._pool.submit(self._read, array, index)))
            if len(ahead) == self._in_flight:
                first, future = ahead.pop(0)
                yield first, future.result()
        for index, future in ahead:
            yield index, future.result()

    def _lookup(self, key: tuple[int, int]) -> np.ndarray | None:
        with self._lock:
            chunk = self._chunks.get(key)
            if chunk is None:
                self.misses += 1
                return None
            self._chunks.move_to_end(key)
            self.hits += 1
            return chunk

    def _read(self, array: RowArray, index: int) -> np.ndarray:
        length = array.chunks[0]
        chunk = np.asarray(array[index * length : (index + 1) * length])
        with self._lock:
            key = (id(array), index)
            if key not in self._chunks and chunk.nbytes <= self.max_bytes:
                self._chunks[key] = chunk
                self.bytes += chunk.nbytes
            while self.bytes > self.max_bytes:
                _, dropped = self._chunks.popitem(last=False)
                self.bytes -= dropped.nbytes
        return chunk

    def close(self) -> None:
        """Stop the threads; the cache must not be used any more."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
