"""The stores that are looked at: each as it was when it was last read, again when it has changed on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Sequence

import numpy as np

from data.store import layout
from data.store.consistency import Borders, ends_array_problem
from data.store.contents import Contents, read_contents
from data.store.location import is_url, locate
from robot.errors import InputError, TillerError, cut, one_line
from tiller.looking.blocks import Blocks
from tiller.looking.fields import Field, fields_of, has_stamps

MOST_EPISODES = 200_000
# What an append or a new store changes, of either format.
_SIGNS = ("zarr.json", ".zgroup", "meta/episode_ends/zarr.json", "meta/episode_ends/.zarray")


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A store as it was at one moment.

    Args:
        number: of the store on its shelf.
        generation: counts the stores that took one another's place; episodes and fields keep their numbers within one.
        contents: of the store.
        borders: of its episodes.
        unlisted: episodes beyond `MOST_EPISODES`.
        fields: of rows and streams.
    """

    number: int
    generation: int
    contents: Contents
    borders: Borders
    unlisted: int
    fields: tuple[Field, ...]

    @property
    def key(self) -> tuple[int, int]:
        """Tells the content of this store from that of any other, also of one before it at the same path."""
        return self.number, self.generation

    def __len__(self) -> int:
        """Number of episodes that can be looked at."""
        return len(self.borders.ends)

    @property
    def stamped(self) -> bool:
        """Whether each row has the time at which it was taken."""
        return has_stamps(self.contents)

    @property
    def period_s(self) -> float | None:
        """Control period; None where the store does not know it."""
        return self.contents.schema.period_s if self.contents.schema is not None else None

    def rows(self, episode: int) -> tuple[int, int]:
        """First row of an episode and the one after its last; equal where it has none or they are unknown."""
        start, end = int(self.borders.starts[episode]), int(self.borders.ends[episode])
        return (start, end) if self.borders.usable[episode] else (0, 0)


class Shelf:
    """The stores that are looked at, by number.

    Args:
        paths: of the stores.

    Attributes:
        blocks: decoded entries of all of them.

    Raises:
        InputError: there is no store at one of the paths, or it cannot be read.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.blocks = Blocks()
        self._stores = [_Viewed(number, path) for number, path in enumerate(paths)]

    def __len__(self) -> int:
        return len(self._stores)

    def __getitem__(self, number: int) -> Snapshot:
        """A store as it was at the last `refresh`."""
        return self._stores[number].snapshot

    def path(self, number: int) -> str:
        """A store's path, as given."""
        return self._stores[number].path

    def refresh(self, number: int) -> str:
        """Read a store again where it has changed.

        Returns:
            Why it cannot be read now; empty where it can.
        """
        return self._stores[number].refresh()

    def read(self, snapshot: Snapshot, path: str, start: int, stop: int) -> np.ndarray:
        """Entries of an array of a store.

        Raises:
            InputError, DamagedChunkError: as `Blocks.read`.
        """
        return self.blocks.read(snapshot.contents, snapshot.key, path, start, stop)


class _Viewed:
    def __init__(self, number: int, path: str) -> None:
        self.number, self.path, self._lock = number, path, Lock()
        self._signs = self._look()
        self.snapshot = self._read(None)

    def refresh(self) -> str:
        with self._lock:
            signs = self._look()
            if signs == self._signs and signs[0] is not None:
                return ""
            try:
                self.snapshot = self._read(self.snapshot)
            except (TillerError, OSError) as error:
                return cut(one_line(error)) if isinstance(error, OSError) else one_line(error)
            self._signs = signs
            return ""

    def _look(self) -> tuple[Any, ...]:
        """What says whether a store has changed; of a URL nothing does."""
        if is_url(self.path):
            return ("url",)
        folder = Path(self.path)
        root = _sign(folder)
        if folder.is_dir():
            # The folder's own times change with every file that a writer puts aside in it.
            root = None if root is None else root[:2]
            return (root, *(_sign(folder / name) for name in _SIGNS))
        return (root,)

    def _read(self, before: Snapshot | None) -> Snapshot:
        contents = read_contents(locate(self.path))
        fields = fields_of(contents)
        stored = contents.committed.get(layout.EPISODE_ENDS, contents.stored.get(layout.EPISODE_ENDS, 0))
        ends = contents.read(layout.EPISODE_ENDS, 0, min(stored, MOST_EPISODES))
        if problem := ends_array_problem(ends):
            raise InputError(f"'{self.path}': episode_ends: {problem}")
        ends = ends.astype(np.int64)
        generation = 0
        if before is not None:
            kept = before.borders.ends
            same = before.fields == fields and np.array_equal(kept, ends[: len(kept)]) and self._looks_same()
            generation = before.generation + (not same)
        return Snapshot(
            self.number, generation, contents, Borders(ends, contents.rows), max(stored - MOST_EPISODES, 0), fields
        )

    def _looks_same(self) -> bool:
        """Whether the folder is still the one that was read before; an append leaves it in its place."""
        return self._look()[0] == self._signs[0]


def _sign(path: Path) -> tuple[int, ...] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
