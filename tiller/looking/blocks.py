"""Entries of arrays, decoded in blocks of which the last used are kept: as much memory whatever the store's size."""

from __future__ import annotations

from collections import OrderedDict
from math import prod
from threading import Lock
from typing import Any, Hashable

import numpy as np
import zarr

from data.store.contents import Contents
from robot.errors import InputError

KEPT_BYTES = 96 << 20
LARGEST_KEPT = 24 << 20  # of a block
BLOCK_BYTES = 1 << 20
LARGEST_CHUNK = 256 << 20  # that is decoded at all


class Blocks:
    """Reads entries of arrays; any thread may.

    Args:
        kept_bytes: of blocks that are kept.
    """

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._bytes, self._most, self._lock = 0, kept_bytes, Lock()

    @property
    def bytes(self) -> int:
        """Of all blocks that are kept."""
        return self._bytes

    def read(self, contents: Contents, store: Hashable, path: str, start: int, stop: int) -> np.ndarray:
        """Entries start..stop-1 of an array.

        Args:
            contents: of the store.
            store: tells one store, and one that takes its place, from another.
            path: of the array.
            start, stop: within the array.

        Raises:
            InputError: as `Contents.array`, or a chunk of it is too large to be looked at.
            DamagedChunkError: a chunk is missing or broken.
        """
        array = contents.array(path)
        step = _step(array, contents.name, path)
        length = array.shape[0]
        parts = []
        for first in range(start // step * step, stop, step):
            end = min(first + step, length)
            block = self._block(contents, (store, path, first, end), path, first, end)
            parts.append(block[max(start - first, 0) : stop - first])
        if not parts:
            return np.empty((0, *array.shape[1:]), array.dtype)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _block(self, contents: Contents, key: Hashable, path: str, first: int, end: int) -> np.ndarray:
        with self._lock:
            block = self._kept.get(key)
            if block is not None:
                self._kept.move_to_end(key)
                return block
        block = contents.read(path, first, end)
        if block.nbytes <= LARGEST_KEPT:
            with self._lock:
                if key not in self._kept:
                    self._kept[key] = block
                    self._bytes += block.nbytes
                while self._bytes > self._most:
                    self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return block


def _step(array: zarr.Array[Any], where: str, path: str) -> int:
    """Entries of a block: whole chunks."""
    if not array.shape:
        raise InputError(f"'{where}': array '{path}'", expected="a list of entries", got="a single one")
    rows = array.chunks[0]
    entry = max(prod(array.shape[1:]) * array.dtype.itemsize, 1)
    # A chunk may be larger than the array in every axis.
    chunk = rows * max(prod(array.chunks[1:]) * array.dtype.itemsize, 1)
    if max(chunk, rows * entry) > LARGEST_CHUNK:
        raise InputError(
            f"'{where}': array '{path}'",
            expected=f"chunks of up to {LARGEST_CHUNK >> 20} MiB, to look at",
            got=f"{max(chunk, rows * entry) >> 20} MiB",
            way_out=f"'tiller data convert {where} TARGET' writes it in small ones",
        )
    return int(rows * max(1, BLOCK_BYTES // max(rows * entry, 1)))
