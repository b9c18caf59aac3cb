"""Append episodes: data first and made durable, then one rename that commits them.

What a kill or a power cut can leave, and why no committed byte is lost:

 - The last chunk of an array holds committed rows and is rewritten by the next append. `DurableStore` writes the new
   chunk aside, syncs it and renames it over the old one. Both begin with the same committed rows.
 - Array metadata is replaced in the same way, with a larger shape. A reader ignores a shape that is ahead of the
   commit record: lengths come from the record. The next writer sets the shapes back.
 - Rows beyond the record, in a shared chunk or in chunks of their own, are overwritten by the next append.
 - The record is in the root group's `zarr.json`, renamed into place after every file and folder before it is synced.

After a completed append all shapes are right, so any zarr reader sees the same arrays.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np
import zarr
from zarr.core.array import AsyncArray
from zarr.core.sync import sync

from data.store import layout
from data.store.episode import Episode, check_episode
from data.store.reading import open_array, read_rows
from data.store.record import ROOT_KEY, Commit, read_record
from data.store.schema import Schema
from data.store.writing.durable import DurableStore, remove_partial_files
from data.store.writing.lock import WriterLock
from robot.errors import TillerError
from robot.files import FULL


class DiskError(TillerError):
    """The disk took no more while episodes were appended; what was committed before is safe.

    Args:
        folder: of the store.
        error: from the system.
        episodes: committed before.
    """

    def __init__(self, folder: Path, error: OSError, episodes: int) -> None:
        self.full, self.episodes = error.errno in FULL, episodes
        self.reason = "no space left on the disk" if self.full else f"the disk said '{error.strerror}'"
        way_out = "Free some space and append it again" if self.full else "Append it again when that is mended"
        super().__init__(
            f"'{folder}': {self.reason} while appending episode {episodes}. "
            f"The {episodes} episodes before it are safe. {way_out}"
        )


class Appender:
    """The one writer of a store, from construction to `close`.

    Args:
        folder: of a store that tiller wrote and whose arrays fit together.
        schema: of that store.

    Attributes:
        commit: what is committed.

    Raises:
        InputError: another writer is at work, or the folder cannot be written.
    """

    commit: Commit
    _store: DurableStore
    _root: zarr.Group

    def __init__(self, folder: Path, schema: Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._lock = WriterLock(folder)
        self._ready = False
        try:
            if self._lock.follows_a_crash:
                remove_partial_files(folder)
            self._return_to_commit()
        except BaseException:
            self._lock.release()
            raise

    def extend(self, episodes: Sequence[Episode]) -> Commit:
        """Append episodes in one commit: afterwards all of them exist, or, on any error, none.

        Raises:
            InputError: an episode does not fit the schema; nothing was written.
            DamagedChunkError: the chunk that the episode would share with earlier ones is damaged.
            TillerError: the disk is full or fails; every episode committed before is intact.
        """
        for index, episode in enumerate(episodes):
            check_episode(self._schema, episode, self.commit.episodes + index)
        if not episodes:
            return self.commit
        try:
            if not self._ready:
                self._return_to_commit()
            after = self._write(episodes)
            self._store.settle()
            self._publish(after)
        except BaseException as error:
            self._abandon()
            if isinstance(error, OSError):
                raise self._explain(error) from error
            raise
        return self.commit

    def close(self) -> None:
        """Release the writer's lock."""
        self._lock.release()

    def _write(self, episodes: Sequence[Episode]) -> Commit:
        """Write rows after the committed ones and return the record that will make them exist."""
        for slot, values in self._columns(episodes):
            array, start = self._arrays[slot.path], slot.length(self.commit)
            end = start + len(values)
            if start % array.chunks[0]:
                self._require_readable(slot.path, start - 1)
            sync(array.async_array.resize((end, *array.shape[1:]), delete_outside_chunks=False))
            if len(values):
                array[start:end] = values
        after = self.commit
        for episode in episodes:
            samples = {name: len(time_ns) for name, (_, time_ns) in episode.streams.items()}
            after = after.add(len(episode), samples, episode.digest())
        return after

    def _columns(self, episodes: Sequence[Episode]) -> Iterator[tuple[layout.Slot, np.ndarray]]:
        """(slot, values) that the episodes add to each array."""
        values: dict[str, np.ndarray] = {
            layout.EPISODE_ENDS: self.commit.rows + np.cumsum([len(episode) for episode in episodes], dtype=np.int64)
        }
        for name in self._schema.row_fields:
            values[layout.row_path(name)] = np.concatenate([episode.data[name] for episode in episodes])
        for name, fact in self._schema.meta_fields.items():
            dtype = object if fact.dtype == "string" else fact.dtype
            values[layout.meta_path(name)] = np.array([episode.meta[name] for episode in episodes], dtype=dtype)
        for name in self._schema.stream_fields:
            value, time_ns, ends = layout.stream_paths(name)
            parts = [episode.streams[name] for episode in episodes]
            values[value] = np.concatenate([part[0] for part in parts])
            values[time_ns] = np.concatenate([part[1] for part in parts])
            lengths = np.cumsum([len(part[1]) for part in parts], dtype=np.int64)
            values[ends] = self.commit.streams.get(name, 0) + lengths
        for slot in layout.slots(self._schema):
            yield slot, values[slot.path]

    def _require_readable(self, path: str, row: int) -> None:
        """Refuse to rewrite a chunk whose committed rows are damaged: that would hide the damage."""
        read_rows(
            open_array(self._root, path, None, str(self._folder), complete=True), str(self._folder), path, row, row + 1
        )

    def _publish(self, after: Commit) -> None:
        record = self._root.attrs.asdict()[ROOT_KEY]
        self._root = self._root.update_attributes({ROOT_KEY: {**record, "commit": after.to_json()}})
        self._store.settle()
        self.commit = after

    def _abandon(self) -> None:
        """Drop what was half appended, after any failure, an interrupt included.

        Where even that fails (a disk that is full to the last byte), the next append tries again first.
        """
        self._ready = False
        with suppress(OSError):
            remove_partial_files(self._folder)
            self._return_to_commit()

    def _explain(self, error: OSError) -> DiskError:
        return DiskError(self._folder, error, self.commit.episodes)

    def _return_to_commit(self) -> None:
        """Read the record and set every array back to it."""
        self._store = DurableStore(self._folder)
        self._root = zarr.open_group(self._store, mode="r+", use_consolidated=False)
        self.commit = read_record(self._root.attrs.asdict(), str(self._folder)).commit
        self._arrays: dict[str, zarr.Array[Any]] = {}
        for slot in layout.slots(self._schema):
            array = self._open(slot)
            if array.shape[0] != slot.length(self.commit):
                array.resize((slot.length(self.commit), *array.shape[1:]))
            self._arrays[slot.path] = array
        self._store.settle()
        self._ready = True

    def _open(self, slot: layout.Slot) -> zarr.Array[Any]:
        """An array to write to; chunks of nothing but zeros are written too, so that an absent one is known as lost."""
        array = zarr.open_array(self._store, path=slot.path, mode="r+")
        return zarr.Array(AsyncArray(array.metadata, array.store_path, {"write_empty_chunks": True}))
