"""A folder of zarr objects in which every write is whole or absent, also after a power cut."""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from pathlib import Path
from typing import Any

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

PARTIAL = ".partial"


class DurableStore(LocalStore):
    """A `LocalStore` whose objects change by write aside, fsync, rename, and whose folders are fsynced by `settle`.

    Zarr's own store renames too, but never syncs: after a power cut a renamed file may be empty. An object that is
    rewritten here (the last, half full chunk of an array) is at any instant wholly the old one or wholly the new one.

    Writes run on zarr's own threads and may outlive an interrupted caller. `halt` waits for the one under way and
    refuses all later ones, so that none can land on top of what the next store object writes.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._gate = threading.Lock()
        self._halted = False
        self._unsettled: set[Path] = set()

    async def set(self, key: str, value: Buffer) -> None:
        self._check_writable()
        await asyncio.to_thread(self._write, self.root / key, value.as_buffer_like())

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        if not await self.exists(key):
            await self.set(key, value)

    async def delete(self, key: str) -> None:
        self._check_writable()
        await asyncio.to_thread(self._remove, self.root / key)

    def settle(self) -> None:
        """Make the names of everything written so far durable."""
        with self._gate:
            for folder in sorted(self._unsettled):
                _sync_folder(folder)
            self._unsettled.clear()

    def halt(self) -> None:
        """Wait for the write under way, if any, and refuse every later one."""
        with self._gate:
            self._halted = True

    def _write(self, path: Path, content: Any) -> None:
        with self._gate:
            self._check_running()
            self._make_folder(path.parent)
            write_whole(path, content)
            self._unsettled.add(path.parent)

    def _remove(self, path: Path) -> None:
        with self._gate:
            self._check_running()
            path.unlink(missing_ok=True)
            if path.parent.exists():
                self._unsettled.add(path.parent)

    def _make_folder(self, folder: Path) -> None:
        if not folder.exists():
            self._make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            self._unsettled.add(folder.parent)

    def _check_running(self) -> None:
        if self._halted:
            raise InterruptedError("this store object was halted after a failed append")


def write_whole(path: Path, content: Any) -> None:
    """Write a file aside, fsync it and rename it over `path`; a failure leaves `path` as it was."""
    aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with open(aside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def remove_partial_files(root: Path) -> None:
    """Delete what killed writers left aside. Only the holder of the store's lock may call this."""
    for leftover in root.rglob(f"*{PARTIAL}"):
        leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
