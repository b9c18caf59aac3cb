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

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import numpy as np
import zarr

from data.store import layout
from data.store.digests import episode_digest
from data.store.episode import Episode, check_episode
from data.store.record import ROOT_KEY, Commit, read_record
from data.store.schema import ACTION, Schema
from data.store.writing.columns import Columns
from data.store.writing.durable import DurableStore
from data.store.writing.leftovers import Leftovers, dropped_episode, remove_partial_files
from data.store.writing.lock import WriterLock
from robot.errors import InputError, TillerError
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
        open: what is being added; None while nothing is.
        dropped: what the writer before had begun and not committed, in one line; empty where there is nothing to say.

    Raises:
        InputError: another writer is at work, or the folder cannot be written.
    """

    commit: Commit
    open: Addition | None
    _store: DurableStore
    _root: zarr.Group

    def __init__(self, folder: Path, schema: Schema) -> None:
        self._folder = folder
        self._schema = schema
        self._lock = WriterLock(folder)
        self._ready = False
        self.open = None
        try:
            leftovers = remove_partial_files(folder) if self._lock.follows_a_crash else Leftovers()
            self._return_to_commit()
            self.dropped = dropped_episode(leftovers, self._lock.before, self.commit.episodes)
        except BaseException:
            self._lock.release()
            raise

    def extend(self, episodes: Sequence[Episode]) -> Commit:
        """Append episodes in one commit: afterwards all of them exist, or, on any error, none.

        Raises:
            InputError: an episode does not fit the schema, or another is being written; nothing was written.
            DamagedChunkError: the chunk that the episode would share with earlier ones is damaged.
            TillerError: the disk is full or fails; every episode committed before is intact.
        """
        for index, episode in enumerate(episodes):
            check_episode(self._schema, episode, self.commit.episodes + index)
        if not episodes:
            return self.commit
        addition = self.begin()
        for episode in episodes:
            addition.add(episode.data)
            for name, (value, time_ns) in episode.streams.items():
                addition.add_samples(name, value, time_ns)
            addition.end_episode(episode.meta)
        return addition.publish()

    def begin(self) -> Addition:
        """Begin to add episodes, of which nothing is seen before `Addition.publish`.

        Raises:
            InputError: others are being added.
            TillerError: the disk is full or fails.
        """
        if self.open is not None:
            raise InputError(
                f"'{self._folder}'",
                expected="one episode at a time",
                got="another that is being written",
                way_out="Commit or abort it first",
            )
        with self.guarded():
            if not self._ready:
                self._return_to_commit()
        self.open = Addition(self, self._schema, self.commit, self._arrays, str(self._folder))
        return self.open

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """What is within changes the store: after any failure, an interrupt included, nothing is left of the addition.

        Raises:
            TillerError: the disk is full or fails.
        """
        try:
            yield
        except BaseException as error:
            self.abandon()
            if isinstance(error, OSError):
                raise DiskError(self._folder, error, self.commit.episodes) from error
            raise

    def mark(self) -> None:
        """Write down that the open episode has content, which the next writer reports as lost where it is; for
        `Addition`.
        """
        self._lock.begin_episode(self.commit.episodes)

    def close(self) -> None:
        """Drop what is being added, and release the writer's lock."""
        if self.open is not None:
            self.abandon()
        self._lock.release()

    def publish(self, after: Commit) -> Commit:
        """Make everything durable that was written, then the record of it; for `Addition`."""
        self._store.settle()
        record = self._root.attrs.asdict()[ROOT_KEY]
        self._root = self._root.update_attributes({ROOT_KEY: {**record, "commit": after.to_json()}})
        self._store.settle()
        self.commit, self.open = after, None
        self._lock.end_episode()
        return after

    def abandon(self) -> None:
        """Drop what was half appended, after any failure, an interrupt included.

        Where even that fails (a disk that is full to the last byte), the next append tries again first.
        """
        self._ready = False
        if self.open is not None:
            self.open.columns.close()
            self.open = None
        with suppress(OSError):
            remove_partial_files(self._folder)
            self._return_to_commit()
            self._lock.end_episode()

    def _return_to_commit(self) -> None:
        """Read the record and set every array back to it."""
        self._store = DurableStore(self._folder)
        self._root = zarr.open_group(self._store, mode="r+", use_consolidated=False)
        self.commit = read_record(self._root.attrs.asdict(), str(self._folder)).commit
        self._arrays: dict[str, tuple[layout.Slot, zarr.Array[Any]]] = {}
        for slot in layout.slots(self._schema):
            array = zarr.open_array(self._store, path=slot.path, mode="r+")
            if array.shape[0] != slot.length(self.commit):
                array.resize((slot.length(self.commit), *array.shape[1:]))
            self._arrays[slot.path] = slot, array
        self._store.settle()
        self._ready = True


