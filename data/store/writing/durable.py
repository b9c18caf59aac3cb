"""A folder of zarr objects that changes only in `settle`, whole object by whole object, also across a power cut."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from robot.files import PARTIAL, sync

ROOT_FILE = "zarr.json"
# Syncs that wait together share the file system's journal commits: sixteen cost little more than one.
_SYNC_THREADS = 16


class DurableStore(LocalStore):
    """A `LocalStore` that writes every object aside and renames all of them into place at `settle`.

    Zarr's own store renames too, but never syncs: after a power cut a renamed file may be empty. Here an object that is
    rewritten (the last, half full chunk of an array) is at any instant wholly the old one or wholly the new one.

    Zarr writes on a thread of its own, which may outlive an interrupted caller. It only ever writes aside; names change
    in `settle`. What is written but not settled cannot be read back.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._aside: dict[Path, Path] = {}
        self._new_folders: set[Path] = set()

    async def set(self, key: str, value: Buffer) -> None:
        self._check_writable()
        path = self.root / key
        self._make_folder(path.parent)
        aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")
        aside.write_bytes(value.as_buffer_like())
        before = self._aside.get(path)
        self._aside[path] = aside
        if before is not None:
            before.unlink(missing_ok=True)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        path = self.root / key
        if path not in self._aside and not path.exists():
            await self.set(key, value)

    def settle(self) -> None:
        """Rename everything written since the last call into place; when this returns it survives a power cut.

        Contents are synced before any name changes, so that a kill in between leaves old or new objects, never torn
        ones. Leaving the pool waits for its threads: no name changes after an interrupt has left this call.
        """
        with ThreadPoolExecutor(_SYNC_THREADS) as threads:
            sync_all(threads, self._aside.values())
            list(threads.map(os.replace, self._aside.values(), self._aside))
            sync_all(threads, {path.parent for path in self._aside} | self._new_folders)
        self._aside.clear()
        self._new_folders.clear()

    def _make_folder(self, folder: Path) -> None:
        if not folder.exists():
            self._make_folder(folder.parent)
            folder.mkdir(exist_ok=True)
            self._new_folders.add(folder.parent)


def move_into_place(aside: Path, folder: Path) -> None:
    """Give a finished store its name, durably.

    A folder that is there already, and empty but for it, takes what is in it: it may be a mount, or the working
    directory of a shell. The root's record comes last, before which it is no store.
    """
    if not folder.is_dir():
        os.replace(aside, folder)
        sync(folder.parent)
        return
    for entry in sorted(aside.iterdir(), key=lambda entry: entry.name == ROOT_FILE):
        os.replace(entry, folder / entry.name)
    sync(folder)


def sync_all(threads: ThreadPoolExecutor, paths: Iterable[Path]) -> None:
    """Force files or folders to the disk, all at once."""
    list(threads.map(sync, sorted(paths)))
