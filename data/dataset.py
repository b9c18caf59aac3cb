"""The store: open it, read episodes, append episodes so that a crash loses nothing that was committed."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Mapping, Sequence

import numpy as np
import zarr

from data import layout
from data.appending import Appender
from data.commit import Commit
from data.durable import DurableStore
from data.episode import Episode
from data.consistency import require_consistent
from data.location import Location, children, is_url, locate, raw_metadata
from data.reading import open_array, read_rows
from data.record import ROOT_KEY, Record, is_ours, read_record
from data.schema import Schema
from robot.description import fingerprint
from robot.errors import InputError, nearest


class Dataset:
    """Episodes on disk, made by `Dataset.create` or `Dataset.open`.

    A dataset is a snapshot: it shows the episodes that were committed when it was opened, were appended through it, or
    were there at the last `refresh`, while another process may append more.

    Attributes:
        path: as given.
        schema: None for a store that tiller did not write.
        keys: names of the arrays under `data/`.
        meta_keys: names of the facts an episode.
        episode_ends: (episodes,) int64, the row after each episode's last.
        attributes: what the root says about robot, cameras, software and provenance.
    """

    path: str
    schema: Schema | None
    keys: tuple[str, ...]
    meta_keys: tuple[str, ...]
    episode_ends: np.ndarray
    attributes: Mapping[str, Any]

    def __init__(self, location: Location, appender: Appender | None = None) -> None:
        self.path = location.name
        self._appender = appender
        self._load(location)

    @classmethod
    def create(cls, path: str | Path, schema: Schema, attributes: Mapping[str, Any] | None = None) -> Dataset:
        """Make an empty store and open it for appending.

        Args:
            path: a folder that does not exist yet, or is empty.
            schema: what the episodes will hold.
            attributes: plain JSON values for the root: robot and contract hashes, cameras, provenance. The control
                period and the versions of the software are added.

        Raises:
            InputError: something is at that path, or it cannot be written.
        """
        folder = _free_folder(path)
        written = {
            ROOT_KEY: Record(schema).to_json(),
            "control_period_s": schema.period_s,
            "software": _software(),
            **(attributes or {}),
        }
        aside = folder.with_name(f".{folder.name}.{os.getpid()}.new")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            store = DurableStore(aside)
            root = zarr.create_group(store, zarr_format=3, attributes=written)
            for slot in layout.slots(schema):
                layout.create_array(root, slot)
            store.settle()
            os.replace(aside, folder)
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            raise InputError(f"'{path}'", expected="a place that can be written", got=error.strerror) from error
        return cls.open(folder, mode="a")

    @classmethod
    def open(cls, path: str | Path, mode: Literal["r", "a"] = "r") -> Dataset:
        """Open a store.

        Args:
            path: a folder, a zip (also with the store in a folder inside), or an fsspec URL.
            mode: `r` to read, `a` to read and append: local folders that tiller wrote only.

        Raises:
            InputError: there is no store, its arrays and `episode_ends` do not fit together, it cannot be appended to
                (mode `a`), or another process is writing it (mode `a`).
        """
        if mode not in ("r", "a"):
            raise InputError("mode", expected="'r' or 'a'", got=repr(mode))
        if mode == "a" and is_url(path):
            raise _cannot_append(str(path), "a remote URL")
        location = locate(path)
        if mode == "r":
            return cls(location)
        attributes = location.group.attrs.asdict()
        if location.folder is None:
            raise _cannot_append(location.name, "a zip file")
        if not is_ours(attributes):
            raise _cannot_append(location.name, "a store that tiller did not write")
        appender = Appender(location.folder, read_record(attributes, location.name).schema)
        try:
            return cls(locate(path), appender)
        except BaseException:
            appender.close()
            raise

    def append(self, episode: Episode) -> None:
        """Check an episode, write it, and commit it; when this returns it survives any crash.

        Raises:
            InputError: the dataset is not open for appending, or the episode does not fit the schema; nothing was
                written.
            TillerError: the disk is full; every episode committed before is intact.
        """
        self.extend([episode])

    def extend(self, episodes: Sequence[Episode]) -> None:
        """Append several episodes in one commit, which is faster than one each: all of them or none.

        Raises:
            InputError, TillerError: as `append`.
        """
        if self._appender is None:
            raise InputError(f"'{self.path}'", expected="a dataset open for appending", got="one open for reading",
                             way_out="Open it with mode='a'")
        first = self._appender.commit.rows
        self._measure(self._appender.extend(episodes))
        ends = first + np.cumsum([len(episode) for episode in episodes], dtype=np.int64)
        self.episode_ends = np.concatenate([self.episode_ends, ends])
        self._arrays.clear()

    def close(self) -> None:
        """Let others write, when this dataset could; reading goes on working."""
        if self._appender is not None:
            self._appender.close()
            self._appender = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def refresh(self) -> None:
        """Show what has been committed since."""
        self._load(locate(self.path))

    def __len__(self) -> int:
        """Episodes."""
        return len(self.episode_ends)

    @property
    def rows(self) -> int:
        """Rows of all episodes."""
        return int(self.episode_ends[-1]) if len(self) else 0

    @property
    def period_s(self) -> float | None:
        """Control period; None where the store does not say."""
        return self.schema.period_s if self.schema else None

    @property
    def fingerprint(self) -> str:
        """Hash of the schema and of all content; a foreign store's is of its arrays' shapes and episode ends only."""
        if self.schema is not None and self._commit is not None:
            return fingerprint({"schema": self.schema.to_json(), "commit": self._commit.to_json()})
        arrays = {key: (self.array(key).shape, str(self.array(key).dtype)) for key in self.keys}
        return fingerprint({"arrays": arrays, "episode_ends": self.episode_ends.tolist()})

    def episode_slice(self, index: int) -> slice:
        """Rows of one episode; -1 is the last."""
        if not -len(self) <= index < len(self):
            raise InputError(f"'{self.path}': episode", expected=f"0 to {len(self) - 1}", got=str(index))
        index %= len(self)
        return slice(int(self.episode_ends[index - 1]) if index else 0, int(self.episode_ends[index]))

    def array(self, name: str) -> zarr.Array[Any]:
        """A row array, opened but not read, (rows, ...).

        Raises:
            InputError: there is no such array, or it needs a codec that is not installed.
        """
        if name not in self.keys:
            raise InputError(f"'{self.path}': array '{name}'", expected="a key of this store", got=f"'{name}'",
                             way_out=nearest(name, self.keys))
        return self._array(layout.row_path(name))

    def read(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows start..stop-1 of a row array (all of them without a stop), in memory.

        Raises:
            InputError: as `array`.
            DamagedChunkError: a chunk is missing or broken; the message names it and its rows.
        """
        array = self.array(name)
        return read_rows(array, self.path, layout.row_path(name), start, self.rows if stop is None else stop)

    def meta(self, name: str) -> np.ndarray:
        """One fact of every episode, (episodes,); words as objects.

        Raises:
            InputError: there is no such fact.
        """
        if name not in self.meta_keys:
            raise InputError(f"'{self.path}': meta '{name}'", expected="a fact of this store", got=f"'{name}'",
                             way_out=nearest(name, self.meta_keys))
        path = layout.meta_path(name)
        return read_rows(self._array(path), self.path, path, 0, len(self))

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
        index %= len(self)
        data = {name: self.read(name, rows.start, rows.stop) for name in (self.keys if names is None else names)}
        meta = {name: self._fact(name, index) for name in self.meta_keys}
        streams = {name: self._stream(name, index) for name in (self.schema.stream_fields if self.schema else ())}
        return Episode(data, meta, streams)

    def _fact(self, name: str, index: int) -> Any:
        path = layout.meta_path(name)
        return read_rows(self._array(path), self.path, path, index, index + 1).tolist()[0]

    def _stream(self, name: str, index: int) -> tuple[np.ndarray, np.ndarray]:
        value, time_ns, ends_path = layout.stream_paths(name)
        ends = read_rows(self._array(ends_path), self.path, ends_path, max(index - 1, 0), index + 1)
        start, stop = (int(ends[0]) if index else 0), int(ends[-1])
        return (read_rows(self._array(value), self.path, value, start, stop),
                read_rows(self._array(time_ns), self.path, time_ns, start, stop))

    def _array(self, path: str) -> zarr.Array[Any]:
        if path not in self._arrays:
            self._arrays[path] = open_array(self._location.group, path, self._lengths.get(path), self.path,
                                            complete=self.schema is not None)
        return self._arrays[path]

    def _load(self, location: Location) -> None:
        self._location = location
        attributes = location.group.attrs.asdict()
        self.attributes = {key: value for key, value in attributes.items() if key != ROOT_KEY}
        self._arrays: dict[str, zarr.Array[Any]] = {}
        if is_ours(attributes):
            self._load_own(read_record(attributes, self.path))
        else:
            self._load_foreign()

    def _load_own(self, record: Record) -> None:
        self.schema, self._commit = record.schema, record.commit
        self.keys, self.meta_keys = tuple(record.schema.row_fields), tuple(record.schema.meta_fields)
        self._measure(record.commit)
        for path, length in self._lengths.items():
            found = raw_metadata(self._location, path)
            if found is None or found["shape"][0] < length:
                raise InputError(f"'{self.path}': array '{path}'", expected=f"{length} entries",
                                 got=str(found["shape"][0]) if found else "no array",
                                 way_out=f"'tiller data validate {self.path}' lists all problems")
        self.episode_ends = self._read_ends()
        require_consistent(self.path, {}, self.episode_ends, record.commit.rows)

    def _load_foreign(self) -> None:
        self.schema, self._commit, self._lengths = None, None, {}
        shapes = {name: found["shape"] for name in children(self._location, "data")
                  if (found := raw_metadata(self._location, layout.row_path(name))) and found["shape"]}
        if not shapes:
            raise InputError(f"'{self.path}'", expected="a store with data/ and meta/episode_ends",
                             got="a zarr group without arrays under data/")
        self.keys = tuple(shapes)
        self.episode_ends = self._read_ends()
        lengths = {name: shape[0] for name, shape in shapes.items()}
        require_consistent(self.path, lengths, self.episode_ends, next(iter(lengths.values())))
        self.meta_keys = tuple(
            name for name in children(self._location, "meta")
            if layout.meta_path(name) != layout.EPISODE_ENDS
            and (found := raw_metadata(self._location, layout.meta_path(name)))
            and found["shape"] == [len(self.episode_ends)]
        )

    def _measure(self, commit: Commit) -> None:
        self._commit = commit
        self._lengths = {slot.path: slot.length(commit) for slot in layout.slots(self.schema)}

    def _read_ends(self) -> np.ndarray:
        ends = self._array(layout.EPISODE_ENDS)
        return read_rows(ends, self.path, layout.EPISODE_ENDS, 0, ends.shape[0]).astype(np.int64, copy=False)


def _free_folder(path: str | Path) -> Path:
    if is_url(path):
        raise InputError(f"'{path}'", expected="a local folder to write", got="a URL")
    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"'{path}'", expected="a folder that does not exist yet", got="something there",
                         way_out="Choose another path; nothing is overwritten")
    return folder


def _cannot_append(path: str, what: str) -> InputError:
    return InputError(f"'{path}'", expected="a local folder that tiller wrote, to append to", got=what,
                      way_out=f"Make one of it with: tiller data convert {path} TARGET")


def _software() -> dict[str, str]:
    """Versions of what wrote the store."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "zarr")}}
