"""Decisions on disk: files of records of one size, which grow at the end, and a commit that says how many count.

    replay.json             format, version, schema, what the decisions are of
    commit.json             decisions that are committed; replaced by one rename
    segment-00000000.bin    records of `ReplaySchema.dtype`, `records` of them at most, reserved when it is begun

What is written after the last commit exists for its writer alone: a kill forgets it, and the next writer writes over
it. A commit syncs the files before it is renamed, as that of a dataset does.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Callable, Mapping, TypeVar

import numpy as np

from data.learning.replay.schema import ReplaySchema
from data.learning.replay.storage import as_bytes
from data.store.writing.lock import WriterLock
from robot.description import from_json, to_json
from robot.description.ranges import Range
from robot.errors import InputError
from robot.files import remove_partial, sync, unwritten, write_file

FORMAT, VERSION = "tiller-replay", 1
HEADER, COMMIT = "replay.json", "commit.json"
SEGMENT_BYTES = 16 << 20

T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """The content of replay.json.

    Args:
        schema: of a decision.
        records: decisions of a whole segment.
        facts: what the decisions are of, such as task and base: name -> value.
    """

    format: str
    version: int
    schema: ReplaySchema
    records: Annotated[int, Range(1, 1 << 40)]
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Commit:
    """The content of commit.json.

    Args:
        decisions: that are committed.
        episodes: that were begun, also those without a decision.
    """

    decisions: Annotated[int, Range(0, 1 << 60)]
    episodes: Annotated[int, Range(0, 1 << 60)] = 0


class Segments:
    """All decisions that were ever written, on disk; read through memory maps.

    Args:
        folder: of the replay; made where there is none.
        schema: of a decision.
        facts: what the decisions are of; a folder with others is refused.
        segment_bytes: of one file.
        writable: false reads what is committed, beside a writer.

    Attributes:
        count: decisions written, those that are not committed included.
        committed: of them.
        episodes: that were begun when it was committed last.

    Raises:
        InputError: the folder holds decisions of another schema, task or base, no replay, or a file of it is missing or
            cut short; another process writes there; or it cannot be written.
        TillerError: the disk is full.
    """

    def __init__(
        self,
        folder: Path,
        schema: ReplaySchema,
        facts: Mapping[str, str] | None = None,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        writable: bool = True,
    ) -> None:
        self.folder, self.schema = folder, schema
        self._maps: list[np.ndarray] = []
        self._open: tuple[int, int] | None = None  # the segment that is written, and its descriptor
        self._lock: WriterLock | None = None
        if writable:
            _make(folder)
            self._lock = WriterLock(folder, "Wait until it is done, or write to another replay")
        try:
            self._header = self._begin(facts or {}, max(1, segment_bytes // schema.dtype.itemsize))
            commit = from_json(Commit, _read(folder / COMMIT), where=str(folder / COMMIT))
            self.count = self.committed = commit.decisions
            self.episodes = commit.episodes
            self._map(self.committed)
        except BaseException:
            self.close()
            raise

    @property
    def facts(self) -> Mapping[str, str]:
        """What the decisions are of."""
        return self._header.facts

    def write(self, decisions: np.ndarray) -> None:
        """Append decisions (n,), which count once they are committed.

        Raises:
            TillerError: the disk is full or fails; what was committed stands.
        """
        self._require_writer()
        data, size = np.ascontiguousarray(decisions), self._header.records
        done = 0
        while done < len(data):
            segment, offset = divmod(self.count + done, size)
            descriptor = self._attempt(self._writing, segment)
            part = data[done : done + size - offset]
            self._attempt(_write_all, descriptor, part.tobytes(), offset * self.schema.dtype.itemsize)
            done += len(part)
        self.count += done  # all of them, or none: what a full disk cut off is written over

    def commit(self, episodes: int = 0) -> None:
        """Make what was written survive a kill and a power cut.

        Args:
            episodes: that were begun.

        Raises:
            TillerError: the disk is full or fails; what was committed before stands.
        """
        if self.count == self.committed and episodes <= self.episodes:
            return
        self._require_writer()
        if self._open is not None:  # those before were synced when they were left
            self._attempt(os.fdatasync, self._open[1])
        self._attempt(write_file, self.folder / COMMIT, _text(Commit(self.count, max(episodes, self.episodes))))
        self.committed, self.episodes = self.count, max(episodes, self.episodes)

    def rewind(self, count: int, episodes: int | None = None) -> None:
        """Forget all but the first `count` decisions, for a training that goes on from where it knew no more.

        Args:
            count: decisions that are kept.
            episodes: that were begun then; None leaves their number.

        Raises:
            InputError: fewer were committed.
        """
        self._require_writer()
        if count > self.committed:
            raise InputError(
                f"replay '{self.folder}'",
                expected=f"{count} decisions, which the checkpoint knows",
                got=f"{self.committed}",
                way_out="Put the replay of that run back, or begin another run",
            )
        self.count = count
        before = self.committed, self.episodes
        self.committed, self.episodes = count, self.episodes if episodes is None else episodes
        if (self.committed, self.episodes) != before:
            self._attempt(write_file, self.folder / COMMIT, _text(Commit(self.committed, self.episodes)))

    def read(self, numbers: np.ndarray, *, core: bool = True) -> np.ndarray:
        kind = self.schema.core if core else self.schema.dtype
        found = np.empty(len(numbers), np.dtype((np.void, kind.itemsize)))
        for segment, positions, offsets in self._parts(numbers):
            found[positions] = as_bytes(self._maps[segment], kind)[offsets]
        return found.view(kind)

    def column(self, name: str, numbers: np.ndarray) -> np.ndarray:
        column = self.schema.dtype[name]
        found = np.empty((len(numbers), *column.shape), column.base)
        for segment, positions, offsets in self._parts(numbers):
            found[positions] = self._maps[segment][name][offsets]
        return found

    def close(self) -> None:
        """Give up the right to write; what is not committed is forgotten, what there is can still be read."""
        if self._open is not None:
            os.close(self._open[1])
        self._open = None
        if self._lock is not None:
            self._lock.release()
        self._lock = None

    def _require_writer(self) -> None:
        if self._lock is None:
            raise InputError(
                f"replay '{self.folder}'", expected="one opened for writing", got="one that is read, or was closed"
            )

    def _parts(self, numbers: np.ndarray) -> list[tuple[int, Any, np.ndarray]]:
        """Segment, positions in `numbers` and offsets in the segment, of each segment that they are in."""
        segments, offsets = np.divmod(numbers, self._header.records)
        if not len(numbers):
            return []
        if segments[0] == segments[-1] and (segments == segments[0]).all():
            return [(int(segments[0]), slice(None), offsets)]
        order = np.argsort(segments, kind="stable")
        found, starts = np.unique(segments[order], return_index=True)
        return [(int(number), part, offsets[part]) for number, part in zip(found, np.split(order, starts[1:]))]

    def _begin(self, facts: Mapping[str, str], records: int) -> Header:
        """The header that is there, checked, or a new one."""
        path = self.folder / HEADER
        if not path.exists() and self._lock is not None:
            ours = (self._lock.path.name, COMMIT)  # which a writer leaves that was killed before it wrote the header
            if any(each.name not in ours for each in self.folder.iterdir() if not each.name.startswith(".")):
                raise InputError(f"replay '{self.folder}'", expected="an empty folder, or a replay", got=f"no {HEADER}")
            header = Header(FORMAT, VERSION, self.schema, records, dict(facts))
            self._attempt(write_file, self.folder / COMMIT, _text(Commit(0)))
            self._attempt(write_file, path, _text(header))
            return header
        if self._lock is not None:
            remove_partial(self.folder)
        values = _read(path)
        head = (values.get("format"), values.get("version")) if isinstance(values, dict) else (None, None)
        if head != (FORMAT, VERSION):
            raise InputError(
                f"replay '{path}'", expected=f"format {FORMAT} version {VERSION}", got=f"{head[0]} version {head[1]}"
            )
        header = from_json(Header, values, where=str(path))
        _require_same(f"replay '{self.folder}'", header, self.schema, facts)
        return header

    def _map(self, count: int) -> None:
        """Map the segments of so many decisions."""
        for segment in range(-(-count // self._header.records)):
            path, needed = self._path(segment), min(count - segment * self._header.records, self._header.records)
            try:
                size = path.stat().st_size // self.schema.dtype.itemsize
            except OSError as error:
                raise InputError(
                    f"replay file '{path}'", expected=f"{needed} decisions", got=error.strerror or str(error)
                ) from error
            if size < needed:
                raise InputError(
                    f"replay file '{path}'",
                    expected=f"{needed} decisions",
                    got=f"{size}",
                    way_out="Copy the replay again, or begin a new one",
                )
            self._maps.append(np.memmap(path, self.schema.dtype, mode="r", shape=(size,)))

    def _writing(self, segment: int) -> int:
        """The descriptor of a segment that is written, which has all of its room: a map of a file whose disk is full
        would end the process.
        """
        if self._open is not None and self._open[0] == segment:
            return self._open[1]
        path, size = self._path(segment), self._header.records * self.schema.dtype.itemsize
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, size)
            sync(self.folder)
            if self._open is not None:
                os.fdatasync(self._open[1])
            mapped = np.memmap(path, self.schema.dtype, mode="r", shape=(self._header.records,))
        except BaseException:
            os.close(descriptor)
            if segment >= len(self._maps):
                path.unlink(missing_ok=True)
            raise
        if self._open is not None:
            os.close(self._open[1])
        self._open = segment, descriptor
        self._maps[segment:] = [mapped]
        return descriptor

    def _path(self, segment: int) -> Path:
        return self.folder / f"segment-{segment:08d}.bin"

    def _attempt(self, action: Callable[..., T], *arguments: Any) -> T:
        try:
            return action(*arguments)
        except OSError as error:
            raise unwritten(self.folder, error) from error


def _require_same(where: str, header: Header, schema: ReplaySchema, facts: Mapping[str, str]) -> None:
    """Refuse decisions of another schema, or of something else."""
    for name, expected in facts.items():
        if header.facts.get(name) != expected:
            raise InputError(
                f"{where}: {name}",
                expected=f"'{expected}'",
                got=f"'{header.facts.get(name, '')}', of which its decisions are",
                way_out="Give the replay of this run, or another folder",
            )
    there, asked = to_json(header.schema), to_json(schema)
    for name, value in asked.items():
        if there[name] != value:
            raise InputError(
                f"{where}: {name}",
                expected=str(value),
                got=f"{there[name]} of its decisions",
                way_out="Give the replay of this policy, or another folder",
            )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"replay '{folder}'", expected="a folder that can be written", got=str(error)) from error


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"replay file '{path}'", expected="a file that a replay has", got="nothing there") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"replay file '{path}'", expected="JSON", got=str(error)) from error


def _text(record: Any) -> str:
    return json.dumps(to_json(record), indent=2) + "\n"
