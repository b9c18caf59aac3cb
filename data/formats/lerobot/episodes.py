"""Which episodes a LeRobot dataset has, and in which files and at which times of their videos they are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Iterator, Mapping

from data.formats.lerobot.info import Info, read_lines
from data.formats.lerobot.libraries import require_parquet
from data.formats.lerobot.tables import damage
from robot.errors import InputError

_OF_FILES = ("stats/", "data/", "videos/", "meta/")
_KNOWN = ("episode_index", "tasks", "length", "dataset_from_index", "dataset_to_index", "stats")
_MOST_ROWS = 10**9


@dataclass(frozen=True)
class VideoPart:
    """Where an episode is in a video.

    Args:
        name: of the file in the dataset.
        file: where it is.
        start_s: of its first row, since the first frame.
        alone: whether the file is of this episode alone.
    """

    name: str
    file: Path
    start_s: float
    alone: bool


@dataclass(frozen=True)
class Entry:
    """One episode.

    Args:
        index: its number in the dataset.
        length: rows.
        tasks: what it does, in words.
        name: of its table in the dataset.
        file: where that is.
        videos: key -> where it is in a video.
        facts: what else is said of it.
    """

    index: int
    length: int
    tasks: tuple[str, ...]
    name: str
    file: Path
    videos: Mapping[str, VideoPart]
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_episodes(info: Info, videos: tuple[str, ...]) -> list[Entry]:
    """All episodes by their numbers.

    Args:
        info: of the dataset.
        videos: keys of the videos that are read.

    Raises:
        InputError: the list of episodes is missing or damaged, lists one twice, or names a file outside the dataset.
    """
    read = _of_lines if info.version[0] == 2 else _of_tables
    entries = sorted(read(info, videos), key=lambda entry: entry.index)
    if not entries:
        raise InputError(f"'{info.root}': meta/episodes", expected="at least one episode", got="none")
    for before, after in pairwise(entries):
        if before.index == after.index:
            raise InputError(
                f"'{info.root}': meta/episodes", expected="each episode once", got=f"episode {after.index} twice"
            )
    return entries


def _of_lines(info: Info, videos: tuple[str, ...]) -> Iterator[Entry]:
    """Of v2: a line for each episode, and files of its own."""
    file = info.root / "meta" / "episodes.jsonl"
    for line in read_lines(file):
        index = _whole(file, line, "episode_index", 0)
        places: dict[str, Any] = {"episode_index": index, "episode_chunk": index // info.chunk}
        name, table = info.file(info.data_path, **places)
        parts = {}
        for key in videos:
            parts[key] = VideoPart(*info.file(info.video_path, video_key=key, **places), 0.0, True)
        yield Entry(
            index,
            _whole(file, line, "length", 1),
            _tasks(line.get("tasks")),
            name,
            table,
            parts,
            {key: value for key, value in line.items() if key not in _KNOWN},
        )


def _of_tables(info: Info, videos: tuple[str, ...]) -> Iterator[Entry]:
    """Of v3: tables of episodes, which share files."""
    parquet = require_parquet()
    folder = info.root / "meta" / "episodes"
    files = sorted(folder.glob("*/*.parquet"))
    if not files:
        raise InputError(
            f"'{folder}'", expected="tables chunk-000/file-000.parquet", got="none", way_out="Copy the dataset again"
        )
    for file in files:
        with damage(file):
            table = parquet.ParquetFile(file)
            names = [name for name in table.schema_arrow.names if not name.startswith("stats/")]
            for batch in table.iter_batches(1000, columns=names, use_threads=False):
                for row in batch.to_pylist():
                    yield _entry(info, file, row, videos)


def _entry(info: Info, file: Path, row: Mapping[str, Any], videos: tuple[str, ...]) -> Entry:
    index = _whole(file, row, "episode_index", 0)
    name, table = info.file(info.data_path, episode_index=index, **_place(file, row, "data"))
    parts = {}
    for key in videos:
        if row.get(f"videos/{key}/chunk_index") is None:
            continue  # a hole
        place = _place(file, row, f"videos/{key}")
        start = row.get(f"videos/{key}/from_timestamp")
        if not isinstance(start, (int, float)) or not math.isfinite(start) or not 0 <= start < 1e7:
            raise _bad(file, f"episode {index}: videos/{key}/from_timestamp", "seconds", start)
        path = info.file(info.video_path, video_key=key, episode_index=index, **place)
        parts[key] = VideoPart(*path, float(start), False)
    facts = {key: value for key, value in row.items() if key not in _KNOWN and not key.startswith(_OF_FILES)}
    return Entry(index, _whole(file, row, "length", 1), _tasks(row.get("tasks")), name, table, parts, facts)


def _place(file: Path, row: Mapping[str, Any], of: str) -> dict[str, Any]:
    return {
        "chunk_index": _whole(file, row, f"{of}/chunk_index", 0),
        "file_index": _whole(file, row, f"{of}/file_index", 0),
    }


def _tasks(value: Any) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(each for each in listed if isinstance(each, str))


def _whole(file: Path, row: Mapping[str, Any], key: str, least: int) -> int:
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < _MOST_ROWS:
        raise _bad(file, f"episode {row.get('episode_index')}: {key}", f"a whole number from {least} on", value)
    return value


def _bad(file: Path, what: str, expected: str, got: Any) -> InputError:
    return InputError(
        f"'{file}': {ascii(what)[1:-1]}", expected=expected, got=ascii(got)[:80], way_out="Copy the dataset again"
    )
