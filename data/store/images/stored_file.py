"""One file of a store, of which parts are read: directly where it lies on this machine, else as zarr reads.

An image of 96 x 96 is decoded in 60 us, and zarr takes 800 us for a part of a file: an event loop in another thread
that hands each part to a third.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore


class StoredFile:
    """A file of a store, open while this is entered.

    Args:
        store: that has it.
        name: its key in the store.

    Raises:
        FileNotFoundError: it is not there.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._file: BinaryIO | None = None

    def __enter__(self) -> StoredFile:
        if isinstance(self._store, LocalStore):
            try:
                self._file = (Path(self._store.root) / self._name).open("rb", buffering=0)
            except FileNotFoundError:
                raise FileNotFoundError("its file is missing") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def end(self, size: int) -> bytes:
        """The last bytes of the file; all of it where it is smaller."""
        if self._file is None:
            return self._by_zarr(SuffixByteRequest(size))
        length = self._file.seek(0, 2)
        return self.part(max(0, length - size), length)

    def part(self, first: int, stop: int) -> bytes:
        """Bytes first..stop-1; fewer where the file ends before."""
        if self._file is None:
            return self._by_zarr(RangeByteRequest(first, stop))
        self._file.seek(first)
        parts, left = [], stop - first
        while left > 0 and (part := self._file.read(left)):  # one call gives 2 GB at most
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _by_zarr(self, part: ByteRequest) -> bytes:
        stored = sync(self._store.get(self._name, default_buffer_prototype(), part))
        if stored is None:
            raise FileNotFoundError("its file is missing")
        return stored.to_bytes()
