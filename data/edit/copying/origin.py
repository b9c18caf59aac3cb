"""A store of which episodes are taken: opened once, read block by block."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from data.store import layout
from data.store.consistency import consistent_ends
from data.store.contents import read_contents
from data.store.location import is_url, locate
from data.store.names import require_schema
from data.store.reading import DamagedChunkError, read_encoded
from robot.errors import InputError

_BLOCK_BYTES = 4 << 20  # of one array, that are decoded together


class Origin:
    """A store that tiller wrote, as it is when it is opened: what is appended later is not seen.

    Args:
        path: a folder, a zip or a URL.

    Attributes:
        name: the path, as given.
        contents: of the store.
        schema: of the store.
        episode_ends: (episodes,) int64.

    Raises:
        InputError: there is no store, tiller did not write it, or its parts do not fit together.
    """

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self.contents = read_contents(locate(path))
        self.schema = require_schema(path, self.contents.schema)
        self.episode_ends = consistent_ends(self.contents)
        self._readers: dict[str, _Blocks] = {}

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.episode_ends)

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Of the root, without tiller's own part."""
        return self.contents.attributes

    @property
    def absolute_name(self) -> str:
        """Its path for the record of what an edit was made of."""
        return self.name if is_url(self.name) else os.path.abspath(self.name)

    @property
    def fingerprint(self) -> str:
        """Hash of the schema and of all content."""
        return self.contents.fingerprint

    def episode(self, index: int) -> str:
        """An episode's name, for messages."""
        return f"'{self.name}': episode {index}"

    def rows(self, index: int) -> slice:
        """Rows of an episode."""
        return slice(int(self.episode_ends[index - 1]) if index else 0, int(self.episode_ends[index]))

    def length(self, index: int) -> int:
        """Number of rows of an episode."""
        rows = self.rows(index)
        return int(rows.stop - rows.start)

    def samples(self, stream: str, index: int) -> slice:
        """Samples of a stream that are of an episode."""
        ends = self._stream_ends[stream]
        return slice(int(ends[index - 1]) if index else 0, int(ends[index]))

    def facts(self, index: int) -> dict[str, Any]:
        """Facts of an episode, as plain values."""
        return {name: values[index] for name, values in self.all_facts.items()}

    @cached_property
    def all_facts(self) -> Mapping[str, list[Any]]:
        """Fact -> its value for each episode.

        Raises:
            DamagedChunkError: a chunk is missing or broken.
        """
        count = len(self)
        return {name: self.contents.read(layout.meta_path(name), 0, count).tolist() for name in self.schema.meta_fields}

    @cached_property
    def _stream_ends(self) -> Mapping[str, np.ndarray]:
        ends = {}
        for name in self.schema.stream_fields:
            path = layout.stream_paths(name)[2]
            values = self.contents.read(path, 0, len(self))
            last = self.contents.committed[layout.stream_paths(name)[1]]
            borders = np.concatenate([[0], values])
            if (np.diff(borders) < 0).any() or borders[-1] > last:
                raise InputError(
                    f"'{self.name}': {path}",
                    expected=f"ends up to {last} that never decrease",
                    got="others",
                    way_out=f"'tiller data repair {self.name} TARGET' writes a new store of the sound episodes",
                )
            ends[name] = values
        return ends

    def read(self, path: str, start: int, stop: int) -> np.ndarray:
        """Entries start..stop-1 of an array; images that are stored encoded are decoded.

        Raises:
            DamagedChunkError: a chunk among them is missing or broken.
        """
        if self.contents.slots[path].encoding.of_images:
            return self.contents.read(path, start, stop)
        if path not in self._readers:
            self._readers[path] = _Blocks(self, path)
        return self._readers[path].read(start, stop)

    def frames(self, path: str, start: int, stop: int) -> list[bytes]:
        """Entries start..stop-1 of an array of encoded images, as they are stored.

        Raises:
            DamagedChunkError: as `read`.
        """
        return read_encoded(self.contents.array(path), self.name, path, start, stop) if stop > start else []


class _Blocks:
    """An array read in whole chunks, of which the last ones are kept: each is decoded once from front to back."""

    def __init__(self, origin: Origin, path: str) -> None:
        self._contents, self._path = origin.contents, path
        array = origin.contents.array(path)
        chunk, rows = array.chunks[0], max(array.shape[0], 1)
        self._length = array.shape[0]
        self._step = chunk * max(1, _BLOCK_BYTES // max(chunk * (array.nbytes // rows), 1))
        self._first = -1
        self._block: np.ndarray | None = None

    def read(self, start: int, stop: int) -> np.ndarray:
        parts = []
        for first in range(start // self._step * self._step, max(stop, start + 1), self._step):
            parts.append(self._part(first, max(start, first), min(stop, first + self._step)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _part(self, first: int, start: int, stop: int) -> np.ndarray:
        if first != self._first:
            self._first, self._block = first, None
            with suppress(DamagedChunkError):  # perhaps in rows that nobody takes
                self._block = self._contents.read(self._path, first, min(first + self._step, self._length))
        if self._block is None:
            return self._contents.read(self._path, start, stop)
        return self._block[start - first : stop - first]
