"""What a store declares that it holds, sound or not: opening, validation, repair and info all begin here."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Iterator, Mapping, Sequence

import numpy as np
import zarr

from data.store import layout
from data.store.array_metadata import DamagedMetadataError, array_metadata
from data.store.episode import Episode
from data.store.location import Location, children, is_group
from data.store.reading import open_array, read_encoded, read_rows
from data.store.record import ROOT_KEY, Commit, is_ours, read_record
from data.store.schema import Schema
from robot.description import fingerprint
from robot.description.image_shape import CHANNELS, can_be_image
from robot.errors import InputError

_GROUPS = ("data", "meta")


@dataclass(frozen=True)
class Contents:
    """The arrays of a store as its metadata and commit record declare them; nothing is checked against anything.

    Args:
        location: where it is.
        schema: None for a store that tiller did not write.
        commit: None for a store that tiller did not write.
        attributes: of the root, without tiller's own part.
        metadata: array path -> its JSON; an array that should be there and is not, or cannot be read, maps to None.
        others: paths of what another program keeps in its store that is no array of rows or of episodes.
        unreadable: array path -> why its metadata, which is there or was there, cannot be read.
    """

    location: Location
    schema: Schema | None
    commit: Commit | None
    attributes: Mapping[str, Any]
    metadata: Mapping[str, Mapping[str, Any] | None]
    others: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The store's path, for messages."""
        return self.location.name

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Names of the row arrays."""
        return tuple(path.removeprefix("data/") for path in self.metadata if path.startswith("data/"))

    @cached_property
    def meta_keys(self) -> tuple[str, ...]:
        """Names of the per-episode facts."""
        return tuple(
            path.removeprefix("meta/")
            for path in self.metadata
            if path.startswith("meta/")
            and path != layout.EPISODE_ENDS
            and path.count("/") == 1
            and path not in self.odd_meta
        )

    @cached_property
    def odd_meta(self) -> tuple[str, ...]:
        """Paths of what another program keeps under `meta/` that has not one entry per episode."""
        if self.schema is not None or layout.EPISODE_ENDS not in self.stored:
            return ()
        episodes = self.stored[layout.EPISODE_ENDS]
        return tuple(
            path
            for path, length in self.stored.items()
            if path.startswith("meta/") and (length != episodes or path.count("/") > 1)
        )

    @property
    def stream_keys(self) -> tuple[str, ...]:
        """Names of the streams."""
        return tuple(self.schema.stream_fields) if self.schema else ()

    @cached_property
    def committed(self) -> Mapping[str, int]:
        """Array path -> entries that exist by the commit record; empty without one."""
        if self.commit is None:
            return {}
        return {path: slot.length(self.commit) for path, slot in self.slots.items()}

    @property
    def fingerprint(self) -> str:
        """Hash of the schema and of all content of a store that tiller wrote, 16 hexadecimal digits."""
        assert self.schema is not None and self.commit is not None
        return fingerprint({"schema": self.schema.to_json(), "commit": self.commit.to_json()})

    @cached_property
    def slots(self) -> Mapping[str, layout.Slot]:
        """Array path -> its slot by the schema; empty without one."""
        return {slot.path: slot for slot in layout.slots(self.schema)} if self.schema else {}

    def is_image(self, path: str) -> bool:
        """Whether a row array holds images: by its declared kind, and by its shape where nothing declares one."""
        if self.schema is not None:
            observation, name = self.schema.observation, path.removeprefix("data/")
            return name in observation and observation[name].is_image
        shape = self.array(path).shape
        return len(shape) == 4 and shape[-1] in CHANNELS and can_be_image(shape[1:])

    @cached_property
    def stored(self) -> Mapping[str, int]:
        """Array path -> entries by the array's own metadata."""
        return {path: metadata["shape"][0] for path, metadata in self.metadata.items() if metadata}

    @cached_property
    def row_lengths(self) -> Mapping[str, int]:
        """Row array -> rows that exist: by the commit record, else by its own metadata where that can be read."""
        paths = {key: layout.row_path(key) for key in self.keys}
        if self.commit is None:
            return {key: self.stored[path] for key, path in paths.items() if path in self.stored}
        return {key: self.committed[path] for key, path in paths.items()}

    @property
    def rows(self) -> int:
        """Rows that every row array has."""
        return min(self.row_lengths.values(), default=0)

    @cached_property
    def _opened(self) -> dict[str, zarr.Array[Any]]:
        return {}

    def array(self, path: str) -> zarr.Array[Any]:
        """An array, cut to what exists.

        Raises:
            InputError: there is no such array, its metadata cannot be read, or it needs a codec that is not installed.
        """
        if path in self.unreadable:
            raise InputError(
                f"'{self.name}': array '{path}'",
                expected="metadata that can be read",
                got=self.unreadable[path],
                way_out=self.without(path),
            )
        if path not in self._opened:
            self._opened[path] = open_array(
                self.location.group, path, self.committed.get(path), self.name, complete=self.commit is not None
            )
        return self._opened[path]

    def without(self, path: str) -> str | None:
        """How to go on without an array, in words; None where it cannot be missed."""
        if self.schema is not None or path == layout.EPISODE_ENDS:
            return None
        name = path.removeprefix("data/").removeprefix("meta/")
        return f"'tiller data convert {self.name} TARGET' leaves it out with exclude=[{name}]"

    def read(self, path: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Entries start..stop-1 of an array, all of them by default.

        Raises:
            InputError: as `array`.
            DamagedChunkError: a chunk is missing or broken.
        """
        array = self.array(path)
        if not array.shape:
            raise InputError(f"'{self.name}': array '{path}'", expected="a list of entries", got="a single one")
        return read_rows(array, self.name, path, start, array.shape[0] if stop is None else stop)

    def episode(self, index: int, rows: slice, keys: Sequence[str]) -> Episode:
        """One episode with these row arrays.

        Raises:
            InputError, DamagedChunkError: as `read`.
        """
        data = {key: self.read(layout.row_path(key), rows.start, rows.stop) for key in keys}
        meta = {key: self.read(layout.meta_path(key), index, index + 1).tolist()[0] for key in self.meta_keys}
        return Episode(data, meta, {name: self._stream(name, index) for name in self.stream_keys})

    def rows_as_stored(self, index: int, rows: slice) -> tuple[Episode, Mapping[str, list[bytes]]]:
        """One episode, of which images that are stored encoded stay so.

        Returns:
            The episode without them, and name -> the bytes of each row.

        Raises:
            InputError, DamagedChunkError: as `read`.
        """
        encoded = [key for key in self.keys if self.schema is not None and self.schema.encoding(key).of_images]
        episode = self.episode(index, rows, [key for key in self.keys if key not in encoded])
        paths = {key: layout.row_path(key) for key in encoded}
        return episode, {
            key: read_encoded(self.array(path), self.name, path, rows.start, rows.stop) for key, path in paths.items()
        }

    def _stream(self, name: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        value, time_ns, ends_path = layout.stream_paths(name)
        ends = self.read(ends_path, max(index - 1, 0), index + 1)
        start, stop = (int(ends[0]) if index else 0), int(ends[-1])
        return self.read(value, start, stop), self.read(time_ns, start, stop)


def read_contents(location: Location) -> Contents:
    """Read a store's root attributes and the metadata of its arrays.

    Raises:
        InputError: it holds no row arrays, or another schema version wrote it.
    """
    attributes = location.group.attrs.asdict()
    others = {key: value for key, value in attributes.items() if key != ROOT_KEY}
    unreadable: dict[str, str] = {}
    if is_ours(attributes):
        record = read_record(attributes, location.name)
        paths = (slot.path for slot in layout.slots(record.schema))
        own = {path: _metadata(location, path, unreadable) for path in paths}
        return Contents(location, record.schema, record.commit, others, own, unreadable=unreadable)
    entries = {path: metadata for group in _GROUPS for path, metadata in _arrays_within(location, group, unreadable)}
    arrays = {path: metadata for path, metadata in entries.items() if metadata or path in unreadable}
    if not any(path.startswith("data/") for path in arrays):
        raise InputError(
            f"'{location.name}'",
            expected="a store with data/ and meta/episode_ends",
            got="a zarr group without arrays under data/",
        )
    unread = [
        *(path for path in entries if path not in arrays),
        *(name for name in children(location, "") if name not in _GROUPS),
    ]
    return Contents(location, None, None, others, arrays, tuple(unread), unreadable)


def _arrays_within(
    location: Location, group: str, unreadable: dict[str, str]
) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """(path, metadata) of every array in a group and in the groups within it; None for what is neither."""
    for path in (f"{group}/{name}" for name in children(location, group)):
        metadata = _metadata(location, path, unreadable)
        if metadata is None and path not in unreadable and is_group(location, path):
            yield from _arrays_within(location, path, unreadable)
        else:
            yield path, metadata


def _metadata(location: Location, path: str, unreadable: dict[str, str]) -> Mapping[str, Any] | None:
    """The metadata of an array; None, and the reason in `unreadable`, where it is damaged."""
    try:
        return array_metadata(location, path)
    except DamagedMetadataError as error:
        unreadable[path] = str(error)
        return None
