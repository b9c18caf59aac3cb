"""The store: open it, read episodes, append episodes so that a crash loses nothing that was committed.

A few lines above three hundred: one class is the whole face of a store; what it does stands in the files beside it.
"""

from __future__ import annotations

import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Mapping, Sequence

import numpy as np
import zarr

from data.store import layout
from data.store.consistency import consistent_ends
from data.store.contents import Contents, read_contents
from data.store.episode import Episode
from data.store.location import is_url, locate, refuse_within_store
from data.store.record import ROOT_KEY, Commit, Record
from data.store.schema import Schema
from data.store.writing.appending import Appender
from data.store.writing.durable import DurableStore, move_into_place
from data.store.writing.episode_writer import EpisodeWriter
from data.store.writing.staging import aside_of, remove_aside, remove_leftovers
from robot.description import fingerprint, to_json
from robot.errors import InputError, nearest


class Dataset:
    """Episodes on disk, made by `Dataset.create` or `Dataset.open`.

    A dataset is a snapshot: it shows the episodes that were committed when it was opened, were appended through it, or
    were there at the last `refresh`, while another process may append more.

    Attributes:
        path: as given.
        schema: None for a store that tiller did not write.
        keys: names of the arrays under `data/`.
        meta_keys: names of the per-episode facts.
        episode_ends: (episodes,) int64, the row after each episode's last.
        attributes: of the root: robot, cameras, software and provenance.
        dropped: opened for appending after a writer that ended in the middle of an episode, one line that says which
            was lost; else empty.
    """

    path: str
    schema: Schema | None
    keys: tuple[str, ...]
    meta_keys: tuple[str, ...]
    episode_ends: np.ndarray
    attributes: Mapping[str, Any]
    dropped: str

    def __init__(self, path: str, appender: Appender | None = None) -> None:
        self.path = path
        self._appender = appender
        self.dropped = "" if appender is None else appender.dropped
        self.refresh()

    @classmethod
    def create(cls, path: str | Path, schema: Schema, attributes: Mapping[str, Any] | None = None) -> Dataset:
        """Make an empty store and open it for appending.

        Args:
            path: a folder that does not exist yet, or is empty.
            schema: what the episodes will hold.
            attributes: what `to_json` makes plain, for the root: robot and contract hashes, cameras, provenance. The
                control period and the versions of the software are added where they are not given.

        Raises:
            InputError: something is at that path, or it cannot be written.
        """
        folder = free_folder(path)
        written = {
            "control_period_s": schema.period_s,
            "software": _software(),
            **to_json(attributes or {}),
            ROOT_KEY: Record(schema, Commit()).to_json(),
        }
        aside = aside_of(folder, "new")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            store = DurableStore(aside)
            root = zarr.create_group(store, zarr_format=3, attributes=written)
            for slot in layout.slots(schema):
                layout.create_array(root, slot)
            store.settle()
            move_into_place(aside, folder)
        except OSError as error:
            raise InputError(f"'{path}'", expected="a place that can be written", got=error.strerror) from error
        finally:
            remove_aside(aside)
        return cls.open(folder, mode="a")

    @classmethod
    def open(cls, path: str | Path, mode: Literal["r", "a"] = "r") -> Dataset:
        """Open a store.

        Args:
            path: a folder, a zip (also with the store in a folder inside), or an fsspec URL.
            mode: `r` to read, `a` to read and append: local folders that tiller wrote only.

        Raises:
            InputError: there is no store or no such mode, its arrays and `episode_ends` do not fit together, it cannot
                be appended to (mode `a`), or another process is writing it (mode `a`).
        """
        if mode not in ("r", "a"):
            raise InputError("mode", expected="'r' or 'a'", got=repr(mode))
        if mode == "a" and is_url(path):
            raise _cannot_append(str(path), "a remote URL")
        if mode == "r":
            return cls(str(path))
        contents = read_contents(locate(path))
        if contents.location.folder is None:
            raise _cannot_append(contents.name, "a zip file")
        if contents.schema is None:
            raise _cannot_append(contents.name, "a store that tiller did not write")
        consistent_ends(contents)
        appender = Appender(contents.location.folder, contents.schema)
        try:
            return cls(str(path), appender)
        except BaseException:
            appender.close()
            raise

    def append(self, episode: Episode) -> None:
        """Check an episode, write it, and commit it; when this returns it survives any crash.

        Raises:
            InputError: the dataset is not open for appending, or the episode does not fit the schema; nothing was
                written.
            DamagedChunkError: the chunk that the episode would share with earlier ones is damaged.
            TillerError: the disk is full or fails; every episode committed before is intact.
        """
        self.extend([episode])

    def extend(self, episodes: Sequence[Episode]) -> None:
        """Append several episodes in one commit, which is faster than one each: all of them or none.

        Raises:
            InputError, DamagedChunkError, TillerError: as `append`.
        """
        self._follow(self._writable().extend(episodes), [len(episode) for episode in episodes])

    def writer(self) -> EpisodeWriter:
        """Write an episode as it happens: rows as they come, and one commit at its end; or several with one commit.

            with dataset.writer() as episode:
                episode.add(rows)
                episode.add_stream("force", value, time_ns)
                episode.commit({"success": True})

        Raises:
            InputError: the dataset is not open for appending, or another episode is being written.
            TillerError: the disk is full or fails.
        """
        appender = self._writable()
        assert self.schema is not None
        return EpisodeWriter(appender, self.schema, self._follow)

    def _follow(self, commit: Commit, lengths: Sequence[int]) -> None:
        """Show the episodes of these lengths too, which have just been committed."""
        ends = self.rows + np.cumsum(lengths, dtype=np.int64)
        self._show(replace(self._contents, commit=commit), np.concatenate([self.episode_ends, ends]))

    def _writable(self) -> Appender:
        if self._appender is None:
            raise InputError(
                f"'{self.path}'",
                expected="a dataset open for appending",
                got="one open for reading",
                way_out="Open it with mode='a'",
            )
        if self._appender.commit.episodes != len(self):
            self.refresh()  # the last append was interrupted after its commit
        return self._appender

    def close(self) -> None:
        """Let others write, when this dataset could; reading still works."""
        if self._appender is not None:
            self._appender.close()
            self._appender = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def refresh(self) -> None:
        """Show what has been committed since.

        Raises:
            InputError: the store is gone, or its arrays and `episode_ends` do not fit together.
        """
        contents = read_contents(locate(self.path))
        self._show(contents, consistent_ends(contents))

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.episode_ends)

    @property
    def rows(self) -> int:
        """Number of rows of all episodes."""
        return int(self.episode_ends[-1]) if len(self) else 0

    @property
    def period_s(self) -> float | None:
        """Control period, s; None where the store does not record it."""
        return self.schema.period_s if self.schema else None

    @property
    def fingerprint(self) -> str:
        """Hash of the schema and of all content, 16 hexadecimal digits.

        A foreign store's is of its arrays' metadata and episode ends.
        """
        if self.schema is not None and self._contents.commit is not None:
            return fingerprint({"schema": self.schema.to_json(), "commit": self._contents.commit.to_json()})
        return fingerprint({"arrays": self._contents.metadata, "episode_ends": self.episode_ends.tolist()})

    def episode_slice(self, index: int) -> slice:
        """Rows of one episode; -1 is the last.

        Raises:
            InputError: there is no such episode.
        """
        if not -len(self) <= index < len(self):
            raise InputError(f"'{self.path}': episode", expected=f"0 to {len(self) - 1}", got=str(index))
        index %= len(self)
        return slice(int(self.episode_ends[index - 1]) if index else 0, int(self.episode_ends[index]))

    def array(self, name: str) -> zarr.Array[Any]:
        """A row array, opened but not read, (rows, ...).

        Raises:
            InputError: there is no such array, or it needs a codec that is not installed.
        """
        self._require_key(name)
        return self._contents.array(layout.row_path(name))

    def read(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows start..stop-1 of a row array, (stop - start, ...) in memory; without a stop up to the last.

        Raises:
            InputError: as `array`.
            DamagedChunkError: a chunk is missing or broken; the message names it and its rows.
        """
        self._require_key(name)
        return self._contents.read(layout.row_path(name), start, self.rows if stop is None else stop)

    def meta(self, name: str) -> np.ndarray:
        """One fact of every episode, (episodes,); words as objects.

        Raises:
            InputError: there is no such fact.
            DamagedChunkError: a chunk is missing or broken.
        """
        if name not in self.meta_keys:
            raise InputError(
                f"'{self.path}': meta '{name}'",
                expected="a fact of this store",
                got=f"'{name}'",
                way_out=nearest(name, self.meta_keys),
            )
        return self._contents.read(layout.meta_path(name), 0, len(self))

    def episode(self, index: int, names: Sequence[str] | None = None) -> Episode:
        """Read one episode; -1 is the last.

        Args:
            index: of the episode.
            names: row arrays to read, all of them by default.

        Raises:
            InputError: no such episode or array.
            DamagedChunkError: a chunk is missing or broken.
        """
        rows = self.episode_slice(index)
        for name in names or ():
            self._require_key(name)
        return self._contents.episode(index % len(self), rows, self.keys if names is None else names)

    def _require_key(self, name: str) -> None:
        if name not in self.keys:
            raise InputError(
                f"'{self.path}': array '{name}'",
                expected="a key of this store",
                got=f"'{name}'",
                way_out=nearest(name, self.keys),
            )

    def _show(self, contents: Contents, episode_ends: np.ndarray) -> None:
        self._contents = contents
        self.schema, self.attributes = contents.schema, contents.attributes
        self.keys = contents.keys
        self.episode_ends = episode_ends
        self.meta_keys = contents.meta_keys


def free_folder(path: str | Path) -> Path:
    """A path at which a store can be made; what killed processes left there of one is removed.

    Raises:
        InputError: something is there already, it is within another store, or it is no local path.
    """
    if is_url(path):
        raise InputError(f"'{path}'", expected="a local folder to write", got="a URL")
    folder = Path(path).resolve()
    refuse_within_store(folder, str(path))
    remove_leftovers(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"'{path}'",
            expected="a folder that does not exist yet",
            got="something there",
            way_out="Choose another path; nothing is overwritten",
        )
    return folder


def _cannot_append(path: str, what: str) -> InputError:
    return InputError(
        f"'{path}'",
        expected="a local folder that tiller wrote, to append to",
        got=what,
        way_out=f"Make one of it with: tiller data convert {path} TARGET",
    )


def _software() -> dict[str, str]:
    """Versions of what wrote the store."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "zarr")}}