class Addition:
    """Episodes that are being added to a store: what was added is on the disk under other names, and seen by nobody.

    Nothing is checked here.

    Args:
        appender: of the store, which begins one at a time.
        schema: of the store.
        commit: the episodes before.
        arrays: of the store, of the lengths of that commit.
        where: the store's name, for messages.

    Attributes:
        columns: of all arrays.
    """

    def __init__(
        self,
        appender: Appender,
        schema: Schema,
        commit: Commit,
        arrays: dict[str, tuple[layout.Slot, zarr.Array[Any]]],
        where: str,
    ) -> None:
        self._appender, self._schema, self._after = appender, schema, commit
        self._rows, self._samples = 0, dict.fromkeys(schema.stream_fields, 0)
        self._marked = False
        self.columns = Columns(arrays, where)

    @property
    def is_open(self) -> bool:
        """Whether more can be added: it was neither published nor dropped, nor the store closed."""
        return self._appender.open is self

    def add(self, rows: Mapping[str, Any]) -> None:
        """Add rows to the episode that is open: name -> (k, ...), or a list of encoded images."""
        with self._appender.guarded():
            self._mark()
            for name, values in rows.items():
                self.columns[layout.row_path(name)].add(values)
        self._rows += len(rows[ACTION])

    def add_samples(self, stream: str, value: np.ndarray, time_ns: np.ndarray) -> None:
        """Add samples of a stream, (k, ...) and (k,)."""
        values, stamps, _ = layout.stream_paths(stream)
        with self._appender.guarded():
            self._mark()
            self.columns[values].add(value)
            self.columns[stamps].add(time_ns)
        self._samples[stream] += len(time_ns)

    def _mark(self) -> None:
        # Not when it begins: a recorder has the next one open long before there is a take.
        if not self._marked:
            self._appender.mark()
            self._marked = True

    def end_episode(self, facts: Mapping[str, Any]) -> None:
        """End the episode that is open; rows that follow are of another."""
        digest = episode_digest(self._schema, lambda slot: self.columns[slot.path].digest(), facts)
        self._after = self._after.add(self._rows, self._samples, digest)
        with self._appender.guarded():
            self.columns[layout.EPISODE_ENDS].add(np.array([self._after.rows], np.int64))
            for name, fact in self._schema.meta_fields.items():
                dtype = object if fact.dtype == "string" else fact.dtype
                self.columns[layout.meta_path(name)].add(np.array([facts[name]], dtype=dtype))
            for name in self._schema.stream_fields:
                ends = np.array([self._after.streams[name]], np.int64)
                self.columns[layout.stream_paths(name)[2]].add(ends)
        self._rows, self._samples = 0, dict.fromkeys(self._samples, 0)

    def publish(self) -> Commit:
        """Commit the episodes that have ended, at once and durably."""
        with self._appender.guarded():
            self.columns.finish()
            self.columns.close()
            return self._appender.publish(self._after)

    def abort(self) -> None:
        """Drop everything that was added; once it has ended, however it did, this changes nothing."""
        if self.is_open:
            self._appender.abandon()
