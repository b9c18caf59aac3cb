"""One array of a store while rows are added to it: full chunks or shards are written as they fill, so that memory is
bounded by one of them, and nothing of it is seen before the commit.

What a commit holds already in the array's last chunk or shard is written again with the rows that follow, aside:
numbers by zarr, which decodes and encodes that one chunk, encoded images by their bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Sequence

import numpy as np
import zarr
from zarr.core.array import AsyncArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from data.store.digests import EntriesHash
from data.store.images.shards import checked, pack_shard, unpack_shard
from data.store.layout import Slot
from data.store.reading import DamagedChunkError, open_array, read_rows
from data.store.writing.durable import DurableStore

_UNBOUNDED = 1 << 62  # rows: the length of an array while it grows, which no metadata ever says
_ENCODERS = 2  # threads, which encode side by side as codecs release the interpreter's lock


class Column(ABC):
    """Rows of one array after those that are committed.

    Args:
        slot: of the array.
        array: open for writing, of the committed length.
        where: the store's name, for messages.

    Attributes:
        end: rows of the array with those that were added.
    """

    end: int

    def __init__(self, slot: Slot, array: zarr.Array[Any], where: str) -> None:
        self.slot, self._array, self._where = slot, array, where
        self.end = self._written = array.shape[0]
        self._content = EntriesHash(slot)

    @property
    def _block(self) -> int:
        """Rows of a file."""
        return int((self._array.shards or self._array.chunks)[0])

    @abstractmethod
    def add(self, rows: Any) -> None:
        """Add rows after the last; they may be kept in memory until a file of them is full."""

    @abstractmethod
    def _write_waiting(self) -> None:
        """Write the rows that wait, which begin at row `_written`."""

    def digest(self) -> str:
        """Hash of the rows added since the last call: their number, type, shape and stored content."""
        return self._content.digest()

    def finish(self) -> None:
        """Write what waits, and the array's new length; all of it exists once the store has settled."""
        if self.end > self._written:
            self._write_waiting()
        if self.end != self._array.shape[0]:
            shape = (self.end, *self._array.shape[1:])
            sync(self._array.async_array.resize(shape, delete_outside_chunks=False))


class NumberColumn(Column):
    """Rows that zarr encodes: numbers and words."""

    def __init__(self, slot: Slot, array: zarr.Array[Any], where: str) -> None:
        super().__init__(slot, array, where)
        self._waiting: list[np.ndarray] = []
        location = array.store_path
        endless = array.metadata.update_shape((_UNBOUNDED, *array.shape[1:]))
        # Chunks of nothing but zeros are written too, so that an absent one is known as lost.
        self._endless = zarr.Array(AsyncArray(endless, location, {"write_empty_chunks": True}))

    def add(self, rows: np.ndarray) -> None:
        if not len(rows):
            return
        self._content.add(rows)
        at = 0
        while at < len(rows):
            room = self._block - self.end % self._block
            part = rows[at : at + room]
            # Whoever gave the rows may write on in the same memory.
            self._waiting.append(part.copy())
            at, self.end = at + len(part), self.end + len(part)
            if self.end % self._block == 0:
                self._write_waiting()

    def _write_waiting(self) -> None:
        if self._written % self._block:
            self._require_readable(self._written - 1)
        rows = self._waiting[0] if len(self._waiting) == 1 else np.concatenate(self._waiting)
        self._endless[self._written : self.end] = rows
        self._written, self._waiting = self.end, []

    def _require_readable(self, row: int) -> None:
        """Refuse to rewrite a chunk whose committed rows are damaged: that would hide the damage."""
        root = zarr.open_group(self._array.store_path.store, mode="r", use_consolidated=False)
        complete = open_array(root, self.slot.path, None, self._where, complete=True)
        read_rows(complete, self._where, self.slot.path, row, row + 1)


class ImageColumn(Column):
    """Rows that are encoded images, or come so from a camera."""

    def __init__(self, slot: Slot, array: zarr.Array[Any], where: str, threads: ThreadPoolExecutor) -> None:
        super().__init__(slot, array, where)
        self._threads = threads
        self._waiting: list[bytes] = []

    def add(self, rows: np.ndarray | Sequence[bytes]) -> None:
        # What is encoded already is only taken: a thread for each image took longer than its hash.
        encode, encoded = self.slot.encoding.encode, not isinstance(rows, np.ndarray)
        for stored in map(encode, rows) if encoded else self._threads.map(encode, rows):
            self._content.add_image(stored)
            self._waiting.append(checked(stored))
            self.end += 1
            if self.end % self._block == 0:
                self._write_waiting()

    def _write_waiting(self) -> None:
        shard, shared = divmod(self._written, self._block)  # rows that a commit holds already
        key = f"{self.slot.path}/{self._array.metadata.encode_chunk_key((shard,) + (0,) * len(self.slot.shape))}"
        store = self._array.store_path.store
        assert isinstance(store, DurableStore)
        committed: list[bytes] = []
        if shared:
            first = shard * self._block
            try:
                committed = unpack_shard((store.root / key).read_bytes(), self._block, shared)
            except (OSError, ValueError) as error:
                reason = "its file is missing" if isinstance(error, FileNotFoundError) else str(error)
                rows = (first, first + shared)
                raise DamagedChunkError(self._where, self.slot.path, shard, rows, reason) from error
        file = pack_shard((*committed, *self._waiting), self._block)
        sync(store.set(key, default_buffer_prototype().buffer.from_bytes(file)))
        self._written, self._waiting = self.end, []


class Columns:
    """All arrays of a store while rows are added to them.

    Args:
        arrays: path -> (slot, array of the committed length).
        where: the store's name, for messages.
    """

    def __init__(self, arrays: dict[str, tuple[Slot, zarr.Array[Any]]], where: str) -> None:
        self._threads = ThreadPoolExecutor(_ENCODERS, thread_name_prefix="encode")
        self._columns: dict[str, Column] = {
            path: ImageColumn(slot, array, where, self._threads)
            if slot.encoding.of_images
            else NumberColumn(slot, array, where)
            for path, (slot, array) in arrays.items()
        }

    def __getitem__(self, path: str) -> Column:
        return self._columns[path]

    def finish(self) -> None:
        """Write everything that waits, and the new lengths."""
        for column in self._columns.values():
            column.finish()

    def close(self) -> None:
        """Stop the threads; nothing can be added any more."""
        self._threads.shutdown()
